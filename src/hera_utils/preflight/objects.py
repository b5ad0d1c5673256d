"""Checks that the namespace, claims, config maps, secrets, accounts and pull secrets of a run exist and are suitable."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import quote

from hera_utils.argo import timestamps
from hera_utils.experiment.environment import PersistedVolume
from hera_utils.platforms import manifests
from hera_utils.platforms.cluster_messages import ClusterReply, ClusterRequest
from hera_utils.preflight.finding import Finding, good, problem, unknown, warning
from hera_utils.preflight.inquiry import Target
from hera_utils.preflight.needs import ClaimUse, DataReference
from hera_utils.preflight.rights import accounts

Json = dict[str, Any]

NEW_CLAIM = 30.0
"""Seconds that a new claim may take to be bound to a volume."""


def _get(target: Target, plural: str, name: str) -> ClusterRequest:
    return ClusterRequest("GET", target.core(plural, name))


def _finding_when_hidden(word: str, name: str, answer: ClusterReply) -> Finding:
    why = "permission to read it is missing" if answer.status == 403 else answer.message
    return unknown(word, f'{word} "{name}" cannot be read ({why})')


def _add_provision(target: Target, declared: bool, line: str, kind: str = "") -> str:
    """The fix for a missing object. line: the kubectl command. kind: that of a document that a workflow's file may contain."""
    if target.connection.local and kind:
        return f"put a {kind} of that name into a file and store it with: hera-utils run FILE; or: {line}"
    return f"add --provision, or: {line}" if declared else line


def check_namespace(target: Target) -> Iterator[Finding]:
    """Whether the namespace exists. Few users may read namespaces: one whose default account can be read exists too."""
    assert target.asker is not None
    name = quote(target.namespace, safe="")
    itself, account = target.asker(
        ClusterRequest("GET", f"api/v1/namespaces/{name}"),
        ClusterRequest("GET", target.core("serviceaccounts", "default")),
    )
    if itself.reason == "NotFound":
        fix = f"kubectl create namespace {target.namespace}, or name another with --argo_namespace or ARGO_NAMESPACE"
        yield problem("namespace", f'namespace "{target.namespace}" does not exist', fix)
    elif itself.ok and (itself.body.get("status") or {}).get("phase") == "Terminating":
        fix = "name another with --argo_namespace or ARGO_NAMESPACE"
        yield problem("namespace", f'namespace "{target.namespace}" is being deleted', fix)
    elif itself.ok or account.ok:
        yield good("namespace", f"namespace {target.namespace} exists")
    else:
        fix = "is the name right? (--argo_namespace or ARGO_NAMESPACE)"
        yield unknown("namespace", f'namespace "{target.namespace}" cannot be read (permission is missing)', fix)


# --- claims --------------------------------------------------------------------------------------------------------------


def check_claims(target: Target) -> Iterator[Finding]:
    """Each claim must exist, be bound, and allow as many pods to mount it as may run at once."""
    assert target.asker is not None
    uses = {
        volume.claim_name: ClaimUse(volume.claim_name, "environment", True, 1) for volume in target.environment.volumes
    }
    named = target.context.k8s_volume_claim_name
    if named:
        uses.setdefault(named, ClaimUse(named, target.context.origin("k8s_volume_claim_name"), True, 1))
    uses.update(target.needs.claims)
    answers = target.asker(*(_get(target, "persistentvolumeclaims", name) for name in uses))
    for use, answer in zip(uses.values(), answers, strict=True):
        yield from _check_claim(target, use, answer)


