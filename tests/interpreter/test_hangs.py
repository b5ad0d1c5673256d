"""A run comes to an end, whatever its nodes wait for: locks, caches, hooks, values that will never be there."""

from __future__ import annotations

from typing import Any

import playbook
import pytest
import yaml

from hera_utils.argo import timestamps
from hera_utils.interpreter import commands as c
from hera_utils.interpreter import events as e
from hera_utils.interpreter import stall

Json = dict[str, Any]
MODES = ("live", "restored", "naive")
HELD = {
    "mutex": "synchronization: {mutexes: [{name: m}]}",
    "semaphore": "synchronization: {semaphores: [{configMapKeyRef: {name: limits, key: two}}]}",
    "memoize": "memoize: {key: k, cache: {configMap: {name: cache}}}",
    "memoize and mutex": "{memoize: {key: k, cache: {configMap: {name: cache}}}, synchronization: {mutexes: [{name: m}]}}",
}
HOOKS = {
    "exit": "{exit: {template: hook}}",
    "status": "{seen: {template: hook, expression: 'steps.job.status == \"Succeeded\"'}}",
    "running": "{seen: {template: hook, expression: 'steps.job.status == \"Running\"'}}",
    "both": "{exit: {template: hook}, seen: {template: hook, expression: 'steps.job.status == \"Running\"'}}",
}


def _spec(text: str) -> Json:
    spec: Json = yaml.safe_load(text)
    for template in spec["templates"]:
        if not {"steps", "dag", "suspend"} & set(template):
            template.setdefault("container", {"image": "i", "command": ["c"]})
    return spec


def _to_the_end(play: playbook.Play, codes: dict[str, int] | None = None) -> playbook.Play:
    """Start and end pods in the order of their launch, with late answers, until nothing can happen any longer."""
    for _ in range(200):
        if play.run.finished:
            break
        if isinstance(play, playbook.Answering) and play.answers:
            play.answer()
        elif play.active:
            node = play.run.nodes[play.active[0]]
            if node["phase"] == "Pending":
                play.start(node["id"])
                continue
            play.end(node["id"], (codes or {}).get(node["displayName"], 0))
        elif play.timers:
            play.wait()
        else:
            break
    return play


def _with_hooks(kind: str, held: str, hooks: str) -> Json:
    hooked = HOOKS[hooks] if kind == "steps" else HOOKS[hooks].replace("steps.", "tasks.")
    calls = f"steps: [[{{name: job, template: job, hooks: {hooked}}}]]"
    if kind == "dag":
        calls = f"dag: {{tasks: [{{name: job, template: job, hooks: {hooked}}}]}}"
    spec = _spec(f"entrypoint: main\ntemplates: [{{name: main, {calls}}}, {{name: job}}, {{name: hook}}]")
    spec["templates"][2].update(yaml.safe_load(HELD[held]))
    return spec


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("late", [False, True], ids=["at once", "late"])
@pytest.mark.parametrize("hooks", HOOKS)
@pytest.mark.parametrize("held", HELD)
@pytest.mark.parametrize("kind", ["steps", "dag"])
def test_hooks_whose_template_waits_for_something_run(kind: str, held: str, hooks: str, late: bool, mode: str) -> None:
    play = _to_the_end(playbook.Answering(playbook.workflow(_with_hooks(kind, held, hooks)), mode, late=late))
    job = ".job" if kind == "dag" else "[0].job"
    wanted = [f"{job}.onExit"] * ("exit" in HOOKS[hooks]) + [f"{job}.hooks.seen"] * ("seen" in HOOKS[hooks])
    assert (play.phase, play.message) == ("Succeeded", "")
    assert {name: play.phases().get(name) for name in wanted} == dict.fromkeys(wanted, "Succeeded")
    assert not play.table.of("wf")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "hook", ["hooks: {seen: {template: hook, expression: 'workflow.status == \"Running\"'}}", "onExit: hook"]
)
def test_hooks_of_the_workflow_wait_for_a_lock_that_another_run_holds(hook: str, mode: str) -> None:
    spec = _spec(f"entrypoint: job\n{hook}\ntemplates: [{{name: job}}, {{name: hook, {HELD['mutex']}}}]")
    play = playbook.Answering(playbook.workflow(spec), mode, late=True)
    play.hold("m")
    _to_the_end(play)
    name = ".hooks.seen" if "hooks" in hook else ".onExit"
    assert (play.phase, play.phases()) == ("Running", {"": "Succeeded", name: "Pending"})
    play.let_go()
    assert (_to_the_end(play).phase, play.phases()) == ("Succeeded", {"": "Succeeded", name: "Succeeded"})


