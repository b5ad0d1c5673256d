"""Basic and Bearer logins at a registry, tokens that expire, and which secrets are sent where."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from registry_server import Registry, layer, sha256

from hera_utils.images.faults import AccessDenied, RegistryUnreachable
from hera_utils.images.login import Logins
from hera_utils.images.manifest import this_platform
from hera_utils.images.pull import pull
from hera_utils.images.reference import Reference
from hera_utils.images.registry import resolve
from hera_utils.images.tokens import Challenge, challenges

USERS = {"ann": "s3cret-word", "bob": "b0b-word"}
LAYERS = [layer({"a": "1"}), layer({"b": "2"}), layer({"c": "3"})]


def logins(registry, *pairs, **entry):
    entries = [{"username": user, "password": password} for user, password in pairs] or [entry]
    secrets = [
        {
            "metadata": {"name": f"regcred{number}"},
            "type": "kubernetes.io/dockerconfigjson",
            "stringData": {".dockerconfigjson": json.dumps({"auths": {registry.host: entry}})},
        }
        for number, entry in enumerate(entries)
    ]
    return Logins().with_pull_secrets(secrets)


def served(registry):
    registry.add_image("group/tool", "v1", LAYERS, platform=this_platform())
    return Reference.parse(f"{registry.host}/group/tool:v1")


def sent(registry, text):
    return [request.headers.get("Authorization", "") for request in registry.asked(text)]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", []),
        ('Basic realm="x"', [Challenge("basic", {"realm": "x"})]),
        (
            'Bearer realm="https://a/token",service="a.io",scope="repository:g/t:pull,push"',
            [Challenge("bearer", {"realm": "https://a/token", "service": "a.io", "scope": "repository:g/t:pull,push"})],
        ),
        ('bearer Realm = "a\\"b" , service=c', [Challenge("bearer", {"realm": 'a"b', "service": "c"})]),
        (
            'Negotiate, Basic realm="x", Bearer realm="y"',
            [Challenge("negotiate", {}), Challenge("basic", {"realm": "x"}), Challenge("bearer", {"realm": "y"})],
        ),
    ],
)
def test_what_a_challenge_asks_for(header, expected):
    assert challenges(header) == expected


@given(st.text(alphabet=' =,"\\ab', max_size=30))
def test_any_challenge_is_read_to_its_end(header):
    challenges(header)


@pytest.mark.parametrize("kind", ["basic", "bearer"])
def test_a_login_opens_a_registry(store, kind):
    with Registry(login=kind, users=USERS) as registry:
        reference = served(registry)
        assert pull(reference, store, logins=logins(registry, ("ann", "s3cret-word"))).layers
        assert resolve(reference, logins(registry, ("ann", "s3cret-word")))


def test_everybody_gets_a_token_for_a_public_image(store):
    with Registry(login="bearer", users=USERS, public=True) as registry:
        assert pull(served(registry), store, logins=Logins()).layers
        (token,) = registry.asked("GET /token")  # one token for all requests
        assert "service=registry.test" in token.path
        assert "scope=repository%3Agroup%2Ftool%3Apull" in token.path
        assert "Authorization" not in token.headers


@pytest.mark.parametrize("kind", ["basic", "bearer"])
def test_without_a_login_access_is_denied_with_what_to_do(store, kind):
    with Registry(login=kind, users=USERS) as registry:
        with pytest.raises(AccessDenied) as caught:
            pull(served(registry), store, logins=Logins())
        assert str(caught.value).startswith(
            f"pull access denied for {registry.host}/group/tool:v1: the repository does not exist or needs a login"
        )
        assert f"docker login {registry.host}" in caught.value.fix
        assert "imagePullSecrets" in caught.value.fix


@pytest.mark.parametrize("kind", ["basic", "bearer"])
def test_a_login_that_is_refused_is_named_and_its_password_is_not(kind):
    with Registry(login=kind, users=USERS) as registry:
        with pytest.raises(AccessDenied) as caught:
            resolve(served(registry), logins(registry, ("ann", "wr0ng-word")))
        assert "the registry refused the login of ann (the pull secret regcred0)" in str(caught.value)
        assert "wr0ng" not in f"{caught.value!r} {caught.value.fix}"


@pytest.mark.parametrize("kind", ["basic", "bearer"])
def test_the_next_login_is_tried(store, kind):
    with Registry(login=kind, users=USERS) as registry:
        assert pull(served(registry), store, logins=logins(registry, ("ann", "old"), ("bob", "b0b-word"))).layers


def test_a_login_that_has_expired_does_not_stand_before_a_public_image(store):
    with Registry(login="bearer", users=USERS, public=True) as registry:
        assert pull(served(registry), store, logins=logins(registry, ("ann", "old"))).layers


def test_another_login_is_tried_where_the_first_may_not(store):
    with Registry(login="bearer", users=USERS) as registry:
        reference = served(registry)
        registry.forbidden.add("ann")
        assert pull(reference, store, logins=logins(registry, ("ann", "s3cret-word"), ("bob", "b0b-word"))).layers
        registry.forbidden.add("bob")
        with pytest.raises(AccessDenied, match=r"refused the login of ann \(the pull secret regcred0\), bob"):
            resolve(reference, logins(registry, ("ann", "s3cret-word"), ("bob", "b0b-word")))


def test_a_token_that_ends_is_renewed_with_the_same_login(store):
    with Registry(login="bearer", users=USERS) as registry:
        reference = served(registry)
        pull_of = logins(registry, ("ann", "s3cret-word"))

        def revoke(progress):
            if progress.unpacked == 0:
                registry.revoke_tokens()

        registry.fail(f"/blobs/{sha256(LAYERS[2])}", bytes_per_second=1_000_000)
        assert pull(reference, store, logins=pull_of, progress=revoke).layers
        assert len(registry.asked("GET /token")) >= 2


def test_a_token_is_renewed_before_it_ends(store, monkeypatch):
    with Registry(login="bearer", users=USERS) as registry:
        registry.token_seconds = 1e-3
        assert pull(served(registry), store, logins=logins(registry, ("ann", "s3cret-word"))).layers
        assert len(registry.asked("GET /token")) > 2
        refused = [r for r in registry.asked("/v2/") if "Authorization" not in r.headers]
        assert len(refused) == 1  # only the first request


def test_an_identity_token_gets_tokens(store):
    with Registry(login="bearer", users=USERS) as registry:
        registry.identity_tokens["idtok-s3cret"] = "ann"
        assert pull(served(registry), store, logins=logins(registry, identitytoken="idtok-s3cret")).layers
        assert len(registry.asked("POST /token")) == 1
        assert not any("idtok" in request.path for request in registry.requests)


def test_a_registry_token_is_used_as_it_is(store):
    with Registry(login="bearer", users=USERS) as registry:
        reference = served(registry)
        token = registry.new_token("repository:group/tool:pull")
        assert pull(reference, store, logins=logins(registry, registrytoken=token)).layers
        assert not registry.asked("/token")


def test_no_token_follows_a_redirect_to_another_host(store):
    with Registry(login="bearer", users=USERS, redirect=True) as registry:
        assert pull(served(registry), store, logins=logins(registry, ("ann", "s3cret-word"))).layers
        at_store = [request for request in registry.requests if request.server == "store"]
        assert len(at_store) == 4
        assert not any("Authorization" in request.headers for request in at_store)


def test_a_registry_that_only_leads_to_another_one(store):
    with Registry() as door, Registry(login="bearer", users=USERS, public=True) as registry:
        served(registry)
        door.leads_to = registry.url
        reference = Reference.parse(f"{door.host}/group/tool:v1")
        assert pull(reference, store, logins=Logins()).layers
        registry.public = False
        with pytest.raises(AccessDenied, match=f"pull access denied for {reference}"):
            # The login is the door's, not that of the registry behind it.
            resolve(reference, logins(door, ("ann", "s3cret-word")))
        assert not any("Basic" in header for header in sent(registry, "/"))
        assert resolve(reference, logins(registry, ("ann", "s3cret-word")))
        assert not any("Authorization" in request.headers for request in door.requests)


def test_registries_that_lead_to_each_other():
    with Registry(login="bearer", public=True) as one, Registry(login="bearer", public=True) as other:
        one.leads_to, other.leads_to = other.url, one.url
        with pytest.raises(RegistryUnreachable, match="in a circle"):
            resolve(Reference.parse(f"{one.host}/group/tool:v1"), Logins())


def test_a_password_of_netrc_goes_nowhere(store, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login ann password s3cret-word\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with Registry(redirect=True) as registry:
        assert pull(served(registry), store, logins=Logins()).layers
        assert not any("Authorization" in request.headers for request in registry.requests)


def test_a_password_goes_to_the_server_of_tokens_and_nowhere_else(store):
    with Registry(login="bearer", users=USERS) as registry:
        assert pull(served(registry), store, logins=logins(registry, ("ann", "s3cret-word"))).layers
        basic = f"Basic {base64.b64encode(b'ann:s3cret-word').decode()}"
        assert set(sent(registry, "/token")) == {basic}
        assert not any(header.startswith("Basic") for header in sent(registry, "/v2/"))
        assert not any("s3cret" in request.path for request in registry.requests)


def test_a_registry_that_repeats_the_token_in_its_message_is_masked():
    with Registry(login="bearer", users=USERS) as registry:
        reference = served(registry)
        token = registry.new_token("repository:group/tool:pull")
        body = json.dumps({"errors": [{"code": "DENIED", "message": f"token {token} may not"}]}).encode()
        registry.fail("/manifests/", method="GET", status=405, body=body, times=-1)
        registry.fail("/manifests/", method="HEAD", status=405, times=-1)
        with pytest.raises(RegistryUnreachable, match=r"answers 405 .*token \*+ may not") as caught:
            resolve(reference, logins(registry, registrytoken=token))
        assert token not in repr(caught.value)


@pytest.mark.parametrize(
    ("challenge", "why"),
    [
        ("", "pull access denied"),
        ("Negotiate", "pull access denied"),
        ('Bearer service="x"', "does not say where to get one"),
        ('Bearer realm="ftp://x/token"', "does not say where to get one"),
        ('Bearer realm="http://127.0.0.1:1/token"', "127.0.0.1:1, which gives tokens for .* does not answer"),
    ],
)
def test_a_challenge_that_leads_nowhere(challenge, why):
    with Registry() as registry:
        reference = served(registry)
        registry.fail("/manifests/", status=401, headers={"WWW-Authenticate": challenge}, times=-1)
        with pytest.raises((AccessDenied, RegistryUnreachable), match=why):
            resolve(reference, logins(registry, ("ann", "s3cret-word")))


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"token": 5}', b'{"token": "a\\nb"}', b"<html>"])
def test_a_token_that_cannot_be_read(body):
    with Registry(login="bearer", users=USERS) as registry:
        reference = served(registry)
        registry.fail("/token", status=200, body=body, times=-1)
        with pytest.raises(RegistryUnreachable, match="gave no token that can be read"):
            resolve(reference, Logins())


def test_a_server_of_tokens_that_fails_is_asked_again(store):
    with Registry(login="bearer", users=USERS) as registry:
        registry.fail("/token", status=503, times=2)
        registry.fail("/token", cut_after=0)
        assert pull(served(registry), store, logins=logins(registry, ("ann", "s3cret-word"))).layers


def test_a_server_of_tokens_that_is_away(store):
    with Registry(login="bearer", users=USERS) as registry:
        registry.fail("/token", status=503, times=-1)
        with pytest.raises(
            RegistryUnreachable, match=f"{registry.host}, which gives tokens for {registry.url}, answers 503"
        ):
            pull(served(registry), store, logins=logins(registry, ("ann", "s3cret-word")))


def test_an_identity_token_follows_no_redirect():
    with Registry(login="bearer", users=USERS) as registry, Registry() as thief:
        registry.fail("/token", status=307, headers={"Location": f"{thief.url}/token"}, times=-1, method="POST")
        with pytest.raises(RegistryUnreachable, match="redirects to another host, which is not given the login"):
            resolve(served(registry), logins(registry, identitytoken="idtok-s3cret"))
        assert thief.requests == []


@pytest.mark.parametrize("token", ["a\nX-Evil: b", "a b", "\u20ac"])
def test_a_registry_token_that_is_none(token):
    with Registry(login="bearer", users=USERS) as registry, pytest.raises(AccessDenied, match="refused the login of"):
        resolve(served(registry), logins(registry, registrytoken=token))


def test_what_stood_before_a_login_is_part_of_the_answer(tmp_path, monkeypatch):
    folder = tmp_path / "home" / ".docker"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"credsStore": "desktop"}')
    with (
        Registry(login="basic", users=USERS) as registry,
        pytest.raises(AccessDenied, match="docker-credential-desktop, which .*config.json names, is not installed"),
    ):
        resolve(served(registry), Logins.of_this_user())
