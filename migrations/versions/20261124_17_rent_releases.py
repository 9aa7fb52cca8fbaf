"""Runs of the rent methods, their results, and the releases by which numbers become public.

Why: a published number never changes. A run keeps what is needed to repeat it to the last digit; a release goes from computed to reviewed
to approved to published, each step by somebody; a correction is another edition, which supersedes the one before.
"""

from alembic import op

from migrations.protection import DISTRICT, LOADER, force, readable

revision = "20261124_17"
down_revision = "20261124_16"
branch_labels = None
depends_on = None

OFFICE = {"district": DISTRICT, "loader": LOADER}
READERS = ("public", "field", "subdistrict", "district", "loader", "admin", "audit")
OUTSIDE = tuple(name for name in READERS if name not in OFFICE)
USES = "'residential', 'shop', 'office', 'plant', 'warehouse', 'other'"
SERIES = """
  area_id int NOT NULL,
  use text NOT NULL,
  lets text NOT NULL,
  period date NOT NULL"""
SERIES_CHECKS = """
  CONSTRAINT fk_{table}_area_id FOREIGN KEY (area_id) REFERENCES reg.area (id),
  CONSTRAINT ck_{table}_use CHECK (use IN ({uses})),
  CONSTRAINT ck_{table}_lets CHECK (lets IN ('all', 'new'))"""

