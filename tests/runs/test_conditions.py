"""Searching and comparing recorded runs: names that are of two kinds, numbers and words, points and runs."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hera_utils.errors import SettingsError
from hera_utils.results.exports import csv_of
from hera_utils.runs.catalogue import read_catalogue
from hera_utils.runs.comparison_table import table_of_points, table_of_runs
from hera_utils.runs.conditions import Condition, RunMatch, cell, check_columns, search_entries
from hera_utils.runs.notes import RunNotes, write_notes


@pytest.fixture
def record(tmp_path):
    """A function that writes a run's record: (name, the lines of results.csv with their header, facts)."""

    def written(name, lines=(), *, constants=None, axes=None, **facts):
        folder = tmp_path / name
        folder.mkdir()
        described = {
            "created": 1000.0 + len(list(tmp_path.iterdir())),
            "ended": 2000.0,
            "phase": "Succeeded",
            "inputs": {"constants": constants or {}, "parameters": axes or {}},
            **facts,
        }
        (folder / "run.json").write_text(json.dumps(described))
        if lines:
            (folder / "results.csv").write_text(csv_of(lines))
        return folder

    return written


def found(folder, *conditions):
    return {
        match.entry.name: match
        for match in search_entries(read_catalogue([folder]), [Condition.parse(one) for one in conditions])
    }


def test_a_condition_on_points_is_about_one_point(record, tmp_path):
    record(
        "a",
        [("point", "x", "y", "status"), ("1", "1", "10", "Succeeded"), ("2", "2", "20", "Succeeded")],
        axes={"x": [1, 2]},
    )
    assert [dict(row)["y"] for row in found(tmp_path, "x=2")["a"].points] == ["20"]
    assert found(tmp_path, "x=1", "y>15") == {}  # each condition is true for some point, but both for none
    assert set(found(tmp_path, "x=2", "y>15")) == {"a"}


def test_an_output_may_be_as_large_as_argo_allows(record, tmp_path):
    record("a", [("point", "x", "y", "text"), ("1", "1", "10", "x" * 256 * 1024)], axes={"x": [1]})
    assert [dict(row)["y"] for row in found(tmp_path, "y=10")["a"].points] == ["10"]


def test_a_run_without_results_is_found_by_its_axes(record, tmp_path):
    record("planned", axes={"x": [1, 2, 3]}, ended=None, phase=None)
    assert set(found(tmp_path, "x=3", "status=Running")) == {"planned"}
    assert found(tmp_path, "x=4") == {}


def test_an_output_named_as_a_fact_or_an_input_is_found_by_its_kind(record, tmp_path):
    header = ("point", "x", "inputs.seconds", "outputs.status", "outputs.x", "status", "seconds")
    record(
        "a",
        [header, ("1", "1", "5", "ok", "7", "Succeeded", "0.1")],
        axes={"x": [1], "seconds": [5]},
        constants={"tol": 1},
    )
    assert set(found(tmp_path, "outputs.status=ok")) == {"a"}
    assert found(tmp_path, "outputs.status=Succeeded") == {}
    assert set(found(tmp_path, "status=Succeeded", "outputs.x=7", "inputs.x=1", "inputs.seconds=5")) == {"a"}
    assert found(tmp_path, "x=7") == {}  # only x is the input
    (match,) = found(tmp_path).values()
    assert [cell(match, name) for name in ("outputs.status", "status", "inputs.seconds", "seconds")] == [
        "ok",
        "Succeeded",
        "5",
        "999",
    ]


def test_a_comparison_tells_results_from_facts_of_the_same_name(record, tmp_path):
    header = ("point", "x", "outputs.status", "status")
    for name, values in (("a", "ok"), ("b", "rough")):
        record(name, [header, ("1", "1", values, "Succeeded")], axes={"x": [1]})
    table = table_of_runs(sorted(read_catalogue([tmp_path]), key=lambda one: one.name))
    by_column = dict(zip(table.header, zip(*table.lines, strict=True), strict=True))
    assert by_column["status"] == ("Succeeded", "Succeeded")
    assert by_column["outputs.status"] == ("ok", "rough")
    points = table_of_points(sorted(read_catalogue([tmp_path]), key=lambda one: one.name))
    assert (points.header, points.lines) == (("x", "outputs.status a", "outputs.status b"), (("1", "ok", "rough"),))


def test_a_comparison_shows_none_and_is_json_for_every_reader(record, tmp_path):
    header = ("point", "depth", "loss", "status")
    for name, depths in (("a", [3, None]), ("b", [3])):
        lines = [(str(depth), "" if depth is None else str(depth), "nan", "Succeeded") for depth in depths]
        record(name, [header, *lines], axes={"depth": depths})
    table = table_of_runs(sorted(read_catalogue([tmp_path]), key=lambda one: one.name))
    assert [line[table.header.index("depth")] for line in table.lines] == ["3 None", "3"]
    json.dumps(table.as_json(), allow_nan=False)


