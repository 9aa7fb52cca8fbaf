"""Residents, as a push writes them: numbers and phones are sealed on the way, and one human being is entered once."""

import unicodedata
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from gridmgmt.errors import InvalidError
from gridmgmt.registers.identity_numbers import IdentityNumber
from gridmgmt.registers.masks import mask_number, mask_phone
from gridmgmt.registers.people import number_of, phone_of
from gridmgmt.sync.items import Item
from gridmgmt.sync.lines import Line
from gridmgmt.sync.writers.noun import Column, Columns, Row, Surroundings, Values, Write, Writer, one_each, unknown

CLAIM: Final = "SELECT id_bi, canonical FROM sec.residents_claim(%(identity)b::uuid[], %(bi)b::bytea[], %(enc)b::bytea[], %(kv)s::smallint)"
MAKE: Final = (
    "SELECT id, version, grid_id, subdistrict_id FROM sec.residents_make(%(id)b::uuid[], %(grid_id)b::int[], %(bi)b::bytea[],"
    " %(kv)s::smallint, %(name)b::text[], %(sex)b::text[], %(birth_year)b::int[], %(id_mask)b::text[], %(phone_enc)b::bytea[],"
    " %(phone_mask)b::text[], %(registration)b::text[], %(conflict_open)b::boolean[])"
)
PHONES: Final = "SELECT sec.person_phone(u.id, u.enc, %(kv)s::smallint) FROM unnest(%(id)b::uuid[], %(enc)b::bytea[]) AS u(id, enc)"
NAMESAKES: Final = (
    "SELECT u.seq, p.id FROM unnest(%(seq)b::bigint[], %(grid_id)b::int[], %(name)b::text[], %(born)b::int[])"
    " AS u(seq, grid_id, name, born) JOIN reg.person p ON p.grid_id = u.grid_id AND p.name = u.name AND p.birth_year = u.born"
    " WHERE p.deleted_at IS NULL ORDER BY u.seq, p.id"
)
ERASED: Final = "已删除"
"""The name of who was struck out long ago (sec.erase_people)."""


@dataclass(frozen=True, slots=True)
class Number:
    """An identity number with its blind index; compared by what is seen of it."""

    value: IdentityNumber
    index: bytes

    @property
    def mask(self) -> str:
        """What is seen of it."""
        return mask_number(self.value.value)


def claim(line: Line, numbers: Sequence[Number], around: Surroundings) -> dict[bytes, uuid.UUID | None]:
    """Take hold of the numbers; by blind index, which of the worker's own residents has it already."""
    distinct = {number.index: number for number in numbers}
    if not distinct:
        return {}
    ids = [uuid.uuid4() for _ in distinct]
    sealed = [around.sealer.seal("identity|id_enc", one, number.value.value) for one, number in zip(ids, distinct.values(), strict=True)]
    values = {"identity": ids, "bi": list(distinct), "enc": sealed, "kv": around.sealer.version}
    return {bytes(index): canonical for index, canonical in line.rows(CLAIM, values)}


def namesakes(line: Line, fresh: Sequence[Write]) -> dict[int, uuid.UUID]:
    """By number of the mutation, who in the same grid has the same name and year of birth as a new resident without a number: a hint."""
    asked = [one for one in fresh if one.columns["id_mask"] is None and one.columns["birth_year"] is not None]
    if not asked:
        return {}
    found: dict[int, uuid.UUID] = {}
    alike: dict[tuple[int, str, int], uuid.UUID] = {}
    for one in asked:
        key = one.row.grid_id, one.columns["name"], one.columns["birth_year"]
        if key in alike:
            found[one.seq] = alike[key]
        alike.setdefault(key, one.row.id)
    values = {
        "seq": [one.seq for one in asked],
        "grid_id": [one.row.grid_id for one in asked],
        "name": [one.columns["name"] for one in asked],
    }
    there = line.rows(NAMESAKES, values | {"born": [one.columns["birth_year"] for one in asked]})
    return found | dict(map(tuple, reversed(there)))


def is_erased(row: Row) -> bool:
    """Whether nothing is left of a record by which it could be restored."""
    return row.kind == "resident" and row.deleted and row.values["name"] == ERASED


def number_in(item: Item, around: Surroundings) -> Number | None:
    """The identity number of a new resident. Raises InvalidError, which does not show it."""
    text = item.values.get("identity_number")
    if text is None:
        return None
    number = number_of(text, today=around.today, demo=around.demo)
    return Number(number, around.sealer.blind_index(number.value))


