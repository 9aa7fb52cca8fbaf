"""Areas, grids and their lineage; base grids never overlap.

Why: everything else lies in a grid, and the grid decides who sees it.
"""

from alembic import op

from migrations.protection import DISTRICT, LOADER, force, readable, versioned, writable

revision = "20261123_03"
down_revision = "20261123_02"
branch_labels = None
depends_on = None

KEPT = """
  version int NOT NULL DEFAULT 1,
  recorded_from timestamptz NOT NULL DEFAULT transaction_timestamp(),
  recorded_by bigint NOT NULL DEFAULT sec.actor(),
  deleted_at timestamptz"""

TABLES = f"""
CREATE TABLE reg.area (
  id int GENERATED ALWAYS AS IDENTITY,{KEPT},
  code text NOT NULL,
  name text NOT NULL,
  level text NOT NULL,
  parent_id int,
  valid_from date NOT NULL,
  valid_to date,
  approximate boolean NOT NULL DEFAULT false,
  geom public.geometry(MultiPolygon, 4490) NOT NULL,
  geom_3857 public.geometry(Geometry, 3857) GENERATED ALWAYS AS (public.ST_Transform(geom, 3857)) STORED,
  CONSTRAINT pk_area PRIMARY KEY (id),
  CONSTRAINT uq_area_id_parent_id UNIQUE (id, parent_id),
  CONSTRAINT uq_area_id_level UNIQUE (id, level),
  CONSTRAINT fk_area_parent_id FOREIGN KEY (parent_id) REFERENCES reg.area (id),
  CONSTRAINT ck_area_level CHECK (level IN ('district', 'subdistrict', 'community')),
  CONSTRAINT ck_area_code CHECK (code ~ (CASE level WHEN 'district' THEN '^[0-9]{{6}}$' WHEN 'subdistrict' THEN '^[0-9]{{9}}$' ELSE '^[0-9]{{12}}$' END)),
  CONSTRAINT ck_area_parent_id CHECK ((parent_id IS NULL) = (level = 'district')),
  CONSTRAINT ck_area_valid CHECK (valid_to > valid_from),
  CONSTRAINT ck_area_geom CHECK (public.ST_IsValid(geom)),
  -- A code may name another area at another time, never two at once.
  CONSTRAINT ex_area_code_valid EXCLUDE USING gist (code WITH =, daterange(valid_from, valid_to) WITH &&) WHERE (deleted_at IS NULL)
);
-- Serves the children of an area.
CREATE INDEX ix_area_parent_id ON reg.area (parent_id);
-- Serves map boxes and "which area is here", and tiles.
CREATE INDEX ix_area_geom ON reg.area USING gist (geom);
CREATE INDEX ix_area_geom_3857 ON reg.area USING gist (geom_3857);

CREATE TABLE reg.area_lineage (
  predecessor_id int NOT NULL,
  successor_id int NOT NULL,
  kind text NOT NULL,
  happened_on date NOT NULL,
  CONSTRAINT pk_area_lineage PRIMARY KEY (predecessor_id, successor_id),
  CONSTRAINT fk_area_lineage_predecessor_id FOREIGN KEY (predecessor_id) REFERENCES reg.area (id),
  CONSTRAINT fk_area_lineage_successor_id FOREIGN KEY (successor_id) REFERENCES reg.area (id),
  CONSTRAINT ck_area_lineage_kind CHECK (kind IN ('split', 'merge', 'renumber')),
  CONSTRAINT ck_area_lineage_self CHECK (predecessor_id <> successor_id)
);
-- Serves "what was this area before".
CREATE INDEX ix_area_lineage_successor_id ON reg.area_lineage (successor_id);

-- One row a layer: taken first by everybody who changes the layer, and the version that caches of the layer are keyed by.
CREATE TABLE reg.layer (
  layer text NOT NULL,
  version bigint NOT NULL DEFAULT 0,
  xid xid8 NOT NULL DEFAULT '0',
  CONSTRAINT pk_layer PRIMARY KEY (layer)
);
INSERT INTO reg.layer (layer) VALUES ('base');

CREATE TABLE reg.grid (
  id int GENERATED ALWAYS AS IDENTITY,{KEPT},
  code text NOT NULL,
  scheme text NOT NULL DEFAULT 'base',
  kind text NOT NULL,
  name text NOT NULL,
  community_id int NOT NULL,
  subdistrict_id int NOT NULL,
  valid_from date NOT NULL,
  valid_to date,
  geom public.geometry(MultiPolygon, 4490) NOT NULL,
  geom_3857 public.geometry(Geometry, 3857) GENERATED ALWAYS AS (public.ST_Transform(geom, 3857)) STORED,
  CONSTRAINT pk_grid PRIMARY KEY (id),
  -- Target of the composite keys that carry a grid and its subdistrict to every row.
  CONSTRAINT uq_grid_id_subdistrict_id UNIQUE (id, subdistrict_id),
  -- For all time: a retired code is never used again.
  CONSTRAINT uq_grid_scheme_code UNIQUE (scheme, code),
  CONSTRAINT fk_grid_community_id_subdistrict_id FOREIGN KEY (community_id, subdistrict_id) REFERENCES reg.area (id, parent_id) ON UPDATE CASCADE,
  CONSTRAINT ck_grid_kind CHECK (kind = CASE scheme WHEN 'base' THEN 'base' WHEN 'dedicated' THEN 'dedicated' ELSE 'line_department' END),
  CONSTRAINT ck_grid_scheme CHECK (scheme ~ '^[a-z][a-z0-9_]{{0,31}}$'),
  CONSTRAINT ck_grid_code CHECK (code ~ (CASE WHEN scheme IN ('base', 'dedicated') THEN '^[0-9]{{15}}$' ELSE '^[0-9A-Za-z-]{{1,32}}$' END)),
  CONSTRAINT ck_grid_valid CHECK (valid_to > valid_from),
  CONSTRAINT ck_grid_geom CHECK (public.ST_IsValid(geom))
);
-- Serves the grids of a community and the foreign key.
CREATE INDEX ix_grid_community_id_subdistrict_id ON reg.grid (community_id, subdistrict_id);
-- Serves pages of a subdistrict, keyset by code.
CREATE INDEX ix_grid_subdistrict_id_code ON reg.grid (subdistrict_id, code);
-- Serves map boxes, "which grid is here" and the overlap check, and tiles.
CREATE INDEX ix_grid_geom ON reg.grid USING gist (geom);
CREATE INDEX ix_grid_geom_3857 ON reg.grid USING gist (geom_3857);

CREATE TABLE reg.grid_lineage (
  predecessor_id int NOT NULL,
  successor_id int NOT NULL,
  kind text NOT NULL,
  happened_on date NOT NULL,
  CONSTRAINT pk_grid_lineage PRIMARY KEY (predecessor_id, successor_id),
  CONSTRAINT fk_grid_lineage_predecessor_id FOREIGN KEY (predecessor_id) REFERENCES reg.grid (id),
  CONSTRAINT fk_grid_lineage_successor_id FOREIGN KEY (successor_id) REFERENCES reg.grid (id),
  CONSTRAINT ck_grid_lineage_kind CHECK (kind IN ('split', 'merge', 'renumber')),
  CONSTRAINT ck_grid_lineage_self CHECK (predecessor_id <> successor_id)
);
-- Serves "what was this grid before".
CREATE INDEX ix_grid_lineage_successor_id ON reg.grid_lineage (successor_id);
"""

