"""Whatever a workflow waits for (locks, caches, users, timers, daemons), and whatever users do: it comes to an end, with no lock left."""

from __future__ import annotations

import os
from typing import Any

import histories
import playbook
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from test_interleavings import workflows

from hera_utils.interpreter import commands as c
from hera_utils.interpreter import events as e
from hera_utils.interpreter import stall

Json = dict[str, Any]
MANY = int(os.environ.get("HERA_UTILS_HISTORIES", "0"))
# Without Phase.shrink, which would take minutes for such a workflow.
FOUND = [
    Phase.explicit,
    Phase.reuse,
    Phase.generate,
]
QUICK = settings(
    max_examples=MANY or 25, derandomize=not MANY, deadline=None, suppress_health_check=list(HealthCheck), phases=FOUND
)
NUMBERS = st.lists(st.integers(0, 100_000), min_size=1, max_size=30)
ANSWER, HOLD = "answer", "hold"


@st.composite
def waiting_workflows(draw: st.DrawFn) -> Json:
    """Workflows whose templates have locks, of their own or a common one (within another such it waits for itself), and are memoized."""
    spec: Json = draw(workflows())
    spec["templates"].append({"name": "daemon", "daemon": True, "container": {"image": "i", "command": ["c"]}})
    spec["templates"].append(histories.pausing(draw))
    for template in spec["templates"]:
        for step in histories.calls(template):
            chosen = draw(st.integers(0, 12))
            if chosen < 2:
                step["template"] = ("daemon", "pause")[chosen]
        if template["name"] in ("main", "daemon"):
            continue
        name = template["name"] if draw(st.integers(0, 5)) else "common"
        if draw(st.booleans()):
            template["synchronization"] = {"mutexes": [{"name": name}]}
        elif draw(st.booleans()):
            reference = {"name": "limits", "key": name}
            template["synchronization"] = {"semaphores": [{"configMapKeyRef": reference}]}
        if "container" in template and draw(st.integers(0, 2)) == 0:
            template["memoize"] = {"key": "k", "cache": {"configMap": {"name": "cache"}}}
    if draw(st.integers(0, 3)) == 0:
        spec["synchronization"] = {"mutexes": [{"name": "whole"}]}
    return spec


class _Answering(playbook.Answering):
    stalls = True


class Waiting(histories.Telling):
    """Answers come when they come, and other runs take and give back the mutex of a template."""

    play: _Answering

    def __post_init__(self) -> None:
        self.started: set[str] = set()
        self.held = False
        self.play = _Answering(playbook.workflow(self.spec), self.mode, late=True)
        self.story.append(self.play.picture())

    def _retry(self) -> None:
        self.play.answers.clear()  # they came while the run was over, so it ignored them
        super()._retry()

    def _possible(self) -> list[str]:
        possible = super()._possible()
        if self.play.answers:
            possible += [ANSWER] * 2
        return [*possible, HOLD] if possible or self.held else possible

    def _happen(self, chosen: str, number: int) -> None:
        if chosen == ANSWER:
            self._tell(self.play.next_answer())
        elif chosen == HOLD:
            self.held = not self.held
            if self.held:
                self.play.hold(("plain", "handler", "inner", "whole", "common")[number % 5])
            else:
                self.play.let_go()
        else:
            super()._happen(chosen, number)


CONTAINER = {"image": "i", "command": ["c"]}
LOCK = {"mutexes": [{"name": "m"}]}


def _spec(main: Json, *templates: Json) -> Json:
    return {
        "entrypoint": "main",
        "templates": [{"name": "main", **main}, {"name": "plain", "container": CONTAINER}, *templates],
    }


ASKING_HOOK = _spec(
    {
        "failFast": True,
        "steps": [
            [
                {"name": "n0", "template": "plain", "withItems": ["only"]},
                {
                    "name": "n2",
                    "template": "plain",
                    "hooks": {"seen": {"template": "handler", "expression": "steps['n2'].status == 'Running'"}},
                },
            ]
        ],
    },
    {
        "name": "handler",
        "container": CONTAINER,
        "synchronization": {"mutexes": [{"name": "handler"}]},
        "memoize": {"key": "k", "cache": {"configMap": {"name": "cache"}}},
    },
)
"""When n0 fails the hook of n2 holds a lock and waits for the cache: it keeps the lock."""

