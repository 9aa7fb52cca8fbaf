"""Persons of the demo: names that end in 演, identity numbers with the prefix 00 that no place has, phones that begin with 100."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from gridmgmt.demo.texts import Flags, Ints, chance, pick

MARK: Final = "演"
SURNAMES: Final = (
    "李王张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎"
    "余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文"
)
GIVEN: Final = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰红梅建国志文晓东海燕春生荣金凤宝安永福松沙新桥石岩航城清泉子轩雨涵浩然思远"
)

WEIGHTS: Final = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])
"""Of the seventeen digits in GB 11643; their sum modulo eleven gives the check character."""
CHECKS: Final = np.frombuffer(b"10X98765432", dtype=np.uint8)
REGISTRATIONS: Final = ("floating", "registered", "separated", "overseas", "lodging", "unregistered")
IN_RENTED: Final = (0.95, 0.02, 0.02, 0.004, 0.004, 0.002)
IN_OWN: Final = (0.30, 0.50, 0.15, 0.01, 0.03, 0.01)
ADULT: Final = 23
"""Least age in years of whoever signs a lease or looks after a building."""


@dataclass(frozen=True)
class People:
    """Arrays of one length, one element a person; their words are made when they are needed."""

    surname: Ints
    given: Ints
    second: Ints
    """Second character of the given name, beyond the last for none."""
    male: Flags
    born: Ints
    """Day counted from 1970-01-01."""
    serial: Ints
    registration: Ints

    def __len__(self) -> int:
        """How many."""
        return len(self.serial)

    def names(self, which: Ints) -> list[str]:
        """Names of some of them."""
        second = [*GIVEN, ""]
        parts = (self.surname[which].tolist(), self.given[which].tolist(), self.second[which].tolist())
        return [SURNAMES[s] + GIVEN[a] + second[b] + MARK for s, a, b in zip(*parts, strict=True)]

    def sexes(self, which: Ints) -> list[str]:
        """The register's words."""
        return ["male" if one else "female" for one in self.male[which].tolist()]

    def birth_years(self, which: Ints) -> list[str]:
        """Four digits."""
        return self.born[which].astype("datetime64[D]").astype("datetime64[Y]").astype(str).tolist()

    def numbers(self, which: Ints) -> list[str]:
        """Identity numbers."""
        return identity_numbers(self.serial[which], self.born[which], self.male[which])

    def phones(self, which: Ints) -> list[str]:
        """Eleven digits."""
        return [f"100{number:08d}" for number in (self.serial[which] * 7_368_787 % 100_000_000).tolist()]

    def registrations(self, which: Ints) -> list[str]:
        """The register's words."""
        return pick(REGISTRATIONS, self.registration[which])


def invent(part: str, first: int, since: Ints, *, settled: Flags, grown: Flags, today: int) -> People:
    """Persons who were born before the day `since`; `settled` in a home of their own, `grown` at least 23 years old.

    `first` counts the persons of the parts before, of ten million at most: every number is a number of its own.
    """
    generator = chance("people", part)
    count = len(since)
    male = generator.random(count) < 0.53
    age = np.where(settled, generator.triangular(0, 38, 88, count), generator.triangular(16, 24, 62, count))
    age = np.where(~settled & (generator.random(count) < 0.07), generator.uniform(0, 16, count), age)
    age = np.where(grown, np.clip(age, ADULT + 4, 75), age)
    born = today - (age * 365.25).astype(np.int64) - 1
    born = np.minimum(born, since - generator.integers(1, 30, count))
    serial = first + np.arange(count)
    weights = 1.0 / (np.arange(len(SURNAMES)) + 6.0)
    return People(
        surname=generator.choice(len(SURNAMES), count, p=weights / weights.sum()),
        given=generator.integers(0, len(GIVEN), count),
        second=np.where(generator.random(count) < 0.7, generator.integers(0, len(GIVEN), count), len(GIVEN)),
        male=male,
        born=birth_days(serial, born),
        serial=serial,
        registration=np.where(settled, generator.choice(6, count, p=IN_OWN), generator.choice(6, count, p=IN_RENTED)),
    )


def birth_days(serial: Ints, born: Ints) -> Ints:
    """The birth days, some a day earlier: five million serials fit into place and sequence of a number, so the next five have odd days."""
    return born - ((born ^ (serial // 5_000_000)) & 1)


def identity_numbers(serial: Ints, born: Ints, male: Flags) -> list[str]:
    """Numbers of GB 11643 with the prefix 00, distinct for distinct serials below ten million born on days of `birth_days`."""
    days = born.astype("datetime64[D]")
    months = days.astype("datetime64[M]")
    year = days.astype("datetime64[Y]").astype(np.int64) + 1970
    month = months.astype(np.int64) % 12 + 1
    day = (days - months).astype(np.int64) + 1
    within = serial % 5_000_000
    place, sequence = within // 500, within % 500 * 2 + male
    whole = ((place * 10_000 + year) * 10_000 + month * 100 + day) * 1_000 + sequence
    digits = whole[:, None] // 10 ** np.arange(16, -1, -1) % 10
    check = CHECKS[digits @ WEIGHTS % 11]
    text = np.column_stack([digits.astype(np.uint8) + ord("0"), check])
    joined = text.tobytes().decode("ascii")
    return [joined[at : at + 18] for at in range(0, len(joined), 18)]


def landlord_names(part: str, count: int) -> list[str]:
    """Distinct names of landlords."""
    generator = chance("landlords", part)
    size = len(GIVEN)
    chosen = generator.choice(len(SURNAMES) * size * size, count, replace=False).tolist()
    return [SURNAMES[n // (size * size)] + GIVEN[n // size % size] + GIVEN[n % size] + MARK for n in chosen]
