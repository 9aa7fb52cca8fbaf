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
-- After a redraw: whoever is still written in the ended grids (and lives in no building that moved) comes to another one, so that somebody sees
-- the record. Gives how many.
CREATE FUNCTION sec.resettle(p_from int[], p_to int) RETURNS int
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE moved int;
BEGIN
  IF sec.uid('district') IS NULL AND sec.uid('loader') IS NULL THEN RAISE insufficient_privilege USING MESSAGE = 'not in scope'; END IF;
  UPDATE reg.person p SET grid_id = g.id, subdistrict_id = g.subdistrict_id FROM reg.grid g WHERE g.id = p_to AND p.grid_id = ANY (p_from);
  GET DIAGNOSTICS moved = ROW_COUNT;
  RETURN moved;
END $$;
-- A person's record lies in the grid where the person lives: a main residence of today that is entered takes it to its own grid,
CREATE FUNCTION sec.person_follows() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE today date := (transaction_timestamp() AT TIME ZONE 'Asia/Shanghai')::date;
BEGIN
  UPDATE reg.person p SET grid_id = n.grid_id, subdistrict_id = n.subdistrict_id FROM new_rows n
   WHERE p.id = n.person_id AND p.grid_id <> n.grid_id AND p.deleted_at IS NULL AND n.main AND n.deleted_at IS NULL
     AND n.valid_from <= today AND (n.valid_to IS NULL OR n.valid_to > today);
  RETURN NULL;
END $$;
-- and so does one that comes to another grid (its building did, and the foreign keys brought it along) or that a correction makes the main
-- one of today. Nobody draws a hidden person near by a correction.
CREATE FUNCTION sec.person_follows_correction() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE today date := (transaction_timestamp() AT TIME ZONE 'Asia/Shanghai')::date;
BEGIN
  UPDATE reg.person p SET grid_id = n.grid_id, subdistrict_id = n.subdistrict_id FROM new_rows n JOIN old_rows o ON o.id = n.id
   WHERE p.id = n.person_id AND p.grid_id <> n.grid_id AND p.deleted_at IS NULL AND n.main AND n.deleted_at IS NULL
     AND n.valid_from <= today AND (n.valid_to IS NULL OR n.valid_to > today)
     AND (p.grid_id = o.grid_id
       OR NOT (o.main AND o.deleted_at IS NULL AND o.valid_from <= today AND (o.valid_to IS NULL OR o.valid_to > today))
          AND ((SELECT sec.actor() = 0 OR sec.uid('district') IS NOT NULL OR sec.uid('loader') IS NOT NULL)
            OR sec.may_see(p.grid_id, p.subdistrict_id)));
  RETURN NULL;
END $$;
-- Nobody is left living in a unit that is gone, nor lives somewhere after being struck out. Who writes a residence at this moment holds unit and
-- person: wait for that, then look.
CREATE FUNCTION sec.check_unit_empty() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM FROM reg.unit u WHERE u.id = NEW.id FOR UPDATE;
  IF EXISTS (SELECT FROM reg.residence r WHERE r.unit_id = NEW.id AND r.deleted_at IS NULL
              AND (NEW.deleted_at IS NOT NULL OR r.valid_to IS NULL OR r.valid_to > NEW.retired_on)) THEN
    RAISE check_violation USING CONSTRAINT = 'unit_empty', SCHEMA = 'reg', TABLE = 'unit', MESSAGE = 'the unit is occupied';
  END IF;
  RETURN NEW;
END $$;
CREATE FUNCTION sec.check_person_gone() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE today date := (transaction_timestamp() AT TIME ZONE 'Asia/Shanghai')::date;
BEGIN
  PERFORM FROM reg.person p WHERE p.id = NEW.id FOR UPDATE;
  IF EXISTS (SELECT FROM reg.residence r WHERE r.person_id = NEW.id AND r.deleted_at IS NULL AND (r.valid_to IS NULL OR r.valid_to > today)) THEN
    RAISE check_violation USING CONSTRAINT = 'person_gone', SCHEMA = 'reg', TABLE = 'person', MESSAGE = 'the person still lives somewhere';
  END IF;
  RETURN NEW;
END $$;
-- The other side of both.
CREATE FUNCTION sec.check_residence_place() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM new_rows n JOIN reg.unit u ON u.id = n.unit_id JOIN reg.person p ON p.id = n.person_id
              WHERE n.deleted_at IS NULL AND (u.deleted_at IS NOT NULL OR p.deleted_at IS NOT NULL AND n.valid_to IS NULL
                OR n.valid_to IS NULL AND u.retired_on IS NOT NULL OR n.valid_to > u.retired_on)) THEN
    RAISE check_violation USING CONSTRAINT = 'residence_place', SCHEMA = 'reg', TABLE = 'residence', MESSAGE = 'the unit or the person is gone';
  END IF;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION sec.resettle(int[], int), sec.person_follows(), sec.person_follows_correction(), sec.check_unit_empty(),
  sec.check_person_gone(), sec.check_residence_place() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sec.person_follows(), sec.person_follows_correction(), sec.check_unit_empty(), sec.check_person_gone(),
  sec.check_residence_place() TO reg_owner;
GRANT EXECUTE ON FUNCTION sec.resettle(int[], int) TO app_district, app_loader;
REVOKE ALL ON FUNCTION sec.relocate_person(uuid, int, text), sec.end_residence(uuid, date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sec.relocate_person(uuid, int, text), sec.end_residence(uuid, date) TO app_field, app_subdistrict, app_district;
"""

FOLLOW = """
CREATE TRIGGER person_follows AFTER INSERT ON reg.residence REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION sec.person_follows();
CREATE TRIGGER person_follows_correction AFTER UPDATE ON reg.residence REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION sec.person_follows_correction();
CREATE TRIGGER unit_empty BEFORE UPDATE OF retired_on, deleted_at ON reg.unit FOR EACH ROW
  WHEN (NEW.retired_on IS NOT NULL AND NEW.retired_on IS DISTINCT FROM OLD.retired_on OR NEW.deleted_at IS NOT NULL AND OLD.deleted_at IS NULL)
  EXECUTE FUNCTION sec.check_unit_empty();
CREATE TRIGGER person_gone BEFORE UPDATE OF deleted_at ON reg.person FOR EACH ROW WHEN (NEW.deleted_at IS NOT NULL AND OLD.deleted_at IS NULL)
  EXECUTE FUNCTION sec.check_person_gone();
CREATE TRIGGER residence_place_i AFTER INSERT ON reg.residence REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION sec.check_residence_place();
CREATE TRIGGER residence_place_u AFTER UPDATE ON reg.residence REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION sec.check_residence_place();
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
    op.execute(FOLLOW)


def downgrade() -> None:
    op.execute("DROP TRIGGER unit_empty ON reg.unit; DROP TRIGGER person_gone ON reg.person;")
    op.execute(unprotect("residence") + "DROP FUNCTION reg.check_verifier();")
    op.execute("SET ROLE sec_definer")
    op.execute("""
        DROP FUNCTION sec.check_residence_place(); DROP FUNCTION sec.check_person_gone(); DROP FUNCTION sec.check_unit_empty();
        DROP FUNCTION sec.person_follows_correction(); DROP FUNCTION sec.person_follows(); DROP FUNCTION sec.resettle(int[], int);
    """)
    op.execute("DROP FUNCTION sec.end_residence(uuid, date); DROP FUNCTION sec.relocate_person(uuid, int, text);")
    op.execute("SET ROLE reg_owner")
