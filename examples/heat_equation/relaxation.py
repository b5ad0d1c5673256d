"""How much over-relaxation? The steady temperature of a plate, one edge of which is hot, by successive over-relaxation.

A search for the factor with which 800 sweeps come nearest to the solution. Tasks report their residual on the way, and those that promise
too little are stopped; not in the first half, in which the best factors look the worst. Theory (Young 1950): the best one is
2 / (1 + sin(π / cells)), 1.969 here, in the limit of many sweeps.
"""

from dataclasses import dataclass

from hera.workflows import DAG, Parameter, Script, Task, Workflow
from hera.workflows.models import ValueFrom

from hera_utils import Experiment, Inputs, main, search


@dataclass(frozen=True)
class Constants:
    cells: int = 200
    sweeps: int = 800
    image: str = "python:3-numpy"


def relax(factor: float, cells: int, sweeps: int):
    """Red points, then black ones, each from its four neighbours."""
    import sys

    import numpy as np

    plate = np.zeros((cells + 1, cells + 1))
    plate[0, 1:-1] = 1.0  # the hot edge
    rows, columns = np.indices((cells - 1, cells - 1))
    colours = [((rows + columns) % 2 == colour).astype(float) for colour in (0, 1)]

    def residual():
        return (plate[:-2, 1:-1] + plate[2:, 1:-1] + plate[1:-1, :-2] + plate[1:-1, 2:]) / 4 - plate[1:-1, 1:-1]

    for sweep in range(1, sweeps + 1):
        for colour in colours:
            plate[1:-1, 1:-1] += factor * colour * residual()
        if sweep % (sweeps // 20) == 0:
            left = float(np.log10(np.max(np.abs(residual()))))
            # what hera_utils.report_step writes, for an image that has no hera_utils
            print(f"hera-utils: step {sweep} value {left}", file=sys.stderr, flush=True)
    with open("/tmp/residual", "w") as file:
        file.write(repr(left))


def define(environment, inputs, layout):
    constants, registry = inputs.constants, environment.registry
    with Workflow(generate_name="relaxation-", entrypoint="points") as w:
        relax_c = Script(
            name="relax",
            image=f"{registry}/{constants.image}" if registry else constants.image,
            source=relax,
            outputs=[Parameter(name="residual", value_from=ValueFrom(path="/tmp/residual"))],
        )
        with DAG(name="points"):
            for point in inputs.points:
                given = point.arguments | {"cells": constants.cells, "sweeps": constants.sweeps}
                Task(name=f"relax-{point.name}", template=relax_c, arguments=given)
    return w


experiment = Experiment(
    workflow=define,
    inputs=Inputs(
        Constants(),
        search(30, at_once=5, seed=1, minimize="residual", factor=(1.5, 2.0)).pruned(
            "median", after=Constants.sweeps // 2
        ),
    ),
    name="relaxation",
)

if __name__ == "__main__":
    run = main(experiment)
    print(f"best factor: {run.best.point.factor:.4f}, log10 of its residual: {run.best.values[0]:.2f}")
    stopped = [trial for trial in run.trials if trial.pruned]
    sweeps = experiment.inputs.constants.sweeps
    saved = sum(1 - max(trial.steps) / sweeps for trial in stopped)
    print(f"{len(stopped)} of {len(run.trials)} points were stopped early, which saved the work of {saved:.1f} points")
