"""A reader attacks what random districts publish: with exact differences of areas, months, uses and releases, and with intervals."""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.sparse import block_diag, csr_array

from gridmgmt.rents.methods.disclosure import GRAVE, Cells, Rules, Showing, Verdicts, judge
from gridmgmt.rents.methods.overlay import Held, Overlay, overlay
from gridmgmt.rents.methods.series import BoolArray, FloatArray, IntArray
from gridmgmt.rents.methods.tables import Table, derivable

RULES = Rules()


@dataclass(frozen=True)
class District:
    """A district's leases and what is published of it."""

    table: Table
    cell: IntArray
    landlord: IntArray
    cells: Cells
    verdicts: Verdicts
    below: BoolArray
    """(size, size): which lowest cells make up each cell."""
    layered: bool = False
    """Whether the table is of several releases."""
    releases: "Releases | None" = None

    @property
    def attacks(self) -> tuple[BoolArray, BoolArray]:
        """What two readers do not know: one knows all published numbers, the other also what a model shows, as if it were exact."""
        silent = np.array([one is Showing.PARENT for one in self.verdicts.showings])
        return self.verdicts.hidden & (self.cells.n > 0), silent & (self.cells.n > 0)

    @property
    def grave(self) -> BoolArray:
        """Cells of too few landlords or of a dominant one."""
        return np.array([cause in GRAVE for cause in self.verdicts.causes])

    def landlords_of(self, parts: list[int]) -> set[int]:
        """Who lets in these cells."""
        inside = np.logical_or.reduce(self.below[parts])
        return set(self.landlord[inside[self.cell]].tolist())

    def safe(self, parts: list[int], *, graver: bool = False) -> bool:
        """Whether the leases of these cells, taken as one, satisfy the rules, or those that concern single landlords; counted over, with
        every landlord's identity.
        """
        inside = np.logical_or.reduce(self.below[parts])
        held = np.unique(self.landlord[inside[self.cell]], return_counts=True)[1]
        return (graver or held.sum() > 10) and len(held) >= 3 and held.max() <= held.sum() / 2


@dataclass(frozen=True)
class Releases:
    """Releases of one table, the newest first: where leases are, who let them, which each release knew, (k, r), and the cells told."""

    table: Table
    cell: IntArray
    landlord: IntArray
    known: BoolArray
    told: list[BoolArray]
    model: BoolArray
    """Cells of which the newest shows a number that has heard their leases."""


def district(seed: int) -> District:
    """Subdistricts and communities, months and their quarter, sometimes two uses; communities from a handful of leases to many.

    Every fortieth is larger than the others.
    """
    random = np.random.default_rng(seed)
    large = int(seed % 40 == 0)
    subdistricts = int(random.integers(1, 3 + large))
    areas = [-1] + [0] * subdistricts
    for subdistrict in range(subdistricts):
        areas += [1 + subdistrict] * int(random.integers(2, 3 + large))
    trees = [np.array(areas), np.array([-1] + [0] * int(random.integers(2, 3 + large)))]
    if seed % 80 == 0:
        trees.append(np.array([-1, 0, 0]))
    table = Table.cross(*trees)
    shape = tuple(len(tree) for tree in trees)
    lowest = [np.setdiff1d(np.arange(len(tree)), tree) for tree in trees]
    leases: list[tuple[int, int]] = []
    for community in lowest[0]:
        size, landlords = random.lognormal(np.log(12), 1.0), int(random.integers(1, 25))
        for rest in np.array(np.meshgrid(*lowest[1:])).reshape(len(trees) - 1, -1).T:
            at = int(np.ravel_multi_index((community, *rest), shape))
            leases += [
                (at, int(community) * 100 + int(random.integers(0, landlords) * random.random())) for _ in range(random.poisson(size))
            ]
    leases += [(leases[0][0] if leases else table.size - 1, 1)]
    cell, landlord = np.array(leases).T
    cells = Cells.of(table, cell, landlord, 40 * np.exp(random.normal(0, 0.4, len(cell))) * random.uniform(30, 120, len(cell)))
    return District(table, cell, landlord, cells, judge(table, cells), below_of(table))


