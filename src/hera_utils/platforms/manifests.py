"""The Kubernetes objects that an experiment's environment describes: the same documents on this machine and in a cluster.

Values of secrets come from variables and files, and only go into the documents: nothing here prints them.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hera_utils.errors import SettingsError
from hera_utils.experiment.environment import Environment, PersistedVolume, PullSecret, Secret, ServiceAccount
from hera_utils.platforms import roles
from hera_utils.settings.secret import looks_like_a_key
from hera_utils.wording import system_reason

Json = dict[str, Any]

MANAGED_BY = "app.kubernetes.io/managed-by"
OURS = "hera-utils"
WORDS = {
    "PersistentVolumeClaim": "claim",
    "ConfigMap": "config map",
    "Secret": "secret",
    "ServiceAccount": "service account",
    "Role": "role",
    "RoleBinding": "role binding",
}
HOLDS_DATA = frozenset({"PersistentVolumeClaim"})


@dataclass(frozen=True)
class DeclaredObject:
    """One object of the environment. document: the object to create, None if it is only referred to, and so must exist.

    only_once: created if it is missing, but never changed afterwards, because its content is not described.
    lacking: why its values cannot be read: then it can be checked and released, but not created.
    """

    kind: str
    name: str
    document: Json | None = field(default=None, repr=False)
    only_once: bool = False
    lacking: SettingsError | None = None

    @property
    def word(self) -> str:
        return WORDS[self.kind]


def objects_of_environment(environment: Environment, namespace: str, *, local: bool = False) -> list[DeclaredObject]:
    """The objects of the environment, in the order in which they can be created.

    local: also create objects that are only named (as an empty config map), as this machine does. A secret whose variable is not set or
    whose file cannot be read says so in `lacking`.
    """
    objects = [
        DeclaredObject("PersistentVolumeClaim", volume.claim_name, _mark_as_ours(claim(volume)))
        for volume in environment.volumes
    ]
    for entry in environment.config_maps:
        document = _mark_as_ours(config_map(entry.name, entry.data)) if entry.data or local else None
        objects.append(DeclaredObject("ConfigMap", entry.name, document, only_once=not entry.data))
    for secret in environment.secrets:
        bare = _mark_as_ours(_empty_secret(secret.name))
        if secret.keys:
            objects.append(_secret_with_values(secret.name, bare, lambda secret=secret: _data(secret)))  # type: ignore[misc]
        else:
            objects.append(DeclaredObject("Secret", secret.name, bare if local else None, only_once=True))
    pull, account = environment.image_pull_secret, environment.service_account
    if pull is not None and not local:  # this machine pulls images without Kubernetes' secrets
        bare = _mark_as_ours({**_empty_secret(pull.name), "type": "kubernetes.io/dockerconfigjson"})
        registry = pull.registry or (environment.registry or "").partition("/")[0]
        given = _secret_with_values(pull.name, bare, lambda: _docker_config(pull, registry))
        objects.append(given if pull.is_configured else DeclaredObject("Secret", pull.name))
    if account is not None and (account.is_configured or local):
        objects += _account(account, pull, namespace)
    elif account is not None:
        objects.append(DeclaredObject("ServiceAccount", account.name))
    return objects


def _secret_with_values(name: str, document: Json, values: Callable[[], dict[str, bytes]]) -> DeclaredObject:
    try:
        found = values()
    except SettingsError as error:
        return DeclaredObject("Secret", name, document, lacking=error)
    document["data"] = {key: base64.b64encode(value).decode("ascii") for key, value in found.items()}
    return DeclaredObject("Secret", name, document)


def _mark_as_ours(document: Json) -> Json:
    document["metadata"].setdefault("labels", {})[MANAGED_BY] = OURS
    return document


def _account(account: ServiceAccount, pull: PullSecret | None, namespace: str) -> list[DeclaredObject]:
    """The account, the smallest role that Argo's executor needs, and the role binding."""
    document: Json = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account.name}}
    if pull is not None:
        document["imagePullSecrets"] = [{"name": pull.name}]
    name = f"{account.name}-executor"
    role = roles.role(name, roles.executor(agents=account.agents, collects=account.collects))
    role["rules"] += [{key: list(value) for key, value in rule.items()} for rule in account.more_rules]
    binding = roles.binding(name, roles.account_subject(account.name, namespace))
    return [
        DeclaredObject("ServiceAccount", account.name, _mark_as_ours(document)),
        DeclaredObject("Role", name, _mark_as_ours(role)),
        DeclaredObject("RoleBinding", name, _mark_as_ours(binding)),
    ]


