"""Functions that take what handhelds send, and the queues of what could not be taken as it was sent.

Why: nobody has rights of his own on the tables of the synchronisation. What was sent, its conflicts and its dead letters are written by
named functions in the transaction of the rows themselves, so that neither is there without the other.
"""

from alembic import op

revision = "20261128_22"
down_revision = "20261128_21"
branch_labels = None
depends_on = None

FLAGGED = ("building", "unit", "person", "residence", "lease")
WRITERS = "app_field, app_subdistrict, app_district"

PUSH = """
-- First statement of a push. One push of a device at a time: a repetition waits behind the original that still runs. An advisory lock takes no
-- transaction id, so a waiting one does not hold the feed back. The role's statements end after 5 s, so the wait ends before.
-- Gives what is known of the numbers that the device sends: those taken before with their answers, mutation ids under another number, the
-- mutations that others are based on, aliases, and the grids of the worker, those lost of late apart. A base whose answer is kept no more comes
-- without a version unless it was applied: what it had not read is not known. Each number is looked up by itself (LIMIT 1), not in all of them.
CREATE FUNCTION sec.push_open(p_device uuid, p_ids uuid[], p_seqs bigint[], p_bases bigint[], p_refs uuid[],
  OUT last_seq bigint, OUT stored jsonb, OUT taken uuid[], OUT bases jsonb, OUT aliases jsonb, OUT merged uuid[],
  OUT grids jsonb, OUT lost jsonb)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE waits text := current_setting('lock_timeout');
BEGIN
  IF sec.device() IS DISTINCT FROM p_device OR current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE insufficient_privilege USING MESSAGE = 'not in scope';
  END IF;
  PERFORM set_config('lock_timeout', '4s', true);
  PERFORM pg_advisory_xact_lock(hashtextextended(p_device::text, 0));
  PERFORM set_config('lock_timeout', waits, true);
  SELECT d.last_seq INTO STRICT last_seq FROM sync.device d WHERE d.id = p_device;
  SELECT coalesce(jsonb_object_agg(m.client_seq, jsonb_build_object('hash', encode(m.req_hash, 'hex'), 'status', m.status, 'id', m.entity_id,
           'version', m.version, 'result', m.result)), '{}') INTO stored FROM unnest(p_seqs) AS u(seq)
   CROSS JOIN LATERAL (SELECT m.* FROM sync.mutation m WHERE m.device_id = p_device AND m.client_seq = u.seq LIMIT 1) m;
  SELECT coalesce(array_agg(u.id), '{}') INTO taken FROM unnest(p_ids, p_seqs) AS u(id, seq)
   CROSS JOIN LATERAL (SELECT m.* FROM sync.mutation m WHERE m.mutation_id = u.id LIMIT 1) m WHERE m.device_id <> p_device OR m.client_seq <> u.seq;
  SELECT coalesce(jsonb_object_agg(m.client_seq, jsonb_build_object('status', m.status, 'id', m.entity_id,
           'version', CASE WHEN m.result IS NOT NULL OR m.status = 'applied' THEN coalesce(m.version, (m.result ->> 'version')::int) END,
           'unseen', coalesce(m.result -> 'merged', '[]') || coalesce(m.result -> 'kept', '[]')
             || CASE m.status WHEN 'conflict' THEN coalesce(m.result -> 'fields', '[]') ELSE '[]' END)), '{}') INTO bases FROM unnest(p_bases) AS u(seq)
   CROSS JOIN LATERAL (SELECT m.* FROM sync.mutation m WHERE m.device_id = p_device AND m.client_seq = u.seq LIMIT 1) m;
  SELECT coalesce(jsonb_object_agg(a.alias, a.canonical), '{}'), coalesce(array_agg(a.alias) FILTER (WHERE a.merged), '{}') INTO aliases, merged
    FROM sync.id_alias a WHERE a.alias = ANY (p_refs || ARRAY(SELECT (b.value ->> 'id')::uuid FROM jsonb_each(bases) b));
  SELECT coalesce(jsonb_object_agg(l.grid_id, l.lost_at), '{}') INTO lost FROM sec.lost_grids() l;
  SELECT coalesce(jsonb_object_agg(g.id, g.subdistrict_id), '{}') INTO grids FROM reg.grid g WHERE g.id = ANY (sec.grids());
  SET CONSTRAINTS ALL IMMEDIATE;  -- what is checked at the commit would spoil everything that is written until then
END $$;

-- Last statement of a push: what was sent and what became of it. Arrays are of one length, the numbers follow the last one without a gap.
CREATE FUNCTION sec.push_close(p_device uuid, p_seq bigint[], p_mutation uuid[], p_hash bytea[], p_kind text[], p_entity uuid[], p_version int[],
  p_status text[], p_result text[], p_captured timestamptz[], p_corrected timestamptz[], p_letters bytea[], p_kv smallint, p_beside jsonb,
  p_skew bigint, p_app text, p_schema int) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE who bigint := sec.uid('field'); many int := cardinality(p_seq);
BEGIN
  IF sec.device() IS DISTINCT FROM p_device THEN RAISE insufficient_privilege USING MESSAGE = 'not in scope'; END IF;
  UPDATE sync.device d SET last_seq = d.last_seq + many, last_push_at = clock_timestamp(), clock_skew_ms = coalesce(p_skew, d.clock_skew_ms),
      app_version = coalesce(p_app, d.app_version), schema_version = coalesce(p_schema, d.schema_version)
   WHERE d.id = p_device AND (many = 0 OR p_seq[1] = d.last_seq + 1 AND p_seq[many] = d.last_seq + many);
  IF NOT FOUND THEN RAISE insufficient_privilege USING MESSAGE = 'the numbers do not follow'; END IF;
  INSERT INTO sync.mutation (device_id, client_seq, mutation_id, req_hash, kind, entity_id, version, status, result, captured_at, captured_at_corrected)
    SELECT p_device, u.seq, u.mutation, u.hash, u.kind, u.entity, u.version, u.status, u.result::jsonb, u.captured, u.corrected
      FROM unnest(p_seq, p_mutation, p_hash, p_kind, p_entity, p_version, p_status, p_result, p_captured, p_corrected)
        AS u(seq, mutation, hash, kind, entity, version, status, result, captured, corrected);
  IF p_beside IS NULL THEN RETURN; END IF;
  IF EXISTS (SELECT FROM jsonb_to_recordset(p_beside -> 'conflicts') AS c(grid_id int) WHERE NOT sec.may_see(c.grid_id, NULL))
    OR EXISTS (SELECT FROM jsonb_to_recordset(p_beside -> 'letters') AS c(grid_id int) WHERE c.grid_id IS NOT NULL AND NOT sec.may_see(c.grid_id, NULL))
    OR EXISTS (SELECT FROM jsonb_to_recordset(p_beside -> 'aliases') AS a(canonical uuid)
                WHERE NOT EXISTS (SELECT FROM reg.person p WHERE p.id = a.canonical AND sec.may_see(p.grid_id, p.subdistrict_id))) THEN
    RAISE insufficient_privilege USING MESSAGE = 'not in scope';
  END IF;
  INSERT INTO sync.conflict (id, code, kind, entity_id, grid_id, subdistrict_id, device_id, client_seq, fields, base, theirs, yours, state)
    SELECT c.id, c.code, c.kind, c.entity_id, c.grid_id, g.subdistrict_id, p_device, c.seq, c.fields, c.base, c.theirs, c.yours, c.state
      FROM jsonb_to_recordset(p_beside -> 'conflicts') AS c(id uuid, code text, kind text, entity_id uuid, grid_id int, seq bigint, fields text[],
        base jsonb, theirs jsonb, yours jsonb, state text) JOIN reg.grid g ON g.id = c.grid_id;
  INSERT INTO sync.dead_letter (device_id, client_seq, mutation_id, account_id, grid_id, subdistrict_id, kind, entity_id, body_enc, kv, problem)
    SELECT p_device, l.seq, l.mutation_id, who, l.grid_id, g.subdistrict_id, l.kind, l.entity_id, l.body, p_kv, l.problem
      FROM ROWS FROM (jsonb_to_recordset(p_beside -> 'letters') AS (seq bigint, mutation_id uuid, kind text, entity_id uuid, grid_id int,
          problem jsonb), unnest(p_letters)) AS l(seq, mutation_id, kind, entity_id, grid_id, problem, body) LEFT JOIN reg.grid g ON g.id = l.grid_id
    ON CONFLICT DO NOTHING;
  INSERT INTO sync.id_alias (alias, canonical, kind)
    SELECT a.alias, a.canonical, 'resident' FROM jsonb_to_recordset(p_beside -> 'aliases') AS a(alias uuid, canonical uuid) ON CONFLICT DO NOTHING;
  INSERT INTO sync.incident (device_id, code, detail)
    SELECT p_device, i.code, i.detail FROM jsonb_to_recordset(p_beside -> 'incidents') AS i(code text, detail jsonb)
     WHERE NOT EXISTS (SELECT FROM sync.incident o WHERE o.device_id = p_device AND o.code = i.code AND o.detail = i.detail);
  UPDATE sync.conflict c SET state = 'resolved', resolved_by = who, resolved_at = clock_timestamp(), resolution = r.resolution
    FROM jsonb_to_recordset(p_beside -> 'resolved') AS r(id uuid, resolution jsonb)
   WHERE c.id = r.id AND c.state = 'open' AND sec.may_see(c.grid_id, c.subdistrict_id);
END $$;

-- The versions of some rows that the device itself made.
CREATE FUNCTION sec.own_versions(p_device uuid, p_ids uuid[], OUT entity_id uuid, OUT version int) RETURNS SETOF record
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF sec.device() IS DISTINCT FROM p_device THEN RAISE insufficient_privilege USING MESSAGE = 'not in scope'; END IF;
  RETURN QUERY SELECT m.entity_id, m.version FROM sync.mutation m
    WHERE m.device_id = p_device AND m.entity_id = ANY (p_ids) AND m.version IS NOT NULL;
END $$;
"""

