"""The first users' calls against real parts of Kubernetes (tests/bed)."""

import warnings

import pytest
from kubernetes.client.exceptions import ApiException

import hera_k8s_utils
import hera_utils
from hera_utils.errors import ResourceError, SettingsError
from hera_utils.settings.sources import Surroundings, read_settings


@pytest.fixture
def args(place, tmp_path):
    """A researcher's settings: the Argo server, a kubeconfig and a token."""

    def made(context="researcher-token"):
        flags = {
            "argo_server": place.bed.argo_server,
            "argo_namespace": place.name,
            "ca_file": str(place.bed.authority),
            "k8s_config_file": str(place.kubeconfig()),
            "k8s_context": context,
            "argo_token": place.token("researcher"),
        }
        return read_settings(flags, around=Surroundings({}, tmp_path, tmp_path))

    return made


@pytest.mark.parametrize("context", ["researcher", "researcher-token", "researcher-exec"])
def test_a_cluster_and_kubernetes_own_client(args, place, context):
    """`.v1` authenticates as the kubeconfig says: by a certificate, a token, or a program that prints one."""
    cluster = hera_utils.k8s_cluster(args(context))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # on a cluster no object is created
        assert (
            cluster.assert_cluster() is cluster.assert_namespace() is cluster.assert_volume_claim("inequality") is True
        )
        with pytest.raises(ResourceError, match=f"no config map `absent` in the namespace `{place.name}`"):
            cluster.assert_configmap("absent")
        with pytest.raises(SettingsError, match="needs a config map, and none is named"):
            cluster.assert_configmap(None)
    found = cluster.v1.read_namespaced_persistent_volume_claim("inequality", place.name)
    assert found.metadata.name == "inequality"
    assert cluster.v1.list_namespaced_pod(namespace=place.name).items == []
    with pytest.raises(ApiException):
        cluster.v1.read_namespaced_persistent_volume_claim("absent", place.name)


def test_both_spellings_of_the_argo_server(args, place):
    from hera.shared import global_config

    held = dict(vars(global_config))
    context = args()
    try:
        beside = hera_utils.argo_server(hera_utils.k8s_cluster(context), context)
        alone = hera_utils.argo_server(context)
        assert beside.server == alone.server == place.bed.argo_server.rstrip("/")
        assert global_config.namespace == alone.namespace == place.name
        assert alone.token not in repr(alone) + str(alone.environment_of_submission)
        environment = hera_k8s_utils.num_exp_environment(context)
        assert environment.k8s.namespace == place.name
        assert alone.token not in environment.toJSON()
    finally:
        vars(global_config).update(held)
