"""Foreign SQL inside a request, by each log-in role over a connection of its own: it reaches no row that the request could not.

The worst case is assumed throughout: the attacker writes whole statements, and the transaction has entered with a valid context.
"""

import psycopg
import pytest

from tests.protection.doors import ATTACKERS, CLASSES, PERSONS_OF, Register, Root, acting, persons, run, sign, tried, visiting
from tests.protection.seed import Account

REFUSED = "42501"


def test_each_class_reaches_the_persons_counted_by_hand(attacker: tuple[Root, Account]) -> None:
    connection, account = attacker
    assert persons(connection) == PERSONS_OF.get(account.scope, 0)


ROLES = (
    "postgres",
    "reg_owner",
    "sec_definer",
    "reg_deploy",
    "reg_dump_reader",
    *(f"{kind}_{name}" for kind in ("app", "api") for name in CLASSES),
)


@pytest.mark.parametrize(
    "statement", ["SET ROLE {}", "SET LOCAL ROLE {}", "SET SESSION AUTHORIZATION {}", "SELECT set_config('role', '{}', true)"]
)
def test_no_other_role_is_taken(attacker: tuple[Root, Account], statement: str) -> None:
    connection, account = attacker
    own = {f"api_{account.scope}", f"app_{account.scope}"}
    for role in ROLES:
        got = tried(connection, statement.format(role))
        assert got == REFUSED or (role in own and got == []), role
    for statement_back in ("RESET ROLE", "RESET SESSION AUTHORIZATION", "SET ROLE NONE"):
        run(connection, statement_back)
    assert persons(connection) == PERSONS_OF.get(account.scope, 0)


MORE_THAN_A_QUERY = (
    "SELECT query_to_xml('SELECT * FROM reg.person', true, true, '')",
    "SELECT query_to_xml_and_xmlschema('SELECT 1', true, true, '')",
    "SELECT table_to_xml('reg.area', true, true, '')",
    "SELECT schema_to_xml('reg', true, true, '')",
    "SELECT database_to_xml(true, true, '')",
    "SELECT cursor_to_xml('c', 1, true, true, '')",
    "SELECT * FROM ts_stat('SELECT name::tsvector FROM reg.area')",
    "SELECT ts_rewrite('a', 'SELECT 1, 1')",
    "DO $$ BEGIN PERFORM 1; END $$",
    "CREATE FUNCTION reg.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE TABLE reg.t (id int)",
    "CREATE TABLE public.t (id int)",
    "CREATE SCHEMA mine",
    "CREATE EXTENSION dblink",
    "CREATE ROLE mine",
    "CREATE PUBLICATION p FOR ALL TABLES",
    "ALTER TABLE reg.person DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE reg.person OWNER TO CURRENT_USER",
    "ALTER POLICY field_r ON reg.person USING (true)",
    "DROP POLICY field_r ON reg.person",
    "ALTER FUNCTION sec.uid(text) RESET search_path",
    "CREATE OR REPLACE FUNCTION sec.grids() RETURNS int[] LANGUAGE sql AS 'SELECT NULL::int[]'",
    "CREATE TRIGGER mine BEFORE INSERT ON reg.unit FOR EACH ROW EXECUTE FUNCTION sec.keep_past()",
    "CREATE RULE mine AS ON SELECT TO reg.person DO ALSO NOTHING",
    "CREATE VIEW reg.v AS SELECT 1",
    "CREATE CAST (text AS int) WITH INOUT",
    "ALTER DATABASE postgres SET row_security = off",
    "ALTER ROLE CURRENT_USER BYPASSRLS",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "COPY reg.area TO '/tmp/area'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_ls_dir('/')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT lo_create(0)",
    "SELECT lo_from_bytea(0, '')",
    "SELECT pg_sleep(1)",
    "SELECT pg_terminate_backend(1)",
    "SELECT pg_cancel_backend(1)",
    "SELECT pg_advisory_lock(1)",
    "SELECT pg_try_advisory_xact_lock(1)",
    "SELECT pg_notify('a', 'b')",
    "SELECT pg_logical_emit_message(false, 'a', 'b')",
    "SELECT currtid2('reg.person', '(0,1)')",
    "SELECT pg_reload_conf()",
    "SELECT pg_stat_get_xact_tuples_inserted('reg.identity'::regclass)",
    "SELECT * FROM pg_stat_activity",
    "SELECT pg_current_wal_insert_lsn()",
    "SELECT pg_relation_size('reg.uq_identity_id_bi')",
    "SELECT pg_total_relation_size('reg.identity')",
    "SELECT * FROM pg_stat_xact_all_tables",
    "SELECT public._postgis_stats('reg.building', 'geom')",
    "SELECT public.ST_EstimatedExtent('reg', 'building', 'geom')",
    "SELECT set_config('row_security', 'off', false)",
    "SELECT set_config('app.ctx', '', false)",
    "UPDATE pg_settings SET setting = 'off' WHERE name = 'row_security'",
    "SELECT * FROM pg_authid",
    "SELECT * FROM pg_statistic",
    "SELECT * FROM pg_hba_file_rules",
    "SELECT nextval('reg.audit_id_seq')",
    "SELECT last_value FROM sync.change_log_seq_seq",
    "SET session_replication_role = replica",
    "SET log_statement = 'all'",
)


