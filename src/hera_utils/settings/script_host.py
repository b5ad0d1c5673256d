"""The command that runs a script inside its own process (`hera-utils run`, `lint`, `provision`…), as the script's parser and engines
see it: what was typed for the script before its own words, and whom an engine tells of the experiments that it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from hera_utils.settings.command_line import CommandLine


@dataclass(frozen=True)
class ScriptHost:
    """settings: field name → value, as typed for the command; they win over what the script says.

    launch: how to start the script in this way once more, None where that is no command. detach: whether its runs are left when they are
    submitted. deadline: until when the command waits (a watch.deadline.Deadline), None for as long as it takes.
    observer: called with an engine and its experiment before anything of it is done; it may end the script.
    runs: the names of the runs that the script has begun so far, or of which its engine found that nothing is left to do.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    launch: CommandLine | None = None
    detach: bool = False
    deadline: Any = None
    observer: Callable[[Any, Any], None] = lambda engine, experiment: None
    runs: list[str] = field(default_factory=list)


_hosts: list[ScriptHost] = [ScriptHost()]


def script_host() -> ScriptHost:
    """Of the script that runs now; one that says nothing when Python itself was told to run it."""
    return _hosts[-1]


@contextmanager
def hosting(host: ScriptHost) -> Iterator[None]:
    """What runs meanwhile is a script of that host's."""
    _hosts.append(host)
    try:
        yield
    finally:
        _hosts.pop()
