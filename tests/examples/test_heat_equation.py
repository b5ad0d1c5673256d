"""The heat equation: every point against the schemes' amplification factors, the orders against theory, and more points later."""

import csv
import json
import math

import pytest

pytest.importorskip("numpy")

TIME = 0.1


def amplification(scheme, cells, steps):
    """The factor of sin(πx), an eigenvector of the discrete Laplacian, in one step of the scheme."""
    ratio = TIME / steps * cells**2
    damping = 2 * ratio * (1 - math.cos(math.pi / cells))
    return 1 - damping if scheme == "explicit" else (1 - damping / 2) / (1 + damping / 2)


@pytest.mark.slow
def test_the_solutions_and_the_orders(copied, local_platform):
    folder, typed = copied("heat_equation")
    assert "12 points" in typed("experiment.py", "--plan")
    said = typed("experiment.py")
    claim = local_platform.claim("heat-equation")
    solutions = {path: json.loads(path.read_text()) for path in (claim / "solutions").glob("*/*.json")}
    assert len(solutions) == 12
    for found in solutions.values():
        scheme, cells, steps = found["scheme"], found["cells"], found["steps"]
        height = amplification(scheme, cells, steps) ** steps
        wanted = [height * math.sin(math.pi * place / cells) for place in range(1, cells)]
        assert found["u"] == pytest.approx(wanted, abs=1e-11)
        worst = max(math.sin(math.pi * place / cells) for place in range(1, cells))
        assert found["error"] == pytest.approx(abs(height - math.exp(-(math.pi**2) * TIME)) * worst, abs=1e-11)

    table = (claim / "orders.csv").read_text()
    assert said.endswith(table)
    rows = list(csv.DictReader(table.splitlines()))
    orders = {(row["scheme"], row["time steps"]): float(row["order"]) for row in rows if row["order"]}
    assert orders == pytest.approx(
        {("crank-nicolson", "linear"): 2, ("crank-nicolson", "squared"): 2, ("explicit", "squared"): 2}, abs=0.01
    )

    before = {path: path.stat().st_mtime_ns for path in solutions}
    (folder / "inputs.py").write_text(
        (folder / "inputs.py").read_text().replace("zipped(cells=[16, 32, 64, 128], steps=[16, 32, 64, 128])",
                                                   "zipped(cells=[16, 32, 64, 128, 256], steps=[16, 32, 64, 128, 256])")
    )  # fmt: skip
    assert "12 points are done already, 1 will run" in typed("experiment.py", "--plan", "--resume")
    typed("experiment.py", "--resume")
    assert {path: path.stat().st_mtime_ns for path in solutions} == before, "what was there is not computed again"
    assert (claim / "solutions" / "crank-nicolson" / "256-cells-256-steps.json").exists()
    assert len((claim / "orders.csv").read_text().splitlines()) == 14
