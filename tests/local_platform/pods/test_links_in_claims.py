"""A task puts symbolic links into a claim; the actions of another task there stay inside the claim. Also as an ordinary user."""

from __future__ import annotations

import os
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from stage import Stage

from hera_utils.local_platform.pods.pod import open_beneath
from hera_utils.local_platform.pods.pod.errors import LeadsOut

Json = dict[str, Any]
CLAIM: Json = {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]}


@pytest.fixture
def claim(tmp_path: Path) -> Path:
    """A claim's folder. The files beside it must not be reachable from the claim."""
    folder = tmp_path / "claim"
    (folder / "inner" / "deep").mkdir(parents=True)
    (folder / "inner" / "file").write_text("of the claim")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("of the machine")
    return folder


def mounted(
    stage: Stage, claim: Path, script: str, *, template: Json | None = None, **mount: Any
) -> tuple[Any, list[str]]:
    mounts = [{"name": "v", "mountPath": "/v", **mount}]
    more = {"container": {"volumeMounts": mounts}, **(template or {})}
    pod = stage.shell(script, main={"volumeMounts": mounts}, spec=CLAIM, template=more, claims={"c": str(claim)})
    return stage.run(pod), stage.log(pod)


OUT = {
    "absolute": lambda claim: claim.parent / "outside",
    "up": lambda claim: "../outside",
    "the whole machine": lambda claim: "/",
    "up from below": lambda claim: "inner/../../outside",
    "what a process has open": lambda claim: "/proc/self/root",
}


@pytest.mark.parametrize("how", OUT)
@pytest.mark.parametrize("sub_path", ["link", "link/new", "inner/deep/link/x"])
def test_no_sub_path_leads_out(stage: Stage, claim: Path, how: str, sub_path: str) -> None:
    target = OUT[how](claim)
    for place in (claim / "link", claim / "inner" / "deep" / "link"):
        place.symlink_to(target if os.path.isabs(target) or place.parent == claim else f"../../{target}")
    end, _ = mounted(stage, claim, "ls -la /v; cat /v/secret; echo x > /v/written", subPath=sub_path)
    assert end.phase == "Failed"
    assert end.message == (
        f'failed to prepare subPath for volumeMount "v" of container "main": a symbolic link in "{sub_path}" leads out of the volume:'
        " mount its target as a volume of its own"
    )
    assert sorted(os.listdir(claim.parent / "outside")) == ["secret"]


@pytest.mark.parametrize("sub_path", ["inside", "inside/deep", "inner/deep/up", "inner/deep/up/new"])
def test_a_link_that_stays_is_followed(stage: Stage, claim: Path, sub_path: str) -> None:
    (claim / "inside").symlink_to("inner")
    (claim / "inner" / "deep" / "up").symlink_to("../../inner")
    end, lines = mounted(stage, claim, "echo here > /v/written; cat /v/written", subPath=sub_path)
    assert (end.phase, lines) == ("Succeeded", ["here"])
    assert (claim / sub_path / "written").resolve().is_relative_to(claim)


def test_a_sub_path_may_be_a_file_and_read_only(stage: Stage, claim: Path) -> None:
    end, lines = mounted(stage, claim, "cat /v; echo; echo x > /v", subPath="inner/file", readOnly=True)
    assert end.phase == "Failed"
    assert lines[0] == "of the claim"
    assert "Read-only" in lines[1]
    end, lines = mounted(stage, claim, "echo x > /v/new", subPath="inner", readOnly=True)
    assert end.phase == "Failed"
    assert "Read-only" in lines[0]


def test_a_link_that_comes_and_goes_leads_nowhere(stage: Stage, claim: Path) -> None:
    """Kubernetes' CVE-2017-1002101: the checked path is not the path that is mounted."""
    stop = threading.Event()

    def swap() -> None:
        good, bad, name = claim / "good", claim / "bad", claim / "sub"
        good.mkdir()
        bad.symlink_to("../outside")
        while not stop.is_set():
            for one in (good, bad):
                try:
                    os.rename(one, name)
                except IsADirectoryError:  # a pod that found no `sub` at this moment has created it
                    shutil.rmtree(name)
                    continue
                time.sleep(0)
                os.rename(name, one)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for _ in range(25):
            end, lines = mounted(stage, claim, "cat /v/secret; echo x > /v/written", subPath="sub")
            assert "of the machine" not in lines, end
    finally:
        stop.set()
        thread.join()
    assert os.listdir(claim.parent / "outside") == ["secret"]


@pytest.mark.parametrize("how", OUT)
@pytest.mark.parametrize("archived", [False, True])
def test_no_input_artifact_is_put_where_a_link_leads(stage: Stage, claim: Path, how: str, archived: bool) -> None:
    (claim / "link").symlink_to(OUT[how](claim))
    artifact: Json = {"name": "a", "path": "/v/link/secret", "raw": {"data": "overwritten"}}
    if archived:
        made = stage.run(
            stage.shell(
                "mkdir /tmp/secret; echo x > /tmp/secret/x",
                template={"outputs": {"artifacts": [{"name": "a", "path": "/tmp/secret"}]}},
            )
        )
        artifact = {**made.outputs["artifacts"][0], "path": "/v/link/secret"}
    end, _ = mounted(stage, claim, "true", template={"inputs": {"artifacts": [artifact]}})
    assert end.phase == "Failed"
    assert end.error == (
        "init: Error (exit code 64): artifact a failed to load: a symbolic link in /v/link/secret leads out of the volume"
    )
    assert (claim.parent / "outside" / "secret").read_text() == "of the machine"


