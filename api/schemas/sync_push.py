"""A push as it travels: the envelope, whose faults refuse the whole, and its items, whose faults are their own."""

import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Field, StringConstraints, ValidationError

from api.problems import KINDS, RequestError
from api.schemas.base import Answer, AnyMoment, Body, EntityId, Int4, Int8, Moment, Name
from api.schemas.sync_kinds import SHAPES
from gridmgmt.errors import DistrictError, InvalidError
from gridmgmt.sync.clocks import Capture
from gridmgmt.sync.items import LONGEST_KIND, Item, canonical, derived_id, hash_of, is_kept
from gridmgmt.sync.kinds import KINDS as READ

LARGEST: Final = 65_536
"""Bytes of one mutation, unless said otherwise."""
_UNKEPT = re.compile(rb"(?<!\\)(?:\\\\)*\\u(?:0000|[dD][89a-fA-F])")
_PLAIN = re.compile(r"[^ -~]")

Word = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[!-~]+$")]
Seq = Annotated[Int8, Field(ge=1)]


class Push(Body):
    """What a handheld sends. Mutations are numbered without a gap, in the order in which they were made; none is a sign of life."""

    device_id: EntityId
    batch_id: EntityId
    sent_at_device: AnyMoment
    boot_id: Word | None = None
    mono_ms: Int8 | None = None
    app_version: Name | None = None
    mutations: list[Any]


class Base(Body):
    """On which form a change was made: a version, or what the device's own mutation of that number made."""

    version: Annotated[Int4, Field(ge=1)] | None = None
    seq: Seq | None = None


class Mutation(Body):
    """One mutation."""

    seq: Seq
    mutation_id: EntityId
    op: Literal["create", "update", "delete"]
    kind: str = Field(max_length=LONGEST_KIND)
    id: EntityId
    scope_id: Int4 | None = None
    captured_at: AnyMoment | None = None
    mono_ms: Int8 | None = None
    boot_id: Word | None = None
    base: Base | None = None
    set: dict[str, Any] | None = None
    was: dict[str, Any] | None = None
    files: list[Word] = Field(default_factory=list, max_length=20)
    resolves: EntityId | None = None


class Result(Answer):
    """What became of a mutation."""

    seq: int
    status: Literal["applied", "merged", "noop", "duplicate_of", "conflict", "rejected"]
    id: EntityId | None = None
    version: int | None = None
    canonical_id: EntityId | None = None
    conflict_id: EntityId | None = None
    fields: list[str] | None = Field(default=None, description="Members of `set` that were not written and wait for somebody to decide")
    merged: list[str] | None = Field(default=None, description="Members that others changed since the base, and that stand")
    kept: list[str] | None = Field(default=None, description="Members whose value on the server stands by its policy")
    current: dict[str, Any] | None = None
    problem: dict[str, Any] | None = None
    clock: Literal["flagged"] | None = None
    files_pending: list[str] | None = None
    replayed: bool | None = None


class PushAnswer(Answer):
    """The results in the order of the mutations."""

    server_time: Moment
    last_seq: int
    results: list[Result]


def read_items(device: uuid.UUID, mutations: Sequence[Any], *, largest: int = LARGEST) -> list[Item]:
    """The mutations of a push. Raises RequestError (400) for what has no number, or one that does not rise."""
    items: list[Item] = []
    last = 0
    for place, body in enumerate(mutations):
        seq = body.get("seq") if isinstance(body, dict) else None
        if not isinstance(seq, int) or isinstance(seq, bool) or not last < seq < 2**63:
            where = f"mutations.{place}.seq" if isinstance(body, dict) else f"mutations.{place}"
            raise RequestError("malformed-request", "mutations are objects whose seq rises from one to the next", field=where)
        last = seq
        items.append(_item(device, body, largest))
    return items


