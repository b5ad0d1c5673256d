"""The paragraph of methods: what it says of runs of several kinds."""

from hera_utils.report.methods import Software, methods_paragraph
from hera_utils.results.results import Results
from hera_utils.runs.record import PointRow
from hera_utils.runs.whole_run import WholeRun

LOCAL = Software(
    argo="v4.1.2", hera="7.1.0", hera_utils="0.3.0", python="3.11.7", packages={"numpy": "2.4.6", "scipy": "1.17"},
    system="Linux 6.1 x86_64", commit="0123456789abcdef", repository="https://git.example/a", changed=1,
    images={"python:3.11": "Python 3.11.7"},
)  # fmt: skip


def node(name, template, phase="Succeeded", start=0, end=3):
    return {
        "id": name, "name": f"wf.{name}", "type": "Pod", "phase": phase, "boundaryID": "wf", "templateName": template,
        "startedAt": f"2026-01-01T00:00:0{start}Z", "finishedAt": f"2026-01-01T00:00:0{end}Z",
    }  # fmt: skip


def a_run(*nodes, points=(), **facts):
    root = {"id": "wf", "name": "wf", "type": "DAG", "phase": "Succeeded"}
    document = {
        "metadata": {"name": "wf"},
        "spec": {},
        "status": {"startedAt": "2026-01-01T00:00:00Z", "nodes": {one["id"]: one for one in (root, *nodes)}},
    }
    return WholeRun("wf", "default", (document,), facts=facts, points=tuple(points))


def paragraph(run, software=LOCAL):
    return methods_paragraph(run, Results.of_run(run), software)


def test_an_experiment():
    inputs = {"constants": {"city": "a_b"}, "parameters": {"n": list(range(9)), "kind": ["x"]}}
    rows = [
        PointRow("1", 0, "a", {"n": 0}, status="Succeeded", run="old"),
        PointRow("2", 1, "b", {"n": 1}, status="Failed"),
    ]
    text = paragraph(
        a_run(
            node("a", "solve"),
            node("b", "solve", "Failed"),
            node("c", "sum"),
            points=rows,
            inputs=inputs,
            experiment="heat",
        )
    )
    for words in (
        "The experiment heat was run on 2026-01-01 (UTC) as `wf` on one machine (Linux 6.1 x86\\_64), by the local platform of",
        "described with Hera 7.1.0 in Python 3.11.7; its code is commit `0123456789ab` of https://git.example/a, from which 1 file",
        "It computed 2 points, over n (9 values: 0, 1, 2, …, 8) and kind (1 value: x), with city = a\\_b.",
        "1 point of these had been computed by the earlier run `old`.",
        "1 of the 2 points succeeded.",
        "For this 3 tasks were executed in 1 workflow: `solve` twice and `sum` once; 1 failed.",
        "Container image: `python:3.11` (in its place: Python 3.11.7).",
        "Its code uses numpy 2.4.6 and scipy 1.17.",
        "Its tasks took 9 s together, the longest 3 s.",
    ):
        assert words in text, text


def test_a_script_on_a_cluster():
    text = paragraph(a_run(node("a", "solve")), Software(argo="v4.1.2", hera="7.1.0", hera_utils="0.3.0"))
    assert "The run `wf` was run on 2026-01-01 (UTC) on a Kubernetes cluster, by Argo Workflows v4.1.2." in text
    assert "described with Hera 7.1.0 and was submitted by hera_utils 0.3.0." in text
    assert "points" not in text


def test_nothing_ran_and_who_wrote_it():
    text = paragraph(a_run(authors=["Ada <b>"], license="MIT"))
    assert "No task of it was executed." in text
    assert text.endswith("Authors: Ada &lt;b&gt;. Licence: MIT\n")


def test_how_the_points_of_a_search_were_chosen():
    def text(**search):
        values = [4.0, 1.5, 2.25, *range(5, 14)]
        nodes = [
            node(str(n), "fit")
            | {"inputs": {"parameters": [{"name": "x", "value": str(x)}]}, "outputs": {"result": str(x)}}
            for n, x in enumerate(values)
        ]
        points = [PointRow(f"p{n}", n, "", {"x": x}, status="Succeeded") for n, x in enumerate(values)]
        inputs = {"parameters": {"x": values}, "search": {"at_once": 4, "seed": 3, **search}}
        return paragraph(a_run(*nodes, points=points, inputs=inputs))

    assert (
        "It computed 12 points, over x (12 values from 1.5 to 13). They were chosen by a search (tpe with the seed 3, 4 at once) "
        "to minimize result; the least result is 1.5, at x = 1.5." in text(sampler="tpe", minimize=["result"])
    )
    own = text(sampler="Bisection", minimize=[])
    assert "They were chosen by a search (Bisection, 4 at once)." in own, "its random numbers are its own"
    two = text(sampler="nsga2", minimize=["result"], maximize=["gain"])
    assert "to minimize result and maximize gain." in two
