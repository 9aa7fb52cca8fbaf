"""Signed per-transaction context, accounts and the functions that turn an account into a scope.

Why: row-level security needs to know who asks, and a session that can be made to run foreign SQL must not be able to say who it is.
"""

from alembic import op

from migrations.protection import force, readable

revision = "20261123_01"
down_revision = None
branch_labels = None
depends_on = None

ACCOUNTS = """
-- UUID version 7 (RFC 9562): 48 bits of milliseconds, then random; keys grow with time, so indexes stay dense.
-- RETURN, not AS: bound to its functions when it is made, so it needs no search_path of its own, and a million rows are not a million calls.
CREATE FUNCTION reg.uuid7() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE
  RETURN encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) PLACING
    substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid;
-- Days are days of the district.
CREATE FUNCTION reg.today() RETURNS date LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
  SELECT (transaction_timestamp() AT TIME ZONE 'Asia/Shanghai')::date $$;

CREATE TABLE reg.account (
  id bigint GENERATED ALWAYS AS IDENTITY,
  username text NOT NULL,
  display_name text NOT NULL,
  role text NOT NULL,
  password_hash text,
  epoch int NOT NULL DEFAULT 0,
  disabled_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT transaction_timestamp(),
  CONSTRAINT pk_account PRIMARY KEY (id),
  CONSTRAINT uq_account_username UNIQUE (username),
  CONSTRAINT ck_account_username CHECK (username ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
  CONSTRAINT ck_account_role CHECK (role IN ('admin', 'district', 'subdistrict', 'community', 'worker', 'auditor'))
);
-- account.epoch: Raised by every change of password, role or state: tokens of an older epoch are dead.

CREATE TABLE reg.access_key (
  id uuid NOT NULL DEFAULT reg.uuid7(),
  account_id bigint NOT NULL,
  label text NOT NULL,
  key_hash bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT transaction_timestamp(),
  expires_at timestamptz NOT NULL,
  revoked_at timestamptz,
  CONSTRAINT pk_access_key PRIMARY KEY (id),
  CONSTRAINT uq_access_key_key_hash UNIQUE (key_hash),
  CONSTRAINT ck_access_key_key_hash CHECK (octet_length(key_hash) = 32),
  CONSTRAINT fk_access_key_account_id FOREIGN KEY (account_id) REFERENCES reg.account (id)
);
-- Serves the list of an account's keys.
CREATE INDEX ix_access_key_account_id ON reg.access_key (account_id);
"""

