"""At which addresses a registry is asked: its mirrors first, then itself; over plain HTTP only where that was said, or on this machine.

HERA_UTILS_REGISTRY_MIRRORS has addresses that are asked before Docker Hub, separated by commas or spaces, as `registry-mirrors` of
Docker's daemon.json, whose entries follow; one with `/v2/` in it is the path under which a proxy keeps Docker Hub's repositories.
HERA_UTILS_INSECURE_REGISTRIES and `insecure-registries` name hosts without a certificate to check.
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

    url: as it is written, without `/v2/` or with it and a path in it. registry: whose logins are good for it. insecure: its certificate
    is not checked. mirror: another address follows.
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
        """For people."""
        if self.mirror:
            return f"the mirror {self.host}"
        return "Docker Hub" if self.registry == DOCKER_HUB else f"the registry {self.host}"

    def repository(self, name: str) -> str:
        """Its address. A proxy of several registries has each under a path: `https://harbor.example.org/v2/hub`."""
        return f"{self.url}/{name}" if "/v2/" in self.url else f"{self.url}/v2/{name}"


def endpoints_of(registry: str, environ: Mapping[str, str] | None = None) -> tuple[Endpoint, ...]:
    """The addresses of a registry in the order in which they are asked. Raises SettingsError for a mirror that is no address."""
    environ = os.environ if environ is None else environ
    daemon = _daemon(DAEMON_JSON)
    insecure = [*_split(environ.get(INSECURE, "")), *_texts(daemon, "insecure-registries")]
    if registry != DOCKER_HUB:
        return _direct(registry, insecure)
    own = [_mirror(text, insecure, f"the variable {MIRRORS}") for text in _split(environ.get(MIRRORS, ""))]
    dockers = [_mirror(text, insecure, str(DAEMON_JSON)) for text in _texts(daemon, "registry-mirrors")]
    return (*dict.fromkeys(own + dockers), Endpoint(_HUB_ADDRESS, DOCKER_HUB))


def elsewhere(url: str) -> tuple[Endpoint, str]:
    """The registry, and the repository, of the address of a manifest or a blob."""
    parts = urlsplit(url)
    match = re.match(r"/v2/(.+)/(?:manifests|blobs)/", parts.path)
    return Endpoint(f"{parts.scheme}://{parts.netloc}", parts.netloc), match[1] if match else ""


def _direct(registry: str, insecure: list[str]) -> tuple[Endpoint, ...]:
    """On this machine plain HTTP is tried first (what speaks TLS says so at once, what does not may be silent for long), elsewhere last."""
    secure = Endpoint(f"https://{registry}", registry)
    if is_loopback(_hostname(registry)):
        return (Endpoint(f"http://{registry}", registry, True), Endpoint(secure.url, registry, True))
    if any(_covers(entry, registry) for entry in insecure):
        return (Endpoint(secure.url, registry, True), Endpoint(f"http://{registry}", registry, True))
    return (secure,)


def _mirror(text: str, insecure: list[str], source: str) -> Endpoint:
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
    unchecked = is_loopback(parts.hostname) or any(_covers(entry, parts.netloc) for entry in insecure)
    return Endpoint(address.rstrip("/"), parts.netloc, unchecked, mirror=True)


def _covers(entry: str, registry: str) -> bool:
    """Whether an entry of insecure registries (a host, a host with its port, a range of addresses) means a registry."""
    if entry in (registry, _hostname(registry)):
        return True
    try:
        return ipaddress.ip_address(_hostname(registry)) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False


def _hostname(registry: str) -> str:
    return urlsplit(f"//{registry}").hostname or registry


def _daemon(path: Path) -> dict[str, Any]:
    """Docker's own configuration. Whether it is right is Docker's business: what cannot be read says nothing."""
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
