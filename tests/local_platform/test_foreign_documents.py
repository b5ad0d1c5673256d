"""Untrusted workflows: no name, annotation or claim in their documents lets a task out of its pod."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path

import pytest
import toy_parts as toys

from hera_utils.errors import Refused
from hera_utils.local_platform.platform import LocalPlatform

SECRET = "the token of the server"
MOUNTED = [{"name": "v", "mountPath": "/v"}]


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    state = tmp_path_factory.mktemp("foreign") / "state"
    platform = LocalPlatform(state)
    (state / "server.json").write_text(SECRET)
    yield platform
    platform.close()


@pytest.fixture
def state(platform):
    return Path(platform.state)


def ended(platform, workflow):
    name = platform.submit("default", workflow).name
    return toys.wait(platform, "default", name)


def message(document):
    nodes = (document["status"].get("nodes") or {}).values()
    return " ".join(filter(None, [document["status"].get("message"), *(node.get("message") for node in nodes)]))


def result(document):
    return "".join(
        one["value"]
        for node in document["status"]["nodes"].values()
        for one in (node.get("outputs") or {}).get("parameters") or ()
    )


def workflow(script, *, annotations=None, template=None, image="alpine:3.20", command="sh", **spec):
    """A workflow with one task, whose output is the parameter `printed`."""
    main = {"image": image, "command": [command], "source": script, **(template or {}).pop("script", {})}
    outputs = {"parameters": [{"name": "printed", "valueFrom": {"path": "/tmp/printed", "default": ""}}]}
    templates = [{"name": "main", "script": main, "outputs": outputs, **(template or {})}]
    metadata = {"generateName": "foreign-", "annotations": annotations or {}}
    return {"metadata": metadata, "spec": {"entrypoint": "main", "templates": templates, **spec}}


def mounting(name="v", script="ls /v > /tmp/printed", **spec):
    return workflow(script, template={"script": {"volumeMounts": [{"name": name, "mountPath": "/v"}]}}, **spec)


@pytest.mark.parametrize("name", ["../../../../victim", "..", "a/b", "A", ""])
def test_a_volume_whose_name_is_a_path(platform, state, name):
    victim = state.parent / "victim"
    victim.mkdir(exist_ok=True)
    victim.chmod(0o700)
    mounted = mounting(name, "touch /v/made", volumes=[{"name": name, "emptyDir": {}}])
    patched = workflow("touch /v/made", template={"podSpecPatch": json.dumps(
        {"volumes": [{"name": name, "emptyDir": {}}],
         "containers": [{"name": "main", "volumeMounts": [{"name": name, "mountPath": "/v"}]}]})})  # fmt: skip
    for one in (mounted, patched):
        end = ended(platform, one)
        assert end["status"]["phase"] == "Error"
        assert re.search(r"is invalid: \[?spec\.volumes\[", message(end)), message(end)
    assert (list(victim.iterdir()), victim.stat().st_mode & 0o777) == ([], 0o700)


@pytest.mark.parametrize("kind", ["sidecars", "initContainers"])
def test_a_container_whose_name_is_a_path(platform, state, kind):
    """Otherwise its log would be written to that path."""
    outside = {"name": "../../../outside", "image": "alpine:3.20", "command": ["echo", "outside"]}
    for template in ({kind: [outside]}, {"podSpecPatch": json.dumps({"initContainers": [outside]})}):
        end = ended(platform, workflow("true", template=template))
        assert end["status"]["phase"] == "Error"
        assert 'name: Invalid value: "../../../outside": a lowercase RFC 1123 label' in message(end)
    assert not (state.parent / "outside.log").exists()


def table(**entry):
    return {"hera-utils/images": json.dumps({"theirs": {"cmd": ["sh"], **entry}})}


def test_a_table_of_images_that_shows_the_state_folder(platform, state):
    for source in (str(state), f"{state}/server.json", f"/proc/self/root{state}"):
        shown = workflow(
            "cat /x /x/server.json > /tmp/printed; true", image="theirs", annotations=table(files={"/x": source})
        )
        end = ended(platform, shown)
        assert end["status"]["phase"] == "Failed"
        assert "lies in the state folder of the local platform, which no task sees" in message(end)
    around = table(files={"/x": str(state.parent)})
    end = ended(
        platform,
        workflow("cat /x/state/server.json > /tmp/printed; ls /x > /tmp/printed", image="theirs", annotations=around),
    )
    assert end["status"]["phase"] == "Succeeded"
    assert "state" in result(end)
    assert SECRET not in result(end)
    programs = workflow(
        f"cat {state}/server.json > /tmp/printed; true", image="theirs", annotations=table(path=[str(state)])
    )
    assert SECRET not in result(ended(platform, programs))


_LOOK = """
import os
with open("/tmp/printed", "w") as printed:
    for path in ({folder!r}, {state!r}, "/run", "/tmp"):
        try:
            found = os.listdir(path)
        except OSError:
            continue
        print(path, *found, file=printed)
        if "server.json" in found:
            print(open(path + "/server.json").read(), file=printed)
