"""People of a file: each line a person by number, and a main residence. Numbers and phones are sealed here, on the way to the database.

The number is the key. Two names for one number: the later line is refused, and a discrepancy waits for somebody to decide. A sex or a
birth date that contradicts a valid number is kept as a discrepancy, and the number wins.
"""

import datetime as dt
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gridmgmt.intake import checks
from gridmgmt.intake.columns import Column
from gridmgmt.intake.loading import Load, Rows
from gridmgmt.intake.periods import END, Claim, settle
from gridmgmt.registers.identity_numbers import EARLIEST, IdentityNumber
from gridmgmt.registers.masks import mask_number, mask_phone
from gridmgmt.registers.terms import REGISTRATIONS, SEXES

STAGED: Final = (
    "line", "bi", "known", "person_id", "identity_id", "id_enc", "known_name", "name", "sex", "birth_year", "id_mask", "phone_mask",
    "phone_enc", "registration", "unit_code", "moved_in", "moved_out", "declared_on", "other_sex", "birth", "other_birth",
)  # fmt: skip

STAGE: Final = """
CREATE TEMP TABLE staged (line int, bi bytea, known boolean, person_id uuid, identity_id uuid, id_enc bytea, known_name text, name text,
  sex text, birth_year int, id_mask text, phone_mask text, phone_enc bytea, registration text, unit_code text, moved_in date,
  moved_out date, declared_on date, other_sex text, birth text, other_birth text) ON COMMIT DROP"""

BACKWARDS: Final = """
DELETE FROM pg_temp.staged WHERE moved_out <= moved_in
RETURNING line, 'moved_out', CASE WHEN moved_out < moved_in THEN 'moved out before moved in' ELSE 'moved out on the day of moving in' END"""

NO_UNIT: Final = """
DELETE FROM pg_temp.staged s WHERE NOT EXISTS (SELECT FROM reg.unit u WHERE u.code = s.unit_code AND u.deleted_at IS NULL)
RETURNING s.line, 'unit', 'unknown unit'"""

UNIT_GONE: Final = """
DELETE FROM pg_temp.staged s USING reg.unit u
 WHERE u.code = s.unit_code AND u.retired_on IS NOT NULL AND (s.moved_out IS NULL OR s.moved_out > u.retired_on)
RETURNING s.line, 'unit', 'the unit was retired on ' || u.retired_on"""

OTHER_NAMES: Final = """
CREATE TEMP TABLE other_name ON COMMIT DROP AS
SELECT n.line, n.bi, n.name
  FROM (SELECT s.line, s.bi, s.name, coalesce(s.known_name, first_value(s.name) OVER (PARTITION BY s.bi ORDER BY s.line)) AS first
          FROM pg_temp.staged s) n
 WHERE n.name <> n.first"""
OTHER_NAMED: Final = """
DELETE FROM pg_temp.staged s USING pg_temp.other_name n WHERE n.line = s.line
RETURNING s.line, 'name', 'the same number with another name: a discrepancy is open'"""

# An empty end says nothing: a residence that was ended stays so.
PLACED: Final = """
CREATE TEMP TABLE placed ON COMMIT DROP AS
SELECT s.*, u.id AS unit_id, u.grid_id, u.subdistrict_id, r.id AS residence_id, r.main IS NOT FALSE AS main,
       coalesce(s.moved_out, r.valid_to) AS ends, coalesce(s.declared_on, r.declared_on) AS declared,
       r.id IS NOT NULL AND r.valid_to IS NOT DISTINCT FROM coalesce(s.moved_out, r.valid_to)
         AND r.declared_on IS NOT DISTINCT FROM coalesce(s.declared_on, r.declared_on) AS same_residence
  FROM pg_temp.staged s
  JOIN reg.unit u ON u.code = s.unit_code
  LEFT JOIN LATERAL (SELECT e.* FROM reg.residence e WHERE s.known AND e.person_id = s.person_id AND e.unit_id = u.id
                       AND e.valid_from = s.moved_in AND e.deleted_at IS NULL ORDER BY e.id LIMIT 1) r ON true"""

