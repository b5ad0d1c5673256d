"""The server's process in the foreground: sockets, the platform, its applications, and when to stop."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gc
import json
import logging
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from hera_utils.argo import timestamps
from hera_utils.errors import HeraUtilsError, PlatformError
from hera_utils.local_platform import this_machine
from hera_utils.local_platform.serving.certificate import Certificate, certificate
from hera_utils.local_platform.state_folder import HeldFolder
from hera_utils.server_json import read_server_json
from hera_utils.whole_files import write_atomically
from hera_utils.wording import system_reason

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp, Receive, Scope, Send

    from hera_utils.local_platform.platform import LocalPlatform
    from hera_utils.local_platform.serving.connections import Connections

log = logging.getLogger(__name__)
Json = dict[str, Any]
ARGO_PORT = 2746
"""Argo's own port: the default when it is free."""
IDLE_SECONDS = 30 * 60.0
FOLDER_SECONDS = 1.0
"""Pause between two checks whether the state folder still exists."""
HANDLER_THREADS = 24
SWITCH_SECONDS = 0.001
"""Python's switch interval between threads. Its default of 5 ms is longer than a small task: the controller, busy with a turn, would
keep the runtime from starting the next task."""

COLLECTIONS = 20_000, 5, 1_000_000
"""Thresholds of Python's garbage collector; the last means that it never collects the oldest generation by itself: all threads stand
still meanwhile, and a run of 50,000 nodes has two million objects. The controller decides when to do that."""


@dataclass(frozen=True)
class Serving:
    """Where the server listens. port, kubernetes_port: None means any free port (for `port` Argo's own, if it is free)."""

    host: str = "127.0.0.1"
    port: int | None = None
    kubernetes_port: int | None = None
    namespace: str = "default"
    idle_seconds: float = IDLE_SECONDS


def import_modules() -> None:
    """Import what every server needs, before it is known which folder it serves."""
    import hera_utils.images.table
    import hera_utils.local_platform.agents
    import hera_utils.local_platform.argo_api.app
    import hera_utils.local_platform.argo_api.workflows
    import hera_utils.local_platform.platform
    import hera_utils.local_platform.pods.process
    import hera_utils.local_platform.serving.connections
    import hera_utils.local_platform.serving.tls_or_plain  # noqa: F401


def run(state: Path, serving: Serving, lock: IO[bytes], *, version: str, ready: Callable[[Json], None]) -> None:
    """Serve until a signal comes or the server was idle for `idle_seconds`. `ready` is called with the content of server.json.

    lock: the state folder's lock, which the caller holds. Raises PlatformError when the server cannot start.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.set_threshold(*COLLECTIONS)
    this_machine.share_memory()
    sockets = _listen(serving)
    from hera_utils.local_platform.platform import LocalPlatform

    platform = LocalPlatform(state)
    try:
        server_json = _write_files(state, serving, sockets, version)
        held = HeldFolder(state, lock)
        asyncio.run(_serve(platform, serving, sockets, server_json, ready, held))
    finally:
        _remove_own_server_json(state)
        platform.close()
        for listener in sockets:
            listener.close()


def _remove_own_server_json(state: Path) -> None:
    """Remove server.json if it is this process's: where the folder was removed, the file may be the next server's."""
    if read_server_json(state).get("pid") == os.getpid():
        with contextlib.suppress(OSError):
            (state / "server.json").unlink()


def _listen(serving: Serving) -> list[socket.socket]:
    """Listening sockets: for Argo, for Kubernetes in plain HTTP, for Kubernetes in TLS."""
    if serving.host not in ("127.0.0.1", "localhost"):
        raise PlatformError(
            f"the local platform listens to this machine only, not to {serving.host}",
            fix="use 127.0.0.1, or leave it out",
        )
    _check_loopback()
    sockets: list[socket.socket] = []
    try:
        if serving.port is None:
            try:
                sockets.append(_bind(ARGO_PORT))
            except OSError:
                sockets.append(_bind(0))
        else:
            sockets.append(_bind_exactly(serving.port, "--port"))
        port = serving.kubernetes_port
        sockets.append(_bind(0) if port is None else _bind_exactly(port, "--kubernetes-port"))
        sockets.append(_bind(0))
    except BaseException:
        for listener in sockets:
            listener.close()
        raise
    return sockets


def _check_loopback() -> None:
    """Raise PlatformError on a machine, or in a network namespace, where no process could connect to 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("127.0.0.1", 9))  # only looks for a route: nothing is sent
        except OSError as error:
            raise PlatformError(
                f"this machine has no way to 127.0.0.1, where the local platform listens ({system_reason(error)})",
                fix="bring its loopback interface up, as root: ip address add 127.0.0.1/8 dev lo; ip link set lo up",
            ) from error


