"""What people do in WeChat and WeCom, and which deed it is. One table; an area adds a line. PROTOCOLS 1.4, 2.9, 3.3.

A line says at which doors, what came in (a message by its kind, an event as `event.` and its name), what it has to say
(the typed text, the menu key, the scene, what a scan read), and the deed or the fixed words that answer it. The first
line that fits counts. What no line names is answered `success` and not stored: it would be answered the same again.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from campus import followers, notices, people, places, repairs
from campus.repairs import chat
from campus.sessions import Known
from core import log
from core.errors import NotNow
from models.notices import Channel
from models.people import IdentityKind, Person
from platforms.wechat_message import Message
from wxbot.replies import Reply, Say

_log = log.get(__name__)


class Came(NamedTuple):
    """What came in, at which door, what it says, and when."""

    door: str
    message: Message
    saying: str
    now: datetime
    request_id: str

    @property
    def who(self) -> Known:
        """The sender, as that platform knows them."""
        return Known(_KINDS[self.door], self.message.sender)


_KINDS = {"official": IdentityKind.OFFICIAL, "mini": IdentityKind.MINI, "wecom": IdentityKind.WECOM}

Deed = Callable[[Session, Came], Reply | None]


class Line(NamedTuple):
    """`doors` and `what` are words with spaces between; `saying` is matched against the whole of what was said."""

    doors: str
    what: str
    saying: str
    deed: Deed | Say


# -- the deeds, each one rule


def scan(s: Session, came: Came) -> Reply | None:
    """A door code, however it was read: the place, what is open there, and what can be reported."""
    return chat.on_scan(s, identity=came.who, door_code=door_in(came.saying), now=came.now)


def scan_of_a_link(s: Session, came: Came) -> Reply | None:
    """A QR code of the account itself, read by the menu's scanner, which sees its address and not its scene."""
    door = places.door_of_qr(s, came.saying)
    return chat.on_scan(s, identity=came.who, door_code=door, now=came.now) if door else NOT_OURS


def follow(s: Session, came: Came) -> Reply | None:
    """Somebody follows; the campus may know them already."""
    person = _followed(s, came)
    return WELCOME if person is None else Say(f"{person.name}，您好！\n{HELP.text}", HELP.links)


def follow_at_a_door(s: Session, came: Came) -> Reply | None:
    """Somebody follows by scanning a door: the door is what they came for."""
    _followed(s, came)
    return scan(s, came)


def _followed(s: Session, came: Came) -> Person | None:
    """The person when the campus knows them; the unionid, which the event does not carry, is asked for afterwards."""
    person = people.on_follow(s, openid=came.message.sender, unionid=None, now=came.now)
    followers.owe_look(s, openid=came.message.sender, now=came.now)
    return person


def unfollow(s: Session, came: Came) -> Reply | None:
    """The openid is unbound and forgotten (P11)."""
    people.on_unfollow(s, openid=came.message.sender, now=came.now)
    return None


def say(s: Session, came: Came) -> Reply | None:
    """Typed words that are about a repair."""
    return chat.on_text(s, identity=came.who, text=came.saying, now=came.now, request_id=came.request_id)


def click(s: Session, came: Came) -> Reply | None:
    """A menu button with a key."""
    return chat.on_menu(s, identity=came.who, key=came.saying, now=came.now)


def subscription_changed(s: Session, came: Came) -> Reply | None:
    """Somebody allowed or refused one-time messages. The official sample wraps either event in either name."""
    items = _items(came.message, "SubscribeMsgPopupEvent") + _items(came.message, "SubscribeMsgChangeEvent")
    notices.on_subscribe_event(s, openid=came.message.sender, items=items, now=came.now)
    return None


def subscription_sent(s: Session, came: Came) -> Reply | None:
    """Whether one-time messages arrived."""
    for item in _items(came.message, "SubscribeMsgSentEvent"):
        _finished(s, Channel.MINI, str(item.get("MsgID", "")), str(item.get("ErrorStatus", "")), came.now)
    return None


def template_sent(s: Session, came: Came) -> Reply | None:
    """Whether a template message arrived."""
    extra = came.message.extra
    _finished(s, Channel.OFFICIAL, str(extra.get("MsgID", "")), str(extra.get("Status", "")), came.now)
    return None


def photo_checked(s: Session, came: Came) -> Reply | None:
    """The content check has looked at a photo."""
    extra = came.message.extra
    result = extra.get("result")
    known = repairs.on_media_checked(
        s,
        trace_id=str(extra.get("trace_id", ""))[:64],
        suggest=str(result.get("suggest", "")) if isinstance(result, dict) else "",
        errcode=_number(extra.get("errcode", 0)),
        now=came.now,
    )
    if not known:
        raise NotNow(why="the verdict is here before its question is stored")  # the platform brings it again
    return None


def noted(_s: Session, came: Came) -> Reply | None:
    """Kept and logged; nothing follows from it by itself."""
    _log.info("platform event", door=came.door, name=came.message.event)
    return None


# -- fixed words

