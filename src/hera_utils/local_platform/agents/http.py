"""Runs an http template: one request, whose answer is the result. Source: Argo's agent (workflow/executor/agent.go)."""

from __future__ import annotations

import base64
import json
import math
import os
import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from hera_utils.errors import HeraUtilsError, UnsupportedError
from hera_utils.local_platform.agents.agents import Objects, Stop, TemplateFailed
from hera_utils.local_platform.clock import now
from hera_utils.local_platform.pods.pod.network_faults import in_gos_words, tried
from hera_utils.local_platform.pods.runtime import Launch
from hera_utils.settings.address import is_loopback

if TYPE_CHECKING:
    import requests

Json = dict[str, Any]
_CHUNK = 1 << 16
_METHOD = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
_SCHEME = re.compile(r"([a-zA-Z][-a-zA-Z0-9+.]*):")
_PORT = re.compile(r"^[^/]*//[^/?#]*:([0-9]+)(?:[/?#]|$)")
_LARGEST_PORT = 65535
MOST_CONTENT = 20_000_000
"""Bytes of an answer; the output parameters of a pod have the same limit."""


class HttpAgent:
    def __init__(self, platform: Objects) -> None:
        self._platform = platform

    def __call__(self, launch: Launch, stop: Stop) -> Json:
        """Returns the outputs: `result` is the answer's body. Raises Failed with Argo's message."""
        http: Json = launch.template["http"]
        method, url, body = str(http.get("method") or "GET"), str(http.get("url", "")), _body(http)
        _check_request(method, url)
        headers = [(str(h["name"]), self._header(h, launch)) for h in http.get("headers") or ()]
        response, content = _send(http, method, url, (headers, body), stop)
        text = content.decode("utf-8", "replace")
        outputs: Json = {"result": text}
        condition = str(http.get("successCondition") or "")
        if not condition:
            if not 200 <= response.status_code < 300:
                raise TemplateFailed(f"received non-2xx response code: {response.status_code}", outputs)
            return outputs
        scope = {
            "request": {
                "method": http.get("method", ""),
                "url": url,
                "body": http.get("body", ""),
                "bodyBytes": list(body),
                "headers": _go_headers(headers),
            },
            "response": {
                "statusCode": response.status_code,
                "body": text,
                "headers": _go_headers(list(response.headers.items())),
            },
        }
        if not _is_true(condition, scope):
            raise TemplateFailed(f"successCondition '{condition}' evaluated false", outputs)
        return outputs

    def _header(self, header: Json, launch: Launch) -> str:
        reference = (header.get("valueFrom") or {}).get("secretKeyRef")
        if not reference:
            return str(header.get("value") or "")
        namespace = str(launch.pod["metadata"]["namespace"])
        try:
            secret = json.loads(self._platform.get("Secret", namespace, str(reference["name"])).text)
        except HeraUtilsError as error:
            raise TemplateFailed(error.message) from error
        value = (secret.get("data") or {}).get(reference.get("key"))
        if value is None:
            raise TemplateFailed(f"secret '{reference['name']}' does not have the key '{reference.get('key')}'")
        return base64.b64decode(value).decode("utf-8", "replace")


def _check_request(method: str, url: str) -> None:
    """Raise Failed, with the message of Go's HTTP client, for a request that it would refuse to send."""
    if not _METHOD.fullmatch(method):
        raise TemplateFailed(f'net/http: invalid method "{method}"')
    if url.startswith(":"):
        raise TemplateFailed(f'parse "{url}": missing protocol scheme')
    scheme = _SCHEME.match(url)
    if scheme is None or scheme[1].lower() not in ("http", "https"):
        raise TemplateFailed(
            f'{tried(method, url)}: unsupported protocol scheme "{scheme[1].lower() if scheme else ""}"'
        )
    port = _PORT.search(url)
    if port is not None and int(port[1][:6]) > _LARGEST_PORT:
        raise TemplateFailed(f"{tried(method, url)}: dial tcp: address {port[1]}: invalid port")


