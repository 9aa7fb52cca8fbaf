"""Identities, persons, sealed secrets and discrepancies.

Why: what a worker sees of a person is apart from who the person is; numbers are sealed and reached by named functions only.
"""

from alembic import op

from migrations.protection import ENTITY, SCOPES, force, logged, readable, unprotect, versioned, writable

revision = "20261123_06"
down_revision = "20261123_05"
branch_labels = None
depends_on = None

TABLES = f"""
-- One row a human being with an identity number. Granted to nobody: only definer functions touch it.
CREATE TABLE reg.identity (
  id uuid NOT NULL,
  id_bi bytea NOT NULL,
  id_enc bytea NOT NULL,
  kv smallint NOT NULL,
  CONSTRAINT pk_identity PRIMARY KEY (id),
  CONSTRAINT uq_identity_id_bi UNIQUE (id_bi),
  CONSTRAINT ck_identity_id_bi CHECK (octet_length(id_bi) = 16)
);
-- identity.id_bi: Blind index: first 16 bytes of HMAC-SHA-256 over the normalised number, under a key of its own.
-- identity.id_enc: Version byte, nonce, AES-256-GCM; bound to identity|id_enc|id.
-- identity.kv: Version of the sealing key.
-- Serves the rotation of keys.
CREATE INDEX ix_identity_kv ON reg.identity (kv);

-- What is seen of a person in the grid where the person lives.
CREATE TABLE reg.person ({ENTITY},
  grid_id int NOT NULL,
  subdistrict_id int NOT NULL,
  name text COLLATE "C" NOT NULL,
  sex text,
  birth_year int,
  id_mask text,
  phone_mask text,
  registration text NOT NULL,
  CONSTRAINT pk_person PRIMARY KEY (id),
  CONSTRAINT uq_person_id_grid_id_subdistrict_id UNIQUE (id, grid_id, subdistrict_id),
  CONSTRAINT fk_person_grid_id_subdistrict_id FOREIGN KEY (grid_id, subdistrict_id) REFERENCES reg.grid (id, subdistrict_id) ON UPDATE CASCADE,
  CONSTRAINT ck_person_name CHECK (length(name) BETWEEN 1 AND 100),
  CONSTRAINT ck_person_sex CHECK (sex IN ('male', 'female')),
  CONSTRAINT ck_person_birth_year CHECK (birth_year BETWEEN 1880 AND 2200),
  CONSTRAINT ck_person_registration CHECK (registration IN ('registered', 'separated', 'floating', 'overseas', 'lodging', 'unregistered'))
);
-- Serve keyset pages of a worker's grids and of a subdistrict.
CREATE INDEX ix_person_grid_id_id ON reg.person (grid_id, id);
CREATE INDEX ix_person_subdistrict_id_id ON reg.person (subdistrict_id, id);
-- Serve the search by beginning of a name (a range of text: the prefix operator is not leakproof).
CREATE INDEX ix_person_name ON reg.person (name, id);
CREATE INDEX ix_person_grid_id_name ON reg.person (grid_id, name, id);

CREATE TABLE reg.person_secret (
  person_id uuid NOT NULL,
  identity_id uuid,
  phone_enc bytea,
  kv smallint NOT NULL,
  req_hash bytea NOT NULL,
  is_first boolean NOT NULL,
  CONSTRAINT pk_person_secret PRIMARY KEY (person_id),
  CONSTRAINT fk_person_secret_person_id FOREIGN KEY (person_id) REFERENCES reg.person (id),
  CONSTRAINT fk_person_secret_identity_id FOREIGN KEY (identity_id) REFERENCES reg.identity (id)
);
-- person_secret.is_first: False: the identity had a person before; a case for the reviewer of duplicates.
-- Serves the look-up by number (identity -> person), and the rotation of keys.
CREATE INDEX ix_person_secret_identity_id ON reg.person_secret (identity_id);
CREATE INDEX ix_person_secret_kv ON reg.person_secret (kv);

-- Two sources say different things of one person; both are kept until somebody decides.
CREATE TABLE reg.discrepancy ({ENTITY},
  grid_id int NOT NULL,
  subdistrict_id int NOT NULL,
  person_id uuid NOT NULL,
  field text NOT NULL,
  ours text,
  theirs text,
  source text NOT NULL,
  state text NOT NULL DEFAULT 'open',
  CONSTRAINT pk_discrepancy PRIMARY KEY (id),
  CONSTRAINT fk_discrepancy_person_id_grid_id_subdistrict_id FOREIGN KEY (person_id, grid_id, subdistrict_id)
    REFERENCES reg.person (id, grid_id, subdistrict_id) ON UPDATE CASCADE,
  -- The same report twice is one discrepancy. With the grid, so that who does not see the person cannot ask by it what others reported.
  CONSTRAINT uq_discrepancy_person_id_grid_id_field_theirs UNIQUE (person_id, grid_id, field, theirs),
  CONSTRAINT ck_discrepancy_field CHECK (field IN ('name', 'sex', 'birth_date')),
  CONSTRAINT ck_discrepancy_state CHECK (state IN ('open', 'resolved', 'dismissed'))
);
-- Serves the cascade from person, and the queue.
CREATE INDEX ix_discrepancy_person_id_grid_id_subdistrict_id ON reg.discrepancy (person_id, grid_id, subdistrict_id);
CREATE INDEX ix_discrepancy_grid_id_id ON reg.discrepancy (grid_id, id);
CREATE INDEX ix_discrepancy_subdistrict_id_id ON reg.discrepancy (subdistrict_id, id);
"""

