"""Many users over few connections: nobody ever reads with another's eyes, whatever is aborted in between."""

import asyncio
import random
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import select

from gridmgmt.database import Database
from gridmgmt.models import Building
from gridmgmt.reads import Query
from tests.drawn import Drawn
from tests.places import register

SEEN = {
    "worker": {"tower", "village"},
    "worker-east": {"mill"},
    "community": {"tower", "village", "shop"},
    "subdistrict": {"tower", "village", "shop", "school"},
    "subdistrict-east": {"mill"},
    "district": {"tower", "village", "shop", "school", "mill"},
}


class AbortedError(Exception):
    """What a request that goes wrong in the middle raises."""


def test_sessions_do_not_cross(drawn: Drawn) -> None:
    few = register(drawn.address, pool_size=2)
    chance = random.Random(7)
    orders = [(chance.choice(list(SEEN)), chance.random() < 0.3, chance.random() < 0.5) for _ in range(600)]

    def one(order: tuple[str, bool, bool]) -> tuple[str, set[str]] | None:
        name, aborted, read_only = order
        try:
            with few.transaction(drawn.places.accounts[name], read_only=read_only) as session:
                seen = set(session.scalars(select(Building.name)))
                if aborted:
                    raise AbortedError  # noqa: TRY301 -- inside the transaction is the point
                return name, seen
        except AbortedError:
            return None

    with ThreadPoolExecutor(16) as crowd:
        answers = [answer for answer in crowd.map(one, orders) if answer is not None]
    few.close()
    assert len(answers) > 300
    assert [answer for answer in answers if answer[1] != SEEN[answer[0]]] == []


def test_readers_do_not_cross(drawn: Drawn) -> None:
    answers = asyncio.run(_read(register(drawn.address, pool_size=2), drawn))
    assert len(answers) > 300
    assert [answer for answer in answers if answer[1] != SEEN[answer[0]]] == []


async def _read(few: Database, drawn: Drawn) -> list[tuple[str, set[str]]]:
    chance = random.Random(11)
    answers: list[tuple[str, set[str]]] = []

    async def one(name: str) -> None:
        [rows] = await few.read(drawn.places.accounts[name], Query(b"SELECT name FROM reg.building"))
        answers.append((name, {told.decode() for (told,) in rows if told is not None}))

    async def crowd(size: int) -> None:
        asked = [asyncio.create_task(one(chance.choice(list(SEEN)))) for _ in range(size)]
        await asyncio.sleep(0.005)
        for task in asked:
            if chance.random() < 0.3:
                task.cancel()  # as when a client hangs up, wherever it is just then
        told = await asyncio.gather(*asked, return_exceptions=True)
        assert [error for error in told if error is not None and not isinstance(error, asyncio.CancelledError)] == []

    for _ in range(20):
        await crowd(30)
    await few.aclose()
    return answers
