"""Pods that are ended while they run: the workflow is over when they have told what they gave."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playbook import Answering, Play, workflow

from hera_utils.interpreter import commands as c
from hera_utils.interpreter import events as e
from hera_utils.interpreter.advance import advance
from hera_utils.interpreter.state import Run

Json = dict[str, Any]
WORK = """{name: work, container: {image: i, command: [c]}, outputs: {
  parameters: [{name: p, globalName: shared, valueFrom: {path: /p}}],
  artifacts: [{name: a, globalName: all, path: /a}]}}"""
SPEC = f"""
entrypoint: main
templates:
- {{name: main, dag: {{tasks: [{{name: one, template: work}}, {{name: two, template: work}}]}}}}
- {WORK}
- {{name: bye, container: {{image: i, command: [c]}}}}
"""
GIVEN = {"parameters": {"p": "v"}, "artifacts": [{"name": "a", "s3": {"key": "k"}}]}
STOPPED = "workflow shutdown with strategy:  Stop"


@pytest.fixture(params=["live", "restored", "naive"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _running(mode: str, spec: str = SPEC, names: tuple[str, ...] = ("one", "two")) -> Play:
    play = Play(workflow(spec), mode)
    for name in names:
        play.start(name)
    return play


def _stop(play: Play, strategy: str = "Stop") -> list[c.Command]:
    play.at += 1
    return play.tell(e.ShutdownRequested(play.at, "seed", strategy))


def test_a_stopped_run_is_over_when_its_pods_are_and_what_they_gave_counts(mode: str) -> None:
    play = _running(mode)
    assert sum(isinstance(one, c.KillPod) for one in _stop(play)) == 2
    assert play.phases() == {"": "Failed", ".one": "Failed", ".two": "Failed"}
    assert play.phase == "Running"
    play.end("one", 143, outputs=GIVEN)
    assert play.phase == "Running"
    commands = play.end("two", 0)
    assert any(isinstance(one, c.Finish) for one in commands)
    assert (play.phase, play.message) == ("Failed", "Stopped with strategy 'Stop'")
    one, two = play.node("one"), play.node("two")
    assert (one["phase"], one["message"]) == (two["phase"], two["message"]) == ("Failed", STOPPED)
    assert (one["outputs"]["exitCode"], two["outputs"]["exitCode"]) == ("143", "0")
    assert one["outputs"]["parameters"][0]["value"] == "v"
    shared = play.run.document["status"]["outputs"]
    assert shared["parameters"] == [{"name": "shared", "value": "v"}]
    assert [(one["name"], one["s3"]) for one in shared["artifacts"]] == [("all", {"key": "k"})]
    assert "killed" not in play.run.memory


def test_a_killed_pod_that_tells_twice_changes_nothing(mode: str) -> None:
    play = _running(mode)
    _stop(play)
    play.end("one", 143, outputs=GIVEN)
    before = dict(play.node("one"))
    assert play.end("one", 1) == []
    assert play.node("one") == before
    play.end("two", 143)
    assert play.end("two", 0) == []
    assert play.node("two")["outputs"]["exitCode"] == "143"


def test_the_exit_handler_begins_at_once_and_the_run_waits_for_both(mode: str) -> None:
    play = _running(mode, SPEC + "onExit: bye\n")
    launched = [one for one in _stop(play) if isinstance(one, c.LaunchPod)]
    assert [one.pod["metadata"]["labels"]["workflows.argoproj.io/on-exit"] for one in launched] == ["true"]
    play.start("wf.onExit")
    play.end("two", 143)
    play.end("wf.onExit")
    assert play.phase == "Running"
    play.end("one", 143)
    assert play.phase == "Failed"


def test_terminate_ends_an_exit_handler_too_and_waits_for_it(mode: str) -> None:
    play = _running(mode, SPEC + "onExit: bye\n")
    _stop(play)
    play.start("wf.onExit")
    assert [one.node_id for one in _stop(play, "Terminate") if isinstance(one, c.KillPod)] == [play.id("wf.onExit")]
    for name in ("one", "two", "wf.onExit"):
        assert play.phase == "Running"
        play.end(name, 143)
    assert (play.phase, play.message) == ("Failed", "Stopped with strategy 'Terminate'")
    assert play.node("wf.onExit")["outputs"]["exitCode"] == "143"


def test_a_pod_that_had_not_started_is_not_waited_for(mode: str) -> None:
    play = _running(mode, names=("one",))
    _stop(play)
    play.end("two", 143)
    assert "outputs" not in play.node("two")
    assert play.phase == "Running"
    play.end("one", 143)
    assert play.phase == "Failed"


def test_a_pod_that_never_tells_is_given_up(mode: str) -> None:
    play = _running(mode)
    _stop(play)
    since = play.at
    play.end("one", 143)
    play.wait("killed")
    assert play.at == since + 600
    assert (play.phase, play.message) == ("Failed", "Stopped with strategy 'Stop'")
    assert "outputs" not in play.node("two")
    assert play.end("two", 143) == []


def test_a_timer_of_an_earlier_stop_gives_up_nobody_who_has_time(mode: str) -> None:
    play = _running(mode, SPEC + "onExit: bye\n")
    _stop(play)
    play.start("wf.onExit")
    first = play.timers["killed"]
    play.at += 100
    _stop(play, "Terminate")
    play.at = first
    play.tell(e.TimerFired(first, "seed", "killed"))
    assert play.phase == "Running"
    play.end("wf.onExit", 143)
    assert play.phase == "Failed"


def test_at_the_deadline_outputs_count_and_no_exit_code_is_seen(mode: str) -> None:
    play = _running(mode, SPEC + "activeDeadlineSeconds: 10\n")
    play.wait("deadline")
    assert play.phase == "Running"
    play.end("one", 143, outputs=GIVEN)
    play.end("two", 143)
    assert play.phase == "Failed"
    assert play.node("one")["message"] == play.node("two")["message"] == "Step exceeded its deadline"
    assert play.node("one")["outputs"]["artifacts"][0]["name"] == "a"
    assert "exitCode" not in {**play.node("one")["outputs"], **play.node("two").get("outputs", {})}
    assert play.run.document["status"]["outputs"]["parameters"] == [{"name": "shared", "value": "v"}]


def test_a_suspended_run_that_is_stopped_takes_what_its_pods_gave(mode: str) -> None:
    play = _running(mode)
    play.tell(e.SuspendRequested(play.at, "seed"))
    _stop(play)
    play.end("one", 143, outputs=GIVEN)
    play.end("two", 143)
    play.tell(e.ResumeRequested(play.at, "seed"))
    assert play.phase == "Failed"
    assert play.node("one")["outputs"]["exitCode"] == "143"


def test_the_end_of_a_daemon_is_not_waited_for(mode: str) -> None:
    spec = """
