import itertools
import json
import threading
import time
from dataclasses import replace

import pytest
import requests

from bed.faulty_proxy import faulty_proxy
from hera_utils.errors import AccessError, PlatformError, Refused, RunFailed, UnsupportedError
from hera_utils.platforms import argo_client, reconnect
from hera_utils.platforms.argo_client import ArgoClient

RUNS = "/api/v1/workflows/lyon"
EVENTS = "/api/v1/workflow-events/lyon"


def workflow(phase, version, name="w", **status):
    return {"metadata": {"name": name, "resourceVersion": str(version)}, "status": {"phase": phase, **status}}


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    monkeypatch.setattr(reconnect, "PAUSES", (0.01, 0.02))


@pytest.fixture
def client(double):
    with ArgoClient(double.connection) as made:
        yield made


def test_each_kind_goes_to_its_place_with_its_token(double, client):
    double.answers["*"] = lambda exchange: exchange.reply({"metadata": {"name": "made"}})
    for kind, where, key in (
        ("Workflow", RUNS, "workflow"),
        ("WorkflowTemplate", "/api/v1/workflow-templates/lyon", "template"),
        ("ClusterWorkflowTemplate", "/api/v1/cluster-workflow-templates", "template"),
        ("CronWorkflow", "/api/v1/cron-workflows/lyon", "cronWorkflow"),
    ):
        document = {"kind": kind, "metadata": {"name": "n"}}
        assert client.create(document)["metadata"]["name"] == "made"
        sent = double.seen[-1].body[key]
        sent["metadata"].pop("annotations", None)  # the mark of the submission
        assert (double.seen[-1].where, sent) == (where, document)
        client.lint(document)
        assert double.seen[-1].where == f"{where}/lint"
    assert all(exchange.headers["Authorization"] == "Bearer planted-token-5e1f" for exchange in double.seen)
    assert client.create({"metadata": {"namespace": "paris"}}) is not None
    assert double.seen[-1].where == "/api/v1/workflows/paris"
    with pytest.raises(UnsupportedError, match="Pod"):
        client.create({"kind": "Pod"})


def test_a_stored_template_is_brought_up_to_date(double, client):
    where = "/api/v1/workflow-templates/lyon"
    double.on("POST", where, {"code": 6, "message": "exists"}, 409)
    double.on("GET", f"{where}/t", {"metadata": {"name": "t", "resourceVersion": "41"}})
    double.on("PUT", f"{where}/t", {"metadata": {"name": "t", "resourceVersion": "42"}})
    stored = client.apply({"kind": "WorkflowTemplate", "metadata": {"name": "t"}, "spec": {}})
    assert stored["metadata"]["resourceVersion"] == "42"
    assert double.seen[-1].body["template"]["metadata"]["resourceVersion"] == "41"


def test_submit_list_act_and_what_they_say(double, client):
    double.answers["*"] = lambda exchange: exchange.reply({"metadata": {}, "items": None})
    client.submit("workflowtemplate", "t", parameters={"vintage": 2009}, options={"generateName": "x-"})
    sent = double.seen[-1].body["submitOptions"]
    assert sent.pop("name").startswith("x-")
    assert sent.pop("annotations").startswith("hera-utils/submission=")
    assert sent == {"generateName": "x-", "parameters": ["vintage=2009"]}
    assert client.list(selector="a=b", fields="metadata.name", limit=3) == []
    assert double.seen[-1].query == {
        "listOptions.labelSelector": "a=b",
        "listOptions.limit": "3",
        "fields": "metadata,items.metadata.name",  # fields that the request of the next page needs
    }
    client.act("w", "stop", {"message": "enough"})
    assert (double.seen[-1].where, double.seen[-1].body["message"]) == (f"{RUNS}/w/stop", "enough")
    client.delete("w/../x")
    assert double.seen[-1].where == f"{RUNS}/w%2F..%2Fx"
    with pytest.raises(UnsupportedError, match="explode"):
        client.act("w", "explode")


