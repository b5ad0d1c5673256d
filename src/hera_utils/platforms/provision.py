"""What an experiment's environment needs, made or checked on a platform.

On this machine what is missing is created: a claim is a folder. In a cluster nothing is: what is missing is told, all at once.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hera_utils.errors import ResourceError, SettingsError
from hera_utils.experiment.environment import Environment, PersistedVolume, Secret
from hera_utils.platforms import resources
from hera_utils.platforms.cluster import Cluster


@dataclass(frozen=True)
class Provisioned:
    """One resource of the environment. found: it was there before. where: a claim's folder on this machine, or ""."""

    kind: str
    name: str
    found: bool
    where: str = ""


def provision(
    cluster: Cluster, environment: Environment, *, state: str, folders: Mapping[str, str] | None = None
) -> list[Provisioned]:
    """Make sure that the environment's resources are there.

    state: the local platform's folder. folders: claim → folder of this machine (the settings' `volumes`).
    ResourceError lists everything that is missing where nothing is created.
    """
    return (
        _create_missing(cluster, environment, state, folders or {}) if cluster.local else _check(cluster, environment)
    )


def missing(cluster: Cluster, environment: Environment) -> list[tuple[str, str]]:
    """(kind, name) of what the environment needs and the cluster lacks."""
    return [(kind, name) for kind, name in _needs(environment) if not cluster.exists(kind, name)]


def _needs(environment: Environment) -> list[tuple[str, str]]:
    return [
        *(("PersistentVolumeClaim", volume.claim_name) for volume in environment.volumes),
        *(("ConfigMap", config_map.name) for config_map in environment.config_maps),
        *(("Secret", secret.name) for secret in environment.secrets),
    ]


_WORDS = {"PersistentVolumeClaim": "claim", "ConfigMap": "config map", "Secret": "secret"}
_PLURALS = {"PersistentVolumeClaim": "pvc", "ConfigMap": "configmap", "Secret": "secret"}


def _check(cluster: Cluster, environment: Environment) -> list[Provisioned]:
    absent = missing(cluster, environment)
    if absent:
        told = ", ".join(f"{_WORDS[kind]} `{name}`" for kind, name in absent)
        verb = "do" if len(absent) > 1 else "does"
        kind, name = absent[0]
        raise ResourceError(
            f"{told} {verb} not exist in the namespace {cluster.namespace}",
            fix=f"create it, or name another; what is there: kubectl -n {cluster.namespace} get {_PLURALS[kind]}",
        )
    return [Provisioned(kind, name, found=True) for kind, name in _needs(environment)]


def _create_missing(
    cluster: Cluster, environment: Environment, state: str, folders: Mapping[str, str]
) -> list[Provisioned]:
    made = [_claim(cluster, volume, state, folders) for volume in environment.volumes]
    for config_map in environment.config_maps:
        found = cluster.exists("ConfigMap", config_map.name)
        if not found:
            cluster.create(resources.config_map(config_map.name, config_map.data))
        made.append(Provisioned("ConfigMap", config_map.name, found))
    for secret in environment.secrets:
        found = cluster.exists("Secret", secret.name)
        if not found:
            cluster.create(resources.secret(secret.name, _values(secret)))
        made.append(Provisioned("Secret", secret.name, found))
    return made


def _claim(cluster: Cluster, volume: PersistedVolume, state: str, folders: Mapping[str, str]) -> Provisioned:
    name = volume.claim_name
    named = folders.get(name)
    folder = Path(named) if named else Path(state) / "claims" / cluster.namespace / name
    if cluster.exists("PersistentVolumeClaim", name):
        stands_for = claim_folder(cluster, name, state)
        if named and stands_for != folder:
            raise ResourceError(
                f"the claim `{name}` already stands for {stands_for}, not for {folder}",
                fix=f"take the folder out of the settings' volumes, or: kubectl -n {cluster.namespace} delete pvc {name}",
            )
        return Provisioned("PersistentVolumeClaim", name, found=True, where=str(stands_for))
    _make_folder(folder, name)
    cluster.create(resources.claim(volume, str(folder) if named else None))
    return Provisioned("PersistentVolumeClaim", name, found=False, where=str(folder))


def claim_folder(cluster: Cluster, name: str, state: str) -> Path:
    """The folder of this machine that a claim of the local platform stands for. Refused (NotFound) when there is no such claim."""
    annotations = cluster.get("PersistentVolumeClaim", name).get("metadata", {}).get("annotations") or {}
    named = annotations.get(resources.FOLDER)
    return Path(named) if named else Path(state) / "claims" / cluster.namespace / name


def _make_folder(folder: Path, claim: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = (error.strerror or "it cannot be made").lower()
        raise ResourceError(
            f"the folder {folder} of the claim `{claim}` cannot be used ({why})",
            fix="name another in the settings' volumes",
        ) from None


def _values(secret: Secret) -> dict[str, str]:
    absent = [variable for variable in secret.from_variables.values() if variable not in os.environ]
    if absent:
        raise SettingsError(
            f"the secret `{secret.name}` takes its values from variables that are not set: {', '.join(absent)}",
            fix=f"export {absent[0]}=…",
        )
    return {key: os.environ[variable] for key, variable in secret.from_variables.items()}