FUNCTIONS = """
CREATE TABLE sec.quota (
  name text NOT NULL,
  per_hour int NOT NULL,
  per_day int NOT NULL,
  CONSTRAINT pk_quota PRIMARY KEY (name),
  CONSTRAINT ck_quota_positive CHECK (per_hour > 0 AND per_day > 0)
);
INSERT INTO sec.quota VALUES ('reveal', 30, 100), ('lookup', 30, 100);

-- How much is left of a quota for whoever asks; takes a lock of the account, so that two questions at once do not both take the last one.
CREATE FUNCTION sec.quota_left(p_name text) RETURNS int
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE who bigint := sec.actor(); q record; hour int; day int;
BEGIN
  -- A snapshot taken before the lock would not see what the other question has just used up.
  IF current_setting('transaction_isolation') <> 'read committed' THEN RAISE insufficient_privilege USING MESSAGE = 'a quota counts in READ COMMITTED'; END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('quota|' || p_name, who));
  SELECT * INTO STRICT q FROM sec.quota WHERE name = p_name;
  SELECT count(*) FILTER (WHERE at > clock_timestamp() - interval '1 hour'), count(*) INTO hour, day
    FROM reg.audit WHERE actor_id = who AND action = p_name AND at > clock_timestamp() - interval '1 day';
  RETURN greatest(0, least(q.per_hour - hour, q.per_day - day));
END $$;

-- Seconds until one more question of the quota is allowed, for whoever has used it up.
CREATE FUNCTION sec.quota_wait(p_name text) RETURNS int
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE who bigint := sec.actor(); q record; hour timestamptz; day timestamptz;
BEGIN
  SELECT * INTO STRICT q FROM sec.quota WHERE name = p_name;
  SELECT at INTO hour FROM reg.audit WHERE actor_id = who AND action = p_name AND at > clock_timestamp() - interval '1 hour'
    ORDER BY at DESC OFFSET q.per_hour - 1 LIMIT 1;
  SELECT at INTO day FROM reg.audit WHERE actor_id = who AND action = p_name AND at > clock_timestamp() - interval '1 day'
    ORDER BY at DESC OFFSET q.per_day - 1 LIMIT 1;
  RETURN ceil(extract(epoch FROM greatest(hour + interval '1 hour', day + interval '1 day', clock_timestamp()) - clock_timestamp()));
END $$;

-- Creates what a worker sees of a person, in a grid of the worker's. The answer is always 'accepted', never whether the number was known.
-- 42501: grid out of scope. 23505: the id was used with another body (which tells nothing of identities). Both paths write the same rows.
-- In a batch call it in the order of p_bi: two batches in opposite order deadlock.
CREATE FUNCTION sec.person_ensure(p_id uuid, p_grid int, p_identity uuid, p_bi bytea, p_enc bytea, p_kv smallint, p_name text, p_sex text,
  p_birth_year int, p_mask text, p_phone_enc bytea, p_phone_mask text, p_registration text) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE ident uuid; sub int; h bytea; old bytea; first_person uuid; known text;
BEGIN
  SELECT g.subdistrict_id INTO sub FROM reg.grid g WHERE g.id = p_grid;
  IF NOT sec.may_see(p_grid, sub) THEN RAISE insufficient_privilege USING MESSAGE = 'not in scope'; END IF;
  h := sha256(convert_to(concat_ws('|', p_grid, p_name, p_sex, p_birth_year, p_mask, p_phone_mask, p_registration) || '|', 'UTF8') || coalesce(p_bi, ''));
  IF p_bi IS NOT NULL THEN
    -- DO UPDATE, not DO NOTHING: it gives the winner's id under any concurrency, waits for an unfinished rival in both cases and writes a
    -- row version on both paths.
    INSERT INTO reg.identity (id, id_bi, id_enc, kv) VALUES (p_identity, p_bi, p_enc, p_kv)
      ON CONFLICT (id_bi) DO UPDATE SET kv = identity.kv RETURNING id INTO ident;
  END IF;
  INSERT INTO reg.person (id, grid_id, subdistrict_id, name, sex, birth_year, id_mask, phone_mask, registration)
    VALUES (p_id, p_grid, sub, p_name, p_sex, p_birth_year, p_mask, p_phone_mask, p_registration) ON CONFLICT (id) DO NOTHING;
  IF FOUND THEN
    -- The first may have been struck out while another with the number stands.
    SELECT s.person_id, p.name INTO first_person, known FROM reg.person_secret s JOIN reg.person p ON p.id = s.person_id
     WHERE s.identity_id = ident AND p.deleted_at IS NULL ORDER BY s.is_first DESC, p.id LIMIT 1;
    INSERT INTO reg.person_secret (person_id, identity_id, phone_enc, kv, req_hash, is_first)
      VALUES (p_id, ident, p_phone_enc, p_kv, h, first_person IS NULL);
    IF known <> p_name THEN
      INSERT INTO reg.discrepancy (grid_id, subdistrict_id, person_id, field, ours, theirs, source)
        SELECT p.grid_id, p.subdistrict_id, p.id, 'name', p.name, p_name, 'api' FROM reg.person p WHERE p.id = first_person
        ON CONFLICT ON CONSTRAINT uq_discrepancy_person_id_grid_id_field_theirs DO NOTHING;
    END IF;
  ELSE
    SELECT req_hash INTO old FROM reg.person_secret WHERE person_id = p_id;
    IF old IS DISTINCT FROM h THEN
      RAISE unique_violation USING MESSAGE = 'id already used', CONSTRAINT = 'pk_person', SCHEMA = 'reg', TABLE = 'person';
    END IF;
  END IF;
  RETURN 'accepted';
END $$;

-- The persons behind some numbers, for the loader of files, which must say what a line contradicts. One row a known number: who stands goes
-- before who was struck out, the first before a duplicate.
CREATE FUNCTION sec.people_known(p_bi bytea[], OUT id_bi bytea, OUT person_id uuid, OUT name text, OUT phone_enc bytea, OUT struck boolean)
RETURNS SETOF record LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF sec.uid('loader') IS NULL THEN RAISE insufficient_privilege USING MESSAGE = 'not in scope'; END IF;
  RETURN QUERY SELECT DISTINCT ON (i.id_bi) i.id_bi, p.id, p.name, s.phone_enc, p.deleted_at IS NOT NULL
    FROM reg.identity i JOIN reg.person_secret s ON s.identity_id = i.id JOIN reg.person p ON p.id = s.person_id
   WHERE i.id_bi = ANY (p_bi) ORDER BY i.id_bi, p.deleted_at IS NOT NULL, s.is_first DESC, p.id;
END $$;
-- Writes new persons with their identities, set-based, for the loader. Arrays of one length; numbers must be new and distinct.
CREATE FUNCTION sec.people_load(p_id uuid[], p_grid int[], p_identity uuid[], p_bi bytea[], p_enc bytea[], p_kv smallint, p_name text[], p_sex text[],
  p_birth_year int[], p_mask text[], p_phone_enc bytea[], p_phone_mask text[], p_registration text[]) RETURNS int
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE made int; who bigint := sec.uid('loader');
BEGIN
  IF who IS NULL THEN RAISE insufficient_privilege USING MESSAGE = 'not in scope'; END IF;
  INSERT INTO reg.identity (id, id_bi, id_enc, kv)
    SELECT u.identity, u.bi, u.enc, p_kv FROM unnest(p_identity, p_bi, p_enc) AS u(identity, bi, enc) ORDER BY u.bi;
  INSERT INTO reg.person (id, recorded_by, grid_id, subdistrict_id, name, sex, birth_year, id_mask, phone_mask, registration)
    SELECT u.id, who, u.grid, g.subdistrict_id, u.name, u.sex, u.born, u.mask, u.phone, u.registration
      FROM unnest(p_id, p_grid, p_name, p_sex, p_birth_year, p_mask, p_phone_mask, p_registration)
           AS u(id, grid, name, sex, born, mask, phone, registration)
      JOIN reg.grid g ON g.id = u.grid;
  GET DIAGNOSTICS made = ROW_COUNT;
  INSERT INTO reg.person_secret (person_id, identity_id, phone_enc, kv, req_hash, is_first)
    SELECT u.id, u.identity, u.phone, p_kv, sha256(uuid_send(u.id)), true FROM unnest(p_id, p_identity, p_phone_enc) AS u(id, identity, phone);
  RETURN made;
END $$;

-- A new phone for a person whom the caller sees; the mask beside it stands in reg.person.
CREATE FUNCTION sec.person_phone(p_id uuid, p_phone_enc bytea, p_kv smallint) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM reg.person p WHERE p.id = p_id AND p.deleted_at IS NULL AND sec.may_see(p.grid_id, p.subdistrict_id)) THEN RETURN false; END IF;
  UPDATE reg.person_secret SET phone_enc = p_phone_enc, kv = p_kv WHERE person_id = p_id;
  RETURN true;
END $$;

-- The sealed values of a person whom the caller sees, for a purpose; one audit row, counted by the quota. No row: not seen, or the quota
-- is used up (quota_left says which). The application opens the seal.
CREATE FUNCTION sec.reveal(p_id uuid, p_purpose text, p_reason text, OUT identity_id uuid, OUT id_enc bytea, OUT phone_enc bytea)
RETURNS SETOF record LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF coalesce(p_purpose, '') = '' OR coalesce(p_reason, '') = '' OR sec.quota_left('reveal') = 0 THEN RETURN; END IF;
  IF NOT EXISTS (SELECT FROM reg.person p WHERE p.id = p_id AND p.deleted_at IS NULL AND sec.may_see(p.grid_id, p.subdistrict_id)) THEN RETURN; END IF;
  INSERT INTO reg.audit (action, object_type, object_id, purpose, outcome, n_rows, detail)
    VALUES ('reveal', 'person', p_id::text, p_purpose, 'ok', 1, jsonb_build_object('reason', p_reason));
  RETURN QUERY SELECT i.id, i.id_enc, s.phone_enc FROM reg.person_secret s LEFT JOIN reg.identity i ON i.id = s.identity_id WHERE s.person_id = p_id;
END $$;
-- The persons with a number, of those whom the caller sees, for a purpose. One audit row, counted by the quota, whether it finds somebody or
-- not. No row: nobody is found, or the quota is used up (quota_left says which).
CREATE FUNCTION sec.person_by_number(p_bi bytea, p_purpose text, p_reason text) RETURNS SETOF uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE ids uuid[];
BEGIN
  IF coalesce(p_purpose, '') = '' OR coalesce(p_reason, '') = '' OR sec.quota_left('lookup') = 0 THEN RETURN; END IF;
  SELECT coalesce(array_agg(p.id ORDER BY p.id), '{}') INTO ids
    FROM reg.identity i JOIN reg.person_secret s ON s.identity_id = i.id JOIN reg.person p ON p.id = s.person_id
   WHERE i.id_bi = p_bi AND p.deleted_at IS NULL AND sec.may_see(p.grid_id, p.subdistrict_id);
  INSERT INTO reg.audit (action, object_type, purpose, outcome, n_rows, detail)
    VALUES ('lookup', 'person', p_purpose, 'ok', cardinality(ids), jsonb_build_object('reason', p_reason, 'ids', to_jsonb(ids)));
  RETURN QUERY SELECT unnest(ids);
END $$;

-- Rotation of the sealing keys: what is not yet under the new version, and its replacement. The loader's command reads, opens, seals, writes.
CREATE FUNCTION sec.sealed_before(p_kv smallint, p_limit int, OUT tab text, OUT id uuid, OUT sealed bytea)
RETURNS SETOF record LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF sec.uid('loader') IS NULL THEN RAISE insufficient_privilege USING MESSAGE = 'not in scope'; END IF;
  RETURN QUERY (SELECT 'identity', i.id, i.id_enc FROM reg.identity i WHERE i.kv < p_kv LIMIT p_limit)
    UNION ALL (SELECT 'person_secret', s.person_id, s.phone_enc FROM reg.person_secret s WHERE s.kv < p_kv LIMIT p_limit);
END $$;
CREATE FUNCTION sec.reseal(p_tab text, p_id uuid[], p_sealed bytea[], p_kv smallint) RETURNS int
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE n int;
BEGIN
  IF sec.uid('loader') IS NULL THEN RAISE insufficient_privilege USING MESSAGE = 'not in scope'; END IF;
  IF p_tab = 'identity' THEN
    UPDATE reg.identity i SET id_enc = u.sealed, kv = p_kv FROM unnest(p_id, p_sealed) AS u(id, sealed) WHERE i.id = u.id AND i.kv < p_kv;
  ELSE
    UPDATE reg.person_secret s SET phone_enc = u.sealed, kv = p_kv FROM unnest(p_id, p_sealed) AS u(id, sealed) WHERE s.person_id = u.id AND s.kv < p_kv;
  END IF;
  GET DIAGNOSTICS n = ROW_COUNT;
  RETURN n;
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA sec FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sec.quota_left(text), sec.quota_wait(text) TO app_field, app_subdistrict, app_district;
GRANT EXECUTE ON FUNCTION sec.person_ensure(uuid, int, uuid, bytea, bytea, smallint, text, text, int, text, bytea, text, text)
  TO app_field, app_subdistrict, app_district;
GRANT EXECUTE ON FUNCTION sec.people_known(bytea[]) TO app_loader;
GRANT EXECUTE ON FUNCTION
  sec.people_load(uuid[], int[], uuid[], bytea[], bytea[], smallint, text[], text[], int[], text[], bytea[], text[], text[]),
  sec.sealed_before(smallint, int), sec.reseal(text, uuid[], bytea[], smallint) TO app_loader;
GRANT EXECUTE ON FUNCTION sec.person_phone(uuid, bytea, smallint) TO app_field, app_subdistrict, app_district, app_loader;
GRANT EXECUTE ON FUNCTION sec.reveal(uuid, text, text), sec.person_by_number(bytea, text, text) TO app_field, app_subdistrict, app_district;
"""

