import datetime as dt

import pytest

from gridmgmt.intake.refusals import Report
from tests.gridmgmt.intake.conftest import Office

HEADER = "合同编号,单元编码,出租人,承租人证件号码,租金,租金单位,押金,起始日期,终止日期,签订日期,备案日期,是否新租"
ONE, TWO, SHOP, FLAT = "4403060180010100001001001", "4403060180010100001002001", "4403060180010200002001001", "4403060180010100004003001"
STORE = "4403060180020100003000001"
ZHANG, SPARE = "000001198503120016", "000001196606060061"
FIRST = f"HT-001,{ONE},刘房东演,{ZHANG},1200,元/月,2400,2011-03-01,2012-03-01,2011-02-20,2011-03-10,是"


def lease(number: str, unit: str, begins: str, ends: str, *, rent: str = "1000", rent_unit: str = "元/月", lessee: str = "") -> str:
    return f"{number},{unit},刘房东演,{lessee},{rent},{rent_unit},,{begins},{ends},,,是"


def reasons(report: Report) -> list[tuple[int, str]]:
    return [(one.line, one.reason) for one in report.refused]


def test_a_rent_that_is_nothing_or_beyond_all_measure_is_refused(taken: Office) -> None:
    report = taken.take_rows(
        "leases",
        HEADER,
        lease("A1", STORE, "2011-01-01", "2012-01-01", rent="0.05", rent_unit="元/年"),
        lease("A2", STORE, "2011-01-01", "2012-01-01", rent="900000000", rent_unit="元/平方米·月"),
        lease("A3", STORE, "2011-01-01", "2012-01-01", rent="9999999999999"),
    )
    told = "rent is out of range: 0.01 to 1,000,000,000 yuan a month"
    assert reasons(report) == [(2, told), (3, told), (4, "rent is out of range: 0.01 to 999999999999")]


def test_a_term_that_ends_the_day_it_starts_is_refused(taken: Office) -> None:
    report = taken.take_rows("leases", HEADER, lease("A1", STORE, "2011-01-01", "2011-01-01"))
    assert reasons(report) == [(2, "end on the day of the start; it is the first day after the term")]


def test_a_lease_number_of_another_unit_is_refused(taken: Office) -> None:
    report = taken.take_rows("leases", HEADER, FIRST.replace(ONE, STORE))
    assert reasons(report) == [(2, "lease number is of a lease of another unit")]


@pytest.mark.parametrize("number", ["", "合同一", "A 1", "A;1", "x" * 41])
def test_a_lease_number_that_is_none_is_refused(taken: Office, number: str) -> None:
    assert len(taken.take_rows("leases", HEADER, lease(number, STORE, "2011-01-01", "2012-01-01")).refused) == 1


def test_a_lessee_s_number_that_cannot_be_is_refused_and_not_shown(taken: Office) -> None:
    report = taken.take_rows("leases", HEADER, lease("A1", STORE, "2011-01-01", "2012-01-01", lessee=SPARE[:-1] + "2"))
    assert reasons(report) == [(2, "check digit of the identity number is wrong")]


def test_an_organisation_may_be_lessee_and_is_not_looked_up(taken: Office) -> None:
    """The credit code is invented: GB 32100's check character over 91440300000000000 is worked out below by its own rule."""
    alphabet, body = "0123456789ABCDEFGHJKLMNPQRTUWXY", "91440300000000000"
    weights = [3**place % 31 for place in range(17)]
    check = -sum(alphabet.index(letter) * weight for letter, weight in zip(body, weights, strict=True)) % 31
    report = taken.take_rows("leases", HEADER, lease("A1", STORE, "2011-01-01", "2012-01-01", lessee=body + alphabet[check]))
    assert report.accepted == 1
    assert report.warnings == ("line 2: the lessee is an organisation, which the lease does not name",)


def test_the_first_line_of_the_file_wins_whatever_the_dates(taken: Office) -> None:
    report = taken.take_rows(
        "leases",
        HEADER,
        lease("A1", STORE, "2013-01-01", "2014-01-01"),
        lease("A2", STORE, "2012-06-01", "2013-01-02"),
        lease("A3", STORE, "2012-06-01", "2013-01-01"),
        lease("A4", ONE, "2011-01-01", "2011-03-02"),
    )
    assert reasons(report) == [(3, "overlaps lease A1 of the same unit"), (5, "overlaps lease HT-001 of the same unit")]
    assert report.accepted == 2


