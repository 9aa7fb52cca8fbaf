"""Inspections of buildings and the duty reports of their managers.

Why: measures 103 and 105 ask who was at which door, what was found there and what a manager reported. Both are what somebody saw on a
day: they are added, struck out when they were a mistake, and never corrected.
"""

from alembic import op

from migrations.protection import DISTRICT, ENTITY, SCOPES, SUBDISTRICT, bulk, force, logged, readable, unprotect, versioned, writable

revision = "20261128_19"
down_revision = "20261124_18"
branch_labels = None
depends_on = None

MANAGERS = """
-- Target of the composite key of duty reports.
ALTER TABLE reg.manager ADD CONSTRAINT uq_manager_id_grid_id_subdistrict_id UNIQUE (id, grid_id, subdistrict_id);
"""

INSPECTION = f"""
CREATE TABLE reg.inspection ({ENTITY},
  building_id uuid NOT NULL,
  unit_id uuid,
  grid_id int NOT NULL,
  subdistrict_id int NOT NULL,
  kind text NOT NULL,
  outcome text NOT NULL,
  visited_at timestamptz NOT NULL,
  findings text[] NOT NULL DEFAULT '{{}}',
  note text,
  lon double precision,
  lat double precision,
  datum text,
  distance_m double precision,
  CONSTRAINT pk_inspection PRIMARY KEY (id),
  CONSTRAINT fk_inspection_building_id_grid_id_subdistrict_id FOREIGN KEY (building_id, grid_id, subdistrict_id)
    REFERENCES reg.building (id, grid_id, subdistrict_id) ON UPDATE CASCADE,
  CONSTRAINT fk_inspection_unit_id_grid_id_subdistrict_id FOREIGN KEY (unit_id, grid_id, subdistrict_id)
    REFERENCES reg.unit (id, grid_id, subdistrict_id) ON UPDATE CASCADE,
  CONSTRAINT ck_inspection_kind CHECK (kind IN ('patrol', 'recheck', 'complaint', 'safety')),
  CONSTRAINT ck_inspection_outcome CHECK (outcome IN ('ok', 'hazard', 'no_entry')),
  -- Clocks of handhelds differ by minutes, not by more.
  CONSTRAINT ck_inspection_visited_at CHECK (visited_at >= '2000-01-01 00:00+00' AND visited_at <= recorded_from + interval '5 minutes'),
  -- The array as text quotes whatever is not such a code, a null among them: one pattern says what a code is and how many there may be.
  CONSTRAINT ck_inspection_findings CHECK (findings::text ~ '^{{([a-z][a-z_]{{0,31}}(,[a-z][a-z_]{{0,31}}){{0,19}})?}}$'),
  CONSTRAINT ck_inspection_note CHECK (char_length(note) BETWEEN 1 AND 2000),
  CONSTRAINT ck_inspection_place CHECK (num_nulls(lon, lat, datum) IN (0, 3)
    AND lon BETWEEN 72 AND 138 AND lat BETWEEN 0 AND 56 AND datum IN ('CGCS2000', 'GCJ-02', 'BD-09')),
  CONSTRAINT ck_inspection_distance_m CHECK (distance_m IS NULL OR lon IS NOT NULL AND distance_m >= 0 AND distance_m < 'infinity')
);
-- inspection: One visit to a building or a unit (巡查).
-- inspection.lon: Longitude as delivered, in the datum; lat the latitude. distance_m: metres from there to the building's entrance, as both
-- were known when the visit was entered.
-- Serves the visits to a building, and the cascade from it.
CREATE INDEX ix_inspection_building_id_grid_id_subdistrict_id ON reg.inspection (building_id, grid_id, subdistrict_id);
-- Serves the cascade from the unit.
CREATE INDEX ix_inspection_unit_id_grid_id_subdistrict_id ON reg.inspection (unit_id, grid_id, subdistrict_id) WHERE unit_id IS NOT NULL;
-- Serve keyset pages of a worker's grids and of a subdistrict.
CREATE INDEX ix_inspection_grid_id_id ON reg.inspection (grid_id, id);
CREATE INDEX ix_inspection_subdistrict_id_id ON reg.inspection (subdistrict_id, id);
-- Serves the visits of some days.
CREATE INDEX ix_inspection_visited_at ON reg.inspection (visited_at);
"""

