"""The sentence after Ctrl-C, a deadline or the loss of a server: the runs continue, and which commands come back to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from hera_utils.argo.faults import NOT_FOUND
from hera_utils.errors import AccessError, PlatformError, Refused


def describe_return(commands: Sequence[str], *, stop: str = "") -> str:
    """One sentence. commands: one for each run. stop: the command that ends the run."""
    goes = "the run continues" if len(commands) == 1 else "the runs continue"
    return f"{goes}; come back with: {'; '.join(commands)}{f'   (end it with: {stop})' if stop else ''}"


@contextmanager
def explain_lost_server(come_back: Callable[[], str]) -> Iterator[None]:
    """Within, a run of a cluster is followed. A server that is lost, or says no, does not end the run: the error's fix says so.

    come_back: how to come back, "" where nothing is submitted yet.
    """
    try:
        yield
    except (AccessError, PlatformError, Refused) as error:
        if not isinstance(error, Refused) or error.code != NOT_FOUND:
            error.fix = "; ".join(filter(None, [error.fix, come_back()]))
        raise
