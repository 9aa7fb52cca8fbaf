"""Refresh tokens of handhelds: each is made from the one before, so that a lost answer is given again, word for word.

A token is HMAC-SHA-256 over the device and the SHA-256 of the token that it follows, under a key derived from the blind index's, which
never changes. Repetitions of one refresh, at once or late, get the same next token, so none of them locks a device out. And the register
can tell a token that comes after the one it knows, which happens when it is restored from a backup, from one that came before.
"""

import hashlib
import hmac
import uuid
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gridmgmt.security.sealing import Sealer

FARTHEST: Final = 10_000
"""Tokens between a backup and now that are believed: one each quarter of an hour for a hundred days."""
_NOBODY: Final = bytes(32)


@dataclass(frozen=True)
class Chain:
    """Makes the tokens of an installation."""

    key: bytes

    @classmethod
    def of(cls, sealer: Sealer) -> "Chain":
        """The chain of whoever seals."""
        return cls(hmac.digest(sealer.index_key, b"gridmgmt refresh tokens", "sha256"))

    def first(self, code: bytes, public_key: bytes) -> str:
        """The token of a device that is let in by the code with this hash."""
        return self._made(b"first|" + code + public_key)

    def after(self, device: uuid.UUID, taken: bytes) -> str:
        """The token that follows the one with this hash."""
        return self._made(b"after|" + device.bytes + taken)

    def reaches(self, device: uuid.UUID, taken: bytes, *, present: bytes) -> bool:
        """Whether the token with the hash `taken` comes after the one with the hash `present`."""
        for _ in range(FARTHEST):
            present = hash_of(self.after(device, present))
            if present == taken:
                return True
        return False

    def _made(self, words: bytes) -> str:
        return encoded(hmac.digest(self.key, words, "sha256"))


def hash_of(token: str) -> bytes:
    """SHA-256 of a token or code, which is all that is kept of it."""
    return hashlib.sha256(token.encode()).digest()


def encoded(raw: bytes) -> str:
    """Base64url without padding."""
    return urlsafe_b64encode(raw).decode().rstrip("=")


def proves(public_key: bytes | None, signature: bytes, *words: object) -> bool:
    """Whether the signature (Ed25519, RFC 8032) over the words, with `|` between them, is of the key. Never of None, in the same time."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key or _NOBODY).verify(signature, "|".join(map(str, words)).encode())
    except (InvalidSignature, ValueError):
        return False
    return public_key is not None
