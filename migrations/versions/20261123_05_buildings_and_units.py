"""Buildings and their units; the base grid follows from the entrance.

Why: the grid of a building is computed where nobody can lie about it, and its units take it over by their foreign key.
"""

from alembic import op

from migrations.protection import ENTITY, SCOPES, bulk, force, logged, readable, unprotect, versioned, writable

revision = "20261123_05"
down_revision = "20261123_04"
branch_labels = None
depends_on = None

TABLES = f"""
CREATE TABLE reg.building ({ENTITY},
  grid_id int NOT NULL,
  subdistrict_id int NOT NULL,
  house_code text COLLATE "C" NOT NULL,
  name text NOT NULL,
  address text NOT NULL,
  entrance public.geometry(Point, 4490) NOT NULL,
  footprint public.geometry(MultiPolygon, 4490),
  datum text NOT NULL DEFAULT 'CGCS2000',
  source_x double precision NOT NULL,
  source_y double precision NOT NULL,
  floors_above int NOT NULL,
  floors_below int NOT NULL DEFAULT 0,
  built_year int,
  nature text NOT NULL,
  rental boolean NOT NULL,
  retired_on date,
  geom public.geometry(Geometry, 4490) GENERATED ALWAYS AS (coalesce(footprint, entrance)) STORED,
  geom_3857 public.geometry(Geometry, 3857) GENERATED ALWAYS AS (public.ST_Transform(coalesce(footprint, entrance), 3857)) STORED,
  CONSTRAINT pk_building PRIMARY KEY (id),
  CONSTRAINT uq_building_house_code UNIQUE (house_code),
  -- Target of the composite keys of units, residences, leases and appointments.
  CONSTRAINT uq_building_id_grid_id_subdistrict_id UNIQUE (id, grid_id, subdistrict_id),
  CONSTRAINT fk_building_grid_id_subdistrict_id FOREIGN KEY (grid_id, subdistrict_id) REFERENCES reg.grid (id, subdistrict_id) ON UPDATE CASCADE,
  CONSTRAINT ck_building_house_code CHECK (house_code ~ '^[0-9]{{19}}$'),
  CONSTRAINT ck_building_datum CHECK (datum IN ('CGCS2000', 'GCJ-02', 'BD-09')),
  CONSTRAINT ck_building_floors_above CHECK (floors_above BETWEEN 1 AND 200),
  CONSTRAINT ck_building_floors_below CHECK (floors_below BETWEEN 0 AND 20),
  CONSTRAINT ck_building_built_year CHECK (built_year BETWEEN 1800 AND 2100),
  CONSTRAINT ck_building_nature CHECK (nature IN ('self_built', 'collective', 'factory_dormitory', 'commodity', 'apartment', 'other')),
  CONSTRAINT ck_building_footprint CHECK (public.ST_IsValid(footprint))
);
-- building.source_x: Longitude as delivered, in the source datum; source_y the latitude.
-- Serves map boxes and tiles; the box of one grid's worker too (the operator is marked leakproof).
CREATE INDEX ix_building_geom ON reg.building USING gist (geom);
CREATE INDEX ix_building_geom_3857 ON reg.building USING gist (geom_3857);
-- Serve keyset pages of a worker's grids and of a subdistrict, and the cascade from grid.
CREATE INDEX ix_building_grid_id_id ON reg.building (grid_id, id);
CREATE INDEX ix_building_subdistrict_id_id ON reg.building (subdistrict_id, id);

CREATE TABLE reg.unit ({ENTITY},
  building_id uuid NOT NULL,
  grid_id int NOT NULL,
  subdistrict_id int NOT NULL,
  code text COLLATE "C" NOT NULL,
  floor int NOT NULL,
  room text NOT NULL,
  area_m2 numeric(10, 2) NOT NULL,
  use text NOT NULL,
  max_occupants int,
  retired_on date,
  CONSTRAINT pk_unit PRIMARY KEY (id),
  CONSTRAINT uq_unit_code UNIQUE (code),
  CONSTRAINT uq_unit_id_grid_id_subdistrict_id UNIQUE (id, grid_id, subdistrict_id),
  -- An unseen and an unknown building give the same refusal, and a moved building takes its units along.
  CONSTRAINT fk_unit_building_id_grid_id_subdistrict_id FOREIGN KEY (building_id, grid_id, subdistrict_id)
    REFERENCES reg.building (id, grid_id, subdistrict_id) ON UPDATE CASCADE,
  CONSTRAINT ck_unit_code CHECK (code ~ '^[0-9]{{25}}$'),
  CONSTRAINT ck_unit_floor CHECK (floor BETWEEN -20 AND 200 AND floor <> 0),
  CONSTRAINT ck_unit_area_m2 CHECK (area_m2 > 0 AND area_m2 <= 1000000),
  CONSTRAINT ck_unit_use CHECK (use IN ('residential', 'shop', 'office', 'plant', 'warehouse', 'other')),
  CONSTRAINT ck_unit_max_occupants CHECK (max_occupants BETWEEN 0 AND 10000)
);
-- Serves the units of a building, and the cascade from it.
CREATE INDEX ix_unit_building_id_grid_id_subdistrict_id ON reg.unit (building_id, grid_id, subdistrict_id);
-- Serve keyset pages of a worker's grids and of a subdistrict.
CREATE INDEX ix_unit_grid_id_id ON reg.unit (grid_id, id);
CREATE INDEX ix_unit_subdistrict_id_id ON reg.unit (subdistrict_id, id);
"""

