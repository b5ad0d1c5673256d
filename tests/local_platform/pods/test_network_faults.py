"""What is said of a web request that failed."""

from __future__ import annotations

import urllib.error
from pathlib import Path

import pytest

from hera_utils.local_platform.pods.pod import network_faults


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("[Errno -2] Name or service not known", "dial tcp: lookup a.example on [::7]:53: no such host"),
        ("Tunnel connection failed: 502 Bad Gateway", "Bad Gateway"),
    ],
)
def test_as_go_says_it(reason: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "resolv.conf").write_text("search example\nnameserver ::7\nnameserver 10.0.0.1\n")
    monkeypatch.setattr(network_faults, "_RESOLVER", str(tmp_path / "resolv.conf"))
    assert network_faults.in_gos_words(urllib.error.URLError(reason), "http://a.example/b") == message
