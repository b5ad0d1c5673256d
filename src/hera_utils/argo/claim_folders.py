"""The folder of a claim of the local platform: the one that its annotation names, else one in the state folder."""

from __future__ import annotations

from typing import Any

from hera_utils.argo.annotations import FOLDER


def folder_of_claim(claim: dict[str, Any], state: str) -> str:
    """The folder of this machine that a claim represents. state: the state folder."""
    metadata = claim["metadata"]
    return folder_chosen_by_user(claim) or default_folder(state, str(metadata["namespace"]), str(metadata["name"]))


def folder_chosen_by_user(claim: dict[str, Any]) -> str:
    """The folder that a user chose for a claim; "" if it is in the state folder."""
    return str((claim["metadata"].get("annotations") or {}).get(FOLDER) or "")


def default_folder(state: str, namespace: str, name: str) -> str:
    """The folder of a claim for which the user chose none."""
    return f"{state}/claims/{namespace}/{name}"


def without_new_folder(claim: dict[str, Any], before: dict[str, Any] | None = None) -> dict[str, Any]:
    """A claim that a workflow creates or changes, without a new folder, which only the user may choose. before: its old version."""
    metadata = claim.get("metadata") or {}
    annotations = metadata.get("annotations") or {}
    chosen_folder = folder_chosen_by_user(before) if before is not None else ""
    if not isinstance(annotations, dict) or str(annotations.get(FOLDER) or "") == chosen_folder:
        return claim
    others = {name: value for name, value in annotations.items() if name != FOLDER}
    return {
        **claim,
        "metadata": {**metadata, "annotations": {**others, **({FOLDER: chosen_folder} if chosen_folder else {})}},
    }
