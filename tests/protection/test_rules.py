"""The rules of the district that PostgreSQL holds by itself, whoever writes: grids, buildings, leases, steps, and the trail."""

import uuid
from itertools import product

import pytest
from psycopg import errors

from tests.protection.doors import Register, Root, acting, dressed, run, sign, tried, undone
from tests.protection.promises import BUILDING
from tests.protection.seed import BY_NAME

GRID = (
    "INSERT INTO reg.grid (code, kind, name, community_id, subdistrict_id, valid_from, valid_to, geom)"
    " SELECT a.code || '{number}', 'base', 'X', a.id, a.parent_id, '{first}', {after},"
    " public.ST_Multi(public.ST_MakeEnvelope({west}, 22.70, {east}, 22.71, 4490))"
    " FROM reg.area a WHERE a.name = 'Community 1 演'"
)
METRE = 1 / 102_700
"""Degrees of longitude in a metre at 22.7 degrees north."""


def grid(number: str, west: float, east: float, first: str = "1990-01-01", after: str = "'1995-01-01'") -> str:
    """A base grid of community 1 (113.80 to 113.83), in the years before those of the seed unless said otherwise."""
    return GRID.format(number=number, west=west, east=east, first=first, after=after)


def checked(root: Root, *statements: str) -> str | None:
    """The constraint in whose name the statements are refused at the latest at the commit, if they are."""
    try:
        with undone(root):
            for statement in (*statements, "SET CONSTRAINTS ALL IMMEDIATE"):
                run(root, statement)
    except errors.IntegrityError as error:
        return error.diag.constraint_name
    return None


def test_base_grids_overlap_by_a_square_metre_is_refused(root: Root) -> None:
    # the common strip is a thousandth of a metre wide and 1,107 metres long
    assert checked(root, grid("101", 113.80, 113.81), grid("102", 113.81 - METRE / 1000, 113.82)) == "grid_no_overlap"


def test_base_grids_that_touch_along_an_edge_or_at_a_corner_are_taken(root: Root) -> None:
    assert checked(root, grid("101", 113.80, 113.81), grid("102", 113.81, 113.82)) is None


def test_sliver_of_less_than_a_square_decimetre_at_a_junction_is_taken(root: Root) -> None:
    # 1,107 metres by 5 micrometres: about half a square decimetre
    assert checked(root, grid("101", 113.80, 113.81), grid("102", 113.81 - METRE * 5e-6, 113.82)) is None


def test_base_grids_of_different_years_may_lie_over_each_other(root: Root) -> None:
    assert checked(root, grid("101", 113.80, 113.81), grid("102", 113.80, 113.81, "1995-01-01", "'2000-01-01'")) is None
    assert checked(root, grid("101", 113.80, 113.81), grid("102", 113.80, 113.81, "1994-12-31", "'2000-01-01'")) == "grid_no_overlap"


def test_split_may_pass_through_an_overlap_inside_its_transaction(root: Root) -> None:
    shrink = (
        "UPDATE reg.grid SET geom = public.ST_Multi(public.ST_MakeEnvelope(113.80, 22.70, 113.805, 22.71, 4490)) WHERE code LIKE '%101'"
    )
    assert checked(root, grid("101", 113.80, 113.81), grid("102", 113.805, 113.81), shrink) is None


def test_dedicated_grid_lies_over_base_grids(root: Root) -> None:
    assert (
        checked(
            root,
            grid("901", 113.80, 113.82, "2001-01-01", "NULL")
            .replace("(code, kind", "(scheme, code, kind")
            .replace("SELECT a.code", "SELECT 'dedicated', a.code")
            .replace("'base'", "'dedicated'"),
        )
        is None
    )


def test_grid_that_leaves_its_community_is_refused(root: Root) -> None:
    assert checked(root, grid("101", 113.79, 113.81)) == "grid_within_community"


def test_base_grid_neither_begins_nor_ends_after_today(root: Root) -> None:
    assert checked(root, grid("101", 113.80, 113.81, after="reg.today() + 1")) == "grid_not_ahead"
    for change in ("valid_to = reg.today() + 1", "valid_from = reg.today() + 1"):
        assert checked(root, f"UPDATE reg.grid SET {change} WHERE name = 'Grid 4 演'") == "grid_not_ahead", change


