"""A platform that only remembers, the address of the page in front of it, and a browser: what the tests of the page use."""

from collections.abc import Iterator

import pytest
from browser import Tab, chromium
from memory_platform import MemoryPlatform
from serving import TOKEN, served

from hera_utils.local_platform.argo_api import argo_app


@pytest.fixture
def platform() -> MemoryPlatform:
    return MemoryPlatform()


@pytest.fixture
def url(platform: MemoryPlatform) -> Iterator[str]:
    with served(argo_app(platform, TOKEN)) as address:
        yield address


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with chromium(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened
