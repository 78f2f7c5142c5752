"""The mini-program's log-in, phone number, sessions and links (PROTOCOLS 2.1 to 2.4, 2.8)."""

import base64
import hashlib
import hmac
import json

from flask import Blueprint, request

from sandbox.answers import OK, Refusal, api, body
from sandbox.settings import Account
from sandbox.tokens import bearer
from sandbox.wechat.messages import receiver
from sandbox.world import Row, World

routes = Blueprint("wechat_mini", __name__)
CODE_LIFE_S = 300


def issue(w: World, kind: str, person: str, length: int = 32, **extra: object) -> str:
    """A code for one use within five minutes."""
    code = w.dice.text(f"code:{kind}", length)
    w.store.run(
        "insert into code (code, kind, person, issued_at, extra) values (?,?,?,?,?)",
        *(code, kind, person, w.clock.second(), json.dumps(extra)),
    )
    return code


def redeem(
    w: World, kind: str, code: str, *, used: int = 40163, expired: int = 40029, life_s: int = CODE_LIFE_S
) -> Row:
    """The code is used up and its row returned; 40029 when it is none, `used` the second time."""
    row = w.store.one("select * from code where code = ? and kind = ?", code, kind)
    if row is None:
        raise Refusal(40029)
    if row["used_at"] is not None:
        raise Refusal(used)
    if w.clock.second() - row["issued_at"] > life_s:
        raise Refusal(expired)
    w.store.run("update code set used_at = ? where code = ?", w.clock.second(), code)
    return {**row, "extra": json.loads(row["extra"])}


def login_code(w: World, person: Row) -> str:
    """What wx.login gives; the person uses the mini-program from this moment."""
    with w.store.deed():
        w.store.run("update person set mini_seen_at = ? where key = ?", w.clock.second(), person["key"])
        return issue(w, "js", person["key"])


def phone_code(w: World, person: Row) -> str:
    """What the getPhoneNumber button gives; not the code of wx.login."""
    with w.store.deed():
        return issue(w, "phone", person["key"], 64)


def _mini(w: World, app_id: str, secret: str) -> Account:
    account = w.account("mini")
    if account is None or app_id != account.app_id:
        raise Refusal(40013)
    if secret != account.secret:
        raise Refusal(40125)
    return account


@routes.get("/sns/jscode2session")
@lambda f: api(f, plain=True)
def jscode2session(w: World) -> Row:
    """openid, session_key and unionid for a code of wx.login, once."""
    _mini(w, request.args.get("appid", ""), request.args.get("secret", ""))
    if request.args.get("grant_type") != "authorization_code":
        raise Refusal(40002)
    code = request.args.get("js_code", "")
    if not code:
        raise Refusal(41008)
    row = redeem(w, "js", code)
    person = w.person(row["person"])
    if person is None:
        raise Refusal(40029)
    key = base64.b64encode(w.dice.bytes("session_key", 16)).decode()
    w.store.keep(f"session:{person['mini_openid']}", key)
    return {"session_key": key, "openid": person["mini_openid"], "unionid": person["unionid"]}


@routes.get("/wxa/checksession")
@api
def checksession(w: World) -> Row:
    """Whether the session_key is the present one."""
    bearer(w, "mini")
    openid = request.args.get("openid", "")
    receiver(w, "mini_openid", openid)
    key = w.store.value(f"session:{openid}", "")
    wanted = hmac.new(key.encode(), b"", hashlib.sha256).hexdigest()
    if not key or request.args.get("sig_method") != "hmac_sha256" or request.args.get("signature") != wanted:
        raise Refusal(87009, "invalid signature")
    return dict(OK)


@routes.post("/wxa/business/getuserphonenumber")
@api
def getuserphonenumber(w: World) -> Row:
    """The phone number behind a code of the button, once."""
    account = bearer(w, "mini")
    row = redeem(w, "phone", str(body().get("code", "")), used=40029)
    person = w.person(row["person"]) or {"phone": ""}
    number = person["phone"]
    mark = {"timestamp": w.clock.second(), "appid": account.app_id}
    return {
        **OK,
        "phone_info": {"phoneNumber": number, "purePhoneNumber": number, "countryCode": "86", "watermark": mark},
    }


def _link_life(w: World, data: Row, kind_key: str, at_key: str, days_key: str) -> None:
    if data.get(kind_key, 0) == 1:
        days = data.get(days_key)
        if not isinstance(days, int) or not 1 <= days <= 30:
            raise Refusal(85401, "invalid expire")
    elif (at := data.get(at_key)) and (not isinstance(at, int) or not 0 < at - w.clock.second() <= 30 * 86400):
        raise Refusal(85401, "invalid expire")


def _page(w: World, path: object) -> None:
    if not isinstance(path, str):
        raise Refusal(40165, "invalid weapp pagepath")
    if path and w.settings.pages and path.lstrip("/") not in w.settings.pages:
        raise Refusal(40165, "invalid weapp pagepath")


@routes.post("/wxa/generate_urllink")
@api
def generate_urllink(w: World) -> Row:
    """A https link that opens the mini-program at a page."""
    bearer(w, "mini")
    data = body()
    _page(w, data.get("path", ""))
    query = data.get("query", "")
    if not isinstance(query, str) or len(query) > 1024:
        raise Refusal(40212, "invalid query")
    _link_life(w, data, "expire_type", "expire_time", "expire_interval")
    link = w.dice.text("urllink", 11)
    w.store.keep(f"urllink:{link}", {"path": data.get("path", ""), "query": query})
    return {**OK, "url_link": f"https://wxaurl.cn/{link}"}


@routes.post("/wxa/generatescheme")
@api
def generatescheme(w: World) -> Row:
    """A weixin:// link that opens the mini-program at a page."""
    bearer(w, "mini")
    data = body()
    jump = data.get("jump_wxa") or {}
    _page(w, jump.get("path", ""))
    _link_life(w, data, "expire_type", "expire_time", "expire_interval")
    return {**OK, "openlink": "weixin://dl/business/?t=" + w.dice.text("scheme", 11)}
