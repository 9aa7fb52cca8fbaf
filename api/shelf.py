"""Documents that were made once and are asked for again."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

MOST: Final = 24
LARGEST: Final = 8 * 1024 * 1024
"""Bytes of a document that is kept."""


class Shelf:
    """The last documents by their keys; the one that nobody asked for the longest goes first. For one event loop."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()

    def find(self, key: Hashable) -> bytes | None:
        """The document, if it is still here."""
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def put(self, key: Hashable, document: bytes) -> None:
        """Keep a document that is not too large."""
        if len(document) <= LARGEST:
            self._kept[key] = document
            self._kept.move_to_end(key)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
