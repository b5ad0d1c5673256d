"""The laboratory that a module's tests share, and a case of it that a test may spoil."""

import pytest
from laboratory import Case, front

from hera_utils.testing import hera_utils_server, local_platform  # noqa: F401 - fixtures


@pytest.fixture(scope="module")
def lab(bed):
    made = bed.place()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def case(lab):
    """A case without faults: the owner's permissions (which include reading roles), and a plain front before the Argo server."""
    with front(lab.bed.argo_server, lab.bed.authority) as before:
        flags = {
            "argo_server": before.url,
            "argo_namespace": lab.name,
            "argo_token": lab.token("owner"),
            "k8s_config_file": str(lab.kubeconfig("owner")),
        }
        yield Case(lab, before, flags)
