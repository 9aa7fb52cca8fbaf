"""Passwords: hashed dearly, a few at a time, and no cheaper for a name that is not there."""

import threading
import time
from typing import Literal

import pytest
from argon2 import PasswordHasher, extract_parameters

from gridmgmt.errors import BusyError, InvalidError
from gridmgmt.security.passwords import Passwords


class Counting(PasswordHasher):
    """Keeps the hashes that passwords were held against."""

    def __init__(self, *, time_cost: int, memory_cost: int, parallelism: int) -> None:
        super().__init__(time_cost, memory_cost, parallelism)
        self.verified: list[str] = []

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 -- the library's word
        self.verified.append(str(hash))
        return super().verify(hash, password)


CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def test_short_password_is_refused_except_in_demo_mode() -> None:
    cheap = Passwords(hasher=CHEAP)
    with pytest.raises(InvalidError):
        cheap.hash("eleven char")
    assert cheap.matches(cheap.hash("demo", demo=True), "demo")


def test_password_longer_than_200_characters_is_refused() -> None:
    with pytest.raises(InvalidError):
        Passwords(hasher=CHEAP).hash("x" * 201)


def test_only_the_password_itself_matches() -> None:
    cheap = Passwords(hasher=CHEAP)
    known = cheap.hash("correct horse")
    assert cheap.matches(known, "correct horse")
    assert not cheap.matches(known, "correct horse ")
    assert not cheap.matches("not a hash", "correct horse")


def test_nobodys_password_costs_what_somebodys_does() -> None:
    counting = Counting(time_cost=2, memory_cost=16, parallelism=1)
    passwords = Passwords(hasher=counting)
    known = passwords.hash("correct horse")
    assert not passwords.matches(known, "wrong horse")
    assert not passwords.matches(None, "wrong horse")
    somebodys, nobodys = counting.verified
    assert somebodys == known
    assert extract_parameters(nobodys) == extract_parameters(known)


def test_usual_hash_takes_64_mebibytes() -> None:
    assert Passwords().hash("correct horse").startswith("$argon2id$v=19$m=65536,")


def test_log_in_that_waits_too_long_is_told_so() -> None:
    slow = Passwords(at_once=1, patience=0.05, hasher=PasswordHasher(time_cost=200, memory_cost=8192, parallelism=1))
    first = threading.Thread(target=slow.hash, args=("correct horse",))
    first.start()
    time.sleep(0.1)  # it hashes for a second or more
    with pytest.raises(BusyError):
        slow.matches(None, "y")
    first.join()
