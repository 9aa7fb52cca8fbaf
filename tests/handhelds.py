"""Handhelds for tests: enrolled in the database without HTTP, and clients that speak as they do."""

import hashlib
import secrets
import uuid
from base64 import urlsafe_b64encode
from dataclasses import dataclass, replace

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI
from starlette.testclient import TestClient

from gridmgmt.database import Actor
from gridmgmt.security.tokens import Tokens
from gridmgmt.sync.kinds import SCHEMA
from tests.drawn import Drawn
from tests.places import KEYS


@dataclass(frozen=True)
class Device:
    """A handheld as its holder has it."""

    id: uuid.UUID
    key: Ed25519PrivateKey
    actor: Actor
    """Whoever holds it, with the device in it."""
    token: str
    """A bearer token, good for 15 minutes."""
    refresh_token: str

    @property
    def headers(self) -> dict[str, str]:
        """What every request to /v1/sync carries."""
        return {"Authorization": f"Bearer {self.token}", "X-Device-Id": str(self.id), "X-Schema-Version": str(SCHEMA)}

    def sign(self, *words: object) -> str:
        """Signature over the words with `|` between them."""
        return signature(self.key, *words)


def enrolled(drawn: Drawn, username: str = "worker", *, status: str = "active") -> Device:
    """A handheld of an account of the drawn district. Commits."""
    key, refresh_token = Ed25519PrivateKey.generate(), secrets.token_urlsafe(32)
    actor = drawn.places.accounts[username]
    with psycopg.connect(drawn.address.conninfo("postgres"), autocommit=True) as superuser:
        row = superuser.execute(
            "INSERT INTO sync.device (account_id, label, public_key, refresh_hash, status) VALUES (%s, %s, %s, %s, %s) RETURNING id",
            [
                actor.account_id,
                f"{username}'s",
                key.public_key().public_bytes_raw(),
                hashlib.sha256(refresh_token.encode()).digest(),
                status,
            ],
        ).fetchone()
    assert row is not None
    holder = replace(actor, device=str(row[0]))
    return Device(row[0], key, holder, Tokens(KEYS.token, 900).issue(holder), refresh_token)


def speaking(app: FastAPI, client: TestClient, device: Device) -> TestClient:
    """A client that sends the device's headers. Runs in the event loop of `client`, to which the pools belong."""
    known = TestClient(app, headers=device.headers)
    known.portal = client.portal
    return known


def signature(key: Ed25519PrivateKey, *words: object) -> str:
    """Base64url of the Ed25519 signature over the words with `|` between them."""
    return encoded(key.sign("|".join(map(str, words)).encode()))


def encoded(raw: bytes) -> str:
    """Base64url without padding."""
    return urlsafe_b64encode(raw).decode().rstrip("=")