def test_retired_code_of_a_grid_is_not_used_again(root: Root) -> None:
    retire = "UPDATE reg.grid SET deleted_at = now() WHERE code LIKE '%101'"
    assert checked(root, grid("101", 113.80, 113.81), retire, grid("101", 113.81, 113.82)) == "uq_grid_scheme_code"


def test_building_on_a_shared_edge_lies_in_the_grid_with_the_lowest_code(root: Root, register: Register) -> None:
    for longitude, number in ((113.81, 1), (113.83, 3), (113.86, 6)):
        on_the_edge = BUILDING.replace("113.8605", str(longitude))
        with undone(root):
            assert run(root, f"{on_the_edge} RETURNING grid_id") == [(register.grids[number],)]


def test_building_in_no_grid_is_refused(root: Root) -> None:
    assert checked(root, BUILDING.replace("113.8605", "113.7")) == "building_in_a_grid"


def test_building_does_not_name_its_grid_itself(root: Root, register: Register) -> None:
    named = BUILDING.replace("(house_code", "(grid_id, subdistrict_id, house_code").replace(
        "VALUES (", f"VALUES ({register.grids[1]}, {register.subdistricts[1]}, "
    )
    with undone(root):
        assert run(root, f"{named} RETURNING grid_id, subdistrict_id") == [(register.grids[7], register.subdistricts[2])]


def test_redraw_that_leaves_a_building_outside_is_refused(root: Root) -> None:
    for change in (
        "geom = public.ST_Multi(public.ST_MakeEnvelope(113.83, 22.70, 113.833, 22.71, 4490))",
        "valid_to = reg.today()",
        "deleted_at = now()",
    ):
        assert checked(root, f"UPDATE reg.grid SET {change} WHERE name = 'Grid 4 演'") == "grid_keeps_its_buildings", change


def test_moved_building_takes_units_residents_and_leases_along_and_tells_both_grids(root: Root, register: Register) -> None:
    code = "lpad('503', 19, '0')"
    run(root, f"UPDATE reg.building SET entrance = public.ST_SetSRID(public.ST_MakePoint(113.855, 22.705), 4490) WHERE house_code = {code}")
    there = (register.grids[6], register.subdistricts[1])
    units = f"SELECT u.id FROM reg.unit u WHERE u.code LIKE {code} || '%'"
    lives = f"SELECT r.person_id FROM reg.residence r WHERE r.unit_id IN ({units})"
    for table, condition in (
        ("unit", f"id IN ({units})"),
        ("residence", f"unit_id IN ({units})"),
        ("lease", f"unit_id IN ({units})"),
        ("manager", f"building_id = (SELECT id FROM reg.building WHERE house_code = {code})"),
        ("inspection", f"unit_id IN ({units})"),
        ("duty_report", f"unit_id IN ({units})"),
        ("person", f"id IN ({lives})"),
        ("discrepancy", f"person_id IN ({lives})"),
    ):
        assert set(run(root, f"SELECT grid_id, subdistrict_id FROM reg.{table} WHERE {condition}")) == {there}, table
    told = run(root, "SELECT kind, scope_id, count(*) FROM sync.change_log WHERE xid = pg_current_xact_id() GROUP BY 1, 2")
    kinds = ("building", "unit", "resident", "residence", "lease", "manager", "inspection", "duty_report")
    both = [(kind, register.grids[number]) for kind in kinds for number in (5, 6)]
    assert sorted((kind, scope) for kind, scope, _ in told) == sorted(both)
    assert {count for kind, _, count in told if kind in {"unit", "resident", "residence", "lease"}} == {3}


RESIDENCE = (
    "INSERT INTO reg.residence (person_id, unit_id, grid_id, subdistrict_id, main, valid_from, valid_to)"
    " SELECT person_id, unit_id, grid_id, subdistrict_id, {main}, '{first}', {after} FROM reg.residence WHERE person_id ="
    " (SELECT id FROM reg.person WHERE name = 'Somebody 70') AND valid_from = '2020-01-01'"
)


