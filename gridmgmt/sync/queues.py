"""Pages of the queues of conflicts and letters."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, literal_column, select

from gridmgmt.database import Actor


def few(statement: Select[*tuple[Any, ...]], actor: Actor, key: Any, wanted: Sequence[ColumnElement[bool]]) -> Select[*tuple[Any, ...]]:
    """The statement for the rows that are wanted. A worker has few of them, which the planner does not know: they are collected first."""
    if actor.scope != "field":
        return statement.where(*wanted)
    return statement.where(key.in_(select(key).where(*wanted).offset(literal_column("0"))))
