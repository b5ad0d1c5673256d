"""Artifacts with paths that lead out of them: symbolic links, keys through links, archives with `..`."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from hera_utils.argo.routes import match
from hera_utils.errors import PlatformError
from hera_utils.local_platform.argo_api.artifacts import _listing, path_within
from hera_utils.local_platform.argo_api.artifacts import pack_tgz as sent_as_tar
from hera_utils.local_platform.artifacts.store import ArtifactStore
from hera_utils.local_platform.pods.pod import archives
from hera_utils.local_platform.pods.pod.errors import PodFault
from hera_utils.local_platform.pods.pod.inputs import _change_mode


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    """A store in which a task has stored a folder with links in it. `secret` is outside of the store, `other` is another run."""
    root = tmp_path / "artifacts" / "default"
    folder = root / "run" / "pod" / "folder"
    folder.mkdir(parents=True)
    (root / "other").mkdir()
    (root / "other" / "result").write_text("of another run")
    (tmp_path / "secret").write_text("secret")
    (folder / "plain").write_text("plain")
    (folder / "out").symlink_to(tmp_path)
    (folder / "file").symlink_to(tmp_path / "secret")
    (folder / "other").symlink_to(root / "other")
    (folder / "circle").symlink_to("circle")
    return ArtifactStore(tmp_path, "default")


def test_no_key_goes_through_a_link_of_a_task(store: ArtifactStore) -> None:
    assert store.find({"s3": {"key": "run/pod/folder/plain"}}) is not None
    for key in ("out/secret", "file", "other/result", "circle", "../../../../secret", "../../../../../secret", "a\0b"):
        with pytest.raises(PlatformError, match="leads out of the artifact store"):
            store.find({"s3": {"key": f"run/pod/folder/{key}"}})


def test_nothing_outside_is_served(store: ArtifactStore) -> None:
    folder = store.path("run/pod/folder")
    assert path_within(folder, "plain") == folder / "plain"
    os.mkfifo(folder / "pipe")  # opening the pipe would block for ever
    for below in (
        "out/secret",
        "file",
        "other/result",
        "circle",
        "circle/x",
        "pipe",
        "..",
        "../..",
        "a\0b",
        "x" * 5000,
    ):
        assert path_within(folder, below) is None
    (Path(os.fsdecode(os.fsencode(folder) + b"/\xff\xfe<b>"))).write_text("a name in no encoding")
    assert "%FF%FE%3Cb%3E" in _listing(folder).encode().decode()
    found = match("GET", "/artifact-files/ns/workflows/run/pod/outputs/folder/%FF%FE%3Cb%3E")
    assert found is not None
    listed = path_within(folder, found[1]["file"])
    assert listed is not None
    assert listed.read_text() == "a name in no encoding"


def packed(*entries: tuple[str, str, str]) -> bytes:
    """A tar of (kind, name, content or target)."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        for kind, name, text in entries:
            entry = tarfile.TarInfo(name)
            entry.mode = 0o755
            entry.type = {"file": tarfile.REGTYPE, "link": tarfile.SYMTYPE, "folder": tarfile.DIRTYPE}[kind]
            entry.linkname = text if kind == "link" else ""
            entry.size = len(text) if kind == "file" else 0
            archive.addfile(entry, io.BytesIO(text.encode()))
    return data.getvalue()


DEEP = [("folder", "a/b/c", ""), ("link", "a/b/c/s", "../../..")]


@pytest.mark.parametrize(
    "entries",
    [
        [("file", "../escaped", "x")],
        [("link", "l", "../.."), ("file", "l/escaped", "x")],
        [("link", "l", "/"), ("file", "l/escaped", "x")],
        # `a/b/c/s` is the folder itself, so a link below it climbs further than its path suggests
        [*DEEP, ("link", "a/b/c/s/t", "../../../.."), ("file", "t/escaped", "x")],
        [*DEEP, ("link", "a/b/c/s/t", "../../../.."), ("folder", "t/escaped", "")],
        [*DEEP, ("link", "a/b/c/s/t", "../../../.."), ("link", "t/escaped", "x")],
        [*DEEP, ("link", "a/b/c/s/t", "../../../../outside")],
    ],
)
def test_no_archive_climbs_out(tmp_path: Path, entries: list[tuple[str, str, str]]) -> None:
    place = tmp_path / "pod" / "inputs"
    place.mkdir(parents=True)
    (tmp_path / "archive").write_bytes(packed(*entries))
    with pytest.raises(PodFault):
        archives.unpack(str(tmp_path / "archive"), str(place / "target"), "tar")
    found = [path for path in tmp_path.rglob("escaped") if place / "target.unpacking" not in path.parents]
    assert not found