"""


def seen_in(platform, folder, state):
    annotations = {"hera-utils/directory": str(folder), "hera-utils/script": f"{folder}/script.py"}
    script = _LOOK.format(folder=str(folder), state=str(state))
    end = ended(platform, workflow(script, image="python:3", command="python", annotations=annotations))
    assert end["status"]["phase"] == "Succeeded", message(end)
    return result(end)


def test_annotations_that_show_what_tasks_find_empty(platform, state, tmp_path):
    """A script's folder below /tmp is visible; the state folder, all of /tmp, and other programs' sockets are not."""
    (tmp_path / "linked").symlink_to(state)
    (tmp_path / "everything").symlink_to("/")
    own, agent = tmp_path / "own", tmp_path / "agent" / "deeper"
    own.mkdir()
    (own / "beside.txt").write_text("")
    agent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(agent / "listening"))
        folders = [
            state,
            state.parent,
            state / "pods",
            tmp_path / "linked",
            tmp_path / "everything",
            agent,
            agent.parent,
        ]
        for folder in (*folders, Path("/run"), Path("/tmp"), Path("/")):
            seen = seen_in(platform, folder, state)
            assert SECRET not in seen
            assert "listening" not in seen
            assert "dbus" not in seen
    assert "beside.txt" in seen_in(platform, own, state)


CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}


@pytest.mark.parametrize("where", ["chosen", "state"])
def test_a_claim_that_a_workflow_makes_is_no_folder_of_its_choice(platform, state, where):
    (state.parent / "chosen").mkdir(exist_ok=True)
    (state.parent / "chosen" / "file").write_text("")
    metadata = {"name": "w", "annotations": {"hera-utils/folder": str(state.parent / where)}}
    end = ended(platform, mounting("w", volumeClaimTemplates=[{"metadata": metadata, "spec": CLAIM}]))
    assert end["status"]["phase"] == "Succeeded"
    assert result(end).strip() == ""
    name = f"made-{where}"
    for action in ("create", "apply", "replace", "patch"):
        manifest = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {**metadata, "name": name},
            "spec": CLAIM,
        }
        template = {"name": "main", "resource": {"action": action, "manifest": json.dumps(manifest)}}
        one = {"metadata": {"generateName": "r-"}, "spec": {"entrypoint": "main", "templates": [template]}}
        assert ended(platform, one)["status"]["phase"] == "Succeeded"
        stored = json.loads(platform.get("PersistentVolumeClaim", "default", name).text)
        assert "hera-utils/folder" not in (stored["metadata"].get("annotations") or {})


def test_a_workflow_that_changes_a_claim_leaves_its_folder(platform, state):
    metadata = {"name": "users", "annotations": {"hera-utils/folder": str(state.parent / "theirs")}}
    platform.create("PersistentVolumeClaim", "default", {"metadata": metadata, "spec": CLAIM})
    for named in ({}, {"hera-utils/folder": str(state)}):
        manifest = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "users", "annotations": named},
        }
        template = {
            "name": "main",
            "resource": {"action": "replace", "manifest": json.dumps({**manifest, "spec": CLAIM})},
        }
        ended(platform, {"metadata": {"generateName": "r-"}, "spec": {"entrypoint": "main", "templates": [template]}})
        stored = json.loads(platform.get("PersistentVolumeClaim", "default", "users").text)
        assert stored["metadata"]["annotations"]["hera-utils/folder"] == str(state.parent / "theirs")


def test_a_claim_of_the_user_is_never_the_state_folder(platform, state):
    for name, folder in (("in-it", state / "pods"), ("itself", state), ("around", state.parent)):
        metadata = {"name": name, "annotations": {"hera-utils/folder": str(folder)}}
        platform.create("PersistentVolumeClaim", "default", {"metadata": metadata, "spec": CLAIM})
        script = "cat /v/server.json /v/state/server.json > /tmp/printed; true"
        volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": name}}]
        end = ended(platform, mounting("v", script, volumes=volumes))
        assert end["status"]["phase"] == ("Succeeded" if name == "around" else "Failed")
        assert SECRET not in result(end)


def test_the_server_starts_no_interpreter_that_a_workflow_names(platform, state):
    """A task may have written it into a claim, and the server would run it with its own rights."""
    platform.create("PersistentVolumeClaim", "default", {"metadata": {"name": "theirs"}, "spec": CLAIM})
    outside = state.parent / "ran"
    program = state / "claims" / "default" / "theirs" / "bin" / "python"
    written = f"mkdir -p /v/bin; printf '#!/bin/sh\\ntouch {outside}\\necho 3.11.1\\n' > /v/bin/python; chmod +x /v/bin/python"
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "theirs"}}]
    assert ended(platform, mounting("v", written, volumes=volumes))["status"]["phase"] == "Succeeded"
    assert program.is_file()
    annotations = {"hera-utils/python": str(program)}
    ended(platform, workflow("print(1)", image="python:3.11", command="python", annotations=annotations))
    assert not outside.exists()


def test_names_of_the_platforms_own_folders(platform):
    for kind in ("PersistentVolumeClaim", "Secret", "ConfigMap"):
        with pytest.raises(Refused, match="is invalid: metadata.name"):
            platform.create(kind, "default", {"metadata": {"name": "../../x"}, "spec": {}})
