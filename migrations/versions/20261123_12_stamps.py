"""Which transactions wrote which table, and the stamp that is made of it.

Why: an answer of a layer is kept under a tag, by clients and here, and must be seen to be old after the next write. A counter in a
row would make all writers of a table wait for one another, and the highest number of a log says nothing of a transaction that took
a lower one and ends later. The set of transactions that are seen says it exactly, and reading it costs two looks into an index.
"""

from alembic import op

from migrations.protection import force

revision = "20261123_12"
down_revision = "20261123_11"
branch_labels = None
depends_on = None

NOUNS = ("area", "building", "grid", "lease", "manager", "residence", "unit")
READERS = "app_public, app_field, app_subdistrict, app_district, app_loader, app_admin, app_audit"

TABLE = """
CREATE TABLE reg.layer_change (
  noun text NOT NULL,
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  CONSTRAINT pk_layer_change PRIMARY KEY (noun, xid)
);
"""

TRIGGER = """
-- Now and then it sweeps what no stamp asks for any more: below the newest transaction that everybody sees, nothing matters.
CREATE FUNCTION sec.note_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO reg.layer_change (noun) VALUES (TG_TABLE_NAME) ON CONFLICT DO NOTHING;
  -- Under a snapshot of its own this would stumble over what another one has deleted since.
  IF pg_current_xact_id()::text::bigint % 256 = 0 AND current_setting('transaction_isolation') = 'read committed' THEN
    DELETE FROM reg.layer_change WHERE (noun, xid) IN (
      SELECT c.noun, c.xid FROM reg.layer_change c WHERE c.noun = TG_TABLE_NAME AND c.xid < (
        SELECT s.xid FROM reg.layer_change s WHERE s.noun = TG_TABLE_NAME AND s.xid < pg_snapshot_xmin(pg_current_snapshot())
         ORDER BY s.xid DESC LIMIT 1)
      FOR UPDATE SKIP LOCKED);
  END IF;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION sec.note_change() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sec.note_change() TO reg_owner;
"""

STAMP = """
-- A word for what the caller sees of these tables. Seen are all transactions below the oldest that still runs, of which the newest says
-- enough because later ones are newer, and those above it that have ended, each by itself. The class and scope of the caller and the
-- district's day go in too; all is hashed, so that nothing is told of who wrote or how much.
CREATE FUNCTION reg.stamp(p_nouns text[]) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  horizon xid8 := pg_snapshot_xmin(pg_current_snapshot());
  class text := split_part(coalesce(current_setting('app.ctx', true), ''), '|', 3);
  said text := reg.today()::text || '|' || class;
  n text;
BEGIN
  IF class = 'field' THEN said := said || coalesce(sec.grids()::text, ''); END IF;
  IF class = 'subdistrict' THEN said := said || coalesce(sec.subdistrict()::text, ''); END IF;
  FOREACH n IN ARRAY p_nouns LOOP
    said := said || '|'
      || coalesce((SELECT c.xid::text FROM reg.layer_change c WHERE c.noun = n AND c.xid < horizon ORDER BY c.xid DESC LIMIT 1), '')
      || ':' || coalesce((SELECT string_agg(c.xid::text, ',' ORDER BY c.xid) FROM reg.layer_change c WHERE c.noun = n AND c.xid >= horizon), '');
  END LOOP;
  RETURN left(encode(sha256(convert_to(said, 'UTF8')), 'hex'), 24);
END $$;
"""


def upgrade() -> None:
    op.execute(TABLE + force("reg.layer_change"))
    op.execute(f"""
        GRANT DELETE ON reg.layer_change TO sec_definer;
        CREATE POLICY reader_r ON reg.layer_change FOR SELECT TO {READERS} USING (true);
        GRANT SELECT ON reg.layer_change TO {READERS};
    """)
    op.execute("SET ROLE sec_definer")
    op.execute(TRIGGER)
    op.execute("SET ROLE reg_owner")
    op.execute(STAMP + f"REVOKE ALL ON FUNCTION reg.stamp(text[]) FROM PUBLIC; GRANT EXECUTE ON FUNCTION reg.stamp(text[]) TO {READERS};")
    for noun in NOUNS:
        op.execute(
            f"CREATE TRIGGER note_change AFTER INSERT OR UPDATE OR DELETE ON reg.{noun}"
            " FOR EACH STATEMENT EXECUTE FUNCTION sec.note_change()"
        )


def downgrade() -> None:
    for noun in NOUNS:
        op.execute(f"DROP TRIGGER note_change ON reg.{noun}")
    op.execute("SET ROLE sec_definer")
    op.execute("DROP FUNCTION sec.note_change()")
    op.execute("SET ROLE reg_owner")
    op.execute("DROP FUNCTION reg.stamp(text[]); DROP TABLE reg.layer_change")
