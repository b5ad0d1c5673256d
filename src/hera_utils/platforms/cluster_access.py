"""How to reach a Kubernetes API, and as which user: turns a context of a kubeconfig into an address, TLS and a credential.

All features of a kubeconfig are supported: exec plugins, `tls-server-name`, `proxy-url`, impersonation, token files that change. Nothing
here is printed, and no error contains a credential.
"""

from __future__ import annotations

import base64
import binascii
import os
import ssl
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hera_utils.errors import AccessError, SettingsError
from hera_utils.platforms.connection import Connection
from hera_utils.platforms.exec_plugin import Credential, ExecPlugin
from hera_utils.settings import kubeconfig
from hera_utils.settings.kubeconfig import ChosenContext


@dataclass(frozen=True)
class Address:
    """server: URL without a trailing slash. tls_name: the name its certificate must have, "" for the host's. proxy: URL or ""."""

    server: str
    tls_name: str = ""
    proxy: str = field(default="", repr=False)


class ClusterAccess:
    """The access of one context. Several threads may use it at once."""

    def __init__(self, chosen: ChosenContext) -> None:
        self.chosen = chosen
        cluster = chosen.cluster
        self.address = Address(
            server=str(cluster["server"]).rstrip("/"),
            tls_name=str(cluster.get("tls-server-name") or ""),
            proxy=str(cluster.get("proxy-url") or ""),
        )
        self._plugin = _plugin(chosen)
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"ClusterAccess({self.address.server!r}, context={self.chosen.context!r})"

    def proxy(self, setting: str | None) -> str | None:
        """The URL of the HTTP proxy to the cluster: the kubeconfig's, else as in `proxy_for`. setting: the setting `proxy`."""
        from hera_utils.platforms.http_session import proxy_for

        return self.address.proxy or proxy_for(self.address.server, setting)

    # --- the credential --------------------------------------------------------------------------------------------

    def headers(self) -> list[tuple[str, str]]:
        """The headers that identify the user. Token files are read each time, a plugin runs again when its credential has expired."""
        user, authorization = self.chosen.user, self.authorization()
        headers = [("Authorization", authorization)] if authorization else []
        if user.get("as"):
            headers += [("Impersonate-User", str(user["as"]))]
            headers += [("Impersonate-Group", str(group)) for group in user.get("as-groups") or ()]
        if not all(value.isascii() and value.isprintable() for _, value in headers):
            raise self._unusable("its credential holds characters that no credential has")
        return headers

    def authorization(self) -> str:
        """`Bearer …`, `Basic …`, or "" if a certificate (or nothing) identifies the user."""
        token = self.token()
        if token:
            return f"Bearer {token}"
        user = self.chosen.user
        if user.get("username") and user.get("password") is not None:
            pair = f"{user['username']}:{user['password']}".encode()
            return "Basic " + base64.b64encode(pair).decode()
        return ""

    def token(self) -> str:
        """The user's bearer token, or ""."""
        user = self.chosen.user
        if user.get("tokenFile"):
            return _read_text(self._path(str(user["tokenFile"]), self.chosen.user_folder), "the token file")
        if user.get("token"):
            return str(user["token"]).strip()
        return self._credential().token

    def why_no_token(self) -> str:
        """Why the user has no bearer token, which an Argo server wants, "" if that is unknown."""
        user = self.chosen.user
        named = user.get("client-certificate-data") or user.get("client-certificate")
        if named or self._credential().certificate:
            return f"in the context {self.chosen.context} of the kubeconfig a client certificate logs in, which Argo does not accept"
        return ""

    def _credential(self) -> Credential:
        if self._plugin is None:
            return Credential()
        with self._lock:
            return self._plugin.credential()

    def renew(self) -> bool:
        """After a refusal: forget the credential; True if there may be another one now."""
        if self._plugin is not None:
            with self._lock:
                self._plugin.forget()
            return True
        return bool(self.chosen.user.get("tokenFile"))

    @property
    def expires(self) -> float | None:
        """When the plugin's certificate expires (seconds since 1970): then a new TLS context is needed."""
        credential = self._credential()
        return credential.expires if credential.certificate else None

    # --- TLS -------------------------------------------------------------------------------------------------------

    def tls(self) -> ssl.SSLContext:
        """A TLS context that trusts the cluster's authority and presents the user's certificate."""
        cluster = self.chosen.cluster
        context = _Context(ssl.PROTOCOL_TLS_CLIENT)
        context.tls_name = self.address.tls_name
        authority = self._pem(cluster, "certificate-authority", self.chosen.cluster_folder, "the cluster's authority")
        if cluster.get("insecure-skip-tls-verify"):
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        elif authority:
            try:
                context.load_verify_locations(cadata=authority)
            except (ssl.SSLError, ValueError):
                raise self._unusable("the cluster's certificate authority is not a certificate") from None
        else:
            context.load_default_certs()
        self._show_certificate(context)
        return context

    def _show_certificate(self, context: ssl.SSLContext) -> None:
        credential = self._credential()
        folder = self.chosen.user_folder
        certificate = credential.certificate or self._pem(
            self.chosen.user, "client-certificate", folder, "the client certificate"
        )
        key = credential.key or self._pem(self.chosen.user, "client-key", folder, "the client key")
        if not certificate:
            return
        # OpenSSL only reads files: they are private to this user, and removed at once
        with tempfile.TemporaryDirectory(prefix="hera-utils-") as private:
            certificate_file, kept = Path(private, "certificate"), Path(private, "key")
            for path, text in ((certificate_file, certificate), (kept, key or certificate)):
                with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
                    file.write(text)
            try:
                context.load_cert_chain(certificate_file, kept, password=_no_passphrase)
            except (ssl.SSLError, ValueError, OSError):
                raise self._unusable("its client certificate and key are not a pair that can be read") from None

    def _pem(self, entry: Mapping[str, Any], name: str, folder: Path, what: str) -> str:
        """A certificate or key as text: data inside the kubeconfig (`…-data`) wins over a file that it names."""
        data = entry.get(f"{name}-data")
        if data:
            try:
                return base64.b64decode(str(data), validate=True).decode("ascii")
            except (binascii.Error, ValueError):
                raise self._unusable(f"{name}-data is not base64 of a text") from None
        return _read_text(self._path(str(entry[name]), folder), what) if entry.get(name) else ""

    @staticmethod
    def _path(text: str, folder: Path) -> Path:
        return folder / Path(text).expanduser()

    def _unusable(self, why: str) -> SettingsError:
        return SettingsError(
            f"the kubeconfig {self.chosen.origin} cannot be used: {why}",
            fix="correct it, or name another with --k8s_config_file, a context of it with --k8s_context",
        )


