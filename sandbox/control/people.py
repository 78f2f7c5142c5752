"""What a person does, asked for by a test, a drill or the phone page: /control/people/{key}/…

A deed that pushes something waits until the push is settled and answers with its attempts and the
reply, unless the body says {"wait": false}.
"""

import base64
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from flask import Blueprint, request
from flask import current_app as app

from sandbox import deeds
from sandbox.control.matters import given
from sandbox.deeds import CannotDo, Pending
from sandbox.wechat import mini, qr, subscribe
from sandbox.wecom import cards
from sandbox.world import Row, World, world

PHOTOS = Path(__file__).parent.parent / "web" / "static" / "photos"


def somebody(key: str) -> Row:
    """The person; KeyError when there is none."""
    person = world().person(key)
    if person is None:
        raise KeyError(key)
    return person


def settled(pending: Pending, data: Row) -> Row:
    """What became of a push, waited for unless told otherwise."""
    if pending is None:
        return {"pushed": False}
    if data.get("wait") is False:
        return {"pushed": True}
    return {"pushed": True, **pending.result().shown()}


def read_code(w: World, data: Row) -> str:
    """The ticket meant by {ticket}, {code} (a door code; minted when nobody has yet) or {url} (what stands in a QR)."""
    if ticket := data.get("ticket"):
        return str(ticket)
    url = str(data.get("url", ""))
    if url:
        row = w.store.one("select ticket from qr where url = ? and kind = 'official'", url)
        if row:
            return str(row["ticket"])
        query = parse_qs(urlsplit(url).query)
        if "ticket" in query:
            return query["ticket"][0]
        raise CannotDo("不是这个公众号的二维码")
    code = str(data.get("code", "")).strip()
    if not 1 <= len(code) <= 64:
        raise CannotDo("没有扫到二维码")
    with w.store.deed():
        return str(qr.mint(w, "QR_LIMIT_STR_SCENE", code, None)["ticket"])


def photo(w: World, person: Row, data: Row) -> Pending:
    """A photo: a multipart file, {base64, mime} or one of the samples by {sample}."""
    file = request.files.get("photo")
    if file is not None:
        return deeds.send_photo(w, person, file.read(), file.mimetype)
    if "base64" in data:
        return deeds.send_photo(w, person, base64.b64decode(data["base64"]), str(data.get("mime", "image/jpeg")))
    name = str(data.get("sample", "leak"))
    if name not in {p.stem for p in PHOTOS.glob("*.jpg")}:
        raise KeyError(name)
    return deeds.send_photo(w, person, (PHOTOS / f"{name}.jpg").read_bytes(), "image/jpeg")


Deed = Callable[[World, Row, Row], Pending]
PUSHING: dict[str, Deed] = {
    "follow": lambda w, p, d: deeds.follow(w, p),
    "unfollow": lambda w, p, d: deeds.unfollow(w, p),
    "text": lambda w, p, d: deeds.say(w, p, str(d["text"])),
    "click": lambda w, p, d: deeds.click(w, p, str(d["key"]), scan=str(d.get("scan", ""))),
    "scan": lambda w, p, d: deeds.scan(w, p, read_code(w, d)),
    "photo": photo,
    "location": lambda w, p, d: deeds.send_location(w, p, float(d["lat"]), float(d["lng"]), str(d.get("label", ""))),
    "wecom_text": lambda w, p, d: deeds.say_to_wecom(w, p, str(d["text"])),
    "wecom_event": lambda w, p, d: deeds.push_wecom(
        w, p, "event", Event=str(d["event"]), EventKey=str(d.get("event_key", "")), **d.get("fields", {})
    ),
}


def wecom_click(w: World, person: Row, data: Row) -> Pending:
    """A tap on the WeCom app's menu, by key, url or name."""
    key = str(data["key"])
    button = next((b for b in deeds.buttons(w, "wecom") if key in (b.get("key"), b.get("url"), b.get("name"))), None)
    if button is None:
        raise CannotDo("菜单里没有这个按钮")
    return deeds.push_wecom(
        w, person, "event", Event=button["type"], EventKey=button.get("key") or button.get("url", "")
    )


