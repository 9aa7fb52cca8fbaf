"""What several releases say of the same cells: their tables beside each other, with what they share and what they do not.

A lease that was registered late, corrected or struck out is in one release and not in another. Two numbers of a cell then differ by these
leases alone, be they of two editions of a quarter or of two windows of twelve months. So every set of leases that the same releases know is
a table of its own, each release's table is the sum of those that it knows, and a lease that would follow from two releases follows from
these sums as one that follows from a parent and its children does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gridmgmt.rents.methods.disclosure import Cells
from gridmgmt.rents.methods.series import BoolArray, FloatArray, IntArray
from gridmgmt.rents.methods.tables import Sum, Table


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
    fixed, unseen = np.zeros(places.size, np.bool_), np.ones(places.size, np.bool_)
    unseen[: table.size] = now
    for release, said in zip(releases[1:], told, strict=True):
        stands = release[said & (release >= 0)]
        fixed[stands], unseen[stands] = True, False
    whole = Table(places.size, tuple(places.sums))
    lowest = np.stack(atoms)[atom.ravel(), held.cell]
    cells = Cells.of(whole, lowest, held.landlord, held.amount, fixed=fixed)
    changed = np.zeros((table.size, len(told)), np.bool_)
    for place, known in zip(atoms, patterns, strict=True):
        changed[np.ix_(place >= 0, known[1:] != known[0])] = True
    return Overlay(whole, cells, unseen, changed, lowest)


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
