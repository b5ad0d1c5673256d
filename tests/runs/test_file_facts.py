"""By what outputs are known again: a change of content is always seen, a copy of the same content never is one."""

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hera_utils.runs.file_facts import UNKNOWN, difference, facts_of


def written(path, content):
    path.write_bytes(content)
    return path


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.binary(max_size=8), after=st.binary(max_size=8), back=st.booleans())
def test_content_alone_decides(tmp_path, before, after, back):
    file = written(tmp_path / "file", before)
    known, state = facts_of(file), file.stat()
    file.unlink()
    written(file, after)
    if back:
        os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    how, now = difference(file, known)
    assert bool(how) == (before != after)
    assert now.size == len(after)
    assert how or difference(file, now) == ("", now), "known by its new time, it is not read again"


def test_a_folder_is_what_is_in_it(tmp_path):
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    inner = written(folder / "deep" / "a", b"1")
    (folder / "link").symlink_to("deep/a")
    known = facts_of(folder)
    assert difference(folder, known) == ("", known)
    os.utime(inner)
    assert difference(folder, known)[0] == "", "the same content, written again"
    written(inner, b"2")
    assert difference(folder, known)[0] == "changed (of the same size)"
    written(inner, b"1")
    (folder / "more").mkdir()
    assert difference(folder, known)[0] == "changed (of the same size)"
    (folder / "more").rmdir()
    assert difference(folder, known)[0] == ""
    (folder / "link").unlink()
    (folder / "link").symlink_to("elsewhere")
    assert difference(folder, known)[0] == "changed (of the same size)"


def test_what_is_no_file_is_never_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")  # opening it would wait for a writer for ever
    (tmp_path / "nowhere").symlink_to("/does/not/exist")
    assert facts_of(tmp_path / "pipe").digest == UNKNOWN
    assert facts_of(tmp_path).digest != UNKNOWN
    known = facts_of(tmp_path / "nowhere")
    assert difference(tmp_path / "nowhere", known) == ("", known)
    assert facts_of(tmp_path / "missing") is None
    assert difference(tmp_path / "missing", known) == ("missing", None)


@pytest.mark.parametrize("room", [0, 3])
def test_of_what_is_too_large_time_and_size_are_known(tmp_path, room):
    file = written(tmp_path / "file", b"1234")
    known = facts_of(file, room)
    assert known.digest == UNKNOWN
    assert difference(file, known)[0] == ""
    os.utime(file)
    assert difference(file, known)[0] == "changed (its content is not known: it was too large to be read)"
