"""Rent observations, the limits outside of which one counts as a gross error, and the sums that every index is solved from.

Why: every index is solved from sums. A period, community, use, class and kind of let is one row of counts, sums and products. They add up over areas and time, so any
area and window is solved without a look at a lease, and a corrected lease is a subtraction and an addition. They are sums of integers,
millionths of logarithms, so that adding in another order, or piece by piece, gives the same digits to the last.
"""

from alembic import op

from migrations.protection import DISTRICT, ENTITY, LOADER, bulk, force, readable, unprotect, versioned, writable

revision = "20261124_16"
down_revision = "20261124_14"
branch_labels = None
depends_on = None

OFFICE = {"district": DISTRICT, "loader": LOADER}
USES = "'residential', 'shop', 'office', 'plant', 'warehouse', 'other'"
NATURES = "'self_built', 'collective', 'factory_dormitory', 'commodity', 'apartment', 'other'"
ATTRIBUTES = ("log_area", "log_area_squared", "age", "age_squared", "undated", "floor", "ground", "top", "tall", "term")
MEASURED = ("log_rent", *ATTRIBUTES)
COLUMNS = ",\n".join(f"  {name} bigint" for name in MEASURED)
NUMBERS = 2 + 2 * len(ATTRIBUTES) + len(ATTRIBUTES) * (len(ATTRIBUTES) + 1) // 2

TABLES = f"""
CREATE TABLE reg.rent_observation ({ENTITY},
  source text NOT NULL,
  reference text COLLATE "C" NOT NULL,
  unit_id uuid NOT NULL,
  grid_id int NOT NULL,
  subdistrict_id int NOT NULL,
  community_id int NOT NULL,
  landlord_id uuid,
  use text NOT NULL,
  class text NOT NULL,
  new_let boolean NOT NULL,
  related boolean NOT NULL DEFAULT false,
  sublet boolean NOT NULL DEFAULT false,
  begins date NOT NULL,
  ends date,
  month date GENERATED ALWAYS AS (date_trunc('month', begins::timestamp)::date) STORED,
  rent_fen bigint NOT NULL,
  area_m2 numeric(10, 2),
  reason text,
{COLUMNS},
  CONSTRAINT pk_rent_observation PRIMARY KEY (id),
  CONSTRAINT uq_rent_observation_source_reference UNIQUE (source, reference),
  CONSTRAINT fk_rent_observation_unit_id_grid_id_subdistrict_id FOREIGN KEY (unit_id, grid_id, subdistrict_id)
    REFERENCES reg.unit (id, grid_id, subdistrict_id) ON UPDATE CASCADE,
  CONSTRAINT fk_rent_observation_community_id FOREIGN KEY (community_id) REFERENCES reg.area (id),
  CONSTRAINT fk_rent_observation_landlord_id FOREIGN KEY (landlord_id) REFERENCES reg.landlord (id),
  CONSTRAINT ck_rent_observation_source CHECK (source IN ('lease', 'assessment', 'survey')),
  CONSTRAINT ck_rent_observation_reference CHECK (reference ~ '^[0-9A-Za-z/_-]{{1,40}}$'),
  CONSTRAINT ck_rent_observation_use CHECK (use IN ({USES})),
  CONSTRAINT ck_rent_observation_class CHECK (class IN ({NATURES})),
  CONSTRAINT ck_rent_observation_reason CHECK (reason IN
    ('rent_not_positive', 'area_missing', 'term_inverted', 'implausible', 'related_parties', 'sublet')),
  -- What counts is measured, and so small that the sums of its products cannot overflow.
  CONSTRAINT ck_rent_observation_measured CHECK (reason IS NOT NULL OR (num_nulls({", ".join(MEASURED)}) = 0
    AND greatest({", ".join(MEASURED)}) <= 15000000 AND least({", ".join(MEASURED)}) >= -15000000))
);
-- rent_observation.rent_fen: Rent in fen a month.
-- rent_observation.ends: First day after the term.
-- rent_observation.reason: Why the observation is set aside (quarantine), NULL where it counts.
-- rent_observation.log_rent: Natural logarithm of yuan per square metre and month; this and the attributes in millionths.
-- Serve the cascade from units, the foreign keys, and the leases of a month.
CREATE INDEX ix_rent_observation_unit_id_grid_id_subdistrict_id ON reg.rent_observation (unit_id, grid_id, subdistrict_id);
CREATE INDEX ix_rent_observation_landlord_id ON reg.rent_observation (landlord_id);
CREATE INDEX ix_rent_observation_community_id_month ON reg.rent_observation (community_id, month);

CREATE TABLE reg.rent_limit (
  subdistrict_id int NOT NULL,
  use text NOT NULL,
  class text NOT NULL,
  year int NOT NULL,
  n int NOT NULL,
  centre bigint NOT NULL,
  spread bigint NOT NULL,
  pooled text NOT NULL,
  CONSTRAINT pk_rent_limit PRIMARY KEY (subdistrict_id, use, class, year),
  CONSTRAINT ck_rent_limit_spread CHECK (spread > 0),
  CONSTRAINT ck_rent_limit_pooled CHECK (pooled IN ('subdistrict', 'class', 'use', 'all'))
);
-- rent_limit.centre: Median of log_rent of the group, and spread its robust standard deviation, both in millionths.
-- rent_limit.pooled: Whose they are: the group's own, or those of a wider group where it has fewer than ten.

CREATE TABLE reg.rent_statistic (
  id bigint GENERATED ALWAYS AS IDENTITY,
  month date NOT NULL,
  community_id int NOT NULL,
  use text NOT NULL,
  class text NOT NULL,
  new_let boolean NOT NULL,
  n int NOT NULL,
  sums bigint[] NOT NULL,
  CONSTRAINT pk_rent_statistic PRIMARY KEY (id),
  CONSTRAINT ck_rent_statistic_sums CHECK (cardinality(sums) = {NUMBERS})
);
-- rent_statistic.sums: Of log_rent, of its square, of each attribute, of each attribute times log_rent, and of each attribute times itself
-- and those after it. Several rows may stand for one cell: they add up.
-- Serves an area's statistics.
CREATE INDEX ix_rent_statistic_community_id_month ON reg.rent_statistic (community_id, month);
"""


