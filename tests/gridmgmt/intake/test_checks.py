import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.datum import Datum
from gridmgmt.intake import checks
from gridmgmt.intake.checks import Fault
from gridmgmt.registers.terms import NATURES, RENT_UNITS

TODAY = dt.date(2026, 1, 1)
MONEY = checks.between("rent", Decimal("0.01"), Decimal(1_000_000), places=2)
EVERY: dict[str, Callable[[str], Any]] = {
    "code": checks.code("house code", 19),
    "pattern": checks.pattern("lease number", r"[0-9A-Z-]{1,40}", "a number"),
    "words": checks.words("name", 20),
    "number": checks.number("area"),
    "money": MONEY,
    "whole": checks.whole("floors", 1, 200),
    "degrees": checks.degrees("longitude"),
    "floor": checks.floor("floor"),
    "date": checks.date("start"),
    "yes or no": checks.yes_or_no("rental"),
    "term": checks.term("nature", NATURES),
    "datum": checks.datum,
    "identity number": checks.identity_number(today=TODAY, demo=True),
    "phone": checks.phone,
}
ODD = st.one_of(
    st.text(),
    st.text(alphabet="0123456789０１２eE+-.,_年月日/ \x00\ud800∞NaNinf", max_size=40),
    st.from_regex(r"[+-]?\d{0,30}(,\d{3})*\.?\d{0,30}([eE][+-]?\d{0,8})?", fullmatch=True),
    st.from_regex(r"\d{1,5}[-/.年]\d{1,3}[-/.月]\d{1,3}日?( 0:00)?", fullmatch=True),
)


@pytest.mark.parametrize("name", EVERY)
@given(text=ODD)
def test_whatever_a_cell_holds_is_read_or_refused_and_never_raises(name: str, text: str) -> None:
    EVERY[name](text)


@pytest.mark.parametrize("name", EVERY)
@given(secret=st.from_regex(r"[1-9][0-9]{16}[0-9X]", fullmatch=True), around=st.text(alphabet="x-，。 ", max_size=3))
def test_no_fault_repeats_the_cell(name: str, secret: str, around: str) -> None:
    answer = EVERY[name](around + secret + around)
    if isinstance(answer, Fault):
        assert secret not in answer.reason


@pytest.mark.parametrize("text", ["NaN", "nan", "inf", "-Infinity", "1e400", "１ｅ４００", "#DIV/0!"])
def test_a_number_that_is_none_is_not_finite(text: str) -> None:
    assert EVERY["number"](text) == Fault("area is not finite")


@pytest.mark.parametrize("text", ["面议", "三十", "1_0", "0x10", "1,20", "1,2000", "12元", "--1", ".", "+", "e5", "1 2"])
def test_text_is_not_a_number(text: str) -> None:
    assert EVERY["number"](text) == Fault("area is not a number")


@pytest.mark.parametrize("text", ["0", "-1", "-800", "０", "-0.001"])
def test_nothing_and_less_must_be_positive(text: str) -> None:
    assert MONEY(text) == Fault("rent must be positive")


@pytest.mark.parametrize("text", ["0.001", "1000000.01", "1e300"])
def test_a_number_out_of_range_is_refused(text: str) -> None:
    assert isinstance(MONEY(text), Fault)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,200", "1200.00"),
        ("１，２００．５", "1200.50"),
        ("0.005", "0.01"),
        ("37.945", "37.95"),
        ("1e3", "1000.00"),
        (" 7 ", "7.00"),
        (".5", "0.50"),
    ],
)
def test_a_number_is_read_exactly_and_rounded_half_up(text: str, value: str) -> None:
    assert MONEY(text) == Decimal(value)


@pytest.mark.parametrize("text", ["2010-02-30", "2010-13-01", "20100230", "2010年2月30日"])
def test_a_day_that_the_calendar_lacks_does_not_exist(text: str) -> None:
    assert EVERY["date"](text) == Fault("start is a date that does not exist")


@pytest.mark.parametrize("text", ["2010", "2010-01", "5/1/2010", "2010-01/05", "二〇一〇年一月五日", "2010-01-05 13:00"])
def test_what_is_no_date_is_refused(text: str) -> None:
    assert EVERY["date"](text) == Fault("start is not a date")


@pytest.mark.parametrize("text", ["40183", "４０１８３", "40183.5"])
def test_a_spreadsheet_s_count_of_days_is_told_as_such(text: str) -> None:
    assert EVERY["date"](text) == Fault("start is a spreadsheet's count of days: format the column as a date and hand it over again")


