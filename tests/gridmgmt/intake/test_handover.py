import json
from typing import Any

import pytest

from gridmgmt.intake.importing import Kind
from gridmgmt.intake.refusals import Report
from tests.gridmgmt.intake.conftest import FILES, HANDOVER, Office

EXPECTED: dict[str, Any] = json.loads((HANDOVER / "expected.json").read_text(encoding="utf-8"))


def require_refused(report: Report, expected: dict[str, Any]) -> None:
    """Line and column as expected, and the reason says at least what is expected."""
    assert [(one.line, one.column) for one in report.refused] == [(one["line"], one["column"]) for one in expected["refused"]]
    for one, wanted in zip(report.refused, expected["refused"], strict=True):
        assert wanted["reason"] in one.reason


def test_faulty_grids_are_refused_whole_and_each_fault_is_named_with_place_and_size(office: Office) -> None:
    office.take("areas", "areas.geojson")
    report = office.take("grids", "grids_faulty.geojson")
    require_refused(report, EXPECTED["grids_faulty"])
    gap, overlap, invalid = (one.reason for one in report.refused)
    # At 22.575° N a degree of longitude has 102,850 m and a degree of latitude 110,750 m, within one in a thousand.
    assert gap.startswith("community 440306018002 has a gap of 56,9")  # 0.005° x 0.001°: 514 m x 111 m
    assert gap.endswith(" at 113.872500, 22.579500")
    assert overlap.startswith("grids 440306018001001 and 440306018001002 overlap by 22,7")  # 0.0002° x 0.01°: 20.6 m x 1,107 m
    assert overlap.endswith(" at 113.864900, 22.575000")
    assert invalid == "grid 440306018002002 is invalid: the boundary crosses or touches itself at 113.877500, 22.575000"
    assert (report.rows, report.accepted) == (4, 0)
    assert office.ask("SELECT FROM reg.grid") == []


@pytest.mark.parametrize("kind", [kind for kind, _ in FILES])
def test_each_line_is_taken_or_refused_as_worked_out_by_hand(told: dict[Kind, Report], kind: Kind) -> None:
    report, expected = told[kind], EXPECTED[kind]
    assert (report.rows, report.accepted, report.unchanged) == (expected["rows"], expected["accepted"], 0)
    require_refused(report, expected)
    assert report.complete == (not expected["refused"])


def test_buildings_lie_where_they_are_once_their_datum_is_undone(taken: Office) -> None:
    rows = taken.ask(
        "SELECT b.house_code, g.code, ST_X(b.entrance), ST_Y(b.entrance) FROM reg.building b JOIN reg.grid g ON g.id = b.grid_id"
    )
    assert {code: grid for code, grid, _, _ in rows} == EXPECTED["grid_of_building"]
    for code, _, lon, lat in rows:
        assert [lon, lat] == pytest.approx(EXPECTED["place_of_building"][code], abs=1e-8)


def test_the_coordinate_as_delivered_is_kept(taken: Office) -> None:
    rows = taken.ask("SELECT datum, source_x, source_y FROM reg.building WHERE house_code = '4403060180010200002'")
    assert rows == [("GCJ-02", 113.871917601, 22.568973610)]


def test_rents_are_fen_a_month_and_the_contract_s_words_are_kept(taken: Office) -> None:
    rows = taken.ask("SELECT number, rent_fen FROM reg.lease")
    assert dict(rows) == EXPECTED["fen_a_month"]
    rows = taken.ask("SELECT rent_given::text, rent_unit, area_basis_m2::text FROM reg.lease WHERE number = 'HT-002'")
    assert rows == [("25.50", "m2_month", "30.00")]


def test_a_lease_is_filed_when_it_has_a_day_of_filing_and_signed_otherwise(taken: Office) -> None:
    assert taken.ask("SELECT number FROM reg.lease WHERE state = 'filed'") == [("HT-001",)]
    assert taken.ask("SELECT DISTINCT state FROM reg.lease WHERE number <> 'HT-001'") == [("signed",)]


