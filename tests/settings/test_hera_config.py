import pytest
from hypothesis import given
from hypothesis import strategies as st

from hera_utils.errors import SettingsError
from hera_utils.settings.hera_config import parse_hera_config

TEXT = """\
# a file as researchers have it
; and another comment
[section]
---
k8s_config_file='/path/with blanks/kubeconfig.yaml'
argo_server = "argo.lab.example:443"   # after a blank, a comment
--argo-namespace: lyon
argo_token='Bearer v2:ab#cd'
argo_service_account argo-user
verify_tls
export registry=registry.example.org/lab#tag
empty =
"""


def test_every_way_of_writing_a_line():
    assert parse_hera_config("\ufeff" + TEXT.replace("\n", "\r\n"), "file") == {
        "k8s_config_file": "/path/with blanks/kubeconfig.yaml",
        "argo_server": "argo.lab.example:443",
        "argo_namespace": "lyon",
        "argo_token": "Bearer v2:ab#cd",
        "argo_service_account": "argo-user",
        "verify_tls": "true",
        "registry": "registry.example.org/lab#tag",
        "empty": "",
    }


def test_the_last_of_two_lines_wins():
    assert parse_hera_config("a=1\na=2", "f") == {"a": "2"}


@pytest.mark.parametrize("line", ["= value", "argo_token = 'planted", "a = 'b' c", "!x = planted"])
def test_an_illegal_line_is_named_by_number_and_not_repeated(line):
    with pytest.raises(SettingsError, match="line 2") as caught:
        parse_hera_config(f"a = 1\n{line}\n", "file ./hera.config")
    assert "planted" not in str(caught.value)


def test_a_setting_alone_has_no_value_but_a_switch_and_a_key_of_others_do():
    assert parse_hera_config("verify_tls\nmine", "f") == {"verify_tls": "true", "mine": "true"}
    with pytest.raises(SettingsError, match="line 2: `argo_server` has no value"):
        parse_hera_config("a = 1\n--argo-server\n", "file ./hera.config")


@given(st.text())
def test_any_text_is_read_or_clearly_refused(text):
    try:
        found = parse_hera_config(text, "f")
    except SettingsError:
        return
    assert all(isinstance(key, str) and isinstance(value, str) for key, value in found.items())


@given(st.text(alphabet=st.characters(blacklist_characters="'\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"), min_size=1))
def test_a_quoted_value_is_taken_as_it_is(value):
    assert parse_hera_config(f"key = '{value}'", "f") == {"key": value}
