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
from gridmgmt.demo.loading import BATCH, Columns, Rows, Wrote, write, write_people
from gridmgmt.demo.managers import ACTIVE, KINDS
from gridmgmt.demo.managers import STATES as MANAGER_STATES
from gridmgmt.demo.people import MARK
from gridmgmt.demo.residences import BASES, DECLARERS
from gridmgmt.demo.seen import FINDINGS, HAZARD, MOVES, OUTCOMES, REPORTS, VISITS
from gridmgmt.demo.texts import NEVER, NULL, Bytes, Ints, chance, dates, flags, hexes, hundredths, numbers, pick, random_uuids, uuids
from gridmgmt.models import Discrepancy
from gridmgmt.registers.masks import mask_number, mask_phone
from gridmgmt.security.audit import record
from gridmgmt.security.sealing import Sealer


def write_contents(session: Session, contents: Contents, ids: Ids, sealer: Sealer, *, actor: int, wrote: Wrote) -> None:
    """Everything in a subdistrict, and one row of the audit trail for its persons."""
    writer = _Writer(
        session,
        wrote,
        actor,
        str(ids.areas[contents.part.code]),
        np.array([ids.grids[grid.code] for grid in contents.part.grids])[contents.estate.buildings.grid],
        hexes(contents.estate.buildings.ids),
        hexes(contents.estate.units.ids),
        [*hexes(contents.person_ids), NULL],
    )
    _write_estate(writer, contents)
    _write_people(writer, contents, sealer)
    _write_residences(writer, contents)
    _write_leases(writer, contents)
    _write_managers(writer, contents)
    _write_seen(writer, contents)
    _write_discrepancies(writer, contents)
    record(session, "load", "resident", purpose="demo", rows=len(contents.people))


@dataclass(frozen=True)
class _Writer:
    """The transaction, and what the rows of a subdistrict refer to, as COPY reads it."""

    session: Session
    wrote: Wrote
    actor: int
    subdistrict: str
    grids: Ints
    """Of each building."""
    buildings: Sequence[str]
    units: Sequence[str]
    persons: Sequence[str]
    """The last one is null."""

    def load(self, noun: str, count: int, rows: Rows) -> None:
        """Write one of the large tables, whose recorder the loader names."""
        write(self.session, noun, count, rows, actor=self.actor, wrote=self.wrote)

    def load_small(self, noun: str, count: int, rows: Rows) -> None:
        """Write one of the others."""
        write(self.session, noun, count, rows, actor=None, wrote=self.wrote)

    def person(self, person: Ints) -> list[str]:
        """Ids of persons; NEVER is null."""
        return pick(self.persons, np.where(person == NEVER, -1, person))

    def place(self, building: Ints) -> dict[str, list[str]]:
        """The columns of row-level security for rows that belong to buildings."""
        return {"grid_id": numbers(self.grids[building]), "subdistrict_id": [self.subdistrict] * len(building)}


def _write_estate(writer: _Writer, contents: Contents) -> None:
    buildings, units = contents.estate.buildings, contents.estate.units

    def houses(at: Ints) -> Columns:
        x, y = ([f"{value:.7f}" for value in column.tolist()] for column in buildings.source[at].T)
        return {
            "id": pick(writer.buildings, at),
            "house_code": pick(buildings.house_codes, at),
            "name": pick(buildings.names, at),
            "address": pick(buildings.addresses, at),
            "entrance": ewkb(shapely.points(buildings.entrances[at])),
            "footprint": ewkb(buildings.footprints[at]),
            "datum": pick(DATUMS, buildings.datum[at]),
            "source_x": x,
            "source_y": y,
            "floors_above": numbers(buildings.floors[at]),
            "floors_below": ["0"] * len(at),
            "built_year": numbers(buildings.built[at]),
            "nature": pick(NATURES, buildings.nature[at]),
            "rental": flags(buildings.rental[at]),
        }

    def dwellings(at: Ints) -> Columns:
        return {
            "id": pick(writer.units, at),
            "building_id": pick(writer.buildings, units.building[at]),
            **writer.place(units.building[at]),
            "code": pick(units.codes, at),
            "floor": numbers(units.floor[at]),
            "room": pick(units.rooms, at),
            "area_m2": hundredths(units.area[at]),
            "use": pick(USES, units.use[at]),
            "max_occupants": numbers(np.where(units.most[at] > 0, units.most[at], NEVER)),
        }

    writer.load("building", len(buildings.grid), houses)
    writer.load("unit", len(units.building), dwellings)


