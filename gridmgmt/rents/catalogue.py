"""The methods that an index can be computed by, under the names that users give them; `material` computes by them.

It says what they are and needs none of the arithmetic, so that whoever only tells of methods does not load it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

Parameters = Mapping[str, Any]
Solved = Literal["time_dummy", "repeat", "case_shiller"]
"""The methods that can be solved from sums alone."""
YEARS: Final = 2
"""Length of the rolling window."""


@dataclass(frozen=True)
class Method:
    """One way to an index: its name, what it is in both languages and where it is from, and its parameters with their defaults."""

    name: str
    title: str
    title_zh: str
    about: str
    source: str
    parameters: Parameters


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
            {"window_years": YEARS},
        ),
        Method(
            "time_dummy",
            "Time-dummy hedonic index",
            "时间虚拟变量特征价格法",
            "One regression over all periods, with Kennedy's correction. All periods may be revised when one is added.",
            "Court (1939); Kennedy (1981); Eurostat, RPPI Handbook (2013), chapter 5",
            {},
        ),
        Method(
            "double_imputation",
            "Double imputation",
            "双重插补法",
            "Coefficients of their own for each period; both rents of a comparison are estimates. Chained each January.",
            "Hill and Melser (2008); Eurostat, RPPI Handbook (2013), chapter 5",
            FORMULA,
        ),
        Method(
            "median",
            "Mix-adjusted median",
            "结构调整中位数法",
            "Medians of communities and classes, weighted by the stock. Chained each January. Errors by drawing units anew.",
            "Eurostat, RPPI Handbook (2013), chapter 4; Efron (1979)",
            {**FORMULA, "draws": 200, "seed": 1979},
        ),
        Method(
            "repeat",
            "Repeat rents",
            "重复租赁法",
            "How rents of the same unit moved.",
            "Bailey, Muth and Nourse (1963)",
            {},
        ),
        Method(
            "case_shiller",
            "Repeat rents, weighted by the gap",
            "重复租赁法（间隔加权）",
            "As repeat rents; pairs far apart in time count less.",
            "Case and Shiller (1987)",
            {},
        ),
        Method(
            "arithmetic",
            "Arithmetic repeat rents",
            "算术重复租赁法",
            "Repeat rents weighted by value, on trimmed pairs.",
            "Shiller (1991)",
            {},
        ),
        Method(
            "stock_weighted",
            "Stock-weighted repeat rents",
            "存量加权重复租赁法",
            "Pairs weighted so that each class counts as its stock does.",
            "After Zillow's repeat-rent index (2021)",
            {},
        ),
    )
}
DEFAULT: Final = "rolling"
