"""Sweeps: the laws of their algebra, names and ids in them, and that they stay small and quick."""

import itertools
import subprocess
import sys
from importlib.util import find_spec

import pytest
from hypothesis import given
from hypothesis import strategies as st

from call_counts import calls_of
from hera_utils.argo.names import label_faults
from hera_utils.errors import SettingsError
from hera_utils.experiment.inputs import Inputs
from hera_utils.experiment.points import LONGEST_NAME, Point
from hera_utils.experiment.sampling import latin_hypercube, logarithmic, random_sample, saltelli, sobol
from hera_utils.experiment.sweeps import MOST_VALUES, grid, listed, zipped

VALUES = (
    st.integers(-3, 3) | st.booleans() | st.floats(width=16, allow_nan=False) | st.text("aB-_1", max_size=4) | st.none()
)


def axes(names):
    values = st.lists(VALUES, min_size=1, max_size=4, unique_by=lambda value: (type(value), repr(value)))
    return st.dictionaries(st.sampled_from(names), values, min_size=1, max_size=2)


GRIDS = axes(["a", "b", "c"]).map(lambda found: grid(**found))
OTHERS = axes(["x", "y", "z"]).map(lambda found: grid(**found))
LISTS = st.lists(
    st.fixed_dictionaries({"a": VALUES, "b": VALUES}), min_size=1, max_size=5, unique_by=lambda row: Point(row).id
).map(listed)
SWEEPS = GRIDS | LISTS | st.tuples(GRIDS, LISTS).map(lambda both: both[0] + both[1])


DRAWS = [
    random_sample,
    latin_hypercube,
    pytest.param(sobol, marks=pytest.mark.skipif(not find_spec("scipy"), reason="scipy")),
]


def ids(sweep):
    return [point.id for point in sweep]


@given(SWEEPS)
def test_ids_and_names_are_unique_and_names_are_legal(sweep):
    points = list(sweep)
    assert len(sweep) == len(points) == len({point.id for point in points}) == len({point.name for point in points})
    assert not any(label_faults(point.name) or len(point.name) > LONGEST_NAME for point in points)
    assert [point.name for point in sweep] == [point.name for point in points]
    assert sweep[0] == points[0]
    assert sweep[-1] == points[-1]
    assert sweep[1:3] == points[1:3]


@given(SWEEPS, SWEEPS, SWEEPS)
def test_chains(one, two, three):
    assert (one + two) + three == one + (two + three)
    assert one + one == one
    assert set(ids(one + two)) == set(ids(one)) | set(ids(two))
    assert ids(one + two)[: len(one)] == ids(one)


@given(SWEEPS, OTHERS, OTHERS)
def test_products(one, two, three):
    product = one * two
    assert len(product) == len(one) * len(two)
    assert [dict(point) for point in product] == [dict(p) | dict(q) for p in one for q in two]
    assert set(ids(product)) == set(ids(two * one))
    if not set(two.axes) & set(three.axes):
        assert product * three == one * (two * three)
        assert set(ids(one * (two + three))) == set(ids(one * two + one * three))


@given(SWEEPS, st.randoms(use_true_random=False))
def test_filters(sweep, random):
    first = {point.id for point in sweep if random.random() < 0.5}
    second = {point.id for point in sweep if random.random() < 0.5}

    def one(point):
        return point.id in first

    def two(point):
        return point.id in second

    assert sweep.where(lambda point: True) == sweep
    assert not list(sweep.where(lambda point: False))
    assert sweep.where(one).where(two) == sweep.where(lambda point: one(point) and two(point))
    assert ids(sweep.where(one)) == [point.id for point in sweep if one(point)]
    names = {point.id: point.name for point in sweep}
    assert all(point.name == names[point.id] for point in sweep.where(one)), "a point keeps its name"


@given(SWEEPS, SWEEPS)
def test_what_is_added_changes_neither_ids_nor_names_of_what_was_there(sweep, more):
    before = [(point.id, point.name) for point in sweep]
    assert [(point.id, point.name) for point in sweep + more][: len(before)] == before


@given(axes(["a", "b"]), VALUES)
def test_a_value_more_keeps_the_ids_and_names_of_the_others(found, value):
    before = {point.id: point.name for point in grid(**found)}
    name = next(iter(found))
    if any((type(value), repr(value)) == (type(one), repr(one)) for one in found[name]):
        return
    after = {point.id: point.name for point in grid(**{**found, name: [*found[name], value]})}
    assert {point: after[point] for point in before} == before


