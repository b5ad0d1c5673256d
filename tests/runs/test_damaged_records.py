"""A record that is not there, and one that cannot be read, are two things."""

import pytest

from hera_utils.errors import ResourceError
from hera_utils.runs.record import RunRecord, damaged_records, records


def test_a_damaged_record_is_told_apart_from_none(tmp_path):
    with pytest.raises(ResourceError, match="there is no record of a run in .*no such file") as absent:
        RunRecord.open(tmp_path / "nope")
    assert "--runs" in absent.value.fix
    (tmp_path / "run.json").write_text('{"format": ')
    with pytest.raises(ResourceError, match="run.json is damaged") as damaged:
        RunRecord.open(tmp_path)
    assert str(tmp_path) in damaged.value.fix


@pytest.mark.parametrize("content", ["{}", "[]", '{"format": 2}', '{"format": 2, "created": "today"}'])
def test_what_is_json_and_no_record_is_damaged_too(tmp_path, content):
    RunRecord.create(tmp_path, "good", {}).close()
    RunRecord.create(tmp_path, "bad", {}).close()
    (tmp_path / "bad" / "run.json").write_text(content)
    with pytest.raises(ResourceError, match="run.json is damaged"):
        RunRecord.open(tmp_path / "bad")
    assert records(tmp_path) == [tmp_path / "good"]
    assert damaged_records(tmp_path) == [tmp_path / "bad"]


def test_a_record_without_its_points_is_damaged_and_stays_so(tmp_path):
    RunRecord.create(tmp_path, "run", {}).close()
    (tmp_path / "run" / "points.sqlite").unlink()
    with pytest.raises(ResourceError, match="points.sqlite is missing"):
        RunRecord.open(tmp_path / "run")
    assert damaged_records(tmp_path) == [tmp_path / "run"]
    assert not (tmp_path / "run" / "points.sqlite").exists()
