"""How many do at once what few may."""

from collections.abc import Generator
from contextlib import contextmanager

from gridmgmt.errors import BusyError


class Turns:
    """A number of turns; whoever finds none free is told to come back."""

    def __init__(self, most: int, refusal: str = "as many large files are being made as may be at once") -> None:
        self._free = most
        self._refusal = refusal

    @contextmanager
    def taken(self) -> Generator[None]:
        """One turn, until the end of the block. Raises BusyError (503) when none is free."""
        if not self._free:
            raise BusyError(self._refusal)
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1
