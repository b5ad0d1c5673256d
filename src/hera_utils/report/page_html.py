"""The report as one self-contained page: it contains its style and scripts, and its policy forbids the browser everything else."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

from hera_utils import pictures
from hera_utils.report.figures import Figure
from hera_utils.report.page_data import page_data
from hera_utils.results.results import Results
from hera_utils.runs.whole_run import WholeRun
from hera_utils.spans import span_in_words

Json = dict[str, Any]

# In this order, as the later scripts use the earlier ones.
_SCRIPTS = ("story.js", "table.js", "timeline.js", "resources.js", "start.js")


def page(
    run: WholeRun,
    results: Results,
    facts: Sequence[tuple[str, str]] = (),
    figures: tuple[Sequence[Figure], int] = ((), 0),
) -> str:
    """The HTML page. The run's data cannot act as HTML or script: it is a JSON document that the page shows as text only.

    figures: (pictures that the run's tasks made, how many more there are).
    """
    content = page_data(run, results, facts)
    pictures_made, more = figures
    if pictures_made:
        content["figures"] = [
            {"task": picture.task, "name": picture.name, "address": picture.address} for picture in pictures_made
        ]
        content["more_figures"] = more
    return page_of(content)


def page_of(content: Json) -> str:
    style = _part("style.css") + pictures.style()
    script = "\n".join([pictures.script(), *(_part(name) for name in _SCRIPTS)])
    # JSON allows an escape for `<`; with it no `</script>` and no comment can begin inside the element.
    data = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    data = data.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    pieces = {
        "policy": (
            f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; img-src data:; "
            "base-uri 'none'; form-action 'none'"
        ),
        "title": escape(f"{content['run']} · {content['phase']}"),
        "plain": escape(_summary_as_text(content)),
        "style": style,
        "script": script,
        "story": data.encode("utf-8", "replace").decode("utf-8"),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: pieces[match[1]], _part("page.html"))


@cache
def _part(name: str) -> str:
    return (files("hera_utils.report") / "page" / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _summary_as_text(data: Json) -> str:
    counts = ", ".join(f"{count} {status}" for status, count in data["counts"].items())
    took = "" if data["ended"] is None else f" in {span_in_words(data['ended'] - data['begun'])}"
    return f"{data['run']}: {data['phase']}{took}; tasks: {counts}."
