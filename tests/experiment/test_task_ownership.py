"""Which task belongs to which point, and workflows without some points. The right answer is known: the documents are made from it."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from written_sweeps import parameters, sweeps, task, workflow, written

from hera_utils.experiment.entry_tasks import arguments_of, entry_tasks, items_of
from hera_utils.experiment.inputs import Inputs, grid
from hera_utils.experiment.sweeps import listed
from hera_utils.experiment.task_ownership import prune, task_ownership
from hera_utils.experiment.values import text

SWEEP = grid(vintages=[2009, 2012], boroughs=["a", "b", "c"])


def seed(inputs, *, axis="vintage", **more):
    """The seed's style: a task a vintage, an item a borough, a fan-in."""
    tasks = [
        task(
            f"collect-{vintage}",
            "collect",
            {axis: str(vintage), "borough": "{{item}}", "dir": f"/results/{vintage}"},
            withItems=list(inputs.parameters.boroughs),
            depends="stage",
        )
        for vintage in inputs.parameters.vintages
    ]
    fan_in = task("gather", "gather", {}, depends=" && ".join(one["name"] for one in tasks))
    return workflow(task("stage", "stage", {"dir": "/results"}), fan_in, *tasks, **more)


def ownership(document, sweep, points=None):
    return task_ownership(document, sweep.axes, sweep if points is None else points)


def test_the_seeds_style():
    found = ownership(seed(Inputs(parameters=SWEEP)), SWEEP)
    pieces = {(point.vintages, point.boroughs): found.tasks[point.id] for point in SWEEP}
    assert pieces[2012, "b"] == (("collect-2012", 1),)
    assert found.shared == ("stage", "gather")
    assert (found.unit_reason, found.unrequested) == ("", frozenset())
    assert "`gather` comes after the points" in found.unsplittable


def test_a_narrowed_axis_still_builds_more_than_wanted():
    wanted = [SWEEP[1], SWEEP[5]]  # 2009 b, 2012 c
    inputs = Inputs(parameters=SWEEP).narrowed(wanted)
    document = seed(inputs)
    found = ownership(document, SWEEP, inputs.points)
    assert found.unrequested == {("collect-2009", 1), ("collect-2012", 0)}
    smaller, pieces = prune(document, found, [point.id for point in wanted])
    assert {one["name"]: items_of(one) for one in entry_tasks(smaller) if items_of(one)} == {
        "collect-2009": ["b"],
        "collect-2012": ["c"],
    }
    assert pieces == {wanted[0].id: (("collect-2009", 0),), wanted[1].id: (("collect-2012", 0),)}


def test_a_whole_task_that_something_waits_for_is_skipped():
    document = seed(Inputs(parameters=SWEEP))
    found = ownership(document, SWEEP)
    keep = [point.id for point in SWEEP if point.vintages == 2012]
    tasks = {one["name"]: one for one in entry_tasks(prune(document, found, keep)[0])}
    assert tasks["collect-2009"]["when"] == "false"
    assert len(tasks["collect-2009"]["withItems"]) == 1
    assert "when" not in tasks["collect-2012"]
    assert set(tasks) == {"stage", "gather", "collect-2009", "collect-2012"}


def test_dependencies_of_dropped_tasks_only_are_dropped():
    tasks = []
    for vintage in (2009, 2012):
        tasks.append(task(f"stage-{vintage}", "stage", {"dir": f"/{vintage}"}))
        for borough in "ab":
            given = {"vintages": str(vintage), "boroughs": borough}
            tasks.append(task(f"c-{vintage}-{borough}", "collect", given, depends=f"stage-{vintage}"))
    sweep = grid(vintages=[2009, 2012], boroughs=["a", "b"])
    document = workflow(*tasks)
    found = ownership(document, sweep)
    assert (found.unit_reason, found.unsplittable) == ("", "")
    smaller, _ = prune(document, found, [sweep[3].id])
    assert [one["name"] for one in entry_tasks(smaller)] == ["stage-2012", "c-2012-b"]


