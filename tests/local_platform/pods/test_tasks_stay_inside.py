"""Tasks try to escape from their pod: from its files, processes, rights and devices. With stand-ins, images, and as an ordinary user."""

from __future__ import annotations

import ctypes
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hand_made_image import HandMadeImages
from memory_platform import MemoryPlatform
from serving import served
from stage import Stage

from hera_utils.images.table import ImageTable
from hera_utils.local_platform.argo_api.app import argo_app
from hera_utils.local_platform.pods import workers
from hera_utils.local_platform.pods.pod import processes, seccomp

Json = dict[str, Any]

_ATTEMPTS = {
    "this machine's files, through whoever started it": "ls /proc/1/root/ || ls /proc/1/task/*/root/ || ls /proc/1/cwd/",
    "its variables": "cat /proc/1/environ",
    "its files that are open": "for one in /proc/1/fd/*; do test -e $one && exit 0; done; false",
    "its memory": "cat /proc/1/maps || : < /proc/1/mem",
    "another mount": "mount -t tmpfs none /mnt || mount -t proc p /mnt",
    "a mount less": "umount -l / || umount /proc/sys || umount /dev/pts",
    "a device": "mknod /disk b 1 0 || mknod /memory c 1 1",
    "a setting of the kernel": ": >> /proc/sys/kernel/core_pattern || : >> /proc/sys/vm/swappiness || : >> /proc/irq/default_smp_affinity",
    "a key of the kernel": ": >> /proc/sysrq-trigger",
    "what the kernel knows of the machine": "cat /proc/keys /proc/timer_list /proc/interrupts | grep -q .",
    "the kernel's memory": "head -c 1 /proc/kcore | grep -q .",
    "the machine's firmware": "ls -A /sys/firmware | grep -q .",
    "what the kernel traces and keeps": "ls -A /sys/kernel/tracing /sys/kernel/debug /sys/fs/pstore /sys/fs/bpf | grep -q '^[^/]'",
    "a setting below /sys": "mkdir /sys/fs/cgroup/new || : >> /sys/kernel/uevent_helper || touch /sys/new",
    "somebody's terminal": "ls /dev/pts | grep -q '[0-9]'",
    "a shared folder of nobody": "touch /proc/scsi/new || touch /sys/firmware/new || touch /proc/acpi/new",
    "another host name": "echo other > /proc/sys/kernel/hostname",
}


def shell_attempts(attempts: dict[str, str]) -> str:
    """A script that runs each attempt in its own process, and prints those that succeed."""
    return "\n".join(f'({command}) > /dev/null 2>&1 && echo "{what}"' for what, command in attempts.items())


def test_a_task_finds_no_way_out(stage: Stage) -> None:
    pod = stage.shell(shell_attempts(_ATTEMPTS) + "\necho end")
    assert stage.run(pod).phase == "Succeeded"
    assert stage.log(pod) == ["end"]


_TRACING = """
import ctypes, os

library = ctypes.CDLL(None, use_errno=True)
print(library.ptrace(16, os.getppid(), 0, 0), ctypes.get_errno())  # PTRACE_ATTACH
for path in ("/proc/1/root/etc", "/proc/1/cwd/etc", "/proc/1/task"):
    try:
        print(len(os.listdir(path)) and path)
    except OSError as error:
        print(type(error).__name__)
for line in open("/proc/self/status"):
    if line.startswith(("CapPrm", "CapEff", "CapInh", "CapAmb")):
        print(int(line.split()[1], 16) & ~0xA00405FB)
descriptors = {fd: os.path.realpath("/proc/self/fd/" + fd) for fd in os.listdir("/proc/self/fd") if os.path.lexists("/proc/self/fd/" + fd)}
print(sorted(fd for fd, leads_to in descriptors.items() if "libffi" not in leads_to))  # which ctypes may keep open
"""


def test_a_python_task_that_is_a_fork_of_its_worker_has_no_more_rights(stage: Stage) -> None:
    """The fork never executes another program, which would drop its rights."""
    image = isinstance(stage.images, HandMadeImages)
    command = ["python3" if image else sys.executable, "/argo/staging/script"]
    script = {"image": "x", "source": _TRACING}
    pod = stage.pod({"command": command}, template={"script": script})
    assert stage.run(pod).phase == "Succeeded"
    assert stage.log(pod) == [
        *("-1 1", "PermissionError", "PermissionError", "/proc/1/task", "0", "0", "0", "0", "['0', '1', '2']")
    ]


