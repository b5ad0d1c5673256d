"""Install the wheel of dist/ as a user would, in a new environment of each Python that this machine has, and use it there.

.venv/bin/python tools/check_release.py            # every Python from 3.10 on that uv finds
.venv/bin/python tools/check_release.py 3.12       # this one

In each: the package and its types are there, the commands answer, `pip check` finds the dependencies complete, and the README is
carried out by its own test. Once, the source distribution gives the same wheel, and `uv tool install` (and `pipx`, where it is)
gives the command.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = Path(sys.executable).parent / "uv"
VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14", "3.15")
TEST_NEEDS = ("pytest", "pytest-timeout", "hypothesis", "numpy")
TESTS = ("tests/docs/test_readme.py", "tests/examples/test_examples.py", "tests/examples/test_heat_equation.py")
USE = (
    "import hera_utils, importlib.resources as r, sys; assert (r.files('hera_utils') / 'py.typed').is_file();"
    "assert 'site-packages' in hera_utils.__file__, hera_utils.__file__; print(hera_utils.__version__, sys.version.split()[0])"
)


def main(wanted: list[str]) -> int:
    (wheel,), (source,) = ROOT.glob("dist/*.whl"), ROOT.glob("dist/*.tar.gz")
    failed = []
    for version in wanted or VERSIONS:
        python = interpreter(version)
        if python is None:
            print(f"Python {version}: not on this machine")
        elif not in_environment(python, wheel):
            failed.append(version)
    same_wheel(source, wheel)
    as_a_tool(wheel)
    return 1 if failed else 0


def interpreter(version: str) -> str | None:
    """A Python of that version: on the path, or one of pyenv's."""
    pyenv = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    for candidate in (
        shutil.which(f"python{version}", path=os.defpath),
        *map(str, pyenv),
        shutil.which(f"python{version}"),
    ):
        if candidate and subprocess.run([candidate, "-c", ""], capture_output=True).returncode == 0:
            return candidate
    return None


def outside() -> dict[str, str]:
    """The variables of a user who has nothing of this checkout on a path."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV", "HERA"))}


def in_environment(python: str, wheel: Path) -> bool:
    with tempfile.TemporaryDirectory() as name:
        own = Path(name) / "venv" / "bin" / "python"
        steps = (
            [UV, "venv", "--quiet", "--seed", "--python", python, own.parents[1]],
            [own, "-m", "pip", "install", "--quiet", wheel, *TEST_NEEDS],
            [own, "-m", "pip", "check"],
            [own, "-c", USE],
            [own.parent / "hera-utils", "version"],
            [own, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(ROOT / test for test in TESTS)],
        )
        for step in steps:
            tests = step[1:3] == ["-m", "pytest"]
            done = subprocess.run(
                [*map(str, step)], cwd=ROOT if tests else name, env=outside(), capture_output=True, text=True
            )
            last = (done.stdout.strip().splitlines() or [""])[-1]
            if done.returncode:
                print(f"{python}: {' '.join(map(str, step))}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
                return False
            if step[1] == "-c" or tests:
                print(f"{python}: {last}", flush=True)
    return True


def same_wheel(source: Path, wheel: Path) -> None:
    """The source distribution, unpacked elsewhere, builds the files of the wheel."""
    with tempfile.TemporaryDirectory() as name:
        build = [UV, "build", "--quiet", "--wheel", "--no-build-isolation", "--python", sys.executable]
        subprocess.run([*build, "--out-dir", name, source], check=True)
        (again,) = Path(name).glob("*.whl")
        assert contents(again) == contents(wheel), "the source distribution builds another wheel"
        print("sdist: builds the same wheel")


def contents(wheel: Path) -> dict[str, int]:
    with zipfile.ZipFile(wheel) as archive:
        return {entry.filename: entry.CRC for entry in archive.infolist()}


def as_a_tool(wheel: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        places = {"UV_TOOL_DIR": f"{name}/uv", "UV_TOOL_BIN_DIR": f"{name}/bin"}
        places |= {"PIPX_HOME": f"{name}/pipx", "PIPX_BIN_DIR": f"{name}/bin-of-pipx"}
        ways = {"bin": [UV, "tool", "install", "--quiet", "--python", sys.executable, wheel]}
        if pipx := shutil.which("pipx"):
            ways["bin-of-pipx"] = [pipx, "install", "--quiet", wheel]
        for folder, command in ways.items():
            subprocess.run([*map(str, command)], check=True, env=outside() | places, capture_output=True)
            answer = subprocess.run(
                [f"{name}/{folder}/hera-utils", "version"], env=outside(), capture_output=True, text=True, check=True
            )
            print(f"{Path(command[0]).name}: {answer.stdout.splitlines()[1]}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
