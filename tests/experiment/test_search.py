"""Searches without a platform: what is asked and told, what is refused, and that the same results give the same points."""

import math
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hera_utils import Inputs, SettingsError, grid, logarithmic, report_step, search
from hera_utils.experiment import optuna_sampler
from hera_utils.experiment.points import Point
from hera_utils.experiment.search import SearchProgress, design_of, known_points
from hera_utils.experiment.search_design import FAILED, PRUNED, Trial, best
from hera_utils.runs.step_reports import steps_of

pytest.importorskip("optuna")


class Silent:
    def ask(self, n):
        return [{"x": 0.5}] * n


class Bisection:
    """Where a rising function is zero."""

    def __init__(self, low, high, width=1e-3):
        self.low, self.high, self.width = low, high, width

    def ask(self, n):
        return [{"x": (self.low + self.high) / 2}] if self.high - self.low > self.width else []

    def tell(self, results):
        for result in results:
            if result["result"] < 0:
                self.low = result.point.x
            else:
                self.high = result.point.x


def carried_out(sweep, compute, *, told=None):
    """Run a search to its end; returns it with the number of computed points. told: the known results, by id."""
    course, computed = SearchProgress(design_of(sweep)), 0
    while points := course.next():
        trials = []
        for point in points:
            known = (told or {}).get(point.id)
            computed += known is None
            trials.append(known or compute(point))
        course.settle(trials)
    return course, computed


def bowl(point):
    return Trial(point, outputs={"loss": (point.x - 1) ** 2 + (point.y + 2) ** 2})


AXES = {"x": (-5.0, 5.0), "y": (-5.0, 5.0)}


def bowl_search(count=30, **more):
    return search(count, **{"at_once": 4, "seed": 7, "minimize": "loss", "x": (-5.0, 5.0), "y": (-5.0, 5.0)} | more)


def test_a_search_finds_the_least_value():
    course, computed = carried_out(bowl_search(60), bowl)
    assert computed == len(course.points) == 60
    (found,) = best(course.design, course.trials.values())
    assert found.values[0] < 0.3
    assert found["loss"] == found.values[0]


def test_the_first_round_is_what_is_known_at_first():
    sweep = bowl_search()
    assert len(sweep) == 4
    assert sweep.description == "at most 30 points, 4 at once (search by tpe over x, y: minimize loss)"
    assert [point.id for point in sweep] == [point.id for point in bowl_search()]
    assert len({point.name for point in sweep}) == 4
    more = SearchProgress(design_of(sweep))
    first = more.next()
    more.settle(map(bowl, first))
    known = known_points(sweep, [*first, *more.next()])
    assert len(known) == 8
    assert [point.name for point in known][:4] == [point.name for point in sweep], "names stay when points are added"


def test_all_kinds_of_axes():
    sweep = search(
        40, at_once=40, minimize="loss", a=(0, 1), b=logarithmic(1e-4, 1), c=range(3, 12, 2), d=["lu", None, (1, 2)]
    )
    for point in sweep:
        assert 0 <= point.a <= 1
        assert 1e-4 <= point.b <= 1
        assert point.c in range(3, 12, 2)
        assert point.d in ["lu", None, (1, 2)]
    assert {point.d for point in sweep} == {"lu", None, (1, 2)}


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 5),
    st.sampled_from(["tpe", "random", "nsga2"]),
    st.integers(1, 5),
    st.integers(0, 24),
    st.integers(0, 3),
)
def test_a_search_that_is_repeated_asks_for_no_other_point(seed, sampler, at_once, known, failing):
    """On resuming, a new sampler with the known results chooses the same points, and known points are not computed again."""
    sweep = bowl_search(25, seed=seed, sampler=sampler, at_once=at_once)

    def compute(point):
        return Trial(point, FAILED) if int(point.id[0], 16) < failing else bowl(point)

    whole, _ = carried_out(sweep, compute)
    left = dict(list(whole.trials.items())[:known])
    again, computed = carried_out(sweep, compute, told=left)
    assert list(again.points) == list(whole.points)
    assert computed == 25 - len(left)


def test_pruning_repeated_is_the_same():
    sweep = search(24, at_once=4, seed=2, minimize="loss", x=(0.0, 1.0)).pruned("median")

    def compute(course, point):
        steps = {}
        for step in range(6):
            steps[step] = (point.x - 0.3) ** 2 + 1 / (step + 1)
            if course.prune(point, steps):
                return Trial(point, PRUNED, steps=dict(steps))
        return Trial(point, outputs={"loss": steps[5]}, steps=steps)

    courses = []
    for _ in range(2):
        course = SearchProgress(design_of(sweep))
        while points := course.next():
            course.settle([compute(course, point) for point in points])
        courses.append(course)
    assert [one.status for one in courses[0].trials.values()] == [one.status for one in courses[1].trials.values()]
    stopped = sum(trial.pruned for trial in courses[0].trials.values())
    assert 3 <= stopped < 20
    replayed, computed = carried_out(sweep, None, told=courses[0].trials)
    assert list(replayed.points) == list(courses[0].points)
    assert computed == 0