def test_no_zip_climbs_out_and_links_within_stay(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "zip", "w") as archive:
        archive.writestr("a/../../escaped", "x")
    with pytest.raises(PodFault):
        archives.unpack(str(tmp_path / "zip"), str(tmp_path / "target"), "zip")
    (tmp_path / "tar").write_bytes(packed(("file", "d/real", "x"), ("link", "d/link", "real"), ("folder", "d/e", "")))
    archives.unpack(str(tmp_path / "tar"), str(tmp_path / "good"), "tar")
    assert (tmp_path / "good" / "link").read_text() == "x"


def test_a_mode_is_not_given_to_what_a_link_leads_to(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "private").write_text("x")
    (tmp_path / "private").chmod(0o600)
    (tmp_path / "folder" / "link").symlink_to(tmp_path / "private")
    _change_mode(str(tmp_path / "folder"), 0o755, True)
    assert (tmp_path / "private").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("a/hard", "../../secret"),
        ("a/hard", "/etc/passwd"),
        ("a/hard", "a/up/secret"),
        ("a/hard", "not/there"),
        ("a/hard", "a"),
        ("../hard", "a/file"),
        ("a/up/hard", "a/file"),
        ("a/hard", "a/hard"),
    ],
)
def test_no_hard_link_leads_out(tmp_path: Path, name: str, target: str) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "to" / "a").mkdir(parents=True)
    (tmp_path / "to" / "a" / "up").symlink_to(tmp_path)  # as a task could have created it
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        entry = tarfile.TarInfo("a/file")
        entry.size = 4
        archive.addfile(entry, io.BytesIO(b"file"))
        link = tarfile.TarInfo(name)
        link.type, link.linkname = tarfile.LNKTYPE, target
        archive.addfile(link)
    (tmp_path / "archive.tgz").write_bytes(data.getvalue())
    with pytest.raises(PodFault, match="illegal"):
        archives.untar(str(tmp_path / "archive.tgz"), str(tmp_path / "to"))
    assert sorted(os.listdir(tmp_path)) == ["archive.tgz", "secret", "to"]
    assert os.stat(tmp_path / "secret").st_nlink == 1


def test_the_last_of_several_entries_with_one_name_counts(tmp_path: Path) -> None:
    """A file that replaces a hard link does not change the link's target."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        for name, target, text in (("one", "", b"1"), ("two", "one", b""), ("two", "", b"2"), ("three", "two", b"")):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = (tarfile.LNKTYPE, target) if target else (tarfile.REGTYPE, "")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text))
    (tmp_path / "archive.tgz").write_bytes(data.getvalue())
    (tmp_path / "to").mkdir()
    archives.untar(str(tmp_path / "archive.tgz"), str(tmp_path / "to"))
    assert {one.name: one.read_text() for one in (tmp_path / "to").iterdir()} == {"one": "1", "two": "2", "three": "2"}


def test_a_folder_is_packed_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "below" / ("long" * 50)).mkdir(parents=True)
    (folder / "one").write_bytes(b"x" * 1000)
    (folder / "below" / "same").hardlink_to(folder / "one")
    (folder / "link").symlink_to("one")
    (folder / "empty").write_bytes(b"")
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff")).write_bytes(b"y" * 512)
    os.mkfifo(folder / "pipe")
    with tarfile.open(fileobj=io.BytesIO(b"".join(sent_as_tar(folder, "name"))), mode="r:gz") as archive:
        if hasattr(tarfile, "fully_trusted_filter"):  # since 3.11.4
            archive.extraction_filter = tarfile.fully_trusted_filter
        archive.extractall(tmp_path / "unpacked")
    found = tmp_path / "unpacked" / "name"
    assert sorted(os.listdir(found)) == sorted(os.listdir(folder))
    assert (found / "one").read_bytes() == (found / "below" / "same").read_bytes() == b"x" * 1000
    assert Path(os.fsdecode(os.fsencode(found) + b"/\xff")).read_bytes() == b"y" * 512
    assert os.readlink(found / "link") == "one"
    assert (found / "below" / ("long" * 50)).is_dir()


def test_what_is_packed_is_made_while_it_is_sent(tmp_path: Path) -> None:
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(10**12)  # a sparse file needs no disk space; reading all of it would take hours
    pieces = sent_as_tar(tmp_path / "huge", "huge")
    assert sum(len(next(pieces)) for _ in range(300)) > 10_000
