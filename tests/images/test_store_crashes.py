"""The store under failures: a process killed at any moment, several processes at once, a full disk, a user who is not root."""

import contextlib
import ctypes
import io
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

import pytest
from layer_archives import add_image, config_of, digest_of, entry, hard_link, link, tar
from test_layer_stack import as_entry, model, read_tree

from hera_utils.errors import PlatformError
from hera_utils.images import store as store_module
from hera_utils.images.archives import import_archive
from hera_utils.images.config import UnreadableImage
from hera_utils.images.decompress import LayerTooLarge
from hera_utils.images.store import Store
from hera_utils.images.unpack import LayerLimits, unpack

sys.path.insert(0, str(Path(__file__).parents[1]))
from small_disk import disk, needs_root  # noqa: F401 (a fixture)

LOWER = tar(
    entry("d"), entry("d/one", "1" * 3000), entry("d/two", "2"), link("l", "d/one"), hard_link("again", "d/two")
)
UPPER = tar(entry("d/.wh.two", ""), entry("d/three", "3"), entry("e"))
OTHER = tar(entry("d/four", "4"))
NAME, MORE = "docker.io/lab/tool:1", "docker.io/lab/tool:2"
NO_PODS = dict


def add_both(store, folder):
    add_image(store, folder, NAME, LOWER, UPPER)
    store.remove(MORE, NO_PODS)
    add_image(store, folder, MORE, LOWER, OTHER)
    store.collect(NO_PODS, older_than=0)


def check_whole(image):
    lower, upper = image.layers
    assert (lower / "d" / "one").read_text() == "1" * 3000
    assert os.readlink(lower / "l") == "d/one"
    assert os.path.samefile(lower / "again", lower / "d" / "two")
    names = sorted(os.listdir(upper / "d"))
    assert names in (["three", "two"], ["four"])