def read_set(kind: str, op: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The members of `set` as values. Raises InvalidError."""
    shapes = SHAPES.get(kind)
    if shapes is None:
        told = "is not written by handhelds" if kind in READ else "is no kind that there is"
        raise InvalidError(f"this kind {told}", field="kind", slug="kind-not-writable")
    shape = shapes.made if op == "create" else shapes.corrected
    if shape is None:
        raise InvalidError("what was seen once is not changed afterwards", field="op")
    try:
        read = shape.model_validate(given)
    except ValidationError as error:
        raise _fault(error, "set.") from None
    if "id" in read.model_fields_set:
        raise InvalidError("the id stands beside `set`", field="set.id", slug="unknown-field")
    return {name: _value(getattr(read, name)) for name in read.model_fields_set}


def _item(device: uuid.UUID, body: Mapping[str, Any], largest: int) -> Item:
    seq: int = body["seq"]
    written = canonical(body)
    item = Item(seq, _uuid(body.get("mutation_id")) or derived_id(device, seq), body, _kind(body.get("kind")), req_hash=hash_of(written))
    try:
        _read(item, body, written, largest)
    except DistrictError as error:
        item.fault = error
    return item


def _read(item: Item, body: Mapping[str, Any], written: bytes, largest: int) -> None:
    try:
        told = Mutation.model_validate(body)
    except ValidationError as error:
        item.id = _uuid(body.get("id"))
        raise _fault(error, "") from None
    item.mutation_id, item.id, item.op = told.mutation_id, told.id, told.op
    item.scope_id, item.resolves, item.files = told.scope_id, told.resolves, told.files
    item.capture = Capture(told.captured_at, told.boot_id, told.mono_ms)
    if told.base is not None:
        item.base_version, item.base_seq = told.base.version, told.base.seq
    if len(written) > largest:
        raise InvalidError(f"a mutation has at most {largest} bytes", slug="too-large")
    if _UNKEPT.search(written):
        raise InvalidError("the mutation holds a character that cannot be kept")
    if not is_kept(body):
        raise InvalidError("the mutation holds a number that cannot be kept, or is nested too deep")
    if item.base_seq is not None and (item.base_version is not None or item.base_seq >= item.seq):
        raise InvalidError("a base is a version or the number of an earlier mutation", field="base")
    if told.op == "delete":
        if told.set:
            raise InvalidError("a deletion sets nothing", field="set")
        if told.kind not in SHAPES:
            read_set(told.kind, told.op, {})
    elif told.set is None:
        raise InvalidError("a creation or a change says what it sets", field="set")
    else:
        item.values = read_set(told.kind, told.op, told.set)


def _fault(error: ValidationError, prefix: str) -> InvalidError:
    faults = [
        {
            "field": _PLAIN.sub("?", prefix + ".".join(str(part) for part in one["loc"]))[:200],
            "reason": str(one["msg"]).removeprefix("Value error, "),
        }
        for one in error.errors(include_url=False, include_input=False, include_context=False)
    ]
    extra = any(one["type"] == "extra_forbidden" for one in error.errors(include_url=False, include_input=False, include_context=False))
    detail = "; ".join(f"{fault['field']}: {fault['reason']}" for fault in faults[:5])
    return InvalidError(detail, field=faults[0]["field"], slug="unknown-field" if extra else "invalid-value", errors=faults[:20])


def _value(value: Any) -> Any:
    return value.model_dump() if isinstance(value, BaseModel) else value


def _kind(value: object) -> str:
    return _PLAIN.sub("?", value)[:LONGEST_KIND] if isinstance(value, str) else "?"


def _uuid(value: object) -> uuid.UUID | None:
    try:
        return uuid.UUID(value) if isinstance(value, str) and len(value) == 36 else None
    except ValueError:
        return None


def dressed(problem: Mapping[str, Any]) -> dict[str, Any]:
    """The problem of an item, with what HTTP says of its code."""
    kind = KINDS[problem["code"]]
    return {"type": f"/problems/{problem['code']}", "title": kind.title, "title_zh": kind.title_zh, "status": kind.status, **problem}
