"""What a layout declares: what tasks read and write, by point; what is wrong with it, over all points."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from call_counts import calls_of
from hera_utils import Environment, Inputs, Layout, PersistedVolume, grid, names, reads, writes
from hera_utils.errors import LayoutError
from hera_utils.experiment.layout_paths import File


@dataclass(frozen=True)
class Constants:
    city: str = "Lyon"


INPUTS = Inputs(Constants(), grid(vintages=[2009, 2012], boroughs=["LYON_1", "LYON_2"]))


class ExperimentLayout(Layout):
    @reads(local=True)
    def script_data(self):
        return "incomes.csv"

    @reads
    def tiles(self, vintages):
        return [self.path("tiles", vintages, f"{part}.gml") for part in ("a", "b")]

    @writes(shared=True)
    def year(self, city, vintages):
        return self.path("collect", city, vintages)

    @writes
    def table(self, vintages, boroughs, suffix="json"):
        return self.path("collect", self.constants.city, vintages, f"{boroughs}.{suffix}")

    @writes
    def picture(self, point):
        return {"svg": f"pictures/{point.name}.svg", "png": f"pictures/./{point.name}.png"}

    @writes
    def summary(self):
        return self.path("summary.csv")

    @names
    def task(self, vintages, boroughs):
        return self.name("collect", vintages, boroughs)

    def container_name_postend(self, vintage):
        return self.name(self.constants.city, vintage)


@pytest.fixture
def layout():
    return ExperimentLayout(INPUTS.constants)


def test_what_a_point_reads_and_writes(layout):
    point = INPUTS.points[1]
    assert layout.outputs(point) == (
        File("table", "collect/Lyon/2009/LYON_2.json"),
        File("picture", "pictures/2009-lyon-2.svg"),
        File("picture", "pictures/2009-lyon-2.png"),
    )
    assert layout.outputs_of_all() == (File("summary", "summary.csv"),)
    assert layout.inputs_of(point) == (
        File("script_data", "incomes.csv", local=True),
        File("tiles", "tiles/2009/a.gml"),
        File("tiles", "tiles/2009/b.gml"),
    )
    assert layout.inputs_of_all() == (File("script_data", "incomes.csv", local=True),)
    assert layout.problems(INPUTS) == []


def test_methods_are_called_as_they_are_written_or_with_a_point(layout):
    point = INPUTS.points[0]
    assert layout.table(2009, "LYON_1") == layout.table(point) == "collect/Lyon/2009/LYON_1.json"
    assert layout.table(2009, "LYON_1", suffix="csv") == "collect/Lyon/2009/LYON_1.csv"
    assert layout.year(point) == layout.year("Lyon", 2009) == "collect/Lyon/2009"
    assert layout.picture(point)["svg"] == "pictures/2009-lyon-1.svg"
    assert layout.task(point) == "collect-2009-lyon-1"
    assert layout.container_name_postend(2009) == "lyon-2009"


def test_paths_as_tasks_see_them(layout):
    mounted = layout.mounted(Environment(persisted_volume=PersistedVolume("results", mount_path="/results/")))
    point = INPUTS.points[0]
    assert mounted.table(point) == mounted.table(2009, "LYON_1") == "/results/collect/Lyon/2009/LYON_1.json"
    assert mounted.tiles(2009) == ["/results/tiles/2009/a.gml", "/results/tiles/2009/b.gml"]
    assert mounted.picture(point)["png"] == "/results/pictures/2009-lyon-1.png"
    for name in ("task", "container_name_postend", "script_data"):
        with pytest.raises(LayoutError, match=name):
            getattr(mounted, name)
    with pytest.raises(LayoutError, match="no volume"):
        layout.mounted(Environment())


def problem(inputs=INPUTS, **methods):
    found = type("Faulty", (Layout,), methods)(inputs.constants).problems(inputs)
    assert found
    assert all(one.fix for one in found)
    return found[0]


@pytest.mark.parametrize(
    ("methods", "message", "fix"),
    [
        (
            {"table": writes(lambda self, vintages: f"{vintages}.json")},
            "the points 2009-lyon-1 and 2009-lyon-2 both write `2009.json`",
            "let it depend on `boroughs` too, or say @writes(shared=True)",
        ),
        (
            {"table": writes(lambda self, vintages, boroughs: f"{vintages}/{boroughs[:4]}")},
            "both write `2009/LYON`",
            "depend on their values",
        ),
        (
            {"one": writes(lambda self: "a.csv"), "other": writes(lambda self: "./a.csv")},
            "both write `a.csv`",
            "a folder or a file name of its own",
        ),
        (
            {"one": writes(lambda self, point: f"{point.id}"), "other": writes(lambda self, point: f"x/../{point.id}")},
            "leaves the volume",
            "without `..`",
        ),
        ({"table": writes(lambda self, point: f"/results/{point.id}")}, "returns the absolute path", "relative"),
        ({"table": reads(lambda self: "../data")}, "leaves the volume", ".."),
        ({"table": writes(lambda self, point: f"{point.id}/{'x' * 256}")}, "longer than 255 bytes", "shorten"),
        ({"table": writes(lambda self, point: point.id + "/x" * 2500)}, "more than 4000 bytes", "shorten"),
        ({"table": writes(lambda self, point: None)}, "returns None, which is not a path", "return"),
        ({"table": writes(lambda self, point: ["ok" + point.id, 3])}, "returns 3, which is not a path", "return"),
        (
            {"table": writes(lambda self, vintage: f"{vintage}")},
            "has the argument `vintage`, which is neither an axis nor a constant; did you mean `vintages`?",
            "vintages, boroughs",
        ),
        ({"task": names(lambda self, boroughs: boroughs)}, "returns 'LYON_1', which is not a legal name", "self.name"),
        ({"task": names(lambda self, point: "x" * 64)}, "not a legal name", "63"),
        ({"task": names(lambda self, vintages, boroughs: f"v{vintages}")}, "returns `v2009` for 2009-lyon-2", "depend"),
    ],
)
def test_problems(methods, message, fix):
    for name, method in methods.items():
        method.declaration.__dict__["method"] = name  # a lambda has no name
    found = problem(**methods)
    assert message in found.message
    assert fix in found.fix


def test_what_is_no_problem():
    fine = type(
        "Fine",
        (Layout,),
        {
            "year": writes(shared=True)(lambda self, vintages: f"{vintages}"),
            "task": names(lambda self, vintages: f"v{vintages}"),
        },
    )
    for name in ("year", "task"):
        vars(fine)[name].declaration.__dict__["method"] = name
    assert fine().problems(INPUTS) == []
    assert Layout().problems(INPUTS) == []
    assert Layout().outputs(INPUTS.points[0]) == ()


def test_checking_says_how_many_more():
    class Faulty(Layout):
        @writes
        def one(self, point):
            return "/absolute"

        @writes
        def other(self, point):
            return "../outside"

    with pytest.raises(LayoutError, match=r"absolute path `/absolute` \(and \d+ more\)"):
        Faulty().check(INPUTS)
    assert len(Faulty().problems(INPUTS)) == 2


def test_a_child_inherits_and_overrides():
    class Child(ExperimentLayout):
        def summary(self):
            return "elsewhere.csv"

        @writes
        def table(self, point):
            return f"tables/{point.name}"

    child = Child(Constants())
    assert child.outputs_of_all() == ()
    assert child.outputs(INPUTS.points[0])[0] == File("table", "tables/2009-lyon-1")


def test_points_of_several_shapes():
    inputs = Inputs(SimpleNamespace(), grid(solver=["lu"]) + grid(solver=["cg"], tol=[0.1]))

    class Mixed(Layout):
        @writes
        def table(self, solver, tol=None):
            return self.path(solver, f"{tol}.csv")

    assert [Mixed().outputs(point)[0].path for point in inputs.points] == ["lu/None.csv", "cg/0.1.csv"]
    assert Mixed().problems(inputs) == []


def test_each_of_many_points_costs_the_same_to_check(layout):
    class Large(Layout):
        @writes
        def table(self, vintages, boroughs, seed):
            return self.path("collect", vintages, boroughs, f"{seed}.json")

    def cost(seeds):
        boroughs = [f"LYON_{n}" for n in range(100)]
        inputs = Inputs(Constants(), grid(vintages=range(100), boroughs=boroughs, seed=range(seeds)))
        return calls_of(lambda: Large().problems(inputs))

    assert cost(4) < 2.1 * cost(2)
