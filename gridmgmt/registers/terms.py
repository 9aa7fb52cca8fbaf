"""Code lists: the word stored, the district's own term, and its English name.

The stored words stand in CHECK constraints too; a new word is a migration.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Term:
    """One word of a list."""

    zh: str
    en: str


Terms = Mapping[str, Term]

NATURES: Terms = {
    "self_built": Term("农民自建", "built by villagers"),
    "collective": Term("统建楼", "built by the collective"),
    "factory_dormitory": Term("厂区宿舍", "factory dormitory"),
    "commodity": Term("商品房", "commodity housing"),
    "apartment": Term("公寓", "apartment house"),
    "other": Term("其他", "other"),
}
USES: Terms = {
    "residential": Term("住宅", "residential"),
    "shop": Term("商铺", "shop"),
    "office": Term("写字楼", "office"),
    "plant": Term("厂房", "plant"),
    "warehouse": Term("仓库", "warehouse"),
    "other": Term("其他", "other"),
}
REGISTRATIONS: Terms = {
    "registered": Term("户籍", "registered here"),
    "separated": Term("人户分离", "registered elsewhere in the city"),
    "floating": Term("流动", "floating"),
    "overseas": Term("境外", "from abroad"),
    "lodging": Term("寄住", "lodging"),
    "unregistered": Term("未落户", "not registered anywhere"),
}
SEXES: Terms = {"male": Term("男", "male"), "female": Term("女", "female")}
RENT_UNITS: Terms = {
    "month": Term("元/月", "yuan a month"),
    "m2_month": Term("元/平方米·月", "yuan per square metre and month"),
    "year": Term("元/年", "yuan a year"),
}
OBSERVATION_SOURCES: Terms = {"assessment": Term("税务评估", "tax assessment"), "survey": Term("问卷", "survey")}
"""Where a rent is known from that no lease of the register tells."""
LEVELS: Terms = {"district": Term("区", "district"), "subdistrict": Term("街道", "subdistrict"), "community": Term("社区", "community")}


def find_term(terms: Terms, text: str) -> str | None:
    """The stored word for what a file says in Chinese or English, or None when the list has no such word."""
    said = unicodedata.normalize("NFKC", text).strip().lower()
    for word, term in terms.items():
        if said in {word, unicodedata.normalize("NFKC", term.zh), term.en}:
            return word
    return None
