"""Followers, tickets for the JS-SDK and media of the official account (PROTOCOLS 1.9, 1.14)."""

from typing import Any

from flask import Blueprint, Response, request

from sandbox.answers import OK, Refusal, api
from sandbox.deeds import keep_media
from sandbox.tokens import bearer
from sandbox.wechat.messages import receiver
from sandbox.world import Row, World, world

routes = Blueprint("wechat_users", __name__)
MEDIA = {"image": 10 << 20, "voice": 2 << 20, "video": 10 << 20, "thumb": 64 << 10}
MEDIA_LIFE_S = 3 * 86400


@routes.get("/cgi-bin/user/info")
@api
def info(w: World) -> Row:
    """What is known of a follower; of anybody else only that he does not follow."""
    bearer(w, "official")
    person = receiver(w, "official_openid", request.args.get("openid"))
    openid = person["official_openid"]
    if not person["follows"]:
        return {"subscribe": 0, "openid": openid, "tagid_list": []}
    scene = str(person.get("qr_scene") or "")
    return {
        "subscribe": 1,
        "openid": openid,
        "nickname": "",
        "sex": 0,
        "language": "zh_CN",
        "city": "",
        "province": "",
        "country": "",
        "headimgurl": "",
        "subscribe_time": person.get("followed_at") or 0,
        "unionid": person.get("unionid", ""),
        "remark": "",
        "groupid": 0,
        "tagid_list": [],
        "subscribe_scene": "ADD_SCENE_QR_CODE" if scene else "ADD_SCENE_SEARCH",
        "qr_scene": int(scene) if scene.isdigit() else 0,
        "qr_scene_str": "" if scene.isdigit() else scene,
    }


@routes.get("/cgi-bin/user/get")
@api
def followers(w: World) -> Row:
    """Ten thousand followers after the given one."""
    bearer(w, "official")
    after = request.args.get("next_openid", "")
    total = w.store.one("select count(*) as n from person where follows = 1") or {"n": 0}
    rows = w.store.all(
        "select official_openid from person where follows = 1 and official_openid > ? order by official_openid limit 10000",
        after,
    )
    openids = [row["official_openid"] for row in rows]
    data = {"data": {"openid": openids}} if openids else {}
    return {"total": total["n"], "count": len(openids), **data, "next_openid": openids[-1] if openids else ""}


@routes.get("/cgi-bin/ticket/getticket")
@api
def getticket(w: World) -> Row:
    """The jsapi_ticket, the same for two hours."""
    account = bearer(w, "official")
    if request.args.get("type") not in ("jsapi", "wx_card"):
        raise Refusal(40097, "invalid args")
    key, now = f"ticket:{account.name}:{request.args['type']}", w.clock.second()
    held = w.store.value(key)
    if not held or held["until"] <= now:
        held = {"ticket": w.dice.text("jsapi_ticket", 86), "until": now + 7200}
        w.store.keep(key, held)
    return {**OK, "ticket": held["ticket"], "expires_in": held["until"] - now}


@routes.post("/cgi-bin/media/upload")
@api
def upload(w: World) -> Row:
    """A temporary medium, good for three days."""
    account = bearer(w, "official", "mini")
    return upload_media(w, account.name, request.args.get("type", ""))


def upload_media(w: World, account: str, kind: str) -> Row:
    """The uploaded file is kept under a media_id."""
    if kind not in {*MEDIA, "file"}:
        raise Refusal(40004, "invalid media type")
    file = request.files.get("media")
    if file is None:
        raise Refusal(41005, "media data missing")
    data = file.read()
    if not data:
        raise Refusal(44001, "empty media data")
    if len(data) > MEDIA.get(kind, 20 << 20):
        raise Refusal(40009, "invalid media size")
    media_id = keep_media(w, account, kind, file.filename or "media", file.mimetype, data)
    return {"type": kind, "media_id": media_id, "created_at": w.clock.second()}


@routes.get("/cgi-bin/media/get")
@api
def get_media(w: World) -> Any:
    """The file itself."""
    account = bearer(w, "official", "mini")
    return media_file(w, account.name)


def media_file(w: World, account: str) -> Response:
    """The bytes of a medium of this account; 40007 when it is unknown or older than three days."""
    row = w.store.one(
        "select * from media where id = ? and account = ? and at > ?",
        *(request.args.get("media_id", ""), account, w.clock.second() - MEDIA_LIFE_S),
    )
    if row is None:
        raise Refusal(40007)
    answer = Response(row["data"], content_type=row["mime"])
    answer.headers["Content-disposition"] = f'attachment; filename="{row["id"]}.jpg"'
    return answer


@routes.get("/pic/<media_id>")
def pic(media_id: str) -> Response:
    """The PicUrl of an image message; anybody who knows it may see it, as with mmbiz.qpic.cn."""
    row = world().store.one("select * from media where id = ? and kind = 'image'", media_id)
    return Response(row["data"], content_type=row["mime"]) if row else Response("", 404)
