"""Posts, grid assignments and area grants, the scope that follows from them, and the protection of grids by it.

Why: who sees what is derived from the assignments at each transaction, so an assignment that ends takes the rows with it at once.
"""

from alembic import op

from migrations.protection import DISTRICT, LOADER, SUBDISTRICT, force, readable, versioned, writable

revision = "20261123_04"
down_revision = "20261123_03"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE reg.post (
  id int GENERATED ALWAYS AS IDENTITY,
  code text NOT NULL,
  name text NOT NULL,
  CONSTRAINT pk_post PRIMARY KEY (id),
  CONSTRAINT uq_post_code UNIQUE (code),
  CONSTRAINT ck_post_code CHECK (code ~ '^[a-z][a-z_]{0,31}$')
);
INSERT INTO reg.post (code, name) VALUES ('comprehensive_officer', '综管员'), ('grid_worker', '网格员'),
  ('assistant_officer', '协管员'), ('information_officer', '信息员'), ('building_manager', '楼管员');

CREATE TABLE reg.grid_assignment (
  id int GENERATED ALWAYS AS IDENTITY,
  account_id bigint NOT NULL,
  grid_id int NOT NULL,
  post_id int NOT NULL,
  stand_in boolean NOT NULL DEFAULT false,
  valid_from date NOT NULL,
  valid_to date,
  recorded_by bigint NOT NULL DEFAULT sec.actor(),
  CONSTRAINT pk_grid_assignment PRIMARY KEY (id),
  CONSTRAINT fk_grid_assignment_account_id FOREIGN KEY (account_id) REFERENCES reg.account (id),
  CONSTRAINT fk_grid_assignment_grid_id FOREIGN KEY (grid_id) REFERENCES reg.grid (id),
  CONSTRAINT fk_grid_assignment_post_id FOREIGN KEY (post_id) REFERENCES reg.post (id),
  CONSTRAINT ck_grid_assignment_valid CHECK (valid_to > valid_from),
  CONSTRAINT ex_grid_assignment_account_grid EXCLUDE USING gist (account_id WITH =, grid_id WITH =, daterange(valid_from, valid_to) WITH &&)
);
-- Serves the scope of an account and the vacant grids.
CREATE INDEX ix_grid_assignment_account_id ON reg.grid_assignment (account_id);
CREATE INDEX ix_grid_assignment_grid_id ON reg.grid_assignment (grid_id);
-- grid_assignment.stand_in: The B of an A/B pair: sees the grid too, is not counted as its worker.

CREATE TABLE reg.area_grant (
  id int GENERATED ALWAYS AS IDENTITY,
  account_id bigint NOT NULL,
  area_id int NOT NULL,
  level text NOT NULL,
  valid_from date NOT NULL,
  valid_to date,
  recorded_by bigint NOT NULL DEFAULT sec.actor(),
  CONSTRAINT pk_area_grant PRIMARY KEY (id),
  CONSTRAINT fk_area_grant_account_id FOREIGN KEY (account_id) REFERENCES reg.account (id),
  CONSTRAINT fk_area_grant_area_id_level FOREIGN KEY (area_id, level) REFERENCES reg.area (id, level),
  CONSTRAINT ck_area_grant_level CHECK (level IN ('subdistrict', 'community')),
  CONSTRAINT ck_area_grant_valid CHECK (valid_to > valid_from),
  -- A subdistrict's scope is one number in the policies: one subdistrict at a time.
  CONSTRAINT ex_area_grant_subdistrict EXCLUDE USING gist (account_id WITH =, daterange(valid_from, valid_to) WITH &&) WHERE (level = 'subdistrict'),
  CONSTRAINT ex_area_grant_account_area EXCLUDE USING gist (account_id WITH =, area_id WITH =, daterange(valid_from, valid_to) WITH &&)
);
-- Serves the scope of an account.
CREATE INDEX ix_area_grant_account_id ON reg.area_grant (account_id);
"""

SCOPE = """
-- Base grids of a field account: those assigned, and all of the communities granted. Evaluated once a statement by the policies.
CREATE FUNCTION sec.grids() RETURNS int[]
LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp AS $$
DECLARE who bigint := sec.uid('field'); today date := (transaction_timestamp() AT TIME ZONE 'Asia/Shanghai')::date;
BEGIN
  IF who IS NULL THEN RETURN '{}'; END IF;
  RETURN coalesce((SELECT array_agg(s.grid_id) FROM (
      SELECT a.grid_id FROM reg.grid_assignment a
       WHERE a.account_id = who AND a.valid_from <= today AND (a.valid_to IS NULL OR a.valid_to > today)
      UNION
      SELECT g.id FROM reg.area_grant r JOIN reg.grid g ON g.community_id = r.area_id
       WHERE r.account_id = who AND r.level = 'community' AND r.valid_from <= today AND (r.valid_to IS NULL OR r.valid_to > today)
    ) s), '{}');
