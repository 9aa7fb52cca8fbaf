"""Tables of the handhelds' synchronisation: devices, what they sent, conflicts, dead letters, aliases, and a feed that tells versions.

Why: nothing that a worker records offline may be lost, doubled or blocked, and what became of each record must be told for years.
"""

from alembic import op

from migrations.protection import DISTRICT, SCOPES, force, readable

revision = "20261128_20"
down_revision = "20261128_19"
branch_labels = None
depends_on = None

FLAGGED = ("building", "unit", "person", "residence", "lease")
"""Nouns that two people may write differently: a row says by itself that a conflict about it is open."""

TABLES = """
-- A handheld of a worker. The access tokens that it gets name it; refresh tokens are kept as their SHA-256.
CREATE TABLE sync.device (
  id uuid NOT NULL DEFAULT reg.uuid7(),
  account_id bigint NOT NULL,
  label text NOT NULL,
  public_key bytea NOT NULL,
  status text NOT NULL DEFAULT 'active',
  refresh_hash bytea, refresh_before bytea,
  last_seq bigint NOT NULL DEFAULT 0,
  app_version text, schema_version int,
  enrolled_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  last_push_at timestamptz, last_pull_at timestamptz, clock_skew_ms bigint, wiped_at timestamptz,
  CONSTRAINT pk_device PRIMARY KEY (id), CONSTRAINT uq_device_public_key UNIQUE (public_key),
  CONSTRAINT fk_device_account_id FOREIGN KEY (account_id) REFERENCES reg.account (id),
  CONSTRAINT ck_device_status CHECK (status IN ('active', 'draining', 'revoked', 'wiped')),
  CONSTRAINT ck_device_public_key CHECK (octet_length(public_key) = 32),
  CONSTRAINT ck_device_label CHECK (length(label) BETWEEN 1 AND 200),
  CONSTRAINT ck_device_last_seq CHECK (last_seq >= 0)
);
-- device.refresh_before: The refresh token before the present one: good until the present one is used, for a device that never got the answer.
-- device.seen_at: When a refresh token of it was last taken; silence of a month demands that a supervisor lets it in again.
-- Serves the devices of an account.
CREATE INDEX ix_device_account_id ON sync.device (account_id);

-- A one-time code by which a worker's handheld is let in, kept as its SHA-256.
CREATE TABLE sync.enrolment (
  code_hash bytea NOT NULL,
  account_id bigint NOT NULL,
  issued_by bigint NOT NULL DEFAULT sec.actor(),
  issued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires_at timestamptz NOT NULL,
  device_id uuid, request_key text, request_hash bytea,
  CONSTRAINT pk_enrolment PRIMARY KEY (code_hash),
  CONSTRAINT fk_enrolment_account_id FOREIGN KEY (account_id) REFERENCES reg.account (id),
  CONSTRAINT fk_enrolment_device_id FOREIGN KEY (device_id) REFERENCES sync.device (id),
  CONSTRAINT ck_enrolment_code_hash CHECK (octet_length(code_hash) = 32),
  CONSTRAINT ck_enrolment_used CHECK ((device_id IS NULL) = (request_key IS NULL))
);
-- enrolment.request_key: Idempotency-Key of the enrolment that used the code, and the hash of its body.

-- What a device sent and what became of it: the answer to a repetition, and the record of who wrote which version.
CREATE TABLE sync.mutation (
  device_id uuid NOT NULL,
  client_seq bigint NOT NULL,
  mutation_id uuid NOT NULL,
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  req_hash bytea NOT NULL,
  kind text NOT NULL,
  entity_id uuid, version int,
  status text NOT NULL,
  result jsonb,
  captured_at timestamptz, captured_at_corrected timestamptz,
  received_at timestamptz NOT NULL DEFAULT transaction_timestamp(),
  CONSTRAINT pk_mutation PRIMARY KEY (device_id, client_seq), CONSTRAINT uq_mutation_mutation_id UNIQUE (mutation_id),
  CONSTRAINT fk_mutation_device_id FOREIGN KEY (device_id) REFERENCES sync.device (id),
  CONSTRAINT ck_mutation_client_seq CHECK (client_seq > 0),
  CONSTRAINT ck_mutation_req_hash CHECK (octet_length(req_hash) = 32),
  CONSTRAINT ck_mutation_status CHECK (status IN ('applied', 'merged', 'noop', 'duplicate_of', 'conflict', 'rejected'))
);
-- mutation.version: Version of the entity that this mutation made; NULL when it made none.
-- mutation.result: NULL after 90 days.
-- Serve the acknowledgement below a horizon, "which versions are this device's own", and the shortening of old results.
CREATE INDEX ix_mutation_device_id_xid ON sync.mutation (device_id, xid, client_seq);
CREATE INDEX ix_mutation_device_id_entity_id ON sync.mutation (device_id, entity_id, version);
CREATE INDEX ix_mutation_received_at ON sync.mutation (received_at) WHERE result IS NOT NULL;

-- Two people wrote different things: both are kept until somebody decides. Or a hint: these two may be one person.
CREATE TABLE sync.conflict (
  id uuid NOT NULL DEFAULT reg.uuid7(),
  code text NOT NULL,
  kind text NOT NULL,
  entity_id uuid NOT NULL,
  grid_id int NOT NULL,
  subdistrict_id int NOT NULL,
  device_id uuid NOT NULL,
  client_seq bigint NOT NULL,
  fields text[] NOT NULL,
  base jsonb, theirs jsonb, yours jsonb,
  state text NOT NULL DEFAULT 'open',
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  resolved_by bigint, resolved_at timestamptz, resolution jsonb, request_key text, request_hash bytea,
  CONSTRAINT pk_conflict PRIMARY KEY (id),
  CONSTRAINT fk_conflict_device_id FOREIGN KEY (device_id) REFERENCES sync.device (id),
  CONSTRAINT fk_conflict_resolved_by FOREIGN KEY (resolved_by) REFERENCES reg.account (id),
  CONSTRAINT fk_conflict_grid_id_subdistrict_id FOREIGN KEY (grid_id, subdistrict_id) REFERENCES reg.grid (id, subdistrict_id) ON UPDATE CASCADE,
  CONSTRAINT ck_conflict_code CHECK (code IN ('field-conflict', 'target-deleted', 'delete-changed', 'same-person')),
  CONSTRAINT ck_conflict_state CHECK (state IN ('open', 'resolved', 'settled')),
  CONSTRAINT ck_conflict_resolved CHECK ((state = 'resolved') = (resolved_at IS NOT NULL) AND (resolved_at IS NULL) = (resolved_by IS NULL))
);
-- conflict.state: settled: a policy decided at once; kept so that the value that lost can be told.
-- conflict.base, theirs, yours: The fields as the device had read them, as the server has them, as the device wanted them.
-- Serve the queue of a grid and of a subdistrict, and what is open about one entity.
CREATE INDEX ix_conflict_grid_id_id ON sync.conflict (grid_id, id);
CREATE INDEX ix_conflict_subdistrict_id_id ON sync.conflict (subdistrict_id, id);
CREATE INDEX ix_conflict_entity_id ON sync.conflict (entity_id) WHERE state = 'open';

-- What could not be taken, whole and sealed, with the reason: nothing that a worker recorded is dropped.
CREATE TABLE sync.dead_letter (
  device_id uuid NOT NULL,
  client_seq bigint NOT NULL,
  mutation_id uuid NOT NULL,
  account_id bigint NOT NULL,
  grid_id int,
  subdistrict_id int,
  kind text NOT NULL, entity_id uuid,
  body_enc bytea NOT NULL,
  kv smallint NOT NULL,
  problem jsonb NOT NULL,
  state text NOT NULL DEFAULT 'open',
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  closed_by bigint,
  closed_at timestamptz,
  CONSTRAINT pk_dead_letter PRIMARY KEY (mutation_id),
  CONSTRAINT fk_dead_letter_device_id FOREIGN KEY (device_id) REFERENCES sync.device (id),
  CONSTRAINT fk_dead_letter_account_id FOREIGN KEY (account_id) REFERENCES reg.account (id),
  CONSTRAINT fk_dead_letter_closed_by FOREIGN KEY (closed_by) REFERENCES reg.account (id),
  CONSTRAINT fk_dead_letter_grid_id_subdistrict_id FOREIGN KEY (grid_id, subdistrict_id) REFERENCES reg.grid (id, subdistrict_id) ON UPDATE CASCADE,
  CONSTRAINT ck_dead_letter_state CHECK (state IN ('open', 'closed')),
  CONSTRAINT ck_dead_letter_closed CHECK ((state = 'closed') = (closed_at IS NOT NULL) AND (closed_at IS NULL) = (closed_by IS NULL))
);
-- dead_letter.client_seq: A number that a device used again has several letters. body_enc: The mutation as JSON, sealed: bound to dead_letter|body_enc|mutation_id. It may hold an identity number.
-- Serve the queue of a grid and of a subdistrict, and the rotation of keys.
CREATE INDEX ix_dead_letter_device_id ON sync.dead_letter (device_id, client_seq);
CREATE INDEX ix_dead_letter_grid_id ON sync.dead_letter (grid_id, created_at);
CREATE INDEX ix_dead_letter_subdistrict_id ON sync.dead_letter (subdistrict_id, created_at);
CREATE INDEX ix_dead_letter_kv ON sync.dead_letter (kv);

-- An id that a device chose for somebody who was there already.
CREATE TABLE sync.id_alias (
  alias uuid NOT NULL,
  canonical uuid NOT NULL,
  kind text NOT NULL,
  merged boolean NOT NULL DEFAULT false,  -- led to a record of its own once: versions that were read under it are of that record
  CONSTRAINT pk_id_alias PRIMARY KEY (alias), CONSTRAINT ck_id_alias_self CHECK (alias <> canonical)
);
-- Serves the re-pointing of aliases when their canonical row becomes an alias itself.
CREATE INDEX ix_id_alias_canonical ON sync.id_alias (canonical);

-- Which feed this is: another generation after every restore, so that cursors of another time are refused.
CREATE TABLE sync.feed_meta (
  one boolean NOT NULL DEFAULT true,
  generation uuid NOT NULL DEFAULT gen_random_uuid(),
  pruned_below xid8 NOT NULL DEFAULT '0'::xid8,
  CONSTRAINT pk_feed_meta PRIMARY KEY (one), CONSTRAINT ck_feed_meta_one CHECK (one)
);
INSERT INTO sync.feed_meta DEFAULT VALUES;

-- Who wins when two wrote different values into one field. The newest version of a rule holds; older ones are kept.
CREATE TABLE sync.field_policy (
  kind text NOT NULL,
  field text NOT NULL,
  version int NOT NULL DEFAULT 1,
  policy text NOT NULL,
  set_by bigint NOT NULL DEFAULT sec.actor(),
  set_at timestamptz NOT NULL DEFAULT transaction_timestamp(),
  CONSTRAINT pk_field_policy PRIMARY KEY (kind, field, version),
  CONSTRAINT ck_field_policy_policy CHECK (policy IN ('client_wins', 'server_wins', 'max', 'min', 'union', 'manual')),
  CONSTRAINT ck_field_policy_version CHECK (version > 0)
);

-- What should not happen: a number used twice with another content, a checksum that does not agree, a refresh token used twice.
CREATE TABLE sync.incident (
  id uuid NOT NULL DEFAULT reg.uuid7(),
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  device_id uuid,
  code text NOT NULL,
  scope_id int,
  detail jsonb NOT NULL DEFAULT '{}',
  CONSTRAINT pk_incident PRIMARY KEY (id),
  CONSTRAINT fk_incident_device_id FOREIGN KEY (device_id) REFERENCES sync.device (id),
  CONSTRAINT ck_incident_code CHECK (code IN ('seq-reused', 'mutation-id-reused', 'checksum', 'refresh-reused', 'signature', 'sequence-lost'))
);
-- Serves the newest incidents of a device.
CREATE INDEX ix_incident_device_id ON sync.incident (device_id, at);

-- A pointer tells the version that it was written for: who loses a row learns of it by this number and of nothing else.
ALTER TABLE sync.change_log ADD COLUMN version int NOT NULL DEFAULT 0;
-- When an assignment was ended, as against the day from which it ends: what was recorded before is still taken for three days.
ALTER TABLE reg.grid_assignment ADD COLUMN ended_at timestamptz;
"""

