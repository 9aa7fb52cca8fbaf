"""What each trigger promises, as a question to the database: the answer names what is broken, None when the promise is kept.

The same promises are the subject of test_promises.py and the witnesses in test_mutations.py.
"""

from collections.abc import Callable

from psycopg import errors

from tests.protection.copies import BUILDING, COPIES, LEASE, RESIDENCE, UNIT
from tests.protection.doors import Register, Root, acting, run, tried, undone
from tests.protection.seed import BY_NAME, MEASURES, RELEASES, RUNS

Promise = Callable[[Root, Register], str | None]

UPDATES = {
    "area": "name = 'X'",
    "grid": "name = 'X'",
    "building": "name = 'X'",
    "unit": "room = 'X'",
    "person": "name = 'X'",
    "discrepancy": "state = 'dismissed'",
    "residence": "basis = 'own'",
    "organisation": "name = 'X'",
    "landlord": "kind = 'person'",
    "lease": "rent_fen = 1",
    "manager": "archive_number = 'X'",
    "inspection": "note = 'Y'",
    "duty_report": "note = 'Y'",
    "rent_observation": "new_let = false",
}
KINDS = {noun: noun for noun in ("building", "unit", "residence", "lease", "manager", "inspection", "duty_report")} | {"person": "resident"}


def keeps_past(noun: str) -> Promise:
    """A corrected row is kept as it was, and the version counts by one."""

    def promise(root: Root, _: Register) -> str | None:
        ((key, before),) = run(root, f"SELECT id, version FROM reg.{noun} ORDER BY id LIMIT 1")
        ((after,),) = run(root, f"UPDATE reg.{noun} SET {UPDATES[noun]} WHERE id = %s RETURNING version", [key])
        kept = run(root, f"SELECT version FROM reg.{noun}_past WHERE id = %s AND version = %s", [key, before])
        return None if after == before + 1 and kept == [(before,)] else f"the past of {noun}"

    return promise


def logs(noun: str, verb: str) -> Promise:
    """A written row leaves a pointer to itself in the change log, under its grid."""
    update = f"UPDATE reg.{noun} SET {UPDATES[noun]} WHERE id = (SELECT id FROM reg.{noun} LIMIT 1)"

    def promise(root: Root, _: Register) -> str | None:
        first, _semicolon, last = (update if verb == "update" else COPIES[noun]).rpartition("; ")
        run(root, first or "SELECT")
        pointer = run(root, f"{last} RETURNING grid_id, '{KINDS[noun]}', id")
        found = run(root, "SELECT scope_id, kind, entity_id FROM sync.change_log WHERE xid = pg_current_xact_id()")
        return None if set(pointer) <= set(found) else f"{verb} of {noun} is not logged"

    return promise


def refuses(statements: str, constraint: str) -> Promise:
    """The statements are refused in the constraint's name, at the latest at the commit."""

    def promise(root: Root, _: Register) -> str | None:
        try:
            with undone(root):
                run(root, statements)
                run(root, "SET CONSTRAINTS ALL IMMEDIATE")
        except errors.IntegrityError as error:
            return None if error.diag.constraint_name == constraint else f"{error.diag.constraint_name} stands in for {constraint}"
        return f"{constraint} does not hold"

    return promise


def append_only(table: str, *statements: str) -> Promise:
    """The trail is not changed, not even by the superuser."""

    def promise(root: Root, _: Register) -> str | None:
        taken = [statement for statement in statements if tried(root, statement.format(table)) != "42501"]
        return f"{table} takes {taken}" if taken else None

    return promise


def out_of_reach(statement: str) -> Promise:
    """What the worker of grid 1 may not do with a row of the own grid and a row `%s` of another one."""

    def promise(root: Root, register: Register) -> str | None:
        ((person,),) = run(root, "SELECT id FROM reg.person WHERE grid_id = %s LIMIT 1", [register.grids[9]])
        values = [person] if statement.count("%s") else []
        with acting(root, register, BY_NAME["w-one", "field"]):
            return None if tried(root, statement, values) == "42501" else f"taken: {statement}"

    return promise


