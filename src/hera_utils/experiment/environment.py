"""What an experiment needs from its cluster: a volume that persists, a config map, secrets, a registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import cast

from hera_utils.argo.names import subdomain_faults
from hera_utils.errors import LayoutError

DEFAULT_MOUNT_PATH = "/within-container-mount-point"


@dataclass(frozen=True)
class PersistedVolume:
    """A volume that outlives the run, and where tasks see it.

    claim_name: the claim's name. mount_path: absolute, inside the tasks. size, storage_class, access_modes: as in Kubernetes, used if
    the claim has to be created.
    """

    claim_name: str
    mount_path: str = DEFAULT_MOUNT_PATH
    size: str = "1Gi"
    storage_class: str | None = None
    access_modes: tuple[str, ...] = ("ReadWriteMany",)

    def __post_init__(self) -> None:
        _check_name("claim", self.claim_name)
        if not self.mount_path.startswith("/") or self.mount_path == "/" or ".." in self.mount_path.split("/"):
            raise LayoutError(
                f"the mount path `{self.mount_path}` of the claim {self.claim_name} cannot be used",
                fix="give an absolute path such as /results",
            )


@dataclass(frozen=True)
class ConfigMap:
    """A config map. data: its content, if it has to be created (on this machine)."""

    name: str
    data: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_name("config map", self.name)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Secret:
    """A secret, and the sources of its values, if it has to be created; the values themselves are never written here.

    from_variables: key → environment variable. from_files: key → file (`~` is the home folder) whose bytes are the value.
    """

    name: str
    from_variables: Mapping[str, str] = field(default_factory=dict)
    from_files: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_name("secret", self.name)
        both = sorted(set(self.from_variables) & set(self.from_files))
        if both:
            raise LayoutError(
                f"the key {both[0]} of the secret {self.name} comes from a variable and from a file",
                fix="name one of them",
            )

    @property
    def keys(self) -> tuple[str, ...]:
        return (*self.from_variables, *self.from_files)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class PullSecret:
    """The credential with which the cluster pulls images from a registry.

    registry: its host (`registry.example.org`); "" for that of the environment. username, password: the environment variables with
    their values, if the secret has to be created; from_docker: take what `docker login` has stored (~/.docker/config.json) instead.
    """

    name: str
    registry: str = ""
    username: str = ""
    password: str = ""
    from_docker: bool = False

    def __post_init__(self) -> None:
        _check_name("image pull secret", self.name)

    @property
    def is_configured(self) -> bool:
        """Whether it names the sources of its values; without them it can be referred to, but not created."""
        return self.from_docker or bool(self.username and self.password)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class ServiceAccount:
    """The account of the runs' pods. Its role is the smallest that Argo's executor needs, with `more_rules`.

    agents: there are http or plugin templates; collects: artifacts are garbage collected (both need more rights).
    more_rules: Kubernetes' rules, e.g. {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}, for `resource` templates.
    """

    name: str
    more_rules: tuple[Mapping[str, Sequence[str]], ...] = ()
    agents: bool = False
    collects: bool = False

    def __post_init__(self) -> None:
        _check_name("service account", self.name)

    @property
    def is_configured(self) -> bool:
        """Whether it is described and can be created; an account that is only named belongs to somebody else."""
        return not isinstance(self, _NamedAccount)

    def __str__(self) -> str:
        return self.name


class _NamedAccount(ServiceAccount):
    """An account of which only the name is given: its owner creates it."""


@dataclass(frozen=True)
class Environment:
    """The environment of execution.

    config_map: a name, or a ConfigMap with its data. registry: where the experiment's images are (`registry.example.org/lab`).
    image_pull_secret, service_account: a name (it is then only referred to), or a PullSecret, a ServiceAccount (it can be created).
    requirements: the packages that images of Python have on this machine, as in requirements.txt; on a cluster the image has them.
    All of these are defaults: a flag, a variable or a profile wins.
    """

    persisted_volume: PersistedVolume | None = None  # or the name of a claim
    config_map: str | ConfigMap | None = None
    registry: str | None = None
    secrets: tuple[Secret, ...] = ()
    more_volumes: tuple[PersistedVolume, ...] = ()
    image_pull_secret: PullSecret | None = None  # or a name
    service_account: ServiceAccount | None = None  # or a name
    more_config_maps: tuple[ConfigMap, ...] = ()
    requirements: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        volume: object = self.persisted_volume
        if isinstance(volume, str):
            object.__setattr__(self, "persisted_volume", PersistedVolume(volume))
        if isinstance(self.config_map, str):
            _check_name("config map", self.config_map)
        pull, account = cast("object", self.image_pull_secret), cast("object", self.service_account)
        if isinstance(pull, str):
            object.__setattr__(self, "image_pull_secret", PullSecret(pull))
        if isinstance(account, str):
            object.__setattr__(self, "service_account", _NamedAccount(account))

    @property
    def cluster(self) -> SimpleNamespace:
        """The values under the names of the first hera_utils: `.configmap`, `.docker_registry`."""
        name = None if self.config_map is None else str(self.config_map)
        return SimpleNamespace(configmap=name, docker_registry=self.registry)

    @property
    def volumes(self) -> tuple[PersistedVolume, ...]:
        first = () if self.persisted_volume is None else (self.persisted_volume,)
        return first + self.more_volumes

    @property
    def config_maps(self) -> tuple[ConfigMap, ...]:
        if self.config_map is None:
            return self.more_config_maps
        first = ConfigMap(self.config_map) if isinstance(self.config_map, str) else self.config_map
        return (first, *self.more_config_maps)

    def adapted(
        self,
        *,
        claim_name: str | None = None,
        config_map: str | None = None,
        registry: str | None = None,
        service_account: str | None = None,
    ) -> Environment:
        """This environment with names from the settings, which win over those of its author."""
        environment = self
        if claim_name is not None:
            volume = environment.persisted_volume
            volume = PersistedVolume(claim_name) if volume is None else replace(volume, claim_name=claim_name)
            environment = replace(environment, persisted_volume=volume)
        if config_map is not None:
            data = environment.config_map.data if isinstance(environment.config_map, ConfigMap) else {}
            environment = replace(environment, config_map=ConfigMap(config_map, data) if data else config_map)
        if service_account is not None:
            account = environment.service_account
            account = _NamedAccount(service_account) if account is None else replace(account, name=service_account)
            environment = replace(environment, service_account=account)
        return environment if registry is None else replace(environment, registry=registry)


def _check_name(what: str, name: str) -> None:
    if not isinstance(name, str) or subdomain_faults(name):
        raise LayoutError(
            f"`{name}` is not a legal name of a {what}",
            fix="use lower case letters, digits, `-` and `.`; begin and end with a letter or a digit",
        )