LOOP = _spec(
    f"entrypoint: main\ntemplates: [{{name: main, steps: [[{{name: a, template: t, withItems: [1, 2]}}], [{{name: b, template: t}}]]}}, "
    f"{{name: t, {HELD['memoize and mutex'][1:-1]}}}]"
)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("cached", [(), ("k",)], ids=["cold", "warm"])
def test_a_hit_of_the_cache_gives_its_lock_back(cached: tuple[str, ...], late: bool, mode: str) -> None:
    play = _to_the_end(playbook.Answering(playbook.workflow(LOOP), mode, late=late, cached=cached))
    assert play.phase == "Succeeded"
    assert len(play.launched) == (0 if cached else 1)  # the others use the cache entry of the first one
    assert not play.table.of("wf")


@pytest.mark.parametrize("mode", MODES)
def test_an_error_of_the_cache_gives_its_lock_back(mode: str) -> None:
    spec = _spec(
        "entrypoint: main\ntemplates: [{name: main, dag: {failFast: false, tasks: [{name: a, template: bad}, {name: b, template: good}]}},"
        f"{{name: bad, memoize: {{key: 'no key!', cache: {{configMap: {{name: cache}}}}}}, {HELD['mutex']}}}, "
        f"{{name: good, {HELD['mutex']}}}]"
    )
    play = _to_the_end(playbook.Answering(playbook.workflow(spec), mode))
    assert (play.phase, play.phases()) == ("Error", {"": "Error", ".a": "Error", ".b": "Succeeded"})


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("held", HELD)
def test_what_is_answered_while_the_run_is_suspended_is_opened_when_it_goes_on(held: str, mode: str) -> None:
    spec = _spec("entrypoint: main\ntemplates: [{name: main, steps: [[{name: a, template: t}]]}, {name: t}]")
    spec["templates"][1].update(yaml.safe_load(HELD[held]))
    play = playbook.Answering(playbook.workflow(spec), mode, late=True)
    if "mutex" in held:
        play.table.release(play.limit_of, "wf", play.answers[0].holder)  # type: ignore[attr-defined]
        play.answers.clear()
        play.hold("m")
        play._consider(c.AskLock(play.run.index.ledger.id_of("wf[0].a"), spec["templates"][1]["synchronization"]))
        play.answer()
        assert play.phases()["[0].a"] == "Pending"
    play.tell(e.SuspendRequested(play.at, "seed"))
    if "mutex" in held:
        play.let_go()
    while play.answers:
        play.answer()
    assert not play.launched
    play.tell(e.ResumeRequested(play.at, "seed"))
    assert _to_the_end(play).phase == "Succeeded"
    assert len(play.launched) == 1


@pytest.mark.parametrize("mode", MODES)
def test_a_stopped_node_waits_no_more_for_its_lock_and_the_exit_handler_gets_it(mode: str) -> None:
    spec = _spec(
        f"entrypoint: job\nonExit: end\ntemplates: [{{name: job, {HELD['mutex']}}}, {{name: end, {HELD['mutex']}}}]"
    )
    play = playbook.Answering(playbook.workflow(spec), mode, late=True)
    play.table.release(play.limit_of, "wf", "wf")
    play.hold("m")
    play.answers = [e.LockAnswered(play.at, "seed", "wf", False, "waits", {"waiting": "default/Mutex/m"})]
    play.answer()
    play.tell(e.ShutdownRequested(play.at, "seed", "Stop"))
    play.let_go()
    _to_the_end(play)
    assert (play.phase, play.phases()) == ("Failed", {"": "Failed", ".onExit": "Succeeded"})
    assert not play.table.of("wf")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("waits", ["suspend: {}", f"container: {{image: i, command: [c]}}, {HELD['mutex']}"])
def test_what_would_wait_is_not_begun_after_a_stop(waits: str, mode: str) -> None:
    """A suspended run is stopped and resumed: its next step opens only then, and nothing else would ever end it."""
    spec = _spec(
        "entrypoint: main\ntemplates: [{name: main, steps: [[{name: a, template: job}], [{name: b, template: waits}]]}, {name: job}, "
        f"{{name: waits, {waits}}}]"
    )
    play = playbook.Answering(playbook.workflow(spec), mode)
    play.hold("m")
    play.tell(e.SuspendRequested(play.at, "seed"))
    play.start("[0].a")
    play.end("[0].a")
    play.tell(e.ShutdownRequested(play.at, "seed", "Terminate"))
    play.tell(e.ResumeRequested(play.at, "seed"))
    assert (play.phase, play.message) == ("Failed", "Stopped with strategy 'Terminate'")
    assert play.node("[1].b")["message"] == "Stopped with strategy 'Terminate'"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["steps", "dag"])
