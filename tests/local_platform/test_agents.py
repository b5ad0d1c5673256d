"""Templates without a process: http, resource, data; their results and their errors."""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import ssl

import pytest
import toy_parts as toys

from hera_utils.argo.annotations import DIRECTORY, IMAGES
from hera_utils.argo.unknown_fields import format_path, unknown_fields
from hera_utils.errors import Refused
from hera_utils.interpreter.events import ShutdownRequested
from hera_utils.local_platform.agents import queries
from hera_utils.local_platform.platform import LocalPlatform
from hera_utils.local_platform.serving.certificate import certificate
from http_server import serve_http
from waiting import until


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    platform = LocalPlatform(tmp_path_factory.mktemp("agents") / "state")
    yield platform
    platform.close()


class Handler(http.server.BaseHTTPRequestHandler):
    sent = 0

    def do_GET(self):
        if "/to/" in self.path:
            self.send_response(302)
            self.send_header("Location", self.path.partition("/to/")[2])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if self.path.endswith("/endless"):
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):
                for _ in range(200):
                    self.wfile.write(b"x" * 1_000_000)
                    type(self).sent += 1
            return
        code = int(self.path.rpartition("/")[2] or 200)
        body = f"{self.headers.get('X-Word')}".encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[::-1])

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def url():
    with serve_http(Handler) as server:
        yield server.url


def run(platform, template):
    document = {
        "metadata": {"generateName": "agent-"},
        "spec": {"entrypoint": "main", "templates": [{"name": "main", **template}]},
    }
    stored = platform.submit("default", document)
    last = toys.wait(platform, "default", stored.name)
    (node,) = last["status"]["nodes"].values()
    return node


def test_http_takes_no_more_of_an_answer_than_outputs_may_have(platform, url):
    node = run(platform, {"http": {"url": f"{url}/endless"}})
    assert node["phase"] == "Failed"
    assert node["message"] == f'Get "{url}/endless": the answer has more than 20000000 bytes'
    assert Handler.sent < 60  # buffers between client and server hold some of it


def test_http_gives_the_body_as_its_result(platform, url):
    node = run(platform, {"http": {"url": url, "headers": [{"name": "X-Word", "value": "hello"}]}})
    assert (node["type"], node["phase"], node["outputs"]["result"]) == ("HTTP", "Succeeded", "hello")
    assert "Pod" not in [pod.kind for pod in platform.pods("default", node["name"])]  # the agent's work has no pod


def test_http_sends_a_body_and_a_header_from_a_secret(platform, url):
    platform.create("Secret", "default", {"metadata": {"name": "word"}, "stringData": {"it": "sesame"}})
    header = {"name": "X-Word", "valueFrom": {"secretKeyRef": {"name": "word", "key": "it"}}}
    assert run(platform, {"http": {"url": url, "headers": [header]}})["outputs"]["result"] == "sesame"
    assert run(platform, {"http": {"url": url, "method": "POST", "body": "abc"}})["outputs"]["result"] == "cba"


def test_http_tells_no_other_host_what_comes_of_a_secret(platform, url):
    platform.create("Secret", "default", {"metadata": {"name": "key"}, "stringData": {"k": "s3cret"}})
    headers = [{"name": "X-Word", "valueFrom": {"secretKeyRef": {"name": "key", "key": "k"}}}]
    elsewhere = url.replace("127.0.0.1", "localhost")
    for address, heard in ((f"{url}/to/{url}/200", "s3cret"), (f"{url}/to/{elsewhere}/200", "None")):
        node = run(platform, {"http": {"url": address, "headers": headers}})
        assert node["outputs"]["result"] == heard


def test_http_says_why_it_failed(platform, url):
    node = run(platform, {"http": {"url": f"{url}/404"}})
    assert (node["phase"], node["message"]) == ("Failed", "received non-2xx response code: 404")
    condition = "response.statusCode == 404 && response.body contains 'None'"
    assert run(platform, {"http": {"url": f"{url}/404", "successCondition": condition}})["phase"] == "Succeeded"
    node = run(platform, {"http": {"url": url, "successCondition": "response.statusCode == 201"}})
    assert node["message"] == "successCondition 'response.statusCode == 201' evaluated false"


