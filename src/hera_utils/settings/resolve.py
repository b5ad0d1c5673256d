"""Who wins: from what every source says to the one value of each setting, which remembers who gave it. Pure.

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
    """A settings file of the project. profile: the user's own profile that the file chose, and that gave the value; "" for the file.

    digest: SHA-256 of what was read: the file may be another one meanwhile.
    """

    file: str
    profile: str = ""
    digest: str = dataclass_field(default="", compare=False)


@dataclass(frozen=True)
class GivenValue:
    """One value as one source gave it. origin: the source, as it is told to people (`variable ARGO_SERVER`).

    project: what of a project gave it (None: the user did).
    """

    value: Any
    origin: str
    project: ProjectSource | None = None


Layer = Mapping[str, GivenValue]
"""What one source says: field name → value. Fields that it does not speak of are absent."""


@dataclass(frozen=True)
class Row:
    """A line of `hera-utils settings`. value: as text, secrets masked; "" when it is not set."""

    name: str
    value: str
    origin: str
    help: str


class CLIContext:
    """What a script was told: the seed's `args`. Each setting is an attribute (None when nobody gave it); so is each flag
    that the script added to the parser. `vars(args)` gives all of them.
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
        """A script may set a value: it is then the script that gave it."""
        self._origins[name] = "script"
        self._projects.pop(name, None)
        self.__dict__[name] = value

    def __getattr__(self, name: str) -> Any:
        """Only reached for what is not there."""
        raise AttributeError(f"`{name}` is neither a setting nor a flag of this script")

    def __contains__(self, name: str) -> bool:
        return name in self.__dict__

    def __repr__(self) -> str:
        listed = ", ".join(f"{name}={without_password(repr(value))}" for name, value in self.__dict__.items())
        return f"CLIContext({listed})"

    def origin(self, name: str) -> str:
        """Who gave a value: `flag --argo_server`, `variable ARGO_SERVER`, `file ./hera.config`, `default`…"""
        return str(self._origins.get(name, DEFAULT))

    def project(self, name: str) -> ProjectSource | None:
        """What of a project gave this value (an entry of a table: `images.PATTERN`); None when the user did."""
        source: ProjectSource | None = self._projects.get(name)
        return source

    def is_given(self, name: str) -> bool:
        """Whether somebody stronger than the script and the defaults gave this value."""
        return self.__dict__.get(name) is not None and self.origin(name) not in (DEFAULT, "script")

    def rows(self) -> list[Row]:
        """Every setting with its value and who gave it, for people: no secret in it."""
        return [
            Row(field.name, _display(self.__dict__.get(field.name)), self.origin(field.name), field.help)
            for field in FIELDS
        ]

    def remembered(self) -> dict[Any, Any]:
        """What was found out by these settings and need not be asked again: what it depends on → what it is."""
        remembered_values: dict[Any, Any] = self._found
        return remembered_values

    def fill(self, name: str, value: Any, origin: str) -> None:
        """Give a value that nobody gave, and say where it is from."""
        if self.origin(name) == DEFAULT:
            self.__dict__[name], self._origins[name] = value, origin

    def secrets(self) -> list[str]:
        """The values that no output may show."""
        found = [value.reveal() for value in self.__dict__.values() if isinstance(value, Secret)]
        return found + [unquote(urlsplit(self.proxy).password or "")] if self.__dict__.get("proxy") else found

    def masked(self, text: str) -> str:
        """`text` without any secret of this context."""
        return mask(text, self.secrets())


def resolve(
    layers: Sequence[Layer],
    *,
    own_server: Callable[[str], str | None] = lambda state: None,
    extras: Mapping[str, Any] | None = None,
) -> CLIContext:
    """The context that the layers (strongest first) mean.

    own_server: the address that the local platform's server of a state folder serves at, or None.
    extras: the script's own flags. SettingsError for an illegal address.
    """
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    projects: dict[str, ProjectSource | None] = {}
    for field in FIELDS:
        values[field.name], origins[field.name], projects[field.name] = _winner(field, layers)
        if field.kind == "table":
            projects.update(_entries_of_projects(field.name, layers))
    _one_token(layers, values, origins)
    if values["argo_server"] is not None:
        values["argo_server"] = server_url(
            values["argo_server"], secure=values["argo_secure"], base=values["argo_base_href"] or ""
        )
    values["platform"], origins["platform"] = _platform(values, origins, own_server)
    for name, value in (extras or {}).items():
        values[name], origins[name] = value, "script's flag"
    return CLIContext(values, origins, projects)


def _winner(field: Field, layers: Iterable[Layer]) -> tuple[Any, str, ProjectSource | None]:
    candidates = [layer[field.name] for layer in layers if field.name in layer]
    if field.kind == "table":
        merged: dict[str, Any] = {}
        for one in candidates:  # strongest first: its entries stay, and stay first (image patterns are tried in order)
            for key, value in one.value.items():
                merged.setdefault(key, value)
        return merged, ", ".join(dict.fromkeys(one.origin for one in candidates)) or DEFAULT, None
    return (
        (candidates[0].value, candidates[0].origin, candidates[0].project)
        if candidates
        else (field.default, DEFAULT, None)
    )


def _entries_of_projects(name: str, layers: Iterable[Layer]) -> dict[str, ProjectSource | None]:
    """`TABLE.KEY` → what of a project gave that entry of a table."""
    sources: dict[str, ProjectSource | None] = {}
    for layer in layers:
        for key in layer[name].value if name in layer else ():
            sources.setdefault(f"{name}.{key}", layer[name].project)
    return sources


def _one_token(layers: Sequence[Layer], values: dict[str, Any], origins: dict[str, str]) -> None:
    """Of the ways to give a token the strongest source's counts; the others are as if they had not been said."""
    giver = next((layer for layer in layers if any(name in layer for name in TOKEN_FIELDS)), {})
    chosen = next((name for name in TOKEN_FIELDS if name in giver), None)
    for name in TOKEN_FIELDS:
        if name != chosen and values[name] is not None:
            values[name], origins[name] = None, f"{origins[name]}, but {chosen} wins ({origins[chosen or name]})"


def _platform(
    values: Mapping[str, Any], origins: Mapping[str, str], own_server: Callable[[str], str | None]
) -> tuple[str, str]:
    """Only an Argo server makes the platform remote; the address of our own server is local; --platform wins over all."""
    setting, address = values["platform"], values["argo_server"]
    if setting is not None:
        return setting, origins["platform"]
    if address is None:
        return "local", "no Argo server is named"
    host, port = host_and_port(address)
    if is_loopback(host):
        own = own_server(values["state"])
        # `eval "$(hera-utils connection)"` outlives the server, which ends when it is idle: its kubeconfig tells it was ours.
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
    return f"{value:g}" if isinstance(value, float) else without_password(str(value))


def without_password(text: str) -> str:
    """A text without what stands before the `@` of a URL: `http://me:secret@proxy` → `http://proxy`."""
    return _CREDENTIAL.sub("://", text)
