"""The part of the register that a push is about, in memory: its targets, held until the end, and the rows that it refers to."""

import datetime as dt
import uuid
from collections import Counter, defaultdict
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from gridmgmt.errors import DistrictError
from gridmgmt.security.sealing import Sealer
from gridmgmt.sync.items import Batch, Item
from gridmgmt.sync.kinds import KINDS, ORDER
from gridmgmt.sync.ledger import Opened
from gridmgmt.sync.lines import Line, Unfit
from gridmgmt.sync.merging import Policy
from gridmgmt.sync.results import Outcome
from gridmgmt.sync.writers import REFERRED, WRITERS
from gridmgmt.sync.writers.noun import Row
from gridmgmt.sync.writers.residents import Number, claim, number_in

TAKEN: Final = "SELECT id FROM sec.ids_taken(%(ids)b::uuid[]) AS id"
OWN: Final = "SELECT entity_id, version FROM sec.own_versions(%(device)s::uuid, %(ids)b::uuid[])"
POLICIES: Final = (
    "SELECT DISTINCT ON (p.kind, p.field) p.kind, p.field, p.policy FROM sync.field_policy p ORDER BY p.kind, p.field, p.version DESC"
)
CONFLICTS: Final = (
    "SELECT c.id, c.entity_id, c.code, c.state, c.fields,"
    " (SELECT count(*) FROM sync.conflict o WHERE o.entity_id = c.entity_id AND o.state = 'open')"
    " FROM sync.conflict c WHERE c.id = ANY (%(ids)b::uuid[])"
)


