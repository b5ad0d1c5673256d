"""Pulls the images that pods wait for, as a kubelet does: one pull per image however many pods wait, and a pause after each failure.

A pod whose image is in the store does not wait; otherwise one of a few threads pulls the image. A failed pull is repeated after
10 s, 20 s … 300 s, for ever: a tag may be pushed, a registry come back, a secret be created. The messages are Kubernetes' own.
The owner (`process.py`) is notified of changes and then asks, in its own thread, which pods are ready.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hera_utils.errors import HeraUtilsError
from hera_utils.images.reference import DEFAULT_TAG, InvalidImageName, Reference

from . import waiting
from .pod.pod_folder import PodFolder, containers_of
from .pod.processes import born
from .runtime import Launch, PullSecrets

if TYPE_CHECKING:
    from hera_utils.images.pull import PullProgress
    from hera_utils.images.store import Store, StoredImage

Json = dict[str, Any]
_log = logging.getLogger(__name__)
_THREADS = 3  # images that are pulled at once
_FIRST_PAUSE, _LONGEST_PAUSE = 10.0, 300.0  # seconds after a failure (kubelet: imageBackOff)
_ERROR_SHOWN = 2.0  # seconds for which a pod's message is the failure itself; then it is the pause (ImagePullBackOff)
_PROGRESS = 3.0  # seconds between two reports of a pull's progress
# For the pull policy Always: seconds for which the registry's last answer, or its silence, is used for further pods.
_FRESH, _UNREACHABLE = 30.0, 300.0


class WantedImage(NamedTuple):
    """An image that a pod needs. policy: Always, IfNotPresent, Never. secrets: the pod's pull secrets when it was launched;
    secrets_now: gives the current ones, which a pull uses.

    otherwise: the settings of its stand-in where no registry answers; None without a stand-in.
    """

    image: str
    reference: str
    policy: str
    secrets: tuple[Json, ...] = ()
    otherwise: Json | None = None
    secrets_now: PullSecrets = tuple

    @property
    def key(self) -> str:
        """Identifies a pull: pods with the same key wait for the same pull."""
        text = json.dumps([self.reference, self.policy, self.secrets, self.otherwise], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def wanted_images(launch: Launch, images: Mapping[str, Json | None]) -> list[WantedImage]:
    """The images of a pod that are pulled. images: image → its settings (see ImageChooser.settings)."""
    requests: dict[str, WantedImage] = {}
    for container in containers_of(launch.pod):
        image = str(container.get("image") or "")
        settings = images.get(image)
        if settings is None or "pull" not in settings:
            continue
        policy = str(container.get("imagePullPolicy") or default_policy(image))
        if settings.get("registry") is False:
            policy = "Never"
        if image not in requests or policy == "Always":
            name = str(settings["pull"] or image)
            secrets = launch.pull_secrets
            requests[image] = WantedImage(image, name, policy, secrets(), settings.get("otherwise"), secrets)
    return list(requests.values())


def default_policy(image: str) -> str:
    """Kubernetes' default: Always for the tag `latest`, else IfNotPresent."""
    try:
        reference = Reference.parse(image)
    except InvalidImageName:
        return "IfNotPresent"
    return "Always" if reference.tag == DEFAULT_TAG and not reference.digest else "IfNotPresent"


def settings_of(image: StoredImage, nothing: Path) -> Json:
    """The settings of a pulled image in a launch. nothing: an empty folder, for an image without layers."""
    reference = Reference.parse(image.reference)
    return {
        "layers": [str(layer) for layer in image.layers] or [str(nothing)],
        "entrypoint": list(image.config.entrypoint),
        "cmd": list(image.config.cmd),
        "env": dict(image.config.env),
        "workdir": image.config.workdir,
        "user": image.config.user,
        "digest": image.digest,
        "image_id": f"{reference.name}@{image.digest}",
    }


