"""Unpacking a layer's tar into a folder: which entries are allowed, and their results."""

import gzip
import io
import os
import stat
import subprocess
import tarfile

import pytest
from layer_archives import digest_of, entry, hard_link, link, tar

from hera_utils.errors import ResourceError
from hera_utils.images.config import UnreadableImage
from hera_utils.images.decompress import LayerTooLarge
from hera_utils.images.unpack import LayerLimits, unpack


@pytest.fixture
def unpacked(tmp_path):
    """Unpacks entries over the folders of lower layers, and returns the new folder. The result of the unpacking is in `unpacked.last`."""

    def unpack_entries(*entries, below=(), data=None, limits=None, name="layer"):
        data = tar(*entries) if data is None else data
        folder = tmp_path / name
        folder.mkdir()
        unpack_entries.last = unpack(io.BytesIO(data), folder, below=below, limits=limits)
        return folder

    return unpack_entries


def is_whiteout(path):
    status = os.lstat(path)
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def is_opaque(path):
    return any(os.getxattr(path, name) == b"y" for name in os.listxattr(path) if name.endswith("overlay.opaque"))


def mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


def test_files_folders_and_links(unpacked):
    folder = unpacked(
        entry("./", mode=0o711),
        entry("./usr/", mode=0o750),
        entry("usr/bin/tool", "run", mode=0o755, mtime=1_500_000_000.25),
        link("bin", "usr/bin"),
        hard_link("usr/bin/again", "usr/bin/tool"),
        entry("empty", ""),
    )
    assert (folder / "usr/bin/tool").read_text() == "run"
    assert os.readlink(folder / "bin") == "usr/bin"
    assert os.path.samefile(folder / "usr/bin/again", folder / "usr/bin/tool")
    assert mode(folder / "usr/bin/tool") == 0o755
    assert os.lstat(folder / "usr/bin/tool").st_mtime == 1_500_000_000.25
    assert os.lstat(folder / "usr").st_mtime == 1_600_000_000
    assert unpacked.last.size == 3
    assert unpacked.last.entries == 6


@pytest.mark.parametrize(
    "pack", [bytes, gzip.compress, lambda data: gzip.compress(data[:700]) + gzip.compress(data[700:]) + bytes(99)]
)
def test_each_compression_gives_the_same_digest(unpacked, pack):
    data = tar(entry("a", "1" * 5000))
    folder = unpacked(data=pack(data))
    assert (folder / "a").read_text() == "1" * 5000
    assert unpacked.last.diff_id == digest_of(data)


@pytest.fixture
def below(unpacked):
    return [
        unpacked(entry("etc/passwd", "1"), entry("var/old", "1"), entry("a", "old"), entry("d/old", "1"), name="below")
    ]


def test_a_whiteout_and_an_opaque_folder(unpacked, below):
    more = (entry("etc"), entry("etc/.wh.passwd", ""), entry("var/.wh..wh..opq", ""), entry("var/new", "1"))
    folder = unpacked(*more, below=below)
    assert is_whiteout(folder / "etc" / "passwd")
    assert is_opaque(folder / "var")
    assert os.listdir(folder / "var") == ["new"]


def test_what_nothing_below_shows_needs_no_whiteout(unpacked, below):
    """In a folder that only one layer has, the kernel would show the names of whiteouts."""
    more = (entry("etc/.wh.nothing", ""), entry(".wh.nowhere", ""), entry("x/y/.wh.z", ""), entry("w/.wh..wh..opq", ""))
    assert os.listdir(unpacked(*more, below=below)) == []


@pytest.mark.parametrize("order", [1, -1])
def test_a_layer_hides_files_of_the_layers_below_alone(unpacked, below, order):
    more = [*[entry(".wh.a", ""), entry("a", "new")][::order], *[entry(".wh.d", ""), entry("d/new", "1")][::order]]
    folder = unpacked(*more, below=below)
    assert (folder / "a").read_text() == "new"
    assert is_opaque(folder / "d")
    assert os.listdir(folder / "d") == ["new"]


