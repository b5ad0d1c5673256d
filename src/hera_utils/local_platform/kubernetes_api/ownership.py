"""Server-side apply: who owns which field of an object, so that two appliers do not undo each other's work. Pure.

As in Kubernetes (docs: reference/using-api/server-side-apply): a field that an applier no longer sets is removed unless another owns it;
changing a field that another owns is a conflict unless forced. Simpler than in Kubernetes: a list is one value (the kinds served here
have few lists that are maps), and only appliers are owners. Fields from before the first apply belong to `before-first-apply`; fields
that were changed otherwise belong to nobody.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import Any

from hera_utils.argo.faults import ABORTED
from hera_utils.errors import Refused

Json = dict[str, Any]
Path = tuple[str, ...]

BEFORE = "before-first-apply"
_IDENTITY = frozenset(
    {"name", "namespace", "uid", "resourceVersion", "creationTimestamp", "generation", "generateName", "managedFields"}
)
_ABSENT = object()


def apply(live: Json | None, config: Json, manager: str, *, force: bool, at: str, version: str) -> Json:
    """The object after `manager` applied `config`. live: the stored object, None when it is created now. at: the time (RFC 3339).

    Raises Refused (Conflict) with Kubernetes' message when another manager owns a field that would change.
    """
    applied = dict(leaves(config))
    owners = owners_of(live) if live is not None else {}
    base = copy.deepcopy(live) if live is not None else {"metadata": {}}
    if live is not None and not owners:
        owners[BEFORE] = set(dict(leaves(live)))
    conflicts = {
        name: sorted(path for path in paths & set(applied) if _get(base, path) != applied[path])
        for name, paths in owners.items()
        if name != manager
    }
    conflicts = {name: paths for name, paths in conflicts.items() if paths}
    if conflicts and not force:
        raise Refused(ABORTED, _conflict_message(conflicts, version), reason="Conflict")
    others = set().union(*(paths for name, paths in owners.items() if name != manager))
    for path in owners.get(manager, set()) - set(applied) - others:
        _remove(base, path)
    for path, value in applied.items():
        _set(base, path, copy.deepcopy(value))
    for name, paths in conflicts.items():
        owners[name] -= set(paths)
    owners[manager] = set(applied)
    metadata = base.setdefault("metadata", {})
    metadata.update(
        {key: value for key, value in (config.get("metadata") or {}).items() if key in ("name", "namespace")}
    )
    metadata["managedFields"] = _records(owners, live, at, version)
    return base


def disown_changes(live: Json, new: Json) -> Json:
    """The object after an update that is no apply: appliers no longer own the changed fields."""
    owners = owners_of(live)
    if not owners:
        return new
    unchanged = {
        name: {path for path in paths if _get(live, path) == _get(new, path)} for name, paths in owners.items()
    }
    version = str(live["metadata"]["managedFields"][0].get("apiVersion", "v1"))
    new = {**new, "metadata": {**new.get("metadata", {})}}
    new["metadata"]["managedFields"] = _records(unchanged, live, "", version)
    return new


def leaves(document: Json) -> Iterator[tuple[Path, Any]]:
    """(path, value) of every value that is no object, without the fields that identify the object."""
    for key, value in document.items():
        if key in ("apiVersion", "kind", "status"):
            continue
        if key == "metadata":
            inner = {name: field for name, field in (value or {}).items() if name not in _IDENTITY}
            yield from _below((key,), inner)
        else:
            yield from _below((key,), value)


def _below(path: Path, value: Any) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _below((*path, key), inner)
    elif value is not None and value != {}:
        yield path, value


def owners_of(document: Json) -> dict[str, set[Path]]:
    """Manager → the fields that it owns."""
    return {
        str(record.get("manager")): set(_paths(record.get("fieldsV1") or {}, ()))
        for record in (document.get("metadata") or {}).get("managedFields") or []
    }


def _paths(fields: Json, path: Path) -> Iterator[Path]:
    for key, inner in fields.items():
        if key.startswith("f:"):
            here = (*path, key[2:])
            if inner:
                yield from _paths(inner, here)
            else:
                yield here


def _records(owners: dict[str, set[Path]], live: Json | None, at: str, version: str) -> list[Json]:
    """`metadata.managedFields` of the managers that own fields."""
    times = {
        record.get("manager"): (record.get("time"), record.get("fieldsV1"))
        for record in ((live or {}).get("metadata") or {}).get("managedFields") or []
    }
    records = []
    for name, paths in sorted(owners.items()):
        if not paths:
            continue
        fields = _fields(paths)
        time, before = times.get(name, ("", None))
        records.append(
            {
                "manager": name,
                "operation": "Update" if name == BEFORE else "Apply",
                "apiVersion": version,
                "time": time if before == fields or not at else at,
                "fieldsType": "FieldsV1",
                "fieldsV1": fields,
            }
        )
    return records


def _fields(paths: Iterable[Path]) -> Json:
    fields: Json = {}
    for path in sorted(paths):
        here = fields
        for part in path:
            here = here.setdefault(f"f:{part}", {})
    return fields


def _conflict_message(conflicts: dict[str, list[Path]], version: str) -> str:
    count = sum(map(len, conflicts.values()))
    if count == 1:
        ((name, (path,)),) = conflicts.items()
        return f'Apply failed with 1 conflict: conflict with "{name}" using {version}: .{".".join(path)}'
    lines = [
        f'conflict{"s" if len(paths) > 1 else ""} with "{name}" using {version}:\n'
        + "\n".join(f"- .{'.'.join(path)}" for path in paths)
        for name, paths in conflicts.items()
    ]
    return f"Apply failed with {count} conflicts: " + "\n".join(lines)


def _get(document: Any, path: Path) -> Any:
    for part in path:
        if not isinstance(document, dict) or part not in document:
            return _ABSENT
        document = document[part]
    return document


def _set(document: Json, path: Path, value: Any) -> None:
    for part in path[:-1]:
        inner = document.get(part)
        if not isinstance(inner, dict):
            inner = document[part] = {}
        document = inner
    document[path[-1]] = value


def _remove(document: Json, path: Path) -> None:
    """Remove a field, and the objects that become empty."""
    parents = [document]
    for part in path[:-1]:
        inner = parents[-1].get(part)
        if not isinstance(inner, dict):
            return
        parents.append(inner)
    parents[-1].pop(path[-1], None)
    for parent, part in zip(reversed(parents[:-1]), reversed(path[:-1]), strict=True):
        if not parent[part]:
            del parent[part]
