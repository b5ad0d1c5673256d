"""A search with pruning, unchanged, through TLS, base path and the cluster's rights: its points are stopped by their logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Typed

pytestmark = pytest.mark.timeout(600)  # on a machine that may be busy

SCRIPT = '''
from hera.workflows import DAG, Container, Parameter, Task, Workflow
from hera.workflows.models import ValueFrom
from hera_utils import Experiment, main, search

SLOW = "for s in 0 1 2 3 4 5 6 7 8 9; do echo hera-utils: step $s value $((n * 10 + 9 - s)) >&2; sleep 0.2; done; echo $n > /tmp/loss"


class Stops:
    """Points with a large n are not worth their end."""

    def __init__(self):
        self.asked = 0

    def ask(self, n):
        return [{"n": number} for number in range(self.asked, min(self.asked + n, 5))]

    def tell(self, results):
        self.asked += len(results)

    def prune(self, point, steps):
        return point.n >= 3 and max(steps) >= 2


def define(environment, inputs, layout):
    with Workflow(generate_name="there-", entrypoint="dag") as w:
        work = Container(
            name="work", image="alpine:3", command=["sh", "-c"], args=["n={{inputs.parameters.n}}; " + SLOW],
            inputs=[Parameter(name="n")], outputs=[Parameter(name="loss", value_from=ValueFrom(path="/tmp/loss"))],
        )
        with DAG(name="dag"):
            for point in inputs.points:
                Task(name=f"work-{point.name}", template=work, arguments=point.arguments)
    return w


if __name__ == "__main__":
    run = main(Experiment(workflow=define, inputs=search(9, sampler=Stops, at_once=5), name="there"))
    print([(trial.status, max(trial.steps)) for trial in run.trials])
'''


def test_points_are_stopped_there(typed: Typed, place, tmp_path) -> None:
    script = tmp_path / "there.py"
    script.write_text(SCRIPT)
    said = typed(script, "--profile", "bed").stdout
    assert said.splitlines()[-1] == str([("Succeeded", 9)] * 3 + [("Pruned", 2)] * 2)
    assert "5 points, 2 pruned" in said
    assert "all 5 points are done already" in typed(script, "--profile", "bed", "--resume").stdout