def in_a_child(work):
    """Run `work` in a child process. Returns its exit status, -9 when it was killed. An exception is printed."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os._exit(0)
        except BaseException:  # noqa: BLE001 (the child ends here)
            traceback.print_exc()
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


class Killer:
    """Kills this process at its Nth file operation, counted by audit events of the interpreter."""

    EVENTS = (
        "open",
        "os.mkdir",
        "os.rename",
        "os.remove",
        "os.rmdir",
        "os.link",
        "os.symlink",
        "os.chmod",
        "os.utime",
        "fcntl.flock",
        "os.setxattr",
    )

    def __init__(self, number):
        self.left = number

    def __call__(self, event, arguments):
        if event in self.EVENTS:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def test_killed_at_any_moment(tmp_path):
    """Kill at each step of adding two images and removing one: named images are complete, the next process works, nothing is left."""
    (tmp_path / "packed").mkdir()
    number, killed = 1, 0
    while True:
        folder = tmp_path / f"state-{number}" / "images"

        def work(folder=folder, number=number):
            sys.addaudithook(Killer(number))
            add_both(Store(folder), tmp_path / "packed")

        status = in_a_child(work)
        assert status in (0, -signal.SIGKILL)
        store = Store(folder)
        for image in store.images():
            check_whole(image)
        add_both(store, tmp_path / "packed")
        for name in (NAME, MORE):
            check_whole(store.find(name))
        assert len(list((folder / "layers").iterdir())) == 3
        assert (
            len(
                [
                    path
                    for path in folder.rglob("*")
                    if "layers" not in path.parts and "locks" not in path.parts and path.is_file()
                ]
            )
            == 3 + 2 + 2
        )
        shutil.rmtree(folder.parent)
        if status == 0:
            break
        killed += 1
        number += 1 if number < 40 else 3
    assert killed > 50


def test_a_removal_that_is_killed_leaves_no_half_image(tmp_path):
    number = 1
    while True:
        store = Store(tmp_path / f"state-{number}" / "images")
        add_image(store, tmp_path, NAME, LOWER, UPPER)

        def work(store=store, number=number):
            sys.addaudithook(Killer(number))
            store.remove(NAME, NO_PODS)

        status = in_a_child(work)
        image = store.find(NAME)
        if image is not None:
            check_whole(image)
        add_image(store, tmp_path, NAME, LOWER, UPPER)
        check_whole(store.find(NAME))
        store.collect(NO_PODS, older_than=0)
        assert len(list((store.folder / "layers").iterdir())) == 2
        if status == 0:
            break
        number += 1
    assert number > 5


def test_several_processes_do_the_work_once(tmp_path):
    fork = multiprocessing.get_context("fork")
    barrier, folder, log = fork.Barrier(4), tmp_path / "state" / "images", tmp_path / "log"

    def counted(*arguments, **more):
        with log.open("a") as file:
            file.write("unpacked\n")
        return unpack(*arguments, **more)

    def work(number):
        (tmp_path / f"packed-{number}").mkdir()
        store_module.unpack = counted
        barrier.wait()
        image = add_image(
            Store(folder), tmp_path / f"packed-{number}", f"docker.io/lab/tool:{number % 2}", LOWER, UPPER
        )
        check_whole(image)

    processes = [fork.Process(target=work, args=(number,)) for number in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert log.read_text() == "unpacked\n" * 2
    assert len(Store(folder).images()) == 2


@needs_root
def test_a_full_disk_leaves_nothing_half(disk, tmp_path, monkeypatch):  # noqa: F811
    store = Store(disk.folder / "state" / "images")
    add_image(store, tmp_path, NAME, LOWER, UPPER)
    big = tar(entry("big", os.urandom(8 << 20)))
    disk.fill(4 << 20)
    with pytest.raises(LayerTooLarge, match="more than this disk has room for"):
        add_image(store, tmp_path, MORE, LOWER, big, packed=bytes)
    # The disk fills up during the download.
    monkeypatch.setattr(LayerLimits, "of", lambda folder: LayerLimits(1 << 40, 1000))
    with pytest.raises(PlatformError, match="is full: the image cannot be unpacked"):
        add_image(store, tmp_path, MORE, LOWER, big, packed=bytes)
    assert len(list((store.folder / "layers").iterdir())) == 2
    disk.fill()
    data, config = config_of(OTHER)
    with pytest.raises(PlatformError, match="is full"):
        store.add_blob(digest_of(data), data)
    with pytest.raises(PlatformError, match="is full"):
        store.add_image(MORE, digest=store.find(NAME).digest, config_digest=store.find(NAME).config_digest)
    assert store.blob(digest_of(data)) is None
    assert [image.reference for image in store.images()] == [NAME]
    check_whole(store.find(NAME))
    store.collect(NO_PODS, older_than=0)  # removing needs no disk space
    disk.empty()
    add_image(store, tmp_path, MORE, LOWER, big, packed=bytes)
    assert len(store.images()) == 2


@needs_root
def test_a_full_disk_while_an_archive_is_unpacked(disk, tmp_path):  # noqa: F811
    store = Store(disk.folder / "state" / "images")
    (tmp_path / "x.tar.zst").write_bytes(tar(entry("big", os.urandom(8 << 20))))
    subprocess.run(["gzip", "-k", tmp_path / "x.tar.zst"], check=True)
    store.scratch.mkdir(exist_ok=True)
    disk.fill(1 << 20)
    with pytest.raises(PlatformError, match="is full"):
        import_archive(tmp_path / "x.tar.zst.gz", store)


STACK = [
    [
        ("folder", ("a",), 0o500),
        ("file", ("a", "x"), "1"),
        ("file", ("a", "y"), "1"),
        ("folder", ("b",), 0o755),
        ("file", ("b", "z"), "1"),
    ],
    [("absent", ("a", "x"), None), ("opaque", ("b",), None), ("file", ("b", "new"), "2"), ("file", ("c",), "3")],
    [("absent", ("c",), None), ("absent", ("b",), None), ("file", ("b", "newer"), "4"), ("link", ("l",), "/a")],
]


@pytest.fixture
def open_folder():
    """A folder that any user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="images-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def become_nobody():
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE: otherwise /proc/self still belongs to root


def enter_user_namespace():
    from hera_utils.local_platform.pods.pod import syscalls

    user, group = os.geteuid(), os.getegid()
    syscalls.unshare(syscalls.CLONE_NEWUSER | syscalls.CLONE_NEWNS)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")


