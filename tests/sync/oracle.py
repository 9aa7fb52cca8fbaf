"""What must be so when everybody has met the server again. Numbers I1 to I12 are those of the design: see docs/handheld.md."""

import json
from typing import Any

from clients.handheld import outbox, rows
from clients.handheld.rows import Json
from gridmgmt.sync.kinds import KINDS
from tests.sync.world import Gadget, World

LOOSE = frozenset({"device", "enrolment", "incident"})
"""Tables of schema sync that tell times of contact and not what was written."""
Rows = dict[tuple[str, str], tuple[int, Json]]
TAKEN = ("applied", "merged", "noop")


def judge(world: World) -> None:
    """Raises AssertionError for what is not so."""
    for gadget in world.gadgets:
        agreed(world, gadget)
        kept(world, gadget)
        in_order(world, gadget)
    for kind in KINDS:
        unbroken(world, kind)
    no_alias_is_used(world)
    nothing_was_overwritten_in_silence(world)
    for gadget in world.gadgets:
        sent_again(world, gadget)
    for copy in world.copies:
        caught_up(world, copy)


def agreed(world: World, gadget: Gadget) -> None:
    """A device holds what the server has in its grids, no more and no less (I4, I6); its queue is empty (I8)."""
    assert outbox.waiting(gadget.store) == 0, "something still waits"
    apart = differences(held(gadget), there(world, sorted(world.scopes(gadget.username))))
    assert not apart, apart


def differences(ours: Rows, theirs: Rows) -> dict[tuple[str, str], tuple[object, object]]:
    """What the device and the server have of the rows in which they differ."""
    return {key: (ours.get(key), theirs.get(key)) for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)}


def held(gadget: Gadget) -> Rows:
    """Every row of the device, as the server gave it."""
    found = gadget.store.all(
        "SELECT e.kind, e.id, e.version, e.data FROM entity e WHERE e.data IS NOT NULL AND EXISTS"
        " (SELECT 1 FROM member m WHERE m.kind = e.kind AND m.id = e.id AND m.held)"
    )
    return {(kind, identity): (version, json.loads(data)) for kind, identity, version, data in found}


def there(world: World, scopes: list[int]) -> Rows:
    """Every live row of these grids, as PostgreSQL has it."""
    told: Rows = {}
    for kind in KINDS.values():
        query = f"SELECT e.id::text, e.version, {kind.json} FROM {kind.table.fullname} e WHERE e.grid_id = ANY(%s) AND e.deleted_at IS NULL"
        for identity, version, data in world.superuser.execute(query.encode(), [scopes]):
            told[kind.name, identity] = (version, data)
    return told


def kept(world: World, gadget: Gadget) -> None:
    """Every answer has its effect: a version with these values, a conflict, a letter or an alias, once (I1)."""
    for seq, kind, body, status, result in gadget.store.all("SELECT seq, kind, body, status, result FROM mutation"):
        mutation, told = json.loads(body), json.loads(result)
        found = world.superuser.execute(
            "SELECT mutation_id::text, status, version, entity_id FROM sync.mutation WHERE device_id = %s AND client_seq = %s",
            [gadget.device.id, seq],
        ).fetchall()
        assert [row[:2] for row in found] == [(mutation["mutation_id"], status)], (seq, status, found)
        if status == "applied" and mutation["op"] != "delete" and kind in KINDS:
            form = version_of(world, kind, found[0][3], told["version"])
            assert form is not None, "an applied change is in no version"
            for name, value in mutation["set"].items():
                if name in form and not isinstance(value, dict):
                    wanted = rows.canonical(gadget.store, value) if name.endswith("_id") else value
                    assert form[name] == wanted, (name, value, form[name])
        elif status == "conflict":
            assert one(world, "SELECT count(*) FROM sync.conflict WHERE device_id = %s AND client_seq = %s", gadget.device.id, seq) == 1
        elif status == "rejected":
            assert one(world, "SELECT count(*) FROM sync.dead_letter WHERE device_id = %s AND client_seq = %s", gadget.device.id, seq) == 1
        elif status == "duplicate_of":
            assert one(world, "SELECT count(*) FROM sync.id_alias WHERE alias = %s", mutation["id"]) == 1


def version_of(world: World, kind: str, identity: object, version: int) -> Json | None:
    """The values of a row in one of its versions, under the names of the wire."""
    table = KINDS[kind].table.fullname
    query = f"SELECT {KINDS[kind].json} FROM {table} e WHERE id = %s AND version = %s"
    past = f"SELECT {KINDS[kind].json} FROM {table}_past e WHERE id = %s AND version = %s"
    found = world.superuser.execute(f"{query} UNION ALL {past}".encode(), [identity, version] * 2).fetchall()
    assert len(found) <= 1, "a version is there twice"
    return found[0][0] if found else None


