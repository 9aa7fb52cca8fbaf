"""Columns of numbers as the text that COPY reads, and identifiers that are the same at every build."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Bytes = NDArray[np.uint8]

NULL = "\\N"
NEVER = -1_000_000
"""A day that stands for no day at all. Days are counted from 1970-01-01."""
SEED = 440306


def chance(*words: object) -> np.random.Generator:
    """A generator of its own for each purpose, so that one part of the district does not depend on how another was made."""
    digest = hashlib.sha256(repr((SEED, *words)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def spread(total: int, weights: Floats, *, least: int = 0, most: Ints | None = None) -> Ints:
    """`total` as whole numbers in proportion to the weights (largest remainders), each from `least` to `most`.

    Where the bounds leave too little or too much room, the sum differs from the total.
    """
    shares = np.full(len(weights), least, dtype=np.int64)
    room = (most if most is not None else np.full(len(weights), max(total, least), dtype=np.int64)) - shares
    left = min(total - int(shares.sum()), int(room.sum()))
    while left > 0:
        open_weights = np.where(room > 0, np.maximum(weights, 1e-9), 0.0)
        exact = left * open_weights / open_weights.sum()
        whole = np.minimum(exact.astype(np.int64), room)
        if not whole.any():
            order = np.argsort(-np.where(room > 0, exact - whole, -1.0), kind="stable")[:left]
            whole = np.zeros_like(room)
            whole[order] = (room[order] > 0).astype(np.int64)
        shares += whole
        room -= whole
        left -= int(whole.sum())
    return shares


def uuids(generator: np.random.Generator, days: Ints) -> Bytes:
    """UUIDs of version 7 dated on the days, one row of 16 bytes each: in the order of time, as the register's own are."""
    milliseconds = np.maximum(days, 0) * 86_400_000 + generator.integers(0, 86_400_000, len(days))
    made = generator.integers(0, 256, (len(days), 16), dtype=np.uint8)
    made[:, :6] = milliseconds.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 2:]
    made[:, 6] = made[:, 6] & 0x0F | 0x70
    made[:, 8] = made[:, 8] & 0x3F | 0x80
    return made


def random_uuids(generator: np.random.Generator, count: int) -> Bytes:
    """UUIDs of version 4."""
    made = generator.integers(0, 256, (count, 16), dtype=np.uint8)
    made[:, 6] = made[:, 6] & 0x0F | 0x40
    made[:, 8] = made[:, 8] & 0x3F | 0x80
    return made


def hexes(identifiers: Bytes) -> list[str]:
    """Each row of 16 bytes as 32 digits."""
    whole = identifiers.tobytes().hex()
    return [whole[start : start + 32] for start in range(0, len(whole), 32)]


def dates(days: Ints) -> list[str]:
    """ISO dates; NEVER is null."""
    if not len(days):
        return []
    known = days[days != NEVER]
    if not len(known):
        return [NULL] * len(days)
    first = int(known.min())
    table = [*np.arange(first, int(known.max()) + 1).astype("datetime64[D]").astype(str).tolist(), NULL]
    return pick(table, np.where(days == NEVER, len(table) - 1, days - first))


def pick(words: Sequence[str], indexes: Ints) -> list[str]:
    """The word at each index."""
    chosen: list[int] = indexes.tolist()
    return [words[i] for i in chosen]


def flags(values: Flags) -> list[str]:
    """PostgreSQL's booleans."""
    return ["t" if value else "f" for value in values.tolist()]


def numbers(values: Ints) -> list[str]:
    """Whole numbers; NEVER is null."""
    return [NULL if value == NEVER else str(value) for value in values.tolist()]


def hundredths(values: Ints) -> list[str]:
    """Whole hundredths as a decimal with two places."""
    return [f"{value // 100}.{value % 100:02d}" for value in values.tolist()]


def first_day(months: Ints) -> Ints:
    """First day of months counted from 1970-01."""
    return months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