entrypoint: main
templates:
- name: main
  steps: [[{name: server, template: server}], [{name: one, template: work}]]
- {name: server, daemon: true, container: {image: i, command: [c]}}
- {name: work, container: {image: i, command: [c]}}
"""
    play = _running(mode, spec, ("server", "one"))
    _stop(play)
    play.end("one", 143)
    assert play.phase == "Failed"
    play.end("server", 143)
    assert "exitCode" not in play.node("server").get("outputs", {})


def test_a_killed_pod_goes_when_it_is_over_if_pod_gc_says_so(mode: str) -> None:
    play = _running(mode, SPEC + "podGC: {strategy: OnPodCompletion}\n")
    assert not any(isinstance(one, c.DeletePod) for one in _stop(play))
    assert any(isinstance(one, c.DeletePod) for one in play.end("one", 143))


def test_a_stopped_run_is_retried_in_place_when_its_pods_are_over(mode: str) -> None:
    play = _running(mode)
    _stop(play)
    for name in ("one", "two"):
        play.end(name, 143, outputs=GIVEN)
    play.launched.clear()
    play.tell(e.RetryRequested(play.at + 1, "seed"))
    assert len(play.launched) == 2
    play.start("one")
    play.end("one", outputs=GIVEN)
    play.end("two")
    assert play.phase == "Succeeded"
    assert play.node("one")["outputs"]["exitCode"] == "0"


def test_the_containers_of_a_set_are_over_with_their_pod(mode: str) -> None:
    spec = """