def changes_stamp(noun: str, column: str = "version") -> Promise:
    """A write that changes no row changes the stamp too: whoever writes does not learn by it whether there was one."""

    def promise(root: Root, _: Register) -> str | None:
        with undone(root):
            before = run(root, f"SELECT reg.stamp(ARRAY['{noun}'])")
            run(root, f"UPDATE reg.{noun} SET {column} = {column} WHERE false")
            return None if run(root, f"SELECT reg.stamp(ARRAY['{noun}'])") != before else "the stamp stays"

    return promise


def gives(statements: str, question: str, answer: object) -> Promise:
    """After the statements the question has the answer."""

    def promise(root: Root, _: Register) -> str | None:
        with undone(root):
            run(root, statements)
            got = run(root, question)
            return None if got == [(answer,)] else f"{question} gives {got}"

    return promise


def counts_cells(statements: str) -> Promise:
    """After the statements the cells hold as many buildings, and as many of them let, as a recount finds."""
    kept = (
        "SELECT x, y, grid_id, retired_on, sum(buildings), sum(rental) FROM reg.building_cell"
        " GROUP BY 1, 2, 3, 4 HAVING sum(buildings) <> 0"
    )
    counted = (
        "SELECT floor((public.ST_X(entrance) + 180) / 360 * 2 ^ 17)::int,"
        " floor((1 - ln(tan(radians(public.ST_Y(entrance))) + 1 / cos(radians(public.ST_Y(entrance)))) / pi()) / 2 * 2 ^ 17)::int,"
        " grid_id, retired_on, count(*), count(*) FILTER (WHERE rental) FROM reg.building WHERE deleted_at IS NULL GROUP BY 1, 2, 3, 4"
    )

    def promise(root: Root, _: Register) -> str | None:
        with undone(root):
            before = run(root, kept)
            run(root, statements)
            after = run(root, kept)
            return None if before != after and sorted(after, key=str) == sorted(run(root, counted), key=str) else "the counts of the cells"

    return promise


def sums_rents(statements: str) -> Promise:
    """After the statements the statistics are what a recount of the observations finds."""
    cell = "month, community_id, use, class, new_let"
    terms = ["log_rent", "log_rent * log_rent", *MEASURES[1:], *(f"{one} * log_rent" for one in MEASURES[1:])]
    terms += [f"{one} * {other}" for place, one in enumerate(MEASURES[1:]) for other in MEASURES[1 + place :]]
    listed = ", ".join(f"sum(s.sums[{place}])" for place in range(1, len(terms) + 1))
    kept = f"SELECT {cell}, sum(n), ARRAY[{listed}] FROM reg.rent_statistic s GROUP BY 1, 2, 3, 4, 5 HAVING sum(n) <> 0"
    counted = (
        f"SELECT {cell}, count(*), ARRAY[{', '.join(f'sum({term})' for term in terms)}] FROM reg.rent_observation"
        " WHERE reason IS NULL AND deleted_at IS NULL AND abs(log_rent - 4200000) <= 250000 GROUP BY 1, 2, 3, 4, 5"
    )

    def promise(root: Root, _: Register) -> str | None:
        with undone(root):
            before = run(root, kept)
            run(root, statements)
            after = run(root, kept)
            return None if before != after and sorted(after, key=str) == sorted(run(root, counted), key=str) else "the sums of rents"

    return promise


