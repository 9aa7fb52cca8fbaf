"""What hangs on a row goes where the row goes, an alias is an id that nobody has, and what is erased is erased from letters and photos too.

Why: a conflict and a photo stayed in the queue and in the sight of the grid that their row had left; a handheld could make the id of
somebody whom it does not see an alias of its own resident, and others' changes of that row went astray from then on.
"""

from alembic import op

revision = "20261128_26"
down_revision = "20261128_25"
branch_labels = None
depends_on = None

NOUNS = {
    "building": "building", "unit": "unit", "resident": "person", "residence": "residence", "lease": "lease", "manager": "manager",
    "inspection": "inspection", "duty_report": "duty_report",
}  # fmt: skip
"""Tables by the names of kinds on the wire."""
FOLLOWERS = ("conflict", "file_link")

INDEXES = """
-- Serve what follows a row into another grid.
CREATE INDEX ix_conflict_entity_id_kind ON sync.conflict (entity_id, kind);
CREATE INDEX ix_file_link_entity_id_kind ON sync.file_link (entity_id, kind);
"""

UPDATED = """
CREATE OR REPLACE FUNCTION sec.log_update() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
{declare}BEGIN
{body}  RETURN NULL;
END $$;
"""
TOGETHER = """  INSERT INTO sync.change_log (scope_id, kind, entity_id, version)
    SELECT o.grid_id, TG_ARGV[0], o.id, n.version FROM old_rows o JOIN new_rows n ON n.id = o.id WHERE o.grid_id <> n.grid_id
    UNION ALL SELECT n.grid_id, TG_ARGV[0], n.id, n.version FROM new_rows n;
"""
APART = """  INSERT INTO sync.change_log (scope_id, kind, entity_id, version)
    SELECT o.grid_id, TG_ARGV[0], o.id, n.version FROM old_rows o JOIN new_rows n ON n.id = o.id WHERE o.grid_id <> n.grid_id;
  GET DIAGNOSTICS moved = ROW_COUNT;
  INSERT INTO sync.change_log (scope_id, kind, entity_id, version) SELECT n.grid_id, TG_ARGV[0], n.id, n.version FROM new_rows n;
  IF moved > 0 THEN                                                        -- whoever lost the row loses what tells of it
    UPDATE sync.conflict f SET grid_id = n.grid_id, subdistrict_id = n.subdistrict_id FROM new_rows n
     WHERE f.entity_id = n.id AND f.kind = TG_ARGV[0] AND f.grid_id <> n.grid_id;
    UPDATE sync.file_link f SET grid_id = n.grid_id, subdistrict_id = n.subdistrict_id FROM new_rows n
     WHERE f.entity_id = n.id AND f.kind = TG_ARGV[0] AND f.grid_id <> n.grid_id;
  END IF;
"""

IN_USE = " UNION ALL ".join(f"SELECT e.id, e.deleted_at IS NULL FROM reg.{noun} e WHERE e.id = ANY (p_ids)" for noun in NOUNS.values())
ALIASES = f"""
-- Which of some ids a row of the register has, seen by the caller or not, struck out or not. For functions only.
CREATE FUNCTION sec.ids_in_use(p_ids uuid[], OUT id uuid, OUT live boolean) RETURNS SETOF record
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN RETURN QUERY {IN_USE}; END $$;
-- The same for a device that would have them stand for somebody else. It learns what a creation under such an id would tell it.
CREATE FUNCTION sec.ids_taken(p_ids uuid[]) RETURNS SETOF uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF sec.device() IS NULL THEN RAISE insufficient_privilege USING MESSAGE = 'not in scope'; END IF;
  RETURN QUERY SELECT DISTINCT u.id FROM sec.ids_in_use(p_ids) u;
END $$;
-- Two records that are made one: the one that is struck out becomes an alias. A living one never does.
CREATE FUNCTION sec.alias_of_nobody() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM sec.ids_in_use(ARRAY[NEW.alias]) u WHERE u.live) THEN
    RAISE unique_violation USING MESSAGE = 'the id is used already', CONSTRAINT = 'pk_person';
  END IF;
  RETURN NEW;
END $$;
REVOKE ALL ON FUNCTION sec.ids_in_use(uuid[]), sec.ids_taken(uuid[]), sec.alias_of_nobody() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sec.ids_taken(uuid[]) TO app_field;
GRANT EXECUTE ON FUNCTION sec.alias_of_nobody() TO reg_owner;
"""
TRIGGER = "CREATE TRIGGER alias_of_nobody BEFORE INSERT ON sync.id_alias FOR EACH ROW EXECUTE FUNCTION sec.alias_of_nobody()"