PERSON = ("name", "sex", "birth_year", "phone_mask", "registration", "deleted_at")
DISCREPANCY = ("id", "grid_id", "subdistrict_id", "person_id", "field", "ours", "theirs", "source")


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(
        force("reg.identity")
        + force("reg.person_secret")
        + force("reg.person")
        + readable("reg.person", SCOPES)
        + writable("reg.person", SCOPES, update=PERSON)
        + versioned("person", SCOPES)
        + logged("person", "resident")
        + force("reg.discrepancy")
        + readable("reg.discrepancy", SCOPES)
        + writable("reg.discrepancy", SCOPES, insert=DISCREPANCY, update=("state",))
        + versioned("discrepancy", SCOPES)
    )
    op.execute("SET ROLE sec_definer")
    op.execute(FUNCTIONS)
    op.execute("SET ROLE reg_owner")


def downgrade() -> None:
    op.execute("SET ROLE sec_definer")
    op.execute("""
        DROP FUNCTION sec.reseal(text, uuid[], bytea[], smallint); DROP FUNCTION sec.sealed_before(smallint, int);
        DROP FUNCTION sec.person_by_number(bytea, text, text); DROP FUNCTION sec.reveal(uuid, text, text); DROP FUNCTION sec.person_phone(uuid, bytea, smallint);
        DROP FUNCTION sec.people_load(uuid[], int[], uuid[], bytea[], bytea[], smallint, text[], text[], int[], text[], bytea[], text[], text[]);
        DROP FUNCTION sec.people_known(bytea[]);
        DROP FUNCTION sec.person_ensure(uuid, int, uuid, bytea, bytea, smallint, text, text, int, text, bytea, text, text);
        DROP FUNCTION sec.quota_wait(text); DROP FUNCTION sec.quota_left(text); DROP TABLE sec.quota;
    """)
    op.execute("SET ROLE reg_owner")
    op.execute(unprotect("discrepancy") + "DROP TABLE reg.person_secret;" + unprotect("person") + "DROP TABLE reg.identity;")