@given(SWEEPS, st.randoms(use_true_random=False))
def test_narrowed_inputs_have_the_given_points_only(sweep, random):
    whole = Inputs({"fixed": 1}, sweep)
    points = [point for point in whole.points if random.random() < 0.5]
    narrowed = whole.narrowed(points)
    assert list(narrowed.points) == points
    assert [point.name for point in narrowed.points] == [point.name for point in points]
    assert narrowed.constants == whole.constants
    for name, values in whole.points.axes.items():
        kept = narrowed.points.axes[name]
        occurring = {repr(point[name]) for point in points if name in point}
        assert {repr(value) for value in kept} == occurring
        assert [repr(value) for value in kept] == [repr(value) for value in values if repr(value) in occurring]
        assert getattr(narrowed.parameters, name) == kept
    again = [point for point in points if random.random() < 0.5]
    assert list(narrowed.narrowed(again).points) == again


def test_zipped():
    sweep = zipped(width=[1, 2, 2], height=[10, 20, 30])
    assert [tuple(point.values()) for point in sweep] == [(1, 10), (2, 20), (2, 30)]
    assert sweep.width == [1, 2]
    assert [point.name for point in sweep] == ["1-10", "2-20", "2-30"]
    with pytest.raises(SettingsError, match="2 width, 1 height"):
        zipped(width=[1, 2], height=[1])
    with pytest.raises(SettingsError, match="row 2: .* is already in row 1"):
        zipped(width=[1, 1], height=[2, 2])


def test_points_with_other_axes_beside_each_other():
    sweep = grid(solver=["lu"]) + grid(solver=["cg"], tol=[0.1, 0.01])
    assert [dict(point) for point in sweep] == [
        {"solver": "lu"},
        {"solver": "cg", "tol": 0.1},
        {"solver": "cg", "tol": 0.01},
    ]
    assert (sweep.solver, sweep.tol) == (["lu", "cg"], [0.1, 0.01])
    assert len({point.name for point in sweep}) == 3
    assert sweep.description == "1 solver + 1 solver × 2 tol"
    assert (grid(a=[1], b=[2]) + grid(b=[3], a=[1])).axes == {"a": [1], "b": [2, 3]}


def test_repeated():
    sweep = grid(tol=[0.1, 0.01])
    assert [tuple(point.values()) for point in sweep.repeated(2)] == [(0.1, 0), (0.1, 1), (0.01, 0), (0.01, 1)]
    seeds = [point.seed for point in sweep.repeated(50, independent=True)]
    assert len(set(seeds)) == 100
    more = grid(tol=[1.0, 0.1, 0.01]).repeated(60, independent=True)
    assert set(ids(sweep.repeated(50, independent=True))) < set(ids(more))
    assert [point.run for point in sweep.repeated(1, axis="run")] == [0, 0]
    for times in (0, -1, 1.5):
        with pytest.raises(SettingsError):
            sweep.repeated(times)
    with pytest.raises(SettingsError, match="`seed`"):
        sweep.repeated(2).repeated(2, independent=True)


@pytest.mark.parametrize("draw", DRAWS)
def test_samples(draw):
    sweep = draw(64, seed=7, x=(0, 2), nu=logarithmic(1e-3, 1), cells=range(10, 20), solver=["cg", "LU"])
    points = list(sweep)
    assert len(points) == len(sweep) == 64
    assert all(
        0 <= p.x < 2 and 1e-3 <= p.nu <= 1 and p.cells in range(10, 20) and p.solver in ("cg", "LU") for p in points
    )
    assert sweep == draw(64, seed=7, x=(0, 2), nu=logarithmic(1e-3, 1), cells=range(10, 20), solver=["cg", "LU"])
    assert sweep != draw(64, seed=8, x=(0, 2), nu=logarithmic(1e-3, 1), cells=range(10, 20), solver=["cg", "LU"])
    assert len({p.name for p in points}) == 64
    assert 20 < sum(p.nu < 10**-1.5 for p in points) < 44, "as many below the middle of the logarithm as above"
    assert len(draw(50, k=[1, 2, 3])) == 3, "points that coincide are one"


@pytest.mark.parametrize("draw", DRAWS[::2])
def test_a_sample_grows_without_losing_points(draw):
    assert ids(draw(40, x=(0, 1), y=(0, 1)))[:16] == ids(draw(16, x=(0, 1), y=(0, 1)))


def test_a_latin_hypercube_has_a_point_in_each_part_of_each_axis():
    for name in ("x", "y"):
        values = [point[name] for point in latin_hypercube(20, x=(0, 20), y=(0, 20))]
        assert sorted(int(value) for value in values) == list(range(20))


def test_an_axis_beside_it_changes_no_draw():
    alone = [point.x for point in random_sample(5, x=(0, 1))]
    assert [point.x for point in random_sample(5, y=(0, 1), x=(0, 1))] == alone


