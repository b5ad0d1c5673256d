"""Points: ids that stay and tell values apart, names that are legal, readable and unique."""

import copy
import datetime
import decimal
import enum
import json
import os
import pathlib
import pickle
import subprocess
import sys
import uuid
from dataclasses import dataclass
from fractions import Fraction

import pytest
from hera.shared.serialization import serialize
from hypothesis import given
from hypothesis import strategies as st

from hera_utils.argo.names import label_faults
from hera_utils.errors import SettingsError
from hera_utils.experiment.points import LONGEST_NAME, Point
from hera_utils.experiment.sweeps import RESERVED, grid, listed
from hera_utils.experiment.values import Quantity, as_json_value, canonical, text


class Solver(enum.Enum):
    CG = "conjugate gradients"
    LU = "lu"


class Word(str, enum.Enum):
    ONE = "1"


@dataclass(frozen=True)
class Mesh:
    cells: int
    order: int = 1


SCALARS = (
    st.integers()
    | st.floats()
    | st.booleans()
    | st.none()
    | st.text(max_size=12)
    | st.dates()
    | st.datetimes()
    | st.decimals(allow_nan=False)
    | st.fractions()
    | st.uuids()
    | st.sampled_from(Solver)
    | st.builds(Mesh, st.integers(0, 3))
    | st.text("ab/", min_size=1, max_size=4).map(pathlib.PurePosixPath)
    | st.builds(Quantity, st.integers(0, 9), st.sampled_from(["m", "km"]))
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=5,
)
AXES = st.text("abcdefgh_", min_size=1, max_size=6).filter(
    lambda name: name not in RESERVED and name[0] != "_" and name.isidentifier()
)


def told(value):
    """The value with its type, all the way down: two that share it are the same."""
    if isinstance(value, list | tuple):
        return ("list", tuple(told(one) for one in value))
    if isinstance(value, dict):
        return ("dict", tuple(sorted((key, repr(told(one))) for key, one in value.items())))
    return (type(value).__name__, repr(value))


@given(VALUES, VALUES)
def test_two_values_share_a_canonical_text_only_if_they_are_the_same(one, another):
    assert (canonical(one) == canonical(another)) == (told(one) == told(another))


def test_ids_differ_for_similar_values():
    alike = [
        1, 1.0, True, "1", "1.0", "true", None, "null", "none", "", [], [1], ["1"], {}, {"a": 1}, {"a": "1"}, [[1]], [[], 1],
        datetime.date(2020, 1, 1), datetime.datetime(2020, 1, 1), "2020-01-01", decimal.Decimal(1), Fraction(1), Word.ONE,
        pathlib.Path("1"), b"1", frozenset([1]), Quantity(1, "m"), "1 m", Mesh(1), Mesh(2), 0.0, -0.0, float("nan"), "nan",
        ["a", "b"], ["ab"], ["a,b"], uuid.UUID(int=1), datetime.timedelta(1), datetime.time(1), Solver.CG, "CG",
    ]  # fmt: skip
    ids = {Point({"x": value}).id for value in alike}
    assert len(ids) == len(alike)


@given(st.dictionaries(AXES, SCALARS, max_size=4), st.randoms())
def test_id_does_not_depend_on_the_order_of_values(values, random):
    order = list(values)
    random.shuffle(order)
    shuffled = Point({name: values[name] for name in order})
    assert shuffled.id == Point(values).id
    assert shuffled == Point(values)
    assert hash(shuffled) == hash(Point(values))
    assert len(shuffled.id) == 16
    int(shuffled.id, 16)


@given(st.dictionaries(AXES, VALUES, max_size=4))
def test_a_point_alone_has_a_legal_name(values):
    name = Point(values).name
    assert not label_faults(name)
    assert len(name) <= LONGEST_NAME
    assert name == Point(values).name


@given(st.dictionaries(AXES, SCALARS, max_size=3), AXES, SCALARS)
def test_points_are_mappings_with_attributes(values, other, value):
    point = Point(values)
    assert dict(point) == values or any(one != one for one in values.values())
    for name in values:
        assert getattr(point, name) is values[name]
    if other not in values:
        with pytest.raises(AttributeError, match="has no value"):
            getattr(point, other)
    assert copy.deepcopy(point).id == pickle.loads(pickle.dumps(point)).id == point.id


@given(SCALARS | st.lists(st.integers() | st.text(max_size=3) | st.none()))
def test_an_argument_is_written_by_hera_as_we_say(value):
    argument = Point({"x": value}).arguments["x"]
    json.dumps(argument)
    assert serialize(argument) == text(value)


def test_none_is_none_wherever_a_task_is_given_it():
    arguments = Point({"a": 1, "c": None, "on": True, "word": "null"}).arguments
    assert json.loads(json.dumps(dict(arguments))) == {"a": 1, "c": None, "on": True, "word": "null"}
    assert serialize(arguments["c"]) == text(None) == "null"


def test_bytes_are_refused_as_an_argument():
    with pytest.raises(SettingsError, match="cannot be given to a task"):
        _ = Point({"x": b"\x00"}).arguments


def test_names_read_like_their_values():
    assert Point({"vintages": 2009, "boroughs": "LYON_1"}).name == "2009-lyon-1"
    assert Point({"x": -0.25, "y": 1e-05, "z": -3}).name == "m0p25-1em05-m3"
    assert Point({"when": datetime.date(2026, 11, 23), "city": "Saint-Étienne"}).name == "2026-11-23-saint-etienne"
    assert Point({"solver": Solver.CG, "on": True, "size": Quantity(25, "m")}).name == "cg-true-25-m"
    assert Point({}).name == "point"


def test_numbers_that_had_to_be_rounded_end_in_a_part_of_the_id():
    one, two = grid(x=[0.123456789, 0.123456788])
    assert one.name == f"0p123-{one.id[:12]}"
    assert one.name != two.name


def test_names_that_would_be_shared_end_in_a_part_of_the_id():
    one, two, three = grid(x=["LYON_1", "LYON-1", "★"])
    assert one.name == "lyon-1"
    assert two.name == f"lyon-1-{two.id[:12]}"
    assert three.name == "x", "nothing of it can stand in a name, and nothing else reads so"
    names = [point.name for point in grid(a=["a", "a-b"], b=["b-c", "c"])]
    assert names[0] == "a-b-c"
    assert len(set(names)) == 4
    long = grid(x=["l" * 50, "l" * 51])
    assert {len(point.name) for point in long} == {LONGEST_NAME}
    assert len({point.name for point in long}) == 2


def test_what_is_no_plain_value_is_refused():
    with pytest.raises(SettingsError, match="cannot be an input") as caught:
        listed([{"x": object()}])
    assert "dataclasses" in caught.value.fix


def test_ids_are_the_same_in_every_process():
    code = (
        "from hera_utils import grid;"
        "print([(p.id, p.name) for p in grid(a=[1, 2.5, None, 'x', True], b=['y', 'Y', ('z', 1)])])"
    )
    once = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(once) == 1
    # As they were when records of runs were first written: a change of these makes every point of every record run again.
    assert [p.id for p in grid(a=[1, 2.5, None, "x", True])] == PINNED


PINNED = ["36a25fac897ee0f3", "ba918e6cefe53df7", "f72c5b67d90744b0", "e8edbd7ef191eade", "7e24370427a522c4"]


@given(VALUES)
def test_plain_values_survive_json(value):
    made = as_json_value(value)
    again = json.loads(json.dumps(made))
    assert repr(again) == repr(made)
