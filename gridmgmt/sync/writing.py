"""What was planned is written: each kind by one statement for all new rows and one for each set of changed columns.

A wave holds at most one write of a row, so that each mutation makes a version of its own. Within a wave what ends goes before what
begins: deletions and corrections of children before those of parents, then new rows, parents first.
"""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from functools import cache
from typing import Any, Final

from gridmgmt.errors import ConflictError, NotFoundError
from gridmgmt.sync.kinds import KINDS, ORDER
from gridmgmt.sync.lines import Line, Unfit, refused_as_unfit
from gridmgmt.sync.results import Outcome
from gridmgmt.sync.scene import Scene
from gridmgmt.sync.writers import WRITERS
from gridmgmt.sync.writers.buildings import relocate
from gridmgmt.sync.writers.noun import Write, Writer

SCOPED: Final = {"grid_id": "int", "subdistrict_id": "int", "conflict_open": "boolean"}


def write(outcomes: Sequence[Outcome], scene: Scene) -> None:
    """Write what the outcomes plan, and learn the versions. Raises Unfit when something cannot be written."""
    waves: dict[int, list[Write]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.writes:
            waves[outcome.after.wave].append(outcome.after)
    with refused_as_unfit():
        for wave in sorted(waves):
            for kind, writes in _ordered(waves[wave]):
                _write(kind, writes, scene)
    for outcome in outcomes:
        row, last = outcome.row, outcome.after
        if row is not None:
            outcome.version = row.version if last is None else last.version
            if outcome.writes and last is not None:
                scene.own[row.id].add(last.version)


def write_one(kind: str, one: Write, scene: Scene) -> None:
    """Write a single row. Raises NotFoundError when it is gone, and whatever PostgreSQL refuses."""
    try:
        _write(kind, [one], scene)
    except Unfit as unfit:
        raise unfit.told from unfit


def show_present(line: Line, told: Iterable[tuple[str, dict[str, Any]]], grids: Collection[int]) -> None:
    """Put the rows as they are now beside those results that are conflicts, given each with its kind, as far as they lie in `grids`.

    What is told again is looked up again: in the meantime the row or the worker may have come to another grid.
    """
    wanted: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for kind, result in told:
        if result["status"] == "conflict" and "conflict_id" in result:
            wanted[kind].append(result)
    for kind, results in wanted.items():
        ids = list({uuid.UUID(result["id"]) for result in results})
        present = dict(map(tuple, line.rows(_showing(kind), {"ids": ids, "grids": list(grids)})))
        for result in results:
            row = present.get(uuid.UUID(result["id"]))
            if row is not None:
                result["current"] = row


def _ordered(writes: Sequence[Write]) -> Iterable[tuple[str, list[Write]]]:
    """Groups of one statement each, in their order."""
    kinds: dict[tuple[str, str], dict[frozenset[str], list[Write]]] = defaultdict(lambda: defaultdict(list))
    for one in writes:
        what = "create" if one.fresh else "delete" if one.columns.get("deleted_at") else "change"
        kinds[what, one.row.kind][frozenset(one.columns)].append(one)
    for what, order in (("delete", ORDER[::-1]), ("change", ORDER[::-1]), ("create", ORDER)):
        for kind in order:
            groups = kinds.get((what, kind), {})
            if what == "create" and groups:
                yield kind, [one for group in groups.values() for one in group]
            else:
                for group in groups.values():
                    yield kind, group


def _write(kind: str, writes: Sequence[Write], scene: Scene) -> None:
    writer = WRITERS[kind]
    fresh = writes[0].fresh
    writer.before(scene.line, writes, scene)
    if scene.relocating and not fresh and "entrance" in writes[0].columns:
        for one in writes:
            relocate(scene.line, one)
        return
    if fresh and writer.insert is not None:
        rows = writer.insert(scene.line, writes, scene)
    else:
        names = tuple(writer.inserted) if fresh else _changeable(writer, writes[0])
        marked = not fresh and "deleted_at" in writes[0].columns
        away = marked and bool(writes[0].columns["deleted_at"])
        statement = _inserting(kind) if fresh else _changing(kind, names, marked=marked, away=away)
        values: dict[str, Any] = {name: [one.columns.get(name) for one in writes] for name in names}
        values["id"] = [one.row.id for one in writes]
        rows = scene.line.rows(statement, values)
    written = {row[0]: row for row in rows}
    for one in writes:
        found = written.get(one.row.id)
        if found is None and one.fresh:
            raise Unfit(ConflictError("the id is used already, with other content", field="id", slug="id-taken"), one.seq)
        if found is None:
            raise Unfit(NotFoundError("there is no such row, or none that you may see", slug="not-found-or-out-of-scope"), one.seq)
        one.version = one.row.version = found[1]
        one.row.grid_id, one.row.subdistrict_id = found[2], found[3]
    writer.after(scene.line, writes, scene)


def _changeable(writer: Writer, one: Write) -> tuple[str, ...]:
    """The columns of a correction, without what goes elsewhere or follows from them."""
    return tuple(sorted(name for name in one.columns if name in SCOPED or (name in writer.columns and not writer.columns[name].derived)))


@cache
def _inserting(kind: str) -> str:
    writer = WRITERS[kind]
    types = {name: writer.columns[name].type if name in writer.columns else SCOPED[name] for name in writer.inserted}
    names, given, columns, expressions = _parts(kind, types)
    return (
        f"INSERT INTO {writer.table} AS e (id, {columns}) SELECT u.id, {expressions}"  # noqa: S608 -- names of ours
        f" FROM unnest(%(id)b::uuid[], {given}) AS u(id, {names})"
        " ON CONFLICT (id) DO NOTHING RETURNING e.id, e.version, e.grid_id, e.subdistrict_id"
    )


@cache
def _changing(kind: str, columns: tuple[str, ...], *, marked: bool, away: bool) -> str:
    writer = WRITERS[kind]
    types = {name: writer.columns[name].type if name in writer.columns else SCOPED[name] for name in columns}
    sets = [f"{name} = {_expression(kind, name)}" for name in columns]
    if marked:
        sets.append("deleted_at = " + ("transaction_timestamp()" if away else "NULL"))
    given = "".join(f", %({name})b::{kind_of}[]" for name, kind_of in types.items())
    names = "".join(f", {name}" for name in types)
    return (
        f"UPDATE {writer.table} AS e SET {', '.join(sets)}"  # noqa: S608 -- names of ours
        f" FROM unnest(%(id)b::uuid[]{given}) AS u(id{names}) WHERE e.id = u.id"
        " RETURNING e.id, e.version, e.grid_id, e.subdistrict_id"
    )


@cache
def _showing(kind: str) -> str:
    return (
        f"SELECT e.id, {KINDS[kind].json} FROM {WRITERS[kind].table} AS e"  # noqa: S608 -- names of ours
        " WHERE e.id = ANY (%(ids)b::uuid[]) AND e.grid_id = ANY (%(grids)b::int[])"
    )


def _parts(kind: str, types: dict[str, str]) -> tuple[str, str, str, str]:
    names = ", ".join(types)
    given = ", ".join(f"%({name})b::{kind_of}[]" for name, kind_of in types.items())
    expressions = ", ".join(_expression(kind, name) for name in types)
    return names, given, names, expressions


def _expression(kind: str, name: str) -> str:
    column = WRITERS[kind].columns.get(name)
    return f"u.{name}" if column is None else column.write.format(name)
