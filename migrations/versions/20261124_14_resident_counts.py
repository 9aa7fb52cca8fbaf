"""How many people live in each community and subdistrict, counted once a month and rounded so that nobody can be made out; and indexes
from which leases and units are counted by grid.

Why: the map of temporary residents is public, and the rows that it counts are nobody's business. So it is counted by a function that sees
them, and what is kept has been rounded before it is written. docs/decisions/counts-of-residents.md says against whom.
"""

from alembic import op

from migrations.protection import force, readable

revision = "20261124_14"
down_revision = "20261124_15"
branch_labels = None
depends_on = None

INDEXES = """
-- Serve the counts of leases and units by grid from the index alone, with the columns of every policy: a grid has a thousand of each.
CREATE INDEX ix_lease_counted ON reg.lease (grid_id) INCLUDE (subdistrict_id, valid_from, valid_to, ended_on, filed_on, parent_id)
  WHERE deleted_at IS NULL AND state <> 'drafted' AND state <> 'cancelled';
CREATE INDEX ix_unit_counted ON reg.unit (grid_id) INCLUDE (subdistrict_id, retired_on) WHERE deleted_at IS NULL;
"""

EVERYBODY: dict[str, str] = dict.fromkeys(("public", "field", "subdistrict", "district", "loader", "admin", "audit"), "true")

TABLE = """
CREATE TABLE reg.resident_count (
  id int GENERATED ALWAYS AS IDENTITY,
  area_id int NOT NULL,
  month date NOT NULL,
  counted_on date NOT NULL,
  residents int,
  floating int,
  phase smallint,
  CONSTRAINT pk_resident_count PRIMARY KEY (id),
  -- One release a month, whoever asks how often. Serves the releases of an area too.
  CONSTRAINT uq_resident_count_area_id_month UNIQUE (area_id, month),
  CONSTRAINT fk_resident_count_area_id FOREIGN KEY (area_id) REFERENCES reg.area (id),
  CONSTRAINT ck_resident_count_month CHECK (month = counted_on - extract(day FROM counted_on)::int + 1),
  -- What was not rounded, or stands for fewer than ten, is not even written.
  CONSTRAINT ck_resident_count_residents CHECK (residents >= 20 AND residents % 10 = 0),
  CONSTRAINT ck_resident_count_floating CHECK (floating >= 20 AND floating % 10 = 0 AND floating <= residents),
  CONSTRAINT ck_resident_count_both CHECK (floating IS NULL OR residents IS NOT NULL),
  CONSTRAINT ck_resident_count_phase CHECK (phase BETWEEN 0 AND 9)
);
-- resident_count.residents: NULL where it is not told. Those of a subdistrict are the sum of what is told of its communities.
-- resident_count.phase: Where the steps of ten begin in this community. Chosen by chance once and kept; a secret.
"""

ROUNDED = """
-- A number of people as it is told: NULL below ten and somewhat above, else up to a multiple of ten counted from a secret beginning.
-- What is told as 20 is some number from 10 to 28, and what is not told some number from 0 to 18.
CREATE FUNCTION sec.rounded(p_people bigint, p_phase int) RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE WHEN p_people >= 10 + p_phase THEN ((p_people - p_phase) / 10 * 10 + 10)::int END $$;
-- Counts who lives where today, by the main residence. Gives how many areas were counted; 0 when this month has been counted already.
CREATE FUNCTION sec.count_residents() RETURNS int
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE today date := (transaction_timestamp() AT TIME ZONE 'Asia/Shanghai')::date; counted int;
BEGIN
  IF sec.uid('loader') IS NULL THEN RAISE insufficient_privilege USING MESSAGE = 'not in scope'; END IF;
  LOCK TABLE reg.resident_count IN SHARE ROW EXCLUSIVE MODE;
  IF EXISTS (SELECT FROM reg.resident_count c WHERE c.counted_on >= date_trunc('month', today::timestamp)) THEN RETURN 0; END IF;
  WITH lived AS (
    SELECT g.community_id, count(*) AS residents, count(*) FILTER (WHERE p.registration = 'floating') AS floating
      FROM reg.residence r JOIN reg.grid g ON g.id = r.grid_id JOIN reg.person p ON p.id = r.person_id
     WHERE r.main AND r.deleted_at IS NULL AND p.deleted_at IS NULL AND r.valid_from <= today AND (r.valid_to IS NULL OR r.valid_to > today)
     GROUP BY 1),
  community AS MATERIALIZED (
    SELECT a.id, a.parent_id, coalesce(l.residents, 0) AS residents, coalesce(l.floating, 0) AS floating,
           coalesce((SELECT c.phase FROM reg.resident_count c
                      WHERE c.area_id = a.id  -- or what it was before it got another number: two beginnings for one number would bound it
                         OR c.area_id = (SELECT n.predecessor_id FROM reg.area_lineage n WHERE n.successor_id = a.id AND n.kind = 'renumber' LIMIT 1)
                      ORDER BY c.month DESC LIMIT 1),
                    floor(random() * 10)::int) AS phase
      FROM reg.area a LEFT JOIN lived l ON l.community_id = a.id
     WHERE a.level = 'community' AND a.deleted_at IS NULL AND a.valid_from <= today AND (a.valid_to IS NULL OR a.valid_to > today)),
  told AS MATERIALIZED (
    SELECT id, parent_id, sec.rounded(residents, phase) AS residents, sec.rounded(floating, phase) AS floating, phase FROM community)
  INSERT INTO reg.resident_count (area_id, month, counted_on, residents, floating, phase)
  SELECT t.id, date_trunc('month', today::timestamp)::date, today, t.residents, t.floating, t.phase FROM told t
  UNION ALL
  SELECT t.parent_id, date_trunc('month', today::timestamp)::date, today, sum(t.residents), sum(t.floating), NULL
    FROM told t GROUP BY t.parent_id
   ORDER BY 1;
  GET DIAGNOSTICS counted = ROW_COUNT;
  RETURN counted;
END $$;
REVOKE ALL ON FUNCTION sec.rounded(bigint, int), sec.count_residents() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sec.count_residents() TO app_loader;
"""


def upgrade() -> None:
    op.execute(
        TABLE
        + force("reg.resident_count")
        + readable("reg.resident_count", EVERYBODY, columns="(id, area_id, month, counted_on, residents, floating)")
        + "CREATE TRIGGER note_change AFTER INSERT OR UPDATE OR DELETE ON reg.resident_count"
        " FOR EACH STATEMENT EXECUTE FUNCTION sec.note_change();" + INDEXES
    )
    op.execute("SET ROLE sec_definer")
    op.execute(ROUNDED)
    op.execute("SET ROLE reg_owner")


def downgrade() -> None:
    op.execute("SET ROLE sec_definer")
    op.execute("DROP FUNCTION sec.count_residents(); DROP FUNCTION sec.rounded(bigint, int)")
    op.execute("SET ROLE reg_owner")
    op.execute("DROP INDEX reg.ix_lease_counted; DROP INDEX reg.ix_unit_counted; DROP TABLE reg.resident_count")