def _bind(port: int) -> socket.socket:
    # The protocol is named: asyncio turns off Nagle's algorithm (40 ms for each answer) only for sockets that say they are TCP.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(256)
    except BaseException:
        listener.close()
        raise
    return listener


def _bind_exactly(port: int, flag: str) -> socket.socket:
    try:
        return _bind(port)
    except PermissionError as error:
        raise PlatformError(
            f"port {port} needs administrator permissions", fix=f"choose one above 1023 with {flag}"
        ) from error
    except (OSError, OverflowError) as error:
        raise PlatformError(
            f"port {port} of 127.0.0.1 is in use", fix=f"choose another one with {flag}, or leave it out for a free one"
        ) from error


def _write_files(state: Path, serving: Serving, sockets: list[socket.socket], version: str) -> Json:
    """The content of server.json. The token is new with each start: one sent to another process on a dead server's port is void."""
    from hera_utils.images.table import ImageTable

    argo, plain, tls = (listener.getsockname()[1] for listener in sockets)
    token = secrets.token_urlsafe(32)
    try:
        (state / "token").unlink(missing_ok=True)  # an older version kept its token there
        paths = certificate(state / "tls")
        kubeconfig = state / "kubeconfig"
        write_atomically(
            kubeconfig, _kubeconfig(f"https://127.0.0.1:{tls}", paths, token, serving.namespace).encode(), mode=0o600
        )
    except OSError as error:
        from hera_utils.local_platform.storage.journal import failure

        raise failure(state / "journal.sqlite", error) from error
    return {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "started": timestamps.text(time.time()),
        "version": version,
        "argo_server": f"http://127.0.0.1:{argo}",
        "images": ImageTable.from_environment(os.environ).entries(),
        "kubernetes": f"http://127.0.0.1:{plain}",
        "kubernetes_tls": f"https://127.0.0.1:{tls}",
        "namespace": serving.namespace,
        "token": token,
        "kubeconfig": str(kubeconfig),
    }


def _kubeconfig(address: str, paths: Certificate, token: str, namespace: str) -> str:
    """A kubeconfig; JSON is YAML too."""
    authority = base64.b64encode(paths.authority.read_bytes()).decode("ascii")
    name = "hera-utils"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": address, "certificate-authority-data": authority}}],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": namespace}}],
        "current-context": name,
    }
    return json.dumps(config, indent=2) + "\n"


class Attention:
    """Records when a client last called and how many calls are in progress. Wraps the applications."""

    def __init__(self) -> None:
        self.last = time.monotonic()
        self.open = 0

    def around(self, app: ASGIApp) -> ASGIApp:
        async def attentive(scope: Scope, receive: Receive, send: Send) -> None:
            self.open += 1
            try:
                await app(scope, receive, send)
            finally:
                self.open -= 1
                self.last = time.monotonic()

        return attentive

    def idle_since(self) -> float:
        """Seconds since the last call ended, 0 while one is in progress."""
        return 0.0 if self.open else time.monotonic() - self.last


async def _serve(
    platform: LocalPlatform,
    serving: Serving,
    sockets: list[socket.socket],
    server_json: Json,
    ready: Callable[[Json], None],
    held: HeldFolder,
) -> None:
    from hera_utils.local_platform.argo_api.app import argo_app
    from hera_utils.local_platform.serving.connections import Connections

    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(HANDLER_THREADS, thread_name_prefix="handler"))
    attention = Attention()
    state = platform.state
    token = str(server_json["token"])
    tls = certificate(state / "tls")
    argo = attention.around(argo_app(platform, token))
    kubernetes = attention.around(_kubernetes_app(platform, token))
    connections = Connections()
    servers = [_server(argo, connections, tls), _server(kubernetes, connections), _server(kubernetes, connections, tls)]

    def stop() -> None:
        for server in servers:
            if server.should_exit:
                server.force_exit = True
            server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        with contextlib.suppress(NotImplementedError, ValueError):
            loop.add_signal_handler(number, stop)
    tasks = [
        asyncio.ensure_future(server.serve(sockets=[listener]))
        for server, listener in zip(servers, sockets, strict=True)
    ]
    while not all(server.started for server in servers):
        await asyncio.sleep(0.002)
        for task in tasks:
            if task.done():
                task.result()
    write_atomically(state / "server.json", (json.dumps(server_json, indent=2) + "\n").encode(), mode=0o600)
    ready(server_json)
    platform.prepare()
    rehearsal = loop.run_in_executor(None, _rehearse, platform)
    watchers = [
        asyncio.ensure_future(_watch_idleness(platform, attention, serving.idle_seconds, stop)),
        asyncio.ensure_future(_watch_folder(platform, held, stop)),
        asyncio.ensure_future(_end_late(connections)),
    ]
    await asyncio.gather(*tasks)
    await rehearsal
    for watcher in watchers:
        watcher.cancel()


