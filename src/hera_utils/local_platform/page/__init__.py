"""The page: any path outside of the APIs gives one self-contained HTML document. It contains no data; its script asks the API.

Its parts are separate files (page.html, style.css, the scripts from api.js to start.js), which are joined at the first
request: there is no build step, and nothing is loaded from other servers. Open run.js first: the page of one run, whose views are
outline.js, timeline.js, graph.js and results.js; list.js is the list of runs.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import lru_cache
from importlib import resources

from starlette.responses import PlainTextResponse, Response

from hera_utils import pictures
from hera_utils.error_lines import NUMBERS

_SCRIPTS = (
    "api.js", "address.js", "elements.js", "sorting.js", "tree.js", "times.js", "log.js", "sweep.js", "timeline.js", "graph.js",
    "results.js", "outline.js", "details.js", "failures.js", "commands.js", "list.js", "whole.js", "run.js", "start.js",
)  # fmt: skip
_PICTURES = (
    "cards", "withSurvey", "isSeed", "timelinePicture", "graphPicture", "lasting", "short", "markOf", "asCsv", "saveButtons",
)  # fmt: skip


@lru_cache(maxsize=1)
def _page() -> tuple[bytes, dict[str, str]]:
    """(the document, its headers). The policy permits only this script and this style, by their digests."""
    folder = resources.files(__package__)

    def read(name: str) -> str:
        return folder.joinpath(name).read_text("utf-8")

    style = read("style.css") + pictures.style()
    numbers = f'const NUMBERS = new RegExp({json.dumps(NUMBERS.pattern)}, "g");'
    script = "\n".join(
        [numbers, *map(read, _SCRIPTS[:-1]), pictures.module("pictures", *_PICTURES), read(_SCRIPTS[-1])]
    )
    text = read("page.html").replace("/*style*/", style).replace("/*script*/", script)
    policy = (
        f"default-src 'none'; script-src {_digest(script)}; style-src {_digest(style)}; connect-src 'self'; img-src data:; "
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


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def page_response(method: str, path: str) -> Response:
    """The page, for any path: its script reads the namespace and the workflow from the address."""
    if method not in ("GET", "HEAD"):
        return PlainTextResponse("Method Not Allowed\n", 405, {"allow": "GET, HEAD"})
    if path == "/favicon.ico":
        return Response(status_code=404)
    body, headers = _page()
    return Response(body, 200, headers, "text/html")
