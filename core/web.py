"""What every Flask door shares: problem+json, request ids, security headers, limits. DESIGN §4, RFC 9457.

One place turns a CampusError into a status; no door catches anything. A bug is a 500 with a request id and a log.
"""

import re
from typing import Any

from flask import Flask, Response, g, json, request
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from core import clock, ids, log, metrics
from core.config import Server
from core.errors import (
    BindingNeeded,
    CampusError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    NotNow,
    PlatformError,
    SignInNeeded,
    TooMany,
)

_log = log.get(__name__)

STATUS: list[tuple[type[CampusError], int]] = [
    (NotFound, 404),
    (BindingNeeded, 403),
    (SignInNeeded, 401),
    (Forbidden, 403),
    (Conflict, 409),
    (Invalid, 422),
    (TooMany, 429),
    (NotNow, 503),
    (CampusError, 400),
]
HTTP_CODES = {
    400: ("bad_request", "请求有误"),
    401: ("sign_in_needed", "请先登录"),
    403: ("forbidden", "没有权限"),
    404: ("not_found", "没有找到"),
    405: ("method_not_allowed", "不支持这种请求"),
    406: ("not_acceptable", "无法按要求的格式回答"),
    408: ("request_timeout", "请求超时"),
    409: ("conflict", "状态已变化，请刷新"),
    411: ("length_required", "请求缺少长度"),
    413: ("too_large", "内容太大"),
    414: ("uri_too_long", "地址太长"),
    415: ("unsupported_media_type", "不支持的内容类型"),
    422: ("invalid", "填写有误"),
    429: ("too_many", "操作太频繁，请稍后再试"),
    431: ("headers_too_large", "请求头太大"),
    500: ("internal", "系统出错了，我们已记录"),
    502: ("platform_away", "外部平台暂时没有回应，请稍后再试"),
    503: ("not_now", "系统繁忙，请稍后再试"),
}
MAX_BODY = 64 * 1024
_REQUEST_ID = re.compile(r"^[A-Za-z0-9._-]{8,64}$")


def status_of(why: CampusError) -> int:
    """The HTTP status of a refusal."""
    return next(status for kind, status in STATUS if isinstance(why, kind))


def problem(
    status: int, code: str, detail: str, *, fields: Any = None, headers: dict[str, str] | None = None
) -> Response:
    """An RFC 9457 answer with a stable code, a Chinese detail and the request id."""
    body: dict[str, Any] = {
        "type": f"urn:houqin:problem:{code}",
        "title": HTTP_CODES.get(status, (code, detail))[1],
        "status": status,
        "code": code,
        "detail": detail,
        "request_id": request_id(),
    }
    if fields:
        body["fields"] = fields
    answer = Response(json.dumps(body), status, headers, mimetype="application/problem+json")
    return answer


def refused(why: CampusError) -> Response:
    """The answer to a refused deed."""
    status = status_of(why)
    headers = {}
    if status in (429, 503):
        headers["Retry-After"] = str(int(why.facts.get("retry_after_s", 2)) or 1)
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    _log.info(
        "refused", refusal=why.code, status=status, **{f"fact_{k}": v for k, v in why.facts.items() if k != "fields"}
    )
    return problem(status, why.code, why.detail, fields=why.facts.get("fields"), headers=headers)


def platform_away(why: PlatformError) -> Response:
    """The answer when a door needed a platform at once and got no yes."""
    _log.warning("platform did not help a door", answer=type(why).__name__, platform_code=why.code)
    return problem(502, "platform_away", HTTP_CODES[502][1])


def http_error(why: HTTPException) -> Response:
    """werkzeug's refusals in our own form."""
    if why.response is not None and (why.code or 500) < 400:
        return Response(status=why.code, headers=dict(why.get_headers()))  # a redirect is no error
    status = why.code or 500
    code, detail = HTTP_CODES.get(status, ("bad_request", "请求有误"))
    headers = {name: value for name, value in why.get_headers() if name.lower() in ("allow", "retry-after")}
    return problem(status, code, detail, headers=headers)


def bug(why: Exception) -> Response:
    """A 500 with a request id; the log has the traceback, the answer has not."""
    _log.error("bug", exc_info=why)
    return problem(500, "internal", HTTP_CODES[500][1])


def request_id() -> str:
    """The id of this request: the proxy's when it is well formed, else our own."""
    if "request_id" not in g:
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if _REQUEST_ID.match(given) else f"RQ{ids.letters(14)}"
    return str(g.request_id)


def furnish(app: Flask, server: Server, *, door: str, csp: str) -> None:
    """The app answers errors, logs, counts, and sends the headers that every door of the house sends."""
    app.config["MAX_CONTENT_LENGTH"] = app.config["MAX_CONTENT_LENGTH"] or MAX_BODY  # Flask sets the key to None itself
    app.config["MAX_FORM_MEMORY_SIZE"] = app.config["MAX_CONTENT_LENGTH"]
    app.config["MAX_FORM_PARTS"] = 200
    app.config["PROPAGATE_EXCEPTIONS"] = False
    if server.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, *[server.trusted_proxies] * 4)  # type: ignore[method-assign]  # as Flask documents it
    app.register_error_handler(CampusError, refused)
    app.register_error_handler(PlatformError, platform_away)
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(Exception, bug)
    ancestors = " ".join(("'self'", *server.frame_ancestors))
    policy = f"{csp}; frame-ancestors {ancestors}"

    @app.before_request
    def _begin() -> None:
        g.began = clock.monotonic()
        log.forget()
        log.remember(request_id=request_id())

    @app.after_request
    def _end(answer: Response) -> Response:
        took = clock.monotonic() - g.get("began", clock.monotonic())
        answer.headers.setdefault("X-Request-Id", request_id())
        answer.headers.setdefault("X-Content-Type-Options", "nosniff")
        answer.headers.setdefault("Referrer-Policy", "same-origin")
        answer.headers.setdefault("Content-Security-Policy", policy)
        answer.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        if not server.frame_ancestors:
            answer.headers.setdefault("X-Frame-Options", "SAMEORIGIN")
        if server.base_url.startswith("https://"):
            answer.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        if request.endpoint != "static":
            answer.headers.setdefault("Cache-Control", "no-store")
        metrics.REQUESTS.labels(door, str(answer.status_code)).inc()
        metrics.REQUEST_SECONDS.labels(door).observe(took)
        _log.info(
            "answered",
            door=door,
            method=request.method,
            path=request.path,
            status=answer.status_code,
            ms=round(took * 1000),
        )
        return answer


def client_ip() -> str:
    """Where the request came from, through the proxies that `[server] trusted_proxies` counts."""
    return request.remote_addr or "?"