def test_a_template_that_fails_fast_notices_what_failed_while_it_was_looked_at(kind: str, mode: str) -> None:
    """A run is resumed whose first attempt failed meanwhile: the same look opens the second one. Argo looks once more."""
    calls = "[{name: a, template: inner}]"
    main = f"steps: [{calls}]" if kind == "steps" else f"dag: {{tasks: {calls}}}"
    spec = _spec(
        f"entrypoint: main\ntemplates: [{{name: main, failFast: true, {main}}}, "
        "{name: inner, retryStrategy: {limit: 1}, dag: {tasks: [{name: b, template: job}]}}, {name: job}]"
    )
    play = playbook.Play(playbook.workflow(spec), mode)
    first = "[0].a(0).b" if kind == "steps" else ".a(0).b"
    play.start(first)
    play.tell(e.SuspendRequested(play.at, "seed"))
    play.end(first, 1)
    play.tell(e.ResumeRequested(play.at + 1, "seed"))
    assert (play.phase, play.message) == ("Failed", "template has failed or errored children and failFast enabled")
    assert play.run.document["status"]["finishedAt"] == timestamps.text(play.at + 1)


@pytest.mark.parametrize("mode", MODES)
def test_a_step_that_had_no_room_opens_when_those_after_it_end_in_the_same_look(mode: str) -> None:
    """A retry in place keeps the later steps, which fill the template; a stop then ends them all at once."""
    spec = _spec(
        "entrypoint: main\ntemplates: [{name: main, parallelism: 2, steps: [[{name: a, template: job}, "
        "{name: b, template: inner, withItems: [1, 2]}]]}, {name: inner, steps: [[{name: x, template: job}]]}, {name: job}]"
    )
    play = playbook.Play(playbook.workflow(spec), mode)
    for name in ("[0].a", "[0].b(0:1)[0].x", "[0].b(1:2)[0].x"):
        play.start(name)
        play.end(name, 1)
    assert play.phase == "Failed"
    play.launched.clear()
    play.tell(e.RetryRequested(play.at + 1, "seed"))
    assert "[0].a" not in play.phases()
    play.tell(e.ShutdownRequested(play.at + 2, "seed", "Terminate"))
    assert (play.phase, play.message) == ("Failed", "Stopped with strategy 'Terminate'")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["steps", "dag"])
def test_a_template_that_fails_fast_ends_as_others_do_when_a_dag_in_it_fails_last(kind: str, mode: str) -> None:
    """A real Argo 4.1.2 looks whether something failed before it looks at the inner DAG."""
    steps = "steps: [[{name: p, template: job}, {name: n, template: inner}], [{name: z, template: job}]]"
    dag = "dag: {tasks: [{name: p, template: job}, {name: n, template: inner}, {name: z, template: job, depends: p && n}]}"
    spec = _spec(
        f"entrypoint: main\ntemplates: [{{name: main, failFast: true, {steps if kind == 'steps' else dag}}}, "
        "{name: inner, dag: {tasks: [{name: x, template: job}]}}, {name: job}]"
    )
    play = playbook.Play(playbook.workflow(spec), mode)
    place = "[0]" if kind == "steps" else ""
    for name in ("p", "n.x"):
        play.start(f"{place}.{name}")
    play.end(f"{place}.p")
    play.end(f"{place}.n.x", 1)
    child = play.node(f"{place}.n")["id"]
    assert (play.phase, play.message) == ("Failed", f"child '{child}' failed" if kind == "steps" else "")
    if kind == "dag":
        assert play.node(".z")["phase"] == "Omitted"


# --- values that will never be there -----------------------------------------------------------------------------------


def _looped(kind: str, loop: str) -> Json:
    call = f"{{name: loop, template: say, {loop}, arguments: {{parameters: [{{name: m, value: '{{{{item.b}}}}'}}]}}}}"
    calls = f"steps: [[{call}]]" if kind == "steps" else f"dag: {{tasks: [{call}]}}"
    return _spec(
        f"entrypoint: main\ntemplates: [{{name: main, {calls}}}, {{name: say, inputs: {{parameters: [{{name: m}}]}}}}]"
    )


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("loop", ["withItems: [{a: '1'}]", 'withParam: \'[{"a": "1"}]\''])
@pytest.mark.parametrize("kind", ["steps", "dag"])
def test_a_key_that_an_item_lacks_is_an_error(kind: str, loop: str, mode: str) -> None:
    play = playbook.Play(playbook.workflow(_looped(kind, loop)), mode)
    message = "failed to resolve {{item.b}}"
    if kind == "steps":
        assert (play.phase, play.message) == ("Failed", message)
        assert play.phases() == {"": "Failed", "[0]": "Error"}
        assert play.node("[0]")["message"] == message
    else:
        assert (play.phase, play.message) == ("Error", "")
        assert play.phases() == {"": "Error", ".loop": "Error"}
        assert play.node(".loop")["message"] == message


