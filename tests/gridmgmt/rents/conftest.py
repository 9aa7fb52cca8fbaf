"""The drawn district with its leases observed."""

from tests.drawn import drawn, drawn_template

__all__ = ["drawn", "drawn_template"]
