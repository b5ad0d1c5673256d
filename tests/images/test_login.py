"""Where logins come from: docker's and podman's files, helper programs, pull secrets."""

import base64
import json
import os
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hera_utils.images.login import Login, Logins


def encoded(user, password):
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def write(path, document):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def auths(**by_host):
    return {"auths": {host: {"auth": encoded(*pair)} for host, pair in by_host.items()}}


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def environ(home, tmp_path):
    return {
        "HOME": str(home),
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "XDG_RUNTIME_DIR": str(tmp_path / "run"),
    }


@pytest.fixture
def helper(tmp_path):
    """Creates a program docker-credential-NAME that runs some lines of Python."""

    def make(name, code):
        path = write(
            tmp_path / "bin" / f"docker-credential-{name}", f"#!{sys.executable} -I\nimport sys, json\n{code}\n"
        )
        path.chmod(0o755)

    return make


def pairs(logins):
    return [(login.username, login.password.reveal()) for login in logins]


def found(environ, registry, repository="group/tool"):
    return pairs(Logins.of_this_user(environ).find(registry, repository))


def secret(document, kind="kubernetes.io/dockerconfigjson", name="regcred"):
    key = ".dockercfg" if kind.endswith("dockercfg") else ".dockerconfigjson"
    value = base64.b64encode(json.dumps(document).encode()).decode()
    return {"metadata": {"name": name}, "type": kind, "data": {key: value}}


def test_nobody_is_logged_in(environ):
    logins = Logins.of_this_user(environ)
    assert logins.find("docker.io") == []
    assert logins.obstacles == []


def test_dockers_file(home, environ):
    write(
        home / ".docker" / "config.json", auths(**{"quay.io": ("ann", "a:b"), "https://ghcr.io/v2/": ("bob", "word")})
    )
    assert found(environ, "quay.io") == [("ann", "a:b")]
    assert found(environ, "ghcr.io") == [("bob", "word")]
    assert found(environ, "registry.quay.io") == []


@pytest.mark.parametrize("key", ["https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io"])
def test_docker_hub_has_several_names(home, environ, key):
    write(home / ".docker" / "config.json", auths(**{key: ("ann", "word")}))
    assert found(environ, "docker.io") == [("ann", "word")]


def test_docker_config_names_the_folder(tmp_path, home, environ):
    write(home / ".docker" / "config.json", auths(**{"quay.io": ("ann", "word")}))
    write(tmp_path / "other" / "config.json", auths(**{"quay.io": ("bob", "word")}))
    assert found(environ | {"DOCKER_CONFIG": str(tmp_path / "other")}, "quay.io") == [("bob", "word")]


def test_podmans_files_follow_dockers(tmp_path, home, environ):
    write(home / ".docker" / "config.json", auths(**{"quay.io": ("docker", "1")}))
    write(tmp_path / "run" / "containers" / "auth.json", auths(**{"quay.io": ("podman", "2")}))
    write(home / ".config" / "containers" / "auth.json", auths(**{"quay.io": ("config", "3")}))
    assert found(environ, "quay.io") == [("docker", "1"), ("podman", "2"), ("config", "3")]
    write(tmp_path / "auth.json", auths(**{"quay.io": ("own", "4")}))
    environ["REGISTRY_AUTH_FILE"] = str(tmp_path / "auth.json")
    assert found(environ, "quay.io") == [("docker", "1"), ("own", "4")]


def test_a_login_for_a_part_of_a_registry_comes_first(home, environ):
    write(
        home / ".config" / "containers" / "auth.json",
        auths(
            **{
                "quay.io": ("all", "1"),
                "quay.io/group": ("group", "2"),
                "quay.io/group/tool": ("tool", "3"),
                "quay.io/gro": ("no", "4"),
            }
        ),
    )
    assert found(environ, "quay.io") == [("tool", "3"), ("group", "2"), ("all", "1")]
    assert found(environ, "quay.io", "group/other") == [("group", "2"), ("all", "1")]


