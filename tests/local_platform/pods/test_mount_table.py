"""The kernel's table of mounts is parsed correctly for any name of a mount point."""

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hera_utils.local_platform.pods.pod.mount_table import MountEntry, mounted, parse

ODD = "a b\tc\nd\\e\\040f é\r\x0b\u2028 - g"


def kernels(name: str) -> str:
    """A name as the kernel writes it (seq_path, proc(5))."""
    return "".join(f"\\{ord(one):03o}" if one in " \t\n\\" else one for one in name)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue",
            MountEntry("98:0", "/mnt1", "/mnt2", "ext3", False),
        ),
        ("1 0 0:5 / /a\\040b ro - tmpfs tmpfs rw", MountEntry("0:5", "/", "/a b", "tmpfs", True)),
        ("1 0 0:5 /x\\134040 /y rw shared:1 master:2 - fuse.a  ro", MountEntry("0:5", "/x\\040", "/y", "fuse.a", True)),
        ("1 0 0:5 / /prow rw - tmpfs ro rw,root=ro", MountEntry("0:5", "/", "/prow", "tmpfs", False)),
    ],
)
def test_a_line(line: str, expected: MountEntry) -> None:
    assert parse(line) == expected


names = st.text(st.characters(exclude_categories=()), min_size=1).map(lambda text: "/" + text.replace("\0", ""))


@given(root=names, place=names)
def test_any_name(root: str, place: str) -> None:
    found = parse(f"1 0 0:5 {kernels(root)} {kernels(place)} rw - tmpfs none rw")
    assert (found.root, found.place) == (root, place)


def test_the_table_of_this_process() -> None:
    assert "proc" in {mount.kind for mount in mounted() if mount.place == "/proc"}


PROGRAM = """
import os, sys
from hera_utils.local_platform.pods.pod import mount_table, shared_mounts, syscalls

syscalls.unshare(syscalls.CLONE_NEWNS)
syscalls.mount("none", "/", None, syscalls.MS_REC | syscalls.MS_SLAVE)
syscalls.mount("tmpfs", "/srv", "tmpfs")
place = "/srv/" + sys.argv[1]
os.mkdir(place)
syscalls.mount("tmpfs", place, "tmpfs", syscalls.MS_RDONLY)
assert mount_table.mounted()[-1][2:] == (place, "tmpfs", True), mount_table.mounted()
assert shared_mounts._real_mounts()[place] is True
"""


@pytest.mark.skipif(os.getuid() != 0, reason="already an ordinary user: only root may mount")
@pytest.mark.parametrize("name", [ODD, os.fsdecode(b"\xff")])
def test_a_mount_point_with_an_odd_name(name: str) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, name], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
