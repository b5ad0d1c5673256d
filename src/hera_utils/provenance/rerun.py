"""Reads a manifest to repeat its run, and finds what has changed since."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hera_utils.errors import ResourceError, SettingsError
from hera_utils.provenance.manifest import NAME
from hera_utils.provenance.python_modules import canonical
from hera_utils.runs.record import RUN_LABEL, facts_of
from hera_utils.runs.record_files import packages_of, read_json
from hera_utils.settings.command_line import PLACE, remove_settings
from hera_utils.settings.secret import MASK
from hera_utils.wording import first_of, system_reason

Json = dict[str, Any]

# Flags of the original command that a repetition must not have.
_FLAGS_NOT_REPEATED = ("--resume", "--explain", "--detach", "--keep-done", "--keep_done")


_SETTINGS_OF_THE_REPEATING_USER = PLACE | {"python", "notify", "notify_command"}
"""Settings that the repeating user decides: a manifest may be a stranger's, and must not decide where a token goes or what program runs."""


@dataclass(frozen=True)
class RecordedRun:
    """The run that a manifest describes.

    folder: of the crate. script: the script's path at the time, None when no script is known; arguments: its command line, None when
    it is not known. module: the script's whole name if it ran as a module, else "". sources: path relative to the script's folder →
    sha256. workflows: documents, in order; last: names of those that ran after all others (gather). versions: software → version;
    packages: name → version.
    """

    run: str
    folder: Path
    script: Path | None
    arguments: tuple[str, ...] | None
    module: str
    sources: Mapping[str, str]
    workflows: tuple[Json, ...]
    last: frozenset[str]
    versions: Mapping[str, str]
    packages: Mapping[str, str]


def read_manifest(path: Path) -> RecordedRun:
    """Read a manifest (ro-crate-metadata.json, or its folder).

    Raises SettingsError if it is no manifest of hera_utils, ResourceError if it cannot be read.
    """
    path = path / NAME if path.is_dir() else path
    try:
        document = read_json(path)
    except OSError as error:
        raise ResourceError(
            f"the manifest {path} cannot be read ({system_reason(error)})",
            fix="name a ro-crate-metadata.json; hera-utils report NAME --crate writes one",
        ) from None
    except (ValueError, RecursionError):
        raise SettingsError(f"{path} is not JSON", fix="name a ro-crate-metadata.json") from None
    graph = document.get("@graph") if isinstance(document, dict) else None
    entries = graph if isinstance(graph, list) else []
    entities = {str(entry["@id"]): entry for entry in entries if isinstance(entry, dict) and "@id" in entry}
    action = entities.get("#run")
    if action is None:
        raise SettingsError(
            f"{path} is not a manifest of a run of hera_utils", fix="hera-utils report NAME --crate writes one"
        )
    try:
        return _recorded_run(path.parent.resolve(), entities, action)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        raise SettingsError(f"the manifest {path} is damaged", fix="use the one that the run wrote") from None


def _recorded_run(folder: Path, entities: Mapping[str, Json], action: Json) -> RecordedRun:
    facts = {
        str(entity.get("name")): str(entity.get("value"))
        for key, entity in entities.items()
        if key.startswith("#fact-")
    }
    main = str((action.get("instrument") or {}).get("@id", ""))
    origin = folder / facts["script"] if main.startswith("script/") and facts.get("script") else None
    arguments = json.loads(facts["arguments"]) if "arguments" in facts else None
    return RecordedRun(
        run=str(action.get("name", "")).removeprefix("Run "),
        folder=folder,
        script=origin.resolve() if origin is not None else None,
        arguments=None
        if arguments is None
        else tuple(
            remove_settings(
                [str(word) for word in arguments if word not in _FLAGS_NOT_REPEATED], _SETTINGS_OF_THE_REPEATING_USER
            )
        ),
        module=_module_of(origin, facts.get("module", "")),
        sources={
            key.removeprefix("script/"): str(entity.get("sha256", ""))
            for key, entity in entities.items()
            if key.startswith("script/")
        },
        workflows=tuple(
            _document(folder, key) for key in entities if key.startswith("workflows/") and key.endswith(".json")
        ),
        last=_names_of_gathers(folder),
        versions={
            str(entity["name"]): str(entity.get("softwareVersion", ""))
            for entity in entities.values()
            if entity.get("@type") == "SoftwareApplication" and entity.get("url")  # the tools of workflows have none
        },
        packages=packages_of(folder),
    )


