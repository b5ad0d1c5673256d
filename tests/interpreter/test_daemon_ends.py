"""A daemon that ends while others use it: its exit handlers run, and those that did not open yet are judged anew."""

from __future__ import annotations

from typing import Any

import playbook
import pytest
import yaml

MODES = ("live", "restored", "naive")
LEAVES = """
- {name: daemon, daemon: true, container: {image: i, command: [c]}}
- {name: work, container: {image: i, command: [c]}}
"""


def _play(main: str, mode: str, **spec: Any) -> playbook.Play:
    templates = [{"name": "main", **yaml.safe_load(main)}, *yaml.safe_load(LEAVES)]
    return playbook.Play(playbook.workflow({"entrypoint": "main", "templates": templates, **spec}), mode)


STEPS = (
    "{steps: [[{name: d, template: daemon, onExit: work%s}], [{name: a, template: work}], [{name: b, template: work}]]}"
)


@pytest.mark.parametrize("mode", MODES)
def test_a_daemon_step_that_fails_has_its_exit_handler_run_before_the_steps_fail(mode: str) -> None:
    play = _play(STEPS % "", mode)
    play.start("d")
    play.start("a")
    play.end("d", 1)
    assert play.phases()["[0].d.onExit"] == "Pending"
    assert (play.phases()["[0]"], play.phases()[""]) == ("Running", "Running")
    play.end("a")
    assert "[2]" not in play.phases()
    play.end("d.onExit")
    assert (play.phases()["[0]"], play.phase) == ("Failed", "Failed")
    assert play.message == f"child '{play.id('d')}' failed"
    assert play.node("")["outboundNodes"] == [play.id("a")]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("main", [
    "{steps: [[{name: d, template: daemon}], [{name: a, template: work}]]}",
    "{steps: [[{name: d, template: inner}], [{name: a, template: work}]]}",
    "{dag: {tasks: [{name: d, template: daemon, withItems: [1]}, {name: a, template: work, dependencies: [d]}]}}",
])  # fmt: skip
def test_a_daemon_that_is_ended_counts_in_the_progress_of_the_groups_around_it(main: str, mode: str) -> None:
    """These kept the progress of their own end: 1/2 of a run that was done."""
    inner = yaml.safe_load("{name: inner, dag: {tasks: [{name: x, template: daemon}]}}")
    templates = [{"name": "main", **yaml.safe_load(main)}, inner, *yaml.safe_load(LEAVES)]
    play = playbook.Play(playbook.workflow({"entrypoint": "main", "templates": templates}), mode)
    play.start(play.active[0])
    play.end("a")
    assert {node["progress"] for node in play.run.nodes.values()} == {"1/1", "2/2"}
    assert play.node("")["progress"] == play.run.document["status"]["progress"] == "2/2"


@pytest.mark.parametrize("mode", MODES)
def test_after_the_exit_handler_of_a_daemon_step_that_may_fail_the_steps_go_on(mode: str) -> None:
    play = _play(STEPS % ", continueOn: {failed: true}", mode)
    play.start("d")
    play.end("d", 1)
    play.end("a")
    play.end("d.onExit")
    assert (play.phases()["[0]"], play.phases()["[2].b"]) == ("Succeeded", "Pending")
    play.end("b")
    assert play.phase == "Succeeded"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("code", [0, 1])
def test_a_daemon_task_that_ends_has_its_exit_handler_run(code: int, mode: str) -> None:
    tasks = "{name: d, template: daemon, onExit: work}, {name: a, template: work, dependencies: [d]}"
    play = _play(f"{{dag: {{tasks: [{tasks}]}}}}", mode)
    play.start("d")
    play.end("d", code)
    assert play.phases()[".d.onExit"] == "Pending"
    play.end("a")
    assert play.phase == "Running"
    play.end("d.onExit")
    assert play.phase == "Succeeded"


@pytest.mark.parametrize("mode", MODES)
def test_a_task_that_had_no_room_is_omitted_when_its_daemon_fails_meanwhile(mode: str) -> None:
    tasks = "{name: d, template: daemon}, {name: a, template: work, dependencies: [d]}, {name: b, template: work, dependencies: [d]}"
    play = _play(f"{{dag: {{tasks: [{tasks}]}}}}", mode, parallelism=2)
    play.start("d")
    assert play.phases() == {"": "Running", ".d": "Running", ".a": "Pending"}
    play.end("d", 1)
    assert (play.phases()[".b"], play.node("b")["message"]) == ("Omitted", "omitted: depends condition not met")
    play.end("a")
    assert play.phase == "Failed"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("cached", [False, True])
def test_a_task_that_began_after_a_daemon_goes_on_while_the_exit_handler_of_the_daemon_runs(
    cached: bool, mode: str
) -> None:
    """What depends on that task is judged when it ends; it need not wait for the handler. A server that starts anew knows it too."""
    tasks = (
        "{name: d, template: daemon, onExit: work}, {name: a, template: plain, depends: d}, "
        "{name: b, template: work, depends: a.Succeeded}"
    )
    memoize = ", memoize: {key: k, cache: {configMap: {name: cache}}}" if cached else ""
    plain = yaml.safe_load(f"{{name: plain, container: {{image: i, command: [c]}}{memoize}}}")
    templates = [{"name": "main", **yaml.safe_load(f"{{dag: {{tasks: [{tasks}]}}}}")}, plain, *yaml.safe_load(LEAVES)]
    play = playbook.Answering(playbook.workflow({"entrypoint": "main", "templates": templates}), mode, late=True)
    play.start("d")
    play.end("d", 1)
    if cached:
        assert ".a" not in play.phases()  # `a` waits for the cache
        play.answer()
    play.start("a")
    play.end("a", 1)
    assert play.phases()[".b"] == "Omitted"
    play.end("d.onExit")
    assert play.phase == "Failed"


@pytest.mark.parametrize("mode", MODES)
def test_what_a_later_step_runs_goes_on_while_the_exit_handler_of_an_earlier_daemon_runs(mode: str) -> None:
    """Its own steps go on, however often the server starts anew meanwhile."""
    templates = yaml.safe_load(
        "[{name: main, steps: [[{name: d, template: daemon, onExit: work, continueOn: {failed: true}}], [{name: a, template: inner}]]},"
        " {name: inner, steps: [[{name: x, template: work}], [{name: y, template: work}]]}]"
    )
    templates += yaml.safe_load(LEAVES)
    play = playbook.Play(playbook.workflow({"entrypoint": "main", "templates": templates}), mode)
    play.start("d")
    play.end("d")
    assert play.phases()["[0].d.onExit"] == "Pending"
    play.end("x")
    assert play.phases()["[1].a[1].y"] == "Pending"
    play.end("y")
    play.end("d.onExit")
    assert play.phase == "Succeeded"
