"""Loaded dice: what a task drew when its case was recorded is an input of the case, like its parameters.

    dice.py FOLDER RECORDINGS...

Some cases decide by random numbers whether they succeed; their recording holds one draw. For each such task this looks for a seed
with which the task's own program, unchanged, ends as recorded (exit code, result): smallest first, by running it. The stand-in
images' Python and shell start from that seed (loaded/sitecustomize.py), so the real generator makes the recorded draw.
Likewise the order of two tasks that ended in the same second, where an outcome shows it (global artifacts are listed as their
tasks end; in Argo's controller goroutines race for it): the later one comes later.
Programs in a node's own language are left alone: what they draw is not compared.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

Json = dict[str, Any]
Key = tuple[str, str]
"""The name of a stored object ("" for the workflow itself), and of its template."""
_DRAWS = re.compile(r"\brandom\b|\bRANDOM\b")
_SEEDS = 2000
_APART = 0.7  # seconds between two tasks of which the recording has one first


class _Loader(yaml.SafeLoader):
    """YAML as Kubernetes reads it: a date stays a string."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, rx) for tag, rx in pairs if tag != "tag:yaml.org,2002:timestamp"]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load(recordings: list[Path], folder: Path) -> None:
    """Write the draws of every recorded case below `folder`, one file a generateName."""
    shared = {
        key: template
        for root in recordings
        for file in sorted((root / "objects").glob("*.yaml"))
        for key, template in _templates(file)
    }
    for recording in (path for root in recordings for path in sorted(root.glob("*/*.json"))):
        document = yaml.load(recording.with_suffix(".yaml").read_text(), _Loader)
        recorded = json.loads(recording.read_text())
        base = document["metadata"].get("generateName")
        if not base or recorded["outcome"] != "completed":
            continue
        own = {("", str(template.get("name"))): template for template in document["spec"].get("templates") or []}
        lines = _lines(recorded, {**shared, **own})
        if lines:
            with (folder / base).open("a", encoding="utf-8") as file:  # cases of one name have nodes of other names
                file.writelines(lines)


def _templates(file: Path) -> Iterator[tuple[Key, Json]]:
    """Of stored objects, also as a workflow calls them that is made of one (workflowTemplateRef): by their own name alone."""
    for document in yaml.load_all(file.read_text(), _Loader):
        for template in (document.get("spec") or {}).get("templates") or []:
            yield ("", str(template.get("name"))), template
            yield (str(document["metadata"]["name"]), str(template.get("name"))), template


def _key(node: Json) -> Key:
    """Which template a node runs: one of its own workflow, or one that a stored object has."""
    reference = node.get("templateRef") or {}
    return str(reference.get("name") or ""), str(reference.get("template") or node.get("templateName") or "")


def _lines(recorded: Json, templates: dict[Key, Json]) -> list[str]:
    later = _later(recorded)
    found = []
    for node in recorded["nodes"]:
        seed = _seed(node, templates.get(_key(node), {}))
        if seed or later.get(node["name"]):
            found.append(f"{node['name']}\t{seed or '-'}\t{later.get(node['name'], 0)}\n")
    return found


def _later(recorded: Json) -> dict[str, float]:
    """Seconds by which a task must come later: global artifacts whose tasks ended in one second, in the recorded order."""
    order = (recorded.get("outputs") or {}).get("artifacts") or []
    exported = {
        artifact["globalName"]: node
        for node in recorded["nodes"]
        for artifact in node.get("outputArtifacts") or ()
        if isinstance(artifact, dict) and artifact.get("globalName")  # some recordings hold the artifacts' names alone
    }
    nodes = [exported[name] for name in order if name in exported]
    return {
        node["name"]: place * _APART
        for place, node in enumerate(nodes)
        if place and nodes[place - 1]["t"][1] == node["t"][1] and nodes[place - 1] is not node
    }


def _seed(node: Json, template: Json) -> str:
    """The smallest seed with which the node's program ends as recorded; "" when it throws no dice or what it draws shows nowhere."""
    argv, source = _program(template)
    if node["type"] != "Pod" or not _DRAWS.search(source) or "random.seed" in source:
        return ""
    if node.get("result") is None and "exit" not in source:
        return ""
    for name, value in (node.get("inputParameters") or {}).items():
        source = source.replace("{{inputs.parameters." + name + "}}", str(value))
    if argv.startswith("python"):
        runs = _python
    elif argv.endswith("sh") and shutil.which("busybox"):
        runs = _shell
    else:
        return ""
    wanted = (int(node["exitCode"]), node.get("result"))
    for seed in range(1, _SEEDS):
        code, printed = runs(source, seed)
        if code == wanted[0] and wanted[1] in (None, printed.rstrip("\n")):
            return str(seed)
    raise SystemExit(f"no seed below {_SEEDS} makes {node['name']} end as recorded: {wanted}")


def _program(template: Json) -> tuple[str, str]:
    """(what runs it, the program's text) of a template's main container."""
    if script := template.get("script"):
        return str((script.get("command") or [""])[0]), str(script.get("source") or "")
    words = [
        *((template.get("container") or {}).get("command") or ()),
        *(template.get("container") or {}).get("args", ()),
    ]
    return (str(words[0]), str(words[-1])) if len(words) > 2 and words[-2] == "-c" else ("", "")


def _python(source: str, seed: int) -> tuple[int, str]:
    if "open(" in source:
        raise SystemExit(f"a program that throws dice and writes files is not run here:\n{source}")
    return _ended([sys.executable, "-c", f"import random\nrandom.seed({seed})\n{source}"])


def _shell(source: str, seed: int) -> tuple[int, str]:
    """In an empty root folder that holds busybox and the folders of which the program speaks."""
    with tempfile.TemporaryDirectory() as root:
        shutil.copy(str(shutil.which("busybox")), f"{root}/busybox")
        for path in re.findall(r"(?<![\w.])/[\w./-]*", source):
            Path(root + path.rpartition("/")[0]).mkdir(parents=True, exist_ok=True)
        Path(f"{root}/source").write_text(source)
        return _ended(["unshare", "-r", "chroot", root, "/busybox", "sh", "-c", f"RANDOM={seed}; set -e; . /source"])


def _ended(argv: list[str]) -> tuple[int, str]:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout


if __name__ == "__main__":
    load([Path(name) for name in sys.argv[2:]], Path(sys.argv[1]))
