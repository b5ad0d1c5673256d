"""What is told of a run that failed."""

from hera_utils.runs.failure_summary import lines
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


def test_nothing_to_tell_of_success():
    assert lines(outcome(phase="Succeeded"), {}) == []


def test_a_failure_with_the_end_of_its_log():
    told = lines(outcome(failure(0, inputs={"n": "1"}, attempts=2)), {"id-0": ["told you"]})
    assert told == ["✘ t0 (n=1): main: Error (exit code 3) (2 attempts)", "    told you"]


def test_a_return_in_an_inline_function_has_a_fix():
    said = ['  File "/argo/staging/script", line 9', "    return b", "SyntaxError: 'return' outside function"]
    assert 'constructor="runner"' in lines(outcome(failure(0)), {"id-0": said})[-1]
    assert "runner" not in lines(outcome(failure(0)), {"id-0": said[:2]})[-1]


def test_a_module_beside_the_script_has_a_hint():
    said = ['  File "/argo/staging/script", line 4', "    import model", "ModuleNotFoundError: No module named 'model'"]
    hint = lines(outcome(failure(0)), {"id-0": said})[-1]
    assert 'for model of your own write constructor="runner"' in hint
    assert "runner" not in lines(outcome(failure(0)), {"id-0": ['  File "/x.py", line 1', said[-1]]})[-1]


def test_many_failures_are_counted():
    told = lines(outcome(*(failure(number) for number in range(12))), {})
    assert len(told) == 6
    assert "7 more" in told[-1]
