"""What is masked where a run is told, what is refused, and what is left as it is."""

import json
from types import SimpleNamespace

import pytest
from documents import pod, run, sweep
from test_crate import COMMON, KEY, TOKEN

from hera_utils.errors import ResourceError, SettingsError
from hera_utils.report.markdown import markdown
from hera_utils.report.page_html import page
from hera_utils.report.run_folder import render_report
from hera_utils.results.results import Results
from hera_utils.results.secrecy import (
    is_secret,
    mask_secrets,
    refuse_secret_inputs,
    refuse_secret_literals,
    refuse_secrets,
    secrets_of,
)
from hera_utils.runs.whole_run import WholeRun


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("API_TOKEN", KEY, True),
        ("dbPassword", "9f86d081884c7d659a2feaa0c55ad015", True),
        ("accessKey", "AKIA3X9TQ2B7ZK1M5N8P", True),
        ("MY_SECRETS", "sk-ant-api03-Zx81kQp0Lm29", True),
        ("PWD", "/home/me/9f86d081884c7d659a2feaa0c55ad015", False),
        ("OLDPWD", KEY, False),
        ("DIGEST", "9f86d081884c7d659a2feaa0c55ad015", False),
        ("max_tokens", "100", False),
        ("tokenizer", KEY, False),
        ("KEYBOARD", KEY, False),
        ("token", "", False),
        ("token", "inequality-1929-new-england", False),
        ("password_file", "/home/me/.config/lab/password.txt", False),
        ("token", "20261128T231400Z", False),
        ("token", 5, False),
        *((name, value, False) for name, value in COMMON.items()),
    ],
)
def test_what_is_secret_by_name_and_look(name, value, secret):
    assert is_secret(name, value) is secret
    assert bool(secrets_of({name: str(value)})) is secret


def failing(text):
    document = run(pod("w.a", "Failed", message=f"no access with {text}"), phase="Failed")
    results = Results.of([document])
    return document, results.with_logs({row.node_id: [f"Authorization: Bearer {text}", "Succeeded"] for row in results})


def test_messages_and_logs_are_masked():
    _, results = failing(TOKEN)
    row = mask_secrets(results, [TOKEN]).tasks[0]
    assert (row.message, row.log) == ("no access with ********", ("Authorization: Bearer ********", "Succeeded"))


def test_results_are_never_changed():
    document = sweep([({"a": TOKEN}, "Succeeded", {"said": TOKEN})])
    results = Results.of([document])
    assert mask_secrets(results, [TOKEN, "Succeeded"]).to_csv() == results.to_csv()


class Client:
    connection = SimpleNamespace(token=TOKEN, local=True, argo_server="http://127.0.0.1:1")

    def version(self):
        return "v4.1.2"


@pytest.mark.parametrize("form", [page, markdown])
def test_a_report_masks_what_a_task_said_and_nothing_else(form, monkeypatch):
    monkeypatch.setenv("LAB_API_KEY", KEY)
    for name, value in COMMON.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PWD", "/home/me/study")
    document, results = failing(f"{TOKEN} {KEY}")
    whole = WholeRun("w", "default", (document,), facts={"script": "/home/me/study/experiment.py"})
    text = render_report(Client(), whole, results, (), form)
    assert TOKEN not in text
    assert KEY not in text
    assert "Failed" in text
    assert "Succeeded" in text


@pytest.mark.parametrize("form", [page, markdown])
@pytest.mark.parametrize("value", [TOKEN, 'pa"ss<wo&rd-99'])
def test_a_report_of_which_a_result_is_a_secret_is_refused(form, value):
    document = sweep([({"a": "1"}, "Succeeded", {"said": value})])
    with pytest.raises(ResourceError, match="the report of w would contain a secret"):
        render_report(Client(), WholeRun("w", "default", (document,)), Results.of([document]), (value,), form)


def test_a_key_as_plain_text_is_refused_and_what_is_swept_over_is_none():
    refuse_secret_literals([sweep([({"token": f"{KEY}{n}"}, "Succeeded", {}) for n in range(30)])])
    document = run(pod("w.a"))
    document["spec"] = {"templates": [{"container": {"env": [{"name": "apiKey", "value": KEY}]}}]}
    with pytest.raises(ResourceError, match="contains the secret `apiKey` as plain text"):
        refuse_secret_literals([document])
    document["spec"]["templates"][0]["container"]["env"][0] = {"name": "apiKey", "value": "{{inputs.parameters.x}}"}
    refuse_secret_literals([document])


def test_inputs_are_kept_in_the_record_and_are_no_secrets():
    fine = {"constants": {"city": "Lyon", "token": "word", "store": {"max_tokens": 5}}, "parameters": {"n": [1]}}
    refuse_secret_inputs(fine, [TOKEN])
    for constants in ({"api_token": KEY}, {"store": {"password": KEY}}, {"x": TOKEN}, {"many": [{"x": TOKEN}]}):
        with pytest.raises(SettingsError, match="is a secret, and the inputs of a run are kept"):
            refuse_secret_inputs({"constants": constants, "parameters": {}}, [f"Bearer {TOKEN}"])
    with pytest.raises(SettingsError, match="`api_key`"):
        refuse_secret_inputs({"constants": {}, "parameters": {"api_key": [KEY, "other"]}}, [])


@pytest.mark.parametrize("word", ["Succeeded", "python", "/home/me/study1", "default"])
def test_a_secret_that_is_a_common_word_refuses_no_file(word):
    refuse_secrets("results.csv", f"a,{word}x,{json.dumps(word)},python3", [word] if "/" not in word else [])
