"""The demo district that the guides talk about."""

from tests.embedded import embedded

__all__ = ["embedded"]