def test_watch_to_the_end(double, client):
    def stream(exchange):
        exchange.begin_events()
        exchange.event({"result": {"type": "ADDED", "object": workflow("Running", 1)}})
        exchange.raw(b":\n")
        exchange.event({"result": {"type": "MODIFIED", "object": workflow("Running", 2, blob="x" * 300_000)}}, pieces=7)
        exchange.event({"result": {"type": "MODIFIED", "object": workflow("Succeeded", 3)}})
        time.sleep(30)  # a real server leaves it open

    double.on("GET", f"{RUNS}/w", {"metadata": {"name": "w"}})
    double.on("GET", EVENTS, stream)
    found = [(kind, argo_client.phase_of(one)) for kind, one in client.watch("w")]
    assert found == [("ADDED", "Running"), ("MODIFIED", "Running"), ("MODIFIED", "Succeeded")]
    assert double.seen[-1].query["listOptions.fieldSelector"] == "metadata.name=w"
    assert double.seen[-1].headers["Accept"] == "text/event-stream"


def test_who_rests_between_two_states_hears_of_the_end_at_once(double, client):
    def stream(exchange):
        exchange.begin_events()
        exchange.event({"result": {"type": "ADDED", "object": workflow("Running", 1)}})
        seen.wait(10)
        exchange.event({"result": {"type": "MODIFIED", "object": workflow("Running", 2)}})
        over = workflow("Succeeded", 3)
        over["metadata"]["labels"] = {"workflows.argoproj.io/completed": "true"}
        exchange.raw(
            f'data: {{"result":{{"type":"MODIFIED","object":{json.dumps(over, separators=(",", ":"))}}}}}\n\n'.encode()
        )
        left.wait(30)  # a real server leaves it open

    seen, left = threading.Event(), threading.Event()
    double.on("GET", f"{RUNS}/w", {"metadata": {"name": "w"}})
    double.on("GET", EVENTS, stream)
    phases = []
    for _, one in client.watch("w", rest=lambda one: 3600.0):
        phases.append(argo_client.phase_of(one))
        seen.set()
    left.set()
    assert phases == ["Running", "Succeeded"]


@pytest.mark.parametrize("how", ["cut", "half an event", "ended", "gone", "unavailable"])
def test_a_broken_watch_is_taken_up_again_without_repeating_itself(double, client, how):
    count = itertools.count(1)

    def stream(exchange):
        number = next(count)
        if number > 1 and how == "unavailable" and number < 4:
            exchange.reply(b"<html>", 503, "text/html")
            return
        exchange.begin_events()
        if number < 4:
            exchange.event({"result": {"type": "ADDED", "object": workflow("Running", 1)}})
        if number < 3:
            if how == "half an event":
                exchange.raw(b'data: {"result": {"type": "MOD')
            elif how == "gone":
                exchange.event({"error": {"http_code": 410, "grpc_code": 11, "message": "too old"}})
            if how in ("ended", "gone"):
                exchange.end_events()
            else:
                exchange.cut()
            return
        exchange.event({"result": {"type": "ADDED", "object": workflow("Failed", 9)}})
        exchange.end_events()

    double.on("GET", f"{RUNS}/w", {"metadata": {"name": "w"}})
    double.on("GET", EVENTS, stream)
    assert [one["metadata"]["resourceVersion"] for _, one in client.watch("w")] == ["1", "9"]


def test_a_watch_of_nothing_and_of_what_is_deleted(double, client):
    double.on("GET", f"{RUNS}/w", {"code": 5, "message": 'workflows.argoproj.io "w" not found'}, 404)
    with pytest.raises(Refused, match="not found") as caught:
        list(client.watch("w"))
    assert (caught.value.code, caught.value.reason) == (5, "NotFound")

    def stream(exchange):
        exchange.begin_events()
        exchange.event({"result": {"type": "ADDED", "object": workflow("Running", 1)}})
        exchange.event({"result": {"type": "DELETED", "object": workflow("Running", 2)}})
        exchange.end_events()

    double.on("GET", f"{RUNS}/w", {"metadata": {}})
    double.on("GET", EVENTS, stream)
    assert [kind for kind, _ in client.watch("w")] == ["ADDED", "DELETED"]
    with pytest.raises(RunFailed, match="deleted"):
        client.wait("w")


def test_wait_gives_the_end_or_says_that_there_is_none(double, client):
    def stream(exchange):
        exchange.begin_events()
        exchange.event({"result": {"type": "ADDED", "object": workflow("Running", 1)}})
        time.sleep(0.7)
        exchange.event({"result": {"type": "MODIFIED", "object": workflow("Error", 2)}})
        time.sleep(30)

    double.on("GET", f"{RUNS}/w", {"metadata": {}})
    double.on("GET", EVENTS, stream)
    with pytest.raises(RunFailed, match=r"w is not finished after 0.3 s \(Running\)"):
        client.wait("w", timeout=0.3)
    assert argo_client.phase_of(client.wait("w", timeout=20)) == "Error"


