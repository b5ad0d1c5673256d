"""Inputs from Python, files and the command line: what they become, and where a mistake is said to be."""

import datetime
import json
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Literal

import pydantic
import pytest

from hera_utils.errors import SettingsError
from hera_utils.experiment.inputs import Inputs
from hera_utils.experiment.sweeps import grid, listed
from hera_utils.experiment.values import Quantity


class Solver(Enum):
    CG = "cg"
    LU = "lu"


@dataclass(frozen=True)
class Mesh:
    size: Quantity = field(default_factory=lambda: Quantity(25, "m"))
    orders: tuple[int, ...] = (1, 2)


@dataclass(frozen=True)
class Constants:
    city: str = "Lyon"
    resolution_m: float = 25.0
    steps: int = 10
    solver: Solver = Solver.CG
    since: datetime.date = datetime.date(2009, 1, 1)
    data: Path = Path("data")
    limit: float | None = None
    units: Literal["si", "us"] = "si"
    quick: bool = False
    tags: dict[str, int] = field(default_factory=dict)
    mesh: Mesh = field(default_factory=Mesh)
    words: Annotated[list[str], "some"] = field(default_factory=list)


@dataclass(frozen=True)
class Parameters:
    vintages: list[int] = field(default_factory=lambda: [2009, 2012])
    boroughs: tuple[str, ...] = ("LYON_1",)
    threshold: float = 0.5


class Model(pydantic.BaseModel):
    city: str = "Lyon"
    cells: int = pydantic.Field(10, gt=0)


class Axes(pydantic.BaseModel):
    vintages: list[int] = [2009]


INPUTS = Inputs(Constants(), grid(vintages=[2009, 2012], boroughs=["LYON_1", "LYON_2"]))


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("city=Paris", "Paris"),
        ("city=2009", "2009"),
        ("resolution_m=3", 3.0),
        ("steps=-3", -3),
        ("steps=10_000", 10_000),
        ("solver=lu", Solver.LU),
        ("solver=LU", Solver.LU),
        ("since=2026-11-23", datetime.date(2026, 11, 23)),
        ("data=some/where", Path("some/where")),
        ("limit=1e-3", 1e-3),
        ("limit=none", None),
        ("units=us", "us"),
        ("quick=true", True),
        ("quick=no", False),
        ('tags={"a": 1}', {"a": 1}),
        ("mesh.size=2.5e3 m", Quantity(2500.0, "m")),
        ("mesh.orders=3,4", (3, 4)),
        ("constants.mesh.orders=[5]", (5,)),
        ('words=a,"b, c"', ["a", "b, c"]),
        ("words=", []),
    ],
)
def test_constants_from_the_command_line(setting, value):
    made = INPUTS.changed([setting]).constants
    for name in setting.partition("=")[0].removeprefix("constants.").split("."):
        made = getattr(made, name)
    assert made == value
    assert type(made) is type(value)
    assert INPUTS.constants == Constants(), "the inputs themselves stay"


def test_axes_from_the_command_line():
    changed = INPUTS.changed(["vintages=2015", "boroughs=LYON_1,LYON_9"])
    assert [tuple(point.values()) for point in changed.points] == [(2015, "LYON_1"), (2015, "LYON_9")]
    parameters = Inputs(Constants(), Parameters()).changed(["parameters.vintages=1,2", "boroughs=a,b", "threshold=1"])
    assert parameters.parameters == Parameters([1, 2], ("a", "b"), 1.0)
    assert len(parameters.points) == 4
    loose = Inputs(SimpleNamespace(a=1, b=None), SimpleNamespace(x=[0.1, 1.0], y=3)).changed(["x=2,3", "a=5", "b=text"])
    assert (loose.parameters.x, loose.constants.a, loose.constants.b) == ([2.0, 3.0], 5, "text")
    assert Inputs(parameters=grid(x=[1, "a"])).changed(["x=2,b,1.5,true"]).parameters.x == [2, "b", 1.5, True]
    filtered = Inputs(parameters=(grid(x=[1, 2]) * grid(y=[1, 2])).where(lambda p: p.x >= p.y)).changed(["y=2,3"])
    assert [tuple(p.values()) for p in filtered.points] == [(2, 2)]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("resolution_m=fine", "constants.resolution_m: `fine` is not a number"),
        ("steps=2.5", "constants.steps: `2.5` is not a whole number"),
        ("solver=qr", "constants.solver: `qr` is not one of cg, lu"),
        ("since=today", "constants.since: `today` is not a date such as"),
        ("quick=perhaps", "constants.quick: `perhaps` is not a boolean"),
        ("units=metric", "constants.units: `metric` is not one of si, us"),
        ("mesh.size=25", "constants.mesh.size: `25` is not a number with a unit"),
        ("mesh.orders=1,two", "constants.mesh.orders[1]: `two` is not a whole number"),
        ("mesh.ordres=1", "constants.mesh.ordres: the experiment has no such input; did you mean `orders`?"),
        ("mesh=3", "constants.mesh: `3` is not a table"),
        ("tags={", "constants.tags: `{` is not JSON"),
        ("vintages=2009,x", "parameters.vintages[1]: `x` is not a whole number"),
        ("vintages=2009,2009", "the axis `vintages` has the value 2009 twice"),
        ("vintages=", "the axis `vintages` has no values"),
        ("vintage=2009", "vintage: the experiment has no such input; did you mean `vintages`?"),
        ("parameters.city=x", "parameters.city: the experiment has no such input"),
        ("city", "`city` sets no input"),
        ("=3", "`=3` sets no input"),
    ],
)
def test_a_mistake_on_the_command_line_is_told_with_its_path(setting, message):
    with pytest.raises(SettingsError) as caught:
        INPUTS.changed([setting])
    assert str(caught.value).startswith(message)
    assert caught.value.fix


