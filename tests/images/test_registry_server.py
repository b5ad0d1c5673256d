"""Tests of the test registry itself, on which other tests rely."""

import hashlib
import json

import pytest
import requests
from registry_server import MANIFEST, Registry, layer, sha256


@pytest.fixture
def anonymous():
    with requests.Session() as session:
        session.trust_env = False
        yield session


def test_an_image_is_served_by_tag_and_digest(anonymous):
    with Registry() as registry:
        content = layer({"hello.txt": "hello"})
        digest = registry.add_image("tools/hello", "v1", [content], config={"Cmd": ["cat"]})
        registry.add_index("tools/hello", "latest", {"linux/amd64": digest})
        by_tag = anonymous.get(f"{registry.url}/v2/tools/hello/manifests/v1")
        assert by_tag.headers["Content-Type"] == MANIFEST
        assert sha256(by_tag.content) == digest == by_tag.headers["Docker-Content-Digest"]
        assert anonymous.get(f"{registry.url}/v2/tools/hello/manifests/{digest}").content == by_tag.content
        blob = by_tag.json()["layers"][0]["digest"]
        assert anonymous.get(f"{registry.url}/v2/tools/hello/blobs/{blob}").content == content
        config = anonymous.get(f"{registry.url}/v2/tools/hello/blobs/{by_tag.json()['config']['digest']}").json()
        assert config["config"] == {"Cmd": ["cat"]}
        index = anonymous.get(f"{registry.url}/v2/tools/hello/manifests/latest").json()
        assert index["manifests"][0]["platform"] == {"os": "linux", "architecture": "amd64"}
        missing = anonymous.get(f"{registry.url}/v2/tools/hello/manifests/v2")
        assert (missing.status_code, missing.json()["errors"][0]["code"]) == (404, "MANIFEST_UNKNOWN")
        assert [str(request) for request in registry.asked("v2/tools/hello/manifests/v1")]


def test_a_large_blob_is_read_from_a_file_in_parts(anonymous, tmp_path):
    (tmp_path / "blob").write_bytes(bytes(range(256)) * 1000)
    with Registry() as registry:
        digest, size = registry.add_blob(tmp_path / "blob")
        assert digest == f"sha256:{hashlib.sha256(bytes(range(256)) * 1000).hexdigest()}"
        part = anonymous.get(f"{registry.url}/v2/a/blobs/{digest}", headers={"Range": "bytes=255990-"})
        assert part.status_code == 206
        assert part.content == bytes(range(246, 256))
        assert part.headers["Content-Range"] == f"bytes 255990-255999/{size}"


def test_a_bearer_token_is_asked_for_and_must_be_of_the_repository(anonymous):
    with Registry(login="bearer", users={"ann": "word"}) as registry:
        registry.add_image("group/tool", "v1", [layer({"a": "b"})])
        refused = anonymous.get(f"{registry.url}/v2/group/tool/manifests/v1")
        assert refused.status_code == 401
        assert 'scope="repository:group/tool:pull"' in refused.headers["WWW-Authenticate"]
        address = f"{registry.url}/token?service=registry.test&scope=repository:group/tool:pull"
        assert anonymous.get(address).status_code == 401
        assert anonymous.get(address, auth=("ann", "wrong")).status_code == 401
        token = anonymous.get(address, auth=("ann", "word")).json()["token"]
        bearer = {"Authorization": f"Bearer {token}"}
        assert anonymous.get(f"{registry.url}/v2/group/tool/manifests/v1", headers=bearer).status_code == 200
        assert anonymous.get(f"{registry.url}/v2/group/other/manifests/v1", headers=bearer).status_code == 401
        registry.revoke_tokens()
        assert anonymous.get(f"{registry.url}/v2/group/tool/manifests/v1", headers=bearer).status_code == 401


def test_the_store_of_blobs_refuses_a_token(anonymous):
    with Registry(redirect=True) as registry:
        digest, _ = registry.add_blob(b"content")
        redirected = anonymous.get(f"{registry.url}/v2/a/blobs/{digest}", allow_redirects=False)
        assert redirected.status_code == 307
        assert redirected.headers["Location"].startswith(registry.store_url)
        assert anonymous.get(redirected.headers["Location"]).content == b"content"
        assert anonymous.get(redirected.headers["Location"], headers={"Authorization": "Bearer x"}).status_code == 400
        assert [request.server for request in registry.requests] == ["registry", "store", "store"]


def test_faults_come_as_often_as_planted(anonymous):
    with Registry() as registry:
        digest, _ = registry.add_blob(b"x" * 1000)
        address = f"{registry.url}/v2/a/blobs/{digest}"
        registry.fail("/blobs/", status=429, headers={"Retry-After": "1"}, times=2)
        registry.fail("/blobs/", cut_after=10)
        registry.fail("/blobs/", truncate_to=10)
        registry.fail("/blobs/", corrupt=True)
        assert [anonymous.get(address).status_code for _ in range(2)] == [429, 429]
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            anonymous.get(address)
        assert anonymous.get(address).content == b"x" * 10
        assert sha256(anonymous.get(address).content) != digest
        assert sha256(anonymous.get(address).content) == digest


def test_the_configuration_says_the_digests_of_the_uncompressed_layers(anonymous):
    with Registry() as registry:
        files = {"a/": "", "a/b": "c"}
        registry.add_image("tool", "v1", [layer(files)])
        manifest = json.loads(registry.manifests["tool", "v1"][1])
        config = json.loads(registry.blobs[manifest["config"]["digest"]])
        assert config["rootfs"]["diff_ids"] == [sha256(layer(files, compressed=False))]