HELP = Say(chat.HELP.text, chat.HELP.links)
WELCOME = Say(
    f"欢迎关注后勤通！绑定校园身份后，报修、进度通知都在这里。\n{HELP.text}", (("绑定校园身份", "/pages/binding/binding"), *HELP.links)
)  # fmt: skip
PHOTO = Say("照片收到了，但聊天里还不能附照片。请打开报修单，选好地点和问题后再添加照片：", HELP.links[:1])
NOT_OURS = Say("没有认出这个码。请扫门口的后勤二维码，或填写报修单：", HELP.links[:1])
KEPT = Say("")  # stored once and answered `success`

# -- what is said

ANY = r".*"
DOOR = r"\s*[Dd][0-9A-Za-z]{10}\s*"
DOOR_LINK = r".*[?&]door=[Dd][0-9A-Za-z]{10}\b.*"
OTHER_LINK = r"https?://.*"
ABOUT_REPAIRS = r"\d{1,2}|报修.*|进度|我的报修|查询|查进度|报修进度"
CHAT = "official wecom"

# fmt: off
TABLE_LINES = (
    #    doors       what came in                                   saying         deed
    Line(CHAT,       "text",                                        ABOUT_REPAIRS, say),
    Line(CHAT,       "text",                                        ANY,           HELP),
    Line(CHAT,       "image",                                       ANY,           PHOTO),
    Line(CHAT,       "voice video shortvideo location link",        ANY,           HELP),
    Line(CHAT,       "event.click",                                 ANY,           click),
    Line(CHAT,       "event.scancode_waitmsg event.scancode_push",  DOOR,          scan),
    Line(CHAT,       "event.scancode_waitmsg event.scancode_push",  DOOR_LINK,     scan),
    Line(CHAT,       "event.scancode_waitmsg event.scancode_push",  OTHER_LINK,    scan_of_a_link),
    Line(CHAT,       "event.scancode_waitmsg event.scancode_push",  ANY,           NOT_OURS),
    Line("official", "event.subscribe",                             DOOR,          follow_at_a_door),
    Line("official", "event.subscribe",                             ANY,           follow),
    Line("official", "event.unsubscribe",                           ANY,           unfollow),
    Line("official", "event.scan",                                  DOOR,          scan),
    Line("official", "event.scan",                                  ANY,           NOT_OURS),
    Line("official", "event.templatesendjobfinish",                 ANY,           template_sent),
    Line("mini",     "text image",                                  ANY,           HELP),
    Line("mini",     "event.subscribe_msg_popup_event",             ANY,           subscription_changed),
    Line("mini",     "event.subscribe_msg_change_event",            ANY,           subscription_changed),
    Line("mini",     "event.subscribe_msg_sent_event",              ANY,           subscription_sent),
    Line("mini",     "event.wxa_media_check",                       ANY,           photo_checked),
    Line("mini",     "event.user_authorization_revoke",             ANY,           noted),
    Line("contacts", "event.change_contact",                        ANY,           KEPT),
)
# fmt: on


class Table:
    """The lines, found by door and by what came in."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self._lines: dict[tuple[str, str], list[tuple[re.Pattern[str], Deed | Say]]] = defaultdict(list)
        for line in lines:
            saying = re.compile(line.saying, re.DOTALL)
            for door in line.doors.split():
                for what in line.what.split():
                    self._lines[door, what].append((saying, line.deed))

    def deed(self, door: str, message: Message) -> tuple[Deed | Say | None, str]:
        """The deed that the message is, or the words that answer it, or None when it is neither; and what it says."""
        # An event and a message may have the same name: `location` is both (PROTOCOLS 1.4).
        what = f"event.{message.event}" if message.kind == "event" else message.kind
        if not (lines := self._lines.get((door, what))):
            return None, ""
        said = saying_of(message)
        return next((deed for saying, deed in lines if saying.fullmatch(said)), None), said


TABLE = Table(TABLE_LINES)


def saying_of(message: Message) -> str:
    """What the message says: the typed text (full-width signs as their usual ones), the key, or what was scanned."""
    if message.kind == "text":
        plain = message.content.encode("utf-8", "replace").decode()  # JSON may bring half a surrogate pair
        return unicodedata.normalize("NFKC", plain).strip()
    scanned = message.extra.get("ScanCodeInfo")
    if isinstance(scanned, dict):
        result = scanned.get("ScanResult", "")
        return result if isinstance(result, str) else ""
    return message.key


def door_in(saying: str) -> str:
    """The door code that a scene or a link to a door holds."""
    found = re.search(r"(?:^|[?&]door=)\s*([Dd][0-9A-Za-z]{10})\b", saying)
    return found[1].upper() if found else ""


def _items(message: Message, name: str) -> list[dict[str, Any]]:
    wrapped = message.extra.get(name)
    listed = wrapped.get("List") if isinstance(wrapped, dict) else wrapped
    return [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []


def _finished(s: Session, channel: Channel, platform_id: str, status: str, now: datetime) -> None:
    if platform_id:
        notices.on_job_finished(s, channel=channel, platform_id=platform_id[:64], status=status, now=now)


def _number(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return -1
