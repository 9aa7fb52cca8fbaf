"""Every guard is taken away in turn, and each time something must be seen to break: the tests of the protection prove something."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import LiteralString

import pytest

from gridmgmt.operations.catalogue import HARDENING, RULES, breaches
from tests.protection.doors import CLASSES, Register, Root, acting, dressed, run, tried, undone
from tests.protection.oracle import NEW_ROWS, OTHER_ROWS, differences, hidden_from, wrong_inserts
from tests.protection.promises import PROMISES, Promise, trail
from tests.protection.rights import BY_NAME, TABLES, Table, open_rows
from tests.protection.seed import ACCOUNTS, Account

WITNESSES = {
    "field": ("w-with-a-community", "w-disabled"),
    "subdistrict": ("s-one", "s-disabled"),
    "district": ("d-one", "d-disabled"),
    "loader": ("d-one", "d-disabled"),
    "admin": ("a-one", "a-disabled"),
    "audit": ("u-one", "u-disabled"),
}
HOUSE = ("reg_owner", "sec_definer", "reg_dump_reader")
GRIDS_TRIED = (1, 9)


def witnesses(scope: str) -> list[Account]:
    return [account for account in ACCOUNTS if account.scope == scope and account.username in WITNESSES[scope]]


def complaints(root: Root, register: Register, table: str, role: str) -> list[str]:
    """What the oracle has to say of one table and one role."""
    if role in HOUSE:
        return hidden_from(root, role, [table])
    scope = role.removeprefix("app_")
    rights = BY_NAME[table]
    if scope in {"public", "auth"}:
        return _strangers_complaints(root, scope, rights)
    found: list[str] = []
    for account in witnesses(scope):
        found += differences(root, register, [account], [rights])
        noun = table.removeprefix("reg.")
        if noun in NEW_ROWS:
            found += wrong_inserts(root, register, account, [noun], GRIDS_TRIED)
        if table in OTHER_ROWS:
            statement, classes = OTHER_ROWS[table]
            may = scope in classes and (account.valid or table == "reg.audit")
            with acting(root, register, account):
                if (tried(root, statement) == []) != may:
                    found.append(f"{account.username} into {table}")
        if noun == "building" and scope in {"field", "subdistrict"}:
            found += _moves_out(root, register, account)
    return found


def _strangers_complaints(root: Root, scope: str, table: Table) -> list[str]:
    with dressed(root, f"api_{scope}"):
        seen = tried(root, f"SELECT count(*) FROM {table.name}")
        written = table.name in OTHER_ROWS and tried(root, OTHER_ROWS[table.name][0]) == []
    there = run(root, f"SELECT count(*) FROM {table.name} t WHERE {open_rows(table, scope) or 'false'}")
    found = [] if seen in (there, "42501" if there == [(0,)] else there) else [f"{scope} reads {table.name}"]
    return found + ([f"{scope} writes {table.name}"] if written != (scope == "auth" and table.name == "reg.audit") else [])


def _moves_out(root: Root, register: Register, account: Account) -> list[str]:
    """Who sees some grids does not push a building out of them. No column is read: only the policies for updates stand against it."""
    with acting(root, register, account):
        got = tried(root, "UPDATE reg.building SET entrance = public.ST_SetSRID(public.ST_MakePoint(113.885, 22.705), 4490)")
    return [] if got == ("42501" if account.valid else []) else [f"{account.username} moves its buildings to grid 9: {got}"]


@contextmanager
def without(root: Root, *statements: str) -> Generator[None]:
    with undone(root):
        for statement in statements:
            run(root, statement)
        yield


POLICIES = (
    "SELECT polname, CASE WHEN r.oid IS NULL THEN 'public' ELSE r.rolname END, polcmd::text, pg_get_expr(polqual,"
    " polrelid), pg_get_expr(polwithcheck, polrelid)"
    " FROM pg_policy CROSS JOIN LATERAL unnest(polroles) role LEFT JOIN pg_roles r ON r.oid = role"
    " WHERE polrelid = %s::regclass ORDER BY 1, 2"
)
PARTITIONS = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'reg.audit'::regclass ORDER BY 1"


@pytest.mark.parametrize("table", [table.name for table in TABLES])
def test_oracle_notices_the_loss_of_any_policy(root: Root, register: Register, table: str) -> None:
    policies = run(root, POLICIES, [table])
    assert len(policies) >= 3
    unnoticed: list[str] = []
    for role in {role for _, role, *_ in policies}:
        assert complaints(root, register, table, role) == []
    for name, role, *_ in policies:
        with without(root, f"DROP POLICY {name} ON {table}"):
            if not complaints(root, register, table, role):
                unnoticed.append(f"{name} for {role}")
    assert unnoticed == []


@pytest.mark.parametrize("table", [table.name for table in TABLES])
def test_oracle_notices_the_widening_of_any_policy(root: Root, register: Register, table: str) -> None:
    unnoticed: list[str] = []
    for name, role, command, using, check in run(root, POLICIES, [table]):
        for clause, condition in (("USING", using), ("WITH CHECK", check)):
            # only a building can leave its grid by an update: elsewhere, and for who sees all grids, the check has nothing to refuse
            idle = clause == "WITH CHECK" and command == "w" and not (table == "reg.building" and role in {"app_field", "app_subdistrict"})
            if idle or condition in {None, "true"}:
                continue
            with without(root, f"ALTER POLICY {name} ON {table} {clause} (true)"):
                if not complaints(root, register, table, role):
                    unnoticed.append(f"{name} for {role}: {clause}")
    assert unnoticed == []


def test_loss_of_a_partitions_policy_is_noticed(root: Root) -> None:
    unnoticed: list[str] = []
    partitions = run(root, PARTITIONS)
    assert len(partitions) >= 13
    for (partition,) in partitions:
        for name, role, *_ in run(root, POLICIES, [partition]):
            with without(root, f"DROP POLICY {name} ON {partition}"):
                if not hidden_from(root, role, [partition]):
                    unnoticed.append(f"{name} on {partition}")
    assert unnoticed == []


def promise_of(table: str, trigger: str) -> Promise:
    return trail(table, trigger) if table.startswith("reg.audit") else PROMISES[table, trigger]


TRIGGERS = (
    "SELECT tgrelid::regclass::text, tgname FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid"
    " WHERE NOT tgisinternal AND c.relnamespace IN ('reg'::regnamespace, 'sync'::regnamespace) ORDER BY 1, 2"
)


def test_every_trigger_has_a_promise_and_every_promise_a_trigger(root: Root) -> None:
    there = {(table, trigger) for table, trigger in run(root, TRIGGERS)}
    assert {key for key in there if not key[0].startswith("reg.audit")} == set(PROMISES)
    assert {trigger for table, trigger in there if table.startswith("reg.audit")} == {"no_change", "no_truncate"}


def test_every_trigger_keeps_its_promise(root: Root, register: Register) -> None:
    for table, trigger in run(root, TRIGGERS):
        with undone(root):
            assert promise_of(table, trigger)(root, register) is None, f"{trigger} on {table}"


def test_loss_of_any_trigger_is_noticed(root: Root, register: Register) -> None:
    unnoticed: list[str] = []
    for table, trigger in run(root, TRIGGERS):
        with without(root, f"ALTER TABLE {table} DISABLE TRIGGER {trigger}"):
            try:
                with undone(root):
                    broken = promise_of(table, trigger)(root, register)
            except Exception as error:  # noqa: BLE001 -- whatever breaks is noticed
                broken = str(error)
            # each partition refuses to be truncated too: the parent's own trigger is asked for by the catalogue
            if not broken and not breaches(root, RULES):
                unnoticed.append(f"{trigger} on {table}")
    assert unnoticed == []


@pytest.mark.parametrize("statement", ["NO FORCE", "DISABLE"])
def test_catalogue_notices_a_table_without_forced_row_level_security(root: Root, statement: str) -> None:
    assert breaches(root, RULES) == []
    tables = [table.name for table in TABLES] + [name for (name,) in run(root, PARTITIONS)]
    for table in tables:
        with without(root, f"ALTER TABLE {table} {statement} ROW LEVEL SECURITY"):
            assert [breach.found for breach in breaches(root, rules("row-level security is forced"))] == [table]


def rules(words: str) -> Mapping[str, LiteralString]:
    """The one rule of the catalogue that begins so."""
    (rule,) = [rule for rule in RULES if rule.startswith(words)]
    return {rule: RULES[rule]}


def test_catalogue_notices_a_function_opened_to_everybody(root: Root) -> None:
    for (function,) in run(
        root, "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace IN ('sec'::regnamespace, 'reg'::regnamespace)"
    ):
        with without(root, f"GRANT EXECUTE ON FUNCTION {function} TO PUBLIC"):
            assert breaches(root, rules("nothing is granted")) != [], function


def test_catalogue_notices_a_definer_with_another_search_path_or_owner(root: Root) -> None:
    for (function,) in run(root, "SELECT oid::regprocedure::text FROM pg_proc WHERE prosecdef AND pronamespace = 'sec'::regnamespace"):
        for change in ("RESET search_path", "SET search_path = public", "OWNER TO reg_owner"):
            with without(root, "GRANT CREATE ON SCHEMA sec TO reg_owner", f"ALTER FUNCTION {function} {change}"):
                assert breaches(root, rules("functions with their owner's rights")) != [], f"{function} {change}"


@pytest.mark.parametrize(
    "grant",
    [
        *(
            f"GRANT {right} ON {table} TO app_{scope}"
            for scope in ("public", "auth", "field", "admin")
            for right, table in (("SELECT", "reg.identity"), ("SELECT", "reg.person_secret"))
        ),
        *(f"GRANT SELECT ON sec.ctx_key TO app_{scope}" for scope in CLASSES),
        "GRANT SELECT ON reg.person TO app_public",
        "GRANT DELETE ON reg.person TO app_district",
        "GRANT INSERT ON reg.person TO app_field",
        "GRANT UPDATE ON reg.audit TO app_audit",
        "GRANT SELECT ON reg.person TO PUBLIC",
        "GRANT SELECT ON sync.change_log TO app_subdistrict",
        "GRANT SELECT ON reg.audit_default TO app_audit",
        "GRANT app_district TO api_field",
        "GRANT sec_definer TO api_loader",
        "GRANT reg_owner TO app_district",
        "REVOKE app_audit FROM api_audit",
        "ALTER ROLE api_field BYPASSRLS",
        "ALTER ROLE app_field SUPERUSER",
        "ALTER ROLE reg_dump_reader BYPASSRLS",
        "GRANT CREATE ON SCHEMA public TO app_loader",
        "GRANT CREATE ON SCHEMA sec TO app_field",
        "CREATE VIEW reg.everybody AS SELECT * FROM reg.person",
        "CREATE TABLE reg.forgotten (id int)",
        "CREATE FUNCTION reg.helpful() RETURNS int SECURITY DEFINER LANGUAGE sql AS 'SELECT 1'",
        "GRANT USAGE ON SCHEMA sec TO PUBLIC",
        "ALTER ROLE api_field SET statement_timeout = 0",
        "ALTER ROLE api_district SET row_security = off",
        "ALTER ROLE api_audit SET search_path = reg",
    ],
)
def test_catalogue_notices_a_right_too_many(root: Root, grant: str) -> None:
    with without(root, grant):
        assert breaches(root, RULES) != []


REVOKED = """
query_to_xml(text, bool, bool, text)|query_to_xmlschema(text, bool, bool, text)|query_to_xml_and_xmlschema(text, bool, bool, text)
cursor_to_xml(refcursor, int, bool, bool, text)|cursor_to_xmlschema(refcursor, bool, bool, text)|table_to_xml(regclass, bool, bool, text)
table_to_xmlschema(regclass, bool, bool, text)|table_to_xml_and_xmlschema(regclass, bool, bool, text)|schema_to_xml(name, bool, bool, text)
schema_to_xmlschema(name, bool, bool, text)|schema_to_xml_and_xmlschema(name, bool, bool, text)|database_to_xml(bool, bool, text)
database_to_xmlschema(bool, bool, text)|database_to_xml_and_xmlschema(bool, bool, text)|ts_stat(text)|ts_stat(text, text)
ts_rewrite(tsquery, text)|lo_create(oid)|lo_creat(int)|lo_from_bytea(oid, bytea)|pg_sleep(float8)|pg_sleep_for(interval)
pg_sleep_until(timestamptz)|set_config(text, text, bool)|pg_cancel_backend(int)|pg_terminate_backend(int, bigint)
pg_stat_get_xact_tuples_inserted(oid)|pg_stat_get_tuples_updated(oid)|pg_stat_get_activity(int)
pg_advisory_lock(bigint)|pg_try_advisory_xact_lock_shared(int, int)|pg_notify(text, text)
pg_logical_emit_message(bool, text, bytea)|currtid2(text, tid)|pg_current_wal_lsn()|pg_database_size(name)|pg_table_size(regclass)
"""


@pytest.mark.parametrize("function", [name for line in REVOKED.split("\n") for name in line.split("|") if name])
def test_catalogue_notices_a_function_of_the_system_given_back(root: Root, function: str) -> None:
    assert breaches(root, HARDENING) == []
    with without(root, f"GRANT EXECUTE ON FUNCTION pg_catalog.{function} TO PUBLIC"):
        assert breaches(root, HARDENING) != []


@pytest.mark.parametrize(
    "change",
    [
        "ALTER FUNCTION public.geometry_overlaps(public.geometry, public.geometry) NOT LEAKPROOF",
        "GRANT USAGE ON LANGUAGE plpgsql TO PUBLIC",
        "GRANT EXECUTE ON FUNCTION public._postgis_selectivity(regclass, text, public.geometry, text) TO PUBLIC",
    ],
)
def test_catalogue_notices_what_an_upgrade_of_postgis_undoes(root: Root, change: str) -> None:
    with without(root, change):
        assert breaches(root, HARDENING) != []