def test_a_name_that_is_both_needs_its_group():
    inputs = Inputs({"threshold": 1.0}, Parameters())  # here threshold is a constant, not an axis
    with pytest.raises(SettingsError, match="both") as caught:
        inputs.changed(["threshold=2"])
    assert "constants.threshold" in caught.value.fix
    changed = inputs.changed(["constants.threshold=2", "parameters.threshold=3"])
    assert (changed.constants, changed.parameters.threshold) == ({"threshold": 2.0}, 3.0)


def test_values_of_a_dataclass_are_held_against_its_types():
    for constants, message in [
        (Constants(city=5), "constants.city: `5` is not a text"),
        (Constants(mesh=Mesh(size=25)), "constants.mesh.size: `25` is not a number with a unit"),
        (Constants(mesh=Mesh(orders=("one",))), "constants.mesh.orders[0]: `one` is not a whole number"),
        (Constants(steps=True), "constants.steps: `True` is not a whole number"),
    ]:
        with pytest.raises(SettingsError) as caught:
            Inputs(constants)
        assert str(caught.value) == message or str(caught.value).startswith(message)
    with pytest.raises(SettingsError, match="parameters.vintages"):
        Inputs(parameters=Parameters(vintages=["x"]))
    assert Inputs(Constants(resolution_m=3, words=["a"]), Parameters(vintages=range(3))).points


FILE = {
    "toml": """
[constants]
city = "Paris"
resolution_m = 3
since = 2026-11-23
solver = "lu"
mesh = { size = "2 m", orders = [3] }
[parameters]
vintages = [2015]
boroughs = ["PARIS_1", "PARIS_2"]
""",
    "yaml": """
constants:
  city: Paris
  resolution_m: 3
  since: 2026-11-23
  solver: lu
  mesh: {size: 2 m, orders: [3]}
parameters:
  vintages: [2015]
  boroughs: [PARIS_1, PARIS_2]
""",
    "json": json.dumps(
        {
            "constants": {
                "city": "Paris",
                "resolution_m": 3,
                "since": "2026-11-23",
                "solver": "lu",
                "mesh": {"size": "2 m", "orders": [3]},
            },
            "parameters": {"vintages": [2015], "boroughs": ["PARIS_1", "PARIS_2"]},
        }
    ),
}
READ = Constants(
    city="Paris",
    resolution_m=3.0,
    since=datetime.date(2026, 11, 23),
    solver=Solver.LU,
    mesh=Mesh(Quantity(2, "m"), (3,)),
)


@pytest.mark.parametrize("kind", FILE)
def test_a_file(tmp_path, kind):
    path = tmp_path / f"inputs.{kind}"
    path.write_text(FILE[kind])
    typed = Inputs.from_file(path, constants=Constants, parameters=Parameters)
    assert typed.constants == READ
    assert typed.parameters == Parameters([2015], ("PARIS_1", "PARIS_2"))
    assert Inputs.from_file(path).points == typed.points == INPUTS.with_file(path).points
    assert Inputs.from_file(path).constants.city == "Paris"
    assert INPUTS.with_file(path).constants == READ
    assert Inputs(Constants(), Parameters()).with_file(path).parameters == typed.parameters


