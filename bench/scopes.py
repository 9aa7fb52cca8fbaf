"""Reads inside the signed context beside the same reads by a superuser, whom row-level security does not bind."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from bench.stage import Stage
from gridmgmt.database import ENTER, Actor

ROLES = ("worker", "subdistrict", "district")


@dataclass(frozen=True)
class Scope:
    """What an account sees, as the condition that a query without row-level security would have to state."""

    actor: Actor
    condition: bytes
    values: tuple[object, ...]


def find_scope(stage: Stage, username: str) -> Scope:
    """The scope of one of the demo's accounts."""
    actor = stage.actor(username)
    with stage.superuser() as superuser:
        match actor.scope:
            case "field":
                rows = superuser.execute("SELECT grid_id FROM reg.grid_assignment WHERE account_id = %s", [actor.account_id]).fetchall()
                return Scope(actor, b" AND grid_id = ANY (%s)", ([grid for (grid,) in rows],))
            case "subdistrict":
                ((area,),) = superuser.execute("SELECT area_id FROM reg.area_grant WHERE account_id = %s", [actor.account_id]).fetchall()
                return Scope(actor, b" AND subdistrict_id = %s", (area,))
            case _:
                return Scope(actor, b"", ())


def reads(
    stage: Stage, connection: psycopg.Connection[tuple[Any, ...]], query: bytes, values: Sequence[tuple[object, ...]], actor: Actor | None
) -> list[Callable[[], object]]:
    """One call for each set of values: a read-only transaction in one round trip, with the actor's context unless there is none."""

    def call(given: tuple[object, ...]) -> int:
        with connection.pipeline():
            connection.execute("BEGIN READ ONLY")
            if actor is not None:
                connection.execute(ENTER, [stage.sign(actor, connection.info.backend_pid), actor.epoch])
            cursor = connection.execute(query, given)
            connection.execute("COMMIT")
            return len(cursor.fetchall())

    return [lambda given=given: call(given) for given in values]
