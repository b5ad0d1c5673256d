"""Requests that no well-behaved client sends; each was found by fuzzing the whole of Argo's OpenAPI document."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import requests
import toy_parts
from serving import served

from hera_utils.local_platform.argo_api import argo_app
from hera_utils.local_platform.kubernetes_api.app import kubernetes_app
from hera_utils.local_platform.platform import LocalPlatform

TOKEN = "t"
RUNS = "/api/v1/workflows/default"
CORE = "/api/v1/namespaces/default"
SPEC = {"entrypoint": "m", "templates": [{"name": "m", "container": {"image": "i", "command": ["true"]}}]}


class Servers:
    def __init__(self, argo: str, kubernetes: str, platform: LocalPlatform) -> None:
        self.argo, self.kubernetes, self.platform = argo, kubernetes, platform
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {TOKEN}"

    def ask(self, method: str, where: str, body: object = None, **query: str) -> requests.Response:
        base = (
            self.argo if where.startswith(("/api/v1/workflow", "/api/v1/cron", "/api/v1/stream")) else self.kubernetes
        )
        data = None if body is None else json.dumps(body)
        return self.session.request(method, base + where, params=query, data=data, timeout=10)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    platform = LocalPlatform(tmp_path_factory.mktemp("abuse"), advance=toy_parts.advance, runtime=toy_parts.ToyRuntime)
    with served(argo_app(platform, TOKEN)) as argo, served(kubernetes_app(platform, TOKEN)) as kubernetes:
        yield Servers(argo, kubernetes, platform)
    platform.close()


@pytest.mark.parametrize("text", ["2020-01-01", "2020-01-01T00:00:00", "20200101", "yesterday", "2020-13-01T00:00:00Z"])
def test_a_time_is_a_whole_one_with_its_zone(servers: Servers, text: str) -> None:
    servers.ask("POST", RUNS, {"workflow": {"metadata": {"generateName": "t-"}, "spec": SPEC}})
    for query in ({"createdAfter": text}, {"listOptions.fieldSelector": f"spec.startedAt>{text}"}):
        answer = servers.ask("GET", RUNS, **query)
        assert (answer.status_code, answer.json()["code"]) == (500, 13)
        assert "parsing time" in answer.json()["message"]
    right = servers.ask("GET", RUNS, createdAfter="2020-01-01T00:00:00.123456789+01:00")
    assert right.status_code == 200
    assert right.json()["items"]


@pytest.mark.parametrize("number", ["²", "9" * 5000, "1_0", " 1", "9223372036854775808"])
@pytest.mark.parametrize("where", [RUNS, "/api/v1/workflow-templates/default", "/api/v1/cron-workflows/default"])
def test_numbers_are_those_of_64_bits(servers: Servers, where: str, number: str) -> None:
    assert servers.ask("GET", where, **{"listOptions.limit": number}).status_code == 400
    assert servers.ask("GET", where, **{"listOptions.continue": number}).status_code in (200, 400)
    for stream in ("/api/v1/workflow-events/default", "/api/v1/stream/events/default"):
        url = f"{servers.argo}{stream}"
        with servers.session.get(url, params={"listOptions.resourceVersion": number}, stream=True, timeout=5) as answer:
            assert answer.status_code == 200
    assert servers.ask("GET", f"{CORE}/configmaps", limit=number).status_code == 400


def test_half_a_surrogate_pair_becomes_the_sign_that_stands_for_it(servers: Servers) -> None:
    body = f'{{"workflow":{{"metadata":{{"name":"half\\ud800"}},"spec":{json.dumps(SPEC)}}}}}'
    for data in (body.encode(), body.replace("\\ud800", "\ud800").encode("utf-8", "surrogatepass")):
        answer = servers.session.post(servers.argo + RUNS, data=data, timeout=10)
        assert answer.status_code == 400
        assert "RFC 1123" in answer.json()["message"]
    data = body.replace("half\\ud800", "whole").replace('"spec"', '"x":"\\ud83d\\ude00 \\udc00","spec"')
    assert servers.session.post(servers.argo + RUNS, data=data.encode(), timeout=10).status_code == 200
    noted = {"metadata": {"name": "noted"}, "data": {"a": "\ud83d\ude00 x \udc00"}}
    assert servers.ask("POST", f"{CORE}/configmaps", noted).json()["data"] == {"a": "😀 x �"}


def test_a_deadline_in_a_far_future_does_not_end_the_only_writer(servers: Servers) -> None:
    from hera_utils.local_platform.controller.controller import LONGEST_WAIT

    controller = servers.platform._controller
    controller.effects.timers.set("nobody", "far", 1e18)
    servers.ask("POST", f"{CORE}/configmaps", {"metadata": {"generateName": "wake-"}})
    assert servers.ask("POST", f"{CORE}/configmaps", {"metadata": {"generateName": "wake-"}}).status_code == 201
    assert controller._thread.is_alive()
    assert LONGEST_WAIT < 1e6
    controller.effects.timers.cancel("nobody", "far")


CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}


@pytest.mark.parametrize(
    ("where", "body"),
    [
        ("persistentvolumeclaims", {"metadata": {"name": "p"}, "spec": 5}),
        ("persistentvolumeclaims", {"metadata": {"name": "p"}, "spec": {**CLAIM, "resources": 5}}),
        (
            "persistentvolumeclaims",
            {"metadata": {"name": "p"}, "spec": {**CLAIM, "resources": {"requests": "storage"}}},
        ),
        ("persistentvolumeclaims", {"metadata": {"name": ".."}, "spec": CLAIM}),
        ("configmaps", {"metadata": {"name": "c"}, "data": 5}),
        ("configmaps", {"metadata": {"name": "c"}, "data": [1]}),
        ("configmaps", {"metadata": {"name": "c"}, "binaryData": "x"}),
        ("configmaps", {"metadata": {"name": "c", "ownerReferences": [1]}}),
        ("configmaps", {"metadata": {"name": "c", "ownerReferences": {"uid": 1}}}),
        ("configmaps", {"metadata": {"name": "c", "labels": ["a"]}}),
        ("configmaps", {"metadata": {"name": "c", "labels": {"a": 5}}}),
        ("configmaps", {"metadata": {"name": 5}}),
        ("secrets", {"metadata": {"name": "s"}, "stringData": ["a"]}),
        ("serviceaccounts/default/token", {"spec": 5}),
        ("serviceaccounts/default/token", {"spec": {"expirationSeconds": 10**15}}),
    ],
)
def test_objects_of_other_shapes_are_refused(servers: Servers, where: str, body: object) -> None:
    answer = servers.ask("POST", f"{CORE}/{where}", body)
    assert answer.status_code in (400, 422), answer.text
    assert "failed" not in answer.json()["message"]


def test_options_of_other_shapes_are_refused(servers: Servers) -> None:
    made = {"metadata": {"generateName": "a-"}, "spec": SPEC}
    assert servers.ask("POST", RUNS, {"workflow": made, "createOptions": "x"}).status_code == 400
    for body in ({"preconditions": 5}, {"dryRun": 5}, {"dryRun": {"a": 1}}):
        assert servers.ask("DELETE", f"{CORE}/serviceaccounts/default", body).status_code == 400
    reviews = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    for spec in (5, {"resourceAttributes": 5}):
        assert servers.ask("POST", reviews, {"spec": spec}).status_code == 400
    for token in ("bnVsbA==", "MQ==", "W10=", "x"):
        assert servers.ask("GET", f"{CORE}/configmaps", **{"continue": token}).status_code == 400
    assert servers.ask("GET", f"{CORE}/configmaps", limit="-1").json()["items"] is not None
    log = f"{RUNS}/{servers.ask('POST', RUNS, {'workflow': made}).json()['metadata']['name']}/log"
    for query in ({"logOptions.tailLines": "-1"}, {"logOptions.limitBytes": "-1"}):
        assert servers.ask("GET", log, **{"logOptions.container": "main", **query}).status_code == 400
    for pattern in ("(", "a{99999999999}", "(" * 5000 + ")" * 5000):
        assert "failed to compile" in servers.ask("GET", log, grep=pattern).json()["error"]["message"]


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/json-patch+json", {"metadata": None}, 400),
        ("application/json-patch+json", [{"op": "replace", "path": "/metadata", "value": "x"}], 422),
        ("application/merge-patch+json", {"metadata": "x"}, 422),
        ("application/strategic-merge-patch+json", {"metadata": "x"}, 422),
        ("application/json-patch+json", [{"op": "add", "path": "/data/a", "value": "b"}] * 10_001, 413),
        (
            "application/json-patch+json",
            [{"op": "copy", "from": "/data", "path": f"/data/b{n}"} for n in range(40)],
            422,
        ),
    ],
)
def test_patches_of_other_shapes_and_sizes_are_refused(servers: Servers, kind: str, body: object, status: int) -> None:
    servers.ask("POST", f"{CORE}/configmaps", {"metadata": {"name": "patched"}, "data": {"a": "x" * 100}})
    answer = servers.session.patch(
        f"{servers.kubernetes}{CORE}/configmaps/patched",
        data=json.dumps(body),
        headers={"Content-Type": kind},
        timeout=60,
    )
    assert answer.status_code == status, answer.text


def test_a_request_that_breaks_the_writer_costs_nobody_else(servers: Servers) -> None:
    """Its own client gets an error; another request of the same turn is answered as if it were alone."""
    import threading

    from hera_utils.errors import PlatformError

    controller = servers.platform._controller
    held, found = threading.Event(), []

    def hold(turn):
        held.wait(5)
        return lambda: None

    def break_(turn):
        raise KeyError("nobody foresaw this")

    def ask(act):
        try:
            found.append(controller.call(act))
        except PlatformError as error:
            found.append(error)

    threads = [threading.Thread(target=ask, args=(act,)) for act in (hold, break_, lambda turn: lambda: "fine")]
    for thread in threads:
        thread.start()
    held.set()
    for thread in threads:
        thread.join(5)
    assert sorted(map(str, found)) == ["None", "fine", "the local platform failed: KeyError"]
    assert controller.failure is None


def test_few_lints_at_once(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lints only compute: thirty of them used to block the event loop for ten seconds."""
    import threading

    from hera_utils.local_platform.argo_api import app

    entered, go_on = threading.Semaphore(0), threading.Event()
    under_way, most = [], []

    def lint(_request):
        under_way.append(1)
        most.append(len(under_way))
        entered.release()
        go_on.wait(20)
        under_way.pop()
        return {}

    monkeypatch.setitem(app._HANDLERS, "workflows.lint", lint)
    address, headers = f"{servers.argo}{RUNS}/lint", {"Authorization": f"Bearer {TOKEN}"}
    clients = [
        threading.Thread(target=requests.post, args=(address,), kwargs={"headers": headers, "json": {}})
        for _ in range(6)
    ]
    for client in clients:
        client.start()
    try:
        assert entered.acquire(timeout=20)
        assert servers.ask("GET", RUNS).status_code == 200  # other requests do not wait for the lints
    finally:
        go_on.set()
        for client in clients:
            client.join(20)
    assert len(most) == 6
    assert max(most) <= 2
