"""Bearer tokens: whose they are, and all that makes them worthless."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jwt
from joserfc.jwk import OctKey, OKPKey

from gridmgmt.database import Actor
from gridmgmt.errors import UnauthenticatedError
from gridmgmt.security.tokens import AUDIENCE, ISSUER, MOST_KNOWN, Tokens

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
WORKER = Actor(7, "worker", "worker", "field", 3)
NOW = 1_700_000_000


def tokens(now: int = NOW) -> Tokens:
    return Tokens(KEY, 900, now=lambda: now)


def claims(**changed: Any) -> dict[str, Any]:
    good = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "7",
        "name": "worker",
        "role": "worker",
        "epoch": 3,
        "iat": NOW,
        "exp": NOW + 900,
        "jti": "x",
    }
    return {name: value for name, value in (good | changed).items() if value is not None}


def signed(**changed: Any) -> str:
    return jwt.encode({"alg": "Ed25519"}, claims(**changed), OKPKey.import_key(KEY), algorithms=["Ed25519"])


def test_token_tells_whose_it_is() -> None:
    assert tokens().read(tokens().issue(WORKER)) == WORKER


def test_token_ends_after_its_lifetime() -> None:
    token = tokens().issue(WORKER)
    assert tokens(NOW + 899).read(token) == WORKER
    with pytest.raises(UnauthenticatedError):
        tokens(NOW + 900).read(token)


def test_token_that_was_read_before_ends_all_the_same() -> None:
    clock = [NOW]
    reading = Tokens(KEY, 900, now=lambda: clock[0])
    token = reading.issue(WORKER)
    assert [reading.read(token), reading.read(token)] == [WORKER, WORKER]
    clock[0] = NOW + 899
    assert reading.read(token) == WORKER
    clock[0] = NOW + 900
    for _ in range(2):
        with pytest.raises(UnauthenticatedError):
            reading.read(token)


def test_tokens_that_are_remembered_stay_apart_and_are_not_too_many() -> None:
    reading = tokens()
    actors = [Actor(number, "worker", "worker", "field", 3) for number in range(1, MOST_KNOWN + 20)]
    issued = [reading.issue(actor) for actor in actors]
    assert [reading.read(token) for token in issued] == actors
    assert reading.read(issued[0]) == actors[0]  # long forgotten, verified again
    with pytest.raises(UnauthenticatedError):
        reading.read(issued[1][:-8] + issued[2][-8:])


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "else"}, {"aud": "else"}, {"role": "king"}, {"role": None}, {"epoch": None}, {"epoch": "3"}, {"sub": None}, {"sub": "-7"},
        {"sub": "٧"}, {"exp": None}, {"exp": float("nan")}, {"iat": NOW + 3600}, {"jti": None}, {"name": None}, {"name": 5},
    ],
    ids=str,
)  # fmt: skip
def test_token_with_a_wrong_claim_is_refused_although_it_is_signed(changed: dict[str, Any]) -> None:
    assert tokens().read(signed()) == WORKER
    with pytest.raises(UnauthenticatedError):
        tokens().read(signed(**changed))


def test_token_of_another_installation_is_refused() -> None:
    stranger = Tokens(Ed25519PrivateKey.generate(), 900, now=lambda: NOW)
    with pytest.raises(UnauthenticatedError):
        tokens().read(stranger.issue(WORKER))


def test_token_cannot_choose_its_own_algorithm() -> None:
    public = OctKey.import_key(KEY.public_key().public_bytes_raw())
    with_secret = jwt.encode({"alg": "HS256"}, claims(), public)
    header = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).decode().rstrip("=")
    unsigned = f"{header}.{signed().split('.')[1]}."
    for forged in (with_secret, unsigned):
        with pytest.raises(UnauthenticatedError):
            tokens().read(forged)


def test_garbage_is_refused() -> None:
    good = signed()
    for garbage in ("", ".", "..", "...", "a.b.c", good[:-2], good + "x", good.replace(".", ""), "é" * 10, "x" * 5000, "\0", good.upper()):
        with pytest.raises(UnauthenticatedError):
            tokens().read(garbage)
