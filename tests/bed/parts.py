"""The processes of the bed: etcd, API server, controller manager, kubelet stand-in. Each dies with the process that started it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import requests

from .api import Api
from .certificates import ISSUER, Authority, account_keys

CONTROLLERS = (
    "persistentvolume-binder-controller",
    "persistentvolumeclaim-protection-controller",
    "persistentvolume-protection-controller",
    "serviceaccount-controller",
    "root-ca-certificate-publisher-controller",
    "namespace-controller",
    "resourcequota-controller",
    "garbage-collector-controller",
    "clusterrole-aggregation-controller",
    "endpoints-controller",
    "endpointslice-controller",
)
START_SECONDS = 90.0


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _die_with_parent() -> None:
    """Run in the child: when the one who started it is gone, however it went, the kernel ends it."""
    os.setpgid(0, 0)  # a Ctrl-C at the terminal is the keeper's affair
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


@dataclass
class ControlPlane:
    """A control plane in a folder. `start` waits until it answers; `stop` ends every process by its id."""

    executable: Path
    folder: Path
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    commands: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.authority = Authority(self.folder / "tls")
        self.etcd_port, self.peer_port, self.port, self.kubelet_port = (free_port() for _ in range(4))

    @property
    def server(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def admin(self) -> Api:
        pair = self.authority.sign("admin", groups=["system:masters"])
        return Api(self.server, str(self.authority.certificate), pair)

    def start(self) -> None:
        self.authority.made()
        self.accounts, public = account_keys(self.authority.folder)
        self._etcd()
        self._api_server(public)
        self._kubelet()
        self.wait_for("kube-apiserver", lambda: self.admin.ask("GET", "/readyz") == "ok")
        self._controllers()

    def stop(self) -> None:
        for name in ("kube-controller-manager", "kubelet", "kube-apiserver", "etcd"):
            self.end(name)

    def end(self, name: str, kind: signal.Signals = signal.SIGTERM) -> None:
        process = self.running.pop(name, None)
        if process is None:
            return
        process.send_signal(kind)
        try:
            process.wait(3)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def restart(self, name: str) -> None:
        """End a part as a crash does, and start it again at the same address."""
        self.end(name, signal.SIGKILL)
        self._run(name, self.commands[name])
        if name == "kube-apiserver":
            self.wait_for(name, lambda: self.admin.ask("GET", "/readyz") == "ok")

    def wait_for(self, name: str, ready: Callable[[], bool]) -> None:
        begun = time.monotonic()
        while time.monotonic() - begun < START_SECONDS:
            if self.running[name].poll() is not None:
                break
            with contextlib.suppress(Exception):  # not there yet, in one way or another
                if ready():
                    return
            time.sleep(0.1)
        words = (self.folder / f"{name}.log").read_text(errors="replace")[-2000:]
        raise RuntimeError(f"{name} did not start:\n{words}")

    def _run(self, name: str, arguments: Sequence[str]) -> None:
        self.commands[name] = list(arguments)
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [str(self.executable), name, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                preexec_fn=_die_with_parent,
            )

    def _etcd(self) -> None:
        sign = self.authority.sign
        certificate, key = sign("etcd")
        trusted = str(self.authority.certificate)
        client, peer = f"https://127.0.0.1:{self.etcd_port}", f"https://127.0.0.1:{self.peer_port}"
        flags = {
            "name": "bed",
            "data-dir": str(self.folder / "etcd"),
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"bed={peer}",
            "cert-file": certificate,
            "key-file": key,
            "trusted-ca-file": trusted,
            "client-cert-auth": "true",
            "peer-cert-file": certificate,
            "peer-key-file": key,
            "peer-trusted-ca-file": trusted,
            "peer-client-cert-auth": "true",
            "unsafe-no-fsync": "true",
            "log-level": "warn",
        }
        self._run("etcd", _flags(flags))
        pair = tuple(str(path) for path in sign("apiserver"))
        self.wait_for("etcd", lambda: requests.get(f"{client}/health", cert=pair, verify=trusted, timeout=2).ok)

    def _api_server(self, accounts: Path) -> None:
        certificate, key = self.authority.sign("apiserver")
        trusted = self.authority.certificate
        flags = {
            "bind-address": "127.0.0.1",
            "advertise-address": "127.0.0.1",
            "endpoint-reconciler-type": "none",
            "secure-port": str(self.port),
            "tls-cert-file": certificate,
            "tls-private-key-file": key,
            "client-ca-file": trusted,
            "authorization-mode": "Node,RBAC",
            "anonymous-auth": "true",
            "service-account-issuer": ISSUER,
            "service-account-key-file": accounts,
            "service-account-signing-key-file": self.accounts,
            "service-cluster-ip-range": "10.96.0.0/24",
            "etcd-servers": f"https://127.0.0.1:{self.etcd_port}",
            "etcd-cafile": trusted,
            "etcd-certfile": certificate,
            "etcd-keyfile": key,
            "kubelet-certificate-authority": trusted,
            "kubelet-client-certificate": certificate,
            "kubelet-client-key": key,
            "kubelet-preferred-address-types": "InternalIP",
            "profiling": "false",
        }
        self._run("kube-apiserver", _flags(flags))

    def _kubelet(self) -> None:
        certificate, key = self.authority.sign("system:node:bed", groups=["system:nodes"])
        flags = {
            "listen": f"127.0.0.1:{self.kubelet_port}",
            "cert": certificate,
            "key": key,
            "client-ca": self.authority.certificate,
            "folder": self.folder / "pods",
        }
        self._run("kubelet", _flags(flags))

    def _controllers(self) -> None:
        certificate, key = self.authority.sign("system:kube-controller-manager")
        kubeconfig = self.folder / "controllers.kubeconfig"
        text = KUBECONFIG.format(
            server=self.server, authority=self.authority.certificate, certificate=certificate, key=key
        )
        kubeconfig.write_text(text)
        flags = {
            "kubeconfig": kubeconfig,
            "leader-elect": "false",
            "bind-address": "127.0.0.1",
            "secure-port": "0",
            "root-ca-file": self.authority.certificate,
            "service-account-private-key-file": self.accounts,
            "use-service-account-credentials": "true",
            "pvclaimbinder-sync-period": "1s",
            "controllers": ",".join(CONTROLLERS),
            "profiling": "false",
        }
        self._run("kube-controller-manager", _flags(flags))


def _flags(flags: dict[str, object]) -> list[str]:
    return [f"--{name}={value}" for name, value in flags.items()]


KUBECONFIG = """apiVersion: v1
kind: Config
clusters:
- name: bed
  cluster: {{server: "{server}", certificate-authority: "{authority}"}}
users:
- name: user
  user: {{client-certificate: "{certificate}", client-key: "{key}"}}
contexts:
- name: bed
  context: {{cluster: bed, user: user}}
current-context: bed
"""

if __name__ == "__main__":
    sys.exit("python -m tests.bed up")
