"""What is synchronised: one declaration a kind. A device gets of each the members listed here, as JSON that PostgreSQL builds.

Names of kinds are those of the wire and of the change log; a person's record is a `resident` there. Scopes are base grids.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Table

from gridmgmt.history.beliefs import table_of
from gridmgmt.models import Building, DutyReport, Inspection, Lease, Manager, Person, Residence, Unit

SCHEMA: Final = 1
"""Version of what travels. A device says which one it speaks; this one and the one before are understood."""
OLDEST_SCHEMA: Final = 1


@dataclass(frozen=True)
class Kind:
    """One kind of entity: its table, and the members of its `data`, each an expression over the row `e`."""

    name: str
    table: Table
    data: Mapping[str, str]

    @property
    def json(self) -> str:
        """SQL that builds `data` of the row `e`."""
        return "json_build_object(" + ", ".join(f"'{name}', {expression}" for name, expression in self.data.items()) + ")"


def _plain(*names: str) -> dict[str, str]:
    return {name: f"e.{name}" for name in names}


def _place(lon: str, lat: str) -> str:
    return f"json_build_object('lon', {lon}, 'lat', {lat})"


KINDS: Final[Mapping[str, Kind]] = {
    kind.name: kind
    for kind in (
        # parents before children: a snapshot comes in this order, and a push writes in it
        Kind(
            "building",
            table_of(Building),
            _plain("house_code", "name", "address")
            | {
                "entrance": _place("public.ST_X(e.entrance)", "public.ST_Y(e.entrance)"),
                "footprint": "public.ST_AsGeoJSON(e.footprint, 7, 0)::json",
            }
            | _plain("floors_above", "floors_below", "built_year", "nature", "rental", "retired_on", "conflict_open"),
        ),
        Kind(
            "unit",
            table_of(Unit),
            _plain("building_id", "code", "floor", "room", "area_m2", "use", "max_occupants", "retired_on", "conflict_open"),
        ),
        Kind(
            "resident",
            table_of(Person),
            # the worker's own residents by name; numbers and phones masked, as everywhere
            _plain("name", "sex", "birth_year", "id_mask", "phone_mask", "registration", "conflict_open"),
        ),
        Kind(
            "residence",
            table_of(Residence),
            {"resident_id": "e.person_id"}
            | _plain("unit_id", "main", "basis", "valid_from", "valid_to", "declared_by", "declared_on", "verified_at", "conflict_open"),
        ),
        Kind(
            "lease",
            table_of(Lease),
            _plain("number", "unit_id", "parent_id", "lessor_name", "lessee_id", "rent_fen")
            | {"rent": "json_build_object('amount', e.rent_given, 'unit', e.rent_unit)"}
            | _plain(
                "area_basis_m2",
                "deposit_fen",
                "valid_from",
                "valid_to",
                "signed_on",
                "filed_on",
                "ended_on",
                "state",
                "new_let",
                "conflict_open",
            ),
        ),
        Kind(
            "manager",
            table_of(Manager),
            {"resident_id": "e.person_id"}
            | _plain("building_id", "kind", "state", "valid_from", "valid_to", "police_contact", "office_contact"),
        ),
        Kind(
            "inspection",
            table_of(Inspection),
            _plain("building_id", "unit_id", "kind", "outcome", "visited_at", "findings", "note")
            | {"place": "CASE WHEN e.lon IS NOT NULL THEN json_build_object('lon', e.lon, 'lat', e.lat, 'datum', e.datum) END"}
            | _plain("distance_m"),
        ),
        Kind("duty_report", table_of(DutyReport), _plain("manager_id", "unit_id", "kind", "happened_on", "persons", "note")),
    )
}
"""Every kind by its name on the wire."""
ORDER: Final = tuple(KINDS)
