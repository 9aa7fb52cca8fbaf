"""First come, first served among periods of which only one may hold at a time: the leases of a unit, the main homes of a person."""

import datetime as dt
from bisect import bisect_right
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Final

END: Final = dt.date.max
"""Stands for a period that has no end yet."""


@dataclass(frozen=True)
class Claim:
    """A period [begins, ends) for something, by a line of a file or, where `line` is None, by a row that is there already.

    `own` names the row; a line that corrects a row has the same name as that row.
    """

    about: Hashable
    own: Hashable
    name: str
    line: int | None
    begins: dt.date
    ends: dt.date


def settle(claims: Iterable[Claim]) -> dict[int, str]:
    """The lines that must be refused, with the name of the claim that each runs into.

    Lines are judged in their order, after the rows that are there. A line that corrects a row gives up the row's old period and gets
    it back when it is refused.
    """
    held: dict[Hashable, _Calendar] = {}
    where: dict[Hashable, Claim] = {}
    refused: dict[int, str] = {}
    for claim in sorted(claims, key=lambda one: (one.line is not None, one.line or 0)):
        calendar = held.setdefault(claim.about, _Calendar())
        old = where.get(claim.own)
        if old is not None:
            held[old.about].remove(old)
        rival = calendar.find(claim.begins, claim.ends)
        if rival is not None and claim.line is not None:
            refused[claim.line] = rival.name
            if old is not None:
                held[old.about].add(old)
            continue
        calendar.add(claim)
        where[claim.own] = claim
    return refused


class _Calendar:
    """Periods that do not overlap, in order; so their ends are in order too."""

    def __init__(self) -> None:
        self._ends: list[dt.date] = []
        self._claims: list[Claim] = []

    def find(self, begins: dt.date, ends: dt.date) -> Claim | None:
        """The first period that shares a day with this one."""
        index = bisect_right(self._ends, begins)
        if index < len(self._claims) and self._claims[index].begins < ends:
            return self._claims[index]
        return None

    def add(self, claim: Claim) -> None:
        index = bisect_right(self._ends, claim.ends)
        self._ends.insert(index, claim.ends)
        self._claims.insert(index, claim)

    def remove(self, claim: Claim) -> None:
        index = self._claims.index(claim)
        del self._ends[index], self._claims[index]
