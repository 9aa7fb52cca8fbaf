"""What a handheld sends: a batch of mutations, each as far as it could be read. What is wrong with one is a fault of that one alone."""

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import orjson

from gridmgmt.errors import DistrictError
from gridmgmt.sync.clocks import Capture, Corrected, Sending

Op = Literal["create", "update", "delete"]
LONGEST_KIND: Final = 40
"""Letters that are kept of a kind that there is not."""


@dataclass(slots=True)
class Item:
    """One mutation. `values` are the members of its `set` by their names on the wire, read by the kind's own shape."""

    seq: int
    mutation_id: uuid.UUID
    body: Mapping[str, Any]
    """As it came; sealed when it becomes a dead letter."""
    kind: str
    op: Op = "update"
    id: uuid.UUID | None = None
    scope_id: int | None = None
    values: dict[str, Any] = field(default_factory=dict[str, Any])
    base_version: int | None = None
    base_seq: int | None = None
    capture: Capture = Capture(None)  # noqa: RUF009 -- frozen
    resolves: uuid.UUID | None = None
    files: Sequence[str] = ()
    fault: DistrictError | None = None
    """Why it cannot be taken, whatever there is in the register."""
    recorded: Corrected = Corrected(None, flagged=False)  # noqa: RUF009 -- frozen
    req_hash: bytes = b""

    def told(self, name: str) -> Any:
        """A member of `set` as it came."""
        given = self.body.get("set")
        return given.get(name) if isinstance(given, dict) else None

    def was(self, name: str) -> Any:
        """What the device had read there, as far as it says."""
        given = self.body.get("was")
        return given.get(name) if isinstance(given, dict) else None


@dataclass(frozen=True, slots=True)
class Batch:
    """A push. The numbers of `items` rise by one or more; gaps are for the ledger to find."""

    device: uuid.UUID
    batch_id: uuid.UUID
    sending: Sending
    items: Sequence[Item]
    app_version: str | None = None
    schema_version: int | None = None


def canonical(body: Mapping[str, Any]) -> bytes:
    """Canonical JSON of an item: members in order, no blanks. Also of text and numbers that no database holds."""
    try:
        return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()


def is_kept(body: Mapping[str, Any]) -> bool:
    """Whether a database holds all of it: no integer beyond 64 bits, no half characters, no nesting beyond use."""
    try:
        orjson.dumps(body)
    except TypeError:
        return False
    return True


def hash_of(written: bytes) -> bytes:
    """SHA-256 of an item, given its canonical JSON."""
    return hashlib.sha256(written).digest()


def letter_id(device: uuid.UUID, item: Item) -> uuid.UUID:
    """The id of the letter of an item that stands under a number of something else: the same for the same content."""
    return uuid.uuid5(device, f"{item.seq}:{item.req_hash.hex()}")


def derived_id(device: uuid.UUID, seq: int) -> uuid.UUID:
    """The mutation id of an item that brings none that can be used: the same each time it is sent."""
    return uuid.uuid5(device, str(seq))
