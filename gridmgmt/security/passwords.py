"""Passwords: argon2id, a few at a time.

One verification takes 64 MiB and up to 0.2 s of a processor on purpose. Without a bound, a crowd of log-ins would take the machine.
"""

import secrets
from collections.abc import Generator
from contextlib import contextmanager
from functools import cached_property
from threading import BoundedSemaphore
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from gridmgmt.errors import BusyError, InvalidError

SHORTEST: Final = 12
LONGEST: Final = 200
PATIENCE: Final = 5.0
"""Seconds that a log-in waits for its turn."""


class Passwords:
    """Hashes and verifies, at most `at_once` at a time."""

    def __init__(self, *, at_once: int = 2, patience: float = PATIENCE, hasher: PasswordHasher | None = None) -> None:
        """The hasher's parameters are those of RFC 9106 for little memory unless given."""
        self._hasher = hasher or PasswordHasher()
        self._patience = patience
        self._turns = BoundedSemaphore(at_once)

    def hash(self, password: str, *, demo: bool = False) -> str:
        """The hash of a new password. Raises InvalidError for one too short; `demo` takes any."""
        if len(password) < SHORTEST and not demo:
            raise InvalidError(f"a password has at least {SHORTEST} characters", field="password")
        if len(password) > LONGEST:
            raise InvalidError(f"a password has at most {LONGEST} characters", field="password")
        with self._turn():
            return self._hasher.hash(password)

    def matches(self, known: str | None, password: str) -> bool:
        """Whether the password is the one behind the hash. Without a hash it does the same work, and says no."""
        with self._turn():
            try:
                return self._hasher.verify(known or self._nobodys, password) and known is not None
            except (VerifyMismatchError, InvalidHashError):
                return False

    @contextmanager
    def _turn(self) -> Generator[None]:
        if not self._turns.acquire(timeout=self._patience):
            raise BusyError("too many log-ins at once")
        try:
            yield
        finally:
            self._turns.release()

    @cached_property
    def _nobodys(self) -> str:
        return self._hasher.hash(secrets.token_hex(16))
