"""The fixtures of an installation that holds the drawn district."""

from tests.drawn import drawn, drawn_template
from tests.installed import installed

__all__ = ["drawn", "drawn_template", "installed"]
