"""Leases, head leases and sublets.

Why: rents, taxes and who may live where start from the lease; one lease per unit and period unless it is a sublet of it.
"""

from alembic import op

from migrations.protection import ENTITY, SCOPES, bulk, force, logged, readable, unprotect, versioned, writable

revision = "20261123_09"
down_revision = "20261123_08"
branch_labels = None
depends_on = None

TABLE = f"""
CREATE TABLE reg.lease ({ENTITY},
  number text COLLATE "C" NOT NULL,
  unit_id uuid NOT NULL,
  grid_id int NOT NULL,
  subdistrict_id int NOT NULL,
  parent_id uuid,
  landlord_id uuid,
  lessor_name text,
  lessee_id uuid,
  rent_fen bigint NOT NULL,
  rent_given numeric(14, 2) NOT NULL,
  rent_unit text NOT NULL,
  area_basis_m2 numeric(10, 2) NOT NULL,
  deposit_fen bigint,
  valid_from date NOT NULL,
  valid_to date NOT NULL,
  signed_on date,
  filed_on date,
  ended_on date,
  state text NOT NULL,
  new_let boolean NOT NULL,
  CONSTRAINT pk_lease PRIMARY KEY (id),
  CONSTRAINT uq_lease_number UNIQUE (number),
  CONSTRAINT uq_lease_id_unit_id UNIQUE (id, unit_id),
  CONSTRAINT fk_lease_unit_id_grid_id_subdistrict_id FOREIGN KEY (unit_id, grid_id, subdistrict_id)
    REFERENCES reg.unit (id, grid_id, subdistrict_id) ON UPDATE CASCADE,
  -- A sublet is of the same unit as its head lease.
  CONSTRAINT fk_lease_parent_id_unit_id FOREIGN KEY (parent_id, unit_id) REFERENCES reg.lease (id, unit_id),
  CONSTRAINT fk_lease_landlord_id FOREIGN KEY (landlord_id) REFERENCES reg.landlord (id),
  CONSTRAINT fk_lease_lessee_id FOREIGN KEY (lessee_id) REFERENCES reg.person (id),
  CONSTRAINT ck_lease_number CHECK (number ~ '^[0-9A-Za-z/_-]{{1,40}}$'),
  CONSTRAINT ck_lease_parent_id CHECK (parent_id <> id),
  CONSTRAINT ck_lease_rent_fen CHECK (rent_fen BETWEEN 1 AND 100000000000),
  CONSTRAINT ck_lease_rent_unit CHECK (rent_unit IN ('month', 'm2_month', 'year')),
  CONSTRAINT ck_lease_area_basis_m2 CHECK (area_basis_m2 > 0),
  CONSTRAINT ck_lease_deposit_fen CHECK (deposit_fen BETWEEN 0 AND 1000000000000),
  CONSTRAINT ck_lease_valid CHECK (valid_to > valid_from),
  CONSTRAINT ck_lease_ended_on CHECK (ended_on >= valid_from AND ended_on <= valid_to),
  CONSTRAINT ck_lease_state CHECK (state IN ('drafted', 'signed', 'filed', 'changed', 'renewed', 'terminated', 'expired', 'cancelled')),
  CONSTRAINT ck_lease_filed CHECK (state <> 'filed' OR filed_on IS NOT NULL),
  CONSTRAINT ck_lease_terminated CHECK (state <> 'terminated' OR ended_on IS NOT NULL),
  -- One lease per unit and period; a sublet has a parent and stands beside it. A lease ended early makes room from that day.
  -- Deferrable, because a file may correct two neighbours at once.
  CONSTRAINT ex_lease_unit EXCLUDE USING gist (unit_id WITH =, daterange(valid_from, coalesce(ended_on, valid_to)) WITH &&)
    WHERE (parent_id IS NULL AND deleted_at IS NULL AND state NOT IN ('drafted', 'cancelled')) DEFERRABLE INITIALLY IMMEDIATE
);
-- lease.rent_fen: Rent in fen (1/100 yuan) a month; rent_given and rent_unit keep what the contract says.
-- lease.area_basis_m2: Square metres that the rent is for.
-- lease.valid_to: First day after the term, exclusive.
-- lease.new_let: A new tenancy, as against the renewal of one.
-- Serves the leases of a unit, and the cascade from it.
CREATE INDEX ix_lease_unit_id_grid_id_subdistrict_id ON reg.lease (unit_id, grid_id, subdistrict_id);
-- Serve the sublets of a lease, the leases of a landlord and of a person.
CREATE INDEX ix_lease_parent_id ON reg.lease (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX ix_lease_landlord_id ON reg.lease (landlord_id);
CREATE INDEX ix_lease_lessee_id ON reg.lease (lessee_id);
-- Serve keyset pages of a worker's grids and of a subdistrict.
CREATE INDEX ix_lease_grid_id_id ON reg.lease (grid_id, id);
CREATE INDEX ix_lease_subdistrict_id_id ON reg.lease (subdistrict_id, id);
"""

SEEN_ONLY = """
-- A foreign key sees every person. Not a definer: it looks with the writer's own eyes, and only when the lessee changes, because a lessee
-- who has moved away is no reason to refuse the filing of the lease.
CREATE FUNCTION reg.check_lessee_seen() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM reg.person p WHERE p.id = NEW.lessee_id) THEN RAISE insufficient_privilege USING MESSAGE = 'not in scope'; END IF;
  RETURN NEW;
END $$;
"""

