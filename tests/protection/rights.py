"""Which class may do what with which table, written down by hand from the design and not read from the migrations.

A scope is a word: `all` rows, `signed` (all rows for whoever has a valid context), `grids` (rows of the account's grids), `subdistrict`
(rows of its subdistrict), `own` (rows that name the account), `grids or own`, `published` (rows that a release told to all), `linked`
(files of the account, and those that their makers linked in its grids or its subdistrict), `unfinished` (files of the account that are not
complete). A table or class that is missing may do nothing.
"""

from dataclasses import dataclass, field

from tests.protection.doors import Register
from tests.protection.seed import Account

SCOPED = ("building", "unit", "person", "discrepancy", "residence", "lease", "manager", "inspection", "duty_report")
EVERYBODY = ("public", "field", "subdistrict", "district", "loader", "admin", "audit")
SIGNED_IN = ("field", "subdistrict", "district", "loader", "admin", "audit")
OFFICE = {"district": "signed", "loader": "signed"}
BY_SCOPE = {"field": "grids", "subdistrict": "subdistrict"} | OFFICE
BY_ACCOUNT = {"field": "own", "subdistrict": "own", "admin": "signed"} | OFFICE


@dataclass(frozen=True)
class Table:
    """Who reads and who updates; `key` tells rows apart, `column` is one that an updater may set (to `value`) or a stranger tries."""

    name: str
    read: dict[str, str]
    update: dict[str, str]
    key: str = "id"
    column: str = "version"
    value: str = "1"
    grid: str = "grid_id"
    account: str = "account_id"
    published: str = "false"
    """Condition on the rows that a release told to all."""
    delete: dict[str, str] = field(default_factory=dict)
    full: bool = True
    """Whether the class reads all columns."""


def _past(name: str, read: dict[str, str], *, grid: str = "grid_id") -> Table:
    return Table(f"reg.{name}_past", read, {}, key="id || '-' || t.version", grid=grid)


def _scoped(name: str, column: str, value: str) -> tuple[Table, Table]:
    return Table(f"reg.{name}", BY_SCOPE, BY_SCOPE, column=column, value=value), _past(name, BY_SCOPE)


def _seen(name: str) -> tuple[Table, Table]:
    """What is added and struck out, by the offices of the state alone, and otherwise stays as it is."""
    strikes = {"subdistrict": "subdistrict", "district": "signed"}
    return Table(f"reg.{name}", BY_SCOPE, strikes, column="deleted_at", value="now()"), _past(name, BY_SCOPE)


LINEAGE = "predecessor_id || '-' || t.successor_id"
LANDLORDS = {"subdistrict": "subdistrict"} | OFFICE
TOLD = {name: "signed" if name in OFFICE else "published" for name in EVERYBODY}
RELEASED = "release_id IN (SELECT r.id FROM reg.rent_release r WHERE r.state IN ('published', 'superseded'))"
QUEUES = {"field": "grids", "subdistrict": "subdistrict", "district": "signed"}
FIRMS = {"field": "signed", "subdistrict": "signed"} | OFFICE

MAKERS = ("field", "subdistrict", "district")
LINKED = {"field": "linked", "subdistrict": "linked"} | OFFICE

