"""Profiles: what is written is what was meant, what stood there stays, and tokens are apart."""

import stat
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hera_utils.errors import SettingsError
from hera_utils.settings import profiles, toml_text
from hera_utils.settings.files import toml_of
from hera_utils.settings.secret import Secret
from hera_utils.settings.sources import read_settings

PLANTED = "planted-token-77ab"
FILE = """# my platforms
argo_service_account = "me"  # everywhere

# the laboratory's
[profiles.lab]
argo_server = "https://argo.lab.example"

[profiles.lab.volumes]
results = "./results"

# on this machine
[profiles.here]
platform = "local"
"""


def test_what_is_added_is_read_again_and_a_token_is_apart(desk):
    settings = profiles.convert_flags(
        {
            "argo_server": "argo.example:443",
            "argo_token": f"Bearer {PLANTED}",
            "verify_tls": False,
            "volumes": ["a=./a"],
        },
        desk.around,
    )
    written = profiles.add_profile("lab", settings, desk.around)
    assert [path.name for path in written] == ["config.toml", "credentials.toml"]
    assert PLANTED not in written[0].read_text()
    assert stat.S_IMODE(written[1].stat().st_mode) == 0o600
    context = read_settings({"profile": "lab"}, around=desk.around)
    assert context.argo_server == "https://argo.example:443"
    assert context.argo_token.reveal() == f"Bearer {PLANTED}"
    assert context.verify_tls is False
    assert context.volumes == {"a": str(desk.project / "a")}
    assert context.origin("argo_server") == f"profile lab in {written[0]}"
    (only,) = profiles.list_profiles(desk.around)
    assert (only.name, only.has_token) == ("lab", True)
    assert PLANTED not in repr(only)


def test_a_proxys_password_is_apart_too(desk):
    flags = {"argo_server": "a.example", "proxy": f"http://me:{PLANTED}@proxy.example"}
    shown, secret = profiles.add_profile("lab", profiles.convert_flags(flags, desk.around), desk.around)
    assert PLANTED not in shown.read_text()
    assert PLANTED in secret.read_text()
    assert read_settings({"profile": "lab"}, around=desk.around).proxy.startswith("http://me:")


def test_what_stood_in_the_file_stays(desk):
    path = desk.user / "config.toml"
    path.write_text(FILE)
    path.chmod(0o640)
    profiles.add_profile("other", {"argo_server": "other.example"}, desk.around)
    assert path.read_text() == FILE + '\n[profiles.other]\nargo_server = "other.example"\n'
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    profiles.use_profile("lab", desk.around)
    assert 'profile = "lab"\n' in path.read_text()
    assert read_settings(around=desk.around).argo_server == "https://argo.lab.example"
    profiles.use_profile("here", desk.around)
    assert read_settings(around=desk.around).platform == "local"
    profiles.remove_profile("lab", desk.around)
    left = path.read_text()
    assert "lab" not in left
    assert "# my platforms" in left
    assert "# on this machine\n[profiles.here]" in left
    profiles.remove_profile("here", desk.around)
    assert read_settings(around=desk.around).profile is None


def test_one_that_is_there_is_replaced_when_that_is_said(desk):
    profiles.add_profile("lab", {"argo_server": "a.example", "argo_token": Secret(PLANTED)}, desk.around)
    with pytest.raises(SettingsError, match="the profile `lab` already exists") as caught:
        profiles.add_profile("lab", {"argo_server": "b.example"}, desk.around)
    assert "--replace" in caught.value.fix
    profiles.add_profile("lab", {"argo_server": "b.example"}, desk.around, replace=True)
    context = read_settings({"profile": "lab"}, around=desk.around)
    # The token of another server is not used for this one.
    assert (context.argo_server, context.argo_token) == (
        "https://b.example",
        None,
    )


def test_a_projects_profile_is_everybodys(desk):
    (path,) = profiles.add_profile("shared", {"argo_server": "a.example"}, desk.around, project=True)
    assert path == desk.project / "hera-utils.toml"
    assert read_settings({"profile": "shared"}, around=desk.around).platform == "remote"
    with pytest.raises(SettingsError, match="belongs to the project"):
        profiles.remove_profile("shared", desk.around)
    with pytest.raises(SettingsError, match="a project's file cannot name a command"):
        profiles.add_profile("other", {"argo_token_command": "x"}, desk.around, project=True)
    with pytest.raises(SettingsError, match="a project's file cannot say"):
        profiles.add_profile("other", {"argo_token_file": "/x"}, desk.around, project=True)


@pytest.mark.parametrize(
    "text",
    [
        'profiles = {lab = {argo_server = "a"}}\n',
        '[profiles]\nlab.argo_server = "a"\n',
        '[profiles]\nlab = {argo_server = "a"}\n',
        'registry = """\n[profiles.lab]\n"""\n[profiles.lab]\nargo_server = "a"\n',
    ],
)
def test_a_file_that_is_not_seen_through_is_left_alone(desk, text):
    path = desk.user / "config.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match="cannot be changed safely"):
        profiles.remove_profile("lab", desk.around)
    assert path.read_text() == text
    assert [one.name for one in path.parent.iterdir()] == ["config.toml"]


