import logging

import pytest

from gridmgmt.intake.refusals import Report, render_report
from tests.gridmgmt.intake.conftest import Office
from tests.places import SEALER

HEADER = "姓名,证件号码,性别,出生日期,电话,登记类别,单元编码,入住日期,离开日期,申报日期"
ONE, TWO, SHOP, FLAT = "4403060180010100001001001", "4403060180010100001002001", "4403060180010200002001001", "4403060180010100004003001"
ZHANG, LI, SPARE = "000001198503120016", "000001199007250043", "000001196606060061"


def reasons(report: Report) -> list[tuple[int, str]]:
    return [(one.line, one.reason) for one in report.refused]


def test_a_birth_date_that_nobody_can_have_refuses_the_line_and_another_is_a_discrepancy(taken: Office) -> None:
    report = taken.take_rows(
        "people",
        HEADER,
        f"钱六演,{SPARE},男,1800-01-01,,流动,{ONE},2011-01-01,,",
        f"钱六演,{SPARE},男,2999-01-01,,流动,{ONE},2011-01-01,,",
        f"钱六演,{SPARE},女,1967-06-06,,流动,{ONE},2011-01-01,,",
    )
    assert reasons(report) == [(2, "birth date does not match the number"), (3, "birth date is out of range: 1800 to 2200")]
    assert report.accepted == 1
    rows = taken.ask("SELECT field, ours, theirs FROM reg.discrepancy d JOIN reg.person p ON p.id = person_id WHERE p.name = '钱六演'")
    assert rows == [("birth_date", "1966-**-**", "1967-**-**")]


def test_a_number_that_no_person_can_have_is_refused_and_not_shown(taken: Office) -> None:
    report = taken.take_rows(
        "people",
        HEADER,
        f"甲演,{SPARE[:-1]}2,,,,流动,{ONE},2011-01-01,,",
        f"甲演,{SPARE[:10]}0230{SPARE[14:]},,,,流动,{ONE},2011-01-01,,",
        f"甲演,{SPARE[:-1]},,,,流动,{ONE},2011-01-01,,",
        f"甲演,,,,,流动,{ONE},2011-01-01,,",
    )
    assert reasons(report) == [
        (2, "check digit of the identity number is wrong"),
        (3, "birth date in the identity number does not exist"),
        (4, "identity number is not 18 characters"),
        (5, "number is missing"),
    ]


def test_two_names_for_a_new_number_refuse_the_later_line_only(taken: Office) -> None:
    report = taken.take_rows(
        "people",
        HEADER,
        f"钱六演,{SPARE},,,,流动,{ONE},2011-01-01,2011-02-01,",
        f"钱七演,{SPARE},,,,流动,{ONE},2011-02-01,2011-03-01,",
        f"钱六演,{SPARE},,,,流动,{ONE},2011-03-01,,",
        f"钱七演,{SPARE},,,,流动,{ONE},2011-02-01,2011-03-01,",
    )
    told = "the same number with another name: a discrepancy is open"
    assert (report.accepted, reasons(report)) == (2, [(3, told), (5, told)])
    rows = taken.ask("SELECT field, ours, theirs, source FROM reg.discrepancy WHERE theirs = '钱七演'")
    assert rows == [("name", "钱六演", "钱七演", "import")]


def test_a_known_person_whose_every_line_has_another_name_gets_a_discrepancy(taken: Office) -> None:
    report = taken.take_rows("people", HEADER, f"章一演,{ZHANG},,,,流动,{FLAT},2005-01-01,2006-01-01,")
    assert (report.accepted, report.counts) == (
        0,
        {"persons": 0, "residences": 0, "residences corrected": 0, "persons corrected": 0, "discrepancies opened": 1},
    )
    assert taken.ask("SELECT count(*) FROM reg.residence r JOIN reg.person p ON p.id = person_id WHERE p.name = '张一演'") == [(1,)]