def test_where_folders_cannot_be_opaque_each_name_has_a_whiteout(unpacked, below, monkeypatch):
    monkeypatch.setattr("hera_utils.images.whiteouts.make_opaque", lambda folder: False)
    folder = unpacked(
        entry("var/.wh..wh..opq", ""),
        entry("var/new", "1"),
        entry(".wh.d", ""),
        entry("d/old/deeper", "1"),
        below=below,
    )
    assert sorted(os.listdir(folder / "var")) == ["new", "old"]
    assert is_whiteout(folder / "var" / "old")
    assert (folder / "d" / "old" / "deeper").read_text() == "1"


def test_everything_below_can_be_hidden(unpacked):
    unpacked(entry(".wh..wh..opq", ""), entry("a", "1"))
    assert unpacked.last.hides_all


def test_of_several_entries_with_one_path_the_last_counts(unpacked):
    folder = unpacked(
        entry("a", "1"),
        entry("b"),
        entry("b/c", "1"),
        link("l", "b"),
        hard_link("second", "a"),
        entry("a", "2"),
        entry("b", "a file"),
        entry("l"),
        entry("l/x", "1"),
    )
    assert (folder / "a").read_text() == "2"
    assert (folder / "second").read_text() == "1"
    assert (folder / "b").read_text() == "a file"
    assert (folder / "l").is_dir()
    assert not (folder / "l").is_symlink()
    assert (folder / "l" / "x").read_text() == "1"


def test_a_folder_that_the_tar_does_not_name_is_as_in_the_layer_below(unpacked):
    lowest = unpacked(entry("tmp", mode=0o1777), entry("home/me", mode=0o700), name="lowest")
    lower = unpacked(entry(".wh.home", ""), below=[lowest], name="lower")
    folder = unpacked(entry("tmp/a", "1"), entry("home/me/a", "1"), below=[lower, lowest])
    assert mode(folder / "tmp") == 0o1777
    assert os.lstat(folder / "tmp").st_mtime == 1_600_000_000
    assert mode(folder / "home" / "me") == 0o755


def test_a_link_in_a_path_leads_within_the_layer(unpacked, tmp_path):
    folder = unpacked(
        entry("usr/lib"), link("lib", "/usr/lib"), link("up", "../../../usr"), entry("lib/a", "1"), entry("up/b", "1")
    )
    assert (folder / "usr" / "lib" / "a").read_text() == "1"
    assert (folder / "usr" / "b").read_text() == "1"


def test_a_sparse_file_keeps_its_holes(unpacked, tmp_path):
    with open(tmp_path / "sparse", "wb") as file:
        file.write(b"begin")
        file.seek(50 << 20)
        file.write(b"end")
    subprocess.run(["tar", "-cSf", tmp_path / "gnu.tar", "-C", tmp_path, "sparse"], check=True)
    for form in ("gnu", "pax"):
        command = ["tar", "-cS", f"--format={form}", "-f", tmp_path / "x.tar", "-C", tmp_path, "sparse"]
        subprocess.run(command, check=True)
        folder = unpacked(data=(tmp_path / "x.tar").read_bytes(), name=form)
        assert (folder / "sparse").read_bytes() == (tmp_path / "sparse").read_bytes()
        assert os.lstat(folder / "sparse").st_blocks * 512 < 1 << 20


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names(unpacked, form):
    name = "/".join(["a" * 120] * 4)
    folder = unpacked(data=tar(entry(name, "1"), link("l", "t" * 300), format=form))
    assert (folder / name).read_text() == "1"
    assert os.readlink(folder / "l") == "t" * 300


def test_names_that_are_not_utf8(unpacked):
    folder = unpacked(data=tar(entry("caf\udce9", "1"), format=tarfile.GNU_FORMAT))
    assert os.listdir(os.fsencode(folder)) == [b"caf\xe9"]