def sums() -> str:
    """The sums of a cell over rows `o`, as an array."""
    squares = [f"o.{one} * o.{other}" for place, one in enumerate(ATTRIBUTES) for other in ATTRIBUTES[place:]]
    terms = ["o.log_rent", "o.log_rent * o.log_rent", *(f"o.{one}" for one in ATTRIBUTES)]
    terms += [*(f"o.{one} * o.log_rent" for one in ATTRIBUTES), *squares]
    return "ARRAY[" + ", ".join(f"reg.total(o.sign * {term})" for term in terms) + "]"


# PostgreSQL's own sum of bigint is a numeric, which costs as much as all else together. An overflow is refused here too, and even were all
# measures at their limits there would be room for forty thousand leases in a cell.
TOTAL = """
CREATE AGGREGATE reg.total(bigint) (SFUNC = int8pl, STYPE = bigint, COMBINEFUNC = int8pl, PARALLEL = SAFE);
REVOKE ALL ON FUNCTION reg.total(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION reg.total(bigint) TO app_loader, sec_definer;
"""
CHANGE = """
-- {what} Groups without limits of their own yet go by those of their use. With the definer's rights, because a building that a field worker
-- moves takes its observations along.
CREATE FUNCTION sec.{name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO reg.rent_statistic (month, community_id, use, class, new_let, n, sums)
  SELECT o.month, o.community_id, o.use, o.class, o.new_let, sum(o.sign), {sums}
    FROM ({rows}) o
    LEFT JOIN reg.rent_limit l ON l.subdistrict_id = o.subdistrict_id AND l.use = o.use AND l.class = o.class
      AND l.year = date_part('year', o.month)::int
    LEFT JOIN reg.rent_limit w ON l.use IS NULL AND w.subdistrict_id = 0 AND w.use = o.use AND w.class = '' AND w.year = 0
   WHERE o.reason IS NULL AND o.deleted_at IS NULL
     AND abs(o.log_rent - coalesce(l.centre, w.centre, o.log_rent)) <= 5 * coalesce(l.spread, w.spread, 1)
   GROUP BY 1, 2, 3, 4, 5;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION sec.{name}() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sec.{name}() TO reg_owner;
"""
NEW = "SELECT 1 AS sign, n.* FROM new_rows n"
OLD = "SELECT -1 AS sign, o.* FROM old_rows o"
TRIGGERS = (
    ("insert", "NEW TABLE AS new_rows", NEW, "Adds the observations that came."),
    (
        "update",
        "OLD TABLE AS old_rows NEW TABLE AS new_rows",
        f"{OLD} UNION ALL {NEW}",
        "Takes away what was corrected, adds what it is now.",
    ),
)