def test_tokens_instead_of_passwords(home, environ):
    write(
        home / ".docker" / "config.json",
        {
            "auths": {
                "a.io": {"auth": encoded("ann", ""), "identitytoken": "idtok"},
                "b.io": {"registrytoken": "regtok"},
            }
        },
    )
    logins = Logins.of_this_user(environ)
    assert logins.find("a.io")[0].identity_token.reveal() == "idtok"
    assert logins.find("b.io")[0].registry_token.reveal() == "regtok"


@pytest.mark.parametrize(
    ("document", "obstacle"),
    [
        ("{", "is not JSON"),
        ("[]", "is not a JSON object"),
        ({"auths": {"quay.io": {"auth": "%%%"}}}, "has a login for quay.io that cannot be read"),
        ({"auths": {"quay.io": {"auth": "YW5u"}}}, "has a login for quay.io that cannot be read"),
        ({"auths": {"quay.io": "ann"}}, "has a login for quay.io that cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_remembered_and_no_error(home, environ, document, obstacle):
    path = write(home / ".docker" / "config.json", document)
    logins = Logins.of_this_user(environ)
    assert logins.find("quay.io") == []
    assert logins.obstacles == [f"{path} {obstacle}"]


def test_a_file_that_is_a_folder(home, environ):
    path = home / ".docker" / "config.json"
    path.mkdir(parents=True)
    assert Logins.of_this_user(environ).obstacles == [f"{path} cannot be read (is a directory)"]


def test_a_helper_is_asked_for_the_server(home, environ, helper):
    helper("vault", 'json.dump({"ServerURL": "", "Username": sys.argv[1], "Secret": sys.stdin.read()}, sys.stdout)')
    write(home / ".docker" / "config.json", {"auths": {"quay.io": {}}, "credsStore": "vault"})
    assert found(environ, "quay.io") == [("get", "quay.io")]
    assert found(environ, "docker.io") == [("get", "https://index.docker.io/v1/")]


def test_one_registry_has_its_own_helper(home, environ, helper):
    helper("vault", 'json.dump({"Username": "vault", "Secret": "1"}, sys.stdout)')
    helper("cloud", 'json.dump({"Username": "<token>", "Secret": "idtok"}, sys.stdout)')
    write(home / ".docker" / "config.json", {"credsStore": "vault", "credHelpers": {"https://cloud.io": "cloud"}})
    assert found(environ, "quay.io") == [("vault", "1")]
    (login,) = Logins.of_this_user(environ).find("cloud.io")
    assert (login.username, login.identity_token.reveal()) == ("", "idtok")


def test_a_helper_that_knows_no_login(home, environ, helper):
    helper("vault", 'print("credentials not found in native keychain"); sys.exit(1)')
    write(home / ".docker" / "config.json", {"credsStore": "vault"})
    logins = Logins.of_this_user(environ)
    assert logins.find("quay.io") == []
    assert logins.obstacles == []


@pytest.mark.parametrize(
    ("name", "code", "obstacle"),
    [
        ("vault", None, "docker-credential-vault, which .* names, is not installed"),
        (
            "vault",
            'print("locked: s3cret"); sys.exit(1)',
            "docker-credential-vault, which .* names, failed with status 1",
        ),
        ("vault", 'print("no json")', "gave no login that can be read"),
        ("vault", "print([])", "gave no login that can be read"),
        ("../../tmp/evil", None, "which is not the name of a program"),
    ],
)
def test_a_helper_that_fails_is_remembered_and_no_error(home, environ, helper, name, code, obstacle):
    if code:
        helper(name, code)
    write(home / ".docker" / "config.json", {"credsStore": name})
    logins = Logins.of_this_user(environ)
    assert logins.find("quay.io") == []
    assert logins.find("quay.io") == []
    (text,) = logins.obstacles
    assert re.search(obstacle, text)
    assert "s3cret" not in text


def test_a_helper_that_hangs(home, environ, helper, monkeypatch):
    monkeypatch.setattr("hera_utils.images.login._HELPER_SECONDS", 0.2)
    helper("vault", "import time; time.sleep(20)")
    write(home / ".docker" / "config.json", {"credsStore": "vault"})
    logins = Logins.of_this_user(environ)
    assert logins.find("quay.io") == []
    assert "did not answer" in logins.obstacles[0]


def test_pull_secrets_come_before_this_users_logins(home, environ):
    write(home / ".docker" / "config.json", auths(**{"quay.io": ("mine", "1")}))
    new, old = auths(**{"quay.io": ("new", "2")}), auths(**{"quay.io": ("old", "3")})["auths"]
    logins = Logins.of_this_user(environ).with_pull_secrets([secret(new), secret(old, "kubernetes.io/dockercfg")])
    assert pairs(logins.find("quay.io")) == [("new", "2"), ("old", "3"), ("mine", "1")]
    assert logins.find("quay.io")[0].source == "the pull secret regcred"
    assert found(environ, "quay.io") == [("mine", "1")]


def test_a_pull_secret_may_have_its_data_as_text():
    document = json.dumps({"auths": {"quay.io": {"username": "ann", "password": "word"}}})
    kind = "kubernetes.io/dockerconfigjson"
    logins = Logins().with_pull_secrets([{"type": kind, "stringData": {".dockerconfigjson": document}}])
    assert pairs(logins.find("quay.io")) == [("ann", "word")]


@pytest.mark.parametrize(
    ("host", "registry", "matches"),
    [
        ("*.dkr.ecr.*.amazonaws.com", "123.dkr.ecr.eu-1.amazonaws.com", True),
        # A star matches one part of the name, as in the kubelet.
        (
            "*.amazonaws.com",
            "123.dkr.ecr.eu-1.amazonaws.com",
            False,
        ),
        ("*.io", "quay.io", True),
        ("quay.io:5000", "quay.io", False),
        ("localhost:5000", "localhost:5000", True),
        ("[::1]:5000", "[::1]:5000", True),
        ("QUAY.io", "quay.io", True),
    ],
)
def test_which_hosts_a_login_is_for(host, registry, matches):
    logins = Logins().with_pull_secrets([secret(auths(**{host: ("ann", "word")}))])
    assert bool(logins.find(registry)) == matches


@pytest.mark.parametrize(
    ("document", "obstacle"),
    [
        ({"type": "Opaque", "data": {}}, "has the type Opaque instead of kubernetes.io/dockerconfigjson"),
        ({"type": "kubernetes.io/dockerconfigjson", "data": {}}, "has no key .dockerconfigjson"),
        ({"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": "%"}}, "a value that is not base64"),
        ({"type": "kubernetes.io/dockercfg", "data": {".dockercfg": "e30x"}}, "what is not a JSON object"),
    ],
)
def test_a_pull_secret_that_is_none_is_remembered(document, obstacle):
    logins = Logins().with_pull_secrets([{"metadata": {"name": "regcred"}, **document}])
    assert logins.find("quay.io") == []
    assert logins.obstacles[0].startswith("the pull secret regcred ")
    assert obstacle in logins.obstacles[0]


def test_no_secret_is_shown():
    login = Login("ann", *(type(Login().password)(f"s3cret-{n}") for n in range(3)), source="here")
    logins = Logins().with_pull_secrets([secret(auths(**{"quay.io": ("ann", "s3cret")}))])
    for text in (
        repr(login),
        str(login),
        repr(logins),
        repr(logins.find("quay.io")),
        f"{login}",
        json.dumps(login.password),
    ):
        assert "s3cret" not in text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just(encoded("a", "b")),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["auths", "quay.io", "auth", "credHelpers", "credsStore", "password"]), inner)
    ),
    max_leaves=10,
)


@given(JSON)
def test_any_pull_secret_is_read_or_remembered(document):
    for kind in ("kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg"):
        Logins().with_pull_secrets([secret(document, kind)]).find("quay.io")
