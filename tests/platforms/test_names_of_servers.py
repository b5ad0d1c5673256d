"""Names that a server tells become names of files here: none may be a path."""

import pytest

from hera_utils.errors import AccessError
from hera_utils.platforms.argo_client import ArgoClient

NAMES = ["../../outside", "/etc/outside", "a/b", "..", "a\x1b]0;t\x07", "A", ""]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("label", [False, True])
def test_a_run_of_a_name_that_kubernetes_does_not_allow(double, name, label):
    if label and name in ("A", ""):
        return
    labels = {"hera-utils/run": name} if label else {}
    document = {"metadata": {"name": "run" if label else name, "labels": labels}, "status": {"phase": "Succeeded"}}
    double.answers["*"] = lambda exchange: exchange.reply(
        {"items": [document], "metadata": {}}
        if exchange.command == "GET" and exchange.where.endswith("s/lyon")
        else document
    )
    with ArgoClient(double.connection) as client:
        for ask in (
            lambda: client.get("run"),
            client.list,
            lambda: client.create({"metadata": {"name": "run"}, "spec": {}}),
        ):
            with pytest.raises(AccessError, match="is not an Argo server .it(s answer contains none| names a run)"):
                ask()
