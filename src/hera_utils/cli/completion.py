"""`hera-utils completion`: the script with which a shell completes our command lines, and the names that it offers.

It offers what is known at once: names from this folder and the local platform's folder, and from the local server if it runs. It starts
no server, asks no cluster, and prints no error, because the user is typing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem, get_completion_class

from hera_utils.cli.commands import commands
from hera_utils.cli.terminal import print_line
from hera_utils.errors import HeraUtilsError

if TYPE_CHECKING:
    from hera_utils.platforms.argo_client import ArgoClient
    from hera_utils.settings.resolve import CLIContext

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> int:
    """Print the script with which SHELL completes commands, flags, files, and the names of runs, tasks, profiles, claims and templates.

    \b
    bash:  hera-utils completion bash >> ~/.bashrc
    zsh:   hera-utils completion zsh >> ~/.zshrc
    fish:  hera-utils completion fish > ~/.config/fish/completions/hera-utils.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None, "click knows these shells"
    complete = kind(commands, {}, "hera-utils", "_HERA_UTILS_COMPLETE")
    print_line(complete.source_template % complete.source_vars())
    return 0


@dataclass(frozen=True)
class TypedLine:
    """The line that the user is typing. given_settings: field name → value, as typed."""

    ctx: click.Context
    given_settings: Mapping[str, Any]

    @property
    def settings(self) -> CLIContext:
        """A file that the user does not trust is an error here; there is no question."""
        from hera_utils.settings.sources import read_settings

        return read_settings(self.given_settings)


def complete_names(kinds: tuple[str, ...], line: TypedLine, incomplete: str) -> list[CompletionItem]:
    """The names of these kinds that begin with the typed text."""
    names = dict[str, None]()
    for kind in kinds:
        with suppress(HeraUtilsError, OSError, ValueError):  # keep the names that were found before the error
            for name in _FINDERS[kind](line) if kind in _FINDERS else ():
                names[name] = None
    items = [CompletionItem(name) for name in names if name.startswith(incomplete) and name.isprintable()]
    return [*items, *([CompletionItem(incomplete, type="file")] if "files" in kinds else [])]


@contextmanager
def _running_server(line: TypedLine) -> Iterator[ArgoClient | None]:
    """A client of this machine's server; None if no server runs, or if the settings name another platform."""
    from hera_utils.local_platform.daemon import status

    settings = line.settings
    if settings.platform != "local" or status(Path(settings.state)) is None:
        yield None
        return
    from hera_utils.platforms.argo_client import ArgoClient
    from hera_utils.platforms.connect import connect

    with ArgoClient(connect(settings)) as client:
        yield client


def _runs(line: TypedLine) -> Iterator[str]:
    yield "@latest"
    yield from sorted(record.parent.name for record in Path("runs").glob("*/run.json"))
    from hera_utils.cli.platform_runs import runs_of_platform

    with _running_server(line) as client:
        yield from runs_of_platform(client) if client is not None else ()


def _tasks(line: TypedLine) -> Iterator[str]:
    """The tasks of the run that was typed before."""
    from hera_utils.cli.platform_runs import runs_of_platform, workflows_of
    from hera_utils.cli.run_choice import choose_name

    with _running_server(line) as client:
        if client is None:
            return
        for workflow in workflows_of(client, choose_name(line.ctx.params.get("name") or "", runs_of_platform(client))):
            nodes = (client.get(workflow, fields="status.nodes").get("status") or {}).get("nodes") or {}
            yield from (str(node["displayName"]) for node in nodes.values() if node.get("type") == "Pod")


def _profiles(line: TypedLine) -> Iterator[str]:
    from hera_utils.settings.profiles import list_profiles
    from hera_utils.settings.sources import Surroundings

    return (profile.name for profile in list_profiles(Surroundings()))


def _claims(line: TypedLine) -> Iterator[str]:
    from hera_utils.argo.claim_folders import default_folder

    settings = line.settings
    if settings.platform == "local":
        folders = Path(default_folder(settings.state, settings.argo_namespace, "x")).parent.glob("*/")
        yield from (f"{name}:" for name in (*settings.volumes, *sorted(folder.name for folder in folders)))


def _names_of_stored_objects(line: TypedLine) -> Iterator[str]:
    from hera_utils.cli.stored_template import list_stored

    with _running_server(line) as client:
        yield from map(str, list_stored(client) if client is not None else ())


_FINDERS: dict[str, Callable[[TypedLine], Iterator[str]]] = {
    "runs": _runs,
    "tasks": _tasks,
    "profiles": _profiles,
    "claims": _claims,
    "stored": _names_of_stored_objects,
}
