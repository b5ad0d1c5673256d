"""Templates replaced by functions of the test: what they are given, what their answer becomes, how they fail."""

import threading

import pytest
from hera.workflows import DAG, Container, Parameter, Script, Task, Workflow
from hera.workflows.models import ValueFrom

from hera_utils import Experiment, Inputs, grid
from hera_utils.errors import SettingsError

VINTAGES = [2009, 2012, 2015]


def written(name):
    return Parameter(name=name, value_from=ValueFrom(path=f"/tmp/{name}"))


def total(counts2009, counts2012, counts2015):
    with open("/tmp/total", "w") as file:
        file.write(str(sum(int(count) for counts in (counts2009, counts2012, counts2015) for count in counts)))


def define(environment, inputs, layout):
    """As the tour's experiment: what `collect` runs is on no machine."""
    with Workflow(generate_name="collect-", entrypoint="dag") as w:
        collect_c = Container(
            name="collect",
            image="registry.example.org/no/such:image",
            inputs=[Parameter(name="vintages"), Parameter(name="boroughs")],
            outputs=[written("count")],
        )
        fanin_c = Script(
            name="total",
            image="python:3.11",
            source=total,
            inputs=[Parameter(name=f"counts{vintage}") for vintage in inputs.parameters.vintages],
            outputs=[written("total")],
        )
        with DAG(name="dag"):
            counts = {f"counts{v}": f"{{{{tasks.collect-{v}.outputs.parameters.count}}}}" for v in VINTAGES}
            fanin_t = Task(name="fan-in", template=fanin_c, arguments=counts)
            for vintage in inputs.parameters.vintages:
                collect_t = Task(
                    name=f"collect-{vintage}",
                    template=collect_c,
                    arguments={"vintages": vintage, "boroughs": "{{item}}"},
                    with_items=inputs.parameters.boroughs,
                )
                collect_t >> fanin_t
    return w


experiment = Experiment(
    workflow=define, inputs=Inputs(parameters=grid(vintages=VINTAGES, boroughs=[f"LYON_{n}" for n in range(1, 10)]))
)


def test_the_tours_fan_in(local_platform):
    run = local_platform.run(experiment, replace={"collect": lambda vintages, **_: {"count": vintages}})
    assert run.succeeded and run["fan-in"].outputs["total"] == "54324"  # noqa: PT018  as the tour has it


def test_functions_run_here_each_in_its_thread_with_what_they_ask_for(local_platform):
    seen, threads, meeting = [], set(), threading.Barrier(2, timeout=60)

    def collect(vintages: str, boroughs):
        if boroughs in ("LYON_1", "LYON_2") and vintages == "2009":
            meeting.wait()  # the barrier breaks unless two functions run at once
        seen.append((vintages, boroughs))
        threads.add(threading.get_ident())
        return {"count": 1}

    run = local_platform.run(
        experiment, replace={"collect": collect, "total": lambda counts2009: {"total": counts2009}}
    )
    assert run.succeeded, run.outcome
    assert sorted(seen) == [(str(v), f"LYON_{n}") for v in VINTAGES for n in range(1, 10)]
    assert run["fan-in"].outputs["total"] == '["1", "1", "1", "1", "1", "1", "1", "1", "1"]'


def one(**template):
    """A workflow of one template."""
    return {
        "metadata": {"generateName": "one-"},
        "spec": {"entrypoint": "a", "templates": [{"name": "a", **template}], "arguments": ARGUMENTS},
    }


ARGUMENTS = {
    "parameters": [{"name": "n", "value": "2"}, {"name": "words", "value": "a 'b' \"c\"\n{d}"}],
    "artifacts": [{"name": "some-data", "raw": {"data": "1,2\n3,4\n"}}],
}
INPUTS = {
    "parameters": [{"name": "n"}, {"name": "words"}],
    "artifacts": [{"name": "some-data", "path": "/tmp/data.csv"}],
}
CONTAINER = {"image": "registry.example.org/no/such:image", "command": ["no-such-command"]}


def test_what_a_function_is_given(local_platform):
    seen = {}
    run = local_platform.run(one(container=CONTAINER, inputs=INPUTS), replace={"a": lambda **given: seen.update(given)})
    assert run.succeeded, run.outcome
    assert seen == {"n": 2, "words": "a 'b' \"c\"\n{d}", "some_data": "1,2\n3,4\n"}

    def typed(n: str, some_data: bytes):
        seen.update(n=n, some_data=some_data)

    local_platform.run(one(container=CONTAINER, inputs=INPUTS), replace={"a": typed})
    assert (seen["n"], seen["some_data"]) == ("2", b"1,2\n3,4\n")


