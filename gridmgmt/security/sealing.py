"""Sealing of single fields: AES-256-GCM bound to the row, and a keyed blind index to find a sealed number again.

A sealed value is one byte of key version, twelve bytes of nonce, then ciphertext and tag. The additional data
`table|column|row id` make a value that was copied into another row worthless. The blind index is the first 16 bytes of HMAC-SHA-256
under a key of its own: an unkeyed hash of an identity number falls to a laptop in a minute.
"""

import hashlib
import hmac
import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gridmgmt.security.keys import Keys, load_keys
from gridmgmt.settings import Settings

NONCE = 12

Field = Literal["identity|id_enc", "person_secret|phone_enc", "dead_letter|body_enc", "conflict|phone_enc"]


class SealError(Exception):
    """A sealed value that cannot be opened: damaged, moved to another row, or under a key that is not here."""


@dataclass(frozen=True)
class Sealer:
    """Seals under the newest key, opens under any."""

    ciphers: dict[int, AESGCM]
    version: int
    index_key: bytes

    @classmethod
    def of(cls, keys: Keys) -> "Sealer":
        """The sealer of an installation."""
        return cls({version: AESGCM(key) for version, key in keys.sealing.items()}, keys.sealing_version, keys.blind_index)

    def seal(self, field: Field, row: uuid.UUID, value: str) -> bytes:
        """The value, sealed for this field of this row."""
        nonce = os.urandom(NONCE)
        return bytes([self.version]) + nonce + self.ciphers[self.version].encrypt(nonce, value.encode(), _bound(field, row))

    def open(self, field: Field, row: uuid.UUID, sealed: bytes) -> str:
        """The value again. Raises SealError."""
        cipher = self.ciphers.get(sealed[0]) if len(sealed) > NONCE + 1 else None
        if cipher is None:
            raise SealError(f"{field} of {row} is sealed under a key that is not here")
        try:
            return cipher.decrypt(sealed[1 : NONCE + 1], sealed[NONCE + 1 :], _bound(field, row)).decode()
        except InvalidTag:
            raise SealError(f"{field} of {row} is damaged or belongs to another row") from None

    def blind_index(self, number: str) -> bytes:
        """16 bytes by which a normalised identity number is found; useless without the key."""
        return hmac.new(self.index_key, number.encode(), hashlib.sha256).digest()[:16]


def follow_keys(settings: Settings) -> Callable[[], Sealer]:
    """A source of the sealer that goes with the key files: a rotation beside a running server is noticed at the next use.

    Key files are put in place by renaming, which changes the folder's time; nothing else is looked at until then. Raises KeysError
    when the files cannot be read.
    """
    folder = settings.places.key_folder
    known: tuple[int, Sealer] | None = None

    def current() -> Sealer:
        nonlocal known
        changed = folder.stat().st_mtime_ns
        if known is None or known[0] != changed:
            known = (changed, Sealer.of(load_keys(settings)))
        return known[1]

    return current


def _bound(field: Field, row: uuid.UUID) -> bytes:
    return f"{field}|{row}".encode()
