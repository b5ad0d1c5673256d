"""What is told of a run that failed."""

import pytest

from hera_utils.runs.failure_summary import first_failures, last_lines, lines
from hera_utils.runs.outcome import Failure, Outcome


def failure(number, **more):
    defaults = {
        "task": f"t{number}",
        "node_id": f"id-{number}",
        "node_name": f"wf.t{number}",
        "template": "t",
        "phase": "Failed",
        "message": "main: Error (exit code 3)",
        "exit_code": 3,
        "attempts": 1,
        "inputs": {},
    }
    return Failure(**defaults | more)


def outcome(*failures, phase="Failed"):
    return Outcome("wf", "default", phase, "", 2.0, failures)


def test_a_message_of_several_lines_stays_together():
    told = lines(outcome(failure(0, message="no kind Route\nensure CRDs are installed first", exit_code=64)), {})
    assert told == ["✘ t0: no kind Route", "    ensure CRDs are installed first"]


def test_nothing_to_tell_of_success():
    assert lines(outcome(phase="Succeeded"), {}) == []


def test_a_failure_with_the_end_of_its_log():
    told = lines(outcome(failure(0, inputs={"n": "1"}, attempts=2)), {"id-0": ["told you"]})
    assert told == ["✘ t0 (n=1): main: Error (exit code 3): told you (2 attempts)", "    told you"]


def test_a_return_in_an_inline_function_has_a_fix():
    said = ['  File "/argo/staging/script", line 9', "    return b", "SyntaxError: 'return' outside function"]
    assert 'constructor="runner"' in lines(outcome(failure(0)), {"id-0": said})[-1]
    assert "runner" not in lines(outcome(failure(0)), {"id-0": said[:2]})[-1]


def test_a_module_beside_the_script_has_a_hint():
    said = ['  File "/argo/staging/script", line 4', "    import model", "ModuleNotFoundError: No module named 'model'"]
    hint = lines(outcome(failure(0)), {"id-0": said})[-1]
    assert 'for model of your own write constructor="runner"' in hint
    assert "runner" not in lines(outcome(failure(0)), {"id-0": ['  File "/x.py", line 1', said[-1]]})[-1]


def test_a_package_that_a_runners_task_does_not_find_has_a_hint():
    said = ['  File "/home/me/study.py", line 4, in f', "ModuleNotFoundError: No module named 'scipy.stats'"]
    assert lines(outcome(failure(0)), {"id-0": said})[-1].endswith("PYTHON -m pip install scipy")
    told = lines(outcome(failure(0)), {"id-0": said}, is_beside=lambda name: name == "scipy.py")
    assert told[-1] == f"    {said[-1]}", "a module of one's own is not installed"


def test_many_failures_are_counted():
    told = lines(outcome(*(failure(number) for number in range(12))), {})
    assert len(told) == 6
    assert "7 more" in told[-1]


def test_equal_failures_are_told_once_however_many_there_are():
    equal = [failure(number, error_line="ValueError: too large") for number in range(60)]
    told = lines(outcome(*equal, failure(60, error_line="KeyError: 'x'")), {"id-0": ["ValueError: too large"]})
    assert told[0] == "✘ t0: main: Error (exit code 3): ValueError: too large"
    assert told[2] == "  and 59 more in the same way: t1, t2, t3, t4, t5, …"
    assert told[3] == "✘ t60: main: Error (exit code 3): KeyError: 'x'"
    assert [one.task for one in first_failures(outcome(*equal, failure(60)))] == ["t0", "t60"]


def test_failures_that_differ_in_the_numbers_of_their_points_are_one_kind():
    points = [failure(number, error_line=f"ValueError: no root for x={number / 7}") for number in range(60)]
    others = [failure(60, error_line="ValueError: no root for y=1"), failure(61, message="main: Error (exit code 4)")]
    assert [one.task for one in first_failures(outcome(*points, *others))] == ["t0", "t60", "t61"]


def test_what_a_task_says_does_not_replace_what_argo_says():
    killed = failure(0, message="OOMKilled (exit code 137)", error_line="step 12 of 40")
    told = lines(outcome(killed), {})
    assert told[0] == "✘ t0: OOMKilled (exit code 137)"
    assert told[1].startswith("  raise the limit in the template ")


def test_a_data_file_beside_the_script_has_a_hint():
    said = ["FileNotFoundError: [Errno 2] No such file or directory: 'data.csv'"]
    told = lines(outcome(failure(0)), {"id-0": said}, is_beside=lambda name: name == "data.csv")
    assert told[-1].startswith("  data.csv lies beside the script, but a task begins in another folder")
    assert lines(outcome(failure(0)), {"id-0": said})[-1] == f"    {said[0]}"


@pytest.mark.parametrize("place", ["parameters/tmp/out/y", "artifacts/tmp/out/y.tgz"])
def test_an_output_that_was_not_written_is_told_by_its_own_path(place):
    why = f"wait: Error (exit code 64): open /var/run/argo/outputs/{place}: no such file or directory"
    told = lines(outcome(failure(0, message=why)), {"id-0": ["the last step"]})
    assert told[-1] == (
        "  the task ended without a file /tmp/out/y, from which one of its outputs is read: write it, or correct the path"
    )


class Logs:
    """A client whose pods wrote these lines."""

    def __init__(self, *written):
        self.written = written

    def logs(self, workflow, *, pod, tail):
        return [(pod, line) for line in self.written][-tail:]


@pytest.mark.parametrize("end", ["Error: exit status 3", "Error: signal: killed"])
def test_what_argos_executor_writes_last_is_no_reason(end):
    argo = 'time="2026-11-30T14:58:47Z" level=info msg="capturing logs" argo=true'
    assert last_lines(Logs("the grid has a hole", argo, end), "run", "pod") == ["the grid has a hole"]
    assert last_lines(Logs(end, "and more"), "run", "pod") == [end, "and more"]
    assert last_lines(Logs(), "run", "pod") == []
