"""Which representation is wanted. So far there is one, so this only refuses what is not there."""

from typing import Annotated, Literal

from fastapi import Depends, Query

Format = Literal["json"]


async def _format(
    f: Annotated[Format, Query(description="Representation; `json` is GeoJSON where features are answered")] = "json",
) -> Format:
    return f


FormatDep = Annotated[Format, Depends(_format)]
"""The parameter `f`."""
