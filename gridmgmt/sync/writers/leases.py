"""Leases, as a push writes them. The landlord follows from the lessor's name."""

import uuid
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from gridmgmt.errors import InvalidError
from gridmgmt.registers.landlords import kind_of
from gridmgmt.registers.leases import LOOSE, Rent, monthly_fen
from gridmgmt.sync.items import Item
from gridmgmt.sync.lines import Line
from gridmgmt.sync.writers.noun import Column, Columns, Row, Surroundings, Values, Write, Writer, one_each, unknown

ENSURE: Final = (
    "SELECT u.grid_id, u.name, sec.landlord_ensure(u.grid_id, u.name, u.kind)"
    " FROM unnest(%(grid_id)b::int[], %(name)b::text[], %(kind)b::text[]) AS u(grid_id, name, kind)"
)


DEFAULTED: Final = frozenset({"number", "area_basis_m2"})
"""What a creation may leave to the register, by null or by silence."""


def _read(item: Item, _row: Row | None, _around: Surroundings) -> Columns:
    left = DEFAULTED if item.op == "create" else frozenset[str]()
    values: dict[str, Any] = {name: value for name, value in item.values.items() if value is not None or name not in left}
    if "rent" in values:
        values["rent"] = (values["rent"]["amount"], values["rent"]["unit"])
    return values


def _create(values: Values, item: Item, around: Surroundings) -> Columns:
    unit = around.find("unit", values["unit_id"])
    if unit is None:
        raise unknown("unit_id")
    lessee_id = _seen(values.get("lessee_id"), around)
    if values.get("parent_id") is not None:
        head = around.find("lease", values["parent_id"])
        if head is None or head.values["unit_id"] != unit.id or head.values["state"] in LOOSE:
            raise InvalidError(
                "there is no such lease of this unit in force, or none that you may see", field="parent_id", slug="unknown-reference"
            )
    area = values.get("area_basis_m2") or unit.values["area_m2"]
    columns = {name: values.get(name) for name in ("parent_id", "lessor_name", "deposit_fen", "signed_on", "valid_from", "valid_to")}
    assert item.id is not None
    return columns | {
        "number": values.get("number") or f"GL-{item.id.hex}",
        "unit_id": unit.id,
        "lessee_id": lessee_id,
        "grid_id": unit.grid_id,
        "subdistrict_id": unit.subdistrict_id,
        "landlord_id": None,
        **_rent(values["rent"], area),
        "area_basis_m2": area,
        "state": "drafted" if values.get("signed_on") is None else "signed",
        "new_let": values.get("new_let", True),
    }


def _change(wanted: Values, row: Row, around: Surroundings) -> Columns:
    columns = dict(wanted)
    if "lessee_id" in columns:
        columns["lessee_id"] = _seen(columns["lessee_id"], around)
    if "rent" in columns or "area_basis_m2" in columns:
        rent = columns.pop("rent", (row.values["rent_given"], row.values["rent_unit"]))
        columns |= _rent(rent, columns.get("area_basis_m2") or row.values["area_basis_m2"])
    if columns.get("state") == "signed" and (columns.get("signed_on") or row.values["signed_on"]) is None:
        raise InvalidError("a signed lease says when", field="signed_on")
    if "lessor_name" in columns:
        columns["landlord_id"] = None
    return columns


def _seen(lessee_id: uuid.UUID | None, around: Surroundings) -> uuid.UUID | None:
    """The lessee, by the id under which the register knows him. Raises InvalidError."""
    if lessee_id is None:
        return None
    lessee = around.find("resident", lessee_id)
    if lessee is None:
        raise unknown("lessee_id")
    return lessee.id


def _landlords(line: Line, writes: Sequence[Write], _around: Surroundings) -> None:
    named = [write for write in writes if write.columns.get("lessor_name") is not None]
    if not named:
        return
    # sorted: two pushes that enter the same names in opposite order would wait for one another
    pairs = sorted({(write.row.grid_id, str(write.columns["lessor_name"])) for write in named})
    values = {"grid_id": [grid for grid, _ in pairs], "name": [name for _, name in pairs], "kind": [kind_of(name) for _, name in pairs]}
    known = {(grid, name): landlord for grid, name, landlord in line.rows(ENSURE, values)}
    for write in named:
        write.columns["landlord_id"] = known[write.row.grid_id, write.columns["lessor_name"]]


def _told(name: str, value: Any) -> Any:
    return {"amount": value[0], "unit": value[1]} if name == "rent" and value is not None else value


def _rent(rent: tuple[Decimal, str], area: Decimal) -> Columns:
    return {"rent_fen": monthly_fen(Rent(*rent), area), "rent_given": rent[0], "rent_unit": rent[1]}


LEASE: Final = Writer(
    kind="lease",
    table="reg.lease",
    columns={
        "number": Column("text"),
        "unit_id": Column("uuid"),
        "parent_id": Column("uuid"),
        "landlord_id": Column("uuid"),
        "lessor_name": Column("text"),
        "lessee_id": Column("uuid"),
        "rent_fen": Column("bigint"),
        "rent_given": Column("numeric"),
        "rent_unit": Column("text"),
        "area_basis_m2": Column("numeric"),
        "deposit_fen": Column("bigint"),
        "valid_from": Column("date"),
        "valid_to": Column("date"),
        "signed_on": Column("date"),
        "filed_on": Column("date"),
        "ended_on": Column("date"),
        "state": Column("text"),
        "new_let": Column("boolean"),
    },
    fields=one_each("lessor_name", "lessee_id")
    | {"rent": ("rent_given", "rent_unit")}
    | one_each("area_basis_m2", "deposit_fen", "valid_from", "valid_to", "signed_on", "filed_on", "ended_on", "state", "new_let"),
    made_of=one_each("number", "unit_id", "parent_id"),
    inserted=(
        "number", "unit_id", "grid_id", "subdistrict_id", "parent_id", "landlord_id", "lessor_name", "lessee_id", "rent_fen", "rent_given",
        "rent_unit", "area_basis_m2", "deposit_fen", "valid_from", "valid_to", "signed_on", "state", "new_let",
    ),
    create=_create,
    references={"unit_id": "unit", "lessee_id": "resident", "parent_id": "lease"},
    read=_read,
    change=_change,
    told=_told,
    before=_landlords,
)  # fmt: skip
