"""Credentials from a program that the kubeconfig names (`exec`), as for cloud providers and single sign-on.

Source: kubernetes.io, "client-go credential plugins"; API versions v1, v1beta1 and v1alpha1 of client.authentication.k8s.io. The stderr
of the program goes to the terminal, as with kubectl, because it may say how to log in. The credential is kept in memory until it expires.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hera_utils.argo import timestamps
from hera_utils.errors import AccessError, SettingsError
from hera_utils.settings.kubeconfig import ChosenContext
from hera_utils.wording import system_reason

Json = dict[str, Any]

_VERSIONS = tuple(f"client.authentication.k8s.io/{version}" for version in ("v1", "v1beta1", "v1alpha1"))
_SECONDS = 300.0  # for the program: the user may have to log in in a browser
_EARLY = 30.0  # a credential is renewed so many seconds before it expires


@dataclass(frozen=True)
class Credential:
    """The credential of a plugin. certificate, key: PEM. expires: seconds since 1970, None if the plugin did not say."""

    token: str = field(default="", repr=False)
    certificate: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    expires: float | None = None

    def lasts(self) -> bool:
        return self.expires is None or time.time() < self.expires - _EARLY


class ExecPlugin:
    """Runs the program if there is no valid credential. Raises AccessError if it gives none."""

    def __init__(self, entry: Any, chosen: ChosenContext) -> None:
        if not isinstance(entry, Mapping) or not entry.get("command") or entry.get("apiVersion") not in _VERSIONS:
            known = ", ".join(version.rpartition("/")[2] for version in _VERSIONS)
            raise SettingsError(
                f"the kubeconfig {chosen.origin} names no credential plugin that can be run",
                fix=f"its `exec` needs a command and an apiVersion ({known} of client.authentication.k8s.io)",
            )
        self._entry, self._chosen = entry, chosen
        self._held: Credential | None = None

    def credential(self) -> Credential:
        if self._held is None or not self._held.lasts():
            self._held = self._ask()
        return self._held

    def forget(self) -> None:
        self._held = None

    @property
    def _program(self) -> str:
        command = str(self._entry["command"])
        return str(self._chosen.user_folder / command) if "/" in command else command

    def _ask(self) -> Credential:
        interactive = self._entry.get("interactiveMode", "IfAvailable") != "Never" and _terminal()
        if self._entry.get("interactiveMode") == "Always" and not interactive:
            raise self._plugin_error("it asks for input, and there is no terminal")
        try:
            done = subprocess.run(
                [self._program, *map(str, self._entry.get("args") or ())],
                env=self._environment(interactive),
                stdin=None if interactive else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                timeout=_SECONDS,
                check=False,
            )
        except FileNotFoundError:
            hint = str(self._entry.get("installHint") or "").strip()
            raise self._plugin_error("it is not installed", hint or "install it, or put it on the PATH") from None
        except subprocess.TimeoutExpired:
            raise self._plugin_error(f"it gave no answer in {_SECONDS:g} s") from None
        except OSError as error:
            raise self._plugin_error(system_reason(error)) from None
        if done.returncode != 0:
            raise self._plugin_error(f"it ended with status {done.returncode}")
        return self._read(done.stdout)

    def _environment(self, interactive: bool) -> dict[str, str]:
        spec: Json = {"interactive": interactive}
        if self._entry.get("provideClusterInfo"):
            spec["cluster"] = self._cluster_info()
        exec_info = {"apiVersion": self._entry["apiVersion"], "kind": "ExecCredential", "spec": spec}
        own = {
            str(variable["name"]): str(variable.get("value", ""))
            for variable in self._entry.get("env") or ()
            if variable.get("name")
        }
        return {**os.environ, **own, "KUBERNETES_EXEC_INFO": json.dumps(exec_info)}

    def _cluster_info(self) -> Json:
        """The description of the cluster for the plugin: its authority as data, and the extension for plugins as `config`."""
        cluster = self._chosen.cluster
        cluster_info = {
            key: value for key, value in cluster.items() if key not in ("extensions", "certificate-authority")
        }
        authority = cluster.get("certificate-authority")
        if authority and "certificate-authority-data" not in cluster_info:
            with contextlib.suppress(OSError):
                pem = (self._chosen.cluster_folder / str(authority)).read_bytes()
                cluster_info["certificate-authority-data"] = base64.b64encode(pem).decode()
        for extension in cluster.get("extensions") or ():
            if extension.get("name") == "client.authentication.k8s.io/exec":
                cluster_info["config"] = extension.get("extension")
        return cluster_info

    def _read(self, output: bytes) -> Credential:
        try:
            status = json.loads(output)["status"]
            expires = status.get("expirationTimestamp")
            credential = Credential(
                token=str(status.get("token") or ""),
                certificate=str(status.get("clientCertificateData") or ""),
                key=str(status.get("clientKeyData") or ""),
                expires=moment(expires) if expires else None,
            )
        except (ValueError, TypeError, KeyError, AttributeError):
            # without the output, which may contain a token
            raise self._plugin_error("its output is not an ExecCredential") from None
        if not credential.token and not credential.certificate:
            raise self._plugin_error("it gave neither a token nor a certificate")
        return credential

    def _plugin_error(self, why: str, fix: str = "") -> AccessError:
        return AccessError(
            f"the credential plugin `{self._entry['command']}` of {self._chosen.origin} gives no credential: {why}",
            fix=fix or "log in with the cluster's own tool, and check that kubectl works",
        )


def moment(text: str) -> float:
    """Seconds since the epoch of an RFC 3339 text. Raises ValueError for any other text."""
    at = timestamps.read(text.strip())
    if at is None:
        raise ValueError(text)
    return at


def _terminal() -> bool:
    try:
        return sys.stdin.isatty()
    except (AttributeError, ValueError):
        return False
