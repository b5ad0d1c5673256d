"""The Kubernetes side of a platform: config maps, claims, secrets, service accounts of a namespace. The same for every platform."""

from __future__ import annotations

import contextlib
import os
import time
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hera_utils.argo import faults
from hera_utils.errors import (
    AccessError,
    HeraUtilsError,
    PlatformError,
    Refused,
    ResourceError,
    SettingsError,
    UnsupportedError,
)
from hera_utils.experiment.environment import Environment
from hera_utils.platforms.cluster_access import ClusterAccess
from hera_utils.platforms.connection import Connection, connect
from hera_utils.platforms.credentials import expiry, told_moment
from hera_utils.platforms.http_errors import VERIFY
from hera_utils.platforms.versions import demanded, satisfies
from hera_utils.settings import kubeconfig
from hera_utils.settings.resolve import CLIContext
from hera_utils.settings.secret import mask
from hera_utils.spans import rough_span

Json = dict[str, Any]

KINDS = ("ConfigMap", "PersistentVolumeClaim", "Secret", "ServiceAccount", "Pod", "Namespace")
UNCHECKED = "no kubeconfig: the claims, config maps and secrets of the environment are taken on trust"
_PLURALS = {
    "ConfigMap": "config maps",
    "PersistentVolumeClaim": "claims",
    "Secret": "secrets",
    "ServiceAccount": "service accounts",
    "Pod": "pods",
    "Namespace": "namespaces",
}
_HTTP_LIBRARIES = ("httpx", "httpx2", "httpcore", "httpcore2")


