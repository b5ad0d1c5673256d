"""docs/settings.md says of each setting what the table of fields says."""

from pathlib import Path

import pytest

from hera_utils.settings.fields import BY_NAME, FIELDS
from hera_utils.settings.sources import Surroundings, read_settings

PAGE = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()


def code(words):
    return ", ".join(f"`{word}`" for word in words) or "–"


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_each_setting_has_its_line(field):
    flags, variables = code((*field.flags, *field.off)), code((*field.variables, *field.inverted))
    assert f"| `{field.name}` | {flags} | {variables} | {field.help} |" in PAGE


def test_there_are_no_other_lines():
    names = [line.split("`")[1] for line in PAGE.splitlines() if line.startswith("| `")]
    assert names == list(BY_NAME)


def test_the_example_can_be_read(tmp_path):
    (tmp_path / "hera-utils.toml").write_text(PAGE.partition("```toml\n")[2].partition("```")[0])
    context = read_settings({"profile": "lab"}, around=Surroundings(environ={}, directory=tmp_path, home=tmp_path))
    assert (context.platform, context.argo_namespace, context.argo_service_account) == ("remote", "lyon", "argo-user")
    assert context.volumes == {"results": str(tmp_path / "results")}
    assert context.images == {"tool*": {"python": "current", "path": [str(tmp_path / "bin")]}}
