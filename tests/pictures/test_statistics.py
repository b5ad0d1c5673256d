"""The mathematics of the pictures, in the browser that draws them, against closed forms and scipy."""

import itertools
import json
import math
import random

import pytest
from browser import chromium

from hera_utils import pictures
from hera_utils.experiment.sampling import saltelli
from hera_utils.experiment.sweeps import grid

stats = pytest.importorskip("scipy.stats")
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    """Calls a function of statistics.js."""
    names = (
        "rankCorrelation",
        "rankRatio",
        "ranks",
        "sobolIndices",
        "importance",
        "importanceBesideChance",
        "unevenness",
        "barsOf",
    )
    page = tmp_path_factory.mktemp("page") / "page.html"
    page.write_text(
        f"<!doctype html><meta charset=utf-8><div id=tip></div><script>{pictures.module('tested', *names)}</script>",
        encoding="utf-8",
    )
    with chromium(tmp_path_factory.mktemp("chromium")) as tab:
        tab.open(page.as_uri())
        yield lambda name, *arguments: tab.run(f"tested.{name}({', '.join(map(json.dumps, arguments))})")


def ishigami(x1, x2, x3, a=7.0, b=0.1):
    return math.sin(x1) + a * math.sin(x2) ** 2 + b * x3**4 * math.sin(x1)


def ishigami_indices(a=7.0, b=0.1):
    """The closed form (Ishigami and Homma 1990): first order and total of each input."""
    v1 = (1 + b * math.pi**4 / 5) ** 2 / 2
    v2 = a**2 / 8
    v13 = b**2 * math.pi**8 * (1 / 18 - 1 / 50)
    v = v1 + v2 + v13
    return (v1 / v, v2 / v, 0.0), ((v1 + v13) / v, v2 / v, v13 / v)


def columns(points):
    return [list(column) for column in zip(*(point.values() for point in points), strict=True)]


def test_rank_correlations_are_those_of_scipy(ask):
    chance = random.Random(3)
    xs = [chance.choice([chance.random(), 0.5]) for _ in range(60)]  # with ties
    ys = [x**3 + 0.2 * chance.random() for x in xs]
    assert ask("ranks", xs) == list(stats.rankdata(xs))
    assert ask("rankCorrelation", xs, ys) == pytest.approx(stats.spearmanr(xs, ys).statistic, abs=1e-12)
    names = [chance.choice("abc") for _ in xs]
    groups = [[y for y, name in zip(ys, names, strict=True) if name == one] for one in "abc"]
    kruskal = stats.kruskal(*groups).statistic
    assert ask("rankRatio", names, ys) ** 2 == pytest.approx(kruskal / (len(ys) - 1), abs=1e-12)


def test_the_indices_of_a_grid_are_the_decomposition_of_its_variance(ask):
    points = list(grid(a=[0, 1, 2], b=[0, 1, 2, 3], c=["u", "v"]))
    random.Random(1).shuffle(points)

    def value(point):
        return point.a + 2 * point.b + 3 * point.a * (point.c == "v")

    ys = [value(point) for point in points]
    found = ask("sobolIndices", columns(points), ys)
    # by definition: every subset's share, written out (Sobol 1993)
    axes = (range(3), range(4), range(2))
    table = {(a, b, c): a + 2 * b + 3 * a * c for a, b, c in itertools.product(*axes)}
    whole = sum(table.values()) / 24
    variance = sum((y - whole) ** 2 for y in table.values()) / 24

    def share(kept):
        """Variance of the mean over all but the kept inputs."""
        means = {}
        for point, y in table.items():
            means.setdefault(tuple(point[n] for n in kept), []).append(y)
        return sum((sum(one) / len(one) - whole) ** 2 for one in means.values()) / len(means) / variance

    assert found["design"] == "grid"
    assert found["first"] == pytest.approx([share([n]) for n in range(3)], abs=1e-12)
    others = [[k for k in range(3) if k != n] for n in range(3)]
    assert found["total"] == pytest.approx([1 - share(kept) for kept in others], abs=1e-12)


def test_ishigamis_function_in_any_order_and_half_computed(ask):
    sweep = list(saltelli(1024, x1=(-math.pi, math.pi), x2=(-math.pi, math.pi), x3=(-math.pi, math.pi)))
    random.Random(5).shuffle(sweep)
    first, total = ishigami_indices()
    for share, close in ((1.0, 0.04), (0.5, 0.1)):
        points = sweep[: int(share * len(sweep))]
        found = ask("sobolIndices", columns(points), [ishigami(*point.values()) for point in points])
        assert found["design"] == "pairs"
        assert found["first"] == pytest.approx(first, abs=close)
        assert found["total"] == pytest.approx(total, abs=close)