@dataclass(frozen=True, slots=True)
class Known:
    """An earlier mutation of the device: what became of it, which row it was about, which version it left, and what it had not read."""

    status: str
    about: uuid.UUID | None
    version: int | None
    unseen: Collection[str]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A conflict that an item says it resolves: about which row, which fields of it, and whether somebody decided before."""

    about: uuid.UUID
    code: str
    state: str
    fields: frozenset[str]


@dataclass
class Scene:
    """What is around the items of one push. `begin` loads what a set of them needs; planning then asks no more."""

    line: Line
    batch: Batch
    opened: Opened
    sealer: Sealer
    today: dt.date
    account_id: int
    demo: bool
    aliases: dict[uuid.UUID, uuid.UUID] = field(default_factory=dict[uuid.UUID, uuid.UUID])
    done: dict[int, Outcome] = field(default_factory=dict[int, Outcome])
    """By number, what became of this push's mutations so far."""
    own: dict[uuid.UUID, set[int]] = field(default_factory=lambda: defaultdict(set))
    """Versions that this push has written, in earlier sets."""
    rows: dict[tuple[str, uuid.UUID], Row] = field(default_factory=dict[tuple[str, uuid.UUID], Row])
    numbers: dict[bytes, uuid.UUID | None] = field(default_factory=dict[bytes, uuid.UUID | None])
    """By blind index, which of the worker's residents has the number."""
    taken: frozenset[uuid.UUID] = frozenset()
    """Ids, of those that would become aliases, which some row has, perhaps one that the worker does not see."""
    conflicts: dict[uuid.UUID, Waiting] = field(default_factory=dict[uuid.UUID, Waiting])
    left_open: dict[uuid.UUID, int] = field(default_factory=dict[uuid.UUID, int])
    """By entity, how many conflicts about it wait."""
    relocating: bool = False
    """Whether buildings may leave the worker's grids: by a function, one at a time."""
    touched: list[Row] = field(default_factory=list[Row])
    """Rows that the item being planned refers to."""
    _policies: dict[str, dict[str, Policy]] | None = None

    @property
    def grids(self) -> frozenset[int]:
        """The worker's grids of now; those lost of late where this push may still write to them."""
        return self.opened.grids | frozenset(self.opened.lost)

    @property
    def received_at(self) -> dt.datetime:
        """When the push came."""
        return self.batch.sending.received_at

    @contextmanager
    def attempt(self) -> Generator[None]:
        """What is written in the block is undone when it raises Unfit, and so is what was remembered of it."""
        before = dict(self.aliases), dict(self.done), dict(self.conflicts), dict(self.left_open)
        own = {identifier: set(versions) for identifier, versions in self.own.items()}
        try:
            with self.line.savepoint():
                yield
        except Unfit:
            self.aliases, self.done, self.conflicts, self.left_open = before
            self.own = defaultdict(set, own)
            raise

    def find(self, kind: str, identifier: object) -> Row | None:
        """A live row that the worker sees, or one that this push makes."""
        row = self.rows.get((kind, self.true_id(identifier)))  # type: ignore[arg-type]
        if row is None or row.deleted:
            return None
        if row.last is not None:
            self.touched.append(row)
        return row

    def true_id(self, identifier: Any) -> Any:
        """The id itself, or what it is an alias of."""
        return self.aliases.get(identifier, identifier)

    def subdistrict_of(self, grid_id: int) -> int:
        """The subdistrict of a grid of the worker's; 0 for others."""
        return self.opened.subdistricts.get(grid_id, 0)

    def policies(self, kind: str) -> Mapping[str, Policy]:
        """The rules of the kind that hold now."""
        if self._policies is None:
            self._policies = defaultdict(dict)
            for noun, name, policy in self.line.rows(POLICIES):
                self._policies[noun][name] = policy
        return self._policies[kind]

    def home(self, item: Item) -> int | None:
        """The grid in whose queue a letter lies that is about no row the worker sees: the one that it names, or in which what it names
        lies. None, so that the district alone reads it, for the others: they may be about a grid that was lost.
        """
        if item.scope_id is not None:
            return item.scope_id if item.scope_id in self.grids else None
        named = WRITERS[item.kind].references if item.kind in WRITERS else {}
        rows = [self.rows.get((kind, self.true_id(item.values.get(name)))) for name, kind in named.items()]
        return next((row.grid_id for row in rows if row is not None), None)

    def begin(self, items: Sequence[Item]) -> None:
        """Load and hold the targets of the items, and load what they refer to."""
        self.rows.clear()
        self.numbers.clear()
        sound = [item for item in items if item.fault is None and item.kind in WRITERS and item.id is not None]
        targets: dict[str, set[uuid.UUID]] = defaultdict(set)
        references: dict[str, set[uuid.UUID]] = defaultdict(set)
        for item in items:
            if item.kind in WRITERS and item.id is not None:
                targets[item.kind].add(self.true_id(item.id))  # of those with a fault too: their letters lie where the row lies
        for item in sound:
            for name, kind in WRITERS[item.kind].references.items():
                value = item.values.get(name)
                if value is not None:
                    item.values[name] = self.true_id(value)
                    references[kind].add(item.values[name])
        canonical = self._claim(sound)
        targets["resident"] |= canonical
        for kind in ORDER:
            if targets.get(kind):
                self.load(kind, targets[kind], hold=bool(WRITERS[kind].fields))  # what is never changed, nobody may hold
        for kind in ORDER:
            missing = references.get(kind, set[uuid.UUID]()) - targets.get(kind, set[uuid.UUID]())
            if missing:
                self.load(kind, missing, hold=False)
        self._load_forms(sound, canonical)
        self._load_conflicts(sound)

    def _claim(self, items: Sequence[Item]) -> set[uuid.UUID]:
        numbers: list[Number] = []
        makers: dict[uuid.UUID, bytes] = {}
        for item in items:
            if item.kind == "resident" and item.op == "create":
                try:
                    number = number_in(item, self)
                except DistrictError:
                    continue  # told when it is planned
                if number is not None and item.id is not None:
                    numbers.append(number)
                    makers[item.id] = number.index
        self.numbers.update(claim(self.line, numbers, self))
        often = {index for index, count in Counter(number.index for number in numbers).items() if count > 1}
        doubles = [one for one, index in makers.items() if index in often or self.numbers.get(index) is not None]
        self.taken = frozenset(row[0] for row in self.line.rows(TAKEN, {"ids": doubles})) if doubles else frozenset()
        return {one for one in self.numbers.values() if one is not None}

    def load(self, kind: str, ids: set[uuid.UUID], *, hold: bool) -> None:
        """Rows that the actor sees, struck out ones too; held until the transaction ends where `hold`."""
        statement, names = _loading(kind, hold=hold)
        for identifier, version, grid, subdistrict, deleted, conflicted, recorded, *values in self.line.rows(statement, {"ids": list(ids)}):
            columns = dict(zip(names, values, strict=True))
            self.rows[kind, identifier] = Row(kind, identifier, version, grid, subdistrict, columns, deleted, conflicted, recorded)

    def _load_forms(self, items: Sequence[Item], canonical: set[uuid.UUID]) -> None:
        """The past of rows that moved on since the device read them."""
        oldest: dict[str, dict[uuid.UUID, int]] = defaultdict(dict)
        for item in items:
            row = self.rows.get((item.kind, self.true_id(item.id)))
            if row is None:
                continue
            base = 1 if item.op == "create" else self._base_of(item)
            if base is not None and base < row.version:
                known = oldest[item.kind]
                known[row.id] = min(known.get(row.id, base), base)
        for one in canonical:
            if ("resident", one) in self.rows:
                oldest["resident"][one] = 0
        if not oldest:
            return
        for kind, wanted in oldest.items():
            statement, names = _past(kind)
            for one in wanted:
                row = self.rows[kind, one]
                row.forms = {row.version: {**row.values, "recorded_from": row.recorded_from}}
            for identifier, version, recorded, *values in self.line.rows(statement, {"ids": list(wanted), "since": list(wanted.values())}):
                forms = self.rows[kind, identifier].forms
                assert forms is not None
                forms[version] = {**dict(zip(names, values, strict=True)), "recorded_from": recorded}
        ids = [one for wanted in oldest.values() for one in wanted]
        for identifier, version in self.line.rows(OWN, {"device": self.batch.device, "ids": ids}):
            self.own[identifier].add(version)

    def known(self, seq: int) -> Known | None:
        """What became of an earlier mutation of the device."""
        done = self.done.get(seq)
        if done is not None:
            return Known(done.status, done.entity_id, done.version, done.unseen)
        told = self.opened.bases.get(seq)
        if told is None:
            return None
        return Known(told["status"], told["id"] and uuid.UUID(told["id"]), told["version"], told["unseen"])

    def _base_of(self, item: Item) -> int | None:
        """The version that an item says it was made on; None for one of this very set, which nobody else has touched since."""
        if item.base_seq is None:
            return item.base_version or 0
        known = self.known(item.base_seq)
        return None if known is None else known.version or 0

    def _load_conflicts(self, items: Sequence[Item]) -> None:
        ids = [item.resolves for item in items if item.resolves is not None]
        if not ids:
            return
        for identifier, entity, code, state, fields, left in self.line.rows(CONFLICTS, {"ids": ids}):
            # What this push has resolved in an earlier set is written down at its end.
            self.conflicts.setdefault(identifier, Waiting(entity, code, state, frozenset(fields)))
            self.left_open.setdefault(entity, left)


@cache
def _loading(kind: str, *, hold: bool) -> tuple[str, tuple[str, ...]]:
    writer = REFERRED[kind]
    columns = ", ".join(column.read.format(name) for name, column in writer.columns.items())
    flag = "e.conflict_open" if "conflict_open" in KINDS[kind].table.c else "false"
    head = f"SELECT e.id, e.version, e.grid_id, e.subdistrict_id, e.deleted_at IS NOT NULL, {flag}, e.recorded_from, {columns}"
    tail = " ORDER BY e.id FOR NO KEY UPDATE OF e" if hold else ""
    return f"{head} FROM {writer.table} AS e WHERE e.id = ANY (%(ids)b::uuid[]){tail}", tuple(writer.columns)


@cache
def _past(kind: str) -> tuple[str, tuple[str, ...]]:
    writer = WRITERS[kind]
    columns = ", ".join(column.read.format(name) for name, column in writer.columns.items())
    return (
        f"SELECT e.id, e.version, e.recorded_from, {columns} FROM {writer.table}_past AS e"  # noqa: S608 -- names of ours
        " JOIN unnest(%(ids)b::uuid[], %(since)b::int[]) AS u(id, since) ON e.id = u.id AND e.version >= u.since"
    ), tuple(writer.columns)
