"""Running somebody's script as they would: as `__main__`, in their folder's import path, with their arguments.

What it builds and submits with Hera is written down on the way, so that its runs can be followed, and a script that builds a
workflow and stops there can be submitted.
"""

from __future__ import annotations

import functools
import sys
import traceback
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from hera_utils.errors import AccessError, HeraUtilsError, InvalidWorkflow, SettingsError

Json = dict[str, Any]


@dataclass
class Made:
    """What a script did with Hera. built: its workflows (not templates), oldest first; runs: (namespace, name) of what it submitted.

    status: what the script ended with. sending: whether what it submits is sent (not when it is only looked at).
    engine: whether it gave an experiment to an execution engine, which submits, follows and tells by itself.
    announce: called before anything is sent.
    """

    built: list[Any] = field(default_factory=list)
    runs: list[tuple[str, str]] = field(default_factory=list)
    submitted: set[int] = field(default_factory=set)
    status: int = 0
    sending: bool = True
    engine: bool = False
    announce: Callable[[], None] = lambda: None

    @property
    def waiting(self) -> list[Any]:
        """The workflows that were built and not submitted."""
        return [workflow for workflow in self.built if id(workflow) not in self.submitted]


def read_script(path: Path) -> types.CodeType:
    """The script, compiled. SettingsError when it is not there or is no Python."""
    try:
        return compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    except OSError as error:
        raise SettingsError(
            f"the script {path} cannot be read ({(error.strerror or str(error)).lower()})", fix="check its name"
        ) from None
    except SyntaxError as error:
        raise SettingsError(
            f"{path}, line {error.lineno}: {error.msg}", fix="correct the script; it must be Python"
        ) from None
    except ValueError as error:
        raise SettingsError(f"{path} is no Python script ({error})", fix="check its name") from None


def execute(
    path: Path, arguments: Sequence[str], *, sending: bool = True, announce: Callable[[], None] | None = None
) -> Made:
    """Run the script to its end. Its own mistake is shown as Python would show it, without our frames; then SettingsError.

    sending: False to let it build its workflows and send none.
    """
    code = read_script(path)
    module = types.ModuleType("__main__")
    module.__file__ = str(path)
    module.__dict__["__builtins__"] = __builtins__
    sys.modules["__main__"] = module
    sys.argv = [str(path), *arguments]
    # as `python script.py` does; the folder of the hera-utils command is of no use to the script
    sys.path[0:1] = [str(path.parent.resolve())]
    made = Made(sending=sending, announce=announce or (lambda: None))
    with written_down(made):
        try:
            exec(code, module.__dict__)  # this is what the user asked for
        except HeraUtilsError:
            raise
        except KeyboardInterrupt as stop:
            raise left_alone(made, stop) from None
        except SystemExit as stop:
            made.status = _exit_status(stop)
        except Exception as error:  # noqa: BLE001  whatever the script raises is told in one place
            raise told(error, path) from None
    return made


def left_alone(made: Made, stop: KeyboardInterrupt) -> KeyboardInterrupt:
    """Ctrl-C while the script waited: what it submitted goes on."""
    from hera_utils.execution.screen import Detached

    names = [name for _, name in made.runs]
    if isinstance(stop, Detached) or not names:
        return stop
    goes = "the run goes" if len(names) == 1 else "the runs go"
    return Detached(f"{goes} on; come back with: " + "; ".join(f"hera-utils watch {name}" for name in names))


def created(workflow: Any, path: Path) -> str:
    """Submit a workflow that the script left unsubmitted; its name."""
    try:
        return str(workflow.create().metadata.name)
    except HeraUtilsError:
        raise
    except Exception as error:  # noqa: BLE001  Hera builds it now: whatever is wrong in it shows here
        raise told(error, path) from None


def _exit_status(stop: SystemExit) -> int:
    if stop.code is None or isinstance(stop.code, int):
        return stop.code or 0
    click.echo(str(stop.code), err=True)
    return 1


