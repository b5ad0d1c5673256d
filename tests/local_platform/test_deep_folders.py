"""Folders that are too deep for recursive functions. Tasks can create them."""

import os
import subprocess
import sys

import pytest

from hera_utils.deep_folders import files_below, remove_tree
from hera_utils.local_platform.storage import disk

DEPTH = sys.getrecursionlimit() + 100


@pytest.fixture
def deep(tmp_path):
    """A folder with DEPTH levels; every tenth level has a file and a link that leads out."""
    folder, kept = tmp_path / "deep", tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("x")
    folder.mkdir()
    here = os.open(folder, os.O_RDONLY)
    for level in range(DEPTH):
        os.mkdir("a", dir_fd=here)
        if level % 10 == 0:
            os.close(os.open("f", os.O_WRONLY | os.O_CREAT, dir_fd=here))
            os.symlink(kept, "out", dir_fd=here)
        below = os.open("a", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    yield folder
    assert (kept / "file").read_text() == "x"
    subprocess.run(["rm", "-rf", folder], check=True)


def test_a_folder_is_measured_with_its_folders(tmp_path):
    """Of many small pods, gc announced half of what it frees."""
    for number in range(9):
        (tmp_path / "pods" / str(number)).mkdir(parents=True)
        (tmp_path / "pods" / str(number) / "main.log").write_text("x")
    counted = subprocess.run(["du", "-s", "-B1", tmp_path / "pods"], stdout=subprocess.PIPE, text=True, check=True)
    assert disk.bytes_of(tmp_path / "pods") == int(counted.stdout.split()[0])


def test_a_deep_folder_is_measured_and_removed_whole_and_no_link_is_followed(deep):
    assert disk.bytes_of(deep) >= 0
    assert len(list(files_below(deep))) == 2 * -(-DEPTH // 10)
    remove_tree(deep)
    assert not deep.exists()


def test_what_is_not_there_is_no_failure(tmp_path):
    remove_tree(tmp_path / "none")
    assert list(files_below(tmp_path / "none")) == []
