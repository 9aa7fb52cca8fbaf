"""Handhelds that send as fast as they are answered: bare sockets, and an evening's work of newcomers and corrected rooms."""

import asyncio
import datetime as dt
import gzip
import hashlib
import itertools
import json
import secrets
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.stage import Stage
from gridmgmt.security.tokens import Tokens

BOOT: Final = "0b7c3a52-6f43-4a57-a1f6-6a1f6c8c2c11"
WEIGHTS: Final = [2 ** (17 - place) % 11 for place in range(17)]
DAYS: Final = itertools.count()
Json = dict[str, Any]


@dataclass
class Rider:
    """One device and its connection."""

    port: int
    device: uuid.UUID
    grid: int
    headers: Mapping[str, str]
    units: list[list[Any]]
    """Id and version of the units of its grid, in the order in which they are corrected."""
    seq: int = 0
    acknowledged: int = 0
    unsent: Sequence[Json] = ()
    _open: dict[int, tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=dict[int, Any])

    async def push(self, mutations: Sequence[Json]) -> tuple[int, Mapping[str, str], Any]:
        """Send; what was not taken is kept to be sent again."""
        self.unsent = mutations
        body = {
            "device_id": str(self.device),
            "batch_id": str(uuid.uuid4()),
            "sent_at_device": dt.datetime.now(dt.UTC).isoformat(),
            "boot_id": BOOT,
            "mono_ms": time.monotonic_ns() // 1_000_000,
            "mutations": mutations,
        }
        status, headers, told = await self.ask("POST", "/v1/sync/push", body)
        if status == 200:
            self.unsent, self.acknowledged = (), told["last_seq"]
        return status, headers, told

    async def ask(self, method: str, path: str, body: Json | None = None) -> tuple[int, Mapping[str, str], Any]:
        """Status, headers and JSON of one answer."""
        status, headers, raw = await self._exchange(method, path, body)
        return status, headers, json.loads(raw) if raw else None

    async def snapshot(self) -> list[Json]:
        """The lines of the grid's snapshot."""
        status, _, raw = await self._exchange("GET", f"/v1/sync/snapshot/{self.grid}", None)
        assert status == 200, raw[:300]
        return [json.loads(line) for line in raw.splitlines()]

    def fill(self, superuser: psycopg.Connection[tuple[Any, ...]], least: int) -> None:
        """Let the grid hold as many rows: units of its first building."""
        superuser.execute(
            "INSERT INTO reg.unit (building_id, grid_id, subdistrict_id, code, floor, room, area_m2, use, recorded_by)"
            " SELECT b.id, b.grid_id, b.subdistrict_id, b.house_code || lpad((700000 + n)::text, 6, '0'), 1, n::text, 30, 'residential', 0"
            " FROM (SELECT * FROM reg.building WHERE grid_id = %s AND deleted_at IS NULL ORDER BY id LIMIT 1) b, generate_series(1, %s) n",
            [self.grid, least],
        )

    async def _exchange(self, method: str, path: str, body: Json | None) -> tuple[int, Mapping[str, str], bytes]:
        """Once more on a fresh connection when the server has hung up on one that was idle: nothing is done twice."""
        try:
            return await self._answered(method, path, body)
        except (asyncio.IncompleteReadError, ConnectionError):
            self._open = {}
            return await self._answered(method, path, body)

    async def _answered(self, method: str, path: str, body: Json | None) -> tuple[int, Mapping[str, str], bytes]:
        loop = id(asyncio.get_running_loop())  # a connection belongs to the loop that opened it
        if loop not in self._open:
            self._open = {loop: await asyncio.open_connection("127.0.0.1", self.port)}
        reader, writer = self._open[loop]
        raw = b"" if body is None else gzip.compress(json.dumps(body).encode(), 1)
        packed = {"Content-Type": "application/json", "Content-Encoding": "gzip"} if raw else {}
        sent = {"Host": "127.0.0.1", "Accept-Encoding": "gzip", "Content-Length": str(len(raw))} | packed | dict(self.headers)
        head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        writer.write(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + raw)
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        got = (
            await _chunks(reader)
            if headers.get("transfer-encoding") == "chunked"
            else await reader.readexactly(int(headers["content-length"]))
        )
        if headers.get("connection", "").lower() == "close":
            writer.close()
            self._open = {}
        return int(first.split(" ")[1]), headers, gzip.decompress(got) if headers.get("content-encoding") == "gzip" else got


def enrolled(stage: Stage, superuser: psycopg.Connection[tuple[Any, ...]], many: int, port: int) -> list[Rider]:
    """A device for each of so many workers, in a grid with units of its own."""
    tokens = Tokens(stage.register.keys.token, 3600)
    found = superuser.execute(
        "SELECT a.username, a.id, min(g.grid_id) FROM reg.account a JOIN reg.grid_assignment g ON g.account_id = a.id"
        " WHERE a.role = 'worker' AND NOT g.stand_in AND g.valid_to IS NULL AND EXISTS (SELECT FROM reg.unit u WHERE u.grid_id = g.grid_id)"
        " GROUP BY a.id ORDER BY a.id LIMIT %s",
        [many],
    ).fetchall()
    riders: list[Rider] = []
    for username, account, grid in found:
        key = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
        [(device,)] = superuser.execute(
            "INSERT INTO sync.device (account_id, label, public_key, refresh_hash) VALUES (%s, 'bench', %s, %s) RETURNING id",
            [account, key, hashlib.sha256(secrets.token_bytes(32)).digest()],
        ).fetchall()
        units = superuser.execute("SELECT id::text, version FROM reg.unit WHERE grid_id = %s AND deleted_at IS NULL", [grid]).fetchall()
        token = tokens.issue(replace(stage.actor(username), device=str(device)))
        headers = {"Authorization": f"Bearer {token}", "X-Device-Id": str(device), "X-Schema-Version": "1"}
        riders.append(Rider(port, device, grid, headers, [list(unit) for unit in units]))
    return riders