def test_the_first_hera_utils_config_is_imported(desk):
    folder = desk.home / "old"
    folder.mkdir()
    (folder / "hera.config").write_text(
        "k8s_config_file='kube/config'\nargo_server='argo.example:443'\nargo_namespace='argo'\n"
        f"argo_service_account='argo-user'\nborough=LYON\nargo_token='{PLANTED}'\n"
    )
    found = profiles.import_settings(folder / "hera.config", desk.around)
    assert found.foreign == ("borough",)
    assert found.settings["k8s_config_file"] == str(folder / "kube" / "config")
    shown, _ = profiles.add_profile("old", found.settings, desk.around)
    assert PLANTED not in shown.read_text()
    context = read_settings({"profile": "old"}, around=desk.around)
    assert (context.argo_namespace, context.argo_service_account) == ("argo", "argo-user")


@pytest.mark.parametrize("name", ["", "a b", "../x", "a]", '"', "-x"])
def test_names_that_are_none(desk, name):
    with pytest.raises(SettingsError, match="not a name of a profile"):
        profiles.add_profile(name, {"argo_server": "a"}, desk.around)


def test_a_folder_that_cannot_be_written(desk):
    elsewhere = replace(desk.around, environ={"XDG_CONFIG_HOME": "/proc/nowhere"})
    with pytest.raises(SettingsError, match="cannot write /proc/nowhere"):
        profiles.add_profile("lab", {"argo_server": "a"}, elsewhere)


VALUES = st.one_of(st.text(st.characters(exclude_categories=["Cs"])), st.booleans(), st.integers(-(2**60), 2**60))
TABLES = st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), VALUES, max_size=4)


@given(TABLES, st.dictionaries(st.from_regex(r"[a-z][a-z.]{0,5}", fullmatch=True), TABLES, min_size=1, max_size=3))
def test_any_values_come_back_and_each_section_goes_alone(top, sections):
    text = "".join(
        f"{toml_text._key(key)} = {toml_text.value_text(value)}\n" for key, value in top.items() if key != "profiles"
    )
    for name, table in sections.items():
        text = toml_text.append_text(text, toml_text.section(("profiles", name), table))
    before = toml_of(text)
    assert before["profiles"] == sections
    for name in sections:
        after = toml_of(toml_text.remove_section(text, ("profiles", name)))
        assert after.get("profiles", {}) == {key: table for key, table in sections.items() if key != name}


# --- several at once ------------------------------------------------------------------------------------------------------------

SEVERAL = """
argo_namespace = "everybody"
[profiles.lab]
argo_server = "https://argo.lab.example"
argo_namespace = "lab"
parallelism = 3
[profiles.mine]
argo_namespace = "mine"
[profiles.other]
argo_server = "https://other.example"
"""
TOKENS = f"""
[profiles.lab]
argo_token = "{PLANTED}"
[profiles.mine]
argo_token = "my-own-token-91c2"
"""


@pytest.fixture
def several(desk):
    folder = desk.around.user_folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(SEVERAL)
    (folder / "credentials.toml").write_text(TOKENS)
    (folder / "credentials.toml").chmod(0o600)
    return lambda names: read_settings({"profile": names}, around=desk.around)


def test_the_later_of_several_profiles_wins(several):
    context = several("lab,mine")
    assert (context.argo_server, context.argo_namespace, context.parallelism) == ("https://argo.lab.example", "mine", 3)
    assert context.argo_token.reveal() == "my-own-token-91c2"
    assert several(" mine , lab ").argo_namespace == "lab"
    assert several("mine,lab").argo_token.reveal() == PLANTED
    assert several("lab").argo_token.reveal() == PLANTED


def test_a_token_does_not_follow_its_profile_to_another_ones_server(several):
    for names in ("lab,other", "mine,other", "lab,mine,other"):
        context = several(names)
        assert context.argo_server == "https://other.example"
        assert context.argo_token is None, names
    assert several("other,mine").argo_token.reveal() == "my-own-token-91c2", "put over the server by its owner"


@pytest.mark.parametrize("names", ["lab,nope", "nope", ",", "lab,,nope"])
def test_one_of_several_that_there_is_not(several, names):
    with pytest.raises(SettingsError, match="there is no profile"):
        several(names)


def test_a_project_puts_no_profiles_together(several, desk):
    (desk.project / "hera-utils.toml").write_text('profile = "mine,lab"\n')
    with pytest.raises(SettingsError, match="combines several profiles") as refusal:
        read_settings({}, around=desk.around)
    assert "--profile mine,lab" in refusal.value.fix
