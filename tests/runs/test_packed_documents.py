"""What a record keeps of a workflow is unpacked as it was, and what is none is told from it."""

import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hera_utils.runs import packed_documents
from hera_utils.runs.packed_documents import pack, unpack
from hera_utils.runs.record import RunRecord


@given(st.dictionaries(st.text(), st.dictionaries(st.text(), st.text() | st.integers() | st.none())))
def test_a_document_is_as_it_was(nodes):
    document = {"metadata": {"name": "heat"}, "spec": {}, "status": {"phase": "Succeeded", "nodes": nodes}}
    assert unpack(pack(document), "heat") == document
    assert unpack(pack(document), "other") is None


@pytest.mark.parametrize(
    "kept",
    [
        b"", b"no zlib", None, 3, "text", zlib.compress(b"no json"), zlib.compress(b"[]"), zlib.compress(b"{}"),
        zlib.compress(b'{"metadata": {"name": "heat"}}'), zlib.compress(b"[" * 100_000),
        zlib.compress(b'{"metadata": {"name": "heat"}, "status": {"nodes": [1]}}'),
        zlib.compress(b'{"metadata": {"name": "heat"}, "status": {"nodes": {"a": 1}}}'),
    ],
)  # fmt: skip
def test_what_is_no_document(kept):
    assert unpack(kept, "heat") is None


def test_what_would_fill_the_memory_is_no_document(monkeypatch):
    monkeypatch.setattr(packed_documents, "_LARGEST", 1000)
    large = {"metadata": {"name": "heat"}, "status": {"nodes": {"a": {"message": "x" * 2000}}}}
    assert unpack(zlib.compress(json.dumps(large).encode()), "heat") is None


def test_a_record_of_an_older_version_keeps_from_now_on(tmp_path):
    RunRecord.create(tmp_path, "heat", {"format": 1}).close()
    document = {"metadata": {"name": "heat"}, "status": {"phase": "Failed"}}
    with RunRecord.open(tmp_path / "heat") as record:
        assert record.document("heat") is None
        record.settle("heat", "Failed", {}, document)
        assert record.document("heat") == document