def test_points_in_a_csv(tmp_path):
    path = tmp_path / "points.csv"
    path.write_text('vintages,boroughs\n2009,LYON_1\n2012,"LYON, 2"\n\n')
    inputs = Inputs.from_file(path)
    assert [tuple(point.values()) for point in inputs.points] == [(2009, "LYON_1"), (2012, "LYON, 2")]
    assert INPUTS.with_file(path).points == inputs.points
    assert INPUTS.with_file(path).constants == Constants()
    semicolons = tmp_path / "semicolons.csv"
    semicolons.write_text("vintages;boroughs\n2009;007\n")
    assert dict(Inputs.from_file(semicolons).points[0]) == {"vintages": 2009, "boroughs": "007"}
    assert dict(Inputs.from_file(semicolons, parameters=Parameters).points[0]) == {"vintages": 2009, "boroughs": "007"}


def test_points_in_a_table(tmp_path):
    path = tmp_path / "points.toml"
    path.write_text("[[points]]\nx = 1\n[[points]]\nx = 2\n")
    assert Inputs.from_file(path).points == listed([{"x": 1}, {"x": 2}])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.toml", "[constants]\ncity = 3\n", "{path}: constants.city: `3` is not a text"),
        (
            "a.toml",
            "[constants]\ncitty = 'x'\n",
            "{path}: constants.citty: the experiment has no such input; did you mean `city`?",
        ),
        (
            "a.toml",
            "[constant]\ncity = 'x'\n",
            "{path}: `constant` is not a table of inputs; did you mean `constants`?",
        ),
        ("a.toml", "[constants\n", "{path} is not TOML: "),
        ("a.json", "{", "{path} is not JSON: "),
        (
            "a.json",
            '{"parameters": {"vintages": [1], "vintages": [2]}}',
            "{path} is not JSON: `vintages` is there twice",
        ),
        ("a.json", "[]", "{path} holds no tables"),
        ("a.yaml", "a: [", "{path} is not YAML: "),
        ("a.yaml", "constants: {day: 2026-13-45}", "{path} is not YAML: month must be in 1..12"),
        ("a.yaml", "constants: 3", "{path}: constants: `3` is not a table"),
        ("a.csv", "x,x\n1,2\n", "{path}: the first line names `x` twice"),
        ("a.csv", "", "{path}: the first line is empty"),
        ("a.csv", "vintages,boroughs\n1\n", "{path}, line 2: 1 cell where the first line names 2 axes"),
        ("a.csv", "vintages\nx\n", "{path}: points[1].vintages: `x` is not a whole number"),
        (
            "a.csv",
            "vintage\n1\n",
            "{path}: points[1].vintage: the experiment has no such input; did you mean `vintages`?",
        ),
        ("a.csv", "vintages\n", "{path} is empty: nothing would be computed"),
        ("a.csv", "vintages\n1\n1\n", "{path}, row 2: Point(vintages=1) is already in row 1"),
        ("a.xlsx", "", "{path}: inputs cannot be read from this kind of file"),
    ],
)
def test_a_mistake_in_a_file_is_told_with_its_path(tmp_path, name, text, message):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        Inputs.from_file(path, constants=Constants, parameters=Parameters)
    assert str(caught.value).startswith(message.replace("{path}", str(path)))
    assert caught.value.fix


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "unclosed.csv").write_text('vintages\n"' + "1\n" * 2**24)
    with pytest.raises(SettingsError, match=r"unclosed.csv is not CSV: field larger than field limit \(16777216\)"):
        Inputs.from_file(tmp_path / "unclosed.csv")
    with pytest.raises(SettingsError, match="no such file"):
        Inputs.from_file(tmp_path / "nowhere.toml")
    (tmp_path / "latin.toml").write_bytes("[constants]\ncity = 'é'".encode("latin-1"))
    with pytest.raises(SettingsError, match="UTF-8"):
        Inputs.from_file(tmp_path / "latin.toml")


def test_models_of_pydantic(tmp_path):
    inputs = Inputs(Model(), Axes())
    assert [dict(point) for point in inputs.points] == [{"vintages": 2009}]
    changed = inputs.changed(["constants.cells=20", "parameters.vintages=1,2"])
    assert (changed.constants.cells, changed.parameters.vintages) == (20, [1, 2])
    with pytest.raises(SettingsError, match="constants.cells: Input should be greater than 0"):
        inputs.changed(["constants.cells=-1"])
    path = tmp_path / "a.toml"
    path.write_text("[constants]\ncells = 'x'\n")
    with pytest.raises(SettingsError, match="constants.cells: Input should be a valid integer"):
        Inputs.from_file(path, constants=Model)
    assert inputs.narrowed(inputs.points).parameters == Axes()


def test_what_a_class_of_ones_own_refuses_is_told():
    @dataclass(frozen=True)
    class Positive:
        x: int = 1

        def __post_init__(self):
            if self.x < 0:
                raise ValueError("x must not be negative")

    with pytest.raises(SettingsError, match="constants: x must not be negative"):
        Inputs(Positive()).changed(["x=-1"])


