"""The addresses at which a registry is asked: its mirrors first, then itself. Plain HTTP is used only where the user allows it, or
on this machine.

HERA_UTILS_REGISTRY_MIRRORS lists addresses that are asked before Docker Hub, separated by commas or spaces; the `registry-mirrors` of
Docker's daemon.json follow them. An address with `/v2/` in it is the path under which a proxy keeps Docker Hub's repositories.
HERA_UTILS_INSECURE_REGISTRIES and `insecure-registries` name hosts whose certificate is not checked.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hera_utils.errors import SettingsError
from hera_utils.images.reference import DOCKER_HUB
from hera_utils.settings.address import is_loopback

MIRRORS = "HERA_UTILS_REGISTRY_MIRRORS"
INSECURE = "HERA_UTILS_INSECURE_REGISTRIES"
DAEMON_JSON = Path("/etc/docker/daemon.json")
_HUB_ADDRESS = "https://registry-1.docker.io"


@dataclass(frozen=True)
class Endpoint:
    """One address of a registry.

    url: the address as the user wrote it, with or without `/v2/` and a path. registry: the name whose logins are valid here. insecure: its
    certificate is not checked. mirror: another address is asked after it.
    """

    url: str
    registry: str
    insecure: bool = False
    mirror: bool = False

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc

    @property
    def name(self) -> str:
        """What messages call it."""
        if self.mirror:
            return f"the mirror {self.host}"
        return "Docker Hub" if self.registry == DOCKER_HUB else f"the registry {self.host}"

    def repository(self, name: str) -> str:
        """The address of a repository. A proxy of several registries has each under a path: `https://harbor.example.org/v2/hub`."""
        return f"{self.url}/{name}" if "/v2/" in self.url else f"{self.url}/v2/{name}"


def endpoints_of(registry: str, environ: Mapping[str, str] | None = None) -> tuple[Endpoint, ...]:
    """The addresses of a registry in the order in which they are asked. Raises SettingsError for a mirror that is no address."""
    environ = os.environ if environ is None else environ
    daemon = _read_daemon_config(DAEMON_JSON)
    insecure = [*_split(environ.get(INSECURE, "")), *_texts(daemon, "insecure-registries")]
    if registry != DOCKER_HUB:
        return _registry_endpoints(registry, insecure)
    own = [_mirror_endpoint(text, insecure, f"the variable {MIRRORS}") for text in _split(environ.get(MIRRORS, ""))]
    dockers = [_mirror_endpoint(text, insecure, str(DAEMON_JSON)) for text in _texts(daemon, "registry-mirrors")]
    return (*dict.fromkeys(own + dockers), Endpoint(_HUB_ADDRESS, DOCKER_HUB))


def endpoint_of_url(url: str) -> tuple[Endpoint, str]:
    """The registry and the repository that the address of a manifest or a blob names."""
    parts = urlsplit(url)
    match = re.match(r"/v2/(.+)/(?:manifests|blobs)/", parts.path)
    return Endpoint(f"{parts.scheme}://{parts.netloc}", parts.netloc), match[1] if match else ""


def _registry_endpoints(registry: str, insecure: list[str]) -> tuple[Endpoint, ...]:
    """The registry itself. Plain HTTP is tried first on this machine, last elsewhere: a TLS server refuses plain HTTP at once, but a
    plain server may not answer TLS for long.
    """
    secure = Endpoint(f"https://{registry}", registry)
    if is_loopback(_hostname(registry)):
        return (Endpoint(f"http://{registry}", registry, True), Endpoint(secure.url, registry, True))
    if any(_includes_registry(entry, registry) for entry in insecure):
        return (Endpoint(secure.url, registry, True), Endpoint(f"http://{registry}", registry, True))
    return (secure,)


def _mirror_endpoint(text: str, insecure: list[str], source: str) -> Endpoint:
    address = text if "://" in text else f"https://{text}"
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise SettingsError(
            f'{source} names "{parts.hostname or parts.scheme}", which is not the address of a mirror',
            fix="write mirrors as https://mirror.example.org",
        )
    if parts.username or parts.password:
        raise SettingsError(
            f"{source} has a user name or a password in the address of {parts.hostname}",
            fix=f"leave it out, and log in with docker login {parts.hostname}",
        )
    unchecked = is_loopback(parts.hostname) or any(_includes_registry(entry, parts.netloc) for entry in insecure)
    return Endpoint(address.rstrip("/"), parts.netloc, unchecked, mirror=True)


def _includes_registry(entry: str, registry: str) -> bool:
    """Whether an entry of the insecure registries (a host, a host with its port, a range of addresses) includes a registry."""
    if entry in (registry, _hostname(registry)):
        return True
    try:
        return ipaddress.ip_address(_hostname(registry)) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False


def _hostname(registry: str) -> str:
    return urlsplit(f"//{registry}").hostname or registry


def _read_daemon_config(path: Path) -> dict[str, Any]:
    """Docker's own configuration. Reporting its mistakes is Docker's task, so an unreadable file counts as empty."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _texts(document: dict[str, Any], key: str) -> list[str]:
    values = document.get(key)
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else []


def _split(text: str) -> list[str]:
    return [part for part in re.split(r"[,\s]+", text) if part]
