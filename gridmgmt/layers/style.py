"""How a layer is drawn: by which property, in which colours, and what each colour says."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Shade:
    """A colour and what it stands for."""

    value: str | bool | float
    """The value of the property; of a number the least, up to the next shade's."""
    colour: str
    title: str
    title_zh: str


@dataclass(frozen=True)
class Style:
    """One way to draw a layer."""

    name: str
    title: str
    title_zh: str
    colour: str
    """Of everything, or of what no shade fits."""
    property: str | None = None
    """By whose values the shades are given. It must be among what tiles carry."""
    shades: tuple[Shade, ...] = ()
    opacity: float = 0.7
    """Of areas, from 0 to 1. Their borders are opaque."""
    width: float = 1.0
    """Of borders, in pixels."""
    label: str | None = None
    """The property that is written on each feature. It must be among what tiles carry."""
    share: str | None = None
    """Far away, where features are counted: which of the numbers is shaded as a share of the count. None for the count itself."""
    only: tuple[str, str] | None = None
    """A property and its value: no other features are drawn. It must be among what tiles carry."""
    counted: bool = False
    """Whether features are counted at every level of the map, not only where they are far away."""
