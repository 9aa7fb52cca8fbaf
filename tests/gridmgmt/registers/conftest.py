"""The drawn district, for verbs."""

from tests.drawn import drawn, drawn_template

__all__ = ["drawn", "drawn_template"]
