"""docs/experiment.md: its blocks are carried out, in order, as one program; its tests as tests."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "experiment.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    found = {"__name__": "page"}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("page"))
        for block in BLOCKS:
            exec(compile(block, "docs/experiment.md", "exec"), found)
        yield found


@pytest.mark.parametrize("name", re.findall(r"def (test_\w+)", PAGE))
def test_of_the_page(names, local_platform, name):
    names[name](local_platform)


def test_every_name_that_is_imported_is_public():
    import hera_utils

    imported = {name for line in re.findall(r"from hera_utils import (.*)", PAGE) for name in line.split(", ")}
    assert imported <= set(hera_utils.__all__)
