"""A run's memory beside its document is written entry by entry, and read back unchanged."""

from __future__ import annotations

import json

import pytest
import toy_parts as toys

from hera_utils.interpreter.state import Run
from hera_utils.local_platform.controller import run_memory, turn
from hera_utils.local_platform.controller.run_memory import Notes
from hera_utils.local_platform.platform import LocalPlatform
from hera_utils.local_platform.storage.journal import Journal
from hera_utils.local_platform.storage.read_model import ReadModel
from hera_utils.local_platform.storage.records import StoredRun

MEMORY = {
    "templates": [{"kind": "WorkflowTemplate"}],
    "locks": {"a": "asked", "b": "held"},
    "unopened": {},
    "late": {"x": {"event": "PodFinished"}},
}


class Bookkeeper:
    """Writes a run to a journal, turn by turn."""

    def __init__(self, path, memory):
        self.journal = Journal(path)
        self.version = 0
        document = {"metadata": {"name": "one", "namespace": "default", "uid": "u"}, "spec": {}, "status": {}}
        record = StoredRun("u", "default", "one", 0, 0.0, None)
        self.active = turn.ActiveRun(Run(document, memory), record, {}, fresh=True)

    @property
    def memory(self):
        return self.active.run.memory

    def write(self):
        """Write one turn. Returns its statements about notes."""
        self.version += 1
        one = turn.Turn(self.version, 0.0, lambda key: None)
        one.touched["u"] = self.active
        one.seal()
        one.write(self.journal)
        update = one.updates["u"]
        return update.dropped_parts, sorted(update.notes)

    def restore(self):
        restored = turn.restore_run(self.journal, ReadModel(self.journal), self.active.record)
        assert restored is not None
        self.active = restored
        return json.loads(json.dumps(self.memory))


@pytest.fixture
def book(tmp_path):
    book = Bookkeeper(tmp_path / "journal.sqlite", json.loads(json.dumps(MEMORY)))
    yield book
    book.journal.close()


def test_only_what_changed_is_written(book):
    assert book.write() == ([], [("locks", "a", '"asked"'), ("locks", "b", '"held"')])
    assert book.write() == ([], [])
    book.memory["locks"]["a"] = "held"
    del book.memory["locks"]["b"]
    book.memory["unopened"]["c"] = "name"
    assert book.write() == ([], [("locks", "a", '"held"'), ("locks", "b", None), ("unopened", "c", '"name"')])
    assert book.restore() == {**MEMORY, "locks": {"a": "held"}, "unopened": {"c": "name"}}
    assert book.write() == ([], [])


def test_a_part_that_is_set_anew_or_goes_leaves_nothing_of_the_old_one(book):
    book.write()
    book.memory["locks"] = {"c": "asked"}
    assert book.write() == (["locks"], [("locks", "c", '"asked"')])
    assert book.restore()["locks"] == {"c": "asked"}
    book.memory.pop("locks")
    book.write()
    assert "locks" not in book.restore()
    book.memory["locks"] = {"d": "asked"}
    book.write()
    assert book.restore()["locks"] == {"d": "asked"}


def test_a_run_of_an_older_version_is_brought_up_to_date(book):
    book.write()
    with book.journal.transaction():
        for statement in ("delete_notes", "delete_spec"):
            book.journal.put(statement, "u")
        book.journal.put_named("put_spec", {"uid": "u", "spec": "{}", "kept": "{}", "fixed": "{}"})
        values = {"uid": "u", "version": 1, "finished": None, "metadata": '{"name":"one"}', "status": "{}"}
        book.journal.put_named("update_run", {**values, "memory": json.dumps(MEMORY)})
    assert book.restore() == MEMORY
    book.write()
    (header, fixed) = book.journal.read("run_memory", "u")[0]
    assert json.loads(header) == {"locks": {}, "unopened": {}, "late": MEMORY["late"]}
    assert json.loads(fixed) == {"templates": MEMORY["templates"]}
    assert book.restore() == MEMORY


def test_notes_know_every_change():
    notes = Notes({"a": 1, "b": 2}, ())
    notes["c"] = 3
    notes.pop("a")
    notes.pop("nothing", None)
    assert notes.changed == {"a", "c", "nothing"}
    notes.clear()
    assert notes.changed == {"a", "b", "c", "nothing"}
    with pytest.raises(TypeError):
        notes.update({"d": 4})
    assert run_memory.header({"locks": notes, "templates": [1], "open": 3}) == '{"locks":{},"open":3}'


def test_a_run_that_goes_takes_its_notes_with_it(tmp_path):
    platform = LocalPlatform(tmp_path, advance=_noting, runtime=toys.ToyRuntime)
    stored = platform.submit("default", toys.workflow("true"))
    toys.wait(platform, "default", stored.name)
    rows = platform._read_model.rows
    assert rows("run_notes", stored.uid) == [("locks", "node", '"held"')]
    platform.delete("Workflow", "default", stored.name)
    assert rows("run_notes", stored.uid) == []
    platform.close()


def _noting(run, event):
    run.memory.setdefault("locks", {})["node"] = "held"
    return toys.advance(run, event)
