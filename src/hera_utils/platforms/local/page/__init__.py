"""The page: one self-contained HTML file for every address that is not an API. It carries no data; its script asks the API."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache
from importlib import resources

from starlette.responses import PlainTextResponse, Response


@lru_cache(maxsize=1)
def _page() -> tuple[bytes, dict[str, str]]:
    text = resources.files(__package__).joinpath("page.html").read_text("utf-8")
    digests = {
        tag: " ".join(
            f"'sha256-{base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()}'"
            for body in re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        )
        for tag in ("script", "style")
    }
    policy = (
        f"default-src 'none'; script-src {digests['script']}; style-src {digests['style']}; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {
        "content-security-policy": policy,
        "x-frame-options": "DENY",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-cache",
    }
    return text.encode(), headers


def page_response(method: str, path: str) -> Response:
    """The page, whatever the path: its script reads the namespace and the workflow from the address."""
    if method not in ("GET", "HEAD"):
        return PlainTextResponse("Method Not Allowed\n", 405, {"allow": "GET, HEAD"})
    if path == "/favicon.ico":
        return Response(status_code=404)
    body, headers = _page()
    return Response(body, 200, headers, "text/html")