DASHED = "{{=sprig.last(%s.a-b.outputs.result)}}"


def _dashed(kind: str) -> Json:
    value = DASHED % ("tasks" if kind == "dag" else "steps")
    last = f"{{name: b, template: say, arguments: {{parameters: [{{name: m, value: '{value}'}}]}}"
    first = "{name: a-b, template: say}"
    calls = f"steps: [[{first}], [{last}}}]]"
    if kind == "dag":
        calls = f"dag: {{tasks: [{first}, {last}, depends: a-b}}]}}"
    inputs = "inputs: {parameters: [{name: m, default: d}]}"
    return _spec(f"entrypoint: main\ntemplates: [{{name: main, {calls}}}, {{name: say, {inputs}}}]")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["steps", "dag"])
def test_a_name_with_a_dash_in_an_expression_is_an_error_that_says_how_to_write_it(kind: str, mode: str) -> None:
    play = playbook.Play(playbook.workflow(_dashed(kind)), mode)
    play.end("a-b", outputs={"result": "x"})
    prefix = "tasks" if kind == "dag" else "steps"
    message = play.node(".b" if kind == "dag" else "[1]")["message"]
    assert f"failed to evaluate expression: {prefix}.a is missing" in message
    assert f"write {prefix}['a-b'].outputs.result" in message
    assert play.phase == ("Error" if kind == "dag" else "Failed")


# --- the net -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_a_run_that_may_run_nothing_at_once_says_so(mode: str) -> None:
    class Stalling(playbook.Play):
        stalls = True

    play = Stalling(
        playbook.workflow("{entrypoint: a, parallelism: 0, templates: [{name: a, container: {image: i}}]}"), mode
    )
    assert (play.phase, play.phases()) == ("Error", {})
    assert play.message == f"{stall.MESSAGE}: parallelism 0 leaves no room"


# --- what decides how a run ends ---------------------------------------------------------------------------------------

DAEMON = (
    "entrypoint: main\ntemplates: [{{name: main, steps: [[{first}], [{{name: slow, template: work}}], "
    "[{{name: last, template: work}}]]}}, {{name: daemon, daemon: true{more}}}, {{name: work}}]"
)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("code", [0, 7])
def test_a_daemon_of_an_earlier_step_that_ends_fails_its_group(code: int, mode: str) -> None:
    play = playbook.Play(playbook.workflow(_spec(DAEMON.format(first="{name: d, template: daemon}", more=""))), mode)
    play.start("d")
    play.start("slow")
    play.end("d", code)
    message = f"child '{play.id('d')}' failed"
    assert play.phases() == {"": "Failed", "[0]": "Failed", "[0].d": "Failed", "[1]": "Running", "[1].slow": "Running"}
    assert play.phase == "Running"
    play.end("slow")
    assert (play.phase, play.message) == ("Failed", message)
    assert play.node("[0]")["message"] == message


@pytest.mark.parametrize("mode", MODES)
def test_a_daemon_that_may_fail_and_a_looped_one(mode: str) -> None:
    allowed = "{name: d, template: daemon, continueOn: {failed: true}}"
    play = playbook.Play(playbook.workflow(_spec(DAEMON.format(first=allowed, more=""))), mode)
    for name in ("d", "slow"):
        play.start(name)
    play.end("d", 1)
    play.end("slow")
    play.end("last")
    assert play.phase == "Succeeded"
    looped = "{name: d, template: daemon, withItems: [x, y]}"
    play = playbook.Play(playbook.workflow(_spec(DAEMON.format(first=looped, more=""))), mode)
    for name in ("d(0:x)", "d(1:y)", "slow"):
        play.start(name)
    play.end("d(1:y)", 1)
    play.end("slow")
    assert (play.phase, play.phases()["[0].d(0:x)"]) == ("Failed", "Succeeded")


@pytest.mark.parametrize("mode", MODES)
def test_a_hook_that_cannot_be_evaluated_is_an_error_of_its_task(mode: str) -> None:
    broken = "hooks: {bad: {template: work, expression: 'tasks.nope.status =='}}"
    main = f"{{tasks: [{{name: a, template: work, {broken}}}, {{name: b, template: work, depends: a}}]}}"
    play = _to_the_end(
        playbook.Play(
            playbook.workflow(_spec(f"entrypoint: main\ntemplates: [{{name: main, dag: {main}}}, {{name: work}}]")),
            mode,
        )
    )
    assert (play.phase, play.message) == ("Error", "")
    assert play.phases() == {"": "Error", ".a": "Error", ".b": "Omitted"}
    assert play.run.document["status"]["progress"] == "0/1"
    assert play.node(".a")["message"].startswith("unexpected token EOF (1:20)")


