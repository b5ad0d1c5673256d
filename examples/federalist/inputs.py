"""What must change when the question changes: which papers, which words."""

from dataclasses import dataclass
from pathlib import Path

from hera_utils import Inputs

# Mosteller and Wallace's final thirty, each in the forms that they counted together
WORDS = (
    "upon also an by of on there this to although both enough while whilst always though commonly consequently "
    "considerable,considerably according apt direction innovation,innovations language vigor,vigorous kind "
    "matter,matters particularly probability work,works"
)


@dataclass(frozen=True)
class Constants:
    words: str = WORDS


inputs = Inputs.from_file(Path(__file__).with_name("papers.csv"), constants=Constants)
