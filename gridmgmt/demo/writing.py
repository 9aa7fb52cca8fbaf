"""The contents of a subdistrict in the register."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from sqlalchemy import insert
from sqlalchemy.orm import Session

from gridmgmt.demo.buildings import DATUMS, NATURES, USES
from gridmgmt.demo.contents import Contents
from gridmgmt.demo.ground import Ids, ewkb
from gridmgmt.demo.leases import RENT_UNITS
from gridmgmt.demo.leases import STATES as LEASE_STATES
from gridmgmt.demo.loading import BATCH, Wrote, write, write_people
from gridmgmt.demo.managers import ACTIVE, KINDS
from gridmgmt.demo.managers import STATES as MANAGER_STATES
from gridmgmt.demo.people import MARK
from gridmgmt.demo.residences import BASES, DECLARERS
from gridmgmt.demo.texts import NEVER, NULL, Bytes, Ints, chance, dates, flags, hexes, hundredths, numbers, pick, random_uuids, uuids
from gridmgmt.models import Discrepancy
from gridmgmt.registers.masks import mask_number, mask_phone
from gridmgmt.security.audit import record
from gridmgmt.security.sealing import Sealer


def write_contents(session: Session, contents: Contents, ids: Ids, sealer: Sealer, *, actor: int, wrote: Wrote) -> None:
    """Everything in a subdistrict, and one row of the audit trail for its persons."""
    subdistrict = ids.areas[contents.part.code]
    grid_of_part = np.array([ids.grids[grid.code] for grid in contents.part.grids])
    grid_of_unit = grid_of_part[contents.estate.buildings.grid[contents.estate.units.building]]
    person_hexes = hexes(contents.person_ids)
    unit_hexes = hexes(contents.estate.units.ids)
    place = _Place(str(subdistrict), grid_of_unit, unit_hexes, person_hexes)
    _write_estate(session, contents, place, actor, wrote)
    _write_people(session, contents, place, sealer, wrote)
    _write_residences(session, contents, place, actor, wrote)
    _write_leases(session, contents, place, actor, wrote)
    _write_managers(session, contents, place, wrote)
    _write_discrepancies(session, contents, place)
    record(session, "load", "resident", purpose="demo", rows=len(contents.people.names))


@dataclass(frozen=True)
class _Place:
    """What the rows of a subdistrict refer to, as COPY reads it."""

    subdistrict: str
    grid_of_unit: Ints
    units: Sequence[str]
    persons: Sequence[str]

    def of(self, unit: Ints) -> dict[str, Sequence[str]]:
        """The columns of row-level security for rows that belong to units."""
        return {"grid_id": numbers(self.grid_of_unit[unit]), "subdistrict_id": [self.subdistrict] * len(unit)}

    def person(self, person: Ints) -> list[str]:
        """Ids of persons; NEVER is null."""
        return pick([*self.persons, NULL], np.where(person == NEVER, len(self.persons), person))


def _write_estate(session: Session, contents: Contents, place: _Place, actor: int, wrote: Wrote) -> None:
    buildings, units = contents.estate.buildings, contents.estate.units
    count = len(buildings.grid)
    x, y = ([f"{value:.7f}" for value in column.tolist()] for column in buildings.source.T)
    building_hexes = hexes(buildings.ids)
    write(
        session,
        "building",
        {
            "id": building_hexes,
            "house_code": buildings.house_codes,
            "name": buildings.names,
            "address": buildings.addresses,
            "entrance": ewkb(shapely.points(buildings.entrances)),
            "footprint": ewkb(buildings.footprints),
            "datum": pick(list(DATUMS), buildings.datum),
            "source_x": x,
            "source_y": y,
            "floors_above": numbers(buildings.floors),
            "floors_below": ["0"] * count,
            "built_year": numbers(buildings.built),
            "nature": pick(NATURES, buildings.nature),
            "rental": flags(buildings.rental),
        },
        actor=actor,
        wrote=wrote,
    )
    write(
        session,
        "unit",
        {
            "id": place.units,
            "building_id": pick(building_hexes, units.building),
            **place.of(np.arange(len(units.building))),
            "code": units.codes,
            "floor": numbers(units.floor),
            "room": units.rooms,
            "area_m2": hundredths(units.area),
            "use": pick(USES, units.use),
            "max_occupants": numbers(np.where(units.most > 0, units.most, NEVER)),
        },
        actor=actor,
        wrote=wrote,
    )


def _write_people(session: Session, contents: Contents, place: _Place, sealer: Sealer, wrote: Wrote) -> None:
    """Sealed and written a batch at a time, in the order in which the register came to know them."""
    people, order = contents.people, np.argsort(contents.since, kind="stable")
    grids = place.grid_of_unit[contents.home]
    for start in range(0, len(order), BATCH):
        batch = order[start : start + BATCH]
        identities, persons = _uuids(contents.identities[batch]), _uuids(contents.person_ids[batch])
        known, phones = pick(people.numbers, batch), pick(people.phones, batch)
        columns = {
            "id": pick(place.persons, batch),
            "grid": numbers(grids[batch]),
            "identity": [one.hex for one in identities],
            "bi": [_bytea(sealer.blind_index(number)) for number in known],
            "enc": [_bytea(sealer.seal("identity|id_enc", row, number)) for row, number in zip(identities, known, strict=True)],
            "name": pick(people.names, batch),
            "sex": pick(people.sexes, batch),
            "born": [str(people.birth_years[i]) for i in batch.tolist()],
            "mask": [mask_number(number) for number in known],
            "phone": [_bytea(sealer.seal("person_secret|phone_enc", row, phone)) for row, phone in zip(persons, phones, strict=True)],
            "phone_mask": [mask_phone(phone) for phone in phones],
            "registration": pick(people.registrations, batch),
        }
        write_people(session, columns, sealer.version)
        wrote("person", len(batch))


def _write_residences(session: Session, contents: Contents, place: _Place, actor: int, wrote: Wrote) -> None:
    stays, order = contents.stays, np.argsort(contents.stays.start, kind="stable")
    generator = chance("residence ids", contents.part.code)
    unit = stays.unit[order]
    write(
        session,
        "residence",
        {
            "id": hexes(uuids(generator, stays.start[order])),
            "person_id": place.person(stays.person[order]),
            "unit_id": pick(place.units, unit),
            **place.of(unit),
            "basis": pick(BASES, stays.basis[order]),
            "valid_from": dates(stays.start[order]),
            "valid_to": dates(stays.end[order]),
            "declared_by": pick([*DECLARERS, NULL], np.where(stays.declarer[order] == NEVER, len(DECLARERS), stays.declarer[order])),
            "declared_on": dates(stays.declared[order]),
        },
        actor=actor,
        wrote=wrote,
    )


def _write_leases(session: Session, contents: Contents, place: _Place, actor: int, wrote: Wrote) -> None:
    leases = contents.leases
    generator = chance("landlord ids", contents.part.code)
    landlord_hexes = hexes(random_uuids(generator, len(contents.landlords)))
    write(
        session,
        "landlord",
        {
            "id": landlord_hexes,
            "subdistrict_id": [place.subdistrict] * len(landlord_hexes),
            "kind": ["person"] * len(landlord_hexes),
            "name": contents.landlords,
        },
        actor=None,
        wrote=wrote,
    )
    ids = hexes(contents.lease_ids)
    lessor, landlord, parent = pick(contents.landlords, contents.landlord), pick(landlord_hexes, contents.landlord), [NULL] * len(leases)
    if (sublet := contents.sublet) is not None:
        parent[sublet.lease], landlord[sublet.lease] = ids[sublet.head], NULL
        lessor[sublet.lease] = contents.people.names[int(contents.lessee[sublet.head])]
    columns: dict[str, list[str]] = {
        "id": ids,
        "number": contents.numbers,
        "unit_id": pick(place.units, leases.unit),
        **{name: list(column) for name, column in place.of(leases.unit).items()},
        "parent_id": parent,
        "landlord_id": landlord,
        "lessor_name": lessor,
        "lessee_id": place.person(contents.lessee),
        "rent_fen": numbers(leases.rent_fen),
        "rent_given": hundredths(leases.rent_given),
        "rent_unit": pick(RENT_UNITS, leases.rent_unit),
        "area_basis_m2": hundredths(leases.area),
        "deposit_fen": numbers(leases.rent_fen * 2),
        "valid_from": dates(leases.start),
        "valid_to": dates(leases.end),
        "signed_on": dates(leases.signed),
        "filed_on": dates(leases.filed),
        "ended_on": dates(leases.ended),
        "state": pick(LEASE_STATES, leases.state),
        "new_let": flags(leases.new),
    }
    order = np.argsort(leases.signed, kind="stable").tolist()
    if sublet is not None:  # a sublet comes after its head lease
        order = [i for i in order if i != sublet.lease] + [sublet.lease]
    write(session, "lease", {name: [column[i] for i in order] for name, column in columns.items()}, actor=actor, wrote=wrote)


def _write_managers(session: Session, contents: Contents, place: _Place, wrote: Wrote) -> None:
    made = contents.appointments
    count = len(made.building)
    generator = chance("manager ids", contents.part.code)
    building_hexes = hexes(contents.estate.buildings.ids)
    grid = np.array([int(place.grid_of_unit[0])]) if not count else _grid_of_building(contents, place)[made.building]
    active = (made.state == ACTIVE).tolist()
    write(
        session,
        "manager",
        {
            "id": hexes(uuids(generator, made.start)),
            "person_id": place.person(made.person),
            "building_id": pick(building_hexes, made.building),
            "grid_id": numbers(grid[:count]),
            "subdistrict_id": [place.subdistrict] * count,
            "kind": pick(KINDS, made.kind),
            "state": pick(MANAGER_STATES, made.state),
            "archive_number": [f"LGY{contents.part.code[6:]}{i + 1:06d}" for i in range(count)],
            "valid_from": dates(made.start),
            "valid_to": dates(made.end),
            "police_contact": [f"社区民警{MARK}" if one else NULL for one in active],
            "office_contact": [f"综管员{MARK}" if one else NULL for one in active],
        },
        actor=None,
        wrote=wrote,
    )


def _grid_of_building(contents: Contents, place: _Place) -> Ints:
    grid = np.zeros(len(contents.estate.buildings.grid), dtype=np.int64)
    grid[contents.estate.units.building] = place.grid_of_unit  # every building has a unit
    return grid


def _write_discrepancies(session: Session, contents: Contents, place: _Place) -> None:
    grids = place.grid_of_unit[contents.home]
    ids = _uuids(uuids(chance("discrepancy ids", contents.part.code), np.full(len(contents.discrepancies), contents.part.today)))
    rows = [
        {
            "id": identifier,
            "person_id": uuid.UUID(place.persons[one.person]),
            "grid_id": int(grids[one.person]),
            "subdistrict_id": int(place.subdistrict),
            "field": one.field,
            "ours": one.ours,
            "theirs": one.theirs,
            "source": one.source,
        }
        for identifier, one in zip(ids, contents.discrepancies, strict=True)
    ]
    if rows:
        session.execute(insert(Discrepancy), rows)


def _uuids(identifiers: Bytes) -> list[uuid.UUID]:
    return [uuid.UUID(bytes=one.tobytes()) for one in identifiers]


def _bytea(value: bytes) -> str:
    return f"\\\\x{value.hex()}"
