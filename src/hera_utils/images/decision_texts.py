"""What was decided about a run's images, as text: the client sends it to the server, and the record of the run keeps it. Pure.

{"python:3.11": {"stand_in": {"python": "current"}, "reason": "Python 3.11.7"},
 "lab/solver:3": {"pull": "docker.io/lab/solver:3", "digest": "sha256:…"}}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from hera_utils.errors import SettingsError
from hera_utils.images.choice import Pull, StandIn

Json = dict[str, Any]
LOCK = "requirements.txt"
"""The file in an environment that says which packages it has (python_environment.py)."""


class ImageDecision(NamedTuple):
    """What happens to one image. digest: the digest of the image that runs, or of the lock of the packages that stand in for it;
    "" where there is none or it is not known yet.
    """

    choice: StandIn | Pull
    digest: str = ""

    @property
    def lock_file(self) -> Path | None:
        """The lock of the packages that stand in for the image; it is in their environment's folder."""
        if isinstance(self.choice, StandIn) and self.digest:
            return Path(str(self.choice.settings["python"])).parents[1] / LOCK
        return None

    @property
    def words(self) -> str:
        """What runs, for people to read."""
        if isinstance(self.choice, StandIn):
            return self.choice.words
        return f"the image itself{f' ({self.digest[:19]})' if self.digest else ''}"

    def as_json(self) -> Json:
        if isinstance(self.choice, StandIn):
            because = {"because": self.choice.because} if self.choice.because else {}
            lock = {"lock": self.digest} if self.digest else {}
            return {"stand_in": dict(self.choice.settings), "reason": self.choice.reason, **because, **lock}
        store_alone = {} if self.choice.registry else {"registry": False}
        return {"pull": self.choice.reference, **store_alone, **({"digest": self.digest} if self.digest else {})}


def as_json(decisions: Mapping[str, ImageDecision]) -> Json:
    return {image: decision.as_json() for image, decision in decisions.items()}


def of_text(text: str, where: str) -> dict[str, ImageDecision]:
    """The decisions that a text holds. Raises SettingsError, which names `where`, when the text is not in that format."""
    try:
        document = json.loads(text or "{}")
        return {str(image): _decision(value) for image, value in document.items()}
    except (ValueError, AttributeError, TypeError, KeyError):
        raise SettingsError(f"{where} does not say what happens to images", fix="remove it") from None


def _decision(value: Json) -> ImageDecision:
    if "stand_in" in value:
        settings = {str(name): setting for name, setting in value["stand_in"].items()}
        stand_in = StandIn(settings, str(value.get("reason") or ""), str(value.get("because") or ""))
        return ImageDecision(stand_in, str(value.get("lock") or ""))
    return ImageDecision(
        Pull(str(value["pull"]), registry=bool(value.get("registry", True))), str(value.get("digest") or "")
    )


def sentence(image: str, stand_in: StandIn) -> str:
    """What stands in for an image, as the message of an event."""
    return f"this machine stands in for the image {image}: {stand_in.words}"


def stand_ins_of(annotation: str) -> list[str]:
    """One sentence for each image for which, by a client's decisions, something stands in; [] for a text without decisions."""
    try:
        decisions = of_text(annotation, "")
    except SettingsError:
        return []  # each pod that needs a decision reports the fault
    return [sentence(image, each.choice) for image, each in decisions.items() if isinstance(each.choice, StandIn)]
