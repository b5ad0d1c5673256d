"""What was at fault decides what helps: the same again, or a change."""

import pytest
from documents import pod, run

from hera_utils.runs.failure_cause import FailureCause, cause_of
from hera_utils.runs.outcome import outcome


@pytest.mark.parametrize(
    ("message", "exit_code", "cause"),
    [
        ('ErrImagePull: no substitute for the image "x" on this machine', None, FailureCause.IMAGE),
        ("main: Error (exit code 3)", "3", FailureCause.CODE),
        ("main: Error (exit code 137)", "137", FailureCause.PASSING),
        ("failed to resolve {{item.b}}", None, FailureCause.CODE),
        ('Unable to resolve: "tasks.a.outputs.artifacts.b"', None, FailureCause.CODE),
        (
            "wait: Error (exit code 64): open /var/run/argo/outputs/parameters/tmp/y: no such file or directory",
            "0",
            FailureCause.CODE,
        ),
        ("pod deleted", None, FailureCause.PASSING),
    ],
)
def test_of_the_first_failure(message, exit_code, cause):
    task = pod("wf.a", "Failed", message=message) | ({"outputs": {"exitCode": exit_code}} if exit_code else {})
    assert cause_of(outcome(run(task, phase="Failed"))) is cause


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ("failed to resolve references: failed to evaluate expression: steps.a is missing", FailureCause.CODE),
        ("Max duration limit exceeded", FailureCause.PASSING),
        ("", FailureCause.PASSING),
    ],
)
def test_of_a_run_without_a_failed_task(message, cause):
    document = run(pod("wf.a"), phase="Error")
    document["status"]["message"] = message
    assert cause_of(outcome(document)) is cause
