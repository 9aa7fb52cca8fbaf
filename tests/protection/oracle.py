"""What each account reaches, compared with what the hand-drawn district says: count and hash of the keys for each table and verb."""

from collections.abc import Iterable, Sequence
from typing import Literal

from psycopg import errors

from tests.protection.doors import Register, Root, acting, dressed, run, tried, undone
from tests.protection.rights import BY_NAME, TABLES, Table, expected
from tests.protection.seed import GRIDS, RELEASES, RUNS, Account

HASH = "count(*), coalesce(bit_xor(hashtext(({key})::text)), 0)"
REFUSED = "42501"
Verb = Literal["SELECT", "UPDATE", "BLIND UPDATE", "DELETE"]
VERBS: tuple[Verb, ...] = ("SELECT", "UPDATE", "BLIND UPDATE", "DELETE")
"""A blind update reads no column, so that the policies for reading do not help those for writing."""


def differences(root: Root, register: Register, accounts: Iterable[Account], tables: Iterable[Table] = TABLES) -> list[str]:
    """One line for each account, verb and table where the rows reached are not those expected."""
    tables = tuple(tables)
    found: list[str] = []
    for account in accounts:
        for verb in VERBS:
            wanted = [_wanted(root, register, account, table, verb) for table in tables]
            with acting(root, register, account):
                reached = [_reached(root, table, verb) for table in tables]
            for table, want, got in zip(tables, wanted, reached, strict=True):
                if want != got:
                    found.append(f"{account.username} by {account.scope}: {verb} {table.name} reaches {got}, not {want}")
    return found


def hidden_from(root: Root, role: str, tables: Iterable[str]) -> list[str]:
    """Tables of which a role of the house (owner, definer, dump) does not see every row."""
    found: list[str] = []
    for table in tables:
        there = run(root, f"SELECT count(*) FROM {table}")
        with dressed(root, role):
            if tried(root, f"SELECT count(*) FROM {table}") != there:
                found.append(f"{role} does not see all of {table}")
    return found


def wrong_inserts(root: Root, register: Register, account: Account, tables: Iterable[str], grids: Iterable[int] = GRIDS) -> list[str]:
    """One line for each table and grid where a new row is taken and should not be, or the other way round."""
    places = {number: _places(root, register, number) for number in grids}
    found: list[str] = []
    with acting(root, register, account):
        for number, place in places.items():
            inside = account.valid and (
                account.scope in {"district", "loader"}
                or number in account.grids
                or (account.subdistrict is not None and place["subdistrict"] == register.subdistricts[account.subdistrict])
            )
            for table in tables:
                # the loader writes persons by sec.people_load, and nobody else observes rents
                may = inside and (table != "person" if account.scope == "loader" else table != "rent_observation")
                statement, names = NEW_ROWS[table]
                got = tried(root, statement, [place[name] for name in names])
                if (got == REFUSED) == may or (isinstance(got, str) and got != REFUSED):
                    found.append(f"{account.username}: a new {table} in grid {number} gives {got}")
    return found


def _wanted(root: Root, register: Register, account: Account, table: Table, verb: Verb) -> object:
    condition = expected(table, verb.removeprefix("BLIND "), register, account)
    if condition is None:
        return REFUSED
    if verb == "DELETE":
        return _count(root, f"DELETE FROM {table.name} t WHERE {condition[0]}", condition[1])
    if verb == "BLIND UPDATE":
        return _count(root, f"UPDATE {table.name} t SET {table.column} = {table.value} WHERE {condition[0]}", condition[1])
    return run(root, f"SELECT {HASH.format(key='t.' + table.key)} FROM {table.name} t WHERE {condition[0]}", condition[1])


def _reached(root: Root, table: Table, verb: Verb) -> object:
    if verb == "SELECT":
        return tried(root, f"SELECT {HASH.format(key='t.' + table.key)} FROM {table.name} t")
    if verb == "DELETE":
        return _count(root, f"DELETE FROM {table.name}")
    if verb == "BLIND UPDATE":
        return _count(root, f"UPDATE {table.name} SET {table.column} = {table.value}")
    update = f"UPDATE {table.name} t SET {table.column} = t.{table.column} RETURNING t.{table.key} AS key"
    return tried(root, f"WITH u AS ({update}) SELECT {HASH.format(key='u.key')} FROM u")


def _count(root: Root, update: str, values: Sequence[object] = ()) -> int | str:
    """Number of rows updated, or the SQLSTATE of the refusal; undone either way."""
    try:
        with undone(root):
            return root.execute(update.encode(), values or None).rowcount
    except errors.Error as error:
        return error.sqlstate or "lost"


