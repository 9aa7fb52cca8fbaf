"""Leases of a file: each for a unit and a term, the rent turned into fen a month, lessor and lessee found where they are known."""

import datetime as dt
from decimal import Decimal
from typing import Final

from stdnum.cn import uscc

from gridmgmt.intake import checks
from gridmgmt.intake.checks import Check, Fault
from gridmgmt.intake.columns import Column
from gridmgmt.intake.loading import MOST_WARNINGS, Load, Rows
from gridmgmt.intake.periods import Claim, settle
from gridmgmt.registers.identity_numbers import IdentityNumber
from gridmgmt.registers.landlords import kind_of
from gridmgmt.registers.masks import mask_number
from gridmgmt.registers.terms import RENT_UNITS

STAGE: Final = """
CREATE TEMP TABLE staged (line int, number text, unit_code text, lessor text, lessee bytea, lessee_mask text, head text, rent numeric,
  rent_unit text, deposit numeric, begins date, ends date, signed_on date, filed_on date, new_let boolean) ON COMMIT DROP"""

BACKWARDS: Final = """
DELETE FROM pg_temp.staged WHERE ends <= begins
RETURNING line, 'ends', CASE WHEN ends < begins THEN 'end before start'
  ELSE 'end on the day of the start; it is the first day after the term' END"""

NO_UNIT: Final = """
DELETE FROM pg_temp.staged s WHERE NOT EXISTS (SELECT FROM reg.unit u WHERE u.code = s.unit_code AND u.deleted_at IS NULL)
RETURNING s.line, 'unit', 'unknown unit'"""

LESSEES: Final = """
CREATE TEMP TABLE lessee ON COMMIT DROP AS
SELECT k.id_bi, k.person_id
  FROM (SELECT array_agg(d.lessee) AS numbers
          FROM (SELECT s.lessee, (row_number() OVER (ORDER BY s.lessee) - 1) / 10000 AS part
                  FROM pg_temp.staged s WHERE s.lessee IS NOT NULL GROUP BY s.lessee) d GROUP BY d.part) batch
  CROSS JOIN LATERAL sec.people_known(batch.numbers) k WHERE NOT k.struck"""

# A lease that is there keeps the square metres that it was signed for, its state (but for the filing), and what the file leaves empty.
PLACED: Final = """
CREATE TEMP TABLE placed ON COMMIT DROP AS
SELECT f.line, f.number, f.unit_id, f.unit_code, f.grid_id, f.subdistrict_id, f.rent, f.rent_unit, f.area_basis, f.begins, f.ends,
       f.new_let, f.known, f.trouble, f.exclusive, f.ended_on, f.head, CASE WHEN f.head IS NULL OR f.known IS NOT NULL THEN 0 END AS depth,
       coalesce(f.lessor, f.old_lessor) AS lessor, coalesce(e.person_id, f.old_lessee) AS lessee_id,
       e.person_id IS NULL AND f.lessee IS NOT NULL AS unknown_lessee, f.lessee_mask,
       round(CASE f.rent_unit WHEN 'month' THEN f.rent * 100 WHEN 'm2_month' THEN f.rent * 100 * f.area_basis ELSE f.rent * 100 / 12 END)
         AS rent_fen,
       coalesce(round(f.deposit * 100), f.old_deposit) AS deposit_fen, coalesce(f.signed_on, f.old_signed) AS signed_on,
       coalesce(f.filed_on, f.old_filed) AS filed_on,
       CASE WHEN coalesce(f.old_state, 'signed') = 'signed' AND f.filed_on IS NOT NULL THEN 'filed' ELSE coalesce(f.old_state, 'signed') END
         AS state
  FROM (SELECT s.*, u.id AS unit_id, u.grid_id, u.subdistrict_id, coalesce(l.area_basis_m2, u.area_m2) AS area_basis, l.id AS known,
               l.lessor_name AS old_lessor, l.lessee_id AS old_lessee, l.deposit_fen AS old_deposit, l.signed_on AS old_signed,
               l.filed_on AS old_filed, l.state AS old_state, l.ended_on,
               CASE WHEN l.id IS NULL THEN s.head IS NULL
                 ELSE l.parent_id IS NULL AND l.state NOT IN ('drafted', 'cancelled') END AS exclusive,
               CASE WHEN l.deleted_at IS NOT NULL THEN 'lease number belonged to a lease that was struck off'
                 WHEN l.unit_id <> u.id THEN 'lease number is of a lease of another unit'
                 WHEN s.begins > l.ended_on OR s.ends < l.ended_on THEN 'the lease was ended on a day outside this term'
                 WHEN (l.valid_from, l.valid_to) <> (s.begins, s.ends)
                   AND (l.parent_id IS NOT NULL OR EXISTS (SELECT FROM reg.lease c WHERE c.parent_id = l.id AND c.deleted_at IS NULL))
                   THEN 'the term of a lease that is a sublet or has sublets is not corrected by a file'
                 WHEN l.id IS NOT NULL AND s.head IS NOT NULL
                   AND NOT EXISTS (SELECT FROM reg.lease h WHERE h.id = l.parent_id AND h.number = s.head)
                   THEN 'the lease is known, and not as a sublet of that lease' END AS trouble
          FROM pg_temp.staged s
          JOIN reg.unit u ON u.code = s.unit_code
          LEFT JOIN reg.lease l ON l.number = s.number) f
  LEFT JOIN pg_temp.lessee e ON e.id_bi = f.lessee"""