def told(error: Exception, path: Path) -> HeraUtilsError:
    """The sentence for what a script raised; an error of its own code is preceded by its traceback, less our frames."""
    for kind in type(error).__mro__:
        if kind.__module__.startswith("hera.exceptions"):
            return _server_said(error)
        if kind.__module__.startswith("requests.exceptions") and kind.__name__ in ("ConnectionError", "Timeout"):
            return AccessError(
                f"the script could not reach the server it asks ({error})", fix="see hera-utils connection"
            )
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename != str(path):
        frames = frames.tb_next
    click.echo("".join(traceback.format_exception(type(error), error, frames)).rstrip(), err=True)
    line = f", line {frames.tb_lineno}" if frames is not None else ""
    words = str(error).strip().splitlines()
    return SettingsError(
        f"the script {path}{line} raised {type(error).__name__}{': ' + words[0] if words else ''}",
        fix="correct the script",
    )


def _server_said(error: Exception) -> HeraUtilsError:
    """Hera's errors hold what the Argo server answered."""
    _, marked, message = str(error).partition("with message: ")
    message = message.strip("`") if marked else str(error)
    if type(error).__name__ in ("Unauthorized", "Forbidden"):
        return AccessError(f"the Argo server refuses the script's request: {message}", fix="check the token")
    return InvalidWorkflow(f"the Argo server refuses the workflow: {message}", fix="correct it in the script")


@contextmanager
def written_down(made: Made) -> Iterator[None]:
    """Notes what Hera builds and submits while it lasts."""
    from hera.workflows import Workflow, WorkflowsService

    from hera_utils.execution.execution_engine import ExecutionEngine

    replaced: list[tuple[Any, str, Any]] = []

    def wrap(owner: Any, name: str, around: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
        original = getattr(owner, name)
        replaced.append((owner, name, original))
        setattr(owner, name, functools.wraps(original)(around(original)))

    wrap(Workflow, "__post_init__", lambda original: _noting_built(original, made))
    wrap(Workflow, "create", lambda original: _noting_created(original, made))
    wrap(ExecutionEngine, "run", lambda original: _noting_engine(original, made))
    for name in ("create_workflow", "submit_workflow"):
        wrap(WorkflowsService, name, lambda original: _noting_run(original, made))
    try:
        yield
    finally:
        for owner, name, original in replaced:
            setattr(owner, name, original)


def _noting_built(original: Callable[..., Any], made: Made) -> Callable[..., Any]:
    from hera.workflows import Workflow

    def build(self: Any, *arguments: Any, **options: Any) -> Any:
        answer = original(self, *arguments, **options)
        if type(self) is Workflow or self.kind == "Workflow":  # templates and cron workflows are Workflows to Hera
            made.built.append(self)
        return answer

    return build


def _noting_created(original: Callable[..., Any], made: Made) -> Callable[..., Any]:
    def create(self: Any, *arguments: Any, **options: Any) -> Any:
        made.submitted.add(id(self))
        if made.sending:
            return original(self, *arguments, **options)
        self.name = self.name or f"{self.generate_name}unsent"
        return self.build()

    return create


def _noting_engine(original: Callable[..., Any], made: Made) -> Callable[..., Any]:
    def run(self: Any, experiment: Any, *arguments: Any, **options: Any) -> Any:
        made.engine = True
        if made.sending:
            return original(self, experiment, *arguments, **options)
        self.plan(experiment)
        return None

    return run


def _noting_run(original: Callable[..., Any], made: Made) -> Callable[..., Any]:
    def send(self: Any, *arguments: Any, **options: Any) -> Any:
        if not made.sending:
            return arguments[0].workflow if arguments else options["req"].workflow
        made.announce()
        workflow = original(self, *arguments, **options)
        metadata = workflow.metadata
        made.runs.append((metadata.namespace or self.namespace, metadata.name))
        return workflow

    return send
