"""Ways in which a path could lead out of a pod: hostPath, volumes that the node writes, outputs from /proc, removal during a swap."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
from hand_made_image import HandMadeImages
from stage import Stage

from hera_utils.images.table import ImageTable
from hera_utils.local_platform.pods.pod import file_trees, host_paths, open_beneath
from hera_utils.local_platform.pods.pod.errors import PodFault

Json = dict[str, Any]
_MOUNT = [{"name": "h", "mountPath": "/h"}]


def on_host(stage: Stage, script: str, path: str, **mount: Any) -> tuple[Any, list[str]]:
    pod = stage.shell(
        script,
        main={"volumeMounts": [{**_MOUNT[0], **mount}]},
        spec={"volumes": [{"name": "h", "hostPath": {"path": path}}]},
    )
    return stage.run(pod), stage.log(pod)


@pytest.fixture
def token(stage: Stage) -> str:
    (stage.state / "token").write_text("the token")
    return str(stage.state.resolve())


def test_no_host_path_is_the_state_folder(stage: Stage, token: str, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(token)
    (tmp_path / "above").symlink_to(os.path.dirname(token))
    name = os.path.basename(token)
    for path in (
        token,
        f"{token}/pods",
        f"{token}/new",
        f"{tmp_path}/link",
        f"{tmp_path}/above/{name}",
        f"/proc/self/root{token}",
    ):
        end, _ = on_host(stage, "cat /h/token", path)
        assert end.phase == "Failed"
        assert "lies in the state folder of the local platform, which no task sees: mount a claim" in end.message
    assert not os.path.exists(f"{token}/new")


def test_a_host_path_around_the_state_folder_shows_it_empty(stage: Stage, token: str) -> None:
    above, name = os.path.split(token)
    end, lines = on_host(stage, f"ls -A /h/{name}; cat /h/{name}/token; ls /h", above)
    assert "the token" not in lines
    assert name in lines
    end, lines = on_host(stage, f"cat /h/{name}/token; true", os.path.dirname(above), subPath=os.path.basename(above))
    assert (end.phase, "the token" in lines) == ("Succeeded", False)
    for inside in (name, f"{name}/pods"):
        end, lines = on_host(stage, "cat /h/token", above, subPath=inside)
        assert end.phase == "Failed"
        assert "lies in the state folder" in end.message


class _Swaps:
    """A thread that puts one file or folder after another at a path. At its end it checks that nothing else was ever there."""

    def __init__(self, place: Path, *shown: Path) -> None:
        self._place, self._shown = place, shown
        self._stop = threading.Event()
        self._fault: OSError | None = None
        self._thread = threading.Thread(target=self._swap)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()
        assert self._fault is None

    def _swap(self) -> None:
        try:
            while not self._stop.is_set():
                for one in self._shown:
                    os.rename(one, self._place)
                    os.rename(self._place, one)
        except OSError as fault:
            self._fault = fault


def test_a_link_in_a_host_path_that_comes_and_goes_leads_not_to_the_state_folder(
    stage: Stage, token: str, tmp_path: Path
) -> None:
    (tmp_path / "good").mkdir()
    (tmp_path / "bad").symlink_to(token)
    with _Swaps(tmp_path / "h", tmp_path / "good", tmp_path / "bad"):
        for _ in range(10):
            pod = stage.shell(
                "cat /h/token",
                main={"volumeMounts": _MOUNT},
                spec={"volumes": [{"name": "h", "hostPath": {"path": f"{tmp_path}/h", "type": "Directory"}}]},
            )
            stage.run(pod)
            assert "the token" not in stage.log(pod)


@pytest.mark.parametrize("kind", ["", "DirectoryOrCreate", "FileOrCreate", "Directory"])
def test_nothing_is_created_behind_a_link_that_came_after_the_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    state, folder = tmp_path / "state", tmp_path / "folder"
    state.mkdir()
    folder.mkdir()
    if kind == "Directory":
        (folder / "new").mkdir()
    look = host_paths.type_obstacle

    def look_and_swap(path: str, kind: str, volume: str) -> host_paths.Obstacle | None:
        found = look(path, kind, volume)
        folder.rename(tmp_path / "aside")
        folder.symlink_to(state)
        return found

    monkeypatch.setattr(host_paths, "type_obstacle", look_and_swap)
    with contextlib.suppress(PodFault):
        host_paths.prepare(f"{folder}/new", kind, "h", [str(state)])
    assert os.listdir(state) == []


@pytest.mark.parametrize(
    "volume",
    [
        {"projected": {"sources": [{"configMap": {"name": "c"}}]}},
        {"configMap": {"name": "c"}},
        {"downwardAPI": {"items": [{"path": "x", "fieldRef": {"fieldPath": "metadata.name"}}]}},
    ],
)
def test_what_the_node_writes_no_task_changes(stage: Stage, tmp_path: Path, volume: Json) -> None:
    """If a task could put a link into it, the collection of outputs would write through that link."""
    outside = tmp_path / "outside"
    outside.write_text("of the machine")
    mounts = [{"name": "h", "mountPath": "/h"}, {"name": "e", "mountPath": "/e"}]
    members = [
        {"name": "a", "command": ["sh", "-c", f"ln -sf {outside} /h/x; rm /h/x; touch /h/y; echo x > /e/x; true"]}
    ]
    template = {
        "containerSet": {"containers": members, "volumeMounts": mounts},
        "outputs": {"artifacts": [{"name": "a", "path": "/e/x"}]},
    }
    main = {"name": "a", "command": members[0]["command"], "volumeMounts": mounts}
    pod = stage.pod(main, template=template, spec={"volumes": [{"name": "h", **volume}, {"name": "e", "emptyDir": {}}]},
                    config_maps={"c": {"x": "overwritten"}})  # fmt: skip
    end = stage.run(pod)
    assert any("ead-only" in line for line in stage.log(pod, "a")), stage.log(pod, "a")
    assert outside.read_text() == "of the machine", end


@pytest.mark.parametrize("path", ["/proc/1/environ", "/proc/self/environ", "/proc/1/maps", "/proc/1", "/proc", "/v"])
def test_no_output_is_what_only_the_worker_may_read(stage: Stage, path: str) -> None:
    outputs = {"artifacts": [{"name": "a", "path": path}], "parameters": [{"name": "p", "valueFrom": {"path": path}}]}
    pod = stage.shell("ln -s /proc/1/environ /v", template={"outputs": outputs})
    end = stage.run(pod)
    assert end.phase == "Failed"
    assert "PATH=" not in str(end)
    assert not end.outputs.get("artifacts")
    assert not end.outputs.get("parameters")


@pytest.mark.parametrize(
    "path", ["/h/{pid}/environ", "/h/{pid}", "/h/self/environ", "/h/kcore", "/h", "/all", "/all/proc/{pid}/environ"]
)
def test_no_output_is_what_the_worker_may_read_of_the_machines_processes(stage: Stage, path: str) -> None:
    """A hostPath makes processes of the machine visible to a task, which may not look into them."""
    path = path.format(pid=os.getpid())
    outputs = {"artifacts": [{"name": "a", "path": path}], "parameters": [{"name": "p", "valueFrom": {"path": path}}]}
    mounts = [{"name": "h", "mountPath": "/h"}, {"name": "all", "mountPath": "/all"}]
    volumes = [{"name": "h", "hostPath": {"path": "/proc"}}, {"name": "all", "hostPath": {"path": "/proc/.."}}]
    if path == "/all":  # do not list the machine's whole disk
        volumes[1]["hostPath"]["path"] = "/proc"
    pod = stage.shell("true", main={"volumeMounts": mounts}, template={"outputs": outputs}, spec={"volumes": volumes})
    end = stage.run(pod)
    assert end.phase == "Failed"
    assert "PATH=" not in str(end)
    assert not end.outputs.get("artifacts")
    assert not end.outputs.get("parameters")


@pytest.mark.parametrize("path", ["/proc", "/proc/self", "/proc/1/ns", "/", "/c/linked", "/c/linked/self"])
def test_nothing_is_mounted_where_the_worker_looks_for_itself(stage: Stage, tmp_path: Path, path: str) -> None:
    """The worker would open a file that a task has put there: a pipe that never ends, or a link to another process."""
    claim = tmp_path / "claim"
    (claim / "self" / "ns").mkdir(parents=True)
    os.mkfifo(claim / "self" / "ns" / "mnt")
    os.mkfifo(claim / "mountinfo")
    (claim / "linked").symlink_to("/proc")
    mounts = [{"name": "c", "mountPath": "/c"}, {"name": "c", "mountPath": path}]
    volumes = [{"name": "c", "persistentVolumeClaim": {"claimName": "c"}}]
    pod = stage.shell("true", main={"volumeMounts": mounts}, spec={"volumes": volumes}, claims={"c": str(claim)})
    end = stage.run(pod)
    assert (end.phase, end.message) == ("Failed", f"nothing can be mounted at {path}: choose another mountPath")


def test_a_folder_around_processes_is_no_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_trees, "_names", lambda folder: ["proc"])  # do not list the whole machine
    top = os.open("/", os.O_PATH)
    try:
        with pytest.raises(PermissionError, match="all/proc"):
            list(file_trees.entries(top, "all"))
    finally:
        os.close(top)


def test_what_the_kernel_says_of_the_machine_may_be_an_output(stage: Stage) -> None:
    parameters = [{"name": "p", "valueFrom": {"path": "/proc/loadavg"}}]
    end = stage.run(stage.shell("true", template={"outputs": {"parameters": parameters}}))
    assert end.phase == "Succeeded"
    assert end.outputs["parameters"][0]["value"]


def test_a_link_in_the_place_of_a_folder_is_not_followed_by_its_removal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task replaces a folder by a link exactly while the folder is being listed."""
    outside = tmp_path / "outside" / "deep"
    outside.mkdir(parents=True)
    (outside / "file").write_text("of the machine")
    (tmp_path / "tree" / "swapped" / "deep").mkdir(parents=True)
    (tmp_path / "tree" / "swapped" / "deep" / "file").write_text("of the task")
    listed = file_trees._names

    def listed_and_swapped(folder: int) -> list[str]:
        names = listed(folder)
        if names == ["deep"] and not (tmp_path / "tree" / "aside").exists():
            (tmp_path / "tree" / "swapped").rename(tmp_path / "tree" / "aside")
            (tmp_path / "tree" / "swapped").symlink_to(tmp_path / "outside")
            (tmp_path / "tree" / "aside" / "deep" / "new").write_text("so that it is not empty")
        return names

    monkeypatch.setattr(file_trees, "_names", listed_and_swapped)
    file_trees.discard(str(tmp_path / "tree"))
    assert (outside / "file").read_text() == "of the machine"
    assert outside.stat().st_mode & 0o777 != 0o700
    file_trees.discard(str(tmp_path / "tree"))
    assert not (tmp_path / "tree").exists()


