"""`hera-utils profile`: stores the settings of platforms, each under a name."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hera_utils.cli.options import (
    FullSentenceGroup,
    complete_with,
    context,
    given_settings,
    output_option,
    settings_options,
)
from hera_utils.cli.terminal import print_json, print_line, print_note, print_table
from hera_utils.errors import SettingsError

if TYPE_CHECKING:
    from hera_utils.settings.resolve import CLIContext


@click.group(cls=FullSentenceGroup)
def command() -> None:
    """The platforms that one works with, each under a name: --profile NAME takes its settings.

    \b
    hera-utils profile add lab --argo_server argo.lab.example --argo_namespace lyon --ask-token
    hera-utils profile add lab --from hera.config
    hera-utils profile check lab
    hera-utils profile use lab
    """


@command.command("ls")
@output_option("json")
def ls(output: str) -> int:
    """List the profiles; * is the one in use."""
    from hera_utils.settings.profiles import list_profiles
    from hera_utils.settings.sources import Surroundings

    settings = context(check_trust=False)
    all_profiles = list_profiles(Surroundings())
    if output == "json":
        print_json(
            [
                {
                    "name": profile.name,
                    "in_use": profile.name == settings.profile,
                    "settings": _without_passwords(profile.settings),
                    "token": profile.has_token,
                    "files": list(profile.files),
                }
                for profile in all_profiles
            ]
        )
        return 0
    if not all_profiles:
        print_line("there is no profile; create one with: hera-utils profile add NAME --argo_server …")
        return 0
    rows = [
        (
            "*" if profile.name == settings.profile else "",
            profile.name,
            _describe_platform(profile.settings),
            str(profile.settings.get("argo_namespace", "")),
            "yes" if profile.has_token else "",
            ", ".join(map(_path_from_home, profile.files)),
        )
        for profile in all_profiles
    ]
    print_table(("", "profile", "platform", "namespace", "token", "file"), rows)
    if settings.profile:
        print_line(f"in use: {settings.profile} ({settings.origin('profile')})")
    return 0


@command.command("show")
@click.argument("name", required=False, shell_complete=complete_with("profiles"))
@output_option("json")
def show(name: str | None, output: str) -> int:
    """Show the settings that result from a profile (default: the one in use), and the origin of each."""
    from hera_utils.settings.sources import read_settings

    settings = _settings_of_profile(read_settings({"profile": name}, check_trust=False))
    rows = [row for row in settings.rows() if settings.is_given(row.name) or row.name == "platform"]
    _note_overridden(settings)
    if output == "json":
        print_json([{"name": row.name, "value": row.value, "origin": row.origin} for row in rows])
    else:
        print_table(("setting", "value", "origin"), [(row.name, row.value, row.origin) for row in rows])
    return 0


@command.command("add")
@click.argument("name")
@click.option(
    "--from",
    "source",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Take the settings from a hera.config file.",
)
@click.option(
    "--project",
    is_flag=True,
    help="Write it into the project's hera-utils.toml, for everybody who works on the project.",
)
@click.option("--replace", is_flag=True, help="Replace an existing profile of that name.")
@click.option("--ask-token", is_flag=True, help="Ask for the token, so that it appears on no command line.")
@partial(settings_options, listed=True)
def add(name: str, source: Path | None, project: bool, replace: bool, ask_token: bool) -> int:
    """Create a profile from the settings given as flags, and from those of a hera.config file.

    A token is stored separately, in credentials.toml, which nobody else can read.
    """
    from hera_utils.settings import profiles
    from hera_utils.settings.secret import Secret
    from hera_utils.settings.sources import Surroundings

    around = Surroundings()
    settings: dict[str, Any] = {}
    if source is not None:
        found = profiles.import_settings(source, around)
        settings |= found.settings
        if found.foreign:
            print_note(f"left out, because they are flags of scripts and not settings: {', '.join(found.foreign)}")
    settings |= profiles.convert_flags(given_settings(), around)
    if ask_token:
        settings["argo_token"] = Secret(_ask_for_token())
    if not settings:
        raise SettingsError(
            "the profile would be empty",
            fix="give settings as flags (--argo_server …), or a file with --from; all of them: hera-utils settings",
        )
    for path in profiles.add_profile(name, settings, around, project=project, replace=replace):
        print_line(f"wrote {_path_from_home(str(path))}")
    print_line(f"see whether it works with: hera-utils profile check {name}")
    return 0


@command.command("rm")
@click.argument("name", shell_complete=complete_with("profiles"))
def rm(name: str) -> int:
    """Remove a profile and its token from the user's files."""
    from hera_utils.settings import profiles
    from hera_utils.settings.sources import Surroundings

    for path in profiles.remove_profile(name, Surroundings()):
        print_line(f"{name} removed from {_path_from_home(str(path))}")
    return 0