@pytest.mark.parametrize(
    ("method", "url", "message"),
    [
        ("GET", "http://127.0.0.1:1", 'Get "http://127.0.0.1:1": dial tcp 127.0.0.1:1: connect: connection refused'),
        ("NO WAY", "http://127.0.0.1:1", 'net/http: invalid method "NO WAY"'),
        ("GET", "::here", 'parse "::here": missing protocol scheme'),
        ("POST", "ftp://a/b", 'Post "ftp://a/b": unsupported protocol scheme "ftp"'),
        ("GET", "here", 'Get "here": unsupported protocol scheme ""'),
        ("GET", "not a url?a b", 'Get "not%20a%20url?a b": unsupported protocol scheme ""'),
        ("GET", "ftp://me:mine@a/é(", 'Get "ftp://me:***@a/%C3%A9%28": unsupported protocol scheme "ftp"'),
        ("GET", "http://a:99999/b", 'Get "http://a:99999/b": dial tcp: address 99999: invalid port'),
    ],
)
def test_http_that_comes_to_no_server_is_told_in_gos_words(platform, method, url, message):
    node = run(platform, {"http": {"method": method, "url": url, "timeoutSeconds": 2}})
    assert (node["phase"], node["message"]) == ("Failed", message)


def test_http_to_a_server_without_tls(platform, url):
    secure = url.replace("http:", "https:")
    node = run(platform, {"http": {"url": secure}})
    assert node["message"] == f'Get "{secure}": tls: first record does not look like a TLS handshake'


def test_http_goes_through_the_proxy_of_the_environment_but_not_to_this_machine(platform, url, monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", url)  # a proxy gets the whole URL in the request line, not only a path
    node = run(platform, {"http": {"url": "http://nowhere.example/", "successCondition": "response.statusCode == 200"}})
    assert node["phase"] == "Succeeded"
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert run(platform, {"http": {"url": f"{url}/200"}})["phase"] == "Succeeded"
    monkeypatch.setenv("no_proxy", "nowhere.invalid")
    node = run(platform, {"http": {"url": "http://nowhere.invalid/", "timeoutSeconds": 5}})
    assert "127.0.0.1" not in node["message"]


def test_http_trusts_whom_the_environment_says(platform, tmp_path, monkeypatch):
    made = certificate(tmp_path / "tls")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.server, made.key)
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    with serve_http(Handler, context) as server:
        template = {"http": {"url": f"https://localhost:{server.server_port}/"}}
        assert run(platform, template)["phase"] == "Failed"
        monkeypatch.setenv("SSL_CERT_FILE", str(made.authority))
        assert run(platform, template)["phase"] == "Succeeded"


MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  key: {value}\n"


def test_resource_creates_patches_reads_and_deletes(platform):
    parameter = {"name": "value", "valueFrom": {"jsonPath": "{.data.key}"}}
    jq = {"name": "kind", "valueFrom": {"jqFilter": ".kind"}}
    manifest = MAP.format(name="made", value="one")
    node = run(
        platform, {"resource": {"action": "create", "manifest": manifest}, "outputs": {"parameters": [parameter, jq]}}
    )
    assert node["phase"] == "Succeeded"
    assert {p["name"]: p["value"] for p in node["outputs"]["parameters"]} == {"value": "one", "kind": "ConfigMap"}
    again = run(platform, {"resource": {"action": "create", "manifest": manifest}})
    assert again["message"] == (
        "main: Error (exit code 64): no more retries Error from server (AlreadyExists): "
        'error when creating "/tmp/manifest.yaml": configmaps "made" already exists'
    )
    patch = {
        "action": "patch",
        "mergeStrategy": "merge",
        "flags": ["configmap", "made"],
        "manifest": "data:\n  key: two\n",
    }
    assert run(platform, {"resource": patch})["phase"] == "Succeeded"
    assert json.loads(platform.get("ConfigMap", "default", "made").text)["data"] == {"key": "two"}
    wrong = {"resource": {**patch, "manifest": "{data: {key: two}}"}, "outputs": {"parameters": [parameter]}}
    braces = run(platform, wrong)  # kubectl takes it for JSON
    assert "parameters" not in braces["outputs"]
    assert braces["message"] == (
        "main: Error (exit code 64): no more retries Error from server (BadRequest): error decoding patch: "
        "invalid character 'd' looking for beginning of object key string"
    )
    apply = {"action": "apply", "manifest": MAP.format(name="made", value="three")}
    assert run(platform, {"resource": apply})["phase"] == "Succeeded"
    assert json.loads(platform.get("ConfigMap", "default", "made").text)["data"] == {"key": "three"}
    assert run(platform, {"resource": {"action": "delete", "flags": ["configmap", "made"]}})["phase"] == "Succeeded"
    assert run(platform, {"resource": {"action": "delete", "manifest": manifest}})["phase"] == "Succeeded"


