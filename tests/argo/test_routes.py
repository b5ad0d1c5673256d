"""The table of Argo's operations: complete, unambiguous, and reversible."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from hera_utils.argo.routes import BY_OPERATION, ROUTES, address, match


def test_every_operation_once():
    assert len(BY_OPERATION) == len(ROUTES) == 73
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)


def test_only_argo_events_is_left_out():
    refused = {route.operation.partition("_")[0] for route in ROUTES if not route.supported}
    assert refused == {"SensorService", "EventSourceService"}


names = st.text(min_size=1, max_size=20)


@given(st.sampled_from(ROUTES), st.data())
def test_an_address_leads_back_to_its_operation(route, data):
    values = {segment[1:-1]: data.draw(names) for segment in route.segments if segment.startswith("{")}
    method, path = address(route.operation, **values)
    found = match(method, path)
    assert found is not None
    literal = {"lint", "submit", "log", "suspend", "logs"}
    if not literal & set(values.values()):
        assert found == (route, values)


def test_an_empty_name_is_accepted():
    found = match("PUT", "/api/v1/workflow-templates/argo/")
    assert found is not None
    assert found[0].operation == "WorkflowTemplateService_UpdateWorkflowTemplate"
    assert found[1] == {"namespace": "argo", "name": ""}
    everywhere = match("GET", "/api/v1/workflows/")
    assert everywhere is not None
    assert everywhere[1] == {"namespace": ""}


def test_a_file_below_an_artifact():
    found = match("GET", "/artifact-files/argo/workflows/w/n/outputs/a/sub/x%20y.txt")
    assert found is not None
    assert found[1]["file"] == "sub/x y.txt"


def test_what_argo_does_not_know():
    assert match("GET", "/api/v1/nothing") is None
    assert match("PATCH", "/api/v1/workflows/argo/x") is None


def test_the_page_about_the_apis_is_up_to_date():
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, str(root / "tools/generate_apis.py"), "--check"]
    assert subprocess.run(command, capture_output=True, text=True, check=False).stdout == ""
