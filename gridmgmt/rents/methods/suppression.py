"""Complementary suppression: which safe cells are hidden too, so that no hidden cell follows from the published ones.

A table's cells add up: a parent is the sum of its children, a quarter of its months, all uses of each. What a reader knows of the hidden
cells is exactly what these sums leave open, so a hidden cell is safe when the hidden cells alone can be changed, keeping every sum, such
that it changes by enough. Such a change is found for each unsafe cell, the cheapest cells that make it possible are hidden, and the change
is kept as the proof. Sources: Cox (1980), Suppression Methodology and Statistical Disclosure Control; Kelly, Golden and Assad (1992), Cell
Suppression: Disclosure Protection for Sensitive Tabular Data; Fischetti and Salazar (2001), Solving the Cell Suppression Problem on Tabular
Data with Linear Constraints; Hundepool and others (2012), Statistical Disclosure Control, chapter 4.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array, hstack, vstack

from gridmgmt.rents.methods.series import BoolArray, FloatArray
from gridmgmt.rents.methods.tables import Table

Group = tuple[tuple[int, int], ...]
"""Cells with signs, 1 or -1, upwards: what is asked of is their sum, or the difference of two of them."""

_TINY = 1e-7
_SEARCHED = 400
_HIDDEN = 0.01
_BLOCK = 200


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """What is hidden, (size,), and for which of the unsafe cells no protection could be found because others are published already."""

    hidden: BoolArray
    unprotected: BoolArray


def protect(
    table: Table,
    amounts: FloatArray,
    unsafe: BoolArray,
    *,
    costs: FloatArray,
    fixed: BoolArray,
    hidden: BoolArray,
    is_unsafe: Callable[[Group], bool],
    margin: float = 0.1,
    prior: float = 0.5,
) -> Pattern:
    """Hide the unsafe cells beside those `hidden` already, and as few others as need be.

    `amounts` (size,) ≥ 0: what adds up, such as stock in m² × rent. A reader is taken to know every hidden amount to within `prior` of
    itself beforehand; afterwards every value of an unsafe cell within `margin` of the true one must still be possible. `costs` (size,) > 0
    of hiding a cell; `fixed` cells are published already and stay so. Several hidden cells whose sum follows from what is published, such
    as what a published total leaves over, must not be unsafe as one cell, nor two whose difference follows be unsafe from each other
    (`is_unsafe`): else that sum or difference is protected as a cell is. Sums are looked for in those of the table, also where a hidden
    part is itself known but for a few of its parts, and among all pairs and triples. Cells without an amount are known to be empty and
    protect nobody. The same input gives the same pattern.
    """
    work = _Work(table, amounts, costs, room=np.where(fixed, 0.0, prior * amounts), margin=margin)
    work.hidden |= hidden | (unsafe & ~fixed)
    for cell, now, before in table.differences:
        if unsafe[cell] and before >= 0 and fixed[before]:
            work.hidden[now] = True  # beside what was published before it would tell the difference, whatever else is hidden
    largest_first = sorted(np.flatnonzero(unsafe & ~fixed & (amounts > 0)).tolist(), key=lambda cell: (-amounts[cell], cell))
    failed = unsafe & fixed
    tried: set[Group] = set()
    wanted: list[Group] = [((cell, 1),) for cell in largest_first]
    while wanted:
        tried.update(wanted)
        for group in wanted:
            if not work.protects(group):
                failed[[cell for cell, _ in group]] = True
        wanted = [group for group in work.exposed() if group not in tried and is_unsafe(group)]
    return Pattern(work.hidden, failed)


class _Work:
    """The pattern as it grows, and the changes that prove it."""

    def __init__(self, table: Table, amounts: FloatArray, costs: FloatArray, *, room: FloatArray, margin: float) -> None:
        self.table, self.amounts, self.costs, self.room, self.margin = table, amounts, costs, room, margin
        self.hidden = np.zeros(table.size, np.bool_)
        self.proofs: list[dict[int, float]] = []
        self.proofs_of: list[list[dict[int, float]]] = [[] for _ in range(table.size)]
        self.sums_of: list[list[tuple[int, int]]] = [[] for _ in range(table.size)]
        self.parts_of: list[list[tuple[int, ...]]] = [[] for _ in range(table.size)]
        self.members = table.rows()
        for total, parts in table.sums:
            self.parts_of[total].append(parts)
        for row, cells in enumerate(self.members):
            for cell, sign in cells:
                self.sums_of[cell].append((row, sign))
        self.shortest = np.argsort(np.argsort([len(cells) for cells in self.members], kind="stable")).tolist()  # rank of each sum
        self.below = table.below()

    def protects(self, group: Group) -> bool:
        """Whether a group of cells, or a single cell, is protected, after hiding what that takes."""
        needed = self.margin * float(max(sum(self.amounts[cell] for cell, sign in group if sign == side) for side in (1, -1)))
        proofs = [proof for cell, _ in group for proof in self.proofs_of[cell]]
        if any(abs(sum(sign * proof.get(cell, 0.0) for cell, sign in group)) >= needed * (1 - _TINY) for proof in proofs):
            return True
        change = self._searched(group, needed) or self._solved(group, needed)
        if change is None:
            return False
        most = min(self.room[other] / abs(by) for other, by in change.items())
        proof = {other: most * by for other, by in change.items()}
        self.proofs.append(proof)
        for other in proof:
            self.hidden[other] = True
            self.proofs_of[other].append(proof)
        return True

    def exposed(self) -> list[Group]:
        """Groups of hidden cells whose sum or difference is known."""
        found: set[tuple[int, ...]] = set()
        cores: dict[int, tuple[int, ...]] = {}
        for total, parts in self.table.sums:
            rest = self._rest(parts)
            if rest and not self.hidden[total]:
                found |= {rest, tuple(sorted({cell for part in rest for cell in self._core(part, cores)}))}
        return sorted({tuple((cell, 1) for cell in cells) for cells in found} | self._balanced())

    def _rest(self, parts: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(part for part in parts if self.hidden[part] and self.amounts[part] > 0)

    def _core(self, cell: int, cores: dict[int, tuple[int, ...]]) -> tuple[int, ...]:
        """What of a hidden cell is not known: the least of what its sums leave over, taken down as far as they go."""
        if cell not in cores:
            cores[cell] = (cell,)
            for parts in self.parts_of[cell]:
                inner = tuple(sorted({one for part in self._rest(parts) for one in self._core(part, cores)}))
                if inner and self.amounts[list(inner)].sum() < self.amounts[list(cores[cell])].sum() * (1 - _TINY):
                    cores[cell] = inner
        return cores[cell]

    def _balanced(self) -> set[Group]:
        """Pairs and triples of hidden cells whose sum no proof moves, or whose difference, found by a random mixture of all proofs.

        What a random mixture does not move, none of its parts does, but for a chance of no account.
        """
        random = np.random.default_rng(len(self.proofs))
        mixed = np.zeros(self.table.size)
        for proof in self.proofs:
            mixed[list(proof)] += random.normal() * np.array(list(proof.values()))
        cells = np.flatnonzero(mixed)
        cells = cells[np.argsort(mixed[cells], kind="stable")]
        moved = mixed[cells]
        close = 1e-9 * float(np.abs(moved).max(initial=0))

        def opposite(of: FloatArray) -> list[tuple[int, int]]:
            low, high = np.searchsorted(moved, -of - close), np.searchsorted(moved, -of + close)
            return [(at, other) for at in np.flatnonzero(high > low).tolist() for other in range(int(low[at]), int(high[at]))]

        found: list[tuple[tuple[int, int], ...]] = [((i, 1), (j, 1)) for i, j in opposite(moved) if j > i]
        found += [((i, 1), (j, -1)) for i, j in opposite(-moved) if j > i]
        for block in np.array_split(np.arange(len(cells)), len(cells) // _BLOCK + 1):
            first, second = (axis.ravel() for axis in np.meshgrid(block, np.arange(len(cells)), indexing="ij"))
            first, second = first[second > first], second[second > first]
            triples = [(int(first[at]), int(second[at]), k) for at, k in opposite(moved[first] + moved[second]) if k > second[at]]
            found += [tuple((one, 1) for one in triple) for triple in triples]
        groups = {tuple(sorted((int(cells[one]), sign) for one, sign in group)) for group in found}
        return {group for group in groups if self._apart(group)}

    def _apart(self, group: Group) -> bool:
        """Whether no lease is in two of the group's cells."""
        whole = 0
        for cell, _ in group:
            if whole & self.below[cell]:
                return False
            whole |= self.below[cell]
        return True

    def _searched(self, group: Group, needed: float) -> dict[int, float] | None:
        """A change of whole units found by growing it sum by sum, cheapest first; None when that does not end soon.

        It begins with the group's largest cell and takes none of the others the other way.
        """
        able: list[bool] = (self.room >= needed).tolist()
        signs = dict(group)
        begin = max(signs, key=lambda cell: (self.amounts[cell], -cell))
        if not able[begin]:
            return None
        weigh: list[float] = np.where(self.hidden, _HIDDEN, self.costs).tolist()
        step = float(self.costs.mean()) / 4
        order = count()
        start = {row: signs[begin] * sign for row, sign in self.sums_of[begin]}
        heap = [(step * len(start), next(order), 0.0, {begin: signs[begin]}, start)]
        for _ in range(_SEARCHED):
            if not heap:
                return None
            _, _, cost, change, open_ = heapq.heappop(heap)
            if not open_:
                return {cell: needed * by for cell, by in change.items()}
            row = min(open_, key=self.shortest.__getitem__)
            for cell, sign in self.members[row]:
                by = -open_[row] * sign
                if cell in change or not able[cell] or by * signs.get(cell, by) < 0:
                    continue
                left = dict(open_)
                for touched, coefficient in self.sums_of[cell]:
                    off = left.pop(touched, 0) + by * coefficient
                    if off:
                        left[touched] = off
                    if not -2 < off < 2:
                        break
                else:
                    paid = cost + weigh[cell]
                    heapq.heappush(heap, (paid + step * len(left), next(order), paid, {**change, cell: by}, left))
        return None

    def _solved(self, group: Group, needed: float) -> dict[int, float] | None:
        """The cheapest change by linear programming; None when there is none."""
        size = self.table.size
        room = np.tile(np.minimum(self.room / needed, 1e6), 2)
        weigh = np.where(self.hidden, _HIDDEN, self.costs)
        members, signs = np.array(group).T
        columns = np.r_[members, size + members]
        aim = csr_array((np.r_[signs, -signs].astype(np.float64), (np.zeros(len(columns), int), columns)), (1, 2 * size))
        level = np.r_[np.zeros(len(self.members)), 1.0]
        sums = self.table.matrix()
        sums = vstack([hstack([sums, -sums]), aim])  # a change is what is added less what is taken away
        bounds = np.c_[np.zeros(2 * size), room]
        found = linprog(np.tile(weigh, 2), A_eq=sums.tocsr(), b_eq=level, bounds=bounds, method="highs-ds")
        if found.x is None:
            return None
        change = found.x[:size] - found.x[size:]
        return {cell: needed * float(change[cell]) for cell in np.flatnonzero(np.abs(change) > _TINY).tolist()}