def test_resource_waits_for_a_workflow(platform):
    inner = json.dumps(
        {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", **toys.workflow("sh", "-c", "exit 1")}
    )
    conditions = {
        "successCondition": "status.phase == Succeeded",
        "failureCondition": "status.phase in (Failed, Error)",
    }
    node = run(platform, {"resource": {"action": "create", "manifest": inner, "setOwnerReference": True, **conditions}})
    assert node["phase"] == "Failed"
    assert (
        node["message"]
        == "main: Error (exit code 64): failure condition '{status.phase in [Error Failed]}' evaluated true"
    )


def test_a_workflow_that_a_resource_template_creates_has_what_the_client_decided(platform):
    inner = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", **toys.workflow("true")}
    inner["metadata"] = {"name": "child", "annotations": {DIRECTORY: "/its/own"}}
    resource = {"action": "create", "manifest": json.dumps(inner), "successCondition": "status.phase == Succeeded"}
    document = {
        "metadata": {"generateName": "parent-", "annotations": {IMAGES: '{"a":"never"}', DIRECTORY: "/of", "x": "y"}},
        "spec": {"entrypoint": "main", "templates": [{"name": "main", "resource": resource}]},
    }
    toys.wait(platform, "default", platform.submit("default", document).name)
    found = json.loads(platform.get("Workflow", "default", "child").text)["metadata"]["annotations"]
    del found["workflows.argoproj.io/pod-name-format"]
    assert found == {IMAGES: '{"a":"never"}', DIRECTORY: "/its/own"}


def test_resource_that_waits_longer_than_its_deadline_has_failed(platform):
    """It waited for ever: only the pods of containers had a deadline."""
    manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: late-}\ndata: {a: b}\n"
    waits = {"action": "create", "manifest": manifest, "successCondition": "data.a == c"}
    node = run(platform, {"activeDeadlineSeconds": 1, "resource": waits})
    assert (node["phase"], node["message"]) == (
        "Failed",
        "Pod was active on the node longer than the specified deadline",
    )
    assert node["outputs"]["exitCode"] == "64"


def test_resource_that_is_stopped_says_it_in_gos_words(platform):
    manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: awaited}\ndata: {a: b}\n"
    waits = {"action": "create", "manifest": manifest, "successCondition": "data.a == c"}
    document = {"metadata": {"generateName": "agent-"}, "spec": {"entrypoint": "main", "templates": [
        {"name": "main", "steps": [[{"name": "a", "template": "r"}]]}, {"name": "r", "resource": waits}]}}  # fmt: skip
    name = platform.submit("default", document).name
    until(lambda: _exists(platform, "awaited"))
    platform.act("default", name, ShutdownRequested(0.0))
    nodes = toys.wait(platform, "default", name)["status"]["nodes"].values()
    assert "main: Error (exit code 64): context canceled" in [node.get("message") for node in nodes]


def _exists(platform, name):
    with contextlib.suppress(Refused):
        return platform.get("ConfigMap", "default", name) is not None
    return False


def test_resource_refuses_what_it_does_not_know(platform):
    deployment = "apiVersion: apps/v1\nkind: DaemonSet\nmetadata:\n  name: web\n"
    node = run(platform, {"resource": {"action": "create", "manifest": deployment}})
    assert 'no matches for kind "DaemonSet" in version "apps/v1"' in node["message"]
    wrong = {"spec": {"templates": [{"name": "a", "resources": {}}]}}
    unknown = unknown_fields(wrong, "Workflow", any_case=False)
    assert [format_path(field.path) for field in unknown] == ["spec.templates[0].resources"]


