"""Which runs `ls` lists: by status, by the beginning of their names, by age."""

import json

import pytest

from hera_utils.cli.main import run_command_line
from hera_utils.cli.run_filter import PHASES, RunFilter, phases_to_list
from hera_utils.errors import SettingsError

BORN = "2026-01-01T00:00:00Z"
NOW = 1767225600 + 3600.0  # an hour later


@pytest.mark.parametrize(
    ("wanted", "admitted"),
    [
        (RunFilter(), True),
        (RunFilter(frozenset({"Failed", "Error"})), True),
        (RunFilter(frozenset({"Running"})), False),
        (RunFilter(prefix="swe"), True),
        (RunFilter(prefix="weep"), False),
        (RunFilter(since=3600.0), True),
        (RunFilter(since=3599.0), False),
    ],
)
def test_a_run_that_failed_an_hour_ago(wanted, admitted):
    assert wanted.admits("sweep-1", "Failed", BORN, NOW) == admitted
    assert wanted.is_empty == (wanted == RunFilter())


def test_a_run_without_a_date_has_no_age():
    assert RunFilter().admits("a", "Pending", "", NOW)
    assert not RunFilter(since=1e9).admits("a", "Pending", "", NOW)


@pytest.mark.parametrize(
    ("status", "running", "completed", "wanted"),
    [
        (None, False, False, set(PHASES)),
        (None, True, True, set(PHASES)),
        (None, True, False, {"Pending", "Running"}),
        ("failed, Error", False, False, {"Failed", "Error"}),
        ("Failed,Running", False, True, {"Failed"}),
        ("Failed", True, False, set()),
    ],
)
def test_wanted_phases(status, running, completed, wanted):
    assert phases_to_list(status, running=running, completed=completed) == wanted


def test_a_status_that_is_none():
    with pytest.raises(SettingsError, match="`Fialed` is no status of a run") as refused:
        phases_to_list("Fialed", running=False, completed=False)
    assert "Failed, Error" in refused.value.fix


def test_the_list_is_narrowed(local_platform, monkeypatch, capsys):
    monkeypatch.setenv("HERA_UTILS_STATE", local_platform.context.state)
    monkeypatch.setenv("ARGO_NAMESPACE", local_platform.connection.namespace)

    def document(word):
        container = {"name": "c", "container": {"image": "busybox", "command": [word]}}
        return {"metadata": {"generateName": f"{word}-"}, "spec": {"entrypoint": "c", "templates": [container]}}

    good, bad = (local_platform.run(document(word)).name for word in ("true", "false"))
    capsys.readouterr()  # why the second one failed

    def listed(*words):
        assert run_command_line(["ls", "-o", "name", *words]) == 0
        return capsys.readouterr().out.split()

    assert listed() == [bad, good]
    assert listed("--status", "Failed,Error") == [bad]
    assert listed("--prefix", "tru", "--since", "1h") == [good]
    assert listed("--status", "succeeded", "--limit", "1") == [good]
    assert run_command_line(["ls", "--status", "Error"]) == 0
    assert "are selected" in capsys.readouterr().err
    assert run_command_line(["ls", "--since", "soon"]) == 2
    assert "write --since 30d" in capsys.readouterr().err
    assert run_command_line(["ls", "--status", "Failed", "-o", "json"]) == 0
    assert [one["status"]["phase"] for one in json.loads(capsys.readouterr().out)] == ["Failed"]