DAEMONS = _spec(
    {
        "dag": {
            "tasks": [
                {"name": "n0", "template": "plain"},
                {"name": "n3", "template": "daemon", "withItems": ["b", "a", "b"], "onExit": "nowhere"},
            ]
        }
    },
    {"name": "daemon", "daemon": True, "container": CONTAINER},
)
"""An item that was a daemon and ended has its exit handler, as any other."""

LEFT_BEHIND = _spec(
    {"dag": {"tasks": [{"name": "n2", "template": "inner"}, {"name": "n3", "template": "again"}]}},
    {
        "name": "inner",
        "steps": [[{"name": "n1", "template": "again", "withItems": [0, 0], "onExit": "nowhere"}]],
    },
    {"name": "again", "container": CONTAINER, "synchronization": LOCK},
)
"""The steps of n2 are an error while one of them waits for a lock: the DAG does not wait for that."""

LEFT_HOOK = _spec(
    {
        "dag": {
            "tasks": [
                {"name": "n1", "template": "plain"},
                {"name": "n2", "template": "inner", "withItems": ["b", "b", "b"], "onExit": "handler"},
            ]
        }
    },
    {"name": "inner", "dag": {"tasks": [{"name": name, "template": "locked"} for name in ("n0", "n1", "n2")]}},
    {"name": "locked", "container": CONTAINER, "synchronization": {"mutexes": [{"name": "common"}]}},
    {"name": "handler", "container": CONTAINER, "synchronization": {"mutexes": []}},
)
"""The pod of an exit handler outlives its run, and ends while the handler of the retried run asks for its lock again."""

AHEAD_OF_ITS_GROUP = _spec(
    {
        "steps": [
            [{"name": "n0", "template": "inner"}],
            [
                {
                    "name": "n2",
                    "template": "free",
                    "withItems": ["b"],
                    "hooks": {"seen": {"expression": "steps['n2'].status == 'Running'"}},
                }
            ],
        ]
    },
    {
        "name": "inner",
        "steps": [
            [
                {"name": "n0", "template": "free"},
                {"name": "n1", "template": "free", "withItems": ["b", "b"], "continueOn": {"failed": True}},
            ]
        ],
        "retryStrategy": {},
    },
    {"name": "free", "container": CONTAINER, "synchronization": {"mutexes": []}},
)
"""Retried while its second group had begun: what is in that group is unknown again until it is reached."""


@QUICK
@example(spec=LEFT_HOOK, numbers=[4624, 14465], seed=16, users=9)
@example(spec=ASKING_HOOK, numbers=[16127, 7516, 3743, 334], seed=31, users=0)
@example(spec=DAEMONS, numbers=[0], seed=0, users=3)
@example(spec=LEFT_BEHIND, numbers=[37148], seed=0, users=0)
@example(spec=AHEAD_OF_ITS_GROUP, numbers=[31301], seed=15, users=4)
@given(spec=waiting_workflows(), numbers=NUMBERS, seed=st.integers(0, 50), users=st.sampled_from([0, 10]))
def test_every_run_ends_alike_however_it_is_walked_and_holds_no_lock_then(
    spec: Json, numbers: list[int], seed: int, users: int
) -> None:
    runs = [Waiting(spec, numbers, seed, mode, users).tell() for mode in ("live", "restored", "naive")]
    for run in runs:
        assert run.play.run.finished, run.play.phases()
        assert stall.MESSAGE not in run.play.message or "which this run itself holds" in run.play.message
        assert not run.play.table.of("wf")
    for live, restored, naive in zip(*(run.story for run in runs), strict=False):
        assert live == restored
        assert live == naive
    assert len({len(run.story) for run in runs}) == 1


