"""Every source, alone and against the others."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hera_utils.errors import SettingsError
from hera_utils.settings.fields import BY_NAME, FIELDS
from hera_utils.settings.sources import read_settings

PLANTED = "planted-token-0f9e8d7c"


def put(desk, source, name, value, flags, given_by_script):
    """Give a setting in one source."""
    field = BY_NAME[name]
    if source == "flag":
        flags[name] = value
    elif source == "environment":
        desk.environ[field.variables[0]] = value
    elif source == "$ARGOCONFIG":
        add(desk.project / "named.config", f"{name} = {value}\n")
        desk.environ["ARGOCONFIG"] = "named.config"
    elif source == "./hera.config":
        add(desk.project / "hera.config", f"{name} = {value}\n")
    elif source == "project file":
        add(desk.project / "hera-utils.toml", f'{name} = "{value}"\n')
    elif source == "~/hera.config":
        add(desk.home / "hera.config", f"{name} = {value}\n")
    elif source == "user profile":
        add(desk.user / "config.toml", f'{name} = "{value}"\n')
    elif source == "script":
        given_by_script[name] = value


def add(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


# Strongest first: the order that the documentation promises.
ORDER = (
    "flag",
    "environment",
    "$ARGOCONFIG",
    "./hera.config",
    "project file",
    "~/hera.config",
    "user profile",
    "script",
)
TEXTS = (
    "argo_namespace",
    "argo_service_account",
    "registry",
    "k8s_configmap_name",
    "k8s_volume_claim_name",
    "k8s_context",
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(TEXTS), st.sets(st.sampled_from(ORDER), min_size=1), min_size=1))
def test_the_strongest_source_wins_and_is_remembered(new_desk, said):
    with tempfile.TemporaryDirectory() as folder:
        desk, flags, by_script = new_desk(Path(folder)), {}, {}
        for name, sources in said.items():
            for source in sources:
                put(desk, source, name, f"from-{ORDER.index(source)}", flags, by_script)
        context = read_settings(flags, program=by_script, around=desk.around)
    for name, sources in said.items():
        strongest = min(sources, key=ORDER.index)
        assert getattr(context, name) == f"from-{ORDER.index(strongest)}"
        assert TOLD[strongest] in context.origin(name)
        assert context.is_given(name) is (strongest != "script")
    for name in set(TEXTS) - set(said):
        assert getattr(context, name) == BY_NAME[name].default
        assert context.origin(name) == "default"


TOLD = {
    "flag": "flag --",
    "environment": "variable ",
    "$ARGOCONFIG": "file named.config ($ARGOCONFIG)",
    "./hera.config": "file ./hera.config",
    "project file": "hera-utils.toml",
    "~/hera.config": "file ~/hera.config",
    "user profile": "config.toml",
    "script": "script",
}


@pytest.mark.parametrize(
    ("variable", "name", "value"),
    [
        ("KUBECONFIG", "k8s_config_file", "/etc/kubeconfig"),
        ("KUBECONFIGMAP", "k8s_configmap_name", "proxies"),
        ("KUBEVOLUMECLAIMNAME", "k8s_volume_claim_name", "results"),
        ("ARGO_NAMESPACE", "argo_namespace", "lyon"),
        ("ARGO_SERVER", "argo_server", "https://argo.example"),
        ("ARGO_SERVICE_ACCOUNT", "argo_service_account", "argo-user"),
        ("HERA_UTILS_PLATFORM", "platform", "local"),
        ("HERA_UTILS_STATE", "state", "/var/state"),
    ],
)
def test_the_variables_of_the_original_and_ours(desk, variable, name, value):
    desk.environ[variable] = value
    context = read_settings(around=desk.around)
    assert getattr(context, name) == value
    assert context.origin(name) == f"variable {variable}"


@pytest.mark.parametrize("name", ["My-Lab", "my_lab", "a" * 64, "-lab", "a.b"])
def test_a_name_that_no_namespace_can_have(desk, name):
    desk.environ["ARGO_NAMESPACE"] = name
    with pytest.raises(
        SettingsError, match=f"variable ARGO_NAMESPACE.*`{name}` cannot be the name of a namespace: at most 63"
    ):
        read_settings(around=desk.around)
    desk.environ["ARGO_NAMESPACE"] = "a" * 63
    assert read_settings(around=desk.around).argo_namespace == "a" * 63


def test_a_program_on_the_path_is_meant_by_its_path(desk, tmp_path, monkeypatch):
    (tmp_path / "python9").write_text("")
    (tmp_path / "python9").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    desk.environ["HERA_UTILS_PYTHON"] = "python9"
    assert read_settings(around=desk.around).python == str(tmp_path / "python9")
    desk.environ["HERA_UTILS_PYTHON"] = "python8"
    assert read_settings(around=desk.around).python == "python8"


def test_nothing_configured_is_this_machine(desk):
    context = read_settings(around=desk.around)
    assert (context.platform, context.argo_server, context.argo_namespace) == ("local", None, "default")
    assert context.state == str(desk.home / ".local/state/hera-utils")
    assert context.verify_tls is True


def test_only_an_argo_server_makes_it_remote(desk):
    desk.environ["KUBECONFIG"] = str(desk.home / "kubeconfig")
    assert read_settings(around=desk.around).platform == "local"
    desk.environ["ARGO_SERVER"] = "argo.example:443"
    context = read_settings(around=desk.around)
    assert (context.platform, context.argo_server) == ("remote", "https://argo.example:443")
    assert "ARGO_SERVER" in context.origin("platform")
    assert read_settings({"platform": "local"}, around=desk.around).platform == "local"


def test_our_own_server_is_local(desk):
    state = desk.home / "state"
    state.mkdir()
    (state / "server.json").write_text(json.dumps({"argo_server": "http://127.0.0.1:4711"}))
    desk.environ |= {"HERA_UTILS_STATE": str(state), "ARGO_SERVER": "localhost:4711", "ARGO_SECURE": "false"}
    assert read_settings(around=desk.around).platform == "local"
    desk.environ["ARGO_SERVER"] = "localhost:4712"
    assert read_settings(around=desk.around).platform == "remote"
    (state / "server.json").write_text("no json")
    assert read_settings(around=desk.around).platform == "remote"
    # The variables of `hera-utils connection` after the server has ended.
    desk.environ["KUBECONFIG"] = str(state / "kubeconfig")
    assert read_settings(around=desk.around).platform == "local"


KUBECONFIG = """
current-context: lab
contexts: [{name: lab, context: {cluster: lab, user: me, namespace: lyon}}, {name: bare, context: {cluster: lab, user: me}}]
clusters: [{name: lab, cluster: {server: "https://cluster.example"}}]
users: [{name: me, user: {token: planted}}]
"""


def test_remote_without_a_server_is_for_the_connection_to_find(desk):
    context = read_settings({"platform": "remote"}, around=desk.around)
    assert (context.platform, context.argo_server) == ("remote", None)


def test_the_namespace_of_a_context_is_used_where_nobody_names_one(desk):
    (desk.home / ".kube").mkdir()
    (desk.home / ".kube" / "config").write_text(KUBECONFIG)
    context = read_settings({"platform": "remote"}, around=desk.around)
    assert context.argo_namespace == "lyon"
    assert context.origin("argo_namespace") == f"context lab in {desk.home}/.kube/config"
    assert read_settings({"platform": "remote", "k8s_context": "bare"}, around=desk.around).argo_namespace == "default"
    assert read_settings({"platform": "remote", "argo_namespace": "mine"}, around=desk.around).argo_namespace == "mine"
    assert read_settings({"argo_server": "argo.example"}, around=desk.around).argo_namespace == "default"
    # The local platform ignores the context's namespace.
    assert read_settings(around=desk.around).argo_namespace == "default"
    (desk.home / ".kube" / "config").write_text("planted: [")
    assert read_settings({"platform": "remote"}, around=desk.around).argo_namespace == "default"


def test_the_strongest_way_to_give_a_token_stands_alone(desk):
    desk.environ["ARGO_TOKEN"] = PLANTED
    (desk.user / "config.toml").write_text('argo_token_command = "cloud token"\nargo_token_file = "~/token"\n')
    context = read_settings(around=desk.around)
    assert context.argo_token.reveal() == PLANTED
    assert (context.argo_token_command, context.argo_token_file) == (None, None)
    assert "argo_token wins (variable ARGO_TOKEN)" in context.origin("argo_token_command")
    context = read_settings({"argo_token_command": "other"}, around=desk.around)
    assert (context.argo_token, context.argo_token_command) == (None, "other")
    desk.environ.clear()
    assert read_settings(around=desk.around).argo_token_file == str(desk.home / "token")


@pytest.mark.parametrize("file", ["credentials.toml", "config.toml"])
def test_a_file_with_a_token_is_its_owners_alone(desk, file):
    path = desk.user / file
    path.write_text(f'[profiles.lab]\nargo_token = "{PLANTED}"\n')
    path.chmod(0o640)
    with pytest.raises(SettingsError, match="others on this machine can read it") as caught:
        read_settings(around=desk.around)
    assert caught.value.fix == f"chmod 600 {path}"
    path.chmod(0o600)
    assert read_settings({"profile": "lab"}, around=desk.around).argo_token.reveal() == PLANTED


@pytest.mark.parametrize("file", ["hera-utils.toml", "hera.config"])
def test_a_command_in_a_projects_file_is_not_run(desk, file):
    (desk.project / file).write_text('argo_token_command = "rm -rf /"')
    with pytest.raises(SettingsError, match="a command to run is in a file of the project"):
        read_settings(around=desk.around)


@pytest.mark.parametrize("file", ["hera-utils.toml", "hera.config"])
@pytest.mark.parametrize("said", ['argo_token_file = "~/.ssh/id"', 'argo_token_keyring = "mail/me"'])
def test_no_projects_file_says_what_of_mine_is_sent(desk, file, said):
    """It names the server as well: that would be sent whatever it likes."""
    (desk.project / file).write_text(
        f'argo_server = "a.example"\n{said}\n'.replace('"', "" if file == "hera.config" else '"')
    )
    with pytest.raises(SettingsError, match="a file of the project says where a token of yours is"):
        read_settings(around=desk.around)
    (desk.project / file).unlink()
    (desk.home / "hera.config").write_text("argo_token_file = ~/token\n")
    assert read_settings(around=desk.around).argo_token_file == str(desk.home / "token")


@pytest.mark.parametrize("user", ["exec: {command: touch, args: [ran]}", "tokenFile: /etc/hostname"])
def test_a_kubeconfig_of_a_project_runs_and_sends_nothing(desk, user):
    (desk.project / "kubeconfig").write_text(f"users:\n- name: me\n  user: {{{user}}}\n")
    (desk.project / "hera-utils.toml").write_text('platform = "remote"\nk8s_config_file = "kubeconfig"\n')
    with pytest.raises(SettingsError, match="which comes with the project, runs programs or sends files of yours"):
        read_settings(around=desk.around)
    mine = {"k8s_config_file": str(desk.home / "kubeconfig")}
    (desk.project / "kubeconfig").rename(mine["k8s_config_file"])
    (desk.project / "hera-utils.toml").write_text('platform = "remote"\n')
    assert read_settings(mine, around=desk.around).k8s_config_file == mine["k8s_config_file"]


def test_a_proxys_password_is_found_nowhere(desk):
    context = read_settings({"proxy": f"http://me:{PLANTED}@proxy.example:3128"}, around=desk.around)
    assert context.proxy.endswith("@proxy.example:3128")
    assert PLANTED not in repr(context) + repr(context.rows())
    assert "http://proxy.example:3128" in repr(context.rows())
    assert PLANTED not in context.masked(f"by {PLANTED}")


def test_a_proxy_that_is_none(desk):
    for text in (f"http://me:{PLANTED}@[::1", f"http://:{PLANTED}@", "a b"):
        with pytest.raises(SettingsError, match="it is not an address of a proxy") as caught:
            read_settings({"proxy": text}, around=desk.around)
        assert PLANTED not in f"{caught.value} {caught.value.fix}"
    assert read_settings({"proxy": "proxy.example:3128"}, around=desk.around).proxy == "http://proxy.example:3128"


def test_a_flags_token_is_not_in_the_list_of_processes():
    code = (
        "from hera_utils.settings.parser import parse_arguments; args = parse_arguments(); "
        "print(open('/proc/self/cmdline').read().count('*' * 18), args.argo_token.reveal())"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, "--argo_token", "planted-token-1234"], capture_output=True, text=True, check=True
    )
    assert said.stdout == "1 planted-token-1234\n"


@pytest.mark.parametrize(("text", "seconds"), [("1h", 3600), ("90m", 5400), ("600", 600)])
def test_a_lifetime(desk, text, seconds):
    assert read_settings({"argo_token_lifetime": text}, around=desk.around).argo_token_lifetime == seconds


def test_a_profile_wins_over_its_file_and_loses_to_stronger_files(desk):
    (desk.user / "config.toml").write_text(
        'argo_namespace = "top"\nregistry = "top"\n'
        '[profiles.lab]\nargo_server = "argo.lab.example"\nargo_namespace = "lyon"\n'
        '[profiles.lab.volumes]\nresults = "./here"\nraw = "~/raw"\n'
    )
    (desk.project / "pyproject.toml").write_text(
        '[tool.hera_utils]\nregistry = "project"\nvolumes = {results = "./mine"}\n'
    )
    context = read_settings({"profile": "lab"}, around=desk.around)
    assert (context.argo_namespace, context.registry, context.platform) == ("lyon", "project", "remote")
    assert "profile lab" in context.origin("argo_namespace")
    assert context.volumes == {"results": str(desk.project / "mine"), "raw": str(desk.home / "raw")}


def test_the_project_file_is_found_from_a_folder_below(desk):
    (desk.project / "hera-utils.toml").write_text(
        'images = {"tool*" = {path = ["bin"], files = {"/tool" = "bin/tool"}}}\n'
    )
    below = desk.project / "a" / "b"
    below.mkdir(parents=True)
    desk.project, root = below, desk.project
    entry = read_settings(around=desk.around, check_trust=False).images["tool*"]
    assert entry == {"path": [str(root / "bin")], "files": {"/tool": str(root / "bin/tool")}}


def test_an_images_file_named_in_the_environment(desk):
    (desk.home / "images.yaml").write_text(
        '"tool*": {entrypoint: [/tool], files: {/tool: bin/tool}}\n"python:*": {python: current}\n'
    )
    desk.environ["HERA_UTILS_IMAGES"] = str(desk.home / "images.yaml")
    images = read_settings(around=desk.around).images
    assert images == {
        "tool*": {"entrypoint": ["/tool"], "files": {"/tool": str(desk.home / "bin/tool")}},
        "python:*": {"python": "current"},
    }


def test_a_policy_for_images_in_a_file_a_variable_and_flags(desk):
    (desk.project / "hera-utils.toml").write_text('images = "never"\n')
    assert read_settings(around=desk.around).images == {"*": {"policy": "never"}}
    desk.environ["HERA_UTILS_IMAGES"] = "stand-in"
    assert read_settings(around=desk.around).images == {"*": {"policy": "stand-in"}}
    (desk.project / "images.yaml").write_text('"lab/*": pull\n"debian*": {cmd: [bash]}\n')
    context = read_settings({"images": ["here", "images.yaml"]}, around=desk.around)
    assert context.images == {"lab/*": {"policy": "pull"}, "debian*": {"cmd": ["bash"]}, "*": {"policy": "here"}}
    (desk.project / "all.yaml").write_text('"*": {python: current}\n')
    context = read_settings({"images": ["pull", "all.yaml"]}, around=desk.around)
    assert context.images == {"*": {"python": "current"}}


def test_two_policies_for_images_contradict_each_other(desk):
    with pytest.raises(SettingsError, match="pull and never contradict each other"):
        read_settings({"images": ["pull", "never"]}, around=desk.around)


def test_a_misspelt_policy_is_answered_with_the_policies(desk):
    with pytest.raises(SettingsError, match="`pul` is neither a policy nor a file") as caught:
        read_settings({"images": ["pul"]}, around=desk.around)
    assert "stand-in" in caught.value.fix


def test_volume_flags_and_empty_variables(desk):
    desk.environ |= {"ARGO_SERVER": "", "KUBECONFIG": " "}
    context = read_settings({"volumes": ["results=./r", "raw=/data"]}, around=desk.around)
    assert context.platform == "local"
    assert context.volumes == {"results": str(desk.project / "r"), "raw": "/data"}


def test_kubeconfig_lists_and_homes(desk):
    desk.environ["KUBECONFIG"] = "~/one:two"
    assert read_settings(around=desk.around).k8s_config_file == f"{desk.home}/one:{desk.project}/two"


def test_tls_can_be_left_unchecked_as_with_the_argo_command(desk):
    desk.environ["ARGO_INSECURE_SKIP_VERIFY"] = "true"
    assert read_settings(around=desk.around).verify_tls is False
    assert read_settings({"verify_tls": True}, around=desk.around).verify_tls is True


def test_a_hera_config_at_home_is_read_once_when_home_is_here(desk):
    desk.project = desk.home
    (desk.home / "hera.config").write_text("argo_namespace = lyon")
    assert read_settings(around=desk.around).origin("argo_namespace") == "file ./hera.config"


BAD = [
    ("hera-utils.toml", 'argo_sever = "x"', "argo_server"),
    ("hera-utils.toml", "argo_namespace = [1]", "argo_namespace"),
    ("hera-utils.toml", 'verify_tls = "perhaps"', "verify_tls"),
    ("hera-utils.toml", 'platform = "moon"', "local, remote"),
    ("hera-utils.toml", "broken = ", "not valid TOML"),
    ("hera-utils.toml", 'profile = "none"', "[profiles.none]"),
    ("hera-utils.toml", "profiles = 3", "profiles"),
    ("hera-utils.toml", 'images = "missing.yaml"', "missing.yaml"),
    ("hera-utils.toml", "images = {x = 1}", "x"),
    ("hera-utils.toml", 'argo_token_lifetime = "soon"', "soon"),
    ("hera-utils.toml", f'argo_token = "{PLANTED}"', "credentials.toml"),
    ("hera.config", "argo_sever = x", "argo_server"),
    ("hera.config", "=", "line 1"),
]


@pytest.mark.parametrize(("file", "text", "hint"), BAD)
def test_what_cannot_be_meant_is_one_sentence_with_its_place_and_fix(desk, file, text, hint):
    (desk.project / file).write_text(text)
    with pytest.raises(SettingsError) as caught:
        read_settings(around=desk.around)
    told = f"{caught.value} {caught.value.fix}"
    assert hint in told
    assert caught.value.fix
    assert "\n" not in str(caught.value)
    assert PLANTED not in told


def test_a_file_that_is_named_must_be_there(desk):
    desk.environ["ARGOCONFIG"] = "nowhere.config"
    with pytest.raises(SettingsError, match=r"nowhere.config.*\$ARGOCONFIG"):
        read_settings(around=desk.around)
    desk.environ = {"HERA_UTILS_IMAGES": str(desk.home)}
    with pytest.raises(SettingsError, match="HERA_UTILS_IMAGES"):
        read_settings(around=desk.around)


def test_a_file_that_is_no_text(desk):
    (desk.project / "hera.config").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="UTF-8"):
        read_settings(around=desk.around)


def test_somebody_elses_broken_pyproject_is_not_ours_to_tell(desk):
    (desk.project / "pyproject.toml").write_text("broken = ")
    assert read_settings(around=desk.around).platform == "local"


def test_a_broken_pyproject_with_a_table_of_ours_is_told(desk):
    (desk.project / "pyproject.toml").write_text('[project]\nname = "x"\n[tool.hera_utils\nruns = "records"\n')
    with pytest.raises(SettingsError, match=r"pyproject.toml is not valid TOML: at line 3"):
        read_settings(around=desk.around)


@pytest.mark.parametrize("source", ["flag", "environment", "hera.config", "credentials"])
def test_a_token_is_found_nowhere(desk, source):
    flags = {}
    if source == "flag":
        flags["argo_token"] = f"Bearer {PLANTED}"
    elif source == "environment":
        desk.environ["ARGO_TOKEN"] = f"Bearer {PLANTED}"
    elif source == "hera.config":
        (desk.project / "hera.config").write_text(f"argo_token = 'Bearer {PLANTED}'")
    else:
        (desk.user / "credentials.toml").write_text(f'argo_token = "Bearer {PLANTED}"')
        (desk.user / "credentials.toml").chmod(0o600)
    context = read_settings(flags, around=desk.around)
    assert context.argo_token.reveal() == f"Bearer {PLANTED}"
    shown = [repr(context), str(context), repr(vars(context)), repr(context.rows()), f"{context.argo_token}"]
    assert not any(PLANTED in text for text in shown)
    assert PLANTED not in context.masked(f"Authorization: Bearer {PLANTED}")
    assert context.is_given("argo_token")


def test_every_setting_has_a_row(desk):
    rows = read_settings(around=desk.around).rows()
    assert [row.name for row in rows] == [field.name for field in FIELDS]
    assert all(row.help and row.origin for row in rows)


def test_a_date_that_there_is_not_is_no_yaml(tmp_path):
    """YAML's parser reads it as a date, and fails with another exception than for a syntax error."""
    from hera_utils.settings import kubeconfig

    path = tmp_path / "x.yaml"
    path.write_text("a: 2026-13-45\n")
    with pytest.raises(SettingsError, match="it is not YAML"):
        kubeconfig.choose_context([path])
    with pytest.raises(SettingsError, match="not valid YAML"):
        read_settings({"images": str(path)})
