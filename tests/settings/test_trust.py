"""What a project's file may decide, and what only after the user has said so."""

import os
import subprocess
import sys

import pytest

from hera_utils.errors import SettingsError
from hera_utils.settings import profiles
from hera_utils.settings.sources import read_settings
from hera_utils.settings.trust import TRUSTED_FILE, Untrusted, forget, trust

TOKEN = "planted-token-0f9e8d7c"
PROJECT_FILES = ("hera-utils.toml", "pyproject.toml", "hera.config")


def say(desk, file, **values):
    """Write settings into a file of the project."""
    head = "[tool.hera_utils]\n" if file == "pyproject.toml" else ""
    quote = "" if file == "hera.config" else '"'
    lines = [
        f"{name} = {str(value).lower()}\n" if isinstance(value, bool) else f"{name} = {quote}{value}{quote}\n"
        for name, value in values.items()
    ]
    (desk.project / file).write_text(head + "".join(lines))


def own_profile(desk, name="lab", token=TOKEN, server="https://argo.lab.example"):
    (desk.user / "config.toml").write_text(f'[profiles.{name}]\nargo_server = "{server}"\n')
    credentials = desk.user / "credentials.toml"
    credentials.touch(mode=0o600)
    credentials.write_text(f'[profiles.{name}]\nargo_token = "{token}"\n')


def refused(desk, flags=None, what="decides where your token"):
    with pytest.raises(Untrusted, match=what) as caught:
        read_settings(flags or {}, around=desk.around)
    assert "hera-utils trust" in caught.value.fix
    assert TOKEN not in str(caught.value) + caught.value.fix
    return caught.value


LEADS = {
    "argo_server": "https://evil.example",
    "proxy": "http://evil.example:3128",
    "verify_tls": False,
    "ca_file": "evil.pem",
    "argo_base_href": "/evil",
}


@pytest.mark.parametrize("file", PROJECT_FILES)
@pytest.mark.parametrize("name", LEADS)
def test_no_project_file_leads_the_token_of_a_variable(desk, file, name):
    desk.environ["ARGO_TOKEN"] = TOKEN
    if name != "argo_server":
        desk.environ["ARGO_SERVER"] = "https://argo.lab.example"
        say(desk, file, **{name: LEADS[name]})
    else:
        say(desk, file, argo_server=LEADS[name])
    assert name in str(refused(desk))


@pytest.mark.parametrize("file", PROJECT_FILES)
@pytest.mark.parametrize("name", ["proxy", "verify_tls", "ca_file"])
def test_no_project_file_leads_the_token_of_a_profile(desk, file, name):
    own_profile(desk)
    say(desk, file, **{name: LEADS[name]})
    refused(desk, {"profile": "lab"})


@pytest.mark.parametrize("way", ["argo_token_file", "argo_token_command", "argo_token_keyring"])
def test_however_the_token_is_given(desk, way):
    (desk.user / "config.toml").write_text(f'{way} = "x"\n')
    say(desk, "hera-utils.toml", argo_server="https://evil.example")
    refused(desk)


def test_a_profile_that_a_project_redefines(desk):
    own_profile(desk)
    (desk.project / "hera-utils.toml").write_text('[profiles.lab]\nargo_server = "https://evil.example"\n')
    refused(desk, {"profile": "lab"})


def test_a_profile_that_a_project_chooses_with_a_server_of_its_own(desk):
    own_profile(desk)
    say(desk, "hera-utils.toml", profile="lab", argo_server="https://evil.example")
    refused(desk)


def test_a_profile_that_a_project_chooses_leads_no_other_token(desk):
    own_profile(desk, token="x" * 20)
    credentials = desk.user / "credentials.toml"
    credentials.write_text("")
    say(desk, "hera-utils.toml", profile="lab")
    desk.environ["ARGO_TOKEN"] = TOKEN
    assert "profile" in str(refused(desk))


