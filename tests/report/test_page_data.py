"""What a report tells, before any of it is drawn."""

import json
import re

import pytest
from documents import pod, run, sweep
from hypothesis import given, settings
from hypothesis import strategies as st

from hera_utils.argo.annotations import RAN
from hera_utils.report.graph import build_graph
from hera_utils.report.markdown import markdown
from hera_utils.report.page_data import MOST_FAILURES, page_data
from hera_utils.report.page_html import page, page_of
from hera_utils.report.plots import choose_plots
from hera_utils.results.results import Results
from hera_utils.runs.record import PointRow
from hera_utils.runs.whole_run import WholeRun

EVIL = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


def told(*nodes, phase="Succeeded", **facts):
    whole = WholeRun("wf", "default", (run(*nodes, phase=phase),), facts=facts)
    return whole, Results.of_run(whole)


def pictures(values, outputs=None):
    outputs = outputs or [{"y": str(number * 1.5)} for number in range(len(values))]
    text = [{name: str(value) for name, value in one.items()} for one in values]
    document = sweep([(one, "Succeeded", two) for one, two in zip(text, outputs, strict=True)])
    points = [PointRow(f"p{n}", n, "", one) for n, one in enumerate(values)]
    return [(p.kind, p.output, p.x, p.series) for p in choose_plots(Results.of([document], points).point_table)]


def test_the_timeline_says_how_long_a_task_waited():
    queued = {**pod("wf.a"), RAN: {"startDelay": 3.1264, "cpuSeconds": 0.6}}
    timeline = page_data(*told(queued, pod("wf.b")))["timeline"]
    assert timeline["waited"] == [3.126, 0.0]
    assert page_data(*told(pod("wf.a")))["timeline"]["waited"] == [], "on a cluster nobody measured it"


@pytest.mark.parametrize(
    ("values", "picture"),
    [
        ([{"n": n} for n in range(9)], ("line", "y", "n", "")),
        ([{"city": c} for c in "abc"], ("bars", "y", "city", "")),
        ([{"n": n, "city": c} for n in range(9) for c in "abc"], ("line", "y", "n", "city")),
        ([{"a": a, "b": b} for a in range(3) for b in range(7)], ("line", "y", "b", "a")),
        ([{"a": a, "b": b} for a in range(15) for b in range(15)], ("heat map", "y", "a", "b")),
        # what repeats the others is no side of a picture
        ([{"a": a, "b": b, "seed": s} for a in range(3) for b in range(7) for s in (0, 1)], ("line", "y", "b", "a")),
        ([{"a": a, "seed": s} for a in range(9) for s in range(5)], ("line", "y", "a", "")),
        ([{"seed": s} for s in range(20)], ("histogram", "y", "", "")),
        ([{"a": n * 0.73 % 1, "seed": n} for n in range(20)], ("scatter", "y", "a", "seed")),
        ([{"a": n * 0.37 % 1, "b": n * 0.73 % 1} for n in range(50)], ("scatter", "y", "a", "b")),
        (
            [{"a": n % 5, "b": n * 0.73 % 1, "c": n % 7, "d": "xyz"[n % 3]} for n in range(90)],
            ("parallel", "y", "a", ""),
        ),
        ([{"a": n % 5, "b": n * 0.73 % 1, "c": "xyz"[n % 3]} for n in range(20)], ("scatter", "y", "a", "c")),
    ],
)
def test_a_picture_that_fits_the_kinds(values, picture):
    assert pictures(values) == [picture]


def test_what_is_repeated_has_its_means_in_page_and_markdown():
    values = [{"a": str(a), "Seed": str(seed)} for a in (1, 2) for seed in (0, 1)]
    document = sweep([(one, "Succeeded", {"y": one["Seed"]}) for one in values])
    whole = WholeRun(
        "wf", "default", (document,), points=tuple(PointRow(f"p{n}", n, "", v) for n, v in enumerate(values))
    )
    results = Results.of_run(whole)
    data = page_data(whole, results)
    assert [table["title"] for table in data["tables"]] == ["points", "means", "tasks"]
    shown = {column["name"]: column["values"] for column in data["tables"][1]["columns"]}
    assert shown == {"a": [1, 2], "mean(y)": [0.5, 0.5], "sem(y)": [0.5, 0.5], "count(y)": [2, 2]}
    assert data["plots"]["axes"] == ["a", "Seed"], "a reader may choose it all the same"
    assert (
        "## Means over Seed, with standard errors\n\n| a | n | y |\n|---:|---:|---:|\n| 1 | 2 | 0.50 ± 0.50 |"
        in markdown(whole, results)
    )


