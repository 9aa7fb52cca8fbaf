"""Files that handhelds upload in pieces, and what they belong to.

Why: a photo is sent over a network that breaks, so what has arrived is kept and counted; the record that names it may come first.
"""

from alembic import op

from migrations.protection import DISTRICT, FIELD, LOADER, SUBDISTRICT, force, readable, writable

revision = "20261128_23"
down_revision = "20261128_22"
branch_labels = None
depends_on = None

MAKERS = ("field", "subdistrict", "district")
OWN = "account_id = (SELECT sec.uid('{0}'))"
# By the links that the reader sees. Only those of whoever made the file count: nobody opens another's file by naming it in a link.
# An OR is right here: a file is looked at by its key, one at a time.
LINKED = OWN + " OR EXISTS (SELECT FROM sync.file_link l WHERE l.file_id = file.id AND l.linked_by = file.account_id)"
SCOPES = {"field": FIELD, "subdistrict": SUBDISTRICT, "district": DISTRICT, "loader": LOADER}

TABLES = """
CREATE TABLE sync.file (
  id uuid NOT NULL DEFAULT reg.uuid7(),
  account_id bigint NOT NULL DEFAULT sec.actor(),
  device_id uuid,
  length bigint NOT NULL,
  received bigint NOT NULL DEFAULT 0,
  objects text[] NOT NULL DEFAULT '{}',
  content_type text,
  sha256 bytea,
  metadata jsonb NOT NULL DEFAULT '{}',
  state text NOT NULL DEFAULT 'open',
  swept boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT transaction_timestamp(),
  expires_at timestamptz NOT NULL,
  completed_at timestamptz,
  CONSTRAINT pk_file PRIMARY KEY (id),
  CONSTRAINT ck_file_length CHECK (length > 0),
  CONSTRAINT ck_file_received CHECK (received BETWEEN 0 AND length),
  CONSTRAINT ck_file_state CHECK (state IN ('open', 'complete', 'refused', 'expired')),
  CONSTRAINT ck_file_sha256 CHECK (octet_length(sha256) = 32),
  CONSTRAINT ck_file_metadata CHECK (jsonb_typeof(metadata) = 'object'),
  CONSTRAINT ck_file_content_type CHECK (content_type IN ('image/jpeg', 'image/png', 'image/webp', 'image/heic', 'application/pdf')),
  -- Bytes of a file that was given up lie nowhere; those of others do.
  CONSTRAINT ck_file_objects CHECK ((cardinality(objects) > 0) = (received > 0 AND state IN ('open', 'complete'))),
  CONSTRAINT ck_file_complete CHECK (state <> 'complete' OR
    (received = length AND cardinality(objects) = 1 AND num_nulls(content_type, sha256, completed_at) = 0))
);
-- file.objects: Names of the objects that hold the bytes received, in their order.
-- file.sha256: Of the whole file: as the sender announced it, and in the end as it is.
-- file.swept: Nothing is left in the store of what a closed file does not need.
-- Serves the number of an account's open files.
CREATE INDEX ix_file_account_id ON sync.file (account_id) WHERE state = 'open';
-- Serve the nightly job: which files have expired, and after which to sweep.
CREATE INDEX ix_file_expires_at ON sync.file (expires_at) WHERE state = 'open';
CREATE INDEX ix_file_unswept ON sync.file (id) WHERE state <> 'open' AND NOT swept;

-- No key to the file: a record may name a photo that arrives later. Who linked is part of the key, so that nobody takes another's place.
CREATE TABLE sync.file_link (
  file_id uuid NOT NULL,
  kind text NOT NULL,
  entity_id uuid NOT NULL,
  linked_by bigint NOT NULL DEFAULT sec.actor(),
  grid_id int NOT NULL,
  subdistrict_id int NOT NULL,
  linked_at timestamptz NOT NULL DEFAULT transaction_timestamp(),
  CONSTRAINT pk_file_link PRIMARY KEY (file_id, kind, entity_id, linked_by),
  CONSTRAINT fk_file_link_grid_id_subdistrict_id FOREIGN KEY (grid_id, subdistrict_id)
    REFERENCES reg.grid (id, subdistrict_id) ON UPDATE CASCADE,
  CONSTRAINT ck_file_link_kind CHECK (kind ~ '^[a-z][a-z_]{0,31}$')
);
-- Serves the cascade of the key.
CREATE INDEX ix_file_link_grid_id_subdistrict_id ON sync.file_link (grid_id, subdistrict_id);
"""

INSERTED = "id, device_id, length, sha256, metadata, expires_at"
UPDATED = "device_id, length, received, objects, content_type, sha256, metadata, state, swept, expires_at, completed_at"
LINK = ("file_id", "kind", "entity_id", "grid_id", "subdistrict_id")


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(force("sync.file_link") + readable("sync.file_link", SCOPES) + writable("sync.file_link", SCOPES, insert=LINK))
    seen = {name: LINKED.format(name) for name in ("field", "subdistrict")} | {"district": DISTRICT, "loader": LOADER}
    op.execute(force("sync.file") + readable("sync.file", seen))
    for name in MAKERS:
        own = OWN.format(name)
        # What was given up may begin anew; what is complete stays as it is.
        op.execute(f"""
            CREATE POLICY {name}_i ON sync.file FOR INSERT TO app_{name} WITH CHECK ({own});
            CREATE POLICY {name}_u ON sync.file FOR UPDATE TO app_{name} USING ({own} AND state <> 'complete') WITH CHECK ({own});
            GRANT INSERT ({INSERTED}), UPDATE ({UPDATED}) ON sync.file TO app_{name};
        """)
    # The nightly job closes what has expired and notes what it swept.
    op.execute(f"""
        CREATE POLICY loader_u ON sync.file FOR UPDATE TO app_loader USING ({LOADER});
        GRANT UPDATE (state, objects, swept) ON sync.file TO app_loader;
    """)


def downgrade() -> None:
    op.execute("DROP TABLE sync.file; DROP TABLE sync.file_link")
