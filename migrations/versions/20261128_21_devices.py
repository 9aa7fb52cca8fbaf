"""How a handheld is let in, goes on, is shut out and wiped, and the comparison of a number with the register.

Why: a handheld holds personal data far from the office, so who may use it is settled in one place and changed by named steps only.
"""

from alembic import op

revision = "20261128_21"
down_revision = "20261128_20"
branch_labels = None
depends_on = None

LOCK = """
ALTER TABLE sync.device ADD COLUMN locked_at timestamptz;
-- device.locked_at: A refresh token came that had been replaced and used: no token is taken until a supervisor lets the device in again.
GRANT SELECT (locked_at) ON sync.device TO app_field, app_district, app_admin;
"""

FUNCTIONS = """
-- Who holds a device and how it stands; no row for one that never was. The answer never leaves the application.
CREATE FUNCTION sec.device_standing(p_device uuid, OUT account_id bigint, OUT status text) RETURNS SETOF record
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN RETURN QUERY SELECT d.account_id, d.status FROM sync.device d WHERE d.id = p_device; END $$;
CREATE FUNCTION sec.device_key(p_device uuid) RETURNS bytea
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN RETURN (SELECT d.public_key FROM sync.device d WHERE d.id = p_device); END $$;

-- A number that changes with the grids of whoever asks: by a new assignment, by an end, and by the day on which either begins to count.
CREATE FUNCTION sec.assignment_version() RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE who bigint := sec.uid('field'); today date := reg.today();
BEGIN
  RETURN (SELECT ('x' || encode(substring(sha256(convert_to(coalesce(string_agg(
      concat_ws(',', a.id, a.grid_id, a.stand_in, a.valid_from, a.valid_to, a.valid_to IS NULL OR a.valid_to > today), ';' ORDER BY a.id), ''), 'UTF8'))
      FOR 6), 'hex'))::bit(48)::bigint
    FROM reg.grid_assignment a WHERE a.account_id = who AND a.valid_from <= today);
END $$;

-- A code for a worker's handheld. No row: there is no such worker.
CREATE FUNCTION sec.enrolment_add(p_username text, p_code bytea, p_days int, OUT account_id bigint, OUT expires_at timestamptz) RETURNS SETOF record
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF sec.uid('admin') IS NULL THEN RAISE insufficient_privilege USING MESSAGE = 'not in scope'; END IF;
  RETURN QUERY INSERT INTO sync.enrolment AS e (code_hash, account_id, expires_at)
    SELECT p_code, a.id, clock_timestamp() + make_interval(days => p_days) FROM reg.account a
     WHERE a.username = p_username AND a.role = 'worker' AND a.disabled_at IS NULL
    RETURNING e.account_id, e.expires_at;
END $$;

-- Lets a handheld in by a code. Outcomes: made; again (the same request, whose answer may have been lost, while the device has never come
-- back); reused (the request's key with another body); key-known (another device has this public key); refused.
CREATE FUNCTION sec.device_enrol(p_code bytea, p_request_key text, p_request bytea, p_public bytea, p_label text, p_app text, p_schema int,
  p_refresh bytea, OUT outcome text, OUT device uuid, OUT account bigint, OUT username text, OUT epoch int)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE e sync.enrolment; d sync.device;
BEGIN
  SELECT * INTO e FROM sync.enrolment x WHERE x.code_hash = p_code FOR UPDATE;
  SELECT a.id, a.username, a.epoch INTO account, username, epoch FROM reg.account a
   WHERE a.id = e.account_id AND a.role = 'worker' AND a.disabled_at IS NULL;
  IF e.code_hash IS NULL OR account IS NULL THEN outcome := 'refused'; RETURN; END IF;
  IF e.device_id IS NOT NULL THEN
    SELECT * INTO d FROM sync.device x WHERE x.id = e.device_id;
    device := d.id;
    outcome := CASE WHEN e.request_key <> p_request_key THEN 'refused' WHEN e.request_hash <> p_request THEN 'reused'
      WHEN d.status = 'active' AND d.refresh_hash = p_refresh AND d.refresh_before IS NULL THEN 'again' ELSE 'refused' END;
    RETURN;
  END IF;
  IF e.expires_at <= clock_timestamp() THEN outcome := 'refused'; RETURN; END IF;
  INSERT INTO sync.device AS x (account_id, label, public_key, refresh_hash, app_version, schema_version)
    VALUES (account, p_label, p_public, p_refresh, p_app, p_schema) ON CONFLICT (public_key) DO NOTHING RETURNING x.id INTO device;
  IF device IS NULL THEN outcome := 'key-known'; RETURN; END IF;
  UPDATE sync.enrolment x SET device_id = device, request_key = p_request_key, request_hash = p_request WHERE x.code_hash = p_code;
  outcome := 'made';
END $$;

-- Takes a refresh token and puts the next in its place. The one before stays good until the next is used: its answer may have been lost.
-- p_ahead: the application has proved that the token comes after the present one, so this database is an older one that was restored.
-- Outcomes: ok; revoked; silent (not seen for 30 days, or locked: a supervisor must let it in); unknown (no token of these); refused.
-- Without a present token, after a supervisor let the device in, whatever token the device signed is taken.
CREATE FUNCTION sec.device_refresh(p_device uuid, p_taken bytea, p_next bytea, p_ahead boolean,
  OUT outcome text, OUT present bytea, OUT account bigint, OUT username text, OUT epoch int)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE d sync.device;
BEGIN
  SELECT * INTO d FROM sync.device x WHERE x.id = p_device FOR UPDATE;
  SELECT a.id, a.username, a.epoch INTO account, username, epoch FROM reg.account a
   WHERE a.id = d.account_id AND a.role = 'worker' AND a.disabled_at IS NULL;
  present := d.refresh_hash;
  outcome := CASE WHEN d.id IS NULL OR d.status = 'wiped' THEN 'refused' WHEN d.status = 'revoked' THEN 'revoked' WHEN account IS NULL THEN 'refused'
    WHEN d.locked_at IS NOT NULL OR d.seen_at < clock_timestamp() - interval '30 days' THEN 'silent'
    WHEN d.refresh_hash IS NULL OR p_taken IN (d.refresh_hash, d.refresh_before) OR p_ahead THEN 'ok' ELSE 'unknown' END;
  IF outcome = 'ok' THEN
    UPDATE sync.device x SET refresh_hash = p_next, refresh_before = p_taken, seen_at = clock_timestamp() WHERE x.id = p_device;
  END IF;
END $$;

-- What should not happen with a device that is known. A refresh token that came twice locks it.
CREATE FUNCTION sec.device_suspect(p_device uuid, p_code text, p_at text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF p_code NOT IN ('signature', 'refresh-reused') THEN RAISE insufficient_privilege USING MESSAGE = 'not for the log-in to say'; END IF;
  INSERT INTO sync.incident (device_id, code, detail) SELECT d.id, p_code, jsonb_build_object('at', p_at) FROM sync.device d WHERE d.id = p_device;
  UPDATE sync.device d SET locked_at = clock_timestamp() WHERE d.id = p_device AND p_code = 'refresh-reused';
END $$;

-- The device says that it is empty. Gives how it stands now: active when nobody told it to wipe itself, NULL for one that never was.
CREATE FUNCTION sec.device_wiped(p_device uuid) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE sync.device d SET status = 'wiped', wiped_at = clock_timestamp(), refresh_hash = NULL, refresh_before = NULL
   WHERE d.id = p_device AND d.status IN ('revoked', 'draining');
  RETURN (SELECT d.status FROM sync.device d WHERE d.id = p_device);
END $$;

-- One step of the administration: drain, activate, revoke or reauthorise. Gives whether it was taken, and how the device stood before.
CREATE FUNCTION sec.device_change(p_device uuid, p_step text, OUT taken boolean, OUT before text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF sec.uid('admin') IS NULL THEN RAISE insufficient_privilege USING MESSAGE = 'not in scope'; END IF;
  SELECT d.status INTO before FROM sync.device d WHERE d.id = p_device FOR UPDATE;
  UPDATE sync.device d SET status = CASE p_step WHEN 'drain' THEN 'draining' WHEN 'activate' THEN 'active' WHEN 'revoke' THEN 'revoked' ELSE d.status END
   WHERE d.id = p_device AND (d.status IN ('active', 'draining') OR d.status = 'revoked' AND p_step = 'revoke')
     AND p_step IN ('drain', 'activate', 'revoke', 'reauthorise');
  taken := FOUND;
  IF taken AND p_step = 'reauthorise' THEN
    UPDATE sync.device d SET locked_at = NULL, refresh_hash = NULL, refresh_before = NULL, seen_at = clock_timestamp() WHERE d.id = p_device;
  END IF;
END $$;

-- The names of some accounts that hold devices, or of the one with a name, for those who look after them.
CREATE FUNCTION sec.device_holders(p_accounts bigint[], p_username text, OUT account_id bigint, OUT username text) RETURNS SETOF record
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF sec.uid('admin') IS NULL AND sec.uid('district') IS NULL THEN RETURN; END IF;
  RETURN QUERY SELECT a.id, a.username FROM reg.account a
   WHERE (a.id = ANY (p_accounts) OR a.username = p_username) AND EXISTS (SELECT FROM sync.device d WHERE d.account_id = a.id);
END $$;

-- Whether somebody with this number is registered anywhere, lives somewhere today, and lives elsewhere than in the unit of that code: for
-- checks at the door of people who are not the asker's. Nothing else is told. One audit row, counted by the quota, hit or miss. No row: the
-- quota is used up (quota_left says so).
CREATE FUNCTION sec.compare(p_bi bytea, p_unit text, p_purpose text, p_reason text,
  OUT registered boolean, OUT expired boolean, OUT address_differs boolean) RETURNS SETOF record
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE ids uuid[]; lives boolean; there boolean; today date := reg.today();
BEGIN
  IF sec.uid('any') IS NULL OR coalesce(p_purpose, '') = '' OR coalesce(p_reason, '') = '' OR sec.quota_left('compare') = 0 THEN RETURN; END IF;
  SELECT coalesce(array_agg(DISTINCT p.id), '{}'), coalesce(bool_or(r.id IS NOT NULL), false), coalesce(bool_or(u.code = p_unit), false)
    INTO ids, lives, there
    FROM reg.identity i JOIN reg.person_secret s ON s.identity_id = i.id JOIN reg.person p ON p.id = s.person_id AND p.deleted_at IS NULL
    LEFT JOIN reg.residence r ON r.person_id = p.id AND r.main AND r.deleted_at IS NULL
      AND r.valid_from <= today AND (r.valid_to IS NULL OR r.valid_to > today)
    LEFT JOIN reg.unit u ON u.id = r.unit_id
   WHERE i.id_bi = p_bi;
  registered := cardinality(ids) > 0;
  expired := CASE WHEN registered THEN NOT lives END;
  address_differs := CASE WHEN lives AND p_unit IS NOT NULL THEN NOT there END;
  INSERT INTO reg.audit (action, object_type, purpose, outcome, n_rows, detail)
    VALUES ('compare', 'person', p_purpose, 'ok', cardinality(ids), jsonb_build_object('reason', p_reason, 'unit', p_unit, 'ids', to_jsonb(ids)));
  RETURN NEXT;
END $$;
INSERT INTO sec.quota VALUES ('compare', 60, 300);

REVOKE ALL ON FUNCTION sec.device_standing(uuid), sec.device_key(uuid), sec.assignment_version(), sec.enrolment_add(text, bytea, int),
  sec.device_enrol(bytea, text, bytea, bytea, text, text, int, bytea), sec.device_refresh(uuid, bytea, bytea, boolean),
  sec.device_suspect(uuid, text, text), sec.device_wiped(uuid), sec.device_change(uuid, text), sec.device_holders(bigint[], text),
  sec.compare(bytea, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sec.device_standing(uuid), sec.device_key(uuid), sec.device_enrol(bytea, text, bytea, bytea, text, text, int, bytea),
  sec.device_refresh(uuid, bytea, bytea, boolean), sec.device_suspect(uuid, text, text), sec.device_wiped(uuid) TO app_auth;
GRANT EXECUTE ON FUNCTION sec.assignment_version() TO app_field;
GRANT EXECUTE ON FUNCTION sec.enrolment_add(text, bytea, int), sec.device_change(uuid, text) TO app_admin;
GRANT EXECUTE ON FUNCTION sec.device_holders(bigint[], text) TO app_admin, app_district;
GRANT EXECUTE ON FUNCTION sec.compare(bytea, text, text, text) TO app_field, app_subdistrict, app_district;
"""


def upgrade() -> None:
    op.execute(LOCK)
    op.execute("SET ROLE sec_definer")
    op.execute(FUNCTIONS)
    op.execute("SET ROLE reg_owner")


def downgrade() -> None:
    op.execute("SET ROLE sec_definer")
    op.execute("""
        DELETE FROM sec.quota WHERE name = 'compare';
        DROP FUNCTION sec.compare(bytea, text, text, text); DROP FUNCTION sec.device_holders(bigint[], text);
        DROP FUNCTION sec.device_change(uuid, text); DROP FUNCTION sec.device_wiped(uuid); DROP FUNCTION sec.device_suspect(uuid, text, text);
        DROP FUNCTION sec.device_refresh(uuid, bytea, bytea, boolean);
        DROP FUNCTION sec.device_enrol(bytea, text, bytea, bytea, text, text, int, bytea);
        DROP FUNCTION sec.enrolment_add(text, bytea, int); DROP FUNCTION sec.assignment_version();
        DROP FUNCTION sec.device_key(uuid); DROP FUNCTION sec.device_standing(uuid);
    """)
    op.execute("SET ROLE reg_owner")
    op.execute("ALTER TABLE sync.device DROP COLUMN locked_at")