END = """
CREATE FUNCTION reg.note_end() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN NEW.ended_at := clock_timestamp(); RETURN NEW; END $$;
-- Whoever corrects the end of what has ended long ago takes nothing away today.
CREATE TRIGGER note_end BEFORE UPDATE OF valid_to ON reg.grid_assignment FOR EACH ROW
  WHEN (NEW.valid_to IS DISTINCT FROM OLD.valid_to AND (OLD.valid_to IS NULL OR OLD.valid_to > reg.today())) EXECUTE FUNCTION reg.note_end();
"""

LOG = """
CREATE OR REPLACE FUNCTION sec.log_insert() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO sync.change_log (scope_id, kind, entity_id{column}) SELECT grid_id, TG_ARGV[0], id{value} FROM new_rows;
  RETURN NULL;
END $$;
"""
UPDATED = """
CREATE OR REPLACE FUNCTION sec.log_update() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO sync.change_log (scope_id, kind, entity_id, version)
    SELECT o.grid_id, TG_ARGV[0], o.id, n.version FROM old_rows o JOIN new_rows n ON n.id = o.id WHERE o.grid_id <> n.grid_id
    UNION ALL SELECT n.grid_id, TG_ARGV[0], n.id, n.version FROM new_rows n;
  RETURN NULL;
END $$;
"""
UPDATED_BEFORE = """
CREATE OR REPLACE FUNCTION sec.log_update() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO sync.change_log (scope_id, kind, entity_id)
    SELECT grid_id, TG_ARGV[0], id FROM old_rows UNION SELECT grid_id, TG_ARGV[0], id FROM new_rows;
  RETURN NULL;
END $$;
"""