@pytest.mark.parametrize(
    "make",
    [
        lambda: random_sample(0, x=(0, 1)),
        lambda: random_sample(3),
        lambda: random_sample(3, x=(1, 0)),
        lambda: random_sample(3, x=(0, 1, 2)),
        lambda: random_sample(3, x=("a", "b")),
        lambda: random_sample(3, x=logarithmic(0, 1)),
        lambda: random_sample(3, x=[]),
        lambda: listed([]),
        lambda: listed([{"a": 1}, {"a": 1}]),
        lambda: listed([3]),
        lambda: grid(a=[1]) * grid(a=[2]),
        lambda: grid(name=[1]),
        lambda: grid(a=[1]).where(lambda point: point.b)[0],
        lambda: grid(a=[1]).with_axis("b", [1]),
        lambda: zipped(a=[1]).with_axis("a", [2]),
    ],
)
def test_what_is_no_sweep_is_told(make):
    with pytest.raises(SettingsError) as caught:
        make()
    assert caught.value.fix


def test_numpy_values_are_the_numbers_they_hold():
    numpy = pytest.importorskip("numpy")
    assert grid(x=numpy.linspace(0, 1, 3), n=numpy.arange(2)) == grid(x=[0.0, 0.5, 1.0], n=[0, 1])
    assert type(grid(x=numpy.arange(2))[0].x) is int


def test_in_a_notebook():
    html = grid(a=["<b>", 2], c=range(10))._repr_html_()
    assert html.startswith("<p>20 points: 2 a × 10 c</p><table>")
    assert "&lt;b&gt;" in html
    assert "… 10 more" in html
    assert "1 point:" in Inputs()._repr_html_()


def test_points_are_made_as_they_are_asked_for():
    endless = grid(a=range(1000), b=range(1000), c=range(1000))
    assert len(endless) == 10**9
    assert dict(endless[123456789]) == {"a": 123, "b": 456, "c": 789}
    assert endless[-1] == Point({"a": 999, "b": 999, "c": 999})
    assert [point.id for point in itertools.islice(endless * grid(d=[1]), 2)] == [
        Point({"a": 0, "b": 0, "c": c, "d": 1}).id for c in (0, 1)
    ]


def test_each_of_many_points_costs_the_same_to_name():
    def cost(seeds):
        inputs = Inputs(parameters=grid(alpha=[x / 100 for x in range(100)], city=["LYON", "BRON"], seed=range(seeds)))
        return calls_of(lambda: [(point.id, point.name) for point in inputs.points])

    assert cost(20) < 2.1 * cost(10)


def test_a_hundred_thousand_points_are_counted_and_named_in_little_memory():
    code = """
import resource
from hera_utils.experiment.inputs import Inputs, grid
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
inputs = Inputs(parameters=grid(alpha=[x / 100 for x in range(100)], city=[f"LYON_{n}" for n in range(100)], seed=range(10)))
count = len(inputs.points)
letters = sum(len(point.id) + len(point.name) for point in inputs.points)
print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert int(said[0]) == 100_000
    assert int(said[1]) < 5_000, "kilobytes"


@pytest.mark.skipif(not find_spec("scipy"), reason="scipy")
def test_saltellis_design():
    sweep = saltelli(8, seed=3, x=(0, 1), y=logarithmic(0.1, 10), z=(-2, 2))
    assert len(sweep) == 8 * 5
    points = list(sweep)
    for first in range(0, 40, 5):
        a, *between, b = points[first : first + 5]
        for name, point in zip("xyz", between, strict=True):
            assert point[name] == b[name]
            assert all(point[other] == a[other] for other in "xyz" if other != name)
        assert not set(a.values()) & set(b.values())
    assert list(saltelli(16, seed=3, x=(0, 1), y=logarithmic(0.1, 10), z=(-2, 2)))[:40] == points


@pytest.mark.skipif(not find_spec("scipy"), reason="scipy")
def test_what_saltellis_design_cannot_be_drawn_from():
    with pytest.raises(SettingsError, match="the axis `n` of this design has single values"):
        saltelli(8, x=(0, 1), n=range(4))
    with pytest.raises(SettingsError, match="0 groups of points"):
        saltelli(0, x=(0, 1), y=(0, 1))
    # `b` with a's coordinate would equal `a`, so the point would exist twice.
    with pytest.raises(SettingsError, match="two axes or more"):
        saltelli(8, x=(0, 1))


@pytest.mark.parametrize(
    "values", [range(10**9), range(10**30), range(0, -(10**9), -1), [0] * (MOST_VALUES + 1), itertools.count()]
)
@pytest.mark.parametrize("sweep", [grid, zipped])
def test_an_axis_that_no_plan_can_hold_is_refused(sweep, values):
    """A billion values were once listed until the memory was exhausted."""
    with pytest.raises(SettingsError, match=r"the axis `x` has more than 1,000,000 values"):
        sweep(x=values)
