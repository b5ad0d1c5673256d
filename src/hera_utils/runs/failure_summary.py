"""Describes the failures of a run for users: which tasks failed, why, the last lines they wrote, what to do next."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hera_utils.argo.names import pod_name
from hera_utils.error_lines import OOM_KILLED, error_line, is_exit_code, with_error_line, without_numbers
from hera_utils.errors import HeraUtilsError
from hera_utils.runs.outcome import Failure, Outcome
from hera_utils.runs.script_places import ScriptPlaces

if TYPE_CHECKING:
    from hera_utils.platforms.argo_client import ArgoClient

MOST_FAILURES = 5
LAST_LINES = 10
_MOST_NAMES = 5
_FILE_OF_INLINE_SCRIPT = '"/argo/staging/script"'
_executors_end = re.compile(r"Error: (?:exit status \d+|signal: [\w ]+)$")
_no_module = re.compile(r"^ModuleNotFoundError: No module named '([\w.]+)'")
_no_file = re.compile(r"^FileNotFoundError: .*: '(.+)'$")
_no_output = re.compile(
    r"open (?:/var/run/argo/outputs/(?:parameters|artifacts)|/mainctrfs)(/.+?)(?:\.tgz)?: no such file or directory"
)
_RETURN = "SyntaxError: 'return' outside function"  # Hera sends only the body of an inline function


@dataclass(frozen=True)
class FailureEntry:
    """A failure to describe. id: of its node. why: its message. log: the last lines that the task wrote, () if unknown."""

    id: str
    task: str
    template: str
    why: str
    attempts: int
    inputs: Mapping[str, str]
    log: tuple[str, ...] = ()


def first_failures(outcome: Outcome) -> tuple[Failure, ...]:
    """The first failure of each kind, which is described in full; later ones often follow from it."""
    by_id = {failure.node_id: failure for failure in outcome.failures}
    return tuple(
        by_id[failure.id] for failure, *_ in group_equal_failures(map(_entry, outcome.failures))[:MOST_FAILURES]
    )


def last_lines(client: ArgoClient, workflow: str, pod: str) -> list[str] | None:
    """The last lines that a pod wrote; None if they cannot be read: a failure is reported also without its log."""
    try:
        lines = [line for _, line in client.logs(workflow, pod=pod, tail=LAST_LINES)]
    except HeraUtilsError:
        return None
    return _lines_of_task(lines)


def _lines_of_task(lines: Sequence[str]) -> list[str]:
    """The log without the lines of Argo's executor: on a cluster its last line only repeats that the task failed."""
    written = [line for line in lines if "argo=true" not in line]
    return written[:-1] if written and _executors_end.match(written[-1]) else written


def last_lines_of_failures(client: ArgoClient, outcome: Outcome, places: ScriptPlaces) -> dict[str, list[str]]:
    """Node id → the last lines that the task wrote, of the first failed tasks. A line that names a line of an inline script is followed by
    the place in the user's file.
    """
    by_node: dict[str, list[str]] = {}
    for failure in first_failures(outcome):
        workflow = failure.workflow or outcome.name
        written = last_lines(client, workflow, pod_name(workflow, failure.node_name, failure.template, failure.node_id))
        if written is not None:
            by_node[failure.node_id] = places.add_places(written, failure.template, failure.inputs)
    return by_node


def lines_with_logs(client: ArgoClient, workflow: dict[str, Any], outcome: Outcome, *, mark: str = "✘") -> list[str]:
    """As `lines`, with the last lines that the failed tasks wrote, which the client is asked for. workflow: the document of the run."""
    if outcome.succeeded:
        return []
    places = ScriptPlaces([workflow])
    logs = last_lines_of_failures(client, outcome, places)
    return lines(outcome, logs, mark=mark, is_beside=places.is_beside_script)


def lines(
    outcome: Outcome,
    logs: Mapping[str, Sequence[str]],
    *,
    mark: str = "✘",
    is_beside: Callable[[str], bool] = lambda name: False,
) -> list[str]:
    """The text for a run that did not succeed; [] for one that did.

    logs: node id → the last lines that the task wrote, as far as they are known. is_beside: as in `grouped_lines`.
    """
    if outcome.succeeded:
        return []
    text: list[str] = []
    # the message of a run with one task is the task's
    if outcome.message and outcome.message not in {failure.message for failure in first_failures(outcome)}:
        text.append(f"{outcome.name}: {outcome.message}")
    failures = [_entry(failure, logs.get(failure.node_id, ())) for failure in outcome.failures]
    more = f"more: hera-utils results {outcome.name}"
    return text + grouped_lines(failures, mark=mark, more=more, is_beside=is_beside)


