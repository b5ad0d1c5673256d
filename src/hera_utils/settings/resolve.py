"""Chooses the value of each setting among those of all sources, and stores its origin. Pure.

The order (strongest first) is the order of the layers that `sources.gather` gives:

    flag > environment > $ARGOCONFIG > ./hera.config > project file > ~/hera.config > user profile > script > default
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any
from urllib.parse import unquote, urlsplit

from hera_utils.settings.address import host_and_port, is_loopback, server_url
from hera_utils.settings.fields import FIELDS, TOKEN_FIELDS, Field
from hera_utils.settings.secret import Secret, mask

DEFAULT = "default"
_CREDENTIAL = re.compile(r"://[^/@\s'\"]+@")


@dataclass(frozen=True)
class ProjectSource:
    """A settings file of the project that decided a value. profile: "", or the user's profile that the file selected for the value.

    digest: SHA-256 of the content that was read, as the file may have changed since.
    """

    file: str
    profile: str = ""
    digest: str = dataclass_field(default="", compare=False)


@dataclass(frozen=True)
class GivenValue:
    """One value from one source. origin: the source, for messages (`variable ARGO_SERVER`).

    project: the project's file that gave it (None: the user did).
    """

    value: Any
    origin: str
    project: ProjectSource | None = None


Layer = Mapping[str, GivenValue]
"""The values of one source: field name → value, only for the fields that it sets."""


@dataclass(frozen=True)
class Row:
    """A line of `hera-utils settings`. value: as text, secrets masked; "" if it is not set."""

    name: str
    value: str
    origin: str
    help: str


class CLIContext:
    """The settings of a script (`args` in the first hera_utils). Each setting is an attribute (None if no source set it), and so is
    each flag that the script added to the parser. `vars(args)` gives all of them.
    """

    __slots__ = ("__dict__", "_origins", "_found", "_projects")

    platform: str
    profile: str | None
    argo_server: str | None
    argo_namespace: str
    argo_service_account: str | None
    argo_token: Secret | None
    argo_token_file: str | None
    argo_token_command: str | None
    argo_token_keyring: str | None
    argo_token_lifetime: float
    argo_secure: bool | None
    argo_base_href: str | None
    verify_tls: bool
    ca_file: str | None
    client_certificate: str | None
    client_key: str | None
    proxy: str | None
    k8s_config_file: str | None
    k8s_context: str | None
    k8s_configmap_name: str | None
    k8s_volume_claim_name: str | None
    registry: str | None
    state: str
    images: dict[str, Any]
    python: str | None
    volumes: dict[str, str]
    runs: str | None
    parallelism: int | None
    notify: Secret | None
    notify_command: str | None
    notify_on: str
    authors: str | None
    license: str | None

    def __init__(
        self,
        values: Mapping[str, Any],
        origins: Mapping[str, str],
        projects: Mapping[str, ProjectSource | None] | None = None,
    ) -> None:
        object.__setattr__(self, "_origins", dict(origins))
        object.__setattr__(self, "_projects", dict(projects or {}))
        object.__setattr__(self, "_found", {})
        self.__dict__.update(values)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a value; its origin becomes the script."""
        self._origins[name] = "script"
        self._projects.pop(name, None)
        self.__dict__[name] = value

    def __getattr__(self, name: str) -> Any:
        """Called by Python only for a missing attribute."""
        raise AttributeError(f"`{name}` is neither a setting nor a flag of this script")

    def __contains__(self, name: str) -> bool:
        return name in self.__dict__

    def __repr__(self) -> str:
        listed = ", ".join(f"{name}={remove_passwords(repr(value))}" for name, value in self.__dict__.items())
        return f"CLIContext({listed})"

    def origin(self, name: str) -> str:
        """The source of a value: `flag --argo_server`, `variable ARGO_SERVER`, `file ./hera.config`, `default`…"""
        return str(self._origins.get(name, DEFAULT))

    def project(self, name: str) -> ProjectSource | None:
        """The project's file that gave this value (for an entry of a table: `images.PATTERN`); None if the user gave it."""
        source: ProjectSource | None = self._projects.get(name)
        return source

    def is_given(self, name: str) -> bool:
        """Whether a source stronger than the script and the defaults gave this value."""
        return self.__dict__.get(name) is not None and self.origin(name) not in (DEFAULT, "script")

    def rows(self) -> list[Row]:
        """Every setting with its value and origin, for display; secrets are masked."""
        return [
            Row(field.name, _display(self.__dict__.get(field.name)), self.origin(field.name), field.help)
            for field in FIELDS
        ]

    def remembered(self) -> dict[Any, Any]:
        """A cache of what was computed from these settings: key → value."""
        remembered_values: dict[Any, Any] = self._found
        return remembered_values

    def fill(self, name: str, value: Any, origin: str) -> None:
        """Set a value and its origin if the value is still the default."""
        if self.origin(name) == DEFAULT:
            self.__dict__[name], self._origins[name] = value, origin

    def secrets(self) -> list[str]:
        """The secret values, which no output may show."""
        texts = [value.reveal() for value in self.__dict__.values() if isinstance(value, Secret)]
        return texts + [unquote(urlsplit(self.proxy).password or "")] if self.__dict__.get("proxy") else texts

    def masked(self, text: str) -> str:
        """The text with all secrets of this context masked."""
        return mask(text, self.secrets())


