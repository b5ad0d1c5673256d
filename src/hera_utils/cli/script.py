"""Runs a user's script as `python SCRIPT` does (as `__main__`, with its folder in the import path, and with its arguments), and submits
the workflow that it built and did not submit.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import linecache
import os
import re
import shlex
import sys
import traceback
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hera_utils.cli.script_recorder import ScriptRecording, record_script
from hera_utils.cli.terminal import print_note
from hera_utils.errors import Detached, HeraUtilsError, SettingsError
from hera_utils.settings.script_host import ScriptHost, hosting
from hera_utils.wording import system_reason

if TYPE_CHECKING:
    from hera_utils.platforms.argo_client import ArgoClient

_OF_A_PLATFORM = ("ARGO_SERVER", "ARGO_TOKEN", "ARGO_NAMESPACE", "KUBECONFIG")
_READS_A_VARIABLE = re.compile(r"""(?:environ\[|environ\.get\(|getenv\()\s*["'](\w+)["']""")
_KINDS = "it takes a Python script (.py) or a workflow file (.yaml, .yml, .json)"


class Arguments(list[str]):
    """A script's `sys.argv`, which notes whether the script read anything after its own name."""

    read = False

    def __getitem__(self, index: Any) -> Any:
        self.read = self.read or index != 0
        return super().__getitem__(index)

    def __iter__(self) -> Iterator[str]:
        self.read = True
        return super().__iter__()

    def __len__(self) -> int:
        self.read = True
        return super().__len__()

    def take_parameters(self) -> list[str]:
        """Remove and return the `NAME=VALUE` texts of `-p`, for the workflow that the script built, unless it reads its arguments."""
        from hera_utils.cli.parameters import is_parameter_list, parameters

        words = [] if self.read else list.__getitem__(self, slice(1, None))
        if not is_parameter_list(words):
            return []
        del self[1:]
        return parameters(words)

    def refuse_unread(self) -> None:
        """Raise SettingsError if there are arguments that the script does not read: misspelt flags of ours, or of another command."""
        from hera_utils.cli.parameters import is_parameter_list

        if self.read:
            return
        name, *words = self
        if words:
            fix = "leave it out; hera-utils run --help names the flags"
            if is_parameter_list(words):
                fix = "leave out the script's create(): then hera-utils submits its workflow, with these parameters"
            raise SettingsError(f"{name} takes no arguments, and hera-utils has no option {' '.join(words)}", fix=fix)


def read_script(path: Path) -> types.CodeType:
    """The compiled script. Raises SettingsError if it does not exist or is no Python."""
    if path.suffix == ".ipynb":  # JSON, whose text may be Python as well
        raise SettingsError(
            f"{path} is a notebook: its cells run in Jupyter",
            fix=f"make a script of it: jupyter nbconvert --to script {shlex.quote(str(path))}",
        )
    if path.is_fifo():
        raise SettingsError(f"{path} is a pipe, which can be read only once", fix="save the script as a file")
    try:
        return compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    except OSError as error:
        raise SettingsError(
            f"the script {path} cannot be read ({system_reason(error)})",
            fix=f"check its name; {_KINDS}",
        ) from None
    except SyntaxError as error:
        if path.suffix != ".py":
            raise SettingsError(f"{path} is neither a Python script nor a workflow file", fix=_KINDS) from None
        raise SettingsError(
            f"{path}, line {error.lineno}: {error.msg}", fix="correct the script; it must be Python"
        ) from None
    except (MemoryError, RecursionError):  # Python's compiler raises them for expressions that are nested too deeply
        raise SettingsError(f"{path} is nested too deep, or too large", fix=_KINDS) from None
    except ValueError as error:
        raise SettingsError(f"{path} is not a Python script ({error})", fix=_KINDS) from None


def execute(
    path: Path,
    arguments: Sequence[str],
    *,
    recording: ScriptRecording | None = None,
    host: ScriptHost | None = None,
    command: Callable[..., str] | None = None,
) -> ScriptRecording:
    """Run the script to its end. An error of its own is printed as Python prints it, without our frames; then SettingsError is raised.

    recording: by default one whose workflows are sent. host: describes the command that runs the script; the recording becomes its
    observer. command: the method of a Connection. After the host's deadline WaitTimeout is raised in the script when it asks for its runs.
    """
    recording = recording or ScriptRecording()
    host = replace(host or ScriptHost(), observer=recording.experiment_runs)
    code, module = read_script(path), _main_module(path, host.module)
    sys.modules["__main__"] = module
    sys.argv = Arguments([str(path), *arguments])
    # as `python script.py` and `python -m` do; the script does not need the folder of the hera-utils command
    sys.path[0:1] = _folders_of_imports(path, host.module)
    command = command or (lambda *words: " ".join(("hera-utils", *words)))

    def check_deadline() -> None:
        if recording.runs and host.deadline is not None and host.deadline.has_passed:
            raise host.deadline.timeout_error(_commands_to_come_back(recording, command))

    recording.waits = check_deadline
    with hosting(host), record_script(recording):
        try:
            if module.__package__:
                importlib.import_module(module.__package__)
            exec(code, module.__dict__)  # running the user's script is the purpose of the command
        except HeraUtilsError:
            raise
        except KeyboardInterrupt as stop:
            raise interruption_with_advice(recording, stop, command) from None
        except SystemExit as stop:
            recording.ended, recording.status = True, _exit_status(stop)
        except Exception as error:  # noqa: BLE001  the script may raise anything
            raise error_of_script(error, path) from None
    return recording


def _main_module(path: Path, name: str) -> types.ModuleType:
    """An empty `__main__` for a script. name: its name as a module of a package, "" if it runs as a file."""
    module = types.ModuleType("__main__")
    module.__file__ = str(path)
    module.__dict__["__builtins__"] = __builtins__
    if name:
        module.__spec__ = importlib.util.spec_from_file_location(name, path)
        module.__package__ = name.rpartition(".")[0]
    return module


def _folders_of_imports(path: Path, name: str) -> list[str]:
    """The folders in which a script's imports are looked for first: its own; of a module the current one, and the one of its package."""
    folder = path.resolve().parent
    return (
        list(dict.fromkeys([os.getcwd(), str([folder, *folder.parents][name.count(".")])])) if name else [str(folder)]
    )


def interruption_with_advice(
    recording: ScriptRecording, stop: KeyboardInterrupt, command: Callable[..., str]
) -> KeyboardInterrupt:
    """The exception for Ctrl-C while the script waited: it says how to come back to the runs, which continue."""
    if isinstance(stop, Detached) or not recording.runs:
        return stop
    return Detached(_commands_to_come_back(recording, command))


def _commands_to_come_back(recording: ScriptRecording, command: Callable[..., str]) -> str:
    from hera_utils.runs.come_back import describe_return  # imported here because few commands need it

    return describe_return([command("watch", name) for _, name in recording.runs])


def submit_waiting(client: ArgoClient, recording: ScriptRecording, script: Path) -> list[str]:
    """Store the templates that the script built, then submit the workflow that it built and did not submit, if there is just one.

    A script that only builds templates is treated like a file that contains them: they are stored.
    """
    waiting = recording.waiting
    if recording.status or recording.experiments or (not waiting and (recording.ended or recording.stored)):
        return []
    if recording.services and not recording.built and not recording.templates:
        return []  # the script only used Hera's service to ask the server
    if len(waiting) > 1:
        names = ", ".join(workflow.name or f"{workflow.generate_name}…" for workflow in waiting)
        raise SettingsError(
            f"{script} built {len(waiting)} workflows and submitted none: {names}",
            fix="call create() on those to run",
        )
    if not waiting and not recording.templates:
        raise SettingsError(
            f"{script} submitted no workflow and built none",
            fix="build one with hera.workflows.Workflow, and call the function that does, if it is in one",
        )
    assignments = sys.argv.take_parameters() if waiting and isinstance(sys.argv, Arguments) else []
    recording.announce()
    if recording.templates and not recording.stored:
        _store_built(client, recording, script)
    for workflow in waiting:
        with report_errors_of_building(script):
            _give_parameters(workflow, assignments)
            recording.look(workflow)
    return [_create(workflow, script) for workflow in waiting]


def _store_built(client: ArgoClient, recording: ScriptRecording, script: Path) -> None:
    """Store the templates and cron workflows that a script built, and say how to run them."""
    from hera_utils.cli.documents import move_to_namespace, sort_by_dependency
    from hera_utils.cli.stored_template import store_all

    for template in recording.templates:
        with report_errors_of_building(script):
            recording.look(template)
    documents = sort_by_dependency([build_document(template, script) for template in recording.templates])
    store_all(
        client, [move_to_namespace(document, client.namespace) for document in documents], how=not recording.waiting
    )


def _create(workflow: Any, path: Path) -> str:
    """Submit a workflow that the script built and did not submit; its name."""
    with report_errors_of_building(path):
        return str(workflow.create().metadata.name)


def _give_parameters(workflow: Any, assignments: Sequence[str]) -> None:
    """Set parameters of the script's workflow, in place of its own, as for a file."""
    if not assignments:
        return
    from hera.workflows.models import Arguments as WorkflowArguments

    from hera_utils.cli.parameters import assign_parameters

    workflow.arguments = WorkflowArguments(**assign_parameters(workflow.to_dict(), assignments)["spec"]["arguments"])


def build_document(template: Any, path: Path) -> dict[str, Any]:
    """The document of a template or workflow that the script built and did not send."""
    with report_errors_of_building(path):
        document: dict[str, Any] = template.to_dict()
    return document


@contextlib.contextmanager
def report_errors_of_building(path: Path) -> Iterator[None]:
    """Inside, Hera builds the script's workflow and may find its mistakes only now: they are reported as errors of the script."""
    try:
        yield
    except HeraUtilsError:
        raise
    except Exception as error:  # noqa: BLE001  Hera, pydantic and hooks of the script may raise anything
        raise error_of_script(error, path) from None


def _exit_status(stop: SystemExit) -> int:
    if stop.code is None or isinstance(stop.code, int):
        return stop.code or 0
    print_note(str(stop.code))
    return 1


def error_of_script(error: Exception, path: Path) -> HeraUtilsError:
    """The sentence for an exception of a script. If the script's own code raised it, prints the traceback first, without our frames."""
    from hera_utils.excepthook import first_words, users_frames
    from hera_utils.platforms.hera_errors import explain_error

    if sentence := explain_error(error):
        return sentence
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename != str(path):
        frames = frames.tb_next
    frames = users_frames(frames)
    line = f", line {frames.tb_lineno}" if frames is not None else ""
    if frames is not None:  # None if Hera found the error after the script's end
        print_note("".join(traceback.format_exception(type(error), error, frames)).rstrip())
    words = first_words(error)
    return SettingsError(
        f"the script {path}{line} raised {type(error).__name__}{': ' + words if words else ''}",
        fix=_fix_of(error, path, error.__traceback__),
    )


def _fix_of(error: Exception, path: Path, frames: types.TracebackType | None) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        name = error.name.partition(".")[0]
        if (folder := _folder_above_with(name, path)) is not None:
            return f"`{name}` is in {folder}: run it with PYTHONPATH={shlex.quote(str(folder))}"
        from hera_utils.preflight.imports import DISTRIBUTIONS

        if name in DISTRIBUTIONS:
            return f"{sys.executable} -m pip install {DISTRIBUTIONS[name]}"
        return f"install what provides `{name}` for {sys.executable}, or correct the import"
    if isinstance(error, ImportError) and "no known parent package" in str(error):
        package, folder = _package_of(path)
        return f"run it as a module of its package: cd {shlex.quote(str(folder))} && hera-utils run -m {package}.{path.stem}"
    if type(error).__module__.partition(".")[0] in ("requests", "httpx") and type(error).__name__.startswith("Connect"):
        return "check the network; where the script means the Argo server, write workflow.workflows_service.host: the run's own"
    if (variable := _unset_variable(frames)) is not None:
        fix = f"set the variable {variable}, which the script reads"
        return f'{fix}; this platform\'s: eval "$(hera-utils connection)"' if variable in _OF_A_PLATFORM else fix
    return "correct the script"


def _folder_above_with(module: str, path: Path) -> Path | None:
    """The folder above a script's own that has a module: the script was written to be run from there."""
    for folder in path.resolve().parent.parents:
        if (folder / f"{module}.py").is_file() or any((folder / module).glob("*.py")):
            return folder
    return None


def _package_of(path: Path) -> tuple[str, Path]:
    """(the name of the package that a script is in, the folder from which it can be imported)."""
    folder = path.resolve().parent
    names = [folder.name]
    while (folder.parent / "__init__.py").is_file():
        folder = folder.parent
        names.insert(0, folder.name)
    return ".".join(names), folder.parent


def _unset_variable(frames: types.TracebackType | None) -> str | None:
    """The variable that is not set and that a line of the traceback reads, as os.environ["NAME"] or os.getenv("NAME").split()."""
    missing: str | None = None
    while frames is not None:
        line = linecache.getline(frames.tb_frame.f_code.co_filename, frames.tb_lineno)
        missing = next((name for name in _READS_A_VARIABLE.findall(line) if name not in os.environ), missing)
        frames = frames.tb_next
    return missing
