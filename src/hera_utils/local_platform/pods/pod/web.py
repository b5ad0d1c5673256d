"""Artifacts at web addresses: downloaded by GET, saved by PUT, with Argo's four ways of authentication.

Source: Argo's workflow/artifacts/http and its newDriver. A place is `{"kind": "http" | "artifactory", "at": the location,
"secrets": {path of the selector: value}}`. Credentials are never sent to another host that an answer redirects to.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import ssl
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from email.message import Message
from http.client import HTTPException
from typing import IO, Any

from .errors import PodFault
from .network_faults import in_gos_words, tried

Json = dict[str, Any]
_TIMEOUT = 60  # seconds without a byte
_LOOPBACK = ("localhost", "127.", "[::1]", "::1")
_KEPT_PRIVATE = ("authorization", "cookie", "cookie2", "proxy-authorization", "www-authenticate")


def download(place: Json, target: str) -> None:
    """Download to the file `target`. Raises FileNotFoundError for a 404, PodFault for other errors."""
    url = _address(place)
    with _answer(place, "GET", None) as answer, open(target, "wb") as file:
        if answer.status == 404:
            raise FileNotFoundError(2, f"{answer.status} {answer.reason}", url)
        if not 200 <= answer.status < 300:
            raise PodFault(f"loading content from {url} failed with reason: {answer.status} {answer.reason}")
        shutil.copyfileobj(answer, file, 1 << 20)


def upload(place: Json, source: str, label: str) -> None:
    """Upload the file `source` by PUT. label: its name in messages. Raises PodFault."""
    with _answer(place, "PUT", source) as answer:
        if not 200 <= answer.status < 300:
            raise PodFault(
                f"saving file {label} to {_address(place)} failed with reason: {answer.status} {answer.reason}"
            )


def _address(place: Json) -> str:
    url = str(place["at"].get("url") or "")
    if not url.startswith(("http://", "https://")):
        raise PodFault(f"the address {url} is not http or https")
    return url


def _answer(place: Json, method: str, source: str | None) -> Any:
    url = _address(place)
    try:
        headers = _headers(place)
        opener = _opener(place, url)
        for _ in range(10):  # Go's own limit
            body = open(source, "rb") if source is not None else None  # noqa: SIM115 - closed below
            try:
                answer = opener.open(_request(url, method, headers, body), timeout=_TIMEOUT)
            finally:
                if body is not None:
                    body.close()
            following = answer.headers.get("Location") if answer.status in (301, 302, 303, 307, 308) else None
            if following is None:
                return answer
            answer.close()
            if answer.status not in (307, 308):
                method, source = "GET", None
            last, url = url, urllib.parse.urljoin(url, following)
            if _host(last) != _host(url) or (last.startswith("https:") and not url.startswith("https:")):
                headers = [(name, value) for name, value in headers if name.lower() not in _KEPT_PRIVATE]
        raise PodFault(f"{tried(method, url)}: stopped after 10 redirects")
    except urllib.error.URLError as error:
        raise PodFault(f"{tried(method, url)}: {in_gos_words(error, url)}") from None
    except (OSError, HTTPException, ValueError) as error:
        raise PodFault(f"{tried(method, url)}: {error}") from None


def _request(url: str, method: str, headers: list[tuple[str, str]], body: IO[bytes] | None) -> urllib.request.Request:
    if not url.startswith(("http://", "https://")):  # an answer may redirect to a file of this machine
        raise PodFault(f"the address {url} is not http or https")
    request = urllib.request.Request(url, body, method=method)
    for name, value in headers:
        request.add_unredirected_header(name, value)
    if body is not None:
        request.add_unredirected_header("Content-Length", str(os.fstat(body.fileno()).st_size))
        request.add_unredirected_header("Content-Type", "application/octet-stream")
    return request


def _host(url: str) -> str:
    return urllib.parse.urlsplit(url).netloc.rpartition("@")[2].lower()


class _AnyStatus(urllib.request.HTTPErrorProcessor):
    """Returns every answer, whatever its status; `_answer` follows redirects."""

    def http_response(self, request: Any, response: Any) -> Any:
        return response

    https_response = http_response


def _opener(place: Json, url: str) -> urllib.request.OpenerDirector:
    """The opener for an address, with the environment's proxies; none for this machine itself (as in Go)."""
    local = (urllib.parse.urlsplit(url).hostname or "").startswith(_LOOPBACK)
    handlers: list[urllib.request.BaseHandler] = [_AnyStatus(), urllib.request.ProxyHandler({} if local else None)]
    context = _certified(place)
    if context is not None:
        handlers.append(urllib.request.HTTPSHandler(context=context))
    return urllib.request.build_opener(*handlers)


