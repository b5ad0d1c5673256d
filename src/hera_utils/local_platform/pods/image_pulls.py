"""Images that pods wait for, as a kubelet pulls them: one pull per image however many pods wait, and a pause after each failure.

A pod's image is one of the store, then the pod need not wait, or it is pulled by one of a few threads. What fails is tried again after
10 s, 20 s … 300 s, for ever: a tag may be pushed, a registry come back, a secret be created. The messages are Kubernetes' own.
Whoever made this (`process.py`) hears in its own thread that something has changed, and asks which pods are ready.
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
_ERROR_SHOWN = 2.0  # seconds for which the failure itself is what a pod waits for, before it is the pause
_PROGRESS = 3.0  # seconds between two reports of how far a pull is
# Seconds for which a pull policy of Always takes over the registry's last answer, and that it gave none.
_FRESH, _UNREACHABLE = 30.0, 300.0


class WantedImage(NamedTuple):
    """An image that a pod needs. policy: Always, IfNotPresent, Never. secrets: the pod's pull secrets as the API gave them then;
    secrets_now: gives those that a pull takes, which may have changed.

    otherwise: the settings that stand in for it where no registry answers; None where nothing does.
    """

    image: str
    reference: str
    policy: str
    secrets: tuple[Json, ...] = ()
    otherwise: Json | None = None
    secrets_now: PullSecrets = tuple

    @property
    def key(self) -> str:
        """Pods with the same one wait for the same pull."""
        text = json.dumps([self.reference, self.policy, self.secrets, self.otherwise], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def wanted_images(launch: Launch, images: Mapping[str, Json | None]) -> list[WantedImage]:
    """Those of a pod's images that are pulled. images: image → its settings, of which `pull` is the image's full name; `registry` is
    False when only the store may have it; `otherwise`.
    """
    request: dict[str, WantedImage] = {}
    for container in containers_of(launch.pod):
        image = str(container.get("image") or "")
        settings = images.get(image)
        if settings is None or "pull" not in settings:
            continue
        policy = str(container.get("imagePullPolicy") or default_policy(image))
        if settings.get("registry") is False:
            policy = "Never"
        if image not in request or policy == "Always":
            name = str(settings["pull"] or image)
            secrets = launch.pull_secrets
            request[image] = WantedImage(image, name, policy, secrets(), settings.get("otherwise"), secrets)
    return list(request.values())


def default_policy(image: str) -> str:
    """Kubernetes' default: a name that means another image tomorrow is asked for each time."""
    try:
        reference = Reference.parse(image)
    except InvalidImageName:
        return "IfNotPresent"
    return "Always" if reference.tag == DEFAULT_TAG and not reference.digest else "IfNotPresent"


def settings_of(image: StoredImage, nothing: Path) -> Json:
    """What a launch says of an image. nothing: an empty folder, for an image without layers."""
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
    """The layer folders of all pods that are not over → these pods. state: the state folder. Who removes images asks: see Store.remove."""
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
    """One image that some pods wait for. state: waits | pulls | failed | ready."""

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
    """Seconds for which what a registry answered, or that none did, holds for further pods."""
    entry: bytes = b""
    """What the store said of it then."""
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def due(self) -> float:
        """When it is tried again."""
        return self.failed_at + min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** (self.failures - 1))

    def message(self, now: float) -> str:
        """Why its pods wait."""
        if self.state != "failed":
            return waiting.for_pull(self.request.image, self.progress)
        return (
            self.error if now < self.failed_at + _ERROR_SHOWN else waiting.for_next_pull(self.request.image, self.error)
        )


class _Ended(Exception):
    """Nobody waits for the pull any longer."""


