"""What runs beside the server for pods is small: the standard library and its own folder, and it runs as `python -I -S` would."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "hera_utils"
POD = PACKAGE / "local_platform" / "pods" / "pod"
NAME = "hera_utils.local_platform.pods.pod"
SHARED = {
    "archives",
    "artifact_keys",
    "disk_room",
    "errors",
    "host_paths",
    "launch_socket",
    "mount_faults",
    "network_faults",
    "open_beneath",
    "pod_folder",
    "ports",
    "processes",
    "artifact_transfer",
    "wire",
}
"""What the server and the client may use of it."""
IN_THE_TASK = {"hera_runner.py": {"hera"}, "pip_of_task.py": set()}
"""Programs for the Python of a task, which has what the task needs."""


def imports(path):
    """(level, module, names) of every import of a file, also of those in functions and for types alone."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.level, node.module or "", tuple(alias.name for alias in node.names)


@pytest.mark.parametrize("path", sorted(POD.glob("*.py")), ids=lambda path: path.name)
def test_a_pod_imports_the_standard_library_and_its_folder(path):
    allowed = sys.stdlib_module_names | IN_THE_TASK.get(path.name, set())
    foreign = [
        f"{'.' * level}{module}"
        for level, module, _ in imports(path)
        if level > 1 or (level == 0 and module.partition(".")[0] not in allowed)
    ]
    assert not foreign


def test_the_server_imports_of_it_what_is_shared():
    private = []
    for path in sorted(PACKAGE.rglob("*.py")):
        if POD in path.parents:
            continue
        package = ["hera_utils", *path.relative_to(PACKAGE).parent.parts]
        for level, module, names in imports(path):
            start = ".".join(package[: len(package) - level + 1]) + "." if level else ""
            whole = (start + module).rstrip(".")
            modules = names if whole == NAME else [whole.removeprefix(f"{NAME}.").partition(".")[0]]
            if f"{whole}.".startswith(f"{NAME}.") and not set(modules) <= SHARED:
                private.append(f"{path.relative_to(PACKAGE)}: {whole} {', '.join(names)}")
    assert not private


def test_it_runs_without_installed_packages():
    names = ", ".join(path.stem for path in sorted(POD.glob("[a-z]*.py")) if path.name not in IN_THE_TASK)
    code = f"import sys; sys.path.insert(0, {str(POD.parent)!r}); from pod import {names}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "pod.spawner" in loaded
    assert not [name for name in loaded if name.startswith("hera_utils") or "site-packages" in name]
