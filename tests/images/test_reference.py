import pytest
from hypothesis import given
from hypothesis import strategies as st

from hera_utils.images.reference import InvalidImageName, Reference

SHA = "sha256:" + "a1" * 32

COMPONENTS = st.from_regex(r"[a-z0-9]+((\.|_|__|-{1,3})[a-z0-9]+){0,2}", fullmatch=True).filter(lambda s: len(s) < 30)
HOSTS = st.one_of(
    st.from_regex(r"[a-z0-9]{1,8}\.[a-z]{2,5}(:[0-9]{1,5})?", fullmatch=True),
    st.sampled_from(["localhost", "localhost:5000", "docker.io", "127.0.0.1:80", "[::1]:5000", "Registry:5"]),
)
TAGS = st.one_of(st.just(""), st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True))
DIGESTS = st.one_of(st.just(""), st.from_regex(r"sha256:[0-9a-f]{64}", fullmatch=True))


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("python", "docker.io/library/python:latest"),
        ("python:3.13-slim", "docker.io/library/python:3.13-slim"),
        ("library/python", "docker.io/library/python:latest"),
        ("docker.io/python:3", "docker.io/library/python:3"),
        ("index.docker.io/group/tool", "docker.io/group/tool:latest"),
        ("group/tool", "docker.io/group/tool:latest"),
        ("localhost", "docker.io/library/localhost:latest"),
        # As in Docker: without a path this is a name with a tag.
        (
            "localhost:5000",
            "docker.io/library/localhost:5000",
        ),
        ("localhost/tool", "localhost/tool:latest"),
        ("localhost:5000/tool", "localhost:5000/tool:latest"),
        ("127.0.0.1:5000/a/b/c:v1", "127.0.0.1:5000/a/b/c:v1"),
        ("[::1]:5000/tool", "[::1]:5000/tool:latest"),
        ("ghcr.io/group/tool:v1", "ghcr.io/group/tool:v1"),
        (f"ghcr.io/group/tool@{SHA}", f"ghcr.io/group/tool@{SHA}"),
        (f"python:3.13@{SHA}", f"docker.io/library/python:3.13@{SHA}"),
    ],
)
def test_the_forms_that_docker_made_familiar(text, canonical):
    assert str(Reference.parse(text)) == canonical


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("group/Tool", "lower case"),
        ("python:", "tag after the colon is empty"),
        ("python:a b", "space"),
        ("python:ä", "is not a tag"),
        ("python:" + "a" * 129, "is not a tag"),
        ("docker://python", "scheme"),
        ("https://ghcr.io/a/b", "scheme"),
        ("-tool", "not a part of a name"),
        ("a//b", "part of its path is empty"),
        ("group/", "part of its path is empty"),
        ("/tool", "part of its path is empty"),
        ("a___b", "not a part of a name"),
        ("ghcr.io/../etc", "not a part of a name"),
        ("a" * 64, "id of an image"),
        ("python@sha256:12", "is not a digest"),
        ("python@sha256:" + "A" * 64, "is not a digest"),
        ("python@sha256:" + "a" * 63, "63 hexadecimal digits"),
        ("python@md5:" + "a" * 32, "kind md5"),
        ("python@", "is not a digest"),
        ("-host.io/a", "address of a registry"),
        ("host.io:port/a", "address of a registry"),
        ("ghcr.io/" + "a" * 256, "longer than 255"),
        ("python\n", "space"),
    ],
)
def test_what_is_no_name_is_refused_with_the_reason(text, why):
    with pytest.raises(InvalidImageName, match=why):
        Reference.parse(text)


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("ghcr.io/group/Tool:V1", "write ghcr.io/group/tool:V1"),
        ("lab/x:", "write lab/x:TAG, or lab/x for lab/x:latest"),  # it was to be imported from a file
        ("a//b", "correct the name, as in ghcr.io/group/tool:1.2"),
    ],
)
def test_the_fix_is_a_name_that_is_accepted(text, fix):
    with pytest.raises(InvalidImageName) as caught:
        Reference.parse(text)
    assert caught.value.fix == fix


@given(HOSTS, st.lists(COMPONENTS, min_size=1, max_size=4), TAGS, DIGESTS)
def test_a_full_name_keeps_its_parts_and_the_canonical_name_means_the_same(host, path, tag, digest):
    text = f"{host}/{'/'.join(path)}" + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
    reference = Reference.parse(text)
    assert reference.registry == host
    assert reference.repository in ("/".join(path), f"library/{path[0]}")
    assert reference.tag == (tag or ("" if digest else "latest"))
    assert reference.digest == digest
    assert Reference.parse(str(reference)) == reference


@given(st.lists(st.one_of(COMPONENTS, HOSTS), min_size=1, max_size=4), TAGS, DIGESTS)
def test_the_familiar_name_means_the_same(path, tag, digest):
    text = "/".join(path) + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
    try:
        reference = Reference.parse(text)
    except InvalidImageName:
        return
    assert Reference.parse(reference.familiar) == reference
    assert len(reference.familiar) <= len(str(reference))


@given(st.text(max_size=40))
def test_any_text_is_a_name_or_refused(text):
    try:
        reference = Reference.parse(text)
    except InvalidImageName:
        return
    assert Reference.parse(str(reference)) == reference
    assert ".." not in str(reference).partition("@")[0].split("/")


def test_a_reference_is_pinned_to_a_digest():
    pinned = Reference.parse("python:3.13").at(SHA)
    assert str(pinned) == f"docker.io/library/python:3.13@{SHA}"
    assert pinned.familiar == f"python:3.13@{SHA}"


@pytest.mark.parametrize(
    "text", ["a" * 5000, "a:" + "b" * 5000, "A" * 5000, "x/" * 5000, "[" * 5000 + "/x", "a@" + "b" * 5000]
)
def test_what_is_wrong_with_a_long_name_is_a_sentence(text):
    with pytest.raises(InvalidImageName) as caught:
        Reference.parse(text)
    assert len(f"{caught.value}{caught.value.fix}") < 600
