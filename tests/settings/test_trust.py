"""What a project's file may decide, and what only after the user has said so."""

import os
import subprocess
import sys

import pytest

from hera_utils.errors import SettingsError
from hera_utils.settings import profiles, sources
from hera_utils.settings.sources import read_settings
from hera_utils.settings.trust import TRUSTED_FILE, Untrusted, forget, refuse_untrusted, trust

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
    assert read_settings({"argo_server": "https://other.example"}, around=desk.around).argo_token is None


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


ENTRIES = {
    "python": '{python = "./evil"}',
    "path": '{python = "current", path = ["bin"]}',
    "files": '{files = {"/tool" = "bin/tool"}}',
    "env": '{env = {LD_PRELOAD = "/evil.so"}}',
    "requirements": '{python = "3.12", requirements = ["evil"]}',
    "entrypoint": '{entrypoint = ["/bin/sh", "-c", "evil"]}',
}


@pytest.mark.parametrize("brings", ENTRIES)
def test_no_project_file_says_what_runs_in_the_place_of_an_image(desk, brings):
    """Also for a workflow of the user's own that is run from the project's folder."""
    (desk.project / "hera-utils.toml").write_text(f'images."tool*" = {ENTRIES[brings]}\nimages."lab/*" = "pull"\n')
    refused(desk, what=rf"in the place of the image tool\* \(images: .*{brings}")
    own = desk.home / "images.yaml"
    own.write_text('"tool*": {python: current}\n')
    assert read_settings({"images": [str(own)]}, around=desk.around).images["tool*"] == {"python": "current"}
    trust([str(desk.project / "hera-utils.toml")], desk.user)
    assert read_settings(around=desk.around).images["tool*"]


@pytest.mark.parametrize("file", ["hera-utils.toml", "hera.config"])
def test_nor_does_a_table_in_a_file_of_its_own(desk, file):
    (desk.project / "images.yaml").write_text('"tool*": {python: ./evil}\n')
    say(desk, file, images="images.yaml")
    refused(desk, what="in the place of the image")


@pytest.mark.parametrize("file", PROJECT_FILES)
@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("notify_command", "./evil --now", "names a command that runs as you when a run ends"),
        ("notify", "json://evil.example", "names where word of your runs is sent"),
        ("notify", "bell json://evil.example", "names where word of your runs is sent"),
    ],
)
def test_no_project_file_runs_a_command_or_sends_word_at_the_end_of_a_run(desk, file, name, value, what):
    say(desk, file, **{name: value})
    refused(desk, what=what)
    trust([str(desk.project / file)], desk.user)
    assert getattr(read_settings(around=desk.around), name) is not None
    say(desk, file, **{name: f"{value}2"})
    refused(desk, what=what)
    assert read_settings({name: "bell"}, around=desk.around).origin(name) == f"flag --{name}"


def test_a_bell_of_the_project_needs_no_trust(desk):
    say(desk, "hera-utils.toml", notify="bell", notify_on="failure")
    assert read_settings(around=desk.around).notify_on == "failure"


def test_policies_and_this_python_need_no_trust(desk):
    (desk.project / "hera-utils.toml").write_text(
        '[images]\n"lab/*" = "pull"\n"small*" = {hide = ["bash"]}\n"python*" = {python = "current"}\n"*" = "never"\n'
    )
    assert len(read_settings(around=desk.around).images) == 4


@pytest.mark.parametrize("name", ["k8s_config_file", "client_certificate", "client_key", "runs"])
@pytest.mark.parametrize("how", ["absolute", "above", "home", "link", "list"])
def test_no_project_file_names_files_that_are_not_the_projects(desk, name, how):
    (desk.home / "kubeconfig").write_text("{}")
    (desk.project / "here").write_text("{}")
    (desk.project / "link").symlink_to(desk.home)
    path = {
        "absolute": str(desk.home / "kubeconfig"),
        "above": "../kubeconfig",
        "home": "~/kubeconfig",
        "link": "link/kubeconfig",
        "list": "here:../kubeconfig",
    }[how]
    say(desk, "hera-utils.toml", **{name: path})
    refused(desk, what=rf"which is not in the project's folder \({name}\)")
    say(desk, "hera-utils.toml", **{name: "here"})
    read_settings(around=desk.around)