PLACE = """
-- The base grid in force today that covers a point; on a shared edge the one with the lowest code.
CREATE FUNCTION sec.grid_at(p_point public.geometry, OUT grid_id int, OUT subdistrict_id int) RETURNS record
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE today date := (transaction_timestamp() AT TIME ZONE 'Asia/Shanghai')::date;
BEGIN
  SELECT g.id, g.subdistrict_id INTO grid_id, subdistrict_id FROM reg.grid g
   WHERE g.kind = 'base' AND g.deleted_at IS NULL AND g.geom && p_point AND ST_Covers(g.geom, p_point)
     AND g.valid_from <= today AND (g.valid_to IS NULL OR g.valid_to > today)
   ORDER BY g.code LIMIT 1;
END $$;
CREATE FUNCTION sec.place_building() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE today date := (transaction_timestamp() AT TIME ZONE 'Asia/Shanghai')::date;
BEGIN
  -- The grid may be redrawn at this moment by somebody who does not see this building yet: hold it as it is until the commit, and look
  -- again when it was changed while we waited.
  LOOP
    SELECT p.grid_id, p.subdistrict_id INTO NEW.grid_id, NEW.subdistrict_id FROM sec.grid_at(NEW.entrance) p;
    IF NEW.grid_id IS NULL THEN
      RAISE check_violation USING CONSTRAINT = 'building_in_a_grid', SCHEMA = 'reg', TABLE = 'building',
        MESSAGE = 'no base grid in force covers the entrance';
    END IF;
    PERFORM FROM reg.grid g WHERE g.id = NEW.grid_id AND g.kind = 'base' AND g.deleted_at IS NULL AND ST_Covers(g.geom, NEW.entrance)
      AND (g.valid_to IS NULL OR g.valid_to > today) FOR SHARE;
    EXIT WHEN FOUND;
  END LOOP;
  RETURN NEW;
END $$;
-- When a base grid is redrawn or ends, its buildings may not stay behind: at commit each lies in the grid that it names.
CREATE FUNCTION sec.check_grid_buildings() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE bad record; today date := (transaction_timestamp() AT TIME ZONE 'Asia/Shanghai')::date;
BEGIN
  SELECT g.code, b.house_code INTO bad FROM reg.grid g JOIN reg.building b ON b.grid_id = g.id
   WHERE g.id = NEW.id AND b.deleted_at IS NULL AND b.retired_on IS NULL
     AND (NOT ST_Covers(g.geom, b.entrance) OR g.deleted_at IS NOT NULL OR g.valid_to <= today OR g.kind <> 'base')
   LIMIT 1;
  IF FOUND THEN
    RAISE check_violation USING CONSTRAINT = 'grid_keeps_its_buildings', SCHEMA = 'reg', TABLE = 'grid',
      MESSAGE = format('building %s would be left outside grid %s', bad.house_code, bad.code),
      DETAIL = jsonb_build_object('grid', bad.code, 'house_code', bad.house_code);
  END IF;
  RETURN NULL;
END $$;
-- Places the buildings of some grids anew after a redraw; gives how many came to another grid. Their units follow by foreign key. One that
-- no grid covers any more stays, and grid_keeps_its_buildings names it at commit.
CREATE FUNCTION sec.replace_buildings(p_grids int[]) RETURNS int
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE moved int;
BEGIN
  IF sec.uid('district') IS NULL AND sec.uid('loader') IS NULL THEN RAISE insufficient_privilege USING MESSAGE = 'not in scope'; END IF;
  WITH gone AS (
    SELECT b.id FROM reg.building b CROSS JOIN LATERAL sec.grid_at(b.entrance) p
     WHERE b.grid_id = ANY (p_grids) AND b.deleted_at IS NULL AND b.retired_on IS NULL AND p.grid_id <> b.grid_id)
  UPDATE reg.building b SET grid_id = b.grid_id FROM gone WHERE b.id = gone.id;      -- the trigger places it
  GET DIAGNOSTICS moved = ROW_COUNT;
  RETURN moved;
END $$;
-- A correction of the entrance that takes a building out of the writer's grids. Always 'accepted' for a building the writer sees,
-- wherever it goes; 'stale' when it is not the version the writer read; NULL when the writer does not see it.
CREATE FUNCTION sec.relocate_building(p_id uuid, p_version int, p_entrance public.geometry, p_footprint public.geometry, p_datum text,
  p_x double precision, p_y double precision)
RETURNS text LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE b record;
BEGIN
  SELECT * INTO b FROM reg.building WHERE id = p_id AND deleted_at IS NULL FOR UPDATE;
  IF NOT FOUND OR NOT sec.may_see(b.grid_id, b.subdistrict_id) THEN RETURN NULL; END IF;
  IF b.version <> p_version THEN RETURN 'stale'; END IF;
  UPDATE reg.building SET entrance = p_entrance, footprint = p_footprint, datum = p_datum, source_x = p_x, source_y = p_y WHERE id = p_id;
  RETURN 'accepted';
END $$;
-- A building is retired or struck out when it has no unit left. Who adds a unit at this moment holds the building: wait for that, then look.
CREATE FUNCTION sec.check_building_empty() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM FROM reg.building b WHERE b.id = NEW.id FOR UPDATE;
  IF EXISTS (SELECT FROM reg.unit u WHERE u.building_id = NEW.id AND u.deleted_at IS NULL
              AND (NEW.deleted_at IS NOT NULL OR u.retired_on IS NULL OR u.retired_on > NEW.retired_on)) THEN
    RAISE check_violation USING CONSTRAINT = 'building_empty', SCHEMA = 'reg', TABLE = 'building', MESSAGE = 'the building still has units';
  END IF;
  RETURN NEW;
END $$;
-- The other side of it: who waited for the building finds it gone.
CREATE FUNCTION sec.check_unit_building() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM new_rows n JOIN reg.building b ON b.id = n.building_id
              WHERE n.deleted_at IS NULL AND (b.deleted_at IS NOT NULL OR n.retired_on IS NULL AND b.retired_on IS NOT NULL OR n.retired_on > b.retired_on)) THEN
    RAISE check_violation USING CONSTRAINT = 'unit_in_building', SCHEMA = 'reg', TABLE = 'unit', MESSAGE = 'the building is retired or struck out';
  END IF;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION sec.check_building_empty(), sec.check_unit_building() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sec.check_building_empty(), sec.check_unit_building() TO reg_owner;
REVOKE ALL ON FUNCTION sec.grid_at(public.geometry), sec.place_building(), sec.check_grid_buildings(), sec.replace_buildings(int[]),
  sec.relocate_building(uuid, int, public.geometry, public.geometry, text, double precision, double precision) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sec.place_building(), sec.check_grid_buildings() TO reg_owner;
GRANT EXECUTE ON FUNCTION sec.replace_buildings(int[]) TO app_district, app_loader;
-- The loader names the line of a file that lies in no grid before it writes.
GRANT EXECUTE ON FUNCTION sec.grid_at(public.geometry) TO app_loader;
GRANT EXECUTE ON FUNCTION sec.relocate_building(uuid, int, public.geometry, public.geometry, text, double precision, double precision)
  TO app_field, app_subdistrict, app_district;
"""

