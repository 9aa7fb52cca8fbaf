"""Each named CHECK, UNIQUE and EXCLUDE constraint of the schema refuses the row that it is there to refuse, and so proves that it is there.

Keys to parents are the subject of test_existence.py, the two exclusions that may be deferred that of test_rules.py.
"""

import pytest
from psycopg import errors

from tests.protection.doors import Root, run, undone

NOWHERE = "public.ST_SetSRID('MULTIPOLYGON(((113 22, 114 23, 113 23, 114 22, 113 22)))'::public.geometry, 4490)"
"""A bow that crosses itself."""

CHECKS = {
    "access_key": {"key_hash": "key_hash = ''"},
    "account": {"role": "role = 'guest'", "username": "username = '-'"},
    "area": {
        "code": "code = '4403060'",
        "geom": f"geom = {NOWHERE}",
        "level": "level = 'street', code = '440306001001'",
        "parent_id": "parent_id = NULL",
        "valid": "valid_to = valid_from",
    },
    "area_grant": {"level": "level = 'district'", "valid": "valid_to = valid_from"},
    "area_lineage": {"kind": "kind = 'moved'", "self": "successor_id = predecessor_id"},
    "audit": {"outcome": "outcome = 'perhaps'"},
    "building": {
        "built_year": "built_year = 1799",
        "datum": "datum = 'WGS-84'",
        "floors_above": "floors_above = 0",
        "floors_below": "floors_below = 21",
        "footprint": f"footprint = {NOWHERE}",
        "house_code": "house_code = repeat('1', 18)",
        "nature": "nature = 'tent'",
    },
    "discrepancy": {"field": "field = 'religion'", "state": "state = 'forgotten'"},
    "duty_report": {
        "happened_on": "happened_on = (recorded_from AT TIME ZONE 'Asia/Shanghai')::date + 1",
        "kind": "kind = 'gossip'",
        "note": "note = ''",
        "persons": "persons = 1001",
    },
    "sync.file": {
        "complete": "state = 'complete', received = 0, objects = '{}'",
        "content_type": "content_type = 'text/html'",
        "length": "length = 0, received = 0, objects = '{}', state = 'expired'",
        "metadata": "metadata = '[]'",
        "objects": "state = 'expired', received = 1, objects = ARRAY['0-x']",
        "received": "received = length + 1, objects = ARRAY['0-x'], state = 'open'",
        "sha256": "sha256 = ''",
        "state": "state = 'lost', objects = '{}'",
    },
    "sync.file_link": {"kind": "kind = 'A'"},
    "grid": {
        "code": "code = '44030600100100'",
        "geom": f"geom = {NOWHERE}",
        "kind": "kind = 'dedicated'",
        "scheme": "scheme = 'City', kind = 'line_department'",
        "valid": "valid_to = valid_from",
    },
    "grid_assignment": {"valid": "valid_to = valid_from"},
    "grid_lineage": {"kind": "kind = 'moved'", "self": "successor_id = predecessor_id"},
    "identity": {"id_bi": "id_bi = '\\x00'"},
    "inspection": {
        "distance_m": "distance_m = 'NaN'",
        "findings": "findings = ARRAY['blocked_exit', 'Rats, mice']",
        "kind": "kind = 'raid'",
        "note": "note = repeat('X', 2001)",
        "outcome": "outcome = 'fine'",
        "place": "datum = NULL",
        "visited_at": "visited_at = recorded_from + interval '6 minutes'",
    },
    "job_run": {
        "detail": "detail = ''",
        "ended": "ended_at = NULL WHERE outcome = 'ok'",
        "job": "job = 'Job 1'",
        "outcome": "outcome = 'perhaps'",
    },
    "landlord": {
        "kind": "kind = 'estate'",
        "name": "name = ''",
        "organisation_id": "kind = 'person', organisation_id = gen_random_uuid()",
    },
    "lease": {
        "area_basis_m2": "area_basis_m2 = 0",
        "deposit_fen": "deposit_fen = -1",
        "ended_on": "ended_on = valid_to + 1",
        "filed": "state = 'filed', filed_on = NULL",
        "number": "number = 'a b'",
        "parent_id": "parent_id = id",
        "rent_fen": "rent_fen = 0",
        "rent_unit": "rent_unit = 'day'",
        "state": "state = 'lost'",
        "terminated": "state = 'terminated', ended_on = NULL",
        "valid": "valid_to = valid_from",
    },
    "manager": {
        "contacts": "state = 'active', police_contact = NULL",
        "gone": "state = 'resigned', valid_to = NULL",
        "kind": "kind = 'guard'",
        "state": "state = 'lost'",
        "valid": "valid_to = valid_from",
    },
    "organisation": {
        "credit_code": "credit_code = repeat('I', 18)",
        "role_code": "role_code = 'ARMY'",
        "successor": "successor_id = id",
        "valid": "valid_to = valid_from",
    },
    "person": {
        "birth_year": "birth_year = 1879",
        "name": "name = ''",
        "registration": "registration = 'tourist'",
        "sex": "sex = 'x'",
    },
    "post": {"code": "code = 'Post 1'"},
    "rent_cut": {"id": "id = 2"},
    "rent_figure": {
        "bands": "low = 101, high = 102",
        "basis": "basis = 'guess'",
        "flag": "flag = 'odd'",
        "lets": "lets = 'old'",
        "n_told": "n_told = 7",
        "reason": "reason = 'few'",
        "use": "use = 'casino'",
    },
    "rent_limit": {"pooled": "pooled = 'own'", "spread": "spread = 0"},
    "rent_observation": {
        "class": "class = 'tent'",
        "measured": "age = NULL",
        "reason": "reason = 'odd'",
        "reference": "reference = 'a b'",
        "source": "source = 'rumour'",
        "use": "use = 'casino'",
    },
    "rent_release": {
        "approved": "approved_by = reviewed_by",
        "edition": "edition = 0",
        "note": "note = repeat('X', 4001)",
        "published": "published_by = NULL, published_at = NULL",
        "published_before": "published_before = -1",
        "quarter": "quarter = '2020Q5'",
        "reviewed": "reviewed_by = NULL",
        "state": "state = 'lost', published_by = NULL, published_at = NULL",
    },
    "rent_run": {
        "counts": "trimmed = -1",
        "digest": "digest = 'a'",
        "frequency": "frequency = 'day'",
        "period": "ends = begins",
        "product": "product = 'price'",
        "use": "use = 'casino'",
    },
    "rent_pair_statistic": {"later": "later = earlier"},
    "rent_statistic": {"sums": "sums = '{1}'"},
    "rent_value": {
        "bands": "low = 101, high = 102",
        "counts": "landlords = -1",
        "largest_share": "largest_share = 1.1",
        "lets": "lets = 'old'",
        "pooled": "pooled = 'guess'",
        "reason": "value = NULL",
        "shrinkage": "shrinkage = 1.1",
        "use": "use = 'casino'",
        "value": "se = -1",
    },
    "residence": {
        "basis": "basis = 'squat'",
        "declared_by": "declared_by = 'rumour'",
        "valid": "valid_to = valid_from",
        "verified": "verified_at = now(), verified_by = NULL",
    },
    "resident_count": {
        "both": "residents = NULL",
        "floating": "floating = 25",
        "month": "counted_on = '2024-02-01'",
        "phase": "phase = 10",
        "residents": "residents = 10, floating = NULL",
    },
    "unit": {
        "area_m2": "area_m2 = 0",
        "code": "code = repeat('1', 24)",
        "floor": "floor = 0",
        "max_occupants": "max_occupants = -1",
        "use": "use = 'casino'",
    },
    "sec.ctx_key": {"kid": "kid = 'K'", "pads": "ipad = ''"},
    "sec.quota": {"positive": "per_hour = 0"},
    "sync.conflict": {"code": "code = 'odd'", "resolved": "state = 'resolved'", "state": "state = 'lost'"},
    "sync.dead_letter": {"closed": "state = 'closed'", "state": "state = 'lost'"},
    "sync.device": {"label": "label = ''", "last_seq": "last_seq = -1", "public_key": "public_key = ''", "status": "status = 'lost'"},
    "sync.enrolment": {"code_hash": "code_hash = ''", "used": "request_key = 'x'"},
    "sync.feed_meta": {"one": "one = false"},
    "sync.field_policy": {"policy": "policy = 'luck'", "version": "version = 0"},
    "sync.id_alias": {"self": "canonical = alias"},
    "sync.incident": {"code": "code = 'odd'"},
    "sync.mutation": {"client_seq": "client_seq = 0", "req_hash": "req_hash = ''", "status": "status = 'lost'"},
}
"""Table, what stands behind `ck_<table>_`, and the change that this constraint alone refuses."""

