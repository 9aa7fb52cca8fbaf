"""The methods that an index can be computed by, under the names that users give them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

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

Parameters = Mapping[str, Any]
YEARS: Final = 2
"""Length of the rolling window."""


@dataclass(frozen=True)
class Material:
    """What an index is computed from: leases of an area, the periods, and the stock they stand for."""

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


@dataclass(frozen=True)
class Method:
    """One way to an index: its name, what it is in both languages and where it is from, and its parameters with their defaults."""

    name: str
    title: str
    title_zh: str
    about: str
    source: str
    compute: Callable[[Material, Parameters], Series]
    parameters: Parameters


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
    cells = Stock.steady(areas, leases.periods)
    return mix_adjusted_median(
        leases, codes.ravel()[len(keys) :], cells, formula=Formula(parameters["formula"]), links=material.links
    ).series


def _repeat(material: Material, _: Parameters) -> Series:
    return bmn(PairSums.of(trim(material.pairs)[0]))


def _case_shiller(material: Material, _: Parameters) -> Series:
    return case_shiller(PairSums.of(trim(material.pairs)[0]))


def _arithmetic(material: Material, _: Parameters) -> Series:
    return arithmetic(trim(material.pairs)[0])


def _stock_weighted(material: Material, _: Parameters) -> Series:
    pairs, stock = trim(material.pairs)[0], material.floorspace
    areas = np.bincount(stock.class_, stock.area, minlength=int(pairs.stratum.max(initial=0)) // 2 + 1).astype(np.float64)
    return repeat(pairs, weights=stock_weights(pairs, np.repeat(areas, 2)).weights)


FORMULA: Final = {"formula": "fisher"}
METHODS: Final[Mapping[str, Method]] = {
    one.name: one
    for one in (
        Method(
            "rolling",
            "Rolling-window time dummy, mean splice",
            "滚动窗口时间虚拟变量法（均值拼接）",
            "Each period is estimated within the last two years and spliced on to what is published, which is never revised. The default.",
            "Diewert and Fox (2017); Eurostat, RPPI Handbook (2013), 5.31",
            _rolling,
            {"window_years": YEARS},
        ),
        Method(
            "time_dummy",
            "Time-dummy hedonic index",
            "时间虚拟变量特征价格法",
            "One regression over all periods, with Kennedy's correction. All periods may be revised when one is added.",
            "Court (1939); Kennedy (1981); Eurostat, RPPI Handbook (2013), chapter 5",
            _time_dummy,
            {},
        ),
        Method(
            "double_imputation",
            "Double imputation",
            "双重插补法",
            "Coefficients of their own for each period; both rents of a comparison are estimates. Chained each January.",
            "Hill and Melser (2008); Eurostat, RPPI Handbook (2013), chapter 5",
            _double_imputation,
            FORMULA,
        ),
        Method(
            "median",
            "Mix-adjusted median",
            "结构调整中位数法",
            "Medians of communities and classes, weighted by the stock. Chained each January.",
            "Eurostat, RPPI Handbook (2013), chapter 4",
            _median,
            FORMULA,
        ),
        Method(
            "repeat",
            "Repeat rents",
            "重复租赁法",
            "How rents of the same unit moved.",
            "Bailey, Muth and Nourse (1963)",
            _repeat,
            {},
        ),
        Method(
            "case_shiller",
            "Repeat rents, weighted by the gap",
            "重复租赁法（间隔加权）",
            "As repeat rents; pairs far apart in time count less.",
            "Case and Shiller (1987)",
            _case_shiller,
            {},
        ),
        Method(
            "arithmetic",
            "Arithmetic repeat rents",
            "算术重复租赁法",
            "Repeat rents weighted by value, on trimmed pairs.",
            "Shiller (1991)",
            _arithmetic,
            {},
        ),
        Method(
            "stock_weighted",
            "Stock-weighted repeat rents",
            "存量加权重复租赁法",
            "Pairs weighted so that each class counts as its stock does.",
            "After Zillow's repeat-rent index (2021)",
            _stock_weighted,
            {},
        ),
    )
}
DEFAULT: Final = "rolling"
