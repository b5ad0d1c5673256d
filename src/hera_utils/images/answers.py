"""What a registry's refusals and failures mean, and whether it is worth asking again."""

from __future__ import annotations

import contextlib
import email.utils
import json
import re
import time
from typing import NamedTuple
from urllib.parse import urlsplit

import requests

from hera_utils.errors import HeraUtilsError
from hera_utils.images.deadlines import raise_after
from hera_utils.images.endpoints import MIRRORS, Endpoint
from hera_utils.images.faults import AccessDenied, ImageNotFound, RegistryUnreachable, TooManyPulls
from hera_utils.images.login import Logins
from hera_utils.images.reference import DOCKER_HUB, Reference
from hera_utils.images.tokens import Authorization
from hera_utils.images.transport import ANSWER_SECONDS, FAILURES, fault_of_certificate, origin, proxy_of, reason_of
from hera_utils.settings.secret import Secret, mask

_PASSING = (408, 425, 500, 502, 503, 504)
_LONGEST_MESSAGE = 200


class NoAnswer(RegistryUnreachable):
    """Nobody speaks HTTP at an address; with the other scheme somebody may."""


class BodyCut(Exception):
    """The connection ended before the whole body was read."""


class Failure(NamedTuple):
    """Why a request failed. may_pass: whether asking again may help, after at least `wait` seconds."""

    error: HeraUtilsError
    may_pass: bool = False
    wait: float = 0.0


