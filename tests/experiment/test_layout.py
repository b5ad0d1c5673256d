import contextlib
from pathlib import PurePosixPath
from types import SimpleNamespace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hera_utils.argo.names import LABEL_LENGTH, label_faults
from hera_utils.errors import LayoutError
from hera_utils.experiment.layout import Layout


class ExperimentLayout(Layout):
    def collect_output_dir(self, vintage):
        return self.path("collect", self.constants.city, vintage)

    def container_name_postend(self, vintage):
        return self.name(self.constants.city, vintage)


def test_the_seeds_methods():
    layout = ExperimentLayout(SimpleNamespace(city="Lyon"))
    assert layout.collect_output_dir(2009) == "collect/Lyon/2009"
    assert layout.container_name_postend(2009) == "lyon-2009"


PARTS = st.lists(st.text() | st.integers() | st.floats(), min_size=1, max_size=4)


@given(PARTS)
def test_a_name_is_legal_or_refused_and_always_the_same(parts):
    try:
        name = Layout().name(*parts)
    except LayoutError as error:
        assume(error.fix is not None)
        return
    assert not label_faults(name)
    assert name == Layout().name(*parts)


@given(PARTS, st.integers(min_value=16, max_value=LABEL_LENGTH))
def test_a_name_is_never_too_long(parts, longest):
    with contextlib.suppress(LayoutError):
        assert len(Layout().name(*parts, longest=longest)) <= longest


@given(st.lists(st.tuples(st.text(max_size=3), st.text(max_size=3)), unique=True, max_size=8))
def test_different_parts_never_share_a_name_silently(several):
    layout, given_names = Layout(), {}
    for parts in several:
        try:
            name = layout.name(*parts)
        except LayoutError:
            continue
        assert given_names.setdefault(name, tuple(part.strip() for part in parts)) == tuple(
            part.strip() for part in parts
        )


@given(PARTS)
def test_a_path_stays_inside_and_is_relative(parts):
    try:
        path = Layout().path(*parts)
    except LayoutError:
        return
    assert not path.startswith("/")
    assert ".." not in PurePosixPath(path).parts


def test_two_things_of_one_name_are_told():
    layout = Layout()
    assert layout.name("LYON_1") == layout.name("LYON_1") == "lyon-1"
    with pytest.raises(LayoutError, match="`LYON-1` and `LYON_1` would both be called `lyon-1`"):
        layout.name("LYON-1")
    assert layout.name("lyon", 1) == "lyon-1"  # the number of parts differs, as it is a task of another kind


def test_long_names_end_in_a_digest():
    layout = Layout()
    one, two = layout.name("x" * 80, 1), layout.name("x" * 80, 2)
    assert one != two
    assert len(one) == LABEL_LENGTH


def test_accents_and_signs():
    assert Layout().name("Saint-Étienne (42)") == "saint-etienne-42"


@pytest.mark.parametrize("parts", [("..",), ("a", "../b"), ("/etc",), ("",), (None,), ("a\nb",), ("x" * 300,), ()])
def test_paths_that_are_refused(parts):
    with pytest.raises(LayoutError) as caught:
        Layout().path(*parts)
    assert caught.value.fix


@pytest.mark.parametrize("parts", [("",), ("---",), ("★",), (None,), ()])
def test_names_that_are_refused(parts):
    with pytest.raises(LayoutError):
        Layout().name(*parts)
