"""Residences: a person in a unit for a period.

Why: who lives where is the heart of the register; one main residence at a time is a rule that PostgreSQL holds.
"""

from alembic import op

from migrations.protection import ENTITY, SCOPES, bulk, force, logged, readable, unprotect, versioned, writable

revision = "20261123_07"
down_revision = "20261123_06"
branch_labels = None
depends_on = None

TABLE = f"""
CREATE TABLE reg.residence ({ENTITY},
  person_id uuid NOT NULL,
  unit_id uuid NOT NULL,
  grid_id int NOT NULL,
  subdistrict_id int NOT NULL,
  main boolean NOT NULL DEFAULT true,
  basis text NOT NULL DEFAULT 'other',
  valid_from date NOT NULL,
  valid_to date,
  declared_by text,
  declared_on date,
  verified_by bigint,
  verified_at timestamptz,
  CONSTRAINT pk_residence PRIMARY KEY (id),
  CONSTRAINT fk_residence_person_id FOREIGN KEY (person_id) REFERENCES reg.person (id),
  CONSTRAINT fk_residence_unit_id_grid_id_subdistrict_id FOREIGN KEY (unit_id, grid_id, subdistrict_id)
    REFERENCES reg.unit (id, grid_id, subdistrict_id) ON UPDATE CASCADE,
  CONSTRAINT fk_residence_verified_by FOREIGN KEY (verified_by) REFERENCES reg.account (id),
  CONSTRAINT ck_residence_valid CHECK (valid_to > valid_from),
  CONSTRAINT ck_residence_basis CHECK (basis IN ('lease', 'own', 'dormitory', 'relative', 'other')),
  CONSTRAINT ck_residence_declared_by CHECK (declared_by IN ('landlord', 'sub_landlord', 'manager', 'employer', 'school', 'hotel', 'resident', 'worker')),
  CONSTRAINT ck_residence_verified CHECK ((verified_by IS NULL) = (verified_at IS NULL)),
  -- Binds what is believed now: superseded rows live in residence_past. Deferrable, because a file may correct two neighbours at once.
  CONSTRAINT ex_residence_main EXCLUDE USING gist (person_id WITH =, daterange(valid_from, valid_to) WITH &&) WHERE (main AND deleted_at IS NULL)
    DEFERRABLE INITIALLY IMMEDIATE
);
-- residence.valid_to: Day of moving out, exclusive; NULL while the person lives there.
-- Serves the occupants of a unit, and the cascade from it.
CREATE INDEX ix_residence_unit_id_grid_id_subdistrict_id ON reg.residence (unit_id, grid_id, subdistrict_id);
-- Serves the residences of a person.
CREATE INDEX ix_residence_person_id ON reg.residence (person_id);
-- Serve keyset pages of a worker's grids and of a subdistrict.
CREATE INDEX ix_residence_grid_id_id ON reg.residence (grid_id, id);
CREATE INDEX ix_residence_subdistrict_id_id ON reg.residence (subdistrict_id, id);
"""

VERIFIER = """
-- Nobody puts a verification under another's name, nor learns from the foreign key which accounts there are. The loader brings in what
-- others verified before.
CREATE FUNCTION reg.check_verifier() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF sec.actor() NOT IN (0, NEW.verified_by) AND sec.uid('loader') IS NULL THEN
    RAISE insufficient_privilege USING MESSAGE = 'only who verified may say so';
  END IF;
  RETURN NEW;
END $$;
"""

MOVES = """
-- Somebody moves out of the writer's area: the record of a person whom the caller sees goes to the grid of another unit. The answer is
-- 'accepted' whether or not that unit exists or is seen; NULL when the caller does not see the person; 'stale' on another version.
CREATE FUNCTION sec.relocate_person(p_id uuid, p_version int, p_unit_code text) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE p record; u record;
BEGIN
  SELECT * INTO p FROM reg.person WHERE id = p_id AND deleted_at IS NULL FOR UPDATE;
  IF NOT FOUND OR NOT sec.may_see(p.grid_id, p.subdistrict_id) THEN RETURN NULL; END IF;
  IF p.version <> p_version THEN RETURN 'stale'; END IF;
  SELECT grid_id, subdistrict_id INTO u FROM reg.unit WHERE code = p_unit_code AND deleted_at IS NULL;
  IF FOUND THEN UPDATE reg.person SET grid_id = u.grid_id, subdistrict_id = u.subdistrict_id WHERE id = p_id; END IF;
  RETURN 'accepted';
END $$;
-- Ends the main residence of a person whom the caller sees, wherever it lies. The answer is 'accepted' whether or not there was one.
CREATE FUNCTION sec.end_residence(p_person uuid, p_on date) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM reg.person p WHERE p.id = p_person AND p.deleted_at IS NULL AND sec.may_see(p.grid_id, p.subdistrict_id)) THEN RETURN NULL; END IF;
  UPDATE reg.residence SET valid_to = p_on
   WHERE person_id = p_person AND main AND deleted_at IS NULL AND valid_from < p_on AND (valid_to IS NULL OR valid_to > p_on);
  RETURN 'accepted';
END $$;
REVOKE ALL ON FUNCTION sec.relocate_person(uuid, int, text), sec.end_residence(uuid, date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sec.relocate_person(uuid, int, text), sec.end_residence(uuid, date) TO app_field, app_subdistrict, app_district;
"""

INSERT = (
    "id",
    "person_id",
    "unit_id",
    "grid_id",
    "subdistrict_id",
    "main",
    "basis",
    "valid_from",
    "valid_to",
    "declared_by",
    "declared_on",
)
UPDATE = ("main", "basis", "valid_from", "valid_to", "declared_by", "declared_on", "verified_by", "verified_at", "deleted_at")
# A foreign key sees every person; the writer may only name one that the writer sees.
SEEN = "EXISTS (SELECT FROM reg.person p WHERE p.id = person_id)"


def upgrade() -> None:
    op.execute(TABLE)
    op.execute(
        force("reg.residence")
        + readable("reg.residence", SCOPES)
        + writable("reg.residence", SCOPES, insert=INSERT, update=UPDATE, check={"field": SEEN, "subdistrict": SEEN})
        + bulk("residence")
        + versioned("residence", SCOPES)
        + logged("residence", "residence")
        + VERIFIER
        + """
        CREATE TRIGGER residence_verified BEFORE UPDATE OF verified_by ON reg.residence
          FOR EACH ROW WHEN (NEW.verified_by IS NOT NULL AND NEW.verified_by IS DISTINCT FROM OLD.verified_by) EXECUTE FUNCTION reg.check_verifier();
        """
    )
    op.execute("SET ROLE sec_definer")
    op.execute(MOVES)
    op.execute("SET ROLE reg_owner")


def downgrade() -> None:
    op.execute("SET ROLE sec_definer")
    op.execute("DROP FUNCTION sec.end_residence(uuid, date); DROP FUNCTION sec.relocate_person(uuid, int, text);")
    op.execute("SET ROLE reg_owner")
    op.execute(unprotect("residence") + "DROP FUNCTION reg.check_verifier();")
