"""The folder of one pod, `pods/<uid>`: what must outlive the server and the pod's supervisor, and the server's wish that it ends.

supervisor.jsonl   supervisor  a link: who makes it owns the pod, so that it runs exactly once.
                               {"pid", "born", "run", "tells_begin": true} and,
                               with images, {"images": container → image by digest, "layers": their folders}, then
                               {"begun": time} just before the first command runs,
                               {"started": time, "at": time, "ip": address}, at last {"outcome": what PodFinished will say}
<name>.log         supervisor  what a container wrote
kill.json          server      {"grace": seconds, "force": bool}: the pod shall end; announced by SIGTERM

A line counts when it is whole. A file costs the kernel more than all that is written to it: so there are few.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from typing import Any

from . import file_trees

Json = dict[str, Any]
_OUTCOME = b'{"outcome": '
_BEGUN = b'{"begun": '


class PodFolder:
    """path: the folder; it need not be there yet."""

    def __init__(self, path: str) -> None:
        self.path = path

    def log(self, container: str) -> str:
        return f"{self.path}/{container}.log"

    # --- the server's side -----------------------------------------------------------------------------------------

    def make(self) -> None:
        """Raises OSError."""
        try:
            os.mkdir(self.path, 0o700)
        except FileExistsError:
            if not os.path.isdir(self.path):
                raise

    def write_kill(self, *, grace: float, force: bool) -> None:
        """The file appears whole or not at all, for its owner alone. Raises OSError."""
        partial = f"{self.path}/kill.json.partial"
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
            file.write(json.dumps({"grace": grace, "force": force}))
        os.rename(partial, f"{self.path}/kill.json")

    def is_claimed(self) -> bool:
        """Whether a supervisor has taken the pod."""
        return os.path.exists(f"{self.path}/supervisor.jsonl")

    def claim_lines(self) -> list[Json]:
        """What the supervisor said of itself and of the pod's start; [] when none has taken it."""
        return [json.loads(line) for line in self._lines() if not line.startswith(_OUTCOME)]

    def has_begun(self) -> bool:
        """Whether a command of the pod may have run: then it is not started a second time."""
        lines = self._lines()
        return _is_of_older_version(lines) or any(line.startswith((_BEGUN, _OUTCOME)) for line in lines)

    def release(self) -> None:
        """Forget a supervisor that ended before a command ran: another one may own the pod, as soon as the claim is gone."""
        for name in os.listdir(self.path):
            if name != "kill.json" and not name.startswith("supervisor.jsonl"):
                file_trees.remove(f"{self.path}/{name}")
        file_trees.remove(f"{self.path}/supervisor.jsonl")

    def is_over(self) -> bool:
        lines = self._lines()
        return bool(lines) and (lines[-1].startswith(_OUTCOME) or self._older_outcome(lines) is not None)

    def outcome(self) -> Json | None:
        """How the pod ended, None while it goes on."""
        lines = self._lines()
        if not lines or not lines[-1].startswith(_OUTCOME):
            return self._older_outcome(lines)
        outcome: Json = json.loads(lines[-1])["outcome"]
        return outcome

    def _older_outcome(self, lines: list[bytes]) -> Json | None:
        """Of a supervisor of an older version, which outlived its server: it wrote a file of its own."""
        if not _is_of_older_version(lines):
            return None
        try:
            with open(f"{self.path}/outcome.json", "rb") as file:
                outcome: Json = json.loads(file.read())
        except (OSError, ValueError):
            return None
        return outcome

    def _lines(self) -> list[bytes]:
        try:
            with open(f"{self.path}/supervisor.jsonl", "rb") as file:
                return file.read().split(b"\n")[:-1]
        except OSError:
            return []

    # --- the supervisor's side -------------------------------------------------------------------------------------

    def claim(self, identity: Json) -> int:
        """Own the pod: a file that appears whole, and only once. Its descriptor. Raises OSError."""
        partial = f"{self.path}/supervisor.jsonl.{identity['pid']}"
        claim = os.open(partial, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            write_line(claim, json.dumps(identity))
            os.link(partial, f"{self.path}/supervisor.jsonl")
        except BaseException:
            os.close(claim)
            raise
        finally:
            os.unlink(partial)
        return claim

    def kill(self) -> Json | None:
        """{"grace", "force"}; None when the pod need not end."""
        try:
            with open(f"{self.path}/kill.json", "rb") as file:
                kill: Json = json.loads(file.read())
        except (OSError, ValueError):
            return None
        return kill


def _is_of_older_version(lines: list[bytes]) -> bool:
    """Whether a supervisor claimed the pod that did not tell when its commands began."""
    return bool(lines) and b'"tells_begin": true' not in lines[0]


def write_line(claim: int, text: str) -> None:
    """Append a line to a supervisor.jsonl, all of it or nothing. Raises OSError."""
    line, size = text.encode() + b"\n", os.fstat(claim).st_size
    try:
        while line:
            line = line[os.write(claim, line) :]
    except OSError:
        os.ftruncate(claim, size)
        raise


def write_begun(claim: int) -> None:
    """Raises OSError."""
    write_line(claim, f"{_BEGUN.decode()}{time.time()}}}")


def write_outcome(claim: int, outcome: str) -> None:
    """outcome: as JSON. Raises OSError."""
    write_line(claim, f"{_OUTCOME.decode()}{outcome}}}")


def containers_of(pod: Json) -> list[Json]:
    """All containers of a pod's document."""
    return [*(pod["spec"].get("initContainers") or ()), *(pod["spec"].get("containers") or ())]


def image_ids(pod: Json, images: Mapping[str, Json | None]) -> dict[str, str]:
    """Container → its image by digest. images: the settings of the pod's images, of which stand-ins have none."""
    ids = {image: str((settings or {}).get("image_id") or "") for image, settings in images.items()}
    return {
        str(container.get("name")): ids[image]
        for container in containers_of(pod)
        if ids.get(image := str(container.get("image") or ""))
    }
