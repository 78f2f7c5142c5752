"""How WeChat and WeCom answer: HTTP 200 and JSON, refusals with an errcode and a tail nobody may branch on."""

import functools
import json
from collections.abc import Callable
from typing import Any

from flask import Response, g, request

from sandbox.world import World, world

TEXTS = {
    -1: "system error",
    40001: "invalid credential, access_token is invalid or not latest, could get access_token by getStableAccessToken,"
    " more details at https://mmbizurl.cn/s/JtxxFh33r",
    40002: "invalid grant_type",
    40003: "invalid openid",
    40007: "invalid media_id",
    40008: "invalid message type",
    40013: "invalid appid",
    40014: "invalid access_token",
    40029: "invalid code",
    40037: "invalid template_id",
    40066: "invalid url",
    40125: "invalid appsecret",
    40163: "code been used",
    41001: "access_token missing",
    41002: "appid missing",
    41004: "appsecret missing",
    41008: "missing code",
    41030: "invalid page",
    42001: "access_token expired",
    43001: "require GET method",
    43002: "require POST method",
    43004: "require subscribe",
    43101: "user refuse to accept the msg",
    44002: "empty post data",
    45009: "reach max api daily quota limit",
    45011: "api minute-quota reach limit, must slower, retry next minute",
    45015: "response out of time limit or subscription is canceled",
    45047: "out of response count limit",
    46003: "menu no exist",
    47001: "data format error",
    48001: "api unauthorized",
    61010: "code is expired",
}


class Refusal(Exception):
    """The platform says no with an errcode."""

    def __init__(self, errcode: int, errmsg: str = "", **more: Any) -> None:
        super().__init__(errcode, errmsg)
        self.errcode, self.errmsg, self.more = errcode, errmsg or TEXTS.get(errcode, "error"), more


def tail(w: World, platform: str) -> str:
    """What follows the words of an errmsg and changes each time."""
    if platform == "wecom":
        hint = f"{w.clock.second()}_{w.dice.number('hint')}_{w.dice.text('hint', 32, '0123456789abcdef')}"
        return f", hint: [{hint}], from ip: {request.remote_addr}"
    part = functools.partial(w.dice.text, "rid", alphabet="0123456789abcdef")
    return f" rid: {w.clock.second():08x}-{part(8)}-{part(8)}"


def platform() -> str:
    """Whose prefix was called."""
    return request.path.split("/", 2)[1]


def refused(error: Refusal) -> Response:
    """A refusal as it goes over the wire."""
    more_at = f", more info at https://open.work.weixin.qq.com/devtool/query?e={error.errcode}"
    end = tail(world(), platform()) + (more_at if platform() == "wecom" else "")
    return answer({"errcode": error.errcode, "errmsg": error.errmsg + end, **error.more})


def answer(body: dict[str, Any], *, plain: bool = False) -> Response:
    """JSON; some of WeChat's answers are labelled text/plain all the same."""
    kind = "text/plain" if plain else "application/json; encoding=utf-8"
    return Response(json.dumps(body, ensure_ascii=False, separators=(",", ":")), content_type=kind)


OK: dict[str, Any] = {"errcode": 0, "errmsg": "ok"}


def body() -> dict[str, Any]:
    """The caller's JSON object; 44002 when there is none, 47001 when it is not one."""
    raw = request.get_data()
    if not raw:
        raise Refusal(44002)
    try:
        found = json.loads(raw.decode())
    except (UnicodeDecodeError, ValueError):
        raise Refusal(47001) from None
    if not isinstance(found, dict):
        raise Refusal(47001)
    return found


def text_of(data: dict[str, Any], key: str, errcode: int = 47001) -> str:
    """A text that must be there."""
    value = data.get(key)
    if not isinstance(value, str) or not value:
        raise Refusal(errcode)
    return value


def api(function: Callable[..., Any], *, plain: bool = False) -> Callable[..., Any]:
    """A platform call: one deed, answered with JSON; a Refusal keeps what was counted before it."""

    @functools.wraps(function)
    def call(**kwargs: Any) -> Any:
        w, refusal, result = world(), None, None
        with w.store.deed():
            try:
                result = function(w, **kwargs)
            except Refusal as error:
                refusal = error
        if refusal:
            return refused(refusal)
        g.after = g.pop("after", [])
        for deed in g.after:
            deed()
        return answer(result, plain=plain) if isinstance(result, dict) else result

    return call


def afterwards(deed: Callable[[], Any]) -> None:
    """Done once the deed is committed: what leaves the sandbox must not be taken back."""
    g.setdefault("after", []).append(deed)
