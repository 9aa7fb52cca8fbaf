"""What the handhelds' feed reads and tells: pointers of own grids, the horizon, the poke, figures for operators, and retention.

Why: a change that commits late must not be skipped, whoever waits for changes must not ask for them, and nothing is kept longer than
its purpose lasts.
"""

from alembic import op

from migrations.protection import FIELD, readable

revision = "20261128_25"
down_revision = "20261128_24"
branch_labels = None
depends_on = None

POINTERS = f"""
-- Serves "which scopes changed since" and the age of what waits for a writer that is still open. As a number, so that the feed of a scope,
-- which must read in the order of the primary key, is never tempted by it.
CREATE INDEX ix_change_log_number ON sync.change_log (((xid::text)::bigint), scope_id);
-- feed_meta.compacted: The scope up to which the present round of compaction has come.
ALTER TABLE sync.feed_meta ADD COLUMN compacted int NOT NULL DEFAULT 0;
{readable("sync.change_log", {"field": FIELD.replace("grid_id", "scope_id")})}
"""

READING = """
-- Written and committed before a device reads: that it came, and the trail's row. Whoever pushes holds the device's row; a pull does not
-- wait for that.
CREATE FUNCTION sec.pull_open(p_action text, p_scopes int[]) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE asking uuid := sec.device();
BEGIN
  IF asking IS NULL THEN RAISE insufficient_privilege USING MESSAGE = 'no device'; END IF;
  IF p_action NOT IN ('pull', 'snapshot') THEN RAISE invalid_parameter_value USING MESSAGE = 'no such action'; END IF;
  UPDATE sync.device SET last_pull_at = clock_timestamp()
   WHERE id IN (SELECT d.id FROM sync.device d WHERE d.id = asking FOR UPDATE SKIP LOCKED);
  INSERT INTO reg.audit (action, object_type, object_id, outcome, detail)
    VALUES (p_action, 'sync', asking::text, 'ok', jsonb_build_object('scopes', p_scopes));
END $$;

-- Where the feed stands, in the snapshot of the caller: everything below the horizon is finished. The epoch changes when transactions are
-- numbered anew: another cluster, another timeline, a restored dump. After a promotion the control file tells the new timeline as the end
-- of recovery until the first checkpoint.
CREATE FUNCTION sec.feed_state(OUT horizon xid8, OUT epoch text, OUT pruned_below xid8, OUT grids int[], OUT acked bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  horizon := pg_snapshot_xmin(pg_current_snapshot());
  SELECT (SELECT system_identifier FROM pg_control_system()) || ':'
      || greatest((SELECT timeline_id FROM pg_control_checkpoint()), (SELECT min_recovery_end_timeline FROM pg_control_recovery())) || ':' || m.generation,
    m.pruned_below INTO epoch, feed_state.pruned_below FROM sync.feed_meta m;
  grids := sec.grids();
  -- From the newest backwards: what lies at or above the horizon is little.
  acked := coalesce((SELECT m.client_seq FROM sync.mutation m
    WHERE m.device_id = sec.device() AND m.xid < feed_state.horizon ORDER BY m.client_seq DESC LIMIT 1), 0);
END $$;

-- The scopes that changed below the present horizon since an earlier one; with NULL only the horizon. For the process that wakes listeners.
CREATE FUNCTION sec.feed_heads(p_since xid8, OUT horizon xid8, OUT scopes int[])
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  horizon := pg_snapshot_xmin(pg_current_snapshot());
  scopes := coalesce((SELECT array_agg(DISTINCT l.scope_id) FROM sync.change_log l
    WHERE (l.xid::text)::bigint >= p_since::text::bigint AND (l.xid::text)::bigint < horizon::text::bigint), '{}');
END $$;

-- Seconds for which the oldest committed change has waited for a writer that is still open; 0 when none waits.
CREATE FUNCTION sec.feed_lag() RETURNS double precision
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN coalesce((SELECT extract(epoch FROM clock_timestamp() - l.at) FROM sync.change_log l
    WHERE (l.xid::text)::bigint >= pg_snapshot_xmin(pg_current_snapshot())::text::bigint ORDER BY (l.xid::text)::bigint LIMIT 1), 0);
END $$;

-- Numbers for operators, of nobody in particular.
CREATE FUNCTION sec.feed_figures(OUT figure text, OUT label text, OUT value double precision) RETURNS SETOF record
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN QUERY
    SELECT 'lag', '', sec.feed_lag()
    UNION ALL SELECT 'open', 'conflicts', count(*)::double precision FROM sync.conflict c WHERE c.state = 'open'
    UNION ALL SELECT 'open', 'letters', count(*)::double precision FROM sync.dead_letter d WHERE d.state = 'open'
    UNION ALL SELECT 'devices', s.status, count(d.id)::double precision
      FROM unnest(ARRAY['active', 'draining', 'revoked', 'wiped']) AS s(status) LEFT JOIN sync.device d ON d.status = s.status GROUP BY s.status
    UNION ALL SELECT 'contact', b.label, count(d.id)::double precision
      FROM (VALUES ('day', 0, 1), ('week', 1, 7), ('month', 7, 30), ('longer', 30, 100000)) AS b(label, since, until)
      LEFT JOIN sync.device d ON d.status = 'active'
        AND extract(epoch FROM now() - greatest(d.seen_at, d.last_pull_at, d.last_push_at)) >= b.since * 86400
        AND extract(epoch FROM now() - greatest(d.seen_at, d.last_pull_at, d.last_push_at)) < b.until * 86400 GROUP BY b.label;
END $$;

-- A device's rows are not those of the server. One row an hour for each scope, however often it asks.
CREATE FUNCTION sec.checksum_differs(p_scope int, p_detail jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF sec.device() IS NULL OR NOT p_scope = ANY (sec.grids()) THEN RAISE insufficient_privilege USING MESSAGE = 'not in scope'; END IF;
  INSERT INTO sync.incident (device_id, code, scope_id, detail)
    SELECT sec.device(), 'checksum', p_scope, p_detail
     WHERE NOT EXISTS (SELECT FROM sync.incident i WHERE i.device_id = sec.device() AND i.at > clock_timestamp() - interval '1 hour'
                        AND i.code = 'checksum' AND i.scope_id = p_scope);
END $$;
REVOKE ALL ON FUNCTION sec.pull_open(text, int[]), sec.feed_state(), sec.feed_heads(xid8), sec.feed_lag(), sec.feed_figures(),
  sec.checksum_differs(int, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sec.pull_open(text, int[]), sec.feed_state(), sec.checksum_differs(int, jsonb) TO app_field;
GRANT EXECUTE ON FUNCTION sec.feed_heads(xid8), sec.feed_figures() TO app_auth;
GRANT EXECUTE ON FUNCTION sec.feed_lag() TO reg_owner;
"""