@command.command("use")
@click.argument("name", required=False, shell_complete=complete_with("profiles"))
@click.option("--none", "nothing", is_flag=True, help="Use no profile.")
def use(name: str | None, nothing: bool) -> int:
    """Use a profile from now on, unless another is named."""
    from hera_utils.settings import profiles
    from hera_utils.settings.sources import Surroundings

    if (name is None) != nothing:
        raise SettingsError("give either a profile or --none", fix="hera-utils profile use NAME, or: … use --none")
    path = profiles.use_profile(name, Surroundings())
    print_line(f"{f'profile = {name}' if name else 'no profile'} written to {_path_from_home(str(path))}")
    settings = context(check_trust=False)
    if settings.profile != name:
        print_note(f"but in this folder the profile is {settings.profile} ({settings.origin('profile')})")
    return 0


@command.command("check")
@click.argument("name", required=False, shell_complete=complete_with("profiles"))
@output_option("json")
def check(name: str | None, output: str) -> int:
    """Check that a profile's platform (default: the one in use) answers, accepts the token and permits runs (`doctor`)."""
    from hera_utils.cli.doctor import show_findings
    from hera_utils.preflight.run import check_run
    from hera_utils.settings.sources import read_settings

    settings = _settings_of_profile(read_settings({"profile": name}))
    _note_overridden(settings)
    return show_findings(check_run(settings), output)


def _settings_of_profile(settings: CLIContext) -> CLIContext:
    """The settings, where they are a profile's."""
    if settings.profile is None:
        raise SettingsError("no profile is in use", fix="name one; see them with: hera-utils profile ls")
    return settings


def _note_overridden(settings: CLIContext) -> None:
    """Print which settings of the profile another source overrides: a forgotten variable may lead to another platform."""
    from hera_utils.settings.profiles import list_profiles
    from hera_utils.settings.sources import Surroundings

    profile_settings = next(
        (profile.settings for profile in list_profiles(Surroundings()) if profile.name == settings.profile), {}
    )
    for name in profile_settings:
        origin = settings.origin(name)
        if origin.startswith(("variable", "file", "flag")) and "profile" not in origin:
            print_note(f"the profile's {name} has no effect: {origin} wins")


def _ask_for_token() -> str:
    """The token, typed without being shown, or the first line of standard input."""
    if sys.stdin.isatty():
        text: str = click.prompt("token", hide_input=True, err=True)
    else:
        text = sys.stdin.readline()
    if not text.strip():
        raise SettingsError("no token was given", fix="type or paste it, or pipe it in")
    return text.strip()


def _describe_platform(settings: Any) -> str:
    if settings.get("argo_server"):
        return str(settings["argo_server"])
    if settings.get("platform") == "remote":
        return f"found in the cluster of {settings.get('k8s_config_file') or '~/.kube/config'}"
    return "this machine"


def _without_passwords(settings: Any) -> dict[str, Any]:
    from hera_utils.settings.resolve import remove_passwords

    return {key: remove_passwords(value) if isinstance(value, str) else value for key, value in settings.items()}


def _path_from_home(path: str) -> str:
    """A path with `~` for the home folder."""
    home = str(Path.home())
    return "~" + path[len(home) :] if path.startswith(home + "/") else path
