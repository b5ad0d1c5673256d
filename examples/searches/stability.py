"""How large may the time step of explicit Euler be? A bisection, written by hand: ten lines are a sampler.

Theory: the heat equation on a rod of n cells is stable up to step / cell² = 1 / (2 cos²(π / 2n)).
"""

from hera.workflows import DAG, Workflow, script

from hera_utils import Experiment, main, search


class Bisection:
    def __init__(self, low, high, width):
        self.low, self.high, self.width = low, high, width

    def ask(self, n):
        return [{"ratio": (self.low + self.high) / 2}] if self.high - self.low > self.width else []

    def tell(self, results):
        for result in results:
            if result["result"] > 1:
                self.high = result.point.ratio
            else:
                self.low = result.point.ratio


@script(image="python:3.11")
def growth(ratio: float):
    """How many times larger the roughest of all starts is after 2,000 steps."""
    import math

    cells = 10
    rod = [0.0, *(math.sin(math.pi * (cells - 1) * place / cells) for place in range(1, cells)), 0.0]
    before = max(map(abs, rod))
    for _ in range(2000):
        inner = zip(rod, rod[1:], rod[2:], strict=False)
        rod = [0.0, *(here + ratio * (left - 2 * here + right) for left, here, right in inner), 0.0]
    print(max(map(abs, rod)) / before)


def define(environment, inputs, layout):
    with Workflow(generate_name="stability-", entrypoint="points") as w, DAG(name="points"):
        for point in inputs.points:
            growth(name=f"growth-{point.name}", arguments=point.arguments)
    return w


experiment = Experiment(workflow=define, inputs=search(30, sampler=Bisection(0.4, 0.6, 1e-4)), name="stability")

if __name__ == "__main__":
    run = main(experiment)
    stable = [trial.point.ratio for trial in run.trials if trial["result"] <= 1]
    print(f"stable up to {max(stable):.4f}")