def evening(rider: Rider, size: int) -> list[Json]:
    """Mutations in fours: a newcomer with an identity number, the residence, and two corrections of units."""
    made: list[Json] = []
    read = {unit[0]: unit[1] for unit in rider.units}  # a device knows of no version that this push will make
    for number in range(size // 4):
        person, home = _id(), rider.units[number % len(rider.units)]
        made.append(_mutation(rider, "create", "resident", person, set=_newcomer(), scope_id=rider.grid))
        lives = {"resident_id": person, "unit_id": home[0], "main": True, "basis": "lease", "valid_from": "2026-01-01"}
        made.append(_mutation(rider, "create", "residence", _id(), set=lives, scope_id=rider.grid))
        for _ in range(2):
            unit = rider.units.pop(0)
            rider.units.append(unit)
            made.append(_mutation(rider, "update", "unit", unit[0], base={"version": read[unit[0]]}, set={"room": secrets.token_hex(4)}))
            unit[1] += 1
    rest = (_mutation(rider, "create", "resident", _id(), set=_newcomer(), scope_id=rider.grid) for _ in range(size % 4))
    return [*made, *rest]


def written_bare(superuser: psycopg.Connection[tuple[Any, ...]], rider: Rider, size: int, seconds: float) -> float:
    """Rows a second of the same work, as sets of the same size written by a superuser into the same tables with their triggers."""
    [(subdistrict,)] = superuser.execute("SELECT subdistrict_id FROM reg.grid WHERE id = %s", [rider.grid]).fetchall()
    done, start = 0, time.perf_counter()
    while time.perf_counter() < start + seconds:
        many = size // 4
        people, identities, homes = ([uuid.uuid4() for _ in range(many)] for _ in range(3))
        units = rider.units[: many * 2]
        homes_in = list(itertools.islice(itertools.cycle(units), many))
        values: dict[str, Any] = {
            "grid": rider.grid,
            "subdistrict": subdistrict,
            "people": people,
            "identities": identities,
            "homes": homes,
        }
        values |= {"keys": [secrets.token_bytes(16) for _ in people], "sealed": [secrets.token_bytes(46) for _ in people]}
        values |= {"units": [uuid.UUID(unit[0]) for unit in homes_in], "rooms": [secrets.token_hex(4) for _ in units]}
        values["corrected"] = [uuid.UUID(unit[0]) for unit in units]
        with superuser.transaction():
            for statement in BARE:
                superuser.execute(statement.encode(), values)
        for unit in units:
            unit[1] += 1
        done += many * 2 + len(units)
    return done / (time.perf_counter() - start)


SETS: Final = """
INSERT INTO reg.identity SELECT i, k, s, 1 FROM unnest(%(identities)s::uuid[], %(keys)s::bytea[], %(sealed)s::bytea[]) AS n(i, k, s);
INSERT INTO reg.person (id, grid_id, subdistrict_id, name, sex, birth_year, id_mask, registration, recorded_by)
  SELECT p, %(grid)s, %(subdistrict)s, '张三', 'male', 1980, '000001********0010', 'floating', 0 FROM unnest(%(people)s::uuid[]) AS n(p);
INSERT INTO reg.person_secret (person_id, identity_id, kv, req_hash, is_first)
  SELECT p, i, 1, s, true FROM unnest(%(people)s::uuid[], %(identities)s::uuid[], %(sealed)s::bytea[]) AS n(p, i, s);
INSERT INTO reg.residence (id, person_id, unit_id, grid_id, subdistrict_id, main, basis, valid_from, recorded_by)
  SELECT h, p, u, %(grid)s, %(subdistrict)s, true, 'lease', '2026-01-01', 0
    FROM unnest(%(homes)s::uuid[], %(people)s::uuid[], %(units)s::uuid[]) AS n(h, p, u);
UPDATE reg.unit SET room = n.room FROM unnest(%(corrected)s::uuid[], %(rooms)s::text[]) AS n(id, room) WHERE unit.id = n.id
"""
BARE: Final = tuple(statement.strip() for statement in SETS.split(";"))
"""The statements of one set."""


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    whole = b""
    while length := int(await reader.readuntil(b"\r\n"), 16):
        whole += (await reader.readexactly(length + 2))[:-2]
    await reader.readuntil(b"\r\n")
    return whole


def _mutation(rider: Rider, op: str, kind: str, identity: str, **more: Any) -> Json:
    rider.seq += 1
    return {
        "seq": rider.seq,
        "mutation_id": str(uuid.uuid4()),
        "op": op,
        "kind": kind,
        "id": identity,
        "captured_at": dt.datetime.now(dt.UTC).isoformat(),
        "boot_id": BOOT,
        "mono_ms": time.monotonic_ns() // 1_000_000,
        **more,
    }


def _id() -> str:
    return str(
        uuid.UUID(int=(time.time_ns() // 1_000_000) << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62))
    )


def _newcomer() -> Json:
    """With a number of nobody's that is taken in demo mode: another one each time."""
    day, turn = divmod(next(DAYS), 999)
    digits = f"000001{dt.date(1950, 1, 1) + dt.timedelta(days=day):%Y%m%d}{turn:03d}"
    check = "10X98765432"[sum(int(digit) * weight for digit, weight in zip(digits, WEIGHTS, strict=True)) % 11]
    return {"name": f"新{turn:03d}", "registration": "floating", "identity_number": digits + check}