def test_second_main_residence_at_a_time_is_refused(root: Root) -> None:
    assert checked(root, RESIDENCE.format(main="true", first="2019-01-01", after="'2020-01-02'")) == "ex_residence_main"
    assert checked(root, RESIDENCE.format(main="true", first="2021-01-01", after="NULL")) == "ex_residence_main"


def test_main_residence_ends_the_day_another_begins_and_a_second_home_lies_beside(root: Root) -> None:
    assert checked(root, RESIDENCE.format(main="true", first="2019-01-01", after="'2020-01-01'")) is None
    assert checked(root, RESIDENCE.format(main="false", first="2019-01-01", after="NULL")) is None


def test_correction_that_makes_a_residence_the_main_one_of_today_takes_the_record_along(root: Root, register: Register) -> None:
    unit = f"SELECT id, grid_id, subdistrict_id FROM reg.unit WHERE grid_id = {register.grids[5]} LIMIT 1"
    person = "(SELECT id FROM reg.person WHERE name = 'Somebody 70')"
    run(root, f"UPDATE reg.residence SET valid_to = '2021-01-01' WHERE person_id = {person}")
    for first, main, change in (("2021-01-01", "false", "main = true"), ("2999-01-01", "true", "valid_from = '2021-01-01'")):
        with undone(root):
            run(
                root,
                "INSERT INTO reg.residence (person_id, unit_id, grid_id, subdistrict_id, main, valid_from)"
                f" SELECT {person}, u.*, {main}, '{first}' FROM ({unit}) u",
            )
            assert run(root, f"SELECT grid_id FROM reg.person WHERE id = {person}") != [(register.grids[5],)], change
            run(root, f"UPDATE reg.residence SET {change} WHERE person_id = {person} AND valid_from = '{first}'")
            assert run(root, f"SELECT grid_id FROM reg.person WHERE id = {person}") == [(register.grids[5],)], change


KNOWN = "SELECT person_id, struck FROM sec.people_known(ARRAY[%s::bytea])"
AGAIN = "SELECT sec.person_ensure(%s, %s, gen_random_uuid(), %s, 'sealed', 1::smallint, %s, NULL, NULL, NULL, NULL, NULL, 'floating')"


def test_number_of_a_person_struck_out_leads_to_who_stands(root: Root, register: Register) -> None:
    ((first, number, grid_id),) = run(
        root,
        "SELECT p.id, i.id_bi, p.grid_id FROM reg.person p JOIN reg.person_secret s ON s.person_id = p.id"
        " JOIN reg.identity i ON i.id = s.identity_id WHERE p.name = 'Somebody 70'",
    )
    second, third = uuid.uuid4(), uuid.uuid4()
    with acting(root, register, BY_NAME["d-one", "district"]):
        run(root, AGAIN, [second, grid_id, number, "Second"])
        run(root, "SET LOCAL SESSION AUTHORIZATION postgres")
        run(root, "UPDATE reg.residence SET deleted_at = now() WHERE person_id = %s", [first])
        run(root, "UPDATE reg.person SET deleted_at = now() WHERE id = %s", [first])
        run(root, AGAIN, [third, grid_id, number, "Third"])
        told = run(root, "SELECT person_id, ours, theirs FROM reg.discrepancy WHERE theirs IN ('Second', 'Third') ORDER BY theirs")
        assert told == [(first, "Somebody 70", "Second"), (second, "Second", "Third")]
        run(root, "UPDATE reg.person SET deleted_at = now() WHERE id = %s", [third])
        # as the loader, whose context is another
        run(root, "SET LOCAL SESSION AUTHORIZATION api_loader")
        run(root, "SELECT sec.enter(%s, 0)", [sign(register.accounts["d-one"], "loader", root.info.backend_pid)])
        assert run(root, KNOWN, [number]) == [(second, False)]