def test_logs_of_both_formats_and_their_options(double, client):
    def lines(exchange):
        exchange.begin_events()
        exchange.event({"result": {"content": "one", "podName": "p1"}})
        exchange.raw(b'{"result":{"content":"two","podName":"p2"}}\n')
        exchange.raw('data: {"result":{"content":"trois é\\n","podName":"p1"}}'.encode())
        exchange.end_events()

    double.on("GET", f"{RUNS}/w/log", lines)
    assert list(client.logs("w", pod="p", container="init", tail=2, grep="x y")) == [
        ("p1", "one"),
        ("p2", "two"),
        ("p1", "trois é\n"),
    ]
    assert double.seen[0].query == {
        "logOptions.container": "init",
        "logOptions.tailLines": "2",
        "grep": "x y",
        "podName": "p",
    }


def test_followed_logs_go_on_after_a_cut_without_repeating_a_line(double, client):
    count = itertools.count(1)

    def lines(exchange):
        until = next(count) * 2
        exchange.begin_events()
        for number in range(until):
            for pod in ("a", "b"):
                exchange.event({"result": {"content": f"{number}", "podName": pod}})
        if until < 6:
            exchange.cut()
        else:
            exchange.end_events()

    double.on("GET", f"{RUNS}/w/log", lines)
    found = list(client.logs("w", follow=True))
    assert sorted(found) == sorted((pod, str(number)) for pod in "ab" for number in range(6))
    assert len(found) == 12


def test_a_log_that_cannot_be_taken_up_again_says_so(double, client, monkeypatch):
    monkeypatch.setattr("hera_utils.platforms.reconnect.MAX_SILENCE", 0.5)

    def lines(exchange):
        exchange.begin_events()
        exchange.cut()

    double.on("GET", f"{RUNS}/w/log", lines)
    with pytest.raises(PlatformError, match="log of w was interrupted"):
        list(client.logs("w"))


def test_a_log_whose_head_was_cut_is_no_empty_log(double, client):
    """A reply without length or chunks ends with the connection, so it may be incomplete."""
    tries = []

    def lines(exchange):
        tries.append(exchange)
        if len(tries) < 3:
            exchange.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
            exchange.cut()
            return
        exchange.begin_events()
        exchange.event({"result": {"podName": "p", "content": "a line"}})
        exchange.end_events()

    double.on("GET", f"{RUNS}/w/log", lines)
    assert list(client.logs("w")) == [("p", "a line")]
    assert len(tries) == 3


def test_a_page_in_the_place_of_a_log_is_no_empty_log(double, client):
    double.on("GET", f"{RUNS}/w/log", lambda exchange: exchange.reply(b"<html>", 200, "text/html"))
    with pytest.raises(AccessError, match="is not an Argo server"):
        list(client.logs("w"))


def test_a_watch_that_is_told_gone_begins_anew(double, client):
    tries = []

    def events(exchange):
        tries.append(exchange)
        if len(tries) == 1:
            exchange.reply({"error": {"grpc_code": 13, "http_code": 410, "message": "too old resource version"}}, 410)
            return
        exchange.begin_events()
        exchange.event({"result": {"type": "ADDED", "object": workflow("Succeeded", 7)}})
        exchange.end_events()

    double.on("GET", f"{RUNS}/w", workflow("Running", 1))
    double.on("GET", EVENTS, events)
    assert [kind for kind, _ in client.watch("w")] == ["ADDED"]
    assert len(tries) == 2


