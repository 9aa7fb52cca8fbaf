"""Health."""

from typing import Literal

from api.schemas.base import Answer


class Alive(Answer):
    """The process lives."""

    status: Literal["ok"]


class Check(Answer):
    """One thing that must be true."""

    name: str
    ok: bool


class Ready(Answer):
    """Whether requests can be served."""

    status: Literal["ok", "failed"]
    demo_mode: bool
    checks: list[Check]
