"""Conflicts, dead letters and policies as they travel."""

from typing import Any, Literal

from pydantic import Field

from api.schemas.base import Answer, Body, EntityId, Moment, Note

ConflictState = Literal["open", "resolved", "settled"]
LetterState = Literal["open", "closed"]
Policy = Literal["client_wins", "server_wins", "max", "min", "union", "manual"]


class ConflictShown(Answer):
    """A conflict: what the device had read, what the server has, what the device wanted, of the fields at issue."""

    id: EntityId
    code: Literal["field-conflict", "target-deleted", "delete-changed", "same-person"]
    kind: str
    entity_id: EntityId
    grid_id: int
    subdistrict_id: int
    device_id: EntityId
    client_seq: int
    fields: list[str]
    base: dict[str, Any] | None
    theirs: dict[str, Any] | None
    yours: dict[str, Any] | None
    state: ConflictState
    created_at: Moment
    resolved_by: int | None
    resolved_at: Moment | None


class Resolve(Body):
    """Whose value is taken, or which other one; two records of one person are merged or told apart."""

    take: Literal["theirs", "yours", "set", "merge", "apart"]
    set: dict[str, Any] | None = None


class Resolved(Answer):
    """How the conflict was decided, and the version of the row after it."""

    conflict_id: EntityId
    state: Literal["resolved"]
    take: str
    id: EntityId
    version: int


class LetterShown(Answer):
    """A mutation that could not be taken, and why."""

    device_id: EntityId
    client_seq: int
    mutation_id: EntityId
    account_id: int
    grid_id: int | None
    subdistrict_id: int | None
    kind: str
    problem: dict[str, Any]
    state: LetterState
    created_at: Moment
    closed_by: int | None
    closed_at: Moment | None
    note: str | None


class LetterOpened(LetterShown):
    """The same with the mutation as it came, numbers and phones masked."""

    body: dict[str, Any]


class LetterClosing(Body):
    """What was done about it."""

    note: Note


class PolicyShown(Answer):
    """Who wins in a field; version and time of the rule."""

    kind: str
    field: str
    policy: Policy
    version: int
    set_by: int
    set_at: Moment


class PolicyChoice(Body):
    """The rule of a field from now on."""

    kind: str = Field(max_length=40)
    field: str = Field(max_length=60)
    policy: Policy