@pytest.mark.parametrize(
    "error",
    [
        # each half hour the Kubernetes API ends the watch that stands behind Argo's
        {"grpc_code": 8, "http_code": 429, "message": "EOF", "http_status": "Too Many Requests"},
        {"grpc_code": 14, "http_code": 503, "message": 'connection error: desc = "transport: Error while dialing"'},
        {"grpc_code": 13, "http_code": 500, "message": "etcdserver: leader changed"},
        {"grpc_code": 3, "http_code": 400, "message": "too old resource version: 1 (2)"},
    ],
    ids=lambda error: error["message"][:24],
)
def test_a_watch_that_argo_ends_by_itself_is_taken_up_again(double, client, error):
    tries = []

    def events(exchange):
        tries.append(exchange)
        exchange.begin_events()
        if len(tries) == 1:
            exchange.event({"result": {"type": "ADDED", "object": workflow("Running", 1)}})
            exchange.event({"error": error})
        else:
            exchange.event({"result": {"type": "ADDED", "object": workflow("Succeeded", 2)}})
        exchange.end_events()

    double.on("GET", f"{RUNS}/w", workflow("Running", 1))
    double.on("GET", EVENTS, events)
    assert [one["status"]["phase"] for _, one in client.watch("w")] == ["Running", "Succeeded"]


def test_a_failure_with_which_a_stream_begins_is_told_at_once(double, client):
    def log(exchange):
        exchange.begin_events()
        exchange.event({"error": {"grpc_code": 13, "http_code": 500, "message": "no such container"}})
        exchange.end_events()

    double.on("GET", f"{RUNS}/w/log", log)
    with pytest.raises(Refused, match="no such container"):
        list(client.logs("w"))


def test_a_busy_server_is_asked_again_when_it_says(double, client):
    tries = []

    def versions(exchange):
        tries.append(time.monotonic())
        if len(tries) == 1:
            exchange.reply({"code": 8, "message": "too many requests"}, 429, **{"Retry-After": "1"})
        else:
            exchange.reply({"version": "v4.1.2"})

    double.on("GET", "/api/v1/version", versions)
    assert client.version() == "v4.1.2"
    assert tries[1] - tries[0] >= 1


@pytest.mark.parametrize("ask", ["lint", "create"])
def test_what_is_merely_looked_at_is_asked_again(double, client, ask):
    tries = []

    def looked_at(exchange):
        tries.append(exchange)
        exchange.reply(b"", 502, "text/html") if len(tries) == 1 else exchange.reply({"metadata": {"name": "n"}})

    double.on("POST", f"{RUNS}/lint" if ask == "lint" else RUNS, looked_at)
    document = {"metadata": {"name": "n"}, "spec": {}}
    made = client.lint(document) if ask == "lint" else client.create(document, dry_run=True)
    assert made["metadata"]["name"] == "n"
    assert len(tries) == 2


def test_a_submission_that_is_given_up_says_that_it_may_have_been_taken(double, client, monkeypatch):
    monkeypatch.setattr("hera_utils.platforms.idempotent_submit.PAUSES", (0.01,))
    double.on("POST", RUNS, lambda exchange: exchange.reply(b"", 502, "text/html"))
    with pytest.raises(AccessError) as caught:
        client.create({"metadata": {"name": "n"}, "spec": {}})
    assert caught.value.fix == "it may have been submitted nevertheless: hera-utils get n; else submit it again"


def test_a_server_that_has_answered_is_waited_for(double):
    """One that never did is a wrong address, and told at once."""
    double.on("GET", "/api/v1/version", {"version": "v4.1.2"})
    with faulty_proxy(double.url) as proxy:
        client = ArgoClient(replace(double.connection, argo_server=proxy.url))
        assert client.version() == "v4.1.2"
    with pytest.raises(AccessError) as lost:
        client.version()
    client.close()
    assert str(lost.value) == f"the Argo server at {proxy.url} does not answer any more (connection refused)"
    assert lost.value.fix == "wait until it is up again"
    with (
        ArgoClient(replace(double.connection, argo_server=proxy.url)) as stranger,
        pytest.raises(AccessError, match="no Argo server answers"),
    ):
        stranger.version()


def test_a_reading_is_persisted_in_while_the_server_starts(double, client):
    """Argo's gateway answers before what stands behind it does."""
    answers = iter([503] * 6 + [500, 200])

    def run(exchange):
        status = next(answers)
        not_yet = {"code": 14 if status == 503 else 13, "message": 'desc = "transport: Error while dialing"'}
        exchange.reply(workflow("Running", 1) if status == 200 else not_yet, status)

    double.on("GET", f"{RUNS}/w", run)
    found = reconnect.repeat_until_answered(lambda: client.get("w"), rejoin=client.rejoin, sleep=lambda _: None)
    assert found["metadata"]["name"] == "w"
    double.on("GET", f"{RUNS}/w", {"code": 5, "message": "gone"}, 404)
    with pytest.raises(Refused, match="gone"):
        reconnect.repeat_until_answered(lambda: client.get("w"), rejoin=client.rejoin, sleep=lambda _: None)


