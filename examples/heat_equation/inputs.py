"""What must change when the question changes."""

from dataclasses import dataclass

from hera_utils import Inputs, grid, zipped


@dataclass(frozen=True)
class Constants:
    time: float = 0.1  # when the solutions are compared
    image: str = "python:3-numpy"


def stable(point):
    """Explicit Euler only where it does not blow up; Crank-Nicolson everywhere."""
    return point.scheme != "explicit" or Constants.time / point.steps <= 0.5 / point.cells**2


# Time steps as the square of the cells, and far too few of them; what is unstable is left out.
squared = zipped(cells=[8, 16, 32, 64], steps=[16, 64, 256, 1024]) + grid(cells=[64], steps=[64])
# Time steps as the cells: for Crank-Nicolson alone.
linear = grid(scheme=["crank-nicolson"]) * zipped(cells=[16, 32, 64, 128], steps=[16, 32, 64, 128])

inputs = Inputs(
    constants=Constants(),
    parameters=(grid(scheme=["explicit", "crank-nicolson"]) * squared).where(stable) + linear,
)