TROUBLED: Final = "DELETE FROM pg_temp.placed WHERE trouble IS NOT NULL RETURNING line, 'number', trouble"
EXTREME: Final = """
DELETE FROM pg_temp.placed WHERE NOT rent_fen BETWEEN 1 AND 100000000000
RETURNING line, 'rent', 'rent is out of range: 0.01 to 1,000,000,000 yuan a month'"""

UNCHANGED: Final = """
DELETE FROM pg_temp.placed p USING reg.lease l
 WHERE l.id = p.known
   AND (l.rent_fen, l.rent_given, l.rent_unit, l.valid_from, l.valid_to, l.state, l.new_let)
     = (p.rent_fen, p.rent, p.rent_unit, p.begins, p.ends, p.state, p.new_let)
   AND (l.lessor_name, l.lessee_id, l.deposit_fen, l.signed_on, l.filed_on)
     IS NOT DISTINCT FROM (p.lessor, p.lessee_id, p.deposit_fen, p.signed_on, p.filed_on)"""

HELD: Final = """
SELECT l.unit_id, l.valid_from AS begins, coalesce(l.ended_on, l.valid_to) AS ends FROM reg.lease l
 WHERE l.parent_id IS NULL AND l.deleted_at IS NULL AND l.state NOT IN ('drafted', 'cancelled')
   AND l.unit_id IN (SELECT p.unit_id FROM pg_temp.placed p)"""

# One sweep over each unit's terms in order: where one begins before all earlier ones have ended, somebody has to give way.
CONTESTED: Final = f"""
CREATE TEMP TABLE contested ON COMMIT DROP AS
SELECT DISTINCT t.unit_id
  FROM (SELECT a.unit_id, a.begins < max(a.ends) OVER (PARTITION BY a.unit_id ORDER BY a.begins, a.ends
                 ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS meets
          FROM (SELECT unit_id, begins, coalesce(ended_on, ends) AS ends FROM pg_temp.placed WHERE exclusive UNION ALL {HELD}) a) t
 WHERE t.meets"""  # noqa: S608 -- a fixed text

CLAIMS: Final = """
SELECT p.unit_id, coalesce(p.known::text, p.number), p.number, p.line, p.begins, coalesce(p.ended_on, p.ends)
  FROM pg_temp.placed p JOIN pg_temp.contested USING (unit_id) WHERE p.exclusive
UNION ALL
SELECT l.unit_id, l.id::text, l.number, NULL, l.valid_from, coalesce(l.ended_on, l.valid_to)
  FROM reg.lease l JOIN pg_temp.contested USING (unit_id)
 WHERE l.parent_id IS NULL AND l.deleted_at IS NULL AND l.state NOT IN ('drafted', 'cancelled')
   AND l.valid_from < coalesce(l.ended_on, l.valid_to)"""

# A sublet hangs on a lease of the same unit that stands in the register or, at a smaller depth, in the file, and does not outlast it.
DEEPER: Final = """
UPDATE pg_temp.placed s SET depth = :depth
 WHERE s.depth IS NULL AND EXISTS (
   SELECT FROM (SELECT p.number, p.unit_id, p.begins, coalesce(p.ended_on, p.ends) AS ends FROM pg_temp.placed p
                 WHERE p.depth < :depth AND p.state NOT IN ('drafted', 'cancelled')
                UNION ALL
                SELECT l.number, l.unit_id, l.valid_from, coalesce(l.ended_on, l.valid_to) FROM reg.lease l
                 WHERE l.deleted_at IS NULL AND l.state NOT IN ('drafted', 'cancelled')
                   AND NOT EXISTS (SELECT FROM pg_temp.placed c WHERE c.known = l.id)) h
    WHERE h.number = s.head AND h.unit_id = s.unit_id AND h.begins <= s.begins AND h.ends >= s.ends)"""
