"""Disclosure control 披露控制: what of a cell may be published, so that nobody finds a single lease in it.

A cell is a number for an area, a period and a kind of housing. It is unsafe when few leases, few landlords or one landlord make it; unsafe
cells are hidden, and others with them so that nothing hidden follows from sums and differences (`suppression`). The newest month waits
until enough of its leases are filed.

What a model says of a hidden cell may be shown only as far as `Showing` tells. An estimate parent + g·(own − parent) gives much of the
cell's own mean away, and all of it to who knows g; so the factor, the number of leases and the errors of a hidden cell are never published.
Cells of fewer than three landlords or a dominant one are grave: an estimate for them must not have seen their leases, nor may one for the
cells that hide them, since it would stand in for their numbers in a difference. Grave cells are therefore protected from a reader who knows
all others exactly; cells that are merely thin from one who knows all that is published.
Sources: Hundepool and others (2012), Statistical Disclosure Control, chapters 4.2 (rules) and 5.4 (rounding).
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

import numpy as np

from gridmgmt.rents.methods.series import BoolArray, FloatArray, IntArray
from gridmgmt.rents.methods.suppression import Group, Pattern, protect
from gridmgmt.rents.methods.tables import Table

Counts: TypeAlias = int | IntArray


class Cause(StrEnum):
    """Why the direct number of a cell is hidden."""

    FEW = "few"
    """Too few leases."""
    LANDLORDS = "landlords"
    """Too few landlords: each could work out the others' rents."""
    DOMINANT = "dominant"
    """One landlord holds too large a share of the leases."""
    COMPLEMENT = "complement"
    """Safe in itself, but an unsafe cell would follow from it."""


class Showing(StrEnum):
    """What of a cell may be shown."""

    DIRECT = "direct"
    """Its own number, with errors and the rounded number of leases."""
    FLAGGED = "flagged"
    """The same, marked as thin."""
    MODEL = "model"
    """A shrunk estimate, labelled, without factor, number of leases or error."""
    PARENT = "parent"
    """An estimate that has not seen the cell's leases: its parent's level for its own stock, labelled."""