def test_devices_and_pipes_are_left_out_with_a_remark(unpacked):
    folder = unpacked(
        entry("dev/null", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
        entry("dev/wh", type=tarfile.CHRTYPE),
        entry("dev/sda", type=tarfile.BLKTYPE, devmajor=8),
        entry("run/pipe", type=tarfile.FIFOTYPE),
        entry("a", "1"),
    )
    assert os.listdir(folder / "dev") == []
    assert os.listdir(folder / "run") == []
    assert unpacked.last.remarks == ("3 devices left out (dev/null, …)", "1 pipe left out (run/pipe)")


def test_attributes_are_left_out(unpacked):
    info, data = entry("d")
    info.pax_headers = {"SCHILY.xattr.user.overlay.redirect": "/etc", "SCHILY.xattr.trusted.overlay.opaque": "y"}
    assert os.listxattr(unpacked((info, data)) / "d") == []


def test_limits(unpacked):
    with pytest.raises(LayerTooLarge, match="larger than 1 MiB when unpacked"):
        unpacked(entry("a", bytes(2 << 20)), limits=LayerLimits(1 << 20, 10), name="a")
    with pytest.raises(LayerTooLarge, match="more than 10 files"):
        unpacked(*[entry(f"f{n}", "") for n in range(11)], limits=LayerLimits(1 << 20, 10), name="b")


def test_no_compression_that_images_do_not_have(unpacked):
    with pytest.raises(UnreadableImage, match="compressed by xz"):
        unpacked(data=b"\xfd7zXZ\0" + bytes(100))


@pytest.mark.skipif(
    subprocess.run(["sh", "-c", "command -v zstd"], capture_output=True).returncode != 0, reason="there is no zstd"
)
def test_zstd(tmp_path):
    data = tar(entry("a", "1" * 5000))
    (tmp_path / "x.tar").write_bytes(data)
    subprocess.run(["zstd", "-q", tmp_path / "x.tar"], check=True)
    (tmp_path / "layer").mkdir()
    with open(tmp_path / "x.tar.zst", "rb") as packed:
        assert unpack(packed, tmp_path / "layer").diff_id == digest_of(data)
    assert (tmp_path / "layer" / "a").read_text() == "1" * 5000
    (tmp_path / "x.tar.zst").write_bytes((tmp_path / "x.tar.zst").read_bytes()[:-8])
    with open(tmp_path / "x.tar.zst", "rb") as packed, pytest.raises(UnreadableImage, match="not zstd, or is damaged"):
        unpack(packed, tmp_path / "layer")


def test_without_zstd_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(__import__("sys").modules, "zstandard", None)
    monkeypatch.setitem(__import__("sys").modules, "compression.zstd", None)
    (tmp_path / "x").write_bytes(b"\x28\xb5\x2f\xfd" + bytes(20))
    with (
        open(tmp_path / "x", "rb") as packed,
        pytest.raises(ResourceError, match="nothing on this machine can unpack that"),
    ):
        unpack(packed, tmp_path)


def test_a_cut_archive(unpacked):
    data = tar(entry("a", "1" * 5000))
    for number, cut in enumerate((data[:300], data[:2000], gzip.compress(data)[:-20])):
        with pytest.raises(UnreadableImage):
            unpacked(data=cut, name=f"cut-{number}")


def test_an_empty_archive(unpacked):
    assert os.listdir(unpacked(data=b"")) == []
    assert unpacked.last.diff_id == digest_of(b"")
    assert os.listdir(unpacked(data=bytes(10240), name="zeros")) == []


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")


@as_root
def test_owners_and_setuid_bits_by_root(unpacked):
    folder = unpacked(
        entry("sudo", "1", mode=0o4755),
        entry("own", "1", mode=0o6755, uid=1000, gid=42),
        entry("d", uid=70000, mode=0o2775),
        link("l", "x", uid=5),
    )
    assert mode(folder / "sudo") == 0o4755
    assert mode(folder / "own") == 0o6755
    assert (os.lstat(folder / "own").st_uid, os.lstat(folder / "own").st_gid) == (1000, 42)
    assert os.lstat(folder / "d").st_uid == 70000
    assert os.lstat(folder / "l").st_uid == 5