@pytest.mark.parametrize("mode", MODES)
def test_a_hook_that_cannot_be_evaluated_is_an_error_of_the_dag_when_nothing_follows(mode: str) -> None:
    main = "{tasks: [{name: a, template: work, hooks: {bad: {template: work, expression: 'tasks.nope.status =='}}}]}"
    play = _to_the_end(
        playbook.Play(
            playbook.workflow(_spec(f"entrypoint: main\ntemplates: [{{name: main, dag: {main}}}, {{name: work}}]")),
            mode,
        )
    )
    assert play.message.startswith("error in entry template execution: unexpected token EOF (1:20)")
    assert play.phases() == {"": "Error", ".a": "Pending"}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("expression", "shown"), [("1", "%!s(int=1)"), ("'x'", "x"), ("nil", "%!s(<nil>)")])
def test_a_hook_whose_expression_is_no_boolean_is_told_in_gos_words(expression: str, shown: str, mode: str) -> None:
    spec = _spec(
        f'entrypoint: work\nhooks: {{a: {{template: work, expression: "{expression}"}}}}\ntemplates: [{{name: work}}]'
    )
    play = playbook.Play(playbook.workflow(spec), mode)
    assert play.message == f"unable to cast expression result '{shown}' to bool"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("exit_hook", ["{template: work, expression: 'tasks.nope.status =='}", "{template: needy}"])
def test_an_exit_handler_that_cannot_be_opened_changes_nothing_in_a_dag(exit_hook: str, mode: str) -> None:
    main = f"{{tasks: [{{name: a, template: work, hooks: {{exit: {exit_hook}}}}}, {{name: b, template: work, depends: a}}]}}"
    needy = "{name: needy, inputs: {parameters: [{name: m}]}}"
    spec = _spec(f"entrypoint: main\ntemplates: [{{name: main, dag: {main}}}, {{name: work}}, {needy}]")
    play = playbook.Play(playbook.workflow(spec), mode)
    play.end("a")
    assert {one.reason for one in play.told} == {"ExitHandlerNotRun"}
    assert _to_the_end(play).phase == "Succeeded"


INLINE = "{name: d, withItems: [1, 2], inline: {container: {image: i, command: [echo, '{{item}}']}}%s}"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("last", [False, True])
def test_a_loop_of_an_inline_template_in_steps_ends_as_on_a_cluster(last: bool, mode: str) -> None:
    more = "" if last else ", [{name: e, template: work}]"
    spec = _spec(f"entrypoint: main\ntemplates: [{{name: main, steps: [[{INLINE % ''}]{more}]}}, {{name: work}}]")
    play = _to_the_end(playbook.Play(playbook.workflow(spec), mode))
    assert (play.phase, play.message) == ("Error", "error in entry template execution: failed to get a template")
    assert play.phases() == {"": "Error", "[0]": "Succeeded", "[0].d(0:1)": "Succeeded", "[0].d(1:2)": "Succeeded"}
    assert play.node("wf")["message"] == "failed to get a template"


@pytest.mark.parametrize("mode", MODES)
def test_a_loop_of_an_inline_template_in_a_dag_is_an_error_of_what_follows(mode: str) -> None:
    spec = _spec(f"entrypoint: main\ntemplates: [{{name: main, dag: {{tasks: [{INLINE % ''}]}}}}, {{name: work}}]")
    assert _to_the_end(playbook.Play(playbook.workflow(spec), mode)).phase == "Succeeded"
    after = "{name: e, template: work, depends: d}"
    spec = _spec(
        f"entrypoint: main\ntemplates: [{{name: main, dag: {{tasks: [{INLINE % ''}, {after}]}}}}, {{name: work}}]"
    )
    play = _to_the_end(playbook.Play(playbook.workflow(spec), mode))
    assert (play.phase, play.message) == ("Error", "error in entry template execution: failed to get a template")
    assert (play.phases()[".d"], play.phases()[".e"]) == ("Succeeded", "Error")