def _body(http: Json) -> bytes:
    source = http.get("bodyFrom")
    if source:
        return base64.b64decode(source.get("bytes") or "")
    return str(http.get("body") or "").encode()


def _send(
    http: Json, method: str, url: str, content: tuple[list[tuple[str, str]], bytes], stop: Stop
) -> tuple[requests.Response, bytes]:
    """The answer, and its body. content: headers and body of the request."""
    import requests

    headers, body = content

    secret = [str(header["name"]) for header in http.get("headers") or () if header.get("valueFrom")]

    class OneHostSession(requests.Session):
        """Does not send headers with values of secrets to another host that an answer redirects to."""

        def rebuild_auth(self, prepared_request: Any, response: Any) -> None:
            super().rebuild_auth(prepared_request, response)  # type: ignore[no-untyped-call]
            if self.should_strip_auth(response.request.url, prepared_request.url):  # type: ignore[no-untyped-call]
                for name in secret:
                    prepared_request.headers.pop(name, None)

    timeout = http.get("timeoutSeconds")
    until = time.monotonic() + float(timeout) if timeout else math.inf
    try:
        with OneHostSession() as session:
            session.trust_env = False  # the workflow must not use the user's .netrc
            session.proxies = _proxies(url)
            session.verify = False if http.get("insecureSkipVerify") else _authorities()
            request = session.prepare_request(requests.Request(method, url, data=body or None))
            for name, value in headers:
                request.headers[name] = value
            with session.send(request, timeout=timeout, allow_redirects=True, stream=True) as response:
                return response, _content_of(response, method, url, (until, stop))
    except requests.Timeout as error:
        raise TemplateFailed(f"{tried(method, url)}: context deadline exceeded") from error
    except requests.RequestException as error:
        raise TemplateFailed(f"{tried(method, url)}: {in_gos_words(error, url)}") from error


def _content_of(response: requests.Response, method: str, url: str, end: tuple[float, Stop]) -> bytes:
    """The body of an answer, within limits of size and time. end: (the deadline, whether the run wants the template to end)."""
    until, stop = end
    body = bytearray()
    for chunk in response.iter_content(_CHUNK):
        body += chunk
        if len(body) > MOST_CONTENT:
            raise TemplateFailed(f"{tried(method, url)}: the answer has more than {MOST_CONTENT} bytes")
        if time.monotonic() > until:
            raise TemplateFailed(f"{tried(method, url)}: context deadline exceeded")
        if stop.is_set():
            break
    return bytes(body)


def _proxies(url: str) -> dict[str, str]:
    """HTTP_PROXY, HTTPS_PROXY and NO_PROXY of the server's environment; none for this machine itself (as in Go)."""
    from requests.utils import get_environ_proxies

    if is_loopback(urlsplit(url).hostname or ""):
        return {}
    proxies: dict[str, str] = get_environ_proxies(url)
    return proxies


def _authorities() -> str | bool:
    """The file of certificate authorities that the environment names: Go's variable, then those of requests and curl."""
    return next(filter(None, map(os.environ.get, ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"))), True)


def _go_headers(headers: list[tuple[str, str]]) -> dict[str, list[str]]:
    """Headers in the form of Go's http.Header: canonical name → values."""
    groups: dict[str, list[str]] = {}
    for name, value in headers:
        groups.setdefault("-".join(part.capitalize() for part in name.split("-")), []).append(value)
    return groups


def _is_true(condition: str, scope: Json) -> bool:
    from hera_utils.expressions.entropy import Entropy
    from hera_utils.expressions.expr.program import evaluate_boolean

    try:
        return evaluate_boolean(condition, scope, entropy=Entropy(now()))
    except UnsupportedError:
        raise
    except HeraUtilsError as error:
        raise TemplateFailed(error.message) from error