CONTESTED: Final = """
CREATE TEMP TABLE contested ON COMMIT DROP AS
SELECT DISTINCT t.bi
  FROM (SELECT a.bi, a.begins < max(a.ends) OVER (PARTITION BY a.bi ORDER BY a.begins, a.ends
                 ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS meets
          FROM (SELECT bi, moved_in AS begins, coalesce(ends, 'infinity') AS ends FROM pg_temp.placed WHERE main AND NOT same_residence
                UNION ALL
                SELECT k.bi, r.valid_from, coalesce(r.valid_to, 'infinity')
                  FROM (SELECT DISTINCT bi, person_id FROM pg_temp.placed WHERE known) k
                  JOIN reg.residence r ON r.person_id = k.person_id AND r.main AND r.deleted_at IS NULL) a) t
 WHERE t.meets"""

CLAIMS: Final = """
SELECT p.bi, coalesce(p.residence_id::text, p.line::text), 'line ' || p.line, p.line, p.moved_in, p.ends
  FROM pg_temp.placed p JOIN pg_temp.contested USING (bi) WHERE p.main AND NOT p.same_residence
UNION ALL
SELECT k.bi, r.id::text, 'the one in unit ' || u.code || ' from ' || r.valid_from, NULL, r.valid_from, r.valid_to
  FROM (SELECT DISTINCT bi, person_id FROM pg_temp.placed JOIN pg_temp.contested USING (bi) WHERE known) k
  JOIN reg.residence r ON r.person_id = k.person_id AND r.main AND r.deleted_at IS NULL
  JOIN reg.unit u ON u.id = r.unit_id"""

# What is said of a person is what the last line says that has a phone, or the last of all. A new person is written where it lives today, or
# lived last; the record of a known one follows a residence by itself.
SPEAKERS: Final = """
CREATE TEMP TABLE speaker ON COMMIT DROP AS
SELECT c.*, h.home
  FROM (SELECT DISTINCT ON (bi) bi, line, known, person_id, identity_id, id_enc, name, sex, birth_year, id_mask, phone_mask, phone_enc,
               registration
          FROM pg_temp.placed ORDER BY bi, phone_mask IS NULL, line DESC) c
  JOIN (SELECT DISTINCT ON (bi) bi, grid_id AS home FROM pg_temp.placed
         ORDER BY bi, moved_in <= reg.today() AND (ends IS NULL OR ends > reg.today()) DESC, moved_in DESC, line DESC) h USING (bi)"""

PERSONS: Final = """
SELECT coalesce(sum(sec.people_load(b.ids, b.grids, b.identities, b.numbers, b.sealed, CAST(:kv AS smallint), b.names, b.sexes, b.births,
    b.masks, b.phones, b.phone_masks, b.registrations)), 0)
  FROM (SELECT array_agg(person_id) AS ids, array_agg(home) AS grids, array_agg(identity_id) AS identities, array_agg(bi) AS numbers,
               array_agg(id_enc) AS sealed, array_agg(name) AS names, array_agg(sex) AS sexes, array_agg(birth_year) AS births,
               array_agg(id_mask) AS masks, array_agg(phone_enc) AS phones, array_agg(phone_mask) AS phone_masks,
               array_agg(registration) AS registrations
          FROM (SELECT s.*, (row_number() OVER (ORDER BY s.bi) - 1) / 10000 AS part FROM pg_temp.speaker s WHERE NOT s.known) s
         GROUP BY s.part ORDER BY s.part) b"""

PHONES: Final = """
SELECT count(sec.person_phone(s.person_id, s.phone_enc, CAST(:kv AS smallint)))
  FROM pg_temp.speaker s WHERE s.known AND s.phone_enc IS NOT NULL"""

RESIDENCES_ENDED: Final = """
UPDATE reg.residence r SET valid_to = p.ends, declared_on = p.declared
  FROM pg_temp.placed p WHERE r.id = p.residence_id AND NOT p.same_residence"""

RESIDENCES: Final = """
INSERT INTO reg.residence (recorded_by, person_id, unit_id, grid_id, subdistrict_id, valid_from, valid_to, declared_on)
SELECT (SELECT sec.actor()), s.person_id, p.unit_id, p.grid_id, p.subdistrict_id, p.moved_in, p.ends, p.declared
  FROM pg_temp.placed p JOIN pg_temp.speaker s USING (bi)
 WHERE p.residence_id IS NULL AND p.line > :after AND p.line <= :upto ORDER BY p.line"""

CHANGED: Final = """
CREATE TEMP TABLE changed ON COMMIT DROP AS
SELECT s.line FROM pg_temp.speaker s JOIN reg.person p ON p.id = s.person_id
 WHERE s.known AND (p.registration <> s.registration OR s.phone_enc IS NOT NULL)"""

