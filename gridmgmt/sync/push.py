"""Take what a handheld sends: in order, exactly once, and no mutation is lost, doubled or in the way of the next.

One transaction for a batch. What PostgreSQL refuses about the set is done again in small sets and, where those are refused too, one
mutation after the other: then only the one that is to blame is put among the dead letters.
"""

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from gridmgmt.database import Actor, Database
from gridmgmt.errors import ConflictError, ForbiddenError
from gridmgmt.security import audit
from gridmgmt.security.sealing import Sealer
from gridmgmt.sync.attachments import attach
from gridmgmt.sync.clocks import correct
from gridmgmt.sync.items import Batch, Item, letter_id
from gridmgmt.sync.ledger import Opened, close_push, open_push
from gridmgmt.sync.lines import Line, Unfit
from gridmgmt.sync.planning import plan
from gridmgmt.sync.results import Clash, Outcome, new_id, rejected
from gridmgmt.sync.scene import Scene
from gridmgmt.sync.writers.residents import namesakes
from gridmgmt.sync.writing import show_present, write

SMALL: Final = 50
"""PostgreSQL keeps 64 subtransactions of a backend at hand; beyond, everybody slows down."""


@dataclass(frozen=True)
class Pushed:
    """What is answered: the last number that was taken, and a result for each mutation in the order in which they came."""

    last_seq: int
    results: Sequence[Mapping[str, Any]]


def push(database: Database, actor: Actor, sealer: Sealer, batch: Batch, *, today: dt.date, demo: bool = False) -> Pushed:
    """Take a batch and say what became of each mutation. Commits.

    Raises ForbiddenError for another's device, ConflictError `sequence-gap` with `expected_seq` among its facts when numbers are
    missing (nothing is taken then) and `push-in-progress` when another push of the device does not end, UnauthenticatedError, BusyError.
    """
    if uuid.UUID(actor.device) != batch.device if actor.device else True:
        raise ForbiddenError("the token is not this device's")
    for item in batch.items:
        item.recorded = correct(batch.sending, item.capture)
    taker = _Taker(database, replace(actor, device=f"{actor.device};late"), sealer, batch, today, demo)
    try:
        return taker.take(batch.items, piecewise=False)
    except Unfit:
        done = [taker.take(batch.items[n : n + SMALL], piecewise=True) for n in range(0, len(batch.items), SMALL)]
    return Pushed(done[-1].last_seq, [result for one in done for result in one.results])


@dataclass(frozen=True)
class _Taker:
    database: Database
    actor: Actor
    sealer: Sealer
    batch: Batch
    today: dt.date
    demo: bool

    def take(self, items: Sequence[Item], *, piecewise: bool) -> Pushed:
        """One transaction. Raises Unfit where something is refused, unless `piecewise`."""
        with self.database.transaction(self.actor) as session:
            line = Line(session)
            opened = open_push(line, self.batch, items)
            told, reused, fresh = _known(items, opened, self.batch.device)
            _require_next(fresh, opened)
            _refuse_reused_ids(fresh, opened)
            outcomes: list[Outcome] = []
            if fresh:
                scene = Scene(
                    line, self.batch, opened, self.sealer, self.today, self.actor.account_id, self.demo, aliases=dict(opened.aliases)
                )
                outcomes = _piece_by_piece(fresh, scene) if piecewise else _carry(fresh, scene)
                attach(session, self.actor, outcomes)
            told |= {outcome.item.seq: outcome.told() for outcome in (*outcomes, *reused)}
            show_present(line, [(item.kind, told[item.seq]) for item in items], opened.grids)
            close_push(line, self.batch, self.sealer, outcomes, reused)
            detail = {"batch": str(self.batch.batch_id), **Counter(outcome.status for outcome in (*outcomes, *reused))}
            audit.record(session, "push", "sync", self.batch.device, rows=len(outcomes), detail=detail)
        return Pushed(opened.last_seq + len(outcomes), [told[item.seq] for item in items])


def _known(items: Sequence[Item], opened: Opened, device: uuid.UUID) -> tuple[dict[int, dict[str, Any]], list[Outcome], list[Item]]:
    """Answers to what was taken before, what stands under a number of something else, and what is new."""
    told: dict[int, dict[str, Any]] = {}
    reused: list[Outcome] = []
    fresh: list[Item] = []
    for item in items:
        if item.seq > opened.last_seq:
            fresh.append(item)
            continue
        stored = opened.stored.get(item.seq)
        if stored is None or stored["hash"] != item.req_hash.hex():
            error = ConflictError("the number was used for another mutation", field="seq", slug="seq-reused")
            item.mutation_id = letter_id(device, item)  # each of several under one number is kept, and a repetition once
            outcome = rejected(item, error, grid_id=item.scope_id if item.scope_id in opened.grids else None)
            outcome.incident = "seq-reused"
            reused.append(outcome)
        else:
            told[item.seq] = {**(stored["result"] or _left_of(item, stored)), "replayed": True}
    return told, reused, fresh


