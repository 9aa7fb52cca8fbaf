"""Runs the migrations as `reg_deploy`, which owns nothing and takes the owners' roles statement by statement.

One advisory lock lets a second migrator wait instead of colliding; the lock timeout keeps a migration from queueing behind a long
query and stopping everybody behind it.
"""

from alembic import context
from geoalchemy2 import alembic_helpers
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.dialects.postgresql.base import ischema_names

from gridmgmt.models import Base
from gridmgmt.models.trail import Xid8

# SQLAlchemy does not know this type when it reads a database.
ischema_names["xid8"] = Xid8  # pyright: ignore[reportArgumentType]
LOCK = 0x67726964  # 'grid'


def include_name(name: str | None, kind: str, _parents: object) -> bool:
    """Compare our own schemas only; the extensions' tables are not ours."""
    return name in {"reg", "sync"} if kind == "schema" else True


def include_object(item: object, name: str | None, kind: str, reflected: bool, compare_to: object) -> bool:
    """Leave out the twins of superseded rows: the migrations derive them from their table, and no model writes them."""
    if kind == "table" and name is not None and (name.endswith("_past") or name.startswith("audit_") or name == "alembic_version"):
        return False
    return alembic_helpers.include_object(item, name, kind, reflected, compare_to)


def run(connection: Connection | None, url: str | None = None) -> None:
    """Run the migrations on `connection`, or print them for `url` when it is None."""
    context.configure(
        connection=connection,
        url=url,
        target_metadata=Base.metadata,
        version_table_schema="reg",
        include_schemas=True,
        include_name=include_name,
        include_object=include_object,
        render_item=alembic_helpers.render_item,
        compare_server_default=False,
        literal_binds=connection is None,
        dialect_opts={"paramstyle": "named"} if connection is None else None,
    )
    with context.begin_transaction():
        context.run_migrations()


def online(connection: Connection) -> None:
    """Wait for the migrators' lock, become the register's owner, migrate, commit."""
    connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": LOCK})
    connection.execute(text("SET lock_timeout = '2s'"))
    connection.execute(text("SET statement_timeout = '10min'"))
    connection.execute(text("SET ROLE reg_owner"))
    connection.commit()
    try:
        run(connection)
        connection.commit()
    finally:
        connection.rollback()
        connection.execute(text("RESET ROLE"))
        connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": LOCK})
        connection.commit()


if context.is_offline_mode():
    run(None, context.config.get_main_option("sqlalchemy.url") or "postgresql+psycopg://")
elif isinstance(given := context.config.attributes.get("connection"), Connection):
    online(given)
else:
    with create_engine(context.config.get_main_option("sqlalchemy.url") or "").connect() as own:
        online(own)
