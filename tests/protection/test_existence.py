"""A row that is hidden and one that does not exist are told alike, whatever is asked; so are a number that is known and one that is new."""

import pytest
from psycopg import errors

from tests.protection.doors import ATTACKERS, Register, Root, acting, persons, run, tried, visiting

REFUSED = "42501"

LEAKS = (
    "SELECT count(*) FROM reg.person WHERE 1 / (CASE WHEN id = '{hidden}' THEN 0 ELSE 1 END) = 1",
    "SELECT count(*) FROM reg.person WHERE name::int > 0 AND id = '{hidden}'",
    "SELECT count(*) FROM reg.person p JOIN (SELECT '{hidden}'::uuid AS id) x USING (id) WHERE p.name::int > 0",
    "SELECT id FROM reg.person WHERE id = '{hidden}' FOR UPDATE",
    "SELECT id FROM reg.person WHERE id = '{hidden}' FOR KEY SHARE NOWAIT",
    "UPDATE reg.person SET sex = NULL WHERE id = '{hidden}' RETURNING id",
    "WITH u AS (UPDATE reg.person SET sex = NULL WHERE name::int = 0 AND id = '{hidden}' RETURNING id) SELECT id FROM u",
    "MERGE INTO reg.person p USING (SELECT '{hidden}'::uuid AS id) s ON p.id = s.id WHEN MATCHED THEN UPDATE SET sex = NULL",
    "SELECT count(*) FROM ONLY reg.person TABLESAMPLE SYSTEM (100) WHERE id = '{hidden}' AND name::int = 0",
    "SELECT count(*) FROM reg.person_past WHERE id = '{hidden}' AND name::int = 0",
    (
        "SELECT max(1 / (CASE WHEN p.id = '{hidden}' THEN 0 ELSE 1 END))"
        " FROM reg.residence r FULL JOIN reg.person p ON p.id = r.person_id AND false"
    ),
)


@pytest.mark.parametrize("leak", LEAKS)
def test_hidden_row_and_row_that_does_not_exist_are_told_alike(register: Register, root: Root, leak: str) -> None:
    ((hidden,),) = run(root, "SELECT id FROM reg.person WHERE grid_id = %s LIMIT 1", [register.grids[9]])
    ((unknown,),) = run(root, "SELECT reg.uuid7()")
    with visiting(register, ATTACKERS["field"]) as connection:
        assert tried(connection, leak.format(hidden=hidden)) == tried(connection, leak.format(hidden=unknown))


def test_explain_analyze_counts_no_hidden_row(register: Register) -> None:
    with visiting(register, ATTACKERS["field"]) as connection:
        ((plan,),) = run(connection, "EXPLAIN (ANALYZE, FORMAT JSON) SELECT * FROM reg.person")
        assert plan[0]["Plan"]["Actual Rows"] == 9