UNHUNG: Final = """
DELETE FROM pg_temp.placed s WHERE s.depth IS NULL
RETURNING s.line, 'head', CASE
  WHEN EXISTS (SELECT FROM pg_temp.placed h WHERE h.number = s.head AND h.unit_id = s.unit_id)
    OR EXISTS (SELECT FROM reg.lease h WHERE h.number = s.head AND h.unit_id = s.unit_id AND h.deleted_at IS NULL)
  THEN 'the sublet is not within the term of its head lease, or that lease does not stand'
  ELSE 'unknown head lease, one of another unit, or one that was refused' END"""

STRANGERS: Final = """
SELECT DISTINCT p.subdistrict_id, p.lessor FROM pg_temp.placed p
 WHERE p.lessor IS NOT NULL AND NOT EXISTS (SELECT FROM reg.landlord d WHERE d.subdistrict_id = p.subdistrict_id AND d.name = p.lessor)"""
LANDLORDS: Final = """
INSERT INTO reg.landlord (subdistrict_id, kind, name)
SELECT * FROM unnest(CAST(:subdistricts AS int[]), CAST(:kinds AS text[]), CAST(:names AS text[]))
    ON CONFLICT (subdistrict_id, name) DO NOTHING"""

CORRECT: Final = """
UPDATE reg.lease l SET lessor_name = p.lessor, landlord_id = d.id, lessee_id = p.lessee_id, rent_fen = p.rent_fen, rent_given = p.rent,
    rent_unit = p.rent_unit, deposit_fen = p.deposit_fen, valid_from = p.begins, valid_to = p.ends, signed_on = p.signed_on,
    filed_on = p.filed_on, state = p.state, new_let = p.new_let
  FROM pg_temp.placed p
  LEFT JOIN reg.landlord d ON d.subdistrict_id = p.subdistrict_id AND d.name = p.lessor AND d.deleted_at IS NULL
 WHERE l.id = p.known"""

# In the order of the units, so that neighbours in the indexes are written together.
ENTER: Final = """
INSERT INTO reg.lease (recorded_by, number, unit_id, grid_id, subdistrict_id, parent_id, landlord_id, lessor_name, lessee_id, rent_fen,
    rent_given, rent_unit, area_basis_m2, deposit_fen, valid_from, valid_to, signed_on, filed_on, state, new_let)
SELECT (SELECT sec.actor()), p.number, p.unit_id, p.grid_id, p.subdistrict_id, {parent}, d.id, p.lessor, p.lessee_id, p.rent_fen,
    p.rent, p.rent_unit, p.area_basis, p.deposit_fen, p.begins, p.ends, p.signed_on, p.filed_on, p.state, p.new_let
  FROM pg_temp.placed p {beside}
  LEFT JOIN reg.landlord d ON d.subdistrict_id = p.subdistrict_id AND d.name = p.lessor AND d.deleted_at IS NULL
 WHERE p.known IS NULL AND {which} ORDER BY p.unit_id, p.line"""
CREATE: Final = ENTER.format(parent="CAST(NULL AS uuid)", beside="", which="p.depth = 0 AND p.line > :after AND p.line <= :upto")
CREATE_SUBLETS: Final = ENTER.format(
    parent="h.id", beside="JOIN reg.lease h ON h.number = p.head AND h.deleted_at IS NULL", which="p.depth = :depth"
)

ORGANISATION: Final = "organisation"
STAGED: Final = ("head", "rent", "rent_unit", "deposit", "begins", "ends", "signed", "filed", "new_let")


def columns(*, today: dt.date, demo: bool) -> tuple[Column, ...]:
    """The columns of a file of leases. The end is the first day after the term; a sublet (转租) names the lease it hangs on."""
    cent, most = Decimal("0.01"), Decimal(999_999_999_999)
    deposit = checks.between("deposit", Decimal(0), Decimal(10_000_000_000), places=2)
    number = checks.pattern("lease number", r"[0-9A-Za-z/_-]{1,40}", "1 to 40 letters, digits, - _ or /")
    return (
        Column("number", ("合同编号", "租赁合同编号", "lease number", "contract number"), number),
        Column("unit", ("单元编码", "房间编码", "套房编码", "unit", "unit code"), checks.code("unit code", 25)),
        Column("lessor", ("出租人", "出租方", "lessor"), checks.words("lessor", 200), blank=True),
        Column(
            "lessee", ("承租人证件号码", "承租人身份证号", "lessee's number", "lessee number"), lessee(today=today, demo=demo), blank=True
        ),
        Column("rent", ("租金", "月租金", "rent"), checks.between("rent", cent, most, places=2)),
        Column("rent_unit", ("租金单位", "计租方式", "rent unit"), checks.term("rent unit", RENT_UNITS)),
        Column("deposit", ("押金", "保证金", "deposit"), deposit, required=False, blank=True),
        Column("begins", ("起始日期", "租赁起始日期", "开始日期", "start"), checks.date("start")),
        Column("ends", ("终止日期", "租赁终止日期", "结束日期", "end"), checks.date("end")),
        Column("signed", ("签订日期", "签约日期", "signed"), checks.date("signed"), required=False, blank=True),
        Column("filed", ("备案日期", "filed"), checks.date("filed"), required=False, blank=True),
        Column("new_let", ("是否新租", "new let"), checks.yes_or_no("new let")),
        Column("head", ("上级合同编号", "主合同编号", "head lease"), number, required=False, blank=True),
    )