def test_no_point_is_stopped_before_its_time():
    course = SearchProgress(design_of(search(9, minimize="loss", x=(0.0, 1.0)).pruned("median", after=5)))
    for _ in range(8):
        (point,) = course.next()
        course.settle([Trial(point, outputs={"loss": 0.0}, steps={3: 0.0, 5: 0.0})])
    (point,) = course.next()
    assert not course.prune(point, {3: 9.0})
    assert course.prune(point, {3: 9.0, 5: 9.0})


def test_a_sampler_of_ones_own():
    sampler = Bisection(0.0, 2.0)
    course, computed = carried_out(search(50, sampler=sampler), lambda p: Trial(p, outputs={"result": p.x**3 - 2}))
    assert computed == 11
    assert abs(course.sampler.low - 2 ** (1 / 3)) < 1e-3
    assert (sampler.low, sampler.high) == (0.0, 2.0), "the script's own object stays as it was"


def test_a_point_that_is_asked_for_again_is_computed_once():
    class Twice:
        def __init__(self):
            self.seen = []

        def ask(self, n):
            return [{"x": 1}, {"x": 2}, {"x": 1}][:n] if len(self.seen) < 6 else []

        def tell(self, results):
            self.seen += [result["loss"] for result in results]

    course, computed = carried_out(search(9, sampler=Twice(), at_once=3), lambda p: Trial(p, outputs={"loss": p.x}))
    assert computed == 2
    assert course.sampler.seen == [1, 2, 1, 1, 2, 1]


def test_a_small_space_ends_a_search():
    _, computed = carried_out(
        search(50, minimize="loss", n=[1, 2, 3]), lambda point: Trial(point, outputs={"loss": point.n})
    )
    assert computed == 3


def test_a_sampler_that_knows_its_points_ends_the_search():
    from optuna.samplers import GridSampler

    sweep = search(
        99, at_once=4, minimize="loss", sampler=GridSampler({"x": [0.0, 1.0, 2.0], "y": [-2.0, 0.0]}), **AXES
    )
    course, computed = carried_out(sweep, bowl)
    assert computed == 6
    assert best(course.design, course.trials.values())[0].values == (0.0,)


def test_what_optuna_refuses_is_one_sentence():
    from optuna.samplers import GridSampler

    with pytest.raises(SettingsError, match="Optuna refuses this search"):
        len(search(9, minimize="loss", sampler=GridSampler({"z": [0.0, 1.0]}), **AXES))


def test_several_objectives_have_a_front():
    sweep = search(40, at_once=8, seed=1, minimize="cost", maximize=["yield_"], sampler="nsga2", x=(0.0, 1.0))
    course, _ = carried_out(sweep, lambda p: Trial(p, outputs={"cost": p.x**2, "yield_": p.x * (1.4 - p.x)}))
    front = best(course.design, course.trials.values())
    assert 1 < len(front) < 40
    assert all(trial.point.x <= 0.7 + 1e-9 for trial in front if trial is not max(front, key=lambda t: t.values[1]))


def test_what_is_no_number_counts_as_failed():
    course, _ = carried_out(bowl_search(8), lambda point: Trial(point, outputs={"loss": math.nan}))
    assert [trial.failed for trial in course.trials.values()] == [True] * 8
    assert best(course.design, course.trials.values()) == []


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: search(0, minimize="l", x=(0, 1)), "0 points cannot be searched"),
        (lambda: search(5, at_once=0, minimize="l", x=(0, 1)), "0 points at once"),
        (lambda: search(5, minimize="l", seed="a", x=(0, 1)), "'a' is no seed"),
        (lambda: search(5, minimize=3, x=(0, 1)), "3 names no output"),
        (lambda: search(5, minimize="l", x=(0, 1)).pruned(after="b"), "'b' is no step"),
        (lambda: search(5, minimize="l", sampler="tpee", x=(0, 1)), "no sampler is called 'tpee'"),
        (lambda: search(5, minimize="l", sampler=7, x=(0, 1)), "7 is no sampler"),
        (lambda: search(5, sampler=Silent(), x=(0, 1)), "the sampler Silent has no method `tell`"),
        (lambda: search(5, minimize="l"), "without axes"),
        (lambda: search(5, x=(0, 1)), "needs an objective"),
        (lambda: search(5, minimize="l", maximize="l", x=(0, 1)), "`l` twice"),
        (lambda: search(5, minimize="l", x=(1, 0)), "the axis `x` goes from 1.0 to 0.0"),
        (lambda: search(5, minimize="l", x=(0, 1)).pruned("medium"), "no pruner is called 'medium'"),
        (lambda: search(5, minimize=["l", "m"], x=(0, 1)).pruned(), "2 objectives cannot be pruned"),
        (lambda: search(5, sampler=Bisection(0, 1)).pruned(), "not one of Optuna's"),
        (lambda: bowl_search().where(lambda point: point.x > 0), "cannot be filtered"),
        (lambda: bowl_search().repeated(3), "cannot be repeated"),
        (lambda: bowl_search() + grid(x=[1]), "cannot be chained"),
        (lambda: grid(z=[1]) * bowl_search(), "cannot be chained or multiplied"),
        (lambda: Inputs(parameters=bowl_search()).changed(["x=1,2"]), "`x` cannot be given other values"),
    ],
)
def test_mistakes_are_told_at_once(make, message):
    with pytest.raises(SettingsError, match=message.replace("(", r"\(")) as raised:
        make()
    assert raised.value.fix