def test_what_is_drawn_when_a_pod_ends_is_of_that_run(platform):
    """A runtime reports its events without a seed."""
    outputs = {"parameters": [{"name": "id", "valueFrom": {"expression": "sprig.uuidv4()"}}]}
    steps = {"name": "main", "steps": [[{"name": "a", "template": "say"}]], "outputs": outputs}
    say = {"name": "say", "container": {"image": "busybox", "command": ["true"]}}
    drawn = set()
    for _ in range(2):
        document = {"metadata": {"generateName": "draw-"}, "spec": {"entrypoint": "main", "templates": [steps, say]}}
        stored = platform.submit("default", document)
        nodes = toys.wait(platform, "default", stored.name)["status"]["nodes"]
        drawn.add(nodes[stored.name]["outputs"]["parameters"][0]["value"])
    assert len(drawn) == 2


@pytest.mark.parametrize(
    ("action", "manifest", "message"),
    [
        ("create", "apiVersion: v1\nmetadata: {name: x}\n",
         'error: error validating "/tmp/manifest.yaml": error validating data: kind not set; '
         "if you choose to ignore these errors, turn validation off with --validate=false"),
        ("apply", "metadata: {name: x}\n",
         'error: error validating "/tmp/manifest.yaml": error validating data: [apiVersion not set, kind not set]; '
         "if you choose to ignore these errors, turn validation off with --validate=false"),
        ("get", "metadata: {name: x}\napiVersion: v1\n",
         'error: unable to decode "/tmp/manifest.yaml": Object \'Kind\' is missing in '
         '\'{"apiVersion":"v1","metadata":{"name":"x"}}\''),
    ],
)  # fmt: skip
def test_resource_without_a_kind(platform, action, manifest, message):
    node = run(platform, {"resource": {"action": action, "manifest": manifest}})
    assert message in node["message"]


def _maps(*names, kind="---\n"):
    return kind.join(f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n" for name in names)


ITEM = "- {{apiVersion: v1, kind: ConfigMap, metadata: {{name: {}}}}}\n"
LIST = "apiVersion: v1\nkind: List\nitems:\n" + ITEM.format("one") + ITEM.format("two")


@pytest.mark.parametrize("manifest", [_maps("one", "two"), LIST])
@pytest.mark.parametrize(
    ("action", "message"),
    [
        ("create", "invalid character '{' after top-level value"),
        ("apply", "Kind and name are both required but at least one of them is missing from the manifest"),
    ],
)
def test_resource_of_several_objects_makes_all_and_fails_as_argo_cannot_read_the_answer(
    platform, action, message, manifest
):
    node = run(platform, {"resource": {"action": action, "manifest": manifest}})
    assert (node["phase"], message in node["message"]) == ("Failed", True)
    assert {platform.get("ConfigMap", "default", name).name for name in ("one", "two")} == {"one", "two"}
    assert run(platform, {"resource": {"action": "delete", "manifest": manifest}})["phase"] == "Succeeded"
    for name in ("one", "two"):
        with pytest.raises(Refused):
            platform.get("ConfigMap", "default", name)


def test_resource_whose_second_object_is_refused_makes_the_third(platform):
    again = {"resource": {"action": "create", "manifest": _maps("here", "here", "there")}}
    node = run(platform, again)
    assert 'configmaps "here" already exists' in node["message"]
    assert platform.get("ConfigMap", "default", "there").name == "there"


def test_resource_of_one_object_in_a_list_is_that_object(platform):
    one = "- {apiVersion: v1, kind: ConfigMap, metadata: {name: single}, data: {a: b}}\n"
    manifest = "apiVersion: v1\nkind: List\nitems:\n" + one
    outputs = {"parameters": [{"name": "a", "valueFrom": {"jsonPath": "{.data.a}"}}]}
    node = run(platform, {"resource": {"action": "create", "manifest": manifest}, "outputs": outputs})
    assert (node["phase"], node["outputs"]["parameters"][0]["value"]) == ("Succeeded", "b")


def test_resource_of_no_object(platform):
    node = run(platform, {"resource": {"action": "create", "manifest": "---\n# nothing\n---\n"}})
    assert "error: no objects passed to create" in node["message"]


def test_data_lists_and_transforms_keys(platform):
    folder = platform.state / "artifacts" / "default" / "bucket"
    folder.mkdir(parents=True)
    for name in ("a.txt", "b.log", "c.txt", "c/d.txt", "c-e.txt", "C.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(name)
    source = {"artifactPaths": {"name": "all", "s3": {"bucket": "x", "key": "bucket"}}}
    data = {"source": source, "transformation": [{"expression": "filter(data, {# endsWith '.txt'})"}]}
    node = run(platform, {"data": data})
    assert (node["phase"], json.loads(node["outputs"]["result"])) == (
        "Succeeded",
        [f"bucket/{name}.txt" for name in ("C", "a", "c-e", "c", "c/d")],  # sorted by key, not by folder
    )
    data = {"source": source, "transformation": [{"expression": "[now().Year() > 2000]"}]}
    assert json.loads(run(platform, {"data": data})["outputs"]["result"]) == [True]


SAME = [{"expression": "data"}]


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ({"s3": {"key": "bucket"}}, "failed to list directory: Bucket name cannot be empty"),
        ({"s3": {"bucket": "x", "key": "absent"}}, "no key found of name absent"),
        ({}, "key unsupported: cannot get key for artifact location, because it is invalid"),
    ],
)
def test_data_without_what_can_be_listed(platform, place, message):
    (platform.state / "artifacts" / "default" / "bucket").mkdir(parents=True, exist_ok=True)
    (platform.state / "artifacts" / "default" / "bucket" / "a").write_text("a")
    node = run(platform, {"data": {"source": {"artifactPaths": {"name": "all", **place}}, "transformation": SAME}})
    wanted = (
        f"unable to process data template: unable to process data source: unable to source artifact paths: {message}"
    )
    assert (node["phase"], wanted in node["message"]) == ("Failed", True)