CONTEXT = """
-- HMAC-SHA-256 = H(K^opad || H(K^ipad || m)). The two padded blocks are stored, so one verification is two calls of the built-in sha256(),
-- needs no pgcrypto, and the key never stands in a statement. Left out of dumps; a new key is made after every restore.
CREATE TABLE sec.ctx_key (
  kid text NOT NULL,
  ipad bytea NOT NULL,
  opad bytea NOT NULL,
  not_after timestamptz NOT NULL,
  CONSTRAINT pk_ctx_key PRIMARY KEY (kid),
  CONSTRAINT ck_ctx_key_kid CHECK (kid ~ '^[a-z0-9]{1,8}$'),
  CONSTRAINT ck_ctx_key_pads CHECK (octet_length(ipad) = 64 AND octet_length(opad) = 64)
);

CREATE FUNCTION sec.key_put(p_kid text, p_key bytea, p_not_after timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE i bytea := decode(repeat('36', 64), 'hex'); o bytea := decode(repeat('5c', 64), 'hex'); n int;
BEGIN
  IF octet_length(p_key) <> 32 THEN RAISE 'context key must be 32 bytes'; END IF;
  FOR n IN 0..31 LOOP
    i := set_byte(i, n, get_byte(p_key, n) # 54);  o := set_byte(o, n, get_byte(p_key, n) # 92);
  END LOOP;
  INSERT INTO sec.ctx_key VALUES (p_kid, i, o, p_not_after)
    ON CONFLICT (kid) DO UPDATE SET ipad = excluded.ipad, opad = excluded.opad, not_after = excluded.not_after;
END $$;
REVOKE ALL ON FUNCTION sec.key_put(text, bytea, timestamptz) FROM PUBLIC;

-- Context, made by the application for each transaction:   v1|kid|class|uid|device|pid|exp|mac
--   pid = backend process of this connection (0 = unbound, behind a pooler);  exp = unix seconds, at most 30 s ahead;
--   mac = 64 hex digits of HMAC-SHA-256 over everything before the last '|'.
-- Returns the account id for class `want` ('any': whatever class), or NULL for anything wrong. It never raises: nothing is parsed before
-- the MAC holds. plpgsql, because an SQL function is planned anew in every query.
CREATE FUNCTION sec.uid(want text) RETURNS bigint
LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  -- One statement with nested CASE: the casts are reached only when the MAC holds. Both sides are hashed under the key before they are
  -- compared, so the time of the comparison says nothing about the right MAC.
  RETURN (
    SELECT CASE WHEN
        sha256(k.opad || convert_to(right(c, 65), 'UTF8')) =
        sha256(k.opad || convert_to('|' || encode(sha256(k.opad || sha256(k.ipad || convert_to(left(c, -65), 'UTF8'))), 'hex'), 'UTF8'))
      THEN CASE WHEN split_part(c, '|', 1) = 'v1' AND (want = 'any' OR split_part(c, '|', 3) = want)
                 AND split_part(c, '|', 6) IN ('0', pg_backend_pid()::text)
                 AND split_part(c, '|', 7)::bigint > extract(epoch FROM clock_timestamp())
           THEN split_part(c, '|', 4)::bigint END
      END
    FROM current_setting('app.ctx', true) c, sec.ctx_key k
    WHERE length(c) BETWEEN 80 AND 220 AND k.kid = split_part(c, '|', 2) AND k.not_after > statement_timestamp());
END $$;

-- Who writes, for the columns that record it: 0 is the system itself (migrations, log-in).
CREATE FUNCTION sec.actor() RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp AS $$
BEGIN RETURN coalesce(sec.uid('any'), 0); END $$;

-- First statement of every transaction: takes the context and says whose it is, or NULL when it is not valid or the account was
-- disabled, changed (epoch) or is not of that class. The context is dropped then, so that nothing that follows sees a row.
CREATE FUNCTION sec.enter(p_ctx text, p_epoch int) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE who bigint;
BEGIN
  PERFORM set_config('app.ctx', p_ctx, true);
  SELECT a.id INTO who FROM reg.account a
   WHERE a.id = sec.uid('any') AND a.disabled_at IS NULL AND a.epoch = p_epoch
     AND split_part(p_ctx, '|', 3) = ANY (CASE a.role
       WHEN 'admin' THEN ARRAY['admin'] WHEN 'district' THEN ARRAY['district', 'loader'] WHEN 'subdistrict' THEN ARRAY['subdistrict']
       WHEN 'auditor' THEN ARRAY['audit'] ELSE ARRAY['field'] END);
  IF who IS NULL THEN PERFORM set_config('app.ctx', '', true); END IF;
  RETURN who;
END $$;

-- Log-in: what the role that knows nobody may ask. The answer never leaves the application.
CREATE FUNCTION sec.account_by_name(p_username text, OUT id bigint, OUT role text, OUT epoch int, OUT password_hash text, OUT display_name text)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT a.id, a.role, a.epoch, a.password_hash, a.display_name FROM reg.account a WHERE a.username = p_username AND a.disabled_at IS NULL $$;
CREATE FUNCTION sec.account_by_key(p_username text, p_hash bytea, OUT id bigint, OUT role text, OUT epoch int, OUT display_name text)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT a.id, a.role, a.epoch, a.display_name FROM reg.access_key k JOIN reg.account a ON a.id = k.account_id
   WHERE k.key_hash = p_hash AND a.username = p_username AND a.disabled_at IS NULL
     AND k.revoked_at IS NULL AND k.expires_at > statement_timestamp() $$;
GRANT EXECUTE ON FUNCTION sec.account_by_name(text), sec.account_by_key(text, bytea) TO app_auth;
GRANT EXECUTE ON FUNCTION sec.uid(text), sec.actor(), sec.enter(text, int)
  TO app_field, app_subdistrict, app_district, app_loader, app_admin, app_audit, reg_owner;
GRANT EXECUTE ON FUNCTION sec.actor() TO app_auth;
GRANT USAGE ON SCHEMA sec TO reg_owner, app_auth, app_field, app_subdistrict, app_district, app_loader, app_admin, app_audit;
"""