LEASE = (
    "INSERT INTO reg.lease (number, unit_id, grid_id, subdistrict_id, parent_id, rent_fen, rent_given, rent_unit,"
    " area_basis_m2, valid_from, valid_to,"
    " ended_on, state, new_let) SELECT '{number}', unit_id, grid_id, subdistrict_id, {parent}, 1, 1, 'month', 1,"
    " '{first}', '{after}', {ended},"
    " '{state}', true FROM reg.lease WHERE number = 'L-70'"
)


def lease(number: str, first: str, after: str, *, parent: str = "NULL", ended: str = "NULL", state: str = "signed") -> str:
    """A lease of the unit that L-70 holds from 2020 to 2030."""
    return LEASE.format(number=number, first=first, after=after, parent=parent, ended=ended, state=state)


def test_second_lease_of_a_unit_at_a_time_is_refused(root: Root) -> None:
    assert checked(root, lease("X", "2029-12-31", "2031-01-01")) == "ex_lease_unit"
    assert checked(root, lease("X", "2010-01-01", "2020-01-02")) == "ex_lease_unit"


def test_lease_may_start_the_day_another_ends_and_drafts_lie_beside(root: Root) -> None:
    assert checked(root, lease("X", "2030-01-01", "2031-01-01"), lease("Y", "2031-01-01", "2032-01-01")) is None
    assert checked(root, lease("X", "2025-01-01", "2026-01-01", state="drafted")) is None
    assert checked(root, lease("X", "2025-01-01", "2026-01-01", state="cancelled")) is None


def test_lease_that_was_ended_early_makes_room_from_that_day(root: Root) -> None:
    end = "UPDATE reg.lease SET state = 'terminated', ended_on = '2025-06-01' WHERE number = 'L-70'"
    assert checked(root, end, lease("X", "2025-06-01", "2026-01-01")) is None
    assert checked(root, end, lease("X", "2025-05-31", "2026-01-01")) == "ex_lease_unit"


def test_sublet_lies_within_its_head(root: Root) -> None:
    assert checked(root, lease("X", "2020-01-01", "2030-01-01", parent="id")) is None
    assert checked(root, lease("X", "2021-01-01", "2030-01-02", parent="id")) == "lease_within_head"
    assert checked(root, lease("X", "2019-12-31", "2021-01-01", parent="id")) == "lease_within_head"


def test_head_is_not_ended_under_its_sublet(root: Root) -> None:
    sublet = lease("X", "2021-01-01", "2030-01-01", parent="id")
    checkpoint = ("SET CONSTRAINTS ALL IMMEDIATE", "SET CONSTRAINTS ALL DEFERRED")
    for change in ("valid_to = '2029-12-31'", "state = 'terminated', ended_on = '2025-01-01'", "valid_from = '2021-01-02'"):
        assert checked(root, sublet, *checkpoint, f"UPDATE reg.lease SET {change} WHERE number = 'L-70'") == "lease_within_head", change


def test_sublet_does_not_stand_without_its_head(root: Root) -> None:
    sublet = lease("X", "2021-01-01", "2030-01-01", parent="id")
    checkpoint = ("SET CONSTRAINTS ALL IMMEDIATE", "SET CONSTRAINTS ALL DEFERRED")
    for change in ("deleted_at = now()", "state = 'cancelled'"):
        head = f"UPDATE reg.lease SET {change} WHERE number = 'L-70'"
        assert checked(root, sublet, *checkpoint, head) == "lease_keeps_its_sublets", change
        assert checked(root, sublet, *checkpoint, head, f"UPDATE reg.lease SET {change} WHERE number = 'X'") is None, change
    draft = lease("H", "2040-01-01", "2041-01-01", state="drafted")
    of_draft = lease("X", "2040-01-01", "2041-01-01", parent="(SELECT id FROM reg.lease WHERE number = 'H')")
    assert checked(root, draft, of_draft) == "lease_keeps_its_sublets"


def test_sublet_is_of_the_same_unit(root: Root) -> None:
    assert (
        checked(root, lease("X", "2021-01-01", "2022-01-01", parent="(SELECT id FROM reg.lease WHERE number = 'L-71')"))
        == "fk_lease_parent_id_unit_id"
    )


