"""Sums over pairs of rents of the same unit: what repeat-rent indexes are solved from, kept beside the observations.

Why: as with the other sums, any area and window is solved without a look at a lease, and a corrected lease is a subtraction and an addition.
A lease that comes between two others takes one pair away and brings two: so the pairs of the units concerned are taken away as they were
and added as they are. Changes are in millionths of logarithms, and their sums exact.

The statement is planned for each call. A plan that is kept from a call with one row visits each row of the next call's tens of thousands
for each, and so does one that is made while nothing is known of a table that was just filled: 20 minutes for 70,000 leases. So many rows
are joined by hashing, whatever the planner believes.
"""

from alembic import op

from migrations.protection import DISTRICT, LOADER, force, readable

revision = "20261124_18"
down_revision = "20261124_17"
branch_labels = None
depends_on = None

OFFICE = {"district": DISTRICT, "loader": LOADER}

TABLE = """
CREATE TABLE reg.rent_pair_statistic (
  id bigint GENERATED ALWAYS AS IDENTITY,
  community_id int NOT NULL,
  use text NOT NULL,
  earlier date NOT NULL,
  later date NOT NULL,
  n int NOT NULL,
  sum_u bigint NOT NULL,
  sum_uu bigint NOT NULL,
  CONSTRAINT pk_rent_pair_statistic PRIMARY KEY (id),
  CONSTRAINT ck_rent_pair_statistic_later CHECK (later > earlier)
);
-- rent_pair_statistic.earlier: Month of the first rent of a pair, and later that of the second, the next one of the same unit and use.
-- rent_pair_statistic.sum_u: Sum of the changes of the logarithm, in millionths, and sum_uu that of their squares. Several rows add up.
-- Serves an area's statistics.
CREATE INDEX ix_rent_pair_statistic_community_id ON reg.rent_pair_statistic (community_id);
"""

# Rows `o` that count. The year as an integer, which can be hashed.
COUNTING = """
      FROM ({rows}) o
      LEFT JOIN reg.rent_limit l ON l.subdistrict_id = o.subdistrict_id AND l.use = o.use AND l.class = o.class
        AND l.year = date_part('year', o.month)::int
      LEFT JOIN reg.rent_limit w ON l.use IS NULL AND w.subdistrict_id = 0 AND w.use = o.use AND w.class = '' AND w.year = 0
     WHERE o.reason IS NULL AND o.deleted_at IS NULL
       AND abs(o.log_rent - coalesce(l.centre, w.centre, o.log_rent)) <= 5 * coalesce(l.spread, w.spread, 1)"""
# Several rents of a unit in one month count as one, their geometric mean.
MEAN = "round(avg(o.log_rent){when})::bigint"
PAIRING = """
    SELECT {community} AS community_id, m.use, lag(m.month) OVER unit AS earlier, m.month AS later, {sign} AS sign, {y} - lag({y}) OVER unit AS u
      FROM months m WHERE {y} IS NOT NULL WINDOW unit AS (PARTITION BY m.unit_id, m.use ORDER BY m.month)"""
CHANGE = """
-- {what}
CREATE FUNCTION sec.{name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE nested text := current_setting('enable_nestloop');
BEGIN
  IF (SELECT count(*) FROM new_rows) > {many} THEN
    PERFORM set_config('enable_nestloop', 'off', true);
  END IF;
  EXECUTE $statement$
  WITH months AS MATERIALIZED (
    SELECT o.unit_id, o.use, o.month, {means}
      {counting}
     GROUP BY 1, 2, 3
  )
  INSERT INTO reg.rent_pair_statistic (community_id, use, earlier, later, n, sum_u, sum_uu)
  SELECT d.community_id, d.use, d.earlier, d.later, sum(d.sign), sum(d.sign * d.u), sum(d.sign * d.u * d.u)
    FROM ({now} UNION ALL {before}) d
   WHERE d.earlier IS NOT NULL
   GROUP BY 1, 2, 3, 4
  HAVING sum(d.sign) <> 0 OR sum(d.sign * d.u) <> 0 OR sum(d.sign * d.u * d.u) <> 0
  $statement$;
  PERFORM set_config('enable_nestloop', nested, true);
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION sec.{name}() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sec.{name}() TO reg_owner;
"""
COLUMNS = "{0}.unit_id, {0}.use, {0}.class, {0}.subdistrict_id, {0}.community_id, {0}.month, {0}.log_rent, {0}.reason, {0}.deleted_at"
# Each row once, with what it belongs to: the pairs as they are, as they were, or both.
OTHERS = f"""
    SELECT {COLUMNS.format("r")}, true AS now, true AS before FROM reg.rent_observation r
     WHERE r.unit_id IN (SELECT t.unit_id FROM new_rows t) AND NOT EXISTS (SELECT FROM new_rows t WHERE t.id = r.id)
     UNION ALL SELECT {COLUMNS.format("t")}, true, false FROM new_rows t"""
