"""A little district drawn by hand: two subdistricts, four communities, twelve grids in a row from west to east, and who may see which.

Grid number n is the square from longitude 113.79 + n/100 to 0.01 degrees further east, latitude 22.70 to 22.71. Communities 1 to 4 hold
three grids each; communities 1 and 2 are subdistrict 1, communities 3 and 4 are subdistrict 2. All rows are written by the superuser.
"""

from dataclasses import dataclass
from typing import Any

from psycopg import Connection

KID = "seed"
KEY = bytes(range(32))

GRIDS = frozenset(range(1, 13))
SUBDISTRICT = {1: frozenset(range(1, 7)), 2: frozenset(range(7, 13))}
PER_GRID = 4
"""Buildings of a grid; each has three units, each unit a person, a residence and a lease."""


@dataclass(frozen=True)
class Account:
    """Who asks, by which class of log-in, and what that one should see: grids, or one subdistrict."""

    username: str
    role: str
    scope: str
    grids: frozenset[int] = frozenset()
    subdistrict: int | None = None
    valid: bool = True
    assignments: tuple[tuple[int, int, int | None], ...] = ()
    """Grid, first day and first day after, in days from today."""
    areas: tuple[tuple[str, int, int, int | None], ...] = ()
    """Level and number of the area, first day and first day after."""


def worker(username: str, sees: set[int], *assignments: tuple[int, int, int | None], **more: Any) -> Account:
    return Account(username, "worker", "field", frozenset(sees), assignments=assignments, **more)


def community(username: str, sees: set[int], *areas: tuple[str, int, int, int | None], **more: Any) -> Account:
    return Account(username, "community", "field", frozenset(sees), areas=areas, **more)


def subdistrict(username: str, sees: int | None, *areas: tuple[str, int, int, int | None], **more: Any) -> Account:
    return Account(username, "subdistrict", "subdistrict", subdistrict=sees, areas=areas, **more)


OPEN = (-100, None)

ACCOUNTS = (
    worker("w-one", {1}, (1, *OPEN)),
    worker("w-two", {2}, (2, *OPEN)),
    worker("w-pair", {1, 2}, (1, *OPEN), (2, *OPEN)),
    worker("w-across-subdistricts", {6, 7}, (6, *OPEN), (7, *OPEN)),
    worker("w-three", {4, 5, 6}, (4, *OPEN), (5, *OPEN), (6, *OPEN)),
    worker("w-ended-yesterday", set(), (5, -50, -1)),
    worker("w-ends-today", set(), (5, -50, 0)),
    worker("w-last-day", {5}, (5, -50, 1)),
    worker("w-starts-today", {8}, (8, 0, None)),
    worker("w-starts-tomorrow", set(), (8, 1, None)),
    worker("w-moved", {10}, (9, -50, -3), (10, -3, None)),
    worker("w-on-leave", set(), (12, -50, -3), (12, 3, None)),
    worker("w-back-again", {12}, (12, -50, -30), (12, -10, None)),
    worker("w-unassigned", set()),
    worker("w-disabled", set(), (1, *OPEN), valid=False),
    worker("w-with-a-community", {1, 4, 5, 6}, (1, *OPEN), areas=(("community", 2, *OPEN),)),
    community("c-one", {1, 2, 3}, ("community", 1, *OPEN)),
    community("c-two", {4, 5, 6}, ("community", 2, *OPEN)),
    community("c-three-and-four", {7, 8, 9, 10, 11, 12}, ("community", 3, *OPEN), ("community", 4, *OPEN)),
    community("c-one-and-three", {1, 2, 3, 7, 8, 9}, ("community", 1, *OPEN), ("community", 3, *OPEN)),
    community("c-ended", set(), ("community", 1, -50, 0)),
    community("c-future", set(), ("community", 1, 1, None)),
    community("c-none", set()),
    community("c-disabled", set(), ("community", 1, *OPEN), valid=False),
    community("c-with-a-subdistrict", set(), ("subdistrict", 1, *OPEN)),
    subdistrict("s-one", 1, ("subdistrict", 1, *OPEN), assignments=((7, *OPEN),)),
    subdistrict("s-two", 2, ("subdistrict", 2, *OPEN)),
    subdistrict("s-moved", 2, ("subdistrict", 1, -50, -3), ("subdistrict", 2, -3, None)),
    subdistrict("s-ended", None, ("subdistrict", 1, -50, 0)),
    subdistrict("s-future", None, ("subdistrict", 1, 1, None)),
    subdistrict("s-none", None),
    subdistrict("s-with-a-community", None, ("community", 1, *OPEN)),
    subdistrict("s-disabled", None, ("subdistrict", 1, *OPEN), valid=False),
    Account("d-one", "district", "district"),
    Account("d-two", "district", "district"),
    Account("d-disabled", "district", "district", valid=False),
    Account("d-one", "district", "loader"),
    Account("d-disabled", "district", "loader", valid=False),
    Account("a-one", "admin", "admin"),
    Account("a-disabled", "admin", "admin", valid=False),
    Account("u-one", "auditor", "audit"),
    Account("u-disabled", "auditor", "audit", valid=False),
)
BY_NAME = {(account.username, account.scope): account for account in ACCOUNTS}

