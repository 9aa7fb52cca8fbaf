"""Audit trail and change log, and the trigger that keeps superseded rows.

Why: every look leaves a trace, every change reaches the handhelds, and nothing that was believed is overwritten.
"""

from alembic import op

from migrations.protection import force

revision = "20261123_02"
down_revision = "20261123_01"
branch_labels = None
depends_on = None

CLASSES = "app_field, app_subdistrict, app_district, app_loader, app_admin, app_audit, app_auth"

TABLES = """
-- actor_id, time, transaction and log-in are DEFAULTs of columns nobody may name in an INSERT: injected SQL can neither speak for another
-- user nor choose a transaction. Partitions by month, made ahead by reg.audit_months().
CREATE TABLE reg.audit (
  id bigint GENERATED ALWAYS AS IDENTITY,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  actor_id bigint NOT NULL DEFAULT sec.actor(),
  db_role text NOT NULL DEFAULT session_user,
  action text NOT NULL,
  object_type text NOT NULL,
  object_id text,
  purpose text,
  outcome text NOT NULL,
  n_rows int,
  detail jsonb,
  CONSTRAINT pk_audit PRIMARY KEY (at, id),
  CONSTRAINT ck_audit_outcome CHECK (outcome IN ('ok', 'refused'))
) PARTITION BY RANGE (at);
-- Serves the trail of one actor and the count behind a quota.
CREATE INDEX ix_audit_actor_id_action_at ON reg.audit (actor_id, action, at);
CREATE TABLE reg.audit_default PARTITION OF reg.audit DEFAULT;

CREATE FUNCTION reg.audit_refuse() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$$BEGIN RAISE insufficient_privilege USING MESSAGE = 'audit is append-only'; END $$;
-- A row trigger is cloned to partitions, a statement trigger is not: every partition needs its own.
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON reg.audit FOR EACH ROW EXECUTE FUNCTION reg.audit_refuse();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON reg.audit FOR EACH STATEMENT EXECUTE FUNCTION reg.audit_refuse();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON reg.audit_default FOR EACH STATEMENT EXECUTE FUNCTION reg.audit_refuse();

-- Makes the partitions of this month and the `ahead` following ones, each with its own protection; gives how many were made.
CREATE FUNCTION reg.audit_months(ahead int) RETURNS int LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE month timestamptz; part text; made int := 0;
BEGIN
  FOR n IN 0..ahead LOOP
    month := date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' + make_interval(months => n);
    part := 'audit_' || to_char(month AT TIME ZONE 'UTC', 'YYYYMM');
    CONTINUE WHEN to_regclass('reg.' || part) IS NOT NULL;
    EXECUTE format('CREATE TABLE reg.%I PARTITION OF reg.audit FOR VALUES FROM (%L) TO (%L)', part, month, month + interval '1 month');
    EXECUTE format('ALTER TABLE reg.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', part);
    EXECUTE format('CREATE POLICY own_all ON reg.%I TO reg_owner USING (true) WITH CHECK (true)', part);
    EXECUTE format('CREATE POLICY dump ON reg.%I FOR SELECT TO reg_dump_reader USING (true)', part);
    EXECUTE format('GRANT SELECT ON reg.%I TO reg_dump_reader', part);
    EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON reg.%I FOR EACH STATEMENT EXECUTE FUNCTION reg.audit_refuse()', part);
    made := made + 1;
  END LOOP;
  RETURN made;
END $$;

-- Pointers only, no payload: what changed in which grid. The feed of the handhelds reads it below the oldest running transaction.
CREATE TABLE sync.change_log (
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  seq bigint GENERATED ALWAYS AS IDENTITY,
  scope_id int NOT NULL,
  kind text NOT NULL,
  entity_id uuid NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT pk_change_log PRIMARY KEY (scope_id, xid, seq)
);
-- Serves compaction: the newest pointer of an entity.
CREATE INDEX ix_change_log_entity ON sync.change_log (scope_id, kind, entity_id, xid, seq);
GRANT USAGE ON SCHEMA sync TO sec_definer, reg_dump_reader;
"""

TRIGGERS = """
-- A row that is corrected is first copied as it was believed. The version counts by one under the row's lock. A transaction that began
-- before the last change does not date its own before it.
CREATE FUNCTION sec.keep_past() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  NEW.version := OLD.version + 1;
  NEW.recorded_from := greatest(transaction_timestamp(), OLD.recorded_from);
  NEW.recorded_by := sec.actor();
  EXECUTE format('INSERT INTO reg.%I SELECT $1, ($2).*', TG_TABLE_NAME || '_past') USING NEW.recorded_from, OLD;
  RETURN NEW;
END $$;
CREATE FUNCTION sec.log_insert() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO sync.change_log (scope_id, kind, entity_id) SELECT grid_id, TG_ARGV[0], id FROM new_rows;
  RETURN NULL;
END $$;
CREATE FUNCTION sec.log_update() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO sync.change_log (scope_id, kind, entity_id)
    SELECT grid_id, TG_ARGV[0], id FROM old_rows UNION SELECT grid_id, TG_ARGV[0], id FROM new_rows;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION sec.keep_past(), sec.log_insert(), sec.log_update() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sec.keep_past(), sec.log_insert(), sec.log_update() TO reg_owner;
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(force("reg.audit") + force("reg.audit_default", definer=False) + force("sync.change_log"))
    op.execute(f"""
        GRANT INSERT (action, object_type, object_id, purpose, outcome, n_rows, detail) ON reg.audit TO {CLASSES};
        CREATE POLICY writer_i ON reg.audit FOR INSERT TO {CLASSES} WITH CHECK (true);
        CREATE POLICY audit_r ON reg.audit FOR SELECT TO app_audit USING ((SELECT sec.uid('audit')) IS NOT NULL);
        GRANT SELECT ON reg.audit TO app_audit;
        SELECT reg.audit_months(12);
    """)
    op.execute("SET ROLE sec_definer")
    op.execute(TRIGGERS)
    op.execute("SET ROLE reg_owner")


def downgrade() -> None:
    op.execute("SET ROLE sec_definer")
    op.execute("DROP FUNCTION sec.log_update(); DROP FUNCTION sec.log_insert(); DROP FUNCTION sec.keep_past();")
    op.execute("SET ROLE reg_owner")
    op.execute("DROP TABLE sync.change_log; DROP TABLE reg.audit; DROP FUNCTION reg.audit_months(int); DROP FUNCTION reg.audit_refuse();")
