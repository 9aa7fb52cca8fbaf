"""How long it takes to build the demo district, sealing included."""

from collections.abc import Iterator

from bench.stage import Figure, Stage

LIMIT = 60.0
"""Seconds on two cores."""


def measure(stage: Stage) -> Iterator[Figure]:
    """Seconds against the limit."""
    yield Figure("demo_build", stage.seconds, LIMIT, "s", "limit", ("<=", 1.0))
