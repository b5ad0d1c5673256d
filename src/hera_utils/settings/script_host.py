"""The command that runs a script inside its own process (`hera-utils run`, `lint`, `provision`…), for the script's parser and engines:
the settings typed for that command, and the function that an engine calls with each experiment that it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from hera_utils.settings.command_line import CommandLine


@dataclass(frozen=True)
class ScriptHost:
    """A command that hosts a script. settings: field name → value, as typed for the command; they win over the script's values.

    launch: the command that starts the script like this again, None if there is none. detach: whether the command returns once a run
    is submitted. deadline: until when it waits (a watch.deadline.Deadline), None for no limit.
    observer: called with an engine and its experiment before the engine does anything; it may end the script.
    runs: the names of the runs that the script has begun so far, or found to be complete already. module: the whole name of the script as
    a module of a package; "" if it runs as a file.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    launch: CommandLine | None = None
    detach: bool = False
    deadline: Any = None
    observer: Callable[[Any, Any], None] = lambda engine, experiment: None
    runs: list[str] = field(default_factory=list)
    module: str = ""


_hosts: list[ScriptHost] = [ScriptHost()]


def script_host() -> ScriptHost:
    """The host of the running script; an empty one if the script was started by Python itself."""
    return _hosts[-1]


@contextmanager
def hosting(host: ScriptHost) -> Iterator[None]:
    """Within this context, `script_host()` returns `host`."""
    _hosts.append(host)
    try:
        yield
    finally:
        _hosts.pop()