RUNS = tuple(f"00000000-0000-7000-8000-00000000000{number}" for number in (1, 2, 3))
"""Of a published release, of one that was computed, of none."""
RELEASES = tuple(f"00000000-0000-7000-9000-00000000000{number}" for number in (1, 2, 3))
"""Superseded, published, computed."""

AREAS = """
INSERT INTO reg.area (code, name, level, parent_id, valid_from, geom)
  VALUES ('440306', 'District', 'district', NULL, '2000-01-01', ST_Multi(ST_MakeEnvelope(113.80, 22.70, 113.92, 22.71, 4490)));
INSERT INTO reg.area (code, name, level, parent_id, valid_from, geom)
  SELECT '44030600' || s, 'Subdistrict ' || s, 'subdistrict', (SELECT id FROM reg.area WHERE level = 'district'), '2000-01-01',
         ST_Multi(ST_MakeEnvelope(113.74 + s * 0.06, 22.70, 113.80 + s * 0.06, 22.71, 4490)) FROM generate_series(1, 2) s;
INSERT INTO reg.area (code, name, level, parent_id, valid_from, geom)
  SELECT '44030600' || (c + 1) / 2 || '00' || c, 'Community ' || c, 'community', (SELECT id
    FROM reg.area WHERE code = '44030600' || (c + 1) / 2),
         '2000-01-01', ST_Multi(ST_MakeEnvelope(113.77 + c * 0.03, 22.70, 113.80 + c * 0.03, 22.71, 4490)) FROM generate_series(1, 4) c;
INSERT INTO reg.area_lineage SELECT a.id, b.id, 'renumber', '2005-01-01'
  FROM reg.area a JOIN reg.area b ON a.id < b.id WHERE a.level = 'community' AND b.level = 'community';
INSERT INTO reg.grid (code, kind, name, community_id, subdistrict_id, valid_from, geom)
  SELECT a.code || '00' || (n - 1) % 3 + 1, 'base', 'Grid ' || n, a.id, a.parent_id, '2000-01-01',
         ST_Multi(ST_MakeEnvelope(113.79 + n * 0.01, 22.70, 113.80 + n * 0.01, 22.71, 4490))
    FROM generate_series(1, 12) n JOIN reg.area a ON a.level = 'community' AND a.name = 'Community ' || (n + 2) / 3;
INSERT INTO reg.grid_lineage SELECT a.id, b.id, 'split', '2005-01-01' FROM reg.grid a JOIN reg.grid b ON b.id = a.id + 1;
UPDATE reg.area SET name = name || ' 演';
UPDATE reg.grid SET name = name || ' 演';
"""

