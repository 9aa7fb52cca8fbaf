"""Many rows by one statement: the triggers of a table look once, however many there are."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import JSON, Text, bindparam, cast, column, func, insert, select
from sqlalchemy.orm import Session

from gridmgmt.models import Base


def add_rows(session: Session, model: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all name the same columns."""
    if not rows:
        return
    columns = [column(name, model.__table__.c[name].type) for name in rows[0]]
    sent = cast(bindparam("rows", orjson.dumps(rows, default=str).decode(), type_=Text), JSON)
    told = func.json_to_recordset(sent).table_valued(*columns).render_derived(with_types=True)
    session.execute(insert(model).from_select([one.name for one in columns], select(*told.c)))