entrypoint: main
templates:
- {name: main, containerSet: {containers: [{name: main, image: i, command: [c]}, {name: b, image: i, command: [c]}]}}
"""
    play = _running(mode, spec, ("wf",))
    _stop(play)
    assert set(play.phases().values()) == {"Failed"}
    play.end("wf", 143)
    assert (play.phase, play.node("wf")["outputs"]["exitCode"]) == ("Failed", "143")


@pytest.mark.parametrize("why", ["stop", "deadline"])
def test_thousands_of_nodes_end_in_several_events_and_nothing_is_looked_at_before_the_last(why: str) -> None:
    spec = SPEC.replace("entrypoint: main", "entrypoint: main\nonExit: bye\nactiveDeadlineSeconds: 100")
    play = _running("live", spec)

    def event(made: e.Event) -> list[c.Command]:
        play.run = Run(json.loads(json.dumps(play.run.document)), json.loads(json.dumps(play.run.memory)))
        play.run.is_late, play.run.least = lambda: True, 1
        return advance(play.run, made)

    one, two = play.id("one"), play.id("two")
    at = play.at + (1 if why == "stop" else 101)
    first = event(e.ShutdownRequested(at, "seed", "Stop") if why == "stop" else e.TimerFired(at, "seed", "deadline"))
    assert play.phases() == {"": "Running", ".one": "Failed", ".two": "Running"}
    assert [one.key for one in first if isinstance(one, c.SetTimer) and one.at == at] == ["later"]
    event(e.PodFinished(at, "seed", one, "Failed", containers=(e.ContainerState("main", 143, "Error", "", at, at),)))
    assert play.phases() == {"": "Running", ".one": "Failed", ".two": "Running"}
    last = event(e.TimerFired(at, "seed", "later"))
    assert [command.node_id for command in last if isinstance(command, c.KillPod)] == [two]
    if play.phases()[""] == "Running":
        event(e.TimerFired(at, "seed", "later"))
    assert play.phases() == {"": "Failed", ".one": "Failed", ".two": "Failed", ".onExit": "Pending"}
    assert play.node("one")["outputs"]["exitCode"] == "143" if why == "stop" else "exitCode" not in play.node("one")


def _play(templates: str, mode: str, *names: str) -> Play:
    more = "\n- {name: work, container: {image: i, command: [c]}}\n- {name: bye, container: {image: i, command: [c]}}\n"
    return _running(mode, f"entrypoint: main\ntemplates:\n{templates}{more}", names)


def test_what_depends_on_a_stopped_task_of_a_dag_is_never_opened(mode: str) -> None:
    tasks = """- name: main
  dag: {tasks: [{name: a, template: work, hooks: {exit: {template: bye}}}, {name: b, template: bye, depends: a.Failed},
    {name: c, template: bye, depends: a.Succeeded}]}"""
    play = _play(tasks, mode, "a")
    _stop(play)
    assert play.phases() == {"": "Failed", ".a": "Failed"}
    play.end("a", 143)
    assert play.phase == "Failed"
    assert play.phases() == {"": "Failed", ".a": "Failed"}


def test_steps_within_a_stopped_dag_stay_as_they_are(mode: str) -> None:
    tasks = """- {name: main, dag: {tasks: [{name: a, template: inner}, {name: b, template: bye, depends: a}]}}