CORRECT: Final = """
UPDATE reg.person p SET registration = s.registration, phone_mask = CASE WHEN s.phone_enc IS NULL THEN p.phone_mask ELSE s.phone_mask END
  FROM pg_temp.speaker s JOIN pg_temp.changed USING (line) WHERE p.id = s.person_id"""

DISCREPANCIES: Final = """
INSERT INTO reg.discrepancy (grid_id, subdistrict_id, person_id, field, ours, theirs, source)
SELECT DISTINCT ON (p.id, d.field, d.theirs) p.grid_id, p.subdistrict_id, p.id, d.field, coalesce(d.ours, p.name), d.theirs, 'import'
  FROM (SELECT bi, 'name' AS field, NULL AS ours, name AS theirs FROM pg_temp.other_name
        UNION ALL SELECT bi, 'sex', sex, other_sex FROM pg_temp.placed WHERE other_sex IS NOT NULL
        UNION ALL SELECT bi, 'birth_date', birth, other_birth FROM pg_temp.placed WHERE other_birth IS NOT NULL) d
  JOIN (SELECT bi, person_id FROM pg_temp.speaker UNION SELECT bi, person_id FROM pg_temp.named) s USING (bi)
  JOIN reg.person p ON p.id = s.person_id
 WHERE NOT EXISTS (SELECT FROM reg.discrepancy e WHERE e.person_id = p.id AND e.field = d.field AND e.theirs = d.theirs)"""

# A known person whose every line bears another name has no speaker.
NAMED: Final = """
CREATE TEMP TABLE named ON COMMIT DROP AS
SELECT DISTINCT s.bi, s.person_id FROM pg_temp.staged s JOIN pg_temp.other_name n ON n.line = s.line WHERE s.known"""

UNCHANGED: Final = """
SELECT count(*) FILTER (WHERE p.same_residence AND c.line IS NULL), count(*)
  FROM pg_temp.placed p LEFT JOIN pg_temp.changed c USING (line)"""


def columns(*, today: dt.date, demo: bool) -> tuple[Column, ...]:
    """The columns of a file of people. The day of moving out is the first day elsewhere."""
    number = checks.identity_number(today=today, demo=demo)
    return (
        Column("name", ("姓名", "name"), checks.words("name", 100)),
        Column("number", ("证件号码", "身份证号", "身份证号码", "公民身份号码", "identity number", "id number"), number),
        Column("sex", ("性别", "sex", "gender"), checks.term("sex", SEXES), required=False, blank=True),
        Column("birth_date", ("出生日期", "birth date", "date of birth"), checks.date("birth date"), required=False, blank=True),
        Column("phone", ("电话", "联系电话", "手机", "手机号码", "phone"), checks.phone, required=False, blank=True),
        Column("registration", ("登记类别", "户籍类别", "人口类别", "registration"), checks.term("registration", REGISTRATIONS)),
        Column("unit", ("单元编码", "房间编码", "套房编码", "unit", "unit code"), checks.code("unit code", 25)),
        Column("moved_in", ("入住日期", "moved in"), checks.date("moved in")),
        Column("moved_out", ("离开日期", "离店日期", "搬离日期", "moved out"), checks.date("moved out"), required=False, blank=True),
        Column("declared", ("申报日期", "declared"), checks.date("declared"), required=False, blank=True),
    )


def load_people(load: Load) -> None:
    """Write persons and residences, and open discrepancies."""
    load.run(STAGE)
    for rows in load.read():
        load.copy("staged", STAGED, list(_staged(load, rows)))
    load.progress("check", 0, load.rows)
    load.run("ANALYZE pg_temp.staged (line, bi, unit_code, moved_in)")
    load.drop(BACKWARDS)
    load.drop(NO_UNIT)
    load.drop(UNIT_GONE)
    load.run(OTHER_NAMES)
    load.run(NAMED)
    load.drop(OTHER_NAMED)
    load.drop_repeats("staged", "bi, unit_code, moved_in", "number", "the same residence of the same person")
    _give_way(load)
    load.run(SPEAKERS)
    load.run(CHANGED)
    ((load.unchanged, taken),) = load.fetch(UNCHANGED)
    load.accepted = taken - load.unchanged
    _write(load)


def _write(load: Load) -> None:
    kv = load.sealer.version
    ((persons,),) = load.fetch(PERSONS, kv=kv)
    load.fetch(PHONES, kv=kv)
    load.run("SET CONSTRAINTS reg.ex_residence_main DEFERRED")
    corrected = load.run(RESIDENCES_ENDED)
    residences = load.write(RESIDENCES)
    load.counts |= {
        "persons": persons,
        "residences": residences,
        "residences corrected": corrected,
        "persons corrected": load.run(CORRECT),
        "discrepancies opened": load.run(DISCREPANCIES),
    }


