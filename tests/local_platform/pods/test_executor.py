"""The work of Argo's executor around a container: scripts, variables, volumes, parameters, artifacts, results."""

from __future__ import annotations

import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from stage import Stage, uid

from hera_utils import machine_size
from hera_utils.local_platform.pods.runtime import Launch
from waiting import until

Json = dict[str, Any]


def script(
    stage: Stage, source: str, *, image: str = "alpine:3.20", command: list[str] | None = None, **more: Any
) -> Launch:
    pod = stage.pod({"image": image, "command": command or ["sh"], "args": ["/argo/staging/script"]}, **more)
    main = pod.template.pop("container")
    pod.template["script"] = {**main, "source": source}
    return pod


def outputs(**kinds: list[Json]) -> Json:
    return {"outputs": kinds}


def test_a_script_runs_from_its_file(stage: Stage) -> None:
    pod = script(stage, "echo $0 $1; kill -9 $$", image="alpine")
    assert stage.run(pod).containers[0].exit_code == 137  # `$$` in a source is not expanded: the script gets it
    assert stage.log(pod) == ["/argo/staging/script"]
    pod = script(stage, "import sys\nprint(sys.argv[0], len('$(x)'))", image="python:3.12", command=["python"])
    stage.run(pod)
    assert stage.log(pod) == ["/argo/staging/script 4"]


def test_the_result_is_stdout_less_one_newline(stage: Stage) -> None:
    end = stage.run(stage.shell("echo a; echo err >&2; echo b; echo", include_script_output=True))
    assert end.outputs == {"exitCode": "0", "result": "a\nb\n"}
    end = stage.run(stage.shell("true", include_script_output=True))
    assert end.outputs["result"] == ""
    end = stage.run(stage.shell("printf x; exit 1", include_script_output=True))
    assert end.outputs == {"exitCode": "1", "result": "x"}


def test_the_result_keeps_the_last_256_kb(stage: Stage) -> None:
    end = stage.run(
        stage.shell("i=0; while [ $i -lt 40000 ]; do echo line$i; i=$((i+1)); done", include_script_output=True)
    )
    assert len(end.outputs["result"]) == 256 * 1024
    assert end.outputs["result"].endswith("line39999")


def test_output_parameters(stage: Stage) -> None:
    wanted = outputs(
        parameters=[
            {"name": "a", "valueFrom": {"path": "/tmp/a.txt"}},
            {"name": "b", "valueFrom": {"path": "/deep/down/b", "default": "else"}},
            {"name": "c", "valueFrom": {"path": "/nowhere", "default": "else\n"}},
            {"name": "d", "valueFrom": {"expression": "1+1"}},
        ]
    )
    end = stage.run(
        stage.shell("printf 'one\\n\\n' > /tmp/a.txt; mkdir -p /deep/down; printf two > /deep/down/b", template=wanted)
    )
    assert end.phase == "Succeeded"
    values = {"a": "one\n", "b": "two", "c": "else"}
    assert end.outputs["parameters"] == [{"name": k, "value": v} for k, v in values.items()]


def test_an_output_parameter_that_is_missing(stage: Stage) -> None:
    wanted = outputs(
        parameters=[{"name": "a", "valueFrom": {"path": "/tmp/a"}}, {"name": "b", "valueFrom": {"path": "/tmp/b"}}]
    )
    end = stage.run(stage.shell("echo 1 > /tmp/b", template=wanted))
    message = "wait: Error (exit code 64): open /var/run/argo/outputs/parameters/tmp/a: no such file or directory"
    assert (end.phase, end.error) == ("Failed", message)
    assert "parameters" not in end.outputs  # Argo stops at the first missing parameter
    assert end.containers[0].exit_code == 0


