"""The logins that docker, podman and pull secrets keep for registries.

They are tried in this order: pull secrets, docker's config.json (a helper program where it names one), podman's auth.json.
Nothing here raises an error, because most images need no login: a file that cannot be read or a program that fails is remembered as
an `obstacle`. When a registry then denies access, its error message lists the obstacles.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import json
import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hera_utils.images.reference import DOCKER_HUB
from hera_utils.settings.secret import Secret
from hera_utils.wording import system_reason

# The key under which `docker login` without a host stores a login.
_HUB_KEY = "https://index.docker.io/v1/"
_HUB_HOSTS = ("index.docker.io", "registry-1.docker.io", "registry.hub.docker.com")
_HELPER_SECONDS = 30.0
_helper_match = re.compile(r"[A-Za-z0-9_.-]+\Z").match
# The words with which a helper says that it has no login for a server (docker-credential-helpers).
_NO_LOGIN = ("credentials not found", "no credentials server url", "no credentials username")
_PULL_SECRET_KEYS = {"kubernetes.io/dockerconfigjson": ".dockerconfigjson", "kubernetes.io/dockercfg": ".dockercfg"}

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Login:
    """One user of a registry. identity_token: sent instead of a password to get a token. registry_token: the token itself."""

    username: str = ""
    password: Secret = Secret("")
    identity_token: Secret = Secret("")
    registry_token: Secret = Secret("")
    source: str = ""

    @property
    def secrets(self) -> tuple[Secret, ...]:
        return tuple(secret for secret in (self.password, self.identity_token, self.registry_token) if secret)


@dataclass(frozen=True)
class _Entry:
    """One entry of `auths`. host: may be a glob, as in pull secrets. path: the beginning of the repositories that it is for."""

    host: str
    path: str
    login: Login


@dataclass(frozen=True)
class _CredentialHelpers:
    """Which program knows the login of a host."""

    by_host: Mapping[str, str]
    default: str
    source: str

    def program(self, registry: str) -> str:
        return self.by_host.get(registry, self.default)


@dataclass
class Logins:
    """The logins of one user, or of one pod. `obstacles` says, in sentences, what could not be read."""

    entries: list[_Entry] = field(default_factory=list, repr=False)
    helpers: list[_CredentialHelpers] = field(default_factory=list, repr=False)
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    obstacles: list[str] = field(default_factory=list)

    @classmethod
    def of_this_user(cls, environ: Mapping[str, str] | None = None) -> Logins:
        """The logins that docker and podman keep for this user, read now."""
        environ = os.environ if environ is None else environ
        logins = cls(environ=environ)
        for path in _config_files(environ):
            logins._read(path)
        return logins

    def with_pull_secrets(self, secrets: Iterable[Json]) -> Logins:
        """The logins of Kubernetes secrets (objects as the API gives them), which are tried first, and then these logins."""
        secrets = list(secrets)
        logins = Logins(list(self.entries), self.helpers, self.environ, list(self.obstacles))
        for secret in reversed(secrets):
            name = str((secret.get("metadata") or {}).get("name") or "")
            try:
                auths = _auths_of_secret(secret)
            except ValueError as error:
                logins.obstacles.insert(0, f"the pull secret {name} {error}")
                continue
            logins.entries[:0] = _entries(auths, f"the pull secret {name}", logins.obstacles)
        return logins

    def find(self, registry: str, repository: str = "") -> list[Login]:
        """The logins for a repository, in the order in which to try them."""
        matching = [entry for entry in self.entries if _matches(entry, registry, repository)]
        ranked = sorted(matching, key=lambda entry: (-len(entry.path), "*" in entry.host))
        logins = [entry.login for entry in ranked]
        for helpers in self.helpers:
            program = helpers.program(registry)
            login = self._ask_helper(program, registry, helpers.source) if program else None
            if login is not None:
                logins.append(login)
        return list(dict.fromkeys(logins))

    def _read(self, path: Path) -> None:
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            self.obstacles.append(f"{path} cannot be read ({system_reason(error)})")
            return
        except (ValueError, RecursionError):
            self.obstacles.append(f"{path} is not JSON")
            return
        if not isinstance(document, dict):
            self.obstacles.append(f"{path} is not a JSON object")
            return
        self.entries += _entries(document.get("auths"), str(path), self.obstacles)
        by_host = document.get("credHelpers")
        by_host = {_host_and_path(str(k))[0]: str(v) for k, v in by_host.items()} if isinstance(by_host, dict) else {}
        default = document.get("credsStore")
        default = default if isinstance(default, str) else ""
        if by_host or default:
            self.helpers.append(_CredentialHelpers(by_host, default, str(path)))

    def _ask_helper(self, name: str, registry: str, source: str) -> Login | None:
        """The login that `docker-credential-NAME get` prints; it reads the server's address from its standard input."""
        program = f"docker-credential-{name}"
        if not _helper_match(name):
            self._note_obstacle(f"{source} names the helper {name!r}, which is not the name of a program")
            return None
        server = _HUB_KEY if registry == DOCKER_HUB else registry
        try:
            answer = subprocess.run(
                [program, "get"],
                input=server,
                capture_output=True,
                text=True,
                timeout=_HELPER_SECONDS,
                env=dict(self.environ),
                check=False,
            )
        except FileNotFoundError:
            self._note_obstacle(f"{program}, which {source} names, is not installed")
            return None
        except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError) as error:
            why = "did not answer" if isinstance(error, subprocess.TimeoutExpired) else "cannot be run"
            self._note_obstacle(f"{program}, which {source} names, {why}")
            return None
        if answer.returncode != 0:
            output = (answer.stdout + answer.stderr).lower()
            if not any(words in output for words in _NO_LOGIN):
                self._note_obstacle(f"{program}, which {source} names, failed with status {answer.returncode}")
            return None
        try:
            document = json.loads(answer.stdout)
            username, secret = str(document["Username"]), str(document["Secret"])
        except (ValueError, KeyError, TypeError):
            self._note_obstacle(f"{program}, which {source} names, gave no login that can be read")
            return None
        if not secret:
            return None
        if username == "<token>":
            return Login(identity_token=Secret(secret), source=program)
        return Login(username, Secret(secret), source=program)

    def _note_obstacle(self, obstacle: str) -> None:
        if obstacle not in self.obstacles:
            self.obstacles.append(obstacle)