RESIDENTS = """
-- Takes hold of some identity numbers until the transaction ends, known or not, and tells who among the worker's own residents has one.
-- Of everybody else the answer, the rows written and the time say nothing. In the order of the index: two batches in opposite order deadlock.
CREATE FUNCTION sec.residents_claim(p_identity uuid[], p_bi bytea[], p_enc bytea[], p_kv smallint, OUT id_bi bytea, OUT canonical uuid)
RETURNS SETOF record LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE mine int[];
BEGIN
  IF sec.device() IS NULL THEN RAISE insufficient_privilege USING MESSAGE = 'not in scope'; END IF;
  SELECT coalesce(array_agg(g), '{}') INTO mine FROM unnest(sec.grids()) g WHERE g NOT IN (SELECT l.grid_id FROM sec.lost_grids() l);
  INSERT INTO reg.identity AS i (id, id_bi, id_enc, kv)
    SELECT u.id, u.bi, u.enc, p_kv FROM unnest(p_identity, p_bi, p_enc) AS u(id, bi, enc) ORDER BY u.bi
    ON CONFLICT ON CONSTRAINT uq_identity_id_bi DO UPDATE SET kv = i.kv;
  RETURN QUERY SELECT u.bi, (
      SELECT p.id FROM reg.identity i JOIN reg.person_secret s ON s.identity_id = i.id JOIN reg.person p ON p.id = s.person_id
       WHERE i.id_bi = u.bi AND p.deleted_at IS NULL AND p.grid_id = ANY (mine) ORDER BY s.is_first DESC, p.id LIMIT 1)
    FROM unnest(p_bi) AS u(bi);
END $$;

-- Writes the records of new residents, set-based, each number at most once and claimed before. A row comes back for each record that was
-- written: none for an id that is used. Known numbers and new ones take the same steps, as in person_ensure.
CREATE FUNCTION sec.residents_make(p_id uuid[], p_grid int[], p_bi bytea[], p_kv smallint, p_name text[], p_sex text[], p_birth_year int[],
  p_mask text[], p_phone_enc bytea[], p_phone_mask text[], p_registration text[], p_conflict boolean[],
  OUT id uuid, OUT version int, OUT grid_id int, OUT subdistrict_id int)
RETURNS SETOF record LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE made uuid[]; who bigint := sec.uid('field');
BEGIN
  IF who IS NULL OR sec.device() IS NULL
    OR EXISTS (SELECT FROM (SELECT DISTINCT g FROM unnest(p_grid) g OFFSET 0) x WHERE NOT sec.may_see(x.g, NULL)) THEN  -- once a grid, not a row
    RAISE insufficient_privilege USING MESSAGE = 'not in scope';
  END IF;
  WITH ins AS (
    INSERT INTO reg.person AS p (id, recorded_by, grid_id, subdistrict_id, name, sex, birth_year, id_mask, phone_mask, registration, conflict_open)
      SELECT u.id, who, u.grid, g.subdistrict_id, u.name, u.sex, u.born, u.mask, u.phone, u.registration, u.conflict
        FROM unnest(p_id, p_grid, p_name, p_sex, p_birth_year, p_mask, p_phone_mask, p_registration, p_conflict)
             AS u(id, grid, name, sex, born, mask, phone, registration, conflict) JOIN reg.grid g ON g.id = u.grid
      ON CONFLICT ON CONSTRAINT pk_person DO NOTHING RETURNING p.id)
  SELECT coalesce(array_agg(i.id), '{}') INTO made FROM ins i;
  WITH them AS (
    SELECT u.id, u.bi, u.name, u.phone, i.id AS identity, f.person_id AS first_person, f.name AS known
      FROM unnest(p_id, p_bi, p_name, p_phone_enc) AS u(id, bi, name, phone) LEFT JOIN reg.identity i ON i.id_bi = u.bi
      LEFT JOIN LATERAL (
        SELECT s.person_id, p.name FROM reg.person_secret s JOIN reg.person p ON p.id = s.person_id
         WHERE s.identity_id = i.id AND p.deleted_at IS NULL ORDER BY s.is_first DESC, p.id LIMIT 1) f ON true
     WHERE u.id = ANY (made)),
  secrets AS (
    INSERT INTO reg.person_secret (person_id, identity_id, phone_enc, kv, req_hash, is_first)
      SELECT t.id, t.identity, t.phone, p_kv, sha256(uuid_send(t.id)), t.first_person IS NULL FROM them t)
  INSERT INTO reg.discrepancy (grid_id, subdistrict_id, person_id, field, ours, theirs, source)
    SELECT p.grid_id, p.subdistrict_id, p.id, 'name', p.name, t.name, 'sync' FROM them t JOIN reg.person p ON p.id = t.first_person
     WHERE t.known <> t.name
    ON CONFLICT ON CONSTRAINT uq_discrepancy_person_id_grid_id_field_theirs DO NOTHING;
  RETURN QUERY SELECT p.id, p.version, p.grid_id, p.subdistrict_id FROM reg.person p WHERE p.id = ANY (made);
END $$;
"""