def test_output_parameters_have_a_bound(stage: Stage) -> None:
    given = [{"name": name, "valueFrom": {"path": f"/tmp/{name}"}} for name in ("small", "large")]
    script = "echo -n x > /tmp/small; head -c 30000000 /dev/zero > /tmp/large"
    end = stage.run(stage.shell(script, template={"outputs": {"parameters": given}}))
    assert end.phase != "Succeeded"
    assert "output parameter large: the values of this pod's output parameters have more than 20 million bytes" in str(
        end
    )
    assert end.outputs["parameters"] == [{"name": "small", "value": "x"}]


def test_output_artifacts_go_to_the_store(stage: Stage) -> None:
    wanted = outputs(
        artifacts=[
            {"name": "file", "path": "/tmp/f.txt"},
            {"name": "plain", "path": "/tmp/f.txt", "archive": {"none": {}}},
            {"name": "folder", "path": "/mnt/out", "archive": {"none": {}}},
            {"name": "zipped", "path": "/mnt/out", "archive": {"zip": {}}},
            {
                "name": "keyed",
                "path": "/tmp/f.txt",
                "archive": {"none": {}},
                "s3": {"bucket": "b", "key": "my/own/key.txt"},
            },
            {"name": "perhaps", "path": "/tmp/nope", "optional": True},
        ]
    )
    pod = stage.shell("echo hello > /tmp/f.txt; mkdir -p /mnt/out/sub; echo x > /mnt/out/sub/y", template=wanted)
    end = stage.run(pod)
    assert (end.phase, end.error) == ("Succeeded", "")
    store = stage.state / "artifacts" / "default"
    name = pod.pod["metadata"]["name"]
    found = {a["name"]: a["s3"]["key"] for a in end.outputs["artifacts"]}
    assert found == {
        "file": f"wf/{name}/file.tgz", "plain": f"wf/{name}/f.txt", "folder": f"wf/{name}/out",
        "zipped": f"wf/{name}/zipped.zip", "keyed": "my/own/key.txt",
    }  # fmt: skip
    with tarfile.open(store / found["file"]) as archive:
        assert archive.getnames() == ["f.txt"]
    assert (store / found["plain"]).read_text() == "hello\n"
    assert (store / found["folder"] / "sub" / "y").read_text() == "x\n"
    with zipfile.ZipFile(store / found["zipped"]) as archive:
        assert "zipped/sub/y" in archive.namelist()  # the executor names the folder after the artifact
    assert (store / found["keyed"]).read_text() == "hello\n"


def test_an_output_artifact_that_is_missing(stage: Stage) -> None:
    wanted = outputs(artifacts=[{"name": "a", "path": "/tmp/notpresent"}, {"name": "b", "path": "/tmp/b"}])
    end = stage.run(stage.shell("echo 1 > /tmp/b", template=wanted))
    message = "open /var/run/argo/outputs/artifacts/tmp/notpresent.tgz: no such file or directory; "
    assert (end.phase, end.error) == ("Failed", f"wait: Error (exit code 64): {message}")
    assert [a["name"] for a in end.outputs["artifacts"]] == ["b"]


def test_artifacts_travel_from_task_to_task(stage: Stage) -> None:
    wanted = outputs(
        artifacts=[
            {"name": "tree", "path": "/mnt/tree"},
            {"name": "zip", "path": "/mnt/tree", "archive": {"zip": {}}},
            {"name": "one", "path": "/tmp/1"},
        ]
    )
    first = stage.run(
        stage.shell(
            "mkdir -p /mnt/tree/a; echo deep > /mnt/tree/a/b; chmod 755 /mnt/tree/a/b; echo 1 > /tmp/1", template=wanted
        )
    )
    keys = {a["name"]: a["s3"]["key"] for a in first.outputs["artifacts"]}
    given = [
        {"name": "tree", "path": "/in/tree", "s3": {"key": keys["tree"]}},
        {"name": "zip", "path": "/in/zip", "s3": {"key": keys["zip"]}, "archive": {"zip": {}}},
        {"name": "one", "path": "/in/one", "s3": {"key": keys["one"]}, "mode": 0o600},
        {"name": "packed", "path": "/in/packed.tgz", "s3": {"key": keys["one"]}, "archive": {"none": {}}},
        {"name": "raw", "path": "/etc/settings/raw.txt", "raw": {"data": "text\n"}},
        {"name": "perhaps", "path": "/in/perhaps", "optional": True},
        {"name": "gone", "path": "/in/gone", "optional": True, "s3": {"key": "no/such"}},
    ]
    pod = stage.shell(
        "cat /in/tree/a/b /in/zip/a/b /in/one; stat -c %a /in/one /in/tree/a/b; "
        "file=/in/packed.tgz; head -c 2 $file | od -An -tx1; "
        "cat /etc/settings/raw.txt; ls /in; echo more > /in/one; ls /etc/hostname",
        template={"inputs": {"artifacts": given}},
    )
    assert stage.run(pod).phase == "Succeeded"
    assert stage.log(pod) == [
        "deep",
        "deep",
        "1",
        "600",
        "755",
        " 1f 8b",
        "text",
        "gone",
        "one",
        "packed.tgz",
        "tree",
        "zip",
        "/etc/hostname",
    ]