@pytest.mark.parametrize("text", ["1799-12-31", "2201-01-01", "0001-01-01"])
def test_a_date_of_another_age_is_refused(text: str) -> None:
    assert EVERY["date"](text) == Fault("start is out of range: 1800 to 2200")


@pytest.mark.parametrize(
    "text",
    [
        "2010-01-05",
        "2010-1-5",
        "2010/1/5",
        "2010.01.05",
        "20100105",
        "2010年1月5日",
        "２０１０年０１月０５日",
        "2010-01-05 00:00:00",
        "2010/1/5 0:00",
    ],
)
def test_a_day_is_read_however_it_is_written(text: str) -> None:
    assert EVERY["date"](text) == dt.date(2010, 1, 5)


@pytest.mark.parametrize("text", ["4.40306017001010E+18", "4.4e18"])
def test_a_code_that_a_spreadsheet_rounded_is_told_as_such(text: str) -> None:
    fault = EVERY["code"](text)
    assert isinstance(fault, Fault)
    assert "rounded by a spreadsheet" in fault.reason


def test_a_code_may_have_full_width_digits_and_spaces() -> None:
    assert EVERY["code"](" ４４０３ 060170010100001") == "4403060170010100001"
    assert EVERY["code"]("440306017001010000") == Fault("house code is not 19 digits")
    assert EVERY["code"]("440306017001010000①") == "4403060170010100001"  # a circled digit is a digit to Unicode's narrow form
    assert EVERY["code"]("٤٤٠٣٠٦٠١٧٠٠١٠١٠٠٠٠١") == Fault("house code is not 19 digits")


@pytest.mark.parametrize("text", ["0", "201", "-21", "B0", "顶层", "3-1"])
def test_a_floor_that_no_house_has_is_refused(text: str) -> None:
    assert isinstance(EVERY["floor"](text), Fault)


@pytest.mark.parametrize(
    ("text", "value"), [("3", 3), ("3层", 3), ("第3层", 3), ("３楼", 3), ("3F", 3), ("B1", -1), ("负2层", -2), ("-1", -1), ("3.0", 3)]
)
def test_a_floor_is_read_however_it_is_written(text: str, value: int) -> None:
    assert EVERY["floor"](text) == value


@pytest.mark.parametrize("text", ["", "maybe", "是否", "2"])
def test_neither_yes_nor_no_is_refused(text: str) -> None:
    assert EVERY["yes or no"](text) == Fault("rental is neither 是 (yes) nor 否 (no)")


def test_yes_and_no_in_two_languages() -> None:
    assert [EVERY["yes or no"](text) for text in ("是", "有", "Yes", "TRUE", "1", "1.0")] == [True] * 6
    assert [EVERY["yes or no"](text) for text in ("否", "无", "no", "false", "0")] == [False] * 5


def test_words_of_a_list_are_taken_in_chinese_and_english() -> None:
    unit = checks.term("rent unit", RENT_UNITS)
    assert unit("元/平方米·月") == "m2_month"
    assert unit("yuan a year") == "year"
    assert unit("美元/周") == Fault(
        "unknown rent unit: expected one of 元/月 (yuan a month), 元/平方米·月 (yuan per square metre and month), 元/年 (yuan a year)"
    )


def test_datums_are_known_by_their_names() -> None:
    assert [checks.datum(text) for text in ("WGS84", "火星坐标", "bd09", "ＧＣＪ－０２")] == [
        Datum.CGCS2000,
        Datum.GCJ02,
        Datum.BD09,
        Datum.GCJ02,
    ]
    assert isinstance(checks.datum("WGS72火星"), Fault)


def test_a_name_with_control_characters_is_refused() -> None:
    assert EVERY["words"]("张\x00一") == Fault("name holds control characters")
    assert EVERY["words"]("字" * 21) == Fault("name is longer than 20 characters")


def test_a_line_break_within_a_cell_is_a_space() -> None:
    assert EVERY["words"]("某路1号 \r\n甲楼\n") == "某路1号 甲楼"


def test_a_phone_is_its_digits() -> None:
    assert checks.phone("+86 (755) 2999-8888") == "+8675529998888"
    assert checks.phone("86 138-0000-0001") == checks.phone("１３８０００００００１") == "13800000001"
    assert isinstance(checks.phone("no phone"), Fault)


def test_an_answer_is_remembered() -> None:
    asked: list[str] = []

    def check(text: str) -> int | Fault:
        asked.append(text)
        return len(text)

    remembered = checks.Remembered(check)
    assert [remembered[text] for text in ("a", "bb", "a", "bb")] == [1, 2, 1, 2]
    assert asked == ["a", "bb"]
