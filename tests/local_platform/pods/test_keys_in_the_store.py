"""Artifacts with keys from the workflow: pods that store under the same key, also at once, remove nothing of each other."""

import tarfile
from pathlib import Path

from stage import Json, Stage

NONE: Json = {"none": {}}


def stores(stage: Stage, script: str, key: str, archive: Json | None = None) -> str:
    """Launch a pod that stores /tmp/out under that key. Returns its node."""
    artifact = {"name": "out", "path": "/tmp/out", "s3": {"key": key}, **({"archive": archive} if archive else {})}
    return stage.launch(stage.shell(script, template={"outputs": {"artifacts": [artifact]}}))


def stored(stage: Stage, script: str, key: str, archive: Json | None = None) -> str:
    """The same, and wait for the pod's end. Returns its error."""
    return stage.finished(stores(stage, script, key, archive)).error


def store_of(stage: Stage) -> Path:
    return stage.state / "artifacts" / "default"


def test_no_artifact_takes_the_place_of_a_folder_of_others(stage: Stage) -> None:
    assert not stored(stage, "echo one > /tmp/out", "run-a/pod/one", NONE)
    for archive in (None, NONE):
        assert 'the artifact key "run-a" cannot be used' in stored(stage, "echo two > /tmp/out", "run-a", archive)
    assert (store_of(stage) / "run-a" / "pod" / "one").read_text() == "one\n"


def test_nor_is_a_file_made_a_folder(stage: Stage) -> None:
    assert not stored(stage, "echo one > /tmp/out", "single", NONE)
    for key in ("single/below", "single/far/below"):
        assert f'the artifact key "{key}" cannot be used' in stored(stage, "echo two > /tmp/out", key, NONE)
    assert 'the artifact key "single" cannot be used' in stored(
        stage, "mkdir /tmp/out; echo > /tmp/out/a", "single", NONE
    )
    assert (store_of(stage) / "single").read_text() == "one\n"


def test_a_folder_joins_the_folder_that_is_there(stage: Stage) -> None:
    """As in an object store, where each file is an object."""
    first = "mkdir -p /tmp/out/in/deep; cd /tmp/out; echo 1 > a; echo 1 > in/b; echo 1 > in/deep/c; chmod 555 in"
    assert not stored(stage, first, "joint", NONE)
    assert not stored(stage, "mkdir -p /tmp/out/in; cd /tmp/out; echo 2 > a; echo 2 > in/d", "joint", NONE)
    folder = store_of(stage) / "joint"
    files = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}
    assert files == {"a": "2\n", "in/b": "1\n", "in/deep/c": "1\n", "in/d": "2\n"}


def test_pods_that_store_one_key_at_once_do_not_disturb_each_other(stage: Stage) -> None:
    """Each artifact is complete while it is there; the last one stays. In their namespaces all their workers have the same process id."""
    make = "mkdir /tmp/out; for i in 1 2 3; do head -c 8000000 /dev/urandom > /tmp/out/$i; done; cd /tmp/out; md5sum 1 2 3 > sums"
    for key, archive in (("both.tgz", None), ("both", NONE)):
        nodes = [stores(stage, make, key, archive) for _ in range(4)]
        assert [stage.finished(node).error for node in nodes] == [""] * 4
    with tarfile.open(store_of(stage) / "both.tgz") as whole:
        assert sorted(whole.getnames()) == ["out", "out/1", "out/2", "out/3", "out/sums"]
        assert sum(len(whole.extractfile(f"out/{n}").read()) for n in (1, 2, 3)) == 24_000_000  # type: ignore[union-attr]
    assert sorted(path.name for path in store_of(stage).rglob("*") if "partial" in path.name) == []
