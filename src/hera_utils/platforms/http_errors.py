"""Turns transport errors and HTTP replies into our errors: one sentence with its fix."""

from __future__ import annotations

import functools
import json
import re
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from hera_utils.argo import faults
from hera_utils.errors import AccessError, Denied, Forbidden, HeraUtilsError, PlatformError, Refused, SettingsError
from hera_utils.platforms.connection import Connection
from hera_utils.platforms.own_server import REFUSED_ENDS
from hera_utils.platforms.token import describe_expiry
from hera_utils.settings.secret import mask

if TYPE_CHECKING:
    import requests

    from hera_utils.platforms.own_server_session import Reply

_NAME_IT = "start one, or name another with --argo_server or ARGO_SERVER; leave it out to run on this machine"
VERIFY = re.compile(r"certificate verify failed:?\s*(?P<why>[^(\]]*)")
_NEW_TOKEN = "put a new one into ARGO_TOKEN; a service account (--argo_service_account) with a kubeconfig renews it automatically"
SERVER_FAILED = "try again; if it fails again, the server's log says why (kubectl -n argo logs deploy/argo-server)"
_LOCAL = (
    "run the command again, which starts it; its last words are in server.log of the state folder (hera-utils settings)"
)


def broken_connections() -> tuple[type[Exception], ...]:
    """What a connection raises that breaks. Errors of requests come only from a process that has imported it."""
    if "requests" not in sys.modules:
        return (OSError,)
    import requests
    import urllib3.exceptions

    return (requests.RequestException, urllib3.exceptions.HTTPError, OSError)


def unreachable(connection: Connection, error: Exception, *, answered: bool = False) -> HeraUtilsError:
    """The error for a request without any reply. answered: whether this server has answered before."""
    url, why = connection.argo_server, reason_of(error)
    if connection.local:
        return PlatformError(f"the local platform's server does not answer at {url} ({why})", fix=_LOCAL)
    through = getattr(connection.tunnel, "failure", None)
    if isinstance(through, HeraUtilsError):
        return through
    import requests

    from hera_utils.platforms.http_session import proxy_for, without_credentials

    if isinstance(error, requests.exceptions.SSLError) and not was_closed(error):
        return _tls_failure(connection, str(error))
    if isinstance(error, requests.exceptions.ProxyError):
        through = proxy_for(url, connection.proxy)
        proxy = f" {without_credentials(through)}" if through else ""
        return AccessError(
            f"the HTTP proxy{proxy} does not lead to the Argo server at {url} ({why})",
            fix="correct --proxy or HTTPS_PROXY, or add the server's host to NO_PROXY",
        )
    if why == _CLOSED and speaks_tls(url):
        return _wants_tls(url)
    if answered:
        return AccessError(f"the Argo server at {url} does not answer any more ({why})", fix=_WAIT)
    return AccessError(f"no Argo server answers at {url} ({why})", fix=_name_another(connection.named_by))


def _name_another(named_by: str) -> str:
    """The fix for a server that does not answer: correct the flag, variable, profile or file that names it."""
    if not named_by or named_by.startswith("flag "):
        return _NAME_IT
    if named_by.startswith("variable "):
        return f"start it, or correct {named_by.removeprefix('variable ')}; unset it to run on this machine"
    here = "to run on this machine add --platform local"
    if named_by.startswith("profile "):
        here += ", or use no profile from now on: hera-utils profile use --none"
    return f"start it, or correct its address ({named_by}); {here}"


_CLOSED = "the connection was closed without an answer"