def _places(root: Root, register: Register, number: int) -> dict[str, object]:
    """Parents of new rows in a grid, as the superuser finds them."""
    grid = register.grids[number]
    (row,) = run(
        root,
        "SELECT b.id, b.subdistrict_id, (SELECT min(u.id::text)::uuid FROM reg.unit u WHERE u.building_id = b.id),"
        " (SELECT min(p.id::text)::uuid FROM reg.person p WHERE p.grid_id = b.grid_id),"
        " (SELECT min(m.id::text)::uuid FROM reg.manager m WHERE m.building_id = b.id)"
        " FROM reg.building b WHERE b.grid_id = %s ORDER BY b.house_code DESC LIMIT 1",
        [grid],
    )
    names = ("building", "subdistrict", "unit", "person", "manager")
    return {"grid": grid, "x": 113.7905 + number * 0.01, **dict(zip(names, row, strict=True))}


NEW_ROWS: dict[str, tuple[str, tuple[str, ...]]] = {
    "building": (
        (
            "INSERT INTO reg.building (house_code, name, address, entrance, source_x, source_y, floors_above, nature, rental)"
            " VALUES (repeat('9', 19), 'New', 'Lane', public.ST_SetSRID(public.ST_MakePoint(%s, 22.701), 4490), 113.8, 22.7,"
            " 1, 'other', false)"
        ),
        ("x",),
    ),
    "unit": (
        (
            "INSERT INTO reg.unit (building_id, grid_id, subdistrict_id, code, floor, room, area_m2, use)"
            " VALUES (%s, %s, %s, repeat('9', 25), 1, '1', 10, 'shop')"
        ),
        ("building", "grid", "subdistrict"),
    ),
    "person": (
        "SELECT sec.person_ensure(reg.uuid7(), %s, NULL, NULL, NULL, 1::smallint, 'New', NULL, NULL, NULL, NULL, NULL, 'floating')",
        ("grid",),
    ),
    "discrepancy": (
        (
            "INSERT INTO reg.discrepancy (person_id, grid_id, subdistrict_id, field, theirs, source)"
            " VALUES (%s, %s, %s, 'sex', 'male', 'test')"
        ),
        ("person", "grid", "subdistrict"),
    ),
    "residence": (
        (
            "INSERT INTO reg.residence (person_id, unit_id, grid_id, subdistrict_id, main, valid_from)"
            " VALUES (%s, %s, %s, %s, false, '2020-01-01')"
        ),
        ("person", "unit", "grid", "subdistrict"),
    ),
    "lease": (
        (
            "INSERT INTO reg.lease (number, unit_id, grid_id, subdistrict_id, lessee_id, rent_fen, rent_given, rent_unit, area_basis_m2,"
            " valid_from, valid_to, state, new_let) VALUES ('new', %s, %s, %s, %s, 1, 1, 'month', 1, '2100-01-01',"
            " '2101-01-01', 'drafted', true)"
        ),
        ("unit", "grid", "subdistrict", "person"),
    ),
    "manager": (
        (
            "INSERT INTO reg.manager (person_id, building_id, grid_id, subdistrict_id, kind, valid_from, valid_to)"
            " VALUES (%s, %s, %s, %s, 'hired', '1990-01-01', '1991-01-01')"
        ),
        ("person", "building", "grid", "subdistrict"),
    ),
    "inspection": (
        (
            "INSERT INTO reg.inspection (building_id, unit_id, grid_id, subdistrict_id, kind, outcome, visited_at)"
            " VALUES (%s, %s, %s, %s, 'patrol', 'ok', '2020-01-01')"
        ),
        ("building", "unit", "grid", "subdistrict"),
    ),
    "duty_report": (
        (
            "INSERT INTO reg.duty_report (manager_id, unit_id, grid_id, subdistrict_id, kind, happened_on)"
            " VALUES (%s, %s, %s, %s, 'notice', '2020-01-01')"
        ),
        ("manager", "unit", "grid", "subdistrict"),
    ),
    "rent_observation": (
        (
            "INSERT INTO reg.rent_observation (source, reference, unit_id, grid_id, subdistrict_id, community_id, use, class, new_let,"
            " begins, rent_fen, reason) VALUES ('survey', 'new', %s, %s, %s, (SELECT id FROM reg.area WHERE code = '440306001001'),"
            " 'shop', 'other', true, '2020-01-01', 1, 'sublet')"
        ),
        ("unit", "grid", "subdistrict"),
    ),
    "sync.file_link": (
        "INSERT INTO sync.file_link (file_id, kind, entity_id, grid_id, subdistrict_id) VALUES (gen_random_uuid(), 'unit', %s, %s, %s)",
        ("unit", "grid", "subdistrict"),
    ),
}
"""A new row of each scoped table, and the parents that it names."""

