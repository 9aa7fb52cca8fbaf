"""What becomes of one mutation, decided in memory: who may, what others changed since, what is written, which conflict is left."""

import datetime as dt
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from gridmgmt.errors import ConflictError, DistrictError, ForbiddenError, InvalidError, NotFoundError
from gridmgmt.registers.people import phone_of
from gridmgmt.sync.items import Item
from gridmgmt.sync.kinds import ORDER
from gridmgmt.sync.merging import Decision, changed_fields, decide
from gridmgmt.sync.results import Clash, Outcome, new_id, problem, rejected
from gridmgmt.sync.scene import Scene
from gridmgmt.sync.writers import WRITERS
from gridmgmt.sync.writers.noun import Row, Write, Writer
from gridmgmt.sync.writers.residents import Number, is_erased

RANK: Final[Mapping[str, int]] = {kind: rank for rank, kind in enumerate(ORDER)}


@dataclass(frozen=True, slots=True)
class Case:
    """A mutation of a row that is there, what others changed since, and the form that it was made on."""

    item: Item
    writer: Writer
    row: Row
    changed: Collection[str]
    base: int | None
    scene: Scene


def plan(item: Item, scene: Scene) -> Outcome:
    """The outcome of an item, with the write that it takes in `after`. The rows of the scene are changed as if it were written."""
    scene.touched.clear()
    try:
        outcome = _plan(item, scene)
    except DistrictError as error:
        row = scene.rows.get((item.kind, scene.true_id(item.id)))
        outcome = rejected(item, error, grid_id=scene.home(item) if row is None else row.grid_id)
        outcome.incident = "mutation-id-reused" if error.slug == "mutation-id-reused" else None
    if outcome.row is not None:
        outcome.row.seqs.add(item.seq)
    return outcome


def _plan(item: Item, scene: Scene) -> Outcome:
    if item.fault is not None:
        raise item.fault
    writer = WRITERS[item.kind]
    identifier = scene.true_id(item.id)
    row = scene.rows.get((item.kind, identifier))
    if item.op == "create":
        return _create(item, writer, row, scene)
    if item.base_seq is not None and (before := scene.known(item.base_seq)) is not None and before.status == "rejected":
        raise ConflictError("the mutation that this one builds on was rejected", slug="dependency-rejected")
    if row is None:
        raise NotFoundError("there is no such row, or none that you may see", slug="not-found-or-out-of-scope")
    changed, base = _since(item, writer, row, scene)
    _admit(row.grid_id, item, scene, _recorded(row, base))
    if not writer.fields:
        raise InvalidError("what was seen once is not changed afterwards", field="op")
    resolves = _resolved(item, row, scene)
    case = Case(item, writer, row, changed, base, scene)
    outcome = _change(case, restores=resolves == "target-deleted" and not is_erased(row))
    outcome.unseen = changed
    if resolves is not None and outcome.clash is None:
        _settle(item, outcome, row, scene)
    return outcome


def _change(case: Case, *, restores: bool) -> Outcome:
    if case.item.op == "delete":
        return _delete(case)
    if case.row.deleted and not restores:
        return _struck(case)
    return _correct(case, case.writer.read(case.item, case.row, case.scene))


def _create(item: Item, writer: Writer, row: Row | None, scene: Scene) -> Outcome:
    values = writer.read(item, None, scene)
    if row is not None:
        return _again(item, writer, row, values)
    if item.id in scene.aliases:
        raise _taken()  # of somebody who is out of sight, or of another kind
    number = values.get("identity_number")
    if isinstance(number, Number):
        known = scene.numbers.get(number.index)
        first = None if known is None else scene.rows.get(("resident", known))
        if first is not None and not first.deleted:
            return _duplicate(item, writer, first, values, scene)
    columns = writer.create(values, item, scene)
    _admit(columns["grid_id"], item, scene, None)
    assert item.id is not None
    held = {name: columns.get(name) for name in writer.columns}
    row = Row(item.kind, item.id, 0, columns["grid_id"], columns["subdistrict_id"], held, made=True)
    scene.rows[item.kind, item.id] = row
    if isinstance(number, Number):
        scene.numbers[number.index] = item.id
    _write(row, columns, item, scene, fresh=True)
    return Outcome(item, "applied", item.id, row=row, after=row.last, writes=True, grid_id=row.grid_id)