class Cluster:
    """Kubernetes objects of one namespace, as plain documents. Errors as in `ArgoClient`."""

    def __init__(self, connection: Connection, args: CLIContext | None = None) -> None:
        """args: the settings, when `provision` is to follow them."""
        self.connection = connection
        self._args = args
        self.namespace = connection.namespace
        self._made: Any = None
        self._access: ClusterAccess | None = None

    @classmethod
    def designated(cls, args: CLIContext) -> Cluster:
        """The cluster that the settings designate, asked whether it is there (as `check_if_named`)."""
        cluster = Cluster(connect(args), args)
        cluster.check_if_named()
        return cluster

    def __repr__(self) -> str:
        try:
            where = "this machine" if self.local else self.kubeconfig() or "the cluster of this pod"
        except HeraUtilsError:
            where = "no kubeconfig"
        return f"{type(self).__name__}({where}, namespace {self.namespace})"

    @property
    def local(self) -> bool:
        return self.connection.local

    def check(self) -> None:
        """Whether the cluster answers, takes the credential and has the namespace."""
        try:
            self.get("Namespace", self.namespace)
        except AccessError as error:
            # A right to read the namespace itself is rare: being told no is an answer.
            if not isinstance(error, Forbidden):
                raise
        except Refused as error:
            if error.reason != "NotFound":
                raise
            raise self.no_namespace() from None

    def check_if_named(self) -> None:
        """As `check`, where a kubeconfig (or a pod's account) leads to a cluster. Who has an Argo server's address and token alone
        designates none: workflows run, and only what asks the cluster itself raises AccessError.
        """
        if self.leads_somewhere():
            self.check()

    def no_namespace(self) -> ResourceError:
        """What is said where the namespace of the runs does not exist."""
        where = "on this machine" if self.local else "in the cluster"
        return ResourceError(
            f"there is no namespace `{self.namespace}` {where}",
            fix="name another with --argo_namespace or ARGO_NAMESPACE, or: kubectl create namespace " + self.namespace,
        )

    def provision(self, environment: Environment) -> Environment:
        """Make sure that what the environment needs is there, and give it back: created on this machine where it is missing,
        only checked in a cluster (ResourceError names everything that it lacks; a warning when no kubeconfig leads there).
        """
        from hera_utils.platforms.provision import ensure

        if self._args is None:
            raise SettingsError(
                "this cluster was made without settings", fix="make it with hera_utils.k8s_cluster(args)"
            )
        if not self.local and not self.leads_somewhere():
            warnings.warn(UNCHECKED, stacklevel=2)
            return environment
        ensure(self, environment, state=self._args.state, folders=self._args.volumes)
        return environment

    def get(self, kind: str, name: str) -> Json:
        return _document(self._call("get", kind, name))

    def list(self, kind: str, *, selector: dict[str, str] | None = None) -> list[Json]:
        return [_document(item) for item in self._call("list", kind, labels=selector)]

    def exists(self, kind: str, name: str) -> bool:
        try:
            self.get(kind, name)
        except Refused as error:
            if error.reason == "NotFound":
                return False
            raise
        return True

    def create(self, document: Json) -> Json:
        kind = str(document.get("kind"))
        return _document(self._call("create", kind, _resource(kind).from_dict(document)))

    def delete(self, kind: str, name: str) -> None:
        self._call("delete", kind, name)

    def token(self, service_account: str, *, seconds: int = 3600) -> tuple[str, str]:
        """(token, when it expires in RFC 3339) of a service account. Kubernetes may give it a shorter life than asked."""
        from lightkube.models.authentication_v1 import TokenRequestSpec
        from lightkube.models.meta_v1 import ObjectMeta
        from lightkube.resources.core_v1 import ServiceAccountToken

        request = ServiceAccountToken(
            metadata=ObjectMeta(), spec=TokenRequestSpec(audiences=[], expirationSeconds=seconds)
        )
        made = self.told(
            lambda: self._client().create(request, service_account),
            f"the token of the service account `{service_account}`",
        )
        return str(made.status.token), str(made.status.expirationTimestamp)

    # --- lightkube -------------------------------------------------------------------------------------------------

    def _call(self, verb: str, kind: str, *arguments: Any, **options: Any) -> Any:
        resource = _resource(kind)
        client = self._client()
        what = f"{kind} {arguments[0]}" if arguments and isinstance(arguments[0], str) else _PLURALS[kind]

        def ask() -> Any:
            if verb == "create":
                return client.create(arguments[0])
            found = getattr(client, verb)(resource, *arguments, **{k: v for k, v in options.items() if v is not None})
            return list(found) if verb == "list" else found  # a list is read while it is walked

        return self.told(ask, what)

    def http_client(self, token: str = "") -> Any:
        """What lightkube speaks HTTP with; for `KubernetesHttp`. token: with it alone, instead of the kubeconfig's credential."""
        if not token:
            return self._client()._client._client
        from lightkube.config import client_adapter

        from hera_utils.platforms.kubernetes_transport import transport

        access = ClusterAccess(replace(self.access().chosen, user={"token": token}))
        through = transport(access, direct=self.local, proxy=self.connection.proxy)
        http: Any = client_adapter.httpx  # type: ignore[attr-defined,unused-ignore]
        return http.Client(base_url=access.address.server, transport=through, timeout=10, trust_env=False)

    def told(self, ask: Any, what: str) -> Any:
        """The answer, or one of our errors: nothing of lightkube or of its HTTP library gets out."""
        from lightkube import ApiError, ConfigError, LoadResourceError

        try:
            return ask()
        except ApiError as error:
            raise self._refusal(error, what) from None
        except (ConfigError, LoadResourceError) as error:
            raise self._unusable(str(error)) from None
        except HeraUtilsError:
            raise
        except OSError as error:
            raise self._unreachable(error) from None
        except (
            Exception
        ) as error:  # lightkube's HTTP library is its own choice (httpx, httpx2): its errors go by their home
            if type(error).__module__.split(".")[0] in _HTTP_LIBRARIES:
                raise self._unreachable(error) from None
            raise

    def _client(self) -> Any:
        if self._made is None:
            from lightkube import Client, KubeConfig
            from lightkube.config.models import Cluster as Address
            from lightkube.config.models import User

            from hera_utils.platforms.kubernetes_transport import transport

            def make() -> Any:
                access = self.access()
                # TLS, credential and proxy are the transport's: lightkube is told the address alone
                bare = KubeConfig.from_one(cluster=Address(server=access.address.server, insecure=True), user=User())
                made = transport(access, direct=self.local, proxy=self.connection.proxy)
                return Client(config=bare, namespace=self.namespace, trust_env=False, transport=made)

            self._made = self.told(make, "the cluster")
        return self._made

    def access(self) -> ClusterAccess:
        """How the API is reached and as whom. SettingsError or AccessError when the kubeconfig cannot be used."""
        if self._access is None:
            named = self.connection.kubeconfig
            found = kubeconfig.files(named)
            inside = None if named or found else kubeconfig.of_this_pod()
            self._access = ClusterAccess(inside or kubeconfig.choose(self._files(), self.connection.context))
        return self._access

    def version(self) -> str:
        """The version of Kubernetes, e.g. `v1.36.2`; "" when it does not say."""
        reply = self.told(lambda: self.http_client().get("/version"), "the version of Kubernetes")
        try:
            return str(reply.json().get("gitVersion") or "")
        except (ValueError, AttributeError):
            return ""

    def print_version(self) -> None:
        print(f"Kubernetes {self.access().address.server} {self.version()}")  # noqa: T201 - a script asks for it by name

    def check_version(self, version_to_check: str) -> bool:
        """Whether Kubernetes is that version (`1.36`, `>=1.30`)."""
        return satisfies(self.version(), version_to_check)

    def assert_version(self, version_to_check: str) -> bool:
        """True when Kubernetes is that version (`1.36`, `>=1.30`), else SettingsError."""
        return demanded(f"Kubernetes at {self.access().address.server}", self.version(), version_to_check)

    def leads_somewhere(self) -> bool:
        """Whether there is a kubeconfig (or a pod's own account) at all."""
        try:
            self.kubeconfig()
        except AccessError:
            return False
        return True

    def kubeconfig(self) -> str | None:
        """The files that lead to the cluster, as in KUBECONFIG; None inside a pod, whose own account does."""
        named = self.connection.kubeconfig
        if not named and not kubeconfig.files(None) and kubeconfig.of_this_pod() is not None:
            return None
        return os.path.pathsep.join(map(str, self._files()))

    def _files(self) -> Sequence[Path]:
        named = self.connection.kubeconfig
        found = kubeconfig.files(named)
        if not found and named:
            raise SettingsError(f"there is no kubeconfig at {named}", fix="correct --k8s_config_file or KUBECONFIG")
        if not found:
            raise AccessError(
                "no kubeconfig leads to the cluster",
                fix="name one with --k8s_config_file or KUBECONFIG; leave --argo_server out to run on this machine",
            )
        return found

    # --- errors ----------------------------------------------------------------------------------------------------

    def _origin(self) -> str:
        """Where the address and the credential are from, for people."""
        return self._access.chosen.origin if self._access is not None else self.kubeconfig() or "this pod"

    def credential_refused(self) -> AccessError:
        """The cluster does not take what the kubeconfig's user shows: since when, if it says so itself."""
        ended = None
        with contextlib.suppress(HeraUtilsError):
            ended = expiry(self.access().token())
        over = ""
        if ended is not None and ended <= time.time():
            over = f": its token expired at {told_moment(ended)}, {rough_span(time.time() - ended)} ago"
        context = f" (context {self._access.chosen.context})" if self._access is not None else ""
        return AccessError(
            f"the Kubernetes cluster refuses the credential of {self._origin()}{context}{over}",
            fix="log in with the cluster's own tool, or name another kubeconfig (--k8s_config_file) or context (--k8s_context)",
        )

    def _refusal(self, error: Any, what: str) -> HeraUtilsError:
        code, message = int(error.status.code or 0), mask(str(error.status.message or ""), [self.connection.token])
        if code == 401:
            return self.credential_refused()
        if code == 403:
            return Forbidden(
                f"the Kubernetes cluster forbids it: {message}", fix="ask the cluster's owner for that right"
            )
        if code == 404 and f'namespaces "{self.namespace}" not found' in message:
            return self.no_namespace()
        return Refused(faults.grpc_code(code), message or f"{what}: {code}", reason=str(error.status.reason or ""))

    def _unusable(self, why: str) -> HeraUtilsError:
        return SettingsError(
            f"the kubeconfig {self._origin()} cannot be used: {why}",
            fix="correct it, or name another with --k8s_config_file, a context of it with --k8s_context",
        )

    def _unreachable(self, error: Exception) -> HeraUtilsError:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        why = mask(why, [self.connection.token])
        if self.local:
            return PlatformError(
                f"the local platform's Kubernetes API does not answer ({why})",
                fix="run the command again, which starts it",
            )
        if "CERTIFICATE_VERIFY_FAILED" in why:
            verified = VERIFY.search(why)
            told = verified["why"].strip() if verified else "not verified"
            return AccessError(
                f"the certificate of the Kubernetes API is not trusted by {self._origin()} "
                f"({self.access().address.server}: {told})",
                fix="correct the cluster's certificate-authority in the kubeconfig (its owner has the file), or name another",
            )
        return AccessError(
            f"the Kubernetes cluster of {self._origin()} does not answer ({why})",
            fix="check the network (a VPN?), or name another kubeconfig with --k8s_config_file or KUBECONFIG",
        )


class Forbidden(AccessError):
    """The cluster knows who asks, and that it may not."""


def _resource(kind: str) -> Any:
    if kind not in KINDS:
        raise UnsupportedError(
            f"{kind} is not a kind of object that an experiment needs", fix=f"one of: {', '.join(KINDS)}"
        )
    from lightkube.resources import core_v1

    return getattr(core_v1, kind)


def _document(item: Any) -> Json:
    made: Json = item.to_dict()
    return made
