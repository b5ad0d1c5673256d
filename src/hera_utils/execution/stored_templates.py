"""The stored templates that workflows refer to, as the platform has them now: a point's result depends on them too."""

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
    """Asks for each template once. client: None if no server can be asked."""

    def __init__(self, client: ArgoClient | None) -> None:
        self._client = client
        self._templates: dict[tuple[str, str], Json | None] = {}

    def __call__(self, kind: str, name: str) -> Json | None:
        """The template; None if it does not exist, may not be read, or no server can be asked."""
        if (kind, name) not in self._templates:
            self._templates[kind, name] = None
            with contextlib.suppress(HeraUtilsError):
                self._templates[kind, name] = self._client.template(kind, name) if self._client is not None else None
        return self._templates[kind, name]


@contextlib.contextmanager
def client_without_starting(context: CLIContext) -> Iterator[ArgoClient | None]:
    """A client for a plan, None if the local server does not run: a plan does not start it."""
    from hera_utils.local_platform.daemon import status

    with contextlib.ExitStack() as stack:
        client = None
        with contextlib.suppress(HeraUtilsError):
            if context.platform != "local" or status(Path(context.state)) is not None:
                client = stack.enter_context(ArgoClient(connect(context)))
        yield client