def _again(item: Item, writer: Writer, row: Row, values: Mapping[str, Any]) -> Outcome:
    """The id is there: the same creation again writes nothing, any other is refused."""
    form = (row.forms or {}).get(1, row.values)
    first = writer.present(form, {**writer.fields, **writer.made_of})
    alike = all(writer.same(name, first[name], value) or (name == "phone" and first[name] == writer.told(name, value))
                for name, value in values.items() if name in first)  # fmt: skip
    if not alike or row.deleted:
        raise _taken()
    return Outcome(item, "noop", row.id, row=row, after=row.last, grid_id=row.grid_id)


def _taken() -> ConflictError:
    return ConflictError("the id is used already, with other content", field="id", slug="id-taken")


def _duplicate(item: Item, writer: Writer, first: Row, values: Mapping[str, Any], scene: Scene) -> Outcome:
    """Somebody entered this human being before: what is said now is a correction of that record by one who read none of its forms."""
    _admit(first.grid_id, item, scene, None)
    assert item.id is not None
    if item.id in scene.taken or any((kind, item.id) in scene.rows for kind in ORDER):
        raise _taken()  # as an alias it would lead others' changes of that row astray
    wanted = {name: values[name] for name in ("name", "registration", "phone") if name in values}
    changed = _changed(writer, first, 0, scene)
    outcome = _correct(Case(item, writer, first, changed, 0, scene), wanted)
    outcome.status, outcome.canonical, outcome.unseen = "duplicate_of", first.id, changed
    scene.aliases[item.id] = first.id
    return outcome


def _correct(case: Case, wanted: Mapping[str, Any]) -> Outcome:
    item, writer, row, changed, scene = case.item, case.writer, case.row, case.changed, case.scene
    fixed = [name for name in wanted if name not in writer.fields]
    if fixed:
        raise InvalidError("is set when the row is made and never changed", field=fixed[0])
    present = writer.present(row.values)
    policies = scene.policies(item.kind) if changed else {}
    decided = decide(wanted, present, changed, policies, same=writer.same)
    fallen = {other: None for name, other in writer.falls.items() if name in decided.write and other not in wanted}
    if fallen:  # weighed like what was named: others may have drawn it since
        decided = decide({**wanted, **fallen}, present, changed, policies, same=writer.same)
    columns = writer.change(decided.write, row, scene) if decided.write else {}
    others = sorted(set(changed) - decided.open - decided.kept)
    status = "conflict" if decided.open else "noop" if not columns and not decided.kept else "merged" if changed else "applied"
    outcome = Outcome(item, status, row.id, row=row, merged=others, grid_id=row.grid_id)
    outcome.kept = sorted(decided.kept)
    _clashes(outcome, case, present, decided)
    if row.deleted:
        columns["deleted_at"] = None
        row.deleted = False
    if decided.open:
        outcome.problem = problem(ConflictError("others changed the same: somebody decides", slug="field-conflict", errors=[
            {"field": name, "reason": "was changed on the server"} for name in sorted(decided.open)]))  # fmt: skip
        if not row.conflict_open:
            columns["conflict_open"] = row.conflict_open = True
    if columns:
        _write(row, columns, item, scene, fresh=False)
        outcome.writes = True
        if outcome.status == "noop":
            outcome.status = "merged" if changed else "applied"
    outcome.after = row.last
    return outcome