def _module_of(script: Path | None, name: str) -> str:
    """A script's name as a module; "" if its file cannot have that name: a manifest may be a stranger's."""
    words = tuple(name.split("."))
    return name if script is not None and script.resolve().with_suffix("").parts[1:][-len(words) :] == words else ""


def _document(folder: Path, key: str) -> Json:
    path = (folder / key).resolve()
    if not path.is_relative_to(folder):
        raise SettingsError(f"the manifest names a file outside its folder: {key}", fix="do not trust this manifest")
    try:
        document = read_json(path)
    except (OSError, ValueError):
        raise ResourceError(f"the recorded workflow {path} cannot be read", fix="restore the crate") from None
    if not isinstance(document, dict) or not isinstance(document.get("metadata"), dict):
        raise SettingsError(f"{path} is not a workflow", fix="restore the crate")
    return document


def _names_of_gathers(folder: Path) -> frozenset[str]:
    try:
        workflows = facts_of(folder).get("workflows") or ()
        return frozenset(str(workflow["name"]) for workflow in workflows if workflow.get("role") == "gather")
    except (KeyError, TypeError, AttributeError):
        return frozenset()


def changed_sources(recorded: RecordedRun) -> list[str]:
    """The source files of the script that are missing or have changed."""
    if recorded.script is None:
        return []
    return [name for name in recorded.sources if not _is_unchanged(recorded, name, recorded.script.parent / name)]


def _is_unchanged(recorded: RecordedRun, name: str, path: Path) -> bool:
    recorded_file = recorded.folder / "script" / name
    try:
        now, then = path.read_bytes(), recorded_file.read_bytes()
    except (OSError, ValueError):
        return False
    # The second condition finds a change in the crate itself.
    return now == then and hashlib.sha256(then).hexdigest() == recorded.sources[name]


def differences(recorded: RecordedRun, versions: Mapping[str, str], packages: Mapping[str, str]) -> list[str]:
    """A sentence for each program whose version differs now, then one for all packages that differ."""
    lines = [
        f"{name} {versions.get(name) or 'none'}, recorded with {number}"
        for name, number in recorded.versions.items()
        if versions.get(name, number) != number
    ]
    now = {canonical(name): number for name, number in packages.items()}
    others = sorted(
        name
        for name, number in recorded.packages.items()
        if canonical(name) not in ("hera", "hera-utils") and now.get(canonical(name)) != number
    )
    if others:
        changes = [f"{name} {recorded.packages[name]} → {now.get(canonical(name), 'none')}" for name in others]
        lines.append(f"other packages: {first_of(changes, 5)}")
    return lines


def prepare_new_workflow(document: Json, values: Mapping[str, str]) -> Json:
    """A recorded workflow for a new submission: under a new name with the same prefix. values: new values of its parameters.

    Raises SettingsError if a manifest of an older version has a masked value and `values` does not give it.
    """
    metadata = dict(document.get("metadata") or {})
    name = str(metadata.pop("name", "run"))
    metadata.setdefault("generateName", f"{name[:50].rstrip('-.')}-")
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key != RUN_LABEL}
    metadata["labels"] = labels
    spec = dict(document.get("spec") or {})
    arguments = dict(spec.get("arguments") or {})
    parameters = [
        {**parameter, "value": values[parameter["name"]]} if parameter.get("name") in values else parameter
        for parameter in arguments.get("parameters") or ()
    ]
    if parameters:
        spec["arguments"] = {**arguments, "parameters": parameters}
    masked = _masked_names(spec)
    if masked:
        raise SettingsError(
            f"the manifest does not hold the value of {masked[0]}, which is secret",
            fix=f"give it: -p {masked[0]}=VALUE (a parameter of the workflow), or run the script again",
        )
    return {**document, "metadata": {k: v for k, v in metadata.items() if v}, "spec": spec}


def _masked_names(value: Any) -> list[str]:
    """The names of parameters and variables whose values an older version of hera_utils masked."""
    if isinstance(value, list):
        return [name for item in value for name in _masked_names(item)]
    if not isinstance(value, dict):
        return []
    own = [str(value["name"])] if value.get("value") == MASK and "name" in value else []
    return own + [name for item in value.values() for name in _masked_names(item)]