# --- documents -----------------------------------------------------------------------------------------------------------


def claim(volume: PersistedVolume) -> Json:
    """The PersistentVolumeClaim of a volume."""
    metadata: Json = {"name": volume.claim_name}
    spec: Json = {"accessModes": list(volume.access_modes), "resources": {"requests": {"storage": volume.size}}}
    if volume.storage_class is not None:
        spec["storageClassName"] = volume.storage_class
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def config_map(name: str, data: Mapping[str, str]) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": dict(data)}


def _empty_secret(name: str) -> Json:
    return {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": {"name": name}, "data": {}}


# --- values of secrets ---------------------------------------------------------------------------------------------------


def _data(secret: Secret) -> dict[str, bytes]:
    what = f"the secret `{secret.name}`"
    data = {key: value.encode() for key, value in _variables(what, dict(secret.from_variables)).items()}
    for key, named in secret.from_files.items():
        path = Path(named).expanduser()
        try:
            data[key] = path.read_bytes()
        except OSError as error:
            raise SettingsError(
                f"the key {key} of {what} comes from {path}, which cannot be read ({system_reason(error)})",
                fix="correct its path",
            ) from None
    return data


def _variables(what: str, names: dict[str, str]) -> dict[str, str]:
    absent = [variable for variable in names.values() if variable not in os.environ]
    if absent:
        raise SettingsError(
            f"{what} takes its values from variables that are not set: {', '.join(absent)}", fix=f"export {absent[0]}=…"
        )
    return {key: os.environ[variable] for key, variable in names.items()}


def secret_values(environment: Environment) -> list[str]:
    """The values of the environment's secrets that this machine can read, so that they can be masked.

    Of a file with several words (a key in PEM, a configuration) only the words that do not occur in a text by chance.
    """
    values: list[str] = []
    for secret in environment.secrets:
        texts = [os.environ.get(variable, "") for variable in secret.from_variables.values()]
        for named in secret.from_files.values():
            with contextlib.suppress(OSError, ValueError):
                texts.append(Path(named).expanduser().read_text(encoding="utf-8"))
        for text in texts:
            words = text.split()
            values += words if len(words) == 1 else [word for word in words if looks_like_a_key(word)]
    pull = environment.image_pull_secret
    if pull is not None and pull.password:
        values.append(os.environ.get(pull.password, ""))
    return [value for value in values if value]


def _docker_config(pull: PullSecret, registry: str) -> dict[str, bytes]:
    if not registry:
        raise SettingsError(
            f"the image pull secret `{pull.name}` names no registry", fix="name one: PullSecret(…, registry=…)"
        )
    text = json.dumps({"auths": {registry: _credential(pull, registry)}}, sort_keys=True)
    return {".dockerconfigjson": text.encode()}


def _credential(pull: PullSecret, host: str) -> Json:
    what = f"the image pull secret `{pull.name}`"
    if pull.from_docker:
        return _credential_of_docker(what, host)
    values = _variables(what, {"username": pull.username, "password": pull.password})
    pair = f"{values['username']}:{values['password']}".encode()
    return {**values, "auth": base64.b64encode(pair).decode("ascii")}


def _credential_of_docker(what: str, host: str) -> Json:
    """The credential that `docker login` stored in its file. One in a credential helper cannot be read: only docker gets it."""
    folder = os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")
    path = Path(folder) / "config.json"
    try:
        known = json.loads(path.read_text(encoding="utf-8"))["auths"]
    except (OSError, ValueError, KeyError, TypeError):
        known = {}
    login = next(
        (one for name, one in known.items() if name.partition("://")[2].split("/")[0] == host or name == host), None
    )
    if not isinstance(login, dict) or not login.get("auth"):
        raise SettingsError(
            f"{what} comes from docker, and {path} has no credential for {host}",
            fix=f"docker login {host}, or give PullSecret(…, username=VARIABLE, password=VARIABLE)",
        )
    return {"auth": str(login["auth"])}
