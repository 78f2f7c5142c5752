"""What people do with their phones, and the pushes that follow from it (PROTOCOLS 1.4, 3.3).

Every deed returns what became of its push, or None when nothing was pushed. Texts, photos, clicks and
scans in the official account also open the windows for customer-service messages (1.13).
"""

from concurrent.futures import Future
from typing import Any

from sandbox.callbacks import Outcome, Push
from sandbox.settings import Account
from sandbox.world import Row, World

BUBBLE = "该公众号暂时无法提供服务，请稍后再试"
WINDOWS = {"message": (48 * 3600, 5), "menu": (60, 3), "follow": (60, 3), "scan": (60, 3)}
Pending = Future[Outcome] | None
SILENT = {"VIEW", "view_miniprogram", "unsubscribe", "LOCATION", "scancode_push"}  # no bubble when these fail


class CannotDo(ValueError):
    """A person cannot do this now; the text says why, in Chinese for the phone."""


def official(w: World) -> Account:
    """The official account."""
    if account := w.account("official"):
        return account
    raise CannotDo("没有配置公众号")


def push_official(w: World, person: Row, msg_type: str, *, replies: bool = True, **fields: Any) -> Pending:
    """A message or event goes to the official account's callback; its reply appears in the chat."""
    account = official(w)
    event = msg_type == "event"
    whole = {
        "ToUserName": account.origin_id,
        "FromUserName": person["official_openid"],
        "CreateTime": w.clock.second(),
        "MsgType": msg_type,
        **fields,
    }
    if not event:
        whole["MsgId"] = message_id(w)
    if replies:
        w.show(person["key"], "official", "waiting", {"for": fields.get("Event", msg_type)}, direction="state")
    push = Push(account, person["official_openid"], whole, replies)
    return w.callbacks.send(push, lambda outcome: show_reply(w, person, push, outcome))


def message_id(w: World) -> int:
    """A MsgId, growing."""
    return 24_700_000_000_000_000 + w.dice.number("msg_id") * 17


def show_reply(w: World, person: Row, push: Push, outcome: Outcome) -> None:
    """The chat shows the passive reply, or the bubble of an account that does not answer."""
    app = "wecom" if push.account.wecom else "official"
    if outcome.failed:
        if push.replies and not push.account.wecom:
            w.show(person["key"], app, "unavailable", {"text": BUBBLE, "why": outcome.failed})
    elif outcome.reply:
        w.show(person["key"], app, "reply", outcome.reply)
    elif push.replies:
        w.show(person["key"], app, "waiting", {"for": ""}, direction="state")


def open_window(w: World, person: Row, cause: str) -> None:
    """Customer-service messages are allowed for a while."""
    span_s, many = WINDOWS[cause]
    w.store.run(
        "insert or replace into reply_window (openid, cause, until, remaining) values (?,?,?,?)",
        *(person["official_openid"], cause, w.clock.now() + span_s, many),
    )


def follow(w: World, person: Row, *, scene: str = "", ticket: str = "") -> Pending:
    """The person follows the account (again); following twice does nothing."""
    if person["follows"]:
        return None
    w.store.run(
        "update person set follows = 1, followed_at = ?, qr_scene = ? where key = ?",
        *(w.clock.second(), scene, person["key"]),
    )
    open_window(w, person, "follow")
    w.show(person["key"], "official", "note", {"text": "已关注公众号"}, direction="state")
    fields = {"Event": "subscribe", "EventKey": f"qrscene_{scene}" if scene else ""}
    return push_official(w, person, "event", **fields, **({"Ticket": ticket} if ticket else {}))


def unfollow(w: World, person: Row) -> Pending:
    """The person does not follow any more."""
    if not person["follows"]:
        return None
    w.store.run("update person set follows = 0, followed_at = null where key = ?", person["key"])
    w.store.run("delete from reply_window where openid = ?", person["official_openid"])
    w.show(person["key"], "official", "note", {"text": "已取消关注"}, direction="state")
    return push_official(w, person, "event", replies=False, Event="unsubscribe", EventKey="")


def _follower(person: Row) -> None:
    if not person["follows"]:
        raise CannotDo("还没有关注公众号")


def say(w: World, person: Row, text: str) -> Pending:
    """A text to the official account."""
    _follower(person)
    open_window(w, person, "message")
    w.show(person["key"], "official", "text", {"text": text}, direction="out")
    return push_official(w, person, "text", Content=text)


def send_photo(w: World, person: Row, data: bytes, mime: str) -> Pending:
    """A photo to the official account; media/get and the PicUrl give it away."""
    _follower(person)
    media_id = keep_media(w, "official", "image", "photo.jpg", mime, data)
    url = f"{w.settings.url}/wechat/pic/{media_id}"
    open_window(w, person, "message")
    w.show(person["key"], "official", "image", {"url": url}, direction="out")
    return push_official(w, person, "image", PicUrl=url, MediaId=media_id)


