"""What happens to the images of a pod: the client's decision before the run, else the server's own."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from hera_utils.argo.annotations import IMAGE_DECISIONS, IMAGES, PYTHON
from hera_utils.errors import ResourceError
from hera_utils.images.choice import (
    Choice,
    RefusedImage,
    StandIn,
    ThisMachine,
    choose,
    is_described,
    uses_of_containers,
)
from hera_utils.images.decision_texts import ImageDecision, of_text, sentence
from hera_utils.images.table import ImageTable, checked_entry

from .pod.open_beneath import read_end
from .pod.pod_folder import containers_of
from .runtime import Launch

Json = dict[str, Any]


class ImageChooser:
    """table: the server's own. path: the PATH on which tasks find this machine's programs."""

    def __init__(self, table: ImageTable, path: str) -> None:
        self._table, self._path = table, path
        self._programs: dict[str, bool] = {}
        self._read: tuple[str, dict[str, ImageDecision]] = ("", {})
        """The annotation that was read last, and its decisions."""

    def settings(self, image: str, launch: Launch) -> Json:
        """The settings of an image in a launch: those of its stand-in, or `pull` (the image's name), `registry` (False when only the store
        may be asked) and `otherwise` (the stand-in's settings where no registry answers).

        `stand_in` is a sentence about the stand-in where this server decided it. Raises ResourceError for an image that has no stand-in
        and may not be pulled.
        """
        decision = self._decision_of_client(image, launch)
        choice = self._own_choice(image, launch) if decision is None else decision.choice
        if isinstance(choice, RefusedImage):
            raise ResourceError(choice.reason, fix=choice.fix)
        if isinstance(choice, StandIn):
            if is_described(choice.settings):
                raise ResourceError(
                    f'the image "{image}" stands for a Python with packages, which is not made on this machine yet',
                    fix="submit the workflow with hera-utils run, which makes it",
                )
            own = {"stand_in": sentence(image, choice)} if decision is None else {}
            return {**choice.settings, **own}
        settings: Json = {"pull": choice.reference}
        if not choice.registry:
            settings["registry"] = False
        if choice.otherwise is not None:
            settings["otherwise"] = choice.otherwise.settings
        return settings

    def _decision_of_client(self, image: str, launch: Launch) -> ImageDecision | None:
        """The decision of the client that submitted the workflow; None where it made none for this image."""
        text = launch.annotations.get(IMAGE_DECISIONS, "")
        read = self._read
        if text != read[0]:
            where = f"the annotation {IMAGE_DECISIONS}"
            decisions = of_text(text, where)
            for name, decision in decisions.items():
                if isinstance(decision.choice, StandIn):
                    checked_entry(name, decision.choice.settings, Path("/"), where)
            read = self._read = (text, decisions)
        return read[1].get(image)

    def _own_choice(self, image: str, launch: Launch) -> Choice:
        """This server's own decision for the containers of the pod."""
        entry = self._table.entry(image, launch.annotations.get(IMAGES, ""))
        script = launch.template.get("script") or {}
        uses = uses_of_containers(containers_of(launch.pod), script.get("source")).get(image, [])
        machine = ThisMachine(version_by_files(launch.annotations.get(PYTHON) or sys.executable), self._has_program)
        return choose(image, entry.policy, entry.stand_in, uses, machine)

    def _has_program(self, program: str) -> bool:
        if program not in self._programs:
            self._programs[program] = shutil.which(program, path=self._path) is not None
        return self._programs[program]


def version_by_files(python: str) -> str:
    """The version of the interpreter that a workflow names, from the files around it. It is not run, because a task may have written it.

    This process's own version where the files do not show one.
    """
    if python == sys.executable:
        return platform.python_version()
    settings = read_end(os.path.dirname(os.path.dirname(python)), "pyvenv.cfg", 1 << 16) or b""
    written = re.search(rb"(?m)^version(?:_info)?\s*=\s*(\d+\.\d+(?:\.\d+)?)", settings)
    named = re.fullmatch(r"python(\d+\.\d+)", os.path.basename(os.path.realpath(python)))
    return written[1].decode() if written else named[1] if named else platform.python_version()
