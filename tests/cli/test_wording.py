"""Numbers and lists in sentences."""

from hypothesis import given
from hypothesis import strategies as st

from hera_utils.wording import counted, listed


def test_one_is_singular():
    assert counted(1, "point") == "1 point"
    assert counted(0, "point") == "0 points"
    assert counted(2, "axis", "axes") == "2 axes"
    assert counted(1, "axis", "axes") == "1 axis"


@given(st.lists(st.text("abc", min_size=1)))
def test_listed_words_have_one_and(words):
    sentence = listed(words)
    assert sentence.count(" and ") == (len(words) > 1)
    assert sentence.replace(" and ", ", ").split(", ") == (words or [""])
