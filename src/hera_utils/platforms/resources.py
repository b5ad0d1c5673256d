"""The Kubernetes resources that an experiment needs, as documents: what is created where something is missing. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from hera_utils.argo.annotations import FOLDER
from hera_utils.experiment.environment import PersistedVolume

Json = dict[str, Any]

"""Annotation of a claim on the local platform: the folder of this machine that it stands for."""


def claim(volume: PersistedVolume, folder: str | None = None) -> Json:
    """The PersistentVolumeClaim of a volume. folder: absolute path, for the local platform alone."""
    metadata: Json = {"name": volume.claim_name}
    if folder is not None:
        metadata["annotations"] = {FOLDER: folder}
    spec: Json = {"accessModes": list(volume.access_modes), "resources": {"requests": {"storage": volume.size}}}
    if volume.storage_class is not None:
        spec["storageClassName"] = volume.storage_class
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def config_map(name: str, data: Mapping[str, str]) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": dict(data)}


def secret(name: str, values: Mapping[str, str]) -> Json:
    """values: in clear; the document holds them as Kubernetes does."""
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    return {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": {"name": name}, "data": data}
