"""The text of an expanded plan: what it shows, and that it is the same whoever asks."""

import subprocess
import sys

from hera.workflows import DAG, Container, Parameter, Task, Workflow

from hera_utils import Experiment, Inputs, grid

EXPECTED = """\
4 points: 2 vintages × 2 boroughs
  2009-lyon-1  {ids[0]}
  2009-lyon-2  {ids[1]}
  2012-lyon-1  {ids[2]}
  2012-lyon-2  {ids[3]}

Workflow collect-…
  collect-2009(0:LYON_1)  → collect
      vintages: 2009
      boroughs: LYON_1
  collect-2009(1:LYON_2)  → collect
      vintages: 2009
      boroughs: LYON_2
  collect-2012(0:LYON_1)  → collect
      vintages: 2012
      boroughs: LYON_1
  collect-2012(1:LYON_2)  → collect
      vintages: 2012
      boroughs: LYON_2
  after  → after  depends collect-2009 && collect-2012

  template collect
    container:
      command: ["collect"]
      image: lab/collect@sha256:…
    inputs:
      parameters:
        vintages:
        boroughs:

  template after
    container:
      command: ["true"]
      image: python:…

Workflow gather-…

  template gather
    container:
      image: busybox
"""


def define(environment, inputs, layout):
    with Workflow(generate_name="collect-", entrypoint="dag") as w:
        parameters = [Parameter(name="vintages"), Parameter(name="boroughs")]
        image = "lab/collect@sha256:" + 64 * "0"
        collect = Container(name="collect", image=image, command=["collect"], inputs=parameters)
        last = Container(name="after", image="python:3.11.4", command=["true"])
        with DAG(name="dag"):
            tasks = [
                Task(
                    name=f"collect-{vintage}",
                    template=collect,
                    arguments={"vintages": vintage, "boroughs": "{{item}}"},
                    with_items=inputs.parameters.boroughs,
                )
                for vintage in inputs.parameters.vintages
            ]
            tasks >> Task(name="after", template=last)
    return w


def gather(environment, inputs, layout):
    with Workflow(generate_name="gather-", entrypoint="gather") as w:
        Container(name="gather", image="busybox")
    return w


inputs = Inputs(parameters=grid(vintages=[2009, 2012], boroughs=["LYON_1", "LYON_2"]))
experiment = Experiment(workflow=define, gather=gather, inputs=inputs)


def test_the_text(local_platform):
    text = local_platform.plan(experiment)
    lines = [line.rstrip() for line in text.splitlines()]
    wanted = EXPECTED.format(ids=[point.id for point in inputs.points]).splitlines()
    assert lines == wanted
    assert text == local_platform.plan(experiment)
    assert local_platform.client.list() == [], "nothing was sent"


def test_ids_are_the_same_in_every_process():
    code = (
        "from hera_utils import grid; print([p.id for p in grid(vintages=[2009, 2012], boroughs=['LYON_1', 'LYON_2'])])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == str([point.id for point in inputs.points])


def test_a_workflow_alone(local_platform):
    text = local_platform.plan({"metadata": {"name": "x"}, "spec": {"entrypoint": "a", "templates": [{"name": "a"}]}})
    assert text.startswith("Workflow x\n")