@pytest.mark.parametrize("place", ["task/2/root", "task/3/root", "root", "cwd", "fd/9", "fd/10", "fd/11", "fd/12"])
def test_no_working_folder_is_where_a_link_to_a_process_leads(stage: Stage, tmp_path: Path, place: str) -> None:
    """As in runc's CVE-2024-21626: the worker changes to that folder before the task has dropped its rights."""
    claim = tmp_path / "claim"
    claim.mkdir()
    (claim / "link").symlink_to(f"/proc/1/{place}")
    mounts = [{"name": "v", "mountPath": "/v"}]
    spec = {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]}
    home = [{"name": "HOME", "value": f"/v/link{tmp_path}/made"}]
    for main in ({"workingDir": "/v/link"}, {"workingDir": f"/v/link{tmp_path}/made"}, {"env": home}):
        pod = stage.shell(
            "pwd; ls -a; touch written", main={"volumeMounts": mounts, **main}, spec=spec, claims={"c": str(claim)}
        )
        stage.run(pod)
        assert not [line for line in stage.log(pod) if "claim" in line or "supervisor" in line]
    assert sorted(os.listdir(tmp_path)) == ["claim"]
    assert os.listdir(claim) == ["link"]


def test_a_dev_that_is_a_volume_gives_no_file_of_the_worker(stage: Stage, tmp_path: Path) -> None:
    """A probe's command must not get a file of the worker as its /dev/null."""
    claim = tmp_path / "claim"
    claim.mkdir()
    for number in range(5, 20):
        (claim / f"null{number}").symlink_to(f"/proc/1/fd/{number}")
    secret = tmp_path / "secret"
    secret.write_text("of the machine")
    for target in (*(f"/proc/1/fd/{number}" for number in (8, 9, 10, 11, 12)), f"/proc/1/task/2/root{secret}"):
        (claim / "null").unlink(missing_ok=True)
        (claim / "null").symlink_to(target)
        probe = {"exec": {"command": ["sh", "-c", "echo overwritten >&0; echo overwritten; true"]}}
        main = {"volumeMounts": [{"name": "v", "mountPath": "/dev"}], "readinessProbe": probe}
        pod = stage.shell(
            "read line; echo $line; echo overwritten >&0; sleep 0.3",
            main=main,
            spec={"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]},
            claims={"c": str(claim)},
        )
        assert stage.run(pod).phase == "Succeeded"
        assert "of the machine" not in stage.log(pod)
    assert secret.read_text() == "of the machine"


def test_a_container_with_a_terminal_has_one_of_its_own(stage: Stage) -> None:
    pod = stage.shell("test -t 0 && test -t 1 && ls /dev/pts | tr '\\n' ' '; tty", main={"tty": True})
    assert stage.run(pod).phase == "Succeeded"
    assert "".join(stage.log(pod)).split() == ["0", "ptmx", "/dev/pts/0"]


_PRETENDS = """
import ctypes, http.client, json, os, socket, sys, threading, time
host, port = {address!r}

def call(own_files=False):
    end = socket.create_connection((host, port))
    if own_files:
        ctypes.CDLL(None).unshare(0x400)  # CLONE_FILES
    lines = ["GET /api/v1/version HTTP/1.1", f"Host: 127.0.0.1:{{port}}", "Sec-Fetch-Site: same-origin", "", ""]
    end.sendall("\\r\\n".join(lines).encode())
    if {hides!r}:
        one, other = socket.socketpair(socket.AF_UNIX)
        socket.send_fds(one, [b"x"], [end.fileno()])
        end.close()
        time.sleep(0.3)
        end = socket.socket(fileno=socket.recv_fds(other, 1, 1)[1][0])
    print(end.recv(100).split()[1].decode(), flush=True)

thread = threading.Thread(target=call, args=({own_files!r},))
thread.start()
thread.join()
if {forks!r} and os.fork() == 0:
    if os.fork() == 0:
        os.setsid()
        call()
    os._exit(0)
if {forks!r}:
    os.wait()
    time.sleep(0.5)
"""


@pytest.mark.parametrize("way", ["", "own_files", "hides", "forks"])
def test_no_task_is_taken_for_this_users_browser(stage: Stage, way: str) -> None:
    """docs/decisions/0002-page-without-token.md: a task can send the same headers as a browser."""
    ways = {name: name == way for name in ("own_files", "hides", "forks")}
    with served(argo_app(MemoryPlatform(), "token")) as url:
        program = _PRETENDS.format(address=("127.0.0.1", int(url.rpartition(":")[2])), **ways)
        image = isinstance(stage.images, HandMadeImages)
        pod = stage.pod({"command": ["python3" if image else sys.executable, "-c", program]})
        assert stage.run(pod).phase == "Succeeded", stage.log(pod)
    assert set(stage.log(pod)) == {"401"}


_LEAVES = {
    "shared memory": "import ctypes; assert ctypes.CDLL(None).shmget(77, 4096, 0o1666) >= 0",
    "semaphores": "import ctypes; assert ctypes.CDLL(None).semget(77, 1, 0o1666) >= 0",
    "a queue": "import ctypes; assert ctypes.CDLL(None).msgget(77, 0o1666) >= 0",
    "a queue with a name": "import ctypes; assert ctypes.CDLL(None).mq_open(b'/left', 0o102, 0o666, None) >= 0",
    "a limit of the worker": "import resource; resource.prlimit(1, resource.RLIMIT_NOFILE, (700, 700))",
    "how soon it is killed for memory": "open('/proc/1/oom_score_adj', 'w').write('900')",
    "what a core dump of it holds": "open('/proc/1/coredump_filter', 'w').write('0x7f')",
    "a limit of the fork server": "import os, resource; resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (700, 700))",
    "how soon that is killed for memory": "import os; open(f'/proc/{os.getppid()}/oom_score_adj', 'w').write('900')",
    "what a core dump of that holds": "import os; open(f'/proc/{os.getppid()}/coredump_filter', 'w').write('0x7f')",
}
_SEES = """
import ctypes, os, resource
library = ctypes.CDLL(None)
print(library.shmget(77, 1, 0), library.semget(77, 1, 0), library.msgget(77, 0), library.mq_open(b"/left", 0))
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 700, open("/proc/self/oom_score_adj").read().strip())
print(open("/proc/self/coredump_filter").read().strip())
"""


def test_nothing_but_files_is_left_for_the_next_pod(own_stage: Stage) -> None:
    python = "python3" if isinstance(own_stage.images, HandMadeImages) else sys.executable
    adjusted, dumped = (Path(f"/proc/self/{name}").read_text().strip() for name in ("oom_score_adj", "coredump_filter"))
    for program in _LEAVES.values():
        own_stage.run(own_stage.pod({"command": [python, "-c", program]}))
        for _ in range(3):
            pod = own_stage.pod({"command": [python, "-c", _SEES]})
            assert own_stage.run(pod).phase == "Succeeded"
            assert own_stage.log(pod) == ["-1 -1 -1 -1", f"False {adjusted}", dumped], program


@pytest.mark.skipif(not seccomp.AUDIT, reason="not for this processor")
def test_calls_that_container_runtimes_refuse(stage: Stage) -> None:
    calls = [(number, 0, 0, 0, 0, 0) for number in seccomp.REFUSED]
    program = (
        f"import ctypes\nlibrary = ctypes.CDLL(None, use_errno=True)\nfor call in {calls}:\n"
        "    print(library.syscall(*call), ctypes.get_errno())"
    )
    python = "python3" if isinstance(stage.images, HandMadeImages) else sys.executable
    pod = stage.pod({"command": [python, "-c", program]})
    assert stage.run(pod).phase == "Succeeded"
    assert set(stage.log(pod)) == {"-1 1"}


def python_attempts(stage: Stage, program: str) -> list[str]:
    """The lines that a Python program in a pod prints: what it could reach."""
    python = "python3" if isinstance(stage.images, HandMadeImages) else sys.executable
    pod = stage.pod({"command": [python, "-c", program]})
    assert stage.run(pod).phase == "Succeeded", stage.log(pod)
    return stage.log(pod)


_MOUNTS = """
import ctypes, os
library = ctypes.CDLL(None, use_errno=True)
USER, MOUNTS, PROCESSES, NETWORK, GROUPS = 0x10000000, 0x20000, 0x20000000, 0x40000000, 0x02000000
for kind, flags in (("tmpfs", 0), ("proc", PROCESSES), ("sysfs", NETWORK), ("cgroup2", GROUPS), ("cgroup", GROUPS)):
    for how in (0, 1):  # MS_RDONLY
        if os.fork() == 0:
            options = b"freezer" if kind == "cgroup" else None
            if library.unshare(USER | MOUNTS | flags) == 0 and os.fork() == 0:
                if library.mount(b"none", b"/tmp", kind.encode(), how, options) == 0:
                    print(kind, flush=True)
                os._exit(0)
            while True:
                try:
                    os.wait()
                except ChildProcessError:
                    os._exit(0)
        os.wait()
"""


def test_no_view_of_the_kernel_is_mounted_anew(stage: Stage) -> None:
    """In its own user namespace a task may mount file systems; a new /proc or /sys would not have the limits of the pod's."""
    assert set(python_attempts(stage, _MOUNTS)) <= {"tmpfs"}


@pytest.fixture
def limited_stage(
    tmp_path: Path, images: ImageTable, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Stage]:
    """A stage on a simulated kernel that lacks a feature."""
    start = workers._START.replace(processes.SPAWNER, f"{request.param}; {processes.SPAWNER}")
    monkeypatch.setattr(workers, "_START", start)
    made = Stage(tmp_path / "state", images=images)
    yield made
    made.close()


_NO_OTHER_ROOT = "from pod import syscalls; syscalls._SYS_PIVOT_ROOT = None"
"""Simulates a root that was loaded into memory (initramfs), which pivot_root cannot replace."""
_NOBODY_ANSWERS = "from pod import seccomp; seccomp._NEW_LISTENER = 1 << 30"


@pytest.mark.parametrize("limited_stage", [_NO_OTHER_ROOT], indirect=True)
def test_nor_where_the_root_of_the_machine_stays_below_a_containers(limited_stage: Stage) -> None:
    assert set(python_attempts(limited_stage, _MOUNTS)) <= {"tmpfs"}
    test_a_task_finds_no_way_out(limited_stage)


@pytest.mark.parametrize("limited_stage", [_NOBODY_ANSWERS], indirect=True)
def test_calls_are_refused_also_where_pods_share_ports(limited_stage: Stage) -> None:
    test_calls_that_container_runtimes_refuse(limited_stage)
    assert set(python_attempts(limited_stage, _MOUNTS)) <= {"tmpfs"}
    assert limited_stage.runtime._workers.pods_share_ports


_LISTENS = """
import socket
for family, kind, protocol in ((17, 3, 3 << 8), (17, 2, 3 << 8), (2, 3, 6), (10, 3, 6), (2, 3, 17)):
    try:
        socket.socket(family, kind, protocol)
        print(family, kind, protocol)
    except PermissionError:
        pass
"""


def test_no_task_listens_to_what_other_programs_send(stage: Stage) -> None:
    """The network is this machine's, and its servers' tokens are sent over it."""
    assert python_attempts(stage, _LISTENS) == []


_CHANGES_DEVICES = """
import os, stat
names = [f"/dev/{name}" for name in os.listdir("/dev") if name not in ("fd", "shm", "mqueue", "pts", "ptmx")] + ["/dev"]
for name in (*names, *(f"/proc/self/fd/{fd}" for fd in range(3))):
    if os.path.exists(name) and not stat.S_ISFIFO(os.stat(name).st_mode):
        for change in (lambda: os.chmod(name, 0o600), lambda: os.chown(name, 77, 77), lambda: os.utime(name, (1, 1))):
            try:
                change()
                print(name)
            except OSError:
                pass
open("/dev/null", "w").write("x")
assert open("/dev/zero", "rb").read(1) == b"\\0"
"""


def test_no_task_changes_the_devices_of_this_machine(stage: Stage) -> None:
    """Root of a container may change device files: other users of the machine could no longer open /dev/null."""
    before = {name: os.stat(f"/dev/{name}") for name in ("null", "zero", "full", "random", "urandom", "tty")}
    try:
        assert python_attempts(stage, _CHANGES_DEVICES) == []
    finally:
        for name, status in before.items():
            if os.stat(f"/dev/{name}").st_ctime != status.st_ctime:
                os.chmod(f"/dev/{name}", status.st_mode & 0o777)
                os.chown(f"/dev/{name}", status.st_uid, status.st_gid)
                os.utime(f"/dev/{name}", (status.st_atime, status.st_mtime))


def test_volumes_appear_in_dev_and_nothing_else_is_written_there(stage: Stage, tmp_path: Path) -> None:
    claim = tmp_path / "claim"
    claim.mkdir()
    (claim / "file").write_text("of the claim")
    places = ("/dev/data", "/dev/deep/er", "/dev/shm")
    mounts = [{"name": "c", "mountPath": place} for place in places]
    mounts.append({"name": "d", "mountPath": "/dev/own-device"})
    volumes = [
        {"name": "c", "persistentVolumeClaim": {"claimName": "c"}},
        {"name": "d", "hostPath": {"path": "/dev/zero", "type": "CharDevice"}},
    ]
    script = "".join(f"cat {place}/file; echo; " for place in places)
    script += (
        "head -c 3 /dev/own-device | wc -c; echo x > /dev/null; touch /dev/left || touch /dev/deep/left || echo end"
    )
    for _ in range(2):
        pod = stage.shell(script, main={"volumeMounts": mounts}, spec={"volumes": volumes}, claims={"c": str(claim)})
        assert stage.run(pod).phase == "Succeeded"
        assert [line for line in stage.log(pod) if "touch" not in line] == [*["of the claim"] * 3, "3", "end"]
    pod = stage.shell("ls /dev")
    stage.run(pod)
    assert not {"data", "deep", "own-device"} & set(stage.log(pod))


_CONNECTS = """
import socket
for name in ("{outside}", "{inside}"):
    own = socket.socket(socket.AF_UNIX)
    if name == "{inside}":
        own.bind("\\0" + name)
        own.listen()
    for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM):
        try:
            socket.socket(socket.AF_UNIX, kind).connect("\\0" + name)
            print(name)
        except OSError:
            pass
"""


_LANDLOCK_VERSION = 6
"""The first Landlock version that restricts sockets."""


def _has_landlock() -> bool:
    return int(ctypes.CDLL(None).syscall(444, None, 0, 1)) >= _LANDLOCK_VERSION


@pytest.mark.skipif(not _has_landlock(), reason="this kernel keeps no sockets apart (Linux 6.12)")
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM])
def test_no_task_connects_to_abstract_sockets_of_this_machine(stage: Stage, kind: int) -> None:
    """A desktop's X server listens on such a socket."""
    outside, inside = (f"hera-utils-test-{os.getpid()}-{name}" for name in ("outside", "inside"))
    with socket.socket(socket.AF_UNIX, kind) as server:
        server.bind(f"\0{outside}")
        if kind != socket.SOCK_DGRAM:
            server.listen()
        assert python_attempts(stage, _CONNECTS.format(outside=outside, inside=inside)) == [inside]