def test_an_error_in_a_stream_is_the_servers_sentence(double, client):
    body = b'data: {"error":{"grpc_code":5,"http_code":404,"message":"workflow gone","http_status":"Not Found"}}\n\n'
    double.on("GET", f"{RUNS}/w/log", lambda exchange: exchange.reply(body, 404, "text/event-stream"))
    with pytest.raises(Refused, match="workflow gone") as caught:
        list(client.logs("w"))
    assert caught.value.code == 5


def test_an_artifact_byte_for_byte(double, client):
    content = bytes(range(256)) * 1000
    double.on(
        "GET",
        "/artifacts/lyon/w/w-1/out%2Fput",
        lambda exchange: exchange.reply(content, kind="application/octet-stream"),
    )
    assert b"".join(client.artifact("w", "w-1", "out/put")) == content


def test_a_reading_that_met_a_closed_connection_is_asked_again_a_writing_is_not(double, client):
    count = itertools.count()

    def first_time_dead(exchange):
        if next(count) == 0:
            exchange.close_connection = True  # closes the connection without an answer
        else:
            exchange.reply({"version": "v4.1.2"})

    double.on("GET", "/api/v1/version", first_time_dead)
    assert client.version() == "v4.1.2"
    double.on("PUT", f"{RUNS}/w/resubmit", lambda exchange: setattr(exchange, "close_connection", True))
    with pytest.raises(AccessError, match="closed without an answer"):
        client.act("w", "resubmit")
    assert sum(exchange.method == "PUT" for exchange in double.seen) == 1


def test_a_token_that_is_renewed(double):
    from dataclasses import replace

    tokens = iter(["first-token", "second-token"])
    double.on("GET", "/api/v1/version", {"version": "v4"})
    with ArgoClient(replace(double.connection, fresh_token=lambda: next(tokens))) as client:
        client.version()
        client.version()
    assert [exchange.headers["Authorization"] for exchange in double.seen] == [
        "Bearer first-token",
        "Bearer second-token",
    ]


def test_a_netrc_entry_does_not_replace_the_token(double, client, tmp_path, monkeypatch):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password other\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    double.on("GET", "/api/v1/version", {"version": "v4"})
    client.version()
    assert double.seen[-1].headers["Authorization"] == "Bearer planted-token-5e1f"


def test_a_base_path_is_kept(double):
    from dataclasses import replace

    double.on("GET", "/argo/api/v1/version", {"version": "v4"})
    with ArgoClient(replace(double.connection, argo_server=double.url + "/argo")) as client:
        assert client.version() == "v4"
        assert client.link("w") == f"{double.url}/argo/workflows/lyon/w"


def test_a_watch_can_be_left(double, client):
    double.on("GET", f"{RUNS}/w", {"metadata": {}})

    def stream(exchange):
        exchange.begin_events()
        for number in range(100):
            exchange.event({"result": {"type": "MODIFIED", "object": workflow("Running", number)}})
        time.sleep(30)

    double.on("GET", EVENTS, stream)
    states = client.watch("w")
    next(states)
    done = threading.Event()
    threading.Thread(target=lambda: (states.close(), done.set())).start()
    assert done.wait(5)


def test_the_thread_that_reads_a_stream_closes_it(local_platform, monkeypatch):
    """If two threads close the same connection, the second may cut the next request, which has received it in between."""
    closers = []
    close = requests.Response.close

    def noted(reply):
        closers.append(threading.current_thread().name)
        close(reply)

    document = {
        "metadata": {"generateName": "read-"},
        "spec": {"entrypoint": "m", "templates": [{"name": "m", "suspend": {}}]},
    }
    name = local_platform.client.create(document)["metadata"]["name"]
    monkeypatch.setattr(requests.Response, "close", noted)
    events = local_platform.client.watch(name, rest=lambda _: 0.0)
    next(events)
    events.close()
    for thread in threading.enumerate():
        if thread.name == "newest":
            thread.join(60)
    assert set(closers) <= {"newest"}
    local_platform.client.act(name, "terminate")