def test_equal_values_of_two_axes_need_names():
    sweep = grid(width=[1, 2], height=[1, 2])
    tasks = [task(f"t{n}", "area", {"w": str(point.width), "h": str(point.height)}) for n, point in enumerate(sweep)]
    assert "name the parameter after the axis" in ownership(workflow(*tasks), sweep).unit_reason
    tasks = [
        task(f"t{n}", "area", {"width": str(point.width), "h": str(point.height)}) for n, point in enumerate(sweep)
    ]
    found = ownership(workflow(*tasks), sweep)
    assert [found.tasks[point.id] for point in sweep] == [((f"t{n}", None),) for n in range(4)]


def test_a_constant_that_happens_to_be_a_value_tells_nothing():
    sweep = grid(n=[1, 2, 3])
    tasks = [task("stage", "stage", {"digits": "2"})]
    tasks += [task(f"t{point.n}", "work", {"n": str(point.n), "digits": "2"}) for point in sweep]
    found = ownership(workflow(*tasks), sweep)
    assert found.shared == ("stage",)
    assert [found.tasks[point.id] for point in sweep] == [((f"t{n}", None),) for n in (1, 2, 3)]


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"depends": "a.Failed"}, "waits for `a.Failed`"),
        ({"arguments": parameters({"x": "{{tasks.a.outputs.result}}"})}, "reads the output of `a`"),
        ({"when": "{{=tasks['a'].outputs.result == '1'}}"}, "reads the output of `a`"),
    ],
)
def test_what_depends_on_a_points_answer_makes_one_unit(more, why):
    sweep = grid(n=[1, 2])
    tasks = [task("a", "work", {"n": "1"}), task("b", "work", {"n": "2"})]
    found = ownership(workflow(*tasks, {"name": "last", "template": "last", "depends": "a", **more}), sweep)
    assert why in found.unit_reason
    chain = {**task("c", "more", {"n": "1"}), **{key: value for key, value in more.items() if key != "arguments"}}
    other = task("d", "more", {"n": "2"})
    assert ownership(workflow(*tasks, chain, other), sweep).unit_reason == "", "a task of the same point may"


def test_values_that_no_task_is_given():
    sweep = grid(n=[1, 2])
    found = ownership(workflow(task("a", "one", {}), task("b", "two", {})), sweep)
    assert "no task gets the values of the point 1" in found.unit_reason
    assert (
        "not a DAG"
        in ownership({"spec": {"entrypoint": "c", "templates": [{"name": "c", "container": {}}]}}, sweep).unit_reason
    )
    assert ownership(workflow(task("a", "one", {})), grid(n=[1])).unit_reason == "there is only one point"


def test_a_chain_over_points_is_not_split():
    sweep = grid(n=[1, 2])
    tasks = [task("a", "work", {"n": "1"}), task("b", "work", {"n": "2"}, depends="a")]
    found = ownership(workflow(*tasks), sweep)
    assert (found.unit_reason, found.unsplittable) == ("", "the task `b` of one point waits for `a` of another")


def test_points_that_are_no_product():
    sweep = listed([{"tol": 0.1, "solver": "cg"}, {"tol": 0.01, "solver": "lu"}])
    tasks = [task(f"t{n}", "solve", {"tol": json.dumps(point.tol)}) for n, point in enumerate(sweep)]
    found = ownership(workflow(*tasks), sweep)
    assert [found.tasks[point.id] for point in sweep] == [(("t0", None),), (("t1", None),)]


def test_steps_and_items_that_are_mappings():
    sweep = grid(n=[1, 2], m=["x"])
    step = task("t", "work", {"n": "{{item.n}}", "m": "{{item.m}}"}, withItems=[{"n": n, "m": "x"} for n in (1, 2)])
    document = {"spec": {"entrypoint": "s", "templates": [{"name": "s", "steps": [[step]]}]}}
    found = ownership(document, sweep)
    assert [found.tasks[point.id] for point in sweep] == [(("t", 0),), (("t", 1),)]
    smaller, pieces = prune(document, found, [sweep[1].id])
    assert entry_tasks(smaller)[0]["withItems"] == [{"n": 2, "m": "x"}]
    assert pieces == {sweep[1].id: (("t", 0),)}
    assert entry_tasks(prune(document, found, [])[0]) == []