def test_an_input_artifact_replaces_a_link_and_writes_through_none(stage: Stage, claim: Path) -> None:
    for name in ("a", "a.fetched", "a.tmp", "a.unpacking"):
        (claim / name).symlink_to(claim.parent / "outside" / "secret")
    (claim / "inside").symlink_to("inner")
    given = [
        {"name": n, "path": p, "raw": {"data": n}} for n, p in (("x", "/v/a"), ("y", "/v/inside/y"), ("z", "/v/n/e/w"))
    ]
    end, lines = mounted(
        stage, claim, "cat /v/a /v/inner/y /v/n/e/w; test -L /v/a || echo", template={"inputs": {"artifacts": given}}
    )
    assert (end.phase, lines) == ("Succeeded", ["xyz"])
    assert (claim.parent / "outside" / "secret").read_text() == "of the machine"


def test_outputs_below_a_link_are_the_containers_own(stage: Stage, claim: Path) -> None:
    """A link is followed in the container's own file system, never in the machine's."""
    hidden = stage.state / "token"
    hidden.write_text("the token")
    for link in (hidden, "../../../../../.." + str(hidden), f"/proc/1/root{hidden}", f"/proc/self/root{hidden}"):
        (claim / "link").unlink(missing_ok=True)
        (claim / "link").symlink_to(link)
        for archive in ({}, {"archive": {"none": {}}}, {"archive": {"zip": {}}}):
            end, _ = mounted(
                stage, claim, "true",
                template={"outputs": {
                    "artifacts": [{"name": "a", "path": "/v/link", **archive}],
                    "parameters": [{"name": "p", "valueFrom": {"path": "/v/link"}}],
                }},
            )  # fmt: skip
            assert end.phase == "Failed"
            assert "the token" not in str(end)
            assert not end.outputs.get("artifacts")
            assert not end.outputs.get("parameters")


def test_a_mount_point_below_a_link_stays_in_the_container(stage: Stage, claim: Path) -> None:
    outside = claim.parent / "outside"
    (claim / "link").symlink_to(outside)
    (claim / "up").symlink_to("../outside")
    mounts = [
        {"name": "v", "mountPath": "/v"},
        {"name": "e", "mountPath": "/v/link/made"},
        {"name": "e", "mountPath": "/v/up/made"},
    ]
    pod = stage.shell(
        "echo x > /v/link/made/x; echo done", main={"volumeMounts": mounts}, claims={"c": str(claim)},
        spec={"volumes": [*CLAIM["volumes"], {"name": "e", "emptyDir": {}}]},
    )  # fmt: skip
    stage.run(pod)
    assert os.listdir(outside) == ["secret"]


@pytest.fixture(params=[True, False], ids=["kernel", "walked"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_beneath, "_kernel", request.param)


@pytest.mark.usefixtures("way")
class TestBeneath:
    """openat2 and the fallback for kernels without it give the same results."""

    @pytest.fixture
    def top(self, claim: Path) -> Any:
        (claim / "abs").symlink_to(claim.parent / "outside")
        (claim / "root").symlink_to("/inner")
        (claim / "up").symlink_to("../outside")
        (claim / "loop").symlink_to("loop")
        (claim / "nowhere").symlink_to("not/there")
        (claim / "inner" / "back").symlink_to("../inner/deep/../file")
        (claim / "magic").symlink_to("/proc/self/cwd")
        fd = os.open(claim, os.O_PATH)
        yield fd
        os.close(fd)

    @pytest.mark.parametrize(
        "path", ["abs", "abs/secret", "root/file", "up", "up/secret", "..", "inner/../../outside", "magic"]
    )
    def test_refused(self, top: int, path: str) -> None:
        with pytest.raises(LeadsOut):
            open_beneath.open_path(top, path, os.O_PATH)

    @pytest.mark.parametrize("path", ["inner/file", "inner/back", "inner/../inner/./file", "/inner/file"])
    def test_found(self, top: int, path: str) -> None:
        with open(open_beneath.open_path(top, path, os.O_RDONLY)) as file:
            assert file.read() == "of the claim"

    @pytest.mark.parametrize("path", ["nowhere", "not", "loop", "inner/file/x"])
    def test_not_there(self, top: int, path: str) -> None:
        with pytest.raises(OSError) as caught:
            open_beneath.open_path(top, path, os.O_PATH)
        assert not isinstance(caught.value, LeadsOut)

    def test_as_a_container_sees_it(self, top: int) -> None:
        for path in ("root/file", "../../inner/file", "inner/back"):
            with open(open_beneath.open_path(top, path, os.O_RDONLY, rooted=True)) as file:
                assert file.read() == "of the claim"
        for path in ("abs", "up", "magic"):
            with pytest.raises(FileNotFoundError):
                open_beneath.open_path(top, path, os.O_PATH, rooted=True)

    def test_the_last_name_as_it_is(self, top: int) -> None:
        entry = open_beneath.open_path(top, "up", os.O_PATH, follow=False)
        assert os.readlink("", dir_fd=entry) == "../outside"
        os.close(entry)

    def test_folders_are_made_inside_only(self, top: int, claim: Path) -> None:
        os.close(open_beneath.make_folder(top, "a/b/c"))
        assert (claim / "a" / "b" / "c").is_dir()
        for path in ("abs/x", "up/x", "root/x", "nowhere/x"):
            with pytest.raises(LeadsOut):
                open_beneath.make_folder(top, path)
        assert os.listdir(claim.parent / "outside") == ["secret"]
