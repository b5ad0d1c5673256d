"""Unpacked layers, stacked as the kernel does it, give the result that the image specification defines."""

import io
import os
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_archives import entry, link, tar

from hera_utils.images import whiteouts
from hera_utils.images.unpack import unpack

# The model: an image is a mapping of paths (tuples of names) to ("folder", mode), ("file", content) or ("link", target).


def is_below(path, top):
    return path[: len(top)] == top and path != top


def without(tree, top, *, itself):
    return {path: node for path, node in tree.items() if not is_below(path, top) and (path != top or not itself)}


class ModelLayer:
    """The content of one archive: its own files (the last entry of a path counts), and the paths that it hides in lower layers."""

    def __init__(self, entries, lower):
        self.tree, self.absent, self.opaque = {}, set(), set()
        for kind, path, value in entries:
            if kind == "absent":
                self.absent.add(path)
            elif kind == "opaque":
                self.opaque.add(path)
            else:
                self._put(kind, path, value, lower)

    def _put(self, kind, path, value, lower):
        for length in range(1, len(path)):
            self.tree.setdefault(
                path[:length],
                lower.get(path[:length]) if lower.get(path[:length], ("",))[0] == "folder" else ("folder", 0o755),
            )
        if kind != "folder" or self.tree.get(path, ("folder",))[0] != "folder":
            self.tree = without(self.tree, path, itself=True)
        self.tree[path] = (kind, value)

    def over(self, lower):
        for path in self.absent:
            lower = without(lower, path, itself=True)
        for path in self.opaque:
            lower = without(lower, path, itself=False)
        for path, node in self.tree.items():
            if node[0] != "folder" or lower.get(path, ("folder",))[0] != "folder":
                lower = without(lower, path, itself=True)
        return {**lower, **self.tree}


def model(layers):
    tree = {}
    for entries in layers:
        tree = ModelLayer(entries, tree).over(tree)
    return tree


def as_entry(kind, path, value):
    name = "/".join(path)
    if kind == "folder":
        return entry(name, mode=value)
    if kind == "file":
        return entry(name, value)
    if kind == "link":
        return link(name, value)
    return entry("/".join((*path[:-1], f".wh.{path[-1]}")) if kind == "absent" else f"{name}/.wh..wh..opq", "")


names = st.sampled_from(["a", "b", "c"])
paths = st.lists(names, min_size=1, max_size=4).map(tuple)
one_entry = st.one_of(
    st.tuples(st.just("folder"), paths, st.sampled_from([0o700, 0o755, 0o1777])),
    st.tuples(st.just("file"), paths, st.sampled_from(["", "1", "two"])),
    st.tuples(st.just("link"), paths, st.sampled_from(["a", "/b", "../c"])),
    st.tuples(st.just("absent"), paths, st.none()),
    st.tuples(st.just("opaque"), st.lists(names, max_size=3).map(tuple), st.none()),
)


def legal(entries):
    """The entries without those that lead through a file or link of the same layer: files are refused, links have tests elsewhere."""
    kept, kinds = [], {}
    for kind, path, value in entries:
        if kind in ("absent", "opaque"):
            kept.append((kind, path, value))
        elif all(kinds.get(path[:length], "folder") == "folder" for length in range(1, len(path))):
            kept.append((kind, path, value))
            if kind != "folder":
                kinds = {known: value for known, value in kinds.items() if not is_below(known, path)}
            kinds[path] = kind
    links = {path for path, kind in kinds.items() if kind == "link"}

    def leads_through_a_link(kind, path):
        return any(path[:length] in links for length in range(1, len(path) + (kind == "opaque")))

    return [one for one in kept if one[0] not in ("absent", "opaque") or not leads_through_a_link(one[0], one[1])]


stacks = st.lists(st.lists(one_entry, max_size=8).map(legal), min_size=1, max_size=4)


def unpacked(layers, top):
    """The folders of the visible layers, lowest first."""
    folders = []
    for number, entries in enumerate(layers):
        folder = top / f"layer-{number}"
        folder.mkdir()
        result = unpack(io.BytesIO(tar(*[as_entry(*one) for one in entries])), folder, below=folders[::-1])
        folders = [*([] if result.hides_all else folders), folder]
    return folders


