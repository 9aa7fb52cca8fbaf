"""What kind of file it is, told by its first bytes and never by what its sender calls it."""

from collections.abc import Mapping
from typing import Final

HEAD: Final = 64
"""First bytes that are looked at."""
TYPES: Final[Mapping[str, str]] = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "image/heic": "heic",
    "application/pdf": "pdf",
}
"""The types that are taken, and how the names of such files end."""
_HEIC: Final = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"})


def type_of(head: bytes) -> str | None:
    """The media type by the first bytes, None for what is not taken.

    HEIC (ISO/IEC 23008-12) is an ISO base media file: its first box, `ftyp`, names a major brand and those it is compatible with. One
    whose major brand is `mif1`, any coding, is taken when it names one of HEVC beside it.
    """
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:8] == b"ftyp":
        box = head[: int.from_bytes(head[:4])]
        brands = {box[8:12]} | ({box[at : at + 4] for at in range(16, len(box), 4)} if box[8:12] == b"mif1" else set[bytes]())
        return "image/heic" if brands & _HEIC else None
    return "application/pdf" if head.startswith(b"%PDF-") else None