QUEUES = """
-- Holds a conflict that the caller sees until it is decided, so that two do not decide it at once. No row: it is not there, or not seen.
-- Constraints are checked at once from here on, while it can be told what is to blame.
CREATE FUNCTION sec.conflict_hold(p_id uuid) RETURNS SETOF sync.conflict
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  SET CONSTRAINTS ALL IMMEDIATE;
  RETURN QUERY SELECT c.* FROM sync.conflict c WHERE c.id = p_id AND sec.may_see(c.grid_id, c.subdistrict_id) FOR UPDATE;
END $$;
-- Writes down how it was decided; the row itself was written before, in the same transaction.
CREATE FUNCTION sec.conflict_close(p_id uuid, p_resolution jsonb, p_key text, p_hash bytea) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE sync.conflict c SET state = 'resolved', resolved_by = sec.actor(), resolved_at = clock_timestamp(), resolution = p_resolution,
      request_key = p_key, request_hash = p_hash
   WHERE c.id = p_id AND c.state = 'open' AND sec.may_see(c.grid_id, c.subdistrict_id);
  IF NOT FOUND THEN RAISE insufficient_privilege USING MESSAGE = 'not in scope'; END IF;
END $$;
-- A hint was right, two records are one human being: what names the one names the other from now on, and the one is struck out. Not for
-- workers. Further hints about the one are about the other, and those that have lost their second side are decided with it.
CREATE FUNCTION sec.residents_merge(p_hint uuid) RETURNS int
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE p_keep uuid; p_drop uuid; home record; waits boolean;
BEGIN
  SELECT (c.theirs ->> 'resident_id')::uuid, c.entity_id INTO p_keep, p_drop FROM sync.conflict c
   WHERE c.id = p_hint AND c.code = 'same-person' AND c.state = 'open' AND sec.may_see(c.grid_id, c.subdistrict_id);
  IF sec.uid('field') IS NOT NULL AND NOT EXISTS (SELECT FROM reg.account a WHERE a.id = sec.actor() AND a.role = 'community') THEN
    RAISE insufficient_privilege USING MESSAGE = 'not for workers';
  END IF;
  PERFORM FROM reg.person p WHERE p.id IN (p_keep, p_drop) ORDER BY p.id FOR UPDATE;
  IF (SELECT count(*) FROM reg.person p WHERE p.id IN (p_keep, p_drop) AND p.deleted_at IS NULL
       AND sec.may_see(p.grid_id, p.subdistrict_id)) <> 2 THEN
    RAISE insufficient_privilege USING MESSAGE = 'not in scope';
  END IF;
  UPDATE reg.residence r SET person_id = p_keep WHERE r.person_id = p_drop AND r.deleted_at IS NULL;
  UPDATE reg.lease l SET lessee_id = p_keep WHERE l.lessee_id = p_drop AND l.deleted_at IS NULL;
  UPDATE reg.manager m SET person_id = p_keep WHERE m.person_id = p_drop AND m.deleted_at IS NULL;
  UPDATE reg.person_secret k SET identity_id = d.identity_id FROM reg.person_secret d
   WHERE k.person_id = p_keep AND d.person_id = p_drop AND k.identity_id IS NULL AND d.identity_id IS NOT NULL;
  UPDATE reg.person p SET deleted_at = transaction_timestamp(), conflict_open = false WHERE p.id = p_drop;
  UPDATE sync.id_alias a SET canonical = p_keep, merged = true WHERE a.canonical = p_drop;
  INSERT INTO sync.id_alias (alias, canonical, kind, merged) VALUES (p_drop, p_keep, 'resident', true)
    ON CONFLICT (alias) DO UPDATE SET canonical = excluded.canonical, merged = true;
  SELECT p.grid_id, p.subdistrict_id INTO home FROM reg.person p WHERE p.id = p_keep;
  UPDATE sync.file_link l SET entity_id = p_keep, grid_id = home.grid_id, subdistrict_id = home.subdistrict_id
   WHERE l.entity_id = p_drop AND l.kind = 'resident' AND NOT EXISTS (
    SELECT FROM sync.file_link o WHERE (o.file_id, o.kind, o.entity_id, o.linked_by) = (l.file_id, l.kind, p_keep, l.linked_by));
  UPDATE sync.conflict c SET entity_id = p_keep, grid_id = home.grid_id, subdistrict_id = home.subdistrict_id,
      yours = CASE c.code WHEN 'same-person' THEN jsonb_build_object('resident_id', p_keep) ELSE c.yours END
   WHERE c.entity_id = p_drop AND c.state = 'open' AND c.id <> p_hint;
  UPDATE sync.conflict c SET theirs = jsonb_build_object('resident_id', p_keep)
   WHERE c.code = 'same-person' AND c.state = 'open' AND c.id <> p_hint AND c.theirs ->> 'resident_id' = p_drop::text;
  UPDATE sync.conflict c SET state = 'resolved', resolved_by = sec.actor(), resolved_at = clock_timestamp(),
      resolution = jsonb_build_object('take', 'merge', 'with', p_hint)
   WHERE c.entity_id = p_keep AND c.code = 'same-person' AND c.state = 'open' AND c.id <> p_hint AND c.theirs ->> 'resident_id' = p_keep::text;
  waits := EXISTS (SELECT FROM sync.conflict c WHERE c.entity_id = p_keep AND c.state = 'open');
  UPDATE reg.person p SET conflict_open = waits WHERE p.id = p_keep AND p.conflict_open <> waits;
  RETURN (SELECT p.version FROM reg.person p WHERE p.id = p_keep);
END $$;
-- Somebody has looked after a dead letter that he sees, or that he sent.
CREATE FUNCTION sec.letter_close(p_mutation uuid, p_note text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE sync.dead_letter l SET state = 'closed', closed_by = sec.actor(), closed_at = clock_timestamp(), note = p_note
   WHERE l.mutation_id = p_mutation AND l.state = 'open'
     AND (sec.may_see(l.grid_id, l.subdistrict_id) OR l.account_id = sec.uid('field'));
  RETURN FOUND;
END $$;
-- A new version of the rule for a field.
CREATE FUNCTION sec.policy_set(p_kind text, p_field text, p_policy text) RETURNS int
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE made int;
BEGIN
  IF sec.uid('district') IS NULL THEN RAISE insufficient_privilege USING MESSAGE = 'not in scope'; END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('policy|' || p_kind || '|' || p_field, 0));
  INSERT INTO sync.field_policy AS n (kind, field, version, policy)
    SELECT p_kind, p_field, coalesce(max(o.version), 0) + 1, p_policy FROM sync.field_policy o WHERE o.kind = p_kind AND o.field = p_field
    RETURNING n.version INTO made;
  RETURN made;
END $$;
REVOKE ALL ON FUNCTION sec.conflict_hold(uuid), sec.conflict_close(uuid, jsonb, text, bytea), sec.residents_merge(uuid),
  sec.letter_close(uuid, text), sec.policy_set(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sec.conflict_hold(uuid), sec.conflict_close(uuid, jsonb, text, bytea), sec.residents_merge(uuid),
  sec.letter_close(uuid, text) TO app_field, app_subdistrict, app_district;
GRANT EXECUTE ON FUNCTION sec.policy_set(text, text, text) TO app_district;
"""
LETTER = """
ALTER TABLE sync.dead_letter ADD COLUMN note text;
-- dead_letter.note: What whoever closed it wrote. A worker sees the own letters wherever they are about.
-- Serves the letters of a worker.
CREATE INDEX ix_dead_letter_account_id ON sync.dead_letter (account_id, created_at);
-- Serves the rotation of keys: the first byte of what is sealed in a conflict tells its key.
CREATE INDEX ix_conflict_phone_enc ON sync.conflict (id) WHERE yours ->> 'phone_enc' IS NOT NULL;
CREATE POLICY field_own_r ON sync.dead_letter FOR SELECT TO app_field USING (account_id = (SELECT sec.uid('field')));
"""

