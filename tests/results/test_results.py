"""The table of what a run gave: its columns, their kinds, its points, and what other programs read of it."""

import csv
import io
import json
import math
import sys

import pytest
from documents import pod, run, sweep
from hypothesis import given
from hypothesis import strategies as st

from call_counts import calls_of
from hera_utils.errors import ResourceError
from hera_utils.experiment.point_matching import PointMatcher
from hera_utils.results import exports
from hera_utils.results.columns import convert_cell, kind_of
from hera_utils.results.results import Results
from hera_utils.results.terminal_table import lines_of_failures, sheets
from hera_utils.runs.record import PointRow


def results(*nodes, **more):
    return Results.of([run(*nodes)], **more)


def points(*values, **more):
    return [PointRow(f"p{number}", number, f"point-{number}", one, **more) for number, one in enumerate(values)]


def test_none_is_a_value_and_no_axis_is_none():
    found = Results.of([], points({"depth": 3, "n": 1}, {"depth": None, "n": 1}, {"n": 2}))
    (sheet,) = sheets(found.points, found.tasks)
    assert [line[sheet.header.index("depth")] for line in sheet.lines] == ["3", "None", ""]
    column = found.point_table.column("depth")
    assert (column.values, column.kind) == ((3, None, None), "integer")  # the values for programs, with their types
    shown = found.point_table.for_readers().column("depth")
    assert (shown.values, shown.kind) == (("3", "None", None), "text")


def test_in_json_every_value_of_an_axis_is_itself():
    values = [None, True, 3, 2.0, "3", {"x": math.nan}, [1, math.inf]]
    found = Results.of([], points(*({"c": value, "n": 1} for value in values), {"n": 2}))
    rows = [row["values"] for row in json.loads(found.to_json())]
    assert [row["c"] for row in rows[:-1]] == [None, True, 3, 2.0, "3", {"x": "nan"}, [1, "inf"]]
    assert rows[-1] == {"n": 2}


def test_the_sheet_shows_the_inputs_that_differ():
    found = results(
        pod("wf.c(0:x)", inputs={"borough": "x", "city": "Lyon"}, outputs={"triangles": "12"}),
        pod("wf.c(1:y)", inputs={"borough": "y", "city": "Lyon"}, outputs={"triangles": "34"}),
    )
    (sheet,) = sheets(found.points, found.tasks)
    assert sheet.header == ("borough", "triangles", "status", "seconds", "attempts")
    assert sheet.lines == (("x", "12", "Succeeded", "3", "1"), ("y", "34", "Succeeded", "3", "1"))
    assert sheet.numeric == (False, True, False, True, True)
    (wide,) = sheets(found.points, found.tasks, wide=True)
    assert {"task", "city", "started"} < set(wide.header)


def test_tasks_that_no_input_tells_apart_are_named():
    two = results(pod("wf.a"), pod("wf.b"))
    (sheet,) = sheets(two.points, two.tasks)
    assert [line[0] for line in sheet.lines] == ["a", "b"]


# csv of Python 3.10 can neither write nor read NUL
CELLS = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="\0" if sys.version_info < (3, 11) else "")
)


@given(st.dictionaries(CELLS.filter(bool), CELLS), st.dictionaries(CELLS.filter(bool), CELLS))
def test_csv_keeps_every_value(inputs, outputs):
    found = results(pod("wf.a", inputs=inputs, outputs=outputs))
    header, line = list(csv.reader(io.StringIO(found.to_csv(), newline="")))
    assert len(set(header)) == len(header) or any(
        name.startswith(("outputs.", "inputs.")) for name in (*inputs, *outputs)
    )
    assert len(header) == len(line) == 7 + len(inputs) + len(outputs)
    assert sorted(line[2:-5]) == sorted([*inputs.values(), *outputs.values()])


@pytest.mark.parametrize(
    ("cells", "kind", "first"),
    [
        (["1", "-2", None, ""], "integer", 1),
        (["1", "2.5"], "number", 1.0),
        (["1e-3", "nan"], "number", 0.001),
        (["true", "False"], "boolean", True),
        (["007", "008"], "text", "007"),  # with a leading zero it is a name, not a number
        (["1" * 30], "text", "1" * 30),  # no number holds so many digits
        (["1", "x"], "text", "1"),
        (["true", "1"], "text", "true"),
        ([1, 2.0], "number", 1.0),
        ([True, False], "boolean", True),
        ([], "text", None),
        (["1_000"], "text", "1_000"),
        (["٣"], "text", "٣"),
    ],
)
def test_kinds(cells, kind, first):
    assert kind_of(cells) == kind
    if cells:
        assert convert_cell(cells[0], kind) == first
        assert type(convert_cell(cells[0], kind)) is type(first)


@given(st.lists(st.one_of(st.none(), st.text(), st.integers(), st.floats(), st.booleans())))
def test_every_cell_can_be_read_as_its_columns_kind(cells):
    kind = kind_of(cells)
    for cell in cells:
        convert_cell(cell, kind)


