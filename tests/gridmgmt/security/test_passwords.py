"""Passwords: hashed dearly, a few at a time, and no cheaper for a name that is not there."""

import statistics
import threading
import time

import pytest
from argon2 import PasswordHasher

from gridmgmt.errors import BusyError, InvalidError
from gridmgmt.security.passwords import Passwords

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


def test_nobodys_password_takes_as_long_as_somebodys() -> None:
    slow = Passwords(hasher=PasswordHasher(time_cost=8, memory_cost=8192, parallelism=1))
    known = slow.hash("correct horse")
    slow.matches(None, "first")  # the hash that stands for nobody is made when first needed

    def took(hashed: str | None) -> float:
        began = time.process_time()
        assert not slow.matches(hashed, "wrong horse")
        return time.process_time() - began

    ratio = statistics.median(took(None) for _ in range(9)) / statistics.median(took(known) for _ in range(9))
    assert 0.5 < ratio < 2


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
