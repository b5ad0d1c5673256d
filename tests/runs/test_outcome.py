"""How a run ended and what it gave, from its document."""

from documents import pod, run

from hera_utils.runs.outcome import outcome


def test_a_run_that_succeeded():
    end = outcome(run(pod("wf.a")))
    assert (end.succeeded, end.seconds, end.failures) == (True, 9, ())


def test_failures_say_which_task_with_what_why_and_how_often():
    end = outcome(
        run(
            pod("wf.ok"),
            pod("wf.c(0:x)", "Failed", {"borough": "x"}, type="Retry", message="No more retries left"),
            pod("wf.c(0:x)(0)", "Failed", nodeFlag={"retried": True}, message="main: Error (exit code 1)"),
            pod(
                "wf.c(0:x)(1)",
                "Failed",
                {"borough": "x"},
                nodeFlag={"retried": True},
                message="main: Error (exit code 7)",
            )
            | {"outputs": {"exitCode": "7"}},
            phase="Failed",
        )
    )
    (failure,) = end.failures
    assert (failure.task, failure.template, failure.node_name) == ("c(0:x)", "collect", "wf.c(0:x)(1)")
    assert (failure.exit_code, failure.attempts, failure.message) == (7, 2, "main: Error (exit code 7)")
    assert failure.inputs == {"borough": "x"}