@needs_root
@pytest.mark.parametrize("unpacked_by_root", [True, False])
def test_layers_in_a_user_namespace(open_folder, unpacked_by_root):
    """The kernel stacks layers there too, whoever unpacked them; and a user who is not root can remove them."""
    mine = open_folder / "mine"
    mine.mkdir()

    def unpack_all():
        folders = []
        for number, entries in enumerate(STACK):
            folder = mine / f"layer-{number}"
            folder.mkdir()
            unpack(io.BytesIO(tar(*[as_entry(*one) for one in entries])), folder, below=folders[::-1])
            folders.append(folder)

    def work():
        from hera_utils.local_platform.pods.pod import syscalls

        become_nobody()
        if not unpacked_by_root:
            unpack_all()
        for name in ("upper", "work", "merged"):
            (mine / name).mkdir()
        if in_a_child(enter_user_namespace) != 0:
            os._exit(77)
        enter_user_namespace()
        lower = [str(mine / f"layer-{number}") for number in (2, 1, 0)]
        syscalls.overlay(lower, str(mine), str(mine / "merged"), ",userxattr")
        tree = read_tree(mine / "merged")
        expected = model(STACK)
        # Otherwise the folder's owner could not remove its content.
        expected[("a",)] = (
            "folder",
            0o500 if unpacked_by_root else 0o700,
        )
        assert tree == expected
        (mine / "merged" / "a" / "new").write_text("a container may write")
        syscalls.unmount(str(mine / "merged"))
        if not unpacked_by_root:
            for number in range(3):
                shutil.rmtree(mine / f"layer-{number}")

    if unpacked_by_root:
        unpack_all()
        os.chmod(mine, 0o777)
        for here, folders, files in os.walk(mine):  # in root's own user namespace the files would be root's
            for name in (*folders, *files):
                os.chown(os.path.join(here, name), 65534, 65534, follow_symlinks=False)
    else:
        os.chown(mine, 65534, 65534)
    status = in_a_child(work)
    if status == 77:
        pytest.skip("this machine permits no user namespaces")
    assert status == 0


@needs_root
def test_owners_and_setuid_bits_of_another_user_are_not_kept(open_folder):
    mine = open_folder / "mine"
    mine.mkdir()
    os.chown(mine, 65534, 65534)
    data = tar(
        entry("sudo", "1", mode=0o6755),
        entry("other", "1", mode=0o4711, uid=1000, gid=1000),
        entry("closed", mode=0),
        entry("closed/file", "1", mode=0, uid=5),
        entry("closed/inner", mode=0o100),
        entry("closed/inner/deeper", "1"),
        link("l", "x", uid=7),
        entry("etc/shadow", "1", mode=0o640, gid=42),
    )

    def work():
        become_nobody()
        store = Store(mine / "images")
        image = add_image(store, mine, NAME, data)
        (layer,) = image.layers
        assert {os.lstat(path).st_uid for path in layer.rglob("*")} == {65534}
        assert not any(os.lstat(path).st_mode & 0o6000 for path in layer.rglob("*"))
        assert os.lstat(layer / "sudo").st_mode & 0o777 == 0o755
        assert (layer / "closed" / "inner" / "deeper").read_text() == "1"
        store.remove(NAME, NO_PODS)
        assert list((store.folder / "layers").iterdir()) == []

    assert in_a_child(work) == 0


def test_a_disk_that_knows_no_whiteouts_is_a_sentence(tmp_path, monkeypatch):
    store = Store(tmp_path / "images")

    def refused(*_, **__):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "mknod", refused)
    monkeypatch.setattr(os, "setxattr", refused)
    with pytest.raises(PlatformError, match="cannot say that a file of a lower layer is absent"):
        add_image(store, tmp_path, NAME, LOWER, UPPER)
    assert len(list((store.folder / "layers").iterdir())) == 1


def test_a_broken_layer_leaves_nothing(tmp_path):
    store = Store(tmp_path / "images")
    with pytest.raises(UnreadableImage):
        add_image(store, tmp_path, NAME, LOWER, UPPER, packed=lambda data: data[:1500])
    assert list((store.folder / "layers").iterdir()) == []
    assert list((store.folder / "chains").iterdir()) == []
    with contextlib.suppress(UnreadableImage):
        add_image(store, tmp_path, NAME, LOWER, UPPER, packed=lambda data: data + b"x")
    assert store.find(NAME) is None