# Each does at most p_most rows and says how many it did: whoever calls goes on while that is all of them, in a transaction each, because
# a long one would hold the feed back.
RETENTION = """
-- Only the newest pointer of an entity in a scope says anything, because a reader looks at the row as it is then. It keeps the highest
-- version: an older transaction may have made a newer one.
CREATE FUNCTION sec.compact_feed(p_most int) RETURNS int
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE scope int; done int := 0; n int; horizon xid8 := pg_snapshot_xmin(pg_current_snapshot());
BEGIN
  IF sec.uid('loader') IS NULL THEN RAISE insufficient_privilege USING MESSAGE = 'not in scope'; END IF;
  SELECT m.compacted INTO scope FROM sync.feed_meta m FOR UPDATE;
  LOOP
    SELECT min(l.scope_id) INTO scope FROM sync.change_log l WHERE l.scope_id > scope;
    EXIT WHEN scope IS NULL;
    WITH ranked AS MATERIALIZED (
      SELECT l.xid, l.seq, l.version, row_number() OVER w AS n, max(l.version) OVER (PARTITION BY l.kind, l.entity_id) AS highest
        FROM sync.change_log l WHERE l.scope_id = scope AND l.xid < horizon
      WINDOW w AS (PARTITION BY l.kind, l.entity_id ORDER BY l.xid DESC, l.seq DESC)
    ), raised AS (
      UPDATE sync.change_log l SET version = r.highest FROM ranked r
       WHERE r.n = 1 AND r.version < r.highest AND l.scope_id = scope AND l.xid = r.xid AND l.seq = r.seq
    ), superseded AS MATERIALIZED (SELECT r.xid, r.seq FROM ranked r WHERE r.n > 1 LIMIT p_most - done)
    DELETE FROM sync.change_log l USING superseded s WHERE l.scope_id = scope AND l.xid = s.xid AND l.seq = s.seq;
    GET DIAGNOSTICS n = ROW_COUNT;
    done := done + n;
    IF done >= p_most THEN
      UPDATE sync.feed_meta SET compacted = scope - 1;                              -- there may be more in this one
      RETURN done;
    END IF;
  END LOOP;
  UPDATE sync.feed_meta SET compacted = 0;
  RETURN done;
END $$;

-- Pointers that only say "gone", after half a year: whoever has not asked since then begins with a snapshot. Which table a kind is kept in
-- is read from the triggers that write the pointers.
CREATE FUNCTION sec.prune_feed(p_most int) RETURNS int
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE noun record; done int := 0; n int; highest xid8; horizon xid8 := pg_snapshot_xmin(pg_current_snapshot());
BEGIN
  IF sec.uid('loader') IS NULL THEN RAISE insufficient_privilege USING MESSAGE = 'not in scope'; END IF;
  PERFORM FROM sync.feed_meta FOR UPDATE;
  FOR noun IN SELECT c.relname, split_part(encode(t.tgargs, 'escape'), E'\\\\000', 1) AS kind FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
               WHERE t.tgname = 'log_update' AND c.relnamespace = to_regnamespace('reg') ORDER BY c.relname LOOP
    EXECUTE format('WITH gone AS MATERIALIZED (
        SELECT l.scope_id, l.xid, l.seq FROM sync.change_log l
         WHERE l.kind = $1 AND l.at < clock_timestamp() - interval ''180 days'' AND l.xid < $2
           AND NOT EXISTS (SELECT FROM reg.%I e WHERE e.id = l.entity_id AND e.grid_id = l.scope_id AND e.deleted_at IS NULL) LIMIT $3
      ), dropped AS (
        DELETE FROM sync.change_log l USING gone g WHERE l.scope_id = g.scope_id AND l.xid = g.xid AND l.seq = g.seq RETURNING l.xid
      ) SELECT count(*), max(xid::text::numeric)::text::xid8 FROM dropped', noun.relname)
      INTO n, highest USING noun.kind, horizon, p_most - done;
    done := done + n;
    IF n > 0 THEN
      UPDATE sync.feed_meta SET pruned_below = (highest::text::numeric + 1)::text::xid8 WHERE pruned_below <= highest;
    END IF;
    EXIT WHEN done >= p_most;
  END LOOP;
  RETURN done;
END $$;

-- What became of a mutation is told in full for 90 days; number, hash, status and version stay as long as the device.
CREATE FUNCTION sec.shorten_results(p_most int) RETURNS int
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE done int;
BEGIN
  IF sec.uid('loader') IS NULL THEN RAISE insufficient_privilege USING MESSAGE = 'not in scope'; END IF;
  UPDATE sync.mutation m SET result = NULL FROM (
      SELECT o.device_id, o.client_seq FROM sync.mutation o
       WHERE o.result IS NOT NULL AND o.received_at < clock_timestamp() - interval '90 days' ORDER BY o.received_at LIMIT p_most) old
   WHERE m.device_id = old.device_id AND m.client_seq = old.client_seq;
  GET DIAGNOSTICS done = ROW_COUNT;
  RETURN done;
END $$;

-- Persons struck out a month ago (Personal Information Protection Law, article 47: erased when the purpose is gone): name, sex, year of birth
-- and masks go from the row and from all its former forms, the sealed phone and the link to the number too, and the number itself when
-- nobody else has it. A name may not be empty, so a word stands in its place. That somebody was there, where and when, stays.
CREATE FUNCTION sec.erase_people(p_most int) RETURNS int
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE who uuid[]; numbers uuid[];
BEGIN
  IF sec.uid('loader') IS NULL THEN RAISE insufficient_privilege USING MESSAGE = 'not in scope'; END IF;
  SELECT array_agg(o.id) INTO who FROM (
    SELECT p.id FROM reg.person p WHERE p.deleted_at < clock_timestamp() - interval '30 days' AND p.name <> '已删除'
     ORDER BY p.id LIMIT p_most FOR UPDATE) o;
  IF who IS NULL THEN RETURN 0; END IF;
  UPDATE reg.person SET name = '已删除', sex = NULL, birth_year = NULL, id_mask = NULL, phone_mask = NULL WHERE id = ANY (who);
  UPDATE reg.person_past SET name = '已删除', sex = NULL, birth_year = NULL, id_mask = NULL, phone_mask = NULL WHERE id = ANY (who);
  -- Two sources' words for a name or a date of birth are personal too; the report stays, each with a mark of its own.
  UPDATE reg.discrepancy SET ours = NULL, theirs = id::text WHERE person_id = ANY (who);
  UPDATE reg.discrepancy_past SET ours = NULL, theirs = id::text WHERE person_id = ANY (who);
  UPDATE sync.conflict SET base = NULL, theirs = NULL, yours = NULL, resolution = NULL WHERE kind = 'resident' AND entity_id = ANY (who);
  UPDATE sync.mutation SET result = NULL WHERE kind = 'resident' AND entity_id = ANY (who) AND result IS NOT NULL;
  SELECT array_agg(s.identity_id) INTO numbers FROM reg.person_secret s WHERE s.person_id = ANY (who) AND s.identity_id IS NOT NULL;
  UPDATE reg.person_secret SET identity_id = NULL, phone_enc = NULL, req_hash = sha256(uuid_send(person_id)) WHERE person_id = ANY (who);
  DELETE FROM reg.identity i WHERE i.id = ANY (numbers) AND NOT EXISTS (SELECT FROM reg.person_secret s WHERE s.identity_id = i.id);
  INSERT INTO reg.audit (action, object_type, outcome, n_rows) VALUES ('erase', 'person', 'ok', cardinality(who));
  RETURN cardinality(who);
END $$;
"""