def _rehearse(platform: LocalPlatform) -> None:
    """Submit a workflow as a dry run, so that modules and tables that are created at first use are ready for the first real one. The
    client that started this server is usually still importing Hera meanwhile.
    """
    from hera_utils.local_platform.argo_api import workflows  # noqa: F401

    arguments = {"parameters": [{"name": "n", "value": "{{item}}"}]}
    task = {"name": "task", "template": "echo", "withItems": [1], "arguments": arguments}
    container = {"image": "busybox", "command": ["echo", "{{inputs.parameters.n}}"]}
    templates = [
        {"name": "main", "dag": {"tasks": [task]}},
        {"name": "echo", "inputs": {"parameters": [{"name": "n"}]}, "container": container},
    ]
    workflow = {"metadata": {"generateName": "rehearsal-"}, "spec": {"entrypoint": "main", "templates": templates}}
    try:
        platform.submit("default", workflow, dry_run=True)
    except HeraUtilsError as error:  # a full disk, for example: the first real workflow reports it
        log.warning("the first workflow will take a moment longer: %s", error)


async def _end_late(connections: Connections) -> None:
    while True:
        await asyncio.sleep(5.0)
        connections.close_late()


async def _watch_idleness(
    platform: LocalPlatform, attention: Attention, idle_seconds: float, stop: Callable[[], None]
) -> None:
    """Stop the server when neither a client nor a run has needed it for `idle_seconds`."""
    last_busy = time.monotonic()
    while True:
        await asyncio.sleep(min(10.0, idle_seconds / 4))
        if platform.busy():
            last_busy = time.monotonic()
        if min(attention.idle_since(), time.monotonic() - last_busy) >= idle_seconds:
            stop()
            return


async def _watch_folder(platform: LocalPlatform, held: HeldFolder, stop: Callable[[], None]) -> None:
    """Stop the server when its folder is removed or moved: its work from then on would be lost. Where it was removed, pods are ended
    too, because nobody could find them any more.
    """
    while not (loss := held.loss()):
        await asyncio.sleep(FOLDER_SECONDS)
    log.error("the state folder %s was %s: this server ends", platform.state, loss)
    if loss == "removed":
        platform.end_pods()
    stop()


def _kubernetes_app(platform: LocalPlatform, token: str) -> ASGIApp:
    """The Kubernetes API, imported at the first request: most runs send none."""

    @cache
    def kubernetes() -> ASGIApp:
        from hera_utils.local_platform.kubernetes_api.app import kubernetes_app

        return kubernetes_app(platform, token)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await kubernetes()(scope, receive, send)

    return app


def _server(app: ASGIApp, connections: Connections, tls: Certificate | None = None) -> uvicorn.Server:
    """The server of one port. With tls it speaks TLS with clients that begin a handshake, and plain HTTP with the others."""
    import uvicorn

    from hera_utils.local_platform.serving.connections import BoundedHttp

    options: Json = {"ssl_certfile": str(tls.server), "ssl_keyfile": str(tls.key)} if tls is not None else {}
    config = uvicorn.Config(
        app, http=BoundedHttp, lifespan="off", log_config=None, access_log=False, ws="none", server_header=False, loop="asyncio",
        timeout_graceful_shutdown=1, timeout_keep_alive=75, **options,
    )  # fmt: skip
    server = uvicorn.Server(config)
    server.startup = partial(_startup, server, connections)
    server.capture_signals = contextlib.nullcontext  # one server among several in a loop: signals are the process's
    return server


async def _startup(server: uvicorn.Server, connections: Connections, sockets: list[socket.socket]) -> None:
    """Replaces uvicorn's `startup`: each port speaks TLS and plain HTTP, and its connections are counted."""
    from hera_utils.local_platform.serving.tls_or_plain import TlsOrPlain

    config = server.config
    speaks = partial(
        config.http_protocol_class, config=config, server_state=server.server_state, app_state={}, ledger=connections
    )
    server.servers = [TlsOrPlain(listener, speaks, config.ssl, config.backlog, connections) for listener in sockets]
    server.started = True
