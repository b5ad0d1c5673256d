"""Creates what an experiment's environment needs on a platform: shows the difference, applies it (server-side apply), releases it.

The same on this machine and in a cluster. Only objects with our label are changed or removed. A field that somebody else set to another
value is a conflict, reported with their name, and overwritten only with `force`. On this machine a claim is a folder.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from hera_utils.argo import claim_folders
from hera_utils.argo.annotations import FOLDER
from hera_utils.errors import AccessError, Detached, HeraUtilsError, ResourceError
from hera_utils.experiment.environment import Environment
from hera_utils.platforms.claim_folders import make_folder
from hera_utils.platforms.cluster import Cluster
from hera_utils.platforms.diff import FieldDiff, difference
from hera_utils.platforms.manifests import HOLDS_DATA, MANAGED_BY, OURS, DeclaredObject, objects_of_environment
from hera_utils.platforms.server_side_apply import Applier, Conflict

Json = dict[str, Any]
Action = Literal["create", "change", "same", "found", "theirs", "missing", "refused"]
_BLOCKS = ("missing", "refused")
_RETRIES = (0.1, 0.3, 1.0)  # seconds: the cluster may know a new role only a moment later


@dataclass(frozen=True)
class Change:
    """What provisioning would do to one object. Action `found`: it is only referred to, and exists; `theirs`: somebody else created it.

    fields: what differs. note: why it is left unchanged, or refused. fix: what to do then. where: a claim's folder on this machine, or "".
    """

    declared: DeclaredObject
    action: Action
    fields: tuple[FieldDiff, ...] = ()
    note: str = ""
    fix: str = ""
    where: str = ""

    @property
    def blocks(self) -> bool:
        return self.action in _BLOCKS

    def lines(self) -> list[str]:
        """Lines for a dry run: a mark and the object, then its fields."""
        mark = {"create": "+", "change": "~", "same": "=", "found": "=", "theirs": "=", "missing": "✘", "refused": "✘"}[
            self.action
        ]
        state = {"create": "will be created", "change": "will be changed", "same": "up to date", "found": "exists"}.get(
            self.action, ""
        )
        text = "; ".join(filter(None, [state, self.note]))
        first = f"{mark} {self.declared.word} {self.declared.name}" + (f"  {text}" if text else "")
        more = [f"    {field.line()}" for field in self.fields]
        return [first, *more, *([f"    → {self.fix}"] if self.fix else [])]

    def done(self) -> str:
        """The line after the change was made."""
        mark, state = {"create": ("+", "created"), "change": ("~", "changed")}.get(self.action, ("=", "unchanged"))
        text = "; ".join(filter(None, [state, self.note, f"it is the folder {self.where}" if self.where else ""]))
        return f"{mark} {self.declared.word} {self.declared.name}  {text}"


def plan_changes(
    cluster: Cluster,
    environment: Environment,
    *,
    state: str,
    folders: Mapping[str, str] | None = None,
    force: bool = False,
) -> list[Change]:
    """The difference between the environment and the existing objects, by the server's own dry run. Changes nothing.

    state: the local platform's folder. folders: claim → folder of this machine (the setting `volumes`).
    force: assume that fields which others have set may be overwritten.
    """
    described = [
        _with_folder_annotation(cluster, needed, folders or {})
        for needed in objects_of_environment(environment, cluster.namespace, local=cluster.local)
    ]
    applier = Applier(cluster)
    planned: list[Change] = []
    answers = applier.get_all([(declared.kind, declared.name) for declared in described])
    for declared, live in zip(described, answers, strict=True):
        if isinstance(live, AccessError):
            planned.append(Change(declared, "refused", note=live.message, fix=live.fix or ""))
            continue
        change = _change(applier, declared, live, force, planned)
        planned.append(_change_with_folder(cluster, change, live, state, folders or {}))
    if any(f'namespaces "{cluster.namespace}" not found' in change.note for change in planned):
        raise cluster.no_namespace()  # one error instead of one for each object
    return planned


def provision(
    cluster: Cluster,
    environment: Environment,
    *,
    state: str,
    folders: Mapping[str, str] | None = None,
    force: bool = False,
) -> list[Change]:
    """Create or change the objects of the environment; a second call changes nothing. Returns what was done.

    Raises ResourceError with all problems before anything is changed.
    """
    changes = plan_changes(cluster, environment, state=state, folders=folders, force=force)
    refuse_blocked_changes(changes, cluster.namespace)
    _apply_all(Applier(cluster), [change for change in changes if change.action in ("create", "change")], force)
    return changes


def ensure(
    cluster: Cluster, environment: Environment, *, state: str, folders: Mapping[str, str] | None = None
) -> list[Change]:
    """Before a run: create what is missing on this machine; in a cluster, where objects cost something, only check that they exist.

    Raises ResourceError with everything that does not exist.
    """
    return (
        provision(cluster, environment, state=state, folders=folders) if cluster.local else check(cluster, environment)
    )


def refuse_blocked_changes(planned: Sequence[Change], namespace: str) -> None:
    """Raise ResourceError if a change cannot be made."""
    blocked = [change for change in planned if change.blocks]
    if not blocked:
        return
    for change in blocked:
        if change.declared.lacking is not None and len(blocked) == 1:
            raise change.declared.lacking
    listed = [f"{change.declared.word} `{change.declared.name}` {change.note}" for change in blocked]
    fixes = "\n".join(dict.fromkeys(filter(None, (change.fix for change in blocked))))
    if len(listed) == 1:
        raise ResourceError(f"{listed[0]} (namespace {namespace})", fix=fixes)
    lines = "\n".join(f"  ✘ {line}" for line in listed)
    raise ResourceError(
        f"nothing was changed in the namespace {namespace}, {len(listed)} conflicts:\n{lines}", fix=fixes
    )


def check(cluster: Cluster, environment: Environment) -> list[Change]:
    """Check that the objects of the environment exist, without creating any. Raises ResourceError with those that do not."""
    declared_objects = objects_of_environment(environment, cluster.namespace, local=cluster.local)
    needed = [declared for declared in declared_objects if declared.kind not in ("Role", "RoleBinding")]
    answers = Applier(cluster).get_all([(declared.kind, declared.name) for declared in needed])
    absent = [declared for declared, live in zip(needed, answers, strict=True) if live is None]
    if absent:
        listed = ", ".join(f"{declared.word} `{declared.name}`" for declared in absent)
        raise ResourceError(
            f"{listed} {'do' if len(absent) > 1 else 'does'} not exist in the namespace {cluster.namespace}",
            fix="add --provision, which creates what the experiment describes; or name another",
        )
    return [Change(declared, "found") for declared in needed]


# --- one object ----------------------------------------------------------------------------------------------------------


def is_ours(live: Json) -> bool:
    return ((live.get("metadata") or {}).get("labels") or {}).get(MANAGED_BY) == OURS


def _change(
    applier: Applier, declared: DeclaredObject, live: Json | None, force: bool, before: Sequence[Change]
) -> Change:
    """What provisioning would do to one object. live: its present document. before: the changes of earlier objects."""
    if declared.document is None:
        return Change(declared, "found") if live is not None else _change_of_undescribed_object(declared)
    if live is not None and not is_ours(live):
        return _change_of_foreign_object(declared, declared.document, live)
    if live is not None and (declared.only_once or declared.lacking is not None):
        return Change(
            declared, "same", note=f"not compared: {_why_values_are_missing(declared)}" if declared.lacking else ""
        )
    if declared.lacking is not None:
        return Change(
            declared,
            "refused",
            note=f"cannot be created: {_why_values_are_missing(declared)}",
            fix=declared.lacking.fix or "",
        )
    try:
        would = applier.apply(declared.document, dry_run=True, force=force)
    except HeraUtilsError as error:
        role_comes = any(earlier.action == "create" and earlier.declared.kind == "Role" for earlier in before)
        if declared.kind == "RoleBinding" and role_comes and not isinstance(error, Conflict):
            return Change(declared, "create")  # the dry run fails because its role does not exist yet
        return Change(declared, "refused", note=error.message, fix=error.fix or "")
    if live is None:
        return Change(declared, "create", tuple(_fields_of(declared.document)))
    fields = tuple(difference(live, would))
    return Change(declared, "change" if fields else "same", fields)


def _change_of_undescribed_object(declared: DeclaredObject) -> Change:
    """The change for an object that neither exists nor is described."""
    what = (
        f"does not exist, and the experiment does not describe its content: the {declared.word}'s owner must create it"
    )
    fix = f"describe it in the environment, or ask its owner for {declared.word} {declared.name}"
    return Change(declared, "missing", note=what, fix=fix)


def _change_of_foreign_object(declared: DeclaredObject, document: Json, live: Json) -> Change:
    differing = tuple(_differing_fields(document, live))
    matters = bool(differing) and declared.kind in ("ConfigMap", "Secret", "Role")
    fix = "agree on one content, or use another name" if matters else ""
    return Change(declared, "theirs", differing, "was not created by hera-utils: left unchanged", fix)


def _why_values_are_missing(declared: DeclaredObject) -> str:
    """Why its values cannot be read, without its name."""
    return (
        str(declared.lacking)
        .removeprefix(f"the secret `{declared.name}` ")
        .removeprefix(f"the image pull secret `{declared.name}` ")
    )


def _differing_fields(document: Json, live: Json) -> list[FieldDiff]:
    """Where somebody else's object differs from the declared one; fields that only they have do not count."""
    wanted = {key: value for key, value in document.items() if key not in ("metadata", "apiVersion")}
    fields = difference({key: live.get(key) for key in wanted} | {"kind": document["kind"]}, wanted)
    return [field for field in fields if field.after is not None and field.before != field.after]


