"""Means over the points that repeat each other."""

import csv
import io
import json
import math
import statistics
import sys

import pytest
from documents import pod, run, sweep
from hypothesis import given
from hypothesis import strategies as st

from hera_utils.errors import ResourceError
from hera_utils.results import exports
from hera_utils.results.means import Mean, means, means_over_seeds, seeds_of
from hera_utils.results.results import Results
from hera_utils.runs.record import PointRow


def points(*rows):
    """rows: (values, outputs); no outputs: the point failed."""
    text = [({name: str(value) for name, value in values.items()}, outputs) for values, outputs in rows]
    document = sweep([(values, "Succeeded" if outputs else "Failed", outputs) for values, outputs in text])
    known = [PointRow(f"p{number}", number, "", values) for number, (values, _) in enumerate(rows)]
    return Results.of([document], known).point_table


def seeds(*, size=(8, 16), times=4, y=lambda size, seed: {"y": str(size + seed)}):
    return points(*(({"size": one, "seed": seed}, y(one, seed)) for one in size for seed in range(times)))


def test_a_row_for_the_points_that_differ_in_nothing_but_the_seed():
    found = means(seeds(), ["seed"])
    assert exports.csv_text(found.table()).splitlines() == [
        "size,mean(y),sem(y),count(y)",
        f"8,9.5,{statistics.stdev([8, 9, 10, 11]) / 2},4",
        f"16,17.5,{statistics.stdev([16, 17, 18, 19]) / 2},4",
    ]
    sheet = found.sheet()
    assert sheet.title == "means over seed, with standard errors"
    assert sheet.header == ("size", "n", "y")
    assert sheet.lines == (("8", "4", "9.50 ± 0.65"), ("16", "4", "17.50 ± 0.65"))
    assert found.as_json()[0] == {
        "values": {"size": 8},
        "outputs": {"y": {"mean": 9.5, "sem": pytest.approx(0.6455, abs=1e-4), "count": 4}},
    }


def test_the_same_as_pandas():
    pytest.importorskip("pandas")
    table = seeds(size=(1, 2, 3), times=7, y=lambda size, seed: {"y": str(math.sin(size * seed + 0.1))})
    frame = exports.pandas_frame(table).groupby("size")["y"].agg(["mean", "sem", "count"])
    own = list(csv.DictReader(io.StringIO(exports.csv_text(means(table, ["seed"]).table()))))
    for row, (mean, sem, count) in zip(own, frame.to_numpy(), strict=True):
        assert float(row["mean(y)"]) == pytest.approx(mean)
        assert float(row["sem(y)"]) == pytest.approx(sem)
        assert float(row["count(y)"]) == count


def test_what_failed_and_what_no_task_gave_does_not_count():
    given = {0: {"y": "1", "z": "5"}, 1: {"y": "3"}, 2: None}
    sheet = means(points(*(({"seed": n}, one) for n, one in given.items())), ["seed"]).sheet()
    assert sheet.header == ("n", "y", "z")
    assert sheet.lines == (("2", "2.0 ± 1.0", "5 (n=1)"),)
    none = means(points(({"a": 1, "seed": 0}, {"y": "1"}), ({"a": 2, "seed": 0}, None)), ["seed"])
    assert none.sheet().lines == (("1", "1", "1"), ("2", "0", ""))
    assert none.as_json()[1] == {"values": {"a": 2}, "outputs": {}}


def test_what_holds_is_a_share_and_texts_have_no_mean():
    table = seeds(size=(1,), y=lambda size, seed: {"spans": str(seed > 0), "word": "x"})
    assert means(table, ["seed"]).sheet().lines == (("1", "4", "0.75 ± 0.25"),)


def test_none_is_a_value_of_an_axis():
    table = points(*(({"depth": depth, "seed": n}, {"y": str(n)}) for depth in (None, 3) for n in (0, 1)))
    found = means(table, ["seed"])
    assert [line[0] for line in found.sheet().lines] == ["None", "3"]
    assert [row["values"] for row in found.as_json()] == [{"depth": None}, {"depth": 3}]