def _clashes(outcome: Outcome, case: Case, present: Mapping[str, Any], decided: Decision) -> None:
    """Both values of what was not written are kept: for somebody to decide, or to be told."""
    writer, row, item = case.writer, case.row, case.item
    form = (row.forms or {}).get(case.base or 0)
    read = {} if form is None else writer.present(form)
    for names, state in ((decided.open, "open"), (decided.kept, "settled")):
        if not names:
            continue
        fields = sorted(names)
        told = {name: writer.told(name, read[name]) if read else _masked(name, item.was(name)) for name in fields}
        theirs = {name: writer.told(name, present[name]) for name in fields}
        identity = new_id()
        yours = _kept(case, fields, identity)
        outcome.clashes.append(
            Clash(identity, "field-conflict", item.kind, row.id, row.grid_id, item.seq, fields, told, theirs, yours, state)  # type: ignore[arg-type]
        )


def _delete(case: Case) -> Outcome:
    item, row, changed = case.item, case.row, case.changed
    if row.deleted:
        return Outcome(item, "noop", row.id, row=row, after=row.last, merged=sorted(changed), grid_id=row.grid_id)
    outcome = Outcome(item, "applied", row.id, row=row, grid_id=row.grid_id, writes=True)
    columns: dict[str, Any]
    if changed:
        writer = WRITERS[item.kind]
        theirs = {name: writer.told(name, value) for name, value in writer.present(row.values).items() if name in changed}
        outcome.status, outcome.merged = "conflict", sorted(changed)
        outcome.problem = problem(ConflictError("others changed the row since it was read: it stands", slug="delete-changed"))
        outcome.clashes.append(
            Clash(new_id(), "delete-changed", item.kind, row.id, row.grid_id, item.seq, sorted(changed), None, theirs, None)
        )
        outcome.writes = not row.conflict_open
        columns = {"conflict_open": True}
        row.conflict_open = True
    else:
        columns = {"deleted_at": True}
        row.deleted = True
    if outcome.writes:
        _write(row, columns, item, None, fresh=False)
    outcome.after = row.last
    return outcome


def _struck(case: Case) -> Outcome:
    """Nobody's words are lost because another struck the row out: they wait for somebody who restores it, or not."""
    item, row = case.item, case.row
    fields = sorted(item.values)
    identity = new_id()
    yours = _kept(case, fields, identity)
    others = sorted(set(case.changed) - set(fields))
    outcome = Outcome(item, "conflict", row.id, row=row, after=row.last, merged=others, grid_id=row.grid_id)
    outcome.problem = problem(ConflictError("the row was struck out: restore it, or let it be", slug="target-deleted"))
    outcome.clashes.append(Clash(identity, "target-deleted", item.kind, row.id, row.grid_id, item.seq, fields, None, None, yours))
    return outcome


def _resolved(item: Item, row: Row, scene: Scene) -> str | None:
    """The code of the open conflict that the item says it resolves. Raises InvalidError for one about something else."""
    if item.resolves is None:
        return None
    conflict = scene.conflicts.get(item.resolves)
    if conflict is None or conflict.about != row.id:
        raise InvalidError("there is no such conflict about this row, or none that you may see", field="resolves", slug="unknown-reference")
    return conflict.code if conflict.state == "open" else None


def _settle(item: Item, outcome: Outcome, row: Row, scene: Scene) -> None:
    assert item.resolves is not None
    outcome.resolved = item.resolves
    scene.conflicts[item.resolves] = replace(scene.conflicts[item.resolves], state="resolved")
    scene.left_open[row.id] -= 1
    made = any(clash.entity_id == row.id and clash.state == "open" for done in scene.done.values() for clash in done.clashes)
    if scene.left_open[row.id] <= 0 and not made and row.conflict_open:
        row.conflict_open = False
        if outcome.writes:
            row.last.columns["conflict_open"] = False
        else:
            _write(row, {"conflict_open": False}, item, scene, fresh=False)
            outcome.writes, outcome.after = True, row.last
            outcome.status = "merged" if outcome.merged else "applied"


