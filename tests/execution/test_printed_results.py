"""What a task prints is its result, where it has no other output."""

import json

from hera.workflows import DAG, Artifact, ExistingVolume, Parameter, Steps, Workflow, script
from hera.workflows.models import ValueFrom

from hera_utils import Experiment, Inputs, grid
from hera_utils.execution.printed_results import ANNOTATION, return_printed_results


@script(image="python:3.11")
def printing(a):
    print(int(a) * 10)


@script(image="python:3.11")
def saying(a):
    print("point", a)


@script(image="python:3.11", outputs=[Parameter(name="out", value_from=ValueFrom(path="/tmp/out"))])
def writing(a):
    print("a log")
    open("/tmp/out", "w").write(a)  # noqa: SIM115


@script(image="python:3.11", outputs=[Artifact(name="out", path="/tmp/out")])
def drawing(a):
    open("/tmp/out", "w").write(a)  # noqa: SIM115


@script(image="python:3.11", volumes=[ExistingVolume(name="v", claim_name="v", mount_path="/v")])
def storing(a):
    print(a)


def workflow(inputs):
    with Workflow(generate_name="w-", entrypoint="main") as w:
        with Steps(name="pair"):
            printing(name="step", arguments={"a": "1"})
        with DAG(name="main"):
            for point in inputs.points:
                for template in (printing, writing, drawing, storing):
                    template(name=f"{template.__name__}-{point.name}", arguments=point.arguments)
    return w


INPUTS = Inputs(parameters=grid(a=[1, 2]))


def template(document, name):
    return next(one for one in document["spec"]["templates"] if one["name"] == name)


def test_argo_is_asked_for_tasks_without_another_output():
    document = workflow(INPUTS).to_dict()
    before = json.dumps(document, sort_keys=True)
    asking = return_printed_results(document)
    names = [f"printing-{point.name}" for point in INPUTS.points]
    text = " ".join(f"tasks.{name}.outputs.result" for name in names)
    assert template(asking, "main")["metadata"] == {"annotations": {ANNOTATION: text}}
    assert template(asking, "pair")["metadata"]["annotations"][ANNOTATION] == "steps.step.outputs.result"
    for name in ("main", "pair"):
        del template(asking, name)["metadata"]
    assert asking == document
    assert json.dumps(document, sort_keys=True) == before


def test_a_document_that_would_be_too_large_stays_as_it_is():
    document = workflow(INPUTS).to_dict()
    assert return_printed_results(document, fits=lambda asking: False) is document


def test_a_loop_may_print_what_is_no_json(local_platform):
    """Argo ends a DAG with an Error if a kept result of a loop is not JSON, so nothing is asked of loops."""

    def loop(environment, inputs, layout):
        with Workflow(generate_name="loop-", entrypoint="main") as w, DAG(name="main"):
            saying(name="say", arguments={"a": "{{item}}"}, with_items=inputs.parameters.a)
        return w

    run = local_platform.run(Experiment(workflow=loop, inputs=INPUTS))
    assert run.succeeded
    assert [point.outputs for point in run.results.points] == [{}, {}]


def test_annotations_of_ones_own_stay():
    document = workflow(INPUTS).to_dict()
    template(document, "main")["metadata"] = {"annotations": {"mine": "yes"}, "labels": {"l": "1"}}
    metadata = template(return_printed_results(document), "main")["metadata"]
    assert metadata["labels"] == {"l": "1"}
    assert metadata["annotations"]["mine"] == "yes"
    assert ANNOTATION in metadata["annotations"]


def define(environment, inputs, layout):
    with Workflow(generate_name="printed-", entrypoint="main") as w, DAG(name="main"):
        for point in inputs.points:
            printing(name=f"p-{point.name}", arguments=point.arguments)
    return w


def gather(environment, inputs, layout):
    with Workflow(generate_name="printed-", entrypoint="main") as w, DAG(name="main"):
        printing(name="last", arguments={"a": 7})
    return w


def test_a_first_experiment_has_a_table(local_platform):
    experiment = Experiment(workflow=define, gather=gather, inputs=INPUTS)
    run = local_platform.run(experiment)
    assert [point.outputs for point in run.results.points] == [{"result": "10"}, {"result": "20"}]
    assert run["last"].outputs == {"result": "70"}
