"""A client of one registry (OCI distribution specification): the digest of a name, manifests, blobs.

Each request goes to the registry's mirrors first and is repeated after failures that may pass (cut connections, 5xx, 429 with its
Retry-After). It ends with the answer or with one of the errors of faults.py.
"""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import requests

from hera_utils.images.answers import BodyCut, Exchange, Failure, NoAnswer, read_body
from hera_utils.images.config import UnreadableImage, check_digest, digest_of
from hera_utils.images.endpoints import Endpoint, endpoint_of_url, endpoints_of
from hera_utils.images.faults import AccessDenied, ImageNotFound, RegistryUnreachable, Stopped
from hera_utils.images.login import Logins
from hera_utils.images.manifest import LARGEST, MEDIA_TYPES
from hera_utils.images.reference import Reference
from hera_utils.images.tokens import Authorization, NoToken
from hera_utils.images.transport import FAILURES, Transport, UnsafeRedirect

_ACCEPT = {"Accept": ", ".join(MEDIA_TYPES)}
_GOOD = (200, 206, 416)
_MOST_CHALLENGES = 8
_MOST_REGISTRIES = 2  # redirects from one registry to another
_ATTEMPTS_AT_MIRROR = 2  # the registry itself comes next
_MOST_READINGS = 3


@dataclass(frozen=True)
class RetryPolicy:
    """How often a request is sent, and how long to wait between. Times are in seconds."""

    attempts: int
    first_pause: float
    longest_pause: float
    connect: float

    def pause(self, attempt: int, least: float) -> float:
        """Seconds to wait before the next attempt. least: what the registry asks for (Retry-After)."""
        usual = self.first_pause * (1 << attempt) * random.uniform(0.8, 1.2)
        return max(usual, least)


PULLING = RetryPolicy(attempts=5, first_pause=0.5, longest_pause=30.0, connect=10.0)
ASKING = RetryPolicy(attempts=2, first_pause=0.3, longest_pause=2.0, connect=5.0)  # a user waits for the start of a run


def resolve(reference: Reference, logins: Logins, *, environ: Mapping[str, str] | None = None) -> str:
    """The digest that an image's name means now, by one HEAD request, which Docker Hub does not count as a pull.

    Raises RegistryUnreachable (TooManyPulls), ImageNotFound, AccessDenied.
    """
    with RegistryClient(reference.registry, logins, environ=environ, patience=ASKING) as client:
        return client.digest(reference)