@settings(max_examples=150, deadline=None)
@given(sweeps(), st.data())
def test_every_point_owns_its_tasks_and_pruning_keeps_the_others(made, data):
    sweep, style, named, fan_in = made
    points = list(sweep)
    document, owned = written(points, sweep.axes, style, named, fan_in)
    found = ownership(document, sweep)
    assert found.unit_reason == ""
    assert {point: set(pieces) for point, pieces in found.tasks.items()} == owned
    assert bool(found.unsplittable) == fan_in
    keep = data.draw(st.lists(st.sampled_from([point.id for point in points]), unique=True))
    smaller, pieces = prune(document, found, keep)
    tasks = {one["name"]: one for one in entry_tasks(smaller)}
    before = {one["name"]: one for one in entry_tasks(document)}

    def values(which, piece):
        items = items_of(which[piece[0]])
        return arguments_of(which[piece[0]], None if piece[1] is None else items[piece[1]])

    for point in keep:
        assert [values(tasks, piece) for piece in pieces[point]] == [
            values(before, piece) for piece in found.tasks[point]
        ]
    runs = {
        (name, number)
        for name, one in tasks.items()
        if one.get("when") != "false"
        for number in (range(len(items_of(one))) if items_of(one) is not None else [None])
    }
    assert runs - {("stage", None), ("last", None)} == {piece for point in keep for piece in pieces[point]}
    for one in tasks.values():
        assert set((one.get("depends") or "").replace(" ", "").split("&&")) - {""} <= set(tasks), (
            "no task waits for none"
        )
    if fan_in:
        assert "last" in tasks


@settings(max_examples=60, deadline=None)
@given(sweeps(), st.data())
def test_a_definition_that_ignores_its_points_is_cut_down(made, data):
    sweep, style, named, _ = made
    points = list(sweep)
    document, owned = written(points, sweep.axes, style, named, False)
    wanted = data.draw(st.lists(st.sampled_from(points), min_size=1, unique=True))
    found = ownership(document, sweep, wanted)
    assert found.unit_reason == ""
    assert found.unrequested == {piece for point in points if point not in wanted for piece in owned[point.id]}


@pytest.mark.parametrize(
    "given",
    [
        lambda point: {"options": json.dumps(dict(point.arguments))},
        lambda point: {"options": json.dumps({"model": {"kind": "svm", **point.arguments}, "seed": 1}, indent=1)},
        lambda point: {"options": json.dumps({"depth": point.depth}), "rate": str(point.rate)},
    ],
)
def test_a_task_that_takes_its_parameters_as_one_mapping(given):
    sweep = grid(depth=[None, 3], rate=[0.1, 1e-05])
    tasks = [task(f"fit-{number}", "fit", given(point)) for number, point in enumerate(sweep)]
    found = ownership(workflow(*tasks), sweep)
    assert found.unit_reason == ""
    assert [found.tasks[point.id] for point in sweep] == [((f"fit-{number}", None),) for number in range(4)]
    items = [json.loads(given(point)["options"]) for point in sweep]
    if len(given(sweep[0])) == 1:
        looped = ownership(workflow(task("fit", "fit", {"options": "{{item}}"}, withItems=items)), sweep)
        assert [looped.tasks[point.id] for point in sweep] == [(("fit", number),) for number in range(4)]


def test_mappings_that_contradict_each_other_tell_nothing():
    sweep = grid(n=[1, 2])
    both = {"one": json.dumps({"n": 1}), "other": json.dumps({"n": 2})}
    assert (
        "no task gets the values" in ownership(workflow(task("a", "a", both), task("b", "b", both)), sweep).unit_reason
    )


def test_values_that_are_the_same_text_are_told():
    sweep = grid(n=[None, 1, "null"])
    found = ownership(workflow(*(task(f"t{k}", "work", {"n": text(p.n)}) for k, p in enumerate(sweep))), sweep)
    assert "the values of the points none and null are the same text for a task" in found.unit_reason
