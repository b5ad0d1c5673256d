"""The rights of root in a container with an image: not more than on a cluster, so it cannot affect this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hand_made_image import HandMadeImages, Json
from stage import Stage

from hera_utils.local_platform.pods.pod import root_rights

_ATTEMPTS = {
    "this machine's files, through whoever started it": "ls /proc/1/root/",
    "its variables": "cat /proc/1/environ",
    "another mount": "mount -t tmpfs none /mnt",
    "a mount less": "umount /proc/sys",
    "a device": "mknod /disk b 1 0",
    "a setting of the kernel": "echo core > /proc/sys/kernel/core_pattern",
    "a key of the kernel": "echo h > /proc/sysrq-trigger",
}


def _stage(folder: Path, image: Json, user: str = "") -> Stage:
    return Stage(folder / "state", images=HandMadeImages(image, user=user))


@pytest.mark.parametrize("user", ["", "app"])
def test_an_image_can_do_nothing_to_this_machine(tmp_path: Path, hand_made_image: Json, user: str) -> None:
    stage = _stage(tmp_path, hand_made_image, user)
    pod = stage.shell(
        "\n".join(f'({command}) > /dev/null 2>&1 && echo "{what}"' for what, command in _ATTEMPTS.items())
    )
    stage.run(pod)
    assert stage.log(pod) == []
    stage.close()


def test_what_images_do_with_their_own_files_works(tmp_path: Path, hand_made_image: Json) -> None:
    stage = _stage(tmp_path, hand_made_image)
    pod = stage.shell("touch /x && chmod 600 /x && chmod 4755 /x && mkdir -p /home/app/y && kill -0 1; echo end")
    assert stage.run(pod).phase == "Succeeded"
    assert stage.log(pod) == ["end"]
    stage.close()


@pytest.mark.skipif(os.getuid() != 0, reason="only a server of root's has capabilities to give")
@pytest.mark.parametrize("context", [{"privileged": True}, {"capabilities": {"add": ["SYS_ADMIN"]}}])
def test_who_is_given_more_has_more(tmp_path: Path, hand_made_image: Json, context: Json) -> None:
    stage = _stage(tmp_path, hand_made_image)
    pod = stage.pod(
        {"container": {"image": "x", "command": ["mount", "-t", "tmpfs", "none", "/mnt"], "securityContext": context}}
    )
    assert stage.run(pod).phase == "Succeeded"
    stage.close()


@pytest.mark.parametrize(
    ("context", "has", "has_not"),
    [
        ({}, "CHOWN", "SYS_ADMIN"),
        ({"capabilities": {"add": ["CAP_SYS_PTRACE"]}}, "SYS_PTRACE", "SYS_ADMIN"),
        ({"capabilities": {"add": ["ALL"], "drop": ["sys_admin"]}}, "MKNOD", "SYS_ADMIN"),
        ({"capabilities": {"add": ["KILL"], "drop": ["ALL"]}}, "KILL", "CHOWN"),
        ({"capabilities": {"drop": None}}, "SETUID", "MKNOD"),
        ({"capabilities": {"add": ["NET_RAW"]}}, "NET_RAW", "NET_ADMIN"),
        ({}, "NET_BIND_SERVICE", "NET_RAW"),
    ],
)
def test_the_capabilities_that_a_container_keeps(context: dict[str, Any], has: str, has_not: str) -> None:
    kept = root_rights.capabilities_of({"securityContext": context})
    assert kept is not None
    assert has in kept
    assert has_not not in kept
