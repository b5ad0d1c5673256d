"""Notifies the user of the end of a run: by a bell, a command, or a message that apprise sends.

`Ending` is the content. A notification that fails gives a sentence for the terminal, and never makes the run fail; no sentence contains
an address, because most addresses contain a key.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from html import escape
from typing import Any

from hera_utils.interpreter.progress import parse
from hera_utils.runs.outcome import outcome
from hera_utils.settings.resolve import CLIContext
from hera_utils.settings.secret import mask
from hera_utils.spans import stopwatch
from hera_utils.wording import system_reason

Json = dict[str, Any]

BELL = "bell"
_NOTIFICATION_SECONDS = (
    30.0  # seconds for one notification: the run has ended, and the user may be waiting for the prompt
)


@dataclass(frozen=True)
class Ending:
    """The end of a run. done, failed, total: numbers of units. unit: points or tasks."""

    run: str
    namespace: str
    phase: str
    done: int
    failed: int
    total: int
    unit: str
    seconds: float
    link: str
    experiment: str = ""

    @property
    def succeeded(self) -> bool:
        return self.phase == "Succeeded"

    @property
    def title(self) -> str:
        return f"{self.run} {'succeeded' if self.succeeded else 'failed'}"

    @property
    def body(self) -> str:
        failed = f", {self.failed} failed" if self.failed else ""
        unit = self.unit[:-1] if self.total == 1 else self.unit
        counts = f"{self.done} of {self.total} {unit} done{failed}, {stopwatch(self.seconds)}"
        return "\n".join(
            line for line in (self.experiment and f"experiment {self.experiment}", counts, self.link) if line
        )

    def as_json(self) -> Json:
        return {**asdict(self), "succeeded": self.succeeded, "title": self.title, "body": self.body}


def ending_of_workflow(document: Json, link: str) -> Ending:
    """The ending of a workflow, which counts tasks."""
    ended = outcome(document)
    done, total = parse((document.get("status") or {}).get("progress")) or (0, 0)
    return Ending(
        run=ended.name,
        namespace=ended.namespace,
        phase=ended.phase,
        done=done,
        failed=len(ended.failures),
        total=total,
        unit="tasks",
        seconds=ended.seconds or 0.0,
        link=link,
    )


def notify(ending: Ending, context: CLIContext) -> list[str]:
    """Send the notifications of the settings; a sentence for each that failed."""
    is_wanted = context.notify_on in ("any", "success" if ending.succeeded else "failure")
    if not is_wanted:
        return []
    words = context.notify.reveal().split() if context.notify is not None else []
    problems = []
    if BELL in words:
        problems.append(_ring(ending))
    if context.notify_command:
        problems.append(_run(context.notify_command, ending))
    addresses = [word for word in words if word != BELL]
    problems += _send(addresses, ending) if addresses else []
    return [
        f"a notification of the end of {ending.run} failed: {mask(problem, words)}" for problem in problems if problem
    ]


def _ring(ending: Ending) -> str:
    """Ring the terminal's bell, and show a message on the desktop."""
    rung = False
    if sys.stderr is not None and sys.stderr.isatty():
        with contextlib.suppress(OSError):
            sys.stderr.write("\a")
            sys.stderr.flush()
            rung = True
    program = shutil.which("notify-send")
    desktop = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS"))
    if program and desktop:
        try:
            done = subprocess.run(
                [program, "--", ending.title, escape(ending.body, quote=False)],
                capture_output=True,
                timeout=_NOTIFICATION_SECONDS,
                check=False,
            )
            rung = rung or done.returncode == 0
        except (OSError, subprocess.SubprocessError):
            pass  # the terminal's bell may have rung
    return "" if rung else "a bell needs a terminal, or notify-send and a desktop"


def _run(command: str, ending: Ending) -> str:
    """Run a command, without a shell. It gets the ending as JSON on standard input; only its stderr goes to the terminal."""
    words = shlex.split(command)
    try:
        done = subprocess.run(
            words,
            input=json.dumps(ending.as_json(), ensure_ascii=False).encode(),
            stdout=subprocess.DEVNULL, timeout=_NOTIFICATION_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"the command `{words[0]}` did not end within {_NOTIFICATION_SECONDS:g} s"
    except OSError as error:
        return f"the command `{words[0]}` cannot be run ({system_reason(error)})"
    return "" if done.returncode == 0 else f"the command `{words[0]}` ended with status {done.returncode}"


def _send(addresses: list[str], ending: Ending) -> Iterator[str]:
    try:
        import apprise  # the package is optional
    except ImportError:
        yield 'messages are sent by apprise, which is not installed (python -m pip install "hera_utils[notify]")'
        return
    with _silence_loggers("apprise", "urllib3", "requests"):
        for address in addresses:
            scheme = address.partition("://")[0] if "://" in address else "?"
            try:
                sender = apprise.Apprise()
                kind = apprise.NotifyType.SUCCESS if ending.succeeded else apprise.NotifyType.FAILURE
                if not sender.add(address):
                    yield f"apprise knows no address of this form ({scheme}://…)"
                elif not sender.notify(title=ending.title, body=ending.body, notify_type=kind):
                    yield f"the message by {scheme}://… was not taken"
            except Exception as error:  # noqa: BLE001  a hundred services may raise anything, with the address in it
                yield f"the message by {scheme}://… failed ({type(error).__name__})"


@contextlib.contextmanager
def _silence_loggers(*names: str) -> Iterator[None]:
    """Inside, these loggers are disabled, because they may log an address."""
    loggers = [logging.getLogger(name) for name in names]
    before = [logger.disabled for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    try:
        yield
    finally:
        for logger, disabled in zip(loggers, before, strict=True):
            logger.disabled = disabled
