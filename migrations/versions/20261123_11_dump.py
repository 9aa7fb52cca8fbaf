"""What the role that writes backups still lacks: sequences, and the definitions of the tables in `sec`.

Why: pg_dump locks every table that it describes, which takes the right to read it, and reads every sequence.
"""

from alembic import op

revision = "20261123_11"
down_revision = "20261123_10"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        GRANT SELECT ON ALL SEQUENCES IN SCHEMA reg, sync TO reg_dump_reader;
        ALTER DEFAULT PRIVILEGES IN SCHEMA reg, sync GRANT SELECT ON SEQUENCES TO reg_dump_reader;
        SET ROLE sec_definer;
        GRANT USAGE ON SCHEMA sec TO reg_dump_reader;
        GRANT SELECT ON sec.ctx_key, sec.quota TO reg_dump_reader;
        -- No policy: the dump may describe the table of context keys and finds no row in it. Its owner is exempt.
        ALTER TABLE sec.ctx_key ENABLE ROW LEVEL SECURITY;
        SET ROLE reg_owner;
    """)


def downgrade() -> None:
    op.execute("""
        SET ROLE sec_definer;
        ALTER TABLE sec.ctx_key DISABLE ROW LEVEL SECURITY;
        REVOKE SELECT ON sec.ctx_key, sec.quota FROM reg_dump_reader;
        REVOKE USAGE ON SCHEMA sec FROM reg_dump_reader;
        SET ROLE reg_owner;
        ALTER DEFAULT PRIVILEGES IN SCHEMA reg, sync REVOKE SELECT ON SEQUENCES FROM reg_dump_reader;
        REVOKE SELECT ON ALL SEQUENCES IN SCHEMA reg, sync FROM reg_dump_reader;
    """)
