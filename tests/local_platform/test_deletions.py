"""What is deleted with an owner, however much it owns."""

import threading

import toy_parts

from hera_utils.interpreter.advance import advance
from hera_utils.local_platform.controller import effects
from hera_utils.local_platform.platform import LocalPlatform
from waiting import until

CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}


def test_many_claims_go_with_their_run_in_one_look_and_by_one_thread(tmp_path, monkeypatch):
    looks, removers = [], []
    monkeypatch.setattr(effects, "remove_tree", lambda folder: removers.append(threading.current_thread()))
    platform = LocalPlatform(tmp_path, advance=advance, runtime=toy_parts.ToyRuntime)
    try:
        claims = [{"metadata": {"name": f"c{n}"}, "spec": CLAIM} for n in range(40)]
        spec = {"entrypoint": "m", "templates": [{"name": "m", "suspend": {}}], "volumeClaimTemplates": claims}
        name = platform.submit("default", {"metadata": {"generateName": "many-"}, "spec": spec}).name
        for n in range(40):
            (tmp_path / "claims" / "default" / f"{name}-c{n}").mkdir(parents=True)
        everything = platform._read_model.everything
        monkeypatch.setattr(platform._read_model, "everything", lambda: looks.append(1) or everything())
        platform.delete("Workflow", "default", name)
        assert platform.list("PersistentVolumeClaim", "default")[0] == []
        until(lambda: len(removers) == 40)
        assert len(looks) == 1
        assert len(set(removers)) == 1
    finally:
        platform.close()