def test_a_struck_person_does_not_come_back_by_a_file(taken: Office) -> None:
    with taken.database.transaction(taken.actor) as session:
        session.connection().exec_driver_sql("UPDATE reg.residence SET valid_to = '2011-04-01' WHERE valid_from = '2011-03-01'")
        session.connection().exec_driver_sql("UPDATE reg.person SET deleted_at = now() WHERE name = '张一演'")
    report = taken.take_rows("people", HEADER, f"张一演,{ZHANG},,,,流动,{ONE},2005-01-01,2006-01-01,")
    assert reasons(report) == [(2, "the person with this number was struck off")]


def test_nobody_moves_into_a_unit_that_is_gone(taken: Office) -> None:
    with taken.database.transaction(taken.actor) as session:
        session.connection().exec_driver_sql("UPDATE reg.unit SET retired_on = '2012-01-01' WHERE code = %s", (TWO,))
    report = taken.take_rows(
        "people",
        HEADER,
        f"钱六演,{SPARE},女,,,流动,{TWO},2011-01-01,,",
        f"钱六演,{SPARE},女,,,流动,{TWO},2011-01-01,2012-01-02,",
        f"钱六演,{SPARE},女,,,流动,{TWO},2011-01-01,2012-01-01,",
    )
    assert reasons(report) == [(2, "the unit was retired on 2012-01-01"), (3, "the unit was retired on 2012-01-01")]
    assert report.accepted == 1


def test_a_second_main_home_at_the_same_time_is_refused(taken: Office) -> None:
    report = taken.take_rows(
        "people",
        HEADER,
        f"张一演,{ZHANG},男,,,流动,{TWO},2012-01-01,,",
        f"钱六演,{SPARE},女,,,流动,{ONE},2011-01-01,2011-06-01,",
        f"钱六演,{SPARE},女,,,流动,{TWO},2011-05-31,,",
        f"钱六演,{SPARE},女,,,流动,{SHOP},2011-06-01,,",
        f"钱六演,{SPARE},女,,,流动,{ONE},2011-01-01,2011-07-01,",
    )
    assert reasons(report) == [
        (2, f"overlaps another main residence of the same person: the one in unit {ONE} from 2011-03-01"),
        (4, "overlaps another main residence of the same person: line 3"),
        (6, "the same residence of the same person stands in line 3 already"),
    ]
    assert report.accepted == 2


def test_moving_out_ends_the_residence_and_makes_room_for_the_next(taken: Office) -> None:
    """The end of the old home stands after the new one in the file: both are one statement's work in the database."""
    report = taken.take_rows(
        "people",
        HEADER,
        f"张一演,{ZHANG},男,,,流动,{ONE},2011-03-01,2012-01-01,",
        f"张一演,{ZHANG},男,,,流动,{SHOP},2012-01-01,,",
    )
    assert (report.accepted, report.refused) == (2, ())
    assert report.counts == {"persons": 0, "residences": 1, "residences corrected": 1, "persons corrected": 0, "discrepancies opened": 0}
    rows = taken.ask("""
        SELECT r.valid_from::text, r.valid_to::text, r.declared_on::text, r.version
          FROM reg.residence r JOIN reg.person p ON p.id = person_id WHERE p.name = '张一演' ORDER BY 1""")
    assert rows == [("2011-03-01", "2012-01-01", "2011-03-05", 2), ("2012-01-01", None, None, 1)]
    # What was believed before is kept, and the person's record went along to the grid of the new home.
    assert taken.ask("SELECT valid_to FROM reg.residence_past") == [(None,)]
    rows = taken.ask("SELECT g.code FROM reg.person p JOIN reg.grid g ON g.id = grid_id WHERE p.name = '张一演'")
    assert rows == [("440306018001002",)]


def test_an_older_file_does_not_reopen_a_home_that_was_left(taken: Office) -> None:
    taken.take_rows("people", HEADER, f"张一演,{ZHANG},男,,,流动,{ONE},2011-03-01,2012-01-01,")
    before = taken.footprint()
    report = taken.take_rows("people", HEADER, f"张一演,{ZHANG},男,,,流动,{ONE},2011-03-01,,")
    assert (report.accepted, report.unchanged) == (0, 1)
    assert taken.footprint() == before


