"""The package as the house rules look at it: its files, their syntax trees, their rooms."""

import ast
import json
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "hera_utils"
SOURCES = sorted(PACKAGE.rglob("*.py"))
_ALLOWANCE = Path(__file__).with_name("allowance.json")


@cache
def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def relative(path):
    return path.relative_to(PACKAGE).as_posix()


def top_room(path):
    """The folder of the package that a file is in, or the file itself where it stands beside the rooms."""
    return relative(path).partition("/")[0]


def allowance(rule):
    """What a rule still lets pass: nothing, once the file is gone."""
    return json.loads(_ALLOWANCE.read_text())[rule] if _ALLOWANCE.exists() else {}