def _read(item: Item, row: Row | None, around: Surroundings) -> Columns:
    values = dict(item.values)
    if "name" in values:
        values["name"] = unicodedata.normalize("NFC", values["name"])
    if values.get("phone") is not None:
        values["phone"] = phone_of(values["phone"])
    if "identity_number" in values:
        number = number_in(item, around)
        values["identity_number"] = number
        if number is not None:
            # the number says both, whatever stands beside it
            values |= {"sex": number.value.sex, "birth_year": number.value.birth_date.year}
    if row is not None and item.op == "update" and row.values["id_mask"] is not None and values.keys() & {"sex", "birth_year"}:
        raise InvalidError("the identity number says sex and year of birth", field="sex" if "sex" in values else "birth_year")
    return values


def _create(values: Values, item: Item, around: Surroundings) -> Columns:
    grid_id, subdistrict_id = _grid(values, item, around)
    number, phone = values.get("identity_number"), values.get("phone")
    assert item.id is not None
    return {
        "name": values["name"],
        "registration": values["registration"],
        "sex": values.get("sex"),
        "birth_year": values.get("birth_year"),
        "id_mask": None if number is None else number.mask,
        "bi": None if number is None else number.index,
        "grid_id": grid_id,
        "subdistrict_id": subdistrict_id,
        "conflict_open": False,
        **_phone(item.id, phone, around),
    }


def _grid(values: Values, item: Item, around: Surroundings) -> tuple[int, int]:
    if values.get("unit_id") is not None:
        unit = around.find("unit", values["unit_id"])
        if unit is None:
            raise unknown("unit_id")
        return unit.grid_id, unit.subdistrict_id
    if item.scope_id is None:
        raise InvalidError("name the grid (scope_id) or the unit (unit_id) where the resident lives", field="scope_id")
    if item.scope_id not in around.grids:
        raise InvalidError("the grid is none of yours", field="scope_id", slug="out-of-scope")
    return item.scope_id, around.subdistrict_of(item.scope_id)


def _change(wanted: Values, row: Row, around: Surroundings) -> Columns:
    columns = dict(wanted)
    if "phone" in columns:
        columns |= _phone(row.id, columns.pop("phone"), around)
    return columns


def _phone(person: uuid.UUID, phone: str | None, around: Surroundings) -> Columns:
    sealed = None if phone is None else around.sealer.seal("person_secret|phone_enc", person, phone)
    return {"phone_mask": None if phone is None else mask_phone(phone), "phone_enc": sealed}


def _phones(line: Line, writes: Sequence[Write], around: Surroundings) -> None:
    """Puts the sealed phones of corrected records where they belong, once those that were struck out are restored."""
    changed = [write for write in writes if not write.fresh and "phone_enc" in write.columns]
    if changed:
        enc = [write.columns["phone_enc"] for write in changed]
        line.run(PHONES, {"id": [write.row.id for write in changed], "enc": enc, "kv": around.sealer.version})


def _make(line: Line, writes: Sequence[Write], around: Surroundings) -> Sequence[tuple[Any, ...]]:
    names = ("grid_id", "bi", "name", "sex", "birth_year", "id_mask", "phone_enc", "phone_mask", "registration", "conflict_open")
    values: dict[str, Any] = {name: [write.columns[name] for write in writes] for name in names}
    return line.rows(MAKE, values | {"id": [write.row.id for write in writes], "kv": around.sealer.version})


def _same(name: str, one: Any, other: Any) -> bool:
    if name == "identity_number":
        return bool(one == (None if other is None else other.mask))
    if name == "phone":  # sealed: nobody here knows the one that is there
        return one is None and other is None
    return bool(one == other)


def _told(name: str, value: Any) -> Any:
    if name == "identity_number":
        return value.mask if isinstance(value, Number) else value
    return mask_phone(value) if name == "phone" and value is not None and "*" not in value else value


RESIDENT: Final = Writer(
    kind="resident",
    table="reg.person",
    columns={
        "name": Column("text"),
        "sex": Column("text"),
        "birth_year": Column("int"),
        "id_mask": Column("text"),
        "phone_mask": Column("text"),
        "registration": Column("text"),
    },
    fields=one_each("name", "sex", "birth_year") | {"phone": ("phone_mask",)} | one_each("registration"),
    made_of={"identity_number": ("id_mask",)},
    inserted=(),
    create=_create,
    references={"unit_id": "unit"},
    read=_read,
    change=_change,
    same=_same,
    told=_told,
    after=_phones,
    insert=_make,
    names={"phone_mask": "phone", "id_mask": "identity_number"},
)
