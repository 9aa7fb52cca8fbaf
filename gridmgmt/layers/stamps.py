"""The stamp of a layer: a word that changes whenever somebody's view of the layer may have.

It is made by PostgreSQL (`reg.stamp`) from the transactions that wrote the layer's tables, the district's day and the caller's scope,
so an answer that is kept under it never shows what the caller may not see, and a write is seen at the next request.
"""

import hashlib
from dataclasses import fields
from functools import cache
from typing import Final

from sqlalchemy import Date, DateTime, bindparam

from gridmgmt.layers.layer import Layer
from gridmgmt.reads import Query, Template

_NOT_SHOWN: Final = frozenset({"rows", "rows_on", "roles", "writable"})
"""Statements, which have texts, and who may: of the order of a set each process has its own idea."""


@cache
def stamp_of(layer: Layer) -> Query:
    """The statement for the caller's stamp of a layer: one row, one word."""
    return Query(b"SELECT reg.stamp($1::text[])", (("{" + ",".join(layer.nouns) + "}").encode(),), b"stamp")


@cache
def declaration_of(layer: Layer) -> bytes:
    """A digest of how the layer is declared and read, the same in every process: with another one, its answers are others."""
    moment, day = bindparam("moment", type_=DateTime(timezone=True)), bindparam("day", type_=Date)
    statements = [layer.rows(None), layer.rows(moment)]  # pyright: ignore[reportArgumentType] -- bound later, as in selection.py
    if layer.rows_on is not None:
        statements += [layer.rows_on(None, day), layer.rows_on(moment, day)]  # pyright: ignore[reportArgumentType] -- likewise
    told = [repr(getattr(layer, one.name)) for one in fields(layer) if one.name not in _NOT_SHOWN]
    texts = [Template.of(statement).text for statement in statements]
    return hashlib.blake2b(b"|".join([*(one.encode() for one in told), *texts]), digest_size=12).digest()
