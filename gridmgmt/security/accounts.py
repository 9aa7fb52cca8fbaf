"""Accounts: who logs in, by password or personal access key, and who administers whom. Everything here is audited, refusals too.

Sessions are of class admin, except where a docstring says otherwise. Every change of password, role or state raises the account's
epoch, which kills its tokens at once; access keys of a disabled account are dead too.
"""

import asyncio
import datetime as dt
import hashlib
import secrets
import uuid
from collections.abc import Sequence
from typing import Final

from sqlalchemy import Select, func, insert, select, text, update
from sqlalchemy.orm import Session

from gridmgmt.database import AUTH, CLASS_OF_ROLE, Actor, Database
from gridmgmt.errors import ConflictError, InvalidError, NotFoundError, UnauthenticatedError
from gridmgmt.models import AccessKey, Account, Area, AreaGrant, Grid, GridAssignment, Post
from gridmgmt.reads import Query
from gridmgmt.security.audit import record
from gridmgmt.security.passwords import Passwords

KEY_DAYS: Final = 365
KEY_BYTES: Final = 32
_BY_KEY: Final = b"SELECT id, role, epoch, writes FROM sec.account_by_key($1, decode($2, 'hex'))"
_REFUSED: Final = "user name or password is wrong, or the account is disabled"


def log_in(database: Database, passwords: Passwords, username: str, password: str) -> Actor:
    """Whose name and password these are.

    Raises UnauthenticatedError with one and the same word for an unknown name, a wrong password and a disabled account, after the same
    work. No transaction is open while the password is verified.
    """
    with database.transaction(AUTH) as session:
        known = session.execute(
            text("SELECT id, role, epoch, password_hash FROM sec.account_by_name(:username)"), {"username": username}
        ).one_or_none()
    right = passwords.matches(known.password_hash if known is not None else None, password)
    with database.transaction(AUTH) as session:
        account = known.id if known is not None else None
        record(session, "log-in", "account", account, outcome="ok" if right else "refused")
    if known is None or not right:
        raise UnauthenticatedError(_REFUSED)
    return Actor(known.id, username, known.role, CLASS_OF_ROLE[known.role], known.epoch)


async def by_access_key(database: Database, username: str, key: str) -> tuple[Actor, bool]:
    """Whose personal access key this is, and whether it may write.

    Raises UnauthenticatedError for an unknown, revoked or expired one; refusals are audited.

    Clients send it with each request, so it is looked up as the hot reads are.
    """
    [rows] = await database.read(AUTH, Query(_BY_KEY, (username.encode(), _hash(key).hex().encode()), b"by_key"))
    if not rows:
        await asyncio.to_thread(_record_refused_key, database)
        raise UnauthenticatedError("the access key is wrong or has expired")
    identifier, role, epoch, writes = (value.decode() for value in rows[0] if value is not None)
    return Actor(int(identifier), username, role, CLASS_OF_ROLE[role], int(epoch)), writes == "t"


def known_as(database: Database, username: str) -> Actor:
    """The account of that name without any proof: for the command line, whose user holds the keys anyway.

    Raises NotFoundError for an unknown or disabled account.
    """
    with database.transaction(AUTH) as session:
        known = session.execute(text("SELECT id, role, epoch FROM sec.account_by_name(:username)"), {"username": username}).one_or_none()
    if known is None:
        raise NotFoundError(f"there is no account {username!r}, or it is disabled")
    return Actor(known.id, username, known.role, CLASS_OF_ROLE[known.role], known.epoch)


def list_accounts(session: Session) -> Sequence[Account]:
    """All accounts by name."""
    return session.scalars(select(Account).order_by(Account.username)).all()


def add_account(session: Session, username: str, *, display_name: str, role: str, password_hash: str | None) -> Account:
    """A new account; without a password nobody logs in to it. Raises InvalidError for an unknown role, ConflictError for a taken name."""
    if role not in CLASS_OF_ROLE:
        raise InvalidError(f"the roles are {', '.join(CLASS_OF_ROLE)}", field="role")
    made = session.execute(
        insert(Account).values(username=username, display_name=display_name, role=role, password_hash=password_hash).returning(Account.id)
    ).scalar_one()
    record(session, "add", "account", made, detail={"role": role})
    return _account(session, username)


def disable_account(session: Session, username: str) -> Account:
    """Shut the account out: its next request is refused, whatever token or key it holds. Twice is no error."""
    account = _account(session, username)
    if account.disabled_at is None:
        session.execute(update(Account).where(Account.id == account.id).values(disabled_at=func.clock_timestamp(), epoch=Account.epoch + 1))
    record(session, "disable", "account", account.id)
    return _account(session, username)


def set_password(session: Session, username: str, password_hash: str) -> None:
    """Replace the password; tokens issued before are dead."""
    account = _account(session, username)
    session.execute(update(Account).where(Account.id == account.id).values(password_hash=password_hash, epoch=Account.epoch + 1))
    record(session, "set-password", "account", account.id)