def upgrade() -> None:
    op.execute(ACCOUNTS)
    op.execute(
        "GRANT USAGE ON SCHEMA reg TO sec_definer, reg_dump_reader, app_field, app_subdistrict, app_district, app_loader, app_admin, app_audit, app_auth, app_public"
    )
    op.execute(
        "GRANT EXECUTE ON FUNCTION reg.uuid7(), reg.today() TO sec_definer, app_field, app_subdistrict, app_district, app_loader, app_admin, app_audit, app_auth, app_public"
    )
    op.execute("GRANT SELECT ON reg.alembic_version TO app_auth, app_public, reg_dump_reader")
    op.execute("SET ROLE sec_definer")
    op.execute(CONTEXT)
    op.execute("SET ROLE reg_owner")
    op.execute(force("reg.account") + force("reg.access_key"))
    # Administrators see accounts, never a hash or a key; everybody else sees the own account.
    admin = {"admin": "(SELECT sec.uid('admin')) IS NOT NULL"}
    own = dict.fromkeys(("field", "subdistrict", "district", "loader", "audit"), "id = (SELECT sec.actor())")
    op.execute(readable("reg.account", admin | own, columns="(id, username, display_name, role, epoch, disabled_at, created_at)"))
    op.execute(readable("reg.access_key", admin, columns="(id, account_id, label, created_at, expires_at, revoked_at)"))
    op.execute("""
        CREATE POLICY admin_i ON reg.account FOR INSERT TO app_admin WITH CHECK ((SELECT sec.uid('admin')) IS NOT NULL);
        CREATE POLICY admin_u ON reg.account FOR UPDATE TO app_admin USING ((SELECT sec.uid('admin')) IS NOT NULL);
        GRANT INSERT (username, display_name, role, password_hash), UPDATE (display_name, role, password_hash, epoch, disabled_at) ON reg.account TO app_admin;
        CREATE POLICY admin_i ON reg.access_key FOR INSERT TO app_admin WITH CHECK ((SELECT sec.uid('admin')) IS NOT NULL);
        CREATE POLICY admin_u ON reg.access_key FOR UPDATE TO app_admin USING ((SELECT sec.uid('admin')) IS NOT NULL);
        GRANT INSERT (account_id, label, key_hash, expires_at), UPDATE (revoked_at) ON reg.access_key TO app_admin;
        -- Command-line work acts under these two; without a password nobody logs in as them.
        INSERT INTO reg.account (username, display_name, role) VALUES
          ('local-operator', 'Local operator', 'district'), ('local-admin', 'Local administrator', 'admin');
    """)


def downgrade() -> None:
    op.execute("SET ROLE sec_definer")
    op.execute("""
        DROP FUNCTION sec.account_by_key(text, bytea);
        DROP FUNCTION sec.account_by_name(text);
        DROP FUNCTION sec.enter(text, int);
        DROP FUNCTION sec.key_put(text, bytea, timestamptz);
    """)
    op.execute("SET ROLE reg_owner")
    op.execute("DROP TABLE reg.access_key; DROP TABLE reg.account;")
    op.execute("SET ROLE sec_definer")
    op.execute("DROP FUNCTION sec.actor(); DROP FUNCTION sec.uid(text); DROP TABLE sec.ctx_key;")
    op.execute("SET ROLE reg_owner")
    op.execute("DROP FUNCTION reg.today(); DROP FUNCTION reg.uuid7();")