def wecom_card(w: World, person: Row, data: Row) -> Pending:
    """{msg_id, key, selected?: {question_key: [option_id]}}: a button of a template card."""
    with w.store.deed():
        return cards.tap(w, person, str(data["msg_id"]), str(data["key"]), dict(data.get("selected", {})))


PUSHING |= {"wecom_click": wecom_click, "wecom_card": wecom_card}


def post_deed(key: str, deed: str) -> Row:
    """The person does it."""
    w, person = world(), somebody(key)
    data = {} if request.mimetype == "multipart/form-data" else given()
    return settled(PUSHING[deed](w, person, data), data)


def post_block(key: str) -> Row:
    """{blocked}: whether the person refuses the account's messages."""
    deeds.block(world(), somebody(key), bool(given().get("blocked", True)))
    return {"ok": True}


def post_login_code(key: str) -> Row:
    """What wx.login gives."""
    return {"code": mini.login_code(world(), somebody(key)), "errMsg": "login:ok"}


def post_phone_code(key: str) -> Row:
    """What the getPhoneNumber button gives."""
    return {"code": mini.phone_code(world(), somebody(key)), "errMsg": "getPhoneNumber:ok"}


def post_subscribe(key: str) -> Row:
    """{answers: {template_id: accept|reject}, account?}: the sheet of requestSubscribeMessage was answered."""
    w, person, data = world(), somebody(key), given()
    account = w.account(str(data.get("account", "mini")))
    answers = {str(t): "accept" if a == "accept" else "reject" for t, a in dict(data["answers"]).items()}
    known = {t.id for t in account.templates} if account else set()
    if account is None or set(answers) - known:
        raise CannotDo("requestSubscribeMessage:fail No template data return, verify the template id exist")
    openid = person["mini_openid"] if account.name == "mini" else person["official_openid"]
    subscribe.answered(w, account, openid, answers, scene=0 if account.name == "mini" else 1)
    return {"errMsg": "requestSubscribeMessage:ok", **answers}


def post_unsubscribe(key: str) -> Row:
    """{template_id, account?}: switched off in the settings."""
    w, person, data = world(), somebody(key), given()
    account = w.account(str(data.get("account", "mini")))
    if account is None:
        raise KeyError("account")
    openid = person["mini_openid"] if account.name == "mini" else person["official_openid"]
    subscribe.withdraw(w, account, openid, str(data["template_id"]))
    return {"ok": True}


def get_quota(key: str) -> Row:
    """How many subscribe messages the person still allows, by account and template."""
    person = somebody(key)
    rows = world().store.all(
        "select account, template_id, n from quota where openid in (?, ?)",
        *(person["mini_openid"], person["official_openid"]),
    )
    return {"quota": rows}


def post_oauth(key: str) -> Row:
    """{url}: an authorize page of WeChat, WeCom, CAS or OIDC, opened by this person; where it leads back to."""
    somebody(key)
    parts = urlsplit(str(given()["url"]))
    answer = app.test_client().get(
        f"{parts.path}?{parts.query}", headers={"X-Sandbox-Person": key}, follow_redirects=False
    )
    if answer.status_code not in (301, 302, 303):
        raise CannotDo("页面没有跳转回来")
    return {"redirect": answer.headers["Location"]}


def add(routes: Blueprint) -> None:
    """The routes of this file."""
    names = ",".join(PUSHING)
    routes.post(f"/people/<key>/<any({names}):deed>")(post_deed)
    routes.post("/people/<key>/block")(post_block)
    routes.post("/people/<key>/login_code")(post_login_code)
    routes.post("/people/<key>/phone_code")(post_phone_code)
    routes.post("/people/<key>/subscribe")(post_subscribe)
    routes.post("/people/<key>/unsubscribe")(post_unsubscribe)
    routes.post("/people/<key>/oauth")(post_oauth)
    routes.get("/people/<key>/quota")(get_quota)