def sums_pairs(statements: str) -> Promise:
    """After the statements the sums over pairs are what a look for each rent's next one finds."""
    told = "SELECT community_id, use, earlier, later, sum(n), sum(sum_u), sum(sum_uu) FROM reg.rent_pair_statistic"
    kept = f"{told} GROUP BY 1, 2, 3, 4 HAVING sum(n) <> 0"
    counts = "{0}.reason IS NULL AND {0}.deleted_at IS NULL AND abs({0}.log_rent - 4200000) <= 250000"
    same = "{0}.unit_id = a.unit_id AND {0}.use = a.use AND {0}.month > a.month"
    counted = (
        "SELECT a.community_id, a.use, a.month, b.month, count(*), sum(b.log_rent - a.log_rent),"
        " sum((b.log_rent - a.log_rent) ^ 2)::numeric"
        f" FROM reg.rent_observation a JOIN reg.rent_observation b ON {same.format('b')}"
        f" WHERE {counts.format('a')} AND {counts.format('b')} AND NOT EXISTS (SELECT FROM reg.rent_observation c"
        f" WHERE {same.format('c')} AND c.month < b.month AND {counts.format('c')}) GROUP BY 1, 2, 3, 4"
    )

    def promise(root: Root, _: Register) -> str | None:
        with undone(root):
            before = run(root, kept)
            run(root, statements)
            after = run(root, kept)
            return (
                None
                if before != after and sorted(after, key=str) == sorted(run(root, counted), key=str)
                else "the sums over pairs of rents"
            )

    return promise


def refuses_late_writers(root: Root, _: Register) -> str | None:
    """Whoever began before rents were computed writes no observation afterwards."""
    with undone(root):
        run(root, "UPDATE reg.rent_cut SET cut = transaction_timestamp()")
        got = tried(root, "UPDATE reg.rent_observation SET new_let = false WHERE reference = 'L-1'")
        return None if got == "40001" else f"a late writer gets {got}"


OBSERVATION = (
    f"INSERT INTO reg.rent_observation (source, reference, unit_id, grid_id, subdistrict_id, community_id, use, class, new_let, begins,"
    f" rent_fen, {', '.join(MEASURES)}) SELECT 'survey', 'X', unit_id, grid_id, subdistrict_id, community_id, use, class, true,"
    " '2020-02-01',"
    f" 1, log_rent + 5, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1 FROM reg.rent_observation WHERE reference = 'L-1'"
)
STAMPED = ("area", "building", "grid", "lease", "manager", "residence", "unit")
GRID_OF = "SELECT g.name FROM reg.{0} t JOIN reg.grid g ON g.id = t.grid_id WHERE t.{1}"
BOX = "UPDATE reg.grid SET geom = public.ST_Multi(public.ST_MakeEnvelope({}, 22.70, {}, 22.71, 4490)) WHERE name = 'Grid {} 演'"

