"""Access keys that may write, for GIS programs that edit and know only HTTP Basic.

Why: a key lies in the files of a GIS project for a year, so it reads unless whoever issues it says more.
"""

from alembic import op

revision = "20261124_15"
down_revision = "20261123_13"
branch_labels = None
depends_on = None

OWNER = """
CREATE FUNCTION sec.account_by_key(p_username text, p_hash bytea, OUT id bigint, OUT role text, OUT epoch int, OUT display_name text{column})
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT a.id, a.role, a.epoch, a.display_name{value} FROM reg.access_key k JOIN reg.account a ON a.id = k.account_id
   WHERE k.key_hash = p_hash AND a.username = p_username AND a.disabled_at IS NULL
     AND k.revoked_at IS NULL AND k.expires_at > statement_timestamp() $$;
REVOKE ALL ON FUNCTION sec.account_by_key(text, bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sec.account_by_key(text, bytea) TO app_auth;
"""


def upgrade() -> None:
    op.execute("""
        ALTER TABLE reg.access_key ADD COLUMN writes boolean NOT NULL DEFAULT false;
        GRANT SELECT (writes), INSERT (writes) ON reg.access_key TO app_admin;
    """)
    replace(column=", OUT writes boolean", value=", k.writes")


def downgrade() -> None:
    replace(column="", value="")
    op.execute("ALTER TABLE reg.access_key DROP COLUMN writes")


def replace(*, column: str, value: str) -> None:
    """Make the function anew: what it gives cannot be changed otherwise."""
    op.execute("SET ROLE sec_definer")
    op.execute("""
        -- squawk-ignore ban-drop-function
        DROP FUNCTION sec.account_by_key(text, bytea);
    """)
    op.execute(OWNER.format(column=column, value=value))
    op.execute("SET ROLE reg_owner")