# The device word of the context is `id` or `id;late`: late contexts reach the grids that the worker lost within the last three days too,
# for what was recorded before. Both are signed, so nobody makes one late.
SCOPE = """
CREATE FUNCTION sec.device() RETURNS uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF sec.uid('field') IS NULL THEN RETURN NULL; END IF;
  RETURN nullif(split_part(split_part(current_setting('app.ctx', true), '|', 5), ';', 1), '')::uuid;
END $$;
CREATE FUNCTION sec.is_late() RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN sec.uid('field') IS NOT NULL AND split_part(split_part(current_setting('app.ctx', true), '|', 5), ';', 2) = 'late';
END $$;
-- The grids that the caller lost within the last three days and has not got back, and when.
CREATE FUNCTION sec.lost_grids(OUT grid_id int, OUT lost_at timestamptz) RETURNS SETOF record
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE who bigint := sec.uid('field'); today date := (transaction_timestamp() AT TIME ZONE 'Asia/Shanghai')::date;
BEGIN
  RETURN QUERY
    SELECT a.grid_id, max(greatest(a.valid_to::timestamp AT TIME ZONE 'Asia/Shanghai', a.ended_at)) AS lost
      FROM reg.grid_assignment a WHERE a.account_id = who AND a.valid_from <= today AND a.valid_to <= today
     GROUP BY a.grid_id
    HAVING max(greatest(a.valid_to::timestamp AT TIME ZONE 'Asia/Shanghai', a.ended_at)) > transaction_timestamp() - interval '72 hours'
       AND NOT EXISTS (SELECT FROM reg.grid_assignment n WHERE n.account_id = who AND n.grid_id = a.grid_id
                        AND n.valid_from <= today AND (n.valid_to IS NULL OR n.valid_to > today));
END $$;
{grids}
{enter}
REVOKE ALL ON FUNCTION sec.device(), sec.is_late(), sec.lost_grids() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sec.device(), sec.is_late(), sec.lost_grids() TO app_field, reg_owner;
"""
GRIDS = """
CREATE OR REPLACE FUNCTION sec.grids() RETURNS int[]
LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp AS $$
DECLARE who bigint := sec.uid('field'); today date := (transaction_timestamp() AT TIME ZONE 'Asia/Shanghai')::date;
BEGIN
  IF who IS NULL THEN RETURN '{}'; END IF;
  RETURN coalesce((SELECT array_agg(s.grid_id) FROM (
      SELECT a.grid_id FROM reg.grid_assignment a
       WHERE a.account_id = who AND a.valid_from <= today AND (a.valid_to IS NULL OR a.valid_to > today)
      UNION
      SELECT g.id FROM reg.area_grant r JOIN reg.grid g ON g.community_id = r.area_id
       WHERE r.account_id = who AND r.level = 'community' AND r.valid_from <= today AND (r.valid_to IS NULL OR r.valid_to > today)%s
    ) s), '{}');
END $$;
"""
LATE = "\n      UNION\n      SELECT l.grid_id FROM sec.lost_grids() l WHERE sec.is_late()"
ENTER = """
CREATE OR REPLACE FUNCTION sec.enter(p_ctx text, p_epoch int) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE who bigint;
BEGIN
  PERFORM set_config('app.ctx', p_ctx, true);
  SELECT a.id INTO who FROM reg.account a
   WHERE a.id = sec.uid('any') AND a.disabled_at IS NULL AND a.epoch = p_epoch
     AND split_part(p_ctx, '|', 3) = ANY (CASE a.role
       WHEN 'admin' THEN ARRAY['admin'] WHEN 'district' THEN ARRAY['district', 'loader'] WHEN 'subdistrict' THEN ARRAY['subdistrict']
       WHEN 'auditor' THEN ARRAY['audit'] ELSE ARRAY['field'] END);%s
  IF who IS NULL THEN PERFORM set_config('app.ctx', '', true); END IF;
  RETURN who;
END $$;
"""
STANDING = """
  -- A statement of its own: planned, and the device's word read, only when the MAC holds. Other classes name who works at the command line.
  IF who IS NOT NULL AND split_part(p_ctx, '|', 3) = 'field' AND split_part(p_ctx, '|', 5) <> '' THEN
    IF NOT EXISTS (SELECT FROM sync.device d WHERE d.id = split_part(split_part(p_ctx, '|', 5), ';', 1)::uuid
                     AND d.account_id = who AND d.status IN ('active', 'draining')) THEN who := NULL; END IF;
  END IF;"""