def test_what_runs_or_changes_more_than_a_query_is_refused(attacker: tuple[Root, Account]) -> None:
    assert [statement for statement in MORE_THAN_A_QUERY if tried(attacker[0], statement) != REFUSED] == []


def test_right_that_is_not_ones_own_is_not_passed_on(attacker: tuple[Root, Account]) -> None:
    rights = "SELECT relacl::text FROM pg_class WHERE oid = 'reg.person'::regclass"
    before = run(attacker[0], rights)
    tried(attacker[0], "GRANT SELECT ON reg.person TO PUBLIC")
    assert run(attacker[0], rights) == before


NOBODYS = (
    "SELECT * FROM sec.ctx_key",
    "SELECT * FROM sec.quota",
    "UPDATE sec.quota SET per_hour = 1000000",
    "SELECT * FROM reg.identity",
    "SELECT id_bi FROM reg.identity",
    "SELECT count(*) FROM reg.person_secret",
    "SELECT password_hash FROM reg.account",
    "SELECT account FROM reg.account",
    "SELECT * FROM reg.account",
    "SELECT key_hash FROM reg.access_key",
    "SELECT * FROM reg.audit_default",
    "SELECT * FROM sync.mutation",
    "SELECT refresh_hash FROM sync.device",
    "SELECT code_hash FROM sync.enrolment",
    "SELECT sec.key_put('k2', decode(repeat('00', 32), 'hex'), 'infinity')",
    "SELECT * FROM sec.account_by_name('d-one')",
    "SELECT * FROM sec.account_by_key('d-one', '')",
    "SELECT sec.may_see(1, 1)",
    "INSERT INTO reg.identity VALUES (gen_random_uuid(), '', '', 1) ON CONFLICT (id_bi) DO NOTHING",
    "INSERT INTO reg.audit (actor_id, action, object_type, outcome) VALUES (1, 'look', 'person', 'ok')",
    "INSERT INTO reg.audit (at, action, object_type, outcome) VALUES ('2020-01-01', 'look', 'person', 'ok')",
    "INSERT INTO reg.audit (xid, action, object_type, outcome) VALUES ('1', 'look', 'person', 'ok')",
    "INSERT INTO reg.audit (db_role, action, object_type, outcome) VALUES ('x', 'look', 'person', 'ok')",
    "UPDATE reg.person SET grid_id = grid_id, subdistrict_id = subdistrict_id, id_mask = ''",
    "UPDATE reg.unit SET grid_id = grid_id",
    "UPDATE reg.residence SET person_id = person_id",
    "UPDATE reg.building SET version = 9",
    "UPDATE reg.lease SET recorded_by = 9",
    "UPDATE reg.account SET username = 'x'",
    "SELECT phase FROM reg.resident_count",
    "MERGE INTO reg.unit u USING (SELECT 1) s ON true WHEN MATCHED THEN DELETE",
)


def test_keys_secrets_and_kept_columns_are_nobodys(attacker: tuple[Root, Account]) -> None:
    assert [statement for statement in NOBODYS if tried(attacker[0], statement) != REFUSED] == []


