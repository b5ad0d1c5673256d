"""A workflow of a stranger names a script: neither a record beside it, nor a file that is no script, is taken for the run's."""

from pathlib import Path
from typing import Any

import pytest

from hera_utils.errors import ResourceError
from hera_utils.runs.record import RunRecord
from hera_utils.runs.whole_run import WholeRun, load_run


class Platform:
    namespace = "default"

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document

    def get(self, name: str) -> dict[str, Any]:
        return self.document

    def list(self, **_: Any) -> list[dict[str, Any]]:
        return []


def naming(script: Path) -> dict[str, Any]:
    return {
        "metadata": {"name": "theirs", "annotations": {"hera-utils/script": str(script)}},
        "status": {"phase": "Succeeded"},
    }


def test_no_record_beside_a_script_that_only_the_workflow_names(tmp_path: Path) -> None:
    """It may be a claim, which tasks have filled: the record would name the files that are published with the run."""
    (tmp_path / "secret").write_text("the user's")
    RunRecord.create(tmp_path / "runs", "theirs", {"script": str(tmp_path / "secret")}).close()
    client: Any = Platform(naming(tmp_path / "script.py"))
    assert load_run(client, "theirs").folder is None
    with pytest.raises(ResourceError):  # of its folder it is taken, and names no workflow
        load_run(client, "theirs", [tmp_path / "runs"])


@pytest.mark.parametrize(
    ("name", "is_one"), [("script.py", True), ("note.ipynb", True), ("id_rsa", False), (".netrc", False)]
)
def test_what_is_no_script_by_its_name(tmp_path: Path, name: str, is_one: bool) -> None:
    run = WholeRun("theirs", "default", (naming(tmp_path / name),))
    assert run.script == (str(tmp_path / name) if is_one else "")