ROWS = """
INSERT INTO reg.building (house_code, name, address, entrance, source_x, source_y, floors_above, nature, rental)
  SELECT lpad((n * 100 + b)::text, 19, '0'), 'Building', 'Lane ' || b, ST_SetSRID(ST_MakePoint(113.79 + n * 0.01 + b * 0.002,
    22.705), 4490),
         113.8, 22.705, 6, 'self_built', true FROM generate_series(1, 12) n, generate_series(1, %(buildings)s) b;
INSERT INTO reg.unit (building_id, grid_id, subdistrict_id, code, floor, room, area_m2, use)
  SELECT b.id, b.grid_id, b.subdistrict_id, b.house_code || lpad(u::text, 6, '0'), u, u || '01', 30 + u, 'residential'
    FROM reg.building b, generate_series(1, 3) u;
INSERT INTO reg.resident_count (area_id, month, counted_on, residents, floating, phase)
  SELECT id, '2024-01-01', '2024-01-15', 40, 20, 3 FROM reg.area WHERE level = 'community';
CREATE TEMP TABLE human ON COMMIT DROP AS
  SELECT u.id AS unit_id, u.building_id, u.grid_id, u.subdistrict_id, reg.uuid7() AS person_id, gen_random_uuid() AS identity_id,
         row_number() OVER (ORDER BY u.code) AS n FROM reg.unit u;
INSERT INTO reg.identity SELECT identity_id, substring(sha256(int8send(n)) FOR 16), sha256(int8send(n)), 1 FROM human;
INSERT INTO reg.person (id, grid_id, subdistrict_id, name, sex, birth_year, id_mask, phone_mask, registration)
  SELECT person_id, grid_id, subdistrict_id, 'Somebody ' || n, 'female', 1980, '440306********0010', '138****0000', 'floating' FROM human;
INSERT INTO reg.person_secret SELECT person_id, identity_id, sha256(int8send(-n)), 1, sha256(int8send(n)), true FROM human;
INSERT INTO reg.discrepancy (person_id, grid_id, subdistrict_id, field, ours, theirs, source)
  SELECT person_id, grid_id, subdistrict_id, 'name', 'Somebody', 'Anybody', 'seed' FROM human WHERE n %% 2 = 0;
INSERT INTO reg.residence (person_id, unit_id, grid_id, subdistrict_id, valid_from)
  SELECT person_id, unit_id, grid_id, subdistrict_id, '2020-01-01' FROM human;
INSERT INTO reg.organisation (name, valid_from) SELECT 'Office ' || n, '2000-01-01' FROM generate_series(1, 6) n;
INSERT INTO reg.landlord (subdistrict_id, kind, name) SELECT a.id, 'person', 'Landlord ' || n
  FROM reg.area a, generate_series(1, 5) n WHERE a.level = 'subdistrict';
INSERT INTO reg.lease (number, unit_id, grid_id, subdistrict_id, lessee_id, rent_fen, rent_given, rent_unit, area_basis_m2,
  valid_from, valid_to, signed_on, state, new_let)
  SELECT 'L-' || n, unit_id, grid_id, subdistrict_id, person_id, 200000, 2000, 'month', 30, '2020-01-01', '2030-01-01',
    '2020-01-01', 'signed', true FROM human;
INSERT INTO reg.manager (person_id, building_id, grid_id, subdistrict_id, kind, valid_from)
  SELECT DISTINCT ON (building_id) person_id, building_id, grid_id, subdistrict_id, 'owner', date '2020-01-01'
    FROM human ORDER BY building_id, n;
INSERT INTO reg.inspection (building_id, unit_id, grid_id, subdistrict_id, kind, outcome, visited_at, lon, lat, datum, distance_m)
  SELECT building_id, unit_id, grid_id, subdistrict_id, 'patrol', 'ok', '2020-01-01', 113.8, 22.7, 'CGCS2000', n FROM human;
INSERT INTO reg.duty_report (manager_id, unit_id, grid_id, subdistrict_id, kind, happened_on, persons)
  SELECT m.id, u.id, m.grid_id, m.subdistrict_id, 'notice', '2020-01-01', u.floor FROM reg.manager m JOIN reg.unit u USING (building_id);
"""

