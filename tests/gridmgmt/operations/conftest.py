"""The fixtures of an installation that holds the drawn district."""

from tests.installed import installed

__all__ = ["installed"]
