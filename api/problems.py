"""The one table from a domain error to a status, a slug and a title in both languages, and the answers made from it (RFC 9457).

Verbs know no status codes; a slug, once released, is kept. No answer carries the text of an exception that we did not write.
"""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from api.schemas.problems import Fault, Problem
from gridmgmt.errors import (
    BusyError,
    ConflictError,
    DistrictError,
    ForbiddenError,
    GoneError,
    InvalidError,
    NotFoundError,
    QuotaError,
    StaleError,
    UnauthenticatedError,
)

MEDIA_TYPE: Final = "application/problem+json"


@dataclass(frozen=True)
class Kind:
    """How a slug is told."""

    status: int
    title: str
    title_zh: str


KINDS: Final[Mapping[str, Kind]] = {
    "malformed-request": Kind(400, "Malformed request", "请求格式错误"),
    "invalid-parameter": Kind(400, "Invalid parameter", "参数无效"),
    "unauthenticated": Kind(401, "Authentication required", "需要登录"),
    "forbidden": Kind(403, "Not allowed for this role", "该角色无此权限"),
    "device-revoked": Kind(403, "The handheld was revoked", "该终端已被吊销"),
    "device-draining": Kind(403, "The handheld is being withdrawn", "该终端正在停用"),
    "reauthorisation-required": Kind(403, "A supervisor must let the handheld in again", "该终端须由主管重新授权"),
    "not-found": Kind(404, "Not found", "未找到"),
    "method-not-allowed": Kind(405, "Method not allowed", "不支持该请求方法"),
    "too-slow": Kind(408, "The body does not come", "请求体传输超时"),
    "conflict": Kind(409, "Conflict with what is there", "与现有数据冲突"),
    "code-taken": Kind(409, "The code is taken", "编码已被占用"),
    "id-taken": Kind(409, "The id is taken", "标识已被占用"),
    "grid-overlap": Kind(409, "Grids overlap", "网格重叠"),
    "grid-has-buildings": Kind(409, "The grid still has buildings", "网格内仍有楼栋"),
    "second-main-residence": Kind(409, "Another main residence in this period", "同期已有主要居住地"),
    "unit-already-let": Kind(409, "The unit is let in this period", "该单元同期已出租"),
    "sublet-outlasts-head": Kind(409, "The sublet outlasts its head lease", "转租期限超出原租赁合同"),
    "four-eyes": Kind(403, "This takes a second person", "须由另一人办理"),
    "edition-taken": Kind(409, "This edition exists", "该版次已存在"),
    "kept": Kind(409, "What was computed or published is kept", "已计算或已发布的内容不可更改"),
    "state-step": Kind(409, "This state does not follow", "状态变更不被允许"),
    "already-appointed": Kind(409, "Already appointed in this period", "同期已有任命"),
    "second-subdistrict": Kind(409, "Another subdistrict in this period", "同期已分配街道"),
    "area-in-use": Kind(409, "Areas or grids lie in it", "区域内仍有下级区域或网格"),
    "building-has-units": Kind(409, "The building still has units", "楼栋内仍有单元"),
    "unit-occupied": Kind(409, "The unit is occupied", "单元内仍有居住登记"),
    "place-retired": Kind(409, "The place is retired", "房屋已注销"),
    "person-lives-somewhere": Kind(409, "The person still lives somewhere", "人员仍有居住登记"),
    "already-ended": Kind(409, "Ended already", "已经终止"),
    "lease-has-sublets": Kind(409, "The lease has sublets", "租赁合同下仍有转租"),
    "write-conflict": Kind(409, "Somebody changed the same rows", "数据被同时修改"),
    "offset-mismatch": Kind(409, "The file goes on at another byte", "文件续传位置不符"),
    "file-incomplete": Kind(409, "The file has not arrived as a whole", "文件尚未传完"),
    "too-many-files": Kind(409, "Too many unfinished files", "未完成的文件过多"),
    "gone": Kind(410, "No longer there", "已不存在"),
    "protocol-version": Kind(412, "Another version of the protocol", "协议版本不支持"),
    "sequence-gap": Kind(409, "Mutation sequence gap", "变更序号不连续"),
    "push-in-progress": Kind(409, "Another push of the device is not done", "该终端的上一次上传尚未完成"),
    "seq-reused": Kind(409, "The number was used for another mutation", "变更序号已用于其他内容"),
    "mutation-id-reused": Kind(409, "The mutation id was used before", "变更标识已被使用"),
    "dependency-rejected": Kind(409, "What it builds on was rejected", "所依赖的变更未被接受"),
    "field-conflict": Kind(409, "Field changed on the server", "字段已被他人修改"),
    "target-deleted": Kind(409, "The row was struck out", "数据已被删除"),
    "delete-changed": Kind(409, "The row was changed since it was read", "数据在删除前已被修改"),
    "already-resolved": Kind(409, "Decided already", "已经处理"),
    "same-person": Kind(409, "Perhaps one person", "可能为同一人"),
    "out-of-scope": Kind(403, "Recorded outside your grids", "超出所辖网格"),
    "not-found-or-out-of-scope": Kind(404, "Not found, or not yours", "未找到或不在辖区内"),
    "kind-not-writable": Kind(422, "Not written by handhelds", "该类数据不可由终端写入"),
    "unknown-field": Kind(422, "Unknown field", "未知字段"),
    "batch-too-large": Kind(413, "Too many mutations at once", "一次上传的变更过多"),
    "schema-too-old": Kind(409, "The app is too old", "应用版本过低"),
    "cursor-expired": Kind(410, "The cursor is too old", "游标已过期"),
    "stale-version": Kind(412, "The row was changed since it was read", "数据已被更新"),
    "not-acceptable": Kind(406, "No such representation", "无法提供所需格式"),
    "too-large": Kind(413, "Body too large", "请求体过大"),
    "unsupported-media-type": Kind(415, "Media type not supported", "不支持的内容类型"),
    "invalid-value": Kind(422, "Invalid value", "取值无效"),
    "grid-outside-community": Kind(422, "The grid leaves its community", "网格超出社区范围"),
    "grid-gap": Kind(422, "The grids leave a gap", "网格之间存在空隙"),
    "outside-grids": Kind(422, "Outside the grids", "位置不在网格内"),
    "contacts-missing": Kind(422, "Contacts missing", "缺少联系人"),
    "unknown-reference": Kind(422, "Unknown reference", "引用的对象不存在"),
    "outside-scope": Kind(422, "Outside your area", "超出辖区范围"),
    "file-refused": Kind(422, "The file is not what it should be", "文件不符合要求"),
    "idempotency-key-reused": Kind(422, "Idempotency-Key used with another body", "幂等键已用于其他请求"),
    "precondition-required": Kind(428, "If-Match required", "需要 If-Match 请求头"),
    "too-many-requests": Kind(429, "Too many requests", "请求过于频繁"),
    "quota-exceeded": Kind(429, "Quota used up", "配额已用完"),
    "checksum-mismatch": Kind(460, "Another checksum", "校验和不符"),
    "internal": Kind(500, "Internal error", "内部错误"),
    "busy": Kind(503, "Busy, try again", "系统繁忙，请稍后再试"),
}
"""Every slug."""