def keep_media(w: World, account: str, kind: str, name: str, mime: str, data: bytes) -> str:
    """The media id under which the bytes are kept for three days."""
    media_id = w.dice.text("media_id", 64)
    w.store.run(
        "insert into media (id, account, kind, name, mime, at, data) values (?,?,?,?,?,?,?)",
        *(media_id, account, kind, name, mime, w.clock.second(), data),
    )
    return media_id


def send_location(w: World, person: Row, lat: float, lng: float, label: str) -> Pending:
    """A location as a chat message."""
    _follower(person)
    open_window(w, person, "message")
    w.show(person["key"], "official", "location", {"label": label, "lat": lat, "lng": lng}, direction="out")
    return push_official(w, person, "location", Location_X=lat, Location_Y=lng, Scale=15, Label=label)


def buttons(w: World, account: str = "official") -> list[Row]:
    """Every button of the published menu that does something."""
    menu = w.store.value(f"menu:{account}", {})
    return [b for top in menu.get("button", []) for b in (top.get("sub_button") or [top])]


def click(w: World, person: Row, key: str, *, scan: str = "") -> Pending:
    """A tap on the menu, by the button's key, url, page or name. `scan` is what a scan button read."""
    _follower(person)
    button = next(
        (b for b in buttons(w) if key in (b.get("key"), b.get("url"), b.get("pagepath"), b.get("name"))), None
    )
    if button is None:
        raise CannotDo("菜单里没有这个按钮")
    kind = button["type"]
    w.show(person["key"], "official", "tap", {"name": button["name"]}, direction="state")
    match kind:
        case "click":
            open_window(w, person, "menu")
            return push_official(w, person, "event", Event="CLICK", EventKey=button["key"])
        case "view":
            return push_official(w, person, "event", replies=False, Event="VIEW", EventKey=button["url"])
        case "miniprogram":
            return push_official(
                w, person, "event", replies=False, Event="view_miniprogram", EventKey=button["pagepath"]
            )
        case "scancode_push" | "scancode_waitmsg":
            open_window(w, person, "menu")
            info = {"ScanType": "qrcode", "ScanResult": scan}
            return push_official(
                *(w, person, "event"),
                **{
                    "replies": kind == "scancode_waitmsg",
                    "Event": kind,
                    "EventKey": button["key"],
                    "ScanCodeInfo": info,
                },
            )
    return push_official(w, person, "event", Event=kind, EventKey=button.get("key", ""))


def scan(w: World, person: Row, ticket: str) -> Pending:
    """The account's own QR code, scanned: a follower's SCAN, or a newcomer's subscribe with qrscene_."""
    code = w.store.one("select * from qr where ticket = ? and kind = 'official'", ticket)
    if code is None or (code["expires_at"] and code["expires_at"] <= w.clock.now()):
        raise CannotDo("二维码已过期")
    if not person["follows"]:
        pending = follow(w, person, scene=code["scene"], ticket=ticket)
        open_window(w, person, "scan")
        return pending
    open_window(w, person, "scan")
    w.show(person["key"], "official", "note", {"text": "扫描了带参数二维码"}, direction="state")
    return push_official(w, person, "event", Event="SCAN", EventKey=code["scene"], Ticket=ticket)


def block(w: World, person: Row, blocked: bool) -> None:
    """The person refuses the account's messages (failed:user block), or does not any more."""
    w.store.run("update person set blocked = ? where key = ?", int(blocked), person["key"])


def push_event(w: World, name: str, openid: str, event: str, **fields: Any) -> Pending:
    """An event about somebody goes to an account's callback; nobody sees a reply."""
    account = w.account(name)
    if account is None:
        return None
    whole = {
        "ToUserName": account.app_id if account.wecom else account.origin_id,
        "FromUserName": openid,
        "CreateTime": w.clock.second(),
        "MsgType": "event",
        "Event": event,
        **fields,
    }
    return w.callbacks.send(Push(account, openid, whole, replies=False))


def say_to_wecom(w: World, person: Row, text: str) -> Pending:
    """A text to the WeCom app."""
    w.show(person["key"], "wecom", "text", {"text": text}, direction="out")
    return push_wecom(w, person, "text", Content=text, MsgId=message_id(w))


def push_wecom(w: World, person: Row, msg_type: str, **fields: Any) -> Pending:
    """A message or event of a member goes to the WeCom app's callback."""
    account = w.account("wecom")
    if account is None or not person["wecom_userid"]:
        raise CannotDo("不在企业微信通讯录里")
    whole = {
        "ToUserName": account.app_id,
        "FromUserName": person["wecom_userid"],
        "CreateTime": w.clock.second(),
        "MsgType": msg_type,
        **fields,
        "AgentID": account.agent_id,
    }
    push = Push(account, person["wecom_userid"], whole)
    return w.callbacks.send(push, lambda outcome: show_reply(w, person, push, outcome))