def _config_files(environ: Mapping[str, str]) -> list[Path]:
    home = Path(environ.get("HOME") or Path.home())
    docker = Path(environ["DOCKER_CONFIG"]) if environ.get("DOCKER_CONFIG") else home / ".docker"
    if environ.get("REGISTRY_AUTH_FILE"):
        podman = [Path(environ["REGISTRY_AUTH_FILE"])]
    else:
        runtime = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
        config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
        podman = [Path(runtime) / "containers" / "auth.json", config / "containers" / "auth.json"]
        if os.getuid() == 0:
            podman.insert(1, Path("/run/containers/0/auth.json"))
    return [docker / "config.json", *podman]


def _auths_of_secret(secret: Json) -> Any:
    """The `auths` of a Kubernetes secret. Raises ValueError, whose text is the end of a sentence about the secret."""
    key = _PULL_SECRET_KEYS.get(str(secret.get("type") or ""))
    if key is None:
        raise ValueError(f"has the type {secret.get('type') or 'Opaque'} instead of kubernetes.io/dockerconfigjson")
    text = (secret.get("stringData") or {}).get(key)
    if text is None:
        encoded = (secret.get("data") or {}).get(key)
        if encoded is None:
            raise ValueError(f"has no key {key}")
        try:
            text = base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, ValueError, TypeError):
            raise ValueError(f"has under {key} a value that is not base64") from None
    try:
        document = json.loads(text)
    except (ValueError, RecursionError, TypeError):
        document = None
    if not isinstance(document, dict):
        raise ValueError(f"has under {key} what is not a JSON object")
    return document.get("auths") if key == ".dockerconfigjson" else document


def _entries(auths: Any, source: str, obstacles: list[str]) -> list[_Entry]:
    entries = []
    for key, value in auths.items() if isinstance(auths, dict) else ():
        try:
            login = _login(value, source)
        except ValueError:
            obstacles.append(f"{source} has a login for {key} that cannot be read")
            continue
        if login is not None:  # docker writes {} where a helper keeps the login
            entries.append(_Entry(*_host_and_path(str(key)), login))
    return entries


def _login(value: Any, source: str) -> Login | None:
    if not isinstance(value, dict):
        raise ValueError("not a mapping")
    username, password = str(value.get("username") or ""), str(value.get("password") or "")
    if value.get("auth"):
        try:
            username, colon, password = (
                base64.b64decode("".join(value["auth"].split()), validate=True).decode().partition(":")
            )
        except (binascii.Error, ValueError, TypeError, AttributeError):
            raise ValueError("not base64") from None
        if not colon:
            raise ValueError("not user:password")
        password = password.strip("\0")  # docker on Windows once padded passwords with zeros
    identity, registry = str(value.get("identitytoken") or ""), str(value.get("registrytoken") or "")
    if not (password or identity or registry):
        return None
    return Login(username, Secret(password), Secret(identity), Secret(registry), source)


def _host_and_path(key: str) -> tuple[str, str]:
    """`https://index.docker.io/v1/` → docker.io; `quay.io/group` → quay.io and group."""
    rest = key.partition("://")[2] if "://" in key else key
    host, _, path = rest.partition("/")
    path = path.strip("/")
    if path in ("v1", "v2"):
        path = ""
    return (DOCKER_HUB if host in _HUB_HOSTS else host), path


def _matches(entry: _Entry, registry: str, repository: str) -> bool:
    """Whether an entry is for a repository, by the kubelet's rule: `*` is any part of the host's name, the path begins the repository."""
    pattern, host = entry.host.lower().split("."), registry.lower().split(".")
    if host != pattern and (len(pattern) != len(host) or not all(map(fnmatch.fnmatchcase, host, pattern))):
        return False
    return not entry.path or f"{repository}/".startswith(f"{entry.path}/")