TABLES = f"""
CREATE TABLE reg.rent_run (
  id uuid NOT NULL DEFAULT reg.uuid7(),
  product text NOT NULL,
  frequency text NOT NULL,
  method text NOT NULL,
  parameters jsonb NOT NULL,
  software text NOT NULL,
  data_cut timestamptz NOT NULL,
  area_id int NOT NULL,
  use text NOT NULL,
  begins date NOT NULL,
  ends date NOT NULL,
  n int NOT NULL,
  trimmed int NOT NULL,
  quarantined int NOT NULL,
  digest text NOT NULL,
  premises bytea NOT NULL,
  computed_at timestamptz NOT NULL DEFAULT transaction_timestamp(),
  computed_by bigint NOT NULL DEFAULT sec.actor(),
  CONSTRAINT pk_rent_run PRIMARY KEY (id),
  CONSTRAINT uq_rent_run_id_product_frequency UNIQUE (id, product, frequency),
  CONSTRAINT fk_rent_run_area_id FOREIGN KEY (area_id) REFERENCES reg.area (id),
  CONSTRAINT ck_rent_run_product CHECK (product IN ('index', 'guide')),
  CONSTRAINT ck_rent_run_frequency CHECK (frequency IN ('month', 'quarter', 'year')),
  CONSTRAINT ck_rent_run_use CHECK (use IN ({USES})),
  CONSTRAINT ck_rent_run_period CHECK (ends > begins),
  CONSTRAINT ck_rent_run_counts CHECK (least(n, trimmed, quarantined) >= 0),
  CONSTRAINT ck_rent_run_digest CHECK (digest ~ '^[0-9a-f]{{64}}$')
);
-- rent_run.data_cut: The run used the observations as they were known at this moment, and can be repeated from them.
-- rent_run.ends: First day after the last period.
-- rent_run.digest: SHA-256 of its values, so that a repeat is compared at a glance.
-- rent_run.premises: The areas and the stock that it was computed on, as NumPy's .npz: who writes them never waits for a run.
CREATE INDEX ix_rent_run_area_id ON reg.rent_run (area_id);

CREATE TABLE reg.rent_value (
  run_id uuid NOT NULL,{SERIES},
  value numeric(16, 6),
  se numeric(12, 8),
  low numeric(16, 6),
  high numeric(16, 6),
  n int NOT NULL,
  trimmed int NOT NULL,
  landlords int NOT NULL,
  largest_share numeric(7, 6),
  pooled text NOT NULL,
  shrinkage numeric(9, 8),
  reason text,
  CONSTRAINT pk_rent_value PRIMARY KEY (run_id, area_id, use, lets, period),
  CONSTRAINT fk_rent_value_run_id FOREIGN KEY (run_id) REFERENCES reg.rent_run (id),{SERIES_CHECKS.format(table="rent_value", uses=USES)},
  -- A number, or the reason why there is none.
  CONSTRAINT ck_rent_value_reason CHECK ((value IS NULL) = (reason IS NOT NULL)),
  CONSTRAINT ck_rent_value_value CHECK (value > 0 AND se >= 0),
  CONSTRAINT ck_rent_value_bands CHECK (num_nulls(low, high) IN (0, 2) AND low <= value AND value <= high),
  CONSTRAINT ck_rent_value_counts CHECK (least(n, trimmed, landlords) >= 0),
  CONSTRAINT ck_rent_value_largest_share CHECK (largest_share BETWEEN 0 AND 1),
  CONSTRAINT ck_rent_value_pooled CHECK (pooled IN ('own', 'subdistrict', 'district')),
  CONSTRAINT ck_rent_value_shrinkage CHECK (shrinkage BETWEEN 0 AND 1)
);
-- rent_value.se: Standard error of the natural logarithm of the value.
-- rent_value.low: Lower end of the spread around a guidance rent or of an index's interval, and high the upper one.
-- rent_value.largest_share: Share of the landlord with most of the leases.
-- rent_value.pooled: Whose observations speak: the area's own, or those of a wider one that it lies in.
CREATE INDEX ix_rent_value_area_id ON reg.rent_value (area_id);

CREATE TABLE reg.rent_release (
  id uuid NOT NULL DEFAULT reg.uuid7(),
  version int NOT NULL DEFAULT 1,
  quarter text NOT NULL,
  edition int NOT NULL,
  state text NOT NULL DEFAULT 'computed',
  note text,
  published_before int NOT NULL DEFAULT 0,
  computed_at timestamptz NOT NULL DEFAULT transaction_timestamp(),
  computed_by bigint NOT NULL DEFAULT sec.actor(),
  reviewed_at timestamptz,
  reviewed_by bigint,
  approved_at timestamptz,
  approved_by bigint,
  published_at timestamptz,
  published_by bigint,
  CONSTRAINT pk_rent_release PRIMARY KEY (id),
  CONSTRAINT uq_rent_release_quarter_edition UNIQUE (quarter, edition),
  CONSTRAINT ck_rent_release_quarter CHECK (quarter ~ '^[12][0-9]{{3}}Q[1-4]$'),
  CONSTRAINT ck_rent_release_edition CHECK (edition >= 1),
  CONSTRAINT ck_rent_release_state CHECK (state IN ('computed', 'reviewed', 'approved', 'published', 'superseded', 'rejected')),
  CONSTRAINT ck_rent_release_reviewed CHECK (num_nulls(reviewed_at, reviewed_by) IN (0, 2)
    AND (state IN ('computed', 'rejected') OR reviewed_by IS NOT NULL)),
  -- Four eyes: whoever approves has not reviewed.
  CONSTRAINT ck_rent_release_approved CHECK (num_nulls(approved_at, approved_by) IN (0, 2)
    AND (state NOT IN ('approved', 'published', 'superseded') OR approved_by IS NOT NULL) AND approved_by <> reviewed_by),
  CONSTRAINT ck_rent_release_published CHECK (num_nulls(published_at, published_by) IN (0, 2)
    AND (state IN ('published', 'superseded')) = (published_by IS NOT NULL)),
  CONSTRAINT ck_rent_release_note CHECK (length(note) <= 4000),
  CONSTRAINT ck_rent_release_published_before CHECK (published_before >= 0)
);
-- rent_release.quarter: The last quarter that it tells of, 2011Q4.
-- rent_release.published_before: How many releases had been published when it was computed, beside which it was judged.
-- At most one edition of a quarter is the published one.
CREATE UNIQUE INDEX ux_rent_release_published ON reg.rent_release (quarter) WHERE state = 'published';
-- One is published after the other: of two at once each would know nothing of the other.
CREATE UNIQUE INDEX ux_rent_release_published_before ON reg.rent_release (published_before) WHERE state IN ('published', 'superseded');

CREATE TABLE reg.rent_release_run (
  release_id uuid NOT NULL,
  run_id uuid NOT NULL,
  CONSTRAINT pk_rent_release_run PRIMARY KEY (release_id, run_id),
  CONSTRAINT fk_rent_release_run_release_id FOREIGN KEY (release_id) REFERENCES reg.rent_release (id),
  CONSTRAINT fk_rent_release_run_run_id FOREIGN KEY (run_id) REFERENCES reg.rent_run (id)
);
CREATE INDEX ix_rent_release_run_run_id ON reg.rent_release_run (run_id);

CREATE TABLE reg.rent_figure (
  id bigint GENERATED ALWAYS AS IDENTITY,
  release_id uuid NOT NULL,
  run_id uuid NOT NULL,
  product text NOT NULL,
  frequency text NOT NULL,{SERIES},
  value numeric(12, 2),
  low numeric(12, 2),
  high numeric(12, 2),
  se numeric(6, 4),
  n_told int,
  basis text NOT NULL,
  flag text,
  reason text,
  CONSTRAINT pk_rent_figure PRIMARY KEY (id),
  CONSTRAINT uq_rent_figure_release_id UNIQUE (release_id, product, frequency, area_id, use, lets, period),
  CONSTRAINT fk_rent_figure_release_id FOREIGN KEY (release_id) REFERENCES reg.rent_release (id),
  CONSTRAINT fk_rent_figure_run_id_product_frequency FOREIGN KEY (run_id, product, frequency) REFERENCES reg.rent_run (id, product, frequency),
  {SERIES_CHECKS.format(table="rent_figure", uses=USES).lstrip()},
  CONSTRAINT ck_rent_figure_reason CHECK ((value IS NULL) = (reason IS NOT NULL)),
  CONSTRAINT ck_rent_figure_bands CHECK (num_nulls(low, high) IN (0, 2) AND low <= value AND value <= high AND value > 0),
  CONSTRAINT ck_rent_figure_basis CHECK (basis IN ('direct', 'model', 'none')),
  CONSTRAINT ck_rent_figure_flag CHECK (flag IN ('few', 'held_back', 'review')),
  CONSTRAINT ck_rent_figure_n_told CHECK (n_told >= 0 AND n_told % 5 = 0)
);
-- rent_figure.n_told: Number of observations, rounded to fives; NULL where it is hidden.
-- rent_figure.basis: Whether the number rests on the area's own observations or on a model that borrows from wider ones.
CREATE INDEX ix_rent_figure_area_id ON reg.rent_figure (area_id);
CREATE INDEX ix_rent_figure_run_id_product_frequency ON reg.rent_figure (run_id, product, frequency);
"""