def _check_claim(target: Target, use: ClaimUse, answer: ClusterReply) -> Iterator[Finding]:
    name = use.name
    if answer.reason == "NotFound":
        volume = next((candidate for candidate in target.environment.volumes if candidate.claim_name == name), None)
        document = manifests.claim(volume) if volume is not None else _plain_claim(name)
        line = f"echo '{json.dumps(document)}' | {target.kubectl('create -f -')}"
        fix = f"give it a folder with --volume {name}=FOLDER" if target.connection.local else ""
        fix = fix or _add_provision(target, volume is not None, line)
        yield problem("claim", f'claim "{name}" does not exist', fix)
        return
    if not answer.ok:
        yield _finding_when_hidden("claim", name, answer)
        return
    status, spec = answer.body.get("status") or {}, answer.body.get("spec") or {}
    phase = str(status.get("phase") or "Pending")
    modes = [str(mode) for mode in status.get("accessModes") or spec.get("accessModes") or []]
    if (answer.body.get("metadata") or {}).get("deletionTimestamp"):
        yield problem(
            "claim",
            f'claim "{name}" is being deleted',
            "wait until it is deleted, and create it again; or name another",
        )
        return
    if phase == "Lost":
        fix = f"restore the volume {spec.get('volumeName') or ''} (ask the cluster's owner), or name another claim"
        yield problem("claim", f'claim "{name}" is lost: the volume that held its data is gone', fix)
        return
    if phase != "Bound":
        age = _age(answer)
        if age is not None and age < NEW_CLAIM:
            yield warning(
                "claim",
                f'claim "{name}" was created {age:.0f} s ago and is being bound',
                "its pods wait until it is bound",
            )
        else:
            yield from _check_pending_claim(target, name, spec)
    trouble = _check_access_modes(target, use, modes)
    if trouble is not None:
        yield trouble
    elif phase == "Bound":
        size = str((status.get("capacity") or {}).get("storage") or "")
        yield good("claim", f'claim "{name}" is bound ({", ".join(filter(None, [size, *modes]))})')


def _age(answer: ClusterReply) -> float | None:
    """How many seconds ago an object was created, by the cluster's own clock."""
    try:
        born = timestamps.read(answer.body["metadata"]["creationTimestamp"])
        return None if born is None else max(0.0, parsedate_to_datetime(answer.date).timestamp() - born)
    except (KeyError, TypeError, ValueError):
        return None


def _plain_claim(name: str) -> Json:
    return manifests.claim(PersistedVolume(name))


def _check_pending_claim(target: Target, name: str, spec: Json) -> Iterator[Finding]:
    """The finding for an unbound claim: fine if it waits for its first pod, otherwise it waits for a volume that nobody provides."""
    assert target.asker is not None
    class_name = spec.get("storageClassName")
    if class_name is None or class_name:
        classes = target.asker.get("apis/storage.k8s.io/v1/storageclasses")
        listed = classes.body.get("items") or [] if classes.ok else []
        chosen = [
            storage_class
            for storage_class in listed
            if storage_class["metadata"]["name"] == class_name or (class_name is None and _is_default(storage_class))
        ]
        if any(storage_class.get("volumeBindingMode") == "WaitForFirstConsumer" for storage_class in chosen):
            yield good("claim", f'claim "{name}" will be bound when the first pod uses it')
            return
        if classes.ok and not chosen:
            there = ", ".join(sorted(str(storage_class["metadata"]["name"]) for storage_class in listed)) or "none"
            lacks = f'storage class "{class_name}" does not exist' if class_name else "no storage class is the default"
            fix = f"name one with storage_class (there: {there}), and create the claim again"
            yield problem("claim", f'claim "{name}" is not bound: {lacks}', fix)
            return
    fix = f"see why: {target.kubectl(f'describe pvc {name}')}; then ask the cluster's owner for a volume"
    yield problem("claim", f'claim "{name}" is not bound to a volume (Pending): its pods would wait forever', fix)


def _is_default(storage_class: Json) -> bool:
    annotations = (storage_class.get("metadata") or {}).get("annotations") or {}
    return bool(annotations.get("storageclass.kubernetes.io/is-default-class") == "true")


