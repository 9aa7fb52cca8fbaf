import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from gridmgmt.intake.periods import Claim, settle

DAY = dt.date(2010, 1, 1)


def claim(line: int | None, begins: int, ends: int, own: str = "", about: str = "unit") -> Claim:
    name = own or f"line {line}"
    return Claim(about, name, name, line, DAY + dt.timedelta(begins), DAY + dt.timedelta(ends))


def test_the_later_line_gives_way() -> None:
    assert settle([claim(3, 0, 10), claim(2, 5, 15)]) == {3: "line 2"}


def test_a_row_that_is_there_stands_before_every_line() -> None:
    assert settle([claim(2, 0, 10), claim(None, 9, 20, "A")]) == {2: "A"}


def test_the_day_one_ends_another_may_begin() -> None:
    assert settle([claim(2, 0, 10), claim(3, 10, 20), claim(4, -5, 0)]) == {}


def test_a_line_that_gave_way_stands_in_nobody_s_way() -> None:
    assert settle([claim(2, 0, 10), claim(3, 5, 20), claim(4, 10, 20)]) == {3: "line 2"}


def test_different_units_do_not_meet() -> None:
    assert settle([claim(2, 0, 10, about="one"), claim(3, 0, 10, about="two")]) == {}


def test_a_correction_makes_room_where_the_row_was() -> None:
    assert settle([claim(None, 0, 10, "A"), claim(2, 0, 5, "A"), claim(3, 5, 10)]) == {}


def test_a_correction_that_is_refused_leaves_the_row_where_it_was() -> None:
    rows = [claim(None, 0, 10, "A"), claim(None, 20, 30, "B")]
    assert settle([*rows, claim(2, 0, 25, "A"), claim(3, 5, 12)]) == {2: "B", 3: "A"}


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 10)), max_size=25))
def test_it_is_the_same_as_trying_one_line_after_the_other(periods: list[tuple[int, int]]) -> None:
    claims = [claim(line, begins, begins + days) for line, (begins, days) in enumerate(periods, 2)]
    taken: list[Claim] = []
    refused: set[int | None] = set()
    for one in claims:
        if any(other.begins < one.ends and one.begins < other.ends for other in taken):
            refused.add(one.line)
        else:
            taken.append(one)
    assert set(settle(claims)) == refused
