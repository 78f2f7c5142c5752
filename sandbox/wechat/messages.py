"""Template messages and customer-service messages of the official account (PROTOCOLS 1.11, 1.13)."""

import json
from typing import Any

from flask import Blueprint

from sandbox import fields
from sandbox.answers import OK, Refusal, afterwards, api, body, text_of
from sandbox.deeds import push_event
from sandbox.settings import Account, Template
from sandbox.tokens import bearer
from sandbox.world import Row, World

routes = Blueprint("wechat_messages", __name__)
SAME_WITHIN_S = 600
CUSTOM = {"text", "image", "voice", "video", "music", "news", "mpnews", "msgmenu", "wxcard", "miniprogrampage"}
STRANGER = {"follows": 1, "blocked": 0, "key": "", "crowd": 1}


def receiver(w: World, column: str, openid: Any) -> Row:
    """The person behind an openid; 40003 when it belongs to nobody here."""
    if not isinstance(openid, str) or not openid:
        raise Refusal(40003)
    person = w.person_by(column, openid)
    if person is None:
        if not (w.behaviour["strangers"] and openid.startswith("o") and len(openid) == 28):
            raise Refusal(40003)
        return {**STRANGER, column: openid}
    return person


def template_of(account: Account, data: Row) -> Template:
    """The account's template; 40037 for one of another account."""
    found = next((t for t in account.templates if t.id == data.get("template_id")), None)
    if found is None:
        raise Refusal(40037)
    return found


def linked_mini(w: World, data: Row) -> None:
    """A message that opens a mini-program may only name the one bound to the account."""
    linked = data.get("miniprogram")
    if not linked:
        return
    mini = w.account("mini")
    if not isinstance(linked, dict) or mini is None or linked.get("appid") != mini.app_id:
        raise Refusal(40013)


@routes.post("/cgi-bin/message/template/send")
@api
def template_send(w: World) -> Row:
    """The message is accepted; TEMPLATESENDJOBFINISH tells later whether it arrived."""
    account = bearer(w, "official")
    data = body()
    person = receiver(w, "official_openid", data.get("touser"))
    template = template_of(account, data)
    if not person["follows"]:
        raise Refusal(43004)
    linked_mini(w, data)
    if wrong := fields.fault_in(template.fields, data.get("data")):
        raise Refusal(47003, wrong)
    openid, client_key = data["touser"], str(data.get("client_msg_id", ""))
    if client_key:
        before = w.store.one(
            "select msg_id from sent where kind = 'template' and recipient = ? and client_key = ? and at > ?",
            *(openid, client_key, w.clock.now() - SAME_WITHIN_S),
        )
        if before:
            w.bump("template_repeated")
            return {**OK, "msgid": int(before["msg_id"])}
    if w.over(f"template:{account.name}", "template_daily", w.clock.day()):
        raise Refusal(45009)
    msg_id = 3_000_000_000_000_000_000 + w.dice.number("template_msgid") * 7
    seen = {"template": template.key, "data": fields.shown(template.fields, data["data"])}
    w.sent("template", openid, client_key, str(msg_id), seen)
    w.bump("template_accepted")
    if not w.fast:
        afterwards(lambda: w.callbacks.later(float(w.behaviour["finish_after_s"]), lambda: finish(w, openid, msg_id)))
    if not person["crowd"] and not person["blocked"]:
        link = {"url": data.get("url", ""), "miniprogram": data.get("miniprogram") or None}
        w.show(person["key"], "official", "template", {**seen, "title": template.title, **link})
    return {**OK, "msgid": msg_id}


def finish(w: World, openid: str, msg_id: int) -> None:
    """The account is told what became of a template message."""
    person = w.person_by("official_openid", openid)
    if person is None:
        return
    struck = w.faults.strike("official", "finish_failed")
    status = "success"
    if struck:
        status = str(struck[0].args["status"])
    elif person["blocked"] or not person["follows"]:
        status = "failed:user block"
    w.store.run("update sent set state = ? where kind = 'template' and msg_id = ?", status, str(msg_id))
    push_event(w, "official", openid, "TEMPLATESENDJOBFINISH", MsgID=msg_id, Status=status)


@routes.get("/cgi-bin/template/get_all_private_template")
@api
def templates(w: World) -> Row:
    """The account's templates."""
    account = bearer(w, "official")
    return {
        "template_list": [
            {
                "template_id": t.id,
                "title": t.title,
                "primary_industry": "",
                "deputy_industry": "",
                "content": "\n".join(f"{{{{{name}.DATA}}}}" for name in t.fields),
                "example": "",
            }
            for t in account.templates
        ]
    }


@routes.post("/cgi-bin/message/custom/send")
@api
def custom_send(w: World) -> Row:
    """A customer-service message, while one of its windows is open."""
    bearer(w, "official")
    data = body()
    person = receiver(w, "official_openid", data.get("touser"))
    kind = text_of(data, "msgtype", 40008)
    if kind not in CUSTOM or not isinstance(data.get(kind), dict):
        raise Refusal(40008)
    if kind == "text":
        words = data["text"].get("content")
        if not isinstance(words, str) or not words:
            raise Refusal(44004, "empty content")
        if len(words.encode()) > 2048:
            raise Refusal(45002, "content size out of limit")
    if not person["follows"]:
        raise Refusal(45015)
    openid = data["touser"]
    windows = w.store.all(
        "select * from reply_window where openid = ? and until > ? order by until", openid, w.clock.now()
    )
    if not windows:
        raise Refusal(45015)
    left = next((x for x in windows if x["remaining"] > 0), None)
    if left is None:
        raise Refusal(45047)
    w.store.run(
        "update reply_window set remaining = remaining - 1 where openid = ? and cause = ?", openid, left["cause"]
    )
    w.sent("custom", openid, "", "", {"msgtype": kind, **data[kind]})
    w.show(person["key"], "official", "custom", {"msgtype": kind, **json.loads(json.dumps(data[kind]))})
    return dict(OK)