def test_the_token_of_a_profile_that_a_project_chooses_goes_to_no_other_server(desk):
    own_profile(desk)
    say(desk, "hera-utils.toml", profile="lab")
    refused(desk, {"argo_server": "https://other.example"})


def test_a_profile_that_a_project_chooses_is_the_users_own(desk):
    own_profile(desk)
    say(desk, "hera-utils.toml", profile="lab", argo_namespace="lyon")
    context = read_settings(around=desk.around)
    assert (context.argo_server, context.argo_token.reveal()) == ("https://argo.lab.example", TOKEN)


def test_server_and_token_from_one_file_belong_together(desk):
    say(desk, "hera.config", argo_server="https://argo.lab.example", argo_token=TOKEN, verify_tls=False)
    assert read_settings(around=desk.around).argo_token.reveal() == TOKEN


def test_a_token_of_hera_config_is_led_by_no_other_file(desk):
    say(desk, "hera.config", argo_server="https://argo.lab.example", argo_token=TOKEN)
    say(desk, "hera-utils.toml", proxy="http://evil.example:3128")
    refused(desk)


def test_what_the_user_gives_beats_what_the_project_says(desk):
    say(desk, "hera-utils.toml", argo_server="https://evil.example")
    desk.environ |= {"ARGO_TOKEN": TOKEN, "ARGO_SERVER": "https://argo.lab.example"}
    assert read_settings(around=desk.around).argo_server == "https://argo.lab.example"
    assert read_settings({"argo_server": "https://b.example"}, around=desk.around).argo_server == "https://b.example"


def test_what_leads_no_token_needs_no_trust(desk):
    say(desk, "hera-utils.toml", argo_server="https://argo.lab.example", argo_namespace="lyon", registry="r.example")
    assert read_settings(around=desk.around).argo_server == "https://argo.lab.example"


def test_a_file_in_the_home_folder_is_the_users_own(desk):
    (desk.home / "hera-utils.toml").write_text('argo_server = "https://argo.lab.example"\n')
    (desk.home / "hera.config").write_text("verify_tls = false\n")
    desk.environ["ARGO_TOKEN"] = TOKEN
    assert read_settings(around=desk.around).verify_tls is False


def test_the_credential_of_a_kubeconfig_is_led_by_no_project(desk):
    kubeconfig = desk.home / "kubeconfig"
    kubeconfig.write_text("{}")
    desk.environ["KUBECONFIG"] = str(kubeconfig)
    say(desk, "hera-utils.toml", argo_server="https://evil.example", argo_service_account="argo-user")
    refused(desk, what="your kubeconfig's credential")
    say(desk, "hera-utils.toml", platform="remote", verify_tls=False)
    refused(desk, what="your kubeconfig's credential")
    say(desk, "hera-utils.toml", platform="remote")
    read_settings(around=desk.around)


def test_a_kubeconfig_of_the_project_leads_no_token(desk):
    (desk.project / "kubeconfig").write_text("{}")
    desk.environ["ARGO_TOKEN"] = TOKEN
    say(desk, "hera-utils.toml", platform="remote", k8s_config_file="kubeconfig")
    refused(desk)


@pytest.mark.parametrize("file", PROJECT_FILES)
@pytest.mark.parametrize(("name", "value"), [("python", "./evil"), ("python", "evil"), ("state", "./prepared")])
def test_no_project_file_names_what_acts_as_the_user(desk, file, name, value):
    say(desk, file, **{name: value})
    refused(desk, what=f"names .*{name}")
    trust([str(desk.project / file)], desk.user)
    assert getattr(read_settings(around=desk.around), name)


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a file to another user")
@pytest.mark.parametrize("file", PROJECT_FILES)
def test_a_file_of_another_user_is_not_taken(desk, file):
    say(desk, file, argo_namespace="theirs")
    os.chown(desk.project / file, 65534, 65534)
    refused(desk, what="belongs to another user")