def _left_of(item: Item, stored: Mapping[str, Any]) -> dict[str, Any]:
    """What is still known of a result that is not told in full any more."""
    left = {"seq": item.seq, "status": stored["status"], "id": stored["id"], "version": stored["version"]}
    if stored["status"] == "duplicate_of":
        left |= {"id": None if item.id is None else str(item.id), "canonical_id": stored["id"]}
    return {name: value for name, value in left.items() if value is not None}


def _require_next(fresh: Sequence[Item], opened: Opened) -> None:
    for expected, item in enumerate(fresh, opened.last_seq + 1):
        if item.seq != expected:
            raise ConflictError(
                f"expected {expected}, got {item.seq}",
                slug="sequence-gap",
                field="mutations",
                expected_seq=opened.last_seq + 1,
                retryable=True,
            )


def _refuse_reused_ids(fresh: Sequence[Item], opened: Opened) -> None:
    seen = set(opened.taken)
    for item in fresh:
        if item.mutation_id in seen:
            item.fault = ConflictError("the mutation id stands under another number", field="mutation_id", slug="mutation-id-reused")
            item.mutation_id = uuid.uuid4()
        seen.add(item.mutation_id)


def _carry(items: Sequence[Item], scene: Scene) -> list[Outcome]:
    """Load, plan and write a set. Raises Unfit when something of it is refused by PostgreSQL."""
    scene.begin(items)
    outcomes: list[Outcome] = []
    for item in items:
        outcome = plan(item, scene)
        scene.done[item.seq] = outcome
        outcomes.append(outcome)
    _hint_at_namesakes(outcomes, scene)
    write(outcomes, scene)
    for outcome in outcomes:
        _require_admitted(outcome, scene)
    return outcomes


def _piece_by_piece(items: Sequence[Item], scene: Scene) -> list[Outcome]:
    """The set at once if it can be, else each item for itself; what is refused is rejected."""
    with suppress(Unfit), scene.attempt():
        return _carry(items, scene)
    return [_alone(item, scene) for item in items]


def _alone(item: Item, scene: Scene) -> Outcome:
    for relocating in (False, True):
        scene.relocating = relocating
        try:
            with scene.attempt():
                return _carry([item], scene)[0]
        except Unfit as unfit:
            refused = unfit
            if not (item.kind == "building" and item.op == "update" and "entrance" in item.values and unfit.told.slug == "outside-scope"):
                break
    scene.relocating = False
    row = scene.rows.get((item.kind, scene.true_id(item.id)))
    grid_id = row.grid_id if row is not None and not row.made else scene.home(item)
    outcome = rejected(item, refused.told, grid_id=grid_id)
    scene.done[item.seq] = outcome
    return outcome


def _hint_at_namesakes(outcomes: Sequence[Outcome], scene: Scene) -> None:
    fresh = {
        outcome.item.seq: outcome for outcome in outcomes if outcome.item.kind == "resident" and outcome.writes and outcome.after.fresh
    }
    for seq, other in namesakes(scene.line, [outcome.after for outcome in fresh.values()]).items():
        outcome = fresh[seq]
        pair = {"resident_id": str(other)}, {"resident_id": str(outcome.entity_id)}
        row = outcome.row
        outcome.clashes.append(
            Clash(new_id(), "same-person", "resident", row.id, row.grid_id, seq, ["name", "birth_year"], None, pair[0], pair[1])
        )
        outcome.after.columns["conflict_open"] = row.conflict_open = True


def _require_admitted(outcome: Outcome, scene: Scene) -> None:
    """PostgreSQL says in which grid a new building lies; if that one was lost, it must have been recorded before."""
    if not (outcome.writes and outcome.after.fresh and outcome.item.kind == "building"):
        return
    outcome.grid_id = outcome.row.grid_id
    lost_at = scene.opened.lost.get(outcome.row.grid_id)
    recorded = outcome.item.recorded.at
    if lost_at is not None and (recorded is None or recorded >= lost_at):
        raise Unfit(ForbiddenError("the grid is no longer yours, and this was recorded afterwards", slug="out-of-scope"), outcome.item.seq)
