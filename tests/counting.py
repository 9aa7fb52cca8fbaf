"""How much Python does, counted in calls: the same on any machine, where a clock is not."""

import sys
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def calls_below(most: int) -> Generator[None]:
    """Raises AssertionError in the block at the call, or return, that is one too many."""
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1
        assert calls < most

    sys.setprofile(count)
    try:
        yield
    finally:
        sys.setprofile(None)
