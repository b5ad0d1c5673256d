"""What an installation gives: both packages, by the seed's line as well, and by the locks with their hashes."""

import re
from pathlib import Path

from hera_utils.settings.sources import toml_of

ROOT = Path(__file__).resolve().parents[2]
PROJECT = toml_of((ROOT / "pyproject.toml").read_text())


def test_the_wheel_holds_every_package():
    packages = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert sorted(packages) == sorted(f"src/{path.parent.name}" for path in (ROOT / "src").glob("*/__init__.py"))
    for package in packages:
        assert (ROOT / package / "py.typed").is_file()


def test_the_seeds_line_leaves_it_installed():
    lines = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    assert lines == ["--editable ."]


def test_the_locks_pin_everything_with_a_hash():
    makefile = (ROOT / "Makefile").read_text()
    for name in ("requirements.lock", "requirements-dev.lock", "requirements-docs.lock"):
        assert f"--require-hashes -r {name}" in makefile
        entries = re.split(r"\n(?=\S)", (ROOT / name).read_text().strip())
        assert len(entries) > 10
        assert all(re.match(r"[\w.\[\],-]+==\S+", entry) and "--hash=sha256:" in entry for entry in entries)


def test_the_extra_that_an_error_names_is_there():
    assert any(one.startswith("kubernetes") for one in PROJECT["project"]["optional-dependencies"]["kubernetes"])