def test_a_lease_that_was_ended_early_makes_room(taken: Office) -> None:
    with taken.database.transaction(taken.actor) as session:
        session.connection().exec_driver_sql("UPDATE reg.lease SET state = 'terminated', ended_on = '2011-06-01' WHERE number = 'HT-001'")
    report = taken.take_rows(
        "leases",
        HEADER,
        lease("A1", ONE, "2011-06-01", "2012-03-01"),
        lease("HT-001", ONE, "2011-07-01", "2012-03-01"),
    )
    assert (report.accepted, reasons(report)) == (1, [(3, "the lease was ended on a day outside this term")])


def test_a_correction_keeps_the_state_the_filing_and_the_square_metres(taken: Office) -> None:
    with taken.database.transaction(taken.actor) as session:
        session.connection().exec_driver_sql("UPDATE reg.unit SET area_m2 = 50 WHERE code = %s", (TWO,))
    report = taken.take_rows(
        "leases",
        HEADER,
        f"HT-001,{ONE},,,1500,元/月,,2011-03-01,2012-03-01,,,是",
        f"HT-002,{TWO},刘房东演,,26,元/平方米·月,,2011-03-01,2012-03-01,,2011-04-01,否",
    )
    assert (report.accepted, report.unchanged) == (2, 0)
    rows = taken.ask("""
        SELECT number, rent_fen, state, filed_on, deposit_fen, lessor_name, version
          FROM reg.lease WHERE number < 'HT-003' ORDER BY number""")
    assert rows == [
        ("HT-001", 150_000, "filed", dt.date(2011, 3, 10), 240_000, "刘房东演", 2),
        ("HT-002", 78_000, "filed", dt.date(2011, 4, 1), None, "刘房东演", 2),  # 26 yuan x the 30 m² that it was signed for
    ]
    assert taken.ask("SELECT number, rent_fen FROM reg.lease_past ORDER BY number") == [("HT-001", 120_000), ("HT-002", 76_500)]


def test_two_neighbours_are_corrected_at_once(taken: Office) -> None:
    """HT-006 follows HT-001 in one unit; the border between them moves, whichever row PostgreSQL writes first."""
    for border in ("2012-01-01", "2012-06-01", "2012-03-01"):
        report = taken.take_rows(
            "leases",
            HEADER,
            *sorted(
                (lease("HT-001", ONE, "2011-03-01", border), lease("HT-006", ONE, border, "2013-03-01")), reverse=border > "2012-03-01"
            ),
        )
        assert report.accepted == 2, border


def test_the_term_of_a_lease_with_sublets_is_not_corrected_by_a_file(taken: Office) -> None:
    with taken.database.transaction(taken.actor) as session:
        session.connection().exec_driver_sql("""
            INSERT INTO reg.lease (number, unit_id, grid_id, subdistrict_id, parent_id, rent_fen, rent_given, rent_unit, area_basis_m2,
                                   valid_from, valid_to, state, new_let)
            SELECT 'SUB-1', unit_id, grid_id, subdistrict_id, id, 100, 1, 'month', 10, '2011-04-01', '2011-05-01', 'signed', true
              FROM reg.lease WHERE number = 'HT-001'""")
    report = taken.take_rows(
        "leases", HEADER, FIRST.replace("2012-03-01", "2011-04-15"), lease("SUB-1", ONE, "2011-04-01", "2011-05-01", rent="2")
    )
    assert (report.accepted, reasons(report)) == (
        1,
        [(2, "the term of a lease that is a sublet or has sublets is not corrected by a file")],
    )


SUBLETS = HEADER + ",主合同编号"


def sublet(number: str, head: str, begins: str, ends: str, *, unit: str = ONE) -> str:
    return f"{lease(number, unit, begins, ends)},{head}"