def test_a_row_a_point():
    document = sweep(
        [
            ({"vintage": "2009", "size": "1"}, "Succeeded", {"mean": "1.5"}),
            ({"vintage": "2012", "size": "1"}, "Failed", {}),
        ]
    )
    known = points({"vintage": 2009, "size": 1}, {"vintage": 2012, "size": 1}, {"vintage": 2015, "size": 1})
    found = Results.of([document], known)
    assert [one.status for one in found.points] == ["Succeeded", "Failed", "Waiting"]
    assert [row.point for row in found] == ["p0", "p1"]
    rows = json.loads(found.to_json())
    assert rows[0] | {"started": 0, "finished": 0} == {
        "point": "p0", "name": "point-0", "values": {"vintage": 2009, "size": 1}, "outputs": {"mean": 1.5}, "artifacts": [],
        "status": "Succeeded", "started": 0, "finished": 0, "seconds": 3.0, "attempts": 1, "message": "", "tasks": ["collect-0"],
    }  # fmt: skip
    header, *lines = csv.reader(io.StringIO(found.to_csv()))
    assert header[:4] == ["point", "vintage", "size", "mean"]
    assert lines[2][:4] == ["p2", "2015", "1", ""]
    (sheet,) = sheets(found.points, found.tasks)
    assert sheet.lines[0] == ("2009", "1", "1.5", "Succeeded", "3", "1")


def test_numbers_stay_as_they_were_written():
    document = sweep(
        [
            ({"x": "1.0", "c": '{"scheme": "euler"}'}, "Succeeded", {"mean": "2.0", "sum": "1.50"}),
            ({"x": "2.0", "c": '{"scheme": "rk4"}'}, "Succeeded", {"mean": "0.30000000000000004", "sum": "2"}),
        ]
    )
    found = Results.of([document], points({"x": 1.0, "c": {"scheme": "euler"}}, {"x": 2.0, "c": {"scheme": "rk4"}}))
    header, *lines = csv.reader(io.StringIO(found.to_csv()))
    assert header[1:5] == ["x", "c", "mean", "sum"]
    assert [line[1:5] for line in lines] == [
        ["1.0", '{"scheme": "euler"}', "2.0", "1.50"],
        ["2.0", '{"scheme": "rk4"}', "0.30000000000000004", "2"],
    ]
    assert json.loads(found.to_json())[0]["values"] == {"x": 1.0, "c": {"scheme": "euler"}}
    (sheet,) = sheets(found.points, found.tasks, exact=False)
    assert [line[:4] for line in sheet.lines] == [
        ("1.0", "scheme=euler", "2.0", "1.50"),
        ("2.0", "scheme=rk4", "0.3", "2"),
    ]


def test_a_task_that_belongs_to_no_point_stands_apart():
    document = run(pod("wf.stage"), pod("wf.collect-1", inputs={"year": "1"}))
    found = Results.of([document], points({"year": 1}))
    assert [sheet.title for sheet in sheets(found.points, found.tasks)] == ["points", "collect"]
    assert len(found.points[0].tasks) == 1


def test_a_points_tasks_are_those_of_its_record():
    """Also where values say nothing: the record has the tasks by name and item."""
    document = run(
        pod("wf.c(0:x)", outputs={"n": "1"}),
        pod("wf.c(1:y)", "Failed", type="Retry"),
        pod("wf.c(1:y)(0)", "Failed", nodeFlag={"retried": True}),
        pod("wf.c(1:y)(1)", "Failed", outputs={"n": "2"}, nodeFlag={"retried": True}),
    )
    known = [
        PointRow("a", 0, "a", {"v": "x"}, "wf", tasks=(("c", 0),)),
        PointRow("b", 1, "b", {"v": "y"}, "wf", tasks=(("c", 1),)),
    ]
    found = Results.of([document], known)
    assert [(one.status, one.attempts, dict(one.outputs)) for one in found.points] == [
        ("Succeeded", 1, {"n": "1"}),
        ("Failed", 2, {"n": "2"}),
    ]


def test_what_a_nested_template_was_given_tells_its_tasks_point():
    nested = pod("wf.p", type="DAG", inputs={"year": "7"})
    document = run(nested, pod("wf.p.inner", outputs={"n": "3"}) | {"boundaryID": "id-wf.p"})
    found = Results.of([document], points({"year": 7}, {"year": 8}))
    assert found.points[0].outputs == {"n": "3"}


def test_values_tell_where_names_do_not():
    known = points({"vintages": 2009, "boroughs": "a"}, {"vintages": 2012, "boroughs": "b"})
    find = PointMatcher([(point.id, point.values) for point in known])
    assert find.point_of({"vintage": "2009", "borough": "a", "out": "/x"}) == "p0"
    assert find.point_of({"vintage": "2009", "borough": "b"}) == ""  # no such point
    assert find.point_of({"one": "2009", "two": "2012", "borough": "a"}) == ""  # ambiguous between the two axes
    assert find.point_of({}) == ""


