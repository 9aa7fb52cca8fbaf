"""The drawn district, for what accounts do."""

from tests.drawn import drawn, drawn_template

__all__ = ["drawn", "drawn_template"]