def test_data_that_is_an_object_and_no_folder(platform):
    (platform.state / "artifacts" / "default").mkdir(parents=True, exist_ok=True)
    (platform.state / "artifacts" / "default" / "one").write_text("a")
    source = {"artifactPaths": {"name": "all", "s3": {"bucket": "x", "key": "one"}}}
    assert run(platform, {"data": {"source": source, "transformation": SAME}})["outputs"]["result"] == "null"


def test_the_fields_of_conditions():
    document = {"metadata": {"name": "x"}, "items": [{"n": 1}, {"n": 2}]}
    fields = queries.Fields(document)
    assert (fields["items.#"], fields["items.1.n"], "status.phase" in fields) == ("2", "2", False)


def test_secrets_are_checked(platform):
    stored = platform.create(
        "Secret",
        "default",
        {"metadata": {"name": "both"}, "data": {"a": base64.b64encode(b"1").decode()}, "stringData": {"b": "2"}},
    )
    document = json.loads(stored.text)
    assert {k: base64.b64decode(v) for k, v in document["data"].items()} == {"a": b"1", "b": b"2"}
    assert "stringData" not in document


SET = """
apiVersion: apps/v1
kind: {kind}
metadata: {{name: web}}
spec:
  selector: {{matchLabels: {{a: b}}}}
  template: {{metadata: {{labels: {{a: {label}}}}}, spec: {{containers: [{{name: main, image: i}}]}}}}
"""
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {a: b}, ports: [{port: 80}]}\n"