GRANTS = """
REVOKE ALL ON FUNCTION
  sec.push_open(uuid, uuid[], bigint[], bigint[], uuid[]),
  sec.push_close(uuid, bigint[], uuid[], bytea[], text[], uuid[], int[], text[], text[], timestamptz[], timestamptz[], bytea[], smallint, jsonb, bigint, text, int),
  sec.own_versions(uuid, uuid[]), sec.residents_claim(uuid[], bytea[], bytea[], smallint),
  sec.residents_make(uuid[], int[], bytea[], smallint, text[], text[], int[], text[], bytea[], text[], text[], boolean[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
  sec.push_open(uuid, uuid[], bigint[], bigint[], uuid[]),
  sec.push_close(uuid, bigint[], uuid[], bytea[], text[], uuid[], int[], text[], text[], timestamptz[], timestamptz[], bytea[], smallint, jsonb, bigint, text, int),
  sec.own_versions(uuid, uuid[]), sec.residents_claim(uuid[], bytea[], bytea[], smallint),
  sec.residents_make(uuid[], int[], bytea[], smallint, text[], text[], int[], text[], bytea[], text[], text[], boolean[]) TO app_field;
"""

SEALED = """
CREATE OR REPLACE FUNCTION sec.sealed_before(p_kv smallint, p_limit int, OUT tab text, OUT id uuid, OUT sealed bytea)
RETURNS SETOF record LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF sec.uid('loader') IS NULL THEN RAISE insufficient_privilege USING MESSAGE = 'not in scope'; END IF;
  RETURN QUERY (SELECT 'identity', i.id, i.id_enc FROM reg.identity i WHERE i.kv < p_kv LIMIT p_limit)
    UNION ALL (SELECT 'person_secret', s.person_id, s.phone_enc FROM reg.person_secret s WHERE s.kv < p_kv LIMIT p_limit){letters};
END $$;
CREATE OR REPLACE FUNCTION sec.reseal(p_tab text, p_id uuid[], p_sealed bytea[], p_kv smallint) RETURNS int
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE n int;
BEGIN
  IF sec.uid('loader') IS NULL THEN RAISE insufficient_privilege USING MESSAGE = 'not in scope'; END IF;
  IF p_tab = 'identity' THEN
    UPDATE reg.identity i SET id_enc = u.sealed, kv = p_kv FROM unnest(p_id, p_sealed) AS u(id, sealed) WHERE i.id = u.id AND i.kv < p_kv;{branch}
  ELSE
    UPDATE reg.person_secret s SET phone_enc = u.sealed, kv = p_kv FROM unnest(p_id, p_sealed) AS u(id, sealed) WHERE s.person_id = u.id AND s.kv < p_kv;
  END IF;
  GET DIAGNOSTICS n = ROW_COUNT;
  RETURN n;
END $$;
"""
LETTERS = """
    UNION ALL (SELECT 'dead_letter', l.mutation_id, l.body_enc FROM sync.dead_letter l WHERE l.kv < p_kv LIMIT p_limit)
    UNION ALL (SELECT 'conflict', c.id, decode(c.yours ->> 'phone_enc', 'hex') FROM sync.conflict c
                WHERE c.yours ->> 'phone_enc' IS NOT NULL AND get_byte(decode(c.yours ->> 'phone_enc', 'hex'), 0) < p_kv LIMIT p_limit)"""
