"""The fixtures `bed` and `place` (see the package's own text)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .handle import Bed, Place


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files whose tests need the bed come last: it is built meanwhile, where nothing is in a cache."""
    needing = {item.path for item in items if _needs_bed(item)}
    items.sort(key=lambda item: item.path in needing)


@pytest.hookimpl(tryfirst=True, hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Build before the test's own time begins: it takes longer than a test may."""
    if _needs_bed(item):
        from .build import Unavailable, build

        with contextlib.suppress(Unavailable):  # the fixture says so
            build()
    yield


def _needs_bed(item: pytest.Item) -> bool:
    return "bed" in getattr(item, "fixturenames", ())


@pytest.fixture(scope="session")
def bed() -> Iterator[Bed]:
    """The bed that stands on this machine, started when there is none; it ends by itself when nobody uses it any more."""
    from .build import Unavailable
    from .joining import joined

    try:
        entered = joined()
        found = entered.__enter__()
    except Unavailable as why:
        pytest.skip(str(why))
    try:
        yield found
    finally:
        entered.__exit__(None, None, None)


@pytest.fixture
def place(bed: Bed) -> Iterator[Place]:
    """A namespace of the test's own."""
    made = bed.place()
    try:
        yield made
    finally:
        made.close()
