"""What several releases say of the same cells: their tables beside each other, with what they share and what they do not.

A lease that was registered late, corrected or struck out is in one release and not in another. Two numbers of a cell then differ by these
leases alone, be they of two editions of a quarter or of two windows of twelve months. So every set of leases that the same releases know is
a table of its own, each release's table is the sum of those that it knows, and a lease that would follow from two releases follows from
these sums as one that follows from a parent and its children does.

What came and what went stand for each other when a lease is corrected: neither sum is known, yet their difference is, which tells what the
correction was. So all that a release knows otherwise than an earlier one is a cell too, the difference of two numbers, with the leases that
came and those that went; it has to be safe as any cell has to be, or the new number is not told.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gridmgmt.rents.methods.disclosure import Cells
from gridmgmt.rents.methods.series import BoolArray, FloatArray, IntArray
from gridmgmt.rents.methods.tables import Difference, Sum, Table


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """Leases in the lowest cells of a table, (k,) each, a lease once for each of its lowest cells.

    `amount`: what it adds to the amounts. `known` (k, 1 + r): whether this release and each of r earlier ones know the lease; each is known
    to some.
    """

    cell: IntArray
    landlord: IntArray
    amount: FloatArray
    known: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class Overlay:
    """Tables beside each other, this release's cells first and as they were numbered; cells, and which of them nobody publishes.

    `changed` (size, r): cells of this release's table whose leases each earlier release knew otherwise. `lowest` (k,): the lowest cell of
    each lease.
    """

    table: Table
    cells: Cells
    withheld: BoolArray
    changed: BoolArray
    lowest: IntArray


def overlay(table: Table, held: Held, told: Sequence[BoolArray], *, withheld: BoolArray | None = None) -> Overlay:
    """Lay the tables of earlier releases under this one's.

    `told` (r of (size,)): cells whose number each earlier release told, which stand. `withheld` (size,): cells of this table that are not
    told now. Empty cells of the tables beneath have no place.
    """
    now = np.zeros(table.size, np.bool_) if withheld is None else withheld
    if not told:
        none = np.zeros((table.size, 0), np.bool_)
        return Overlay(table, Cells.of(table, held.cell, held.landlord, held.amount), now, none, held.cell)
    patterns, atom = np.unique(held.known, axis=0, return_inverse=True)
    places = _Places(table)
    releases = [np.arange(table.size), *(places.add(held.cell[held.known[:, at]]) for at in range(1, 1 + len(told)))]
    atoms = [places.add(held.cell[atom.ravel() == at]) for at in range(len(patterns))]
    for at, release in enumerate(releases):
        parts = [place for place, known in zip(atoms, patterns, strict=True) if known[at]]
        for cell in np.flatnonzero(release >= 0).tolist():
            inner = tuple(int(place[cell]) for place in parts if place[cell] >= 0)
            if inner:
                places.sums.append((int(release[cell]), inner))
    apart, differences = [_apart(held, at) for at in range(1, 1 + len(told))], list[Difference]()
    beyond: list[IntArray] = []
    for release, other in zip(releases[1:], apart, strict=True):
        place = places.add(other.cell)
        differences += [(int(place[cell]), cell, int(release[cell])) for cell in np.flatnonzero(place >= 0).tolist()]
        beyond.append(place[other.cell])
    fixed, unseen = np.zeros(places.size, np.bool_), np.ones(places.size, np.bool_)
    unseen[: table.size] = now
    for release, said in zip(releases[1:], told, strict=True):
        stands = release[said & (release >= 0)]
        fixed[stands], unseen[stands] = True, False
    whole = Table(places.size, tuple(places.sums), tuple(differences))
    lowest = np.stack(atoms)[atom.ravel(), held.cell]
    every = np.concatenate([lowest, *beyond])
    landlord = np.concatenate([held.landlord, *(other.landlord for other in apart)])
    amount = np.concatenate([held.amount, *(other.amount for other in apart)])
    cells = Cells.of(whole, every, landlord, amount, fixed=fixed)
    changed = np.zeros((table.size, len(told)), np.bool_)
    for place, known in zip(atoms, patterns, strict=True):
        changed[np.ix_(place >= 0, known[1:] != known[0])] = True
    return Overlay(whole, cells, unseen, changed, lowest)


def _apart(held: Held, earlier: int) -> Held:
    """The leases that this release and an earlier one do not share. One that went and one that came of the same landlord in a cell count
    once, with both amounts: they may be one that was corrected.
    """
    rows = np.flatnonzero(held.known[:, 0] != held.known[:, earlier])
    if not len(rows):
        return Held(rows, rows, np.zeros(0), np.zeros((0, 1), np.bool_))
    cell, landlord, came = held.cell[rows], held.landlord[rows], held.known[rows, 0]
    order = np.lexsort((came, landlord, cell))
    keys = np.stack((cell, landlord, came))[:, order]
    fresh = np.ones(len(rows), np.bool_)
    fresh[1:] = (keys[:, 1:] != keys[:, :-1]).any(axis=0)
    begins = np.flatnonzero(fresh)
    rank = np.arange(len(rows)) - begins[np.cumsum(fresh) - 1]  # the how manieth that came, or went, of the landlord
    pairs, place = np.unique(np.stack((keys[0], keys[1], rank)), axis=1, return_inverse=True)
    amount = np.bincount(place.ravel(), held.amount[rows][order], minlength=pairs.shape[1]).astype(np.float64)
    return Held(pairs[0], pairs[1], amount, np.ones((pairs.shape[1], 1), np.bool_))


class _Places:
    """The cells of the tables laid beneath, numbered on from those of the first."""

    def __init__(self, table: Table) -> None:
        self.table, self.size, self.order = table, table.size, table.bottom_up()
        self.sums: list[Sum] = list(table.sums)

    def add(self, lowest: IntArray) -> IntArray:
        """Places (size,) of the cells that have leases in these lowest ones, −1 for the others; their sums are added."""
        filled = np.zeros(self.table.size, np.bool_)
        filled[lowest] = True
        for total, parts in self.order:
            filled[total] |= bool(filled[list(parts)].any())
        place = np.where(filled, self.size - 1 + np.cumsum(filled), -1)
        self.size += int(filled.sum())
        for total, parts in self.table.sums:
            inner = tuple(int(place[part]) for part in parts if filled[part])
            if inner:
                self.sums.append((int(place[total]), inner))
        return place
