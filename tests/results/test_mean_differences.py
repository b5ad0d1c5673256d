"""Differences between the values of an axis, over points that repeat each other."""

import csv
import io
import json
import math
import random

import pytest
from documents import sweep
from hypothesis import given
from hypothesis import strategies as st

from hera_utils.errors import ResourceError
from hera_utils.results import exports
from hera_utils.results.differences_of_means import MeanDifference, differences_of_choices, differences_of_means
from hera_utils.results.latex import latex_table
from hera_utils.results.results import Results
from hera_utils.results.student_distribution import half_width, probability_within
from hera_utils.runs.record import PointRow


def results(*rows):
    """rows: values of the axes, and y; None: the point failed."""
    outputs = [{} if y is None else {"y": repr(y)} for _, y in rows]
    texts = [{name: str(value) for name, value in values.items()} for values, _ in rows]
    document = sweep([(text, "Succeeded" if one else "Failed", one) for text, one in zip(texts, outputs, strict=True)])
    return Results.of([document], [PointRow(f"p{n}", n, "", values) for n, (values, _) in enumerate(rows)])


def table(*rows):
    return results(*rows).point_table


def methods(y, *, sizes=(8,), names=("old", "new"), seeds=4):
    return table(
        *(
            ({"size": size, "method": name, "replicate": seed}, y(size, name, seed))
            for size in sizes
            for name in names
            for seed in range(seeds)
        )
    )


def test_what_a_seed_does_to_both_is_in_no_difference():
    """The seeds differ by hundreds, the methods by one, give or take: the intervals of the means overlap by far."""
    noise = (0.0, 0.1, -0.1, 0.2)
    made = methods(lambda size, name, seed: 100.0 * seed + (1 + noise[seed] if name == "new" else 0))
    sheet = differences_of_means(made, "method", ["replicate"]).sheet()
    assert sheet.header == ("size", "method", "n", "y", "y − old")
    assert sheet.lines == (
        ("8", "old", "4", "150 ± 65", ""),
        ("8", "new", "4", "151 ± 65", "+1.05 [+0.84, +1.26]"),
    )
    assert sheet.title == (
        "means over replicate, with standard errors; differences to method=old, with intervals of 95%"
    )


def test_intervals_hold_together_for_all_comparisons_of_a_setting():
    made = methods(lambda size, name, seed: seed**2 * len(name), names=("a", "bb", "ccc", "dddd"))
    found = differences_of_means(made, "method", ["replicate"], "bb")
    assert found.comparisons == 3
    assert "differences to method=bb, with intervals of 95%, for 3 comparisons together" in found.sheet().title
    one = found.by_output["y"][0]
    assert one.high - one.value == pytest.approx(half_width(1 - 0.05 / 3, 3) * 2.0207259421636903)  # of 0, -1, -4, -9
    assert found.by_output["y"][1] is None, "the reference"


def test_the_same_as_scipy():
    stats = pytest.importorskip("scipy.stats")
    dice = random.Random(5)
    ours, theirs = ([dice.gauss(mean, 1 + mean) for _ in range(count)] for mean, count in ((1, 9), (2, 14)))
    paired = MeanDifference.of(dict(enumerate(ours)), dict(enumerate(theirs)), 0.95)
    expected = stats.ttest_rel(ours, theirs[:9]).confidence_interval(0.95)
    assert (paired.low, paired.high) == pytest.approx((expected.low, expected.high), rel=1e-9)
    apart = MeanDifference.of(dict(enumerate(ours)), dict(enumerate(theirs, 100)), 0.99)
    expected = stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval(0.99)
    assert (apart.low, apart.high) == pytest.approx((expected.low, expected.high), rel=1e-9)
    assert (paired.pairs, apart.pairs) == (9, None)


