"""Handhelds as they travel: enrolment, tokens, standing, and what they are told before they sync."""

import base64
import binascii
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints

from api.schemas.base import Answer, Body, Day, EntityId, Moment, Name, Secret


def decoded(text: str) -> bytes:
    """The bytes of base64url without padding. Raises ValueError for what is written otherwise."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("is not base64url") from None
    if base64.urlsafe_b64encode(raw).decode().rstrip("=") != text:
        raise ValueError("is not base64url without padding")
    return raw


def _key(text: str) -> str:
    if len(decoded(text)) != 32:
        raise ValueError("is not 32 bytes")
    return text


def _signature(text: str) -> str:
    if len(decoded(text)) != 64:
        raise ValueError("is not 64 bytes")
    return text


PublicKey = Annotated[str, StringConstraints(max_length=43), AfterValidator(_key)]
"""32 bytes of an Ed25519 key (RFC 8032), base64url without padding."""
Signature = Annotated[str, StringConstraints(max_length=86), AfterValidator(_signature)]
"""64 bytes of an Ed25519 signature, base64url without padding."""
Status = Literal["active", "draining", "revoked", "wiped"]


class EnrolmentNew(Body):
    """For which worker a code is, and how many days it is good."""

    username: Name
    days: int = Field(default=7, ge=1, le=90)


class EnrolmentIssued(Answer):
    """The code, told this once."""

    code: str
    username: str
    expires_at: Moment


class Enrolment(Body):
    """A handheld that asks to be let in. It signs `enrol|<code>|<public_key>` as they are written here."""

    code: Secret
    public_key: PublicKey
    label: Name
    app_version: Annotated[Name, Field(max_length=50)]
    schema_version: int = Field(ge=0, le=999_999)
    signature: Signature


class Refresh(Body):
    """A refresh token that is exchanged. The device signs `token|<device_id>|<refresh_token>`, the id in small letters."""

    device_id: EntityId
    refresh_token: Secret
    signature: Signature


class WipeAcknowledged(Body):
    """The device holds nothing any more. It signs `wipe-ack|<device_id>|<at>`, the id in small letters, the time as it is written here."""

    device_id: EntityId
    at: str = Field(max_length=40, pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$")
    signature: Signature


class TokensIssued(Answer):
    """A bearer token, good for `expires_in` seconds, and the refresh token for the next one."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    refresh_token: str


class ScopeShown(Answer):
    """A base grid that the holder works in; `until` is the day on which that ends, null without one. `stand_in`: the B of an A/B pair."""

    scope_id: int
    code: str
    name: str
    until: Day | None
    stand_in: bool


class HolderShown(Answer):
    """The account that holds the device."""

    username: str
    display_name: str


class Enrolled(TokensIssued):
    """A handheld that was let in."""

    device_id: EntityId
    account: HolderShown
    scopes: list[ScopeShown]


class DeviceShown(Answer):
    """A handheld. `locked`: it was silent for 30 days, or a token came twice; a supervisor must let it in again."""

    id: EntityId
    username: str | None
    label: str
    status: Status
    locked: bool
    last_seq: int
    app_version: str | None
    schema_version: int | None
    enrolled_at: Moment
    seen_at: Moment
    last_push_at: Moment | None
    last_pull_at: Moment | None
    clock_skew_ms: int | None
    wiped_at: Moment | None


class IncidentShown(Answer):
    """What should not have happened with a device."""

    id: EntityId
    at: Moment
    code: str
    scope_id: int | None
    detail: dict[str, Any]


class LostShown(Answer):
    """A grid that the holder worked in: until when is taken what was recorded in it before."""

    scope_id: int
    lost_at: Moment
    accepted_until: Moment


class PushLimits(Answer):
    """How much one push holds."""

    max_mutations: int
    max_bytes: int
    max_inflated: int
    max_item_bytes: int


class PullLimits(Answer):
    """How much one pull gives: items of a grid, bytes of the answer."""

    limit: int
    max_bytes: int


class FileLimits(Answer):
    """How large a file and its pieces are, in bytes; every piece but the last has `min_chunk` at least."""

    max_bytes: int
    min_chunk: int
    max_chunk: int


class LimitsShown(Answer):
    """What a handheld keeps to. After `offline_days` without contact it locks its data, after `silent_days` a supervisor must let it in."""

    push: PushLimits
    pull: PullLimits
    files: FileLimits
    offline_days: int
    silent_days: int
    late_hours: int


class SchemaSpan(Answer):
    """The versions of what travels that are spoken."""

    min: int
    max: int


class CodesShown(Answer):
    """The closed lists of words, by kind and member: a version of the list, and the words in their order."""

    lists: dict[str, list[str]]


class Bootstrap(Answer):
    """What a handheld must know before it syncs. `epoch` tells of which history of the server the rows are, as a snapshot does.

    `codes_etag` tells whether GET /v1/sync/codes has anything new.
    """

    server_time: Moment
    device: DeviceShown
    limits: LimitsShown
    schemas: SchemaSpan = Field(serialization_alias="schema")
    scopes: list[ScopeShown]
    lost: list[LostShown]
    epoch: str
    assignment_version: int
    codes_etag: str
