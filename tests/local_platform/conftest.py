"""Fixtures: a platform that only stores objects, one that runs workflows, a server for the page and Argo's API, a client, a browser."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from browser import Tab, chromium
from memory_platform import MemoryPlatform
from serving import TOKEN, served

from hera_utils.local_platform.argo_api import argo_app
from hera_utils.local_platform.platform import LocalPlatform


@pytest.fixture
def platform() -> MemoryPlatform:
    return MemoryPlatform()


@pytest.fixture
def running_platform(tmp_path: Path) -> Iterator[LocalPlatform]:
    """One that executes workflows."""
    platform = LocalPlatform(tmp_path / "state")
    yield platform
    platform.close()


@pytest.fixture
def url(platform: MemoryPlatform) -> Iterator[str]:
    with served(argo_app(platform, TOKEN)) as address:
        yield address


@pytest.fixture
def argo(url: str) -> Callable[..., requests.Response]:
    """Calls Argo's API of the platform: argo(method, path, body)."""

    def ask(method: str, path: str, body: Any = None) -> requests.Response:
        return requests.request(method, url + path, json=body, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10)

    return ask


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with chromium(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened
