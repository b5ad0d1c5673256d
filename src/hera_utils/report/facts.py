"""What a report says of where a run came from: names and texts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hera_utils.installed import version_of
from hera_utils.provenance.crate import images_of
from hera_utils.provenance.git import commit_of
from hera_utils.runs.whole_run import WholeRun

if TYPE_CHECKING:
    from hera_utils.platforms.argo_client import ArgoClient


def report_facts(client: ArgoClient, run: WholeRun) -> list[tuple[str, str]]:
    """Platform, script, commit, software, images: (name, text), without those that are not known."""
    connection = client.connection
    script = Path(run.script) if run.script else None
    commit = commit_of(script.parent) if script is not None and script.parent.is_dir() else None
    facts = {
        "platform": "local: this machine, no cluster"
        if connection.local
        else f"the Argo server {connection.argo_server}",
        "namespace": run.namespace,
        "script": script.name if script is not None else "",
        "called with": " ".join(run.facts.get("arguments") or ()),
        "commit": commit.commit if commit is not None else "",
        "changed": _changed(commit.changed) if commit is not None else "",
        "repository": commit.remote if commit is not None else "",
        "Argo": client.version(),
        "Hera": version_of("hera"),
        "hera_utils": version_of("hera_utils"),
        "images": "\n".join(
            f"{image} ({words})" if words else image for image, words in images_of(run.documents).items()
        ),
    }
    return [(name, text) for name, text in facts.items() if text]


def _changed(count: int) -> str:
    return f"{count} file{' differs' if count == 1 else 's differ'} from the commit" if count else ""