# A run tells until when it knew the register. An observation recorded by a transaction that began before and ended later would be known
# then by its time, and was not: such a writer is refused and begins anew. The row is held, so that nobody is under way beside a run.
CUT = """
CREATE TABLE reg.rent_cut (
  id int NOT NULL,
  cut timestamptz NOT NULL,
  CONSTRAINT pk_rent_cut PRIMARY KEY (id),
  CONSTRAINT ck_rent_cut_id CHECK (id = 1)
);
-- rent_cut.cut: The latest moment until which some run knew the observations.
INSERT INTO reg.rent_cut (id, cut) VALUES (1, '-infinity');
"""
ORDER = """
CREATE FUNCTION sec.order_rent_writers() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE latest timestamptz;
BEGIN
  SELECT c.cut INTO latest FROM reg.rent_cut c FOR UPDATE;
  IF latest >= transaction_timestamp() THEN
    RAISE serialization_failure USING MESSAGE = 'rents were computed meanwhile: observe again';
  END IF;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION sec.order_rent_writers() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sec.order_rent_writers() TO reg_owner;
"""

SOURCE = (
    "source", "reference", "unit_id", "grid_id", "subdistrict_id", "community_id", "landlord_id", "use", "class", "new_let", "related",
    "sublet", "begins", "ends", "rent_fen", "area_m2", "reason", *MEASURED,
)  # fmt: skip
FIXED = frozenset({"source", "reference", "unit_id", "grid_id", "subdistrict_id"})


def upgrade() -> None:
    op.execute(TABLES + TOTAL)
    op.execute(CUT)
    op.execute(
        force("reg.rent_observation")
        + readable("reg.rent_observation", OFFICE)
        + writable(
            "reg.rent_observation",
            {"loader": LOADER},
            insert=SOURCE,
            update=[*(name for name in SOURCE if name not in FIXED), "deleted_at"],
        )
        + bulk("rent_observation")
        + versioned("rent_observation", OFFICE)
    )
    for table in ("rent_limit", "rent_statistic"):
        op.execute(force(f"reg.{table}") + readable(f"reg.{table}", OFFICE))
        op.execute(f"""
            CREATE POLICY loader_i ON reg.{table} FOR INSERT TO app_loader WITH CHECK ({LOADER});
            CREATE POLICY loader_d ON reg.{table} FOR DELETE TO app_loader USING ({LOADER});
            GRANT INSERT, DELETE ON reg.{table} TO app_loader;
        """)
    loader = {"loader": LOADER}
    op.execute(force("reg.rent_cut") + readable("reg.rent_cut", loader) + writable("reg.rent_cut", loader, update=["cut"]))
    op.execute("SET ROLE sec_definer")
    op.execute(ORDER)
    for verb, _, rows, what in TRIGGERS:
        op.execute(CHANGE.format(name=f"sum_rents_{verb}", sums=sums(), rows=rows, what=what))
    op.execute("SET ROLE reg_owner")
    op.execute(
        "CREATE TRIGGER order_writers BEFORE INSERT OR UPDATE ON reg.rent_observation"
        " FOR EACH STATEMENT EXECUTE FUNCTION sec.order_rent_writers()"
    )
    for verb, tables, _, _ in TRIGGERS:
        op.execute(
            f"CREATE TRIGGER sum_{verb} AFTER {verb.upper()} ON reg.rent_observation REFERENCING {tables}"
            f" FOR EACH STATEMENT EXECUTE FUNCTION sec.sum_rents_{verb}()"
        )


def downgrade() -> None:
    op.execute(unprotect("rent_observation") + "DROP TABLE reg.rent_statistic, reg.rent_limit, reg.rent_cut")
    op.execute("SET ROLE sec_definer")
    op.execute("DROP FUNCTION sec.sum_rents_insert(); DROP FUNCTION sec.sum_rents_update(); DROP FUNCTION sec.order_rent_writers()")
    op.execute("SET ROLE reg_owner")
    op.execute("DROP AGGREGATE reg.total(bigint)")
