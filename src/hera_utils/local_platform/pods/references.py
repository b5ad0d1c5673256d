"""Looks up what a pod refers to, for its launch: claims, config maps, secrets, and the places of its artifacts."""

from __future__ import annotations

import base64
import json
from functools import partial
from pathlib import Path
from typing import Any

from hera_utils.argo import claim_folders
from hera_utils.errors import ResourceError
from hera_utils.local_platform.artifacts import locations
from hera_utils.local_platform.artifacts.locations import MissingSecret
from hera_utils.local_platform.pods import waiting
from hera_utils.local_platform.pods.runtime import Again, Launch
from hera_utils.local_platform.storage.read_model import ReadModel
from hera_utils.local_platform.storage.records import StoredPod

Json = dict[str, Any]
References = dict[tuple[str, str], bool]
"""(kind, name) → whether the reference is optional."""

_CLAIM = "PersistentVolumeClaim"
_VARIABLES = (
    ("configMapKeyRef", "ConfigMap"),
    ("secretKeyRef", "Secret"),
    ("configMapRef", "ConfigMap"),
    ("secretRef", "Secret"),
)
"""(field of `env[].valueFrom` or of `envFrom[]`, the kind that it refers to)."""
MOST_TEXT = 20_000_000
"""Characters of all config maps and secrets of a pod: parsed, they need ten times as much memory, and each start of a pod reads them."""
_LITTLE_TEXT = 2**14
"""Characters of config maps and secrets that are kept in memory for a waiting pod."""


class MissingReference(Exception):
    """An object that a pod refers to does not exist; the message is the reason why the pod waits."""


def references(pod: Json, template: Json) -> References:
    """Every claim, config map and secret that a pod's spec refers to, and the secrets of artifacts at web addresses."""
    optional_by_name: References = {("Secret", name): False for name, _ in locations.secrets_of_web_artifacts(template)}

    def note(kind: str, name: object, optional: object = False) -> None:
        if name:
            key = (kind, str(name))
            optional_by_name[key] = optional_by_name.get(key, True) and bool(optional)

    spec = pod.get("spec") or {}
    for volume in spec.get("volumes") or ():
        note(_CLAIM, (volume.get("persistentVolumeClaim") or {}).get("claimName"))
        for source in [volume, *((volume.get("projected") or {}).get("sources") or ())]:
            config_map, secret = source.get("configMap") or {}, source.get("secret") or {}
            note("ConfigMap", config_map.get("name"), config_map.get("optional"))
            note("Secret", secret.get("secretName") or secret.get("name"), secret.get("optional"))
    for container in [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]:
        values = [variable.get("valueFrom") or {} for variable in container.get("env") or ()]
        for source in [*values, *(container.get("envFrom") or ())]:
            for field, kind in _VARIABLES:
                if reference := source.get(field):
                    note(kind, reference.get("name"), reference.get("optional"))
    return optional_by_name


def check(read_model: ReadModel, body: Json, template: Json, namespace: str) -> None:
    """Raises MissingReference for the first required object that does not exist."""
    for (kind, name), optional in references(body, template).items():
        if not optional and read_model.object((kind, namespace, name)) is None:
            raise MissingReference(waiting.for_object(kind, name, namespace))


def launch_of(
    read_model: ReadModel, state: Path, pod: StoredPod, order: Json, again: Again, *, later: bool = False
) -> Launch:
    """The launch that an order asks for. state: the state folder. again: as in Launch. later: the pod will wait, so large config maps
    and secrets are left out. Raises MissingReference, and ResourceError when config maps and secrets exceed MOST_TEXT.
    """
    body, template = pod.document, order["template"]
    check(read_model, body, template, pod.namespace)
    referred = [
        (kind, name, read_model.object((kind, pod.namespace, name))) for kind, name in references(body, template)
    ]
    size = sum(len(stored.text) for kind, _, stored in referred if stored is not None and kind != _CLAIM)
    if size > MOST_TEXT:
        raise ResourceError(
            f"the config maps and secrets that the pod refers to have {size} characters, more than {MOST_TEXT}",
            fix="mount a claim that has the files, or make them artifacts",
        )
    whole = not later or size <= _LITTLE_TEXT
    folders: dict[str, str] = {}
    config_maps: dict[str, dict[str, str]] = {}
    secrets: dict[str, dict[str, str]] = {}
    for kind, name, stored in referred:
        if stored is None:
            continue
        if kind == _CLAIM:
            folders[name] = claim_folders.folder_of_claim(json.loads(stored.text), str(state))
            _make_claim(Path(folders[name]), state)
        elif whole:
            (config_maps if kind == "ConfigMap" else secrets)[name] = texts(kind, json.loads(stored.text))
    return Launch(
        pod.run,
        pod.node,
        body,
        template,
        include_script_output=bool(order.get("include_script_output")),
        claims=folders,
        config_maps=config_maps,
        secrets=secrets,
        annotations=read_model.annotations(pod.run),
        places=_places(read_model, template, pod.namespace),
        pull_secrets=partial(_pull_secrets, read_model, body.get("spec") or {}, pod.namespace),
        again=again,
        whole=whole,
    )


def _make_claim(folder: Path, state: Path) -> None:
    """Create a claim's folder. In the state folder every user may write to it, as with a cluster's provisioners: an image may have any
    user. A folder that our user named gets the usual mode.
    """
    if folder.is_dir():
        return
    folder.mkdir(parents=True, exist_ok=True)
    if folder.is_relative_to(state):
        folder.chmod(0o777)


def _pull_secrets(read_model: ReadModel, spec: Json, namespace: str) -> tuple[Json, ...]:
    """The pod's pull secrets, or else its service account's. A missing one does not make the pod wait: the registry may not need it."""
    names = spec.get("imagePullSecrets")
    if not names:
        account = read_model.object(("ServiceAccount", namespace, str(spec.get("serviceAccountName") or "default")))
        names = json.loads(account.text).get("imagePullSecrets") if account is not None else None
    secrets = [read_model.object(("Secret", namespace, str(reference.get("name")))) for reference in names or ()]
    return tuple(json.loads(secret.text) for secret in secrets if secret is not None)


def _places(read_model: ReadModel, template: Json, namespace: str) -> Json:
    """The places of artifacts that are not in the platform's own store, as Launch.places. Raises MissingReference."""
    archive = template.get("archiveLocation")
    secret = read_model.secrets_of(namespace)
    places: Json = {}
    try:
        for side in ("inputs", "outputs"):
            artifacts = (template.get(side) or {}).get("artifacts") or ()
            pairs = [(artifact["name"], locations.place_of(artifact, archive, secret)) for artifact in artifacts]
            places[side] = {name: place for name, place in pairs if place is not None}
        if (archive or {}).get("archiveLogs"):
            places["logs"] = locations.place_of({}, archive, secret)
        if source := ((template.get("data") or {}).get("source") or {}).get("artifactPaths"):
            places["source"] = locations.place_of(source, archive, secret)
    except MissingSecret as error:
        raise MissingReference(waiting.for_secret_key(error.message, namespace)) from None
    return places if any(places.values()) else {}


def texts(kind: str, document: Json) -> dict[str, str]:
    """{key: text} of a config map or secret. A secret's values and `binaryData` are base64-decoded, their bytes as latin-1."""
    data = document.get("data") or {}
    if kind == "ConfigMap":
        binary = document.get("binaryData") or {}
        return {**data, **{key: base64.b64decode(value).decode("latin-1") for key, value in binary.items()}}
    return {key: base64.b64decode(value).decode("latin-1") for key, value in data.items()}
