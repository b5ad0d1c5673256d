"""All pages: the files that they name are there, and their links lead somewhere."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "examples").rglob("README.md"))]
# Files of the reader's own, in commands and examples.
THE_READERS = {
    *("hello.py", "nope.py", "plain.py", "squares.py", "test_hello.py", "study.py", "sir.py"),
    *("experiment.py", "EXPERIMENT.py", "script.py", "SCRIPT.py", "app.py", "workflow.yaml", "role.yaml"),
    *("config.yaml", ".hydra/config.yaml", "config.toml", "credentials.toml", "hera-utils.toml", "paris.toml"),
    *("methods.md", "uv.toml", "lyon.yaml", "fetch.yaml"),  # of a run, of a project, of a namespace, of a reader
}
NAMED = re.compile(r"(?<![\w/.~*-])((?:[\w.-]+/)*[\w-]+\.(?:py|pyi|js|sql|md|yaml|toml))\b(?![\w/*(])")


def identity(page):
    return str(page.relative_to(ROOT))


def files():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    return {"/" + name for name in listed.stdout.split() if (ROOT / name).exists()} or {
        "/" + identity(path) for path in ROOT.rglob("*")
    }


FILES = files()


@pytest.mark.parametrize("page", PAGES, ids=identity)
def test_the_files_that_a_page_names_are_there(page):
    text = re.sub(r"https?://\S+", "", page.read_text(encoding="utf-8"))
    names = {re.sub(r"^(\.\.?/)+", "", name) for name in NAMED.findall(text)} - THE_READERS
    names -= set(re.findall(r"<!-- file: (\S+) -->", text))
    assert not sorted(name for name in names if not any(file.endswith("/" + name) for file in FILES))


@pytest.mark.parametrize("page", PAGES, ids=identity)
def test_the_links_of_a_page_lead_somewhere(page):
    targets = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert not [target for target in targets if not (page.parent / target).exists()]


def anchors(page):
    """The anchors of a page's headings, as its host and the site create them: `Where things are` becomes `where-things-are`."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return {
        re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }


@pytest.mark.parametrize("page", PAGES, ids=identity)
def test_the_anchors_of_a_page_are_headings(page):
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)#([^)\s]+)\)", page.read_text(encoding="utf-8")):
        file = page if not target else (page.parent / target).resolve()
        assert anchor in anchors(file), f"{target}#{anchor}"


SITE = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")


def test_each_page_has_one_place_on_the_site():
    entries = [entry for tree in re.findall(r"```{toctree}\n(.*?)```", SITE, re.DOTALL) for entry in tree.split()]
    entries = [entry for entry in entries if (ROOT / "docs" / f"{entry}.md").exists()]
    pages = [path for path in (ROOT / "docs").rglob("*.md") if not re.match(r"decisions/\d|gallery/", inside(path))]
    assert sorted(entries) == sorted(inside(path) for path in pages if path.name != "index.md")


def test_no_page_is_called_as_one_of_the_sites_own():
    assert not [name for name in ("search", "genindex", "modindex") if (ROOT / "docs" / f"{name}.md").exists()]


def inside(path):
    return str(path.relative_to(ROOT / "docs").with_suffix(""))


def test_no_page_has_the_name_of_one_that_the_site_makes_itself():
    """Sphinx writes search.html and genindex.html over such a page."""
    assert not {page.stem for page in (ROOT / "docs").glob("*.md")} & {"search", "genindex", "modindex", "py-modindex"}


def test_the_site_has_four_kinds_of_pages():
    kinds = re.findall(r":caption: (.*)", SITE)
    assert kinds[:4] == ["Tutorial", "How to", "Reference", "Explanation"]


def test_the_index_of_decisions_has_each():
    index = (ROOT / "docs" / "decisions" / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", index) == [
        path.name for path in sorted((ROOT / "docs" / "decisions").glob("0*.md"))
    ]
