"""A bed that stands, as its users have it: namespaces, users' kubeconfigs, tokens, pods."""

from __future__ import annotations

import base64
import json
import secrets
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from . import world
from .api import Api, ApiError
from .certificates import Authority, account_token, private

Json = dict[str, Any]
ARGO = "argo"
SETTLE_SECONDS = 30.0


@dataclass(frozen=True)
class Bed:
    """known: what bed.json says; it holds a token."""

    known: Json = field(repr=False)

    @property
    def folder(self) -> Path:
        return Path(self.known["folder"])

    @property
    def kubernetes(self) -> str:
        """URL of the Kubernetes API."""
        return str(self.known["kubernetes"])

    @property
    def argo_server(self) -> str:
        """URL of the Argo server, base path included."""
        return str(self.known["argo_server"])

    @property
    def authority(self) -> Path:
        """The certificate (PEM) of who signed both servers' certificates."""
        return self.folder / "tls" / "ca.pem"

    @cached_property
    def admin(self) -> Api:
        """The API as system:masters."""
        pair = Authority(self.folder / "tls").sign("admin", groups=["system:masters"])
        return Api(self.kubernetes, str(self.authority), pair)

    def apply(self, document: Json) -> Json:
        """Server-side apply, tried again while the cluster does not know the kind or the namespace's account yet."""
        begun = time.monotonic()
        while True:
            try:
                return self.admin.apply(document)
            except ApiError as error:
                if error.status not in (403, 404, 409, 500) or time.monotonic() - begun > SETTLE_SECONDS:
                    raise
                time.sleep(0.1)

    def place(self, name: str = "", secret: str = "planted") -> Place:
        """A namespace with users' rights, claims, config map, secrets, quota and limits. name: "" for a new one."""
        place = Place(self, name or f"bed-{secrets.token_hex(4)}")
        things = world.things(place.name, self.folder / "volumes", secret)
        # A claim is bound at once to a volume that the cluster has seen, else at its next turn, a second later: volumes come first.
        things.sort(key=lambda one: one["kind"] != "PersistentVolume")
        volumes = [one for one in things if one["kind"] == "PersistentVolume"]
        for document in (*volumes, world.namespace(place.name), *world.rights(place.name), *things[len(volumes) :]):
            self.apply(document)
        for claim in ("inequality", "single"):
            (self.folder / "volumes" / place.name / claim).mkdir(parents=True, exist_ok=True)
            place.wait_for_claim(claim)
        return place

    def install_argo(self, where: str, port: int | None = None) -> None:
        """Another Argo installation as clients can see it: service, pods, lease. port: of 127.0.0.1, where its server is."""
        for document in world.argo(where):
            self.apply(document)
        self.argo_pods(where, port or int(self.argo_server.rpartition(":")[2].partition("/")[0]))

    def argo_pods(self, where: str, port: int) -> None:
        labels = {"app": world.SERVER}
        ports = {str(world.SERVER_PORT): f"127.0.0.1:{port}"}
        self.pod(world.SERVER, where, labels=labels, ports=ports, container_port=world.SERVER_PORT)
        self.pod(world.CONTROLLER, where, labels={"app": world.CONTROLLER})

    def pod(
        self,
        name: str,
        where: str,
        *,
        labels: Json | None = None,
        ports: Json | None = None,
        logs: Json | None = None,
        container_port: int | None = None,
    ) -> Path:
        """A running pod. ports: port of the pod → `127.0.0.1:PORT` that it leads to. logs: container → what it wrote.

        Gives its folder: a log that grows there is followed until CONTAINER.ended is there.
        """
        containers = tuple(logs or ("main",))
        folder = self.folder / "pods" / f"{where}_{name}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "ports.json").write_text(json.dumps(ports or {}))
        for container, text in (logs or {"main": ""}).items():
            (folder / f"{container}.log").write_text(text)
        self.apply(world.pod(name, where, labels=labels, port=container_port, containers=containers))
        self.admin.merge("Pod", name, world.pod_status(containers), where, part="status")
        return folder

    def token(self, namespace: str, account: str, *, seconds: int = 3600) -> str:
        """A service account's token by TokenRequest, at least ten minutes long."""
        path = self.admin.where("ServiceAccount", namespace, account) + "/token"
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": seconds},
        }
        return str(self.admin.ask("POST", path, body)["status"]["token"])

    def brief_token(self, namespace: str, account: str, seconds: float) -> str:
        """A service account's token, signed with the cluster's key, that it refuses after `seconds`; below 0: by now."""
        uid = self.admin.get("ServiceAccount", account, namespace)["metadata"]["uid"]
        return account_token(self.folder / "tls" / "accounts.key", namespace, account, uid, seconds)


