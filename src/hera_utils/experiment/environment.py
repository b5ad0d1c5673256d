"""What an experiment needs around it: a volume that persists, a config map, secrets, a registry. What changes with the cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

from hera_utils.errors import LayoutError
from hera_utils.experiment.layout import is_legal_name

DEFAULT_MOUNT_PATH = "/within-container-mount-point"


@dataclass(frozen=True)
class PersistedVolume:
    """A volume that outlives the run, and where tasks see it.

    claim_name: the claim's name. mount_path: absolute, inside the tasks. size, storage_class, access_modes: used where the claim
    has to be created (Kubernetes' quantities and words).
    """

    claim_name: str
    mount_path: str = DEFAULT_MOUNT_PATH
    size: str = "1Gi"
    storage_class: str | None = None
    access_modes: tuple[str, ...] = ("ReadWriteMany",)

    def __post_init__(self) -> None:
        _legal("claim", self.claim_name)
        if not self.mount_path.startswith("/") or self.mount_path == "/" or ".." in self.mount_path.split("/"):
            raise LayoutError(
                f"the mount path `{self.mount_path}` of the claim {self.claim_name} cannot be used",
                fix="give an absolute path such as /results",
            )


@dataclass(frozen=True)
class ConfigMap:
    """A config map. data: what it holds where it has to be created (on this machine)."""

    name: str
    data: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _legal("config map", self.name)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Secret:
    """A secret. from_variables: key → environment variable that its value is taken from where it has to be created."""

    name: str
    from_variables: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _legal("secret", self.name)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Environment:
    """The environment of execution.

    config_map: a name, or a ConfigMap with its data. registry: where the experiment's images are (`registry.example.org/lab`).
    What is written here is a default: a flag, a variable or a profile wins.
    """

    persisted_volume: PersistedVolume | None = None  # a claim's name alone is taken too
    config_map: str | ConfigMap | None = None
    registry: str | None = None
    secrets: tuple[Secret, ...] = ()
    more_volumes: tuple[PersistedVolume, ...] = ()

    def __post_init__(self) -> None:
        volume: object = self.persisted_volume
        if isinstance(volume, str):
            object.__setattr__(self, "persisted_volume", PersistedVolume(volume))
        if isinstance(self.config_map, str):
            _legal("config map", self.config_map)

    @property
    def cluster(self) -> SimpleNamespace:
        """The same values under the first hera_utils' names: `.configmap`, `.docker_registry`."""
        name = None if self.config_map is None else str(self.config_map)
        return SimpleNamespace(configmap=name, docker_registry=self.registry)

    @property
    def volumes(self) -> tuple[PersistedVolume, ...]:
        first = () if self.persisted_volume is None else (self.persisted_volume,)
        return first + self.more_volumes

    @property
    def config_maps(self) -> tuple[ConfigMap, ...]:
        if self.config_map is None:
            return ()
        return (ConfigMap(self.config_map) if isinstance(self.config_map, str) else self.config_map,)

    def adapted(
        self, *, claim_name: str | None = None, config_map: str | None = None, registry: str | None = None
    ) -> Environment:
        """This environment where somebody stronger than its author named the claim, the config map or the registry."""
        made = self
        if claim_name is not None:
            volume = made.persisted_volume
            volume = PersistedVolume(claim_name) if volume is None else replace(volume, claim_name=claim_name)
            made = replace(made, persisted_volume=volume)
        if config_map is not None:
            data = made.config_map.data if isinstance(made.config_map, ConfigMap) else {}
            made = replace(made, config_map=ConfigMap(config_map, data) if data else config_map)
        return made if registry is None else replace(made, registry=registry)


def _legal(what: str, name: str) -> None:
    if not isinstance(name, str) or not is_legal_name(name, longest=253, dots=True):
        raise LayoutError(
            f"`{name}` is not a legal name of a {what}",
            fix="use lower case letters, digits, `-` and `.`; begin and end with a letter or a digit",
        )