def read_tree(top):
    tree = {}
    for here, folders, files in os.walk(top):
        for name in (*folders, *files):
            path = os.path.join(here, name)
            status = os.lstat(path)
            node = (
                ("link", os.readlink(path))
                if stat.S_ISLNK(status.st_mode)
                else ("folder", stat.S_IMODE(status.st_mode))
                if stat.S_ISDIR(status.st_mode)
                else ("file", Path(path).read_text())
            )
            tree[tuple(os.path.relpath(path, top).split("/"))] = node
    return tree


def merged(folders):
    """A simple model of the kernel's overlay."""
    tree = {}
    for folder in folders:
        upper, absent, opaque = {}, set(), set()
        for here, names_of_folders, files in os.walk(folder):
            way = () if here == str(folder) else tuple(os.path.relpath(here, folder).split("/"))
            descriptor = os.open(here, os.O_PATH)
            if whiteouts.is_opaque(descriptor):
                opaque.add(way)
            for name in (*names_of_folders, *files):
                path = os.path.join(here, name)
                status = os.lstat(path)
                if whiteouts.is_whiteout(descriptor, name, status):
                    absent.add((*way, name))
                elif stat.S_ISLNK(status.st_mode):
                    upper[(*way, name)] = ("link", os.readlink(path))
                elif stat.S_ISDIR(status.st_mode):
                    upper[(*way, name)] = ("folder", stat.S_IMODE(status.st_mode))
                else:
                    upper[(*way, name)] = ("file", Path(path).read_text())
            os.close(descriptor)
        layer = ModelLayer([], {})
        layer.tree, layer.absent, layer.opaque = upper, absent, opaque
        tree = layer.over(tree)
    return tree


def mounted(folders, top, options):
    for name in ("empty", "merged"):
        (top / name).mkdir(exist_ok=True)
    lower = ":".join(str(folder) for folder in (top / "empty", *folders[::-1]))
    subprocess.run(
        ["mount", "-t", "overlay", "-o", f"ro,lowerdir={lower}{options}", "overlay", top / "merged"], check=True
    )
    try:
        return read_tree(top / "merged")
    finally:
        subprocess.run(["umount", top / "merged"], check=True)


def may_mount():
    if os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory() as folder:
        try:
            (Path(folder) / "layer").mkdir()
            mounted([Path(folder) / "layer"], Path(folder), "")
        except subprocess.CalledProcessError:
            return False
    return True


@settings(max_examples=150, deadline=None)
@given(stacks)
def test_a_stack_of_layers_in_plain_words(layers):
    with tempfile.TemporaryDirectory() as folder:
        assert merged(unpacked(layers, Path(folder))) == model(layers)


@pytest.mark.skipif(not may_mount(), reason="only root may mount overlays")
@settings(max_examples=60, deadline=None)
@given(stacks)
def test_a_stack_of_layers_by_the_kernel(layers):
    with tempfile.TemporaryDirectory() as folder:
        folders = unpacked(layers, Path(folder))
        for options in ("", ",userxattr"):
            assert mounted(folders, Path(folder), options) == model(layers)


@pytest.mark.skipif(not may_mount(), reason="only root may mount overlays")
def test_layers_on_a_disk_that_is_an_overlay(tmp_path):
    """As in a container: such a disk cannot store whiteouts of the usual kind, as it would take them for its own (Linux 6.7 has others)."""
    layers = [
        [("file", ("a", "x"), "1"), ("file", ("a", "y"), "1"), ("file", ("b", "z"), "1")],
        [("absent", ("a", "x"), None), ("opaque", ("b",), None), ("file", ("b", "new"), "2"), ("file", ("c",), "3")],
        [("absent", ("c",), None), ("absent", ("a",), None), ("file", ("a", "newer"), "4")],
    ]
    for name in ("lower", "upper", "work", "disk", "top"):
        (tmp_path / name).mkdir()
    options = ",".join(f"{key}dir={tmp_path}/{key}" for key in ("lower", "upper", "work"))
    subprocess.run(["mount", "-t", "overlay", "-o", options, "overlay", tmp_path / "disk"], check=True)
    try:
        (tmp_path / "disk" / "layers").mkdir()
        folders = unpacked(layers, tmp_path / "disk" / "layers")
        assert (folders[1] / "a" / "x").is_file()
        assert merged(folders) == model(layers)
        if tuple(map(int, os.uname().release.split("-")[0].split(".")[:2])) >= (6, 7):
            for options in ("", ",userxattr"):
                assert mounted(folders, tmp_path / "top", options) == model(layers)
    finally:
        subprocess.run(["umount", tmp_path / "disk"], check=True)