def _fields_of(document: Json) -> list[FieldDiff]:
    bare = {
        "kind": document["kind"],
        "metadata": {"name": document["metadata"]["name"], "labels": document["metadata"]["labels"]},
    }
    return difference(bare, document)


def _apply_all(applier: Applier, planned: Sequence[Change], force: bool) -> None:
    """Apply the objects one after the other. A failure or an interruption names the objects that exist already."""
    for number, change in enumerate(planned):
        done = ", ".join(f"{earlier.declared.word} {earlier.declared.name}" for earlier in planned[:number])
        before = f"before it were applied: {done} (hera-utils release removes what was created)" if done else ""
        try:
            if applier.local and change.where:
                make_folder(Path(change.where), change.declared.name)
            _apply(applier, change.declared, force)
        except KeyboardInterrupt:
            now = f"interrupted while the {change.declared.word} {change.declared.name} was applied"
            raise Detached("; ".join(filter(None, [now, before]))) from None
        except HeraUtilsError as error:
            error.fix = "; ".join(filter(None, [error.fix, before])) or None
            raise


def _apply(applier: Applier, declared: DeclaredObject, force: bool) -> None:
    assert declared.document is not None
    for pause in (*_RETRIES, None):
        try:
            applier.apply(declared.document, force=force)
            return
        except HeraUtilsError:
            if declared.kind != "RoleBinding" or pause is None:
                raise
            time.sleep(pause)


