"""The computation, in plain Hera."""

import json

from hera.workflows import DAG, ExistingVolume, Parameter, Script, Task, Workflow
from hera.workflows.models import ValueFrom


def solve(scheme: str, cells: int, steps: int, time: float, solution_file: str):
    """The rod at the given time, and how far it is from the exact solution at its worst place."""
    import json
    import os

    import numpy as np

    places = np.linspace(0, 1, cells + 1)
    inner = np.sin(np.pi * places[1:-1])
    ratio = time / steps * cells**2
    laplacian = np.diag(np.full(cells - 1, -2.0)) + np.eye(cells - 1, k=1) + np.eye(cells - 1, k=-1)
    identity = np.eye(cells - 1)
    if scheme == "explicit":
        forward, backward = identity + ratio * laplacian, identity
    else:
        forward, backward = identity + ratio / 2 * laplacian, identity - ratio / 2 * laplacian
    step = np.linalg.solve(backward, forward)
    for _ in range(steps):
        inner = step @ inner
    exact = np.exp(-(np.pi**2) * time) * np.sin(np.pi * places[1:-1])
    error = float(np.max(np.abs(inner - exact)))
    os.makedirs(os.path.dirname(solution_file), exist_ok=True)
    with open(solution_file, "w") as file:
        json.dump({"scheme": scheme, "cells": cells, "steps": steps, "error": error, "u": inner.tolist()}, file)
    with open("/tmp/error", "w") as file:
        file.write(repr(error))


def observe(solution_files: list, orders_file: str):
    """Between each two grids that follow one another: log(error/error) / log(cells/cells)."""
    import csv
    import json
    import math

    series = {}
    for path in solution_files:
        with open(path) as file:
            found = json.load(file)
        exponent = round(math.log(found["steps"] / found["cells"]) / math.log(found["cells"]), 1)
        kind = "linear" if exponent == 0 else "squared"
        series.setdefault((found["scheme"], kind), []).append((found["cells"], found["steps"], found["error"]))
    with open(orders_file, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["scheme", "time steps", "cells", "error", "order"])
        for (scheme, kind), members in sorted(series.items()):
            before = None
            for cells, _, error in sorted(members):
                order = "" if before is None else f"{math.log(before[1] / error) / math.log(cells / before[0]):.3f}"
                writer.writerow([scheme, kind, cells, f"{error:.3e}", order])
                before = cells, error
    with open(orders_file) as file, open("/tmp/orders", "w") as output:
        output.write(file.read())


def image(environment, name):
    return f"{environment.registry}/{name}" if environment.registry else name


def output(name):
    return Parameter(name=name, value_from=ValueFrom(path=f"/tmp/{name}"))


def volume(environment):
    persisted = environment.persisted_volume
    return ExistingVolume(name="results", claim_name=persisted.claim_name, mount_path=persisted.mount_path)


def define(environment, inputs, layout):
    """A task for each point."""
    at = layout.mounted(environment)
    with Workflow(generate_name="heat-", entrypoint="points") as w:
        solve_c = Script(
            name="solve",
            image=image(environment, inputs.constants.image),
            source=solve,
            outputs=[output("error")],
            volumes=[volume(environment)],
        )
        with DAG(name="points"):
            for point in inputs.points:
                Task(
                    name=layout.task(point),
                    template=solve_c,
                    arguments=point.arguments | {"time": inputs.constants.time, "solution_file": at.solution(point)},
                )
    return w


def gather(environment, inputs, layout):
    """The orders, once all points are there."""
    at = layout.mounted(environment)
    with Workflow(generate_name="heat-orders-", entrypoint="orders") as w:
        observe_c = Script(
            name="observe",
            image=image(environment, inputs.constants.image),
            source=observe,
            outputs=[output("orders")],
            volumes=[volume(environment)],
        )
        with DAG(name="orders"):
            files = json.dumps([at.solution(point) for point in inputs.points])
            Task(
                name="orders",
                template=observe_c,
                arguments={"solution_files": files, "orders_file": at.orders()},
            )
    return w