def issue_key(session: Session, username: str, *, label: str, days: int = KEY_DAYS, writes: bool = False) -> tuple[uuid.UUID, str]:
    """A new personal access key: its id and the key, which is shown once and kept as its SHA-256 only. Good for `days`.

    It reads; with `writes` the layers that the account may write can be written with it too.
    """
    account = _account(session, username)
    if account.disabled_at is not None:
        raise ConflictError("the account is disabled")
    key = secrets.token_urlsafe(KEY_BYTES)
    expires = dt.datetime.now(dt.UTC) + dt.timedelta(days=days)
    made = session.execute(
        insert(AccessKey)
        .values(account_id=account.id, label=label, key_hash=_hash(key), expires_at=expires, writes=writes)
        .returning(AccessKey.id)
    ).scalar_one()
    record(session, "issue", "access-key", made, detail={"account": account.id, "writes": writes})
    return made, key


def list_keys(session: Session, username: str) -> Sequence[AccessKey]:
    """The keys of an account, the newest first."""
    account = _account(session, username)
    return session.scalars(select(AccessKey).where(AccessKey.account_id == account.id).order_by(AccessKey.id.desc())).all()


def revoke_key(session: Session, identifier: uuid.UUID) -> None:
    """End a key at once. Raises NotFoundError for an unknown one."""
    revoked = session.execute(
        update(AccessKey)
        .where(AccessKey.id == identifier, AccessKey.revoked_at.is_(None))
        .values(revoked_at=func.clock_timestamp())
        .returning(AccessKey.id)
    ).scalar_one_or_none()
    if revoked is None:
        raise NotFoundError("there is no such key, or it is revoked already")
    record(session, "revoke", "access-key", identifier)


def grant_area(session: Session, username: str, code: str, *, valid_from: dt.date | None = None, valid_to: dt.date | None = None) -> None:
    """Let a subdistrict or community account work for the area of that code, from today unless said otherwise.

    Raises InvalidError when the area's level is not that of the role.
    """
    account = _account(session, username)
    area = session.scalars(select(Area).where(Area.code == code, Area.deleted_at.is_(None)).order_by(Area.valid_from.desc())).first()
    if area is None:
        raise NotFoundError(f"there is no area {code!r}")
    if area.level != account.role:
        raise InvalidError(f"a {account.role} account is not given a {area.level}", field="area")
    session.execute(
        insert(AreaGrant).values(
            account_id=account.id, area_id=area.id, level=area.level, valid_from=valid_from or func.reg.today(), valid_to=valid_to
        )
    )
    record(session, "grant", "area", area.id, detail={"account": account.id})


def assign_grid(
    session: Session,
    username: str,
    code: str,
    *,
    post: str = "grid_worker",
    stand_in: bool = False,
    valid_from: dt.date | None = None,
    valid_to: dt.date | None = None,
) -> None:
    """Put a worker into the base grid of that code, from today unless said otherwise. `stand_in` is the B of an A/B pair."""
    account = _account(session, username)
    if account.role != "worker":
        raise InvalidError(f"a {account.role} account is not assigned to a grid", field="grid")
    grid = session.scalar(select(Grid.id).where(Grid.scheme == "base", Grid.code == code, Grid.deleted_at.is_(None)))
    kind = session.scalar(select(Post.id).where(Post.code == post))
    if grid is None or kind is None:
        raise NotFoundError(f"there is no base grid {code!r}" if grid is None else f"there is no post {post!r}")
    session.execute(
        insert(GridAssignment).values(
            account_id=account.id,
            grid_id=grid,
            post_id=kind,
            stand_in=stand_in,
            valid_from=valid_from or func.reg.today(),
            valid_to=valid_to,
        )
    )
    record(session, "assign", "grid", grid, detail={"account": account.id, "post": post})


def own_account(session: Session, actor: Actor) -> Account:
    """The actor's account, in a session of the actor's own class."""
    return session.scalars(select(Account).where(Account.id == actor.account_id)).one()


def own_areas(session: Session, actor: Actor) -> Sequence[Area]:
    """The areas that the actor works for, in a session of the actor's own: the district, the subdistrict, or the communities granted."""
    if actor.scope == "district":
        return session.scalars(_areas().where(Area.level == "district")).all()
    if actor.scope not in {"subdistrict", "field"}:
        return []
    granted = select(AreaGrant.area_id).where(
        AreaGrant.account_id == actor.account_id,
        AreaGrant.valid_from <= func.reg.today(),
        AreaGrant.valid_to.is_(None) | (AreaGrant.valid_to > func.reg.today()),
    )
    return session.scalars(_areas().where(Area.id.in_(granted))).all()


def own_grids(session: Session, actor: Actor) -> Sequence[Grid]:
    """The base grids that a worker or community account sees, in a session of its own; none for those who see whole areas."""
    if actor.scope != "field":
        return []
    return session.scalars(select(Grid).where(Grid.kind == "base", Grid.deleted_at.is_(None)).order_by(Grid.code)).all()


def _areas() -> Select[Area]:
    return select(Area).where(Area.deleted_at.is_(None), Area.valid_to.is_(None)).order_by(Area.code)


def _account(session: Session, username: str) -> Account:
    account = session.scalars(select(Account).where(Account.username == username).execution_options(populate_existing=True)).one_or_none()
    if account is None:
        raise NotFoundError(f"there is no account {username!r}")
    return account


def _record_refused_key(database: Database) -> None:
    with database.transaction(AUTH) as session:
        record(session, "access-key", "account", outcome="refused")


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