@functools.lru_cache(maxsize=8)
def speaks_tls(url: str) -> bool:
    """Whether a plain HTTP address that gives no answer uses TLS. Tested once for each address."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        return False
    import socket
    import ssl

    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # only the protocol is tested, not the identity
    try:
        address = (parts.hostname, parts.port or 80)
        with (
            socket.create_connection(address, _PROBE_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=parts.hostname),
        ):
            return True
    except (OSError, ValueError):
        return False


def _wants_tls(url: str) -> HeraUtilsError:
    secure = url.replace("http://", "https://", 1)
    return AccessError(f"what answers at {url} speaks TLS", fix=f"write {secure}, or set ARGO_SECURE=true")


_CUT_TLS = ("EOF occurred", "UNEXPECTED_EOF", "connection has been closed", "DECODE_ERROR", "BAD_RECORD_MAC")


def was_closed(error: BaseException) -> bool:
    """Whether a TLS connection was just cut, which is no problem of TLS: the next one may work."""
    return any(words in str(error) for words in _CUT_TLS)


def reason_of(error: BaseException) -> str:
    """The innermost cause of an error, in a few words."""
    import requests
    import urllib3.exceptions

    current: BaseException | None = error
    chain: list[BaseException] = []
    while current is not None and len(chain) < 10:
        chain.append(current)
        inner = getattr(current, "reason", None)
        argument = current.args[0] if current.args and isinstance(current.args[0], BaseException) else None
        current = inner if isinstance(inner, BaseException) else argument or current.__cause__ or current.__context__
    for cause in reversed(chain):
        if sentence := next((words for words in REFUSED_ENDS if words in str(cause)), ""):
            return sentence
        if isinstance(cause, ConnectionRefusedError) or "Connection refused" in str(cause):
            return "connection refused"
        if isinstance(cause, urllib3.exceptions.NameResolutionError) or "Name or service not known" in str(cause):
            return "there is no host of that name"
        if isinstance(cause, requests.exceptions.Timeout | urllib3.exceptions.TimeoutError | TimeoutError):
            return "no answer in time"
        if isinstance(cause, ConnectionResetError | urllib3.exceptions.ProtocolError) or was_closed(cause):
            return _CLOSED
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
    return type(error).__name__


def _tls_failure(connection: Connection, text: str) -> HeraUtilsError:
    url = connection.argo_server
    if "WRONG_VERSION_NUMBER" in text or "record layer failure" in text or "UNKNOWN_PROTOCOL" in text:
        plain = url.replace("https://", "http://", 1)
        return AccessError(f"what answers at {url} does not speak TLS", fix=f"write {plain}, or set ARGO_SECURE=false")
    if "certificate required" in text.lower() or "CERTIFICATE_REQUIRED" in text:
        return AccessError(
            f"the server at {url} requires a client certificate",
            fix="name one with --client_certificate and --client_key",
        )
    if "NO_CERTIFICATE_OR_CRL_FOUND" in text or "no certificate or crl found" in text:
        return unusable_certificate(connection, "CA")
    if any(word in text for word in ("KEY_VALUES_MISMATCH", "BAD_PASSWORD_READ", "PEM lib", "[SSL] PEM")):
        return unusable_certificate(connection, text)
    verified = VERIFY.search(text)
    if verified or "certificate" in text.lower():
        return _untrusted_certificate(connection, (verified["why"] if verified else "").strip())
    return AccessError(f"no TLS connection to {url} can be made", fix="check the address and its port")


def _untrusted_certificate(connection: Connection, why: str) -> HeraUtilsError:
    """The error for a server's certificate that is not accepted: by which authorities it was checked, and what to do."""
    url, host = connection.argo_server, urlsplit(connection.argo_server).hostname
    by = (
        f"the authorities in {connection.ca_file}" if connection.ca_file else "the authorities that this machine trusts"
    )
    if "ostname mismatch" in why or "not valid for" in why:
        return AccessError(
            f"the certificate of the server at {url} is not for `{host}`",
            fix="name the server as its certificate does, or add --no_verify_tls (then anybody can impersonate it)",
        )
    if "has expired" in why or "not yet valid" in why:
        return AccessError(
            f"the certificate of the server at {url} {'has expired' if 'expired' in why else 'is not valid yet'}",
            fix="check this machine's clock; if it is right, the server's owner must renew the certificate",
        )
    reason = f" ({why})" if why else ""
    return AccessError(
        f"the certificate of the Argo server at {url} is not trusted by {by}{reason}",
        fix="name its authority's file with --ca_file, or add --no_verify_tls (then anybody can impersonate it)",
    )


def unsendable_token(connection: Connection) -> HeraUtilsError:
    """The error for a token with characters that no token has. It does not contain the token."""
    return AccessError(
        f"the token for {connection.argo_server} contains characters that no token has: was it copied from an "
        f"abbreviated form (…)?",
        fix="copy the whole token into ARGO_TOKEN, or into the file that --argo_token_file names",
    )


def unusable_certificate(connection: Connection, error: object) -> HeraUtilsError:
    """The error for a file of certificates in the settings that cannot be loaded."""
    files = " and ".join(dict.fromkeys(connection.client_certificate or ()))
    if "CA" in str(error) or (not files and connection.ca_file):
        return SettingsError(
            f"the authorities' file {connection.ca_file or 'of REQUESTS_CA_BUNDLE'} cannot be used: it holds no certificate",
            fix="name a file in PEM with --ca_file",
        )
    return SettingsError(
        f"the client certificate {files} cannot be used: certificate and key are not a pair, or the key has a "
        f"passphrase",
        fix="name a pair in PEM with --client_certificate and --client_key",
    )


def has_no_content(message: str) -> bool:
    """Whether the message of an internal error says nothing. (Argo uses this code for many refusals too, but with a message.)"""
    return message.strip().rstrip(".").lower() in ("", "internal", "internal error", "internal server error", "unknown")