# --- claims of this machine ----------------------------------------------------------------------------------------------


def _with_folder_annotation(cluster: Cluster, declared: DeclaredObject, folders: Mapping[str, str]) -> DeclaredObject:
    """The object; on this machine a claim with its folder as an annotation, if the settings name one."""
    if (
        not cluster.local
        or declared.kind != "PersistentVolumeClaim"
        or declared.document is None
        or declared.name not in folders
    ):
        return declared
    metadata = {**declared.document["metadata"], "annotations": {FOLDER: folders[declared.name]}}
    return replace(declared, document={**declared.document, "metadata": metadata})


def _change_with_folder(
    cluster: Cluster, change: Change, live: Json | None, state: str, folders: Mapping[str, str]
) -> Change:
    name = change.declared.name
    if not cluster.local or change.declared.kind != "PersistentVolumeClaim":
        return change
    named = folders.get(name)
    folder = Path(named or claim_folders.default_folder(state, cluster.namespace, name))
    if live is not None:
        stands_for = Path(claim_folders.folder_of_claim(live, state))
        if named and stands_for != folder:
            raise ResourceError(
                f"the claim `{name}` is already the folder {stands_for}, not {folder}",
                fix=f"remove the folder from the settings' volumes, or: kubectl -n {cluster.namespace} delete pvc "
                f"{name}",
            )
        folder = stands_for
    return replace(change, where=str(folder))


# --- release -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ReleasedObject:
    """The result of releasing one object. action: removed, absent, kept, left (because others use it too)."""

    kind: str
    name: str
    word: str
    action: Literal["removed", "absent", "kept", "left"]
    note: str = ""

    def line(self, *, dry_run: bool = False) -> str:
        mark = {"removed": "-", "absent": " ", "kept": "=", "left": "="}[self.action]
        removed = "will be removed" if dry_run else "removed"
        words = {"removed": removed, "absent": "does not exist", "kept": "kept", "left": "kept"}[self.action]
        return f"{mark} {self.word} {self.name}  {words}{f': {self.note}' if self.note else ''}"


def release(
    cluster: Cluster, environment: Environment, *, with_data: bool = False, dry_run: bool = False
) -> list[ReleasedObject]:
    """Remove what provisioning created of this environment, and nothing else.

    A claim, which has data, is removed only `with_data`. Objects that others provisioned too are kept. dry_run: remove nothing.
    """
    applier = Applier(cluster)
    declared_objects = [
        declared
        for declared in reversed(objects_of_environment(environment, cluster.namespace, local=cluster.local))
        if declared.document is not None
    ]
    answers = applier.get_all([(declared.kind, declared.name) for declared in declared_objects])
    return [
        _release(applier, declared, live, with_data, dry_run)
        for declared, live in zip(declared_objects, answers, strict=True)
    ]


def _release(
    applier: Applier, declared: DeclaredObject, live: Json | AccessError | None, with_data: bool, dry_run: bool
) -> ReleasedObject:
    def released(action: Any, note: str = "") -> ReleasedObject:
        return ReleasedObject(declared.kind, declared.name, declared.word, action, note)

    if live is None:
        return released("absent")
    if isinstance(live, AccessError):
        return released("kept", live.message)
    if not is_ours(live):
        return released("kept", "hera-utils did not create it")
    own, others = applier.owners(live)
    if others and not own:
        return released("kept", f"{', '.join(others)} provisioned it")
    if others:
        if not dry_run:
            applier.relinquish(declared.kind, declared.name)
        return released("left", f"{', '.join(others)} {'use' if len(others) > 1 else 'uses'} it too")
    if declared.kind in HOLDS_DATA and not with_data:
        return released("kept", "it holds data (--with-data removes it, and the data)")
    if not dry_run:
        applier.delete(declared.kind, live)
    note = "its volume's reclaim policy decides about the data"
    if applier.local:
        named = ((live.get("metadata") or {}).get("annotations") or {}).get(FOLDER)
        note = f"the folder {named} remains" if named else "its folder is set aside"
    return released("removed", note if declared.kind in HOLDS_DATA else "")
