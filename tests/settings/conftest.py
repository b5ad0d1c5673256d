from pathlib import Path

import pytest

from hera_utils.settings.sources import Surroundings


class Desk:
    """A researcher's surroundings: a home, a project in it, an environment; nothing configured."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.project = self.home / "project"
        self.user = self.home / ".config" / "hera-utils"
        self.project.mkdir(parents=True)
        self.user.mkdir(parents=True)
        self.environ: dict[str, str] = {}

    @property
    def around(self) -> Surroundings:
        return Surroundings(environ=dict(self.environ), directory=self.project, home=self.home)


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


@pytest.fixture(scope="session")
def new_desk():
    """Makes a desk in a folder."""
    return Desk
