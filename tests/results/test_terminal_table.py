"""What a person reads of results: failures of one kind once, and no wall of text."""

from hera_utils.results.point_results import PointResult
from hera_utils.results.results import Results
from hera_utils.results.task_results import TaskResult
from hera_utils.results.terminal_table import lines_of_failures
from hera_utils.runs.failure_summary import lines
from hera_utils.runs.outcome import Failure, Outcome

LOG = ("Traceback (most recent call last):", "ValueError: beta too large")


def row(number, log=LOG, status="Failed"):
    return TaskResult(
        f"t-{number}",
        "t",
        {"a": str(number)},
        {"m": "0.5"},
        status,
        1.25,
        1,
        message="main: Error (exit code 1)",
        log=log,
    )


def test_equal_failures_are_told_once():
    results = Results((*(row(number) for number in range(8)), row(9, ("KeyError: 'x'",))), name="run")
    said = lines_of_failures(results.failures)
    assert said.count("    ValueError: beta too large") == 1
    assert "  and 7 more in the same way: t-1, t-2, t-3, t-4, t-5, …" in said
    assert "    KeyError: 'x'" in said


def test_of_the_end_of_a_run_as_well():
    failures = tuple(
        Failure(f"t-{n}", f"n{n}", "", "t", "Failed", "main: Error (exit code 1)", 1, 1, {}) for n in range(60)
    )
    said = lines(Outcome("run", "default", "Failed", "", 1.0, failures), {f"n{n}": LOG for n in range(5)})
    assert said.count("    ValueError: beta too large") == 1
    assert "  and 4 more in the same way: t-1, t-2, t-3, t-4" in said
    assert said[-1] == "  and 55 more: hera-utils results run"


def test_what_print_shows_is_short():
    point = PointResult(
        "p", "1", {"a": 1, "kind": "svm"}, "Succeeded", 1.25, outputs={"m": "0.5"}, tasks=(row(1),) * 50
    )
    assert repr(point) == "<point a=1 kind=svm: Succeeded, m=0.5, 1.25 s>"
    assert repr(row(1)) == "<task t-1 a=1: Failed, main: Error (exit code 1), m=0.5, 1.25 s>"
    assert len(repr(Results((row(1),) * 100, (point,) * 100, "run"))) < 120