STATUSES: Final[Mapping[type[DistrictError], int]] = {
    UnauthenticatedError: 401,
    ForbiddenError: 403,
    NotFoundError: 404,
    ConflictError: 409,
    GoneError: 410,
    StaleError: 412,
    InvalidError: 422,
    QuotaError: 429,
    BusyError: 503,
}

_OF_STATUS: Final[Mapping[int, str]] = {
    400: "malformed-request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    408: "too-slow",
    409: "conflict",
    412: "stale-version",
    413: "too-large",
    415: "unsupported-media-type",
    422: "invalid-value",
    428: "precondition-required",
    429: "too-many-requests",
    503: "busy",
}
SCHEMAS: Final[Mapping[str, Any]] = {
    "Fault": Fault.model_json_schema(),
    "Problem": {k: v for k, v in Problem.model_json_schema(ref_template="#/components/schemas/{model}").items() if k != "$defs"},
}
"""Schemas of a problem for the components of OpenAPI."""
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
COMMON: Final = ("malformed-request", "too-many-requests", "internal", "busy")
"""What any route may answer."""


class RequestError(DistrictError):
    """A refusal by HTTP itself: names its slug. Raised in api only."""

    def __init__(
        self, slug: str, detail: str, *, field: str | None = None, headers: Mapping[str, str] | None = None, **facts: object
    ) -> None:
        """`headers` go out with the answer."""
        super().__init__(detail, field=field, slug=slug, **facts)
        self.headers = dict(headers or {})


