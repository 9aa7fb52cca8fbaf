"""What the catalogue itself promises: the rules of `doctor`, which columns can be named by whom, and what has no place in the schema."""

import re

import pytest

from gridmgmt.operations.catalogue import HARDENING, RULES, breaches
from tests.protection.doors import CLASSES, Root, dressed, run, undone

KEPT = frozenset({"id", "version", "recorded_from", "recorded_by", "geom_3857"})
"""Columns that PostgreSQL writes by itself."""
PLACE = frozenset({"grid_id", "subdistrict_id", "building_id", "unit_id", "person_id", "parent_id", "identity_id"})
"""Columns that say where a row belongs: once written they change by named functions and cascades only."""
SECRET = frozenset({"password_hash", "key_hash", "id_enc", "id_bi", "phone_enc", "req_hash", "ipad", "opad"}) | {
    "refresh_hash",
    "refresh_before",
    "code_hash",
    "public_key",
}

COLUMNS = (
    "SELECT c.oid::regclass::text, a.attname, r.rolname, x.privilege_type"
    " FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0"
    " CROSS JOIN LATERAL (SELECT * FROM aclexplode(a.attacl) UNION ALL SELECT *"
    " FROM aclexplode(c.relacl)) x JOIN pg_roles r ON r.oid = x.grantee"
    " WHERE c.relnamespace::regnamespace::text IN ('reg', 'sec', 'sync') AND c.relkind IN ('r', 'p', 'v') AND NOT a.attisdropped"
    " AND r.rolname ~ '^(app|api)_'"
)


def test_catalogue_breaks_no_rule(root: Root) -> None:
    assert breaches(root, RULES) == []
    assert breaches(root, HARDENING) == []


@pytest.mark.parametrize("scope", CLASSES)
def test_every_role_may_ask_the_catalogue(root: Root, scope: str) -> None:
    with dressed(root, f"api_{scope}"):
        assert breaches(root, {**RULES, **HARDENING}) == []


def may(root: Root, privilege: str, columns: frozenset[str]) -> set[tuple[str, str, str]]:
    """Table, column and class of every right of that kind to one of the columns."""
    return {(table, column, role[4:]) for table, column, role, kind in run(root, COLUMNS) if kind == privilege and column in columns}


def test_nobody_reads_a_secret(root: Root) -> None:
    assert may(root, "SELECT", SECRET) == set()


def test_rights_are_given_to_classes_and_never_to_log_ins(root: Root) -> None:
    assert {role for _, _, role, _ in run(root, COLUMNS) if role.startswith("api_")} == set()


def test_kept_columns_are_written_by_postgresql_alone(root: Root) -> None:
    assert may(root, "UPDATE", KEPT | PLACE) == {
        # an area may come to another parent
        ("reg.area", "parent_id", "district"),
        ("reg.area", "parent_id", "loader"),
        ("reg.grid", "subdistrict_id", "district"),
        ("reg.grid", "subdistrict_id", "loader"),
    }
    # the client may choose an id; who recorded is named by the loader alone, and the policy holds it to the truth
    written = {(table, column, role) for table, column, role in may(root, "INSERT", KEPT) if column != "id"}
    assert {column for _, column, _ in written} == {"recorded_by"}
    assert {role for _, _, role in written} == {"loader"}


@pytest.mark.parametrize(
    "grant",
    [
        "GRANT SELECT (password_hash) ON reg.account TO app_admin",
        "GRANT SELECT ON reg.access_key TO app_admin",
        "GRANT UPDATE (grid_id) ON reg.unit TO app_field",
        "GRANT UPDATE ON reg.person TO app_district",
        "GRANT INSERT (version) ON reg.lease TO app_district",
        "GRANT SELECT ON reg.building TO api_field",
    ],
)
def test_column_given_too_many_is_noticed(root: Root, grant: str) -> None:
    with undone(root):
        run(root, grant)
        wrong = 0
        for test in (
            test_nobody_reads_a_secret,
            test_rights_are_given_to_classes_and_never_to_log_ins,
            test_kept_columns_are_written_by_postgresql_alone,
        ):
            try:
                test(root)
            except AssertionError:
                wrong += 1
        assert wrong > 0


FORBIDDEN = re.compile(
    r"face|finger|biometr|iris|door|gate_?pass|entry_log|relig|faith|belief|politic|party_member|petition|(^|_)hiv|(^|_)aids|mental"
    r"|psych|drug|addict|crim"
    r"|convict|correction|wanted|key_person|focus|label|tag|score|risk|rating|pregnan|contracept|fertil|bank|iban|card_no|wage|salary|income"
    r"|ethnic|nation|minority|origin|native|hukou_place|track|trace|position_log|health|disease|disab(?!led_at)|occupation|lat_?lon"
)
"""What the register refuses to hold of people (domain: privacy): biometrics and passes, beliefs, lists, labels and scores of a person,
pregnancy, money, origin, tracks."""


def test_no_column_smells_of_what_the_register_refuses_to_hold(root: Root) -> None:
    columns = run(
        root,
        "SELECT c.relname || '.' || a.attname FROM pg_class c"
        " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
        " WHERE c.relnamespace::regnamespace::text IN ('reg', 'sec', 'sync') AND c.relkind IN ('r', 'p', 'v', 'm')",
    )
    allowed = {"access_key.label", "device.label"}  # what the owner of a key or a handheld calls it
    assert len(columns) > 200
    assert {name for (name,) in columns if FORBIDDEN.search(name.split(".")[1])} - allowed == set()


@pytest.mark.parametrize(
    "name", ["face_template", "religion", "ethnicity", "nationality", "risk_score", "wage", "bank_account", "health_state", "disability"]
)
def test_nose_for_forbidden_columns_works(name: str) -> None:
    assert FORBIDDEN.search(name)


def test_names_of_forbidden_lists_are_no_tables(root: Root) -> None:
    tables = run(
        root,
        "SELECT relname FROM pg_class WHERE relnamespace::regnamespace::text IN ('reg', 'sec', 'sync') AND relkind IN ('r', 'p', 'v', 'm')",
    )
    assert {name for (name,) in tables if FORBIDDEN.search(name)} == set()
