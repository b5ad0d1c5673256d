"""Why the tasks of a run wait, as its document tells."""

import io

from rich.console import Console

from hera_utils.cli.get import describe
from hera_utils.cli.ls import remarks_on
from hera_utils.watch.progress import progress
from hera_utils.watch.progress_text import SUSPENDED
from hera_utils.watch.terminal import LineDisplay
from hera_utils.watch.waits import waiting_sentences_of

CORE = "Unschedulable: 0/1 nodes are available: 1 Insufficient cpu: waits for a free core (2 of 2 busy"
LOCK = "Waiting for default/Mutex/m lock. Lock status: 0/1"


def run(*tasks, spec=None, main=None):
    nodes = {"wf": {"id": "wf", "name": "wf", "type": "DAG", "phase": "Running", "templateName": "main"}}
    for name, phase, *more in tasks:
        node = {
            "id": name,
            "name": f"wf.{name}",
            "displayName": name,
            "type": "Pod",
            "boundaryID": "wf",
            "phase": phase,
        }
        nodes[name] = {**node, **({"message": more[0]} if more else {})}
    return {
        "metadata": {"name": "wf", "namespace": "default"},
        "spec": {"templates": [{"name": "main", **(main or {})}], **(spec or {})},
        "status": {"phase": "Running", "startedAt": "2026-01-01T00:00:00Z", "nodes": nodes},
    }


def test_tasks_that_wait_for_one_thing_are_told_together_whatever_their_place():
    document = run(("a", "Running"), ("b", "Pending", f"{CORE})"), ("c", "Pending", f"{CORE}; 1 before it)"))
    assert waiting_sentences_of(document) == {f"{CORE})": ["b", "c"]}


def test_what_every_pod_begins_with_is_no_reason_and_every_other_message_is():
    document = run(
        ("a", "Pending", "ContainerCreating"), ("b", "Pending"), ("c", "Pending", LOCK), ("d", "Pending", "later")
    )
    assert waiting_sentences_of(document) == {LOCK: ["c"], "later": ["d"]}


def test_a_limit_of_parallelism_is_told():
    document = run(("a", "Running"), ("b", "Running"), spec={"parallelism": 2})
    assert list(waiting_sentences_of(document)) == ["Parallelism of 2: the workflow runs no more than 2 tasks at once"]
    assert list(waiting_sentences_of(run(("a", "Running"), main={"parallelism": 1}))) == [
        "Parallelism of 1: wf runs no more than one task at once"
    ]
    assert waiting_sentences_of(run(("a", "Running"), spec={"parallelism": 2}, main={"parallelism": 2})) == {}


def lines(*documents):
    console = Console(file=io.StringIO(), width=200)
    display = LineDisplay(console, lambda: 0.0)
    for document in documents:
        display.update(progress(document))
    return console.file.getvalue().splitlines()


def test_that_there_are_more_tasks_than_cores_is_told_only_when_none_of_them_runs():
    waiting = ("b", "Pending", f"{CORE})")
    assert not any("core" in line for line in lines(run(("a", "Running"), waiting)))
    assert any(f"b waits: {CORE})" in line for line in lines(run(waiting)))
    # Not reported while the first tasks of a sweep start.
    assert not any("core" in line for line in lines(run(("a", "Pending"), waiting)))
    told = list(describe(run(("a", "Running"), waiting), "http://x", everything=False))
    assert f"  ○ b waits: {CORE})" in told or f"  o b waits: {CORE})" in told


def test_a_reason_is_not_told_again_because_its_numbers_changed():
    memory = "Unschedulable: 0/1 nodes are available: 1 Insufficient memory: waits for 3 GiB of 8 GiB"
    documents = [run(("a", "Pending", f"{memory}, of which running pods have requested {n} GiB")) for n in (6, 7.5)]
    assert sum("memory" in line for line in lines(*documents)) == 1


class Client:
    def __init__(self, *documents):
        self.documents = {document["metadata"]["name"]: document for document in documents}

    def get(self, name, *, fields):
        return self.documents[name]


def test_the_list_of_runs_says_why_nothing_of_a_run_runs():
    waiting = run(("a", "Pending", f"{CORE}; 4 before it)"))
    assert remarks_on(Client(waiting), [waiting]) == {"wf": f"{CORE})"}
    going = run(("a", "Running"), ("b", "Pending", f"{CORE})"))
    assert remarks_on(Client(going), [going]) == {}
    starting = run(("a", "Pending"), ("b", "Pending", f"{CORE})"))
    assert remarks_on(Client(starting), [starting]) == {"wf": ""}
    starting = run(("a", "Pending"), ("b", "Pending", f"{CORE})"), ("c", "Pending", LOCK))
    assert remarks_on(Client(starting), [starting]) == {"wf": LOCK}
    suspended = run(("a", "Pending", f"{CORE})"), spec={"suspend": True})
    assert remarks_on(Client(suspended), [suspended]) == {"wf": SUSPENDED}
