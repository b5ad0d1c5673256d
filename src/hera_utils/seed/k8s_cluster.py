"""`k8s_cluster(args)`: the Kubernetes side of the platform with the checks that scripts ask for by name, and Kubernetes' own client."""

from __future__ import annotations

import contextlib
import warnings
from typing import TYPE_CHECKING

from hera_utils.errors import Refused, ResourceError, SettingsError
from hera_utils.experiment.environment import ConfigMap, Environment, PersistedVolume
from hera_utils.platforms.cluster import UNCHECKED, Cluster, Forbidden
from hera_utils.platforms.connect import connect
from hera_utils.platforms.provision import ensure
from hera_utils.platforms.versions import demanded, satisfies
from hera_utils.seed.arguments import context_of

if TYPE_CHECKING:
    from kubernetes.client import CoreV1Api

# kind → (as people call it, the setting that names it, the variable that does)
_NAMED = {
    "PersistentVolumeClaim": ("claim", "--k8s_volume_claim_name", "KUBEVOLUMECLAIMNAME"),
    "ConfigMap": ("config map", "--k8s_configmap_name", "KUBECONFIGMAP"),
}


class k8s_cluster(Cluster):
    """The Kubernetes cluster that the settings designate; on this machine the local platform, started when it does not run.

    It is asked whether it is there: AccessError when it is not, ResourceError when it lacks the namespace. Who has an Argo server's
    address and token alone designates no cluster: workflows run, and only what asks the cluster itself raises AccessError.
    """

    def __init__(self, args: object = None) -> None:
        self._context = context_of(args)
        super().__init__(connect(self._context))
        self.check_if_named()
        self._v1: CoreV1Api | None = None

    @property
    def v1(self) -> CoreV1Api:
        """Kubernetes' own Python client of this cluster, made when it is first asked for. SettingsError without the extra."""
        if self._v1 is None:
            from hera_utils.seed.kubernetes_client import core_v1

            self._v1 = core_v1(self)
        return self._v1

    def provision(self, environment: Environment) -> Environment:
        """Make sure that what the environment needs is there, and give it back: created on this machine where it is missing,
        only checked in a cluster (ResourceError names everything that it lacks; a warning when no kubeconfig leads there).
        """
        if not self.local and not self.leads_somewhere():
            warnings.warn(UNCHECKED, stacklevel=2)
            return environment
        ensure(self, environment, state=self._context.state, folders=self._context.volumes)
        return environment

    def print_config(self) -> None:
        print("K8s cluster server related variables:")  # noqa: T201
        print("    Configuration file = ", self.kubeconfig())  # noqa: T201
        print("    Namespace = ", self.namespace)  # noqa: T201

    def print_version(self) -> None:
        print(f"Kubernetes {self.http.access.address.server} {self.version()}")  # noqa: T201 - a script asks for it by name

    def check_version(self, version_to_check: str) -> bool:
        """Whether Kubernetes is that version (`1.36`, `>=1.30`)."""
        return satisfies(self.version(), version_to_check)

    def assert_version(self, version_to_check: str) -> bool:
        """True when Kubernetes is that version (`1.36`, `>=1.30`), else SettingsError."""
        return demanded(f"Kubernetes at {self.http.access.address.server}", self.version(), version_to_check)

    def assert_cluster(self) -> bool:
        """True when the cluster answers and takes the credential, else AccessError."""
        with contextlib.suppress(ResourceError):  # a namespace that is missing: the cluster said so itself
            self.check()
        return True

    def assert_namespace(self) -> bool:
        """True when the namespace is there, else ResourceError."""
        self.check()
        return True

    def assert_volume_claim(self, k8s_volume_claim_name: str | None) -> bool:
        """True when there is a claim of that name, else ResourceError. On this machine a missing one is made: an empty folder."""
        return self._assert_named("PersistentVolumeClaim", k8s_volume_claim_name)

    def assert_configmap(self, k8s_configmap_name: str | None) -> bool:
        """True when there is a config map of that name, else ResourceError. On this machine a missing one is made, empty."""
        return self._assert_named("ConfigMap", k8s_configmap_name)

    def _assert_named(self, kind: str, name: str | None) -> bool:
        word, flag, variable = _NAMED[kind]
        if not name:
            self._unnamed(f"the script needs a {word}, and none is named", f"name it with {flag} or {variable}")
            return True
        try:
            if self.exists(kind, name):
                return True
        except Forbidden as error:
            raise type(error)(f"the {word} `{name}` cannot be read: {error.message}", fix=error.fix) from None
        except Refused as error:
            raise ResourceError(f"the {word} `{name}` cannot be read: {error.message}", fix=error.fix) from None
        if not self.local:
            raise ResourceError(
                f"there is no {word} `{name}` in the namespace `{self.namespace}`",
                fix=f"correct the name ({flag} or {variable}), or ask the cluster's owner to create it",
            )
        self._make_here(kind, name)
        return True

    def _unnamed(self, what: str, fix: str) -> None:
        """On this machine a script that never uses it runs all the same; one that does is told so by what it builds then."""
        if not self.local:
            raise SettingsError(what, fix=f"{fix}, or in ./hera.config")
        warnings.warn(f"{what}: tasks that use one will fail ({fix})", stacklevel=4)

    def _make_here(self, kind: str, name: str) -> None:
        """On this machine what a script needs is made, as what an experiment's environment needs is."""
        if kind == "ConfigMap":
            self.provision(Environment(config_map=ConfigMap(name)))
            warnings.warn(f"this machine had no config map `{name}`: an empty one was created", stacklevel=4)
        else:
            self.provision(Environment(persisted_volume=PersistedVolume(name)))
            warnings.warn(f"this machine had no claim `{name}`: an empty folder was created", stacklevel=4)