BRANCH = """
  ELSIF p_tab = 'dead_letter' THEN
    UPDATE sync.dead_letter l SET body_enc = u.sealed, kv = p_kv FROM unnest(p_id, p_sealed) AS u(id, sealed) WHERE l.mutation_id = u.id AND l.kv < p_kv;
  ELSIF p_tab = 'conflict' THEN
    UPDATE sync.conflict c SET yours = jsonb_set(c.yours, '{phone_enc}', to_jsonb(encode(u.sealed, 'hex')))
      FROM unnest(p_id, p_sealed) AS u(id, sealed) WHERE c.id = u.id AND c.yours ->> 'phone_enc' IS NOT NULL;"""

POLICIES = {
    "client_wins": ("resident.phone", "building.address", "building.rental", "lease.deposit_fen", "residence.declared_by"),
    "server_wins": ("resident.registration", "lease.filed_on", "unit.retired_on", "building.retired_on", "building.house_code"),
    "max": ("building.floors_above", "building.floors_below", "residence.declared_on"),
    "min": ("unit.max_occupants",),
    "manual": (
        "resident.name", "resident.sex", "resident.birth_year",
        "building.name", "building.entrance", "building.footprint", "building.built_year", "building.nature",
        "unit.floor", "unit.room", "unit.area_m2", "unit.use",
        "residence.main", "residence.basis", "residence.valid_from", "residence.valid_to",
        "lease.lessor_name", "lease.lessee_id", "lease.rent", "lease.area_basis_m2", "lease.valid_from", "lease.valid_to",
        "lease.signed_on", "lease.ended_on", "lease.state", "lease.new_let",
    ),
}  # fmt: skip


