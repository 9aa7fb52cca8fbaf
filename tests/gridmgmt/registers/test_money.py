"""Rents to fen a month, numbers and names as they are kept."""

from decimal import Decimal

import pytest

from gridmgmt.registers.landlords import kind_of, shown
from gridmgmt.registers.leases import Rent, monthly_fen
from gridmgmt.registers.phones import PhoneError, parse_phone


@pytest.mark.parametrize(
    ("amount", "unit", "area", "fen"),
    [
        ("2500", "month", "60", 250_000),
        ("0.01", "month", "60", 1),
        ("12000", "year", "60", 100_000),
        # 100 / 12 = 8.3333...; 0.06 / 12 = 0.005, half a fen goes up.
        ("100", "year", "60", 833),
        ("0.06", "year", "60", 1),
        # 35.50 * 35.25 = 1,251.375.
        ("35.50", "m2_month", "35.25", 125_138),
        ("9999999999.99", "month", "1", 999_999_999_999),
    ],
)
def test_rent_by_the_month_in_fen(amount: str, unit: str, area: str, fen: int) -> None:
    assert monthly_fen(Rent(Decimal(amount), unit), Decimal(area)) == fen


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("13800000001", "13800000001"),
        ("+86 138-0000-0001", "13800000001"),
        ("0086 13800000001", "13800000001"),
        ("８６１３８０００００００１", "13800000001"),
        ("(0755) 2777 1234", "075527771234"),
        ("+852 6123 4567", "+85261234567"),
    ],
)
def test_phone_is_kept_in_one_form(written: str, kept: str) -> None:
    assert parse_phone(written) == kept


@pytest.mark.parametrize("written", ["", "1234", "call me", "138x0000001", "1" * 16, "++8613800000001"])
def test_what_is_no_phone_is_refused_and_not_repeated(written: str) -> None:
    with pytest.raises(PhoneError) as refused:
        parse_phone(written)
    assert not written or written not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "kind", "told"),
    [
        ("陈房东", "person", "陈**"),
        ("张三", "person", "张*"),
        ("深圳市测试物业管理有限公司", "organisation", "深圳市测试物业管理有限公司"),
        ("东方玩具厂", "organisation", "东方玩具厂"),
        ("Test Estates Co Ltd", "organisation", "Test Estates Co Ltd"),
        ("Costa Lincoln", "person", "C" + "*" * 12),
    ],
)
def test_lessor_is_masked_unless_an_organisation(name: str, kind: str, told: str) -> None:
    assert (kind_of(name), shown(name)) == (kind, told)
