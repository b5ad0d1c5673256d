"""The folder of one pod, `pods/<uid>`: records that must outlive the server and the pod's supervisor, and the server's request to end.

file               written by  content
supervisor.jsonl   supervisor  created by link(2): the supervisor that succeeds owns the pod, so that it runs exactly once.
                               {"pid", "born", "run", "tells_begin": true} and,
                               with images, {"images": container → image by digest, "layers": their folders}, then
                               {"begun": time} just before the first command runs,
                               {"started": time, "at": time, "ip": address}, at last {"outcome": the content of PodFinished}
<name>.log         supervisor  the output of a container
kill.json          server      {"grace": seconds, "force": bool}: a request to end the pod; announced by SIGTERM

A line counts only when it is complete. There are few files, because creating one costs the kernel more than writing all its lines.
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
    """path: the folder; it may not exist yet."""

    def __init__(self, path: str) -> None:
        self.path = path

    def log(self, container: str) -> str:
        return f"{self.path}/{container}.log"

    # --- the server's side -----------------------------------------------------------------------------------------

    def make(self) -> None:
        """Create the folder if it does not exist. Raises OSError."""
        try:
            os.mkdir(self.path, 0o700)
        except FileExistsError:
            if not os.path.isdir(self.path):
                raise

    def write_kill(self, *, grace: float, force: bool) -> None:
        """Write kill.json atomically, readable by its owner only. Raises OSError."""
        partial = f"{self.path}/kill.json.partial"
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
            file.write(json.dumps({"grace": grace, "force": force}))
        os.rename(partial, f"{self.path}/kill.json")

    def is_claimed(self) -> bool:
        """Whether a supervisor owns the pod."""
        return os.path.exists(f"{self.path}/supervisor.jsonl")

    def claim_lines(self) -> list[Json]:
        """The supervisor's records about itself and the pod's start; [] when no supervisor owns the pod."""
        return [json.loads(line) for line in self._lines() if not line.startswith(_OUTCOME)]

    def has_begun(self) -> bool:
        """Whether a command of the pod may have run. Then the pod must not be started again."""
        lines = self._lines()
        return _is_of_older_version(lines) or any(line.startswith((_BEGUN, _OUTCOME)) for line in lines)

    def release(self) -> None:
        """Remove the files of a supervisor that ended before a command ran. The claim is removed last; then another one may own the pod."""
        for name in os.listdir(self.path):
            if name != "kill.json" and not name.startswith("supervisor.jsonl"):
                file_trees.remove(f"{self.path}/{name}")
        file_trees.remove(f"{self.path}/supervisor.jsonl")

    def is_over(self) -> bool:
        lines = self._lines()
        return bool(lines) and (lines[-1].startswith(_OUTCOME) or self._older_outcome(lines) is not None)

    def outcome(self) -> Json | None:
        """How the pod ended; None while it has not ended."""
        lines = self._lines()
        if not lines or not lines[-1].startswith(_OUTCOME):
            return self._older_outcome(lines)
        outcome: Json = json.loads(lines[-1])["outcome"]
        return outcome

    def _older_outcome(self, lines: list[bytes]) -> Json | None:
        """The outcome by a supervisor of an older version, which outlived its server and wrote it to a separate file."""
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
        """Own the pod by creating supervisor.jsonl, atomically and only once. Gives the file's descriptor. Raises OSError."""
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
        """The server's request to end the pod, {"grace", "force"}; None when there is none."""
        try:
            with open(f"{self.path}/kill.json", "rb") as file:
                kill: Json = json.loads(file.read())
        except (OSError, ValueError):
            return None
        return kill


def _is_of_older_version(lines: list[bytes]) -> bool:
    """Whether an older version's supervisor owns the pod, which did not record when its commands began."""
    return bool(lines) and b'"tells_begin": true' not in lines[0]


def write_line(claim: int, text: str) -> None:
    """Append a line to a supervisor.jsonl, completely or not at all. Raises OSError."""
    line, size = text.encode() + b"\n", os.fstat(claim).st_size
    try:
        while line:
            line = line[os.write(claim, line) :]
    except OSError:
        os.ftruncate(claim, size)
        raise


def write_begun(claim: int) -> None:
    """Record that a command is about to run. Raises OSError."""
    write_line(claim, f"{_BEGUN.decode()}{time.time()}}}")


def write_outcome(claim: int, outcome: str) -> None:
    """Record how the pod ended. outcome: JSON. Raises OSError."""
    write_line(claim, f"{_OUTCOME.decode()}{outcome}}}")


def containers_of(pod: Json) -> list[Json]:
    """All containers of a pod's document."""
    return [*(pod["spec"].get("initContainers") or ()), *(pod["spec"].get("containers") or ())]


def image_ids(pod: Json, images: Mapping[str, Json | None]) -> dict[str, str]:
    """Container → its image by digest. images: the settings of the pod's images; stand-ins have no digest and are left out."""
    ids = {image: str((settings or {}).get("image_id") or "") for image, settings in images.items()}
    return {
        str(container.get("name")): ids[image]
        for container in containers_of(pod)
        if ids.get(image := str(container.get("image") or ""))
    }
