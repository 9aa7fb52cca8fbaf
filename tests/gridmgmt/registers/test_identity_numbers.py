import contextlib
import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridmgmt.registers.identity_numbers import IdentityNumberError, parse_identity_number
from gridmgmt.registers.masks import mask_name, mask_number, mask_phone

TODAY = dt.date(2026, 11, 23)
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def numbered(body: str) -> str:
    """The check character by the table of GB 11643, which is not how the code does it."""
    return body + "10X98765432"[sum(int(digit) * weight for digit, weight in zip(body, WEIGHTS, strict=True)) % 11]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "missing"),
        ("   ", "missing"),
        ("1101051949123100", "length"),
        ("110105491231002", "length"),
        ("11010519491231002Y", "characters"),
        ("1101051949123100X2", "characters"),
        ("11010519491231002٢", "characters"),
        ("110105194912310021", "check-digit"),
        (numbered("11010519490230002"), "birth-date"),
        (numbered("11010518000101002"), "birth-date"),
        (numbered("11010520270101002"), "birth-date"),
        (numbered("00000119900101001"), "demo"),
    ],
)
def test_a_number_that_cannot_be_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(IdentityNumberError) as caught:
        parse_identity_number(text, today=TODAY)
    assert caught.value.reason == reason
    assert not (text.strip() and text.strip() in str(caught.value))


WRITINGS = ["11010519491231002X", "11010519491231002x", "１１０１０５１９４９１２３１００２Ｘ", " 110105 19491231 002x "]


@pytest.mark.parametrize("text", WRITINGS)
def test_the_published_sample_is_taken_in_any_writing(text: str) -> None:
    number = parse_identity_number(text, today=TODAY)
    assert (number.value, number.birth_date, number.sex) == ("11010519491231002X", dt.date(1949, 12, 31), "female")


def test_the_second_published_sample_is_a_man() -> None:
    assert parse_identity_number("440524188001010014", today=TODAY).sex == "male"


@pytest.mark.parametrize("area", ["810000", "820000", "830000", "999999"])
def test_residence_permits_and_dissolved_counties_are_no_error(area: str) -> None:
    assert parse_identity_number(numbered(area + "19900101001"), today=TODAY).birth_date == dt.date(1990, 1, 1)


def test_demo_numbers_are_taken_only_in_demo_mode() -> None:
    text = numbered("00000119900101001")
    assert parse_identity_number(text, today=TODAY, demo=True).value == text


@given(st.from_regex(r"[1-9][0-9]{5}", fullmatch=True), st.dates(dt.date(1880, 1, 1), TODAY), st.integers(0, 999))
def test_every_number_with_the_standards_check_character_is_taken(area: str, born: dt.date, sequence: int) -> None:
    number = parse_identity_number(numbered(f"{area}{born:%Y%m%d}{sequence:03}"), today=TODAY)
    assert number.birth_date == born
    assert number.sex == ("female", "male")[sequence % 2]


@given(st.text(max_size=30))
def test_whatever_is_typed_is_a_number_or_a_refusal(text: str) -> None:
    with contextlib.suppress(IdentityNumberError):
        assert len(parse_identity_number(text, today=TODAY, demo=True).value) == 18


def test_masks_show_what_the_rules_name_and_no_more() -> None:
    assert mask_name("张三") == "张*"
    assert mask_name("欧阳一二") == "欧***"
    assert mask_name("张") == "*"
    assert mask_number("44030619900101001X") == "440306********001X"
    assert mask_number("1234567890") == "**********"
    assert mask_phone("13800001234") == "138****1234"
    assert mask_phone("1234567") == "*******"
