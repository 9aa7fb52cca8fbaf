"""Uploaded files as they are told of. Their bytes travel as they are."""

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, Strict, StringConstraints, model_validator

from api.schemas.base import INT8, Answer, Body, EntityId, Moment, read_digits
from gridmgmt.sync.files import Kind

ContentType = Literal["image/jpeg", "image/png", "image/webp", "image/heic", "application/pdf"]
State = Literal["open", "complete", "refused", "expired"]
_NO_WORD: Final = re.compile('[\x00-\x1f\x7f-\x9f/\\\\:*?"<>|\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029\ud800-\udfff\ufffe\uffff]')


def _word(name: str) -> str:
    if name.startswith(".") or _NO_WORD.search(name):
        raise ValueError("is a name, not a path, without signs that systems take for something else")
    return name


FileName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=150), AfterValidator(_word)]
"""What the sender calls the file: a word to show, by which nothing is ever found."""
ByteCount = Annotated[int, Strict(strict=False), BeforeValidator(read_digits), Field(ge=0, le=INT8)]
"""A number of bytes in a header, as plain digits."""


class FileSaid(Body):
    """What `Upload-Metadata` may say of a file. A client that works offline chooses the id, and names it in its records."""

    filename: FileName | None = None
    filetype: ContentType | None = None
    kind: Kind | None = None
    entity: EntityId | None = None
    id: EntityId | None = None
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = None

    @model_validator(mode="after")
    def _belongs_to_one(self) -> "FileSaid":
        if (self.kind is None) != (self.entity is None):
            raise ValueError("kind and entity stand together")
        return self

    def kept(self) -> dict[str, str]:
        """What is kept as it was said."""
        return self.model_dump(mode="json", include={"filename", "filetype", "kind", "entity"}, exclude_none=True)


class FileLinkShown(Answer):
    """What a file belongs to."""

    kind: str
    entity_id: EntityId
    grid_id: int
    subdistrict_id: int
    linked_at: Moment


class FileShown(Answer):
    """A file. `content_type` is what its bytes say, `filetype` what its sender said; `sha256` in hexadecimal digits."""

    id: EntityId
    account_id: int
    device_id: EntityId | None
    state: State
    length: int
    received: int
    content_type: ContentType | None
    sha256: str | None
    filename: str | None
    filetype: ContentType | None
    created_at: Moment
    expires_at: Moment
    completed_at: Moment | None
    links: list[FileLinkShown]
