"""Runs in a task instead of `python -m hera.workflows.runner -e MODULE:FUNCTION FILE`, by the interpreter of the task.

Hera's runner imports the function's module by name. When the function is in the script that was run directly, that
name is `__main__` or made from the file's path, and may not be importable (hera issues 573 and 1412). Here the script is
loaded from its file under the name that the runner will import. A submission in it without `if __name__ == "__main__"`
ends the loading instead of submitting again from inside the task; whatever the function needs is above it in the script.

In an image the runner uses the image's own modules, as on a cluster; this program only reports what the image lacks.
"""

from __future__ import annotations

import importlib.util
import os
import runpy
import sys
from collections.abc import Sequence
from typing import Any, NoReturn


class _Submission(BaseException):
    """Raised where the script would submit its workflow."""


def main() -> None:
    script, directory = os.environ.pop("HERA_UTILS_SCRIPT", ""), os.environ.pop("HERA_UTILS_DIRECTORY", "")
    image = os.environ.pop("HERA_UTILS_IMAGE", "")
    sys.path[0] = ""
    sys.path += [p for p in dict.fromkeys([os.path.dirname(script), directory]) if p and p not in sys.path]
    try:
        from hera.workflows import Workflow
        from hera.workflows.service import WorkflowsService
    except ImportError as error:
        if image:
            _refuse(
                f"the image {image} lacks Hera, which runs the task's function: its {sys.executable} cannot import it ({error}); "
                "install hera in the image, or run the script with --images here"
            )
        _refuse(
            f"the task's Python ({sys.executable}) cannot import Hera ({error}): install hera in it, or name another one"
        )
    place = next((n for n, word in enumerate(sys.argv[:-1]) if word in ("-e", "--entrypoint")), -1) + 1
    module, _, function = sys.argv[place].partition(":") if place else ("", "", "")
    if module == "__main__" and script:
        module = os.path.splitext(os.path.basename(script))[0]
        sys.argv[place] = f"{module}:{function}"
    if script and _means(module, script):
        _load(module, script, ((Workflow, "create"), (WorkflowsService, "create_workflow")))
    elif module and not _exists(module):
        if image:
            _refuse(
                f'the image {image} lacks the module "{module}" with the task\'s function "{function}": copy its file into a folder of '
                "the image's PYTHONPATH or working directory, or run the script with --images here"
            )
        _refuse(
            f'the task\'s function "{function}" is in the module "{module}", which {sys.executable} cannot import: run the '
            "script with `hera-utils run`, install the module in that Python, or put its folder on PYTHONPATH of the template"
        )
    runpy.run_module("hera.workflows.runner", run_name="__main__", alter_sys=True)


def _means(module: str, script: str) -> bool:
    """Whether a module name means the script: its name, or its dotted path from a folder above it, as Hera writes it."""
    stem = script[:-3] if script.endswith(".py") else script
    return ("/" + stem.lstrip("/").replace("/", ".")).endswith(("." + module, "/" + module))


def _load(name: str, script: str, submissions: Sequence[tuple[Any, str]]) -> None:
    """Load the script as the module `name`. submissions: (class, name) of the methods that submit a workflow."""

    def stop(*_: Any, **__: Any) -> NoReturn:
        raise _Submission

    spec = importlib.util.spec_from_file_location(name, script)
    if spec is None or spec.loader is None:
        _refuse(f"the script {script} is not a Python file that can be imported: give it a name that ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    originals = [(owner, method, getattr(owner, method)) for owner, method in submissions]
    for owner, method, _ in originals:
        setattr(owner, method, stop)
    try:
        spec.loader.exec_module(module)
    except _Submission:
        pass
    finally:
        for owner, method, original in originals:
            setattr(owner, method, original)


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _refuse(sentence: str) -> NoReturn:
    sys.stderr.write(f"hera-utils: {sentence}\n")
    sys.exit(1)


if __name__ == "__main__":
    main()
