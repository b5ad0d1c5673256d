from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from stage import Stage


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One runtime for the tests of a file."""
    made = Stage(tmp_path_factory.mktemp("state"))
    yield made
    made.close()


@pytest.fixture
def own_stage(tmp_path: Path) -> Iterator[Stage]:
    """A runtime that a test may restart or break."""
    made = Stage(tmp_path / "state")
    yield made
    made.close()