def _check_access_modes(target: Target, use: ClaimUse, modes: list[str]) -> Finding | None:
    """Whether as many pods can mount the claim as may run at once, also on several nodes."""
    if use.writes and modes and not any(mode.startswith("ReadWrite") for mode in modes):
        message = f'claim "{use.name}" is {", ".join(modes)}, and {use.where} mounts it for writing'
        return problem("claim", message, "mount it with readOnly: true, or take a claim with ReadWriteMany")
    if use.at_once <= 1 or "ReadWriteMany" in modes or (not use.writes and "ReadOnlyMany" in modes):
        return None
    several = f"at least {use.at_once} pods mount it at the same time"
    fix = "take a claim with ReadWriteMany (access modes cannot be changed: create another), or set parallelism: 1"
    if modes and all(mode == "ReadWriteOncePod" for mode in modes):
        return problem("claim", f'claim "{use.name}" is ReadWriteOncePod and {several}', fix)
    if "ReadWriteOnce" in modes:
        if target.needs.pinned or _single_node(target):
            return None
        fix += ", or keep all pods on one node (nodeSelector kubernetes.io/hostname)"
        return problem("claim", f'claim "{use.name}" is ReadWriteOnce (one node) and {several}', fix)
    return None


def _single_node(target: Target) -> bool:
    """Whether the cluster has a single node for pods; False when the nodes cannot be listed."""
    assert target.asker is not None
    answer = target.asker.get("api/v1/nodes")
    nodes = answer.body.get("items") or [] if answer.ok else []
    return sum(not (node.get("spec") or {}).get("unschedulable") for node in nodes) == 1


# --- config maps and secrets ---------------------------------------------------------------------------------------------


class _Kind(NamedTuple):
    """A kind of object. word: its name in findings. plural: its name in paths. create, literal: the words with which kubectl creates
    one and sets a key. field: that of a patch which adds a key.
    """

    name: str
    word: str
    plural: str
    create: str
    literal: str
    field: str


_CONFIG_MAP = _Kind("ConfigMap", "config map", "configmaps", "create configmap", "--from-literal={}=…", "data")
_SECRET = _Kind("Secret", "secret", "secrets", "create secret generic", "--from-file={}=FILE", "stringData")


def check_config_maps(target: Target) -> Iterator[Finding]:
    declared = {config_map.name: tuple(config_map.data) for config_map in target.environment.config_maps}
    things = dict(target.needs.config_maps)
    for name in [*declared, *filter(None, [target.context.k8s_configmap_name])]:
        things.setdefault(name, DataReference(name, "environment"))
    return _check_references(target, _CONFIG_MAP, things, declared)


def check_secrets(target: Target) -> Iterator[Finding]:
    declared = {secret.name: secret.keys for secret in target.environment.secrets}
    return _check_references(target, _SECRET, dict(target.needs.secrets), declared)


def _check_references(
    target: Target, kind: _Kind, things: dict[str, DataReference], declared: Mapping[str, Iterable[str]]
) -> Iterator[Finding]:
    """Findings on config maps or secrets. things: name → the reference. declared: name → keys that the environment creates."""
    assert target.asker is not None
    for name, keys in declared.items():
        thing = things.setdefault(name, DataReference(name, "environment"))
        for key in keys:
            thing.keys.setdefault(key, "environment")
    answers = target.asker(*(_get(target, kind.plural, name) for name in things))
    for thing, answer in zip(things.values(), answers, strict=True):
        line = target.kubectl(" ".join([kind.create, thing.name, *map(kind.literal.format, thing.keys)]))
        yield from _check_reference(
            target, kind, thing, answer, _add_provision(target, thing.name in declared, line, kind.name)
        )


def _check_reference(
    target: Target, kind: _Kind, thing: DataReference, answer: ClusterReply, create: str
) -> Iterator[Finding]:
    word = kind.word
    if answer.reason == "NotFound":
        where = "" if thing.where == "environment" else f" ({thing.where} refers to it)"
        yield problem(word, f'{word} "{thing.name}" does not exist{where}', create)
        return
    if not answer.ok:
        yield _finding_when_hidden(word, thing.name, answer)
        return
    there = {*(answer.body.get("data") or {}), *(answer.body.get("binaryData") or {})}
    missing = {key: at for key, at in thing.keys.items() if key not in there}
    for key, at in missing.items():
        used = "" if at == "environment" else f" ({at} needs it)"
        patch = json.dumps({kind.field: {key: "…"}}, ensure_ascii=False)
        close = f"; keys there: {', '.join(sorted(there))}" if there else ""
        fix = target.kubectl(f"patch {kind.name.lower()} {thing.name} --type merge -p '{patch}'") + close
        yield problem(word, f'{word} "{thing.name}" has no key "{key}"{used}', fix)
    if not missing:
        keys = f" with {len(thing.keys)} of {len(thing.keys)} keys" if thing.keys else ""
        yield good(word, f'{word} "{thing.name}" exists{keys}')