STORED = """
- name: main
  steps: [[{name: iterated, template: inner, arguments: {parameters: [{name: arg, value: "{{item}}"}]}, withItems: [foo, bar]}]]
- name: inner
  inputs: {parameters: [{name: arg}]}
  %s
"""
SAY = (
    "{name: say, arguments: {parameters: [{name: arg, value: '{{inputs.parameters.arg}}'}]}, "
    "inline: {inputs: {parameters: [{name: arg}]}, container: {image: i, command: [echo, '{{inputs.parameters.arg}}']}}}"
)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["steps", "dag"])
@pytest.mark.parametrize("scope", ["namespaced", "cluster"])
def test_every_item_runs_its_own_body_of_a_stored_inline_template(scope: str, kind: str, mode: str) -> None:
    inner = f"steps: [[{SAY}]]" if kind == "steps" else f"dag: {{tasks: [{SAY}]}}"
    kinds = {"namespaced": "WorkflowTemplate", "cluster": "ClusterWorkflowTemplate"}
    stored = {"kind": kinds[scope], "metadata": {"name": "kept"}, "spec": {"templates": yaml.safe_load(STORED % inner)}}
    reference = f"{{name: kept, template: main, clusterScope: {str(scope == 'cluster').lower()}}}"
    spec = _spec(f"entrypoint: main\ntemplates: [{{name: main, steps: [[{{name: p, templateRef: {reference}}}]]}}]")
    play = playbook.Play(playbook.workflow(spec), mode, templates=(stored,))
    launched = [one for one in play.commands if isinstance(one, c.LaunchPod)]
    assert [one.template["container"]["command"][1] for one in launched] == ["foo", "bar"]
    kept = play.run.document["status"]["storedTemplates"]
    assert kept[f"{scope}/kept/inline/say"]["container"]["command"][1] == "{{inputs.parameters.arg}}"
    assert _to_the_end(play).phase == "Succeeded"


# --- what random histories showed --------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_a_suspend_node_that_waited_for_its_lock_can_be_resumed(mode: str) -> None:
    calls = "steps: [[{name: a, template: p, withItems: [1, 2]}]]"
    pause = f"{{name: p, suspend: {{}}, {HELD['mutex']}}}"
    spec = _spec(f"entrypoint: main\ntemplates: [{{name: main, {calls}}}, {pause}]")
    play = playbook.Answering(playbook.workflow(spec), mode)
    assert sorted(play.phases().values()) == ["Pending", "Running", "Running", "Running"]
    for _ in range(2):
        play.tell(e.ResumeRequested(play.at, "seed"))
    assert play.phase == "Succeeded"


@pytest.mark.parametrize("mode", MODES)
def test_what_has_no_room_keeps_no_lock(mode: str) -> None:
    """With room for one, the one that has it waits for a lock that another had got while it had no room."""
    calls = "tasks: [{name: a, template: t}, {name: b, template: t}]"
    spec = _spec(
        f"entrypoint: main\ntemplates: [{{name: main, parallelism: 1, dag: {{{calls}}}}}, {{name: t, {HELD['memoize and mutex'][1:-1]}}}]"
    )
    play = playbook.Answering(playbook.workflow(spec), mode, late=True)
    first, second = (play.answers.pop(0) for _ in range(2))
    play.tell(second)  # one is Pending and takes the room before the other receives its lock
    play.tell(first)
    assert _to_the_end(play).phase == "Succeeded"


@pytest.mark.parametrize("mode", MODES)
def test_a_daemon_that_is_ready_after_its_template_failed_is_ended(mode: str) -> None:
    broken = "hooks: {bad: {template: work, expression: 'steps.nope.status =='}}"
    spec = _spec(
        f"entrypoint: main\nonExit: work\nparallelism: 1\n"
        f"templates: [{{name: main, steps: [[{{name: d, template: daemon, {broken}}}]]}}, {{name: daemon, daemon: true}}, {{name: work}}]"
    )
    play = playbook.Play(playbook.workflow(spec), mode)
    assert play.phases() == {"": "Failed", "[0]": "Error", "[0].d": "Pending"}
    play.start("d")
    assert [one for one in play.commands if isinstance(one, c.KillPod)]
    play.active.remove(play.id("d"))
    assert (_to_the_end(play).phase, play.phases()[".onExit"]) == ("Failed", "Succeeded")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["steps", "dag"])
def test_a_hook_that_waits_for_an_answer_when_its_template_ends_gives_its_lock_back(kind: str, mode: str) -> None:
    spec = _with_hooks(kind, "memoize and mutex", "running")
    spec["templates"][0]["failFast"] = True
    spec["onExit"] = "hook"
    play = playbook.Answering(playbook.workflow(spec), mode, late=True)
    (job,) = play.active
    play.start(job)
    play.answer()  # answers the lock request, so that the hook now waits for the cache
    play.end(job, 1)
    _to_the_end(play)
    assert (play.phase, play.phases()[".onExit"]) == ("Failed", "Succeeded")
    assert not play.table.of("wf")