ERASED = """
-- Persons struck out a month ago (Personal Information Protection Law, article 47: erased when the purpose is gone): name, sex, year of birth
-- and masks go from the row and from all its former forms, the sealed phone and the link to the number too, and the number itself when
-- nobody else has it. A name may not be empty, so a word stands in its place. That somebody was there, where and when, stays.
CREATE OR REPLACE FUNCTION sec.erase_people(p_most int) RETURNS int
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE who uuid[]; numbers uuid[];
BEGIN
  IF sec.uid('loader') IS NULL THEN RAISE insufficient_privilege USING MESSAGE = 'not in scope'; END IF;
  SELECT array_agg(o.id) INTO who FROM (
    SELECT p.id FROM reg.person p WHERE p.deleted_at < clock_timestamp() - interval '30 days' AND {whose}
     ORDER BY p.id LIMIT p_most FOR UPDATE) o;
  IF who IS NULL THEN RETURN 0; END IF;
  UPDATE reg.person SET name = '已删除', sex = NULL, birth_year = NULL, id_mask = NULL, phone_mask = NULL WHERE id = ANY (who){unless};
  UPDATE reg.person_past SET name = '已删除', sex = NULL, birth_year = NULL, id_mask = NULL, phone_mask = NULL WHERE id = ANY (who);
  -- Two sources' words for a name or a date of birth are personal too; the report stays, each with a mark of its own.
  UPDATE reg.discrepancy SET ours = NULL, theirs = id::text WHERE person_id = ANY (who);
  UPDATE reg.discrepancy_past SET ours = NULL, theirs = id::text WHERE person_id = ANY (who);
  UPDATE sync.conflict SET base = NULL, theirs = NULL, yours = NULL, resolution = NULL WHERE kind = 'resident' AND entity_id = ANY (who);
{further}  UPDATE sync.mutation SET result = NULL WHERE kind = 'resident' AND entity_id = ANY (who) AND result IS NOT NULL;
  SELECT array_agg(s.identity_id) INTO numbers FROM reg.person_secret s WHERE s.person_id = ANY (who) AND s.identity_id IS NOT NULL;
  UPDATE reg.person_secret SET identity_id = NULL, phone_enc = NULL, req_hash = sha256(uuid_send(person_id)) WHERE person_id = ANY (who);
  DELETE FROM reg.identity i WHERE i.id = ANY (numbers) AND NOT EXISTS (SELECT FROM reg.person_secret s WHERE s.identity_id = i.id);
  INSERT INTO reg.audit (action, object_type, outcome, n_rows) VALUES ('erase', 'person', 'ok', cardinality(who));
  RETURN cardinality(who);
END $$;
"""
ONCE = "p.name <> '已删除'"
# Handhelds may tell of somebody who was erased long ago: it waits as long as anything else that was said of who is struck out.
AGAIN = """(p.name <> '已删除' OR p.id IN (
       SELECT c.entity_id FROM sync.conflict c WHERE c.kind = 'resident' AND c.created_at < clock_timestamp() - interval '30 days'
          AND num_nonnulls(c.base, c.theirs, c.yours) > 0
       UNION SELECT coalesce(a.canonical, l.entity_id) FROM sync.dead_letter l LEFT JOIN sync.id_alias a ON a.alias = l.entity_id
        WHERE l.kind = 'resident' AND l.created_at < clock_timestamp() - interval '30 days'))"""
LETTERS = """  -- What was said of them and could not be taken, by their own id or by one that stands for them; that it was said, sync.mutation tells.
  DELETE FROM sync.dead_letter l WHERE l.kind = 'resident'
     AND coalesce((SELECT a.canonical FROM sync.id_alias a WHERE a.alias = l.entity_id), l.entity_id) = ANY (who);
"""
PHOTOS = """  -- Photos of them, but those that show something else too; the nightly sweep of files deletes the bytes.
  WITH gone AS (DELETE FROM sync.file_link l WHERE l.kind = 'resident' AND l.entity_id = ANY (who) RETURNING l.file_id)
  UPDATE sync.file f SET state = 'expired', objects = '{}', swept = false FROM (SELECT DISTINCT g.file_id FROM gone g) n
   WHERE f.id = n.file_id AND NOT EXISTS (
     SELECT FROM sync.file_link o WHERE o.file_id = f.id AND o.linked_by = f.account_id AND NOT (o.kind = 'resident' AND o.entity_id = ANY (who)));
"""


def upgrade() -> None:
    op.execute(INDEXES)
    for table in FOLLOWERS:
        for kind, noun in NOUNS.items():
            op.execute(
                f"UPDATE sync.{table} f SET grid_id = n.grid_id, subdistrict_id = n.subdistrict_id FROM reg.{noun} n"
                f" WHERE f.kind = '{kind}' AND f.entity_id = n.id AND f.grid_id <> n.grid_id"
            )
    # To have been there and seen it takes nothing from whoever was there before.
    op.execute("INSERT INTO sync.field_policy (kind, field, policy) VALUES ('residence', 'verified', 'client_wins') ON CONFLICT DO NOTHING")
    op.execute("GRANT DELETE ON sync.file_link TO sec_definer")
    op.execute("SET ROLE sec_definer")
    op.execute(
        UPDATED.format(declare="DECLARE moved bigint;\n", body=APART)
        + ALIASES
        + ERASED.format(whose=AGAIN, unless=" AND name <> '已删除'", further=LETTERS + PHOTOS)
    )
    op.execute("SET ROLE reg_owner")
    op.execute(TRIGGER)


def downgrade() -> None:
    op.execute("DROP TRIGGER alias_of_nobody ON sync.id_alias")
    op.execute("SET ROLE sec_definer")
    op.execute(UPDATED.format(declare="", body=TOGETHER) + ERASED.format(whose=ONCE, unless="", further=""))
    op.execute("DROP FUNCTION sec.alias_of_nobody(); DROP FUNCTION sec.ids_taken(uuid[]); DROP FUNCTION sec.ids_in_use(uuid[]);")
    op.execute("SET ROLE reg_owner")
    op.execute("REVOKE DELETE ON sync.file_link FROM sec_definer")
    op.execute("DELETE FROM sync.field_policy WHERE kind = 'residence' AND field = 'verified'")
    op.execute("DROP INDEX sync.ix_file_link_entity_id_kind; DROP INDEX sync.ix_conflict_entity_id_kind;")