def test_an_input_n_is_not_the_number_of_values():
    table = points(*(({"n": n, "seed": seed}, {"y": "1"}) for n in (8, 16) for seed in (0, 1)))
    assert means(table, ["seed"]).sheet().header == ("n", "count", "y")


def test_several_axes_at_once():
    assert means(seeds(), ["seed", "size"]).sheet().lines == (("8", "13.5 ± 1.6"),)


def test_the_tasks_of_a_template_have_means_too():
    """Of a script without points: inputs that are the same for all say nothing."""
    values = [{"p": str(p), "seed": str(seed), "city": "Lyon"} for p in (1, 2) for seed in (0, 1)]
    tasks = [pod(f"wf.fit-{n}", inputs=one, outputs={"y": one["seed"]}) for n, one in enumerate(values)]
    other = pod("wf.sum", inputs={"p": "1"}, templateName="sum")
    results = Results.of([run(*tasks, other)])
    sheet = results.mean_over("seed").sheet()
    assert (sheet.header, sheet.lines) == (("p", "n", "y"), (("1", "2", "0.50 ± 0.50"), ("2", "2", "0.50 ± 0.50")))
    with pytest.raises(ResourceError, match="several templates of wf have the input p") as told:
        results.mean_over("p")
    assert told.value.fix == "name one with --template: collect, sum"
    with pytest.raises(ResourceError, match="no template of wf has the inputs p and q"):
        results.mean_over("p", "q")


def test_what_has_no_mean_is_told():
    with pytest.raises(ResourceError, match="no axis `sed`; did you mean `seed`"):
        means(seeds(), ["sed"])
    with pytest.raises(ResourceError, match="no output of the points is a number"):
        means(seeds(y=lambda size, seed: {"y": "word"}), ["seed"])


@pytest.mark.parametrize(
    "name", ["seed", "random_seed", "Seed", "seeds", "replicate", "replication", "data_realization", "rep"]
)
def test_seeds_are_known_by_their_name_where_points_repeat(name):
    table = points(*(({"a": a, name: n}, {"y": "1"}) for a in (1, 2) for n in (0, 1)))
    assert seeds_of(table) == (name,)
    assert means_over_seeds(table) is not None
    for other in ("reseeding", "n", "repeat", "fold", "report", "replicated"):
        assert seeds_of(points(*(({"a": 1, other: n}, {"y": "1"}) for n in (0, 1)))) == ()
    # a sample in which each point has its own seed repeats nothing
    assert seeds_of(points(*(({"a": n / 7, name: n}, {"y": "1"}) for n in range(9)))) == ()
    assert means_over_seeds(seeds(y=lambda size, seed: {"y": "word"})) is None


EXACT = pytest.mark.skipif(sys.version_info < (3, 11), reason="statistics.stdev is exact since Python 3.11")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([1, 2], "1.50 ± 0.50"),
        ([3], "3"),
        ([2, 2, 2], "2 ± 0"),
        ([1e-7, 3e-7], "(2.0 ± 1.0)e-07"),
        ([1e9, 1.2e9], "(1.10 ± 0.10)e+09"),
        ([1000, 1400], "1200 ± 200"),
        ([100, 140], "120 ± 20"),
        pytest.param([0, 1e-320], "4.99994e-321 ± 4.99994e-321", marks=EXACT),
        ([1, math.nan], "nan ± nan"),
        ([1, math.inf], "inf ± nan"),
        pytest.param([-1e308, 1e308, 1e308], "(3.3 ± 6.7)e+307", marks=EXACT),
    ],
)
def test_a_mean_in_words(values, words):
    assert str(Mean.of(values)) == words


@given(st.lists(st.floats(), min_size=1, max_size=9))
def test_any_numbers_have_a_mean(values):
    mean = Mean.of(values)
    str(mean)
    json.dumps(means(points(*(({"seed": n}, {"y": repr(v)}) for n, v in enumerate(values))), ["seed"]).as_json())
    if all(map(math.isfinite, values)):
        assert min(values) <= mean.value <= max(values)