SINGLES = {
    "uq_access_key_key_hash": "UPDATE reg.access_key SET key_hash = sha256('')",
    "uq_account_username": "UPDATE reg.account SET username = 'x'",
    "uq_building_house_code": "UPDATE reg.building SET house_code = repeat('1', 19)",
    "uq_device_public_key": "UPDATE sync.device SET public_key = sha256('')",
    "uq_mutation_mutation_id": "UPDATE sync.mutation SET mutation_id = '00000000-0000-7000-8000-000000000001'",
    "uq_discrepancy_person_id_grid_id_field_theirs": "INSERT INTO"
    " reg.discrepancy (grid_id, subdistrict_id, person_id, field, theirs, source)"
    " SELECT grid_id, subdistrict_id, person_id, field, theirs, 'again' FROM reg.discrepancy",
    "uq_grid_scheme_code": "UPDATE reg.grid SET code = '440306001001001'",
    "uq_identity_id_bi": "UPDATE reg.identity SET id_bi = substring(sha256('') FOR 16)",
    "uq_landlord_subdistrict_id_name": "UPDATE reg.landlord SET name = 'x'",
    "uq_lease_number": "UPDATE reg.lease SET number = 'x'",
    "uq_organisation_credit_code": "UPDATE reg.organisation SET credit_code = repeat('1', 18)",
    "uq_post_code": "UPDATE reg.post SET code = 'x'",
    "uq_rent_figure_release_id": "INSERT INTO reg.rent_figure (release_id, run_id, product, frequency, area_id, use, lets, period, value,"
    " basis) SELECT release_id, run_id, product, frequency, area_id, use, lets, period, 99, 'model' FROM reg.rent_figure",
    "uq_rent_observation_source_reference": "UPDATE reg.rent_observation SET reference = 'x'",
    "uq_rent_release_quarter_edition": "UPDATE reg.rent_release SET edition = 9",
    "uq_resident_count_area_id_month": "INSERT INTO reg.resident_count (area_id, month, counted_on)"
    " SELECT area_id, month, counted_on + 1 FROM reg.resident_count",
    "uq_unit_code": "UPDATE reg.unit SET code = repeat('1', 25)",
    "ex_area_code_valid": "UPDATE reg.area SET code = '440306001001' WHERE level = 'community'",
    "ex_area_grant_account_area": "INSERT INTO reg.area_grant (account_id, area_id, level, valid_from)"
    " SELECT account_id, area_id, level, '2000-01-01' FROM reg.area_grant WHERE level = 'community'",
    "ex_area_grant_subdistrict": "INSERT INTO reg.area_grant (account_id, area_id, level, valid_from)"
    " SELECT r.account_id, a.id, a.level, '2000-01-01' FROM reg.area_grant r JOIN reg.area a ON a.level = r.level AND a.id <> r.area_id"
    " WHERE r.level = 'subdistrict'",
    "ex_grid_assignment_account_grid": "INSERT INTO reg.grid_assignment (account_id, grid_id, post_id, valid_from)"
    " SELECT account_id, grid_id, post_id, '2000-01-01' FROM reg.grid_assignment",
    "ex_manager_person_building": "INSERT INTO reg.manager (person_id, building_id, grid_id, subdistrict_id, kind, valid_from)"
    " SELECT person_id, building_id, grid_id, subdistrict_id, kind, '2021-01-01' FROM reg.manager",
}
"""What may be there once only, and the statement that would write it twice."""

