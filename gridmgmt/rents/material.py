"""What an index is computed from, and the arithmetic behind the name of each method of the catalogue."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from gridmgmt.rents.catalogue import Parameters
from gridmgmt.rents.methods.aggregation import januaries
from gridmgmt.rents.methods.hedonic import time_dummy
from gridmgmt.rents.methods.imputation import Formula, double_imputation
from gridmgmt.rents.methods.medians import Stock, mix_adjusted_median
from gridmgmt.rents.methods.moments import Moments
from gridmgmt.rents.methods.pairs import Pairs, PairSums, pair_up
from gridmgmt.rents.methods.repeat import arithmetic, bmn, case_shiller, repeat, stock_weights, trim
from gridmgmt.rents.methods.rolling import rolling
from gridmgmt.rents.methods.series import EstimationError, Reason, Series
from gridmgmt.rents.samples import Floorspace, Part, Span


@dataclass(frozen=True)
class Material:
    """What an index is computed from: leases of an area, the periods, and the stock they stand for, that of the same area."""

    part: Part
    span: Span
    floorspace: Floorspace

    @property
    def links(self) -> list[int]:
        """Periods from which on the base is new: the first, and each first one of a year."""
        first = self.span.first % 12 // (12 // self.span.per_year) + 1
        return januaries(self.span.periods, first_month=first, per_year=self.span.per_year).tolist()

    @property
    def pairs(self) -> Pairs:
        """Rents of the same unit that follow each other."""
        leases = self.part.leases
        return pair_up(leases.unit, leases.period, np.exp(leases.y), periods=leases.periods, stratum=leases.stratum)


def estimate(material: Material, method: str, parameters: Parameters) -> Series:
    """The index by a method of the catalogue. Raises EstimationError where nothing can be estimated at all."""
    return _ESTIMATORS[method](material, parameters)


def _rolling(material: Material, parameters: Parameters) -> Series:
    window = int(parameters["window_years"]) * material.span.per_year
    moments = Moments.of(material.part.leases)
    return rolling(moments, window=window) if material.span.periods > window else time_dummy(moments)


def _time_dummy(material: Material, _: Parameters) -> Series:
    return time_dummy(Moments.of(material.part.leases))


def _double_imputation(material: Material, parameters: Parameters) -> Series:
    return double_imputation(material.part.leases, formula=Formula(parameters["formula"]), links=material.links).series


def _median(material: Material, parameters: Parameters) -> Series:
    leases, stock = material.part.leases, material.floorspace
    keys = np.stack((stock.community, stock.class_), axis=1)
    own = np.stack((leases.community, leases.stratum // 2), axis=1)
    _, codes = np.unique(np.concatenate((keys, own)), axis=0, return_inverse=True)
    areas = np.bincount(codes.ravel()[: len(keys)], stock.area, minlength=int(codes.max(initial=-1)) + 1).astype(np.float64)
    if not areas.sum() > 0:
        raise EstimationError(Reason.NO_STOCK)
    return mix_adjusted_median(
        leases,
        codes.ravel()[len(keys) :],
        Stock.steady(areas, leases.periods),
        formula=Formula(parameters["formula"]),
        links=material.links,
        draws=int(parameters["draws"]) if len(np.unique(leases.unit)) > 1 else 0,  # one unit drawn anew is itself
        seed=int(parameters["seed"]),
    ).series


def _repeat(material: Material, _: Parameters) -> Series:
    return bmn(PairSums.of(trim(material.pairs)[0]))


def _case_shiller(material: Material, _: Parameters) -> Series:
    return case_shiller(PairSums.of(trim(material.pairs)[0]))


def _arithmetic(material: Material, _: Parameters) -> Series:
    return arithmetic(trim(material.pairs)[0])


def _stock_weighted(material: Material, _: Parameters) -> Series:
    pairs, stock = trim(material.pairs)[0], material.floorspace
    by_class = replace(pairs, stratum=pairs.stratum // 2)  # a house stands once, whether it is let anew or again
    areas = np.bincount(stock.class_, stock.area, minlength=int(by_class.stratum.max(initial=0)) + 1).astype(np.float64)
    return repeat(pairs, weights=stock_weights(by_class, areas).weights)


_ESTIMATORS: Final[Mapping[str, Callable[[Material, Parameters], Series]]] = {
    "rolling": _rolling,
    "time_dummy": _time_dummy,
    "double_imputation": _double_imputation,
    "median": _median,
    "repeat": _repeat,
    "case_shiller": _case_shiller,
    "arithmetic": _arithmetic,
    "stock_weighted": _stock_weighted,
}
