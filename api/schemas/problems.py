"""Problems (RFC 9457)."""

from api.schemas.base import Answer


class Fault(Answer):
    """What is wrong with one field, named by its path in the body (`terms.rent`) or by its parameter."""

    field: str
    reason: str


class KindShown(Answer):
    """A kind of refusal: what `type` names, its status and its title in both languages."""

    type: str
    title: str
    title_zh: str
    status: int


class Problem(Answer):
    """A refusal. `type` ends in a slug that never changes; `title_zh` is the title in Chinese."""

    type: str
    title: str
    title_zh: str
    status: int
    detail: str
    instance: str
    request_id: str
    errors: list[Fault]
