"""WeCom's message/send and recall (PROTOCOLS 3.4, 3.6).

Part of the recipients being wrong is a success that names them; all of them being wrong is 81013. More
than thirty a minute to one member are dropped without a word.
"""

import hashlib
import json
import re
from typing import Any

from flask import Blueprint

from sandbox.answers import OK, Refusal, api, body
from sandbox.wecom.account import agent, of_app
from sandbox.wecom.card_rules import check_card
from sandbox.world import Row, World

routes = Blueprint("wecom_messages", __name__)
KINDS = {"text", "textcard", "markdown", "news", "mpnews", "image", "voice", "video", "file", "template_card"}
KINDS |= {"miniprogram_notice"}
DAY_S = 86400


def chars(value: Any, most: int, name: str, *, bytes_: bool = False) -> str:
    """A text that is there and not too long."""
    if not isinstance(value, str) or not value:
        raise Refusal(40035, f"invalid parameter: {name}")
    if (len(value.encode()) if bytes_ else len(value)) > most:
        raise Refusal(45002, f"content size out of limit: {name}")
    return value


def fitted(w: World, kind: str, data: Any) -> Row:
    """The content of a message as the members will see it; too long a text is cut."""
    if not isinstance(data, dict) or not data:
        raise Refusal(40035, f"invalid parameter: {kind}")
    match kind:
        case "text" | "markdown":
            content = data.get("content")
            if not isinstance(content, str) or not content:
                raise Refusal(44004, "empty content")
            return {"content": content.encode()[:2048].decode("utf-8", "ignore")}
        case "textcard":
            chars(data.get("title"), 128, "title")
            chars(data.get("description"), 512, "description")
            url = chars(data.get("url"), 2048, "url", bytes_=True)
            if not re.match(r"[a-z]+://", url):
                raise Refusal(40058, "url needs a scheme")
            if len(str(data.get("btntxt", ""))) > 4:
                raise Refusal(45002, "content size out of limit: btntxt")
        case "news":
            articles = data.get("articles")
            if not isinstance(articles, list) or not 1 <= len(articles) <= 8:
                raise Refusal(40035, "invalid parameter: articles")
        case "image" | "voice" | "video" | "file":
            if not w.store.one("select 1 from media where id = ? and account = 'wecom'", str(data.get("media_id"))):
                raise Refusal(40007)
        case "template_card":
            check_card(w, data)
    return data


def members(w: World, data: Row) -> tuple[list[Row], list[str]]:
    """Who gets the message, and the userids nobody has."""
    named = data.get("touser") or ""
    parties, tags = data.get("toparty") or "", data.get("totag") or ""
    if not all(isinstance(x, str) for x in (named, parties, tags)) or not (named or parties or tags):
        raise Refusal(40035, "touser, toparty and totag are all empty")
    if named == "@all":
        return w.store.all("select * from person where wecom_userid is not null"), []
    wanted = [x for x in dict.fromkeys(named.split("|")) if x]
    if len(wanted) > 1000 or len(parties.split("|")) > 100 or len(tags.split("|")) > 100:
        raise Refusal(40035, "too many recipients")
    found: dict[str, Row] = {}
    unknown = []
    for userid in wanted:
        person = w.person_by("wecom_userid", userid)
        if person is None and w.behaviour["strangers"] and re.fullmatch(r"[\w\-@.]{1,64}", userid):
            person = {"key": "", "wecom_userid": userid, "crowd": 1}
        if person:
            found[person["wecom_userid"]] = person
        else:
            unknown.append(userid.lower())
    if parties:
        everybody = w.store.all("select * from person where wecom_userid is not null and crowd = 0")
        kinds = {2: "staff", 3: "worker", 4: "driver"}
        for part in parties.split("|"):
            for p in everybody:
                if part == "1" or p["kind"] == kinds.get(int(part) if part.isdigit() else 0):
                    found[p["wecom_userid"]] = p
    return list(found.values()), unknown


@routes.post("/cgi-bin/message/send")
@api
def send(w: World) -> Row:
    """The message is accepted for the members that exist."""
    account = of_app(w)
    data = body()
    if w.over("wecom_send", "wecom_per_minute", w.clock.minute()):
        raise Refusal(45009, "api freq out of limit")
    kind = data.get("msgtype")
    if kind not in KINDS:
        raise Refusal(40008)
    if kind != "miniprogram_notice":
        agent(account, data.get("agentid"))
    to, unknown = members(w, data)
    if not to:
        raise Refusal(81013, "user & party & tag all invalid", invaliduser="|".join(unknown))
    content = fitted(w, kind, data.get(kind))
    named = {"invaliduser": "|".join(unknown)} if unknown else {}
    digest = hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
    if data.get("enable_duplicate_check"):
        span_s = min(int(data.get("duplicate_check_interval", 1800)), 14400)
        before = w.store.one(
            "select msg_id from sent where kind = 'wecom' and client_key = ? and at > ?", digest, w.clock.now() - span_s
        )
        if before:
            w.bump("wecom_repeated")
            return {**OK, **named, "msgid": before["msg_id"]}
    msg_id = w.dice.text("wecom_msgid", 86)
    reply: Row = {**OK, **named, "msgid": msg_id}
    if kind == "template_card" and needs_code(content):
        code = w.dice.text("response_code", 64)
        w.store.run("insert into card (code, msg_id, issued_at) values (?,?,?)", code, msg_id, w.clock.second())
        reply["response_code"] = code
    for person in to:
        deliver(w, person, kind, content, digest, msg_id)
    return reply


def needs_code(card: Row) -> bool:
    """Only cards that can be answered bring a response_code."""
    return card["card_type"] in ("button_interaction", "vote_interaction", "multiple_interaction") or bool(
        card.get("action_menu")
    )


def deliver(w: World, person: Row, kind: str, content: Row, digest: str, msg_id: str) -> None:
    """The member's phone shows it, unless the member had too many lately."""
    userid = person["wecom_userid"]
    w.sent("wecom", userid, digest, msg_id, {"msgtype": kind, **content})
    w.bump("wecom_accepted")
    many = w.over(f"wecom:{userid}", "wecom_member_per_minute", w.clock.minute())
    if w.over(f"wecom:{userid}", "wecom_member_per_hour", w.clock.minute()[:-2]) or many:
        w.bump("wecom_dropped")
        w.store.run(
            "update sent set state = 'dropped: too many' where kind = 'wecom' and msg_id = ? and recipient = ?",
            *(msg_id, userid),
        )
        return
    if not person["crowd"]:
        w.show(person["key"], "wecom", kind, {**content, "msg_id": msg_id})


@routes.post("/cgi-bin/message/recall")
@api
def recall(w: World) -> Row:
    """The message disappears from the members' phones; only within a day."""
    of_app(w)
    msg_id = str(body().get("msgid", ""))
    row = w.store.one("select at from sent where kind = 'wecom' and msg_id = ?", msg_id)
    if row is None:
        raise Refusal(40008, "invalid msgid")
    if w.clock.now() - row["at"] > DAY_S:
        raise Refusal(42052, "msgid expired")
    w.store.run("update sent set state = 'recalled' where kind = 'wecom' and msg_id = ?", msg_id)
    for line in w.store.all("select id, body from feed where app = 'wecom' and direction = 'in'"):
        if json.loads(line["body"]).get("msg_id") == msg_id:
            w.store.run("delete from feed where id = ?", line["id"])
    for person in w.people():
        w.show(person["key"], "wecom", "recalled", {"msg_id": msg_id}, direction="state")
    return dict(OK)