DUTY_REPORT = f"""
CREATE TABLE reg.duty_report ({ENTITY},
  manager_id uuid NOT NULL,
  unit_id uuid,
  grid_id int NOT NULL,
  subdistrict_id int NOT NULL,
  kind text NOT NULL,
  happened_on date NOT NULL,
  persons int,
  note text,
  CONSTRAINT pk_duty_report PRIMARY KEY (id),
  CONSTRAINT fk_duty_report_manager_id_grid_id_subdistrict_id FOREIGN KEY (manager_id, grid_id, subdistrict_id)
    REFERENCES reg.manager (id, grid_id, subdistrict_id) ON UPDATE CASCADE,
  CONSTRAINT fk_duty_report_unit_id_grid_id_subdistrict_id FOREIGN KEY (unit_id, grid_id, subdistrict_id)
    REFERENCES reg.unit (id, grid_id, subdistrict_id) ON UPDATE CASCADE,
  CONSTRAINT ck_duty_report_kind CHECK (kind IN ('move_in', 'move_out', 'hazard', 'notice', 'gate_check')),
  CONSTRAINT ck_duty_report_happened_on CHECK (happened_on BETWEEN '2000-01-01' AND (recorded_from AT TIME ZONE 'Asia/Shanghai')::date),
  CONSTRAINT ck_duty_report_persons CHECK (persons BETWEEN 0 AND 1000),
  CONSTRAINT ck_duty_report_note CHECK (char_length(note) BETWEEN 1 AND 2000)
);
-- duty_report: One entry in the duty log of a building's manager (楼管员日志).
-- Serves the reports of a manager, and the cascade from the appointment.
CREATE INDEX ix_duty_report_manager_id_grid_id_subdistrict_id ON reg.duty_report (manager_id, grid_id, subdistrict_id);
-- Serves the cascade from the unit.
CREATE INDEX ix_duty_report_unit_id_grid_id_subdistrict_id ON reg.duty_report (unit_id, grid_id, subdistrict_id) WHERE unit_id IS NOT NULL;
-- Serve keyset pages of a worker's grids and of a subdistrict.
CREATE INDEX ix_duty_report_grid_id_id ON reg.duty_report (grid_id, id);
CREATE INDEX ix_duty_report_subdistrict_id_id ON reg.duty_report (subdistrict_id, id);
-- Serves the reports of some days.
CREATE INDEX ix_duty_report_happened_on ON reg.duty_report (happened_on);
"""

UNITS = """
-- The keys let through any unit of the grid. They are looked at before this, so a unit that the writer does not see is never told here.
CREATE FUNCTION sec.check_inspection_unit() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM new_rows n JOIN reg.unit u ON u.id = n.unit_id WHERE u.building_id <> n.building_id) THEN
    RAISE check_violation USING CONSTRAINT = 'inspection_unit_in_building', SCHEMA = 'reg', TABLE = 'inspection',
      MESSAGE = 'the unit is of another building';
  END IF;
  RETURN NULL;
END $$;
CREATE FUNCTION sec.check_duty_report_unit() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM new_rows n JOIN reg.unit u ON u.id = n.unit_id JOIN reg.manager m ON m.id = n.manager_id
              WHERE u.building_id <> m.building_id) THEN
    RAISE check_violation USING CONSTRAINT = 'duty_report_unit_in_building', SCHEMA = 'reg', TABLE = 'duty_report',
      MESSAGE = 'the unit is of another building';
  END IF;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION sec.check_inspection_unit(), sec.check_duty_report_unit() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sec.check_inspection_unit(), sec.check_duty_report_unit() TO reg_owner;
"""

PLACED = ("id", "unit_id", "grid_id", "subdistrict_id")
VISIT = (*PLACED, "building_id", "kind", "outcome", "visited_at", "findings", "note", "lon", "lat", "datum", "distance_m")
REPORT = (*PLACED, "manager_id", "kind", "happened_on", "persons", "note")
OFFICES = {"subdistrict": SUBDISTRICT, "district": DISTRICT}
"""Who may strike out a row. Nobody may change anything else of it."""


def upgrade() -> None:
    op.execute(MANAGERS)
    op.execute(INSPECTION)
    op.execute(DUTY_REPORT)
    op.execute("SET ROLE sec_definer")
    op.execute(UNITS)
    op.execute("SET ROLE reg_owner")
    for noun, columns in (("inspection", VISIT), ("duty_report", REPORT)):
        table = f"reg.{noun}"
        op.execute(
            force(table)
            + readable(table, SCOPES)
            + writable(table, SCOPES, insert=columns)
            + writable(table, OFFICES, update=("deleted_at",))
            + bulk(noun)
            + versioned(noun, SCOPES)
            + logged(noun, noun)
            + f"CREATE TRIGGER unit_in_building AFTER INSERT ON {table} REFERENCING NEW TABLE AS new_rows"
            f" FOR EACH STATEMENT EXECUTE FUNCTION sec.check_{noun}_unit();"
        )


def downgrade() -> None:
    op.execute(unprotect("duty_report") + unprotect("inspection"))
    op.execute("SET ROLE sec_definer")
    op.execute("DROP FUNCTION sec.check_duty_report_unit(); DROP FUNCTION sec.check_inspection_unit();")
    op.execute("SET ROLE reg_owner")
    op.execute("ALTER TABLE reg.manager DROP CONSTRAINT uq_manager_id_grid_id_subdistrict_id")
