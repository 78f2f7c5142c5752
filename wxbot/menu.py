"""The menu of the official account, as data. FEATURES R1, N7; PROTOCOLS 1.6 (types and limits).

Every `key` is a saying in the table of `wxbot.deeds`; a test says so. `check` finds what the platform would refuse.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from core.config import Config
from wxbot.replies import BIND_PAGE, Pages

Button = dict[str, Any]

MOST_TOP, MOST_SUB = 3, 5
NAME_TOP_BYTES, NAME_SUB_BYTES, KEY_BYTES, URL_BYTES = 16, 60, 128, 1024
SHOWN_TOP, SHOWN_SUB = 4, 8  # Chinese characters; what is longer is cut on the phone
KEYED = frozenset({"click", "scancode_push", "scancode_waitmsg", "pic_sysphoto", "pic_photo_or_album", "pic_weixin", "location_select"})  # fmt: skip
OTHER = frozenset({"view", "miniprogram", "media_id", "article_id", "article_view_limited"})


def menu_of(config: Config) -> Button:
    """The menu that `houqin menu publish` sends: pages open in the mini-program where there is one, else in H5."""
    pages = Pages(config)
    mini = config.mini_program

    def page(name: str, path: str) -> Button:
        if mini is None:
            return {"type": "view", "name": name, "url": pages.url(path)}
        path_in_mini = path.lstrip("/")
        return {"type": "miniprogram", "name": name, "url": pages.url(path), "appid": mini.app_id, "pagepath": path_in_mini}  # fmt: skip

    return {
        "button": [
            {
                "name": "报修",
                "sub_button": [
                    {"type": "scancode_waitmsg", "name": "扫码报修", "key": "repair_scan"},
                    page("填单报修", "/pages/repair/file"),
                    {"type": "click", "name": "我的报修", "key": "repair_mine"},
                    {"type": "click", "name": "怎么报修", "key": "repair"},
                ],
            },
            {
                "name": "服务",
                "sub_button": [
                    page("校园通知", "/pages/inbox/inbox"),
                    # In H5 the official account says who it is; the mini-program would bind another openid.
                    {"type": "view", "name": "绑定身份", "url": pages.url(BIND_PAGE)},
                    {"type": "click", "name": "帮助", "key": "help"},
                ],
            },
            page("我的", "/pages/me/me"),
        ]
    }


def check(menu: Mapping[str, Any]) -> list[str]:
    """What the platform would refuse, or cut on the phone; empty when nothing."""
    top = menu.get("button")
    if not isinstance(top, Sequence) or not 1 <= len(top) <= MOST_TOP:
        return [f"there must be 1 to {MOST_TOP} top buttons"]
    return [wrong for button in top for wrong in _wrong(button, top=True)]


def _wrong(button: Mapping[str, Any], *, top: bool) -> Iterator[str]:
    name = str(button.get("name", ""))
    limit, shown = (NAME_TOP_BYTES, SHOWN_TOP) if top else (NAME_SUB_BYTES, SHOWN_SUB)
    if not 1 <= len(name.encode()) <= limit:
        yield f"{name!r}: the name must have 1 to {limit} bytes"
    if len(name) > shown:
        yield f"{name!r}: the phone shows {shown} characters"
    if top and (below := button.get("sub_button")):
        if len(below) > MOST_SUB:
            yield f"{name!r}: at most {MOST_SUB} buttons below"
        for one in below:
            yield from _wrong(one, top=False)
        return
    kind = button.get("type")
    if kind not in KEYED | OTHER:
        yield f"{name!r}: there is no type {kind!r}"
    if kind in KEYED and not 1 <= len(str(button.get("key", "")).encode()) <= KEY_BYTES:
        yield f"{name!r}: the key must have 1 to {KEY_BYTES} bytes"
    if kind in ("view", "miniprogram"):
        url = str(button.get("url", ""))
        if not (url.startswith(("http://", "https://")) and len(url.encode()) <= URL_BYTES):
            yield f"{name!r}: the url must begin with http and have at most {URL_BYTES} bytes"
    if kind == "miniprogram" and not (button.get("appid") and button.get("pagepath")):
        yield f"{name!r}: appid and pagepath are missing"