def test_what_methods_differ_by_is_in_page_and_markdown():
    values = [{"how": how, "seed": str(seed)} for how in ("lu", "qr") for seed in (0, 1, 2)]
    outputs = [{"y": str(int(one["seed"]) + (one["how"] == "qr") * 0.5 * int(one["seed"]))} for one in values]
    document = sweep([(one, "Succeeded", given) for one, given in zip(values, outputs, strict=True)])
    points = tuple(PointRow(f"p{n}", n, "", one) for n, one in enumerate(values))
    whole = WholeRun("wf", "default", (document,), points=points)
    results = Results.of_run(whole)
    tables = page_data(whole, results)["tables"]
    assert [table["title"] for table in tables] == ["points", "differences by how", "tasks"]
    assert [bool(table["note"]) for table in tables] == [False, True, False]
    shown = {column["name"]: column["values"] for column in tables[1]["columns"]}
    assert shown["difference(y)"] == [None, 0.5]
    assert "differences to how=lu, with intervals of 95%\n\n| how | n | y | y − lu |" in markdown(whole, results)


@pytest.mark.parametrize(
    ("search", "best"),
    [
        ({"minimize": ["y"]}, {"name": "least y", "value": 0.5, "at": "x = 2.25, how = lu"}),
        ({"maximize": ["y"]}, {"name": "greatest y", "value": 2.0, "at": "x = 1, how = lu"}),
        ({"minimize": ["y"], "maximize": ["z"]}, None),
        ({"minimize": ["z"]}, None),
        ({}, None),
    ],
)
def test_what_a_search_found_is_told(search, best):
    """The point that is better than all failed, and one gave no number."""
    values = [{"x": x, "how": "lu"} for x in (1, 2.25, 3, 4)]
    outputs = [
        ("Succeeded", {"y": "2"}),
        ("Succeeded", {"y": "0.5"}),
        ("Failed", {"y": "-9"}),
        ("Succeeded", {"y": "nan"}),
    ]
    text = [{name: str(one) for name, one in point.items()} for point in values]
    document = sweep([(one, status, given) for one, (status, given) in zip(text, outputs, strict=True)])
    points = [PointRow(f"p{n}", n, "", one, status=outputs[n][0]) for n, one in enumerate(values)]
    facts = {"inputs": {"search": search}} if search else {}
    whole = WholeRun("wf", "default", (document,), facts=facts, points=tuple(points))
    results = Results.of_run(whole)
    assert page_data(whole, results)["best"] == best
    told = f"The {best['name']} is {best['value']:g}, at {best['at']}." if best else ""
    assert told in markdown(whole, results)


def test_without_inputs_that_vary_how_often():
    document = run(*(pod(f"wf.c({n}:)", outputs={"y": str(n)}) for n in range(5)))
    assert [one.kind for one in choose_plots(Results.of([document]).task_table)] == ["histogram"]


def test_a_text_that_another_input_decides_is_no_axis():
    values = [{"year": y, "folder": f"/r/{y}", "city": c} for y in (1, 2, 3) for c in "ab"]
    assert pictures(values) == [("line", "y", "year", "city")]


def test_outputs_that_are_no_numbers_are_not_drawn():
    assert pictures([{"n": 1}, {"n": 2}], [{"y": "a"}, {"y": "b"}]) == []


def titles(drawn):
    return {(drawn.boxes[a].title, drawn.boxes[b].title) for a, b in drawn.edges}


def test_a_fan_out_is_one_box():
    items = [pod(f"wf.c({n}:x)", children=["id-wf.end"]) for n in range(3)]
    document = run(
        pod("wf.start", children=["id-wf.c"]),
        pod("wf.c", type="TaskGroup", children=[one["id"] for one in items]),
        *items,
        pod("wf.end"),
    )
    drawn = build_graph([document], Results.of([document]).tasks)
    assert {box.title: box.counts for box in drawn.boxes} == {
        "start": {"Succeeded": 1},
        "c": {"Succeeded": 3},
        "end": {"Succeeded": 1},
    }
    assert titles(drawn) == {("start", "c"), ("c", "end")}