LEASE_STEPS = {
    "drafted": {"signed", "cancelled"},
    "signed": {"filed", "terminated", "expired", "cancelled"},
    "filed": {"changed", "renewed", "terminated", "expired", "cancelled"},
    "changed": {"filed", "renewed", "terminated", "expired", "cancelled"},
    "renewed": {"filed", "changed", "terminated", "expired", "cancelled"},
    "terminated": set[str](),
    "expired": set[str](),
    "cancelled": set[str](),
}


def test_lease_takes_the_listed_steps_only(root: Root) -> None:
    for before, after in product(LEASE_STEPS, LEASE_STEPS):
        first = (
            lease("X", "2040-01-01", "2041-01-01", ended="'2041-01-01'", state=before)
            .replace("ended_on, state", "ended_on, filed_on, state")
            .replace("'2041-01-01', '", "'2041-01-01', '2040-01-01', '")
        )
        step = checked(root, first, f"UPDATE reg.lease SET state = '{after}' WHERE number = 'X'")
        assert step == (None if after in LEASE_STEPS[before] or after == before else "lease_state_step"), f"{before} to {after}"


MANAGER_STEPS = {
    "candidate": {"checked", "resigned", "dismissed"},
    "checked": {"appointed", "resigned", "dismissed"},
    "appointed": {"trained", "resigned", "dismissed"},
    "trained": {"active", "resigned", "dismissed"},
    "active": {"suspended", "resigned", "dismissed"},
    "suspended": {"active", "resigned", "dismissed"},
    "resigned": set[str](),
    "dismissed": set[str](),
}


def test_manager_takes_the_listed_steps_only(root: Root) -> None:
    for before, after in product(MANAGER_STEPS, MANAGER_STEPS):
        first = (
            "INSERT INTO reg.manager (person_id, building_id, grid_id, subdistrict_id, kind, valid_from, valid_to,"
            " police_contact, office_contact, state,"
            " archive_number) SELECT person_id, building_id, grid_id, subdistrict_id, kind, '1990-01-01', '1991-01-01',"
            f" 'P', 'O', '{before}', 'X' FROM reg.manager LIMIT 1"
        )
        step = checked(root, first, f"UPDATE reg.manager SET state = '{after}' WHERE archive_number = 'X'")
        assert step == (None if after in MANAGER_STEPS[before] or after == before else "manager_state_step"), f"{before} to {after}"


@pytest.mark.parametrize("role", ["postgres", "reg_owner", "sec_definer"])
def test_trail_is_not_changed_by_anybody(root: Root, role: str) -> None:
    partitions = [name for (name,) in run(root, "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'reg.audit'::regclass")]
    with dressed(root, role):
        for table in ("reg.audit", *partitions):
            for statement in ("UPDATE {} SET outcome = 'ok'", "DELETE FROM {}", "TRUNCATE {}"):
                assert tried(root, statement.format(table)) == "42501", statement.format(table)


def test_every_partition_of_the_trail_refuses_and_new_months_come_protected(root: Root) -> None:
    run(root, "SET LOCAL ROLE reg_owner")
    run(root, "SELECT reg.audit_months(14)")
    run(root, "RESET ROLE")
    # this month, fourteen more and the default
    assert run(root, "SELECT count(*) FROM pg_inherits WHERE inhparent = 'reg.audit'::regclass") == [(16,)]
    run(root, "INSERT INTO reg.audit (at, action, object_type, outcome) SELECT now() + interval '14 months', 'look', 'person', 'ok'")
    ((newest,),) = run(root, "SELECT tableoid::regclass::text FROM reg.audit ORDER BY at DESC LIMIT 1")
    for statement in ("UPDATE {} SET outcome = 'ok'", "DELETE FROM {}", "TRUNCATE {}"):
        assert tried(root, statement.format(newest)) == "42501"


def test_owner_corrects_rows_in_a_migration_although_row_level_security_is_forced(root: Root) -> None:
    with dressed(root, "reg_owner"):
        ((changed,),) = run(root, "WITH u AS (UPDATE reg.unit SET room = room || 'A' RETURNING id) SELECT count(*) FROM u")
    assert changed == 144