class RegistryClient:
    """A client of one registry, to be used in a `with` block; several threads may use it at once."""

    def __init__(
        self,
        registry: str,
        logins: Logins,
        *,
        environ: Mapping[str, str] | None = None,
        patience: RetryPolicy | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        self._logins, self._patience = logins, patience or PULLING
        self._stop = stop or threading.Event()
        self._endpoints = list(endpoints_of(registry, environ))
        insecure = frozenset(endpoint.host for endpoint in self._endpoints if endpoint.insecure)
        self._transport = Transport(insecure_hosts=insecure, connect_seconds=self._patience.connect)
        self._authorizations: dict[tuple[str, str], Authorization] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> RegistryClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._transport.__exit__()

    def digest(self, reference: Reference) -> str:
        """The digest that the name means. A name with a digest is looked up too, to see whether it exists."""
        with self._ask("HEAD", reference, f"manifests/{_version(reference)}", _ACCEPT) as reply:
            if reply.status_code == 200 and "Docker-Content-Digest" in reply.headers:
                return check_digest(reply.headers["Docker-Content-Digest"])
        # Registries older than version 1.0 of the specification answer HEAD without a digest.
        return self.manifest(reference)[0]

    def manifest(self, reference: Reference) -> tuple[str, bytes]:
        """Digest and content of a manifest or an index. Raises UnreadableImage when the content does not match its digest."""
        for reading in range(_MOST_READINGS):
            with self._ask("GET", reference, f"manifests/{_version(reference)}", _ACCEPT) as reply:
                try:
                    content = read_body(reply, LARGEST)
                except BodyCut:
                    continue
                digest = reply.headers.get("Docker-Content-Digest", "")
            if content is None:
                raise UnreadableImage(f"the manifest of {reference} is larger than {LARGEST >> 20} MiB")
            expected = reference.digest or (digest if digest.startswith(("sha256:", "sha512:")) else "")
            actual = digest_of(content, expected or "sha256")
            if not expected or actual == expected:
                return actual, content
            if reading == _MOST_READINGS - 1:
                raise damaged_content(f"the manifest of {reference}", actual)
        raise RegistryUnreachable(
            f"the registry {reference.registry} breaks off while it sends the manifest of {reference}"
        )

    @contextlib.contextmanager
    def blob(self, reference: Reference, digest: str, start: int = 0) -> Iterator[requests.Response]:
        """The answer with a blob of a repository, its body unread; from byte `start` on where the server supports it (206)."""
        headers = {"Range": f"bytes={start}-"} if start else {}
        with self._ask("GET", reference, f"blobs/{digest}", headers) as reply:
            yield reply

    # Addresses

    def _ask(self, method: str, reference: Reference, path: str, headers: Mapping[str, str]) -> requests.Response:
        """The answer of the first address that gives one."""
        mirrors: list[str] = []
        endpoints = list(self._endpoints)
        for endpoint in endpoints:
            last = endpoint == endpoints[-1]
            try:
                return self._ask_at(endpoint, method, reference, path, headers)
            except (RegistryUnreachable, ImageNotFound, AccessDenied) as error:
                if endpoint.mirror:
                    mirrors.append(str(error))
                    self._drop_endpoint(endpoint)
                elif not last and isinstance(error, NoAnswer):
                    self._drop_endpoint(endpoint)
                else:
                    if mirrors:
                        error.message = f"{error.message} ({'; '.join(mirrors)})"
                    raise
        raise AssertionError("the last address answers or raises")  # pragma: no cover

    def _drop_endpoint(self, endpoint: Endpoint) -> None:
        """Do not ask this address again: if it fails for one layer, it fails for the next one."""
        with self._lock:
            if endpoint in self._endpoints and len(self._endpoints) > 1:
                self._endpoints.remove(endpoint)

    def _authorization(self, endpoint: Endpoint, repository: str) -> Authorization:
        with self._lock:
            key = (endpoint.url, repository)
            if key not in self._authorizations:
                logins = self._logins.find(endpoint.registry, repository)
                scope = f"repository:{repository}:pull"
                self._authorizations[key] = Authorization(self._transport, endpoint.url, logins, scope)
            return self._authorizations[key]

    # One address

    def _ask_at(
        self, endpoint: Endpoint, method: str, reference: Reference, path: str, headers: Mapping[str, str]
    ) -> requests.Response:
        authorization = self._authorization(endpoint, reference.repository)
        exchange = Exchange(endpoint, reference, authorization, self._logins)
        return self._ask_url(exchange, method, f"{endpoint.repository(reference.repository)}/{path}", headers)

    def _ask_url(self, exchange: Exchange, method: str, url: str, headers: Mapping[str, str]) -> requests.Response:
        authorization = exchange.authorization
        most = _ATTEMPTS_AT_MIRROR if exchange.endpoint.mirror else self._patience.attempts
        attempt = challenges = 0
        while True:
            try:
                used = authorization.header()
                reply = self._transport.send(method, url, headers, authorization=used.reveal() if used else "")
                if reply.status_code in _GOOD or (method == "HEAD" and reply.status_code == 405):
                    authorization.accept(used)
                    return reply
                with reply:
                    challenges += 1
                    if challenges <= _MOST_CHALLENGES and exchange.may_resend(reply, used, url):
                        continue
                    if exchange.depth < _MOST_REGISTRIES and exchange.is_redirected_to_registry(reply, url):
                        break
                    failure = exchange.refusal(reply, url)
            except UnsafeRedirect as error:
                raise RegistryUnreachable(f"{exchange.endpoint.name} cannot be used: {error}") from None
            except NoToken as error:
                failure = Failure(error, error.may_pass)
            except FAILURES as error:
                failure = exchange.failure_without_answer(error, url)
            attempt += 1
            self._pause(failure, attempt, most)
        return self._ask_elsewhere(exchange, method, reply.url, headers)

    def _ask_elsewhere(
        self, exchange: Exchange, method: str, url: str, headers: Mapping[str, str]
    ) -> requests.Response:
        """Send the request to the registry that `url` was redirected to, which needs a login or a token of its own."""
        endpoint, repository = endpoint_of_url(url)
        if not self._transport.is_protected(url):
            raise RegistryUnreachable(
                f"{exchange.endpoint.name} leads to {endpoint.host} without TLS, which is given no login",
                fix="tell the registry's owner to lead to an https address",
            )
        authorization = self._authorization(endpoint, repository)
        further = Exchange(endpoint, exchange.reference, authorization, self._logins, exchange.depth + 1)
        return self._ask_url(further, method, url, headers)

    def _pause(self, failure: Failure, attempt: int, most: int) -> None:
        """Wait until the request may be repeated, or raise the failure. attempt: how often it was sent, of `most` times."""
        if attempt >= most or not failure.may_pass or failure.wait > self._patience.longest_pause:
            raise failure.error
        self.wait(attempt - 1, failure.wait)

    def wait(self, attempt: int, least: float = 0.0) -> None:
        """Pause after attempt number `attempt` (0 is the first). least: seconds to wait at least. Raises Stopped."""
        if self._stop.wait(self._patience.pause(attempt, least)):
            raise Stopped


def damaged_content(what: str, digest: str) -> UnreadableImage:
    return UnreadableImage(
        f"{what} arrived damaged: its digest is {digest}",
        fix="try again; if it fails again, a proxy or a mirror on the way changes what it passes on",
    )


def _version(reference: Reference) -> str:
    return reference.digest or reference.tag