def below_of(table: Table) -> BoolArray:
    """(size, size): which cells are in each cell."""
    below = np.eye(table.size, dtype=np.bool_)
    for _ in range(6):
        for total, parts in table.sums:
            below[total] |= below[list(parts)].any(axis=0)
    for cell, whole, less in table.differences:
        below[cell] = below[whole] ^ (below[less] if less >= 0 else False)
    return below


def released(seed: int) -> District:
    """Releases that follow each other, editions or windows: leases come, go and are corrected between them, from none to many. The last
    one's cells over those of all others, each judged in its turn.
    """
    random = np.random.default_rng(seed)
    areas = [-1, 0, 0] + [1] * int(random.integers(1, 4)) + [2] * int(random.integers(1, 3))
    table = Table.cross(np.array(areas))
    lowest = np.arange(3, len(areas))
    counts = random.poisson(random.lognormal(np.log(25), 0.8, len(lowest)))
    cell = np.append(np.repeat(lowest, counts), lowest[0])
    landlord = cell * 100 + (random.integers(0, 20, len(cell)) * random.random(len(cell))).astype(np.int64)
    rents = 40 * np.exp(random.normal(0, 0.4, len(cell))) * random.uniform(30, 120, len(cell))
    rounds, moving = int(random.integers(2, 5)), float(random.choice([0.0, 0.02, 0.1, 0.3]))
    comes = np.where(random.random(len(cell)) < moving, random.integers(0, rounds, len(cell)), 0)
    goes = np.where(random.random(len(cell)) < moving, random.integers(1, rounds + 1, len(cell)), rounds)
    known = np.array([(comes <= at) & (at < goes) for at in range(rounds)]).T
    # a lease that is corrected is the one until then, and another from then on
    wrong = np.flatnonzero(random.random(len(cell)) < float(random.choice([0.0, 1 / len(cell), 0.05, 0.4])))
    since = random.integers(1, rounds, len(wrong))
    fixed = known[wrong] & (np.arange(rounds) >= since[:, None])
    known[wrong] &= ~fixed
    known, rents = np.concatenate((known, fixed)), np.append(rents, rents[wrong] * random.uniform(0.8, 1.25, len(wrong)))
    cell, landlord = np.append(cell, cell[wrong]), np.append(landlord, landlord[wrong])
    told: list[BoolArray] = []
    for at in range(rounds - 1):
        over, verdicts, _ = judged_after(table, Held(cell, landlord, rents, known[:, [at, *range(at)]]), told)
        told.append(~verdicts.hidden[: table.size] & (over.cells.n[: table.size] > 0))
    newest_first = known[:, [rounds - 1, *range(rounds - 1)]]
    over, verdicts, some = judged_after(table, Held(cell, landlord, rents, newest_first), told)
    size = table.size
    last = ~verdicts.hidden[:size] & (over.cells.n[:size] > 0)
    model = np.array([one is Showing.MODEL for one in verdicts.showings[:size]])
    held = over.lowest.tolist(), landlord[some]
    releases = Releases(table, cell, landlord, newest_first, [last, *told], model)
    return District(over.table, np.array(held[0]), held[1], over.cells, verdicts, below_of(over.table), True, releases)


def judged_after(table: Table, held: Held, told: list[BoolArray]) -> tuple[Overlay, Verdicts, BoolArray]:
    """A release over those before it, and which leases any of them knows."""
    some = np.asarray(held.known.any(axis=1), np.bool_)
    over = overlay(table, Held(held.cell[some], held.landlord[some], held.amount[some], held.known[some]), told)
    return over, judge(over.table, over.cells, withheld=over.withheld), some


@pytest.fixture(scope="module")
def districts() -> list[District]:
    return [district(seed) for seed in range(1_400)] + [released(seed) for seed in range(1_000)]


PRIME = 2**31 - 1


