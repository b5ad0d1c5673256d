"""Which run a typed name means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hera_utils.cli.run_choice import choose_name
from hera_utils.errors import ResourceError

RUNS = ["ising-98xbs", "heat-8dcm6", "ising-2k4qp"]  # the newest first
SAYS = """
metadata: {generateName: says-}
spec:
  entrypoint: main
  templates: [{name: main, container: {image: busybox, command: [echo, hello]}}]
"""


def refused(typed, names=RUNS, **how):
    with pytest.raises(ResourceError) as told:
        choose_name(typed, names, **how)
    return f"{told.value.message}\n{told.value.fix}"


def test_choose_by_name_prefix_or_position():
    assert choose_name("heat-8dcm6", RUNS) == "heat-8dcm6"
    assert choose_name("he", RUNS) == "heat-8dcm6"
    assert choose_name("ising-9", RUNS, whole=False) == "ising-98xbs"
    assert choose_name("a", ["a", "a-b"], whole=True) == "a", "a whole name wins over what begins with it"
    assert [choose_name(f"@latest{back}", RUNS) for back in ("", "~0", "~1", "~2")] == [RUNS[0], *RUNS]


def test_choose_the_newest_with_a_prefix():
    assert choose_name("ising@latest", RUNS) == "ising-98xbs"
    assert choose_name("ising@latest~1", RUNS, whole=True) == "ising-2k4qp"
    assert choose_name("heat@latest", RUNS) == "heat-8dcm6"
    assert "no run begins with cold" in refused("cold@latest")
    assert "goes back further than the 2 runs\nthe oldest is ising@latest~1" in refused("ising@latest~2")
    assert "the newest of them is ising@latest" in refused("ising")
    assert "there is no run me@here" in refused("me@here"), "a name that a user gave"


def test_what_is_not_unique_or_not_there_names_what_is_near():
    assert "2 runs begin with ising: ising-98xbs, ising-2k4qp" in refused("ising")
    assert "did you mean ising-98xbs?" in refused("isin-98xbs")
    assert "did you mean @latest?" in refused("@lates")
    assert "goes back further than the 3 runs" in refused("@latest~3")
    assert "start one with: hera-utils run" in refused("@latest", [])
    assert "did you mean" not in refused("zzz")
    assert "did you mean" not in refused("")
    assert "@previous names no run" in refused("@previous")


def test_what_cannot_be_undone_needs_the_whole_name():
    assert "did you mean heat-8dcm6? a name is needed in full" in refused("heat", whole=True)


@given(st.lists(st.text("ab-", min_size=1, max_size=4), unique=True), st.text("ab-", max_size=4))
def test_only_one_name_is_ever_meant(names, typed):
    beginning = [name for name in names if name.startswith(typed)] if typed else []
    try:
        found = choose_name(typed, names)
    except ResourceError:
        assert typed not in names
        assert len(beginning) != 1
    else:
        assert found == typed or beginning == [found]


def test_every_command_takes_a_beginning(user):
    first = user.start(SAYS)
    user.type("watch", "@latest")
    second = user.start(SAYS)
    user.type("watch", second[:-1])
    for command in (("get",), ("logs",), ("results",), ("watch",)):
        assert first in user.type(*command, first[:-1]), command
        assert first in user.type(*command, "@latest~1"), command
        assert f"did you mean {second}?" in user.type(*command, second + "q", status=2), command
    assert "2 runs begin with says" in user.type("get", "says", status=2)


def test_deleting_takes_whole_names_and_each_run_once(user):
    # Times of a cluster are whole seconds: of two runs of one second the last written is the newest.
    first = user.start(SAYS)
    user.type("watch", first)
    second = user.start(SAYS)
    user.type("watch", second)
    assert "in full" in user.type("delete", first[:-1], status=2)
    assert user.type("delete", "@latest", "@latest") == f"{second} deleted\n", "the second @latest is the same run"
    assert "there is no run nope" in user.type("delete", first, "nope", status=2)
    assert user.type("ls", "-o", "name") == f"{first}\n", "all names are looked up before anything is deleted"
