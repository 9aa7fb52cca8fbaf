import dataclasses
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from gridmgmt.errors import ConflictError, ForbiddenError, UnauthenticatedError
from gridmgmt.intake.importing import KINDS, Kind, columns_of
from gridmgmt.intake.refusals import FileRefusedError, Report
from tests.gridmgmt.intake.conftest import HANDOVER, Office

UNITS = "单元编码,房屋编码,楼层,房号,建筑面积,用途"


def test_only_the_loader_imports(taken: Office) -> None:
    clerk = dataclasses.replace(taken, actor=dataclasses.replace(taken.actor, scope="district"))
    with pytest.raises(ForbiddenError):
        clerk.take("units", "units.csv")


def test_a_disabled_operator_imports_nothing(taken: Office) -> None:
    taken.ask("UPDATE reg.account SET disabled_at = now() WHERE username = 'local-operator' RETURNING id")
    with pytest.raises(UnauthenticatedError):
        taken.take("units", "units.csv")


def test_a_file_with_a_private_column_is_refused_whole_and_the_refusal_is_on_the_trail(taken: Office) -> None:
    before = taken.footprint()
    with pytest.raises(FileRefusedError, match="column 民族 is about ethnicity or origin, which this register refuses to hold"):
        taken.take_rows("units", UNITS + ",民族", "4403060180010100001009001,4403060180010100001,9,901,20,住宅,汉")
    assert taken.footprint() == before
    rows = taken.ask("SELECT object_type, outcome, detail ->> 'reason' FROM reg.audit WHERE outcome = 'refused'")
    assert rows == [("units", "refused", "private-column")]


def test_each_import_is_one_row_of_the_trail_with_the_file_s_hash(taken: Office) -> None:
    rows = taken.ask("""
        SELECT object_type, n_rows, outcome, detail - 'sha256', length(detail ->> 'sha256'), a.username
          FROM reg.audit t JOIN reg.account a ON a.id = t.actor_id WHERE object_type = 'people' AND action = 'import'""")
    assert rows == [("people", 11, "ok", {"accepted": 5, "unchanged": 0, "refused": 6}, 64, "local-operator")]


def test_a_file_of_nothing_but_a_header_is_no_fault(taken: Office) -> None:
    for kind in KINDS[2:]:
        report = taken.take_rows(kind, ",".join(column.headers[0] for column in columns_of(kind)))
        assert (report.rows, report.accepted, report.complete) == (0, 0, True)


@pytest.mark.parametrize(
    ("kind", "row", "table"),
    [
        ("buildings", "4403060180010100099,楼,巷,113.8620,22.5750,CGCS2000,7,,1998,公寓,是", "building"),
        ("units", "4403060180010100001009001,4403060180010100001,9,901,20,住宅,", "unit"),
        ("people", "钱六演,000001196606060061,,,,流动,4403060180010100001001001,2011-01-01,,", "residence"),
        ("leases", "A1,4403060180020100003000001,,,800,元/月,,2011-01-01,2012-01-01,,,是,", "lease"),
    ],
)
def test_rows_after_many_blank_lines_are_taken_too(taken: Office, kind: Kind, row: str, table: str) -> None:
    """Lines are counted as an editor counts them, far beyond the number of rows."""
    before = taken.ask(f"SELECT count(*) FROM reg.{table}")[0][0]
    report = taken.take_rows(kind, ",".join(column.headers[0] for column in columns_of(kind)), *[""] * 60_000, row)
    assert (report.rows, report.accepted, report.refused) == (1, 1, ())
    assert taken.ask(f"SELECT count(*) FROM reg.{table}") == [(before + 1,)]


def test_english_headers_and_words_are_taken_too(taken: Office) -> None:
    header = "unit code,house code,floor,room,area,use"
    assert taken.take_rows("units", header, "4403060180010100001009001,4403060180010100001,9,901,20,residential").accepted == 1


def test_the_error_of_a_formula_is_refused_where_an_empty_cell_would_be_taken(taken: Office) -> None:
    row = "4403060180010100001009001,4403060180010100001,9,901,20,住宅"
    report = taken.take_rows("units", UNITS + ",最大居住人数", f"{row},#N/A", f"{row},")
    assert [(one.line, one.reason) for one in report.refused] == [(2, "occupants is the error of a formula: mend it in the spreadsheet")]
    assert report.accepted == 1


def test_a_file_without_features_is_refused(taken: Office) -> None:
    file = taken.folder / "none.geojson"
    file.write_text('{"type": "FeatureCollection", "features": []}')
    with pytest.raises(FileRefusedError, match="holds no features"):
        taken.take("buildings", file)


def test_the_second_of_two_imports_of_the_same_rows_is_told_to_come_again(taken: Office) -> None:
    """The second begins when the first has written and not committed yet, and waits for it."""
    file = taken.folder / "units.csv"
    later: list[Future[Report]] = []

    def meanwhile(phase: str, _done: int, _total: int) -> None:
        if phase == "write":
            later.append(pool.submit(taken.take, "units", file))
            while taken.ask("SELECT count(*) FROM pg_locks WHERE NOT granted") == [(0,)]:
                assert not later[0].done()

    with ThreadPoolExecutor(1) as pool:
        first = taken.take_rows("units", UNITS, "4403060180010100001009001,4403060180010100001,9,901,20,住宅", progress=meanwhile)
        assert first.accepted == 1
        with pytest.raises(ConflictError) as refused:
            later[0].result()
    assert refused.value.detail == (
        "another unit has this code; nothing of the file was written. Where another import ran at the same time, import it again"
    )
    again = taken.take("units", file)
    assert (again.accepted, again.unchanged) == (0, 1)


def test_progress_is_told_from_reading_to_writing(taken: Office) -> None:
    told: list[tuple[str, int, int]] = []

    def tell(phase: str, done: int, total: int) -> None:
        told.append((phase, done, total))

    taken.take_rows("units", UNITS, "4403060180010100001009001,4403060180010100001,9,901,20,住宅", progress=tell)
    assert [phase for phase, _, _ in told] == ["read", "check", "write"]
    assert told[0] == ("read", 1, 1)


def test_the_hand_over_is_of_every_form(taken: Office) -> None:
    """So that nobody tidies it up: a mark, GB18030, Excel, GeoPackage, full-width digits and three datums."""
    assert (HANDOVER / "buildings.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    with pytest.raises(UnicodeDecodeError):
        (HANDOVER / "units.csv").read_text(encoding="utf-8")
    assert "１１３．８７７７" in (HANDOVER / "buildings.csv").read_text(encoding="utf-8-sig")
    assert sorted(path.suffix for path in HANDOVER.iterdir()) == [
        ".csv",
        ".csv",
        ".csv",
        ".geojson",
        ".geojson",
        ".gpkg",
        ".json",
        ".py",
        ".xlsx",
    ]
    assert {datum for (datum,) in taken.ask("SELECT datum FROM reg.building")} == {"CGCS2000", "GCJ-02", "BD-09"}
