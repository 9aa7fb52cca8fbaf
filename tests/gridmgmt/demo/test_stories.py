"""Each story is found by a question in SQL that knows nothing of where it was planted."""

import datetime as dt

import pytest

from tests.gridmgmt.demo.conftest import TODAY, Demo

COVERAGE = """
SELECT a.code, count(*) AS rental, count(*) FILTER (WHERE EXISTS (
         SELECT FROM reg.manager m WHERE m.building_id = b.id AND m.state = 'active' AND m.valid_from <= %s
            AND (m.valid_to IS NULL OR m.valid_to > %s))) AS covered
  FROM reg.building b JOIN reg.area a ON a.id = b.subdistrict_id WHERE b.rental GROUP BY a.code ORDER BY a.code
"""
CELLS = """
SELECT left(g.code, 12), u.use, count(*), count(DISTINCT l.landlord_id), max(share) FROM reg.lease l
  JOIN reg.unit u ON u.id = l.unit_id JOIN reg.grid g ON g.id = l.grid_id
  JOIN LATERAL (SELECT count(*) AS share FROM reg.lease o JOIN reg.unit ou ON ou.id = o.unit_id JOIN reg.grid og ON og.id = o.grid_id
                 WHERE o.landlord_id = l.landlord_id AND ou.use = u.use AND left(og.code, 12) = left(g.code, 12)) s ON true
 WHERE l.valid_from >= %s AND l.valid_from < %s AND l.parent_id IS NULL
 GROUP BY 1, 2 HAVING count(*) = 17
"""


def test_nine_rental_buildings_in_ten_have_a_manager_but_not_where_they_are_behind(demo: Demo) -> None:
    assert demo.rows(COVERAGE, TODAY, TODAY) == [("440306022", 26, 26), ("440306023", 14, 10)]  # 36 of 40 = 90 %
    assert demo.summary.stories["laggards"] == ("440306023",)


def test_coverage_ran_up_in_a_year_and_a_half(demo: Demo) -> None:
    def covered(day: dt.date) -> int:
        return sum(row[2] for row in demo.rows(COVERAGE, day, day))

    steps = [covered(TODAY - dt.timedelta(days=days)) for days in (800, 400, 270, 135, 0)]
    assert steps == sorted(steps)
    assert steps[0] == 0
    assert 10 <= steps[2] <= 26  # half of the way after half of the time
    assert steps[-1] == 36


def test_a_sublet_has_a_tenant_whom_nobody_declared(demo: Demo) -> None:
    found = demo.rows(
        "SELECT head.number, sublet.number FROM reg.lease sublet JOIN reg.lease head ON head.id = sublet.parent_id"
        " JOIN reg.person lessee ON lessee.id = head.lessee_id"
        " WHERE sublet.lessor_name = lessee.name AND sublet.landlord_id IS NULL AND sublet.valid_to <= head.valid_to"
        " AND sublet.valid_from <= %s AND sublet.valid_to > %s"
        " AND NOT EXISTS (SELECT FROM reg.residence r WHERE r.person_id = sublet.lessee_id)",
        TODAY,
        TODAY,
    )
    assert found == [demo.summary.stories["sublet"]]


def test_one_person_has_three_birth_dates_in_three_feeds(demo: Demo) -> None:
    found = demo.rows(
        "SELECT replace(person_id::text, '-', ''), array_agg(DISTINCT source ORDER BY source), count(DISTINCT theirs),"
        " count(DISTINCT ours), bool_or(theirs = ours) FROM reg.discrepancy WHERE field = 'birth_date' AND state = 'open'"
        " GROUP BY person_id HAVING count(*) > 1"
    )
    assert found == [(demo.summary.stories["birth_dates"][0], ["HEALTH", "SOCIAL_SEC"], 2, 1, False)]


