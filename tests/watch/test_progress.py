"""How far a run is, from its document."""

from dataclasses import replace

import pytest

from hera_utils.argo.annotations import RAN
from hera_utils.watch.progress import RunClock, choose_rows, progress
from hera_utils.watch.progress_text import UNICODE, remarks

START = "2026-01-01T00:00:00Z"
NOW = 1767225600.0 + 10


def document(done, total, phase="Running"):
    nodes = {"wf": {"id": "wf", "name": "wf", "type": "DAG", "phase": phase, "templateName": "main"}}
    for index in range(done):
        name = f"wf.task-{index}"
        nodes[name] = {"id": name, "name": name, "type": "Pod", "phase": "Succeeded", "boundaryID": "wf"}
    tasks = [{"name": f"task-{index}", "template": "t"} for index in range(total)]
    return {
        "metadata": {"name": "wf", "namespace": "default"},
        "spec": {"templates": [{"name": "main", "dag": {"tasks": tasks}}]},
        "status": {"phase": phase, "startedAt": START, "nodes": nodes},
    }


def test_before_the_controller_has_seen_it():
    seen = progress({"metadata": {"name": "wf", "namespace": "n"}, "spec": {}, "status": {"startedAt": None}})
    assert (seen.phase, seen.done, seen.total, seen.rows, seen.is_over) == ("Pending", 0, 0, (), False)
    assert seen.elapsed(NOW) == 0


def test_counts_and_what_is_left():
    seen = progress(document(5, 20))
    assert (seen.done, seen.total, len(seen.rows)) == (5, 20, 20)
    assert seen.elapsed(NOW) == 10
    assert seen.remaining(seen.elapsed(NOW)) == 30


def test_what_runs_longer_than_all_before_is_not_told_to_end_at_once():
    seen = document(18, 20)
    for node in seen["status"]["nodes"].values():
        node["finishedAt"] = "2026-01-01T00:00:10Z" if node["type"] == "Pod" else None
    assert progress(seen).remaining(12.0) == 2.0, "nothing has ended for two seconds"
    assert progress(seen).remaining(100.0) == 90.0


def test_what_was_done_before_a_run_goes_on_says_nothing_of_its_rate():
    seen = replace(progress(document(15, 20)), done_before=10)
    assert seen.remaining(10.0) == 10.0
    assert replace(seen, done_before=13).remaining(10.0) is None


def test_no_guess_from_two_tasks():
    assert progress(document(2, 20)).remaining(10.0) is None


def test_rows_that_do_not_fit_are_counted():
    rows = progress(document(5, 20)).rows
    assert choose_rows(rows, 20) == (rows, {})
    shown, others = choose_rows(rows, 6)
    assert (shown, others) == ((), {"waiting": 15, "done": 5})
    rows = tuple(
        replace(row, phase=phase) for row, phase in zip(rows, 4 * ["Running", "Failed", "Pending"], strict=False)
    )
    shown, others = choose_rows(rows, 6)
    assert [row.phase for row in shown] == 2 * ["Running", "Failed"] + 2 * ["Failed"]
    assert others == {"running": 2, "waiting": 4}


def measured(*seconds, total, fan_outs=1):
    """Fan-outs of `total` items each, of whose first one tasks with these processor times are done."""
    seen = document(0, 0)
    tasks = [{"name": f"loop-{n}", "template": "t", "withItems": list(range(total))} for n in range(fan_outs)]
    seen["spec"]["templates"][0]["dag"]["tasks"] = tasks
    nodes = seen["status"]["nodes"]
    nodes["group"] = {"id": "group", "name": "wf.loop-0", "type": "TaskGroup", "phase": "Running", "boundaryID": "wf"}
    for index, cpu in enumerate(seconds):
        name = f"wf.loop-0({index}:{index})"
        ran = {"startedAt": START, "finishedAt": START, **({} if cpu is None else {"cpuSeconds": cpu})}
        nodes[name] = {"id": name, "name": name, "type": "Pod", "phase": "Succeeded", "boundaryID": "wf", RAN: ran}
    return progress(seen)


def test_the_processor_time_that_is_left():
    assert measured(2.0, 4.0, 6.0, total=10).cpu_left == 28.0
    assert measured(2.0, 4.0, 6.0, total=10, fan_outs=2).cpu_left == 68.0, "what has not begun is as what is done"
    assert measured(2.0, 4.0, total=10).cpu_left is None, "no guess from two"
    assert measured(None, None, None, total=10).cpu_left is None, "a cluster measures nothing"


def test_what_is_left_in_words():
    words = remarks(measured(3600.0, 3600.0, 3600.0, total=10), 60.0, UNICODE)
    assert words == ["01:00", "about 02:20 left (7 CPU-hours)"]
    assert remarks(progress(document(5, 20)), 10.0, UNICODE)[-1] == "about 00:30 left"


@pytest.mark.parametrize(("looked_after", "shown"), [(0.0, 2.4), (0.3, 2.1), (1.3, 2.0), (60.0, 2.0)])
def test_a_run_that_began_before_one_looked_takes_what_argo_says(looked_after, shown):
    moments = iter([NOW + 0.2 + looked_after, NOW + 0.2 + max(looked_after, 2.4)])
    clock = RunClock(lambda: next(moments))
    over = replace(progress(document(5, 5, phase="Succeeded")), started=NOW, finished=NOW + 2.0)
    assert clock.elapsed(over) == pytest.approx(shown)