def test_trust_is_of_one_file_as_it_is(desk):
    desk.environ["ARGO_TOKEN"] = TOKEN
    say(desk, "hera-utils.toml", argo_server="https://argo.lab.example")
    file = str(desk.project / "hera-utils.toml")
    refused(desk)
    trust([file], desk.user)
    assert read_settings(around=desk.around).argo_server == "https://argo.lab.example"
    assert (desk.user / TRUSTED_FILE).stat().st_mode & 0o777 == 0o600
    say(desk, "hera.config", proxy="http://evil.example:3128")
    refused(desk)
    (desk.project / "hera.config").unlink()
    say(desk, "hera-utils.toml", argo_server="https://evil.example")
    refused(desk)
    trust([file], desk.user)
    forget([file], desk.user)
    refused(desk)


@pytest.mark.parametrize("text", ["", "[]", '{"/x": 5}', "no json"])
def test_a_damaged_list_trusts_nothing(desk, text):
    desk.environ["ARGO_TOKEN"] = TOKEN
    say(desk, "hera-utils.toml", argo_server="https://argo.lab.example")
    (desk.user / TRUSTED_FILE).write_text(text)
    refused(desk)


def test_a_profile_that_the_user_writes_into_the_project_is_trusted(desk):
    own_profile(desk, "other")
    profiles.add("lab", {"argo_server": "https://argo.lab.example"}, desk.around, project=True)
    desk.environ["ARGO_TOKEN"] = TOKEN
    assert read_settings({"profile": "lab"}, around=desk.around).argo_server == "https://argo.lab.example"


def test_a_profile_beside_what_somebody_else_wrote_is_not(desk):
    say(desk, "hera-utils.toml", proxy="http://evil.example:3128")
    profiles.add("lab", {"argo_server": "https://argo.lab.example"}, desk.around, project=True)
    desk.environ["ARGO_TOKEN"] = TOKEN
    refused(desk, {"profile": "lab"})


def types(desk, *words, **more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ARGO", "KUBE", "HERA", "XDG"))}
    return subprocess.run(
        [sys.executable, *words],
        cwd=desk.project,
        env=kept | {"HOME": str(desk.home), "HERA_UTILS_STATE": str(desk.home / "state")} | desk.environ | more,
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )


def test_at_the_command_line(desk):
    evil = desk.project / "evil"
    evil.write_text(f"#!/bin/sh\ntouch {desk.project}/ran\n")
    evil.chmod(0o755)
    say(desk, "hera-utils.toml", python="./evil", argo_server="http://127.0.0.1:9")
    desk.environ["ARGO_TOKEN"] = TOKEN
    for words in (["doctor"], ["ls"], ["serve", "--status"], ["connection"]):
        answer = types(desk, "-m", "hera_utils", *words)
        assert answer.returncode == 2, answer
        assert f"{desk.project}/hera-utils.toml names the Python that runs tasks as you (python)" in answer.stderr
        assert "decides where your token (variable ARGO_TOKEN) goes: argo_server" in answer.stderr
        assert "fix: read it; if that is right: hera-utils trust" in answer.stderr
    script = types(desk, "-c", "import hera_utils; hera_utils.parse_arguments(); print('went on')")
    assert (script.returncode, script.stdout) == (2, "")
    assert not (desk.project / "ran").exists()
    shown = types(desk, "-m", "hera_utils", "settings")
    assert shown.returncode == 0
    assert "other commands refuse that" in shown.stderr
    allowed = types(desk, "-m", "hera_utils", "trust")
    assert f"trusted in its present form: {desk.project}/hera-utils.toml" in allowed.stdout
    assert "argo_server = http://127.0.0.1:9" in allowed.stdout
    assert "no Argo server answers" in types(desk, "-m", "hera_utils", "ls").stderr
    types(desk, "-m", "hera_utils", "trust", "--remove")
    assert "hera-utils trust" in types(desk, "-m", "hera_utils", "ls").stderr


def test_where_the_list_cannot_be_written(desk):
    folder = desk.home / "file"
    folder.write_text("")
    with pytest.raises(SettingsError, match="cannot write"):
        trust([str(desk.project / "x")], folder)