@pytest.mark.parametrize(
    ("artifact", "message"),
    [
        ({}, "required artifact 'x' not supplied"),
        ({"s3": {"key": "no/such"}}, "artifact x failed to load: The specified key does not exist."),
        ({"http": {"url": ""}}, "required artifact 'x' not supplied"),
        ({"git": {"repo": ""}}, "required artifact 'x' not supplied"),
        ({"s3": {"key": "../../x"}}, 'artifact x failed to load: the artifact key "../../x" leads out of the artifact store'),
        ({"http": {"url": "file:///etc/passwd"}}, "artifact x failed to load: the address file:///etc/passwd is not http or https"),
    ],
)  # fmt: skip
def test_input_artifacts_that_cannot_be_had(stage: Stage, artifact: Json, message: str) -> None:
    end = stage.run(
        stage.shell("echo never", template={"inputs": {"artifacts": [{"name": "x", "path": "/in/x", **artifact}]}})
    )
    assert (end.phase, end.error) == ("Failed", f"init: Error (exit code 64): {message}")
    assert end.containers == ()


@pytest.mark.parametrize("place", [{"http": {"url": ""}}, {"git": {"repo": ""}}, {"s3": {"key": ""}}, {}])
def test_an_optional_input_artifact_without_a_place_is_left_out(stage: Stage, place: Json) -> None:
    template = {"inputs": {"artifacts": [{"name": "x", "path": "/in/x", "optional": True, **place}]}}
    end = stage.run(stage.shell("test ! -e /in/x && echo fine", template=template))
    assert (end.phase, end.error) == ("Succeeded", "")


def test_an_optional_input_artifact_that_is_not_in_its_store_is_an_empty_folder(stage: Stage) -> None:
    """As on a cluster, where the kubelet creates the mount point of an artifact that the executor did not provide."""
    artifact = {"name": "x", "path": "/in/x", "optional": True, "s3": {"key": "no/such"}}
    end = stage.run(
        stage.shell('test -d /in/x && test -z "$(ls /in/x)"', template={"inputs": {"artifacts": [artifact]}})
    )
    assert (end.phase, end.error) == ("Succeeded", "")