def _write_people(writer: _Writer, contents: Contents, sealer: Sealer) -> None:
    """Sealed and written a batch at a time, in the order in which the register came to know them."""
    people, order = contents.people, np.argsort(contents.since, kind="stable")
    buildings = contents.estate.units.building[contents.home]
    for start in range(0, len(order), BATCH):
        at = order[start : start + BATCH]
        identities, persons = _uuids(contents.identities[at]), _uuids(contents.person_ids[at])
        known, phones = people.numbers(at), people.phones(at)
        columns = {
            "id": pick(writer.persons, at),
            "grid": numbers(writer.grids[buildings[at]]),
            "identity": [one.hex for one in identities],
            "bi": [_bytea(sealer.blind_index(number)) for number in known],
            "enc": [_bytea(sealer.seal("identity|id_enc", row, number)) for row, number in zip(identities, known, strict=True)],
            "name": people.names(at),
            "sex": people.sexes(at),
            "born": people.birth_years(at),
            "mask": [mask_number(number) for number in known],
            "phone": [_bytea(sealer.seal("person_secret|phone_enc", row, phone)) for row, phone in zip(persons, phones, strict=True)],
            "phone_mask": [mask_phone(phone) for phone in phones],
            "registration": people.registrations(at),
        }
        write_people(writer.session, columns, sealer.version)
        writer.wrote("person", len(at))


def _write_residences(writer: _Writer, contents: Contents) -> None:
    stays, order = contents.stays, np.argsort(contents.stays.start, kind="stable")
    identifiers = uuids(chance("residence ids", contents.part.code), stays.start[order])

    def residences(at: Ints) -> Columns:
        some = order[at]
        declarer = stays.declarer[some]
        return {
            "id": hexes(identifiers[at]),
            "person_id": writer.person(stays.person[some]),
            "unit_id": pick(writer.units, stays.unit[some]),
            **writer.place(contents.estate.units.building[stays.unit[some]]),
            "basis": pick(BASES, stays.basis[some]),
            "valid_from": dates(stays.start[some]),
            "valid_to": dates(stays.end[some]),
            "declared_by": pick([*DECLARERS, NULL], np.where(declarer == NEVER, -1, declarer)),
            "declared_on": dates(stays.declared[some]),
        }

    writer.load("residence", len(order), residences)


def _write_leases(writer: _Writer, contents: Contents) -> None:
    leases, sublet = contents.leases, contents.sublet
    landlords = hexes(random_uuids(chance("landlord ids", contents.part.code), len(contents.landlords)))

    def lessors(at: Ints) -> Columns:
        subdistrict, kind = [writer.subdistrict] * len(at), ["person"] * len(at)
        return {"id": pick(landlords, at), "subdistrict_id": subdistrict, "kind": kind, "name": pick(contents.landlords, at)}

    writer.load_small("landlord", len(landlords), lessors)
    ids = hexes(contents.lease_ids)
    order = np.argsort(leases.signed, kind="stable")
    if sublet is not None:  # comes after its head lease
        order = np.append(order[order != sublet.lease], sublet.lease)

    def rows(at: Ints) -> Columns:
        some = order[at]
        lessor, landlord = pick(contents.landlords, contents.landlord[some]), pick(landlords, contents.landlord[some])
        parent = [NULL] * len(some)
        if sublet is not None and some[-1] == sublet.lease:
            parent[-1], landlord[-1] = ids[sublet.head], NULL
            lessor[-1] = contents.people.names(contents.lessee[[sublet.head]])[0]
        return {
            "id": pick(ids, some),
            "number": pick(contents.numbers, some),
            "unit_id": pick(writer.units, leases.unit[some]),
            **writer.place(contents.estate.units.building[leases.unit[some]]),
            "parent_id": parent,
            "landlord_id": landlord,
            "lessor_name": lessor,
            "lessee_id": writer.person(contents.lessee[some]),
            "rent_fen": numbers(leases.rent_fen[some]),
            "rent_given": hundredths(leases.rent_given[some]),
            "rent_unit": pick(RENT_UNITS, leases.rent_unit[some]),
            "area_basis_m2": hundredths(leases.area[some]),
            "deposit_fen": numbers(leases.rent_fen[some] * 2),
            "valid_from": dates(leases.start[some]),
            "valid_to": dates(leases.end[some]),
            "signed_on": dates(leases.signed[some]),
            "filed_on": dates(leases.filed[some]),
            "ended_on": dates(leases.ended[some]),
            "state": pick(LEASE_STATES, leases.state[some]),
            "new_let": flags(leases.new[some]),
        }

    writer.load("lease", len(order), rows)