MINE = {
    "sec.reveal(gen_random_uuid(), 'a', 'b')": {"field", "subdistrict", "district"},
    "sec.person_by_number('', 'a', 'b')": {"field", "subdistrict", "district"},
    "sec.relocate_person(gen_random_uuid(), 1, '')": {"field", "subdistrict", "district"},
    "sec.end_residence(gen_random_uuid(), '2020-01-01')": {"field", "subdistrict", "district"},
    "sec.relocate_building(gen_random_uuid(), 1, NULL, NULL, '', 0, 0)": {"field", "subdistrict", "district"},
    "sec.quota_left('reveal')": {"field", "subdistrict", "district"},
    "sec.person_phone(gen_random_uuid(), '', 1::smallint)": {"field", "subdistrict", "district", "loader"},
    "sec.people_known('{}')": {"loader"},
    "sec.sealed_before(9::smallint, 9)": {"loader"},
    "sec.reseal('identity', '{}', '{}', 9::smallint)": {"loader"},
    "sec.replace_buildings('{}')": {"district", "loader"},
    "sec.count_residents()": {"loader"},
    "sec.rounded(12, 3)": set[str](),
    "sec.grids()": {"field"},
    "sec.subdistrict()": {"subdistrict"},
    "sec.keep_past()": set[str](),
    "sec.check_grid()": set[str](),
}


def test_functions_with_greater_rights_are_for_their_classes_only(attacker: tuple[Root, Account]) -> None:
    connection, account = attacker
    for call, classes in MINE.items():
        assert (tried(connection, f"SELECT {call}") == REFUSED) == (account.scope not in classes), call


def test_named_functions_give_nothing_of_a_hidden_person(register: Register, root: Root) -> None:
    (hidden,) = run(root, "SELECT p.id FROM reg.person p WHERE p.grid_id = %s LIMIT 1", [register.grids[9]])
    (number,) = run(
        root, "SELECT i.id_bi FROM reg.identity i JOIN reg.person_secret s ON s.identity_id = i.id WHERE s.person_id = %s", hidden
    )
    with visiting(register, ATTACKERS["field"]) as connection:
        assert run(connection, "SELECT * FROM sec.reveal(%s, 'check', 'curious')", hidden) == []
        assert run(connection, "SELECT sec.person_by_number(%s, 'check', 'curious')", number) == []
        assert run(connection, "SELECT sec.relocate_person(%s, 1, '')", hidden) == [(None,)]
        assert run(connection, "SELECT sec.end_residence(%s, '2024-01-01')", hidden) == [(None,)]
        assert run(connection, "SELECT sec.person_phone(%s, '', 1::smallint)", hidden) == [(False,)]
    with visiting(register, ATTACKERS["district"]) as connection:
        assert len(run(connection, "SELECT * FROM sec.reveal(%s, 'check', 'duty')", hidden)) == 1
        assert run(connection, "SELECT sec.person_by_number(%s, 'check', 'duty')", number) == [hidden]


LEFT = "SELECT sec.quota_left('lookup')"


def test_look_up_by_number_costs_the_quota_and_leaves_its_trace_whoever_calls_it(register: Register, root: Root) -> None:
    run(root, "UPDATE sec.quota SET per_hour = 2 WHERE name = 'lookup'")
    (number, person) = run(
        root, "SELECT i.id_bi, s.person_id FROM reg.identity i JOIN reg.person_secret s ON s.identity_id = i.id"
        " JOIN reg.person p ON p.id = s.person_id WHERE p.grid_id = %s LIMIT 1", [register.grids[1]]
    )[0]  # fmt: skip
    with acting(root, register, ATTACKERS["field"]):
        assert run(root, "SELECT sec.person_by_number(%s, '', 'duty')", [number]) == []
        assert run(root, LEFT) == [(2,)]
        assert run(root, "SELECT sec.person_by_number(%s, 'check', 'duty')", [number]) == [(person,)]
        assert run(root, "SELECT sec.person_by_number(sha256('nobody'), 'check', 'duty')") == []
        assert run(root, LEFT) == [(0,)]
        assert run(root, "SELECT sec.person_by_number(%s, 'check', 'duty')", [number]) == []
        run(root, "SET LOCAL SESSION AUTHORIZATION postgres")
        trail = run(root, "SELECT actor_id, db_role, purpose, n_rows, detail FROM reg.audit WHERE action = 'lookup' ORDER BY id")
    me = (register.accounts["w-one"], "api_field", "check")
    assert trail == [(*me, 1, {"reason": "duty", "ids": [str(person)]}), (*me, 0, {"reason": "duty", "ids": []})]


