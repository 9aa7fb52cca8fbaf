"""Tables whose cells add up: areas, periods and kinds of housing, each with its totals."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from gridmgmt.rents.methods.series import BoolArray, IntArray

Sum = tuple[int, tuple[int, ...]]
Difference = tuple[int, int, int]
"""A cell, and the cells whose difference it is: the second less the third, or the second alone where the third is −1."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A table of `size` cells and its sums: (total, parts), indexes of cells, each total the sum of its parts.

    `differences`: cells that stand for what one cell has otherwise than another. Raises ValueError for a sum without parts, one whose total
    is among its parts, or an index out of range.
    """

    size: int
    sums: tuple[Sum, ...]
    differences: tuple[Difference, ...] = ()

    def __post_init__(self) -> None:
        for total, parts in self.sums:
            if not parts or total in parts or len(set(parts)) < len(parts) or not all(0 <= cell < self.size for cell in (total, *parts)):
                raise ValueError("a sum names no cells, one twice, or one that is not there")

    @classmethod
    def cross(cls, *trees: IntArray) -> "Table":
        """The product of trees, such as areas × periods × uses: one cell for each combination of nodes, in C order.

        A tree is the parents of its nodes, -1 for a root; every cell of a parent node is the sum of those of its children.
        """
        shape = tuple(len(tree) for tree in trees)
        cells = np.arange(int(np.prod(shape))).reshape(shape)
        sums: list[Sum] = []
        for axis, tree in enumerate(trees):
            along = np.moveaxis(cells, axis, 0).reshape(len(tree), -1)
            for node in np.unique(tree[tree >= 0]).tolist():
                below = along[np.flatnonzero(tree == node)]
                sums += [(total, tuple(parts)) for total, parts in zip(along[node].tolist(), below.T.tolist(), strict=True)]
        return cls(cells.size, tuple(sums))

    def matrix(self) -> csr_array:
        """The sums and differences as rows of coefficients, (rows, size): what is added and taken away in each; it is zero altogether."""
        rows = self.rows()
        columns = [cell for row in rows for cell, _ in row]
        values = [float(sign) for row in rows for _, sign in row]
        places = [at for at, row in enumerate(rows) for _ in row]
        return csr_array((values, (places, columns)), shape=(len(rows), self.size))

    def rows(self) -> list[list[tuple[int, int]]]:
        """For each sum and difference its cells with signs: 1 for parts and what is taken away, -1 for the whole."""
        told = [[(total, -1), *((part, 1) for part in parts)] for total, parts in self.sums]
        return told + [[(whole, -1), *((part, 1) for part in (cell, less) if part >= 0)] for cell, whole, less in self.differences]

    def bottom_up(self) -> list[Sum]:
        """The sums in an order in which the parts of each are known before it; ValueError when they go in a circle."""
        known = set(range(self.size)) - {total for total, _ in self.sums}
        left, done = list(self.sums), list[Sum]()
        while left:
            ready = [one for one in left if known.issuperset(one[1])]
            if not ready:
                raise ValueError("the sums of the table go in a circle")
            left = [one for one in left if not known.issuperset(one[1])]
            done += ready
            known |= {total for total, _ in ready}
        return done

    def below(self) -> list[int]:
        """For each cell the lowest cells that make it up, as bits of a whole number."""
        bits = [1 << cell for cell in range(self.size)]
        for total, _ in self.sums:
            bits[total] = 0
        for total, parts in self.bottom_up():
            for part in parts:
                bits[total] |= bits[part]
        for cell, whole, less in self.differences:
            bits[cell] = bits[whole] ^ (bits[less] if less >= 0 else 0)
        return bits


def derivable(table: Table, hidden: BoolArray) -> BoolArray:
    """Which hidden cells a reader can work out exactly from the others, (size,), by elimination in rational numbers.

    A cell follows from the published ones exactly when its unit vector is in the row space of the sums over the hidden cells.
    """
    rows = [{cell: sign for cell, sign in row if hidden[cell]} for row in table.rows()]
    solved: dict[int, dict[int, int]] = {}
    for start in rows:
        row = start
        for pivot in [cell for cell in row if cell in solved]:
            row = _eliminated(row, solved[pivot], pivot)
        if row:
            pivot = min(row)
            for other in [cell for cell, known in solved.items() if pivot in known]:
                solved[other] = _eliminated(solved[other], row, pivot)
            solved[pivot] = row
    found = np.zeros(table.size, np.bool_)
    found[[pivot for pivot, row in solved.items() if len(row) == 1]] = True
    return found


def _eliminated(row: dict[int, int], by: dict[int, int], pivot: int) -> dict[int, int]:
    """Combination of two rows of whole numbers in which the pivot is gone, divided by its common factor."""
    if pivot not in row:
        return row
    a, b = by[pivot], row[pivot]
    mixed = {cell: a * row.get(cell, 0) - b * by.get(cell, 0) for cell in (*row, *by)}
    factor = int(np.gcd.reduce(np.array([abs(value) for value in mixed.values()], dtype=object))) or 1
    return {cell: value // factor for cell, value in mixed.items() if value}
