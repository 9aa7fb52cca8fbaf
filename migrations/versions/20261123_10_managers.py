"""Appointments of building managers.

Why: measure 103 asks for a manager of nine rental buildings in ten, appointed, trained and supervised.
"""

from alembic import op

from migrations.protection import ENTITY, SCOPES, force, logged, readable, unprotect, versioned, writable

revision = "20261123_10"
down_revision = "20261123_09"
branch_labels = None
depends_on = None

TABLE = f"""
CREATE TABLE reg.manager ({ENTITY},
  person_id uuid NOT NULL,
  building_id uuid NOT NULL,
  grid_id int NOT NULL,
  subdistrict_id int NOT NULL,
  kind text NOT NULL,
  state text NOT NULL DEFAULT 'candidate',
  archive_number text,
  valid_from date NOT NULL,
  valid_to date,
  police_contact text,
  office_contact text,
  CONSTRAINT pk_manager PRIMARY KEY (id),
  CONSTRAINT fk_manager_person_id FOREIGN KEY (person_id) REFERENCES reg.person (id),
  CONSTRAINT fk_manager_building_id_grid_id_subdistrict_id FOREIGN KEY (building_id, grid_id, subdistrict_id)
    REFERENCES reg.building (id, grid_id, subdistrict_id) ON UPDATE CASCADE,
  CONSTRAINT ck_manager_kind CHECK (kind IN ('owner', 'sub_landlord', 'hired')),
  CONSTRAINT ck_manager_state CHECK (state IN ('candidate', 'checked', 'appointed', 'trained', 'active', 'suspended', 'dismissed', 'resigned')),
  CONSTRAINT ck_manager_valid CHECK (valid_to > valid_from),
  CONSTRAINT ck_manager_gone CHECK (state NOT IN ('dismissed', 'resigned') OR valid_to IS NOT NULL),
  -- Dual guidance: an archive of an active manager names both contacts.
  CONSTRAINT ck_manager_contacts CHECK (state <> 'active' OR (police_contact IS NOT NULL AND office_contact IS NOT NULL)),
  CONSTRAINT ex_manager_person_building EXCLUDE USING gist (person_id WITH =, building_id WITH =, daterange(valid_from, valid_to) WITH &&)
    WHERE (deleted_at IS NULL)
);
-- manager: One appointment = person, building, period (楼管员).
-- Serves the managers of a building, and the cascade from it.
CREATE INDEX ix_manager_building_id_grid_id_subdistrict_id ON reg.manager (building_id, grid_id, subdistrict_id);
-- Serves the buildings of a person.
CREATE INDEX ix_manager_person_id ON reg.manager (person_id);
-- Serve keyset pages of a worker's grids and of a subdistrict.
CREATE INDEX ix_manager_grid_id_id ON reg.manager (grid_id, id);
CREATE INDEX ix_manager_subdistrict_id_id ON reg.manager (subdistrict_id, id);
"""

STEPS = """
CREATE FUNCTION sec.check_manager_state() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT (NEW.state = ANY (CASE OLD.state
      WHEN 'candidate' THEN ARRAY['checked', 'resigned', 'dismissed']
      WHEN 'checked' THEN ARRAY['appointed', 'resigned', 'dismissed']
      WHEN 'appointed' THEN ARRAY['trained', 'resigned', 'dismissed']
      WHEN 'trained' THEN ARRAY['active', 'resigned', 'dismissed']
      WHEN 'active' THEN ARRAY['suspended', 'resigned', 'dismissed']
      WHEN 'suspended' THEN ARRAY['active', 'resigned', 'dismissed']
      ELSE '{}'::text[] END)) THEN
    RAISE check_violation USING CONSTRAINT = 'manager_state_step', SCHEMA = 'reg', TABLE = 'manager',
      MESSAGE = format('a manager who is %s does not become %s', OLD.state, NEW.state);
  END IF;
  RETURN NEW;
END $$;
REVOKE ALL ON FUNCTION sec.check_manager_state() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sec.check_manager_state() TO reg_owner;
"""

UPDATE = ("kind", "state", "archive_number", "valid_from", "valid_to", "police_contact", "office_contact", "deleted_at")
INSERT = ("id", "person_id", "building_id", "grid_id", "subdistrict_id", *UPDATE[:-1])
SEEN = "EXISTS (SELECT FROM reg.person p WHERE p.id = person_id)"


def upgrade() -> None:
    op.execute(TABLE)
    op.execute("SET ROLE sec_definer")
    op.execute(STEPS)
    op.execute("SET ROLE reg_owner")
    op.execute(
        force("reg.manager")
        + readable("reg.manager", SCOPES)
        + writable("reg.manager", SCOPES, insert=INSERT, update=UPDATE, check={"field": SEEN, "subdistrict": SEEN})
        + versioned("manager", SCOPES)
        + logged("manager", "manager")
        + """
        CREATE TRIGGER manager_state_step BEFORE UPDATE OF state ON reg.manager
          FOR EACH ROW WHEN (NEW.state IS DISTINCT FROM OLD.state) EXECUTE FUNCTION sec.check_manager_state();
        """
    )


def downgrade() -> None:
    op.execute(unprotect("manager"))
    op.execute("SET ROLE sec_definer")
    op.execute("DROP FUNCTION sec.check_manager_state()")
    op.execute("SET ROLE reg_owner")
