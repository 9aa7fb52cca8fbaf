"""What must be true of the database's own catalogue, whatever the rows: each query returns the breaches of one rule.

Any role may run them. The tests, `doctor` and the readiness of the server do.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, LiteralString

from psycopg import Connection

OPEN_TABLES: Final = ["alembic_version"]
"""Tables of `reg` without personal data or scope, listed by name."""

TABLES = """
  SELECT c.oid, n.nspname || '.' || c.relname AS name, c.relrowsecurity, c.relforcerowsecurity, c.relacl
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname IN ('reg', 'sync') AND c.relkind IN ('r', 'p') AND NOT c.relname = ANY (%(open)s)
"""

RULES: Final[Mapping[str, LiteralString]] = {
    "row-level security is forced on every table": f"""
        SELECT name FROM ({TABLES}) t WHERE NOT (relrowsecurity AND relforcerowsecurity)""",  # noqa: S608 -- TABLES is text of ours
    "every table lets its owner and the dump through by name": f"""
        SELECT name || ' lacks policy ' || p FROM ({TABLES}) t CROSS JOIN unnest(ARRAY['own_all', 'dump']) p
         WHERE NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = t.oid AND polname = p)""",  # noqa: S608 -- TABLES is text of ours
    # a privilege that no policy covers is a policy that was lost
    "every privilege of a class has its policy": f"""
        SELECT DISTINCT t.name || ' for ' || a.privilege_type || ' by ' || r.rolname FROM ({TABLES}) t
          CROSS JOIN LATERAL (
            SELECT * FROM aclexplode(t.relacl)
            UNION ALL SELECT x.* FROM pg_attribute b CROSS JOIN LATERAL aclexplode(b.attacl) x WHERE b.attrelid = t.oid) a
          JOIN pg_roles r ON r.oid = a.grantee AND (r.rolname LIKE 'app\\_%%' OR r.rolname IN ('sec_definer', 'reg_dump_reader'))
         WHERE a.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
           AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = t.oid AND r.oid = ANY (p.polroles)
             AND p.polcmd IN ('*', CASE a.privilege_type
               WHEN 'SELECT' THEN 'r' WHEN 'INSERT' THEN 'a' WHEN 'UPDATE' THEN 'w' ELSE 'd' END::"char"))""",  # noqa: S608 -- TABLES is text of ours
    "nothing is granted to everybody": """
        SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         CROSS JOIN LATERAL aclexplode(c.relacl) a WHERE n.nspname IN ('reg', 'sec', 'sync') AND a.grantee = 0
        UNION SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
         CROSS JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
         WHERE n.nspname IN ('reg', 'sec', 'sync') AND a.grantee = 0
        UNION SELECT 'schema ' || n.nspname FROM pg_namespace n CROSS JOIN LATERAL aclexplode(n.nspacl) a
         WHERE n.nspname IN ('reg', 'sec', 'sync', 'public') AND a.grantee = 0
        UNION SELECT 'database ' || d.datname || ': ' || a.privilege_type FROM pg_database d
         CROSS JOIN LATERAL aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
         WHERE d.datname = current_database() AND a.grantee = 0""",
    "the tables of keys and quotas are nobody's": """
        SELECT 'sec.' || c.relname || ' by ' || r.rolname FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
          JOIN pg_roles r ON r.oid = a.grantee
         WHERE c.relnamespace = to_regnamespace('sec') AND c.relkind IN ('r', 'p', 'v', 'm')
           AND r.rolname <> 'sec_definer' AND (r.rolname, a.privilege_type) <> ('reg_dump_reader', 'SELECT')""",
    "functions with their owner's rights are in sec, the definer's, with a fixed search path, closed to the public": """
        SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_roles r ON r.oid = p.proowner
         WHERE p.prosecdef AND n.nspname IN ('reg', 'sec', 'sync')
           AND (n.nspname <> 'sec' OR r.rolname <> 'sec_definer'
                OR NOT coalesce(array_to_string(p.proconfig, ',') ~ '^search_path=pg_catalog, (public, )?pg_temp$', false)
                OR has_function_privilege('app_public', p.oid, 'EXECUTE'))""",
    "views show what their reader may see": """
        SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname IN ('reg', 'sec', 'sync')
           AND (c.relkind = 'm' OR c.relkind = 'v' AND NOT coalesce(c.reloptions @> ARRAY['security_invoker=true'], false))""",
    "a log-in belongs to one class": """
        SELECT r.rolname || ' to ' || coalesce(string_agg(g.rolname, ' and '), 'none') FROM pg_roles r
          LEFT JOIN pg_auth_members m ON m.member = r.oid LEFT JOIN pg_roles g ON g.oid = m.roleid
         WHERE r.rolname LIKE 'api\\_%%' GROUP BY r.rolname HAVING array_agg(g.rolname::text) <> ARRAY['app_' || substr(r.rolname, 5)]
        UNION SELECT r.rolname || ' to ' || g.rolname FROM pg_auth_members m
          JOIN pg_roles r ON r.oid = m.member JOIN pg_roles g ON g.oid = m.roleid
         WHERE r.rolname LIKE 'app\\_%%' OR r.rolname IN ('reg_owner', 'sec_definer', 'reg_dump_reader')
            OR g.rolname IN ('reg_owner', 'sec_definer') AND r.rolname <> 'reg_deploy' AND NOT r.rolsuper""",
    "no role of ours has special powers": """
        SELECT rolname FROM pg_roles
         WHERE (rolname ~ '^(api|app)_' OR rolname IN ('reg_owner', 'sec_definer', 'reg_deploy', 'reg_dump_reader'))
           AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication
                OR rolcanlogin AND rolname !~ '^(api_|reg_d)')""",
    # a role may alter its own settings, which then hold for everybody who logs in by it
    "log-ins have the settings of prepare.sql and no others": """
        SELECT r.rolname || ': ' || word FROM pg_roles r
          CROSS JOIN LATERAL (SELECT unnest(s.setconfig) AS word FROM pg_db_role_setting s WHERE s.setrole = r.oid) w
         WHERE r.rolname LIKE 'api\\_%%' AND (r.rolname, word) NOT IN (
           SELECT 'api_' || class, unnest(ARRAY['row_security=on',
             'statement_timeout=' || CASE class WHEN 'loader' THEN '0' WHEN 'district' THEN '30s' WHEN 'audit' THEN '30s' ELSE '5s' END,
             'lock_timeout=' || CASE class WHEN 'loader' THEN '30s' ELSE '2s' END,
             'idle_in_transaction_session_timeout=' || CASE class WHEN 'loader' THEN '10min' ELSE '10s' END])
           FROM unnest(ARRAY['public', 'auth', 'field', 'subdistrict', 'district', 'loader', 'admin', 'audit']) AS class)""",
    "only the loader makes temporary tables, and nobody makes others": """
        SELECT r.rolname || ' in ' || n.nspname FROM pg_roles r CROSS JOIN pg_namespace n
         WHERE r.rolname LIKE 'api\\_%%' AND n.nspname IN ('reg', 'sec', 'sync', 'public') AND has_schema_privilege(r.oid, n.oid, 'CREATE')
        UNION SELECT rolname || ' temporary' FROM pg_roles
         WHERE rolname LIKE 'api\\_%%' AND rolname <> 'api_loader' AND has_database_privilege(oid, current_database(), 'TEMP')""",
    "the trail cannot be changed": """
        SELECT c.relname || ' lacks ' || t FROM pg_class c CROSS JOIN unnest(ARRAY['no_change', 'no_truncate']) t
         WHERE c.relnamespace = to_regnamespace('reg') AND (c.relname = 'audit' OR EXISTS (
             SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid AND i.inhparent = to_regclass('reg.audit'))) AND c.relkind IN ('r', 'p')
           AND NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = c.oid AND g.tgname = t AND g.tgenabled IN ('O', 'A'))""",
    "every constraint holds and every index serves": """
        SELECT conrelid::regclass || '.' || conname FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace
         WHERE n.nspname IN ('reg', 'sec', 'sync') AND NOT convalidated
        UNION SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
         WHERE c.relnamespace IN (to_regnamespace('reg'), to_regnamespace('sync')) AND NOT i.indisvalid""",
}

HARDENING: Final[Mapping[str, LiteralString]] = {
    "the box operator is marked leakproof": """
        SELECT p.oid::regprocedure::text FROM pg_proc p WHERE p.proname = 'geometry_overlaps' AND NOT p.proleakproof
           AND p.oid = to_regprocedure('public.geometry_overlaps(public.geometry, public.geometry)')
        UNION SELECT 'it is missing' WHERE to_regprocedure('public.geometry_overlaps(public.geometry, public.geometry)') IS NULL""",
    "nobody runs SQL from inside an expression, sets parameters, ends sessions or reads counters of what is hidden": """
        SELECT DISTINCT p.oid::regprocedure::text FROM pg_proc p
          JOIN pg_roles r ON r.rolname LIKE 'api\\_%%' AND has_function_privilege(r.oid, p.oid, 'EXECUTE')
         WHERE p.pronamespace = 'pg_catalog'::regnamespace AND (p.proname ^@ 'pg_stat_get_' OR p.proname ~ '^pg_(try_)?advisory_'
             OR p.proname ^@ 'pg_current_wal_' OR p.proname ~ '^pg_(total_relation|relation|table|indexes|database)_size$'
             OR p.oid = to_regprocedure('pg_catalog.ts_rewrite(tsquery, text)') OR p.proname IN (
               'query_to_xml', 'query_to_xmlschema', 'query_to_xml_and_xmlschema', 'cursor_to_xml', 'cursor_to_xmlschema', 'table_to_xml',
               'table_to_xmlschema', 'table_to_xml_and_xmlschema', 'schema_to_xml', 'schema_to_xmlschema', 'schema_to_xml_and_xmlschema',
               'database_to_xml', 'database_to_xmlschema', 'database_to_xml_and_xmlschema',
               'ts_stat', 'lo_create', 'lo_creat', 'lo_from_bytea',
               'pg_sleep', 'pg_sleep_for', 'pg_sleep_until', 'set_config', 'pg_cancel_backend', 'pg_terminate_backend',
               'pg_logical_emit_message', 'pg_notify', 'currtid2'))
            OR p.pronamespace = to_regnamespace('public') AND p.proname IN (
               '_postgis_stats', '_postgis_selectivity', '_postgis_join_selectivity', '_postgis_index_extent', 'st_estimatedextent')""",
    "nobody writes procedural code": """
        SELECT 'plpgsql by ' || rolname FROM pg_roles WHERE rolname LIKE 'api\\_%%' AND has_language_privilege(oid, 'plpgsql', 'USAGE')""",
}
"""What prepare.sql settles as a superuser, and pg_dump does not carry."""


@dataclass(frozen=True)
class Breach:
    """A rule and one object that breaks it."""

    rule: str
    found: str


def breaches(connection: Connection, rules: Mapping[str, LiteralString] = RULES) -> list[Breach]:
    """Everything in the catalogue that breaks one of the rules; empty when all is well."""
    found: list[Breach] = []
    for rule, query in rules.items():
        found += [Breach(rule, str(name)) for (name,) in connection.execute(query, {"open": OPEN_TABLES})]
    return found
