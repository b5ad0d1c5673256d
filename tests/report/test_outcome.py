"""How a run ended and what it gave, from its document."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from hera_utils.report.outcome import outcome
from hera_utils.report.results import as_csv, as_json, rows, tables


def pod(name, phase="Succeeded", inputs=None, outputs=None, **more):
    return {
        "id": f"id-{name}",
        "name": name,
        "type": "Pod",
        "phase": phase,
        "boundaryID": "wf",
        "templateName": "collect",
        "startedAt": "2026-01-01T00:00:00Z",
        "finishedAt": "2026-01-01T00:00:03Z",
        "inputs": {"parameters": [{"name": k, "value": v} for k, v in (inputs or {}).items()]},
        "outputs": {"parameters": [{"name": k, "value": v} for k, v in (outputs or {}).items()]},
        **more,
    }


def run(*nodes, phase="Succeeded"):
    root = {"id": "wf", "name": "wf", "type": "DAG", "phase": phase, "templateName": "main"}
    return {
        "metadata": {"name": "wf", "namespace": "default"},
        "spec": {},
        "status": {
            "phase": phase,
            "startedAt": "2026-01-01T00:00:00Z",
            "finishedAt": "2026-01-01T00:00:09Z",
            "nodes": {node["id"]: node for node in (root, *nodes)},
        },
    }


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


def test_the_table_shows_the_inputs_that_differ():
    found = rows(
        run(
            pod("wf.c(0:x)", inputs={"borough": "x", "city": "Lyon"}, outputs={"triangles": "12"}),
            pod("wf.c(1:y)", inputs={"borough": "y", "city": "Lyon"}, outputs={"triangles": "34"}),
        )
    )
    (table,) = tables(found)
    assert table.header == ("borough", "triangles", "status", "seconds", "attempts")
    assert table.lines == (("x", "12", "Succeeded", "3", "1"), ("y", "34", "Succeeded", "3", "1"))
    assert table.numeric == (False, True, False, True, True)
    assert as_json(found)[0]["inputs"] == {"borough": "x", "city": "Lyon"}


def test_tasks_that_no_input_tells_apart_are_named():
    (table,) = tables(rows(run(pod("wf.a"), pod("wf.b"))))
    assert [line[0] for line in table.lines] == ["a", "b"]


@given(st.dictionaries(st.text(min_size=1), st.text()), st.dictionaries(st.text(min_size=1), st.text()))
def test_csv_keeps_every_value(inputs, outputs):
    text = as_csv(rows(run(pod("wf.a", inputs=inputs, outputs=outputs))))
    header, line = list(csv.reader(io.StringIO(text, newline="")))
    assert len(set(header)) == len(header) or any(name.startswith("outputs.") for name in (*inputs, *outputs))
    assert len(header) == len(line) == 5 + len(inputs) + len(outputs)
    assert sorted(line[2:-3]) == sorted([*inputs.values(), *outputs.values()])