REFUSALS = {
    f"ck_{table.rpartition('.')[2]}_{name}": f"UPDATE {table if '.' in table else f'reg.{table}'} SET {change}"
    for table, changes in CHECKS.items()
    for name, change in changes.items()
} | SINGLES
DEFERRED = {"ex_lease_unit", "ex_residence_main"}

# A key with the primary key in it is there for composite foreign keys to point to, and refuses nothing of its own.
NAMED = """
SELECT DISTINCT c.conname FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid
 WHERE c.connamespace IN ('reg'::regnamespace, 'sec'::regnamespace, 'sync'::regnamespace) AND c.contype IN ('c', 'u', 'x')
   AND NOT (c.contype = 'u' AND EXISTS (
     SELECT FROM pg_constraint p WHERE p.conrelid = c.conrelid AND p.contype = 'p' AND p.conkey <@ c.conkey))"""


def test_every_named_constraint_has_a_row_that_it_refuses(root: Root) -> None:
    assert {name for (name,) in run(root, NAMED)} == REFUSALS.keys() | DEFERRED


@pytest.mark.parametrize("constraint", REFUSALS)
def test_constraint_refuses_the_row_that_it_is_there_for(root: Root, constraint: str) -> None:
    run(root, "SET LOCAL session_replication_role = replica")  # no trigger is faster than the constraint
    with pytest.raises(errors.IntegrityError) as refused, undone(root):
        run(root, REFUSALS[constraint])
    assert refused.value.diag.constraint_name == constraint
