"""What became of each mutation: the answer to the device, the conflict or the dead letter that it left."""

import os
import time
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from gridmgmt.errors import DistrictError
from gridmgmt.sync.items import Item

Status = Literal["applied", "merged", "noop", "duplicate_of", "conflict", "rejected"]
Problem = dict[str, Any]
"""`code`, `detail` and `errors`; titles and statuses are HTTP's."""


@dataclass(slots=True)
class Clash:
    """A row of the queue of conflicts, or of those that a policy settled."""

    id: uuid.UUID
    code: str
    kind: str
    entity_id: uuid.UUID
    grid_id: int
    seq: int
    fields: Sequence[str]
    base: Mapping[str, Any] | None
    theirs: Mapping[str, Any] | None
    yours: Mapping[str, Any] | None
    state: Literal["open", "settled"] = "open"


@dataclass(slots=True)
class Outcome:
    """What becomes of one mutation, planned before it is written; the version is known afterwards."""

    item: Item
    status: Status
    entity_id: uuid.UUID | None = None
    row: Any = None
    """The row in memory that it is about (rows.Row)."""
    after: Any = None
    """The last write of that row up to here (writing.Write), its own or one before it."""
    writes: bool = False
    version: int | None = None
    merged: Sequence[str] = ()
    kept: Sequence[str] = ()
    unseen: Collection[str] = ()
    """Fields that others had changed since the base: whoever builds on this mutation has not read them either."""
    problem: Problem | None = None
    clashes: list[Clash] = field(default_factory=list[Clash])
    canonical: uuid.UUID | None = None
    resolved: uuid.UUID | None = None
    grid_id: int | None = None
    incident: str | None = None
    awaited: Sequence[str] = ()
    """Files that the mutation names and that have not arrived as a whole."""

    @property
    def clash(self) -> Clash | None:
        """The conflict that waits for somebody."""
        return next((clash for clash in self.clashes if clash.state == "open"), None)

    def told(self) -> dict[str, Any]:
        """The result as it is stored. The answer has the present row beside a conflict, and what HTTP adds to a problem."""
        item = self.item
        out: dict[str, Any] = {"seq": item.seq, "status": self.status}
        if self.entity_id is not None:
            out["id"] = str(self.entity_id if self.canonical is None else item.id)
        if self.version is not None:
            out["version"] = self.version
        if self.canonical is not None:
            out["canonical_id"] = str(self.canonical)
        clash = self.clash
        if clash is not None:
            out |= {"conflict_id": str(clash.id), "fields": list(clash.fields)}
        if self.merged:
            out["merged"] = list(self.merged)
        if self.kept:
            out["kept"] = list(self.kept)
        if item.recorded.flagged:
            out["clock"] = "flagged"
        if self.problem is not None:
            out["problem"] = self.problem
        if self.awaited:
            out["files_pending"] = list(self.awaited)
        return out


def rejected(item: Item, error: DistrictError, *, entity_id: uuid.UUID | None = None, grid_id: int | None = None) -> Outcome:
    """The outcome of an item that cannot be taken: its body goes to the dead letters."""
    return Outcome(item, "rejected", entity_id=entity_id or item.id, grid_id=grid_id, problem=problem(error))


def problem(error: DistrictError) -> Problem:
    """What is told of a refusal of one item."""
    told: Problem = {"code": error.slug, "detail": error.detail}
    if error.field:
        told["errors"] = [{"field": error.field, "reason": error.detail}]
    more = error.facts.get("errors")
    if isinstance(more, list):
        told["errors"] = more
    return told


def new_id() -> uuid.UUID:
    """A UUID of version 7 (RFC 9562): conflicts are listed in the order in which they came up."""
    stamp = time.time_ns() // 1_000_000
    return uuid.UUID(int=(stamp << 80) | int.from_bytes(os.urandom(10)) & ~(0xF << 76) & ~(0x3 << 62) | (0x7 << 76) | (0x2 << 62))
