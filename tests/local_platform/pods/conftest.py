from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

import hand_made_image as image
from stage import Stage

from hera_utils.image_policies import policy_for_all
from hera_utils.images.table import ImageTable


@pytest.fixture(scope="session")
def hand_made_image(tmp_path_factory: pytest.TempPathFactory) -> image.Json:
    """The settings of an image, as the server writes them into a launch."""
    return image.make(tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="session", params=["stand-in", "image"])
def images(request: pytest.FixtureRequest) -> ImageTable:
    """The image table: images stand for this machine's programs, or for a real image. The tests run with both."""
    if request.param == "stand-in":
        return ImageTable(policy_for_all("stand-in"))
    return image.HandMadeImages(request.getfixturevalue("hand_made_image"))


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, images: ImageTable) -> Iterator[Stage]:
    """One runtime for all tests of a file."""
    made = Stage(tmp_path_factory.mktemp("state"), images=images)
    yield made
    made.close()


@pytest.fixture
def own_stage(tmp_path: Path, images: ImageTable) -> Iterator[Stage]:
    """A runtime that a test may restart or break."""
    made = Stage(tmp_path / "state", images=images)
    yield made
    made.close()
