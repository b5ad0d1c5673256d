"""Authors as publications name them."""

import pytest

from hera_utils import Author, Experiment, SettingsError
from hera_utils.experiment.author import authors_of

ADA = Author("Ada Lovelace", "https://orcid.org/0000-0002-1825-0097", "University of London")


@pytest.mark.parametrize(
    "text",
    [
        "Ada Lovelace 0000-0002-1825-0097 (University of London)",
        "Ada Lovelace <https://orcid.org/0000-0002-1825-0097> (University of London)",
        "  Ada   Lovelace  https://orcid.org/0000-0002-1825-0097 ( University of London )",
    ],
)
def test_a_text_names_one(text):
    assert Author.of_text(text) == ADA
    assert Author.of_text(ADA.text) == ADA


def test_a_name_alone_is_enough():
    assert authors_of("Ada Lovelace; Charles Babbage") == (Author("Ada Lovelace"), Author("Charles Babbage"))
    assert authors_of([ADA, "Charles Babbage"]) == (ADA, Author("Charles Babbage"))
    assert authors_of("") == ()


@pytest.mark.parametrize("orcid", ["0000-0002-1825-0098", "0000-0002-1825", "x", "0000-0002-1694-233Y"])
def test_a_wrong_orcid_is_refused(orcid):
    with pytest.raises(SettingsError, match="is not an ORCID"):
        Author("Ada Lovelace", orcid)


def test_the_last_digit_may_be_x():
    assert Author("Someone", "0000-0002-1694-233x").orcid == "https://orcid.org/0000-0002-1694-233X"


def test_an_author_has_a_name():
    with pytest.raises(SettingsError, match="no name"):
        Author.of_text("0000-0002-1825-0097")


def test_an_experiment_has_authors():
    made = Experiment(workflow=lambda environment, inputs, layout: None, authors=["Ada Lovelace", ADA])
    assert made.authors == (Author("Ada Lovelace"), ADA)