def test_a_building_in_gcj02_would_lie_in_the_neighbouring_community_if_nobody_had_looked(demo: Demo) -> None:
    found = demo.rows(
        "SELECT b.house_code FROM reg.building b JOIN reg.grid own ON own.id = b.grid_id"
        " JOIN reg.grid other ON ST_Covers(other.geom, ST_SetSRID(ST_MakePoint(b.source_x, b.source_y), 4490))"
        " WHERE b.datum = 'GCJ-02' AND other.community_id <> own.community_id AND ST_Covers(own.geom, b.entrance)"
        # GCJ-02 lies about 600 m off in this district
        " AND ST_Distance(ST_Transform(b.entrance, 4547), ST_Transform(ST_SetSRID(ST_MakePoint(b.source_x, b.source_y), 4490), 4547))"
        " BETWEEN 590 AND 620"
    )
    assert demo.summary.stories["gcj02"] in found


@pytest.mark.parametrize("first", [TODAY - dt.timedelta(days=365), dt.date(2025, 11, 1), dt.date(2025, 12, 1)])
@pytest.mark.parametrize("end", [TODAY, dt.date(2026, 11, 1)])
def test_a_rent_cell_has_seventeen_observations_however_a_year_is_counted(demo: Demo, first: dt.date, end: dt.date) -> None:
    community, use = demo.summary.stories["thin_cell"]
    cell = [row for row in demo.rows(CELLS, first, end) if row[:2] == (community, use)]
    ((_, _, count, landlords, largest),) = cell
    assert count == 17
    assert landlords >= 3
    assert largest <= 8  # not half of them with one landlord


def test_the_former_subdistrict_is_what_it_was_split_into(demo: Demo) -> None:
    found = demo.rows(
        "SELECT p.code, p.valid_to, array_agg(s.code ORDER BY s.code), array_agg(DISTINCT s.valid_from),"
        " ST_Area(ST_Transform(ST_SymDifference(p.geom, ST_Union(s.geom)), 4547))"
        " FROM reg.area_lineage l JOIN reg.area p ON p.id = l.predecessor_id JOIN reg.area s ON s.id = l.successor_id"
        " WHERE l.kind = 'split' AND l.happened_on = '2016-12-26' GROUP BY p.id"
    )
    day = dt.date(2016, 12, 26)
    assert found == [("440306004", day, ["440306022", "440306023"], [day], 0.0)]
    assert demo.summary.stories["split_2016"] == ("440306004",)


def test_one_building_is_over_crowded_and_no_other(demo: Demo) -> None:
    found = demo.rows(
        "SELECT DISTINCT b.house_code FROM reg.building b JOIN reg.unit u ON u.building_id = b.id"
        " WHERE u.max_occupants < (SELECT count(*) FROM reg.residence r WHERE r.unit_id = u.id AND r.valid_to IS NULL)"
    )
    assert found == [demo.summary.stories["overcrowded"]]


def test_some_residences_are_declared_late_and_some_never(demo: Demo) -> None:
    let = demo.rows(
        "SELECT count(*), count(declared_on), count(*) FILTER (WHERE declared_on - valid_from > 7) FROM reg.residence WHERE basis = 'lease'"
    )
    ((total, declared, late),) = let
    assert 0.80 < declared / total < 0.97
    assert 0.10 < late / total < 0.25


def test_each_tenth_rental_building_was_visited_and_each_fifth_manager_reported(demo: Demo) -> None:
    # A tenth of 26 and of 14 buildings, a fifth of 26 and of 10 managers.
    assert [demo.one(f"SELECT count(*) FROM reg.{noun}") for noun in ("inspection", "duty_report")] == [3 + 1, 5 + 2]
    weeks = (TODAY - dt.timedelta(days=60), TODAY)
    assert demo.one("SELECT count(*) FROM reg.inspection WHERE visited_at NOT BETWEEN %s AND %s", *weeks) == 0
    wrong = (
        "SELECT count(*) FROM reg.inspection i JOIN reg.building b ON b.id = i.building_id WHERE abs(i.distance_m - ST_Distance("
        "ST_Transform(ST_SetSRID(ST_MakePoint(i.lon, i.lat), 4490), 4547), ST_Transform(b.entrance, 4547))) > 0.01"
        " OR (i.outcome = 'hazard') <> (i.findings <> '{}')"
    )
    assert demo.one(wrong) == 0
    assert demo.one("SELECT count(*) FROM reg.duty_report WHERE (persons IS NOT NULL) <> (kind LIKE 'move%%')") == 0