_OTHER_WAYS = """
import ctypes, mmap, os, struct
calls = {calls!r}
for number, first in calls:
    code = b"\\x53\\xb8" + struct.pack("<I", number) + b"\\xbb" + struct.pack("<I", first)
    code += b"\\x31\\xc9\\x31\\xd2\\xcd\\x80\\x5b\\xc3"  # int 0x80: as a program of 32 bits
    if os.fork() == 0:
        place = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        place.write(code)
        address = ctypes.addressof(ctypes.c_char.from_buffer(place))
        print(number, ctypes.CFUNCTYPE(ctypes.c_int)(address)(), flush=True)
        os._exit(0)
    os.wait()
"""


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="in this processor's code")
def test_programs_of_32_bits_are_refused_the_same_calls(stage: Stage) -> None:
    keys, unshare = (286, 287, 288, 336, 357, 374, 425), 310
    calls = [*((number, 0) for number in keys), (unshare, 0x12000000)]
    results = python_attempts(stage, _OTHER_WAYS.format(calls=calls))
    assert results in ([], [f"{number} -1" for number, _ in calls])  # a kernel may lack them completely


@pytest.mark.skipif(not seccomp.AUDIT, reason="not for this processor")
def test_calls_whose_arguments_cannot_be_seen_are_unknown(stage: Stage) -> None:
    program = "import ctypes\nlibrary = ctypes.CDLL(None, use_errno=True)\nprint(library.syscall(435, 0, 0), ctypes.get_errno())"
    assert python_attempts(stage, program) == ["-1 38"]


_LEAVES_ITS_NAMESPACE = """
import ctypes, os, time
ctypes.CDLL(None).unshare(0x10020000)  # CLONE_NEWUSER | CLONE_NEWNS
if {forks!r}:
    if os.fork():
        time.sleep(60)
    if os.fork():  # the next one has lost its parent
        os._exit(0)
data = bytearray(120 << 20)
data[::4096] = b"x" * len(data[::4096])
time.sleep(60)
"""


@pytest.mark.parametrize("forks", [False, True])
def test_a_limit_of_memory_counts_in_every_namespace(stage: Stage, forks: bool) -> None:
    python = "python3" if isinstance(stage.images, HandMadeImages) else sys.executable
    command = [python, "-c", _LEAVES_ITS_NAMESPACE.format(forks=forks)]
    pod = stage.pod({"command": command, "resources": {"limits": {"memory": "60Mi"}}})
    end = stage.run(pod, 60)
    assert (end.phase, end.containers[0].reason) == ("Failed", "OOMKilled")