@dataclass(frozen=True)
class Place:
    """A namespace of the bed. Its users: owner, researcher, reader, nobody (`world.rights` says who may do what); and admin."""

    bed: Bed
    name: str

    def folder(self, claim: str = "inequality") -> Path:
        """The folder that a bound claim is."""
        return self.bed.folder / "volumes" / self.name / claim

    def token(self, account: str = "researcher", *, seconds: int = 3600) -> str:
        return self.bed.token(self.name, account, seconds=seconds)

    def brief_token(self, account: str = "researcher", seconds: float = 3.0) -> str:
        return self.bed.brief_token(self.name, account, seconds)

    def kubeconfig(self, user: str = "researcher") -> Path:
        """The user's kubeconfig. Contexts: `USER` (client certificate), `USER-token` (service account), `USER-exec` (the same by
        an exec plugin, which reads tokens/NAMESPACE-USER beside the kubeconfig at each call). Current: `USER`.
        """
        folder = self.bed.folder / "kubeconfigs"
        (folder / "tokens").mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"{self.name}-{user}.yaml"
        authority = Authority(self.bed.folder / "tls")
        groups = ["system:masters"] if user == "admin" else ["bed:users"]
        certificate, key = authority.sign(user, groups=groups)
        users: list[Json] = [
            {"name": user, "user": {"client-certificate-data": _inline(certificate), "client-key-data": _inline(key)}}
        ]
        if user != "admin":
            token = self.token(user, seconds=86400)
            held = private(folder / "tokens" / f"{self.name}-{user}", token.encode())
            plugin = {
                "apiVersion": "client.authentication.k8s.io/v1",
                "command": sys.executable,
                "args": [str(Path(__file__).with_name("exec_plugin.py")), str(held)],
                "interactiveMode": "Never",
            }
            users += [
                {"name": f"{user}-token", "user": {"token": token}},
                {"name": f"{user}-exec", "user": {"exec": plugin}},
            ]
        cluster = {"server": self.bed.kubernetes, "certificate-authority-data": _inline(self.bed.authority)}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "bed", "cluster": cluster}],
            "users": users,
            "contexts": [
                {"name": one["name"], "context": {"cluster": "bed", "user": one["name"], "namespace": self.name}}
                for one in users
            ],
            "current-context": user,
        }
        return private(path, yaml.safe_dump(document).encode())

    def api(self, user: str = "researcher") -> Api:
        """The Kubernetes API as a user, by client certificate."""
        return Api(self.bed.kubernetes, str(self.bed.authority), Authority(self.bed.folder / "tls").sign(user))

    def add(self, *documents: Json) -> None:
        """Apply documents as admin; in this namespace where they name none."""
        for document in documents:
            self.bed.apply({**document, "metadata": {"namespace": self.name, **document["metadata"]}})

    def remove(self, kind: str, name: str) -> None:
        self.bed.admin.delete(kind, name, self.name)

    def volume(self, claim: str, mode: str = "ReadWriteMany", size: str = "1Gi") -> Path:
        """One more bound claim; gives its folder."""
        for document in world.volume(claim, self.name, self.bed.folder / "volumes", mode, size):
            self.bed.apply(document)
        self.folder(claim).mkdir(parents=True, exist_ok=True)
        self.wait_for_claim(claim)
        return self.folder(claim)

    def wait_for_claim(self, claim: str) -> None:
        begun = time.monotonic()
        while self.bed.admin.get("PersistentVolumeClaim", claim, self.name)["status"].get("phase") != "Bound":
            if time.monotonic() - begun > SETTLE_SECONDS:
                raise AssertionError(f"the claim {claim} is not bound after {SETTLE_SECONDS:g} s")
            time.sleep(0.05)

    def install_argo(self, port: int | None = None) -> None:
        """An Argo installation of this namespace's own (as `namespaced` ones are): a test may spoil it."""
        self.bed.install_argo(self.name, port)

    def leave_lease_stale(self, age: float = 3600.0, where: str = "") -> None:
        """The controller's lease was last renewed `age` seconds ago, and is not any more."""
        renewed = datetime.now(timezone.utc) - timedelta(seconds=age)
        document = world.lease(where or self.name, renewed)
        document["metadata"]["labels"] = {}
        self.bed.apply(document)

    def close(self) -> None:
        """The namespace and its volumes go; the cluster takes its time with what was in it."""
        self.bed.admin.delete("Namespace", self.name)
        for one in self.bed.admin.list("PersistentVolume"):
            if one["metadata"]["name"].startswith(f"{self.name}-"):
                self.bed.admin.delete("PersistentVolume", one["metadata"]["name"])


def _inline(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