def test_a_new_phone_and_category_correct_the_person(taken: Office) -> None:
    # The same mask as before: only opening the seal tells that it is another phone.
    report = taken.take_rows("people", HEADER, f"张一演,{ZHANG},男,,10099995671,户籍,{ONE},2011-03-01,,")
    assert (report.accepted, report.unchanged) == (1, 0)
    ((person_id, registration, mask, sealed),) = taken.ask("""
        SELECT p.id, registration, phone_mask, phone_enc FROM reg.person p JOIN reg.person_secret s ON s.person_id = p.id
         WHERE name = '张一演'""")
    assert (registration, mask) == ("registered", "100****5671")
    assert SEALER.open("person_secret|phone_enc", person_id, sealed) == "10099995671"
    assert taken.take_rows("people", HEADER, f"张一演,{ZHANG},男,,10099995671,户籍,{ONE},2011-03-01,,").unchanged == 1


def test_what_is_sealed_opens_for_its_own_row(taken: Office) -> None:
    rows = taken.ask("""
        SELECT i.id, i.id_enc, i.id_bi, p.id, s.phone_enc FROM reg.person p JOIN reg.person_secret s ON s.person_id = p.id
          JOIN reg.identity i ON i.id = s.identity_id WHERE p.name = '李二演'""")
    ((identity, sealed, index, person, phone),) = rows
    assert SEALER.open("identity|id_enc", identity, sealed) == LI
    assert index == SEALER.blind_index(LI)
    assert SEALER.open("person_secret|phone_enc", person, phone) == "10012345672"


def test_of_several_lines_the_last_with_a_phone_speaks_for_a_new_person(taken: Office) -> None:
    rows = (
        f"钱六演,{SPARE},女,,10000000001,流动,{ONE},2011-01-01,2011-06-01,",
        f"钱六演,{SPARE},女,,10000000002,户籍,{TWO},2010-01-01,2010-06-01,",
        f"钱六演,{SPARE},女,,,流动,{SHOP},2011-06-01,,",
    )
    assert taken.take_rows("people", HEADER, *rows).accepted == 3
    found = taken.ask("SELECT registration, phone_mask, g.code FROM reg.person p JOIN reg.grid g ON g.id = grid_id WHERE p.name = '钱六演'")
    assert found == [("registered", "100****0002", "440306018001002")]
    before = taken.footprint()
    assert taken.take_rows("people", HEADER, *rows).unchanged == 3
    assert taken.footprint() == before


def test_more_people_than_a_chunk_are_taken_in_one_go(taken: Office) -> None:
    """10,500 persons, each with a number of 17 digits and the check character by ISO 7064 MOD 11-2."""
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)

    def numbered(index: int) -> str:
        body = f"00{index // 1000:04d}20000101{index % 1000:03d}"
        return body + "10X98765432"[sum(int(digit) * weight for digit, weight in zip(body, weights, strict=True)) % 11]

    rows = [f"人{index}演,{numbered(index)},,,100{index:08d},流动,{ONE},2011-01-01,," for index in range(1, 10_501)]
    report = taken.take_rows("people", HEADER, *rows)
    assert (report.rows, report.accepted, report.refused) == (10_500, 10_500, ())
    assert taken.take_rows("people", HEADER, *rows).unchanged == 10_500


def test_no_number_phone_or_name_stands_in_a_report_the_trail_or_the_log(taken: Office, caplog: pytest.LogCaptureFixture) -> None:
    """A canary in every cell, in the right column and in each wrong one."""
    caplog.set_level(logging.DEBUG)
    canaries = (SPARE, "10012399999", "金丝雀演")
    good = ["钱六演", SPARE, "女", "", "", "流动", ONE, "2011-01-01", "", ""]
    rows = [good]
    for canary in canaries:
        rows += [[*good[:place], canary, *good[place + 1 :]] for place in range(len(good))]
    rows += [["金丝雀演", SPARE[:-1] + "2", *good[2:]], ["金丝雀演", SPARE, *good[2:]]]
    report = taken.take_rows("people", HEADER, *(",".join(row) for row in rows))
    assert report.refused
    told = render_report(report) + str(report) + str(report.as_json()) + caplog.text
    told += str(taken.ask("SELECT detail::text FROM reg.audit"))
    for canary in canaries:
        assert canary not in told
