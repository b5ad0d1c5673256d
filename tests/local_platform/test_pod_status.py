"""A pod's status after each event, as Kubernetes would write it."""

from __future__ import annotations

from hera_utils.interpreter.events import ContainerState, PodFinished, PodProgressed, PodStarted
from hera_utils.local_platform.pods import pod_object

BODY = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "main", "image": "i"}]}}


def test_a_pod_keeps_its_address_and_its_start_until_its_end() -> None:
    status = pod_object.status_when_pending(BODY, 1.0)
    events = (
        PodStarted(2.0, "", "n", ip="127.70.1.2"),
        PodProgressed(3.0, "", "n", containers=(ContainerState("main", started_at=2.0),)),
        PodFinished(4.0, "", "n", "Succeeded"),
    )
    for event in events:
        found = pod_object.status_after(BODY, status, event)
        assert found is not None
        assert (found["podIP"], found["podIPs"], found["hostIP"]) == ("127.70.1.2", [{"ip": "127.70.1.2"}], "127.0.0.1")
        status = found
    assert status["startTime"] == "1970-01-01T00:00:02Z"