def in_order(world: World, gadget: Gadget) -> None:
    """Numbers are 1 to n, and a later number made a later version (I3)."""
    found = world.superuser.execute(
        "SELECT count(*), coalesce(max(client_seq), 0), (SELECT last_seq FROM sync.device WHERE id = %s)"
        " FROM sync.mutation WHERE device_id = %s",
        [gadget.device.id] * 2,
    ).fetchall()
    assert found[0][0] == found[0][1] == found[0][2] == gadget.store.number("last_seq"), found
    fallen = world.superuser.execute(
        "SELECT 1 FROM (SELECT version, lag(version) OVER (PARTITION BY kind, entity_id ORDER BY client_seq) AS before FROM sync.mutation"
        " WHERE device_id = %s AND version IS NOT NULL) v WHERE version <= before",
        [gadget.device.id],
    ).fetchall()
    assert fallen == [], "a later change has an earlier version"


def unbroken(world: World, kind: str) -> None:
    """Every row has each of its versions once, and each was believed until the next one was (I12)."""
    table = KINDS[kind].table.fullname
    broken = world.superuser.execute(
        f"SELECT id, array_agg(version ORDER BY version) FROM"
        f" (SELECT id, version FROM {table} UNION ALL SELECT id, version FROM {table}_past) v"
        f" GROUP BY id HAVING count(*) <> max(version) OR min(version) <> 1 OR count(DISTINCT version) <> count(*)".encode()
    ).fetchall()
    assert broken == [], broken


def no_alias_is_used(world: World) -> None:
    """Nothing refers to an id that stands for another one (I11)."""
    for table, column in (("residence", "person_id"), ("manager", "person_id"), ("lease", "lessee_id")):
        used = f"SELECT count(*) FROM reg.{table} JOIN sync.id_alias ON alias = {column} WHERE deleted_at IS NULL"
        assert one(world, used) == 0, f"a {table} refers to an alias"


def nothing_was_overwritten_in_silence(world: World) -> None:
    """Whose change went over somebody else's later one, of another value, is told of it, unless a policy says who wins (I7)."""
    rules = dict(
        world.superuser.execute(
            "SELECT DISTINCT ON (kind, field) kind || '.' || field, policy FROM sync.field_policy ORDER BY kind, field, version DESC"
        )
    )
    for gadget in world.gadgets:
        for _, kind, body, result in gadget.store.all(
            "SELECT seq, kind, body, result FROM mutation WHERE status IN ('applied', 'merged') AND json_extract(body, '$.op') = 'update'"
        ):
            mutation, told = json.loads(body), json.loads(result)
            base = mutation["base"].get("version")
            if base is None:
                continue
            for name, value in mutation["set"].items():
                if rules.get(f"{kind}.{name}", "manual") == "manual":
                    others = changed_by_others(world, gadget, (kind, mutation["id"], name), (base, told["version"]))
                    assert all(other == value for other in others), f"{kind}.{name} of somebody else was overwritten in silence"


def changed_by_others(world: World, gadget: Gadget, place: tuple[str, str, str], span: tuple[int, int]) -> list[Any]:
    """The values that others gave a field (kind, id, name) in the versions between, since the device itself gave it one."""
    kind, identity, name = place
    told: list[Any] = []
    identity = rows.canonical(gadget.store, identity)
    for version in range(span[0] + 1, span[1]):
        form, before = version_of(world, kind, identity, version), version_of(world, kind, identity, version - 1)
        own = one(
            world,
            "SELECT count(*) FROM sync.mutation WHERE device_id = %s AND entity_id = %s AND version = %s",
            *(gadget.device.id, identity, version),
        )
        if form is not None and before is not None and name in form and form[name] != before[name]:
            told = [] if own else [*told, form[name]]
    return told


def sent_again(world: World, gadget: Gadget) -> None:
    """Sending everything again, or its beginning, or its end, changes not a byte (I2)."""
    last = gadget.store.number("last_seq")
    if last == 0:
        return
    before = written(world)
    for first, end in ((1, last), (1, (last + 1) // 2), (last // 2 + 1, last)):
        world.again(gadget, first, end)
    assert written(world) == before, "a repetition changed something"


def written(world: World) -> dict[str, Any]:
    """A sum over every table, but for the times of contact."""
    tables = world.superuser.execute(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('reg', 'sync')"
    ).fetchall()
    return {
        table: one(world, f"SELECT md5(coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), '')) FROM {table} t")
        for (table,) in tables
        if table.partition(".")[2] not in LOOSE and "audit" not in table and "incident" not in table
    }


def caught_up(world: World, copy: Gadget) -> None:
    """A device that goes on from an old cursor ends with the same rows (I9)."""
    copy.handheld.bootstrap()
    copy.handheld.pull()
    scopes = sorted(world.scopes(copy.username))
    gone = [scope_id for (scope_id,) in copy.store.all("SELECT scope_id FROM scope WHERE state = 'leaving'")]
    for scope_id in gone:
        rows.forget_scope(copy.store, scope_id)
    apart = differences(held(copy), there(world, scopes))
    assert not apart, apart


def one(world: World, query: str, *values: object) -> Any:
    """The only value of the answer."""
    [[value]] = world.superuser.execute(query.encode(), list(values)).fetchall()
    return value