def lessee(*, today: dt.date, demo: bool) -> Check[IdentityNumber | str]:
    """The number of a person, or the credit code of an organisation, which comes out as one word: it is not looked up."""
    person = checks.identity_number(today=today, demo=demo)

    def check(text: str) -> IdentityNumber | str | Fault:
        found = person(text)
        return ORGANISATION if isinstance(found, Fault) and uscc.is_valid(checks.plain(text)) else found

    return check


def load_leases(load: Load) -> None:
    """Write the leases. A lessee whom nobody knows is left out with a warning: people come by their own file."""
    load.run(STAGE)
    names = ("line", "number", "unit_code", "lessor", "lessee", "lessee_mask", *STAGED[:-3], "signed_on", "filed_on", "new_let")
    for rows in load.read():
        load.copy("staged", names, _staged(load, rows))
    load.progress("check", 0, load.rows)
    load.run("ANALYZE pg_temp.staged (number, unit_code, lessee)")
    load.drop(BACKWARDS)
    load.drop(NO_UNIT)
    load.drop_repeats("staged", "number", "number", "the lease number")
    load.run(LESSEES)
    load.run(PLACED)
    load.run("ANALYZE pg_temp.placed (line, known, unit_id)")
    load.drop(TROUBLED)
    load.drop(EXTREME)
    _warn_of_lessees(load)
    load.unchanged = load.run(UNCHANGED)
    _give_way(load)
    depth = _hang(load) if load.has("head") else 0
    landlords = enter_landlords(load)
    load.run("SET CONSTRAINTS reg.ex_lease_unit DEFERRED")
    corrected = load.run(CORRECT)
    created = load.write(CREATE)
    sublets = sum(load.run(CREATE_SUBLETS, depth=one) for one in range(1, depth + 1))  # a head lease before what hangs on it
    load.accepted = created + sublets + corrected
    load.counts |= {"created": created, "sublets": sublets, "corrected": corrected, "landlords": landlords}


def _staged(load: Load, rows: Rows) -> list[tuple[object, ...]]:
    index = load.sealer.blind_index
    persons = [one if isinstance(one, IdentityNumber) else None for one in rows.values["lessee"]]
    for line, one in zip(rows.lines, rows.values["lessee"], strict=True):
        if one == ORGANISATION:
            load.warn(f"line {line}: the lessee is an organisation, which the lease does not name")
    return list(
        zip(
            rows.lines,
            rows.values["number"],
            rows.values["unit"],
            rows.values["lessor"],
            [one and index(one.value) for one in persons],
            [one and mask_number(one.value) for one in persons],
            *(rows.values[name] for name in STAGED),
            strict=True,
        )
    )


def _warn_of_lessees(load: Load) -> None:
    unknown = "FROM pg_temp.placed WHERE unknown_lessee"
    for line, mask in load.fetch(f"SELECT line, lessee_mask {unknown} ORDER BY line LIMIT :most", most=MOST_WARNINGS):
        load.warn(f"line {line}: no person with the number {mask} is known; the lease is kept without its lessee")
    (every,) = load.fetch(f"SELECT count(*) {unknown}")[0]
    load.silenced += max(0, every - MOST_WARNINGS)
    load.counts["lessees unknown"] = every


def enter_landlords(load: Load) -> int:
    """Enter the lessors of the placed rows whom their subdistrict does not know yet; how many."""
    strangers = load.fetch(STRANGERS)
    names = [name for _, name in strangers]
    return load.run(LANDLORDS, subdistricts=[area for area, _ in strangers], kinds=[kind_of(name) for name in names], names=names)


def _give_way(load: Load) -> None:
    """Refuse the later of two leases of a unit that overlap, in the order of the file."""
    load.run(CONTESTED)
    claims = [Claim(*row) for row in load.fetch(CLAIMS)]
    late = settle(claims)
    for line, rival in late.items():
        load.refuse(line, "begins", f"overlaps lease {rival} of the same unit")
    load.run("DELETE FROM pg_temp.placed WHERE line = ANY (:lines)", lines=list(late))


def _hang(load: Load) -> int:
    """Refuse the sublets that hang on nothing; the depth of the longest chain."""
    depth = 0
    while load.run(DEEPER, depth=depth + 1):
        depth += 1
    load.drop(UNHUNG)
    return depth