def test_one_person_has_several_homes_one_after_the_other(taken: Office) -> None:
    rows = taken.ask("""
        SELECT u.code, r.valid_from::text, r.valid_to::text, r.declared_on::text
          FROM reg.residence r JOIN reg.person p ON p.id = r.person_id JOIN reg.unit u ON u.id = r.unit_id
         WHERE p.name = '李二演' ORDER BY r.valid_from""")
    assert rows == [
        ("4403060180010100001002001", "2010-01-01", "2011-01-01", None),
        ("4403060180010200002001001", "2011-01-01", None, "2011-01-03"),
    ]
    # The record of the person lies where the person lives now.
    assert taken.ask("SELECT g.code FROM reg.person p JOIN reg.grid g ON g.id = p.grid_id WHERE p.name = '李二演'") == [
        ("440306018001002",)
    ]


def test_what_sources_say_differently_waits_as_a_discrepancy_without_full_birth_dates(taken: Office) -> None:
    rows = taken.ask("SELECT p.name, d.field, d.ours, d.theirs, d.state FROM reg.discrepancy d JOIN reg.person p ON p.id = d.person_id")
    assert sorted(rows) == [("张一演", "name", "张一演", "王三演", "open"), ("赵四演", "sex", "male", "female", "open")]


def test_numbers_and_phones_are_sealed_and_masked(taken: Office) -> None:
    rows = taken.ask("SELECT name, sex, birth_year, id_mask, phone_mask FROM reg.person ORDER BY birth_year")
    assert rows == [
        ("赵四演", "male", 1978, "000001********0038", "100****5674"),
        ("张一演", "male", 1985, "000001********0016", "100****5671"),
        ("李二演", "female", 1990, "000001********0043", "100****5672"),
        ("孙五演", "male", 2001, "000001********005X", None),
    ]
    assert taken.ask("SELECT count(*) FROM reg.identity") == [(4,)]


def test_a_lessee_whom_nobody_knows_is_left_out_with_a_warning(taken: Office, told: dict[Kind, Report]) -> None:
    assert taken.ask("SELECT lessee_id FROM reg.lease WHERE number = 'HT-004'") == [(None,)]
    assert told["leases"].warnings == (
        "line 5: no person with the number 000001********0061 is known; the lease is kept without its lessee",
    )
    assert taken.ask("SELECT p.name FROM reg.lease l JOIN reg.person p ON p.id = l.lessee_id WHERE number = 'HT-001'") == [("张一演",)]


def test_lessors_become_landlords_of_their_subdistrict(taken: Office) -> None:
    assert sorted(taken.ask("SELECT name, kind FROM reg.landlord")) == [("刘房东演", "person"), ("演示物业有限公司", "organisation")]


def test_a_column_that_is_not_known_is_warned_of(told: dict[Kind, Report]) -> None:
    assert told["people"].warnings == ("column 备注 is not known and was not read",)


def test_the_same_files_again_change_nothing_but_the_trail(taken: Office) -> None:
    before = taken.footprint()
    for kind, name in FILES:
        report = taken.take(kind, name)
        expected = EXPECTED[kind]
        assert (report.rows, report.accepted, report.unchanged) == (expected["rows"], 0, expected["accepted"]), kind
        require_refused(report, expected)
    assert taken.footprint() == before
    assert taken.ask("SELECT object_type, n_rows FROM reg.audit WHERE action = 'import' ORDER BY at, id OFFSET 6") == [
        ("areas", 4),
        ("grids", 4),
        ("buildings", 13),
        ("units", 10),
        ("people", 11),
        ("leases", 15),
    ]


def test_a_rehearsal_tells_the_same_and_leaves_nothing(office: Office, told: dict[Kind, Report]) -> None:
    for kind, name in FILES:
        before, trail = office.footprint(), office.ask("SELECT count(*) FROM reg.audit")
        rehearsed = office.take(kind, name, dry_run=True)
        assert rehearsed.dry_run
        assert (rehearsed.rows, rehearsed.accepted, rehearsed.refused) == (told[kind].rows, told[kind].accepted, told[kind].refused)
        assert office.footprint() == before
        assert office.ask("SELECT count(*) FROM reg.audit") == trail
        office.take(kind, name)


def test_outside_demo_mode_no_invented_number_is_taken(taken: Office) -> None:
    report = taken.take("people", "people.xlsx", demo=False)
    assert (report.accepted, report.unchanged, len(report.refused)) == (0, 0, 11)
    assert report.refused[0].reason == "identity numbers beginning with 00 are for demonstration only"