def grouped_lines(
    failures: Sequence[FailureEntry], *, mark: str, more: str, is_beside: Callable[[str], bool]
) -> list[str]:
    """The first failures with the last lines of their logs and hints; equal failures are joined.

    more: the words after the number of omitted failures. is_beside: whether a file with this name is in the folder of the run's script.
    """
    text: list[str] = []
    alike = group_equal_failures(failures)
    explained = [group for group in alike if group[0].log or not is_exit_code(group[0].why)]
    groups = (explained or alike)[:MOST_FAILURES]
    for failure, *others in groups:
        tries = f" ({failure.attempts} attempts)" if failure.attempts > 1 else ""
        first, *rest = failure.why.split("\n")
        text += [f"{mark} {failure.task}{_inputs_of(failure)}: {first}{tries}", *(f"    {line}" for line in rest)]
        text += [f"    {line}" for line in failure.log]
        text += _hints(failure, is_beside)
        text += [f"  and {describe_equal_failures([other.task for other in others])}"] if others else []
    left_out = len(failures) - sum(map(len, groups))
    return [*text, f"  and {left_out} {more}"] if left_out else text


def _entry(failure: Failure, log: Sequence[str] = ()) -> FailureEntry:
    why = with_error_line(failure.message, failure.error_line or error_line(log)) or failure.phase
    return FailureEntry(
        failure.node_id, failure.task, failure.template, why, failure.attempts, failure.inputs, tuple(log)
    )


def group_equal_failures(failures: Iterable[FailureEntry]) -> list[list[FailureEntry]]:
    """Groups of failures with the same template and message, and the same log if the message is only an exit code. In the order of their
    first failures. Numbers in a message do not count.
    """
    groups: dict[tuple[str, ...], list[FailureEntry]] = {}
    for failure in failures:
        # without a log it is unknown whether the cause was the same
        cause = (failure.log or (failure.id,)) if is_exit_code(failure.why) else ()
        groups.setdefault((failure.template, without_numbers(failure.why), *cause), []).append(failure)
    return list(groups.values())


def _hints(entry: FailureEntry, is_beside: Callable[[str], bool]) -> list[str]:
    """Hints for common mistakes: a task does not run in the folder of its script, and of an inline function only the body runs."""
    written = entry.log
    unwritten = _no_output.search(entry.why)
    if unwritten is not None:
        return [
            f"  the task ended without a file {unwritten[1]}, from which one of its outputs is read: write it, or correct the path"
        ]
    if OOM_KILLED in entry.why:
        return [
            f"  raise the limit in the template {entry.template}: resources=Resources(memory_limit=…); with --resume the points that are "
            "done stay done"
        ]
    if any(line.endswith(_RETURN) for line in written):
        return ['  only the body of an inline @script() runs: print the value, or write constructor="runner"']
    missing = next((match[1] for line in written if (match := _no_module.search(line))), "")
    if missing and any(_FILE_OF_INLINE_SCRIPT in line for line in written):
        return [
            f"  an inline @script() runs without the modules beside its file: for {missing} of your own write "
            f'constructor="runner"; a package must be in the image, or in the Python that runs the task'
        ]
    package = missing.partition(".")[0]
    if package and not any(map(is_beside, (package, f"{package}.py"))):
        return [
            f"  {package} must be in the image; on this machine in the Python that runs the task (hera-utils doctor names it): "
            f"PYTHON -m pip install {package}"
        ]
    absent = next((match[1] for line in written if (match := _no_file.search(line))), "")
    if absent and is_beside(absent):
        return [
            f"  {absent} lies beside the script, but a task begins in another folder: give it to the task as an input "
            "artifact, or put it on a volume (docs/tasks.md)"
        ]
    return []


def describe_equal_failures(tasks: Sequence[str]) -> str:
    """`3 more in the same way: a, b, c`; only the first names of many."""
    first = ", ".join(tasks[:_MOST_NAMES])
    return f"{len(tasks)} more in the same way: {first}{', …' if len(tasks) > _MOST_NAMES else ''}"


def _inputs_of(failure: FailureEntry) -> str:
    """The inputs, which distinguish the tasks of a fan-out; "" if the task's name has its item already."""
    return "" if not failure.inputs or "(" in failure.task else f" ({shorten_inputs(failure.inputs)})"


def shorten_inputs(inputs: Mapping[str, str]) -> str:
    """`a=1, b=svm`; long values are cut."""
    return ", ".join(f"{name}={value if len(value) <= 30 else value[:29] + '…'}" for name, value in inputs.items())