def test_an_output_that_a_trial_has_not_is_told_with_those_it_has():
    trial = Trial(Point({"x": 1}), outputs={"loss": 2.0})
    assert trial["loss"] == 2.0
    with pytest.raises(KeyError, match="has no output `nope`; its outputs are: loss"):
        trial["nope"]


class Asks:
    def __init__(self, answer):
        self.answer = answer

    def ask(self, n):
        return self.answer

    def tell(self, results):
        raise AssertionError("nothing is told of points that cannot be computed")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"x": 1}, "is not a list of points"),
        (7, "is not a list of points"),
        ([1.5], "is not a mapping"),
        ([{"x": 1}, {"x": 2}], "2 points where 1 were asked for"),
        ([{"items": 1}], "`items` cannot name an axis"),
        ([{"x": object()}], "cannot be an input"),
        ([], "asks for no point at all"),
        (None, "asks for no point at all"),
    ],
)
def test_a_sampler_that_asks_nonsense_is_told(answer, message):
    with pytest.raises(SettingsError, match=message):
        len(search(5, sampler=Asks(answer)))


def test_a_sampler_that_asks_for_another_axis_is_told():
    course = SearchProgress(design_of(search(5, sampler=Asks([{"x": 1, "y": 2}]), x=(0, 1))))
    with pytest.raises(SettingsError, match="Asks cannot be used: `ask` returned a point with `y`; the axes are: x"):
        course.next()
    course = SearchProgress(design_of(search(5, sampler=Asks([{"x": 1}]), x=(0, 1), y=(0, 1))))
    with pytest.raises(SettingsError, match="returned a point without `y`"):
        course.next()


def test_an_objective_that_no_task_returns_and_one_that_is_no_number():
    course = SearchProgress(design_of(bowl_search()))
    points = course.next()
    with pytest.raises(SettingsError, match="has an output `loss`, which the search looks at; its outputs are: error"):
        course.settle([Trial(point, outputs={"error": 1.0}) for point in points])
    with pytest.raises(SettingsError, match="is 'high', which is not a number"):
        course.settle([Trial(point, outputs={"loss": "high"}) for point in points])


def test_without_optuna_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(SettingsError, match="needs Optuna") as raised:
        len(bowl_search())
    assert "hera_utils[search]" in raised.value.fix
    assert len(search(9, sampler=Bisection(0, 1))) == 1


def test_what_a_sampler_lacks_is_said(monkeypatch):
    monkeypatch.setattr(optuna_sampler, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"needs a package that is not installed \(cmaes\)") as raised:
        len(bowl_search(sampler="cmaes"))
    assert raised.value.fix.startswith("pip install cmaes")


def test_two_searches_differ_by_what_they_are_made_of():
    def digest(**more):
        return Inputs(parameters=bowl_search(**more)).digest

    assert digest() == digest()
    assert len({digest(), digest(seed=8), digest(at_once=5), digest(x=(0.0, 5.0)), digest(count=31)}) == 5
    assert Inputs(parameters=bowl_search()).as_json()["search"]["seed"] == 7


def test_what_a_task_reports(capsys):
    report_step(3, 0.125)
    report_step(4, float("nan"))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "hera-utils: step 3 value 0.125"
    steps = steps_of(["noise", *lines, "hera-utils: step 3 value 0.5", "hera-utils: step x value 1"])
    assert steps[3] == 0.5
    assert math.isnan(steps[4])
    with pytest.raises(ValueError, match="a step is a whole number"):
        report_step(1.5, 0)
