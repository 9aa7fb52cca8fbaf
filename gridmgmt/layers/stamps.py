"""The stamp of a layer: a word that changes whenever somebody's view of the layer may have.

It is made by PostgreSQL (`reg.stamp`) from the transactions that wrote the layer's tables, the district's day and the caller's scope,
so an answer that is kept under it never shows what the caller may not see, and a write is seen at the next request.
"""

from functools import cache

from gridmgmt.layers.layer import Layer
from gridmgmt.reads import Query


@cache
def stamp_of(layer: Layer) -> Query:
    """The statement for the caller's stamp of a layer: one row, one word."""
    return Query(b"SELECT reg.stamp($1::text[])", (("{" + ",".join(layer.nouns) + "}").encode(),), b"stamp")