def _headers(place: Json) -> list[tuple[str, str]]:
    at, secrets = place["at"], place.get("secrets") or {}
    headers = [(str(header["name"]), str(header.get("value") or "")) for header in at.get("headers") or ()]
    auth = at.get("auth") or {}
    if place["kind"] == "artifactory":
        return [_basic(secrets.get("usernameSecret", ""), secrets.get("passwordSecret", ""))]
    user, password = secrets.get("auth.basicAuth.usernameSecret"), secrets.get("auth.basicAuth.passwordSecret")
    if user and password:
        headers.append(_basic(user, password))
    # As in Argo, no token is requested when there is a client certificate.
    if _has(auth.get("oauth2"), "clientIDSecret", "clientSecretSecret", "tokenURLSecret") and not _is_certified(auth):
        headers.append(("Authorization", f"Bearer {_token(auth['oauth2'], secrets)}"))
    by_name = {name.lower(): (name, value) for name, value in headers}  # the last header of a name counts
    return list(by_name.values())


def _basic(user: str, password: str) -> tuple[str, str]:
    pair = f"{user}:{password}".encode("latin-1")  # secrets are bytes, decoded as latin-1
    return ("Authorization", f"Basic {base64.b64encode(pair).decode()}")


def _has(fields: Json | None, *names: str) -> bool:
    return all((fields or {}).get(name) for name in names)


def _is_certified(auth: Json) -> bool:
    return _has(auth.get("clientCert"), "clientCertSecret", "clientKeySecret")


def _certified(place: Json) -> ssl.SSLContext | None:
    """A context with the client certificate, None without one. The key is in a file, readable by this user only, while it is loaded."""
    if not _is_certified(place["at"].get("auth") or {}):
        return None
    secrets = place.get("secrets") or {}
    context = ssl.create_default_context()
    with tempfile.NamedTemporaryFile("wb") as file:
        for name in ("clientCertSecret", "clientKeySecret"):
            file.write(secrets[f"auth.clientCert.{name}"].encode("latin-1") + b"\n")
        file.flush()
        try:
            context.load_cert_chain(file.name)
        except ssl.SSLError as error:
            raise PodFault(f"tls: failed to read the client certificate and key: {error.reason or error}") from None
    return context


def _token(oauth: Json, secrets: dict[str, str]) -> str:
    """An access token by client credentials (RFC 6749, 4.4), sent in the header, and if that is refused in the body."""
    client, secret = (secrets[f"auth.oauth2.{name}"] for name in ("clientIDSecret", "clientSecretSecret"))
    url = secrets["auth.oauth2.tokenURLSecret"].strip()
    fields: list[tuple[str, str]] = [("grant_type", "client_credentials")]
    if oauth.get("scopes"):
        fields.append(("scope", " ".join(oauth["scopes"])))
    fields += [(str(pair["key"]), str(pair.get("value") or "")) for pair in oauth.get("endpointParams") or ()]
    quoted = (urllib.parse.quote_plus(client), urllib.parse.quote_plus(secret))
    tries = [([_basic(*quoted)], fields), ([], [*fields, ("client_id", client), ("client_secret", secret)])]
    answer: Json = {}
    for headers, body in tries:
        status, answer = _post_form(url, headers, urllib.parse.urlencode(body).encode())
        if 200 <= status < 300 and answer.get("access_token"):
            return str(answer["access_token"])
    why = answer.get("error_description") or answer.get("error") or "the answer contains no access_token"
    raise PodFault(f"oauth2: cannot fetch token: {why}")


def _post_form(url: str, headers: list[tuple[str, str]], body: bytes) -> tuple[int, Json]:
    if not url.startswith(("http://", "https://")):
        raise PodFault("oauth2: cannot fetch token: the token address is not http or https")
    form = {"Content-Type": "application/x-www-form-urlencoded", **dict(headers)}
    opener = _opener({"at": {}, "secrets": {}}, url)
    request = urllib.request.Request(url, body, form, method="POST")
    with opener.open(request, timeout=_TIMEOUT) as answer:
        text = answer.read(1 << 20)
        return answer.status, _parsed(answer.headers, text)


def _parsed(headers: Message, text: bytes) -> Json:
    """The fields of a token server's answer; a few servers send a form. An unreadable answer gives {}, so that no error shows its text."""
    if headers.get_content_type() in ("application/x-www-form-urlencoded", "text/plain"):
        return dict(urllib.parse.parse_qsl(text.decode("utf-8", "replace")))
    try:
        fields = json.loads(text)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}