def free(attacked: District, unknown: BoolArray) -> IntArray:
    """Directions in which the unknown cells can move while every sum keeps, (unknown, directions), in whole numbers modulo a prime.

    A cell that follows from the others is a row of noughts. Elimination is exact: nothing is rounded.
    """
    sums = np.rint(attacked.table.matrix().toarray()).astype(np.int64) % PRIME
    sums = np.unique(sums[:, unknown], axis=0)
    pivots: list[int] = []
    for column in range(sums.shape[1]):
        row = len(pivots)
        here = np.flatnonzero(sums[row:, column])
        if not len(here):
            continue
        sums[[row, row + here[0]]] = sums[[row + here[0], row]]
        sums[row] = sums[row] * pow(int(sums[row, column]), -1, PRIME) % PRIME
        others = np.flatnonzero(sums[:, column])
        others = others[others != row]
        sums[others] = (sums[others] - sums[others, column][:, None] * sums[row] % PRIME) % PRIME
        pivots.append(column)
    loose = np.setdiff1d(np.arange(sums.shape[1]), pivots)
    directions = np.zeros((sums.shape[1], len(loose)), np.int64)
    directions[loose, np.arange(len(loose))] = 1
    directions[pivots] = -sums[: len(pivots)][:, loose] % PRIME
    return directions


def test_no_hidden_number_follows_from_published_ones(districts: list[District]) -> None:
    hidden = grave = 0
    for one in districts:
        unknown, silent = one.attacks
        assert (silent >= one.grave).all()
        assert (unknown >= silent).all()
        for graver, cells in enumerate((unknown, silent)):
            own = [cell for cell, *_ in one.table.differences]  # of which another test tells
            followed = np.setdiff1d(np.flatnonzero(cells)[~free(one, cells).any(axis=1)], own).tolist()
            # what several releases share is told by each of them; nothing else of what is hidden follows
            assert all(one.layered and one.safe([cell], graver=bool(graver)) for cell in followed)
        hidden, grave = hidden + int(unknown.sum()), grave + int(one.grave.sum())
        assert one.layered or not one.verdicts.unprotected.any()  # of eleven leases told, ten are known though they may not be
    assert min(hidden, grave) > len(districts)  # the attack had something to attack


def test_no_pair_of_hidden_cells_follows_that_is_unsafe_as_one(districts: list[District]) -> None:
    followed = 0
    for one in districts:
        for graver, unknown in enumerate(one.attacks):
            opposite: dict[bytes, list[int]] = {}
            equal: dict[bytes, list[int]] = {}
            for cell, moves in zip(np.flatnonzero(unknown).tolist(), free(one, unknown), strict=True):
                for other in equal.get(moves.tobytes(), []):  # the only landlord of one knows the other's number by the difference
                    alone = one.cells.landlords[[cell, other]].min() == 1 and one.grave[[cell, other]].all()
                    alone = alone and len(one.landlords_of([cell, other])) > 1  # who lets both knows both
                    assert not alone or (one.below[cell] & one.below[other]).any()
                equal.setdefault(moves.tobytes(), []).append(cell)
                for other in opposite.get(moves.tobytes(), []):
                    followed += 1
                    assert (one.below[cell] & one.below[other]).any() or one.safe([cell, other], graver=one.layered and bool(graver))
                opposite.setdefault((-moves % PRIME).tobytes(), []).append(cell)
    assert followed > len(districts) / 2


def test_what_a_published_total_leaves_over_is_safe_as_one(districts: list[District]) -> None:
    for one in districts:
        for graver, unknown in enumerate(one.attacks):
            for total, parts in one.table.sums:
                rest = [part for part in parts if unknown[part]]
                if rest and not unknown[total]:
                    assert one.safe(rest, graver=one.layered and bool(graver))


