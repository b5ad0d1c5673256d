"""A second user of the machine, in the owner's group, tries to get the owner's token, secrets, files and port, while the owner's umask is
0. Each way in docs/security.md is tried, with root's server and with an ordinary user's. Needs root to change the user.
"""

import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import requests

from waiting import until

ORDINARY, STRANGER = 4243, 54321
SYSTEM_PYTHON = "/usr/bin/python3"
VALUE = "planted-value-of-a-secret-5b1f"
TYPED = "planted-typed-token-77c2"
VARIABLE = "planted-variable-a90d"

WORKFLOW = {
    "metadata": {"generateName": "long-", "namespace": "default"},
    "spec": {
        "entrypoint": "main",
        "volumeClaimTemplates": [
            {
                "metadata": {"name": "data"},
                "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
            }
        ],
        "templates": [
            {
                "name": "main",
                "container": {
                    "image": "busybox",
                    "command": ["sh", "-c", "echo $S | tee /tmp/private /data/file; while :; do sleep 0.2; done"],
                    "env": [{"name": "S", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
                    "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                },
            }
        ],
    },
}


class Owner:
    """Runs a server that executes a workflow with a secret, and a client process with a token on its command line."""

    def __init__(self, uid: int) -> None:
        import hera_utils

        self.uid = uid
        self.folder = Path(tempfile.mkdtemp(prefix="hera-utils-owner-", dir="/var/tmp"))
        self.folder.chmod(0o755)  # the folders above the state folder are open: only its own mode protects it
        os.chown(self.folder, uid, uid)
        self.state = self.folder / ".local" / "state" / "hera-utils"
        self.python = sys.executable if uid == 0 else SYSTEM_PYTHON
        paths = [str(Path(hera_utils.__file__).parents[1]), *(one for one in sys.path if one.endswith("site-packages"))]
        self.environ = {
            "PATH": os.environ["PATH"], "HOME": str(self.folder), "PYTHONPATH": os.pathsep.join(paths),
            "PYTHONDONTWRITEBYTECODE": "1", "MY_API_KEY": VARIABLE,
        }  # fmt: skip
        self.begun = time.time()
        self.processes: list[subprocess.Popen[str]] = []

    def options(self, **more):
        """Options of subprocess for a process of the owner."""
        environ = self.environ | more.pop("environ", {})
        user = {"user": self.uid, "group": self.uid, "extra_groups": []} if self.uid else {}
        return {"env": environ, "text": True, "cwd": self.folder, "umask": 0, **user, **more}

    def types(self, *words, **more):
        return subprocess.run(
            [self.python, "-m", "hera_utils", *words],
            capture_output=True, stdin=subprocess.DEVNULL, timeout=120, check=False, **self.options(**more),
        )  # fmt: skip

    def serves(self):
        assert self.types("serve", "--detach").returncode == 0
        return json.loads((self.state / "server.json").read_text())

    def works(self):
        """Start a server with a task that knows the secret; the previous server's token is void."""
        self.void = self.serves()["token"]
        self.types("serve", "--stop")
        self.server = self.serves()
        self.headers = {"Authorization": f"Bearer {self.server['token']}"}
        secret = {"metadata": {"name": "s"}, "stringData": {"k": VALUE}}
        made = requests.post(
            f"{self.server['kubernetes']}/api/v1/namespaces/default/secrets", json=secret, headers=self.headers
        )
        assert made.status_code == 201, made.text
        self.submits()
        program = "import hera_utils, sys, time; print('ready', flush=True); time.sleep(3600)"
        self.processes.append(
            subprocess.Popen(
                [self.python, "-c", program, "--argo_token", TYPED], stdout=subprocess.PIPE, **self.options()
            )
        )
        assert self.processes[-1].stdout.readline() == "ready\n"

    def submits(self):
        runs = f"{self.server['argo_server']}/api/v1/workflows/default"
        name = requests.post(runs, json={"workflow": WORKFLOW}, headers=self.headers).json()["metadata"]["name"]
        self.run = f"{runs}/{name}"

        def has_written():
            phase = requests.get(self.run, headers=self.headers).json()["status"].get("phase")
            assert phase in (None, "Pending", "Running"), phase
            return any(VALUE in log.read_text() for log in self.state.glob("pods/*/main.log"))

        until(has_written)

    def leaves(self):
        for process in self.processes:
            process.kill()
            process.communicate()
        with contextlib.suppress(Exception):
            server = json.loads((self.state / "server.json").read_text())
            headers = {"Authorization": f"Bearer {server['token']}"}
            address = f"{server['argo_server']}/api/v1/workflows/default/{self.run.rpartition('/')[2]}"
            requests.put(f"{address}/terminate", json={}, headers=headers, timeout=30)
            until(lambda: requests.get(address, headers=headers, timeout=30).json()["status"]["phase"] != "Running")
        self.types("serve", "--stop")
        shutil.rmtree(self.folder, ignore_errors=True)


def stranger(program, facts):
    """Run a program as the second user. Returns what it could get, and how often it tried. facts: what every user can find out."""
    done = subprocess.run(
        [SYSTEM_PYTHON, "-I", "-c", _PRELUDE + program, json.dumps(facts)],
        capture_output=True, user=STRANGER, group=STRANGER, extra_groups=[facts["uid"]], cwd="/", timeout=120, check=False, env={},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode("utf-8", "replace"), int(done.stderr.split()[-1])


_PRELUDE = """
import ctypes, glob, json, os, signal, socket, sys, http.client, ssl, base64, hmac, hashlib
facts = json.loads(sys.argv[1])
tries = 0
def get(path):
    global tries
    tries += 1
    try:
        if os.path.isdir(path):
            print(path, os.listdir(path))
        else:
            with open(path, "rb") as file:
                print(path, file.read(1 << 20))
    except (OSError, ValueError) as error:
        print(path, type(error).__name__)
def attempt(what, *arguments):
    global tries
    tries += 1
    try:
        print(what, arguments, what(*arguments))
    except OSError as error:
        print(what, arguments, error.errno)
import atexit
atexit.register(lambda: print(tries, file=sys.stderr))
def owners():
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and os.stat(f"/proc/{name}").st_uid == facts["uid"] and int(name) in facts["pids"]:
                yield int(name)
        except OSError:
            pass
def ask(port, path, headers, tls=False):
    global tries
    tries += 1
    try:
        context = ssl._create_unverified_context() if tls else None
        wire = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=context) if tls else (
            http.client.HTTPConnection("127.0.0.1", port, timeout=20))
        wire.request("GET", path, headers=headers)
        reply = wire.getresponse()
        print("status", reply.status, path, headers, reply.read())
    except (OSError, http.client.HTTPException) as error:
        print(path, type(error).__name__)
PATHS = {"argo_server": ["/api/v1/workflows/default", "/api/v1/info", "/api/v1/archived-workflows", "/api/v1/stream/events/default",
                         "/artifacts/default/x/y/z", "/metrics"],
         "kubernetes": ["/api/v1/namespaces/default/secrets", "/api/v1/namespaces/default/pods", "/api", "/version"],
         "kubernetes_tls": ["/api/v1/namespaces/default/secrets", "/apis"]}
def ask_all(headers):
    for server, paths in PATHS.items():
        for path in paths:
            ask(facts[server], path, headers, server.endswith("tls"))
"""

WAYS = {
    "reads the state folder": """
for name in ("", "server.json", "token", "kubeconfig", "journal.sqlite", "journal.sqlite-wal", "server.log", "tls/server.key", "pods",
             "claims/default", "artifacts", *facts["below"]):
    get(f"{facts['state']}/{name}")
""",
    "goes there through the processes": """
for pid in owners():
    for name in ("cwd", "root" + facts["state"], "root/tmp/private", "root/data/file", "fd", "fdinfo", "map_files"):
        get(f"/proc/{pid}/{name}")
    for number in range(40):
        get(f"/proc/{pid}/fd/{number}")
""",
    "reads environments and memory": """
for pid in owners():
    for name in ("environ", "mem", "maps", "auxv", "stack", "syscall"):
        get(f"/proc/{pid}/{name}")
""",
    "reads the list of processes": """
for pid in owners():
    get(f"/proc/{pid}/cmdline")
    get(f"/proc/{pid}/status")
""",
    "calls without a token": "ask_all({})",
    "calls as a browser on the server's own page": """
ask_all({"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "User-Agent": "Mozilla/5.0"})
ask_all({"Sec-Fetch-Site": "none", "Origin": f"http://127.0.0.1:{facts['argo_server']}"})
""",
    "sends a workflow as that browser, and is gone": """
body = json.dumps({"workflow": {"metadata": {"generateName": "theirs-"}, "spec": {
    "entrypoint": "m", "templates": [{"name": "m", "suspend": {}}]}}})
head = f"POST /api/v1/workflows/default HTTP/1.1\\r\\nHost: 127.0.0.1:{facts['argo_server']}\\r\\nSec-Fetch-Site: same-origin\\r\\n"
for number in range(60):  # a connection without an owner is listed as root's
    end = socket.create_connection(("127.0.0.1", facts["argo_server"]))
    end.sendall(f"{head}Content-Length: {len(body)}\\r\\n\\r\\n{body}".encode())
    if number % 2:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes([1, 0, 0, 0, 0, 0, 0, 0]))
    end.close()
    tries += 1
""",
    "names another host": """
for host in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "localhost:1@evil", "[::1].evil"):
    ask_all({"Host": host, "Sec-Fetch-Site": "same-origin"})
""",
    "forges tokens, and replays a void one": """
def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
for algorithm, key in (("none", None), ("HS256", b""), ("HS256", b"null")):
    head = part({"alg": algorithm, "typ": "JWT"}) + "." + part({"exp": 1 << 40, "sub": "system:serviceaccount:default:default"})
    sign = "" if key is None else base64.urlsafe_b64encode(hmac.new(key, head.encode(), hashlib.sha256).digest()).rstrip(b"=").decode()
    ask_all({"Authorization": f"Bearer {head}.{sign}"})
for word in ("", "null", "Bearer", "*", facts["void"]):
    ask_all({"Authorization": f"Bearer {word}"})
ask_all({"Authorization": "Basic " + base64.b64encode(b"root:").decode(), "Cookie": "authorization=Bearer " + facts["void"]})
""",
    "takes the port of the running server": """
for address in ("127.0.0.1", "0.0.0.0"):
    for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
        for name in ("argo_server", "kubernetes", "kubernetes_tls"):
            one = socket.socket()
            one.setsockopt(socket.SOL_SOCKET, option, 1)
            def take():
                one.bind((address, facts[name]))
                one.listen()
                return "TAKEN"
            attempt(take)
            one.close()
""",
    "connects to sockets and pipes": """
for line in open("/proc/net/unix"):
    name = line.split()[-1]
    if "hera" in name or name.startswith(facts["state"]):
        for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM):
            one = socket.socket(socket.AF_UNIX, kind)
            attempt(one.connect, name.replace("@", "\\0", 1))
attempt(os.open, facts["state"] + "/pods/.wire", os.O_WRONLY | os.O_NONBLOCK)
attempt(os.open, facts["state"] + "/server.lock", os.O_RDWR)
""",
    "signals, stops and traces": """
libc = ctypes.CDLL(None, use_errno=True)
def trace(pid):
    if libc.ptrace(16, pid, 0, 0) == 0:
        return "TRACED"
    raise OSError(ctypes.get_errno(), "ptrace")
for pid in owners():
    for number in (0, signal.SIGSTOP, signal.SIGTERM, signal.SIGKILL):
        attempt(os.kill, pid, number)
    attempt(trace, pid)
""",
    "searches what everybody can read": """
for top in ("/tmp", "/var/tmp", "/dev/shm", "/run"):
    for folder, folders, files in os.walk(top):
        for name in files:
            path = os.path.join(folder, name)
            try:
                found = os.lstat(path)
            except OSError:
                continue
            if found.st_mtime >= facts["begun"] and found.st_uid == facts["uid"] and found.st_size < 1 << 20 and not os.path.islink(path):
                get(path)
tries += 1
""",
}


@pytest.fixture(scope="module", params=[0, ORDINARY], ids=["root", "ordinary"])
def owner(request):
    if os.geteuid() != 0:
        pytest.skip("becomes other users")
    can = subprocess.run([SYSTEM_PYTHON, "-I", "-c", ""], user=STRANGER, group=STRANGER, extra_groups=[], check=False)
    assert can.returncode == 0, f"{SYSTEM_PYTHON} does not start for another user"
    owner = Owner(request.param)
    try:
        owner.works()
        yield owner
    finally:
        owner.leaves()


def facts_of(owner):
    tree = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = dict(map(int, line.split()) for line in tree.splitlines())
    pids = {owner.server["pid"], *(process.pid for process in owner.processes)}
    while more := {pid for pid, parent in parents.items() if parent in pids} - pids:
        pids |= more
    ports = {
        name: int(owner.server[name].rpartition(":")[2]) for name in ("argo_server", "kubernetes", "kubernetes_tls")
    }
    below = [str(path.relative_to(owner.state)) for path in owner.state.glob("pods/*/main.log")]
    below += [str(path.relative_to(owner.state)) for path in owner.state.glob("claims/default/*/file")]
    assert len(pids) >= 3
    assert len(below) >= 2
    return {
        "uid": owner.uid, "state": str(owner.state), "pids": sorted(pids), "below": below, "void": owner.void,
        "begun": owner.begun, **ports,
    }  # fmt: skip


def planted(owner):
    key = (owner.state / "tls" / "server.key").read_text().splitlines()[1]
    encoded = base64.b64encode(VALUE.encode()).decode()
    return {"secret": VALUE, "its encoding": encoded, "typed": TYPED, "variable": VARIABLE, "key": key} | {
        "token": owner.server["token"]
    }


@pytest.mark.parametrize("way", WAYS)
def test_no_way_leads_in(owner, way):
    seen, tries = stranger(WAYS[way], facts_of(owner))
    assert tries >= 1, seen
    for what, text in planted(owner).items():
        assert text not in seen, f"{what} is seen: {seen[:4000]}"
    assert "TAKEN" not in seen
    assert "TRACED" not in seen
    if "ask_all" in WAYS[way]:
        answers = {line.split()[1] for line in seen.splitlines() if line.startswith("status")}
        assert answers
        assert answers <= {"401", "403"}, seen
    os.kill(owner.server["pid"], 0)
    assert requests.get(owner.run, headers=owner.headers).json()["status"]["phase"] == "Running"
    runs = requests.get(owner.run.rpartition("/")[0], headers=owner.headers).json()["items"]
    assert runs
    assert all(run["metadata"]["name"].startswith("long-") for run in runs)


def test_the_searches_find_what_is_there_to_be_found(owner):
    """Otherwise the other tests would prove nothing."""
    canary = owner.folder / "canary"
    canary.write_text("a canary\n")
    os.chown(canary, owner.uid, owner.uid)
    seen, _ = stranger(WAYS["searches what everybody can read"], facts_of(owner))
    assert "a canary" in seen
    seen, _ = stranger(WAYS["reads the list of processes"], facts_of(owner))
    assert "hera_utils" in seen
    assert "********" in seen


def test_root_is_served_while_the_second_user_holds_connections(owner):
    program = """
import socket
held = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(100)]
print("held", flush=True)
sys.stdin.read()
"""
    port = owner.server["argo_server"].rpartition(":")[2]
    with subprocess.Popen(
        [SYSTEM_PYTHON, "-I", "-c", f"import sys{program}", port],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, user=STRANGER, group=STRANGER, extra_groups=[], cwd="/", env={},
    ) as holder:  # fmt: skip
        assert holder.stdout.readline() == "held\n"
        assert requests.get(owner.run, headers=owner.headers, timeout=30).status_code == 200
        holder.communicate("")


@pytest.fixture
def shared():
    """A folder into which everybody may write, like /tmp."""
    folder = Path(tempfile.mkdtemp(prefix="hera-utils-shared-", dir="/var/tmp"))
    folder.chmod(0o1777)
    yield folder
    shutil.rmtree(folder)


def test_a_prepared_state_folder_is_not_taken(owner, shared):
    program = f"""
os.umask(0)
os.makedirs("{shared}/state/tls")
for name in ("token", "server.json", "journal.sqlite", "kubeconfig"):
    open("{shared}/state/" + name, "w").write(json.dumps({{"token": "mine", "argo_server": "http://127.0.0.1:9", "pid": 1}}))
os.symlink(facts["state"], "{shared}/link")
tries = 1
"""
    stranger(program, facts_of(owner))
    for state in ("state", "link"):
        answer = owner.types("connection", environ={"HERA_UTILS_STATE": str(shared / state)})
        assert answer.returncode != 0
        assert "belongs to another user of this machine" in answer.stderr, answer


def test_settings_that_somebody_else_left_in_a_shared_folder_are_not_taken(owner, shared):
    program = f"""
open("{shared}/hera-utils.toml", "w").write('argo_server = "http://127.0.0.1:9"\\nverify_tls = false\\n')
open("{shared}/hera.config", "w").write('proxy = http://127.0.0.1:9\\n')
tries = 1
"""
    stranger(program, facts_of(owner))
    answer = owner.types("ls", cwd=shared, environ={"ARGO_TOKEN": TYPED})
    assert answer.returncode == 2
    assert "belongs to another user of this machine" in answer.stderr
    assert TYPED not in answer.stdout + answer.stderr


LISTENER = """
import socket, sys
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", int(sys.argv[1])))
listener.listen(64)
print("here", flush=True)
while True:
    one, _ = listener.accept()
    one.settimeout(2)
    try:
        sys.stdout.write(repr(one.recv(65536)) + "\\n")
        sys.stdout.flush()
    except OSError:
        pass
    one.close()
"""


def test_the_port_of_a_dead_server_is_told_nothing(owner):
    """The last way: the server is killed. Its successor has another token, and continues the run."""
    old = owner.server
    os.kill(old["pid"], signal.SIGKILL)
    stat = Path(f"/proc/{old['pid']}/stat")
    until(lambda: not stat.exists() or " Z " in stat.read_text())
    port = old["argo_server"].rpartition(":")[2]
    with subprocess.Popen(
        [SYSTEM_PYTHON, "-I", "-c", LISTENER, port],
        stdout=subprocess.PIPE, text=True, user=STRANGER, group=STRANGER, extra_groups=[], cwd="/", env={},
    ) as squatter:  # fmt: skip
        assert squatter.stdout.readline() == "here\n"
        environ = {"ARGO_SERVER": f"127.0.0.1:{port}", "ARGO_SECURE": "false", "ARGO_TOKEN": old["token"]}
        answer = owner.types("ls", environ=environ)
        assert answer.returncode == 0, answer
        owner.server = json.loads((owner.state / "server.json").read_text())
        squatter.kill()
        heard = squatter.stdout.read()
    assert owner.server["token"] != old["token"]
    assert old["token"] not in heard
    assert owner.server["token"] not in heard
    refused = requests.get(
        owner.server["argo_server"] + "/api/v1/workflows/default",
        headers={"Authorization": f"Bearer {old['token']}"},
        timeout=30,
    )
    assert refused.status_code == 401