def layers_in_use(state: Path) -> dict[str, list[str]]:
    """Layer folder → the pods that have not ended and use it, for the removal of images (Store.remove). state: the state folder."""
    in_use: dict[str, list[str]] = {}
    for folder in (state / "pods").glob("[!.]*"):
        files = PodFolder(str(folder))
        claim = files.claim_lines()[:1]
        if not claim or files.is_over() or born(claim[0]["pid"]) != claim[0]["born"]:
            continue
        for layer in claim[0].get("layers") or ():
            in_use.setdefault(layer, []).append(folder.name)
    return in_use


@dataclass
class _Pull:
    """One image that some pods need. state: waits | pulls | failed | ready."""

    request: WantedImage
    pods: set[str] = field(default_factory=set)
    state: str = "waits"
    progress: str = ""
    error: str = ""
    failures: int = 0
    failed_at: float = 0.0
    settings: Json = field(default_factory=dict)
    ready_at: float = 0.0
    holds: float = 0.0
    """Seconds for which the registry's answer, or its silence, is used for further pods."""
    entry: bytes = b""
    """The store's reference file when the image was found (Store.entry)."""
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def due(self) -> float:
        """When the pull is repeated."""
        return self.failed_at + min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** (self.failures - 1))

    def message(self, now: float) -> str:
        """Why its pods wait."""
        if self.state != "failed":
            return waiting.for_pull(self.request.image, self.progress)
        return (
            self.error if now < self.failed_at + _ERROR_SHOWN else waiting.for_next_pull(self.request.image, self.error)
        )


class _PullUnwanted(Exception):
    """No pod waits for the pull any longer."""