def error_of_reply(connection: Connection, reply: requests.Response, token: str) -> HeraUtilsError:
    """The error for a reply that is no success. The token is masked if the server repeats it."""
    status, url = reply.status_code, connection.argo_server
    if 300 <= status < 400:
        return _redirected_address(connection, reply)
    code, message = _fault_of_reply(reply)
    message = mask(message, [token])
    if code is None and _is_of_kubernetes(reply):
        return AccessError(
            f"what answers at {url} is the Kubernetes API, not an Argo server",
            fix="name Argo's own server with --argo_server, or none: then the one of the kubeconfig's cluster is "
            "used (--platform remote)",
        )
    if status == 400 and any(words in reply.text for words in _PLAIN_REFUSED):
        return _wants_tls(url)
    if status == 401 and not (code is None and _is_page(reply)):
        return _refused_credential(connection, message, token)
    if code is None:
        return _of_gateway(connection, reply)
    if status == 403:
        return forbidden_error(message, final=not connection.forget_token())
    if (fault := faults.platform_fault(message)) is not None:
        return fault
    if code == faults.UNAVAILABLE and not connection.local:
        return AccessError(f"the Argo server at {url} is not ready ({message})", fix=_WAIT)
    if lost_cluster(code, message) and not connection.local:
        return NotReady(f"the Argo server at {url} does not reach its cluster ({message})", fix=_WAIT)
    if code in (faults.INTERNAL, faults.UNKNOWN) and has_no_content(message):
        return Refused(code, f"the Argo server failed: {message}", fix=SERVER_FAILED)
    reason = {404: "NotFound", 409: "AlreadyExists"}.get(status, "")
    return Refused(code, message, reason=reason, fix=faults.fix_of(code, message))


def _of_gateway(connection: Connection, reply: requests.Response) -> HeraUtilsError:
    """The error for an answer that is not in Argo's form."""
    status, url = reply.status_code, connection.argo_server
    if status == 403 and not _is_page(reply):  # an Argo server says only `Forbidden` to requests for artifacts
        return AccessError(f"the Argo server at {url} forbids this (403)", fix=_RIGHT)
    if status not in _GATEWAY:
        return answer_of_other_server(connection, reply)
    what, fix = _GATEWAY[status]
    return AccessError(f"the gateway at {url} {what} ({status} {reply.reason})", fix=fix)


class NotReady(AccessError):
    """The server answers, but cannot do anything for now."""


_WAIT = "wait until it is up again"
_BROWSERS = "ask its owner for an address that takes tokens: this gateway lets only browsers through, after a login"
_WAIT_OR_CORRECT = "wait until the server is up again, or check the address"
# status → (what a gateway does that answers it, the fix)
_GATEWAY = {
    401: ("wants a login", _BROWSERS),
    403: ("forbids this", "check the address, and whom the gateway in front of it lets through"),
    413: (
        "accepts no request of this size",
        "ask its owner to admit what a cluster does, 3 MiB (ingress-nginx: proxy-body-size)",
    ),
    429: ("accepts no more requests for now", "wait a while, then try again"),
    502: ("finds no Argo server behind it", _WAIT_OR_CORRECT),
    503: ("finds no Argo server behind it", _WAIT_OR_CORRECT),
    504: ("finds no Argo server behind it", _WAIT_OR_CORRECT),
}
# What Go's network library and the API server say while the latter is restarted.
_LOST_CLUSTER = re.compile(
    r"dial tcp |connection re(fused|set)|connection lost|\bEOF$|i/o timeout|handshake timeout|shutting down|"
    r"etcdserver: (leader|request timed out)"
)


def lost_cluster(code: int, message: str) -> bool:
    """Whether an Argo server says that it does not reach the Kubernetes API. (That is an internal error of the server.)"""
    return code in (faults.INTERNAL, faults.UNKNOWN) and _LOST_CLUSTER.search(message) is not None


def _is_page(reply: requests.Response) -> bool:
    """Whether the reply is an HTML page, which no Argo server sends for an error."""
    return "html" in reply.headers.get("Content-Type", "")


_RIGHT = (
    "ask the cluster's owner for that permission, or name another namespace with --argo_namespace; "
    "hera-utils doctor lists the missing permissions"
)
_PLAIN_REFUSED = ("Client sent an HTTP request to an HTTPS server", "plain HTTP request was sent to HTTPS port")
_PROBE_SECONDS = 3.0