def test_outputs_of_one_name_are_told_apart_by_their_template():
    document = run(
        pod("wf.a", inputs={"year": "1"}, outputs={"n": "1"}),
        pod("wf.b", inputs={"year": "1"}, outputs={"n": "2"}, templateName="other"),
    )
    assert Results.of([document], points({"year": 1})).points[0].outputs == {"collect.n": "1", "other.n": "2"}


def test_failures_are_told_with_their_last_lines():
    found = results(pod("wf.a", "Failed", message="exit 3", inputs={"n": "1"})).with_logs({"id-wf.a": ["boom"]})
    assert lines_of_failures(found.failures) == ["✘ a (n=1): exit 3", "    boom"]
    assert json.loads(found.to_json())[0]["log"] == ["boom"]


def test_what_a_run_computed_again_failed_once():
    """Both attempts of a point were told, as two failures."""
    first = sweep([({"y": "1"}, "Failed", {}), ({"y": "2"}, "Failed", {}), ({"y": "3"}, "Failed", {})], "one")
    second = sweep([({"y": "2"}, "Failed", {}), ({"y": "3"}, "Succeeded", {})], "two")
    (one,), again = points({"y": 1}, workflow="one"), points({"y": 1}, {"y": 2}, {"y": 3}, workflow="two")[1:]
    found = Results.of([first, second], [one, *again])
    assert [(row.workflow, row.inputs["y"]) for row in found.failures] == [("one", "1"), ("two", "2")]
    assert len(found.tasks) == 5


def test_nothing_that_a_task_wrote_steers_the_terminal():
    found = results(pod("wf.a", "Failed", message="\x1b[2Jgone", outputs={"x": "\x1b]0;owned\x07"}))
    (sheet,) = sheets(found.points, found.tasks)
    assert "\x1b" not in repr(sheet.lines).replace("\\x1b", "\x1b")
    assert "\x1b" not in "".join(lines_of_failures(found.with_logs({"id-wf.a": ["\x1b[31mred"]}).failures))
    assert "\x1b" in found.to_csv()  # files contain the values unchanged


def test_several_workflows_are_one_table():
    found = Results.of([sweep([({"y": "1"}, "Succeeded", {"n": "1"})], "one"), sweep([({"y": "2"}, "Succeeded", {"n": "2"})], "two")],
                       points({"y": 1}, {"y": 2}), name="whole")  # fmt: skip
    assert [dict(one.outputs) for one in found.points] == [{"n": "1"}, {"n": "2"}]
    assert found.task_table.names[:2] == ("point", "workflow")


def test_frames_are_typed(tmp_path):
    pandas = pytest.importorskip("pandas")
    polars = pytest.importorskip("polars")
    pytest.importorskip("pyarrow")
    found = results(
        pod("wf.a", inputs={"n": "1", "city": "Lyon"}, outputs={"x": "0.5", "ok": "true"}),
        pod("wf.b", inputs={"n": "2"}, outputs={"x": "nan"}),
    )
    frame = found.to_pandas()
    assert [str(frame[name].dtype) for name in ("n", "x", "ok", "seconds")] == [
        "Int64",
        "float64",
        "boolean",
        "float64",
    ]
    assert frame["n"].sum() == 3
    assert found.to_polars()["n"].dtype == polars.Int64
    found.to_parquet(tmp_path / "r.parquet")
    assert pandas.read_parquet(tmp_path / "r.parquet")["x"][0] == 0.5
    with pytest.raises(ResourceError, match="cannot write"):
        found.to_parquet(tmp_path / "nowhere" / "r.parquet")


@pytest.mark.parametrize(
    ("act", "extra"),
    [("to_pandas", "pandas"), ("to_polars", "polars"), ("to_parquet", "parquet")],
)
def test_what_is_missing_is_said_with_its_extra(act, extra, monkeypatch, tmp_path):
    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(exports, "import_module", absent)
    with pytest.raises(ResourceError) as caught:
        getattr(results(pod("wf.a")), act)(*([tmp_path / "x"] if act == "to_parquet" else []))
    assert f"hera_utils[{extra}]" in caught.value.fix


def test_nothing_of_a_run_is_read_as_html_in_a_notebook():
    evil = "<script>alert(1)</script>"
    html = results(pod("wf.a", inputs={evil: "1"}, outputs={"x": evil}), pod("wf.b", inputs={evil: "2"}))._repr_html_()
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_each_of_many_rows_costs_the_same():
    def tables(document, known):
        found = Results.of([document], known)
        assert len(found.to_csv().splitlines()) == len(known) + 1
        assert len(json.loads(found.to_json())) == len(known)
        sheets(found.points, found.tasks)
        assert found.points[-1].values == {"a": 49, "b": len(known) // 50 - 1}

    def cost(count):
        values = [{"a": str(n % 50), "b": str(n // 50)} for n in range(count)]
        document = sweep([(one, "Succeeded", {"x": str(number / 7)}) for number, one in enumerate(values)])
        known = points(*({"a": n % 50, "b": n // 50} for n in range(count)))
        return calls_of(lambda: tables(document, known))

    assert cost(2000) < 2.1 * cost(1000)