def _give_way(load: Load) -> None:
    """Refuse a line whose residence overlaps another main one of the same person, in the order of the file."""
    load.run(PLACED)
    load.run("ANALYZE pg_temp.placed (line, bi, known, person_id, residence_id)")
    load.run(CONTESTED)
    claims = [Claim(bi, own, name, line, begins, ends or END) for bi, own, name, line, begins, ends in load.fetch(CLAIMS)]
    late = settle(claims)
    for line, rival in late.items():
        load.refuse(line, "moved_in", f"overlaps another main residence of the same person: {rival}")
    load.run("DELETE FROM pg_temp.placed WHERE line = ANY (:lines)", lines=list(late))


@dataclass(frozen=True)
class _Known:
    """A person who is in the register already."""

    person_id: uuid.UUID
    name: str
    phone_enc: bytes | None
    struck: bool


def _staged(load: Load, rows: Rows) -> Iterator[tuple[Any, ...]]:
    numbers: list[IdentityNumber] = rows.values["number"]
    indexes = [load.sealer.blind_index(number.value) for number in numbers]
    known = _known(load, sorted(set(indexes)))
    new = sum(index not in known for index in indexes)
    fresh = iter(load.fetch("SELECT reg.uuid7() FROM generate_series(1, :many)", many=new))
    for i, (line, bi, number) in enumerate(zip(rows.lines, indexes, numbers, strict=True)):
        values = {name: column[i] for name, column in rows.values.items()}
        person = known.get(bi)
        if person is not None and person.struck:
            load.refuse(line, "number", "the person with this number was struck off")
        elif not _plausible(values["birth_date"], load.today):
            load.refuse(line, "birth_date", "birth date does not match the number")
        else:
            who = _sealed(load, number, values["phone"], next(fresh)[0]) if person is None else _recognised(load, person, values["phone"])
            yield (line, bi, *who[:-1], *_told(number, values, who[-1]))


def _known(load: Load, indexes: list[bytes]) -> Mapping[bytes, _Known]:
    found = load.fetch("SELECT id_bi, person_id, name, phone_enc, struck FROM sec.people_known(:numbers)", numbers=indexes)
    return {bi: _Known(person_id, name, phone_enc, struck) for bi, person_id, name, phone_enc, struck in found}


def _plausible(born: dt.date | None, today: dt.date) -> bool:
    """A birth date that nobody living can have says that the line is wrong; any other only that two sources differ."""
    return born is None or EARLIEST <= born <= today


def _sealed(load: Load, number: IdentityNumber, phone: str | None, person_id: uuid.UUID) -> tuple[Any, ...]:
    """Somebody new, should the line be taken: known, person, identity, sealed number, name so far, sealed phone."""
    identity_id = uuid.uuid4()
    sealed = load.sealer.seal("identity|id_enc", identity_id, number.value)
    return (False, person_id, identity_id, sealed, None, phone and load.sealer.seal("person_secret|phone_enc", person_id, phone))


def _recognised(load: Load, person: _Known, phone: str | None) -> tuple[Any, ...]:
    """Somebody known, with the phone only when it is another: two seals of one phone are not alike, so the old one is opened."""
    old = person.phone_enc and load.sealer.open("person_secret|phone_enc", person.person_id, person.phone_enc)
    new = load.sealer.seal("person_secret|phone_enc", person.person_id, phone) if phone and phone != old else None
    return (True, person.person_id, None, None, person.name, new)


def _told(number: IdentityNumber, values: Mapping[str, Any], phone_enc: bytes | None) -> tuple[Any, ...]:
    """What the line says, in the order of the columns. Of a birth date only the year is kept."""
    sex: str | None = values["sex"]
    born: dt.date | None = values["birth_date"]
    phone: str | None = values["phone"]
    contradicts = born is not None and born != number.birth_date
    return (
        values["name"],
        number.sex,
        number.birth_date.year,
        mask_number(number.value),
        phone and mask_phone(phone),
        phone_enc,
        *(values[name] for name in ("registration", "unit", "moved_in", "moved_out", "declared")),
        sex if sex != number.sex else None,
        f"{number.birth_date.year}-**-**",
        f"{born.year}-**-**" if contradicts and born is not None else None,
    )
