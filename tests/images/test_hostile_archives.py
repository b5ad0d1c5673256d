"""Malicious archives: each is refused or contained, and nothing outside of the layer's folder changes."""

import contextlib
import gzip
import io
import os
import resource
import stat
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_archives import entry, hard_link, link, tar

from call_counts import calls_of
from hera_utils.errors import HeraUtilsError
from hera_utils.images.config import UnreadableImage
from hera_utils.images.decompress import LayerTooLarge
from hera_utils.images.unpack import LayerLimits, unpack

LIMITS = LayerLimits(64 << 20, 5000)


@pytest.fixture
def place(tmp_path):
    """A folder to unpack into, deep in others that must not change."""
    layer = tmp_path / "store" / "layers" / "one"
    layer.mkdir(parents=True)
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o700)
    (outside / "secret").write_text("untouched")
    (outside / "secret").chmod(0o600)
    (tmp_path / "store" / "secret").write_text("untouched")
    return layer


def snapshot(place):
    """The state of all files around the layer's folder."""
    top = place.parents[2]
    seen = {}
    for here, folders, files in os.walk(top):
        if here == str(place.parent):
            folders.clear()
        for name in (*folders, *files, "."):
            path = os.path.join(here, name)
            status = os.lstat(path)
            content = Path(path).read_bytes() if stat.S_ISREG(status.st_mode) else b""
            seen[path] = (
                status.st_mode,
                status.st_uid,
                status.st_nlink,
                status.st_mtime_ns,
                os.listxattr(path),
                content,
            )
    return seen


def try_to_unpack(place, data):
    """The message of the refusal, or None. Fails when anything around the layer's folder has changed."""
    before = snapshot(place)
    refusal = None
    try:
        unpack(io.BytesIO(data), place, limits=LIMITS)
    except HeraUtilsError as error:
        refusal = str(error)
    assert snapshot(place) == before
    return refusal


def outside(place):
    return str(place.parents[2] / "outside")


def header(name, size, kind, **more):
    """A header's 512 bytes, with a size but no content after it."""
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    for key, value in more.items():
        setattr(info, key, value)
    return info.tobuf(tarfile.GNU_FORMAT)


def with_checksum(block):
    block = bytearray(block)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def pax(text, name="a", kind=b"x", type=tarfile.REGTYPE):
    records = text if isinstance(text, bytes) else text.encode()
    padded = records + bytes(-len(records) % 512)
    return header("pax", len(records), kind) + padded + header(name, 0, type) + bytes(1024)


def record(key, value):
    body = f" {key}={value}\n"
    length = len(body) + 2
    while len(f"{length}{body}") != length:
        length = len(f"{length}{body}")
    return f"{length}{body}"


