"""Columns of a file: which one means what, in Chinese or English, which are missing, and which the register refuses to hold."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gridmgmt.intake.checks import Check
from gridmgmt.intake.refusals import FileRefusedError


@dataclass(frozen=True)
class Column:
    """A column that a kind of file may have: the name used here, its headers, and how its cells are read.

    `required`: the file must have it. `blank`: an empty cell is none at all; otherwise it refuses the row.
    """

    name: str
    headers: tuple[str, ...]
    check: Check[Any]
    required: bool = True
    blank: bool = False

    @property
    def known(self) -> str:
        """How the column is named to a reader: its first Chinese header, and the English one."""
        english = next((header for header in self.headers if header.isascii()), self.name)
        return f"{self.headers[0]} ({english})"


@dataclass(frozen=True)
class Matched:
    """Where the columns stand in a file: for each its place and its own header."""

    places: Mapping[str, int]
    headers: Mapping[str, str]
    warnings: tuple[str, ...]


PRIVATE: Final[Mapping[str, tuple[str, str]]] = {
    "ethnicity or origin": ("民族|族别|种族|籍贯|祖籍", "ethnic|ethnicity|race|ancestry|native place"),
    "religion": ("宗教|信仰", "religion|religious|faith"),
    "political views or petitions": ("政治|党派|党员|团员|上访|信访", "political|politics|party member|petitions?"),
    "biometric templates or door passes": (
        "指纹|人脸|面部|虹膜|声纹|生物特征|门禁|刷卡记录",
        "fingerprints?|face|facial|iris|biometrics?|door pass(es)?",
    ),
    "health": (
        "艾滋|精神病|精神障碍|精神疾病|病史|疾病|传染病|残疾|健康状况|怀孕|孕检|孕情|妊娠|避孕",
        "hiv|aids|diseases?|illness|mental|medical|health|disability|pregnant|pregnancy|contraception",
    ),
    "drug, criminal or correction lists": (
        "吸毒|涉毒|戒毒|犯罪|前科|刑满|服刑|矫正|在逃|通缉",
        "drugs?|criminal|crimes?|convicts?|convictions?|offenders?|community corrections?|wanted",
    ),
    "labels or scores of persons": (
        "重点人|重点对象|管控|高危人|风险人|人员风险|人员标签|人员评分|个人评分|信用分",
        "key persons?|key personnel|(person|personal|social|credit|risk) (label|level|rating|score)s?",
    ),
    "bank accounts or wages": (
        "银行|开户|收款[账帐]号|^[账帐]号$|工资|薪资|薪酬|^收入|(个人|家庭|月|年)收入",
        "bank|iban|wages?|salary|(?<!rent )(?<!rental )income",
    ),
    "tracks": ("轨迹|行踪|定位记录", "gps tracks?|tracks?|trajectory|whereabouts"),
}
"""What the register refuses to hold, whoever sends it (domain rules on privacy; PIPL art. 6 and 28)."""


def match_columns(header: Sequence[str], columns: Sequence[Column]) -> Matched:
    """Find the columns in a header. Case, spaces, underscores, width and a unit in brackets do not matter.

    Raises FileRefusedError, which names the column: one that the register refuses to hold, one that stands there twice, one missing.
    """
    for title in header:
        _refuse_private(title)
    known = {_key(name): column for column in columns for name in (*column.headers, column.name)}
    places: dict[str, int] = {}
    unknown: list[str] = []
    for place, title in enumerate(header):
        column = known.get(_key(title))
        if column is None:
            unknown.append(_shown(title) if title.strip() else f"number {place + 1} without a header")
        elif column.name in places:
            first = _shown(header[places[column.name]])
            raise FileRefusedError(f"the columns {first} and {_shown(title)} mean the same: {column.known}", field=_shown(title))
        else:
            places[column.name] = place
    missing = [column.known for column in columns if column.required and column.name not in places]
    if missing:
        every = ", ".join(column.known for column in columns)
        raise FileRefusedError(f"the header in line 1 lacks {', '.join(missing)}; the columns known are {every}", field=missing[0])
    headers = {name: _shown(header[place]) for name, place in places.items()}
    return Matched(places, headers, tuple(f"column {name} is not known and was not read" for name in unknown))


def find_private(title: str) -> str | None:
    """The kind of private matter that a header announces, or None."""
    chinese = "".join(_plain(title).split())
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", unicodedata.normalize("NFKC", title))
    english = " ".join(re.findall(r"[a-z]+", parted.lower()))
    for matter, (signs, names) in PRIVATE.items():
        if re.search(signs, chinese) or re.search(rf"\b({names})\b", english):
            return matter
    return None


def _refuse_private(title: str) -> None:
    matter = find_private(title)
    if matter is not None:
        raise FileRefusedError(
            f"column {_shown(title)} is about {matter}, which this register refuses to hold: nothing of the file was read;"
            " take the column out and import again",
            field=_shown(title),
            slug="private-column",
        )


def _plain(title: str) -> str:
    return unicodedata.normalize("NFKC", title).strip().lower()


def _key(title: str) -> str:
    """What two spellings of one header have in common: 建筑面积（㎡） is 建筑面积."""
    bare = re.sub(r"(?s)[(\[].*$", "", _plain(title))
    return re.sub(r"[\s_*:'’-]", "", bare)


def _shown(title: str) -> str:
    """A header fit for a report: short, and without a number of anybody, should a row of persons stand where the header belongs."""
    return re.sub(r"\d{5,}[xX]?", "*", " ".join(title.split()))[:40]
