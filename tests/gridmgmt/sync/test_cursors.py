"""Cursors are made here or refused, and fit one scope."""

import pytest

from gridmgmt.errors import InvalidError
from gridmgmt.sync.cursors import END, Cursor, FeedCursors

HERE = FeedCursors(bytes(range(32)))
ELSEWHERE = FeedCursors(bytes(range(1, 33)))
PLACE = Cursor("7713:1:c51cc637", 3301, 2**63 + 5, END, 1)


def test_cursor_is_read_as_it_was_made() -> None:
    shown = HERE.read(3301, HERE.seal(PLACE))
    assert (shown.cursor, shown.proven) == (PLACE, True)


@pytest.mark.parametrize(
    "text",
    ["", ".", "x", "e30.0123456789abcdef", "eyJ2IjoxfQ.0", HERE.seal(PLACE).replace(".", ""), "é.0", "=" * 600, HERE.seal(PLACE)[3:]],
)
def test_what_is_no_cursor_is_refused_naming_the_scope(text: str) -> None:
    with pytest.raises(InvalidError) as refusal:
        HERE.read(3301, text)
    assert (refusal.value.slug, refusal.value.field, refusal.value.facts) == ("malformed-request", "scopes", {"scope_id": 3301})


def test_cursor_of_another_scope_is_refused() -> None:
    with pytest.raises(InvalidError):
        HERE.read(3302, HERE.seal(PLACE))


@pytest.mark.parametrize("text", [ELSEWHERE.seal(PLACE), HERE.seal(PLACE)[:-1] + "z", HERE.seal(PLACE).partition(".")[0] + "."])
def test_cursor_that_was_not_made_here_is_not_proven(text: str) -> None:
    assert not HERE.read(3301, text).proven
