"""Uploaded files: begun, appended to piece by piece, closed, read.

The row counts what has arrived. A piece is written to the store first and counted then, so a crash between the two leaves the file at
its last counted byte, from which the sender goes on; what lies in the store uncounted is swept away when the file is closed. Store and
database are not held at once: a slow store keeps no connection.
"""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, get_args

from sqlalchemy import ColumnElement, Row, ScalarResult, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from gridmgmt.database import Actor, Database
from gridmgmt.errors import BusyError, ConflictError, ForbiddenError, GoneError, InvalidError, NotFoundError
from gridmgmt.models import Building, DutyReport, File, FileLink, Inspection, Lease, Manager, Person, Residence, Unit
from gridmgmt.security import audit
from gridmgmt.settings import Uploads
from gridmgmt.sync.contents import HEAD, TYPES, type_of
from gridmgmt.sync.stored import Stored

Kind: TypeAlias = Literal["building", "unit", "resident", "residence", "lease", "manager", "inspection", "duty_report"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
"""What a file may belong to."""
PLACED: Final = {
    "building": Building, "unit": Unit, "resident": Person, "residence": Residence, "lease": Lease, "manager": Manager,
    "inspection": Inspection, "duty_report": DutyReport,
}  # fmt: skip
"""Their rows say where they lie."""
BATCH: Final = 500
Known: TypeAlias = "Row[uuid.UUID, int, int, dict[str, Any], bytes | None, str, bool]"
"""What is looked at of a file before one is begun under its id."""


@dataclass(frozen=True)
class Belongs:
    """What a file belongs to, and where that lies."""

    file_id: uuid.UUID
    kind: Kind
    entity_id: uuid.UUID
    grid_id: int
    subdistrict_id: int


@dataclass(frozen=True)
class Expired:
    """What a night's work did: files given up, and files after which was swept."""

    given_up: int
    swept: int


def begin(
    session: Session,
    actor: Actor,
    rules: Uploads,
    *,
    length: int,
    said: Mapping[str, Any],
    identifier: uuid.UUID | None = None,
    sha256: bytes | None = None,
    device: uuid.UUID | None = None,
) -> File:
    """A new file of `length` bytes; the same again by the same actor is the one that is there, and one that was given up begins anew.

    It is linked to what it belongs to (`kind`, `entity` in `said`) when the actor sees that already. Raises InvalidError for a file that
    is too large and ConflictError for an id that is taken or too many open files.
    """
    if length > rules.upload_bytes:
        raise InvalidError(f"a file has at most {rules.upload_bytes} bytes", field="Upload-Length", slug="too-large")
    known = None if identifier is None else _known(session, identifier)
    if known is not None and (known.account_id != actor.account_id or known.state == "complete" or not known.over):
        return _again(session, actor, known, length=length, said=said, sha256=sha256)
    mine = select(func.count()).select_from(File).where(File.account_id == actor.account_id, File.state == "open")
    if session.scalars(mine).one() >= rules.upload_open:
        raise ConflictError(f"{rules.upload_open} files are unfinished: finish or delete some", slug="too-many-files")
    expires = text("transaction_timestamp() + make_interval(days => :days)").bindparams(days=rules.upload_days)
    values = {"length": length, "said": dict(said), "sha256": sha256, "device_id": device, "expires_at": expires}
    if known is None:
        given = {} if identifier is None else {"id": identifier}
        made = session.scalars(insert(File).values(**given, **values).on_conflict_do_nothing().returning(File)).one_or_none()
        if made is None:  # somebody was faster: perhaps the same request, whose answer was lost
            known = None if identifier is None else _known(session, identifier)
            return _again(session, actor, known, length=length, said=said, sha256=sha256)
        file = made
    else:
        again = {"state": "open", "received": 0, "objects": [], "content_type": None, "swept": False}
        file = session.scalars(update(File).where(File.id == identifier).values(**values, **again).returning(File)).one()
    audit.record(session, "create", "file", file.id, rows=1)
    if place := _place(session, file):
        link(session, actor, [place])
    return file


def _again(session: Session, actor: Actor, known: "Known | None", *, length: int, said: Mapping[str, Any], sha256: bytes | None) -> File:
    """The file that is there, if it is the one that was asked for. Raises ConflictError."""
    asked = (actor.account_id, length, dict(said))
    if known is not None and (known.account_id, known.length, known.said) == asked and (sha256 is None or known.sha256 in {None, sha256}):
        return session.get_one(File, known.id)
    raise ConflictError("the id is used already", field="Upload-Metadata.id", slug="id-taken")


def link(session: Session, actor: Actor, belongs: Sequence[Belongs]) -> None:
    """Note what files belong to; what was noted before stays. Whoever sees the grid sees a file that its maker linked.

    The files need not be there yet. The database refuses grids that are not the actor's (`outside-scope`).
    """
    if belongs:
        session.execute(insert(FileLink).values([vars(one) for one in belongs]).on_conflict_do_nothing())


def awaiting(session: Session, actor: Actor, identifier: uuid.UUID, offset: int) -> File:
    """The actor's own file, which waits for its byte number `offset`; a complete one waits for none and is at its end.

    Raises NotFoundError, ForbiddenError for somebody else's, GoneError, and ConflictError with the right `offset`.
    """
    file = own(session, actor, identifier)
    if offset != file.received:
        raise _elsewhere(file.received)
    return file


def append(database: Database, actor: Actor, stored: Stored, file: File, data: bytes) -> File:
    """The file, as `awaiting` gave it, with one piece more; the last one closes it.

    Raises ConflictError with the right `offset` when another piece was faster, and InvalidError when the whole is not what it should be:
    then nothing of it is kept.
    """
    if not data:
        return file
    name = stored.put(file.id, file.received, data)
    try:
        if file.received + len(data) == file.length:
            return _close(database, actor, stored, file, name)
        with database.transaction(actor) as session:
            return _advance(session, file, received=file.received + len(data), objects=[*file.objects, name])
    except (ConflictError, GoneError):  # not counted; of a commit that was lost on its way nobody knows, so there it stays
        _drop(stored, file.id, [name])
        raise


def give_up(database: Database, actor: Actor, stored: Stored, identifier: uuid.UUID) -> None:
    """Throw away what has arrived of the actor's own file. Raises as `awaiting` does, ConflictError for a complete one: it is evidence."""
    with database.transaction(actor) as session:
        file = own(session, actor, identifier)
        if file.state == "complete":
            raise ConflictError("a complete file is kept", slug="kept")
        names = file.objects
        _advance(session, file, state="expired", objects=[])
        audit.record(session, "delete", "file", identifier, rows=1)
    _drop(stored, identifier, names)


def own(session: Session, actor: Actor, identifier: uuid.UUID) -> File:
    """The actor's own file, open or complete. Raises NotFoundError, ForbiddenError for somebody else's, and GoneError."""
    file = find(session, identifier)
    if file.account_id != actor.account_id:
        raise ForbiddenError("only who began a file appends to it")
    return file


def find(session: Session, identifier: uuid.UUID) -> File:
    """A file that is open or complete. Raises NotFoundError and GoneError."""
    found = session.execute(select(File, _overdue()).where(File.id == identifier)).one_or_none()
    if found is None:
        raise NotFoundError("there is no such file, or none that you may see")
    file, overdue = found
    if overdue or file.state in {"refused", "expired"}:
        raise GoneError("the file was not what it should be" if file.state == "refused" else "the file was given up: begin it anew")
    return file


def read(session: Session, actor: Actor, identifier: uuid.UUID) -> File:
    """A complete file, whose bytes will be read. Audited: photos show homes. Raises as `find` does, and ConflictError for an open one."""
    file = find(session, identifier)
    if file.state != "complete":
        raise ConflictError("the file has not arrived as a whole", slug="file-incomplete")
    audit.record(session, "read", "file", identifier, rows=1)
    return file


def describe(session: Session, actor: Actor, identifier: uuid.UUID) -> tuple[File, Sequence[FileLink]]:
    """A file whatever its state, and those of its links that the actor sees. Audited. Raises NotFoundError."""
    file = session.get(File, identifier)
    if file is None:
        raise NotFoundError("there is no such file, or none that you may see")
    audit.record(session, "describe", "file", identifier, rows=1)
    return file, session.scalars(select(FileLink).where(FileLink.file_id == identifier).order_by(FileLink.kind, FileLink.entity_id)).all()


def expire_files(database: Database, actor: Actor, stored: Stored) -> Expired:
    """Give up open files whose time is over, and sweep after all that were closed. For the nightly job: the actor is of class loader.

    Whatever it did not reach, the next call does. Raises BusyError when the store does not answer.
    """
    given_up = swept = 0
    while True:
        with database.transaction(actor) as session:
            overdue = select(File.id).where(_overdue()).order_by(File.expires_at).limit(BATCH)
            closing = update(File).where(File.id.in_(overdue), File.state == "open").values(state="expired", objects=[])
            closed = len(session.scalars(closing.returning(File.id)).all())
            audit.record(session, "expire", "file", rows=closed)
        given_up += closed
        if closed < BATCH:
            break
    while True:
        with database.transaction(actor) as session:
            # Held, so that none begins anew while its objects are deleted.
            unswept = select(File.id, File.objects).where(File.state != "open", ~File.swept).order_by(File.id).limit(BATCH)
            rows = session.execute(unswept.with_for_update(skip_locked=True)).all()
            for identifier, objects in rows:
                stored.keep_only(identifier, objects)
            session.execute(update(File).where(File.id.in_([row.id for row in rows])).values(swept=True))
        swept += len(rows)
        if len(rows) < BATCH:
            return Expired(given_up, swept)


def _close(database: Database, actor: Actor, stored: Stored, file: File, name: str) -> File:
    """Look at the whole, of which `name` is the last piece, and put it together, or refuse it."""
    names = [*file.objects, name]
    hashed, head = hashlib.sha256(), b""
    try:
        for part in stored.read(file.id, names):
            hashed.update(part)
            head = head if len(head) >= HEAD else head + part[:HEAD]
    except BusyError:
        with database.transaction(actor) as session:  # somebody else may have put it together and deleted the pieces
            awaiting(session, actor, file.id, file.received)
        raise
    kind = type_of(head[:HEAD])
    reason = f"a file is one of {', '.join(TYPES)}, and its first bytes say so" if kind is None else None
    if file.sha256 not in {None, hashed.digest()}:
        reason = "the file has another SHA-256 than was announced"
    if reason is not None:
        with database.transaction(actor) as session:
            _advance(session, file, state="refused", objects=[])
            audit.record(session, "append", "file", file.id, outcome="refused", rows=0)
        _drop(stored, file.id, names)
        raise InvalidError(reason, field="body", slug="file-refused")
    whole = name if len(names) == 1 else stored.join(file.id, names)
    with database.transaction(actor) as session:
        done = _advance(
            session, file, received=file.length, objects=[whole], state="complete", content_type=kind, sha256=hashed.digest(),
            completed_at=func.transaction_timestamp(),
        )  # fmt: skip
        audit.record(session, "append", "file", file.id, rows=1)
    _drop(stored, file.id, [one for one in names if one != whole])
    return done


def _advance(session: Session, file: File, **values: Any) -> File:
    """Change a file that is still as it was when it was read: of two who append the same piece, one comes too late."""
    unchanged = (File.id == file.id, File.received == file.received, File.state == "open")
    rows: ScalarResult[File] = session.scalars(
        update(File).where(*unchanged).values(**values).returning(File),
        execution_options={"synchronize_session": False, "populate_existing": True},
    )
    changed = rows.one_or_none()
    if changed is None:
        raise _elsewhere(find(session, file.id).received)
    return changed


def _elsewhere(received: int) -> ConflictError:
    return ConflictError(f"the file goes on at byte {received}", field="Upload-Offset", slug="offset-mismatch", offset=received)


def _known(session: Session, identifier: uuid.UUID) -> "Known | None":
    over = File.state.in_(["refused", "expired"]) | _overdue()
    kept = select(File.id, File.account_id, File.length, File.said, File.sha256, File.state, over.label("over"))
    return session.execute(kept.where(File.id == identifier)).one_or_none()


def _overdue() -> ColumnElement[bool]:
    return (File.state == "open") & (File.expires_at <= func.transaction_timestamp())


def _place(session: Session, file: File) -> Belongs | None:
    """What a file says it belongs to, when its maker sees that already."""
    kind, entity = file.said.get("kind"), file.said.get("entity")
    if kind not in PLACED or entity is None:
        return None
    model = PLACED[kind]
    row = session.execute(select(model.grid_id, model.subdistrict_id).where(model.id == uuid.UUID(entity), model.deleted_at.is_(None)))
    place = row.one_or_none()
    return None if place is None else Belongs(file.id, kind, uuid.UUID(entity), place.grid_id, place.subdistrict_id)


def _drop(stored: Stored, identifier: uuid.UUID, names: Sequence[str]) -> None:
    with suppress(BusyError):  # the file is closed all the same, and the nightly job sweeps after it
        for name in names:
            stored.drop(identifier, name)
