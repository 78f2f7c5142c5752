"""The SMS gateway: one signed JSON call, and a question whether a message was sent.

X-Signature is hex hmac-sha256(secret, "METHOD\\n{path}\\n{timestamp}\\n{nonce}\\n{sha256hex(body)}"), the
path as on the wire (/sms/send). The same id again within a day is not sent again.
"""

import functools
import hashlib
import hmac
import json
import re
from collections.abc import Callable

from flask import Blueprint, Flask, Response, request

from sandbox.world import Row, World, world

routes = Blueprint("sms", __name__)
DAY_S = 86400
FRESH_S = 300
LONGEST = 500


class No(Exception):
    """REFUSED with a reason; `status` is the HTTP status."""

    def __init__(self, text: str, status: int = 200) -> None:
        super().__init__(text)
        self.status = status


def signed(w: World) -> None:
    """The caller is ours: key, fresh timestamp, unused nonce, signature."""
    head = request.headers
    timestamp, nonce = head.get("X-Timestamp", ""), head.get("X-Nonce", "")
    digest = hashlib.sha256(request.get_data()).hexdigest()
    text = f"{request.method}\n{request.path}\n{timestamp}\n{nonce}\n{digest}"
    wanted = hmac.new(w.settings.sms["secret"].encode(), text.encode(), hashlib.sha256).hexdigest()
    if head.get("X-Key") != w.settings.sms["key"] or not hmac.compare_digest(
        wanted.encode(), head.get("X-Signature", "").encode()
    ):
        raise No("bad signature", 401)
    if not timestamp.isdigit() or abs(w.clock.now() - int(timestamp)) > FRESH_S:
        raise No("stale timestamp", 401)
    if not nonce or w.store.count(f"sms_nonce:{nonce}", "") > 1:
        raise No("nonce used before", 401)


def answered(function: Callable[..., Row]) -> Callable[..., Response]:
    """JSON either way; what was counted before a refusal stays."""

    @functools.wraps(function)
    def call(**kwargs: str) -> Response:
        w, status = world(), 200
        if not w.settings.sms:
            return Response("", 404)
        with w.store.deed():
            try:
                signed(w)
                out = function(w, **kwargs)
            except No as error:
                out, status = {"code": "REFUSED", "message": str(error)}, error.status
        return Response(json.dumps(out, ensure_ascii=False), status, content_type="application/json")

    return call


@routes.post("/send")
@answered
def send(w: World) -> Row:
    """The text is on its way to the phone, once per id and day."""
    try:
        data = json.loads(request.get_data())
        key, phone, text = data["id"], data["phone"], data["text"]
    except (ValueError, KeyError, TypeError):
        raise No("id, phone and text are needed") from None
    if not isinstance(key, str) or not 1 <= len(key) <= 64:
        raise No("id has 1 to 64 characters")
    if not isinstance(phone, str) or not re.fullmatch(r"1\d{10}", phone):
        raise No("phone is not a mobile number")
    if not isinstance(text, str) or not 1 <= len(text) <= LONGEST:
        raise No(f"text has 1 to {LONGEST} characters")
    before = found(w, key)
    if before:
        w.bump("sms_repeated")
        return {"code": "OK", "message_id": before["msg_id"], "repeated": True}
    if w.over(f"sms:{phone}", "sms_per_phone_daily", w.clock.day()):
        raise No("too many to this number today")
    message_id = "SM" + w.dice.text("sms", 18, "0123456789")
    w.sent("sms", phone, key, message_id, {"text": text})
    w.bump("sms_accepted")
    for person in w.store.all("select key from person where phone = ? and crowd = 0", phone):
        w.show(person["key"], "sms", "sms", {"text": text})
    return {"code": "OK", "message_id": message_id}


def found(w: World, key: str) -> Row | None:
    """The message accepted under this id within a day."""
    return w.store.one(
        "select * from sent where kind = 'sms' and client_key = ? and at > ?", key, w.clock.now() - DAY_S
    )


@routes.get("/sent/<key>")
@answered
def sent(w: World, key: str) -> Row:
    """Whether the message was accepted."""
    row = found(w, key)
    return {"found": True, "message_id": row["msg_id"]} if row else {"found": False}


def register(app: Flask) -> None:
    """The gateway answers under /sms."""
    app.register_blueprint(routes, url_prefix="/sms")