def _write_managers(writer: _Writer, contents: Contents) -> None:
    made = contents.appointments
    identifiers = _manager_ids(contents)

    def appointments(at: Ints) -> Columns:
        active = (made.state[at] == ACTIVE).tolist()
        return {
            "id": hexes(identifiers[at]),
            "person_id": writer.person(made.person[at]),
            "building_id": pick(writer.buildings, made.building[at]),
            **writer.place(made.building[at]),
            "kind": pick(KINDS, made.kind[at]),
            "state": pick(MANAGER_STATES, made.state[at]),
            "archive_number": [f"LGY{contents.part.code[6:]}{i + 1:06d}" for i in at.tolist()],
            "valid_from": dates(made.start[at]),
            "valid_to": dates(made.end[at]),
            "police_contact": [f"社区民警{MARK}" if one else NULL for one in active],
            "office_contact": [f"综管员{MARK}" if one else NULL for one in active],
        }

    writer.load_small("manager", len(made.building), appointments)


def _write_seen(writer: _Writer, contents: Contents) -> None:
    visits, reports, made = contents.visits, contents.reports, contents.appointments
    visit_ids = uuids(chance("visit ids", contents.part.code), visits.day)
    report_ids = uuids(chance("report ids", contents.part.code), reports.day)
    managers = _manager_ids(contents)

    def inspections(at: Ints) -> Columns:
        x, y = ([f"{value:.7f}" for value in column.tolist()] for column in visits.places[at].T)
        hazard = (visits.outcome[at] == HAZARD).tolist()
        clock = [f"{minute // 60:02d}:{minute % 60:02d}+08" for minute in visits.minute[at].tolist()]
        return {
            "id": hexes(visit_ids[at]),
            "building_id": pick(writer.buildings, visits.building[at]),
            **writer.place(visits.building[at]),
            "kind": pick(VISITS, visits.kind[at]),
            "outcome": pick(OUTCOMES, visits.outcome[at]),
            "visited_at": [f"{day} {time}" for day, time in zip(dates(visits.day[at]), clock, strict=True)],
            "findings": [f"{{{word}}}" if one else "{}" for word, one in zip(pick(FINDINGS, visits.finding[at]), hazard, strict=True)],
            "lon": x,
            "lat": y,
            "datum": ["CGCS2000"] * len(at),
            "distance_m": [f"{value:.2f}" for value in visits.metres[at].tolist()],
        }

    def duties(at: Ints) -> Columns:
        appointment = reports.appointment[at]
        return {
            "id": hexes(report_ids[at]),
            "manager_id": hexes(managers[appointment]),
            **writer.place(made.building[appointment]),
            "kind": pick(REPORTS, reports.kind[at]),
            "happened_on": dates(reports.day[at]),
            "persons": numbers(np.where(reports.kind[at] < MOVES, reports.persons[at], NEVER)),
        }

    writer.load("inspection", len(visits.building), inspections)
    writer.load("duty_report", len(reports.appointment), duties)


def _manager_ids(contents: Contents) -> Bytes:
    return uuids(chance("manager ids", contents.part.code), contents.appointments.start)


def _write_discrepancies(writer: _Writer, contents: Contents) -> None:
    found = contents.discrepancies
    grids = writer.grids[contents.estate.units.building[contents.home]]
    ids = _uuids(uuids(chance("discrepancy ids", contents.part.code), np.full(len(found), contents.part.today)))
    rows = [
        {
            "id": identifier,
            "person_id": uuid.UUID(writer.persons[one.person]),
            "grid_id": int(grids[one.person]),
            "subdistrict_id": int(writer.subdistrict),
            "field": one.field,
            "ours": one.ours,
            "theirs": one.theirs,
            "source": one.source,
        }
        for identifier, one in zip(ids, found, strict=True)
    ]
    if rows:
        writer.session.execute(insert(Discrepancy), rows)


def _uuids(identifiers: Bytes) -> list[uuid.UUID]:
    return [uuid.UUID(bytes=one.tobytes()) for one in identifiers]


def _bytea(value: bytes) -> str:
    return f"\\\\x{value.hex()}"
