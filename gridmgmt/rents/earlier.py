"""What earlier releases told, and which observations they knew: a reader lays all of them beside each other."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from gridmgmt.models import RentFigure, RentRelease, RentRun
from gridmgmt.rents.extracts import Extract
from gridmgmt.rents.methods.series import BoolArray, IntArray
from gridmgmt.rents.samples import Sample

Told = tuple[int, str, str, int]
"""A published number of an area's own: id of the area, kind of let, frequency, first month counted from year 0."""
PUBLIC: Final = ("published", "superseded")


@dataclass(frozen=True, slots=True, eq=False)
class Earlier:
    """What was told at one data cut of a use's areas as their own, and the observations that counted then.

    `guide`: ids of areas, by the first month, counted from year 0, of the quarter whose guidance rents they are.
    """

    cut: dt.datetime
    extract: Extract
    index: frozenset[Told]
    guide: dict[int, frozenset[int]]


def told_earlier(session: Session, use: str, since: dt.date) -> list[Earlier]:
    """What public releases, superseded ones too, told of a use for quarters and months from `since` on, by data cut, the oldest first.

    Observations are those of the windows that end then: from a year before on.
    """
    told = (
        select(RentRun.data_cut, RentFigure.product, RentFigure.area_id, RentFigure.lets, RentFigure.frequency, RentFigure.period)
        .join(RentRelease, RentRelease.id == RentFigure.release_id)
        .join(RentRun, RentRun.id == RentFigure.run_id)
        .where(RentRelease.state.in_(PUBLIC), RentFigure.use == use, RentFigure.basis == "direct", RentFigure.period >= since)
        .distinct()
    )
    index: dict[dt.datetime, set[Told]] = {}
    guide: dict[dt.datetime, dict[int, set[int]]] = {}
    for cut, product, area, lets, frequency, period in session.execute(told):
        month = period.year * 12 + period.month - 1
        if product == "index":
            index.setdefault(cut, set()).add((area, lets, frequency, month))
        else:
            guide.setdefault(cut, {}).setdefault(month, set()).add(area)
    return [
        Earlier(
            cut,
            _counting(Sample.draw(session, use, cut=cut), since),
            frozenset(index.get(cut, ())),
            {month: frozenset(areas) for month, areas in guide.get(cut, {}).items()},
        )
        for cut in sorted(index.keys() | guide.keys())
    ]


def _counting(sample: Sample, since: dt.date) -> Extract:
    return sample.extract.where(sample.kept & (sample.extract.month >= (since.year - 1) * 12 + since.month - 1))


def together(extracts: Sequence[Extract]) -> tuple[Extract, BoolArray]:
    """The observations of several extracts, each once, and which extracts have it, (n, extracts).

    An observation is the same while its month, place, kind, parties, rent and size are: one that was corrected is gone and another has
    come. Of several that are alike as many are shared as both have.
    """
    columns = [np.concatenate([of(one) for one in extracts]) for of in _IDENTITY]
    source = np.repeat(np.arange(len(extracts)), [len(one) for one in extracts])
    if not len(source):
        return extracts[0], np.zeros((0, len(extracts)), np.bool_)
    order = np.lexsort((source, *columns))
    ordered = np.stack([column[order] for column in columns])
    fresh = np.ones(len(order), np.bool_)
    fresh[1:] = (ordered[:, 1:] != ordered[:, :-1]).any(axis=0)
    alike = np.cumsum(fresh) - 1
    block = fresh | np.r_[True, np.diff(source[order]) != 0]
    begins = np.flatnonzero(block)
    copy = np.arange(len(order)) - begins[np.cumsum(block) - 1]  # the how manieth of its like in its extract
    _, first, place = np.unique(np.stack((alike, copy)), axis=1, return_index=True, return_inverse=True)
    known = np.zeros((len(first), len(extracts)), np.bool_)
    known[place.ravel(), source[order]] = True
    every = Extract(*(np.concatenate([getattr(one, name) for one in extracts]) for name in Extract.__slots__))
    return every.where(order[first]), known


_IDENTITY: Final[tuple[Callable[[Extract], IntArray], ...]] = (
    lambda one: one.month,
    lambda one: one.community,
    lambda one: one.class_,
    lambda one: one.new_let,
    lambda one: one.landlord,
    lambda one: one.unit,
    lambda one: one.log_rent,
    lambda one: one.x[:, 0],
)
