"""Deleting an owner deletes its dependents, however many there are."""

import json
import threading

import toy_parts

from hera_utils.interpreter.advance import advance
from hera_utils.local_platform.controller import effects
from hera_utils.local_platform.platform import LocalPlatform
from hera_utils.local_platform.storage import owners
from waiting import until

CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}


def test_many_claims_go_with_their_run_and_are_removed_by_one_thread(tmp_path, monkeypatch):
    removers = []
    monkeypatch.setattr(effects, "remove_tree", lambda folder: removers.append(threading.current_thread()))
    platform = LocalPlatform(tmp_path, advance=advance, runtime=toy_parts.ToyRuntime)
    try:
        claims = [{"metadata": {"name": f"c{n}"}, "spec": CLAIM} for n in range(40)]
        spec = {"entrypoint": "m", "templates": [{"name": "m", "suspend": {}}], "volumeClaimTemplates": claims}
        name = platform.submit("default", {"metadata": {"generateName": "many-"}, "spec": spec}).name
        for n in range(40):
            (tmp_path / "claims" / "default" / f"{name}-c{n}").mkdir(parents=True)
        platform.delete("Workflow", "default", name)
        assert platform.list("PersistentVolumeClaim", "default")[0] == []
        until(lambda: len(removers) == 40)
        assert len(set(removers)) == 1
    finally:
        platform.close()


def test_a_deletion_reads_no_object_that_it_does_not_delete(tmp_path, monkeypatch):
    platform = LocalPlatform(tmp_path, advance=advance, runtime=toy_parts.ToyRuntime)
    try:
        account = json.loads(platform.get("ServiceAccount", "default", "default").text)
        reference = {"apiVersion": "v1", "kind": "ServiceAccount", "name": "default", "uid": account["metadata"]["uid"]}
        for n in range(40):
            platform.create("ConfigMap", "default", {"metadata": {"name": f"m{n}", "ownerReferences": [reference]}})
        read = []
        owners_in = owners.owners_in
        monkeypatch.setattr(owners, "owners_in", lambda text: read.append(text) or owners_in(text))
        platform.delete("ConfigMap", "default", "m0")  # this reads all owner references, once
        read.clear()
        platform.delete("ConfigMap", "default", "m1")
        assert len(read) == 1
        platform.create("ConfigMap", "default", {"metadata": {"name": "m1", "ownerReferences": [reference]}})
        platform.delete("ServiceAccount", "default", "default")
        assert [stored.name for stored in platform.list("ConfigMap", "default")[0] if stored.name.startswith("m")] == []
    finally:
        platform.close()
