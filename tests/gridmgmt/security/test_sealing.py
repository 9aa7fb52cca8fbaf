import uuid

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from gridmgmt.security.keys import Keys
from gridmgmt.security.sealing import Sealer, SealError

ROW = uuid.UUID("018f0000-0000-7000-8000-000000000001")
OTHER = uuid.UUID("018f0000-0000-7000-8000-000000000002")


def keys(*versions: int) -> Keys:
    sealing = {version: bytes([version]) * 32 for version in versions}
    return Keys("k1", b"c" * 32, sealing, b"b" * 32, Ed25519PrivateKey.generate())


SEALER = Sealer.of(keys(1))


def test_a_value_in_another_row_does_not_open() -> None:
    sealed = SEALER.seal("identity|id_enc", ROW, "11010519491231002X")
    with pytest.raises(SealError, match="another row"):
        SEALER.open("identity|id_enc", OTHER, sealed)


def test_a_value_in_another_column_does_not_open() -> None:
    sealed = SEALER.seal("identity|id_enc", ROW, "11010519491231002X")
    with pytest.raises(SealError, match="another row"):
        SEALER.open("person_secret|phone_enc", ROW, sealed)


@given(st.integers(min_value=0, max_value=60), st.integers(min_value=1, max_value=255))
def test_a_changed_byte_anywhere_does_not_open(place: int, change: int) -> None:
    sealed = bytearray(SEALER.seal("identity|id_enc", ROW, "11010519491231002X"))
    sealed[place % len(sealed)] ^= change
    with pytest.raises(SealError):
        SEALER.open("identity|id_enc", ROW, bytes(sealed))


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x01" + b"0" * 12, b"\x09" + b"0" * 40])
def test_too_short_values_and_unknown_keys_are_refused(sealed: bytes) -> None:
    with pytest.raises(SealError):
        SEALER.open("identity|id_enc", ROW, sealed)


def test_the_error_does_not_show_the_value() -> None:
    sealed = SEALER.seal("identity|id_enc", ROW, "11010519491231002X")
    with pytest.raises(SealError) as caught:
        SEALER.open("identity|id_enc", OTHER, sealed)
    assert "1101" not in str(caught.value)


@given(st.text(st.characters(codec="utf-8")))
def test_what_was_sealed_opens_again(value: str) -> None:
    assert SEALER.open("identity|id_enc", ROW, SEALER.seal("identity|id_enc", ROW, value)) == value


def test_the_newest_key_seals_and_the_older_still_opens() -> None:
    before = SEALER.seal("identity|id_enc", ROW, "old")
    rotated = Sealer.of(keys(1, 2))
    assert rotated.seal("identity|id_enc", ROW, "new")[0] == 2
    assert rotated.open("identity|id_enc", ROW, before) == "old"


def test_one_value_is_never_sealed_to_the_same_bytes_twice() -> None:
    assert SEALER.seal("identity|id_enc", ROW, "x") != SEALER.seal("identity|id_enc", ROW, "x")


def test_the_blind_index_is_a_truncated_hmac_sha256() -> None:
    # printf 11010519491231002X | openssl dgst -sha256 -mac HMAC -macopt key:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
    assert SEALER.blind_index("11010519491231002X").hex() == "33bcff3e44c93c80378e2ce95a6f4480"