END $$;
-- The one subdistrict of a subdistrict account.
CREATE FUNCTION sec.subdistrict() RETURNS int
LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp AS $$
DECLARE who bigint := sec.uid('subdistrict'); today date := (transaction_timestamp() AT TIME ZONE 'Asia/Shanghai')::date;
BEGIN
  IF who IS NULL THEN RETURN NULL; END IF;
  RETURN (SELECT r.area_id FROM reg.area_grant r WHERE r.account_id = who AND r.level = 'subdistrict'
           AND r.valid_from <= today AND (r.valid_to IS NULL OR r.valid_to > today));
END $$;
-- For definer functions, which see everything: may the caller see a row of this grid?
CREATE FUNCTION sec.may_see(p_grid int, p_subdistrict int) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN coalesce(sec.uid('district') IS NOT NULL OR sec.uid('loader') IS NOT NULL
    OR p_subdistrict = sec.subdistrict() OR p_grid = ANY (sec.grids()), false);
END $$;
REVOKE ALL ON FUNCTION sec.may_see(int, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sec.grids() TO app_field, reg_owner;
GRANT EXECUTE ON FUNCTION sec.subdistrict() TO app_subdistrict, reg_owner;
"""

OFFICE = {"district": DISTRICT, "loader": LOADER}
ADMIN = {"admin": "(SELECT sec.uid('admin')) IS NOT NULL"}
GRID = ("code", "scheme", "kind", "name", "community_id", "subdistrict_id", "valid_from", "valid_to", "geom", "deleted_at")
LINEAGE = ("predecessor_id", "successor_id", "kind", "happened_on")
SIGNED_IN: dict[str, str] = dict.fromkeys(
    ("field", "subdistrict", "district", "loader", "admin", "audit"), "(SELECT sec.uid('any')) IS NOT NULL"
)


def upgrade() -> None:
    op.execute(TABLES)
    op.execute("SET ROLE sec_definer")
    op.execute(SCOPE)
    op.execute("SET ROLE reg_owner")
    op.execute(force("reg.post") + readable("reg.post", SIGNED_IN) + writable("reg.post", ADMIN, insert=("code", "name")))
    whose = {"field": "account_id = (SELECT sec.uid('field'))", "subdistrict": "account_id = (SELECT sec.uid('subdistrict'))"}
    for table, columns in (
        ("reg.grid_assignment", ("account_id", "grid_id", "post_id", "stand_in", "valid_from", "valid_to")),
        ("reg.area_grant", ("account_id", "area_id", "level", "valid_from", "valid_to")),
    ):
        op.execute(force(table) + readable(table, whose | OFFICE | ADMIN) + writable(table, ADMIN, insert=columns, update=("valid_to",)))
    scopes = {"field": "id = ANY ((SELECT sec.grids())::int[])", "subdistrict": SUBDISTRICT} | OFFICE
    op.execute(force("reg.grid") + readable("reg.grid", scopes | ADMIN) + writable("reg.grid", OFFICE, insert=GRID, update=GRID))
    op.execute(force("reg.grid_lineage") + readable("reg.grid_lineage", OFFICE) + writable("reg.grid_lineage", OFFICE, insert=LINEAGE))
    op.execute(versioned("grid", scopes))
    op.execute("""
        CREATE CONSTRAINT TRIGGER grid_no_overlap AFTER INSERT OR UPDATE OF geom, valid_from, valid_to, community_id, kind, scheme, deleted_at ON reg.grid
          DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION sec.check_grid();
    """)


def downgrade() -> None:
    op.execute("""
        DROP TRIGGER grid_no_overlap ON reg.grid;
        DROP TRIGGER keep_past ON reg.grid;
        DROP TABLE reg.grid_past;
        DO $$ DECLARE p record; BEGIN
          FOR p IN SELECT polname, polrelid::regclass AS t FROM pg_policy WHERE polrelid IN ('reg.grid'::regclass, 'reg.grid_lineage'::regclass) LOOP
            EXECUTE format('DROP POLICY %I ON %s', p.polname, p.t);
          END LOOP;
        END $$;
        REVOKE ALL ON reg.grid, reg.grid_lineage FROM reg_dump_reader, sec_definer, app_field, app_subdistrict, app_district, app_loader, app_admin;
        ALTER TABLE reg.grid DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
        ALTER TABLE reg.grid_lineage DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
        DROP TABLE reg.area_grant; DROP TABLE reg.grid_assignment; DROP TABLE reg.post;
    """)
    op.execute("SET ROLE sec_definer")
    op.execute("DROP FUNCTION sec.may_see(int, int); DROP FUNCTION sec.subdistrict(); DROP FUNCTION sec.grids();")
    op.execute("SET ROLE reg_owner")