BUILDING = (
    "house_code", "name", "address", "entrance", "footprint", "datum", "source_x", "source_y",
    "floors_above", "floors_below", "built_year", "nature", "rental", "retired_on", "deleted_at",
)  # fmt: skip
UNIT = ("floor", "room", "area_m2", "use", "max_occupants", "retired_on", "deleted_at")
PLACED = ("building_id", "grid_id", "subdistrict_id", "code")


def upgrade() -> None:
    op.execute(TABLES)
    op.execute("SET ROLE sec_definer")
    op.execute(PLACE)
    op.execute("SET ROLE reg_owner")
    op.execute(
        force("reg.building")
        + readable("reg.building", SCOPES)
        + writable("reg.building", SCOPES, insert=("id", *BUILDING), update=BUILDING)
        + bulk("building")
        + versioned("building", SCOPES)
        + logged("building", "building")
        + """
        CREATE TRIGGER place_building BEFORE INSERT OR UPDATE OF entrance, grid_id ON reg.building
          FOR EACH ROW EXECUTE FUNCTION sec.place_building();
        CREATE CONSTRAINT TRIGGER grid_keeps_its_buildings AFTER UPDATE OF geom, valid_to, kind, scheme, deleted_at ON reg.grid
          DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION sec.check_grid_buildings();
        """
    )
    op.execute(
        force("reg.unit")
        + readable("reg.unit", SCOPES)
        + writable("reg.unit", SCOPES, insert=("id", *PLACED, *UNIT), update=UNIT)
        + bulk("unit")
        + versioned("unit", SCOPES)
        + logged("unit", "unit")
        + """
        CREATE TRIGGER building_empty BEFORE UPDATE OF retired_on, deleted_at ON reg.building FOR EACH ROW
          WHEN (NEW.retired_on IS NOT NULL AND NEW.retired_on IS DISTINCT FROM OLD.retired_on OR NEW.deleted_at IS NOT NULL AND OLD.deleted_at IS NULL)
          EXECUTE FUNCTION sec.check_building_empty();
        CREATE TRIGGER unit_in_building_i AFTER INSERT ON reg.unit REFERENCING NEW TABLE AS new_rows
          FOR EACH STATEMENT EXECUTE FUNCTION sec.check_unit_building();
        CREATE TRIGGER unit_in_building_u AFTER UPDATE ON reg.unit REFERENCING NEW TABLE AS new_rows
          FOR EACH STATEMENT EXECUTE FUNCTION sec.check_unit_building();
        """
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER grid_keeps_its_buildings ON reg.grid;" + unprotect("unit") + unprotect("building"))
    op.execute("SET ROLE sec_definer")
    op.execute("""
        DROP FUNCTION sec.relocate_building(uuid, int, public.geometry, public.geometry, text, double precision, double precision);
        DROP FUNCTION sec.check_unit_building(); DROP FUNCTION sec.check_building_empty();
        DROP FUNCTION sec.replace_buildings(int[]); DROP FUNCTION sec.check_grid_buildings();
        DROP FUNCTION sec.place_building(); DROP FUNCTION sec.grid_at(public.geometry);
    """)
    op.execute("SET ROLE reg_owner")
