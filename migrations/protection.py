"""The one way a register table is protected, as SQL text for the migrations.

Every scoped table gets the same policies for the same classes of user, the trigger that keeps superseded rows, and the triggers that
write the change log. A later change of these rules is a new migration, not an edit of this file.
"""

from collections.abc import Mapping, Sequence

FIELD = "grid_id = ANY ((SELECT sec.grids())::int[])"
SUBDISTRICT = "subdistrict_id = (SELECT sec.subdistrict())"
DISTRICT = "(SELECT sec.uid('district')) IS NOT NULL"
LOADER = "(SELECT sec.uid('loader')) IS NOT NULL"
SCOPES: Mapping[str, str] = {"field": FIELD, "subdistrict": SUBDISTRICT, "district": DISTRICT, "loader": LOADER}


def force(table: str, *, definer: bool = True) -> str:
    """Switch row-level security on for everybody, the owner too, and let owner, definer and dump through by name.

    Without the owner's policy a data migration would update no row and a foreign key would be marked valid over orphans.
    """
    statements = [
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY own_all ON {table} TO reg_owner USING (true) WITH CHECK (true)",
        f"CREATE POLICY dump ON {table} FOR SELECT TO reg_dump_reader USING (true)",
        f"GRANT SELECT ON {table} TO reg_dump_reader",
    ]
    if definer:
        statements += [
            f"CREATE POLICY def_all ON {table} TO sec_definer USING (true) WITH CHECK (true)",
            f"GRANT SELECT, INSERT, UPDATE ON {table} TO sec_definer",
        ]
    return ";\n".join(statements) + ";\n"


def readable(table: str, scopes: Mapping[str, str], *, columns: str = "") -> str:
    """Let each class read the rows of its scope (and only `columns`, where given)."""
    return "".join(
        f"CREATE POLICY {name}_r ON {table} FOR SELECT TO app_{name} USING ({scope});\nGRANT SELECT {columns} ON {table} TO app_{name};\n"
        for name, scope in scopes.items()
    )


def writable(
    table: str, scopes: Mapping[str, str], *, insert: Sequence[str] = (), update: Sequence[str] = (), check: Mapping[str, str] | None = None
) -> str:
    """Let each class insert and update the named columns of rows that lie in its scope before and after.

    `check` adds a condition to the rows that a class may insert.
    """
    out = ""
    for name, scope in scopes.items():
        if insert:
            extra = f" AND {check[name]}" if check and name in check else ""
            out += f"CREATE POLICY {name}_i ON {table} FOR INSERT TO app_{name} WITH CHECK ({scope}{extra});\n"
            out += f"GRANT INSERT ({', '.join(insert)}) ON {table} TO app_{name};\n"
        if update:
            out += f"CREATE POLICY {name}_u ON {table} FOR UPDATE TO app_{name} USING ({scope}) WITH CHECK ({scope});\n"
            out += f"GRANT UPDATE ({', '.join(update)}) ON {table} TO app_{name};\n"
    return out


def bulk(noun: str) -> str:
    """Let the loader name itself in `recorded_by`: the column's default verifies the signature anew for each of a million rows."""
    return (
        f"GRANT INSERT (recorded_by) ON reg.{noun} TO app_loader;\n"
        f"ALTER POLICY loader_i ON reg.{noun} WITH CHECK ({LOADER} AND recorded_by = (SELECT sec.actor()));\n"
    )


def versioned(noun: str, scopes: Mapping[str, str]) -> str:
    """Keep every superseded row of reg.`noun` in reg.`noun`_past, with the moment until which it was believed.

    The past has the table's own columns after `recorded_to`, so that a later column is appended to both alike.
    """
    past = f"reg.{noun}_past"
    return (
        f"CREATE TABLE {past} (recorded_to timestamptz NOT NULL, LIKE reg.{noun});\n"
        f"ALTER TABLE {past} ADD CONSTRAINT pk_{noun}_past PRIMARY KEY (id, version);\n"
        + force(past)
        + readable(past, scopes)
        + f"CREATE TRIGGER keep_past BEFORE UPDATE ON reg.{noun} FOR EACH ROW EXECUTE FUNCTION sec.keep_past();\n"
    )


def logged(noun: str, kind: str) -> str:
    """Write a pointer into the change log for every row of reg.`noun` written, for the grid it left and the grid it came to.

    Statement triggers with transition tables: one insert for a whole file, and nothing per row.
    """
    return (
        f"CREATE TRIGGER log_insert AFTER INSERT ON reg.{noun} REFERENCING NEW TABLE AS new_rows"
        f" FOR EACH STATEMENT EXECUTE FUNCTION sec.log_insert('{kind}');\n"
        f"CREATE TRIGGER log_update AFTER UPDATE ON reg.{noun} REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows"
        f" FOR EACH STATEMENT EXECUTE FUNCTION sec.log_update('{kind}');\n"
    )


def unprotect(noun: str) -> str:
    """Drop reg.`noun` and its past."""
    return f"DROP TABLE reg.{noun}_past; DROP TABLE reg.{noun};\n"


# Columns that every entity has. The client may choose the id (handhelds work offline); the trigger counts the version.
ENTITY = """
  id uuid NOT NULL DEFAULT reg.uuid7(),
  version int NOT NULL DEFAULT 1,
  recorded_from timestamptz NOT NULL DEFAULT transaction_timestamp(),
  recorded_by bigint NOT NULL DEFAULT sec.actor(),
  deleted_at timestamptz"""
