"""The results say of a task what the plan says of it, with a record that has no tasks too: one rule (experiment/task_ownership.py)."""

from documents import pod, run
from hypothesis import given, settings
from written_sweeps import sweeps, task, workflow, written

from hera_utils.experiment.entry_tasks import arguments_of, entry_tasks, items_of
from hera_utils.experiment.sweeps import grid
from hera_utils.experiment.task_ownership import task_ownership
from hera_utils.experiment.values import as_json_value, text
from hera_utils.results.results import Results
from hera_utils.runs.record import PointRow


def executed(document, begun=lambda task, item: True):
    """The document with a node for each of its tasks that has begun, as Argo writes them."""
    nodes = []
    for entry in entry_tasks(document):
        items = items_of(entry)
        if items is None:
            if begun(entry["name"], None):
                nodes.append(pod(f"wf.{entry['name']}", inputs=arguments_of(entry), templateName=entry["template"]))
            continue
        for number, item in enumerate(items):
            if begun(entry["name"], number):
                name = f"wf.{entry['name']}({number}:{text(item)})"
                nodes.append(pod(name, inputs=arguments_of(entry, item), templateName=entry["template"]))
    return {**run(*nodes), "spec": document["spec"]}


def rows_of(sweep, **more):
    return [
        PointRow(point.id, number, point.name, {axis: as_json_value(value) for axis, value in point.items()}, **more)
        for number, point in enumerate(sweep)
    ]


def owners(document, rows):
    """point id → names of the tasks that the results give it."""
    return {point.id: {row.task for row in point.tasks} for point in Results.of([document], rows).points}


def planned(document, sweep):
    ownership = task_ownership(document, sweep.axes, sweep)
    assert ownership.tasks
    items = {entry["name"]: items_of(entry) for entry in entry_tasks(document)}
    return {
        point: {name if item is None else f"{name}({item}:{text(items[name][item])})" for name, item in refs}
        for point, refs in ownership.tasks.items()
    }


@settings(max_examples=100, deadline=None)
@given(sweeps())
def test_the_plan_and_the_results_agree_where_the_record_has_no_tasks(drawn):
    sweep, style, named, fan_in = drawn
    document, _ = written(list(sweep), sweep.axes, style, named, fan_in)
    assert owners(executed(document), rows_of(sweep)) == planned(document, sweep)
    assert owners(executed(document), rows_of(sweep, workflow="wf")) == planned(document, sweep)


def test_a_constant_that_is_a_value_of_an_axis_gives_a_task_to_no_point():
    sweep = grid(n=[1, 2, 3])
    tasks = [task("stage", "stage", {"digits": "2"})]
    tasks += [task(f"t{point.n}", "work", {"n": str(point.n), "digits": "2"}) for point in sweep]
    document = workflow(*tasks)
    assert owners(executed(document), rows_of(sweep)) == planned(document, sweep)


def test_an_axis_of_one_value_need_not_be_an_argument():
    sweep = grid(n=[1, 2], solver=["cg"])
    document = workflow(*(task(f"t{point.n}", "work", {"n": str(point.n)}) for point in sweep))
    assert owners(executed(document), rows_of(sweep)) == planned(document, sweep)


def test_the_first_task_of_a_run_has_its_point_already():
    sweep = grid(n=[1, 2])
    document = workflow(*(task(f"t{point.n}", "work", {"size": str(point.n)}) for point in sweep))
    begun = executed(document, lambda name, item: name == "t2")
    assert owners(begun, rows_of(sweep)) == {sweep[0].id: set(), sweep[1].id: {"t2"}}


def test_another_workflow_of_the_run_has_no_task_of_a_point():
    """That of `gather`, say: an argument of it may happen to be a value of the sweep."""
    sweep = grid(n=[1, 2])
    document = executed(workflow(task("last", "last", {"n": "2"}), task("other", "last", {"n": "1"})))
    assert owners(document, rows_of(sweep, workflow="points")) == {point.id: set() for point in sweep}


def test_what_the_plan_cannot_decide_is_told_only_where_one_point_fits():
    """The plan calls it one unit, as `w` and `h` may be either axis; equal values fit one point whichever is which."""
    sweep = grid(width=[1, 2], height=[1, 2])
    document = workflow(*(task(f"t{n}", "area", {"w": str(p.width), "h": str(p.height)}) for n, p in enumerate(sweep)))
    assert not task_ownership(document, sweep.axes, sweep).tasks
    assert list(owners(executed(document), rows_of(sweep)).values()) == [{"t0"}, set(), set(), {"t3"}]
