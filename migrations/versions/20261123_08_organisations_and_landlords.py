"""Organisations and landlords.

Why: departments outlive their names, and the lessor of many leases is one party.
"""

from alembic import op

from migrations.protection import DISTRICT, ENTITY, LOADER, SUBDISTRICT, force, readable, unprotect, versioned, writable

revision = "20261123_08"
down_revision = "20261123_07"
branch_labels = None
depends_on = None

TABLES = f"""
CREATE TABLE reg.organisation ({ENTITY},
  name text NOT NULL,
  credit_code text,
  role_code text,
  valid_from date NOT NULL,
  valid_to date,
  successor_id uuid,
  CONSTRAINT pk_organisation PRIMARY KEY (id),
  CONSTRAINT uq_organisation_credit_code UNIQUE (credit_code),
  CONSTRAINT fk_organisation_successor_id FOREIGN KEY (successor_id) REFERENCES reg.organisation (id),
  CONSTRAINT ck_organisation_credit_code CHECK (credit_code ~ '^[0-9A-HJ-NPQRTUWXY]{{18}}$'),
  CONSTRAINT ck_organisation_role_code CHECK (role_code IN ('POP_HOUSING', 'POLICE', 'TAX', 'HOUSING', 'HR', 'CIVIL_AFFAIRS', 'HEALTH', 'EDU',
    'EMERGENCY', 'MARKET', 'URBAN_MGMT', 'STAT', 'JUSTICE', 'SOCIAL_SEC', 'COMMERCE')),
  CONSTRAINT ck_organisation_valid CHECK (valid_to > valid_from),
  CONSTRAINT ck_organisation_successor CHECK (successor_id <> id)
);
-- organisation.credit_code: Unified social credit code, GB 32100.
-- organisation.role_code: A department's role, which outlives its name; NULL for companies.

-- Who lets, in a subdistrict: a person or an organisation. Field workers read the lessor's name on the lease, not this list.
CREATE TABLE reg.landlord ({ENTITY},
  subdistrict_id int NOT NULL,
  kind text NOT NULL,
  name text NOT NULL,
  organisation_id uuid,
  CONSTRAINT pk_landlord PRIMARY KEY (id),
  -- Files name a lessor by name alone: within one subdistrict that is one landlord until somebody tells two apart.
  CONSTRAINT uq_landlord_subdistrict_id_name UNIQUE (subdistrict_id, name),
  CONSTRAINT fk_landlord_subdistrict_id FOREIGN KEY (subdistrict_id) REFERENCES reg.area (id),
  CONSTRAINT fk_landlord_organisation_id FOREIGN KEY (organisation_id) REFERENCES reg.organisation (id),
  CONSTRAINT ck_landlord_kind CHECK (kind IN ('person', 'organisation')),
  CONSTRAINT ck_landlord_organisation_id CHECK (organisation_id IS NULL OR kind = 'organisation'),
  CONSTRAINT ck_landlord_name CHECK (length(name) BETWEEN 1 AND 200)
);
-- Not a UUIDv7 here: its time would tell a field worker who asks for the landlord of a name whether the name was there before.
ALTER TABLE reg.landlord ALTER COLUMN id SET DEFAULT gen_random_uuid();
"""

ENSURE = """
-- The landlord of a name in a subdistrict, made when missing. For field workers too, who may write a lease but not read the list: an id
-- that says nothing of whether the name was there.
CREATE FUNCTION sec.landlord_ensure(p_grid int, p_name text, p_kind text) RETURNS uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE sub int; found_id uuid;
BEGIN
  SELECT g.subdistrict_id INTO sub FROM reg.grid g WHERE g.id = p_grid;
  IF NOT sec.may_see(p_grid, sub) THEN RAISE insufficient_privilege USING MESSAGE = 'not in scope'; END IF;
  INSERT INTO reg.landlord (subdistrict_id, kind, name) VALUES (sub, p_kind, p_name) ON CONFLICT (subdistrict_id, name) DO NOTHING;
  SELECT id INTO found_id FROM reg.landlord WHERE subdistrict_id = sub AND name = p_name;
  RETURN found_id;
END $$;
REVOKE ALL ON FUNCTION sec.landlord_ensure(int, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sec.landlord_ensure(int, text, text) TO app_field, app_subdistrict, app_district;
"""

OFFICE = {"district": DISTRICT, "loader": LOADER}
SIGNED_IN: dict[str, str] = dict.fromkeys(("field", "subdistrict"), "(SELECT sec.uid('any')) IS NOT NULL") | OFFICE
LETTING = {"subdistrict": SUBDISTRICT} | OFFICE


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(
        force("reg.organisation")
        + readable("reg.organisation", SIGNED_IN)
        + writable(
            "reg.organisation",
            OFFICE,
            insert=("id", "name", "credit_code", "role_code", "valid_from", "valid_to", "successor_id"),
            update=("name", "valid_to", "successor_id", "deleted_at"),
        )
        + versioned("organisation", SIGNED_IN)
        + force("reg.landlord")
        + readable("reg.landlord", LETTING)
        + writable(
            "reg.landlord",
            LETTING,
            insert=("id", "subdistrict_id", "kind", "name", "organisation_id"),
            update=("kind", "name", "organisation_id", "deleted_at"),
        )
        + versioned("landlord", LETTING)
    )
    op.execute("SET ROLE sec_definer")
    op.execute(ENSURE)
    op.execute("SET ROLE reg_owner")


def downgrade() -> None:
    op.execute("SET ROLE sec_definer")
    op.execute("DROP FUNCTION sec.landlord_ensure(int, text, text)")
    op.execute("SET ROLE reg_owner")
    op.execute(unprotect("landlord") + unprotect("organisation"))
