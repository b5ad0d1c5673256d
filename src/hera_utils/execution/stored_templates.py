"""The stored templates that workflows refer to, as the platform has them now: what a point's result depends on beside its own workflow."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hera_utils.errors import HeraUtilsError
from hera_utils.platforms.argo_client import ArgoClient
from hera_utils.platforms.connect import connect
from hera_utils.settings.resolve import CLIContext

Json = dict[str, Any]


class StoredTemplates:
    """Each is asked for once. client: None where nobody can be asked."""

    def __init__(self, client: ArgoClient | None) -> None:
        self._client = client
        self._templates: dict[tuple[str, str], Json | None] = {}

    def __call__(self, kind: str, name: str) -> Json | None:
        """None for what is not there, must not be looked at, or is nowhere to be asked for."""
        if (kind, name) not in self._templates:
            self._templates[kind, name] = None
            with contextlib.suppress(HeraUtilsError):
                self._templates[kind, name] = self._client.template(kind, name) if self._client is not None else None
        return self._templates[kind, name]


@contextlib.contextmanager
def without_starting(context: CLIContext) -> Iterator[ArgoClient | None]:
    """For a plan: a server that does not run is not started, and nobody is asked then."""
    from hera_utils.local_platform.daemon import status

    with contextlib.ExitStack() as stack:
        client = None
        with contextlib.suppress(HeraUtilsError):
            if context.platform != "local" or status(Path(context.state)) is not None:
                client = stack.enter_context(ArgoClient(connect(context)))
        yield client
