"""The process that holds a bed: starts its parts, renews the controller's lease, and ends everything when nobody needs it.

    python -m bed.keeper FOLDER

FOLDER/bed.json says what stands (0600). Who uses the bed holds a shared lock of FOLDER/users.lock; when nobody has held it for
LINGER seconds the bed ends, and its files go. While there is a FOLDER/stay it ends on SIGTERM alone.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import ssl
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from . import world
from .api import Api, ApiError
from .build import build
from .certificates import private
from .front import Behind, Bouncer, Bridge, front
from .handle import ARGO, Bed
from .parts import ControlPlane

LINGER = 15.0
RENEW_EVERY = 5.0
NAMESPACE = "experiments"


class Keeper:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.own = Path(tempfile.mkdtemp(prefix="run-", dir=folder))
        self.plane = ControlPlane(build(), self.own)
        self.over = threading.Event()

    def run(self) -> None:
        signal.signal(signal.SIGTERM, lambda *_: self.over.set())
        signal.signal(signal.SIGINT, lambda *_: self.over.set())
        with ExitStack() as stack:
            stack.callback(self._leave)
            local = self._local(stack)
            stack.callback(self.plane.stop)
            self.plane.start()
            bed = Bed(self._known())
            self._furnish(bed)
            behind = behind_of(bed, local)
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(*self.plane.authority.sign("argo-server"))
            url, server = stack.enter_context(front(behind, tls))
            known = {**self._known(), "argo_server": url, "local": local}
            Bed(known).argo_pods(ARGO, server.server_address[1])
            said = self.folder / "bed.json"
            private(self.folder / ".bed.json", json.dumps(known).encode())
            (self.folder / ".bed.json").replace(said)
            stack.callback(lambda: said.unlink(missing_ok=True))
            self._hold(bed.admin, local)

    def _leave(self) -> None:
        """Nothing stays, but what somebody needs who comes just now (they hold the lock, or wait for it)."""
        shutil.rmtree(self.own, ignore_errors=True)
        with suppress(OSError), (self.folder / "users.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not any(self.folder.glob("run-*")):
                shutil.rmtree(self.folder, ignore_errors=True)

    def _known(self) -> dict[str, Any]:
        return {
            "pid": os.getpid(),
            "folder": str(self.own),
            "kubernetes": self.plane.server,
            "kubelet_port": self.plane.kubelet_port,
        }

    def _local(self, stack: ExitStack) -> dict[str, Any]:
        from hera_utils.local_platform import daemon
        from hera_utils.local_platform.server import Serving

        state = self.own / "local"
        stack.callback(daemon.stop, state)
        return dict(daemon.start_or_join(state, Serving(port=0, idle_seconds=12 * RENEW_EVERY)))

    def _furnish(self, bed: Bed) -> None:
        for document in (*world.definitions(), world.node(), *world.cluster_roles(), *world.argo(ARGO)):
            bed.apply(document)
        bed.admin.merge("Node", world.NODE, world.node_status(self.plane.kubelet_port), part="status")
        bed.place(NAMESPACE)

    def _hold(self, api: Api, local: dict[str, Any]) -> None:
        renewed, alone_since = 0.0, time.monotonic()
        while not self.over.wait(0.5):
            if time.monotonic() - renewed > RENEW_EVERY:
                renewed = time.monotonic()
                with suppress(Exception):  # a part that a test has stopped
                    renew_leases(api)
                with suppress(
                    Exception
                ):  # it ends when nobody has asked it anything for a while: when there is no keeper
                    Api(local["argo_server"], token=local["token"]).ask("GET", "/api/v1/version")
            if (self.folder / "stay").exists():
                alone_since = time.monotonic()
                continue
            with (self.folder / "users.lock").open("w") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    alone_since = time.monotonic()
                    continue
                if time.monotonic() - alone_since > LINGER:
                    (self.folder / "bed.json").unlink(missing_ok=True)  # while nobody can join
                    return


def renew_leases(api: Api) -> None:
    leases = api.ask("GET", "/apis/coordination.k8s.io/v1/leases?labelSelector=bed/renewed=true").get("items") or []
    for one in leases:
        meta = one["metadata"]
        spec = {"renewTime": world.lease("")["spec"]["renewTime"]}
        with suppress(ApiError):
            api.merge("Lease", meta["name"], {"spec": spec}, meta["namespace"])


def behind_of(bed: Bed, local: dict[str, Any]) -> Behind:
    """What a front of this bed stands before: the bed's reviews, asked as the Argo server's service account."""
    token = bed.token(ARGO, world.SERVER, seconds=30 * 86400)
    server = Api(bed.kubernetes, str(bed.authority), token=token)
    return Behind(local, Bouncer(server), Bridge(server, Api(local["kubernetes"], token=local["token"])))


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    Keeper(folder).run()


if __name__ == "__main__":
    main()
