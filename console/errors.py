"""One place turns a refusal into a page, or into a note on the page that asked. STYLE "Errors".

A form of the console is sent by htmx: a refusal comes back as a note and the fields that are wrong, and what was
typed stays where it is. Without JavaScript the same refusal is a page.
"""

import json
from typing import Any

from flask import Response, flash, g, redirect, render_template, request, url_for
from flask_limiter.errors import RateLimitExceeded
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from console.frame import bp, by_htmx
from console.limits import too_many
from console.reauth import ProofNeeded
from core import log
from core.errors import CampusError, NotFound, PlatformError, SignInNeeded
from core.web import HTTP_CODES, request_id, status_of
from models.access import ROLES

_log = log.get(__name__)

TITLES = {
    401: "请先登录",
    403: "没有权限",
    404: "没有找到",
    409: "状态已变化",
    413: "文件太大",
    422: "填写有误",
    429: "操作太频繁",
    500: "系统出错了",
    502: "外部平台没有回应",
    503: "暂时办不了",
}


@bp.get("/<path:rest>")
def get_nothing(rest: str) -> str:
    """A page that is not there is our page, not the API's answer."""
    raise NotFound("没有这个页面", path=rest[:100])


@bp.errorhandler(CampusError)
def refused(why: CampusError) -> Any:
    """What the rule said, with the permission that is missing or the fields that are wrong."""
    status = status_of(why)
    _log.info("refused", refusal=why.code, status=status, **{f"fact_{k}": v for k, v in why.facts.items() if k != "fields"})  # fmt: skip
    if why.code == SignInNeeded.code:
        return _to_sign_in()
    if isinstance(why, ProofNeeded) and by_htmx():
        return _ask_for_proof(bool(why.facts.get("has_code")))
    headers = {"Retry-After": str(int(why.facts.get("retry_after_s", 2)) or 1)} if status in (429, 503) else {}
    permission = str(why.facts.get("permission", "")) if status == 403 else ""
    return answer(status, why.code, why.detail, fields=why.facts.get("fields"), permission=permission, headers=headers)


@bp.errorhandler(RateLimitExceeded)
def limited(why: RateLimitExceeded) -> Any:
    """Too many requests from one address."""
    return refused(too_many(why))


@bp.errorhandler(PlatformError)
def platform_away(why: PlatformError) -> Any:
    """A platform gave no yes while the page waited."""
    _log.warning("platform did not help a door", answer=type(why).__name__, platform_code=why.code)
    return answer(502, "platform_away", f"{HTTP_CODES[502][1]}({why.code})")


@bp.errorhandler(CSRFError)
def stale_form(why: CSRFError) -> Any:
    """The form is from before this sign-in, or not ours."""
    _log.warning("csrf refused", why=str(why.description))
    return answer(400, "csrf", "页面放得太久或已重新登录，请刷新页面后再试")


@bp.errorhandler(HTTPException)
def http_error(why: HTTPException) -> Any:
    """werkzeug's refusals in our own words."""
    status = why.code or 500
    if status < 400:
        return why.get_response()
    code, detail = HTTP_CODES.get(status, ("bad_request", "请求有误"))
    return answer(status, code, detail)


@bp.errorhandler(Exception)
def bug(why: Exception) -> Any:
    """A 500 with a request id; the log has the traceback, the page has not."""
    _log.error("bug", exc_info=why)
    return answer(500, "internal", HTTP_CODES[500][1])


def _ask_for_proof(has_code: bool) -> Response:
    """The page stays as it is; a small form on top of it asks for the code, then the deed can be sent again."""
    body = render_template("console/parts/proof.html", has_code=has_code)
    return Response(body, 403, {"HX-Retarget": "#notes", "HX-Reswap": "afterbegin", "HX-Push-Url": "false"})


def _to_sign_in() -> Any:
    """The way to the sign-in page and, for a page that was looked at, back again."""
    back = request.full_path.rstrip("?") if request.method == "GET" and not by_htmx() else None
    where = url_for("console.get_sign_in", next=back) if back else url_for("console.get_sign_in")
    if request.cookies:
        flash("请先登录" if "me" not in g else "登录已过期，请重新登录", "info")
    if by_htmx():
        return Response(status=204, headers={"HX-Redirect": where})
    return redirect(where, 303)


def answer(
    status: int,
    code: str,
    detail: str,
    *,
    fields: Any = None,
    permission: str = "",
    headers: dict[str, str] | None = None,
) -> Response:
    """A note on the page that asked (htmx), else a page of its own."""
    facts = {
        "status": status,
        "code": code,
        "detail": detail,
        "title": TITLES.get(status, "办不了"),
        "fields": _flat(fields),
        "permission": permission,
        "holders": [title for title, deeds in ROLES.values() if permission and permission in deeds],
        "request_id": request_id(),
    }
    if by_htmx():
        body = render_template("console/parts/refusal.html", **facts)
        headers = {**(headers or {}), "HX-Retarget": "#notes", "HX-Reswap": "afterbegin", "HX-Push-Url": "false"}
        headers["HX-Trigger"] = json.dumps({"refused": {"fields": facts["fields"]}})
        return Response(body, status, headers)
    return Response(render_template("console/error.html", **facts), status, headers)


def _flat(fields: Any) -> dict[str, str]:
    if not isinstance(fields, dict):
        return {}
    return {str(k): ";".join(map(str, v)) if isinstance(v, list | tuple) else str(v) for k, v in fields.items()}
