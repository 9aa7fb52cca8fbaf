-- Privileged preparation of a gridmgmt database. Read it, then run it once as a superuser in the (empty) database that gridmgmt is to use:
--
--     createdb -T template0 -E UTF8 gridmgmt
--     psql -v ON_ERROR_STOP=1 -d gridmgmt -f prepare.sql
--
-- It is idempotent: run it again after every upgrade of PostGIS and after every restore (pg_dump does not carry the LEAKPROOF mark).
-- The embedded cluster runs the same file by itself. Everything afterwards (tables, policies, functions) is done by the role reg_deploy
-- without any special privilege. Passwords, or a peer map in pg_ident.conf, for reg_deploy and the api_ roles are yours to set.
\set ON_ERROR_STOP 1
SET client_min_messages = warning;

DO $$ BEGIN
  IF current_setting('server_encoding') <> 'UTF8' THEN
    RAISE EXCEPTION 'the database must have the encoding UTF8: createdb -T template0 -E UTF8';
  END IF;
END $$;

-- 1. Roles. One LOGIN role for each class of user, member of exactly one app_ role, so that RESET ROLE, SET ROLE and set_config('role', …)
--    find nothing to climb to. Objects belong to two roles that nobody can log in as.
DO $$
DECLARE class text; r text;
BEGIN
  FOREACH r IN ARRAY ARRAY['reg_owner', 'sec_definer'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) THEN EXECUTE format('CREATE ROLE %I NOLOGIN', r); END IF;
  END LOOP;
  FOREACH r IN ARRAY ARRAY['reg_deploy', 'reg_dump_reader'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) THEN EXECUTE format('CREATE ROLE %I LOGIN NOINHERIT', r); END IF;
  END LOOP;
  -- reg_deploy runs the migrations: SET ROLE to the owners, nothing inherited.
  GRANT reg_owner, sec_definer TO reg_deploy;
  FOREACH class IN ARRAY ARRAY['public', 'auth', 'field', 'subdistrict', 'district', 'loader', 'admin', 'audit'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_' || class) THEN EXECUTE format('CREATE ROLE %I NOLOGIN', 'app_' || class); END IF;
    r := 'api_' || class;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) THEN EXECUTE format('CREATE ROLE %I LOGIN INHERIT CONNECTION LIMIT 60', r); END IF;
    EXECUTE format('GRANT %I TO %I', 'app_' || class, r);
    -- Defaults at log-in cost no round trip. The loader works through whole files; people wait for the others.
    EXECUTE format('ALTER ROLE %I SET statement_timeout = %L', r,
                   CASE class WHEN 'loader' THEN '0' WHEN 'district' THEN '30s' WHEN 'audit' THEN '30s' ELSE '5s' END);
    EXECUTE format('ALTER ROLE %I SET lock_timeout = %L', r, CASE class WHEN 'loader' THEN '30s' ELSE '2s' END);
    EXECUTE format('ALTER ROLE %I SET idle_in_transaction_session_timeout = %L', r, CASE class WHEN 'loader' THEN '10min' ELSE '10s' END);
    EXECUTE format('ALTER ROLE %I SET row_security = on', r);
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), r);
  END LOOP;
  -- Nobody but the loader makes temporary tables: they shadow names in carelessly written functions.
  EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO reg_deploy, reg_dump_reader', current_database());
  EXECUTE format('GRANT TEMP ON DATABASE %I TO api_loader', current_database());
END $$;

-- 2. Extensions, and the schema that holds nothing else.
REVOKE ALL ON SCHEMA public FROM PUBLIC;
CREATE EXTENSION IF NOT EXISTS postgis SCHEMA public;
CREATE EXTENSION IF NOT EXISTS btree_gist SCHEMA public;
GRANT USAGE ON SCHEMA public TO reg_owner, sec_definer, reg_dump_reader,
  app_public, app_auth, app_field, app_subdistrict, app_district, app_loader, app_admin, app_audit;

-- 3. Schemas: reg the register, sec the keys and the security-definer functions, sync the change log.
CREATE SCHEMA IF NOT EXISTS reg AUTHORIZATION reg_owner;
CREATE SCHEMA IF NOT EXISTS sec AUTHORIZATION sec_definer;
CREATE SCHEMA IF NOT EXISTS sync AUTHORIZATION reg_owner;
ALTER DEFAULT PRIVILEGES FOR ROLE reg_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE sec_definer REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

