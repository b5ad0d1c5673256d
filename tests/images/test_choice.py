"""The policy, row by row, and properties that hold for every image."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hera_utils.image_policies import POLICIES
from hera_utils.images.choice import (
    BUILT_IN,
    Choice,
    ImageUse,
    Pull,
    RefusedImage,
    StandIn,
    ThisMachine,
    choose,
    choose_without_registry,
    is_described,
    python_stand_in,
)

HERE = ThisMachine("3.12.4", lambda program: program != "xxd")
PYTHON = ImageUse(("python",), source="print(1)")
NONE_TO_ASK = "no registry can be reached"


def auto(image: str, *uses: ImageUse) -> Choice:
    return choose(image, "auto", None, uses, HERE)


def shell(script: str, program: str = "sh") -> ImageUse:
    return ImageUse((program, "-c"), (script,))


@pytest.mark.parametrize(
    "image",
    [
        "python:3.12", "python:3.12-slim", "python:3.12.9-alpine3.20", "docker.io/library/python:3.12", "library/python:3.12-bookworm",
        "python:3", "python:3-slim", "python", "python:latest", "python:slim", "python:3.12.0rc1",
    ],
)  # fmt: skip
def test_the_same_minor_of_python_is_stood_in_for(image: str) -> None:
    assert auto(image, PYTHON) == StandIn({"python": "current", "cmd": ["python3"]}, "Python 3.12.4")


@pytest.mark.parametrize("image", ["python:3.11", "python:3.13-slim", "python:3.1", "docker.io/library/python:3.9.2"])
def test_another_minor_is_pulled_and_stood_in_for_where_no_registry_answers(image: str) -> None:
    pull = auto(image, PYTHON)
    assert isinstance(pull, Pull)
    assert pull.reference == image
    stand_in = choose_without_registry(pull, NONE_TO_ASK)
    assert isinstance(stand_in, StandIn)
    assert "3.12.4" in stand_in.reason
    assert stand_in.because == NONE_TO_ASK


@pytest.mark.parametrize(
    "image",
    [
        "python:2.7", "python@sha256:" + "0" * 64, "python:3.12@sha256:" + "0" * 64, "bitnami/python:3.12", "ghcr.io/lab/python:3.12",
        "localhost:5000/python:3.12", "debian:12", "ubuntu", "node:22", "curlimages/curl", "lab/solver:3", "bash:5", "pythonic",
    ],
)  # fmt: skip
def test_every_other_image_is_pulled_or_refused(image: str) -> None:
    pull = auto(image, PYTHON)
    assert isinstance(pull, Pull)
    refused = choose_without_registry(pull, NONE_TO_ASK)
    assert isinstance(refused, RefusedImage)
    assert image in refused.reason
    assert NONE_TO_ASK in refused.reason
    assert "image import" in refused.fix


@pytest.mark.parametrize("image", ["alpine", "alpine:3.20", "busybox", "docker.io/library/busybox:musl"])
@pytest.mark.parametrize(
    "use",
    [
        ImageUse(),
        ImageUse(("echo",), ("hello",)),
        ImageUse((), ("ls", "-l")),
        ImageUse(("/bin/sh", "-c"), ("echo hi > /tmp/x; cat /tmp/x | sort",)),
        ImageUse(("sh", "-ec"), ("sleep 1",)),
        ImageUse(("sh",), source="set -e\nseq 3 | while read n; do echo $n; done"),
        ImageUse(("sh", "-c"), ("{{inputs.parameters.command}}; /mnt/tool/run; ./local",)),
        ImageUse(("/mnt/volume/tool",)),
    ],
)
def test_a_small_image_is_stood_in_for_where_its_programs_are_here(image: str, use: ImageUse) -> None:
    assert auto(image, use) == StandIn(
        dict(BUILT_IN["alpine*" if "alpine" in image else "busybox*"]), "this machine's programs"
    )


@pytest.mark.parametrize(
    ("use", "why"),
    [
        (shell("echo hi", "bash"), "has no program bash"),
        (shell("apk add curl"), "has no program apk"),
        (shell("echo $(curl http://x)"), "has no program curl"),
        (ImageUse(("/usr/bin/python3",)), "has no program python3"),
        (shell("xxd file"), "this machine has no program xxd"),
    ],
)
def test_a_small_image_is_pulled_where_it_would_mean_something_else(use: ImageUse, why: str) -> None:
    pull = auto("alpine:3", shell("echo fine"), use)
    assert isinstance(pull, Pull)
    assert why in pull.why
    refused = choose_without_registry(pull, NONE_TO_ASK)
    assert isinstance(refused, RefusedImage)
    assert why in refused.reason


def test_the_other_policies() -> None:
    assert choose("debian", "stand-in", None, (), HERE) == StandIn({"cmd": ["bash"]}, "this machine's programs")
    refused = choose("lab/solver", "stand-in", None, (), HERE)
    assert isinstance(refused, RefusedImage)
    assert '"lab/solver": {python: current}' in refused.fix
    pulled = choose("python:3.12", "pull", None, (PYTHON,), HERE)
    assert isinstance(pulled, Pull)
    assert pulled.registry
    assert pulled.otherwise is None
    never = choose("python:3.11", "never", None, (PYTHON,), HERE)
    assert isinstance(never, Pull)
    assert not never.registry
    assert isinstance(choose_without_registry(never, NONE_TO_ASK), StandIn)
    assert isinstance(choose("lab/solver", "here", None, (PYTHON,), HERE), StandIn)
    assert isinstance(choose("lab/solver", "here", None, (PYTHON, ImageUse(("solver",))), HERE), Pull)
    assert isinstance(choose("lab/solver", "here", None, (), HERE), Pull)


@pytest.mark.parametrize(
    ("image", "python"),
    [("python:3.12-slim", "current"), ("python:3", "current"), ("python", "current"), ("python:3.11", "3.11"), ("python:2", "2"),
     ("docker.io/library/python:3.13.1", "3.13")],
)  # fmt: skip
def test_a_python_with_packages(image: str, python: str) -> None:
    settings = python_stand_in(image, ["numpy"], HERE)
    assert settings == {"python": python, "cmd": ["python3"], "requirements": ["numpy"]}
    assert is_described(settings)
    assert not is_described({"python": "current"})
    assert not is_described({"python": "/usr/bin/python3"})
    assert is_described({"python": "3.11"})
    assert python_stand_in("lab/python:3.12", ["numpy"], HERE) is None
    assert python_stand_in(f"python@sha256:{'0' * 64}", ["numpy"], HERE) is None


@pytest.mark.parametrize("policy", ["auto", "stand-in", "never"])
def test_nothing_stands_in_for_what_is_no_name(policy: str) -> None:
    """`python:`, of f"python:{version}", ran here with any Python, and on no cluster."""
    choice = choose("python:", policy, None, [], HERE)
    assert choice == RefusedImage(
        '"python:" is not the name of an image: the tag after the colon is empty',
        "write python:TAG, or python for python:latest",
    )


def test_an_image_that_must_not_be_pulled_is_looked_for_in_the_store() -> None:
    never = ImageUse(("solver",), may_pull=False)
    assert auto("lab/solver", never) == Pull("lab/solver", registry=False)
    assert auto("lab/solver", never, ImageUse(("solver",))) == Pull("lab/solver")


# --- properties of every image ---------------------------------------------------------------------------------------------

IMAGES = st.sampled_from(["python", "alpine", "busybox", "debian", "lab/x", "ghcr.io/a/python"]).flatmap(
    lambda name: st.sampled_from(["", ":latest", ":3.12", ":3.11-slim", ":2.7", "@sha256:" + "0" * 64]).map(
        lambda tag: name + tag
    )
)
USES = st.lists(
    st.builds(
        ImageUse,
        st.lists(st.sampled_from(["sh", "bash", "python", "-c", "echo", "/bin/sh", "/x/y", "{{a}}"]), max_size=3).map(
            tuple
        ),
        st.lists(st.text(max_size=20), max_size=2).map(tuple),
        st.none() | st.text(max_size=40),
    ),
    max_size=3,
)
POLICY = st.sampled_from(POLICIES)
ENTRIES = st.fixed_dictionaries(
    {}, optional={"cmd": st.just(["x"]), "python": st.sampled_from(["current", "/opt/python"])}
)


@given(IMAGES, POLICY, ENTRIES, USES)
def test_the_users_own_entry_always_wins(
    image: str, policy: str, entry: dict[str, object], uses: list[ImageUse]
) -> None:
    choice = choose(image, policy, entry, uses, HERE)
    assert isinstance(choice, StandIn)
    assert choice.settings == entry
    assert not choice.because


@given(IMAGES, USES)
def test_stand_in_never_pulls_and_pull_never_stands_in(image: str, uses: list[ImageUse]) -> None:
    assert not isinstance(choose(image, "stand-in", None, uses, HERE), Pull)
    pull = choose(image, "pull", None, uses, HERE)
    assert isinstance(pull, Pull)
    assert isinstance(choose_without_registry(pull, NONE_TO_ASK), RefusedImage)


@given(IMAGES, USES)
def test_never_is_auto_where_no_registry_can_be_asked(image: str, uses: list[ImageUse]) -> None:
    usual, never = auto(image, *uses), choose(image, "never", None, uses, HERE)
    if isinstance(usual, Pull):
        assert isinstance(never, Pull)
        assert not never.registry
        assert choose_without_registry(never, NONE_TO_ASK) == choose_without_registry(usual, NONE_TO_ASK)
    else:
        assert never == usual


@given(IMAGES, USES, USES)
def test_one_more_use_never_makes_a_stand_in_of_a_pull(image: str, uses: list[ImageUse], more: list[ImageUse]) -> None:
    if isinstance(auto(image, *uses), Pull):
        assert isinstance(auto(image, *uses, *more), Pull)


@given(IMAGES, POLICY, USES)
def test_the_prefixes_of_docker_hub_do_not_matter(image: str, policy: str, uses: list[ImageUse]) -> None:
    assume("/" not in image)
    short, long = (choose(prefix + image, policy, None, uses, HERE) for prefix in ("", "docker.io/library/"))
    assert type(short) is type(long)
    if isinstance(short, StandIn):
        assert short == long


@given(IMAGES, POLICY, USES)
def test_a_stand_in_or_a_refusal_says_why(image: str, policy: str, uses: list[ImageUse]) -> None:
    choice = choose(image, policy, None, uses, HERE)
    if isinstance(choice, Pull):
        choice = choose_without_registry(choice, NONE_TO_ASK)
    assert choice.reason
    assert not choice.reason.endswith(".")
    assert "\n" not in choice.reason
    if isinstance(choice, RefusedImage):
        assert choice.fix