def test_an_archive_cannot_leave_its_folder(stage: Stage, tmp_path: Path) -> None:
    store = stage.state / "artifacts" / "default"
    store.mkdir(parents=True, exist_ok=True)
    (tmp_path / "evil").write_text("evil")
    for name, inner in (("up.tgz", "../../evil"), ("root.tgz", "/../../../evil")):
        with tarfile.open(store / name, "w:gz") as archive:
            archive.add(tmp_path / "evil", arcname="fine")
            entry = archive.gettarinfo(str(tmp_path / "evil"))
            entry.name = inner
            with (tmp_path / "evil").open("rb") as file:
                archive.addfile(entry, file)
    link = tarfile.TarInfo("link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc"
    with tarfile.open(store / "link.tgz", "w:gz") as archive:
        archive.addfile(link)
    for name in ("up.tgz", "root.tgz", "link.tgz"):
        end = stage.run(
            stage.shell(
                "true", template={"inputs": {"artifacts": [{"name": "x", "path": "/in/x", "s3": {"key": name}}]}}
            )
        )
        assert end.phase == "Failed", name
        assert "illegal" in end.error


def test_environment_variables(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGO_TOKEN", "secret-of-the-server")
    env = [
        {"name": "PLAIN", "value": "a $(FROM_MAP) $(UNKNOWN) $$(PLAIN)"},
        {"name": "KEY", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "host"}}},
        {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "door", "key": "pw"}}},
        {"name": "MAYBE", "valueFrom": {"secretKeyRef": {"name": "nothing", "key": "pw", "optional": True}}},
        {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "COLOUR", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['colour']"}}},
        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
        {"name": "ASKED", "valueFrom": {"resourceFieldRef": {"resource": "requests.cpu"}}},
        {"name": "GIB", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Gi"}}},
        {"name": "NO_GIB", "valueFrom": {"resourceFieldRef": {"resource": "requests.memory", "divisor": "1Gi"}}},
    ]
    pod = stage.pod(
        {
            "command": ["env"], "env": env, "envFrom": [{"configMapRef": {"name": "all"}, "prefix": "FROM_"}],
            "resources": {"limits": {"cpu": "2"}},
        },
        config_maps={"settings": {"host": "h1"}, "all": {"MAP": "m"}}, secrets={"door": {"pw": "p4ss"}},
    )  # fmt: skip
    assert stage.run(pod).phase == "Succeeded"
    found = dict(line.split("=", 1) for line in stage.log(pod))
    name, ip = pod.pod["metadata"]["name"], stage.started(pod.node_id).ip
    wanted = {
        "PLAIN": "a m $(UNKNOWN) $(PLAIN)", "KEY": "h1", "PASSWORD": "p4ss", "NAME": name, "COLOUR": "red", "IP": ip, "CPU": "2",
        "ASKED": "2", "GIB": str(-(-machine_size.memory() // 2**30)), "NO_GIB": "0",
        "FROM_MAP": "m", "HOSTNAME": name, "ARGO_CONTAINER_NAME": "main", "ARGO_NODE_ID": pod.node_id, "ARGO_WORKFLOW_NAME": "wf",
        "ARGO_INCLUDE_SCRIPT_OUTPUT": "false", "ARGO_PROGRESS_FILE": "/var/run/argo/progress",
    }  # fmt: skip
    assert {k: found.get(k) for k in wanted} == wanted
    assert "MAYBE" not in found
    assert "secret-of-the-server" not in json.dumps(found)
    known = {
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "LANG",
        "LANGUAGE",
        "TZ",
        "SHELL",
        "TERM",
        "PWD",
        "SHLVL",
        "_",
        "OLDPWD",
        "OF_THE_IMAGE",
    }
    assert {k for k in found if k not in known and not k.startswith(("ARGO_", "LC_"))} <= set(wanted)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"configMapKeyRef": {"name": "no", "key": "k"}}, 'configmap "no" not found'),
        ({"secretKeyRef": {"name": "door", "key": "no"}}, "couldn't find key no in Secret default/door"),
    ],
)
def test_variables_that_cannot_be_had(stage: Stage, source: Json, message: str) -> None:
    end = stage.run(
        stage.pod({"command": ["env"], "env": [{"name": "X", "valueFrom": source}]}, secrets={"door": {"pw": "x"}})
    )
    assert (end.phase, end.message, end.reason) == ("Failed", message, "CreateContainerConfigError")


