"""Appointments of building managers in one subdistrict of the demo: the run-up to nine rental buildings in ten."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from gridmgmt.demo.buildings import Estate
from gridmgmt.demo.texts import NEVER, Flags, Ints, chance

RUN_UP: Final = 540
"""Days from the first appointment to the coverage of today."""
LAGGARDS: Final = ("440306025", "440306026")
LAGGING: Final = 0.70
"""Coverage of the two subdistricts that are behind. At the scale of tests, which has neither, 新桥 is."""
LAGGARD_OF_TESTS: Final = "440306023"
MOST_BUILDINGS: Final = 5
KINDS: Final = ("owner", "sub_landlord", "hired")
STATES: Final = ("active", "resigned", "candidate")
ACTIVE, RESIGNED, CANDIDATE = range(3)


@dataclass(frozen=True)
class Appointments:
    """Arrays of one length, one element an appointment. Days are counted from 1970-01-01."""

    building: Ints
    person: Ints
    kind: Ints
    state: Ints
    start: Ints
    end: Ints
    """NEVER while it lasts."""


def lagging(subdistricts: list[str]) -> tuple[str, ...]:
    """Those of the subdistricts that are behind."""
    return tuple(code for code in subdistricts if code in LAGGARDS) or tuple(code for code in subdistricts if code == LAGGARD_OF_TESTS)


def appoint(part: str, estate: Estate, person: Ints, unit: Ints, *, count: int, behind: bool, today: int) -> Appointments:
    """`count` active managers, each of a building of its own, from among grown persons who live in units of the part today.

    A person manages at most five buildings, all in the grid where the person lives.
    """
    generator = chance("managers", part)
    rental = np.flatnonzero(estate.buildings.rental)
    covered = np.sort(generator.choice(rental, count, replace=False))
    who = _choose(generator, estate, covered, person, unit)
    start = today - _days_ago(generator, count, behind=behind)
    kind = generator.choice(3, count, p=(0.30, 0.25, 0.45))
    replaced = np.flatnonzero(generator.random(count) < 0.06)
    predecessor = _choose(generator, estate, covered[replaced], person, unit)
    other = predecessor != who[replaced]
    replaced, predecessor = replaced[other], predecessor[other]
    bare = np.setdiff1d(rental, covered)
    hoped = bare[generator.random(len(bare)) < 0.35]
    candidates = _choose(generator, estate, hoped, person, unit)
    return Appointments(
        building=np.concatenate([covered, covered[replaced], hoped]),
        person=np.concatenate([who, predecessor, candidates]),
        kind=np.concatenate([kind, kind[replaced], np.full(len(hoped), 2)]),
        state=np.repeat([ACTIVE, RESIGNED, CANDIDATE], [count, len(replaced), len(hoped)]),
        start=np.concatenate(
            [start, start[replaced] - generator.integers(60, 200, len(replaced)), today - generator.integers(1, 45, len(hoped))]
        ),
        end=np.concatenate([np.full(count, NEVER), start[replaced], np.full(len(hoped), NEVER)]),
    )


def _days_ago(generator: np.random.Generator, count: int, *, behind: bool) -> Ints:
    """An S-curve; those behind began late and are slow."""
    share = (generator.permutation(count) + 0.5) / max(count, 1)
    if behind:
        return (RUN_UP * 0.55 * (1.0 - share)).astype(np.int64) + 1
    steep = 0.5 - np.log(1.0 / share - 1.0) / 9.0
    return (RUN_UP * np.clip(1.0 - steep, 0.0, 1.0)).astype(np.int64) + 1


def _choose(generator: np.random.Generator, estate: Estate, buildings: Ints, person: Ints, unit: Ints) -> Ints:
    """A person for each building, one for up to three that stand beside each other in a grid, living in that grid where anybody does."""
    if not len(buildings):
        return np.empty(0, dtype=np.int64)
    grid = estate.buildings.grid
    lives = grid[estate.units.building[unit]]
    order = np.argsort(lives, kind="stable")
    sorted_lives = lives[order]
    here = grid[buildings]
    step = np.arange(len(buildings)) - np.searchsorted(here, here)  # place among the buildings of the grid
    size = int(generator.integers(1, 4))
    group = here * 1_000_000 + step // size
    _, first, index = np.unique(group, return_index=True, return_inverse=True)
    low, high = np.searchsorted(sorted_lives, here[first]), np.searchsorted(sorted_lives, here[first], side="right")
    empty = low == high
    low, high = np.where(empty, 0, low), np.where(empty, len(order), high)
    return _spare(person[order], low, high, generator)[index]


def _spare(person: Ints, low: Ints, high: Ints, generator: np.random.Generator) -> Ints:
    """One of the persons from `low` to `high` for each group."""
    return person[low + (generator.random(len(low)) * (high - low)).astype(np.int64)]


def grown(persons: int, *holders: Ints) -> Flags:
    """Which persons hold something that only the grown hold."""
    marked = np.zeros(persons, dtype=bool)
    for holder in holders:
        marked[holder[holder != NEVER]] = True
    return marked