def test_quantities():
    assert Quantity.parse("25 m") == Quantity(25, "m")
    assert str(Quantity.parse("1.5e-3mol/l")) == "0.0015 mol/l"
    assert float(Quantity.parse("-3 °C")) == -3.0
    for written in ("25", "m", "", "2 5 m 3"):
        with pytest.raises(SettingsError):
            Quantity.parse(written)


def test_as_json():
    said = Inputs(Constants(), grid(day=[datetime.date(2020, 1, 1)], x=[None, 1])).as_json()
    assert json.loads(json.dumps(said)) == said
    assert said["parameters"] == {"day": ["2020-01-01"], "x": [None, 1]}
    assert (said["points"], said["sweep"]) == (2, "1 day × 2 x")
    assert said["constants"]["mesh"] == {"size": "25 m", "orders": [1, 2]}


def test_narrowed_parameters_of_any_make():
    for parameters in (Parameters(), SimpleNamespace(vintages=[2009, 2012], boroughs=("LYON_1",), threshold=0.5)):
        inputs = Inputs(Constants(), parameters)
        narrowed = inputs.narrowed([inputs.points[1]])
        assert narrowed.parameters.vintages == [2012]
        assert narrowed.parameters.boroughs == ("LYON_1",)
        assert narrowed.parameters.threshold == 0.5
        assert list(narrowed.points) == [inputs.points[1]]
        assert parameters.vintages == [2009, 2012]


def test_a_quantity_of_another_unit_is_refused(tmp_path):
    inputs = Inputs(Constants(), grid(depth=[Quantity(1, "m"), Quantity(2, "m")]))
    (tmp_path / "a.toml").write_text('[constants]\nmesh = { size = "25 kg" }\n')
    (tmp_path / "b.toml").write_text('[parameters]\ndepth = ["1 s"]\n')
    asked = [
        lambda: inputs.changed(["mesh.size=25 kg"]),
        lambda: inputs.changed(["depth=1 m,2 s"]),
        lambda: inputs.with_file(tmp_path / "a.toml"),
        lambda: inputs.with_file(tmp_path / "b.toml"),
        lambda: Inputs.from_file(tmp_path / "a.toml", constants=Constants),
    ]
    for ask in asked:
        with pytest.raises(SettingsError, match="the value is defined in `m`") as refused:
            ask()
        assert "never converted" in refused.value.fix


def test_null_is_none_where_no_type_says_otherwise():
    loose = Inputs(SimpleNamespace(limit=None), grid(depth=[None, 3], kind=["a", None]))
    assert loose.changed(["limit=null"]).constants.limit is None
    assert loose.changed(["limit=5"]).constants.limit == 5
    assert loose.changed(["depth=4,null"]).points.depth == [4, None]
    assert loose.changed(["kind=007,null"]).points.kind == ["007", None], "the other values are texts"
    assert Inputs(None, grid(kind=["a"])).changed(["kind=null"]).points.kind == ["null"], "an axis of texts stays one"


def test_points_of_a_file_have_every_axis(tmp_path):
    (tmp_path / "points.toml").write_text("[[points]]\na = 1\nb = 2\n[[points]]\na = 2\n")
    inputs = Inputs(None, grid(a=[1], b=[1]))
    with pytest.raises(SettingsError, match=r"points\[2\] has no `b`"):
        inputs.with_file(tmp_path / "points.toml")
    chained = Inputs(None, grid(a=[1], b=[1]) + grid(a=[2]))
    assert len(chained.with_file(tmp_path / "points.toml").points) == 2


@dataclass(frozen=True)
class WrongDefaults:
    radius: float = "big"
    steps: int = None


@dataclass(frozen=True)
class WrongAxis:
    sizes: list[int] = (1, "two")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Inputs(WrongDefaults(), grid(n=[1])), "constants.radius: `big` is not a number"),
        (lambda: Inputs(parameters=WrongAxis()), "parameters.sizes[1]: `two` is not a whole number"),
    ],
)
def test_a_default_is_held_against_its_type(make, message):
    with pytest.raises(SettingsError) as told:
        make()
    assert message in str(told.value)


def test_a_default_of_none_means_not_given():
    assert Inputs(WrongDefaults(radius=1), grid(n=[1])).constants.steps is None


@pytest.mark.parametrize("parameters", [{"n": [1], "size": [2]}, grid(n=[1]) * grid(size=[2]), listed([{"size": 2}])])
def test_a_constant_has_not_the_name_of_an_axis(parameters):
    with pytest.raises(SettingsError, match="size: both a constant and an axis"):
        Inputs(SimpleNamespace(size=3), parameters)