def test_correction_of_a_residence_draws_no_hidden_person_near(register: Register, root: Root) -> None:
    ((unit, subdistrict),) = run(root, "SELECT id, subdistrict_id FROM reg.unit WHERE grid_id = %s LIMIT 1", [register.grids[1]])
    ((person,),) = run(root, "SELECT id FROM reg.person WHERE grid_id = %s LIMIT 1", [register.grids[9]])
    run(root, "UPDATE reg.residence SET valid_to = '2021-01-01' WHERE person_id = %s", [person])
    run(
        root,
        "INSERT INTO reg.residence (person_id, unit_id, grid_id, subdistrict_id, main, valid_from)"
        " VALUES (%s, %s, %s, %s, false, '2021-01-01')",
        [person, unit, register.grids[1], subdistrict],
    )
    correct = "UPDATE reg.residence SET main = true WHERE person_id = %s AND NOT main"
    where = "SELECT grid_id FROM reg.person WHERE id = %s"
    for name, grid in (("field", 9), ("district", 1)):
        with acting(root, register, ATTACKERS[name]):
            run(root, correct, [person])
            run(root, "SET LOCAL SESSION AUTHORIZATION postgres")
            assert run(root, where, [person]) == [(register.grids[grid],)], name


@pytest.mark.parametrize("scope", CLASSES)
def test_only_the_loader_makes_temporary_tables(register: Register, scope: str) -> None:
    with psycopg.connect(register.address.conninfo(f"api_{scope}")) as connection:
        for statement in (
            "CREATE TEMP TABLE person (id int)",
            "CREATE TEMP TABLE t AS SELECT 1",
            "SELECT 1 INTO TEMP t",
            "CREATE TEMP VIEW v AS SELECT 1",
        ):
            assert (tried(connection, statement) == REFUSED) == (scope != "loader")


def test_temporary_tables_of_the_loader_shadow_nothing_in_functions_with_greater_rights(register: Register) -> None:
    with visiting(register, ATTACKERS["loader"]) as connection:
        for name in ("new_rows", "old_rows", "account", "ctx_key", "quota", "grid", "pg_class"):
            run(connection, f"CREATE TEMP TABLE {name} (id uuid, grid_id int, kid text, ipad bytea, opad bytea, not_after timestamptz)")
        run(connection, "CREATE FUNCTION pg_temp.sha256(bytea) RETURNS bytea LANGUAGE sql AS $$ SELECT '\\x00'::bytea $$")
        run(connection, "CREATE FUNCTION pg_temp.st_covers(public.geometry, public.geometry) RETURNS bool LANGUAGE sql AS 'SELECT true'")
        run(connection, "SET LOCAL search_path = pg_temp, pg_catalog, reg, sec, public")
        context = sign(register.accounts["d-two"], "loader", connection.info.backend_pid, key=bytes(32))
        assert run(connection, "SELECT sec.enter(%s, 0)", [context]) == [(None,)]
        context = sign(register.accounts["d-two"], "loader", connection.info.backend_pid)
        assert run(connection, "SELECT sec.enter(%s, 0)", [context]) == [(register.accounts["d-two"],)]
        assert len(run(connection, "UPDATE reg.unit SET room = 'X' RETURNING id")) == 144


def test_row_security_cannot_be_switched_off(attacker: tuple[Root, Account]) -> None:
    connection, account = attacker
    run(connection, "SET LOCAL row_security = off")
    assert tried(connection, "SELECT count(*) FROM reg.person") == REFUSED or account.scope not in PERSONS_OF


def test_copy_into_a_protected_table_is_refused(attacker: tuple[Root, Account]) -> None:
    connection, account = attacker
    assert tried(connection, "COPY reg.unit (code) FROM STDIN") in {REFUSED, "0A000"}
    copied: list[object] = []
    if account.scope in PERSONS_OF:
        with connection.cursor().copy("COPY (SELECT id FROM reg.person) TO STDOUT") as copy:
            copied = list(copy.rows())
    assert len(copied) == PERSONS_OF.get(account.scope, 0)
