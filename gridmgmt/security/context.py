"""The signed context that tells PostgreSQL for whom a transaction runs."""

import hmac
import time
from collections.abc import Callable

from gridmgmt.database import Actor, Sign

LIFETIME = 30
"""Seconds; a transaction of a person is over long before. The loader's works through whole files and has an hour."""
LOADER_LIFETIME = 3600


def signer(kid: str, key: bytes, *, now: Callable[[], float] = time.time) -> Sign:
    """A function that signs contexts under the key `kid` (32 bytes): `v1|kid|class|account|device|pid|expiry|mac`."""

    def sign(actor: Actor, pid: int) -> str:
        lifetime = LOADER_LIFETIME if actor.scope == "loader" else LIFETIME
        words = ("v1", kid, actor.scope, str(actor.account_id), actor.device, str(pid), str(int(now()) + lifetime))
        if any("|" in word for word in words):
            raise ValueError("a part of the context may not hold the separator")
        body = "|".join(words)
        return f"{body}|{hmac.digest(key, body.encode(), 'sha256').hex()}"

    return sign