def upgrade() -> None:
    op.execute(LETTER)
    op.execute("SET ROLE sec_definer")
    op.execute(PUSH + RESIDENTS + GRANTS + QUEUES)
    op.execute(SEALED.format(letters=LETTERS, branch=BRANCH))
    op.execute("SET ROLE reg_owner")
    rules = ", ".join(
        f"('{name.split('.')[0]}', '{name.split('.')[1]}', '{policy}')" for policy, names in POLICIES.items() for name in names
    )
    op.execute(f"INSERT INTO sync.field_policy (kind, field, policy) VALUES {rules}")
    for noun in FLAGGED:
        op.execute(f"GRANT UPDATE (conflict_open) ON reg.{noun} TO {WRITERS}")


def downgrade() -> None:
    for noun in FLAGGED:
        op.execute(f"REVOKE UPDATE (conflict_open) ON reg.{noun} FROM {WRITERS}")
    op.execute("DELETE FROM sync.field_policy")
    op.execute("SET ROLE sec_definer")
    op.execute(SEALED.format(letters="", branch=""))
    op.execute("""
        DROP FUNCTION sec.policy_set(text, text, text); DROP FUNCTION sec.letter_close(uuid, text);
        DROP FUNCTION sec.residents_merge(uuid); DROP FUNCTION sec.conflict_close(uuid, jsonb, text, bytea); DROP FUNCTION sec.conflict_hold(uuid);
        DROP FUNCTION sec.residents_make(uuid[], int[], bytea[], smallint, text[], text[], int[], text[], bytea[], text[], text[], boolean[]);
        DROP FUNCTION sec.residents_claim(uuid[], bytea[], bytea[], smallint); DROP FUNCTION sec.own_versions(uuid, uuid[]);
        DROP FUNCTION sec.push_close(uuid, bigint[], uuid[], bytea[], text[], uuid[], int[], text[], text[], timestamptz[], timestamptz[], bytea[], smallint, jsonb, bigint, text, int);
        DROP FUNCTION sec.push_open(uuid, uuid[], bigint[], bigint[], uuid[]);
    """)
    op.execute("SET ROLE reg_owner")
    op.execute(
        "DROP POLICY field_own_r ON sync.dead_letter; DROP INDEX sync.ix_conflict_phone_enc, sync.ix_dead_letter_account_id;"
        " ALTER TABLE sync.dead_letter DROP COLUMN note;"
    )