def test_folders_without_rights_are_removed(tmp_path: Path) -> None:
    (tmp_path / "tree" / "closed" / "deep").mkdir(parents=True)
    (tmp_path / "tree" / "closed" / "deep" / "file").touch()
    for folder in ("tree/closed/deep", "tree/closed", "tree"):
        (tmp_path / folder).chmod(0)
    file_trees.discard(str(tmp_path / "tree"))
    assert not (tmp_path / "tree").exists()


@pytest.mark.parametrize("kernel", [True, False])
def test_a_path_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kernel: bool) -> None:
    monkeypatch.setattr(open_beneath, "_kernel", kernel)
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to("folder")
    with open_beneath.at("/", f"{tmp_path}/folder/inner", links=False) as place:
        assert os.path.isdir(place)
    for path in ("link", "link/inner"):
        with pytest.raises(OSError), open_beneath.at("/", f"{tmp_path}/{path}", links=False):
            pass


@pytest.mark.parametrize("address", ["{}", "file://{}"])
def test_a_repository_of_this_machine_is_for_tasks_that_see_it(stage: Stage, tmp_path: Path, address: str) -> None:
    """A task in an image cannot read this machine's files through a git artifact either."""
    repository = tmp_path / "repository"
    person = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run(["git", "init", "-q", repository], check=True)
    subprocess.run(["git", "-C", repository, *person, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    artifact = {"name": "a", "path": "/tmp/a", "git": {"repo": address.format(repository)}}
    end = stage.run(stage.shell("true", template={"inputs": {"artifacts": [artifact]}}))
    if isinstance(stage.images, HandMadeImages):
        assert "transport 'file' not allowed" in end.error
    else:
        assert end.phase == "Succeeded"


@pytest.mark.parametrize("way", ["its path", "a file that names it", "a link to it", "objects that it shares"])
def test_no_repository_of_the_state_folder_is_cloned(stage: Stage, tmp_path: Path, way: str) -> None:
    """Another run's claim may be such a repository."""
    other = stage.state / "claims" / "default" / f"other-{way.replace(' ', '-')}"
    other.mkdir(parents=True)
    person = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run(["git", "init", "-q", other], check=True)
    (other / "secret").write_text("of another run")
    subprocess.run(["git", "-C", other, "add", "secret"], check=True)
    subprocess.run(["git", "-C", other, *person, "commit", "-q", "-m", "x"], check=True)
    here = tmp_path / "here"
    if way == "its path":
        here = other
    elif way == "a link to it":
        here.symlink_to(other)
    elif way == "a file that names it":
        here.mkdir()
        (here / ".git").write_text(f"gitdir: {other}/.git\n")
    else:
        subprocess.run(["git", "clone", "-q", "--shared", other, here], check=True)
    artifact = {"name": "a", "path": "/tmp/a", "git": {"repo": str(here)}}
    pod = stage.shell("cat /tmp/a/secret", template={"inputs": {"artifacts": [artifact]}})
    assert stage.run(pod).phase != "Succeeded"


def test_no_revision_is_an_option_of_git(stage: Stage, tmp_path: Path) -> None:
    """`git checkout --pathspec-from-file=FILE` prints the file's content in its message."""
    repository, secret = tmp_path / "repository", tmp_path / "secret"
    secret.write_text("of the machine\n")
    person = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run(["git", "init", "-q", repository], check=True)
    subprocess.run(["git", "-C", repository, *person, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    place = {"repo": f"file://{repository}", "revision": f"--pathspec-from-file={secret}"}
    artifact = {"name": "a", "path": "/tmp/a", "git": place}
    end = stage.run(stage.shell("true", template={"inputs": {"artifacts": [artifact]}}))
    assert end.phase == "Failed"
    assert "is no name of a commit" in end.error
    assert "of the machine" not in str(end)


@pytest.mark.skipif(os.geteuid() != 0, reason="a mount needs root")
@pytest.mark.parametrize("part", ["", "home", "home/state"])
def test_a_state_folder_that_is_mounted_twice_is_hidden_twice(tmp_path: Path, images: ImageTable, part: str) -> None:
    """Its file system, or a part of it, is mounted at a second path, where the state folder is not found by its name."""
    state = tmp_path / "home" / "state"
    state.mkdir(mode=0o700, parents=True)
    (tmp_path / "home" / "other").write_text("of the user's")
    with tempfile.TemporaryDirectory(prefix="mounted twice ", dir="/srv") as folder:
        subprocess.run(["mount", "--bind", tmp_path / part, folder], check=True)
        try:
            machine = Stage(state, images=images)
            try:
                (state / "journal").write_text("secret")
                there = os.path.join(folder, os.path.relpath(state, tmp_path / part))
                pod = machine.shell(f"cat '{there}/journal' '{there}/../other'; true")
                assert machine.run(pod).phase == "Succeeded"
                if not isinstance(images, HandMadeImages) and part != "home/state":
                    assert "of the user's" in machine.log(pod)
                assert "secret" not in machine.log(pod)
                end, _ = on_host(machine, "cat /h/journal", there)
                assert "lies in the state folder" in end.message
                end, _ = on_host(machine, "true", f"{there}/new")
                assert "lies in the state folder" in end.message
                assert not (state / "new").exists()
                _, lines = on_host(machine, f"cat /h/{os.path.relpath(there, '/srv')}/journal; true", "/srv")
                assert "secret" not in lines
            finally:
                machine.close()
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)