def test_a_sublet_that_hangs_on_nothing_is_refused(taken: Office) -> None:
    """HT-001 is of ONE, from 2011-03-01 to 2012-03-01, HT-002 of another unit."""
    astray = "unknown head lease, one of another unit, or one that was refused"
    outside = "the sublet is not within the term of its head lease, or that lease does not stand"
    report = taken.take_rows(
        "leases",
        SUBLETS,
        sublet("S1", "NONE-1", "2011-04-01", "2011-05-01"),
        sublet("S2", "HT-001", "2011-04-01", "2011-05-01", unit=STORE),
        sublet("S3", "HT-001", "2011-04-01", "2012-03-02"),
        sublet("S4", "HT-001", "2011-02-28", "2011-05-01"),
        sublet("S5", "S5", "2011-04-01", "2011-05-01"),
        sublet("S6", "S7", "2011-04-01", "2011-05-01"),
        sublet("S7", "S6", "2011-04-01", "2011-05-01"),
        sublet("S8", "S3", "2011-04-01", "2011-05-01"),
        sublet("S9", "A9", "2011-04-01", "2011-05-01"),
        lease("A9", ONE, "2011-04-01", "2011-05-01") + ",",
    )
    assert reasons(report) == [
        (2, astray), (3, astray), (4, outside), (5, outside), (6, outside), (7, outside), (8, outside), (9, outside), (10, astray),
        (11, "overlaps lease HT-001 of the same unit"),
    ]  # fmt: skip
    assert {one.column for one in report.refused[:-1]} == {"主合同编号"}


def test_sublets_hang_on_leases_of_the_register_and_of_the_file_in_any_order(taken: Office) -> None:
    rows = (
        sublet("S2", "S1", "2011-05-01", "2011-06-01"),
        sublet("S1", "HT-001", "2011-04-01", "2012-03-01"),
        sublet("S3", "HT-001", "2011-04-01", "2012-03-01"),
        sublet("S4", "H1", "2030-01-01", "2030-02-01", unit=STORE),
        sublet("H1", "", "2030-01-01", "2031-01-01", unit=STORE),
    )
    report = taken.take_rows("leases", SUBLETS, *rows)
    assert (report.accepted, report.refused, dict(report.counts or {})["sublets"]) == (5, (), 4)
    hung = "SELECT s.number, h.number FROM reg.lease s JOIN reg.lease h ON h.id = s.parent_id ORDER BY 1"
    assert taken.ask(hung) == [("S1", "HT-001"), ("S2", "S1"), ("S3", "HT-001"), ("S4", "H1")]
    before = taken.footprint()
    again = taken.take_rows("leases", SUBLETS, *rows)
    assert (again.accepted, again.unchanged, taken.footprint()) == (0, 5, before)
    moved = taken.take_rows("leases", SUBLETS, sublet("S1", "H1", "2011-04-01", "2012-03-01"))
    assert reasons(moved) == [(2, "the lease is known, and not as a sublet of that lease")]


def test_a_lessee_is_found_once_the_person_is_known(taken: Office) -> None:
    people = "姓名,证件号码,登记类别,单元编码,入住日期"
    taken.take_rows("people", people, f"钱六演,{SPARE},流动,{FLAT},2011-03-01")
    report = taken.take("leases", "leases.csv")
    assert (report.accepted, report.unchanged, report.warnings) == (1, 4, ())
    assert taken.ask("SELECT p.name FROM reg.lease l JOIN reg.person p ON p.id = lessee_id WHERE number = 'HT-004'") == [("钱六演",)]


def test_a_lessor_of_a_refused_line_becomes_no_landlord(taken: Office) -> None:
    before = taken.ask("SELECT count(*) FROM reg.landlord")
    taken.take_rows("leases", HEADER, lease("A1", ONE, "2011-05-01", "2011-06-01").replace("刘房东演", "新房东演"))
    assert taken.ask("SELECT count(*) FROM reg.landlord") == before


def test_thousands_of_unknown_lessees_are_counted_not_listed(taken: Office) -> None:
    rows = [lease(f"N{day}", STORE, *span(day), lessee=SPARE) for day in range(300)]
    report = taken.take_rows("leases", HEADER, *rows)
    assert (report.accepted, len(report.warnings), report.warnings[-1]) == (300, 101, "and 200 more warnings")


def span(day: int) -> tuple[str, str]:
    begins = dt.date(2015, 1, 1) + dt.timedelta(day)
    return begins.isoformat(), (begins + dt.timedelta(1)).isoformat()
