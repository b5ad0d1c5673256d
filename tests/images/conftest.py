import dataclasses

import pytest

from hera_utils.images import endpoints, registry
from hera_utils.images.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "images")


@pytest.fixture(autouse=True)
def nobody_here(monkeypatch, tmp_path):
    """Hides the logins, mirrors and proxies of the machine that runs the tests, and removes waits."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in (
        "DOCKER_CONFIG",
        "REGISTRY_AUTH_FILE",
        "XDG_RUNTIME_DIR",
        "XDG_CONFIG_HOME",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "http_proxy",
        "https_proxy",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "SSL_CERT_FILE",
        endpoints.MIRRORS,
        endpoints.INSECURE,
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(endpoints, "DAEMON_JSON", tmp_path / "daemon.json")
    quick = {"first_pause": 0.01, "longest_pause": 1.5}
    for name in ("PULLING", "ASKING"):
        monkeypatch.setattr(registry, name, dataclasses.replace(getattr(registry, name), **quick))
