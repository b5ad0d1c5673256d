"""Whether images can be had: for images in the store without any network, for others by asking their registries in parallel.

A registry that could not be reached is not asked again for a while where something stands in for its image. Otherwise a machine
without network would wait before each run.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hera_utils.errors import HeraUtilsError, PlatformError
from hera_utils.images.choice import Pull, RefusedImage, choose_without_registry, fix_without_pull
from hera_utils.images.decision_texts import ImageDecision
from hera_utils.images.faults import RegistryUnreachable
from hera_utils.images.pull import look_up, stored
from hera_utils.images.reference import Reference
from hera_utils.images.store import Store
from hera_utils.private_folders import make_private
from hera_utils.whole_files import write_atomically

if TYPE_CHECKING:
    from hera_utils.images.login import Logins

REGISTRIES_SECONDS = (
    8.0  # seconds to wait for all registries together, where something stands in for each of their images
)
LAST_REGISTRIES_SECONDS = 30.0  # seconds to wait where the run is refused without an answer
_REMEMBERED = 300.0  # seconds
Outcome = ImageDecision | RefusedImage
LoginsOf = Callable[[], "Logins"]


def decide_pulls(
    pulls: Mapping[str, Pull],
    store: Store,
    logins_of: LoginsOf,
    *,
    patience: float = REGISTRIES_SECONDS,
    last_patience: float = LAST_REGISTRIES_SECONDS,
) -> dict[str, Outcome]:
    """image → its pull (with its digest), or what stands in for it where no registry answers, or why it is refused.

    logins_of: called only when a registry is asked. Never raises: an error of one image is the outcome of that image.
    """
    outcomes: dict[str, Outcome] = {}
    questions: dict[str, tuple[Pull, Reference]] = {}
    silent = _UnreachableRegistries(store.folder / "silent-registries.json")
    for image, pull in pulls.items():
        try:
            reference = Reference.parse(image)
            here = stored(reference, store)
        except HeraUtilsError as error:
            outcomes[image] = _refuse_image(image, error)
            continue
        if here is not None:
            outcomes[image] = ImageDecision(pull, here.digest)
        elif not pull.registry:
            outcomes[image] = _decide_without_registry(
                pull, "it must not be pulled for this run", f"hera-utils image pull {image}"
            )
        elif pull.otherwise is not None and silent.includes(reference.registry):
            outcomes[image] = _decide_without_registry(
                pull, f"the registry {reference.registry} could not be reached a moment ago"
            )
        else:
            questions[image] = (pull, reference)
    if questions:
        references = {image: reference for image, (_, reference) in questions.items()}
        is_last = any(pull.otherwise is None for pull, _ in questions.values())
        seconds = last_patience if is_last else patience
        answers = ask_registries(references, logins_of, seconds, store)
        for image, (pull, reference) in questions.items():
            answer = answers.get(image)
            if answer is None:
                answer = RegistryUnreachable(
                    f"the registry {reference.registry} did not answer within {seconds:g} s",
                    fix="check the network and its proxy",
                )
            if isinstance(answer, RegistryUnreachable):
                silent.add(reference.registry)
            outcomes[image] = _decide_by_answer(image, pull, answer)
    return outcomes


def _decide_by_answer(image: str, pull: Pull, answer: str | HeraUtilsError) -> Outcome:
    if isinstance(answer, str):
        return ImageDecision(pull, answer)
    if isinstance(answer, RegistryUnreachable):
        return _decide_without_registry(pull, str(answer), answer.fix or "")
    return _refuse_image(image, answer)


def _decide_without_registry(pull: Pull, why: str, fix: str = "") -> Outcome:
    choice = choose_without_registry(pull, why, fix)
    return choice if isinstance(choice, RefusedImage) else ImageDecision(choice)


def _refuse_image(image: str, error: HeraUtilsError) -> RefusedImage:
    return RefusedImage(str(error), error.fix or fix_without_pull(image))


def ask_registries(
    references: Mapping[str, Reference], logins_of: LoginsOf, patience: float, store: Store | None = None
) -> dict[str, str | HeraUtilsError]:
    """image → its digest, or why there is none; images whose registry does not answer within `patience` seconds are left out.

    store: when given, it is also asked, as far as time allows, whether the images run on this kind of machine.
    """
    from hera_utils.images.registry import resolve

    logins = logins_of()
    answers: dict[str, str | HeraUtilsError] = {}

    def ask(image: str, reference: Reference) -> None:
        try:
            if store is None:
                answers[image] = resolve(reference, logins)
            else:
                look_up(reference, store, logins, lambda digest: answers.update({image: digest}))
        except HeraUtilsError as error:
            answers[image] = error
        except Exception as error:  # noqa: BLE001 - a thread must not end without an answer
            answers[image] = PlatformError(
                f"the registry of {image} could not be asked ({type(error).__name__}: {error})"
            )

    threads = [threading.Thread(target=ask, args=item, daemon=True) for item in references.items()]
    for thread in threads:
        thread.start()
    end = time.monotonic() + patience
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return dict(answers)


class _UnreachableRegistries:
    """Registries that could not be reached, and when. If the file cannot be read or written, they are forgotten."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._times: dict[str, float] | None = None

    def includes(self, registry: str) -> bool:
        return 0 <= time.time() - self._read().get(registry, 0.0) < _REMEMBERED

    def add(self, registry: str) -> None:
        self._times = {**self._read(), registry: time.time()}
        with contextlib.suppress(OSError):
            make_private(self._path.parent)
            write_atomically(self._path, json.dumps(self._times).encode())

    def _read(self) -> dict[str, float]:
        if self._times is None:
            try:
                self._times = {str(name): float(at) for name, at in json.loads(self._path.read_text()).items()}
            except (OSError, ValueError, AttributeError, TypeError):
                self._times = {}
        return self._times
