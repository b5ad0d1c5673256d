"""Where the kernel's overlay refuses the disk of an image's layers, a container runs from a copy of them with the same result."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hand_made_image import OS_RELEASE, HandMadeImages, Json
from stage import Stage

from hera_utils.local_platform.pods.pod import layer_copy


def tree(folder: Path) -> dict[str, tuple[int, str]]:
    return {
        str(path.relative_to(folder)): (path.lstat().st_mode, os.readlink(path) if path.is_symlink() else "")
        for path in folder.rglob("*")
    }


def test_layers_are_applied_in_order(tmp_path: Path, hand_made_image: Json) -> None:
    target = tmp_path / "copy"
    target.mkdir()
    for layer in hand_made_image["layers"]:
        layer_copy.put(layer, str(target))
    assert (target / "etc" / "os-release").read_text() == OS_RELEASE
    assert os.listdir(target / "opt") == ["old"]
    assert os.listdir(target / "opt" / "old") == ["new"]
    below = tree(Path(hand_made_image["layers"][0]) / "usr")
    assert tree(target / "usr") == below


def test_a_link_of_a_lower_layer_is_replaced_never_followed(tmp_path: Path) -> None:
    below, above, target, outside = (tmp_path / name for name in ("below", "above", "target", "outside"))
    for folder in (below, above / "data", target, outside):
        folder.mkdir(parents=True)
    (below / "data").symlink_to(outside)
    (below / "file").symlink_to(outside / "file")
    (above / "data" / "x").write_text("x")
    (above / "file").write_text("mine")
    for layer in (below, above):
        layer_copy.put(str(layer), str(target))
    assert os.listdir(outside) == []
    assert (target / "data" / "x").read_text() == "x"
    assert (target / "file").read_text() == "mine"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount: already an ordinary user")
def test_a_container_runs_from_a_copy(tmp_path: Path, hand_made_image: Json) -> None:
    """The kernel allows no deeper stack than an overlay of overlays, so that cannot be a layer of another overlay."""
    lower, mounted = hand_made_image["layers"][0], []
    try:
        for number in range(2):
            place = tmp_path / f"overlay-{number}"
            other = tmp_path / f"other-{number}"
            place.mkdir()
            other.mkdir()
            subprocess.run(
                ["mount", "-t", "overlay", "overlay", "-o", f"lowerdir={other}:{lower}", str(place)], check=True
            )
            mounted.append(place)
            lower = place
        images = HandMadeImages(hand_made_image, layers=[str(lower), hand_made_image["layers"][1]], hide=["awk"])
        stage = Stage(tmp_path / "state", images=images)
        for _ in range(2):
            pod = stage.shell(
                "cat /etc/os-release; grep -c ' / overlay ' /proc/mounts; ls /opt; command -v awk; touch /tmp/new; ls /tmp; cat /v/x",
                main={"volumeMounts": [{"name": "v", "mountPath": "/v"}]},
                spec={"volumes": [{"name": "v", "configMap": {"name": "c"}}]}, config_maps={"c": {"x": "value\n"}},
            )  # fmt: skip
            end = stage.run(pod)
            assert end.phase == "Succeeded", (end, stage.log(pod))
            assert "\n".join(stage.log(pod)) + "\n" == f"{OS_RELEASE}0\nold\nnew\nvalue\n"
        stage.close()
    finally:
        for place in reversed(mounted):
            subprocess.run(["umount", "-l", str(place)], check=True)