@pytest.mark.parametrize(
    ("manifest", "path", "value", "patch", "patched", "now"),
    [
        (SERVICE, "{.spec.type} {.spec.ports[0].targetPort} {.spec.ports[0].protocol}", "ClusterIP 80 TCP",
         "spec: {ports: [{port: 80, targetPort: 8080}]}", "{.spec.ports[0].targetPort}", "8080"),
        (SET.format(kind="Deployment", label="b"), "{.spec.replicas} {.spec.strategy.type}", "1 RollingUpdate",
         "spec: {replicas: 0, template: {spec: {containers: [{name: main, image: other}]}}}",
         "{.spec.replicas} {.spec.template.spec.containers[*].image}", "0 other"),
        (SET.format(kind="StatefulSet", label="b"), "{.spec.replicas} {.spec.podManagementPolicy}", "1 OrderedReady",
         "", "{.metadata.labels.x}{.nope}", "other"),
    ],
    ids=["Service", "Deployment", "StatefulSet"],
)  # fmt: skip
def test_services_and_sets_are_created_patched_read_and_deleted(platform, manifest, path, value, patch, patched, now):
    def parameter(read):
        return {"outputs": {"parameters": [{"name": "p", "valueFrom": {"jsonPath": read}}]}}

    made = run(platform, {"resource": {"action": "create", "manifest": manifest}, **parameter(path)})
    assert made["outputs"]["parameters"][0]["value"] == value
    head = manifest.strip().partition("metadata:")[0] + "metadata: {name: web, labels: {x: other}}"
    changed = run(platform, {"resource": {"action": "patch", "manifest": f"{head}\n{patch}\n"}, **parameter(patched)})
    assert (changed.get("message"), changed["outputs"]["parameters"][0]["value"]) == (None, now)
    assert run(platform, {"resource": {"action": "delete", "manifest": manifest}})["phase"] == "Succeeded"
    assert "NotFound" in run(platform, {"resource": {"action": "get", "manifest": manifest}})["message"]


PREFIX = "main: Error (exit code 64): "


@pytest.mark.parametrize(
    ("resource", "message"),
    [
        ({"action": "create", "manifest": SERVICE.replace("80", "99999")},
         'no more retries The Service "web" is invalid: \n* spec.ports[0].port: Invalid value: 99999: must be between 1 and 65535, '
         "inclusive\n* spec.ports[0].targetPort: Invalid value: 99999: must be between 1 and 65535, inclusive\n"),
        ({"action": "create", "manifest": SET.format(kind="StatefulSet", label="c")},
         'no more retries The StatefulSet "web" is invalid: spec.template.metadata.labels: Invalid value: {"a":"c"}: '
         "`selector` does not match template `labels`\n"),
        ({"action": "create", "manifest": "apiVersion: v1\nkind: ConfigMap\ndata: {a: b}\n"},
         'no more retries The ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required\n'),
        ({"action": "create", "manifest": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndataa: {a: b}\n"},
         'no more retries Error from server (BadRequest): error when creating "/tmp/manifest.yaml": ConfigMap in version "v1" cannot be '
         'handled as a ConfigMap: strict decoding error: unknown field "dataa"'),
        ({"action": "create", "manifest": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: 1}\n"},
         'no more retries Error from server (BadRequest): error when creating "/tmp/manifest.yaml": ConfigMap in version "v1" cannot be '
         "handled as a ConfigMap: json: cannot unmarshal number into Go struct field ConfigMap.data of type string"),
        ({"action": "create", "manifest": "hello"},
         'no more retries error: error validating "/tmp/manifest.yaml": error validating data: invalid object to validate; '
         "if you choose to ignore these errors, turn validation off with --validate=false"),
        ({"action": "apply", "manifest": "apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: x-}\n"},
         "no more retries error: from x-: cannot use generate name with apply"),
        ({"action": "get", "manifest": "apiVersion: v1\nkind: ConfigMap\n"},
         "Kind and name are both required but at least one of them is missing from the manifest"),
        ({"action": "get", "manifest": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: nosuch}\n"},
         'no more retries Error from server (NotFound): namespaces "nosuch" not found'),
        ({"action": "get", "flags": ["configmap", "-l", "a=b"]},
         "Kind and name are both required but at least one of them is missing from the manifest"),
        ({"action": "patch", "mergeStrategy": "json", "flags": ["namespace", "default"], "manifest": "- {op: nope, path: /a}"},
         "no more retries The request is invalid: the server rejected our request due to an error in our request"),
        ({"action": "get", "flags": ["configmap", "x", "--nope"]},
         "no more retries unknown flag: --nope\nSee 'kubectl get --help' for usage."),
    ],
)  # fmt: skip
def test_what_kubectl_says_of_a_resource_template(platform, resource, message):
    assert run(platform, {"resource": resource})["message"] == PREFIX + message


def test_a_condition_that_can_never_hold_here_is_not_waited_for(platform):
    resource = {"action": "create", "manifest": SET.format(kind="Deployment", label="b").replace("web", "awaited")}
    node = run(platform, {"resource": {**resource, "successCondition": "status.availableReplicas == 1"}})
    assert "of Deployment awaited can never hold on this machine" in node["message"]
