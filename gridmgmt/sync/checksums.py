"""What two sides compare in place of their rows: how many there are, and one word over the ids and versions of all of them.

The word is the XOR, over all live rows of a scope, of the first 8 bytes of SHA-256 over kind, id and version written one after the other
(`resident0190…-…7`, the id in small letters with hyphens, the version in decimal), as 16 hexadecimal digits; of no rows it is zeros.
"""

from collections.abc import Iterable
from typing import Final

from gridmgmt.reads import Query
from gridmgmt.sync.kinds import KINDS, ORDER

NOTHING: Final = "0" * 16


def live(scope: str, kinds: Iterable[str] = ORDER) -> str:
    """SQL of all live rows of the scope that the expression names: their kind, id and version."""
    return " UNION ALL ".join(
        f"SELECT '{kind}' AS kind, e.id, e.version FROM {KINDS[kind].table.fullname} e"  # noqa: S608 -- names from a fixed table
        f" WHERE e.grid_id = {scope} AND e.deleted_at IS NULL"
        for kind in kinds
    )


def total(scope: str, kinds: Iterable[str] = ORDER) -> str:
    """SQL of one row: `count` and `checksum` of the scope's live rows."""
    word = "('x' || left(encode(sha256((r.kind || r.id::text || r.version::text)::bytea), 'hex'), 16))::bit(64)"
    checksum = f"lpad(to_hex(coalesce(bit_xor({word}), 0::bit(64))::bigint), 16, '0')"
    return f"SELECT count(*) AS count, {checksum} AS checksum FROM ({live(scope, kinds)}) r"  # noqa: S608 -- as above


def total_of(scope: int, kinds: Iterable[str] = ORDER) -> Query:
    """Count and checksum of a scope as the asker sees it."""
    wanted = tuple(kinds)
    return Query(total("$1::int", wanted).encode(), (b"%d" % scope,), b"sync total" if wanted == ORDER else b"")