SWEEP = """
-- {what}
CREATE FUNCTION sec.sweep_{name}(p_most int) RETURNS int
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE done int;
BEGIN
  IF sec.uid('loader') IS NULL THEN RAISE insufficient_privilege USING MESSAGE = 'not in scope'; END IF;
  DELETE FROM sync.{table} t USING (SELECT o.{key} FROM sync.{table} o WHERE {over} LIMIT p_most) old WHERE t.{key} = old.{key};
  GET DIAGNOSTICS done = ROW_COUNT;
  RETURN done;
END $$;
"""
SWEEPS = (
    {
        "name": "enrolments",
        "what": "Codes that nobody used and that are good no more, and those used whose request cannot come again.",
        "table": "enrolment",
        "key": "code_hash",
        "over": "o.expires_at < clock_timestamp() - interval '30 days'",
    },
    {
        "name": "conflicts",
        "what": "Conflicts that were decided three years ago. What the row was and is, its history tells.",
        "table": "conflict",
        "key": "id",
        "over": "o.state <> 'open' AND coalesce(o.resolved_at, o.created_at) < clock_timestamp() - interval '3 years'",
    },
    {
        "name": "letters",
        "what": "Dead letters after which somebody looked three years ago. That there was one, sync.mutation tells.",
        "table": "dead_letter",
        "key": "mutation_id",
        "over": "o.state = 'closed' AND o.closed_at < clock_timestamp() - interval '3 years'",
    },
)
GRANTS = """
REVOKE ALL ON FUNCTION sec.compact_feed(int), sec.prune_feed(int), sec.shorten_results(int), sec.erase_people(int),
  sec.sweep_enrolments(int), sec.sweep_conflicts(int), sec.sweep_letters(int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sec.compact_feed(int), sec.prune_feed(int), sec.shorten_results(int), sec.erase_people(int),
  sec.sweep_enrolments(int), sec.sweep_conflicts(int), sec.sweep_letters(int) TO app_loader;
"""

