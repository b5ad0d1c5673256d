"""The calls of the scripts of 2024-10: `argo_server()`, `argo_server(args)`, any parser's args."""

import argparse
import types

import pytest

import hera_utils
from hera_utils.errors import AccessError
from hera_utils.settings.sources import Surroundings, read_settings
from seed.scripts import TOKEN, here, output_of, run_script

HELLO = """
from hera_utils import argo_server
server = argo_server()
from hera.workflows import Steps, Workflow, script

@script()
def greet(word):
    print(word)

with Workflow(generate_name="hello-", entrypoint="s") as w:
    with Steps(name="s"):
        greet(arguments={"word": "hello"})
print(w.create(wait=True, poll_interval=1).status.phase, server.namespace)
"""
PARSED = HELLO.replace(
    "from hera_utils import argo_server\nserver = argo_server()",
    "from hera_utils import parser\nfrom hera_utils.argo_server import argo_server\n"
    "parser = parser()\nargs = parser.parse_args()\nserver = argo_server(args)\n"
    "server.check_server_availability()\nserver.print_config()",
)


@pytest.fixture
def hera(monkeypatch):
    """Hera's global configuration, put back afterwards."""
    from hera.shared import global_config

    held = dict(vars(global_config))
    yield global_config
    vars(global_config).update(held)


def test_one_call_and_hera_is_configured(local_platform, tmp_path):
    answer = output_of(run_script(tmp_path, HELLO, **here(local_platform)))
    assert answer == f"Succeeded {local_platform.connection.namespace}\n"


def test_with_the_parsers_args(local_platform, tmp_path):
    answer = run_script(
        tmp_path, PARSED, "--argo_namespace", local_platform.connection.namespace, state=local_platform.context.state
    )
    shown = output_of(answer)
    assert shown.endswith(f"Succeeded {local_platform.connection.namespace}\n")
    assert "token = <found>" in shown
    assert local_platform.connection.token not in shown + answer.stderr


@pytest.mark.parametrize(
    "args",
    [
        argparse.Namespace(argo_service_account="robot", borough="LYON_1"),
        types.SimpleNamespace(argo_service_account="robot", argo_server=None),
    ],
)
def test_the_args_of_any_parser(local_platform, hera, args):
    args.state, args.argo_namespace = local_platform.context.state, local_platform.connection.namespace
    server = hera_utils.argo_server(args)
    assert server.server == local_platform.connection.argo_server
    assert server.token == local_platform.connection.token
    assert server.service_account == "robot" == hera.service_account_name
    assert server.namespace == args.argo_namespace == hera.namespace
    assert hera.host.rstrip("/") == server.server
    assert server.k8s_cluster is None
    assert server.check_server_availability() is None
    assert hera_utils.argo_server(args=args).server == server.server


@pytest.mark.parametrize("address", ["127.0.0.1:{port}", "http://127.0.0.1:{port}", "http://127.0.0.1:{port}/"])
def test_the_address_as_it_was_configured(double, hera, tmp_path, monkeypatch, address):
    double.on("GET", "/api/v1/version", {"version": "v4.1.2"})
    double.on("GET", "/api/v1/workflows/lab", {"items": []})
    given = address.format(port=double.server_address[1])
    environ = {"ARGO_SERVER": given, "ARGO_SECURE": "false", "ARGO_TOKEN": TOKEN, "ARGO_NAMESPACE": "lab"}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    server = hera_utils.argo_server(hera_utils.parse_arguments([]))
    assert server.argo_server_configured_value == given
    assert server.server == double.url
    assert server.token == TOKEN
    assert TOKEN not in repr(server)


def test_443_and_no_scheme_are_https(tmp_path):
    context = read_settings({"argo_server": "argo.example.org:443"}, around=Surroundings({}, tmp_path, tmp_path))
    assert context.argo_server == "https://argo.example.org:443" or context.argo_server == "https://argo.example.org"


def test_a_server_that_refuses_the_token(double, tmp_path):
    double.on("GET", "/api/v1/version", {"version": "v4.1.2"})
    double.on("GET", "/api/v1/workflows/default", {"code": 16, "message": f"token {TOKEN} not valid"}, 401)
    context = read_settings(
        {"argo_server": double.url, "argo_token": TOKEN}, around=Surroundings({}, tmp_path, tmp_path)
    )
    with pytest.raises(AccessError) as caught:
        hera_utils.argo_server(context)
    assert TOKEN not in str(caught.value) + str(caught.value.fix)


def test_it_configures_hera_only_when_it_answers(hera, tmp_path):
    before = hera.host
    context = read_settings({"argo_server": "http://127.0.0.1:9"}, around=Surroundings({}, tmp_path, tmp_path))
    with pytest.raises(AccessError):
        hera_utils.argo_server(context)
    assert hera.host == before