- {name: inner, steps: [[{name: x, template: work}], [{name: y, template: work}]]}"""
    play = _play(tasks, mode, "x")
    _stop(play)
    play.end("x", 143)
    assert play.phase == "Failed"
    assert play.phases() == {"": "Failed", ".a": "Running", ".a[0]": "Running", ".a[0].x": "Failed"}


def test_the_exit_handler_of_a_stopped_step_begins_when_its_pod_has_told(mode: str) -> None:
    play = _play("- {name: main, steps: [[{name: a, template: work, onExit: bye}]]}", mode, "a")
    assert not any(isinstance(one, c.LaunchPod) for one in _stop(play))
    assert any(isinstance(one, c.LaunchPod) for one in play.end("a", 143))
    play.end("a.onExit")
    assert play.phases() == {"": "Failed", "[0]": "Failed", "[0].a": "Failed", "[0].a.onExit": "Succeeded"}


@pytest.mark.parametrize("kind", ["dag: {tasks: [%s, {depends: server, %s}]}", "steps: [[%s], [{%s}]]"])
def test_a_daemon_that_is_ready_succeeds_when_the_run_is_stopped(mode: str, kind: str) -> None:
    main = kind % ("{name: server, template: server}", "name: one, template: work")
    play = _play(
        f"- {{name: main, {main}}}\n- {{name: server, daemon: true, container: {{image: i, command: [c]}}}}", mode
    )
    play.start("server")
    play.start("one")
    _stop(play)
    play.end("one", 143)
    assert (play.phase, play.node("server")["phase"], play.node("server").get("message")) == (
        "Failed",
        "Succeeded",
        None,
    )


def test_a_retry_that_a_stopped_dag_left_running_ends_with_the_run(mode: str) -> None:
    tasks = """- {name: main, dag: {tasks: [{name: a, template: inner}, {name: b, template: bye, depends: a}]}}
