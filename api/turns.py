"""How many do at once what few may."""

from collections import Counter
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager

import anyio

from gridmgmt.errors import BusyError


class Turns:
    """A number of turns; whoever finds none free is told to come back."""

    def __init__(
        self, most: int, refusal: str = "as many large files are being made as may be at once", *, each: int | None = None
    ) -> None:
        """`each`: how many of them one and the same may have, so that nobody has all."""
        self._free = most
        self._refusal = refusal
        self._each = each
        self._held: Counter[str] = Counter()

    @contextmanager
    def taken(self, whose: str = "") -> Generator[None]:
        """One turn, until the end of the block. Raises BusyError (503) when none is free, or whoever asks has enough."""
        if not self._free or (self._each is not None and self._held[whose] >= self._each):
            raise BusyError(self._refusal)
        self._free -= 1
        self._held[whose] += 1
        try:
            yield
        finally:
            self._free += 1
            self._held[whose] -= 1
            if not self._held[whose]:
                del self._held[whose]


class Queue:
    """A number of turns for which one may wait a moment: then whoever is let in is served soon, and whoever is not knows it soon."""

    def __init__(self, most: int, patience: float, refusal: str, *, line: int) -> None:
        """`patience` in seconds. `line`: how many may wait; whoever comes later would wait in vain."""
        self._turns = anyio.Semaphore(most, fast_acquire=True)
        self._patience = patience
        self._refusal = refusal
        self._line = line

    def require_room(self) -> None:
        """Raises BusyError (503) when the line is full: to be asked first, because what is read of a request in vain takes from others."""
        if self._turns.statistics().tasks_waiting >= self._line:
            raise BusyError(self._refusal)

    @asynccontextmanager
    async def taken(self) -> AsyncGenerator[None]:
        """One turn, until the end of the block. Raises BusyError (503) when none came free in time."""
        with anyio.move_on_after(self._patience) as waiting:
            await self._turns.acquire()
        if waiting.cancelled_caught:
            raise BusyError(self._refusal)
        try:
            yield
        finally:
            self._turns.release()
