"""The computation, in plain Hera: what each task does, and how tasks hang together."""

import json
import os
from pathlib import Path

from hera.workflows import DAG, ExistingVolume, Parameter, RawArtifact, Script, Task, Workflow
from hera.workflows.models import ValueFrom

HERE = Path(__file__).parent


def stage(inputs_dir):
    """Put the data on the volume."""
    import os
    import shutil

    os.makedirs(inputs_dir, exist_ok=True)
    for name in ("us_income.csv", "divisions.csv"):
        shutil.copy(f"/data/{name}", inputs_dir)


def collect(vintage, division, inputs_dir, results_dir, digits):
    """Mean income and Theil index of one division in one vintage: a file of its own on the volume."""
    import csv
    import json
    import math
    import os

    with open(f"{inputs_dir}/divisions.csv", newline="") as file:
        states = {row["state"] for row in csv.DictReader(file) if row["division"] == division}
    with open(f"{inputs_dir}/us_income.csv", newline="") as file:
        incomes = [float(row[str(vintage)]) for row in csv.DictReader(file) if row["Name"] in states]
    mean = sum(incomes) / len(incomes)
    theil = sum(income / mean * math.log(income / mean) for income in incomes) / len(incomes)
    os.makedirs(results_dir, exist_ok=True)
    with open(f"{results_dir}/{division}.json", "w") as file:
        json.dump({"states": len(incomes), "mean": mean, "theil": theil}, file)
    for name, value in (("mean", mean), ("theil", theil)):
        with open(f"/tmp/{name}", "w") as file:
            file.write(f"{value:.{int(digits)}g}")


def tabulate(results_dirs, divisions, table, digits):
    """The table of all points: Theil's index of each vintage, split into between and within divisions."""
    import csv
    import json
    import math
    import os

    lines = []
    for vintage, results_dir in results_dirs.items():
        points = []
        for division in divisions:
            with open(f"{results_dir}/{division}.json") as file:
                points.append(json.load(file))
        states = sum(point["states"] for point in points)
        mean = sum(point["states"] * point["mean"] for point in points) / states
        between = within = 0.0
        for point in points:
            share = point["states"] * point["mean"] / (states * mean)
            between += share * math.log(point["mean"] / mean)
            within += share * point["theil"]
        numbers = (mean, between + within, between, within)
        lines.append([vintage, states, *(f"{number:.{int(digits)}g}" for number in numbers)])
    os.makedirs(os.path.dirname(table), exist_ok=True)
    for path in (table, "/tmp/table.csv"):
        with open(path, "w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["vintage", "states", "mean", "theil", "between", "within"])
            writer.writerows(lines)


def image(environment):
    registry = environment.registry
    return f"{registry}/python:3.11" if registry else "python:3.11"


def volume(environment):
    persisted = environment.persisted_volume
    return ExistingVolume(name="results", claim_name=persisted.claim_name, mount_path=persisted.mount_path)


def stage_container_constructor(environment):
    return Script(
        name="stage",
        image=image(environment),
        source=stage,
        inputs=[
            Parameter(name="inputs_dir"),
            *(
                RawArtifact(
                    name=name.replace("_", "-").replace(".", "-"), path=f"/data/{name}", data=(HERE / name).read_text()
                )
                for name in ("us_income.csv", "divisions.csv")
            ),
        ],
        volumes=[volume(environment)],
    )


def collect_container_constructor(environment, constants):
    names = ("vintage", "division", "inputs_dir", "results_dir")
    return Script(
        name="collect",
        image=image(environment),
        source=collect,
        inputs=[*(Parameter(name=name) for name in names), Parameter(name="digits", value=constants.digits)],
        outputs=[Parameter(name=name, value_from=ValueFrom(path=f"/tmp/{name}")) for name in ("mean", "theil")],
        volumes=[volume(environment)],
    )


def table_container_constructor(environment, constants):
    names = ("results_dirs", "divisions", "table")
    return Script(
        name="tabulate",
        image=image(environment),
        source=tabulate,
        inputs=[*(Parameter(name=name) for name in names), Parameter(name="digits", value=constants.digits)],
        outputs=[Parameter(name="table", value_from=ValueFrom(path="/tmp/table.csv"))],
        volumes=[volume(environment)],
    )


def define(environment, inputs, layout):
    """The workflow of the points, from the three things that it depends on and nothing else."""
    mount_path = environment.persisted_volume.mount_path
    inputs_dir = os.path.join(mount_path, layout.inputs_dir())
    with Workflow(generate_name="inequality-", entrypoint="dag") as w:
        stage_c = stage_container_constructor(environment)
        collect_c = collect_container_constructor(environment, inputs.constants)
        with DAG(name="dag"):
            stage_t = Task(name="stage", template=stage_c, arguments={"inputs_dir": inputs_dir})
            for vintage in inputs.parameters.vintages:
                collect_t = Task(
                    name="collect-" + layout.container_name_postend(vintage),
                    template=collect_c,
                    arguments={
                        "vintage": vintage,
                        "division": "{{item}}",
                        "inputs_dir": inputs_dir,
                        "results_dir": os.path.join(mount_path, layout.collect_output_dir(vintage)),
                    },
                    with_items=inputs.parameters.divisions,
                )
                stage_t >> collect_t
    return w


def gather(environment, inputs, layout):
    """The workflow that runs once, when every point is done: the table."""
    mount_path = environment.persisted_volume.mount_path
    results_dirs = {
        vintage: os.path.join(mount_path, layout.collect_output_dir(vintage)) for vintage in inputs.parameters.vintages
    }
    with Workflow(generate_name="inequality-table-", entrypoint="dag") as w:
        table_c = table_container_constructor(environment, inputs.constants)
        with DAG(name="dag"):
            Task(
                name="table",
                template=table_c,
                arguments={
                    "results_dirs": json.dumps(results_dirs),
                    "divisions": json.dumps(inputs.parameters.divisions),
                    "table": os.path.join(mount_path, layout.table()),
                },
            )
    return w
