"""Where is Branin's function least? It is known: 0.397887 at (-π, 12.275), (π, 2.275) and (9.42478, 2.475)."""

from hera.workflows import DAG, Workflow, script

from hera_utils import Experiment, main, search


@script(image="python:3.11")
def branin(x: float, y: float):
    import math

    valley = y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6
    print(valley**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10)


def define(environment, inputs, layout):
    """A task for each point, as in every sweep: inputs.points are those of one round."""
    with Workflow(generate_name="branin-", entrypoint="points") as w, DAG(name="points"):
        for point in inputs.points:
            branin(name=f"branin-{point.name}", arguments=point.arguments)
    return w


experiment = Experiment(
    workflow=define,
    inputs=search(60, at_once=5, seed=4, minimize="result", x=(-5.0, 10.0), y=(0.0, 15.0)),
    name="branin",
)

if __name__ == "__main__":
    run = main(experiment)
    print(f"least: {run.best.values[0]:.6f} at {dict(run.best.point)}")
