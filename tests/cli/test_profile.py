"""`hera-utils profile` and `version`, as they are typed."""

import json
import os
import stat
import subprocess
import sys

import pytest

PLANTED = "planted-token-41fe"


@pytest.fixture
def type_(tmp_path, local_platform):
    own = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "HERA_UTILS_STATE": local_platform.context.state}

    def typed(*words, status=0, given=None, **environ):
        answer = subprocess.run(
            [sys.executable, "-m", "hera_utils", *words],
            cwd=tmp_path,
            env=own | environ,
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        assert answer.returncode == status, answer.stdout + answer.stderr
        assert PLANTED not in answer.stdout + answer.stderr
        return answer.stdout + answer.stderr

    return typed


def test_from_none_to_one_and_back(type_, tmp_path):
    assert "there is no profile; create one with" in type_("profile", "ls")
    said = type_(
        "profile", "add", "lab", "--argo_server", "argo.example:443", "--ask-token", given=f"Bearer {PLANTED}\n"
    )
    assert "wrote ~/.config/hera-utils/config.toml\nwrote ~/.config/hera-utils/credentials.toml\n" in said
    secret = tmp_path / ".config" / "hera-utils" / "credentials.toml"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert PLANTED in secret.read_text()
    assert "lab" in type_("profile", "ls")
    assert "profile = lab written to " in type_("profile", "use", "lab")
    (one,) = json.loads(type_("profile", "ls", "-o", "json"))
    assert (one["name"], one["in_use"], one["token"]) == ("lab", True, True)
    shown = {row["name"]: row for row in json.loads(type_("profile", "show", "-o", "json"))}
    assert shown["argo_server"]["value"] == "https://argo.example:443"
    assert shown["argo_token"]["value"] == "********"
    assert shown["argo_token"]["origin"].endswith("credentials.toml")
    secret.chmod(0o644)
    assert f"chmod 600 {secret}" in type_("profile", "show", status=2)
    secret.chmod(0o600)
    type_("profile", "use", "--none")
    assert "no profile is in use" in type_("profile", "show", status=2)
    assert "lab removed from" in type_("profile", "rm", "lab")
    assert PLANTED not in secret.read_text()


def test_what_is_wrong_is_told(type_):
    assert "the profile would be empty" in type_("profile", "add", "lab", status=2)
    assert "no profile `lab`" in type_("profile", "use", "lab", status=2)
    assert "no profile `lab`" in type_("profile", "rm", "lab", status=2)
    assert "no profile `lab`" in type_("profile", "show", "lab", status=2)
    assert "not a name of a profile" in type_("profile", "add", "a b", "--argo_server", "x", status=2)
    assert "cannot read" in type_("profile", "add", "lab", "--from", "nowhere", status=2)
    assert "no token was given" in type_(
        "profile", "add", "lab", "--argo_server", "x", "--ask-token", status=2, given=""
    )


def test_the_first_hera_utils_config(type_, tmp_path):
    (tmp_path / "old.config").write_text(
        "argo_server='argo.example:443'\nk8s_config_file='kube/config'\nborough=LYON\n"
    )
    assert "flags of scripts and not settings: borough" in type_(
        "profile", "add", "old", "--from", "old.config", "--argo_namespace", "mine"
    )
    said = type_("profile", "show", "old", KUBECONFIG="/elsewhere/config")
    assert "the profile's k8s_config_file has no effect: variable KUBECONFIG wins" in said
    assert "mine" in said


def test_a_profile_is_checked(type_):
    type_("profile", "add", "here", "--platform", "local")
    assert "no problems" in type_("profile", "check", "here")
    type_("profile", "add", "far", "--argo_server", "http://127.0.0.1:9")
    assert "connection refused" in type_("profile", "check", "far", status=1)


def test_versions(type_):
    said = json.loads(type_("version", "-o", "json"))
    assert (said["argo"], said["kubernetes"]) == ("4.1.2", "")
    assert [one["verdict"] for one in said["fits"]] == ["good"]
    assert "Hera" in type_("version")
    assert "connection refused" in type_("version", "--argo_server", "http://127.0.0.1:9")