def test_intervals_hold_as_often_as_they_say():
    """Of 600 comparisons of two equal methods, whose seeds act on both, 5 % may be off: 18 to 45 is what 99.9 % of such counts are."""
    dice, wrong = random.Random(11), 0
    for _ in range(600):
        common = [dice.gauss(0, 3) for _ in range(6)]
        ours, theirs = ({n: one + dice.gauss(0, 1) for n, one in enumerate(common)} for _ in range(2))
        found = MeanDifference.of(ours, theirs, 0.95)
        wrong += not found.low <= 0 <= found.high
    assert 14 <= wrong <= 49


def test_only_points_that_both_have_are_pairs():
    made = methods(
        lambda size, name, seed: None if (name, seed) == ("new", 1) else float(seed**2 if name == "new" else seed)
    )
    (_, line) = differences_of_means(made, "method", ["replicate"]).sheet().lines
    assert line == ("8", "new", "3", "4.3 ± 2.6", "+2.7 [-4.9, +10.3]")
    made = methods(lambda size, name, seed: None if name == "old" and seed else float(seed))
    assert differences_of_means(made, "method", ["replicate"]).sheet().lines[1][-1] == "0 (1 pair)", (
        "one pair has no interval"
    )
    made = methods(lambda size, name, seed: None if name == "old" else float(seed))
    assert differences_of_means(made, "method", ["replicate"]).sheet().lines[1][-1] == ""


def test_seeds_of_their_own_are_independent():
    rows = [
        ({"method": name, "seed": seed + 10 * (name == "new")}, float(seed))
        for name in ("old", "new")
        for seed in range(3)
    ]
    (_, line) = differences_of_means(table(*rows), "method", ["seed"]).sheet().lines
    assert line[-1] == "+0.0 [-2.3, +2.3] (not paired)"


def test_equal_differences_say_nothing_of_how_far_they_are_off():
    made = methods(lambda size, name, seed: float(seed + (name == "new")))
    found = differences_of_means(made, "method", ["replicate"])
    assert found.sheet().lines[1][-1] == "+1"
    assert found.as_json()[1]["outputs"]["y"]["difference"] == {
        "to": "old", "value": 1.0, "low": None, "high": None, "pairs": 4,
    }  # fmt: skip


def test_each_setting_is_compared_within_itself_and_exported():
    made = methods(lambda size, name, seed: size * (1.0 + (name == "new") + seed * len(name) / 10), sizes=(8, 16))
    found = differences_of_means(made, "method", ["replicate"], "new")
    rows = list(csv.DictReader(io.StringIO(exports.csv_text(found.table()))))
    assert [row["difference(y)"] for row in rows] == ["-8.0", "", "-16.0", ""]
    assert [row["pairs(y)"] for row in rows] == ["4", "", "4", ""]
    assert latex_table(found.sheet()).splitlines()[1:6] == [
        r"\begin{tabular}{rlrrr}", r"\toprule", r"size & method & n & y & y $-$ new \\", r"\midrule",
        r"$8$ & old & $4$ & $11.6 \pm 1.5$ & $-8$ \\",
    ]  # fmt: skip


def test_a_script_compares_as_the_command_does(tmp_path):
    pandas = pytest.importorskip("pandas")
    run = results(
        *(
            ({"size": size, "method": name, "seed": seed}, 1.0 * size * seed + (name == "new") * seed)
            for size in (8, 16)
            for name in ("old", "new")
            for seed in range(4)
        )
    )
    found = run.compare("method")
    assert (found.reference, found.means.over) == ("old", ("seed",))
    assert run.compare("size", reference=16, over=["seed"]).reference == "16", "a value of an axis, not its text alone"
    frame = found.to_pandas()
    assert frame["difference(y)"].tolist()[1::2] == [1.5, 1.5]
    assert frame.to_csv(index=False).splitlines()[0] == found.to_csv(tmp_path / "d.csv").splitlines()[0]
    assert pandas.read_csv(tmp_path / "d.csv")["pairs(y)"].tolist()[1::2] == [4, 4]
    assert json.loads(found.to_json())[1]["outputs"]["y"]["difference"]["value"] == 1.5
    assert "<td>new</td>" in found._repr_html_()
    assert run.mean_over().sheet() == run.mean_over("seed").sheet(), "the seeds are those of the means too"