class ImagePulls:
    """Used by one thread; changed: called by others when a pod may be ready, or waits for something else.

    folder: the store's, in the state folder.
    """

    def __init__(self, folder: Path, changed: Callable[[], None]) -> None:
        self._folder, self._changed = folder, changed
        self._opened: Store | None = None
        self._pulls: dict[str, _Pull] = {}
        self._by_pod: dict[str, list[_Pull]] = {}
        self._waiting: dict[str, None] = {}
        self._reported: dict[tuple[str, str], tuple[str, int]] = {}
        """(run, image) → what those who watch the run were told last."""
        self._threads = 0
        self._lock = threading.Lock()

    @property
    def store(self) -> Store:
        if self._opened is None:
            from hera_utils.images.store import Store  # most servers never need it

            self._opened = Store(self._folder)
        return self._opened

    def _stored(self, reference: Reference) -> StoredImage | None:
        """An image of the store, for this kind of machine."""
        from hera_utils.images.pull import stored

        return stored(reference, self.store)

    @property
    def lock(self) -> str:
        """The file whose lock keeps images from being removed; "" as long as nobody has opened the store."""
        return str(self._folder / "locks" / "store") if self._opened is not None else ""

    # --- what pods want ------------------------------------------------------------------------------------------------

    def want(self, uid: str, images: Iterable[WantedImage]) -> None:
        """A pod needs these images; it is ready when `message` is empty."""
        pulls = []
        for request in images:
            pull = self._pulls.setdefault(request.key, _Pull(request))
            if pull.state == "ready" and not self._is_still_there(pull):
                pull = self._pulls[request.key] = _Pull(request)
            pull.pods.add(uid)
            pulls.append(pull)
            if pull.state == "waits" and not pull.failures and request.policy != "Always":
                self._look(pull)
        self._by_pod[uid] = pulls
        if any(pull.state != "ready" for pull in pulls):
            self._waiting[uid] = None
            self.advance()

    def _is_still_there(self, pull: _Pull) -> bool:
        """Whether what was found once holds for one more pod."""
        is_stand_in = "layers" not in pull.settings
        if (is_stand_in or pull.request.policy == "Always") and time.monotonic() - pull.ready_at > pull.holds:
            return False
        if is_stand_in:
            return True
        # whether its layers are still there is seen when the pod starts (pod/image_layers.py)
        return self.store.entry(Reference.parse(pull.request.reference)) == pull.entry

    def _look(self, pull: _Pull) -> None:
        """Whether the store has it: then nobody needs to wait."""
        try:
            reference = Reference.parse(pull.request.reference)
        except InvalidImageName:
            return  # the thread says so
        image = self._stored(reference)
        if image is not None:
            self.store.touch(reference)
            self._ready(pull, self._settings_of(pull, reference, image))

    def lost(self, uid: str) -> None:
        """The layers of a pod's image are gone: what was known of it holds no longer."""
        for pull in self._by_pod.get(uid, ()):
            if self._pulls.get(pull.request.key) is pull and pull.state == "ready":
                del self._pulls[pull.request.key]

    def drop(self, uid: str) -> None:
        """The pod starts, or is no more. A pull that no pod waits for ends."""
        self._waiting.pop(uid, None)
        for pull in self._by_pod.pop(uid, ()):
            pull.pods.discard(uid)
            if not pull.pods and pull.state != "ready":
                pull.stop.set()
                self._pulls.pop(pull.request.key, None)

    def message(self, uid: str) -> str:
        """Why a pod waits for its images, "" when it does not."""
        now = time.monotonic()
        return next((pull.message(now) for pull in self._by_pod.get(uid, ()) if pull.state != "ready"), "")

    def settings(self, uid: str) -> dict[str, Json]:
        """The settings of the images of a pod that is ready: image → what the launch says of it."""
        return {pull.request.image: pull.settings for pull in self._by_pod.get(uid, ())}

    def _settings_of(self, pull: _Pull, reference: Reference, image: StoredImage) -> Json:
        """Of the image that the name means now: another process may have given it to another one than `image`, or away."""
        pull.entry = self.store.entry(reference)  # before the look at the image
        return settings_of(self._stored(reference) or image, self._nothing())

    def _nothing(self) -> Path:
        folder = self._folder / "empty"
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o755)  # whatever the umask: it is the root of containers
        return folder

    def ready(self) -> list[str]:
        """The pods that need not wait any longer; each is named once."""
        ready = [uid for uid in self._waiting if all(pull.state == "ready" for pull in self._by_pod[uid])]
        for uid in ready:
            del self._waiting[uid]
        return ready

    def messages(self) -> list[tuple[str, str]]:
        """(pod, why it waits) of the pods that wait."""
        return [(uid, message) for uid in self._waiting if (message := self.message(uid))]

    def is_news(self, run: str, uid: str) -> bool:
        """Whether those who watch the run do not know yet why this pod waits. Answered with yes, it counts as told."""
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
        """Begin what can begin now."""
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
        """Whether a pull is to be tried again now."""
        if not self._pulls:
            return False
        now = time.monotonic()
        return any(pull.state == "failed" and now >= pull.due for pull in self._pulls.values())

    @property
    def pause(self) -> float:
        """Seconds until something is due that no thread announces."""
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
        """In a thread of its own."""
        try:
            settings = self._pulled(pull)
        except _Ended:
            settings = None
        except HeraUtilsError as error:
            settings = None
            self._failed(pull, f"{_reason(error)}: {error.with_fix}")
        except Exception as error:  # noqa: BLE001 - pods must hear of whatever it is
            _log.exception("an image could not be pulled")
            settings = None
            self._failed(pull, f"ErrImagePull: {type(error).__name__}: {error}")
        if settings is not None:
            self._ready(pull, settings)
        with self._lock:
            self._threads -= 1
        self._changed()

    def _ready(self, pull: _Pull, settings: Json) -> None:
        pull.settings, pull.ready_at, pull.failures = settings, time.monotonic(), 0
        pull.state = "ready"

    def _failed(self, pull: _Pull, error: str) -> None:
        pull.error, pull.failed_at = error, time.monotonic()
        pull.failures += 1
        pull.state = "failed"

    def _pulled(self, pull: _Pull) -> Json:
        from hera_utils.images.faults import RegistryUnreachable
        from hera_utils.images.login import Logins
        from hera_utils.images.pull import pull as pull_image
        from hera_utils.images.registry import resolve

        request = pull.request
        reference = Reference.parse(request.reference)
        stored = self._stored(reference)
        if request.policy == "Never":
            if stored is None:
                raise _NeverPulled(waiting.not_present(request.image))
            return self._settings_of(pull, reference, stored)
        logins = Logins.of_this_user().with_pull_secrets(request.secrets_now())
        pull.holds = _FRESH
        try:
            # a question that is soon answered, or soon known to have no answer
            if stored is not None and resolve(reference, logins) == stored.digest:
                return self._settings_of(pull, reference, stored)
            image = pull_image(
                reference,
                self.store,
                logins=logins,
                progress=lambda progress: self._advanced(pull, progress),
                always=request.policy == "Always",
            )
        except RegistryUnreachable:
            pull.holds = _UNREACHABLE
            if stored is not None:  # not as Kubernetes, which fails: a machine without network goes on with what it has
                return self._settings_of(pull, reference, stored)
            if request.otherwise is not None:
                return {**request.otherwise, "stand_in": waiting.stand_in(request.image)}
            raise
        return self._settings_of(pull, reference, image)

    def _advanced(self, pull: _Pull, progress: PullProgress) -> None:
        if pull.stop.is_set():
            raise _Ended
        if progress.total:
            pull.progress = f"{progress.done >> 20} of {-(-progress.total >> 20)} MiB"
        if progress.done == progress.total and progress.layers:
            pull.progress = progress.unpacking


class _NeverPulled(HeraUtilsError):
    """The image is not here and must not be pulled."""


def _reason(error: HeraUtilsError) -> str:
    """The kubelet's word for it."""
    if isinstance(error, InvalidImageName):
        return "InvalidImageName"
    return "ErrImageNeverPull" if isinstance(error, _NeverPulled) else "ErrImagePull"