DEVICE = "(id, account_id, label, status, last_seq, app_version, schema_version, enrolled_at, seen_at, last_push_at, last_pull_at, clock_skew_ms, wiped_at)"
SYNC = ("device", "enrolment", "mutation", "conflict", "dead_letter", "id_alias", "feed_meta", "field_policy", "incident")


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(END)
    for noun in FLAGGED:
        op.execute(f"ALTER TABLE reg.{noun} ADD COLUMN conflict_open boolean NOT NULL DEFAULT false")
        op.execute(f"ALTER TABLE reg.{noun}_past ADD COLUMN conflict_open boolean NOT NULL DEFAULT false")
    for table in SYNC:
        op.execute(force(f"sync.{table}"))
    # Named functions write these tables; nobody else does. Queues are seen like the rows that they are about.
    admin, district = {"admin": "(SELECT sec.uid('admin')) IS NOT NULL"}, {"district": DISTRICT}
    own = {"field": "account_id = (SELECT sec.uid('field'))"}
    reading = {name: scope for name, scope in SCOPES.items() if name != "loader"}
    op.execute("GRANT USAGE ON SCHEMA sync TO app_field, app_subdistrict, app_district, app_loader, app_admin")
    op.execute(readable("sync.device", admin | district | own, columns=DEVICE))
    op.execute(readable("sync.conflict", reading) + readable("sync.dead_letter", reading))
    op.execute(readable("sync.field_policy", dict.fromkeys(("field", "subdistrict", "district"), "(SELECT sec.uid('any')) IS NOT NULL")))
    op.execute(readable("sync.incident", admin | district))
    op.execute("GRANT DELETE ON sync.change_log, sync.mutation TO sec_definer")
    op.execute("SET ROLE sec_definer")
    op.execute(LOG.format(column=", version", value=", version") + UPDATED)
    op.execute(SCOPE.format(grids=GRIDS % LATE, enter=ENTER % STANDING))
    op.execute("SET ROLE reg_owner")


