"""All pages: the files that they name are there, and their links lead somewhere."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "examples").rglob("README.md"))]
# Files of the reader's own, in commands and examples.
THE_READERS = {
    *("hello.py", "nope.py", "plain.py", "squares.py", "test_hello.py"),
    *("experiment.py", "EXPERIMENT.py", "script.py", "SCRIPT.py", "workflow.yaml", "role.yaml"),
    *("config.toml", "credentials.toml", "hera-utils.toml", "paris.toml"),
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
    assert not sorted(name for name in names if not any(file.endswith("/" + name) for file in FILES))


@pytest.mark.parametrize("page", PAGES, ids=identity)
def test_the_links_of_a_page_lead_somewhere(page):
    targets = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert not [target for target in targets if not (page.parent / target).exists()]


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=identity)
def test_the_readme_leads_to_a_page(page):
    linked = {"README.md"}
    for source in (ROOT / "README.md", ROOT / "docs" / "architecture.md"):
        linked |= {
            Path(target).name for target in re.findall(r"\]\(([^)#\s]+\.md)", source.read_text(encoding="utf-8"))
        }
    assert page.name in linked


def test_the_index_of_decisions_has_each():
    index = (ROOT / "docs" / "decisions" / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", index) == [
        path.name for path in sorted((ROOT / "docs" / "decisions").glob("0*.md"))
    ]
