"""Subscribe messages: the mini-program's and the official account's 订阅通知 (PROTOCOLS 1.12, 2.6).

One tap of "allow" gives one message. The quota is a row per account, openid and template.
"""

from flask import Blueprint

from sandbox import fields
from sandbox.answers import OK, Refusal, afterwards, api, body
from sandbox.deeds import push_event
from sandbox.settings import Account
from sandbox.tokens import bearer
from sandbox.wechat.messages import linked_mini, receiver, template_of
from sandbox.world import Row, World

routes = Blueprint("wechat_subscribe", __name__)
STATES = {"formal", "trial", "developer"}


def quota(w: World, account: str, openid: str, template_id: str) -> int:
    """How many messages of the template the person still allows."""
    row = w.store.one(
        "select n from quota where account = ? and openid = ? and template_id = ?", account, openid, template_id
    )
    return int(row["n"]) if row else 0


def allow(w: World, account: str, openid: str, template_id: str, many: int = 1) -> None:
    """The person allows so many more."""
    w.store.run(
        "insert into quota (account, openid, template_id, n) values (?,?,?,?)"
        " on conflict (account, openid, template_id) do update set n = n + excluded.n",
        *(account, openid, template_id, many),
    )


def answered(w: World, account: Account, openid: str, answers: dict[str, str], *, scene: int = 0) -> None:
    """The person answered the sheet: quota grows where accepted, and the account is told."""
    with w.store.deed():
        for template_id, said in answers.items():
            if said == "accept":
                allow(w, account.name, openid, template_id)
    lines = [{"TemplateId": t, "SubscribeStatusString": said, "PopupScene": str(scene)} for t, said in answers.items()]
    push_event(w, account.name, openid, "subscribe_msg_popup_event", SubscribeMsgPopupEvent={"List": lines})


def withdraw(w: World, account: Account, openid: str, template_id: str) -> None:
    """The person switches the template off in the settings."""
    w.store.run(
        "delete from quota where account = ? and openid = ? and template_id = ?", account.name, openid, template_id
    )
    line = {"TemplateId": template_id, "SubscribeStatusString": "reject"}
    push_event(w, account.name, openid, "subscribe_msg_change_event", SubscribeMsgChangeEvent={"List": [line]})


def _send(w: World, account: Account, data: Row) -> Row:
    column = "mini_openid" if account.name == "mini" else "official_openid"
    person = receiver(w, column, data.get("touser"))
    template = template_of(account, data)
    page = data.get("page") or ""
    if not isinstance(page, str):
        raise Refusal(41030)
    pages = w.settings.pages
    if account.name == "mini" and page and pages and page.partition("?")[0].lstrip("/") not in pages:
        raise Refusal(41030)
    if data.get("miniprogram_state", "formal") not in STATES:
        raise Refusal(47001)
    linked_mini(w, data)
    if wrong := fields.fault_in(template.fields, data.get("data")):
        raise Refusal(47003, wrong)
    openid = data["touser"]
    if not person.get("crowd"):
        taken = w.store.run(
            "update quota set n = n - 1 where account = ? and openid = ? and template_id = ? and n > 0",
            *(account.name, openid, template.id),
        )
        if not taken:
            raise Refusal(43101)
    msg_id = 2_000_000_000_000_000_000 + w.dice.number("subscribe_msgid") * 7
    seen = {"template": template.key, "data": fields.shown(template.fields, data["data"])}
    kind = "subscribe" if account.name == "mini" else "bizsend"
    w.sent(kind, openid, "", str(msg_id), seen)
    w.bump(f"{kind}_accepted")
    if not person["crowd"]:
        link = {"page": page, "miniprogram": data.get("miniprogram") or None}
        w.show(
            person["key"], "service", "subscribe", {**seen, "title": template.title, "account": account.name, **link}
        )
    if not person["crowd"] and not w.fast:
        afterwards(
            lambda: w.callbacks.later(
                float(w.behaviour["finish_after_s"]), lambda: told(w, account, openid, template.id, msg_id)
            )
        )
    return {**OK, "msgid": msg_id} if kind == "subscribe" else dict(OK)


def told(w: World, account: Account, openid: str, template_id: str, msg_id: int) -> None:
    """The account hears that the message was sent."""
    line = {"TemplateId": template_id, "MsgID": str(msg_id), "ErrorCode": "0", "ErrorStatus": "success"}
    push_event(w, account.name, openid, "subscribe_msg_sent_event", SubscribeMsgSentEvent={"List": [line]})


@routes.post("/cgi-bin/message/subscribe/send")
@api
def subscribe_send(w: World) -> Row:
    """A mini-program's subscribe message; one permission is used up."""
    return _send(w, bearer(w, "mini"), body())


@routes.post("/cgi-bin/message/subscribe/bizsend")
@api
def bizsend(w: World) -> Row:
    """An official account's 订阅通知; following does not matter, permission does."""
    account = bearer(w, "official", "mini")
    if account.name == "mini":
        raise Refusal(45103, "this api is not for a mini program")
    return _send(w, account, body())


@routes.get("/wxaapi/newtmpl/gettemplate")
@api
def gettemplate(w: World) -> Row:
    """The templates of the account."""
    account = bearer(w, "mini", "official")
    return {
        **OK,
        "data": [
            {
                "priTmplId": t.id,
                "title": t.title,
                "content": "".join(f"{name}:{{{{{name}.DATA}}}}\n" for name in t.fields),
                "example": "",
                "type": 2,
            }
            for t in account.templates
        ],
    }