@pytest.mark.parametrize(("verb", "other", "column"), [
    ("minimize", "minimize", "min(loss)"), ("maximize", "maximize", "max(loss)"), ("minimize", "maximize", "mean(loss)"),
])  # fmt: skip
def test_searches_are_compared_by_what_they_found(record, tmp_path, verb, other, column):
    for name, goal in (("a", verb), ("b", other)):
        inputs = {"constants": {}, "parameters": {"x": [1, 2]}, "search": {goal: ["loss"]}}
        record(name, [("point", "x", "loss", "status"), ("1", "1", "4", "ok"), ("2", "2", "9", "ok")], inputs=inputs)
    table = table_of_runs(sorted(read_catalogue([tmp_path]), key=lambda one: one.name))
    assert table.header[-1] == column
    assert {line[-1] for line in table.lines} == {{"min(loss)": "4", "max(loss)": "9", "mean(loss)": "6.5"}[column]}


def test_constants_inside_of_others_have_the_path_as_their_name(record, tmp_path):
    record("a", constants={"solver": {"tol": 1e-6}})
    record("b", constants={"solver": {"tol": 1e-3}})
    assert set(found(tmp_path, "solver.tol<1e-5")) == {"a"}
    assert "solver.tol" in table_of_runs(read_catalogue([tmp_path])).header


def test_notes_and_tags(record, tmp_path):
    write_notes(record("a"), RunNotes("base", "with the finer Mesh", ("draft", "paper")))
    record("b")
    assert set(found(tmp_path, "tag=paper", "note~mesh", "name=base")) == {"a"}
    assert set(found(tmp_path, "tag!=paper")) == {"b"}


def test_numbers_are_compared_as_numbers_and_words_as_words(record, tmp_path):
    record("a", constants={"n": 10, "method": "ilu"})
    assert set(found(tmp_path, "n=10.0", "n>9", "n<=1e1", "method>icc", "method!=lu")) == {"a"}
    assert found(tmp_path, "method>5") == {}  # a word cannot be compared with a number


def test_unknown_names_and_malformed_conditions_are_refused(record, tmp_path):
    record("a", constants={"viscosity": 1})
    with pytest.raises(SettingsError, match="no run has an input") as refused:
        found(tmp_path, "viscosty=1")
    assert "did you mean viscosity" in refused.value.fix
    for malformed in ("", "=3", "name", "a b=1"):
        with pytest.raises(SettingsError, match="is not a condition"):
            Condition.parse(malformed)
    with pytest.raises(SettingsError, match="cannot summarize"):
        check_columns(["mode(viscosity)"], read_catalogue([tmp_path]))


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_summaries_of_points(values):
    from pathlib import Path

    from hera_utils.runs.catalogue import CatalogueEntry

    entry = CatalogueEntry("a", "Succeeded", 0.0, 1.0, folder=Path("/nowhere"), axes={"x": [1]})
    entry.__dict__["points"] = tuple({"point": str(at), "x": "1", "y": repr(value)} for at, value in enumerate(values))
    match = RunMatch(entry, entry.points)
    for name, expected in (("min", min(values)), ("max", max(values)), ("mean", math.fsum(values) / len(values))):
        assert float(cell(match, f"{name}(y)")) == pytest.approx(expected, rel=1e-5, abs=1e-5)
    assert cell(match, "count(y)") == str(len(values))


@given(
    st.lists(
        st.lists(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0")), min_size=2, max_size=2)
    )
)
def test_cells_are_read_as_they_were_written(lines):
    import csv
    import io

    assert list(csv.reader(io.StringIO(csv_of(lines), newline=""))) == lines


def test_nan_is_found_as_it_is_written(record, tmp_path):
    lines = [("point", "x", "y"), ("1", "1", "nan"), ("2", "2", "3.5")]
    record("a", lines, axes={"x": [1, 2]})
    assert [row["x"] for row in found(tmp_path, "y=NaN")["a"].points] == ["1"]
    assert [row["x"] for row in found(tmp_path, "y!=nan")["a"].points] == ["2"]
    assert found(tmp_path, "x=nan") == {}


@pytest.mark.parametrize("condition", ["n<abc", "y>=high", "seconds<", "created>yesterday", "ended=today"])
def test_a_value_that_cannot_be_compared_is_refused(record, tmp_path, condition):
    record("a", [("point", "y"), ("1", "2.5")], constants={"n": 10})
    with pytest.raises(SettingsError, match="is none|is no date"):
        found(tmp_path, condition)


def test_moments_are_compared_by_their_beginnings(record, tmp_path):
    record("a", created=1790000000.0)
    assert set(found(tmp_path, "created>2026", "created>2026-09-01", "created<2026-09-30T10", "created~2026-09")) == {
        "a"
    }


@pytest.mark.parametrize("condition", ["n==", "n==10", "n= =10", "n<==10"])
def test_a_doubled_sign_is_no_condition(condition):
    with pytest.raises(SettingsError, match="is not a condition"):
        Condition.parse(condition)


def test_a_summary_of_words_is_refused(record, tmp_path):
    record("a", constants={"n": 10})
    entries = read_catalogue([tmp_path])
    check_columns(["max(n)", "max(points)"], entries)
    with pytest.raises(SettingsError, match=r"max\(status\): status has no numbers"):
        check_columns(["max(status)"], entries)