def test_what_is_no_such_design_has_no_indices(ask):
    chance = random.Random(7)
    drawn = [[chance.random() for _ in range(50)] for _ in range(3)]
    ys = [a + b for a, b, _ in zip(*drawn, strict=True)]
    assert ask("sobolIndices", drawn, ys) is None
    filtered = list(grid(a=[0, 1, 2, 3], b=[0, 1, 2, 3], c=[0, 1, 2, 3]).where(lambda point: point.a <= point.b))
    assert ask("sobolIndices", columns(filtered), [point.a + point.c for point in filtered]) is None
    assert ask("sobolIndices", columns(list(grid(a=[0, 1], b=[0, 1]))), [1, 1, 1, 1]) is None  # nothing varies


def test_unevenness_is_scipys_discrepancy_over_what_chance_gives(ask):
    chance = random.Random(11)
    points = [[chance.random() for _ in range(3)] for _ in range(40)]
    found = ask("unevenness", points)
    assert found["discrepancy"] == pytest.approx(stats.qmc.discrepancy(points, method="CD"), abs=1e-12)
    # the mean over many random sets is that of the closed form
    several = [stats.qmc.discrepancy([[chance.random() for _ in range(3)] for _ in range(40)]) for _ in range(400)]
    assert sum(several) / 400 == pytest.approx(found["discrepancy"] / found["ratio"], rel=0.1)
    assert ask("unevenness", stats.qmc.Sobol(3, seed=1).random(64).tolist())["ratio"] < 0.3


def test_the_most_important_comes_first(ask):
    chance = random.Random(2)
    xs = [[chance.random() for _ in range(80)] for _ in range(3)]
    ys = [0.1 * a - 5 * b + c for a, b, c in zip(*xs, strict=True)]
    given = [{"name": name, "numeric": True, "values": values} for name, values in zip("abc", xs, strict=True)]
    found = ask("importance", given, ys)
    assert found["design"] is None
    assert [row["name"] for row in found["rows"]] == ["b", "c", "a"]
    assert found["rows"][0]["rank"] < -0.9


def test_a_seed_is_no_input_but_chance(ask):
    """In a grid its index is the share of the variance that repeating gives; a rank correlation with a seed's number means nothing."""
    chance = random.Random(4)
    points = list(grid(a=[1, 2, 3], b=[1, 2], data_seed=list(range(6))))
    given = [
        {"name": name, "numeric": True, "values": values}
        for name, values in zip(("a", "b", "data_seed"), columns(points), strict=True)
    ]
    ys = [point.a + chance.gauss(0, 3) for point in points]
    found = ask("importanceBesideChance", given, ys)
    assert [row["name"] for row in found["rows"]] == ["a", "b", "chance (data_seed)"]
    assert found["rows"][2]["total"] > found["rows"][0]["total"] > 0, "chance comes last, although it is most"
    assert "share of what changes from one repetition to the next" in found["chance"]
    some = [{**one, "values": one["values"][:-1]} for one in given]  # one point is missing: no design
    found = ask("importanceBesideChance", some, ys[:-1])
    assert (found["design"], {row["name"] for row in found["rows"]}, found["chance"]) == (None, {"a", "b"}, "")
    assert ask("importanceBesideChance", given[2:], ys)["rows"][0]["name"] == "data_seed"
    assert ask("importanceBesideChance", given[:2], ys) == {**ask("importance", given[:2], ys), "chance": ""}


def test_a_grid_is_as_even_as_it_is(ask):
    """25 values in 20 bars of equal ranges looked as if each fifth one were there twice as often."""
    shown = ask("barsOf", [value / 24 for value in range(25)] * 40)
    assert [number for _, number in shown["bars"]] == [40] * 25
    assert shown["broad"] == pytest.approx(1 / 25)
    ends = [place + shown["broad"] for place, _ in shown["bars"]]
    assert ends[-1] == pytest.approx(1)
    assert all(end <= place + 1e-9 for end, (place, _) in zip(ends[:-1], shown["bars"][1:], strict=True)), "apart"
    assert ask("barsOf", [0.5, 0.5])["bars"] == [[0, 2]]
    assert len(ask("barsOf", [value / 30 for value in range(31)])["bars"]) == 20, (
        "without repetitions it is a histogram"
    )