MEANS = ", ".join(
    f"min(o.community_id) FILTER (WHERE o.{when}) AS {when}_community, {MEAN.format(when=f' FILTER (WHERE o.{when})')} AS {when}_y"
    for when in ("now", "before")
)
MANY = "(SELECT greatest(c.reltuples / 20, 100) FROM pg_class c WHERE c.oid = 'reg.rent_observation'::regclass)"
"""Rows from which on hashing the whole table is quicker than looking each up, or surer where the planner knows nothing of the table."""
TRIGGERS = (
    ("insert", "NEW TABLE AS new_rows", OTHERS, "Pairs that came with new observations, and those that they came between."),
    (
        "update",
        "OLD TABLE AS old_rows NEW TABLE AS new_rows",
        f"{OTHERS} UNION ALL SELECT {COLUMNS.format('t')}, false, true FROM old_rows t",
        "Pairs as they are after a correction, less as they were before. An observation never comes to another unit.",
    ),
)

FILL = f"""
WITH months AS MATERIALIZED (
  SELECT o.unit_id, o.use, o.month, min(o.community_id) AS community_id, {MEAN.format(when="")} AS y
    {COUNTING.format(rows="SELECT * FROM reg.rent_observation")}
   GROUP BY 1, 2, 3
)
INSERT INTO reg.rent_pair_statistic (community_id, use, earlier, later, n, sum_u, sum_uu)
SELECT d.community_id, d.use, d.earlier, d.later, sum(d.sign), sum(d.u), sum(d.u * d.u)
  FROM ({PAIRING.format(community="m.community_id", sign="1", y="m.y")}) d
 WHERE d.earlier IS NOT NULL
 GROUP BY 1, 2, 3, 4;
"""


def upgrade() -> None:
    op.execute(TABLE + force("reg.rent_pair_statistic") + readable("reg.rent_pair_statistic", OFFICE))
    op.execute(f"""
        CREATE POLICY loader_i ON reg.rent_pair_statistic FOR INSERT TO app_loader WITH CHECK ({LOADER});
        CREATE POLICY loader_d ON reg.rent_pair_statistic FOR DELETE TO app_loader USING ({LOADER});
        GRANT INSERT, DELETE ON reg.rent_pair_statistic TO app_loader;
    """)
    op.execute(FILL)
    now, before = (
        PAIRING.format(community=f"m.{when}_community", sign=sign, y=f"m.{when}_y") for when, sign in (("now", "1"), ("before", "-1"))
    )
    for verb, tables, rows, what in TRIGGERS:
        counting = COUNTING.format(rows=rows)
        op.execute("SET ROLE sec_definer")
        op.execute(CHANGE.format(name=f"pair_rents_{verb}", means=MEANS, counting=counting, now=now, before=before, what=what, many=MANY))
        op.execute("SET ROLE reg_owner")
        op.execute(
            f"CREATE TRIGGER pair_{verb} AFTER {verb.upper()} ON reg.rent_observation REFERENCING {tables}"
            f" FOR EACH STATEMENT EXECUTE FUNCTION sec.pair_rents_{verb}()"
        )


def downgrade() -> None:
    op.execute("DROP TRIGGER pair_insert ON reg.rent_observation; DROP TRIGGER pair_update ON reg.rent_observation")
    op.execute("SET ROLE sec_definer")
    op.execute("DROP FUNCTION sec.pair_rents_insert(); DROP FUNCTION sec.pair_rents_update()")
    op.execute("SET ROLE reg_owner")
    op.execute("DROP TABLE reg.rent_pair_statistic")