OWN_LOCK = {
    "mutex": "synchronization: {mutexes: [{name: m}]}",
    "semaphore": "synchronization: {semaphores: [{configMapKeyRef: {name: limits, key: one}}]}",
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("outer", ["workflow", "template"])
@pytest.mark.parametrize("lock", OWN_LOCK)
def test_a_lock_that_only_the_run_itself_holds_is_not_waited_for(lock: str, outer: str, mode: str) -> None:
    """In Argo such a run stays Running until a user ends it."""
    whole, around = (OWN_LOCK[lock], "") if outer == "workflow" else ("", f", {OWN_LOCK[lock]}")
    spec = _spec(
        f"entrypoint: main\n{whole}\ntemplates: [{{name: main, steps: [[{{name: a, template: t}}, {{name: b, template: free}}]]{around}}}, "
        f"{{name: t, {OWN_LOCK[lock]}}}, {{name: free}}]"
    )
    play = _StalledAnswering(playbook.workflow(spec), mode, late=True)
    while play.answers:
        play.answer()
    assert play.phase == "Running"  # `b` still runs, and its work is not lost
    _to_the_end(play)
    name = "default/Mutex/m" if lock == "mutex" else "default/ConfigMap/limits/one"
    assert (play.phase, play.message) == (
        "Error",
        f"{stall.MESSAGE}: wf[0].a waits for {name}, which this run itself holds",
    )
    assert not play.table.of("wf")


@pytest.mark.parametrize("mode", MODES)
def test_a_lock_that_another_run_holds_too_is_waited_for(mode: str) -> None:
    """Of two places of a semaphore this run has one: when the other run leaves, the inner node goes on."""
    lock = "synchronization: {semaphores: [{configMapKeyRef: {name: limits, key: two}}]}"
    spec = _spec(
        f"entrypoint: main\ntemplates: [{{name: main, steps: [[{{name: a, template: t}}]], {lock}}}, {{name: t, {lock}}}]"
    )
    play = _TwoPlaces(playbook.workflow(spec), mode)
    assert (play.phase, play.node("a")["phase"]) == ("Running", "Pending")
    play.let_go()
    assert _to_the_end(play).phase == "Succeeded"


class _StalledAnswering(playbook.Answering):
    stalls = True


class _TwoPlaces(playbook.Answering):
    """A semaphore of two places, of which another run takes one before this one begins."""

    limit = 2

    def _consider(self, command: c.Command) -> None:
        if isinstance(command, c.AskLock) and not self.table.of("other"):
            self.hold_all(command.synchronization)
        super()._consider(command)


@pytest.mark.parametrize("mode", MODES)
def test_a_run_whose_entry_is_a_daemon_succeeds_when_it_is_ready(mode: str) -> None:
    play = playbook.Play(playbook.workflow(_spec("entrypoint: d\ntemplates: [{name: d, daemon: true}]")), mode)
    play.start("wf")
    assert (play.phase, play.phases(), play.message) == ("Succeeded", {"": "Succeeded"}, "")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("field", ["timeout", "pendingTimeout"])
def test_a_node_that_waits_for_a_lock_ends_when_its_time_is_over(field: str, mode: str) -> None:
    lock = OWN_LOCK["mutex"]
    spec = _spec(
        f"entrypoint: main\ntemplates: [{{name: main, steps: [[{{name: a, template: t}}]]}}, {{name: t, {field}: 4s, {lock}}}]"
    )
    play = playbook.Answering(playbook.workflow(spec), mode, late=True)
    play.hold("m")
    play.answer()
    assert (play.phase, play.node("a")["phase"]) == ("Running", "Pending")
    play.wait(f"{field}:{play.id('a')}")
    assert (play.phase, play.message) == ("Failed", "timeout")
    assert (play.node("a")["phase"], play.node("a")["message"]) == ("Failed", "timeout")
    assert not play.table.of("wf")


@pytest.mark.parametrize("mode", MODES)
def test_results_of_a_loop_that_are_no_json_are_an_error_of_the_dag_whose_target_follows(mode: str) -> None:
    tasks = "{name: a, template: t, withItems: [1, 2]}, {name: b, template: t, depends: a}"
    spec = _spec(f"entrypoint: main\ntemplates: [{{name: main, dag: {{tasks: [{tasks}]}}}}, {{name: t}}]")
    play = playbook.Play(playbook.workflow(spec), mode)
    for name in ("a(0:1)", "a(1:2)"):
        play.end(name, outputs={"result": "hello"})
    said = "invalid character 'h' looking for beginning of value"
    assert (play.phase, play.message) == ("Error", f"error in entry template execution: {said}")
    assert (play.node("")["message"], play.node(".b")["message"]) == (said, said)


@pytest.mark.parametrize("mode", MODES)
def test_a_handler_of_an_earlier_attempt_that_ends_while_the_retry_asks_for_its_lock_again_is_noticed(
    mode: str,
) -> None:
    tasks = "{name: a, template: t, withItems: [1, 2], onExit: handler}"
    spec = _spec(
        f"entrypoint: main\ntemplates: [{{name: main, dag: {{tasks: [{tasks}]}}}}, {{name: t}}, {{name: handler, {OWN_LOCK['mutex']}}}]"
    )
    play = playbook.Answering(playbook.workflow(spec), mode, late=True)
    play.end("a(0:1)")
    play.answer()
    play.start("a(1:2)")
    handler = play.id("a(0:1).onExit")
    play.tell(e.ShutdownRequested(play.at, "seed", "Stop"))
    play.end("a(1:2)", 1)
    assert play.phase == "Failed"
    play.launched.clear()
    play.active.clear()
    play.tell(e.RetryRequested(play.at, "seed"))
    play.active = [one for one in (*play.active, handler) if one in play.run.nodes]
    play.start(handler)
    play.end(handler)  # before the answer to the new request
    assert _to_the_end(play).phase == "Succeeded"
    assert not play.table.of("wf")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["steps", "dag"])
