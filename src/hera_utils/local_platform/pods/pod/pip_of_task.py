"""`pip` in a task whose Python has none (virtual environments by uv and others): Python's bundled pip, else uv's, else an error.

Python comes with a pip for new virtual environments (ensurepip), which runs without being installed. Packages are installed into the
task's own files, as in a container. In the task this file is `pip/__main__.py`, beside an empty `__init__.py`.
"""

from __future__ import annotations

import glob
import importlib.machinery
import os
import runpy
import shutil
import sys
import sysconfig

_OWN = os.path.dirname(os.path.abspath(__file__))


def main() -> None:
    own = (_OWN, os.path.dirname(_OWN))
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) not in own]
    others = [path for path in os.environ.pop("PYTHONPATH", "").split(os.pathsep) if path not in ("", *own)]
    if others:
        os.environ["PYTHONPATH"] = os.pathsep.join(others)
    sys.modules.pop("pip", None)
    wheel = "" if importlib.machinery.PathFinder.find_spec("pip") else _bundled()
    if wheel:
        sys.path.insert(0, wheel)
    elif not importlib.machinery.PathFinder.find_spec("pip"):
        _without()
    runpy.run_module("pip", run_name="__main__", alter_sys=True)


def _bundled() -> str:
    """The wheel of pip that comes with Python; "" where a distribution left it out."""
    folders = [
        os.path.join(sysconfig.get_path("stdlib"), "ensurepip", "_bundled"),
        sysconfig.get_config_var("WHEEL_PKG_DIR"),
    ]
    wheels = [wheel for folder in folders if folder for wheel in glob.glob(f"{glob.escape(folder)}/pip-*.whl")]
    return max(wheels, key=os.path.getmtime, default="")


def _without() -> None:
    uv = shutil.which("uv")
    if uv is not None:
        os.environ["UV_PYTHON"] = sys.executable
        os.execv(uv, [uv, "pip", *sys.argv[1:]])
    sys.exit(
        f"pip: the Python that runs this task, {sys.executable}, has no pip\n"
        f"  fix: install what the task needs before the run (uv pip install --python {sys.executable} PACKAGE), or give it a pip: "
        f"uv pip install --python {sys.executable} pip"
    )


main()
