"""What must change when the question changes."""

from dataclasses import dataclass

from hera_utils import Inputs, grid


@dataclass(frozen=True)
class Constants:
    country: str = "us"
    digits: int = 6


inputs = Inputs(
    constants=Constants(),
    parameters=grid(
        vintages=[1929, 1949, 1969, 1989, 2009],
        divisions=[
            "new-england",
            "middle-atlantic",
            "east-north-central",
            "west-north-central",
            "south-atlantic",
            "east-south-central",
            "west-south-central",
            "mountain",
            "pacific",
        ],
    ),
)
