"""Whatever a client sends, both servers answer with a status of their protocol: no internal error, nothing left half done."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import toy_parts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from serving import served

from hera_utils.argo.routes import ROUTES, address
from hera_utils.local_platform.argo_api import argo_app
from hera_utils.local_platform.kubernetes_api.app import kubernetes_app
from hera_utils.local_platform.platform import LocalPlatform
from hera_utils.local_platform.storage.resources import STORED

TOKEN = "t"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, requests.Session]]:
    state: Path = tmp_path_factory.mktemp("fuzz")
    platform = LocalPlatform(state, advance=toy_parts.advance, runtime=toy_parts.ToyRuntime)
    platform.create("ConfigMap", "default", {"metadata": {"name": "known"}, "data": {"a": "1"}})
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {TOKEN}"
    with served(argo_app(platform, TOKEN)) as argo, served(kubernetes_app(platform, TOKEN)) as kubernetes:
        yield argo, kubernetes, session
    platform.close()


FAR = [10**18, -(10**18), 10**400, "\ud800", "\u0000", "2020-01-01", "²"]
plain = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8) | st.sampled_from(FAR)
)
WORDS = [
    "²",
    "9" * 5000,
    "-1",
    "2020-01-01",
    "metadata.name=known",
    "spec.startedAt>2020-01-01",
    "a in (b",
    "a{9999999999}",
]
words = st.text(max_size=6) | st.sampled_from(WORDS)
KEYS = """metadata spec status name namespace generateName labels templates entrypoint arguments parameters workflow template
cronWorkflow submitOptions resourceKind resourceName createOptions dryRun limit cmName data stringData kind apiVersion container steps
dag nodeFieldSelector outputParameters phase schedules workflowSpec resourceVersion preconditions expirationSeconds
accessModes resources requests storage binaryData annotations ownerReferences finalizers resourceAttributes activeDeadlineSeconds"""
keys = st.sampled_from(KEYS.split())
anything = st.recursive(
    plain, lambda below: st.lists(below, max_size=3) | st.dictionaries(keys, below, max_size=4), max_leaves=12
)
bodies = st.dictionaries(keys, anything, max_size=5)
names = st.sampled_from(["known", "nobody", "UPPER", "a/b", "", "ü", "@latest", ".."])
unary = [route for route in ROUTES if not route.stream and route.supported]
limits = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@limits
@given(route=st.sampled_from(unary), body=bodies, name=names, options=st.dictionaries(
    st.sampled_from(["fields", "listOptions.labelSelector", "listOptions.fieldSelector", "listOptions.limit", "listOptions.continue",
                     "createdAfter", "finishedBefore"]),
    words, max_size=2))  # fmt: skip
def test_argo_never_fails(servers, route, body, name, options):
    argo, _, session = servers
    values = {segment[1:-1]: name for segment in route.segments if segment.startswith("{")}
    values |= {"namespace": "default"} if "namespace" in values else {}
    method, path = address(route.operation, **values)
    send = body if method in ("POST", "PUT") else None
    answer = session.request(
        method,
        argo + path,
        data=None if send is None else json.dumps(send),
        params=options,
        timeout=20,
        allow_redirects=False,
    )
    assert answer.status_code < 600
    assert answer.ok or " failed: " not in answer.text, (method, path, body, answer.text)


@limits
@given(
    resource=st.sampled_from(STORED), body=bodies | st.lists(bodies, max_size=2), name=names,
    method=st.sampled_from(["POST", "PUT", "PATCH", "DELETE", "GET"]),
    kind=st.sampled_from(["application/json", "application/merge-patch+json", "application/json-patch+json",
                          "application/strategic-merge-patch+json", "application/apply-patch+yaml"]),
)  # fmt: skip
def test_kubernetes_never_fails(servers, resource, body, name, method, kind):
    _, kubernetes, session = servers
    root = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    middle = "/namespaces/default" if resource.namespaced else ""
    path = f"{root}{middle}/{resource.plural}" + (f"/{requests.utils.quote(name, safe='')}" if name else "")
    if method == "DELETE" and resource.kind == "Namespace":
        return
    answer = session.request(
        method, kubernetes + path, data=json.dumps(body), headers={"Content-Type": kind}, timeout=20
    )
    assert answer.ok or " failed: " not in answer.text, (method, path, body, answer.text)
    assert answer.status_code == 200 or answer.json()["kind"], answer.text
    assert answer.status_code < 500, (method, path, body, answer.text)


@limits
@given(data=st.binary(max_size=60), magic=st.booleans())
def test_broken_bodies(servers, data, magic):
    argo, kubernetes, session = servers
    sent = b"k8s\x00" + data if magic else data
    first = session.post(argo + "/api/v1/workflows/default", data=sent, timeout=20)
    assert first.status_code == 400, first.text
    second = session.post(kubernetes + "/api/v1/namespaces/default/configmaps", data=sent, timeout=20)
    assert second.status_code in (400, 415, 422), second.text


@limits
@given(
    route=st.sampled_from([route for route in ROUTES if route.stream and route.supported]), name=names,
    options=st.dictionaries(
        st.sampled_from(["listOptions.resourceVersion", "listOptions.fieldSelector", "logOptions.container", "logOptions.tailLines",
                         "logOptions.limitBytes", "logOptions.sinceSeconds", "grep", "selector"]),
        words, max_size=3),
)  # fmt: skip
def test_streams_begin_or_say_why_not(servers, route, name, options):
    argo, _, session = servers
    values = {segment[1:-1]: name for segment in route.segments if segment.startswith("{")}
    method, path = address(route.operation, **{**values, "namespace": "default"})
    with session.request(method, argo + path, params=options, timeout=20, stream=True, allow_redirects=False) as answer:
        assert answer.status_code == 200 or " failed: " not in answer.text, (path, options, answer.text)
