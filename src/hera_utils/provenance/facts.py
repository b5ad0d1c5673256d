"""What a report says of where a run came from: names and texts."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from hera_utils.provenance.crate import images_of
from hera_utils.provenance.surroundings import commit_of
from hera_utils.results.whole_run import WholeRun


def facts_of(run: WholeRun, platform: str, *, argo: str = "") -> list[tuple[str, str]]:
    """Platform, script, commit, software, images: (name, text), those that are known. platform: in words."""
    script = Path(run.script) if run.script else None
    commit = commit_of(script.parent) if script is not None and script.parent.is_dir() else None
    told = {
        "platform": platform,
        "namespace": run.namespace,
        "script": script.name if script is not None else "",
        "called with": " ".join(run.facts.get("arguments") or ()),
        "commit": commit.commit if commit is not None else "",
        "changed": _changed(commit.changed) if commit is not None else "",
        "repository": commit.remote if commit is not None else "",
        "Argo": argo,
        "Hera": _version("hera"),
        "hera_utils": _version("hera_utils"),
        "images": "\n".join(images_of(run.documents)),
    }
    return [(name, text) for name, text in told.items() if text]


def _changed(count: int) -> str:
    return f"{count} file{' differs' if count == 1 else 's differ'} from the commit" if count else ""


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