PARENTS = {
    "unit of a building": (
        "reg.building",
        (
            "INSERT INTO reg.unit (building_id, grid_id, subdistrict_id, code, floor, room, area_m2, use)"
            " VALUES (%s, {g}, {s}, repeat('9', 25), 1, '1', 1, 'shop')"
        ),
    ),
    "residence in a unit": (
        "reg.unit",
        (
            "INSERT INTO reg.residence (person_id, unit_id, grid_id, subdistrict_id, main, valid_from)"
            " VALUES ('{p}', %s, {g}, {s}, false, '2020-01-01')"
        ),
    ),
    "residence of a person": (
        "reg.person",
        (
            "INSERT INTO reg.residence (person_id, unit_id, grid_id, subdistrict_id, main, valid_from)"
            " VALUES (%s, '{u}', {g}, {s}, false, '2020-01-01')"
        ),
    ),
    "lease of a unit": (
        "reg.unit",
        (
            "INSERT INTO reg.lease (number, unit_id, grid_id, subdistrict_id, rent_fen, rent_given, rent_unit,"
            " area_basis_m2, valid_from, valid_to, state, new_let)"
            " VALUES ('X', %s, {g}, {s}, 1, 1, 'month', 1, '2100-01-01', '2101-01-01', 'drafted', true)"
        ),
    ),
    "lease to a person": (
        "reg.person",
        (
            "INSERT INTO reg.lease (lessee_id, number, unit_id, grid_id, subdistrict_id, rent_fen, rent_given, rent_unit,"
            " area_basis_m2, valid_from, valid_to,"
            " state, new_let) VALUES (%s, 'X', '{u}', {g}, {s}, 1, 1, 'month', 1, '2100-01-01', '2101-01-01', 'drafted', true)"
        ),
    ),
    "sublet of a lease": (
        "reg.lease",
        (
            "INSERT INTO reg.lease (parent_id, number, unit_id, grid_id, subdistrict_id, rent_fen, rent_given, rent_unit,"
            " area_basis_m2, valid_from, valid_to,"
            " state, new_let) VALUES (%s, 'X', '{u}', {g}, {s}, 1, 1, 'month', 1, '2100-01-01', '2101-01-01', 'drafted', true)"
        ),
    ),
    "later lessee": ("reg.person", "UPDATE reg.lease SET lessee_id = %s WHERE unit_id = '{u}'"),
    "discrepancy of a person": (
        "reg.person",
        "INSERT INTO reg.discrepancy (person_id, grid_id, subdistrict_id, field, theirs, source) VALUES (%s, {g}, {s}, 'sex', 'male', 'X')",
    ),
    "manager of a building": (
        "reg.building",
        (
            "INSERT INTO reg.manager (building_id, person_id, grid_id, subdistrict_id, kind, valid_from)"
            " VALUES (%s, '{p}', {g}, {s}, 'hired', '2100-01-01')"
        ),
    ),
    "manager who is a person": (
        "reg.person",
        (
            "INSERT INTO reg.manager (person_id, building_id, grid_id, subdistrict_id, kind, valid_from)"
            " VALUES (%s, '{b}', {g}, {s}, 'hired', '2100-01-01')"
        ),
    ),
    "inspection of a building": (
        "reg.building",
        (
            "INSERT INTO reg.inspection (building_id, grid_id, subdistrict_id, kind, outcome, visited_at)"
            " VALUES (%s, {g}, {s}, 'patrol', 'ok', '2020-01-01')"
        ),
    ),
    "inspection of a unit": (
        "reg.unit",
        (
            "INSERT INTO reg.inspection (unit_id, building_id, grid_id, subdistrict_id, kind, outcome, visited_at)"
            " VALUES (%s, '{b}', {g}, {s}, 'patrol', 'ok', '2020-01-01')"
        ),
    ),
    "report of a manager": (
        "reg.manager",
        (
            "INSERT INTO reg.duty_report (manager_id, grid_id, subdistrict_id, kind, happened_on)"
            " VALUES (%s, {g}, {s}, 'notice', '2020-01-01')"
        ),
    ),
    "report on a unit": (
        "reg.unit",
        (
            "INSERT INTO reg.duty_report (unit_id, manager_id, grid_id, subdistrict_id, kind, happened_on)"
            " VALUES (%s, '{m}', {g}, {s}, 'notice', '2020-01-01')"
        ),
    ),
}


@pytest.mark.parametrize("username", ["w-one", "s-one"])
@pytest.mark.parametrize("name", sorted(PARENTS))
def test_hidden_and_unknown_parents_give_the_same_refusal(register: Register, root: Root, name: str, username: str) -> None:
    table, statement = PARENTS[name]
    ((unit, building, grid, subdistrict, person, manager),) = run(
        root,
        "SELECT u.id, u.building_id, u.grid_id, u.subdistrict_id, r.person_id, m.id FROM reg.unit u"
        " JOIN reg.residence r ON r.unit_id = u.id JOIN reg.manager m ON m.building_id = u.building_id WHERE u.grid_id = %s LIMIT 1",
        [register.grids[1]],
    )
    statement = statement.format(u=unit, b=building, g=grid, s=subdistrict, p=person, m=manager)
    ((hidden,),) = run(root, f"SELECT id FROM {table} WHERE grid_id = %s LIMIT 1", [register.grids[9]])
    ((unknown,),) = run(root, "SELECT reg.uuid7()")
    account = next(account for account in ATTACKERS.values() if account.username == username)
    said: list[tuple[str | None, ...]] = []
    for parent in (hidden, unknown):
        with visiting(register, account) as connection, pytest.raises(errors.Error) as refusal:
            run(connection, statement, [parent])
        diag = refusal.value.diag
        said.append((diag.sqlstate, diag.constraint_name, diag.message_primary, diag.message_detail, diag.message_hint))
    assert said[0] == said[1]
    assert said[0][0] in {"23503", REFUSED}


def test_report_on_a_hidden_person_does_not_tell_what_others_reported(register: Register, root: Root) -> None:
    ((hidden,),) = run(root, "SELECT person_id FROM reg.discrepancy WHERE grid_id = %s AND theirs = 'Anybody' LIMIT 1", [register.grids[9]])
    report = "INSERT INTO reg.discrepancy (person_id, grid_id, subdistrict_id, field, theirs, source) VALUES (%s, %s, %s, 'name', %s, 'X')"
    with visiting(register, ATTACKERS["field"]) as connection:
        answers = [tried(connection, report, [hidden, register.grids[1], register.subdistricts[1], name]) for name in ("Anybody", "Nobody")]
    assert answers == ["23503", "23503"]


