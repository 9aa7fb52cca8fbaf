"""Bearer tokens: signed by Ed25519, good for minutes, dead as soon as the account's epoch moves on."""

import time
import uuid
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from gridmgmt.database import CLASS_OF_ROLE, Actor
from gridmgmt.errors import UnauthenticatedError

ISSUER = "gridmgmt"
AUDIENCE = "gridmgmt-api"
ALGORITHM = "Ed25519"
LONGEST = 2048
MOST_KNOWN = 2000
"""Tokens that are remembered as verified."""


class Tokens:
    """Issues and reads the tokens of an installation."""

    def __init__(self, key: Ed25519PrivateKey, lifetime: int, *, now: Callable[[], float] = time.time) -> None:
        """`lifetime` is in seconds."""
        self.lifetime = lifetime
        self._key = OKPKey.import_key(key)
        self._now = now
        self._known: dict[str, tuple[Actor, int]] = {}
        self._claims = jwt.JWTClaimsRegistry(
            now=lambda: int(now()),
            iss={"essential": True, "value": ISSUER},
            aud={"essential": True, "value": AUDIENCE},
            sub={"essential": True},
            name={"essential": True},
            role={"essential": True, "values": list(CLASS_OF_ROLE)},
            epoch={"essential": True, "allow_blank": True},
            iat={"essential": True},
            exp={"essential": True},
            jti={"essential": True},
        )

    def issue(self, actor: Actor) -> str:
        """A token of the actor, bound to the actor's device where there is one."""
        now = int(self._now())
        claims: dict[str, object] = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(actor.account_id),
            "name": actor.username,
            "role": actor.role,
            "epoch": actor.epoch,
            "iat": now,
            "exp": now + self.lifetime,
            "jti": uuid.uuid4().hex,
        }
        if actor.device:
            claims["device"] = actor.device
        return jwt.encode({"alg": ALGORITHM}, claims, self._key, algorithms=[ALGORITHM])

    def read(self, token: str) -> Actor:
        """Whose token it is. Raises UnauthenticatedError for one that is forged, expired or not ours; says no more than that.

        A signature is verified once: a client sends its token with each of hundreds of requests, and what was signed stays signed.
        When it expires is looked at each time; whether the account still stands, PostgreSQL looks in each transaction.
        """
        known = self._known.get(token)
        if known is not None and int(self._now()) < known[1]:
            return known[0]
        actor, expires = self._verify(token)
        if len(self._known) >= MOST_KNOWN:
            del self._known[next(iter(self._known))]
        self._known[token] = actor, expires
        return actor

    def ends(self, token: str) -> int:
        """The second in which a token ends. Raises as `read` does."""
        self.read(token)
        return self._known[token][1]

    def _verify(self, token: str) -> tuple[Actor, int]:
        """The actor, and the second in which the token ends."""
        if len(token) > LONGEST or not token.isascii():
            raise _refused()
        try:
            claims = jwt.decode(token, self._key, algorithms=[ALGORITHM]).claims
            self._claims.validate(claims)
        except (JoseError, ValueError):
            raise _refused() from None
        subject, name, role, epoch = claims["sub"], claims["name"], claims["role"], claims["epoch"]
        if not (isinstance(subject, str) and subject.isascii() and subject.isdecimal() and isinstance(epoch, int)):
            raise _refused()
        device = claims.get("device", "")
        if not (isinstance(name, str) and isinstance(role, str) and isinstance(device, str)):
            raise _refused()
        return Actor(int(subject), name, role, CLASS_OF_ROLE[role], epoch, device), int(claims["exp"])


def _refused() -> UnauthenticatedError:
    return UnauthenticatedError("the token is not valid or has expired: log in again")
