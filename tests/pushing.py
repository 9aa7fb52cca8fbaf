"""A handheld that pushes, without HTTP: bodies as they travel, read as the route reads them, in the order of the device's own numbers."""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from api.schemas.sync_push import read_items
from gridmgmt.sync.clocks import Sending
from gridmgmt.sync.items import Batch
from gridmgmt.sync.push import Pushed, push
from tests.drawn import Drawn
from tests.handhelds import Device, enrolled
from tests.places import SEALER

TODAY = dt.date(2026, 11, 28)


@dataclass
class Pusher:
    """Numbers what it makes and pushes it."""

    drawn: Drawn
    device: Device
    seq: int = 0

    @classmethod
    def of(cls, drawn: Drawn, username: str = "worker") -> "Pusher":
        """A new handheld of the account."""
        return cls(drawn, enrolled(drawn, username))

    def item(self, op: str, kind: str, identifier: object, **more: Any) -> dict[str, Any]:
        """A mutation under the next number."""
        self.seq += 1
        return {"seq": self.seq, "mutation_id": str(uuid.uuid4()), "op": op, "kind": kind, "id": str(identifier), **more}

    def create(self, kind: str, identifier: object = None, /, *, scope: int | None = None, **values: Any) -> dict[str, Any]:
        """A creation."""
        more = {} if scope is None else {"scope_id": scope}
        return self.item("create", kind, identifier or uuid.uuid4(), set=plain(values), **more)

    def update(
        self, kind: str, identifier: object, base: int | None = None, /, *, after: int | None = None, **values: Any
    ) -> dict[str, Any]:
        """A change of the form `base`, or of what the mutation `after` made."""
        told = {"version": base} if base is not None else {"seq": after} if after is not None else None
        return self.item("update", kind, identifier, set=plain(values), **({} if told is None else {"base": told}))

    def delete(self, kind: str, identifier: object, base: int | None = None) -> dict[str, Any]:
        """A deletion of the form `base`."""
        return self.item("delete", kind, identifier, **({} if base is None else {"base": {"version": base}}))

    def push(self, *bodies: Mapping[str, Any], received_at: dt.datetime | None = None) -> Pushed:
        """Push the mutations at once."""
        moment = received_at or dt.datetime.now(dt.UTC)
        batch = Batch(self.device.id, uuid.uuid4(), Sending(moment, moment, "boot", 1_000_000), read_items(self.device.id, bodies))
        return push(self.drawn.database, self.device.actor, SEALER, batch, today=TODAY, demo=True)

    def results(self, *bodies: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """The results of a push."""
        return self.push(*bodies).results

    def statuses(self, *bodies: Mapping[str, Any]) -> list[str]:
        """What became of each mutation, in one word; of those that were rejected, why."""
        return [word(result) for result in self.results(*bodies)]


def word(result: Mapping[str, Any]) -> str:
    """The status of a result, or the code of its rejection."""
    return result["problem"]["code"] if result["status"] == "rejected" else result["status"]


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as JSON has them."""
    return {name: str(value) if isinstance(value, uuid.UUID | dt.date) else value for name, value in values.items()}


def rows(drawn: Drawn, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """What the superuser sees."""
    with psycopg.connect(drawn.address.conninfo("postgres")) as superuser:
        return superuser.execute(statement.encode(), list(values)).fetchall()


def forms(drawn: Drawn, noun: str, identifier: object, column: str) -> list[tuple[int, Any]]:
    """Version and value of every form of a row, the oldest first."""
    both = f"SELECT version, {column} FROM reg.{noun}_past WHERE id = %s UNION ALL SELECT version, {column} FROM reg.{noun} WHERE id = %s"
    return sorted(rows(drawn, both, identifier, identifier))


@pytest.fixture
def hand(drawn: Drawn) -> Pusher:
    """A handheld of the worker of the south-west."""
    return Pusher.of(drawn)