def bounds(attacked: list[District], targets: list[int], unknown: list[BoolArray]) -> tuple[FloatArray, FloatArray]:
    """Least and greatest possible amounts of a cell in each of some districts, when every hidden amount is known to within half of itself.

    One linear programme of independent blocks: what is best for all is best for each.
    """
    sums = block_diag([one.table.matrix() for one in attacked]).tocsr()
    truth = np.concatenate([one.cells.amounts for one in attacked])
    open_ = np.concatenate(unknown)
    starts = np.cumsum([0, *(one.table.size for one in attacked[:-1])])
    aims = starts + np.array(targets)
    goal = np.zeros(len(truth))
    goal[aims] = 1 / truth[aims]
    limits = np.c_[np.where(open_, 0.5, 1.0) * truth, np.where(open_, 1.5, 1.0) * truth]
    low, high = (ends(sign * goal, sums, sums @ truth, limits)[aims] / truth[aims] for sign in (1, -1))
    return low, high


def ends(goal: FloatArray, sums: csr_array, level: FloatArray, limits: FloatArray) -> FloatArray:
    """Where the goal is least."""
    found = linprog(goal, A_eq=sums, b_eq=level, bounds=limits, method="highs")
    assert found.x is not None
    return np.asarray(found.x)


@pytest.mark.parametrize("graver", [False, True], ids=["thin", "grave"])
def test_no_unsafe_number_is_known_to_within_a_tenth(districts: list[District], graver: bool) -> None:
    attacked: list[District] = []
    targets: list[int] = []
    random = np.random.default_rng(7)
    for one in districts[:300] + districts[-100:]:
        unsafe = one.grave if graver else np.array([cause is not None and cause != "complement" for cause in one.verdicts.causes])
        if unsafe.any():
            attacked.append(one)
            targets.append(int(random.choice(np.flatnonzero(unsafe))))
    unknown = [one.attacks[graver] for one in attacked]
    low, high = bounds(attacked, targets, unknown)
    assert (low <= 0.9 + 1e-6).all()
    assert (high >= 1.1 - 1e-6).all()


def test_numbers_of_leases_leave_several_possible_for_each_hidden_cell(districts: list[District]) -> None:
    """Printed numbers are rounded to fives: each stands for five; hidden ones are at least 1."""
    attacked = [one for one in districts[:100] if one.verdicts.hidden.any()]
    sums = block_diag([one.table.matrix() for one in attacked]).tocsr()
    printed = np.concatenate([one.verdicts.counts for one in attacked])
    n = np.concatenate([one.cells.n for one in attacked])
    assert (np.abs(printed - n)[printed >= 0] <= 2).all()
    low = np.where(printed >= 0, np.maximum(printed - 2, 0), np.where(n > 0, 1, 0))
    high = np.where(printed >= 0, printed + 2, np.where(n > 0, 10_000, 0))
    starts = np.cumsum([0, *(one.table.size for one in attacked[:-1])])
    goal = np.zeros(len(n))
    aims = [start + int(np.flatnonzero(one.verdicts.hidden)[0]) for start, one in zip(starts, attacked, strict=True)]
    goal[aims] = 1.0
    level = np.zeros(sum(len(one.table.rows()) for one in attacked))
    least, most = (ends(sign * goal, sums, level, np.c_[low, high])[aims] for sign in (1, -1))
    assert (most - least >= 2).all()


def test_exact_elimination_finds_what_follows() -> None:
    # 0 = 1 + 2 and 3 = 1 + 4: one hidden cell follows; 1 and 2 follow when 4 is known; of 0, 1, 2 too, since 1 = 3 - 4 leaves 0 = 2 + 1
    table = Table(5, ((0, (1, 2)), (3, (1, 4))))
    for hidden, follows in (([2], [2]), ([1, 2], [1, 2]), ([1, 2, 4], []), ([0, 1, 2], [1]), ([1, 4, 3], [1])):
        assert np.flatnonzero(derivable(table, np.isin(np.arange(5), hidden))).tolist() == follows
    # elimination agrees with the attack's own
    for seed in range(20):
        one = district(seed)
        hidden = np.random.default_rng(seed).random(one.table.size) < 0.4
        assert (derivable(one.table, hidden)[hidden] == ~free(one, hidden).any(axis=1)).all()
