"""The fixtures `bed` and `place` (see the package's own text)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .handle import Bed, Place


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build before the first test: it takes longer than a test may, where nothing is in a cache."""
    if (
        any("bed" in getattr(item, "fixturenames", ()) for item in session.items)
        and not session.config.option.collectonly
    ):
        from .build import Unavailable, build

        with contextlib.suppress(Unavailable):  # the fixture says so
            build()


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