def forbidden_error(message: str, *, final: bool = True) -> HeraUtilsError:
    """The error for a valid token whose owner has no permission for the request, or whose quota is used up (also a 403).

    final: as in `Denied`.
    """
    if "exceeded quota: " in message:
        fix = "remove what is not needed (hera-utils ls; hera-utils delete NAME), or ask the cluster's owner for more"
        return AccessError(f"a quota of the namespace is used up: {message}", fix=fix)
    if "status unknown for quota: " in message:
        fix = "wait some minutes, then try again"
        return AccessError(f"the cluster has not counted yet what its quota limits: {message}", fix=fix)
    return Forbidden(f"the Argo server forbids this: {message}", fix=_RIGHT, final=final)


def _is_of_kubernetes(reply: requests.Response) -> bool:
    """Whether the reply is a Status, as the Kubernetes API sends it for an error."""
    try:
        body = reply.json()
    except ValueError:
        return False
    return isinstance(body, dict) and body.get("kind") == "Status" and body.get("apiVersion") == "v1"


def answer_of_other_server(connection: Connection, reply: requests.Response) -> HeraUtilsError:
    """The error for an answer that is not from an Argo server (an ingress' page, a login page, another service)."""
    login = "; if the page is a login, ask for an address that takes tokens" if _is_page(reply) else ""
    return AccessError(
        f"what answers at {connection.argo_server} is not an Argo server (status {reply.status_code}, {kind_of(reply)})",
        fix=f"check the address, its port and its base path (https://host/base){login}",
    )


def kind_of(reply: Reply | requests.Response) -> str:
    """The kind of an answer that was not expected: `an HTML page`, its media type, or `unreadable`."""
    kind = reply.headers.get("Content-Type", "").split(";")[0]
    return "an HTML page" if kind == "text/html" else kind or "unreadable"


def unexpected_answer(connection: Connection, why: str = "its answer contains none of Argo's fields") -> HeraUtilsError:
    """The error for an answer in JSON that is not Argo's."""
    return AccessError(
        f"what answers at {connection.argo_server} is not an Argo server ({why})",
        fix="check the address, its port and its base path (https://host/base)",
    )


def _redirected_address(connection: Connection, reply: requests.Response) -> HeraUtilsError:
    target, url = reply.headers.get("Location", "").split("?")[0], connection.argo_server
    path = str(reply.url).split("?")[0].removeprefix(url)
    final = target.removesuffix(path)
    if final == target or "://" not in final:  # another path, as that of a login page
        final, fix = target or "an unnamed place", _BROWSERS
    else:
        fix = f"name that address: --argo_server {final}"
    return AccessError(f"the address {url} redirects ({reply.status_code}) to {final}", fix=fix)


def _refused_credential(connection: Connection, message: str, token: str) -> HeraUtilsError:
    url = connection.argo_server
    if connection.local:
        return AccessError(
            f"the local platform's server at {url} refuses the token",
            fix="another state folder's server answers there: stop it with hera-utils serve --stop, or name another --state",
        )
    if not token:
        left_out = connection.no_token if connection.no_token != "default" else ""
        why = left_out or getattr(connection.fresh_token, "why_none", str)()
        return Denied(
            f"the Argo server at {url} requires a token and none is given{f' ({why})' if why else ''}",
            fix=f"name a service account with a kubeconfig (--argo_service_account ACCOUNT), or give a token with ARGO_TOKEN "
            f"or --argo_token_file; kubectl -n {connection.namespace} create token ACCOUNT prints one",
        )
    final = not connection.forget_token()
    if since := describe_expiry(token):
        return Denied(f"the token for the Argo server at {url} {since}", fix=_NEW_TOKEN, final=final)
    if "expired" in message.lower():
        return Denied(f"the token for the Argo server at {url} has expired", fix=_NEW_TOKEN, final=final)
    return Denied(
        f"the Argo server at {url} refuses the token",
        fix="check ARGO_TOKEN (or --argo_token): another server's, or an old one?",
        final=final,
    )


def _fault_of_reply(reply: requests.Response) -> tuple[int | None, str]:
    """Argo's (code, message) of a unary call or of a stream; (None, "") if the reply is not Argo's."""
    text = reply.text.strip().removeprefix("data:")
    try:
        body: Any = json.loads(text)
    except ValueError:
        return None, ""
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        return stream_fault(body["error"])
    if not isinstance(body, dict) or body.get("kind") == "Status" or not isinstance(body.get("message"), str):
        return None, ""
    code = body.get("code")
    return (code if isinstance(code, int) and code < 20 else faults.grpc_code(reply.status_code)), body["message"]


def stream_fault(error: dict[str, Any]) -> tuple[int, str]:
    """(gRPC code, message) of an error event of a stream."""
    code = error.get("grpc_code", error.get("code"))
    return code if isinstance(code, int) else faults.UNKNOWN, str(error.get("message", ""))