class Exchange:
    """One request to one address, and what its answers mean. depth: how many registries redirected to this address."""

    def __init__(
        self, endpoint: Endpoint, reference: Reference, authorization: Authorization, logins: Logins, depth: int = 0
    ) -> None:
        self.endpoint, self.reference, self.authorization, self.depth = endpoint, reference, authorization, depth
        self._logins = logins

    def may_resend(self, reply: requests.Response, used: Secret, url: str) -> bool:
        """Whether to send the request again with another token or login."""
        if _is_redirected(reply, url):
            return False
        if reply.status_code == 401:
            return self.authorization.renew(used, reply.headers.get("WWW-Authenticate", ""))
        return reply.status_code == 403 and self.authorization.advance(used)

    def is_redirected_to_registry(self, reply: requests.Response, url: str) -> bool:
        """Whether the request was redirected to another registry, which asks for a login of its own."""
        return _is_redirected(reply, url) and reply.status_code == 401 and "WWW-Authenticate" in reply.headers

    def failure_without_answer(self, error: Exception, url: str) -> Failure:
        host, name = self.endpoint.host, self.endpoint.name
        if fault := fault_of_certificate(error):
            fix = f"put the certificate of its authority at /etc/docker/certs.d/{host}/ca.crt, or name it in SSL_CERT_FILE"
            if "expired" in fault or "not yet valid" in fault:
                fix = "check this machine's clock; if it is right, the registry's owner must renew the certificate"
            sentence = f"the certificate of {name} is not one that this machine trusts ({fault})"
            return Failure(NoAnswer(sentence, fix=fix))
        if isinstance(error, requests.exceptions.ProxyError):
            fix = f"correct HTTPS_PROXY, or add {host} to NO_PROXY"
            return Failure(NoAnswer(f"the proxy {proxy_of(url)} does not lead to {name}", fix=fix), True)
        fix = "check the network and the address; where a proxy leads out, set HTTPS_PROXY"
        if self.endpoint.registry == DOCKER_HUB:
            fix += f"; where a mirror is to be used, set {MIRRORS}"
        # A server that was silent for a minute will be silent in the next one too, so a timeout is not tried again.
        may_pass = not isinstance(error, TimeoutError)
        return Failure(NoAnswer(f"{name} does not answer ({reason_of(error)})", fix=fix), may_pass)

    def refusal(self, reply: requests.Response, url: str) -> Failure:
        """The failure that an answer with an unexpected status means."""
        status, remark = reply.status_code, self._registry_message(reply)
        name, image = self.endpoint.name, str(self.reference)
        if _is_redirected(reply, url):
            store = urlsplit(reply.url).netloc
            return Failure(RegistryUnreachable(f"{store}, where {name} keeps its content, answers {status}"), True)
        if status in (401, 403):
            return Failure(self._access_denied(remark))
        if status == 404:
            fix = "check the name and the tag; the page of the repository in the registry lists its tags"
            return Failure(ImageNotFound(f"{name} has no image {image}", fix=fix))
        if status == 429:
            return self._too_many_requests(reply, remark)
        if status in _PASSING:
            error = RegistryUnreachable(f"{name} fails with status {status}{remark}", fix="try again later")
            return Failure(error, True, _retry_after(reply))
        if status == 400 and self.endpoint.url.startswith("http:"):
            return Failure(NoAnswer(f"{name} answers 400 to plain HTTP{remark}"))
        return Failure(RegistryUnreachable(f"{name} answers {status} when it is asked for {image}{remark}"))

    def _access_denied(self, remark: str) -> AccessDenied:
        sentence = f"pull access denied for {self.reference}: the repository does not exist or needs a login{remark}"
        if self.authorization.refused:
            sentence += f"; the registry refused the login of {', '.join(self.authorization.refused)}"
        for obstacle in self._logins.obstacles:
            sentence += f"; {obstacle}"
        host = "" if self.endpoint.registry == DOCKER_HUB else f" {self.endpoint.registry}"
        fix = f"check the name, and log in: docker login{host} (or podman login); for a workflow: imagePullSecrets"
        return AccessDenied(sentence, fix=fix)

    def _too_many_requests(self, reply: requests.Response, remark: str) -> Failure:
        wait = _retry_after(reply)
        if self.endpoint.registry != DOCKER_HUB or self.endpoint.mirror:
            sentence = f"{self.endpoint.name} asks for fewer requests (429){remark}"
            return Failure(TooManyPulls(sentence, fix="try again later", seconds=wait), True, wait)
        who = "this login" if self.authorization.has_login else "this address without a login"
        limit = _describe_limit(reply.headers.get("RateLimit-Limit", ""))
        error = TooManyPulls(
            f"Docker Hub allows {who} no more pulls for now{limit}",
            fix=f"log in with docker login, wait for some hours, or name a mirror in {MIRRORS}",
            seconds=wait,
        )
        return Failure(error, may_pass=wait > 0, wait=wait)

    def _registry_message(self, reply: requests.Response) -> str:
        """The registry's own message, as the end of a sentence; the secrets that were sent to it are masked."""
        try:
            document = json.loads(read_body(reply, 1 << 16) or b"")
            first = document["errors"][0]
            text = str(first.get("message") or first.get("code") or "")
        except (BodyCut, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return ""
        text = " ".join(mask(text, self.authorization.secrets).split())
        text = "".join(c for c in text if c.isprintable())[:_LONGEST_MESSAGE]
        return f': "{text}"' if text else ""


def read_body(reply: requests.Response, most: int) -> bytes | None:
    """The body; None when it is larger. Raises BodyCut."""
    content = b""
    try:
        with raise_after(ANSWER_SECONDS):
            while len(content) <= most:
                chunk = reply.raw.read(1 << 16, decode_content=True)
                if not chunk:
                    return content
                content += chunk
    except FAILURES:
        raise BodyCut from None
    return None


def _is_redirected(reply: requests.Response, url: str) -> bool:
    return origin(reply.url) != origin(url)


def _retry_after(reply: requests.Response) -> float:
    """How many seconds the registry asks to wait before the next request; 0 when it does not say."""
    text = reply.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    return 0.0


def _describe_limit(header: str) -> str:
    """`100;w=21600` → ` (its limit is 100 in 6 hours)`."""
    match = re.fullmatch(r"(\d{1,12});w=(\d{1,12})(;.*)?", header.strip())
    return f" (its limit is {match[1]} in {int(match[2]) / 3600:g} hours)" if match else ""