def test_what_its_answer_becomes(local_platform):
    outputs = {
        "parameters": [{"name": "count", "valueFrom": {"path": "/data/some/count"}}],
        "artifacts": [{"name": "table", "path": "/data/table.csv", "archive": {"none": {}}}],
    }
    run = local_platform.run(
        one(container=CONTAINER, inputs=INPUTS, outputs=outputs),
        replace={"a": lambda n: {"count": [n, None], "table": "x" * 100_000}},
    )
    assert run.succeeded, run.outcome
    (task,) = run.results
    assert (task.outputs["count"], task.artifacts) == ("[2, null]", ("table",))


def test_a_result(local_platform):
    tasks = [
        {"name": "first", "template": "a"},
        {
            "name": "second",
            "template": "b",
            "depends": "first",
            "arguments": {"parameters": [{"name": "n", "value": "{{tasks.first.outputs.result}}"}]},
        },
    ]
    templates = [
        {"name": "dag", "dag": {"tasks": tasks}},
        {"name": "a", "container": CONTAINER},
        {"name": "b", "container": CONTAINER, "inputs": {"parameters": [{"name": "n"}]}},
    ]
    seen = []
    run = local_platform.run(
        {"metadata": {"generateName": "two-"}, "spec": {"entrypoint": "dag", "templates": templates}},
        replace={"a": lambda: [1, "two"], "b": lambda n: seen.append(n)},
    )
    assert run.succeeded, run.outcome
    assert (run["first"].outputs["result"], seen) == ('[1, "two"]', [[1, "two"]])


@pytest.mark.parametrize(
    "template",
    [
        {
            "dag": {"tasks": [{"name": "b", "template": "b"}]},
            "outputs": {"parameters": [{"name": "x", "valueFrom": {"parameter": "{{tasks.b.outputs.result}}"}}]},
        },
        {"suspend": {}, "outputs": {"parameters": [{"name": "x", "valueFrom": {"supplied": {}}}]}},
        {
            "resource": {"action": "get", "manifest": "{}"},
            "outputs": {"parameters": [{"name": "x", "valueFrom": {"jsonPath": "{.status}"}}]},
        },
    ],
)
def test_templates_of_every_kind(local_platform, template):
    run = local_platform.run(one(**template), replace={"a": lambda: {"x": 1.5}})
    assert run.succeeded, run.outcome
    assert run.results[0].outputs["x"] == "1.5"


def test_a_function_that_raises_is_a_task_that_fails(local_platform):
    def fails(n):
        raise ValueError(f"no {n} here")

    run = local_platform.run(one(container=CONTAINER, inputs=INPUTS), replace={"a": fails})
    assert run.phase == "Failed"
    assert run.results[0].message == "main: Error (exit code 1): ValueError: no 2 here"
    assert "ValueError: no 2 here" in local_platform.logs(run)
    assert any('raise ValueError(f"no {n} here")' in line for line in local_platform.logs(run))


def test_a_task_is_tried_again_as_it_says(local_platform):
    tries = []

    def once_more(n):
        tries.append(n)
        if len(tries) < 3:
            raise OSError

    template = {"container": CONTAINER, "inputs": INPUTS, "retryStrategy": {"limit": 3}}
    run = local_platform.run(one(**template), replace={"a": once_more})
    assert (run.succeeded, tries) == (True, [2, 2, 2])
    assert run.results[0].attempts == 3


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({}, "the replacement of `a` returned no `count`; it returned: nothing"),
        ({"cuont": 1}, "the template `a` has no output `cuont`; it has: count"),
    ],
)
def test_an_answer_that_does_not_fit_is_told(local_platform, answer, message):
    outputs = {"parameters": [{"name": "count", "valueFrom": {"path": "/tmp/count"}}]}
    run = local_platform.run(one(container=CONTAINER, outputs=outputs), replace={"a": lambda: answer})
    assert run.results[0].message.endswith(message)


@pytest.mark.parametrize(
    ("replace", "message"),
    [
        ({"colect": lambda: None}, "no template is named `colect`; did you mean `collect`?"),
        (
            {"collect": lambda vintage: None},
            "takes `vintage`, which is not an input of that template; did you mean `vint",
        ),
        ({"collect": 3}, "the template `collect` cannot be replaced by 3"),
    ],
)
def test_functions_that_fit_no_template_are_refused_before_the_run(local_platform, replace, message):
    with pytest.raises(SettingsError, match=message.replace("?", "\\?")) as caught:
        local_platform.run(experiment, replace=replace)
    assert caught.value.fix
    assert local_platform.client.list() == []


def test_the_workflow_that_is_given_is_left_as_it_was(local_platform):
    document = one(container=CONTAINER, inputs=INPUTS)
    before = repr(document)
    local_platform.run(document, replace={"a": lambda n: None})
    assert repr(document) == before
