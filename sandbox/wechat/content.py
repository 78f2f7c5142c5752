"""The mini-program's content check (PROTOCOLS 2.10).

Words decide: 违禁 is risky, 疑似 is for review. A picture is judged by the words in its address.
"""

from flask import Blueprint

from sandbox.answers import OK, Refusal, afterwards, api, body
from sandbox.deeds import push_event
from sandbox.tokens import bearer
from sandbox.wechat.messages import receiver
from sandbox.world import Row, World

routes = Blueprint("wechat_content", __name__)


def judged(text: str) -> Row:
    """suggest and label for a text."""
    if "违禁" in text or "risky" in text:
        return {"suggest": "risky", "label": 20006}
    if "疑似" in text or "review" in text:
        return {"suggest": "review", "label": 21000}
    return {"suggest": "pass", "label": 100}


def visitor(w: World, data: Row) -> str:
    """The openid of somebody who used the mini-program within two hours; else 61010."""
    person = receiver(w, "mini_openid", data.get("openid"))
    seen = person.get("mini_seen_at")
    if not person["crowd"] and w.clock.now() - (seen or 0) > float(w.limits["mini_seen_s"]):
        raise Refusal(61010)
    return str(data["openid"])


@routes.post("/wxa/msg_sec_check")
@api
def msg_sec_check(w: World) -> Row:
    """pass, review or risky."""
    bearer(w, "mini")
    data = body()
    words = data.get("content")
    if data.get("version") != 2 or data.get("scene") not in (1, 2, 3, 4):
        raise Refusal(40129, "invalid scene")
    if not isinstance(words, str) or not 1 <= len(words) <= 2500:
        raise Refusal(47001)
    visitor(w, data)
    if w.over("msg_sec_check", "msg_sec_check_per_minute", w.clock.minute()):
        raise Refusal(45009)
    result = judged("".join(str(data.get(k, "")) for k in ("content", "title", "nickname", "signature")))
    detail = {"strategy": "content_model", "errcode": 0, **result, "prob": 90}
    return {**OK, "result": result, "detail": [detail], "trace_id": trace(w)}


def trace(w: World) -> str:
    """A trace_id."""
    return f"{w.clock.second():x}-" + w.dice.text("trace", 16, "0123456789abcdef")


@routes.post("/wxa/media_check_async")
@api
def media_check_async(w: World) -> Row:
    """Accepted; the event wxa_media_check brings the judgement."""
    account = bearer(w, "mini")
    data = body()
    if data.get("version") != 2 or data.get("scene") not in (1, 2, 3, 4) or data.get("media_type") not in (1, 2):
        raise Refusal(40129, "invalid scene")
    url = data.get("media_url")
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise Refusal(40097, "invalid args")
    openid = visitor(w, data)
    if w.over("media_check", "media_check_per_minute", w.clock.minute()):
        raise Refusal(45009)
    trace_id = trace(w)
    result = judged(url)
    detail = {"strategy": "content_model", "errcode": 0, **result, "prob": 90}

    def tell() -> None:
        push_event(
            *(w, "mini", openid, "wxa_media_check"),
            **{"appid": account.app_id, "trace_id": trace_id, "version": 2, "detail": [detail]},
            **{"errcode": 0, "errmsg": "ok", "result": result},
        )

    afterwards(lambda: w.callbacks.later(float(w.behaviour["media_check_after_s"]), tell))
    return {**OK, "trace_id": trace_id}
