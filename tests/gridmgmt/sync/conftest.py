"""What tests of several files take."""

from tests.pushing import hand

__all__ = ["hand"]
