"""Which version of a distribution is installed beside us."""

from __future__ import annotations


def version_of(distribution: str) -> str:
    """Its version; "" when it is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""
