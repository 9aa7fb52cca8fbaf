"""Parameters that lists and reads share."""

from typing import Annotated, Any

from fastapi import Query
from pydantic import StringConstraints

from api.schemas.base import AreaCode, Day, Moment, Name

AreaFilter = Annotated[AreaCode | None, Query(alias="area", description="Code of a district (6 digits), subdistrict (9) or community (12)")]
GridFilter = Annotated[
    Annotated[str, StringConstraints(pattern=r"^[0-9]{15}$")] | None, Query(alias="grid", description="Code of a base grid")
]
CodeFilter = Annotated[
    Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z/_-]{1,40}$")] | None, Query(description="Beginning of the code")
]
NameFilter = Annotated[Name | None, Query(description="Beginning of the name")]
ValidOn = Annotated[Day | None, Query(description="What was true on this day")]
FirstDay = Annotated[Day | None, Query(alias="from", description="First day")]
LastDay = Annotated[Day | None, Query(alias="to", description="Last day")]
AsOf = Annotated[Moment | None, Query(description="What was believed at this time")]


def absent() -> Any:
    """Default of a member that may be left out of a correction though it takes no null."""
    return None