REFUSED = {
    "a path above the top": (lambda o: tar(entry("../escape", "x")), "leads out of the image"),
    "a path that goes up too far": (lambda o: tar(entry("a/../../escape", "x")), "leads out of the image"),
    "a path of the folder beside": (lambda o: tar(entry("../one-more/escape", "x")), "leads out of the image"),
    "a hard link to an absolute path": (lambda o: tar(hard_link("a", f"{o}/secret")), "no file of this layer"),
    "a hard link upwards": (lambda o: tar(hard_link("a", "../../../outside/secret")), "leads out of the image"),
    "a hard link through a link": (lambda o: tar(link("d", o), hard_link("a", "d/secret")), "no file of this layer"),
    "a hard link to a folder": (lambda o: tar(entry("d"), hard_link("a", "d")), "no file of this layer"),
    "a hard link to the top": (lambda o: tar(hard_link("a", ".")), "no file of this layer"),
    "a hard link to itself": (lambda o: tar(hard_link("a", "a")), "no file of this layer"),
    "a circle of links": (lambda o: tar(link("a", "b"), link("b", "a"), entry("a/x", "1")), "is not a folder"),
    "a file as a folder": (lambda o: tar(entry("a", "1"), entry("a/b", "1")), "is not a folder"),
    "a pipe as a folder": (
        lambda o: tar(entry("a", type=tarfile.FIFOTYPE), entry("a", "1"), entry("a/b", "1")),
        "is not a folder",
    ),
    "a whiteout of nothing": (lambda o: tar(entry(".wh.", "")), "a whole folder is not there"),
    "a whiteout of the top": (lambda o: tar(entry(".wh..", "")), "a whole folder is not there"),
    "a whiteout of the folder above": (lambda o: tar(entry(".wh...", "")), "a whole folder is not there"),
    "a whiteout of a folder's own": (lambda o: tar(entry("d/.wh..", "")), "a whole folder is not there"),
    "a folder that is a whiteout": (lambda o: tar(entry(".wh.a/b", "")), "are reserved"),
    "a file as the top": (lambda o: tar(entry(".", "x")), "in place of the root"),
    "a link as the top": (lambda o: tar(link("./", o)), "in place of the root"),
    "a link to nothing": (lambda o: tar(link("a", "")), "cannot be unpacked"),
    "a name that no disk has": (lambda o: tar(entry("a" * 300, "1")), "cannot be unpacked"),
    "a link that no disk has": (lambda o: tar(link("a", "b" * 5000)), "cannot be unpacked"),
    "folders without end": (lambda o: tar(entry("a/" * 300 + "b", "1")), "more than 256 deep"),
    "folders without end, by links": (
        lambda o: tar(entry("a/" * 200), link("l", "a/" * 200), entry("l/" + "b/" * 200 + "c", "1")),
        "more than 256 deep",
    ),
    "a name with a zero": (lambda o: pax(record("path", "a\0b")), "which is none"),
    "a link with a zero": (lambda o: pax(record("linkpath", "a\0b"), type=tarfile.SYMTYPE), "which is no path"),
    "a negative size": (lambda o: pax(record("size", "-512")), "impossible size"),
    "a size beyond the end": (lambda o: header("a", 1 << 40, tarfile.REGTYPE), "ends in the middle"),
    "a bomb": (
        lambda o: gzip.compress(header("a", 1 << 30, tarfile.REGTYPE) + bytes(200 << 20)),
        "more than this disk has room for",
    ),
    "a bomb behind the end": (lambda o: gzip.compress(bytes(200 << 20)), "more than this disk has room for"),
    "more files than may be": (lambda o: tar(*[entry(f"d{n}") for n in range(5001)]), "more than 5000 files"),
    "a header as large as memory": (
        lambda o: gzip.compress(header("x", 1 << 30, b"x") + bytes(60 << 20)),
        "describes one file",
    ),
    "a long name as large as memory": (
        lambda o: gzip.compress(header("x", 1 << 30, b"L") + bytes(60 << 20)),
        "describes one file",
    ),
    "long names without end": (lambda o: b"".join([header("x", 4, b"L") + b"abc\0" + bytes(508)] * 2000), ""),
    "global headers without end": (
        lambda o: (
            b"".join(pax(record(f"k{n}", "v"), name=f"f{n}", kind=b"g")[:-1024] for n in range(100)) + bytes(1024)
        ),
        "more global headers",
    ),
    "a hole where no file is": (
        lambda o: pax(
            record("GNU.sparse.major", "0")
            + record("GNU.sparse.minor", "1")
            + record("GNU.sparse.map", "5,-9")
            + record("GNU.sparse.size", "10")
        ),
        "holes of a are impossible",
    ),
    "a hole beyond the end": (
        lambda o: pax(
            record("GNU.sparse.major", "0")
            + record("GNU.sparse.minor", "1")
            + record("GNU.sparse.map", "900,9")
            + record("GNU.sparse.size", "10")
        ),
        "holes of a are impossible",
    ),
    "a map of holes that never ends": (
        lambda o: pax(
            record("GNU.sparse.major", "1")
            + record("GNU.sparse.minor", "0")
            + record("GNU.sparse.name", "a")
            + record("GNU.sparse.realsize", "10")
        ),
        "",
    ),
    "a map of holes as large as memory": (
        lambda o: gzip.compress(
            with_checksum(header("a", 0, b"S")[:482] + b"\1" + header("a", 0, b"S")[483:])
            + (struct.pack("504sB7s", b"0" * 504, 1, b"") * 100_000)
        ),
        "describes one file",
    ),
    "a damaged header in the middle": (
        lambda o: tar(entry("a", "1"))[:1024] + b"x" * 512 + bytes(1024),
        "what should be an entry is none",
    ),
    "rubbish behind the gzip data": (lambda o: gzip.compress(tar(entry("a", "1"))) + b"rubbish", "damaged"),
    "no tar": (lambda o: b"MZ" + b"x" * 4000, "damaged"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(place, name):
    make, sentence = REFUSED[name]
    refusal = try_to_unpack(place, make(outside(place)))
    assert refusal is not None
    assert sentence in refusal
    assert len(refusal) < 400
    assert "\0" not in refusal
    assert "Traceback" not in refusal


def test_an_absolute_path_is_one_of_the_image(place):
    assert try_to_unpack(place, tar(entry(f"{outside(place)}/secret", "x"))) is None
    assert (place / outside(place).lstrip("/") / "secret").read_text() == "x"


@pytest.mark.parametrize(
    "target", ["{outside}", "../../../outside", "/../../../../..{outside}", "./x/../../../../outside"]
)
def test_writing_through_a_link_stays_in_the_layer(place, target):
    data = tar(
        entry("x"), link("d", target.format(outside=outside(place))), entry("d/secret", "x"), entry("d/.wh.secret", "")
    )
    try_to_unpack(place, data)
    assert "x" in [path.read_text() for path in place.rglob("secret")]


def test_a_file_over_a_link_replaces_the_link(place):
    secret = f"{outside(place)}/secret"
    assert try_to_unpack(place, tar(link("a", secret), entry("a", "x", mode=0o777, uid=5))) is None
    assert not (place / "a").is_symlink()
    assert (place / "a").read_text() == "x"


def test_a_folder_over_a_link_replaces_the_link(place):
    assert try_to_unpack(place, tar(link("a", outside(place)), entry("a", mode=0o777, uid=5, mtime=5))) is None
    assert not (place / "a").is_symlink()


def test_a_link_over_a_folder_takes_no_time_or_mode(place):
    assert (
        try_to_unpack(place, tar(entry("a", mode=0o777, mtime=5), link("a", outside(place), mode=0o777, uid=5))) is None
    )
    assert (place / "a").is_symlink()


def test_a_hard_link_to_a_link_is_one_more_name_of_the_link(place):
    assert (
        try_to_unpack(place, tar(link("a", f"{outside(place)}/secret"), hard_link("b", "a"), entry("b", "x"))) is None
    )
    assert (place / "a").is_symlink()
    assert (place / "b").read_text() == "x"


def test_opaque_and_absent_through_a_link(place):
    data = tar(link("d", outside(place)), entry("d/.wh..wh..opq", ""), entry("d/.wh.secret", ""))
    assert try_to_unpack(place, data) is None


def test_a_link_that_turns_round_is_followed_anew(place):
    """`l/l` is the link itself by another path, so its former target must not be remembered."""
    assert try_to_unpack(place, tar(link("l", "."), entry("l/x", "1"), entry("l/l"), entry("l/x", "2"))) is None
    assert (place / "x").read_text() == "1"
    assert (place / "l" / "x").read_text() == "2"


def test_a_device_that_forges_a_whiteout_is_left_out(place):
    assert try_to_unpack(place, tar(entry("etc/passwd", type=tarfile.CHRTYPE, devmajor=0, devminor=0))) is None
    assert os.listdir(place / "etc") == []


@pytest.mark.parametrize("at", ["nan", "inf", "-inf", "1e300", "-1e300"])
def test_impossible_times(place, at):
    assert try_to_unpack(place, pax(record("mtime", at))) is None


def test_impossible_owners(place):
    assert (
        try_to_unpack(
            place, tar(entry("a", "1", uid=1 << 40, gid=-5), entry("d", uid=1 << 33), link("l", "x", uid=1 << 33))
        )
        is None
    )
    assert os.lstat(place / "a").st_uid == os.geteuid()


def test_the_holes_of_a_file_take_no_room(place):
    sparse = record("GNU.sparse.major", "0") + record("GNU.sparse.minor", "1") + record("GNU.sparse.map", "0,0")
    try_to_unpack(place, pax(sparse + record("GNU.sparse.size", str(1 << 40))))
    assert os.lstat(place / "a").st_blocks == 0


def test_zeros_take_no_room(place):
    """Compressed, they are a thousandth of their size."""
    content = bytes(3 << 20) + b"x" + bytes(5 << 20)
    info = tarfile.TarInfo("a")
    info.size = len(content)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(info, io.BytesIO(content))
    try_to_unpack(place, gzip.compress(packed.getvalue(), 1))
    assert (place / "a").read_bytes() == content
    assert os.lstat(place / "a").st_blocks * 512 <= 2 << 20


def test_memory_stays_bounded(tmp_path):
    """A file of 400 MB and headers of nearly the allowed size are unpacked by a process that may use 80 MB more than at its start."""
    info = tarfile.TarInfo("big")
    info.size = 400 << 20
    with gzip.open(tmp_path / "layer", "wb", compresslevel=1) as packed:
        for number in range(50):
            packed.write(pax(record("comment", "x" * 900_000), name=f"f{number}")[:-1024])
        packed.write(info.tobuf())
        for _ in range(400):
            packed.write(bytes(1 << 20))
        packed.write(bytes(1024))
    (tmp_path / "to").mkdir()
    code = (
        "import resource, sys; from pathlib import Path; from hera_utils.images.unpack import unpack, LayerLimits\n"
        "size = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize() + (80 << 20)\n"
        "resource.setrlimit(resource.RLIMIT_AS, (size, size))\n"
        "unpack(open(sys.argv[1], 'rb'), Path(sys.argv[2]), limits=LayerLimits(1 << 30, 1000))"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "layer", tmp_path / "to"], check=True)
    assert (tmp_path / "to" / "big").stat().st_size == 400 << 20


def test_a_hostile_archive_costs_no_more_than_its_entries(place):
    """One name is replaced many times, and links lead through links."""

    def cost(times):
        archive = tar(*[entry("d/e/f"), link("d/e/f", "../.."), entry("d/e/f", "1")] * times)
        return calls_of(lambda: try_to_unpack(place, archive))

    assert cost(400) < 2.1 * cost(200)


def test_open_files_do_not_grow(place):
    before = len(os.listdir("/proc/self/fd"))
    for make, _ in list(REFUSED.values())[:24]:
        folder = place / f"x{time.monotonic_ns()}"
        folder.mkdir()
        with pytest.raises((UnreadableImage, LayerTooLarge)):
            unpack(io.BytesIO(make("/nowhere")), folder, limits=LIMITS)
    assert len(os.listdir("/proc/self/fd")) == before
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= before


def records(format):
    """A tar with every kind of entry; a test changes its bytes."""
    info, data = entry("p" * 200, "long")
    info.pax_headers = {"mtime": "1.5", "comment": "c"}
    return tar(
        entry("d", mode=0o700),
        entry("d/a", "1" * 700),
        link("l", "d"),
        hard_link("h", "d/a"),
        entry("d/.wh.x", ""),
        entry("d/.wh..wh..opq", ""),
        entry("n", type=tarfile.CHRTYPE),
        (info, data),
        format=format,
    )


@settings(max_examples=400, deadline=None)
@given(
    changes=st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 255)), max_size=6),
    cut=st.integers(0, 20_000) | st.none(),
    fix_checksums=st.booleans(),
    format=st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]),
)
def test_any_bytes_are_unpacked_or_refused(changes, cut, fix_checksums, format):
    data = bytearray(records(format))
    for position, value in changes:
        data[position % len(data)] = value
    if fix_checksums:
        for start in range(0, len(data), 512):
            block = data[start : start + 512]
            if block[257:262] == b"ustar":
                data[start : start + 512] = with_checksum(block)
    if cut is not None:
        del data[cut:]
    with tempfile.TemporaryDirectory() as top:
        folder = Path(top) / "layer"
        folder.mkdir()
        with contextlib.suppress(HeraUtilsError):
            unpack(io.BytesIO(bytes(data)), folder, limits=LIMITS)
        assert os.listdir(top) == ["layer"]
