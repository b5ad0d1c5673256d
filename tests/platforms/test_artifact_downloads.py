"""Artifacts arrive whole or not at all, several at once, and what is there is not asked for again."""

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from bed.faulty_proxy import faulty_proxy
from hera_utils.errors import AccessError, HeraUtilsError, PlatformError, ResourceError
from hera_utils.platforms import artifact_downloads
from hera_utils.platforms.argo_client import ArgoClient
from hera_utils.platforms.artifact_downloads import (
    Artifact,
    SavedArtifact,
    artifacts_of,
    choose_artifacts,
    download,
    legal_file_name,
    unpack_tgz,
)
from hera_utils.platforms.connection import Connection
from hera_utils.results.results import Results

MAKE = """
import os, pathlib
here = pathlib.Path("/tmp/out"); here.mkdir()
(here / "a.bin").write_bytes(bytes(range(256)) * 4096)
(here / "below").mkdir(); (here / "below" / "b.txt").write_text("b")
pathlib.Path("/tmp/raw.bin").write_bytes(os.urandom(1 << 20))
"""


def leaf(name, outputs, source=MAKE, **more):
    return {
        "name": name,
        "script": {"image": "python:3.11", "command": ["python"], "source": source},
        "outputs": outputs,
        **more,
    }


@pytest.fixture
def done(local_platform):
    """A run that left a folder (packed), a binary file (as it is), and the same of three items and of a retried task."""
    outputs = {
        "artifacts": [
            {"name": "folder", "path": "/tmp/out"},
            {"name": "raw", "path": "/tmp/raw.bin", "archive": {"none": {}}},
        ]
    }
    flaky = MAKE + "import sys; sys.exit(0 if '{{retries}}' == '1' else 1)"
    tasks = [
        {"name": "make", "template": "make"},
        {"name": "each", "template": "make", "withItems": ["x/y", "..", "z"]},
        {"name": "flaky", "template": "flaky"},
    ]
    document = {
        "kind": "Workflow",
        "metadata": {"generateName": "leaves-"},
        "spec": {
            "entrypoint": "m",
            "archiveLogs": True,
            "templates": [
                {"name": "m", "dag": {"tasks": tasks}},
                leaf("make", outputs),
                leaf("flaky", outputs, flaky, retryStrategy={"limit": 2}),
            ],
        },
    }
    client = local_platform.client
    found = client.wait(client.create(document)["metadata"]["name"], timeout=60)
    assert found["status"]["phase"] == "Succeeded", found["status"].get("message")
    return found


def sums_fit(folder):
    return subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=folder, check=False).returncode == 0


def test_everything_arrives_and_is_recorded(local_platform, done, tmp_path):
    found = choose_artifacts(artifacts_of(done))
    assert len(found) == 10
    told = []
    saved = download(local_platform.connection, done["metadata"]["name"], found, tmp_path, report=told.append)
    assert sorted(told, key=lambda one: one.path) == sorted(saved, key=lambda one: one.path)
    paths = {one.path for one in saved}
    assert {"make/folder.tgz", "make/raw.bin", "flaky/folder.tgz", "each(0_x_y)/raw.bin"} <= paths
    assert len(paths) == 10
    assert sums_fit(tmp_path)
    with tarfile.open(tmp_path / "make" / "folder.tgz") as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"a.bin", "below/b.txt"} <= names
    record = json.loads((tmp_path / "artifacts.json").read_text())
    assert record["run"] == done["metadata"]["name"]
    assert not list(tmp_path.rglob("*.part"))
    folder = unpack_tgz(tmp_path / "make" / "folder.tgz")
    assert (folder / "a.bin").read_bytes() == bytes(range(256)) * 4096
    assert (folder / "below" / "b.txt").read_text() == "b"


def test_what_is_there_is_not_asked_for_again(local_platform, done, tmp_path):
    name, found = done["metadata"]["name"], choose_artifacts(artifacts_of(done))
    first = download(local_platform.connection, name, found, tmp_path)
    (tmp_path / "make" / "raw.bin").write_bytes(b"spoiled")
    (tmp_path / "flaky" / "folder.tgz").unlink()
    second = download(local_platform.connection, name, found, tmp_path)
    assert second == first
    assert {one.path for one in second if not one.again} == {"make/raw.bin", "flaky/folder.tgz"}
    assert sums_fit(tmp_path)