GRAVE = frozenset({Cause.LANDLORDS, Cause.DOMINANT})
"""Causes that concern single landlords, and not just how much a number can be relied on."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Limits: `few` leases or fewer are hidden, `thin` or fewer flagged; at least `landlords`, none with more than `share` of the leases.

    `margin`: every value of an unsafe cell within this share of the true one must remain possible for a reader who beforehand knows all
    hidden amounts to within `prior`. Numbers of leases are rounded to multiples of `rounding`. A month waits below `complete` of the usual.
    `roll_up`: whether the number of the area around stands where one's own is hidden.
    """

    few: int = 10
    thin: int = 30
    landlords: int = 3
    share: float = 0.5
    margin: float = 0.1
    prior: float = 0.5
    rounding: int = 5
    complete: float = 0.8
    roll_up: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Cells of a table, (size,) each, parents among them with sums over all their leases.

    `n`: leases. `landlords`: how many different ones. `largest`: leases of the one with the most. `amounts`: what adds up over children and
    is published by way of a mean, stock in m² × rent or the sum of rents, ≥ 0. `fixed`: published in an earlier release and immutable.
    `sole`: a number for the only landlord of a cell, −1 where there are several or nobody knows; without it nobody is taken for another.
    `holders`: for each cell how many leases each landlord has. Raises ValueError for numbers that cannot be so.
    """

    n: IntArray
    landlords: IntArray
    largest: IntArray
    amounts: FloatArray
    fixed: BoolArray
    sole: IntArray | None = None
    holders: Sequence[Mapping[int, int]] | None = None

    def __post_init__(self) -> None:
        if any(column.shape != self.n.shape for column in (self.landlords, self.largest, self.amounts, self.fixed)):
            raise ValueError("the columns of cells differ in length")
        some = self.n > 0
        possible = (self.n >= self.largest) & (self.n >= self.landlords) & ((self.landlords > 0) == some) & ((self.largest > 0) == some)
        if not (possible & np.isfinite(self.amounts) & (self.amounts >= 0)).all():
            raise ValueError("a cell has more landlords than leases, or an amount that is no amount")

    @classmethod
    def of(cls, table: Table, cell: IntArray, landlord: IntArray, rent: FloatArray, *, fixed: BoolArray | None = None) -> "Cells":
        """Cells from leases (k,): the lowest cell of each in the table, its landlord, and what it adds to the amounts.

        Landlords are counted over the leases of all parts, not added up: one may let in several of them. Landlord 0 is one unknown.
        """
        order = table.bottom_up()
        if np.isin(cell, [total for total, _ in order]).any():
            raise ValueError("a lease belongs to a lowest cell, and by it to the others")
        held: list[dict[int, int]] = [{} for _ in range(table.size)]
        for at, who in zip(cell.tolist(), landlord.tolist(), strict=True):
            held[at][who] = held[at].get(who, 0) + 1
        amounts = np.bincount(cell, rent, table.size).astype(np.float64)
        filled = np.bincount(cell, minlength=table.size) > 0
        numbers = {who: -1 if who == 0 else at for at, who in enumerate(np.unique(landlord).tolist())}
        for total, parts in order:
            if filled[total]:
                continue  # by another of its sums: a quarter of a district is that of its months and of its areas
            filled[total] = any(filled[part] for part in parts)
            for part in parts:
                for who, leases in held[part].items():
                    held[total][who] = held[total].get(who, 0) + leases
            amounts[total] = amounts[list(parts)].sum()
        return cls(
            n=np.array([sum(who.values()) for who in held]),
            landlords=np.array([len(who) for who in held]),
            largest=np.array([max(who.values(), default=0) for who in held]),
            amounts=amounts,
            fixed=np.zeros(table.size, np.bool_) if fixed is None else fixed,
            sole=np.array([numbers[next(iter(who))] if len(who) == 1 else -1 for who in held]),
            holders=held,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Verdicts:
    """For each cell what may be shown, why its direct number is hidden (None where it is not), and the number of leases to print.

    `counts` (size,): rounded, -1 where none may be printed. `unprotected` (size,): unsafe cells that earlier releases give away or that
    were published themselves; nothing of the run may be published while there is one.
    """

    showings: tuple[Showing, ...]
    causes: tuple[Cause | None, ...]
    counts: IntArray
    unprotected: BoolArray

    @property
    def hidden(self) -> BoolArray:
        """Cells whose direct number is hidden, (size,)."""
        return np.array([cause is not None for cause in self.causes])


def judge(table: Table, cells: Cells, rules: Rules | None = None, *, withheld: BoolArray | None = None) -> Verdicts:
    """What may be shown of each cell.

    A cell without leases has nothing of its own to show or to hide: its parent's number stands for it. `withheld` (size,) cells are not
    published in any form, so that others may hide behind them at no cost; an unsafe one must not follow from the published ones either.
    Two windows of a cell are judged by what they share and what they do not: now = shared + new, before = shared + gone, with `before`
    fixed and shared, new and gone withheld; a release that corrects another by now = before + late, with late withheld.
    """
    rules = rules or Rules()
    causes = primary(cells, rules)
    grave = np.array([cause in GRAVE for cause in causes])
    unsafe = np.array([cause is not None for cause in causes])
    together = _unsafe_as_one(table, cells, rules)
    costs = 1 + cells.n / max(1.0, float(cells.n.mean()))

    def pattern(unsafe: BoolArray, hidden: BoolArray, costs: FloatArray) -> Pattern:
        return protect(
            table,
            cells.amounts,
            unsafe,
            costs=costs,
            fixed=cells.fixed,
            hidden=hidden,
            is_unsafe=together,
            margin=rules.margin,
            prior=rules.prior,
        )

    unseen = np.zeros(table.size, np.bool_) if withheld is None else withheld & ~cells.fixed
    silent = pattern(grave, unseen, np.where(unsafe, costs / 4, costs))  # a thin cell has less to lose
    whole = pattern(unsafe, silent.hidden, costs)
    told = [cause or (Cause.COMPLEMENT if hidden else None) for cause, hidden in zip(causes, whole.hidden | unseen, strict=True)]
    showings = tuple(_showing(cell, rules) for cell in zip(cells.n.tolist(), told, silent.hidden.tolist(), strict=True))
    printed = np.where([showing in {Showing.DIRECT, Showing.FLAGGED} for showing in showings], rounded(cells.n, rules.rounding), -1)
    return Verdicts(showings, tuple(told), printed.astype(np.int64), silent.unprotected | whole.unprotected)


def held_by_few(n: Counts, landlords: Counts, largest: Counts, rules: Rules) -> Any:
    """Whether leases are of too few landlords, or too many of them of one: of one cell (ints), or of each of several (arrays)."""
    return (landlords < rules.landlords) | (largest > rules.share * n)


def primary(cells: Cells, rules: Rules) -> list[Cause | None]:
    """Why each cell is unsafe in itself; landlords and dominance go before the number of leases, being graver."""
    found: list[Cause | None] = []
    for n, landlords, largest in zip(cells.n.tolist(), cells.landlords.tolist(), cells.largest.tolist(), strict=True):
        if n == 0:
            found.append(None)
        elif landlords < rules.landlords:
            found.append(Cause.LANDLORDS)
        elif largest > rules.share * n:
            found.append(Cause.DOMINANT)
        else:
            found.append(Cause.FEW if n <= rules.few else None)
    return found


def rounded(n: IntArray, multiple: int = 5) -> IntArray:
    """Numbers of leases rounded to the nearest multiple, halves up, each for itself: printed parts need not add up to a printed total."""
    return (2 * n + multiple) // (2 * multiple) * multiple


def complete(registrations: Sequence[int], rules: Rules | None = None, *, window: int = 12, least: int = 3) -> bool:
    """Whether the newest month has enough registrations to be published: at least `rules.complete` of the median of those before.

    `registrations`: leases filed for each month, oldest first, those before the newest counted at the same distance from their month's
    end, or as they stand. The median is over at most `window` months; with fewer than `least` nobody knows what is usual, and it passes.
    """
    earlier = registrations[-window - 1 : -1]
    if len(earlier) < least:
        return True
    return registrations[-1] >= (rules or Rules()).complete * float(np.median(earlier))


def _showing(cell: tuple[int, Cause | None, bool], rules: Rules) -> Showing:
    n, cause, silent = cell
    if n == 0 or silent or cause in GRAVE:
        return Showing.PARENT
    if cause is not None:
        return Showing.MODEL
    return Showing.FLAGGED if n <= rules.thin else Showing.DIRECT


def _unsafe_as_one(table: Table, cells: Cells, rules: Rules) -> Callable[[Group], bool]:
    """Whether what follows of hidden cells is unsafe.

    A sum is when the cells are as one: with their landlords where these are known, or as the cell that is their sum; else whoever their
    landlords are, the same in all of them at worst. A difference is when the only landlord of the one cell, who knows its number, would
    know the other's, and that is grave; not when both are the same landlord's.
    """
    sole = np.full(len(cells.n), -1) if cells.sole is None else cells.sole
    n, landlords, largest = cells.n.tolist(), cells.landlords.tolist(), cells.largest.tolist()
    totals = {frozenset(part for part in parts if n[part]): total for total, parts in table.sums}

    def unsafe(n: int, landlords: int, largest: int) -> bool:
        return n <= rules.few or held_by_few(n, landlords, largest, rules)

    def grave(cell: int) -> bool:
        return held_by_few(n[cell], landlords[cell], largest[cell], rules)

    def unsafe_as_one(group: Group) -> bool:
        members = [cell for cell, _ in group]
        if any(sign < 0 for _, sign in group):
            whose = {int(sole[cell]) for cell in members}
            known = len(whose) == 1 and whose != {-1}
            return not known and min(landlords[cell] for cell in members) == 1 and all(grave(cell) for cell in members)
        if cells.holders is not None:
            held: Counter[int] = Counter()
            for cell in members:
                held.update(cells.holders[cell])
            return unsafe(held.total(), len(held), max(held.values(), default=0))
        total = totals.get(frozenset(members))
        if total is not None:
            return unsafe(n[total], landlords[total], largest[total])
        return unsafe(sum(n[cell] for cell in members), max(landlords[cell] for cell in members), sum(largest[cell] for cell in members))

    return unsafe_as_one