def test_volumes(stage: Stage, tmp_path: Path) -> None:
    claim = tmp_path / "claim"
    claim.mkdir()
    (claim / "there").write_text("before\n")
    volumes = [
        {"name": "data", "persistentVolumeClaim": {"claimName": "results"}},
        {"name": "scratch", "emptyDir": {}},
        {"name": "settings", "configMap": {"name": "settings"}},
        {
            "name": "door",
            "secret": {"secretName": "door", "items": [{"key": "pw", "path": "deep/password", "mode": 256}]},
        },
        {"name": "about", "downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}},
        {"name": "both", "projected": {"sources": [{"configMap": {"name": "settings"}}, {"secret": {"name": "door"}}]}},
    ]
    mounts = [
        {"name": "data", "mountPath": "/mnt/data"},
        {"name": "data", "mountPath": "/mnt/part", "subPath": "a/b"},
        {"name": "data", "mountPath": "/mnt/fixed", "readOnly": True},
        {"name": "scratch", "mountPath": "/work"},
        {"name": "settings", "mountPath": "/etc/settings"},
        {"name": "settings", "mountPath": "/etc/one.conf", "subPath": "host"},
        {"name": "door", "mountPath": "/etc/door"},
        {"name": "about", "mountPath": "/about"},
        {"name": "both", "mountPath": "/both"},
    ]
    text = (
        "set -e; cat /mnt/data/there; echo new > /mnt/data/new; echo part > /mnt/part/p; echo x > /work/x; "
        "cat /etc/settings/host /etc/one.conf "
        "/etc/door/deep/password /about/name; echo; ls /both; ! echo no > /mnt/fixed/no; "
        "! echo no > /etc/settings/host; stat -c %a /etc/door/deep/password; ls /etc/passwd"
    )
    pod = stage.shell(
        text, main={"volumeMounts": mounts}, claims={"results": str(claim)},
        config_maps={"settings": {"host": "h1\n"}}, secrets={"door": {"pw": "p\xe4ss\n"}},
        spec={"volumes": volumes},
    )  # fmt: skip
    end = stage.run(pod)
    log = stage.log(pod)
    assert end.phase == "Succeeded", (log, end.message)
    assert [line for line in log if "Read-only" not in line and "cannot create" not in line] == [
        "before", "h1", "h1", "p\ufffdss", pod.pod["metadata"]["name"], "host", "pw", "400", "/etc/passwd",
    ]  # fmt: skip
    assert (claim / "new").read_text() == "new\n"
    assert (claim / "a" / "b" / "p").read_text() == "part\n"
    assert not (claim / "no").exists()


def test_volumes_that_cannot_be_given(stage: Stage) -> None:
    def end_of(volume: Json, **mount: str) -> str:
        pod = stage.shell(
            "true",
            main={"volumeMounts": [{"name": "v", "mountPath": "/v", **mount}]},
            spec={"volumes": [{"name": "v", **volume}]},
        )
        return stage.run(pod).message

    assert end_of({"persistentVolumeClaim": {"claimName": "no"}}) == 'persistentvolumeclaim "no" not found'
    assert "use a claim" in end_of({"nfs": {"server": "s", "path": "/"}})
    assert "leads out of its volume" in end_of({"emptyDir": {}}, subPath="../../x")


@pytest.mark.parametrize("kind", [None, "", "DirectoryOrCreate"])
def test_a_folder_of_this_machine_that_is_not_there_is_made(stage: Stage, tmp_path: Path, kind: str | None) -> None:
    folder = tmp_path / "data" / "host"
    source = {"path": str(folder), **({} if kind is None else {"type": kind})}
    pod = stage.shell(
        "echo kept > /v/file",
        main={"volumeMounts": [{"name": "v", "mountPath": "/v"}]},
        spec={"volumes": [{"name": "v", "hostPath": source}]},
    )
    end = stage.run(pod)
    assert end.phase == "Succeeded", end.message
    assert (folder / "file").read_text() == "kept\n"


def test_what_a_host_path_leads_to_is_of_its_type(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("read\n")
    (tmp_path / "blocked").write_text("")

    def end_of(path: str, kind: str, command: str = "cat /v") -> tuple[str, list[str]]:
        pod = stage.shell(
            command,
            main={"volumeMounts": [{"name": "v", "mountPath": "/v"}]},
            spec={"volumes": [{"name": "v", "hostPath": {"path": str(tmp_path / path), "type": kind}}]},
        )
        end = stage.run(pod)
        return end.message if end.phase != "Succeeded" else "", stage.log(pod) if end.phase == "Succeeded" else []

    assert end_of("file", "File") == ("", ["read"])
    assert end_of("fresh", "FileOrCreate", "echo new > /v") == ("", [])
    assert (tmp_path / "fresh").read_text() == "new\n"
    absent = f'hostPath type check failed: {tmp_path}/absent of the volume "v" is not a'
    message = end_of("absent", "Directory")[0]
    assert message.startswith(f"{absent} directory")
    assert f"mkdir -p {tmp_path}/absent" in message
    assert end_of("absent", "File")[0].startswith(f"{absent} file")
    assert end_of("absent", "Socket")[0].startswith(f"{absent} socket file")
    assert not (tmp_path / "absent").exists()
    assert "is not a directory, it is a file" in end_of("file", "Directory")[0]
    assert "is not a directory, it is a file" in end_of("file", "DirectoryOrCreate")[0]
    assert "is not a file, it is a directory" in end_of("", "FileOrCreate")[0]
    assert "Folder is an invalid volume type" in end_of("file", "Folder")[0]
    for kind, path in (("", "blocked/below"), ("FileOrCreate", "nowhere/file")):
        message = end_of(path, kind)[0]
        assert "does not exist on this machine and cannot be created" in message
        assert ": create it" in message


def test_outputs_and_inputs_in_a_volume(stage: Stage, tmp_path: Path) -> None:
    claim = tmp_path / "claim"
    template = {
        "inputs": {"artifacts": [{"name": "given", "path": "/data/given.txt", "raw": {"data": "raw"}}]},
        "outputs": {
            "parameters": [
                {"name": "p", "valueFrom": {"path": "/data/p"}},
                {"name": "q", "valueFrom": {"path": "/data/q"}},
            ],
            "artifacts": [
                {"name": "a", "path": "/data/p", "archive": {"none": {}}},
                {"name": "b", "path": "/data/no", "archive": {"none": {}}},
            ],
        },
    }
    pod = stage.shell(
        "cat /data/given.txt > /data/p", template=template, main={"volumeMounts": [{"name": "d", "mountPath": "/data"}]},
        spec={"volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "c"}}]}, claims={"c": str(claim)},
    )  # fmt: skip
    end = stage.run(pod)
    assert end.outputs["parameters"] == [{"name": "p", "value": "raw"}]
    assert end.error == "wait: Error (exit code 64): open /mainctrfs/data/q: no such file or directory"
    assert [a["name"] for a in end.outputs["artifacts"]] == ["a"]
    assert (claim / "given.txt").read_text() == "raw"


def test_volumes_of_a_pod_go_with_it(stage: Stage) -> None:
    pod = stage.shell(
        "echo x > /s/y", main={"volumeMounts": [{"name": "s", "mountPath": "/s"}, {"name": "d", "mountPath": "/d"}]},
        spec={"volumes": [{"name": "s", "emptyDir": {}}, {"name": "d", "secret": {"secretName": "door"}}]}, secrets={"door": {"pw": "x"}},
        template={"inputs": {"artifacts": [{"name": "r", "path": "/r", "raw": {"data": "x"}}]}},
    )  # fmt: skip
    assert stage.run(pod).phase == "Succeeded"
    folder = stage.state / "pods" / uid(pod)
    until(lambda: not (folder / "inputs").exists() and not (folder / "volumes").exists())


def test_a_folder_that_a_task_wrote_is_gone_with_it(stage: Stage) -> None:
    pod = stage.shell("mkdir -p /big /home/x; head -c 100000 /dev/zero > /big/f; chmod 000 /big; touch /tmp/t")
    stage.run(pod)
    again = stage.shell("ls -d /big /tmp/t /home/x 2>/dev/null; true")
    stage.run(again)
    assert stage.log(again) == []
    left = {p.name for p in (stage.state / "pods" / uid(pod)).iterdir()}
    assert left == {"supervisor.jsonl", "main.log"}
