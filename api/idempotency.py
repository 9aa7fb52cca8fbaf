"""The header Idempotency-Key, where a repetition of a request is told from another one by nothing else."""

import hashlib
import re
from typing import Annotated

import orjson
from fastapi import Depends, Header
from pydantic import BaseModel

from api.problems import RequestError

_KEY = re.compile(r'"?[\x21\x23-\x7e]{1,200}"?', re.ASCII)


async def _key(
    idempotency_key: Annotated[
        str | None, Header(description="The client's own name of this request, the same when it is repeated")
    ] = None,
) -> str:
    if idempotency_key is None or not _KEY.fullmatch(idempotency_key):
        raise RequestError("malformed-request", "send Idempotency-Key, at most 200 visible characters", field="Idempotency-Key")
    return idempotency_key.strip('"')


IdempotencyKeyDep = Annotated[str, Depends(_key)]
"""The key of the request; 400 without one. The IETF draft has it in quotes, which are taken off."""


def hash_of(body: BaseModel) -> bytes:
    """SHA-256 of a body in canonical form: members in order, no blanks."""
    return hashlib.sha256(orjson.dumps(body.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)).digest()