class ImagePulls:
    """Used by one thread. changed: called by other threads when a pod may be ready, or has another reason to wait.

    folder: the store's, in the state folder.
    """

    def __init__(self, folder: Path, changed: Callable[[], None]) -> None:
        self._folder, self._changed = folder, changed
        self._opened: Store | None = None
        self._pulls: dict[str, _Pull] = {}
        self._by_pod: dict[str, list[_Pull]] = {}
        self._waiting: dict[str, None] = {}
        self._reported: dict[tuple[str, str], tuple[str, int]] = {}
        """(run, image) → the state that was last reported to watchers of the run."""
        self._threads = 0
        self._lock = threading.Lock()

    @property
    def store(self) -> Store:
        if self._opened is None:
            from hera_utils.images.store import Store  # imported here, because most servers pull no image

            self._opened = Store(self._folder)
        return self._opened

    def _find_image(self, reference: Reference) -> StoredImage | None:
        """An image of the store, for this kind of machine."""
        from hera_utils.images.pull import stored

        return stored(reference, self.store)

    @property
    def lock(self) -> str:
        """The file whose lock prevents the removal of images; "" while the store is not open."""
        return str(self._folder / "locks" / "store") if self._opened is not None else ""

    # --- what pods want ------------------------------------------------------------------------------------------------

    def want(self, uid: str, images: Iterable[WantedImage]) -> None:
        """Record that a pod needs these images. It is ready when `message` gives "" for it."""
        pulls = []
        for request in images:
            pull = self._pulls.setdefault(request.key, _Pull(request))
            if pull.state == "ready" and not self._is_still_valid(pull):
                pull = self._pulls[request.key] = _Pull(request)
            pull.pods.add(uid)
            pulls.append(pull)
            if pull.state == "waits" and not pull.failures and request.policy != "Always":
                self._find_in_store(pull)
        self._by_pod[uid] = pulls
        if any(pull.state != "ready" for pull in pulls):
            self._waiting[uid] = None
            self.advance()

    def _is_still_valid(self, pull: _Pull) -> bool:
        """Whether a finished pull is still valid for one more pod."""
        is_stand_in = "layers" not in pull.settings
        if (is_stand_in or pull.request.policy == "Always") and time.monotonic() - pull.ready_at > pull.holds:
            return False
        if is_stand_in:
            return True
        # Whether its layers still exist is checked when the pod starts (pod/image_layers.py).
        return self.store.entry(Reference.parse(pull.request.reference)) == pull.entry

    def _find_in_store(self, pull: _Pull) -> None:
        """Mark the pull as ready if the store has the image."""
        try:
            reference = Reference.parse(pull.request.reference)
        except InvalidImageName:
            return  # the thread of the pull reports the invalid name
        image = self._find_image(reference)
        if image is not None:
            self.store.touch(reference)
            self._ready(pull, self._settings_of(pull, reference, image))

    def lost(self, uid: str) -> None:
        """Forget the finished pulls of a pod's images, because their layers were removed."""
        for pull in self._by_pod.get(uid, ()):
            if self._pulls.get(pull.request.key) is pull and pull.state == "ready":
                del self._pulls[pull.request.key]

    def drop(self, uid: str) -> None:
        """Remove a pod that starts or was deleted. A pull that no other pod waits for ends."""
        self._waiting.pop(uid, None)
        for pull in self._by_pod.pop(uid, ()):
            pull.pods.discard(uid)
            if not pull.pods and pull.state != "ready":
                pull.stop.set()
                self._pulls.pop(pull.request.key, None)

    def message(self, uid: str) -> str:
        """Why a pod waits for its images; "" when it does not."""
        now = time.monotonic()
        return next((pull.message(now) for pull in self._by_pod.get(uid, ()) if pull.state != "ready"), "")

    def settings(self, uid: str) -> dict[str, Json]:
        """image → its settings in the launch, for a pod that is ready."""
        return {pull.request.image: pull.settings for pull in self._by_pod.get(uid, ())}

    def _settings_of(self, pull: _Pull, reference: Reference, image: StoredImage) -> Json:
        """The settings of the image that the name means now: another process may have moved or removed the name since `image` was read."""
        pull.entry = self.store.entry(reference)  # read before the image, so that a later change is noticed
        return settings_of(self._find_image(reference) or image, self._empty_folder())

    def _empty_folder(self) -> Path:
        folder = self._folder / "empty"
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o755)  # independent of the umask, because it becomes the root folder of containers
        return folder

    def ready(self) -> list[str]:
        """The pods that have become ready since the last call."""
        ready = [uid for uid in self._waiting if all(pull.state == "ready" for pull in self._by_pod[uid])]
        for uid in ready:
            del self._waiting[uid]
        return ready

    def messages(self) -> list[tuple[str, str]]:
        """(pod, why it waits) of each waiting pod."""
        return [(uid, message) for uid in self._waiting if (message := self.message(uid))]

    def is_news(self, run: str, uid: str) -> bool:
        """Whether watchers of the run have not been told yet why this pod waits. After True it counts as told."""
        now = time.monotonic()
        pull = next((pull for pull in self._by_pod.get(uid, ()) if pull.state != "ready"), None)
        if pull is None:
            return False
        if pull.state == "failed":
            news = ("error" if now < pull.failed_at + _ERROR_SHOWN else "pause", pull.failures)
        else:
            news = ("pulls", int(now / _PROGRESS) if pull.progress else 0)
        key = (run, pull.request.image)
        if self._reported.get(key) == news:
            return False
        self._reported[key] = news
        return True

    @property
    def is_busy(self) -> bool:
        """Whether pods wait."""
        return bool(self._waiting)

    # --- pulling -------------------------------------------------------------------------------------------------------

    def advance(self) -> None:
        """Start the pulls that can start now."""
        now = time.monotonic()
        for pull in list(self._pulls.values()):
            if pull.state == "failed" and now >= pull.due:
                pull.state, pull.progress = "waits", ""
            with self._lock:
                if pull.state != "waits" or self._threads >= _THREADS:
                    continue
                self._threads += 1
                pull.state = "pulls"
            threading.Thread(target=self._work, args=(pull,), name="image-pull", daemon=True).start()

    def is_due(self) -> bool:
        """Whether a failed pull is to be repeated now."""
        if not self._pulls:
            return False
        now = time.monotonic()
        return any(pull.state == "failed" and now >= pull.due for pull in self._pulls.values())

    @property
    def pause(self) -> float:
        """Seconds until a message changes or a pull is repeated, without a notice from a thread."""
        if not self._pulls:
            return 60.0
        now = time.monotonic()
        times = [
            at
            for p in self._pulls.values()
            if p.state == "failed"
            for at in (p.failed_at + _ERROR_SHOWN, p.due)
            if at > now
        ]
        return max(0.05, min(times, default=now + 60.0) - now)

    def close(self) -> None:
        for pull in self._pulls.values():
            pull.stop.set()

    def _work(self, pull: _Pull) -> None:
        """Pull an image; runs in a thread of its own."""
        try:
            settings = self._pull(pull)
        except _PullUnwanted:
            settings = None
        except HeraUtilsError as error:
            settings = None
            self._note_failure(pull, f"{_reason(error)}: {error.with_fix}")
        except Exception as error:  # noqa: BLE001 - the waiting pods must get any error
            _log.exception("an image could not be pulled")
            settings = None
            self._note_failure(pull, f"ErrImagePull: {type(error).__name__}: {error}")
        if settings is not None:
            self._ready(pull, settings)
        with self._lock:
            self._threads -= 1
        self._changed()

    def _ready(self, pull: _Pull, settings: Json) -> None:
        pull.settings, pull.ready_at, pull.failures = settings, time.monotonic(), 0
        pull.state = "ready"

    def _note_failure(self, pull: _Pull, error: str) -> None:
        pull.error, pull.failed_at = error, time.monotonic()
        pull.failures += 1
        pull.state = "failed"

    def _pull(self, pull: _Pull) -> Json:
        from hera_utils.images.faults import RegistryUnreachable
        from hera_utils.images.login import Logins
        from hera_utils.images.pull import pull as pull_image
        from hera_utils.images.registry import resolve

        request = pull.request
        reference = Reference.parse(request.reference)
        stored = self._find_image(reference)
        if request.policy == "Never":
            if stored is None:
                raise _NeverPulled(waiting.for_absent_image(request.image))
            return self._settings_of(pull, reference, stored)
        logins = Logins.of_this_user().with_pull_secrets(request.secrets_now())
        pull.holds = _FRESH
        try:
            # One HEAD request with short timeouts, which is often enough.
            if stored is not None and resolve(reference, logins) == stored.digest:
                return self._settings_of(pull, reference, stored)
            image = pull_image(
                reference,
                self.store,
                logins=logins,
                progress=lambda progress: self._note_progress(pull, progress),
                always=request.policy == "Always",
            )
        except RegistryUnreachable:
            pull.holds = _UNREACHABLE
            if stored is not None:  # Kubernetes fails here; without a network this machine uses the stored image
                return self._settings_of(pull, reference, stored)
            if request.otherwise is not None:
                return {**request.otherwise, "stand_in": waiting.for_stand_in(request.image)}
            raise
        return self._settings_of(pull, reference, image)

    def _note_progress(self, pull: _Pull, progress: PullProgress) -> None:
        if pull.stop.is_set():
            raise _PullUnwanted
        if progress.total:
            pull.progress = f"{progress.done >> 20} of {-(-progress.total >> 20)} MiB"
        if progress.done == progress.total and progress.layers:
            pull.progress = progress.unpacking


class _NeverPulled(HeraUtilsError):
    """The store does not have the image, and the pull policy is Never."""


def _reason(error: HeraUtilsError) -> str:
    """The kubelet's reason for a failure."""
    if isinstance(error, InvalidImageName):
        return "InvalidImageName"
    return "ErrImageNeverPull" if isinstance(error, _NeverPulled) else "ErrImagePull"
