"""Links of the Markdown files, as they are in the repository, become those of the site.

In the repository (on its host, in an editor) a link leads to a file. The site has pages for most of them: those of this folder, the README
and its like, and the examples in the gallery. What has no page has nothing to show there, and its link becomes plain text.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = {
    "README.md": "start.md",
    "CHANGELOG.md": "changes.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "reporting.md",
    "examples": "gallery/index.rst",
    **{f"examples/{name}": f"gallery/{name}/experiment.rst" for name in ("experiment", "federalist", "heat_equation")},
    "examples/searches": "gallery/searches/branin.rst",
}
LINK = re.compile(r"(?<!!)\[((?:[^\[\]`]|`[^`\n]*`)+)\]\((?!https?:|mailto:|#)([^)#\s]*)(#[^)\s]*)?\)")


def connect(app: Any) -> None:
    app.connect("source-read", lambda app, name, content: _page(app, name, content))
    app.connect("include-read", lambda app, path, parent, content: _included(app, path, parent, content))


def _page(app: Any, name: str, content: list[str]) -> None:
    source = Path(app.env.doc2path(name))
    if source.suffix == ".md":
        content[0] = rewritten(content[0], source.parent, source.parent)
        if name == "decisions/README":
            content[0] += "\n```{toctree}\n:hidden:\n:glob:\n\n0*\n```\n"


def _included(app: Any, path: Path, parent: str, content: list[str]) -> None:
    source = (DOCS / path).resolve()
    if source.suffix == ".md":
        content[0] = rewritten(content[0], source.parent, Path(app.env.doc2path(parent)).parent)


def rewritten(text: str, folder: Path, of_page: Path) -> str:
    """folder: that of the file, to which its links are relative. of_page: that of the page in which it stands on the site."""

    def link(match: re.Match[str]) -> str:
        words, target, anchor = match[1], match[2], match[3] or ""
        path = (folder / target).resolve()
        if not path.exists():
            return match[0]  # a warning, thus an error
        if path.is_relative_to(DOCS) and path.is_file():
            return f"[{words}]({os.path.relpath(path, of_page)}{anchor})"
        page = PAGES.get(str(path.relative_to(ROOT)))
        return f"[{words}]({os.path.relpath(DOCS / page, of_page)}{anchor})" if page else words

    return LINK.sub(link, text)