def test_which_are_wanted(done):
    found = artifacts_of(done)
    assert {one.task for one in choose_artifacts(found, "each")} == {"each(0:x/y)", "each(1:..)", "each(2:z)"}
    assert [one.task for one in choose_artifacts(found, "each(2:z)", "raw")] == ["each(2:z)"]
    assert [one.name for one in choose_artifacts(found, "make", "main-logs")] == ["main-logs"]
    assert not any(one.is_log for one in choose_artifacts(found))
    assert choose_artifacts(found, "nothing") == []


@pytest.mark.parametrize("task", ["[0].make", "a.b(1:x)", "onExit"])
def test_task_of_artifact_as_in_results(task):
    outputs = {"artifacts": [{"name": "out"}]}
    node = {
        "id": "n",
        "name": f"wf{'' if task[0] == '[' else '.'}{task}",
        "type": "Pod",
        "phase": "Succeeded",
        "outputs": outputs,
    }
    document = {"metadata": {"name": "wf"}, "spec": {}, "status": {"phase": "Succeeded", "nodes": {"n": node}}}
    assert (
        [artifact.task for artifact in artifacts_of(document)] == [row.task for row in Results.of([document])] == [task]
    )


def test_through_faults_all_of_it_or_a_sentence(local_platform, done, tmp_path):
    """With answers cut anywhere, an ingress' page or a busy gateway, the bytes are correct or an error is raised."""
    name, found = done["metadata"]["name"], choose_artifacts(artifacts_of(done))
    whole = {one.path: one.sha256 for one in download(local_platform.connection, name, found, tmp_path / "straight")}
    with faulty_proxy(local_platform.connection.argo_server) as proxy:
        through = replace(local_platform.connection, argo_server=proxy.url, process=None, rejoin=None)
        for round_ in range(6):
            proxy.plans = [("cut", 300 + 977 * n * (round_ + 1) % 900_000) for n in range(8)] + [
                ("instead", b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
            ]
            try:
                saved = download(through, name, found, tmp_path / f"faulty{round_}")
            except HeraUtilsError as error:
                assert error.fix  # noqa: PT017
                proxy.plans = []
                saved = download(through, name, found, tmp_path / f"faulty{round_}")
            assert {one.path: one.sha256 for one in saved} == whole


# --- what a server may say, and this machine's does not -----------------------------------------------------------------

DATA = bytes(range(256)) * 3000


@pytest.fixture
def at(double, tmp_path):
    """Downloads the artifact at a path of the double. answers: one per request, the last for all further ones."""

    def bring(*answers, key="run/out.bin"):
        queue = list(answers)
        double.on(
            "GET",
            "/artifacts/lyon/run/node/out",
            lambda exchange: (queue.pop(0) if len(queue) > 1 else queue[0])(exchange),
        )
        return download(double.connection, "run", [Artifact("task", "out", "node", key)], tmp_path)[0]

    return bring


def whole(data=DATA, **headers):
    return lambda exchange: exchange.reply(data, kind="application/octet-stream", **headers)


def cut(at_byte, **headers):
    def answer(exchange):
        exchange.send_response(200)
        exchange.send_header("Content-Length", str(len(DATA)))
        for name, value in headers.items():
            exchange.send_header(name, value)
        exchange.end_headers()
        exchange.wfile.write(DATA[:at_byte])
        exchange.close_connection = True

    return answer


RANGES = {"Accept-Ranges": "bytes", "ETag": '"one"'}


def test_the_rest_is_asked_for_where_the_server_has_ranges(double, at):
    def rest(exchange):
        assert exchange.headers["If-Range"] == '"one"'
        start = int(exchange.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        part = DATA[start:]
        exchange.reply(
            part, 206, "application/octet-stream", **{"Content-Range": f"bytes {start}-{len(DATA) - 1}/{len(DATA)}"}
        )

    saved = at(cut(500_000, **RANGES), rest)
    assert (saved.bytes, saved.sha256) == (len(DATA), hashlib.sha256(DATA).hexdigest())
    assert "Range" not in double.seen[0].headers
    assert double.seen[1].headers["Range"].startswith("bytes=")


def test_a_file_that_changed_meanwhile_begins_anew(at):
    other = DATA[::-1]
    assert at(cut(500_000, **RANGES), whole(other)).sha256 == hashlib.sha256(other).hexdigest()


@pytest.mark.parametrize(
    "headers", [{"Digest": "sha-256=AAAA"}, {"Content-MD5": "AAAA"}, {"Repr-Digest": "sha-256=:AAAA:"}]
)
def test_a_digest_that_does_not_fit(at, headers):
    assert at(whole(**headers), whole()).sha256 == hashlib.sha256(DATA).hexdigest()


def test_a_store_that_breaks_off_in_good_order(at, monkeypatch, tmp_path):
    """Argo's server then says so in the file itself."""
    broken = whole(DATA[:1000] + b"failed to stream artifact: unexpected EOF\n")
    assert at(broken, whole()).bytes == len(DATA)
    monkeypatch.setattr("hera_utils.platforms.artifact_downloads._PAUSES", (0, 0))
    (tmp_path / "task" / "out.bin").unlink()
    with pytest.raises(
        PlatformError, match="task/out cannot be downloaded completely .the server's store closed the connection"
    ) as caught:
        at(broken)
    assert caught.value.fix


def test_an_archive_that_breaks_off(at, tmp_path):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo("../leads-out")
        member.size = len(DATA)
        archive.addfile(member, io.BytesIO(DATA))
    text = packed.getvalue()
    saved = at(whole(text[:-100]), whole(text), key="run/out.tgz")
    assert (saved.path, saved.bytes) == ("task/out.tgz", len(text))
    with pytest.raises(ResourceError, match="cannot be unpacked"):
        unpack_tgz(tmp_path / saved.path)
    assert not (tmp_path.parent / "leads-out").exists()
    assert at(whole(b"\x1f\x8bno gzip at all"), key="").bytes == 16


def test_who_may_not(double, at):
    double.on(
        "GET", "/artifacts/lyon/run/node/out", lambda exchange: exchange.reply(b"Unauthorized\n", 401, "text/plain")
    )
    with pytest.raises(AccessError, match="refuses the token"):
        at(lambda exchange: exchange.reply(b"Unauthorized\n", 401, "text/plain"))


@pytest.mark.parametrize(
    ("name", "file"),
    [("a", "a"), ("each(0:x/y)", "each(0_x_y)"), ("..", "_."), ("", "_"), ("é\n", "é_"), (".hidden", "_hidden")],
)
def test_names_of_files(name, file):
    assert legal_file_name(name) == file


def test_long_names_stay_apart():
    one, other = legal_file_name("x" * 300), legal_file_name("x" * 299 + "y")
    assert one != other
    assert max(len(one), len(other)) <= 200


def test_a_folder_that_cannot_be_written():
    with pytest.raises(ResourceError, match="cannot write into /proc/nowhere"):
        download(Connection("http://a"), "run", [], Path("/proc/nowhere"))


def test_a_client_for_several_namespaces(local_platform, done, tmp_path):
    with ArgoClient(local_platform.connection) as client:
        saved = client.download(done["metadata"]["name"], tmp_path, task="make", artifact="raw")
    assert [one.path for one in saved] == ["make/raw.bin"]


def test_of_an_experiments_run(local_platform, tmp_path):
    import hera_utils

    main = leaf("m", {"artifacts": [{"name": "raw", "path": "/tmp/raw.bin", "archive": {"none": {}}}]})
    document = {
        "kind": "Workflow",
        "metadata": {"generateName": "leaves-"},
        "spec": {"entrypoint": "m", "templates": [main]},
    }
    experiment = hera_utils.Experiment(
        workflow=lambda environment, inputs, layout: document, inputs=hera_utils.Inputs()
    )
    run = hera_utils.ExecutionEngine(local_platform.context).run(experiment)
    (saved,) = run.download(tmp_path / "here")
    assert (tmp_path / "here" / saved.path).stat().st_size == saved.bytes == 1 << 20
    with pytest.raises(ResourceError, match="no output artifact `nothing`"):
        run.download(tmp_path, task="nothing")
    (saved,) = local_platform.run(document).download(tmp_path / "there", artifact="raw")
    assert saved.bytes == 1 << 20


def test_many_threads_keep_one_folder(tmp_path, monkeypatch):
    """Each asks what is there while others write down what came."""
    monkeypatch.setattr(artifact_downloads, "write_atomically", lambda path, content: None)
    keeper, lock = artifact_downloads._DownloadFolder(tmp_path, "run"), threading.Lock()

    def bring(number):
        artifact = Artifact(f"task-{number}", "out", "node")
        assert keeper.saved_before(artifact) is None
        with lock:
            keeper.record(SavedArtifact(artifact, f"{number}", 0, ""))

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as several:
            list(several.map(bring, range(300)))
    finally:
        sys.setswitchinterval(before)
    assert len(keeper._recorded) == 300


def test_hard_links_are_unpacked(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "one").write_text("one")
    os.link(folder / "one", folder / "two")
    with tarfile.open(tmp_path / "linked.tgz", "w:gz") as archive:
        archive.add(folder, "folder")
        assert archive.getmember("folder/two").islnk()
    unpacked = artifact_downloads.unpack_tgz(tmp_path / "linked.tgz")
    assert sorted(one.name for one in unpacked.iterdir()) == ["one", "two"]
    assert (unpacked / "two").read_text() == "one"


@pytest.mark.parametrize(
    "link", ["task", "task/out.bin", "task/out.part", "artifacts.json", "SHA256SUMS", ".artifacts.json.{pid}"]
)
def test_no_link_in_the_folder_is_written_through(at, tmp_path, link):
    """Tasks may write there, where a claim is a folder of the user's: a link of theirs must not lead to the user's own files."""
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.mkdir()
    (outside / "file").write_text("the user's")
    place = tmp_path / link.format(pid=os.getpid())
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(outside if link == "task" else outside / "file")
    if link == "task":
        with pytest.raises(ResourceError, match="cannot write into"):
            at(whole())
    else:
        assert (tmp_path / at(whole()).path).read_bytes() == DATA
    assert [(file.name, file.read_text()) for file in outside.iterdir()] == [("file", "the user's")]


def test_a_record_that_a_task_wrote_names_no_file_elsewhere(at, tmp_path):
    elsewhere = tmp_path.parent / f"{tmp_path.name}-elsewhere"
    elsewhere.write_bytes(DATA)
    known = {"bytes": len(DATA), "sha256": hashlib.sha256(DATA).hexdigest()}
    artifact = {"task": "task", "name": "out", "node": "node", "key": "run/out.bin", "ended": "", "workflow": ""}
    for path in (f"../{elsewhere.name}", str(elsewhere), "task/../../x"):
        record = {"run": "run", "files": [{"path": path, **known, "artifact": artifact}]}
        (tmp_path / "artifacts.json").write_text(json.dumps(record))
        saved = at(whole())
        assert (saved.path, saved.again) == ("task/out.bin", False)


def test_what_is_unpacked_takes_the_place_of_a_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    here = tmp_path / "here"
    here.mkdir()
    (here / "linked").symlink_to(outside)
    (tmp_path / "file").write_text("content")
    for names in (["one"], ["one", "two"]):
        with tarfile.open(here / "linked.tgz", "w:gz") as archive:
            for name in names:
                archive.add(tmp_path / "file", name)
        target = unpack_tgz(here / "linked.tgz")
        assert not target.is_symlink()
        assert not list(outside.iterdir())
        target.unlink() if target.is_file() else None


def test_a_sparse_file_of_any_size_is_no_work(tmp_path: Path) -> None:
    """An archive of some bytes may contain a file of exabytes."""
    file = tmp_path / "sparse"
    with file.open("wb") as holes:
        holes.seek(50 << 30)
        holes.write(b"end")
    subprocess.run(["tar", "--sparse", "-C", tmp_path, "-czf", tmp_path / "sparse.tgz", "sparse"], check=True)
    file.unlink()
    found = unpack_tgz(tmp_path / "sparse.tgz")
    with found.open("rb") as holes:
        holes.seek(50 << 30)
        assert holes.read() == b"end"
    assert found.stat().st_blocks * 512 < 1 << 20