def downgrade() -> None:
    op.execute("SET ROLE sec_definer")
    op.execute(LOG.format(column="", value="") + UPDATED_BEFORE)
    op.execute(GRIDS % "" + ENTER % "")
    op.execute("DROP FUNCTION sec.lost_grids(); DROP FUNCTION sec.is_late(); DROP FUNCTION sec.device();")
    op.execute("SET ROLE reg_owner")
    op.execute("REVOKE DELETE ON sync.change_log FROM sec_definer")
    op.execute("DROP TRIGGER note_end ON reg.grid_assignment; DROP FUNCTION reg.note_end();")
    op.execute("ALTER TABLE reg.grid_assignment DROP COLUMN ended_at; ALTER TABLE sync.change_log DROP COLUMN version;")
    for noun in FLAGGED:
        op.execute(f"ALTER TABLE reg.{noun} DROP COLUMN conflict_open; ALTER TABLE reg.{noun}_past DROP COLUMN conflict_open")
    op.execute("""
        DROP TABLE sync.incident; DROP TABLE sync.field_policy; DROP TABLE sync.feed_meta; DROP TABLE sync.id_alias; DROP TABLE sync.dead_letter;
        DROP TABLE sync.conflict; DROP TABLE sync.mutation; DROP TABLE sync.enrolment; DROP TABLE sync.device;
        REVOKE USAGE ON SCHEMA sync FROM app_field, app_subdistrict, app_district, app_loader, app_admin;
    """)