def test_nor_folders_as_claims(desk):
    (desk.project / "hera-utils.toml").write_text('volumes = {data = "~/.ssh"}\n')
    refused(desk, what=r"names .*\.ssh, which is not in the project's folder \(volumes\)")
    (desk.project / "hera-utils.toml").write_text('volumes = {data = "results"}\n')
    assert read_settings({"volumes": ["more=/srv"]}, around=desk.around).volumes == {
        "more": "/srv",
        "data": str(desk.project / "results"),
    }


def test_a_client_certificate_is_led_by_no_project(desk):
    desk.environ |= {"HERA_UTILS_CLIENT_CERTIFICATE": "me.pem"}
    say(desk, "hera-utils.toml", argo_server="https://evil.example")
    refused(desk, what="decides where your client certificate goes: argo_server")


def test_what_a_project_has_of_its_own_makes_nothing_of_the_users_its_own(desk):
    """A project with a token for its own server: the user's certificate is shown to that server no sooner, and the way to the
    user's cluster is not the project's either."""
    say(
        desk,
        "hera.config",
        argo_server="https://evil.example",
        argo_token="theirs-theirs",
        proxy="http://evil.example:1",
    )
    refused(desk, what="decides where your kubeconfig's credential goes: proxy")
    say(desk, "hera.config", argo_server="https://evil.example", argo_token="theirs-theirs")
    assert read_settings(around=desk.around).argo_token.reveal() == "theirs-theirs"
    desk.environ |= {"HERA_UTILS_CLIENT_CERTIFICATE": "me.pem"}
    refused(desk, what="decides where your client certificate goes: argo_server")


def test_what_is_trusted_is_what_was_read(desk, monkeypatch):
    """A file that is exchanged after it was read or shown, and restored for the check, is not trusted, as the user saw another one."""
    desk.environ["ARGO_TOKEN"] = TOKEN
    file = desk.project / "hera-utils.toml"
    good, evil = 'argo_server = "https://good.example"\n', 'argo_server = "https://evil.example"\n'
    file.write_text(good)
    with pytest.raises(Untrusted) as shown:
        read_settings(around=desk.around)
    file.write_text(evil)  # the file changes between question and answer
    trust(shown.value.files, desk.user)
    refused(desk)
    file.write_text(good)
    assert read_settings(around=desk.around).argo_server == "https://good.example"

    def exchanged(*arguments):
        file.write_text(good)
        return refuse_untrusted(*arguments)

    file.write_text(evil)
    monkeypatch.setattr(sources, "refuse_untrusted", exchanged)
    with pytest.raises(Untrusted):
        read_settings(around=desk.around)


def test_a_link_of_the_project_that_leads_elsewhere_than_it_did(desk):
    (desk.project / "tool").symlink_to("/usr/bin/true")
    (desk.project / "bin").symlink_to("/usr/bin")
    for named in ("./tool", "./bin/true"):
        say(desk, "hera-utils.toml", python=named)
        with pytest.raises(Untrusted) as shown:
            read_settings(around=desk.around)
        trust(shown.value.files, desk.user)
        assert read_settings(around=desk.around).python == os.path.normpath(desk.project / named)
    (desk.project / "bin").unlink()
    (desk.project / "bin").symlink_to("/bin/../usr/bin")
    refused(desk, what=f"{desk.project}/bin is not as you trusted it")


def test_a_list_of_trusted_files_that_others_can_write_says_nothing(desk):
    desk.environ["ARGO_TOKEN"] = TOKEN
    say(desk, "hera-utils.toml", argo_server="https://argo.lab.example")
    trust([str(desk.project / "hera-utils.toml")], desk.user)
    assert read_settings(around=desk.around).argo_server
    (desk.user / TRUSTED_FILE).chmod(0o620)
    refused(desk)


