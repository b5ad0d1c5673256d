"""How far a run is, from its document."""

from hera_utils.watch.progress import ordered, progress

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
    assert (seen.phase, seen.done, seen.total, seen.rows, seen.over) == ("Pending", 0, 0, (), False)
    assert seen.elapsed(NOW) == 0


def test_counts_and_what_is_left():
    seen = progress(document(5, 20))
    assert (seen.done, seen.total, len(seen.rows)) == (5, 20, 20)
    assert seen.elapsed(NOW) == 10
    assert seen.remaining(seen.elapsed(NOW)) == 30


def test_no_guess_from_two_tasks():
    assert progress(document(2, 20)).remaining(10.0) is None


def test_rows_that_do_not_fit_are_counted():
    rows = progress(document(5, 20)).rows
    shown, left_out = ordered(rows, 6)
    assert (len(shown), left_out) == (6, 14)
    assert all(row.phase == "" for row in shown)
    assert ordered(rows, 20) == (rows, 0)