def test_the_net_is_told_from_a_run_that_waits() -> None:
    """A run that waits for a lock, a user, a timer or an answer is not ended, only one that can never continue."""
    for text in (
        "{entrypoint: a, templates: [{name: a, suspend: {}}]}",
        "{entrypoint: a, templates: [{name: a, container: {image: i}, synchronization: {mutexes: [{name: m}]}}]}",
        "{entrypoint: a, templates: [{name: a, container: {image: i}, memoize: {key: k, cache: {configMap: {name: c}}}}]}",
        "{entrypoint: a, activeDeadlineSeconds: 5, parallelism: 0, templates: [{name: a, container: {image: i}}]}",
        "{entrypoint: a, suspend: true, templates: [{name: a, container: {image: i}}]}",
    ):
        play = playbook.Play(playbook.workflow(text))
        assert not play.run.finished, text


@pytest.mark.parametrize("mode", ["live", "restored", "naive"])
def test_a_lock_that_was_granted_while_the_run_was_suspended_is_not_kept_without_room(mode: str) -> None:
    """With room for one: what has it (`c`) waits for the lock that another (`b`) was given while nothing was looked at."""
    locked = {"container": {"image": "i"}, "synchronization": {"mutexes": [{"name": "m"}]}}
    other = {"container": {"image": "i"}, "synchronization": {"mutexes": [{"name": "n"}]}}
    inner = {"steps": [[{"name": "s", "template": "t"}]], "synchronization": {"mutexes": [{"name": "n"}]}}
    names = {"a": "other", "b": "t", "c": "inner"}
    main = {"parallelism": 1, "steps": [[{"name": name, "template": template} for name, template in names.items()]]}
    templates = {"main": main, "t": locked, "other": other, "inner": inner}
    spec = {"entrypoint": "main", "templates": [{"name": name, **body} for name, body in templates.items()]}
    play = playbook.Answering(playbook.workflow(spec), mode, late=True)
    a, b, c = play.answers
    play.tell(c)  # `c` waits as Pending because the only room is taken
    play.tell(a)  # `a` has no room and releases the lock that it was granted
    play.tell(e.SuspendRequested(play.at, "seed"))
    play.tell(b)
    play.answers = [one for one in play.answers if one not in (a, b, c)]
    play.tell(e.ResumeRequested(play.at, "seed"))
    for _ in range(9):
        while play.answers:
            play.answer()
        if play.active:
            play.end(play.active[0])
    assert play.phase == "Succeeded"


@pytest.mark.parametrize("kind", ["container: {image: i}", "steps: [[{name: s, template: work}]]"])
def test_a_suspended_run_of_an_older_server_that_waits_for_a_lock_goes_on(kind: str) -> None:
    """Its memory does not say which nodes wait to open."""
    lock = "synchronization: {mutexes: [{name: m}]}"
    calls = "steps: [[{name: a, template: t}, {name: b, template: t}]]"
    work = "{name: work, container: {image: i}}"
    play = playbook.Answering(
        playbook.workflow(
            f"{{entrypoint: main, templates: [{{name: main, {calls}}}, {{name: t, {kind}, {lock}}}, {work}]}}"
        ),
        "restored",
    )
    assert play.node("b")["phase"] == "Pending"
    play.tell(e.SuspendRequested(play.at, "seed"))
    del play.run.memory["unopened"]
    play.end(play.active[0])
    play.tell(e.ResumeRequested(play.at, "seed"))
    assert play.active
    play.end(play.active[0])
    assert play.phase == "Succeeded"