# --- a token of one server, and another server -----------------------------------------------------------------------------


def test_the_token_of_a_profile_goes_to_its_own_server(desk):
    own_profile(desk)
    for other in (
        {"argo_server": "https://other.example"},
        {"argo_server": "http://argo.lab.example"},
        {"argo_server": "https://argo.lab.example:444"},
    ):
        context = read_settings({"profile": "lab", **other}, around=desk.around)
        assert context.argo_token is None
        assert context.origin("argo_token").endswith("but it is for https://argo.lab.example")
    for same in ("argo.lab.example", "https://ARGO.lab.example:443/", "https://argo.lab.example/base"):
        assert read_settings({"profile": "lab", "argo_server": same}, around=desk.around).argo_token.reveal() == TOKEN
    desk.environ["ARGO_SERVER"] = "other.example"
    assert read_settings({"profile": "lab"}, around=desk.around).argo_token is None
    desk.environ["ARGO_TOKEN"] = "its-own-token"
    assert read_settings({"profile": "lab"}, around=desk.around).argo_token.reveal() == "its-own-token"


@pytest.mark.parametrize("way", ["argo_token_file", "argo_token_command", "argo_token_keyring", "client_certificate"])
def test_however_it_is_given(desk, way):
    (desk.user / "config.toml").write_text(f'argo_server = "https://argo.lab.example"\n{way} = "x"\n')
    assert getattr(read_settings(around=desk.around), way)
    assert getattr(read_settings({"argo_server": "https://other.example"}, around=desk.around), way) is None


def test_variables_belong_together_too(desk):
    """After `eval "$(hera-utils connection)"` this machine's token is not sent to a server that is typed."""
    desk.environ |= {"ARGO_SERVER": "127.0.0.1:2746", "ARGO_SECURE": "false", "ARGO_TOKEN": TOKEN}
    own_profile(desk, token="y" * 20)
    context = read_settings({"profile": "lab", "argo_server": "https://argo.lab.example"}, around=desk.around)
    assert context.argo_token.reveal() == "y" * 20
    assert read_settings({"argo_server": "http://localhost:2746"}, around=desk.around).argo_token.reveal() == TOKEN
    del desk.environ["ARGO_SERVER"]
    context = read_settings({"argo_server": "https://argo.lab.example"}, around=desk.around)
    assert context.argo_token.reveal() == TOKEN, "a token beside which no server is named is for any"


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a file to another user")
@pytest.mark.parametrize("file", PROJECT_FILES)
def test_a_file_of_another_user_is_not_taken(desk, file):
    say(desk, file, argo_namespace="theirs")
    os.chown(desk.project / file, 65534, 65534)
    refused(desk, what="belongs to another user")


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a link to another user")
def test_a_link_of_another_user_to_a_file_of_the_users_own_is_not_taken_either(desk):
    (desk.home / "own.toml").write_text('argo_namespace = "mine"\n')
    (desk.project / "hera-utils.toml").symlink_to(desk.home / "own.toml")
    os.chown(desk.project / "hera-utils.toml", 65534, 65534, follow_symlinks=False)
    refused(desk, what="belongs to another user")


