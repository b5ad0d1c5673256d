import pytest
from hypothesis import given
from hypothesis import strategies as st

from hera_utils.errors import SettingsError
from hera_utils.settings.address import host_and_port, server_url


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("argo.lab.example:443", "https://argo.lab.example:443"),
        ("argo.lab.example", "https://argo.lab.example"),
        ("  localhost:2746 ", "https://localhost:2746"),
        ("http://localhost:2746/", "http://localhost:2746"),
        ("https://host/argo/", "https://host/argo"),
        ("https://host:8443/a/b//", "https://host:8443/a/b"),
        ("http://[::1]:2746", "http://[::1]:2746"),
        ("[::1]:2746", "https://[::1]:2746"),
        ("HTTPS://Host/", "https://host"),
    ],
)
def test_what_people_write(text, url):
    assert server_url(text) == url


def test_scheme_and_base_path_of_the_argo_command():
    assert server_url("127.0.0.1:2746", secure=False) == "http://127.0.0.1:2746"
    assert server_url("host:443", secure=True, base="/argo/") == "https://host:443/argo"
    assert server_url("https://host/own", secure=False, base="argo") == "https://host/own"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ftp://host",
        "http://",
        "host:port",
        "host:99999",
        "http://host/a b",
        "http://host/?x=1",
        "http://host/#a",
        "://",
    ],
)
def test_what_is_no_address(text):
    with pytest.raises(SettingsError) as caught:
        server_url(text)
    assert caught.value.fix


def test_a_password_is_refused_and_not_repeated():
    with pytest.raises(SettingsError) as caught:
        server_url("https://me:planted-password@host")
    assert "planted" not in str(caught.value) + str(caught.value.fix)


@given(st.text())
def test_any_text_is_an_address_or_a_clear_no(text):
    try:
        url = server_url(text)
    except SettingsError:
        return
    assert url.startswith(("http://", "https://"))
    assert not url.endswith("/")
    assert server_url(url) == url


def test_one_place_whatever_it_is_called():
    assert host_and_port("http://localhost:2746") == host_and_port("https://127.0.0.1:2746") == ("127.0.0.1", 2746)
    assert host_and_port("https://Argo.Example/base") == ("argo.example", 443)