def access_to(connection: Connection) -> ClusterAccess:
    """The access by the kubeconfig of a connection. Raises SettingsError or AccessError if it cannot be used."""
    in_this_pod = _account_of_this_pod(connection)
    return ClusterAccess(in_this_pod or kubeconfig.choose_context(_files(connection), connection.context))


def is_named(connection: Connection) -> bool:
    """Whether there is a kubeconfig (or a pod's own account). Raises SettingsError if a named kubeconfig does not exist."""
    try:
        kubeconfig_of(connection)
    except AccessError:
        return False
    return True


def kubeconfig_of(connection: Connection) -> str | None:
    """The kubeconfig files, as in KUBECONFIG; None inside a pod, which uses its own account."""
    if _account_of_this_pod(connection) is not None:
        return None
    return os.path.pathsep.join(map(str, _files(connection)))


def _account_of_this_pod(connection: Connection) -> ChosenContext | None:
    """The pod's own account, if there is no kubeconfig."""
    return None if connection.kubeconfig or kubeconfig.files(None) else kubeconfig.context_of_this_pod()


def _files(connection: Connection) -> list[Path]:
    files = kubeconfig.files(connection.kubeconfig)
    if not files and connection.kubeconfig:
        raise SettingsError(
            f"there is no kubeconfig at {connection.kubeconfig}", fix="correct --k8s_config_file or KUBECONFIG"
        )
    if not files:
        raise AccessError(
            "no kubeconfig leads to the cluster",
            fix="name one with --k8s_config_file or KUBECONFIG; leave --argo_server out to run on this machine",
        )
    return files


class _Context(ssl.SSLContext):
    """Checks the certificate against the `tls-server-name` of the kubeconfig, if there is one."""

    tls_name = ""

    def wrap_socket(self, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        if self.tls_name:
            options["server_hostname"] = self.tls_name
        return super().wrap_socket(*arguments, **options)


def _no_passphrase() -> bytes:
    """Raises an error, because OpenSSL would otherwise ask for the passphrase at the terminal."""
    raise ValueError("the key has a passphrase")


def _plugin(chosen: ChosenContext) -> ExecPlugin | None:
    user = chosen.user
    if user.get("exec") and not (user.get("token") or user.get("tokenFile")):
        return ExecPlugin(user["exec"], chosen)
    if user.get("auth-provider") and not (user.get("token") or user.get("client-certificate-data")):
        provider = user["auth-provider"]
        name = provider.get("name") if isinstance(provider, Mapping) else "?"
        raise SettingsError(
            f"the kubeconfig {chosen.origin} logs in by the auth provider `{name}`, which Kubernetes has removed",
            fix="create the kubeconfig again with the cluster's own tool: it uses an exec plugin now",
        )
    return None


def _read_text(path: Path, what: str) -> str:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = (getattr(error, "strerror", None) or "it is not text").lower()
        raise AccessError(f"{what} {path} cannot be read ({why})", fix="correct its path in the kubeconfig") from None
    if not text:
        raise AccessError(f"{what} {path} is empty", fix="log in to the cluster again with its own tool")
    return text
