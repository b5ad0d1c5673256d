from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hera_utils.errors import SettingsError
from hera_utils.experiment.inputs import Grid, Inputs, Point, grid

AXES = st.dictionaries(
    st.sampled_from(["vintages", "boroughs", "radii", "seeds"]),
    st.lists(st.integers() | st.text(max_size=4), min_size=1, max_size=4, unique_by=lambda value: (type(value), value)),
)


def test_the_tours_sweep():
    inputs = Inputs(
        constants=SimpleNamespace(city="Lyon"),
        parameters=grid(vintages=[2009, 2012, 2015], boroughs=[f"LYON_{n}" for n in range(1, 10)]),
    )
    assert inputs.parameters.vintages == [2009, 2012, 2015]
    assert len(inputs.points) == len(inputs.parameters) == 27
    first, *_, last = inputs.points
    assert (first.vintages, first["boroughs"]) == (2009, "LYON_1")
    assert dict(last) == {"vintages": 2015, "boroughs": "LYON_9"}


@given(AXES)
def test_every_combination_once_in_order(axes):
    points = list(grid(**axes))
    assert len(points) == len(grid(**axes))
    assert len(set(points)) == len(points)
    for name, values in axes.items():
        assert getattr(grid(**axes), name) == values
        assert {repr(point[name]) for point in points} == {repr(value) for value in values}
    assert points == sorted(points, key=lambda point: [axes[name].index(point[name]) for name in axes]) or any(
        len({repr(v) for v in values}) != len(values) for values in axes.values()
    )


@pytest.mark.parametrize(
    "axes",
    [
        {"vintages": []},
        {"vintages": [1, 1]},
        {"vintages": "2009"},
        {"vintages": 2009},
        {"vintages": {"a": 1}},
        {"points": [1]},
        {"_hidden": [1]},
    ],
)
def test_what_is_no_axis(axes):
    with pytest.raises(SettingsError) as caught:
        grid(**axes)
    assert caught.value.fix


def test_values_of_different_types_are_different_points():
    assert len(grid(x=[1, True, "1", 1.0])) == 4


def test_names_that_are_not_there_are_told_with_those_that_are():
    with pytest.raises(AttributeError, match="vintages"):
        _ = grid(vintages=[1]).vintage
    with pytest.raises(AttributeError, match="vintages"):
        _ = Point({"vintages": 1}).vintage


@dataclass(frozen=True)
class Parameters:
    vintages: tuple[int, ...] = (2009, 2012)
    threshold: float = 0.5


@pytest.mark.parametrize(
    "parameters",
    [
        Parameters(),
        SimpleNamespace(vintages=[2009, 2012], threshold=0.5, _private=[1, 2, 3]),
        {"vintages": [2009, 2012]},
        grid(vintages=[2009, 2012]),
    ],
)
def test_parameters_of_any_make_have_points(parameters):
    inputs = Inputs(parameters=parameters)
    assert list(inputs.parameters.vintages) == [2009, 2012]
    assert [point.vintages for point in inputs.points] == [2009, 2012]


def test_nothing_swept_is_one_point():
    assert Inputs().points == [Point({})]
    assert len(Inputs(parameters=None).points) == 1


def test_values():
    assert grid(a=[1]) == Grid({"a": [1]})
    assert {grid(a=[1]): 1}[grid(a=[1])] == 1
    assert repr(grid(a=[1])) == "grid(a=[1])"
    assert repr(Point({"a": 1})) == "Point(a=1)"