def declares(*slugs: str) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route or router that may answer these problems, for OpenAPI. Statuses that share slugs are listed once."""
    told: dict[int | str, dict[str, Any]] = {}
    for slug in slugs:
        kind = KINDS[slug]
        entry = told.setdefault(
            kind.status, {"description": "", "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
        )
        entry["description"] += ("; " if entry["description"] else "") + f"{slug}: {kind.title} {kind.title_zh}"
    return told


def handle_problems(app: FastAPI) -> None:
    """Let `app` answer every refusal with a problem."""
    app.add_exception_handler(DistrictError, _district)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, unexpected)


def status_of(error: DistrictError) -> int:
    """The status of a refusal."""
    kind = KINDS.get(error.slug)
    return kind.status if kind is not None else next((status for cls, status in STATUSES.items() if isinstance(error, cls)), 500)


def is_ogc(path: str) -> bool:
    """Whether a path belongs to the interface of OGC, which answers 400 to whatever is wrong with a parameter."""
    return path == "/ogc" or path.startswith("/ogc/")


def answer_to(request: Request, error: DistrictError) -> Response:
    """The problem that a domain error is answered with."""
    told = error.facts.get("errors")  # where more than one field is to blame
    errors = told if isinstance(told, list) else [{"field": error.field, "reason": error.detail}] if error.field else []
    headers = error.headers if isinstance(error, RequestError) else None
    facts = {name: value for name, value in error.facts.items() if name != "errors"}
    slug, status = error.slug, status_of(error)
    if status == HTTPStatus.UNPROCESSABLE_ENTITY and is_ogc(request.url.path):
        slug, status = "invalid-parameter", 400
    return problem(request, slug, error.detail, status=status, errors=errors, headers=headers, **facts)


def refused(request: Request, error: DistrictError | HTTPException) -> Response:
    """The problem that a refusal is answered with where FastAPI does not stand around."""
    return answer_to(request, error) if isinstance(error, DistrictError) else _http(request, error)


def problem(
    request: Request,
    slug: str,
    detail: str,
    *,
    status: int | None = None,
    errors: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
    **facts: object,
) -> Response:
    """The answer to a refusal. Facts become members beside `detail`; those that JSON cannot hold are told as text."""
    kind = KINDS.get(slug) or KINDS[_OF_STATUS.get(status or 500, "internal")]
    status = status or kind.status
    request.state.problem = slug
    members = {
        "type": f"/problems/{slug}",
        "title": kind.title,
        "title_zh": kind.title_zh,
        "status": status,
        "detail": _told(detail),
        "instance": _told(request.url.path),
        "request_id": getattr(request.state, "request_id", ""),
        "errors": [{"field": _told(error["field"]), "reason": _told(error["reason"])} for error in errors],
    }
    members |= {name: value for name, value in facts.items() if name not in members and value is not None}
    out = dict(headers or {})
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        out.setdefault("Retry-After", str(random.randint(3, 7)))  # noqa: S311 -- spreads the clients, hides nothing
    elif status == HTTPStatus.TOO_MANY_REQUESTS:
        out.setdefault("Retry-After", str(facts.get("retry_after") or 60))
    elif status == HTTPStatus.UNAUTHORIZED:
        out.setdefault("WWW-Authenticate", _challenge(request))
    return Response(orjson.dumps(members, default=str), status, out, MEDIA_TYPE)


async def unexpected(request: Request, _: Exception) -> Response:
    """The answer to an error that nobody renamed, without its text."""
    return problem(request, "internal", "something went wrong here; the request id finds it in the log")


def _district(request: Request, error: Exception) -> Response:
    assert isinstance(error, DistrictError)
    return answer_to(request, error)


def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults: list[dict[str, str]] = []
    for one in error.errors():
        where = [str(part) for part in one["loc"]]
        if one["type"] == "json_invalid":
            return problem(request, "malformed-request", "the body is not valid JSON")
        faults.append({"field": ".".join(where[1:]) or where[0], "reason": _reason(one)})
    slug = "invalid-parameter" if is_ogc(request.url.path) else "invalid-value"
    return problem(request, slug, "; ".join(f"{fault['field']}: {fault['reason']}" for fault in faults[:5]), errors=faults)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    slug = _OF_STATUS.get(error.status_code, "internal")
    return problem(request, slug, _DETAILS.get(error.status_code, KINDS[slug].title), status=error.status_code, headers=error.headers)


_DETAILS: Final = {
    400: "the request cannot be read",
    404: "there is nothing here, or nothing that you may see",
    405: "this method is not served here",
    408: "nothing more of the body came",
    413: "the body is larger than this service takes",
}


def _reason(error: Mapping[str, Any]) -> str:
    """Pydantic's message without its prefix; it never quotes what was sent."""
    return str(error["msg"]).removeprefix("Value error, ")


def _challenge(request: Request) -> str:
    """Keys by Basic are taken where nothing is changed; a browser that posts should not open its own dialog."""
    bearer = 'Bearer realm="gridmgmt"'
    return f'{bearer}, Basic realm="gridmgmt", charset="UTF-8"' if request.method in {"GET", "HEAD"} else bearer


def _told(text: str) -> str:
    """What somebody sent may hold anything; what we answer is printable and short."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)[:500]
