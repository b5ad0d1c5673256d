import base64
import copy
import json
import pickle
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hera_utils.settings.secret import MASK, Secret, mask

PLANTED = "planted-token-7f3a/+=9"


def test_no_way_of_showing_it_shows_it():
    secret = Secret(PLANTED)
    shown = [
        str(secret),
        repr(secret),
        f"{secret}",
        f"{secret:>40}",
        f"{[secret]}",
        f"{{'a': {secret!r}}}",
    ]
    assert not any(PLANTED in text for text in shown)
    assert json.dumps({"token": secret}) == f'{{"token": "{MASK}"}}'  # scripts print their settings in this way
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_it_is_what_hera_calls_a_token_generator():
    assert Secret(PLANTED)() == Secret(PLANTED).reveal() == PLANTED


def test_it_is_a_value():
    assert Secret("a") == Secret("a") != Secret("b")
    assert copy.deepcopy(Secret("a")) == Secret("a")
    assert Secret("") != ""
    assert not Secret("")
    assert len({Secret("a"), Secret("a")}) == 1


@pytest.mark.parametrize(
    "form",
    [PLANTED, f"Bearer {PLANTED}", quote(PLANTED, safe=""), base64.b64encode(PLANTED.encode()).decode()],
)
def test_masking_by_value_in_every_form(form):
    text = f"Authorization: {form}; and again {form}"
    assert form.removeprefix("Bearer ") not in mask(text, [Secret(f"Bearer {PLANTED}")])
    assert MASK in mask(text, [PLANTED])


@given(st.text(), st.text(min_size=8))
def test_what_is_masked_is_gone(text, secret):
    masked = mask(text + secret + text, [secret])
    for word in secret.split():
        if len(word) >= 8 and word not in MASK and word not in ("Bearer", "Basic"):
            assert word not in masked.replace(MASK, "")


def test_short_values_and_the_word_bearer_stay():
    assert mask("Bearer of news", ["Bearer abc", None, ""]) == "Bearer of news"


def test_a_short_value_is_masked_as_a_word_only():
    assert mask("admin, administrator, sysadmin: admin.", ["admin"]) == "********, administrator, sysadmin: ********."
