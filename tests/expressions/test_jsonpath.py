"""jsonpath(text, path): the paths of evilmonkeyinc/jsonpath."""

from __future__ import annotations

from typing import Any

import pytest

from hera_utils.errors import ExpressionError
from hera_utils.expressions.jsonpath.query import query

STORE: dict[str, Any] = {
    "store": {
        "book": [
            {"title": "A", "price": 8.95, "isbn": "1"},
            {"title": "B", "price": 12.99},
            {"title": "C", "price": 8.99, "isbn": "2"},
        ],
        "bicycle": {"color": "red", "price": 19.95},
    },
    "limit": 10.0,
    "it's": 1.0,
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$", STORE),
        ("$.limit", 10.0),
        ("$.store.book[0].title", "A"),
        ("$['store']['bicycle']['color']", "red"),
        ("$['it\\'s']", 1.0),
        ("$.store.book[-1].title", "C"),
        ("$.store.book[*].title", ["A", "B", "C"]),
        ("$.store.book[0,2].title", ["A", "C"]),
        ("$.store.book[0:2].title", ["A", "B"]),
        ("$.store.book[::-1].title", ["C", "B", "A"]),
        ("$.store.book[(@.length-1)].title", "C"),
        ("$.store.book[?(@.isbn)].title", ["A", "C"]),
        ("$.store.book[?(@.price < $.limit)].title", ["A", "C"]),
        ("$.store.book[?(@.title == 'B')].price", [12.99]),
        ("$.store.book[?(@.price > 8 && @.price < 9)].title", ["A", "C"]),
        ("$.store.book[?(@.title =~ '^[AB]$')].title", ["A", "B"]),
        ("$.store.book[?(@.title in ['x', 'y'])]", []),
        ("$..price", [19.95, 8.95, 12.99, 8.99]),
        ("$.store.book.length", 3),
        ("$.store['book','bicycle'].color", ["red"]),
        ("$.store.*.color", ["red"]),
    ],
)
def test_found(path: str, expected: Any) -> None:
    assert query(STORE, path) == expected


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("$.nope", "key: invalid token key 'nope' not found"),
        ("$.store.book[9]", "index: invalid token out of range"),
        ("$.limit.x", "key: invalid token target. expected [map] got [float64]"),
        ("store", "invalid JSONPath selector 'store' invalid JSONPath selector 'store' unexpected token 's' at index 0"),
        ("", "invalid JSONPath selector '' invalid JSONPath selector '' unexpected token '' at index 0"),
        ("$.store.book[", "invalid JSONPath selector '$.store.book[' invalid JSONPath selector '$.store.book[' "
                          "invalid token. '[' does not match any token format"),
    ],
)  # fmt: skip
def test_refused(path: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        query(STORE, path)
    assert caught.value.message == message


def test_bounded() -> None:
    wide = [[[0] * 60] * 60] * 60
    with pytest.raises(ExpressionError, match="too many steps"):
        query(wide, "$..[*]..[*]..[*]")