MEASURES = (
    "log_rent", "log_area", "log_area_squared", "age", "age_squared", "undated", "floor", "ground", "top", "tall", "term",
)  # fmt: skip
RENTS = f"""
INSERT INTO reg.rent_limit SELECT id, 'residential', 'self_built', 2020, 20, 4200000, 50000, 'subdistrict'
  FROM reg.area WHERE level = 'subdistrict';
INSERT INTO reg.rent_observation (source, reference, unit_id, grid_id, subdistrict_id, community_id, use, class, new_let, begins, ends,
  rent_fen, area_m2, {", ".join(MEASURES)})
  SELECT 'lease', l.number, l.unit_id, l.grid_id, l.subdistrict_id, g.community_id, 'residential', 'self_built', true, l.valid_from,
         l.valid_to, l.rent_fen, 30, 4200000, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 FROM reg.lease l JOIN reg.grid g ON g.id = l.grid_id;
INSERT INTO reg.rent_pair_statistic (community_id, use, earlier, later, n, sum_u, sum_uu)
  SELECT id, 'residential', '2019-01-01', '2019-02-01', sign, 0, 0 FROM reg.area, (VALUES (1), (-1)) v (sign) WHERE level = 'community';
INSERT INTO reg.rent_run (id, product, frequency, method, parameters, software, data_cut, area_id, use, begins, ends, n, trimmed,
  quarantined, digest, premises)
  SELECT r::uuid, 'index', 'month', 'hedonic', '{{}}', '1', now(), a.id, 'shop', '2020-01-01', '2021-01-01', 9, 0, 0, repeat('a', 64), ''
    FROM unnest(ARRAY{list(RUNS)}) r, reg.area a WHERE a.level = 'district';
INSERT INTO reg.rent_value (run_id, area_id, use, lets, period, value, n, trimmed, landlords, pooled)
  SELECT id, area_id, use, 'all', begins, 100, 9, 0, 3, 'own' FROM reg.rent_run;
INSERT INTO reg.rent_release (id, quarter, edition, state, reviewed_at, reviewed_by, approved_at, approved_by, published_at, published_by,
  published_before)
  VALUES ('{RELEASES[0]}', '2019Q4', 1, 'superseded', now(), 1, now(), 2, now(), 2, 0),
         ('{RELEASES[1]}', '2019Q4', 2, 'published', now(), 1, now(), 2, now(), 2, 1);
INSERT INTO reg.rent_release (id, quarter, edition, published_before) VALUES ('{RELEASES[2]}', '2019Q4', 3, 2);
SET LOCAL session_replication_role = replica;  -- what was reviewed is never added to
INSERT INTO reg.rent_release_run VALUES ('{RELEASES[0]}', '{RUNS[0]}'), ('{RELEASES[1]}', '{RUNS[0]}'), ('{RELEASES[2]}', '{RUNS[1]}');
INSERT INTO reg.rent_figure (release_id, run_id, product, frequency, area_id, use, lets, period, value, basis)
  SELECT x.release_id, r.id, r.product, r.frequency, r.area_id, r.use, 'all', r.begins, 100, 'direct'
    FROM reg.rent_release_run x JOIN reg.rent_run r ON r.id = x.run_id;
SET LOCAL session_replication_role = origin;
"""