- {name: inner, retryStrategy: {limit: 1}, steps: [[{name: x, template: work}], [{name: y, template: work}]]}"""
    play = _play(tasks, mode, "x")
    _stop(play)
    play.end("x", 143)
    assert play.phases() == {
        "": "Failed",
        ".a": "Failed",
        ".a(0)": "Running",
        ".a(0)[0]": "Running",
        ".a(0)[0].x": "Failed",
    }
    assert (play.phase, play.node("a")["message"]) == ("Failed", "Stopped with strategy 'Stop'")


@pytest.mark.parametrize("hook", ["", ", onExit: bye"])
def test_what_depends_on_a_stopped_loop_of_a_dag_is_never_opened(mode: str, hook: str) -> None:
    tasks = f"""- {{name: main, dag: {{tasks: [
    {{name: a, template: work, withItems: [1, 2]{hook}}}, {{name: b, template: bye, depends: a.Failed}}]}}}}"""
    play = _play(tasks, mode, "a(0:1)", "a(1:2)")
    _stop(play)
    play.end("a(1:2)", 143)
    play.end("a(0:1)", 143)
    assert play.phase == "Failed"
    assert play.phases() == {"": "Failed", ".a": "Running", ".a(0:1)": "Failed", ".a(1:2)": "Failed"}


ALONE, IN_STEPS = (
    "- {name: main, container: {image: i, command: [c]}}",
    "- {name: main, steps: [[{name: a, template: work}]]}",
)


@pytest.mark.parametrize("strategy", ["Stop", "Terminate"])
@pytest.mark.parametrize(("main", "pod"), [(ALONE, "wf"), (IN_STEPS, "a")])
def test_a_program_that_is_told_to_end_and_ends_with_0_has_succeeded(
    mode: str, main: str, pod: str, strategy: str
) -> None:
    play = _play(main, mode, pod)
    _stop(play, strategy)
    assert play.node(pod)["phase"] == "Failed"
    play.end(pod, 0)
    told = f"workflow shutdown with strategy:  {strategy}"
    node = play.node(pod)
    assert (node["phase"], node["message"], node["outputs"]["exitCode"]) == ("Succeeded", told, "0")
    assert (play.phase, play.message, set(play.phases().values())) == ("Succeeded", "", {"Succeeded"})


@pytest.mark.parametrize(("main", "pod"), [(ALONE, "wf"), (IN_STEPS, "a")])
@pytest.mark.parametrize(
    ("code", "message", "told"),
    [(143, "main: Error (exit code 143)", "143"), (3, "main: Error (exit code 3)", "3"), (137, STOPPED, None)],
)
def test_a_stopped_pod_tells_how_it_ended_unless_it_had_to_be_killed(
    mode: str, main: str, pod: str, code: int, message: str, told: str | None
) -> None:
    play = _play(main, mode, pod)
    _stop(play)
    play.end(pod, code)
    node = play.node(pod)
    assert (node["phase"], node["message"], (node.get("outputs") or {}).get("exitCode")) == ("Failed", message, told)
    assert (play.phase, play.message) == ("Failed", "Stopped with strategy 'Stop'")


def test_the_exit_handler_of_a_run_begins_when_its_stopped_pod_has_told(mode: str) -> None:
    play = Play(workflow("{entrypoint: work, onExit: work, templates: [{name: work, container: {image: i}}]}"), mode)
    play.start("wf")
    assert not any(isinstance(one, c.LaunchPod) for one in _stop(play))
    play.end("wf", 143)
    assert play.node("wf")["message"] == "main: Error (exit code 143)"
    play.end(".onExit")
    assert (play.phase, play.message) == ("Failed", "Stopped with strategy 'Stop'")


def test_steps_go_on_after_a_stopped_one_that_succeeded_but_no_pod_begins(mode: str) -> None:
    play = _play("- {name: main, steps: [[{name: a, template: work}], [{name: b, template: work}]]}", mode, "a")
    _stop(play)
    assert not any(isinstance(one, c.LaunchPod) for one in play.end("a", 0))
    assert play.phases() == {"": "Failed", "[0]": "Succeeded", "[0].a": "Succeeded", "[1]": "Failed", "[1].b": "Failed"}
    assert play.phase == "Failed"


@pytest.mark.parametrize("code", [0, 143])
def test_a_pod_of_a_dag_that_a_stop_ended_tells_nothing_but_its_exit_code(mode: str, code: int) -> None:
    play = _play("- {name: main, dag: {tasks: [{name: a, template: work}]}}", mode, "a")
    _stop(play)
    play.end("a", code)
    node = play.node("a")
    assert (node["phase"], node["message"], node["outputs"]["exitCode"]) == ("Failed", STOPPED, str(code))
    assert play.phase == "Failed"


def test_a_retry_is_stopped_even_if_its_attempt_succeeds_then(mode: str) -> None:
    work = "- {name: again, retryStrategy: {limit: 2}, container: {image: i, command: [c]}}"
    play = _play("- {name: main, steps: [[{name: a, template: again}]]}\n" + work, mode, "a(0)")
    _stop(play)
    play.end("a(0)", 0)
    assert (play.node("a")["message"], play.node("a")["phase"]) == ("Stopped with strategy 'Stop'", "Failed")
    assert play.phases() == {"": "Failed", "[0]": "Failed", "[0].a": "Failed", "[0].a(0)": "Succeeded"}


def test_the_containers_of_a_stopped_set_tell_how_they_ended(mode: str) -> None:
    play = _play(
        "- {name: main, containerSet: {containers: [{name: main, image: i}, {name: two, image: i}]}}", mode, "wf"
    )
    _stop(play)
    ends = tuple(e.ContainerState(name, code, "Error") for name, code in (("main", 0), ("two", 143)))
    play.end("wf", 143, containers=ends)
    told = {name: (play.node(name)["phase"], play.node(name)["message"]) for name in ("wf", "main", "two")}
    assert told == {
        "wf": ("Failed", "two: Error (exit code 143)"),
        "main": ("Succeeded", STOPPED),
        "two": ("Failed", "two: Error (exit code 143): "),
    }


@pytest.mark.parametrize("code", [0, 143])
def test_what_a_stopped_pod_that_succeeded_gave_goes_into_the_cache(mode: str, code: int) -> None:
    spec = """
entrypoint: main
templates:
- {name: main, memoize: {key: k, cache: {configMap: {name: c}}}, container: {image: i, command: [c]}}
"""
    play = Answering(workflow(spec), mode)
    play.start("wf")
    _stop(play)
    assert any(isinstance(one, c.WriteObject) for one in play.end("wf", code)) == (code == 0)
