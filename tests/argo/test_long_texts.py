"""Numbers of thousands of digits, durations of thousands of parts, selectors of thousands of terms: each is refused in a sentence, and
what is kept of long texts has a bound.
"""

import pytest

from hera_utils.argo.durations import DurationError, seconds, seconds_or_duration
from hera_utils.argo.quantities import QuantityError, quantity
from hera_utils.argo.selectors import MOST_REQUIREMENTS, field_selector, label_selector
from hera_utils.argo.whole_numbers import whole_number
from hera_utils.errors import Refused
from hera_utils.memoised import LONGEST, SHORT, memoised

DIGITS = "9" * 6000  # Python's int() refuses more than 4,300


@pytest.mark.parametrize("sign", ["", "-", "+"])
def test_a_number_of_thousands_of_digits_is_no_duration(sign):
    with pytest.raises(DurationError):
        seconds_or_duration(sign + DIGITS)


@pytest.mark.parametrize("text", ["1e" + DIGITS, "1e-" + DIGITS, DIGITS])
def test_a_number_of_thousands_of_digits_is_no_quantity(text):
    with pytest.raises(QuantityError):
        quantity(text)


def test_a_duration_has_a_bound_in_characters():
    assert seconds("1h" * 400) == 400 * 3600
    with pytest.raises(DurationError, match="invalid duration of 600000 characters"):
        seconds("1h" * 300_000)


def test_a_whole_number_is_as_go_parses_it():
    texts = [
        "0",
        "-0",
        "+7",
        "007",
        "0" * 100 + "1",
        str(2**63 - 1),
        str(-(2**63)),
        str(2**63),
        "1_0",
        "²",
        "",
        "1.0",
        DIGITS,
    ]
    assert [whole_number(one) for one in texts] == [0, 0, 7, 7, 1, 2**63 - 1, -(2**63), *[None] * 6]


@pytest.mark.parametrize("selector", [label_selector, field_selector])
def test_a_selector_has_a_bound_in_terms_not_in_values(selector):
    selector(",".join(f"a{n}!=b" for n in range(MOST_REQUIREMENTS)))
    with pytest.raises(Refused, match=f"the selector has more than {MOST_REQUIREMENTS} requirements"):
        selector(",".join(f"a{n}!=b" for n in range(MOST_REQUIREMENTS + 1)))


def test_a_selector_of_many_values_is_met_by_each_of_them():
    chosen = label_selector("a in (" + ",".join(f"v{n}" for n in range(20_000)) + ")")
    assert chosen.matches({"a": "v19999"})
    assert not chosen.matches({"a": "v20000"})


def test_of_long_texts_few_are_kept_and_of_the_longest_none():
    asked = []

    @memoised(100)
    def length(text):
        asked.append(text)
        return len(text)

    short, long, longest = (
        [f"{n:03}" * (size // 3) for n in range(50)] for size in (SHORT - 10, LONGEST - 10, LONGEST + 10)
    )
    for texts, again in ((short, 0), (long, 50), (longest, 50)):
        for _ in range(2):
            before = len(asked)
            assert [length(one) for one in texts] == [len(one) for one in texts]
        assert len(asked) - before == again
    before = len(asked)
    assert length(long[-1]) == len(long[-1])
    assert len(asked) == before