def test_without_repetitions_a_script_is_told_what_to_name():
    run = results(*(({"method": name, "draw": n}, float(n)) for name in ("old", "new") for n in range(3)))
    for act in (run.mean_over, lambda: run.compare("method")):
        with pytest.raises(ResourceError, match="no axis of wf has the name of one that repeats") as caught:
            act()
        assert "over=[AXIS]" in caught.value.fix
    assert run.compare("method", over=["draw"]).by_output["y"][1].value == 0.0


def test_what_is_compared_stands_together():
    made = table(
        *(({"how": how, "size": n, "seed": s}, float(s)) for how in ("lu", "qr") for n in (8, 16) for s in (0, 1))
    )
    sheet = differences_of_means(made, "how", ["seed"]).sheet()
    assert sheet.header[:2] == ("size", "how")
    assert [line[:2] for line in sheet.lines] == [("8", "lu"), ("8", "qr"), ("16", "lu"), ("16", "qr")]
    assert [line[-1] for line in sheet.lines] == ["", "0", "", "0"]


def test_a_report_compares_choices_and_not_sizes():
    made = methods(lambda size, name, seed: float(seed), sizes=(8, 16))
    assert [found.axis for found in differences_of_choices(made)] == ["method"]
    many = methods(lambda size, name, seed: float(seed), names=[f"m{n}" for n in range(9)])
    assert differences_of_choices(many) == [], "of so many each interval would be wide"
    assert differences_of_choices(methods(lambda size, name, seed: 1.0, seeds=1)) == []


def test_latex_reads_any_cell_as_a_text():
    made = table(*(({"m_1": name, "seed": seed}, 1e-7 * seed) for name in ("a&b", "50%") for seed in (1, 3)))
    text = latex_table(differences_of_means(made, "m_1", ["seed"]).sheet())
    assert r"m\_1 & n & y & y $-$ a\&b \\" in text
    assert r"50\% & $2$ & $(2.0 \pm 1.0) \times 10^{-7}$ & $0$ \\" in text


def test_what_cannot_be_compared_is_told():
    made = methods(lambda size, name, seed: float(seed))
    for axis, reference, said in (
        ("metod", None, "no axis `metod`; did you mean `method`"),
        ("replicate", None, "the values of `replicate` repeat the points"),
        ("method", "nw", "the axis `method` has no value nw; did you mean `new`"),
        ("size", None, "has one value alone, 8"),
    ):
        with pytest.raises(ResourceError, match=said):
            differences_of_means(made, axis, ["replicate"], reference)


@pytest.mark.parametrize(
    ("confidence", "degrees", "expected"),
    [
        (0.95, 1, 12.7062047362),
        (0.95, 9, 2.2621571628),
        (0.99, 30, 2.7499956536),
        (0.95, 1e6, 1.9599664),
    ],
)
def test_quantiles_of_student(confidence, degrees, expected):
    assert half_width(confidence, degrees) == pytest.approx(expected, rel=2e-5)


@given(st.floats(0.01, 0.9999), st.floats(1, 1e5))
def test_a_quantile_holds_what_it_says(confidence, degrees):
    assert probability_within(half_width(confidence, degrees), degrees) == pytest.approx(confidence, abs=1e-9)


@given(st.lists(st.tuples(st.floats(), st.floats()), min_size=1, max_size=6), st.booleans())
def test_any_numbers_have_a_difference(pairs, apart):
    ours, theirs = (dict(enumerate((pair[n] for pair in pairs), n * 100 * apart)) for n in (0, 1))
    found = MeanDifference.of(ours, theirs, 0.95)
    str(found)
    json.dumps([found.value, found.low, found.high])
    if found.low is not None:
        assert math.isfinite(found.low)
        assert found.low <= found.value <= found.high