def limit_parallelism(own: int | None, limit: int) -> int:
    """How many tasks of a workflow may run at once: its own parallelism if that is smaller than the limit of the settings."""
    return min(own or limit, limit)


def resolve(
    layers: Sequence[Layer],
    *,
    own_server: Callable[[str], str | None] = lambda state: None,
    extras: Mapping[str, Any] | None = None,
) -> CLIContext:
    """The context that results from the layers (strongest first).

    own_server: state folder → the address of its local server, or None. extras: the script's own flags.
    Raises SettingsError for an invalid address of the Argo server.
    """
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    projects: dict[str, ProjectSource | None] = {}
    for field in FIELDS:
        values[field.name], origins[field.name], projects[field.name] = _strongest_value(field, layers)
        if field.kind == "table":
            projects.update(_entries_of_projects(field.name, layers))
    _keep_one_token(layers, values, origins)
    if values["argo_server"] is not None:
        values["argo_server"] = server_url(
            values["argo_server"], secure=values["argo_secure"], base=values["argo_base_href"] or ""
        )
    values["platform"], origins["platform"] = _platform(values, origins, own_server)
    for name, value in (extras or {}).items():
        values[name], origins[name] = value, "script's flag"
    return CLIContext(values, origins, projects)


def _strongest_value(field: Field, layers: Iterable[Layer]) -> tuple[Any, str, ProjectSource | None]:
    candidates = [layer[field.name] for layer in layers if field.name in layer]
    if field.kind == "table":
        merged: dict[str, Any] = {}
        # The entries of the strongest source win and come first, as image patterns are tried in order.
        for candidate in candidates:
            for key, value in candidate.value.items():
                merged.setdefault(key, value)
        return merged, ", ".join(dict.fromkeys(candidate.origin for candidate in candidates)) or DEFAULT, None
    return (
        (candidates[0].value, candidates[0].origin, candidates[0].project)
        if candidates
        else (field.default, DEFAULT, None)
    )


def _entries_of_projects(name: str, layers: Iterable[Layer]) -> dict[str, ProjectSource | None]:
    """`TABLE.KEY` → the project's file that gave this entry of a table, or None."""
    sources: dict[str, ProjectSource | None] = {}
    for layer in layers:
        for key in layer[name].value if name in layer else ():
            sources.setdefault(f"{name}.{key}", layer[name].project)
    return sources


def _keep_one_token(layers: Sequence[Layer], values: dict[str, Any], origins: dict[str, str]) -> None:
    """Keep only the token setting of the strongest source that gives one; unset the others and say so in their origins."""
    giver = next((layer for layer in layers if any(name in layer for name in TOKEN_FIELDS)), {})
    chosen = next((name for name in TOKEN_FIELDS if name in giver), None)
    for name in TOKEN_FIELDS:
        if name != chosen and values[name] is not None:
            values[name], origins[name] = None, f"{origins[name]}, but {chosen} wins ({origins[chosen or name]})"


def _platform(
    values: Mapping[str, Any], origins: Mapping[str, str], own_server: Callable[[str], str | None]
) -> tuple[str, str]:
    """(platform, its origin): --platform wins; otherwise an Argo server other than the local one makes the platform remote."""
    setting, address = values["platform"], values["argo_server"]
    if setting is not None:
        return setting, origins["platform"]
    if address is None:
        return "local", "no Argo server is named"
    host, port = host_and_port(address)
    if is_loopback(host):
        own = own_server(values["state"])
        # The variables of `eval "$(hera-utils connection)"` outlive the local server, which ends when idle; the kubeconfig in its
        # state folder shows that they are its variables.
        ours = own is not None and host_and_port(own) == (host, port)
        if ours or values["k8s_config_file"] == posixpath.join(values["state"], "kubeconfig"):
            return "local", f"argo_server is this machine's own server ({origins['argo_server']})"
    return "remote", f"argo_server is named ({origins['argo_server']})"


def _display(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={_display(entry)}" for key, entry in value.items())
    return f"{value:g}" if isinstance(value, float) else remove_passwords(str(value))


def remove_passwords(text: str) -> str:
    """The text without user names and passwords in URLs: `http://me:secret@proxy` → `http://proxy`."""
    return _CREDENTIAL.sub("://", text)