TABLES = (
    Table("reg.area", dict.fromkeys(EVERYBODY, "all"), OFFICE, column="name", value="'X'"),
    _past("area", dict.fromkeys(EVERYBODY, "all")),
    Table("reg.area_lineage", dict.fromkeys(EVERYBODY, "all"), {}, key=LINEAGE, column="kind", value="'split'"),
    Table("reg.layer", dict.fromkeys(EVERYBODY, "all"), {}, key="layer"),
    Table("reg.layer_change", dict.fromkeys(EVERYBODY, "all"), {}, key="noun || '-' || t.xid", column="noun", value="'X'"),
    Table("reg.building_cell", BY_SCOPE, {}, column="buildings"),
    Table("reg.resident_count", dict.fromkeys(EVERYBODY, "all"), {}, column="residents", value="20", full=False),
    Table("reg.grid", BY_SCOPE | {"admin": "signed"}, OFFICE, column="name", value="'X'", grid="id"),
    _past("grid", BY_SCOPE, grid="id"),
    Table("reg.grid_lineage", OFFICE, {}, key=LINEAGE, column="kind", value="'split'"),
    Table("reg.post", dict.fromkeys(SIGNED_IN, "signed"), {}, column="name", value="'X'"),
    Table("reg.grid_assignment", BY_ACCOUNT, {"admin": "signed"}, column="valid_to", value="'2990-01-01'"),
    Table("reg.area_grant", BY_ACCOUNT, {"admin": "signed"}, column="valid_to", value="'2990-01-01'"),
    Table(
        "reg.account",
        dict.fromkeys(SIGNED_IN, "own") | {"admin": "signed"},
        {"admin": "signed"},
        column="display_name",
        value="'X'",
        account="id",
        full=False,
    ),
    Table("reg.access_key", {"admin": "signed"}, {"admin": "signed"}, column="revoked_at", value="now()", full=False),
    *_scoped("building", "name", "'X'"),
    *_scoped("unit", "room", "'X'"),
    *_scoped("person", "sex", "'male'"),
    *_scoped("discrepancy", "state", "'open'"),
    *_scoped("residence", "basis", "'own'"),
    *_scoped("lease", "rent_fen", "1"),
    *_scoped("manager", "archive_number", "'X'"),
    *_seen("inspection"),
    *_seen("duty_report"),
    Table("reg.organisation", FIRMS, OFFICE, column="name", value="'X'"),
    _past("organisation", FIRMS),
    Table("reg.landlord", LANDLORDS, LANDLORDS, column="kind", value="'person'"),
    _past("landlord", LANDLORDS),
    Table("reg.rent_observation", OFFICE, {"loader": "signed"}, column="new_let", value="true"),
    _past("rent_observation", OFFICE),
    Table("reg.rent_limit", OFFICE, {}, key="use || t.class || t.year || t.subdistrict_id", column="n", delete={"loader": "signed"}),
    Table("reg.rent_statistic", OFFICE, {}, column="n", delete={"loader": "signed"}),
    Table("reg.rent_pair_statistic", OFFICE, {}, column="n", delete={"loader": "signed"}),
    Table("reg.rent_cut", {"loader": "signed"}, {"loader": "signed"}, column="cut", value="now()"),
    Table(
        "reg.rent_run",
        TOLD,
        {},
        column="n",
        published=f"id IN (SELECT x.run_id FROM reg.rent_release_run x WHERE x.{RELEASED})",
        full=False,
    ),
    Table("reg.rent_value", OFFICE, {}, key="run_id || t.use || t.lets || t.area_id || t.period", column="n"),
    Table("reg.rent_release", TOLD, OFFICE, column="note", value="'X'", published="state IN ('published', 'superseded')", full=False),
    Table(
        "reg.rent_release_run",
        TOLD,
        {},
        key="release_id || '-' || t.run_id",
        column="run_id",
        value="gen_random_uuid()",
        published=RELEASED,
    ),
    Table("reg.rent_figure", TOLD, {}, column="flag", value="'few'", published=RELEASED),
    Table(
        "reg.job_run",
        {"district": "signed", "loader": "signed", "auth": "all"},
        {"loader": "signed"},
        column="detail",
        value="'X'",
    ),
    Table("reg.audit", {"audit": "signed"}, {}, key="at || '-' || t.id", column="action", value="'X'"),
    Table("reg.identity", {}, {}, column="kv"),
    Table("reg.person_secret", {}, {}, key="person_id", column="kv"),
    Table("sync.file", LINKED, dict.fromkeys(MAKERS, "unfinished") | {"loader": "signed"}, column="state", value="'open'"),
    Table("sync.file_link", BY_SCOPE, {}, key="file_id || t.kind || t.entity_id || t.linked_by", column="kind", value="'unit'"),
    Table("sync.change_log", {"field": "grids"}, {}, key="seq", column="kind", value="'split'", grid="scope_id"),
    Table(
        "sync.device",
        {"field": "own", "district": "signed", "admin": "signed"},
        {},
        column="status",
        value="'revoked'",
        full=False,
    ),
    Table("sync.enrolment", {}, {}, key="code_hash", column="expires_at", value="now()"),
    Table("sync.mutation", {}, {}, key="mutation_id", column="status", value="'noop'"),
    Table("sync.conflict", QUEUES, {}, column="code", value="'same-person'"),
    Table("sync.dead_letter", QUEUES | {"field": "grids or own"}, {}, key="mutation_id", column="kind", value="'X'"),
    Table("sync.id_alias", {}, {}, key="alias", column="kind", value="'X'"),
    Table("sync.feed_meta", {}, {}, key="one", column="generation", value="gen_random_uuid()"),
    Table("sync.field_policy", dict.fromkeys(QUEUES, "signed"), {}, key="kind || t.field || t.version", column="set_at", value="now()"),
    Table("sync.incident", {"district": "signed", "admin": "signed"}, {}, column="detail", value="'{}'"),
)
BY_NAME = {table.name: table for table in TABLES}
OPEN = frozenset({"reg.alembic_version"})
"""Tables without rows of the register."""


def expected(table: Table, verb: str, register: Register, account: Account) -> tuple[str, list[object]] | None:
    """Condition on the rows `t` that the account reaches, for the superuser to count, or None where the class has no right at all."""
    scope = {"SELECT": table.read, "UPDATE": table.update, "DELETE": table.delete}[verb].get(account.scope)
    if scope is None:
        return None
    if scope in {"all", "published"}:
        return open_rows(table, account.scope) or "false", []
    if not account.valid:
        return "false", []
    if scope == "signed":
        return "true", []
    if scope == "own":
        return f"t.{table.account} = %s", [register.accounts[account.username]]
    if scope == "unfinished":
        return f"t.{table.account} = %s AND t.state <> 'complete'", [register.accounts[account.username]]
    if scope == "linked":
        place, values = _within("subdistrict" if account.scope == "subdistrict" else "grids", "l.grid_id", register, account, "l")
        by_maker = f"SELECT FROM sync.file_link l WHERE l.file_id = t.id AND l.linked_by = t.{table.account} AND {place}"
        return f"(t.{table.account} = %s OR EXISTS ({by_maker}))", [register.accounts[account.username], *values]
    if scope == "grids or own":
        place, values = _within("grids", f"t.{table.grid}", register, account, "t")
        return f"({place} OR t.{table.account} = %s)", [*values, register.accounts[account.username]]
    return _within(scope, f"t.{table.grid}", register, account, "t")


def _within(scope: str, grid: str, register: Register, account: Account, row: str) -> tuple[str, list[object]]:
    if scope == "subdistrict":
        return f"{row}.subdistrict_id = %s", [register.subdistricts.get(account.subdistrict or 0, -1)]
    return f"{grid} = ANY (%s::int[])", [[register.grids[number] for number in sorted(account.grids)]]


def open_rows(table: Table, scope: str) -> str | None:
    """Condition on the rows `t` that the class reaches without a context, None where there are none."""
    return {"all": "true", "published": f"t.{table.published}"}.get(table.read.get(scope, ""))