def test_an_exit_handler_opens_when_what_held_it_back_ends_in_the_same_look(kind: str, mode: str) -> None:
    """A run is resumed whose inner template came to its end meanwhile: only that look makes the room for the handler before it."""
    calls = "[{name: a, template: pause, onExit: job}, {name: b, template: inner}]"
    main = f"steps: [{calls}]" if kind == "steps" else f"dag: {{tasks: {calls}}}"
    spec = _spec(
        f"entrypoint: main\ntemplates: [{{name: main, parallelism: 1, {main}}}, {{name: pause, suspend: {{duration: 5s}}}}, "
        "{name: inner, dag: {tasks: [{name: c, template: job}]}}, {name: job}]"
    )
    play = playbook.Play(playbook.workflow(spec), mode)
    step = "[0]" if kind == "steps" else ""
    play.wait()
    play.start(f"{step}.b.c")
    play.tell(e.SuspendRequested(play.at, "seed"))
    play.end(f"{step}.b.c")
    play.tell(e.ResumeRequested(play.at + 1, "seed"))
    play.start(f"{step}.a.onExit")
    play.end(f"{step}.a.onExit")
    assert play.phase == "Succeeded"


@pytest.mark.parametrize("mode", ["hurried", "hurried, restored"])
def test_what_a_stop_ends_is_there_also_when_it_is_opened_in_pieces(mode: str) -> None:
    """A run is stopped while it is suspended: what opens when it is resumed has ended at once, all of it."""
    tasks = ", ".join(f"{{name: t{index}, template: job}}" for index in range(5))
    spec = _spec(
        "entrypoint: main\ntemplates: [{name: main, dag: {tasks: [{name: a, template: job}, {name: b, depends: a, template: inner}]}}, "
        f"{{name: inner, dag: {{tasks: [{tasks}, {{name: l, template: job, withItems: [1, 2, 3]}}]}}}}, {{name: job}}]"
    )
    plays = [playbook.Play(playbook.workflow(spec), one) for one in ("live", mode)]
    for play in plays:
        play.start(".a")
        play.tell(e.SuspendRequested(play.at, "seed"))
        play.end(".a")
        play.tell(e.ShutdownRequested(play.at, "seed", "Terminate"))
        play.tell(e.ResumeRequested(play.at, "seed"))
    live, hurried = plays
    assert len(live.phases()) == 12
    assert (hurried.phase, hurried.phases()) == (live.phase, live.phases())


@pytest.mark.parametrize("mode", ["live", "restored", "naive"])
def test_a_suspension_that_outlives_steps_that_failed_fast_ends_with_its_time(mode: str) -> None:
    """The DAG around waits for it, and nothing looked at it any more: the run hung."""
    spec = """
    entrypoint: main
    templates:
    - {name: main, dag: {tasks: [{name: a, template: low}]}}
    - {name: low, failFast: true, steps: [[{name: n, template: held}, {name: x, template: work}]]}
    - {name: held, suspend: {duration: "1h"}}
    - {name: work, container: {image: i, command: [c]}}
    """
    play = playbook.Play(playbook.workflow(spec), mode)
    play.end("x", 1)
    assert (play.phases()[".a"], play.phase) == ("Failed", "Running")
    play.wait(next(key for key in play.timers if key.startswith("suspend:")))
    assert (play.phases()[".a[0].n"], play.phase) == ("Succeeded", "Failed")