# Of each maker a file that is open, one that is complete and one that was given up. Files of w-one are linked in grid 1; those of w-two in
# grid 9, by the maker and by others; those of d-one nowhere.
FILES = """
INSERT INTO sync.file (account_id, length, received, objects, state, content_type, sha256, completed_at, expires_at)
  SELECT a.id, 10, CASE s WHEN 'complete' THEN 10 ELSE 0 END, CASE s WHEN 'complete' THEN ARRAY['0-x'] ELSE '{}' END, s, 'image/jpeg',
         sha256(s::bytea), now(), now() + interval '1 day'
    FROM reg.account a, unnest(ARRAY['open', 'complete', 'expired']) s
   WHERE a.username IN ('w-one', 'w-two', 'w-with-a-community', 'w-disabled', 'c-three-and-four', 's-one', 's-two', 'd-one', 'd-two');
INSERT INTO sync.file_link (file_id, kind, entity_id, linked_by, grid_id, subdistrict_id)
  SELECT f.id, 'building', b.id, l.id, b.grid_id, b.subdistrict_id
    FROM (VALUES ('w-one', 'w-one', 1), ('w-two', 'w-two', 9), ('w-two', 'w-one', 1), ('d-two', 'c-one', 5), ('s-two', 's-two', 4))
      v (maker, linker, grid)
    JOIN reg.account m ON m.username = v.maker JOIN reg.account l ON l.username = v.linker JOIN sync.file f ON f.account_id = m.id
    JOIN reg.building b ON b.house_code = lpad((v.grid * 100 + 1)::text, 19, '0');
"""

# Rows of every table are corrected once, and one building of grid 1 moves to grid 2, so that superseded rows lie in another grid than the
# present ones.
PAST = """
UPDATE reg.building SET name = 'Corrected' WHERE house_code::numeric %% 2 = 0;
UPDATE reg.unit SET room = 'Corrected' WHERE code::numeric %% 2 = 0;
UPDATE reg.person SET sex = 'male' WHERE name LIKE '%%2';
UPDATE reg.discrepancy SET state = 'resolved' WHERE person_id IN (SELECT id FROM reg.person WHERE name LIKE '%%4');
UPDATE reg.residence SET basis = 'own' WHERE person_id IN (SELECT id FROM reg.person WHERE name LIKE '%%4');
UPDATE reg.lease SET rent_fen = 210000 WHERE number LIKE '%%6';
UPDATE reg.manager SET archive_number = 'A-1' WHERE person_id IN (SELECT id FROM reg.person WHERE sex = 'female');
UPDATE reg.inspection SET note = 'X' WHERE distance_m::int %% 2 = 0;
UPDATE reg.duty_report SET note = 'X' WHERE persons = 2;
UPDATE reg.landlord SET kind = 'person' WHERE name LIKE '%%1';
UPDATE reg.organisation SET name = name || ' 演';
UPDATE reg.rent_observation SET landlord_id = NULL WHERE reference LIKE '%%6';
UPDATE reg.building SET entrance = ST_SetSRID(ST_MakePoint(113.8195, 22.705), 4490) WHERE house_code = lpad('101', 19, '0');
"""

HANDHELDS = """
INSERT INTO sync.device (account_id, label, public_key)
  SELECT id, 'Handheld', sha256(username::bytea) FROM reg.account WHERE role = 'worker';
INSERT INTO sync.enrolment (code_hash, account_id, expires_at)
  SELECT sha256(username::bytea), id, 'infinity' FROM reg.account WHERE role = 'worker';
CREATE TEMP TABLE sent ON COMMIT DROP AS
  SELECT u.id, u.grid_id, u.subdistrict_id, d.id AS device_id, d.account_id, row_number() OVER (ORDER BY u.code) AS n
    FROM reg.unit u, (SELECT * FROM sync.device ORDER BY account_id LIMIT 1) d;
INSERT INTO sync.mutation (device_id, client_seq, mutation_id, req_hash, kind, entity_id, version, status)
  SELECT device_id, n, gen_random_uuid(), sha256(''), 'unit', id, 1, 'applied' FROM sent;
INSERT INTO sync.conflict (code, kind, entity_id, grid_id, subdistrict_id, device_id, client_seq, fields)
  SELECT 'field-conflict', 'unit', id, grid_id, subdistrict_id, device_id, n, '{use}' FROM sent;
INSERT INTO sync.dead_letter (device_id, client_seq, mutation_id, account_id, grid_id, subdistrict_id, kind, body_enc, kv, problem)
  SELECT device_id, n, gen_random_uuid(),
         CASE n % 2 WHEN 0 THEN account_id ELSE (SELECT id FROM reg.account WHERE username = 'w-with-a-community') END,
         grid_id, subdistrict_id, 'unit', '', 1, '{}' FROM sent;
INSERT INTO sync.id_alias SELECT gen_random_uuid(), id, 'unit' FROM sent;
INSERT INTO sync.field_policy (kind, field, policy) VALUES ('seed', 'one', 'manual'), ('seed', 'two', 'max');
INSERT INTO sync.incident (device_id, code) SELECT id, 'checksum' FROM sync.device;
"""