-- 4. Row-level security switches off every index whose operator is not marked leakproof. The box operator reveals nothing but the boxes of
--    rows it is asked about; without the mark a map box under row-level security reads the whole table (2 ms become 42 to 222 ms).
ALTER FUNCTION public.geometry_overlaps(geometry, geometry) LEAKPROOF;

-- 5. Functions that run SQL text, change settings or wait from inside an expression, and procedural code, are for nobody who only queries.
REVOKE EXECUTE ON FUNCTION
  pg_catalog.query_to_xml(text, bool, bool, text), pg_catalog.query_to_xmlschema(text, bool, bool, text),
  pg_catalog.query_to_xml_and_xmlschema(text, bool, bool, text), pg_catalog.cursor_to_xml(refcursor, int, bool, bool, text),
  pg_catalog.cursor_to_xmlschema(refcursor, bool, bool, text),
  pg_catalog.table_to_xml(regclass, bool, bool, text), pg_catalog.table_to_xmlschema(regclass, bool, bool, text),
  pg_catalog.table_to_xml_and_xmlschema(regclass, bool, bool, text),
  pg_catalog.schema_to_xml(name, bool, bool, text), pg_catalog.schema_to_xmlschema(name, bool, bool, text),
  pg_catalog.schema_to_xml_and_xmlschema(name, bool, bool, text),
  pg_catalog.database_to_xml(bool, bool, text), pg_catalog.database_to_xmlschema(bool, bool, text),
  pg_catalog.database_to_xml_and_xmlschema(bool, bool, text),
  pg_catalog.ts_stat(text), pg_catalog.ts_stat(text, text), pg_catalog.ts_rewrite(tsquery, text),
  pg_catalog.lo_create(oid), pg_catalog.lo_creat(int), pg_catalog.lo_from_bytea(oid, bytea),
  pg_catalog.pg_sleep(float8), pg_catalog.pg_sleep_for(interval), pg_catalog.pg_sleep_until(timestamptz)
FROM PUBLIC;
-- An expression that sets a parameter would outlive the request on a pooled connection; one that ends other sessions stops everybody.
REVOKE EXECUTE ON FUNCTION pg_catalog.set_config(text, text, bool), pg_catalog.pg_cancel_backend(int), pg_catalog.pg_terminate_backend(int, bigint)
FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pg_catalog.set_config(text, text, bool) TO reg_owner, sec_definer, reg_deploy, reg_dump_reader;
-- Advisory locks, too, outlive the request: with one the next migration, or somebody else's quota, would wait for ever. Notices and messages
-- into the log of changes carry words out past the trail; currtid2 looks up rows past row-level security.
-- Counters, sizes and the position of the log tell what row-level security hides: inserted or updated, that is, whether a person's number
-- was known before; how dense the buildings stand elsewhere. Monitoring reads them as a member of pg_monitor.
DO $$
DECLARE f record;
BEGIN
  FOR f IN SELECT p.oid::regprocedure AS name, CASE WHEN p.proname ~ 'advisory' THEN 'reg_owner, sec_definer, reg_deploy' ELSE 'pg_monitor' END AS holder
    FROM pg_proc p
    WHERE p.pronamespace = 'pg_catalog'::regnamespace
          AND (p.proname ~ '^pg_(try_)?advisory_' OR p.proname ^@ 'pg_stat_get_' OR p.proname ^@ 'pg_current_wal_'
               OR p.proname ~ '^pg_(total_relation|relation|table|indexes|database)_size$'
               OR p.proname IN ('pg_logical_emit_message', 'pg_notify', 'currtid2'))
       OR p.pronamespace = 'public'::regnamespace
          AND p.proname IN ('_postgis_stats', '_postgis_selectivity', '_postgis_join_selectivity', '_postgis_index_extent', 'st_estimatedextent')
  LOOP
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f.name);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %s', f.name, f.holder);
  END LOOP;
END $$;
REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC;
GRANT USAGE ON LANGUAGE plpgsql TO reg_owner, sec_definer;