def test_steps_and_nested_templates_are_passed_through():
    document = run(
        pod("wf[0]", type="StepGroup", children=["id-wf[0].inner"]),
        pod("wf[0].inner", type="DAG", children=["id-wf[0].inner.a"]),
        pod("wf[0].inner.a", children=["id-wf[1]"]) | {"boundaryID": "id-wf[0].inner"},
        pod("wf[1]", type="StepGroup", children=["id-wf[1].b"]),
        pod("wf[1].b"),
    )
    assert titles(build_graph([document], Results.of([document]).tasks)) == {("inner.a", "b")}


def test_many_boxes_become_one_a_template_and_workflows_share_them():
    documents = [sweep([({"n": str(n)}, "Succeeded", {}) for n in range(70)], name) for name in ("one", "two")]
    (box,) = build_graph(documents, Results.of(documents).tasks).boxes
    assert (box.title, box.counts) == ("collect", {"Succeeded": 140})


def test_failures_are_told_and_bounded():
    whole, results = told(
        *(pod(f"wf.c({n}:x)", "Failed", message=f"boom {chr(n + 0x400)}") for n in range(150)), phase="Failed"
    )
    found = page_data(whole, results)
    assert (found["phase"], len(found["failures"])) == ("Failed", MOST_FAILURES)
    assert found["left_out"] == ["the first 100 of 150 different failures are listed"]


def test_equal_failures_are_told_once():
    failed = [pod(f"wf.c({n}:x)", "Failed", message="boom") for n in range(3)]
    whole, results = told(*failed, pod("wf.d", "Failed", message="other"), phase="Failed")
    assert [(one["task"], one["others"]) for one in page_data(whole, results)["failures"]] == [
        ("c(0:x)", "2 more in the same way: c(1:x), c(2:x)"),
        ("d", ""),
    ]
    said = markdown(whole, results)
    assert (said.count("boom"), said.count("and 2 more in the same way: c(1:x), c(2:x)")) == (1, 1)


def test_the_heading_says_why_a_run_of_one_task_failed():
    ran = {"hera-utils/ran": {"errorLine": "ValueError: too large"}}
    document = run(pod("wf", "Failed", message="main: Error (exit code 1)", **ran), phase="Failed")
    document["status"]["message"] = "main: Error (exit code 1)"
    whole = WholeRun("wf", "default", (document,))
    assert page_data(whole, Results.of([document]))["message"] == "main: Error (exit code 1): ValueError: too large"


def embedded(html):
    return json.loads(re.search(r'<script type="application/json" id="story">(.*?)</script>', html, re.DOTALL)[1])


@given(st.text())
@settings(max_examples=60, deadline=None)
def test_no_text_of_a_run_can_leave_its_place(text):
    whole, results = told(pod("wf.a", inputs={text: text}, outputs={text: text}, message=text), experiment=text)
    html = page(whole, results, [(text, text)])
    assert html.count("<script") == 2
    assert embedded(html)["facts"][0][0].encode("utf-8", "replace") == text.encode("utf-8", "replace")


def test_the_page_needs_nothing_else_and_is_the_same_twice():
    whole, results = told(pod("wf.a", inputs={"x": EVIL}, outputs={"{{style}}": "{{script}}"}, message=EVIL))
    html = page(whole, results)
    assert html == page_of(page_data(whole, results))
    assert "<script>document.title" not in html
    for reference in ('src="', 'href="http', "@import", "url(h", "fetch(", "XMLHttpRequest", "eval(", "innerHTML"):
        assert reference not in html, reference
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)[1]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


def test_numbers_that_json_has_not_go_as_texts():
    whole, results = told(pod("wf.a", outputs={"y": "nan"}), pod("wf.b", outputs={"y": "-inf"}))
    json.dumps(page_data(whole, results), allow_nan=False)


def test_markdown_for_an_appendix():
    whole, results = told(
        pod("wf.c(0:x)", inputs={"b": "x|y"}, outputs={"n": "1"}),
        pod("wf.c(1:y)", "Failed", inputs={"b": "<i>"}, message="main: Error (exit code 1)"),
        phase="Failed",
        experiment="incomes",
    )
    results = results.with_logs({"id-wf.c(1:y)": ["boom `x`"]})
    text = markdown(whole, results, [("commit", "abc"), ("images", "a\nb")])
    assert text.startswith(
        "# incomes: run wf\n\n**Failed**, 2026-01-01 00:00 UTC: tasks: 1 succeeded, 1 failed. It took 9 s.\n"
    )
    assert "| x\\|y | 1 | Succeeded | 3 | 1 |" in text
    assert "&lt;i&gt;" in text
    assert "      boom `x`" in text
    assert "- images: a, b" in text