PROMISES: dict[tuple[str, str], Promise] = {
    **{(f"reg.{noun}", "keep_past"): keeps_past(noun) for noun in UPDATES},
    **{(f"reg.{noun}", f"log_{verb}"): logs(noun, verb) for noun in KINDS for verb in ("insert", "update")},
    **{(f"reg.{noun}", "note_change"): changes_stamp(noun) for noun in STAMPED},
    ("reg.resident_count", "note_change"): changes_stamp("resident_count", "residents"),
    ("reg.rent_observation", "sum_insert"): sums_rents(OBSERVATION),
    ("reg.rent_observation", "pair_insert"): sums_pairs(OBSERVATION),
    ("reg.rent_observation", "pair_update"): sums_pairs(
        f"{OBSERVATION}; UPDATE reg.rent_observation SET log_rent = log_rent + 7 WHERE reference = 'X'"
    ),
    ("reg.rent_observation", "sum_update"): sums_rents(
        "UPDATE reg.rent_observation SET log_rent = 4500000 WHERE reference = 'L-1';"  # leaves the limits
        "UPDATE reg.rent_observation SET age = age + 7, new_let = false WHERE reference = 'L-2';"
        "UPDATE reg.rent_observation SET deleted_at = now() WHERE reference = 'L-3'"
    ),
    ("reg.rent_observation", "order_writers"): refuses_late_writers,
    **{
        (f"reg.{table}", "keep"): refuses(f"UPDATE reg.{table} SET {column} = {column} WHERE false", "rents_are_kept")
        for table, column in (("rent_run", "n"), ("rent_value", "n"), ("rent_release_run", "run_id"), ("rent_figure", "flag"))
    },
    ("reg.rent_release", "keep"): refuses("DELETE FROM reg.rent_release WHERE false", "rents_are_kept"),
    ("reg.rent_release", "step"): refuses(
        "UPDATE reg.rent_release SET state = 'superseded' WHERE state = 'published'", "release_state_step"
    ),
    ("reg.rent_release", "note_change"): changes_stamp("rent_release", "note"),
    ("sync.id_alias", "alias_of_nobody"): refuses(
        "INSERT INTO sync.id_alias (alias, canonical, kind) SELECT min(id::text)::uuid, max(id::text)::uuid, 'unit' FROM reg.unit"
        " WHERE deleted_at IS NULL",
        "pk_person",
    ),
    ("reg.rent_release_run", "add"): refuses(f"INSERT INTO reg.rent_release_run VALUES ('{RELEASES[1]}', '{RUNS[2]}')", "rents_are_kept"),
    ("reg.rent_figure", "add"): refuses(
        "INSERT INTO reg.rent_figure (release_id, run_id, product, frequency, area_id, use, lets, period, value, basis)"
        f" SELECT '{RELEASES[1]}', run_id, product, frequency, area_id, use, 'new', period, 100, 'direct' FROM reg.rent_figure LIMIT 1",
        "rents_are_kept",
    ),
    ("reg.rent_value", "add"): refuses(
        "INSERT INTO reg.rent_value (run_id, area_id, use, lets, period, value, n, trimmed, landlords, pooled)"
        f" SELECT run_id, area_id, use, 'new', period, 100, 9, 0, 3, 'own' FROM reg.rent_value WHERE run_id = '{RUNS[0]}'",
        "rents_are_kept",
    ),
    ("reg.grid", "grid_no_overlap"): refuses(BOX.format(113.80, 113.815, 1), "grid_no_overlap"),
    ("reg.grid", "grid_keeps_its_buildings"): refuses(BOX.format(113.83, 113.831, 4), "grid_keeps_its_buildings"),
    ("reg.building", "count_insert"): counts_cells(BUILDING),
    ("reg.building", "count_update"): counts_cells("UPDATE reg.building SET rental = NOT rental WHERE house_code = lpad('501', 19, '0')"),
    ("reg.building", "count_delete"): counts_cells(
        f"{BUILDING}; DELETE FROM reg.building WHERE house_code = repeat('9', 19); UPDATE reg.building SET rental = NOT rental"
    ),
    ("reg.building", "place_building"): gives(BUILDING, GRID_OF.format("building", "house_code = repeat('9', 19)"), "Grid 7 演"),
    ("reg.building", "building_empty"): refuses(
        "UPDATE reg.building SET retired_on = '2020-01-01' WHERE house_code = lpad('501', 19, '0')", "building_empty"
    ),
    ("reg.unit", "unit_in_building_i"): refuses(
        f"{BUILDING}; UPDATE reg.building SET retired_on = '2020-01-01' WHERE name = 'X'; {UNIT}", "unit_in_building"
    ),
    ("reg.unit", "unit_in_building_u"): refuses(
        f"{BUILDING}; {UNIT}; UPDATE reg.unit SET retired_on = '2020-01-01' WHERE room = 'X';"
        " UPDATE reg.building SET retired_on = '2020-01-01' WHERE name = 'X'; UPDATE reg.unit SET retired_on = NULL WHERE room = 'X'",
        "unit_in_building",
    ),
    ("reg.unit", "unit_empty"): refuses(
        "UPDATE reg.unit SET retired_on = '2021-01-01' WHERE code LIKE lpad('501', 19, '0') || '%'", "unit_empty"
    ),
    ("reg.person", "person_gone"): refuses("UPDATE reg.person SET deleted_at = now() WHERE name = 'Somebody 50'", "person_gone"),
    ("reg.residence", "person_follows"): gives(
        f"{BUILDING}; {UNIT}; {COPIES['person']}; INSERT INTO reg.residence (person_id, unit_id, grid_id, subdistrict_id, valid_from)"
        " SELECT p.id, u.id, u.grid_id, u.subdistrict_id, '2020-01-01' FROM reg.person p, reg.unit u WHERE p.name = 'X' AND u.room = 'X'",
        GRID_OF.format("person", "name = 'X'"),
        "Grid 7 演",
    ),
    ("reg.residence", "person_follows_correction"): gives(
        "UPDATE reg.building SET entrance = public.ST_SetSRID(public.ST_MakePoint(113.859, 22.701), 4490)"
        " WHERE house_code = lpad('502', 19, '0')",
        "SELECT DISTINCT g.name FROM reg.person p JOIN reg.grid g ON g.id = p.grid_id JOIN reg.residence r ON r.person_id = p.id"
        " JOIN reg.unit u ON u.id = r.unit_id WHERE u.code LIKE lpad('502', 19, '0') || '%'",
        "Grid 6 演",
    ),
    ("reg.residence", "residence_place_i"): refuses(
        f"{BUILDING}; {UNIT}; UPDATE reg.unit SET deleted_at = now() WHERE room = 'X'; {RESIDENCE}", "residence_place"
    ),
    ("reg.residence", "residence_place_u"): refuses(
        f"{BUILDING}; {UNIT}; {RESIDENCE}; UPDATE reg.unit SET retired_on = '1995-01-01' WHERE room = 'X';"
        " UPDATE reg.residence SET valid_to = NULL WHERE valid_to = '1991-01-01'",
        "residence_place",
    ),
    ("reg.residence", "residence_verified"): out_of_reach(
        "UPDATE reg.residence SET verified_by = (SELECT sec.actor()) + 1, verified_at = now() WHERE id = (SELECT id"
        " FROM reg.residence LIMIT 1)"
    ),
    ("reg.lease", "lease_within_head"): refuses(LEASE.format(parent="h.id", until="2030-01-02"), "lease_within_head"),
    ("reg.lease", "lease_still_within_head"): refuses(
        f"{LEASE.format(parent='h.id', until='2030-01-01')}; SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED;"
        " UPDATE reg.lease SET valid_to = '2029-12-31' WHERE number = 'L-1'",
        "lease_within_head",
    ),
    ("reg.lease", "lessee_seen"): out_of_reach("UPDATE reg.lease SET lessee_id = %s WHERE id = (SELECT id FROM reg.lease LIMIT 1)"),
    ("reg.lease", "lease_state_step"): refuses("UPDATE reg.lease SET state = 'drafted' WHERE number = 'L-1'", "lease_state_step"),
    ("reg.grid_assignment", "note_end"): gives(
        "UPDATE reg.grid_assignment SET valid_to = reg.today() + 9 WHERE id = (SELECT min(id) FROM reg.grid_assignment)",
        "SELECT ended_at > now() FROM reg.grid_assignment WHERE id = (SELECT min(id) FROM reg.grid_assignment)",
        True,
    ),
    ("reg.inspection", "unit_in_building"): refuses(
        "INSERT INTO reg.inspection (building_id, unit_id, grid_id, subdistrict_id, kind, outcome, visited_at)"
        " SELECT b.id, u.id, b.grid_id, b.subdistrict_id, 'safety', 'ok', '2020-01-01'"
        " FROM reg.building b JOIN reg.unit u ON u.grid_id = b.grid_id AND u.building_id <> b.id LIMIT 1",
        "inspection_unit_in_building",
    ),
    ("reg.duty_report", "unit_in_building"): refuses(
        "INSERT INTO reg.duty_report (manager_id, unit_id, grid_id, subdistrict_id, kind, happened_on)"
        " SELECT m.id, u.id, m.grid_id, m.subdistrict_id, 'notice', '2020-01-01'"
        " FROM reg.manager m JOIN reg.unit u ON u.grid_id = m.grid_id AND u.building_id <> m.building_id LIMIT 1",
        "duty_report_unit_in_building",
    ),
    ("reg.manager", "manager_state_step"): refuses("UPDATE reg.manager SET state = 'appointed'", "manager_state_step"),
}
"""Table and trigger, and what shows that it works. The triggers of the audit trail's partitions are asked for by `trail`."""


def trail(table: str, trigger: str) -> Promise:
    """The promise of a trigger of the audit trail or one of its partitions."""
    if trigger == "no_change":
        return append_only(table, "UPDATE {} SET action = 'X'", "DELETE FROM {}")
    return append_only(table, "TRUNCATE {}")