A_SUBDISTRICT = "(SELECT id FROM reg.area WHERE code = '440306001')"
A_POLYGON = "public.ST_Multi(public.ST_MakeEnvelope(113, 22, 113.1, 22.1, 4490))"
OFFICE = frozenset({"district", "loader"})
ADMIN = frozenset({"admin"})
LOADER = frozenset({"loader"})
NOBODY: frozenset[str] = frozenset()

OTHER_ROWS: dict[str, tuple[str, frozenset[str]]] = {
    "reg.area": (
        (
            "INSERT INTO reg.area (code, name, level, parent_id, valid_from, geom)"
            f" VALUES ('440306009', 'New', 'subdistrict', (SELECT id FROM reg.area WHERE code = '440306'), '2000-01-01', {A_POLYGON})"
        ),
        OFFICE,
    ),
    "reg.area_lineage": (f"INSERT INTO reg.area_lineage VALUES ({A_SUBDISTRICT}, {A_SUBDISTRICT} + 1, 'split', '2000-01-01')", OFFICE),
    "reg.grid": (
        (
            "INSERT INTO reg.grid (code, kind, name, community_id, subdistrict_id, valid_from, geom)"
            f" SELECT '440306001001099', 'base', 'New', id, parent_id, '2000-01-01', {A_POLYGON} FROM reg.area WHERE code = '440306001001'"
        ),
        OFFICE,
    ),
    "reg.grid_lineage": (
        "INSERT INTO reg.grid_lineage VALUES (1, 12, 'merge', '2000-01-01')",
        OFFICE,
    ),
    "reg.post": ("INSERT INTO reg.post (code, name) VALUES ('new', 'New')", ADMIN),
    "reg.grid_assignment": (
        "INSERT INTO reg.grid_assignment (account_id, grid_id, post_id, valid_from) VALUES (1, 1, 1, '2100-01-01')",
        ADMIN,
    ),
    "reg.area_grant": (
        f"INSERT INTO reg.area_grant (account_id, area_id, level, valid_from) VALUES (1, {A_SUBDISTRICT}, 'subdistrict', '2100-01-01')",
        ADMIN,
    ),
    "reg.account": ("INSERT INTO reg.account (username, display_name, role) VALUES ('new', 'New', 'admin')", ADMIN),
    "reg.access_key": (
        "INSERT INTO reg.access_key (account_id, label, key_hash, expires_at) VALUES (1, 'New', sha256(''), '2100-01-01')",
        ADMIN,
    ),
    "reg.organisation": ("INSERT INTO reg.organisation (name, valid_from) VALUES ('New', '2000-01-01')", OFFICE),
    "reg.landlord": (
        f"INSERT INTO reg.landlord (subdistrict_id, kind, name) VALUES ({A_SUBDISTRICT}, 'person', 'New')",
        OFFICE | {"subdistrict"},
    ),
    "reg.audit": (
        "INSERT INTO reg.audit (action, object_type, outcome) VALUES ('look', 'person', 'ok')",
        frozenset({"auth", "field", "subdistrict", "district", "loader", "admin", "audit"}),
    ),
    "reg.person": ("INSERT INTO reg.person (name, registration) VALUES ('New', 'floating')", NOBODY),
    "reg.identity": ("INSERT INTO reg.identity (id) VALUES (gen_random_uuid())", NOBODY),
    "reg.person_secret": ("INSERT INTO reg.person_secret (person_id) VALUES (gen_random_uuid())", NOBODY),
    "reg.layer": ("INSERT INTO reg.layer VALUES ('new')", NOBODY),
    "reg.layer_change": ("INSERT INTO reg.layer_change VALUES ('new')", NOBODY),
    "reg.building_cell": (
        "INSERT INTO reg.building_cell (x, y, grid_id, subdistrict_id, buildings, rental) VALUES (1, 1, 1, 1, 1, 0)",
        NOBODY,
    ),
    "reg.resident_count": (
        "INSERT INTO reg.resident_count (area_id, month, counted_on) VALUES (1, '2020-01-01', '2020-01-01')",
        NOBODY,
    ),
    "reg.rent_limit": ("INSERT INTO reg.rent_limit VALUES (9, 'shop', 'other', 2020, 1, 1, 1, 'all')", LOADER),
    "reg.rent_statistic": (
        (
            "INSERT INTO reg.rent_statistic (month, community_id, use, class, new_let, n, sums)"
            " VALUES ('2020-01-01', 1, 'shop', 'other', true, 1, array_fill(0::bigint, ARRAY[77]))"
        ),
        LOADER,
    ),
    "reg.rent_pair_statistic": (
        (
            "INSERT INTO reg.rent_pair_statistic (community_id, use, earlier, later, n, sum_u, sum_uu)"
            " VALUES (1, 'shop', '2020-01-01', '2020-02-01', 1, 0, 0)"
        ),
        LOADER,
    ),
    "reg.rent_cut": ("INSERT INTO reg.rent_cut VALUES (1, now())", NOBODY),
    "reg.rent_run": (
        (
            "INSERT INTO reg.rent_run (product, frequency, method, parameters, software, data_cut, area_id, use, begins, ends, n, trimmed,"
            " quarantined, digest, premises)"
            f" VALUES ('index', 'month', 'X', '{{}}', 'X', now(), {A_SUBDISTRICT}, 'shop', '2020-01-01', '2021-01-01',"
            " 1, 0, 0, repeat('a', 64), '')"
        ),
        LOADER,
    ),
    "reg.rent_value": (
        (
            "INSERT INTO reg.rent_value (run_id, area_id, use, lets, period, value, n, trimmed, landlords, pooled)"
            f" VALUES ('{RUNS[2]}', {A_SUBDISTRICT}, 'shop', 'new', '2020-01-01', 100, 1, 0, 1, 'own')"
        ),
        LOADER,
    ),
    "reg.rent_release": ("INSERT INTO reg.rent_release (quarter, edition) VALUES ('2020Q1', 1)", LOADER),
    "reg.rent_release_run": (f"INSERT INTO reg.rent_release_run VALUES ('{RELEASES[2]}', '{RUNS[2]}')", LOADER),
    "reg.rent_figure": (
        (
            "INSERT INTO reg.rent_figure (release_id, run_id, product, frequency, area_id, use, lets, period, value, basis)"
            f" VALUES ('{RELEASES[2]}', '{RUNS[1]}', 'index', 'month', {A_SUBDISTRICT}, 'shop', 'new', '2020-01-01', 100, 'direct')"
        ),
        LOADER,
    ),
    "reg.job_run": ("INSERT INTO reg.job_run (job) VALUES ('new')", LOADER),
    "sync.file": (
        "INSERT INTO sync.file (length, expires_at) VALUES (1, '2100-01-01')",
        frozenset({"field", "subdistrict", "district"}),
    ),
    "sync.change_log": ("INSERT INTO sync.change_log (scope_id, kind, entity_id) VALUES (1, 'new', gen_random_uuid())", NOBODY),
    **{
        f"sync.{name}": (f"INSERT INTO sync.{name} {values}", NOBODY)
        for name, values in {
            "device": "(account_id, label, public_key) VALUES (1, 'New', sha256('new'))",
            "enrolment": "(code_hash, account_id, expires_at) VALUES (sha256('new'), 1, now())",
            "mutation": "(device_id, client_seq, mutation_id, req_hash, kind, status)"
            " VALUES (reg.uuid7(), 1, reg.uuid7(), sha256(''), 'unit', 'noop')",
            "conflict": "(code, kind, entity_id, grid_id, subdistrict_id, device_id, client_seq, fields)"
            " VALUES ('same-person', 'resident', reg.uuid7(), 1, 2, reg.uuid7(), 1, '{}')",
            "dead_letter": "(device_id, client_seq, mutation_id, account_id, kind, body_enc, kv, problem)"
            " VALUES (reg.uuid7(), 1, reg.uuid7(), 1, 'unit', '', 1, '{}')",
            "id_alias": "VALUES (reg.uuid7(), gen_random_uuid(), 'resident')",
            "feed_meta": "(generation) VALUES (gen_random_uuid())",
            "field_policy": "(kind, field, policy) VALUES ('unit', 'new', 'manual')",
            "incident": "(code) VALUES ('checksum')",
        }.items()
    },
    **{name: (f"INSERT INTO {name} (id) SELECT NULL", NOBODY) for name in BY_NAME if name.endswith("_past")},
}
"""A new row of each table without grids, and the classes that may write it."""