def test_a_loop_in_the_users_own_python_is_one_box_and_gather_comes_after_it():
    points = run(
        pod("wf.stage", templateName="stage", children=[f"id-wf.p{n}" for n in range(20)]),
        *(pod(f"wf.p{n}") for n in range(20)),
    )
    after = run(name="after")
    after["status"]["nodes"] = {"after": pod("after", templateName="sum") | {"id": "after", "boundaryID": ""}}
    documents = [points, after]
    drawn = build_graph(documents, Results.of(documents).tasks, last=["after"])
    assert [(box.title, sum(box.counts.values())) for box in drawn.boxes] == [("stage", 1), ("collect", 20), ("sum", 1)]
    assert titles(drawn) == {("stage", "collect"), ("collect", "sum")}


def test_of_earlier_runs_only_the_points_that_were_taken_over():
    now = sweep([({"y": "2"}, "Succeeded", {"n": "2"})], "now")
    past = sweep([({"y": "1"}, "Succeeded", {"n": "1"}), ({"y": "2"}, "Failed", {})], "past")
    past["status"] |= {"phase": "Failed", "startedAt": "2025-01-01T00:00:00Z"}
    points = (
        PointRow("p1", 0, "1", {"y": 1}, "past", tasks=(("collect-0", None),), status="Succeeded", run="past"),
        PointRow("p2", 1, "2", {"y": 2}, "now", tasks=(("collect-0", None),)),
    )
    whole = WholeRun("now", "default", (now, past), points=points, earlier=frozenset({"past"}))
    results = Results.of_run(whole)
    assert [(one.status, dict(one.outputs), one.run) for one in results.points] == [
        ("Succeeded", {"n": "1"}, "past"),
        ("Succeeded", {"n": "2"}, ""),
    ]
    told = page_data(whole, results)
    assert (told["phase"], told["counts"], told["ended"] - told["begun"]) == ("Succeeded", {"Succeeded": 2}, 9)


def test_what_a_run_computed_again_is_no_failed_task():
    """It was counted as one in the head, and not listed below."""
    first = sweep([({"y": "1"}, "Failed", {}), ({"y": "2"}, "Failed", {})], "one")
    second = sweep([({"y": "2"}, "Succeeded", {})], "two")
    points = (
        PointRow("p1", 0, "1", {"y": 1}, "one", tasks=(("collect-0", None),)),
        PointRow("p2", 1, "2", {"y": 2}, "two", tasks=(("collect-0", None),)),
    )
    whole = WholeRun("one", "default", (first, second), points=points)
    data = page_data(whole, Results.of_run(whole))
    assert data["counts"] == {"Failed": 1, "Superseded": 1, "Succeeded": 1}
    assert len(data["failures"]) == 1


def test_an_exit_handler_comes_last():
    document = run(pod("wf.a"), pod("wf.onExit", templateName="bye") | {"boundaryID": ""})
    assert titles(build_graph([document], Results.of([document]).tasks)) == {("a", "onExit")}


def test_what_a_template_used_is_summed_and_bounded():
    first = {
        **pod("wf.a"),
        RAN: {"cpuSeconds": 1.5, "peakMemory": 3 << 20, "readBytes": 10, "requestedMemory": 5 << 20},
    }
    second = {**pod("wf.b"), RAN: {"cpuSeconds": 0.5, "peakMemory": 4 << 20, "readBytes": 5}}
    (used,) = (one["used"] for one in page_data(*told(first, second, pod("wf.c")))["resources"])
    assert (used["cpu_seconds"], used["peak_memory"], used["read_bytes"]) == (2.0, 4 << 20, 15)
    assert (used["requested_memory"], used["requested_cpu"], used["seconds"]) == (5 << 20, None, 6.0), (
        "not of the third"
    )
    assert "| 2 s | 4.0 MiB | 5.0 MiB | 15 B |" in markdown(*told(first, second))
    assert page_data(*told(pod("wf.c")))["resources"][0]["used"] is None
    assert "processor time" not in markdown(*told(pod("wf.c")))