RULES = """
-- Guangdong rental ordinance, art. 25-28: a sublet does not outlast its head lease. Nor does it stand without one: then it would be a second
-- lease beside whichever takes the head's place. Looked at from both sides, at commit.
CREATE FUNCTION sec.check_sublet() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE bad record;
BEGIN
  -- A head being shortened and a sublet being written at the same moment do not see each other: the sublet's writer waits for the head.
  IF NEW.parent_id IS NOT NULL THEN PERFORM FROM reg.lease h WHERE h.id = NEW.parent_id FOR SHARE; END IF;
  SELECT s.number AS sublet, h.number AS head, h.deleted_at IS NOT NULL OR h.state IN ('drafted', 'cancelled') AS loose INTO bad
    FROM reg.lease s JOIN reg.lease h ON h.id = s.parent_id
   WHERE (s.id = NEW.id OR h.id = NEW.id) AND s.deleted_at IS NULL AND s.state NOT IN ('drafted', 'cancelled')
     AND (s.valid_from < h.valid_from OR coalesce(s.ended_on, s.valid_to) > coalesce(h.ended_on, h.valid_to)
       OR h.deleted_at IS NOT NULL OR h.state IN ('drafted', 'cancelled'))
   LIMIT 1;
  IF bad.loose THEN
    RAISE check_violation USING CONSTRAINT = 'lease_keeps_its_sublets', SCHEMA = 'reg', TABLE = 'lease',
      MESSAGE = format('sublet %s stands without its head lease %s', bad.sublet, bad.head);
  ELSIF FOUND THEN
    RAISE check_violation USING CONSTRAINT = 'lease_within_head', SCHEMA = 'reg', TABLE = 'lease',
      MESSAGE = format('sublet %s outlasts its head lease %s', bad.sublet, bad.head);
  END IF;
  RETURN NULL;
END $$;
-- Only listed steps: drafted - signed - filed - changed / renewed - terminated / expired / cancelled.
CREATE FUNCTION sec.check_lease_state() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT (NEW.state = ANY (CASE OLD.state
      WHEN 'drafted' THEN ARRAY['signed', 'cancelled']
      WHEN 'signed' THEN ARRAY['filed', 'terminated', 'expired', 'cancelled']
      WHEN 'filed' THEN ARRAY['changed', 'renewed', 'terminated', 'expired', 'cancelled']
      WHEN 'changed' THEN ARRAY['filed', 'renewed', 'terminated', 'expired', 'cancelled']
      WHEN 'renewed' THEN ARRAY['filed', 'changed', 'terminated', 'expired', 'cancelled']
      ELSE '{}'::text[] END)) THEN
    RAISE check_violation USING CONSTRAINT = 'lease_state_step', SCHEMA = 'reg', TABLE = 'lease',
      MESSAGE = format('a lease that is %s does not become %s', OLD.state, NEW.state);
  END IF;
  RETURN NEW;
END $$;
REVOKE ALL ON FUNCTION sec.check_sublet(), sec.check_lease_state() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sec.check_sublet(), sec.check_lease_state() TO reg_owner;
"""

UPDATE = (
    "lessor_name", "landlord_id", "lessee_id", "rent_fen", "rent_given", "rent_unit", "area_basis_m2", "deposit_fen",
    "valid_from", "valid_to", "signed_on", "filed_on", "ended_on", "state", "new_let", "deleted_at",
)  # fmt: skip
INSERT = ("id", "number", "unit_id", "grid_id", "subdistrict_id", "parent_id", *UPDATE[:-1])
SEEN = "(lessee_id IS NULL OR EXISTS (SELECT FROM reg.person p WHERE p.id = lessee_id))"


def upgrade() -> None:
    op.execute(TABLE)
    op.execute(SEEN_ONLY)
    op.execute("SET ROLE sec_definer")
    op.execute(RULES)
    op.execute("SET ROLE reg_owner")
    op.execute(
        force("reg.lease")
        + readable("reg.lease", SCOPES)
        + writable("reg.lease", SCOPES, insert=INSERT, update=UPDATE, check={"field": SEEN, "subdistrict": SEEN})
        + bulk("lease")
        + versioned("lease", SCOPES)
        + logged("lease", "lease")
        + """
        CREATE CONSTRAINT TRIGGER lease_within_head AFTER INSERT ON reg.lease
          DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.parent_id IS NOT NULL) EXECUTE FUNCTION sec.check_sublet();
        CREATE CONSTRAINT TRIGGER lease_still_within_head AFTER UPDATE OF valid_from, valid_to, ended_on, state, deleted_at ON reg.lease
          DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION sec.check_sublet();
        CREATE TRIGGER lessee_seen BEFORE UPDATE OF lessee_id ON reg.lease
          FOR EACH ROW WHEN (NEW.lessee_id IS NOT NULL AND NEW.lessee_id IS DISTINCT FROM OLD.lessee_id) EXECUTE FUNCTION reg.check_lessee_seen();
        CREATE TRIGGER lease_state_step BEFORE UPDATE OF state ON reg.lease
          FOR EACH ROW WHEN (NEW.state IS DISTINCT FROM OLD.state) EXECUTE FUNCTION sec.check_lease_state();
        """
    )


def downgrade() -> None:
    op.execute(unprotect("lease") + "DROP FUNCTION reg.check_lessee_seen();")
    op.execute("SET ROLE sec_definer")
    op.execute("DROP FUNCTION sec.check_lease_state(); DROP FUNCTION sec.check_sublet();")
    op.execute("SET ROLE reg_owner")
