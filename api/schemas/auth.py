"""Log-in."""

from typing import Literal

from api.schemas.base import Answer, Body, Name, Secret


class Credentials(Body):
    """User name and password."""

    username: Name
    password: Secret


class TokenIssued(Answer):
    """A bearer token, good for `expires_in` seconds."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    role: str
