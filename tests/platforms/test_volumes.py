import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hera_utils.errors import LayoutError, ResourceError, SettingsError
from hera_utils.platforms.volumes import ClaimPath, copy, place


@pytest.fixture
def claim(local_platform):
    return local_platform.claim("results")


@pytest.fixture
def cp(local_platform, claim):
    def do(source, target):
        return copy(local_platform.cluster, str(source), str(target), state=local_platform.context.state)

    return do


@pytest.fixture
def here(tmp_path):
    (tmp_path / "data" / "below").mkdir(parents=True)
    (tmp_path / "data" / "a.csv").write_text("one")
    (tmp_path / "data" / "below" / "b.csv").write_text("three")
    return tmp_path


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*") if not path.is_dir())


def test_a_file_and_a_folder_in_and_out(cp, claim, here):
    assert cp(here / "data" / "a.csv", "results:").bytes == 3
    done = cp(here / "data", "results:inputs/")
    assert (done.files, done.bytes) == (2, 8)
    assert tree(claim) == ["a.csv", "inputs/data/a.csv", "inputs/data/below/b.csv"]
    cp("results:inputs/data", here / "back")
    assert tree(here / "back") == ["a.csv", "below/b.csv"]
    cp("results:", here / "all")
    assert tree(here / "all") == tree(claim)
    cp("results:/", here / "again")
    assert tree(here / "again") == tree(claim)
    cp("results:/a.csv", here)
    assert (here / "a.csv").read_text() == "one"


def test_between_two_claims(cp, claim, here, local_platform):
    other = local_platform.claim("raw")
    cp(here / "data", "results:")
    cp("results:data/a.csv", "raw:copy.csv")
    assert tree(other) == ["copy.csv"]


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/../etc/passwd", "a/../../../etc/passwd"])
def test_a_path_that_leaves_the_claim(cp, here, path):
    with pytest.raises(LayoutError, match="leaves the claim"):
        cp(f"results:{path}", here / "out")
    with pytest.raises(LayoutError, match="leaves the claim"):
        cp(here / "data" / "a.csv", f"results:{path}")


def test_links_lead_nowhere_else(cp, claim, here):
    (here / "secret").write_text("planted")
    os.symlink(here, claim / "out")
    os.symlink(here / "secret", claim / "secret")
    os.symlink("a.csv", claim / "near")
    (claim / "a.csv").write_text("one")
    for source in ("results:out/secret", "results:secret", "results:out"):
        with pytest.raises(LayoutError, match="link"):
            cp(source, here / "stolen")
    with pytest.raises(LayoutError, match="link"):
        cp(here / "data", "results:out/")
    with pytest.raises(LayoutError, match="link"):
        cp("results:", here / "all")
    assert not (here / "stolen").exists()
    cp("results:near", here / "near")
    assert os.readlink(here / "near") == "a.csv"


def test_a_link_in_the_claim_is_not_written_through(cp, claim, here):
    (here / "victim").write_text("untouched")
    (claim / "data").mkdir()
    os.symlink(here / "victim", claim / "data" / "a.csv")
    os.symlink(here, claim / "data" / "below")
    with pytest.raises(LayoutError, match="link"):
        cp(here / "data", "results:")
    assert (here / "victim").read_text() == "untouched"
    assert not (here / "b.csv").exists()


def test_what_is_missing_is_told_with_what_there_is(cp, here, claim):
    with pytest.raises(ResourceError, match="there is no claim `nothing`") as caught:
        cp("nothing:a", here / "x")
    assert "results" in caught.value.fix
    with pytest.raises(ResourceError, match="there is no `results:/etc/passwd`"):
        cp("results:/etc/passwd", here / "x")
    with pytest.raises(ResourceError, match="there is no `results:absent`"):
        cp("results:absent", here / "x")
    with pytest.raises(ResourceError, match="there is no"):
        cp(here / "absent", "results:")
    with pytest.raises(SettingsError, match="names a claim"):
        cp(here / "data", here / "x")
    with pytest.raises(SettingsError, match="into itself"):
        cp("results:", "results:below/")


def test_what_is_a_claim_and_what_a_path():
    assert place("results:a/b") == ClaimPath("results", "a/b")
    assert place("results:/a/b") == ClaimPath("results", "a/b")
    assert place("./a:b") == Path("a:b")
    assert place("/x/a:b") == Path("/x/a:b")
    assert place("plain") == Path("plain")


@given(st.text())
def test_any_text_is_a_place(text):
    assert isinstance(place(text), ClaimPath | Path)


@pytest.mark.parametrize("way", ["in", "out"])
def test_a_link_that_a_task_puts_there_meanwhile_leads_nowhere(cp, claim, here, monkeypatch, way):
    """The change of a simultaneous task, between the check of the copied file and its opening."""
    from hera_utils.platforms import volumes

    outside = here / "outside"
    outside.mkdir()
    (outside / "a.csv").write_text("secret")
    cp(here / "data", "results:")
    is_file = volumes.stat.S_ISREG

    def swapped(mode):
        if not (claim / "moved").exists():
            (claim / "data").rename(claim / "moved")
            (claim / "data").symlink_to(outside)
        return is_file(mode)

    monkeypatch.setattr(volumes.stat, "S_ISREG", swapped)
    with pytest.raises((LayoutError, ResourceError)):
        cp(here / "data", "results:") if way == "in" else cp("results:data", here / "back")
    assert (outside / "a.csv").read_text() == "secret"
    assert not (outside / "below").exists()
    assert not list((here / "back").rglob("a.csv")) if (here / "back").exists() else True


@pytest.mark.parametrize("link", ["below", "a.csv"])
def test_what_is_copied_out_goes_through_no_link_of_a_task(cp, claim, here, link):
    """The target folder may belong to another claim, in which a task may have put a link."""
    cp(here / "data", "results:")
    outside, back = here / "outside", here / "back"
    outside.mkdir()
    (outside / "a.csv").write_text("the user's")
    (back / "data").mkdir(parents=True)
    (back / "data" / link).symlink_to(outside if link == "below" else outside / "a.csv")
    if link == "below":
        with pytest.raises(LayoutError, match="through a link"):
            cp("results:data", back)
    else:
        cp("results:data", back)
        assert (back / "data" / "a.csv").read_text() == "one"
    assert {file.name: file.read_text() for file in outside.iterdir()} == {"a.csv": "the user's"}
