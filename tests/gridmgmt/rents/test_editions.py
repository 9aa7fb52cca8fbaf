"""A reader lays what several releases tell beside each other, and asks what one of them has otherwise than another."""

import numpy as np

from gridmgmt.rents.methods.series import BoolArray, IntArray
from tests.gridmgmt.rents.test_attack import PRIME, Releases, below_of, released


def test_what_two_releases_tell_otherwise_of_a_cell_is_safe_as_one() -> None:
    """Whoever lays all releases beside each other finds the difference of two numbers of a cell: that of the leases that came and went.

    Worked out from what was told alone, with an unknown for each lowest cell and each set of releases that knew a lease.
    """
    found = kept = 0
    for given in (released(seed).releases for seed in range(1_000)):
        if given is None:
            continue
        below = below_of(given.table)
        patterns, pattern = np.unique(given.known, axis=0, return_inverse=True)
        unknowns = pattern.ravel() * given.table.size + given.cell

        def sums(release: int, cell: int, *, given: Releases = given, below: BoolArray = below, patterns: BoolArray = patterns) -> IntArray:
            return np.outer(patterns[:, release], below[cell]).ravel().astype(np.int64)

        for graver in (False, True):
            said = [given.told[0] | given.model if graver else given.told[0], *given.told[1:]]
            before = echelon([sums(at, cell) for at in range(1, len(said)) for cell in np.flatnonzero(said[at]).tolist()])
            every = echelon([sums(0, cell) for cell in np.flatnonzero(said[0]).tolist()], before)
            for cell in range(given.table.size):
                for at in range(1, len(said)):
                    difference = sums(0, cell) - sums(at, cell)
                    moved = np.isin(unknowns, np.flatnonzero(difference))
                    if not moved.any() or follows(difference, before) or not follows(difference, every):
                        kept += bool(moved.any())
                        continue
                    found += 1
                    came = given.known[:, 0] & moved
                    held = [
                        max(int((came & (given.landlord == who)).sum()), int((~came & moved & (given.landlord == who)).sum()))
                        for who in np.unique(given.landlord[moved]).tolist()
                    ]
                    assert graver or sum(held) > 10
                    assert len(held) >= 3
                    assert max(held) <= sum(held) / 2
    assert min(found, kept) > 100


def echelon(rows: list[IntArray], known: dict[int, IntArray] | None = None) -> dict[int, IntArray]:
    """Rows, and those known before, in echelon form modulo a prime, by their leading columns."""
    made = dict(known or {})
    for row in rows:
        left = reduced(row, made)
        if left.any():
            lead = int(np.flatnonzero(left)[0])
            made[lead] = left * pow(int(left[lead]), -1, PRIME) % PRIME
    return made


def reduced(row: IntArray, known: dict[int, IntArray]) -> IntArray:
    """What is left of a row when rows in echelon form are taken from it."""
    left = row % PRIME
    for lead in sorted(known):
        if left[lead]:
            left = (left - left[lead] * known[lead]) % PRIME
    return left


def follows(row: IntArray, known: dict[int, IntArray]) -> bool:
    """Whether a sum follows from others."""
    return not reduced(row, known).any()
