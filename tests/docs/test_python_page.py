"""docs/python.md and docs/public.md: the public names, each once, and what is said about them."""

import inspect
import re
from pathlib import Path

import pytest

import hera_utils

DOCS = Path(__file__).resolve().parents[2] / "docs"
DESCRIBED = re.findall(r"^\.\. auto\w+:: (\w+)$", (DOCS / "python.md").read_text(encoding="utf-8"), re.MULTILINE)


def test_every_public_name_is_described_once():
    assert sorted(DESCRIBED) == sorted(set(hera_utils.__all__) - {"__version__"})


def test_type_checkers_see_the_same_names():
    stub = (Path(hera_utils.__file__).parent / "__init__.pyi").read_text(encoding="utf-8")
    seen = re.findall(r" import \w+ as (\w+)$", stub, re.MULTILINE) + re.findall(r"^(\w+): ", stub, re.MULTILINE)
    assert sorted(set(seen) - {"__title__"}) == sorted(hera_utils.__all__)


@pytest.mark.parametrize("name", DESCRIBED)
def test_a_public_name_says_what_it_is(name):
    value = getattr(hera_utils, name)
    assert inspect.getdoc(value), name
    if inspect.isfunction(value):
        signature = inspect.signature(value)
        untyped = [one.name for one in signature.parameters.values() if one.annotation is inspect.Parameter.empty]
        assert not untyped
        assert signature.return_annotation is not inspect.Signature.empty
