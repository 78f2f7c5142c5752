"""QR codes of the official account and codes of the mini-program (PROTOCOLS 1.7, 2.7). Real images."""

import io
import re
from typing import Any

import segno
from flask import Blueprint, Response, request

from sandbox.answers import Refusal, api, body
from sandbox.tokens import bearer
from sandbox.world import Row, World, world

routes = Blueprint("wechat_qr", __name__)
LONGEST_S = 2592000
SCENE = re.compile(r"[0-9A-Za-z!#$&'()*+,/:;=?@\-._~]{1,32}")


def mint(w: World, action: str, scene: str, expires_at: int | None, *, kind: str = "official", page: str = "") -> Row:
    """A code for the scene; a permanent one for the same scene is the same code."""
    if expires_at is None:
        before = w.store.one(
            "select * from qr where kind = ? and scene = ? and page = ? and expires_at is null", kind, scene, page
        )
        if before:
            return before
    ticket = "gQ" + w.dice.text("ticket", 94) + "=="
    url = "http://weixin.qq.com/q/" + w.dice.text("qr_url", 22) if kind == "official" else f"{page}?scene={scene}"
    w.store.run(
        "insert into qr (ticket, kind, scene, page, action, url, minted_at, expires_at) values (?,?,?,?,?,?,?,?)",
        *(ticket, kind, scene, page, action, url, w.clock.second(), expires_at),
    )
    return w.store.one("select * from qr where ticket = ?", ticket) or {}


def scene_of(action: str, scene: Any) -> str:
    """The scene as text, when it fits the action."""
    if not isinstance(scene, dict):
        raise Refusal(40053, "invalid action info")
    if action in ("QR_SCENE", "QR_LIMIT_SCENE"):
        number = scene.get("scene_id")
        most = 100000 if action == "QR_LIMIT_SCENE" else 2**32 - 1
        if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= most:
            raise Refusal(40053, "invalid action info")
        return str(number)
    text = scene.get("scene_str")
    if not isinstance(text, str) or not 1 <= len(text) <= 64:
        raise Refusal(40053, "invalid action info")
    return text


@routes.post("/cgi-bin/qrcode/create")
@api
def create(w: World) -> Row:
    """A ticket for a scene."""
    bearer(w, "official")
    data = body()
    action = data.get("action_name")
    if action not in ("QR_SCENE", "QR_STR_SCENE", "QR_LIMIT_SCENE", "QR_LIMIT_STR_SCENE"):
        raise Refusal(40052, "invalid action name")
    info = data.get("action_info")
    scene = scene_of(action, info.get("scene") if isinstance(info, dict) else None)
    if action.startswith("QR_LIMIT"):
        if w.over("qr_permanent", "qr_permanent", "ever"):
            raise Refusal(45029, "qrcode count out of limit")
        code = mint(w, action, scene, None)
        return {"ticket": code["ticket"], "url": code["url"]}
    expires = data.get("expire_seconds", 60)
    if not isinstance(expires, int) or not 1 <= expires <= LONGEST_S:
        raise Refusal(40101, "missing parameter")
    code = mint(w, action, scene, w.clock.second() + expires)
    return {"ticket": code["ticket"], "expire_seconds": expires, "url": code["url"]}


@routes.get("/cgi-bin/showqrcode")
def showqrcode() -> Response:
    """The picture of a ticket; 404 for a bad one. No token is needed."""
    w = world()
    code = w.store.one(
        "select * from qr where ticket = ? and (expires_at is null or expires_at > ?)",
        *(request.args.get("ticket", ""), w.clock.now()),
    )
    if code is None:
        return Response("", 404)
    return Response(png(code["url"]), content_type="image/png")


def png(text: str, width: int = 430) -> bytes:
    """A QR code about `width` pixels wide."""
    code = segno.make(text, error="m", micro=False)
    out = io.BytesIO()
    code.save(out, kind="png", border=4, scale=max(1, width // (code.symbol_size(border=4)[0])))
    return out.getvalue()


@routes.post("/wxa/getwxacodeunlimit")
@api
def getwxacodeunlimit(w: World) -> Any:
    """The picture of a mini-program code; an error is JSON."""
    bearer(w, "mini")
    data = body()
    scene, page = data.get("scene"), data.get("page", "")
    if not isinstance(scene, str) or not SCENE.fullmatch(scene):
        raise Refusal(40129, "invalid scene")
    if not isinstance(page, str) or page.startswith("/") or "?" in page:
        raise Refusal(41030)
    if data.get("check_path", True) and page and w.settings.pages and page not in w.settings.pages:
        raise Refusal(41030)
    width = data.get("width", 430)
    if not isinstance(width, int) or not 280 <= width <= 1280:
        raise Refusal(40097, "invalid args")
    if data.get("env_version", "release") not in ("release", "trial", "develop"):
        raise Refusal(85402, "invalid env_version")
    if w.over("wxacode", "wxacode_per_minute", w.clock.minute()):
        raise Refusal(45009)
    code = mint(w, "WXACODE", scene, None, kind="mini", page=page)
    return Response(png(f"{w.settings.url}/?mini={code['ticket']}", width), content_type="image/png")