RULES = """
-- What a run or a release said is never changed, by nobody.
CREATE FUNCTION reg.keep_rents() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE check_violation USING CONSTRAINT = 'rents_are_kept', SCHEMA = 'reg', TABLE = TG_TABLE_NAME,
    MESSAGE = 'what was computed or published is never changed';
END $$;
-- Who takes a step, and when, is what PostgreSQL knows and not what the caller says: a writer has the state and the note, and once the
-- last step is taken not even the note. What was published is superseded, and nothing else ever happens to it.
CREATE FUNCTION reg.step_release() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF to_jsonb(NEW) - ARRAY['state', 'note'] <> to_jsonb(OLD) - ARRAY['state', 'note']
    OR (OLD.state IN ('published', 'superseded', 'rejected') AND NEW.note IS DISTINCT FROM OLD.note)
  THEN
    RAISE check_violation USING CONSTRAINT = 'rents_are_kept', SCHEMA = 'reg', TABLE = 'rent_release',
      MESSAGE = 'what was computed or published is never changed';
  END IF;
  IF NEW.state = OLD.state AND OLD.state IN ('published', 'superseded', 'rejected') THEN RETURN OLD; END IF;  -- its version stands too
  NEW.version := OLD.version + 1;
  IF NEW.state = OLD.state THEN RETURN NEW; END IF;
  IF NOT (NEW.state = ANY (CASE OLD.state
      WHEN 'computed' THEN ARRAY['reviewed', 'rejected']
      WHEN 'reviewed' THEN ARRAY['approved', 'rejected']
      WHEN 'approved' THEN ARRAY['published', 'rejected']
      WHEN 'published' THEN ARRAY['superseded']
      ELSE '{}'::text[] END))
    -- a release is superseded by the next edition and by nobody's word, and no edition comes after a later one
    OR (NEW.state = 'superseded' AND pg_trigger_depth() < 2)
    OR (NEW.state = 'published' AND EXISTS (SELECT FROM reg.rent_release r WHERE r.quarter = NEW.quarter AND r.edition > NEW.edition
      AND r.state IN ('published', 'superseded')))
  THEN
    RAISE check_violation USING CONSTRAINT = 'release_state_step', SCHEMA = 'reg', TABLE = 'rent_release',
      MESSAGE = format('a release that is %s does not become %s', OLD.state, NEW.state);
  END IF;
  IF NEW.state = 'published' THEN
    -- It continues what was published, and hides what would follow from that and from its own numbers: of any release since it knows nothing.
    IF (SELECT count(*) FROM reg.rent_release r WHERE r.state IN ('published', 'superseded')) <> NEW.published_before THEN
      RAISE check_violation USING CONSTRAINT = 'release_is_stale', SCHEMA = 'reg', TABLE = 'rent_release',
        MESSAGE = 'another release was published since this one was computed';
    END IF;
  END IF;
  CASE NEW.state
    WHEN 'reviewed' THEN NEW.reviewed_at := transaction_timestamp(); NEW.reviewed_by := sec.actor();
    WHEN 'approved' THEN NEW.approved_at := transaction_timestamp(); NEW.approved_by := sec.actor();
    WHEN 'published' THEN
      NEW.published_at := transaction_timestamp(); NEW.published_by := sec.actor();
      UPDATE reg.rent_release SET state = 'superseded' WHERE quarter = NEW.quarter AND state = 'published';
    ELSE NULL;
  END CASE;
  RETURN NEW;
END $$;
-- Runs and figures are added until the release is reviewed. It is held, so that nobody reviews it beside the writer.
CREATE FUNCTION reg.add_to_release() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE late boolean;
BEGIN
  SELECT bool_or(s.state <> 'computed') INTO late
    FROM (SELECT r.state FROM reg.rent_release r WHERE r.id IN (SELECT n.release_id FROM new_rows n) FOR SHARE) s;
  IF late THEN
    RAISE check_violation USING CONSTRAINT = 'rents_are_kept', SCHEMA = 'reg', TABLE = TG_TABLE_NAME,
      MESSAGE = 'what was reviewed is never added to';
  END IF;
  RETURN NULL;
END $$;
-- Values are added to a run until a release is made of it.
CREATE FUNCTION reg.add_to_run() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM reg.rent_release_run x WHERE x.run_id IN (SELECT n.run_id FROM new_rows n)) THEN
    RAISE check_violation USING CONSTRAINT = 'rents_are_kept', SCHEMA = 'reg', TABLE = TG_TABLE_NAME,
      MESSAGE = 'what was released is never added to';
  END IF;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION reg.keep_rents(), reg.step_release(), reg.add_to_release(), reg.add_to_run() FROM PUBLIC;
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(RULES)
    for table in ("rent_run", "rent_value", "rent_release", "rent_release_run", "rent_figure"):
        op.execute(force(f"reg.{table}") + readable(f"reg.{table}", OFFICE))
    for table, columns in INSERTED.items():
        op.execute(
            f"CREATE POLICY loader_i ON reg.{table} FOR INSERT TO app_loader WITH CHECK ({LOADER});"
            f" GRANT INSERT ({', '.join(columns)}) ON reg.{table} TO app_loader"
        )
    for name, scope in OFFICE.items():
        op.execute(
            f"CREATE POLICY {name}_u ON reg.rent_release FOR UPDATE TO app_{name} USING ({scope}) WITH CHECK ({scope});"
            f" GRANT UPDATE (state, note) ON reg.rent_release TO app_{name}"
        )
    outside = ", ".join(f"app_{name}" for name in OUTSIDE)
    op.execute(f"""
        CREATE POLICY outside_r ON reg.rent_release FOR SELECT TO {outside} USING (state IN ('published', 'superseded'));
        GRANT SELECT (id, version, quarter, edition, state, published_at) ON reg.rent_release TO {outside};
        CREATE POLICY outside_r ON reg.rent_figure FOR SELECT TO {outside} USING (release_id IN (SELECT r.id FROM reg.rent_release r));
        GRANT SELECT ON reg.rent_figure TO {outside};
        CREATE POLICY outside_r ON reg.rent_run FOR SELECT TO {outside}
          USING (id IN (SELECT x.run_id FROM reg.rent_release_run x JOIN reg.rent_release r ON r.id = x.release_id));
        GRANT SELECT (id, product, frequency, method, parameters, software, data_cut, area_id, use, begins, ends, digest)
          ON reg.rent_run TO {outside};
        CREATE POLICY outside_r ON reg.rent_release_run FOR SELECT TO {outside} USING (release_id IN (SELECT r.id FROM reg.rent_release r));
        GRANT SELECT ON reg.rent_release_run TO {outside};
        CREATE TRIGGER step BEFORE UPDATE ON reg.rent_release FOR EACH ROW EXECUTE FUNCTION reg.step_release();
        CREATE TRIGGER note_change AFTER INSERT OR UPDATE OR DELETE ON reg.rent_release
          FOR EACH STATEMENT EXECUTE FUNCTION sec.note_change();
    """)
    for table, noun in (("rent_figure", "release"), ("rent_release_run", "release"), ("rent_value", "run")):
        op.execute(
            f"CREATE TRIGGER add AFTER INSERT ON reg.{table} REFERENCING NEW TABLE AS new_rows"
            f" FOR EACH STATEMENT EXECUTE FUNCTION reg.add_to_{noun}()"
        )
    for table in ("rent_run", "rent_value", "rent_release_run", "rent_figure"):
        op.execute(
            f"CREATE TRIGGER keep BEFORE UPDATE OR DELETE OR TRUNCATE ON reg.{table} FOR EACH STATEMENT EXECUTE FUNCTION reg.keep_rents()"
        )
    op.execute("CREATE TRIGGER keep BEFORE DELETE OR TRUNCATE ON reg.rent_release FOR EACH STATEMENT EXECUTE FUNCTION reg.keep_rents()")


INSERTED = {
    "rent_run": (
        "id", "product", "frequency", "method", "parameters", "software", "data_cut", "area_id", "use", "begins", "ends", "n", "trimmed",
        "quarantined", "digest", "premises",
    ),
    "rent_value": (
        "run_id", "area_id", "use", "lets", "period", "value", "se", "low", "high", "n", "trimmed", "landlords", "largest_share", "pooled",
        "shrinkage", "reason",
    ),
    "rent_release": ("id", "quarter", "edition", "note", "published_before"),
    "rent_release_run": ("release_id", "run_id"),
    "rent_figure": (
        "release_id", "run_id", "product", "frequency", "area_id", "use", "lets", "period", "value", "low", "high", "se", "n_told", "basis",
        "flag", "reason",
    ),
}  # fmt: skip


def downgrade() -> None:
    op.execute("DROP TABLE reg.rent_figure, reg.rent_release_run, reg.rent_release, reg.rent_value, reg.rent_run")
    op.execute(
        "DROP FUNCTION reg.keep_rents(); DROP FUNCTION reg.step_release(); DROP FUNCTION reg.add_to_release(); DROP FUNCTION reg.add_to_run()"
    )