@pytest.mark.parametrize("mode", ["live", "restored", "naive"])
@pytest.mark.parametrize(
    "wait", ["synchronization: {mutexes: [{name: m}]}", "memoize: {key: k, cache: {configMap: {name: c}}}"]
)
def test_what_waits_in_a_dag_has_its_arguments_from_the_tasks_before_it(wait: str, mode: str) -> None:
    tasks = """[{name: a, template: work}, {name: b, template: held, depends: a, when: "{{tasks.a.status}} == Succeeded",
      arguments: {parameters: [{name: x, value: "{{tasks.a.outputs.result}}"}]}}]"""
    pod = "container: {image: i, command: [c]}"
    held = f"{{name: held, inputs: {{parameters: [{{name: x}}]}}, {wait}, {pod}}}"
    spec = f"{{entrypoint: main, templates: [{{name: main, dag: {{tasks: {tasks}}}}}, {{name: work, {pod}}}, {held}]}}"
    play = playbook.Answering(playbook.workflow(spec), mode)
    play.start("a")
    play.end("a", outputs={"result": "yes"})
    assert play.node("b")["inputs"]["parameters"] == [{"name": "x", "value": "yes"}]
    assert play.running() == [".b"]


WAITING = {
    "dag": "dag: {tasks: [{name: a, template: locked}, {name: z, template: pause}, {name: b, template: free, depends: z}]}",
    "steps": "steps: [[{name: a, template: locked}, {name: z, template: inner}]]",
    "loop": "dag: {tasks: [{name: a, template: locked, withItems: [1]}, "
    "{name: z, template: pause}, {name: b, template: free, depends: z}]}",
    "retry": "dag: {tasks: [{name: a, template: again}, {name: z, template: pause}, {name: b, template: free, depends: z}]}",
}


@pytest.mark.parametrize("mode", ["live", "restored", "naive"])
@pytest.mark.parametrize("kind", WAITING)
def test_a_lock_does_not_let_more_pods_run_than_the_workflow_allows(kind: str, mode: str) -> None:
    """Argo asks for no lock while the workflow's parallelism is reached, not even for a node that waits for one already."""
    pod, lock = "container: {image: i, command: [c]}", "synchronization: {mutexes: [{name: m}]}"
    templates = (
        f"{{name: main, {WAITING[kind]}}}, {{name: locked, {lock}, {pod}}}, {{name: free, {pod}}}, "
        f"{{name: again, retryStrategy: {{limit: 1}}, {lock}, {pod}}}, {{name: pause, suspend: {{duration: 5s}}}}, "
        "{name: inner, steps: [[{name: p, template: pause}], [{name: b, template: free}]]}"
    )

    class Held(playbook.Answering):
        def tell(self, event: e.Event) -> list[c.Command]:
            if isinstance(event, e.Submitted):
                self.hold("m")
            return super().tell(event)

    play = Held(playbook.workflow(f"{{entrypoint: main, parallelism: 1, templates: [{templates}]}}"), mode)
    play.wait()
    (other,) = play.running()
    assert other.endswith("b")
    play.let_go()
    assert play.running() == [other]
    assert not play.table.of("wf")  # other runs may use the lock meanwhile
    play.end(other)
    assert len(play.running()) == 1
    play.end(play.running()[0])
    assert play.phase == "Succeeded"


@pytest.mark.parametrize("mode", ["live", "restored", "naive"])
def test_less_than_a_second_before_the_workflows_deadline_no_pod_is_created(mode: str) -> None:
    """Kubernetes takes none with less than a second; the node ends with the workflow's time, and so does its retry."""
    retried = {"name": "r", "container": {"image": "i", "command": ["c"]}, "retryStrategy": {"limit": 9}}
    main = {"name": "main", "steps": [[{"name": "s", "template": "r"}]]}
    spec = {"entrypoint": "main", "activeDeadlineSeconds": 10, "templates": [main, retried]}
    play = playbook.Play(playbook.workflow(spec), mode)
    play.at = play.timers["deadline"] - 1.5  # an event takes a second
    launched = [one for one in play.end("s(0)", 1) if isinstance(one, c.LaunchPod)]
    assert (launched, play.node("s(1)")["phase"]) == ([], "Pending")
    play.wait("deadline")
    assert play.node("s(1)")["message"] == "Step exceeded its deadline"
    assert play.node("s")["message"].startswith("retry exceeded workflow deadline")
    assert play.phase == "Failed"
