"""What people do in WeChat and WeCom, and which deed it is. One table; an area adds a line. PROTOCOLS 1.4, 2.9, 3.3.

A line says at which doors, what came in, what it has to say (the text, the menu key, the scene, what a scan read), and
the deed or the fixed words that answer it. The first line that fits counts. What no line names is answered `success`
and not stored: the same message would be answered the same again.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.orm import Session

from platforms.wechat_message import Message
from wxbot.replies import Say


class Came(NamedTuple):
    """What came in, at which door, and when."""

    door: str
    message: Message
    now: datetime
    request_id: str


Deed = Callable[[Session, Came], Say | None]


class Line(NamedTuple):
    """`doors` and `what` are words with spaces between; `saying` is matched against the whole of what was said."""

    doors: str
    what: str
    saying: str
    deed: Deed | Say


ANY = r".*"
CHAT = "official wecom"
HELP = Say(
    "您好,这里是后勤通。\n发送“报修 地点 什么坏了”即可报修,例如:报修 D12-402 空调不制冷。也可以扫门上的二维码,或打开:",
    (("填单报修", "/pages/repair/file"), ("我的报修", "/pages/repair/list")),
)
PHOTO = Say(
    "照片收到了,但聊天里还不能附照片。请打开报修页,选地点和故障后添加照片:", (("填单报修", "/pages/repair/file"),)
)

KEPT = Say("")  # stored once and answered `success`: the deed comes later


class Table:
    """The lines, found by door and by what came in."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self._lines: dict[tuple[str, str], list[tuple[re.Pattern[str], Deed | Say]]] = defaultdict(list)
        for line in lines:
            saying = re.compile(line.saying, re.DOTALL)
            for door in line.doors.split():
                for what in line.what.split():
                    self._lines[door, what].append((saying, line.deed))

    def deed(self, door: str, message: Message) -> Deed | Say | None:
        """The deed that the message is, the words that answer it, or None when it is neither."""
        # An event and a message may have the same name: `location` is both (PROTOCOLS 1.4).
        what = f"event.{message.event}" if message.kind == "event" else message.kind
        if not (lines := self._lines.get((door, what))):
            return None
        said = saying_of(message)
        return next((deed for saying, deed in lines if saying.fullmatch(said)), None)


def saying_of(message: Message) -> str:
    """What the message says: the typed text (full-width signs as their usual ones), the key, or what was scanned."""
    if message.kind == "text":
        return unicodedata.normalize("NFKC", message.content).strip()
    scanned = message.extra.get("ScanCodeInfo")
    if isinstance(scanned, dict):
        result = scanned.get("ScanResult", "")
        return result if isinstance(result, str) else ""
    return message.key


TABLE = Table(
    (
        #    doors           what came in                       saying   deed
        Line(CHAT,           "text",                            ANY,     HELP),
        Line(CHAT,           "image",                           ANY,     PHOTO),
        Line(CHAT,           "voice video shortvideo location link", ANY, HELP),
        Line("contacts",     "event.change_contact",            ANY,     KEPT),
        Line("mini",         "text image",                      ANY,     HELP),
    )
)  # fmt: skip
