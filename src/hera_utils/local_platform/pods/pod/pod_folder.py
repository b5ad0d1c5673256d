"""The folder of one pod, `pods/<uid>`: all that the server and the pod's supervisor tell each other, in files that appear whole.

launch.json        server      the pod, its template, and what it refers to
secrets.json       server      what of the launch holds values of secrets (0600); gone when the pod is over
kill.json          server      {"grace": seconds, "force": bool}: the pod shall end; announced by SIGTERM
supervisor.jsonl   supervisor  a link: who makes it owns the pod, so that it runs exactly once. {"pid", "born"}, then
                               {"started": time, "at": time, "ip": address}
outcome.json       supervisor  what PodFinished will say; once
logs/<name>.log    supervisor  what a container wrote
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any

Json = dict[str, Any]


class PodFolder:
    """path: the folder; it need not be there yet."""

    def __init__(self, path: str) -> None:
        self.path = path

    def log(self, container: str) -> str:
        return f"{self.path}/logs/{container}.log"

    # --- the server's side -----------------------------------------------------------------------------------------

    def write_launch(self, launch: Json, secrets: Json) -> None:
        """Everything that a supervisor needs. secrets: fields of the launch that hold values of secrets. Raises OSError."""
        os.makedirs(self.path, mode=0o700, exist_ok=True)
        if secrets:
            self._write("secrets.json", secrets)
        self._write("launch.json", launch)

    def write_kill(self, *, grace: float, force: bool) -> None:
        """Raises OSError."""
        self._write("kill.json", {"grace": grace, "force": force})

    def is_claimed(self) -> bool:
        """Whether a supervisor has taken the pod."""
        return os.path.exists(f"{self.path}/supervisor.jsonl")

    def claim_lines(self) -> list[Json]:
        """What the supervisor said of itself and of the pod's start; [] when none has taken it."""
        try:
            with open(f"{self.path}/supervisor.jsonl", "rb") as file:
                return [json.loads(line) for line in file.read().splitlines()]
        except (OSError, ValueError):
            return []

    def is_over(self) -> bool:
        return os.path.exists(f"{self.path}/outcome.json")

    def outcome(self) -> Json | None:
        """How the pod ended, None while it goes on."""
        try:
            with open(f"{self.path}/outcome.json", "rb") as file:
                outcome: Json = json.loads(file.read())
        except OSError:
            return None
        return outcome

    # --- the supervisor's side -------------------------------------------------------------------------------------

    def claim(self, identity: Json) -> int:
        """Own the pod: a file that appears whole, and only once. Its descriptor. Raises OSError."""
        partial = f"{self.path}/supervisor.jsonl.{identity['pid']}"
        claim = os.open(partial, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.write(claim, json.dumps(identity).encode() + b"\n")
            os.link(partial, f"{self.path}/supervisor.jsonl")
        except BaseException:
            os.close(claim)
            raise
        finally:
            os.unlink(partial)
        return claim

    def launch(self) -> Json:
        """What the server wrote, with its secrets. Raises OSError."""
        with open(f"{self.path}/launch.json", "rb") as file:
            launch: Json = json.loads(file.read())
        if "secrets" not in launch or "places" not in launch:
            with open(f"{self.path}/secrets.json", "rb") as file:
                launch |= json.loads(file.read())
        return launch

    def kill(self) -> Json | None:
        """{"grace", "force"}; None when the pod need not end."""
        try:
            with open(f"{self.path}/kill.json", "rb") as file:
                kill: Json = json.loads(file.read())
        except (OSError, ValueError):
            return None
        return kill

    def write_outcome(self, outcome: Json) -> None:
        """Raises OSError."""
        self._write("outcome.json", outcome)

    # --- both ------------------------------------------------------------------------------------------------------

    def remove_secrets(self) -> None:
        """The pod is over. Nothing is said of a file that is not there."""
        with contextlib.suppress(OSError):
            os.unlink(f"{self.path}/secrets.json")

    def _write(self, name: str, document: Json) -> None:
        """The file appears whole or not at all, for its owner alone."""
        partial = f"{self.path}/{name}.partial"
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
            file.write(json.dumps(document))
        os.rename(partial, f"{self.path}/{name}")
