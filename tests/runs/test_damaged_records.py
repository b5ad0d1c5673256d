"""A record that is not there, and one that cannot be read, are two things."""

import pytest

from hera_utils.errors import ResourceError
from hera_utils.runs.record import RunRecord


def test_a_damaged_record_is_told_apart_from_none(tmp_path):
    with pytest.raises(ResourceError, match="there is no record of a run in .*No such file") as absent:
        RunRecord.open(tmp_path / "nope")
    assert "--runs" in absent.value.fix
    (tmp_path / "run.json").write_text('{"format": ')
    with pytest.raises(ResourceError, match="run.json is damaged") as damaged:
        RunRecord.open(tmp_path)
    assert str(tmp_path) in damaged.value.fix
