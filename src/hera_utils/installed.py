"""The versions of distributions that are installed with hera_utils."""

from __future__ import annotations


def version_of(distribution: str) -> str:
    """The version of a distribution; "" if it is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""
