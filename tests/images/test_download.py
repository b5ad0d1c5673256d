"""Downloads that are cut, slow, killed, on a full disk, or several at once."""

import os
import random
import signal
import subprocess
import sys
import threading

import pytest
from registry_server import Registry, layer, sha256

from hera_utils.errors import PlatformError
from hera_utils.images.faults import RegistryUnreachable
from hera_utils.images.login import Logins
from hera_utils.images.manifest import this_platform
from hera_utils.images.pull import pull
from hera_utils.images.reference import Reference
from hera_utils.images.store import Store
from small_disk import disk, needs_root  # noqa: F401 - a fixture
from waiting import until

ANYBODY = Logins()
LARGE = layer({"large": random.Random(7).randbytes(3_000_000)}, compressed=False)
BLOB = f"/blobs/{sha256(LARGE)}"

PULL = """
import sys
from pathlib import Path
from hera_utils.images.login import Logins
from hera_utils.images.pull import pull
from hera_utils.images.reference import Reference
from hera_utils.images.store import Store
image = pull(Reference.parse(sys.argv[1]), Store(Path(sys.argv[2])), logins=Logins())
print(image.digest)
"""


@pytest.fixture
def registry():
    with Registry() as server:
        yield server


@pytest.fixture
def reference(registry):
    registry.add_image("tool", "v1", [LARGE], platform=this_platform())
    return Reference.parse(f"{registry.host}/tool:v1")


def large_of(image):
    return (image.layers[0] / "large").read_bytes()


def partial(store):
    return store.folder / "partial" / sha256(LARGE).replace(":", "-")


def starts(registry):
    """The first byte of the range of each request for a blob."""
    return [int(request.headers.get("Range", "bytes=0-")[6:-1]) for request in registry.asked(BLOB)]


