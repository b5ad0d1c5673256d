"""`k8s_cluster(args)`: the Kubernetes side of the platform with the checks that scripts call, and Kubernetes' own client."""

from __future__ import annotations

import contextlib
import warnings
from typing import TYPE_CHECKING

from hera_utils.errors import Forbidden, Refused, ResourceError, SettingsError
from hera_utils.experiment.environment import ConfigMap, Environment, PersistedVolume
from hera_utils.platforms.cluster import UNCHECKED, Cluster
from hera_utils.platforms.connect import connect
from hera_utils.platforms.provision import ensure
from hera_utils.platforms.versions import check_requirement, satisfies
from hera_utils.seed.arguments import context_of

if TYPE_CHECKING:
    from kubernetes.client import CoreV1Api

# kind → (its name for people, the flag and the variable that name it)
_NAMED = {
    "PersistentVolumeClaim": ("claim", "--k8s_volume_claim_name", "KUBEVOLUMECLAIMNAME"),
    "ConfigMap": ("config map", "--k8s_configmap_name", "KUBECONFIGMAP"),
}


class k8s_cluster(Cluster):
    """The Kubernetes cluster of the settings; on this machine the local platform, which is started if it does not run.

    Raises AccessError if the cluster does not answer, ResourceError if it lacks the namespace. Settings with only the address and the
    token of an Argo server name no cluster; then workflows run, and only methods that ask the cluster raise AccessError.
    """

    def __init__(self, args: object = None) -> None:
        self._context = context_of(args)
        super().__init__(connect(self._context))
        self.check_if_named()
        self._v1: CoreV1Api | None = None

    @property
    def v1(self) -> CoreV1Api:
        """Kubernetes' own Python client of this cluster, created at its first use. Raises SettingsError if it is not installed."""
        if self._v1 is None:
            from hera_utils.seed.kubernetes_client import core_v1

            self._v1 = core_v1(self)
        return self._v1

    def provision(self, environment: Environment) -> Environment:
        """Make sure that the objects of the environment exist, and return it. On this machine missing objects are created; a cluster is
        only checked, with a warning if no kubeconfig leads there. Raises ResourceError, which names all missing objects.
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
        """Whether Kubernetes has that version (`1.36`, `>=1.30`)."""
        return satisfies(self.version(), version_to_check)

    def assert_version(self, version_to_check: str) -> bool:
        """Return True if Kubernetes has that version (`1.36`, `>=1.30`), else raise SettingsError."""
        return check_requirement(f"Kubernetes at {self.http.access.address.server}", self.version(), version_to_check)

    def assert_cluster(self) -> bool:
        """Return True if the cluster answers and accepts the credential, else raise AccessError."""
        with contextlib.suppress(ResourceError):  # a missing namespace is an answer of the cluster
            self.check()
        return True

    def assert_namespace(self) -> bool:
        """Return True if the namespace exists, else raise ResourceError."""
        self.check()
        return True

    def assert_volume_claim(self, k8s_volume_claim_name: str | None) -> bool:
        """Return True if the claim exists, else raise ResourceError. On this machine a missing claim is created as an empty folder."""
        return self._assert_named("PersistentVolumeClaim", k8s_volume_claim_name)

    def assert_configmap(self, k8s_configmap_name: str | None) -> bool:
        """Return True if the config map exists, else raise ResourceError. On this machine a missing one is created, empty."""
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
        """Report that the settings do not name the object; on this machine only as a warning, as the script may never use it."""
        if not self.local:
            raise SettingsError(what, fix=f"{fix}, or in ./hera.config")
        warnings.warn(f"{what}: tasks that use one will fail ({fix})", stacklevel=4)

    def _make_here(self, kind: str, name: str) -> None:
        """Create a missing object on this machine, like those of an experiment's environment."""
        if kind == "ConfigMap":
            self.provision(Environment(config_map=ConfigMap(name)))
            warnings.warn(f"this machine had no config map `{name}`: an empty one was created", stacklevel=4)
        else:
            self.provision(Environment(persisted_volume=PersistedVolume(name)))
            warnings.warn(f"this machine had no claim `{name}`: an empty folder was created", stacklevel=4)
