"""The official account's menu and its limits (PROTOCOLS 1.6). WeCom's app menu obeys the same ones."""

from typing import Any

from flask import Blueprint

from sandbox.answers import OK, Refusal, api, body
from sandbox.settings import Account
from sandbox.tokens import bearer
from sandbox.world import Row, World

routes = Blueprint("wechat_menu", __name__)
KEYED = {"click", "scancode_push", "scancode_waitmsg", "pic_sysphoto", "pic_photo_or_album", "pic_weixin"}
KEYED |= {"location_select"}
OTHER = {"view", "miniprogram", "media_id", "article_id", "article_view_limited"}
# errcodes of a top button and of a sub button
SIZE, TYPE, NAME = (40016, 40023), (40017, 40024), (40018, 40025)
KEY, URL, DOMAIN = (40019, 40026), (40020, 40027), (40055, 40054)
WORDS = {
    40016: "invalid button size",
    40017: "invalid button type",
    40018: "invalid button name size",
    40019: "invalid button key size",
    40020: "invalid button url size",
    40023: "invalid sub button size",
    40024: "invalid sub button type",
    40025: "invalid sub button name size",
    40026: "invalid sub button key size",
    40027: "invalid sub button url size",
    40054: "invalid sub button url domain",
    40055: "invalid button url domain",
}


def _no(pair: tuple[int, int], sub: bool) -> Refusal:
    return Refusal(pair[sub], WORDS[pair[sub]])


def _bytes(value: Any) -> int:
    return len(value.encode()) if isinstance(value, str) else -1


def check_button(button: Any, *, sub: bool) -> None:
    """One button within its limits; sub-buttons are looked into."""
    if not isinstance(button, dict):
        raise Refusal(47001)
    if not 1 <= _bytes(button.get("name")) <= (60 if sub else 16):
        raise _no(NAME, sub)
    subs = button.get("sub_button")
    if subs and not sub:
        if not isinstance(subs, list) or len(subs) > 5:
            raise _no(SIZE, True)
        for one in subs:
            check_button(one, sub=True)
        return
    kind = button.get("type")
    if kind not in KEYED | OTHER:
        raise _no(TYPE, sub)
    if kind in KEYED and not 1 <= _bytes(button.get("key")) <= 128:
        raise _no(KEY, sub)
    if kind in ("view", "miniprogram"):
        if not 1 <= _bytes(button.get("url")) <= 1024:
            raise _no(URL, sub)
        if not button["url"].startswith(("http://", "https://")):
            raise _no(DOMAIN, sub)


def publish(w: World, account: Account, data: Row) -> Row:
    """The menu stands from now on. 4xxxx names what is too long or too many."""
    top = data.get("button")
    if not isinstance(top, list) or not 1 <= len(top) <= 3:
        raise _no(SIZE, False)
    mini = w.account("mini")
    for button in top:
        check_button(button, sub=False)
        for one in button.get("sub_button") or [button]:
            if one.get("type") == "miniprogram" and (mini is None or one.get("appid") != mini.app_id):
                raise Refusal(40013)
    if w.over(f"menu:{account.name}", "menu_create_daily", w.clock.day()):
        raise Refusal(45009)
    w.store.keep(f"menu:{account.name}", {"button": top})
    return dict(OK)


@routes.post("/cgi-bin/menu/create")
@api
def create(w: World) -> Row:
    """The menu is published."""
    return publish(w, bearer(w, "official"), body())


@routes.get("/cgi-bin/menu/get")
@api
def get(w: World) -> Row:
    """The menu as it was created; 46003 when there is none."""
    account = bearer(w, "official")
    menu = w.store.value(f"menu:{account.name}")
    if not menu:
        raise Refusal(46003)
    return {"menu": {"button": [{**b, "sub_button": b.get("sub_button", [])} for b in menu["button"]]}}


@routes.get("/cgi-bin/get_current_selfmenu_info")
@api
def current(w: World) -> Row:
    """The menu that followers see, with sub-buttons in a list of their own."""
    account = bearer(w, "official")
    menu = w.store.value(f"menu:{account.name}")
    if not menu:
        return {"is_menu_open": 0}
    shown = [
        {"name": b["name"], "sub_button": {"list": b["sub_button"]}} if b.get("sub_button") else b
        for b in menu["button"]
    ]
    return {"is_menu_open": 1, "selfmenu_info": {"button": shown}}


@routes.get("/cgi-bin/menu/delete")
@api
def delete(w: World) -> Row:
    """There is no menu."""
    account = bearer(w, "official")
    w.store.run("delete from value where key = ?", f"menu:{account.name}")
    return dict(OK)