TRAIL = """
INSERT INTO reg.job_run (job, ended_at, outcome, detail) VALUES ('seed', clock_timestamp() + interval '1 day', 'ok', 'X');
INSERT INTO reg.job_run (job) VALUES ('seed');
INSERT INTO reg.audit (action, object_type, outcome) VALUES ('look', 'person', 'ok'), ('look', 'person', 'refused');
INSERT INTO reg.audit (at, action, object_type, outcome)
  SELECT substring(pg_get_expr(c.relpartbound, c.oid) FROM $$FROM \\('([^']+)'\\)$$)::timestamptz, 'look', 'person', 'ok'
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'reg.audit'::regclass AND c.relname <> 'audit_default';
INSERT INTO reg.audit (at, action, object_type, outcome) VALUES ('2001-01-01', 'look', 'person', 'ok');
"""


def seed(connection: Connection[Any]) -> None:
    """Fill an empty migrated database and commit. `connection` is the superuser's."""
    connection.execute("SET search_path = pg_catalog, public, pg_temp")
    connection.execute("SET timezone = 'UTC'")
    connection.execute("SELECT sec.key_put(%s, %s, 'infinity')", [KID, KEY])
    run(connection, AREAS)
    for account in ACCOUNTS:
        _enrol(connection, account)
    connection.execute(
        "INSERT INTO reg.access_key (account_id, label, key_hash, expires_at)"
        " SELECT id, 'GIS', sha256(username::bytea), 'infinity' FROM reg.account"
    )
    run(connection, ROWS.replace("%(buildings)s", str(PER_GRID)).replace("%%", "%"))
    run(connection, RENTS)
    run(connection, FILES)
    run(connection, PAST.replace("%%", "%"))
    run(connection, HANDHELDS)
    run(connection, TRAIL)
    connection.commit()
    connection.execute("ANALYZE")
    connection.commit()


def run(connection: Connection[Any], statements: str) -> None:
    """Run fixed SQL, several statements at once."""
    connection.execute(statements.encode())


def _enrol(connection: Connection[Any], account: Account) -> None:
    disabled = None if account.valid else "2020-01-01"
    found = connection.execute(
        "INSERT INTO reg.account (username, display_name, role, password_hash, disabled_at) VALUES (%s, 'Somebody', %s, 'hash', %s)"
        " ON CONFLICT DO NOTHING RETURNING id",
        [account.username, account.role, disabled],
    ).fetchone()
    if found is None:  # the same account by another class of log-in
        return
    for grid, first, after in account.assignments:
        connection.execute(
            "INSERT INTO reg.grid_assignment (account_id, grid_id, post_id, valid_from, valid_to)"
            " SELECT %s, g.id, 1, reg.today() + %s, reg.today() + %s::int FROM reg.grid g WHERE g.name = %s",
            [found[0], first, after, f"Grid {grid} 演"],
        )
    for level, number, first, after in account.areas:
        connection.execute(
            "INSERT INTO reg.area_grant (account_id, area_id, level, valid_from, valid_to)"
            " SELECT %s, a.id, a.level, reg.today() + %s, reg.today() + %s::int FROM reg.area a WHERE a.level = %s AND a.name = %s",
            [found[0], first, after, level, f"{level.capitalize()} {number} 演"],
        )
