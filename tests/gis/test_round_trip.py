"""Several statements in one round trip, the same one more than once among them."""

import asyncio

from sqlalchemy import Integer, bindparam, select

from gridmgmt.database import PUBLIC
from gridmgmt.reads import Query, Record, Template
from tests.drawn import Drawn
from tests.places import register

NUMBER = Template.of(select(bindparam("number", type_=Integer) + 1), kept=True)


def answers(drawn: Drawn, *rounds: tuple[Query, ...]) -> list[list[list[Record]]]:
    async def ask() -> list[list[list[Record]]]:
        database = register(drawn.address, pool_size=1)
        try:
            return [await database.read(PUBLIC, *queries) for queries in rounds]
        finally:
            await database.aclose()

    return asyncio.run(ask())


def test_statement_that_is_kept_may_be_sent_twice_at_once_and_again(drawn: Drawn) -> None:
    twice = (NUMBER.bind(number=1), NUMBER.bind(number=2))
    assert answers(drawn, twice, twice) == [[[(b"2",)], [(b"3",)]]] * 2