def starting(reference, store):
    command = [sys.executable, "-c", PULL, str(reference), str(store.folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("redirect", [False, True])
def test_what_is_cut_is_taken_up_where_it_stopped(store, redirect):
    with Registry(redirect=redirect) as registry:
        registry.add_image("tool", "v1", [LARGE], platform=this_platform())
        path = f"store/{sha256(LARGE)}" if redirect else BLOB
        registry.fail(path, cut_after=1_000_000)
        registry.fail(path, cut_after=500_000)
        image = pull(Reference.parse(f"{registry.host}/tool:v1"), store, logins=ANYBODY)
        assert large_of(image) == LARGE[512 : 512 + 3_000_000]
        asked = [int(r.headers.get("Range", "bytes=0-")[6:-1]) for r in registry.asked(path)]
        assert len(asked) == 3
        assert asked[0] == 0
        assert 0 < asked[1] <= 1_000_000
        assert asked[1] < asked[2] <= 1_500_000


def test_a_short_answer_that_seems_whole_is_continued(registry, reference, store):
    registry.fail(BLOB, truncate_to=1000)
    assert pull(reference, store, logins=ANYBODY)
    assert starts(registry) == [0, 1000]


def test_many_cuts_are_no_failure_while_something_comes(registry, reference, store):
    registry.fail(BLOB, cut_after=150_000, times=15)
    assert pull(reference, store, logins=ANYBODY)
    assert len(starts(registry)) == 16


def test_cuts_without_a_byte_between_them_end_in_a_sentence(registry, reference, store):
    registry.fail(BLOB, cut_after=0, times=-1)
    with pytest.raises(
        RegistryUnreachable, match=f"the registry {registry.host} breaks off while it sends {reference}"
    ):
        pull(reference, store, logins=ANYBODY)


def test_a_registry_that_knows_no_ranges_is_asked_from_the_start(registry, reference, store):
    registry.fail(BLOB, cut_after=1_000_000)
    registry.fail(BLOB, ignore_range=True)
    assert pull(reference, store, logins=ANYBODY)
    assert len(starts(registry)) == 2


@pytest.mark.parametrize(
    "before", [b"not the beginning of it", LARGE[:1000] + b"x", LARGE + b"more", LARGE[:-1] + b"x"]
)
def test_a_wrong_beginning_is_found_out_and_replaced(registry, reference, store, before):
    with store.hold_lock(sha256(LARGE)):
        partial(store).write_bytes(before)
    assert pull(reference, store, logins=ANYBODY)
    assert starts(registry)[-1] == 0


def test_a_download_that_was_complete_is_not_asked_for(registry, reference, store):
    with store.hold_lock(sha256(LARGE)):
        partial(store).write_bytes(LARGE)
    assert pull(reference, store, logins=ANYBODY)
    assert starts(registry) == []


def test_after_kill_9_the_next_pull_goes_on(registry, reference, store):
    registry.fail(BLOB, bytes_per_second=1_500_000)
    first = starting(reference, store)
    until(lambda: partial(store).exists() and partial(store).stat().st_size > 600_000)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert store.find(reference) is None
    there = partial(store).stat().st_size
    image = pull(reference, store, logins=ANYBODY)
    assert large_of(image) == LARGE[512 : 512 + 3_000_000]
    assert starts(registry) == [0, there]


def test_of_several_processes_one_pulls_and_the_others_find_the_image(registry, reference, store):
    registry.fail(BLOB, bytes_per_second=3_000_000)
    processes = [starting(reference, store) for _ in range(3)]
    outputs = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], outputs
    assert len({output for output, _ in outputs}) == 1
    assert starts(registry) == [0]
    assert len(registry.asked("GET /v2/tool/manifests")) == 1


def test_two_images_at_once_fetch_their_common_layer_once(registry, reference, store):
    registry.add_image("other", "v1", [LARGE, layer({"b": ""})], platform=this_platform())
    registry.fail(BLOB, bytes_per_second=6_000_000)
    images = []
    threads = [
        threading.Thread(target=lambda name=name: images.append(pull(name, store, logins=ANYBODY)))
        for name in (reference, Reference.parse(f"{registry.host}/other:v1"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({image.layers[0] for image in images}) == 1
    assert starts(registry) == [0]


def test_blobs_come_at_once(registry, store):
    layers = [layer({str(number): random.Random(number).randbytes(400_000)}, compressed=False) for number in range(3)]
    registry.add_image("tool", "v1", layers, platform=this_platform())
    together = threading.Barrier(3, timeout=60)  # no layer is sent before all three are requested
    for content in layers:
        registry.fail(f"/blobs/{sha256(content)}", wait_for=together)
    pull(Reference.parse(f"{registry.host}/tool:v1"), store, logins=ANYBODY)
    assert not together.broken


@needs_root
def test_a_disk_that_becomes_full_is_one_sentence_and_nothing_half_stays(registry, reference, disk):  # noqa: F811
    store = Store(disk.folder / "images")
    registry.fail(BLOB, bytes_per_second=4_000_000)

    def fill(progress):
        if progress.total and progress.done > 500_000:
            disk.fill()

    with pytest.raises(
        PlatformError, match=f"the disk of {store.folder} has no room for the image {reference}"
    ) as caught:
        pull(reference, store, logins=ANYBODY, progress=fill)
    assert "HERA_UTILS_STATE" in caught.value.fix
    assert list((store.folder / "partial").iterdir()) == []
    assert store.find(reference) is None
    disk.empty()
    assert pull(reference, store, logins=ANYBODY)


def test_memory_is_bounded_whatever_the_size(registry, store, tmp_path):
    """Of a layer of 100 MB only a few chunks are in memory."""
    content = tmp_path / "content"
    with content.open("wb") as file:
        for number in range(100):
            file.write(random.Random(number).randbytes(1_000_000))
    tar = tmp_path / "layer.tar"
    subprocess.run(["tar", "-C", str(tmp_path), "-cf", str(tar), "content"], check=True)
    registry.add_image("tool", "small", [layer({"a": ""})], platform=this_platform())
    registry.add_image("tool", "large", [tar], platform=this_platform())

    def peak(tag):
        process = starting(Reference.parse(f"{registry.host}/tool:{tag}"), store)
        output = process.stdout.read(), process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, output
        return usage.ru_maxrss >> 10

    assert peak("large") - peak("small") < 20