CHECK = """
-- Deferred, because a split or merge may pass through an overlapping state. It first updates the layer's row, then looks:
--   READ COMMITTED: the second writer waits on the row, then sees the first one's grids (each statement has a new snapshot);
--   REPEATABLE READ, SERIALIZABLE: the second writer gets 40001. (An advisory lock alone lets the overlap through there.)
CREATE FUNCTION sec.check_grid() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE g record; bad record; metres double precision; today date := (transaction_timestamp() AT TIME ZONE 'Asia/Shanghai')::date;
BEGIN
  UPDATE reg.layer SET version = version + 1, xid = pg_current_xact_id() WHERE layer = 'base' AND xid <> pg_current_xact_id();
  SELECT * INTO g FROM reg.grid WHERE id = NEW.id;                                  -- the row as it is now, not as it was queued
  IF NOT FOUND OR g.kind <> 'base' OR g.deleted_at IS NOT NULL THEN RETURN NULL; END IF;
  -- Buildings are placed when a grid is written, and nothing runs on the day itself: a grid of tomorrow would stay empty, one that ends
  -- tomorrow would keep its buildings.
  IF g.valid_from > today OR g.valid_to > today THEN
    RAISE check_violation USING CONSTRAINT = 'grid_not_ahead', SCHEMA = 'reg', TABLE = 'grid',
      MESSAGE = format('base grid %s begins or ends after today', g.code);
  END IF;
  -- Interiors meet (touching edges do not), by more than 1 dm2 (rounding slivers at T-junctions are less).
  SELECT o.code, ST_Area(ST_Transform(ST_Intersection(o.geom, g.geom), 4547)) AS size INTO bad
    FROM reg.grid o
   WHERE o.kind = 'base' AND o.deleted_at IS NULL AND o.id <> g.id AND o.geom && g.geom
     AND daterange(o.valid_from, o.valid_to) && daterange(g.valid_from, g.valid_to)
     AND ST_Relate(o.geom, g.geom, 'T********') AND ST_Area(ST_Transform(ST_Intersection(o.geom, g.geom), 4547)) > 0.01
   LIMIT 1;
  IF FOUND THEN
    RAISE exclusion_violation USING CONSTRAINT = 'grid_no_overlap', SCHEMA = 'reg', TABLE = 'grid',
      MESSAGE = format('grid %s overlaps grid %s by %s m2', g.code, bad.code, round(bad.size::numeric, 2)),
      DETAIL = jsonb_build_object('grid', g.code, 'other', bad.code, 'area_m2', round(bad.size::numeric, 2));
  END IF;
  SELECT ST_Area(ST_Transform(ST_Difference(g.geom, a.geom), 4547)) INTO metres FROM reg.area a
   WHERE a.id = g.community_id AND NOT ST_Covers(a.geom, g.geom);
  IF metres > 1 THEN
    RAISE check_violation USING CONSTRAINT = 'grid_within_community', SCHEMA = 'reg', TABLE = 'grid',
      MESSAGE = format('grid %s leaves its community by %s m2', g.code, round(metres::numeric, 2)),
      DETAIL = jsonb_build_object('grid', g.code, 'area_m2', round(metres::numeric, 2));
  END IF;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION sec.check_grid() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sec.check_grid() TO reg_owner;
"""