@pytest.mark.parametrize("place", ["config.toml", "credentials.toml", "hera.config"])
def test_the_users_own_files_are_nobody_elses_word(desk, place):
    file = desk.home / place if place == "hera.config" else desk.user / place
    file.write_text("" if place == "hera.config" else "# nothing\n")
    file.chmod(0o600)
    read_settings(around=desk.around)
    file.chmod(0o602)
    with pytest.raises(SettingsError, match="others can write to it"):
        read_settings(around=desk.around)
    if os.geteuid() == 0:
        file.chmod(0o600)
        os.chown(file, 65534, 65534)
        with pytest.raises(SettingsError, match="belongs to another user"):
            read_settings(around=desk.around)


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


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ('python = "./tool"', "tool"),
        ('notify_command = "./tool --quiet"', "tool"),
        ('images."x*" = {python = "./tool"}', "tool"),
        ('images."x*" = {files = {"/tool" = "bin/tool"}}', "bin/tool"),
        ('argo_server = "https://argo.lab.example"\nca_file = "ca.pem"', "ca.pem"),
    ],
)
def test_trust_is_of_what_the_file_names_too(desk, setting, named):
    """A later version of the project may keep the settings and change the program."""
    desk.environ["ARGO_TOKEN"] = TOKEN
    (desk.project / "hera-utils.toml").write_text(setting + "\n")
    path = desk.project / named
    path.parent.mkdir(exist_ok=True)
    path.write_text("harmless")
    with pytest.raises(Untrusted) as caught:
        read_settings(around=desk.around)
    assert tuple(caught.value.files) == (str(desk.project / "hera-utils.toml"), str(path))
    trust(caught.value.files, desk.user)
    read_settings(around=desk.around)
    path.write_text("evil")
    refused(desk, what=f"{path} is not as you trusted it")
    path.write_text("harmless")
    read_settings(around=desk.around)


@pytest.mark.parametrize("text", ["", "[]", '{"/x": 5}', "no json"])
def test_a_damaged_list_trusts_nothing(desk, text):
    desk.environ["ARGO_TOKEN"] = TOKEN
    say(desk, "hera-utils.toml", argo_server="https://argo.lab.example")
    (desk.user / TRUSTED_FILE).write_text(text)
    refused(desk)


def test_a_profile_that_the_user_writes_into_the_project_is_trusted(desk):
    own_profile(desk, "other")
    profiles.add_profile("lab", {"argo_server": "https://argo.lab.example"}, desk.around, project=True)
    desk.environ["ARGO_TOKEN"] = TOKEN
    assert read_settings({"profile": "lab"}, around=desk.around).argo_server == "https://argo.lab.example"


def test_a_profile_beside_what_somebody_else_wrote_is_not(desk):
    say(desk, "hera-utils.toml", proxy="http://evil.example:3128")
    profiles.add_profile("lab", {"argo_server": "https://argo.lab.example"}, desk.around, project=True)
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


def test_no_module_of_the_folder_is_imported_by_what_is_looked_at(desk):
    """With `python -c` the current folder comes before the standard library in Python's path."""
    for module in ("ctypes", "json", "importlib", "platform", "os"):
        (desk.project / f"{module}.py").write_text(f"open({str(desk.project / 'ran')!r}, 'w')\n")
    console = (
        "import sys; sys.path = [one for one in sys.path if one]; sys.argv[0] = 'hera-utils'; "
        "from hera_utils.__main__ import main; main()"
    )
    for words in (["doctor"], ["settings"], ["ls"]):
        types(desk, "-I", "-c", console, *words)
    types(desk, "-I", "-c", console, "serve", "--stop")
    assert not (desk.project / "ran").exists()


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="where the list of processes is written is known of Linux"
)
@pytest.mark.parametrize(
    "words", [["--argo_token", TOKEN], [f"--argo-token={TOKEN}"], ["--proxy", f"http://me:{TOKEN}@p"]]
)
def test_a_typed_token_is_blotted_out_before_anything_else_is_imported(desk, words):
    look = "print('hera' in sys.modules, 'click' in sys.modules, open('/proc/self/cmdline').read())"
    for program in ("import sys, hera_utils", "import sys; from hera_utils.__main__ import main"):
        answer = types(desk, "-c", f"{program}; {look}", *words)
        assert answer.stdout.startswith("False False "), answer
        assert TOKEN not in answer.stdout


def test_where_the_list_cannot_be_written(desk):
    folder = desk.home / "file"
    folder.write_text("")
    with pytest.raises(SettingsError, match="cannot write"):
        trust([str(desk.project / "x")], folder)