def test_verifier_is_not_guessed_by_the_foreign_key(register: Register) -> None:
    with visiting(register, ATTACKERS["field"]) as connection:
        for account in (register.accounts["d-one"], 10**9):
            statement = "UPDATE reg.residence SET verified_by = %s, verified_at = now()"
            assert tried(connection, statement, [account]) == REFUSED
        assert tried(connection, statement, [register.accounts["w-one"]]) == []


def test_errors_of_constraints_show_no_value_of_a_hidden_row(register: Register, root: Root) -> None:
    ((person, unit, grid, subdistrict),) = run(
        root, "SELECT person_id, unit_id, grid_id, subdistrict_id FROM reg.residence WHERE grid_id = %s LIMIT 1", [register.grids[1]]
    )
    again = "INSERT INTO reg.residence (person_id, unit_id, grid_id, subdistrict_id, valid_from) VALUES (%s, %s, %s, %s, '2021-01-01')"
    with visiting(register, ATTACKERS["field"]) as connection, pytest.raises(errors.ExclusionViolation) as refusal:
        run(connection, again, [person, unit, grid, subdistrict])
    assert refusal.value.diag.constraint_name == "ex_residence_main"
    assert refusal.value.diag.message_detail == "Key conflicts with existing key."


ENSURE = "SELECT sec.person_ensure(reg.uuid7(), %s, gen_random_uuid(), %s, %s, 1::smallint, 'N', NULL, NULL, NULL, NULL, NULL, 'floating')"


def test_known_and_new_numbers_are_answered_alike(register: Register, root: Root) -> None:
    ((known,),) = run(
        root,
        "SELECT i.id_bi FROM reg.identity i JOIN reg.person_secret s ON s.identity_id = i.id JOIN reg.person p ON p.id = s.person_id"
        " WHERE p.grid_id = %s LIMIT 1",
        [register.grids[9]],
    )
    with visiting(register, ATTACKERS["field"]) as connection:
        for number in (known, bytes(16)):
            assert run(connection, ENSURE, [register.grids[1], number, b"sealed"]) == [("accepted",)]
        assert persons(connection) == 11
        assert tried(connection, "SELECT n_tup_ins, n_tup_upd FROM pg_stat_xact_all_tables WHERE relname = 'identity'") == REFUSED
        with pytest.raises(errors.InsufficientPrivilege, match="not in scope"):
            run(connection, ENSURE, [register.grids[9], known, b"sealed"])


def test_known_and_new_numbers_write_the_same_number_of_rows(root: Root, register: Register) -> None:
    ((known,),) = run(root, "SELECT id_bi FROM reg.identity LIMIT 1")
    written: list[list[int]] = []
    for number in (known, bytes(16)):
        with acting(root, register, ATTACKERS["district"]):
            run(root, ENSURE, [register.grids[1], number, b"sealed"])
            run(root, "RESET SESSION AUTHORIZATION")
            tables = ("identity", "person", "person_secret")
            # savepoints have numbers of their own, all of them later than their transaction's
            rows = "SELECT count(*) FROM reg.{} WHERE xmin::text::bigint >= pg_current_xact_id()::text::bigint"
            written.append([run(root, rows.format(table))[0][0] for table in tables])
    assert written == [[1, 1, 1], [1, 1, 1]]


def test_id_used_again_with_another_body_is_refused_and_with_the_same_accepted(register: Register) -> None:
    ensure = "SELECT sec.person_ensure(%s, %s, gen_random_uuid(), %s, %s, 1::smallint, %s, NULL, NULL, NULL, NULL, NULL, 'floating')"
    with visiting(register, ATTACKERS["field"]) as connection:
        ((key,),) = run(connection, "SELECT reg.uuid7()")
        for _ in range(2):
            assert run(connection, ensure, [key, register.grids[1], bytes(16), b"sealed", "Name"]) == [("accepted",)]
        assert tried(connection, ensure, [key, register.grids[1], bytes(16), b"sealed", "Other"]) == "23505"
        assert tried(connection, ensure, [key, register.grids[1], bytes(15) + b"1", b"sealed", "Name"]) == "23505"


def test_landlord_that_was_there_and_one_that_is_new_are_answered_alike(register: Register) -> None:
    with visiting(register, ATTACKERS["field"]) as connection:
        ids = [
            run(connection, "SELECT sec.landlord_ensure(%s, %s, 'person')", [register.grids[1], name])[0][0]
            for name in ("Landlord 1", "New")
        ]
        assert [one.version for one in ids] == [4, 4]  # a version 7 would tell when it was made
        assert tried(connection, "SELECT * FROM reg.landlord") == REFUSED