OFFICE = {"district": DISTRICT, "loader": LOADER}
EVERYBODY: dict[str, str] = dict.fromkeys(("public", "field", "subdistrict", "district", "loader", "admin", "audit"), "true")
AREA = ("code", "name", "level", "parent_id", "valid_from", "valid_to", "approximate", "geom", "deleted_at")
GRID = ("code", "scheme", "kind", "name", "community_id", "subdistrict_id", "valid_from", "valid_to", "geom", "deleted_at")
LINEAGE = ("predecessor_id", "successor_id", "kind", "happened_on")


def upgrade() -> None:
    op.execute(TABLES)
    # Areas are public geography; grids are the office's and their own workers'.
    op.execute(force("reg.area") + readable("reg.area", EVERYBODY) + writable("reg.area", OFFICE, insert=AREA, update=AREA))
    op.execute(force("reg.area_lineage") + readable("reg.area_lineage", EVERYBODY) + writable("reg.area_lineage", OFFICE, insert=LINEAGE))
    op.execute(force("reg.layer") + readable("reg.layer", EVERYBODY))
    op.execute("SET ROLE sec_definer")
    op.execute(CHECK)
    op.execute("SET ROLE reg_owner")
    op.execute(versioned("area", EVERYBODY))


def downgrade() -> None:
    op.execute(
        "DROP TABLE reg.grid_lineage; DROP TABLE reg.grid; DROP TABLE reg.layer; DROP TABLE reg.area_lineage; DROP TABLE reg.area_past; DROP TABLE reg.area;"
    )
    op.execute("SET ROLE sec_definer")
    op.execute("DROP FUNCTION sec.check_grid();")
    op.execute("SET ROLE reg_owner")