def _since(item: Item, writer: Writer, row: Row, scene: Scene) -> tuple[Collection[str], int | None]:
    """The fields that others changed since the item's base, and the base. Raises DistrictError where the base is nothing to build on.

    Who builds on the own mutation k had not read more than k had: what others had changed before k is as unknown to this one. Who read a
    record that was made one with another since has read nothing of the one that is left, whose versions are other forms.
    """
    if item.base_seq is None:
        if item.id in scene.opened.merged:
            return frozenset(writer.fields), 0
        base = item.base_version or 0
        return ((), base) if base == row.version or row.made else (_changed(writer, row, base if base < row.version else 0, scene), base)
    known = scene.known(item.base_seq)
    if known is None:
        raise InvalidError("there is no such mutation before this one", field="base.seq")
    if scene.true_id(known.about) != row.id:
        raise InvalidError("the mutation is about another row", field="base.seq")
    if known.about != row.id:
        return frozenset(writer.fields), 0
    conflict = None if item.resolves is None else scene.conflicts.get(item.resolves)
    decided = conflict.fields if conflict is not None and conflict.state == "open" else frozenset[str]()
    unseen = {name for name in known.unseen if name not in decided}  # whoever decides has both values before him
    if item.base_seq in row.seqs or row.made:
        return unseen, None
    base = known.version or 0
    return ({*unseen, *_changed(writer, row, base, scene)} if base < row.version else unseen), base


def _changed(writer: Writer, row: Row, base: int, scene: Scene) -> Collection[str]:
    if row.made:
        return ()
    return changed_fields(writer.fields, row.forms or {}, base, row.version, scene.own.get(row.id, ()))


def _recorded(row: Row, base: int | None) -> dt.datetime | None:
    """When the form was recorded that the device had read."""
    if base == row.version:
        return row.recorded_from
    return (row.forms or {}).get(base or 0, {}).get("recorded_from")


def _admit(grid_id: int, item: Item, scene: Scene, base_recorded: dt.datetime | None) -> None:
    """Raises ForbiddenError for a grid that is the worker's no more, unless what is sent was recorded while it was."""
    lost_at = scene.opened.lost.get(grid_id)
    if lost_at is None:
        return
    if item.recorded.at is not None and item.recorded.at < lost_at:
        return
    if base_recorded is not None and base_recorded < lost_at:
        return
    raise ForbiddenError("the grid is no longer yours, and this was recorded afterwards", slug="out-of-scope")


def _write(row: Row, columns: dict[str, Any], item: Item, scene: Scene | None, *, fresh: bool) -> None:
    """Plan a write: at the earliest after the writes of the row itself and of those that it refers to."""
    wave = 0 if row.last is None else row.last.wave + 1
    for other in () if scene is None else scene.touched:
        if other is not row and other.last is not None:
            together = fresh and RANK[other.kind] < RANK[row.kind]  # parents are written first within a wave
            wave = max(wave, other.last.wave + (0 if together else 1))
    row.last = Write(row, columns, fresh, wave, item.seq)
    for name, value in columns.items():
        if name in row.values:
            row.values[name] = value


def _kept(case: Case, fields: Sequence[str], conflict_id: uuid.UUID) -> dict[str, Any]:
    """What the device wanted, for the record of a conflict: as it came, but a phone as its mask and, beside it, sealed for the conflict.

    Not for the row: that may be made one with another.
    """
    item = case.item
    yours = {name: _masked(name, item.told(name)) for name in fields}
    if "phone" in fields and isinstance(item.values.get("phone"), str):
        phone = phone_of(item.values["phone"])
        yours["phone_enc"] = case.scene.sealer.seal("conflict|phone_enc", conflict_id, phone).hex()
    return yours


def _masked(name: str, value: Any) -> Any:
    """What is kept of a value as it came: never a whole phone, whose sealed form is kept beside it."""
    return WRITERS["resident"].told("phone", value) if name == "phone" and isinstance(value, str) else value
