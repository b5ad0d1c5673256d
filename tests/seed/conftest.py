"""The small HTTP server of the platform tests."""

from platforms.conftest import double  # noqa: F401 - a fixture