DELETES = "reg.identity, sync.enrolment, sync.conflict, sync.dead_letter"


def upgrade() -> None:
    op.execute(POINTERS)
    op.execute(f"GRANT DELETE ON {DELETES} TO sec_definer")
    op.execute("SET ROLE sec_definer")
    op.execute(READING)
    op.execute(RETENTION)
    for one in SWEEPS:
        op.execute(SWEEP.format(**one))
    op.execute(GRANTS)
    op.execute("SET ROLE reg_owner")


def downgrade() -> None:
    op.execute("SET ROLE sec_definer")
    op.execute("""
        DROP FUNCTION sec.sweep_letters(int), sec.sweep_conflicts(int), sec.sweep_enrolments(int), sec.erase_people(int), sec.shorten_results(int), sec.prune_feed(int),
          sec.compact_feed(int), sec.checksum_differs(int, jsonb), sec.feed_figures(), sec.feed_lag(), sec.feed_heads(xid8), sec.feed_state(),
          sec.pull_open(text, int[]);
    """)
    op.execute("SET ROLE reg_owner")
    op.execute(f"REVOKE DELETE ON {DELETES} FROM sec_definer")
    op.execute("""
        REVOKE SELECT ON sync.change_log FROM app_field; DROP POLICY field_r ON sync.change_log;
        ALTER TABLE sync.feed_meta DROP COLUMN compacted; DROP INDEX sync.ix_change_log_number;
    """)
