"""The documentation as a site: `make docs` builds it into build/site, offline, and warnings are errors.

Pages are the Markdown files of this folder; index.md says of which kind each is. _site/ holds what is the site's own: the gallery
of examples, and links that lead out of this folder.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

from pygments.lexers.special import TextLexer

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "_site"))

import commands_reference  # noqa: E402
import examples_gallery  # noqa: E402
import links_to_repository  # noqa: E402

project = "hera_utils"
author = "the authors of hera_utils"
project_copyright = "the authors of hera_utils; Apache License 2.0"
version = release = version_of("hera_utils")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_gallery.gen_gallery"]
exclude_patterns = ["_site"]
root_doc = "index"

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
suppress_warnings = [
    "config.cache",  # the settings of the gallery hold functions, which cannot be stored between two builds
    "sphinx_gallery.duplicate_filename",  # every experiment has an experiment.py; nothing here is found by a file's name alone
]

default_role = "code"  # the docstrings: `name`
highlight_language = "none"  # indented blocks are mostly commands with a comment beside them
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 100

html_theme = "furo"
html_title = f"hera_utils {release}"
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {"navigation_with_keys": True}

sphinx_gallery_conf = examples_gallery.configuration(HERE)


def readable_signature(*event: Any) -> Any:
    """Defaults that Python shows as objects are named, so that the rest is parsed: `<factory>`, `<class 'a.b.Layout'>`."""
    *_, signature, returns = event
    if not signature or "<" not in signature:
        return None
    signature = re.sub(r"<(?:class|function|enum) '?(?:[\w.]*\.)?(\w+)[^>]*>", r"\1", signature)
    return signature.replace("<factory>", "..."), returns


def setup(app: Any) -> None:
    app.add_lexer("csv", TextLexer)  # known to whoever shows the page in the repository, not to Pygments
    links_to_repository.connect(app)
    commands_reference.connect(app)
    app.connect("autodoc-process-signature", readable_signature)