# --- accounts and registries ---------------------------------------------------------------------------------------------


def check_service_accounts(target: Target) -> Iterator[Finding]:
    """The accounts of the pods, and the pull secrets that these and the workflow name."""
    assert target.asker is not None
    names = accounts(target)
    answers = target.asker(*(_get(target, "serviceaccounts", name) for name in names))
    declared = target.environment.service_account
    for name, answer in zip(names, answers, strict=True):
        if answer.reason == "NotFound":
            line = target.kubectl(f"create serviceaccount {name}")
            fix = _add_provision(target, declared is not None and declared.name == name, line)
            yield problem("service account", f'service account "{name}" does not exist: no pod would start', fix)
        elif not answer.ok:
            yield _finding_when_hidden("service account", name, answer)
        else:
            yield good("service account", f'service account "{name}" exists')
            for image_pull_secret in answer.body.get("imagePullSecrets") or []:
                target.needs.pull_secrets.setdefault(str(image_pull_secret.get("name")), f"service account {name}")
    yield from _check_pull_secrets(target)


def _check_pull_secrets(target: Target) -> Iterator[Finding]:
    assert target.asker is not None
    secrets, declared = dict(target.needs.pull_secrets), target.environment.image_pull_secret
    if declared is not None:
        secrets.setdefault(declared.name, "environment")
    answers = target.asker(*(_get(target, "secrets", name) for name in secrets))
    for (name, where), answer in zip(secrets.items(), answers, strict=True):
        if answer.reason == "NotFound":
            host = _registry_host(target.environment.registry or target.context.registry or "") or "REGISTRY"
            line = target.kubectl(
                f"create secret docker-registry {name} --docker-server={host} --docker-username=… --docker-password=…"
            )
            fix = _add_provision(target, declared is not None and declared.name == name, line)
            used = "" if where == "environment" else f" ({where} names it)"
            yield problem("pull secret", f'image pull secret "{name}" does not exist{used}', fix)
        elif not answer.ok:
            yield _finding_when_hidden("pull secret", name, answer)
        else:
            yield from _check_registries(target, name, answer.body)


def _check_registries(target: Target, name: str, secret: Json) -> Iterator[Finding]:
    """Whether a secret is a pull secret, and for the registry of the images."""
    try:
        text = base64.b64decode((secret.get("data") or {}).get(".dockerconfigjson") or "", validate=True)
        hosts = {_registry_host(host) for host in json.loads(text)["auths"]}
    except (binascii.Error, ValueError, KeyError, TypeError):
        fix = target.kubectl(f"delete secret {name}") + "; then create it with: kubectl create secret docker-registry"
        yield problem("pull secret", f'secret "{name}" is not an image pull secret (type {secret.get("type")})', fix)
        return
    registry = _registry_host(target.environment.registry or target.context.registry or "")
    if registry and registry not in hosts:
        there = ", ".join(sorted(hosts)) or "none"
        message = f'image pull secret "{name}" has no credential for {registry} (it has: {there})'
        yield warning("pull secret", message, f"add one for {registry}, unless its images are public")
        return
    yield good("pull secret", f'image pull secret "{name}" is for {", ".join(sorted(hosts)) or "no registry"}')


def _registry_host(text: str) -> str:
    """`https://registry.example.org:5000/v2/` and `registry.example.org:5000/lab` → registry.example.org:5000."""
    return text.partition("://")[2].split("/")[0] if "://" in text else text.split("/")[0]
