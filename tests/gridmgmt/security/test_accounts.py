"""Accounts: who gets in, who is shut out at once, and what the trail says of it."""

import asyncio
import datetime as dt
import uuid
from collections.abc import Generator
from contextlib import contextmanager

import psycopg
import pytest
from argon2 import PasswordHasher
from sqlalchemy.orm import Session

from gridmgmt.database import Actor
from gridmgmt.errors import ConflictError, InvalidError, NotFoundError, UnauthenticatedError
from gridmgmt.security import accounts
from gridmgmt.security.passwords import Passwords
from tests.drawn import Drawn
from tests.places import HASH, NORTH, PASSWORD, SOUTH, WEST, register

PASSWORDS = Passwords(hasher=PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
NORTH_WEST = "440399001002001"


@contextmanager
def administrating(drawn: Drawn) -> Generator[Session]:
    with drawn.database.transaction(drawn.places.accounts["admin"]) as session:
        yield session


def trail(drawn: Drawn, action: str) -> list[tuple[object, ...]]:
    with psycopg.connect(drawn.address.conninfo("postgres")) as superuser:
        rows = superuser.execute(
            "SELECT db_role, object_type, object_id, outcome FROM reg.audit WHERE action = %s ORDER BY id",
            [action],
        )
        return rows.fetchall()


def test_wrong_name_wrong_password_and_disabled_account_are_told_alike(drawn: Drawn) -> None:
    with administrating(drawn) as session:
        accounts.disable_account(session, "worker-east")
    told: set[str] = set()
    for username, password in (("nobody", PASSWORD), ("worker", "wrong"), ("worker-east", PASSWORD), ("local-operator", PASSWORD)):
        with pytest.raises(UnauthenticatedError) as refusal:
            accounts.log_in(drawn.database, PASSWORDS, username, password)
        told.add(str(refusal.value))
    assert len(told) == 1


def test_every_log_in_leaves_a_row_and_a_refused_one_too(drawn: Drawn) -> None:
    worker = str(drawn.places.accounts["worker"].account_id)
    for username, password in (("nobody", PASSWORD), ("worker", "wrong")):
        with pytest.raises(UnauthenticatedError):
            accounts.log_in(drawn.database, PASSWORDS, username, password)
    accounts.log_in(drawn.database, PASSWORDS, "worker", PASSWORD)
    assert trail(drawn, "log-in") == [
        ("api_auth", "account", None, "refused"),
        ("api_auth", "account", worker, "refused"),
        ("api_auth", "account", worker, "ok"),
    ]


def test_log_in_gives_the_actor(drawn: Drawn) -> None:
    assert accounts.log_in(drawn.database, PASSWORDS, "community", PASSWORD) == drawn.places.accounts["community"]


def test_disabled_account_is_out_in_its_next_transaction(drawn: Drawn) -> None:
    worker = drawn.places.accounts["worker"]
    with drawn.database.transaction(worker):
        pass
    with administrating(drawn) as session:
        assert accounts.disable_account(session, "worker").disabled_at is not None
        accounts.disable_account(session, "worker")  # twice is no error
    with pytest.raises(UnauthenticatedError), drawn.database.transaction(worker):
        pass


def test_new_password_kills_what_was_issued_under_the_old_one(drawn: Drawn) -> None:
    with administrating(drawn) as session:
        accounts.set_password(session, "worker", PASSWORDS.hash("another password"))
    with pytest.raises(UnauthenticatedError), drawn.database.transaction(drawn.places.accounts["worker"]):
        pass
    with pytest.raises(UnauthenticatedError):
        accounts.log_in(drawn.database, PASSWORDS, "worker", PASSWORD)
    fresh = accounts.log_in(drawn.database, PASSWORDS, "worker", "another password")
    with drawn.database.transaction(fresh):
        pass


def test_unknown_and_taken_names_are_refused(drawn: Drawn) -> None:
    with pytest.raises(NotFoundError), administrating(drawn) as session:
        accounts.disable_account(session, "nobody")
    with pytest.raises(ConflictError) as taken, administrating(drawn) as session:
        accounts.add_account(session, "worker", display_name="W", role="worker", password_hash=HASH)
    assert taken.value.slug == "code-taken"
    with pytest.raises(InvalidError), administrating(drawn) as session:
        accounts.add_account(session, "king", display_name="K", role="king", password_hash=HASH)


def test_only_administrators_administer(drawn: Drawn) -> None:
    for username in ("district", "auditor", "worker"):
        with pytest.raises(InvalidError) as refusal, drawn.database.transaction(drawn.places.accounts[username]) as session:
            accounts.add_account(session, "friend", display_name="F", role="admin", password_hash=HASH)
        assert refusal.value.slug == "outside-scope"


def owner_of(drawn: Drawn, username: str, key: str) -> tuple[Actor, bool]:
    async def ask() -> tuple[Actor, bool]:
        database = register(drawn.address)
        try:
            return await accounts.by_access_key(database, username, key)
        finally:
            await database.aclose()

    return asyncio.run(ask())


def test_access_key_opens_its_account_until_it_is_revoked_or_expires(drawn: Drawn) -> None:
    with administrating(drawn) as session:
        identifier, key = accounts.issue_key(session, "worker", label="QGIS")
        _, expired = accounts.issue_key(session, "worker", label="old", days=-1)
    assert len(key) == 43  # 32 random bytes
    assert owner_of(drawn, "worker", key) == (drawn.places.accounts["worker"], False)
    with psycopg.connect(drawn.address.conninfo("postgres")) as superuser:
        kept = superuser.execute("SELECT octet_length(key_hash) FROM reg.access_key").fetchall()
    assert kept == [(32,), (32,)]
    for username, wrong in (("worker", expired), ("worker", key[:-1]), ("community", key), ("nobody", key)):
        with pytest.raises(UnauthenticatedError):
            owner_of(drawn, username, wrong)
    with administrating(drawn) as session:
        accounts.revoke_key(session, identifier)
    with pytest.raises(UnauthenticatedError):
        owner_of(drawn, "worker", key)
    assert [row[3] for row in trail(drawn, "access-key")] == ["refused"] * 5


def test_key_that_is_not_there_is_not_revoked(drawn: Drawn) -> None:
    with pytest.raises(NotFoundError), administrating(drawn) as session:
        accounts.revoke_key(session, uuid.uuid4())


def test_disabled_account_gets_no_key(drawn: Drawn) -> None:
    with administrating(drawn) as session:
        accounts.disable_account(session, "worker")
    with pytest.raises(ConflictError), administrating(drawn) as session:
        accounts.issue_key(session, "worker", label="QGIS")


def test_worker_works_where_assigned_and_a_community_account_where_granted(drawn: Drawn) -> None:
    with administrating(drawn) as session:
        accounts.add_account(session, "newcomer", display_name="N", role="worker", password_hash=HASH)
        accounts.assign_grid(session, "newcomer", NORTH_WEST, stand_in=True)
        accounts.grant_area(session, "community", NORTH)
    newcomer = accounts.known_as(drawn.database, "newcomer")
    with drawn.database.transaction(newcomer, read_only=True) as session:
        assert [grid.code for grid in accounts.own_grids(session, newcomer)] == [NORTH_WEST]
    community = drawn.places.accounts["community"]
    with drawn.database.transaction(community, read_only=True) as session:
        assert [area.code for area in accounts.own_areas(session, community)] == [SOUTH, NORTH]
        assert len(accounts.own_grids(session, community)) == 4


def test_assignment_that_has_ended_shows_nothing(drawn: Drawn) -> None:
    with administrating(drawn) as session:
        accounts.add_account(session, "leaver", display_name="L", role="worker", password_hash=HASH)
        accounts.assign_grid(session, "leaver", NORTH_WEST, valid_from=dt.date(2020, 1, 1), valid_to=dt.date(2021, 1, 1))
    leaver = accounts.known_as(drawn.database, "leaver")
    with drawn.database.transaction(leaver, read_only=True) as session:
        assert accounts.own_grids(session, leaver) == []


def test_role_and_area_must_be_of_one_level(drawn: Drawn) -> None:
    for username, code in (("community", WEST), ("subdistrict", SOUTH), ("worker", SOUTH), ("district", WEST)):
        with pytest.raises(InvalidError), administrating(drawn) as session:
            accounts.grant_area(session, username, code)
    with pytest.raises(InvalidError), administrating(drawn) as session:
        accounts.assign_grid(session, "community", NORTH_WEST)
    for code, post in ((f"{NORTH}999", "grid_worker"), (NORTH_WEST, "king")):
        with pytest.raises(NotFoundError), administrating(drawn) as session:
            accounts.assign_grid(session, "worker", code, post=post)


def test_subdistrict_account_has_one_subdistrict_at_a_time(drawn: Drawn) -> None:
    with pytest.raises(ConflictError) as refusal, administrating(drawn) as session:
        accounts.grant_area(session, "subdistrict", "440399002")
    assert refusal.value.slug == "second-subdistrict"


def test_every_change_of_an_account_leaves_a_row(drawn: Drawn) -> None:
    worker = str(drawn.places.accounts["worker"].account_id)
    with administrating(drawn) as session:
        accounts.set_password(session, "worker", HASH)
        accounts.disable_account(session, "worker")
    assert trail(drawn, "set-password") == [("api_admin", "account", worker, "ok")]
    assert trail(drawn, "disable") == [("api_admin", "account", worker, "ok")]
