"""Template cards after they were sent: a member's tap, and the app's answer to it (PROTOCOLS 3.3, 3.5)."""

import json

from flask import Blueprint

from sandbox import deeds
from sandbox.answers import OK, Refusal, api, body
from sandbox.deeds import CannotDo, Pending
from sandbox.wecom.account import agent, of_app
from sandbox.wecom.card_rules import check_card
from sandbox.world import Row, World

routes = Blueprint("wecom_cards", __name__)
LIFE_S = 72 * 3600


def tap(w: World, person: Row, msg_id: str, key: str, selected: dict[str, list[str]]) -> Pending:
    """The member pressed a button of the card: template_card_event with a response code of its own."""
    row = w.store.one(
        "select * from sent where kind = 'wecom' and msg_id = ? and recipient = ?", msg_id, person["wecom_userid"]
    )
    card = json.loads(row["body"]) if row else {}
    if row is None or card.get("msgtype") != "template_card" or row["state"] == "recalled":
        raise CannotDo("没有这张卡片")
    keys = {b.get("key") for b in card.get("button_list", [])}
    keys |= {a.get("key") for a in (card.get("action_menu") or {}).get("action_list", [])}
    keys |= {(card.get("submit_button") or {}).get("key")}
    if key not in keys:
        raise CannotDo("卡片上没有这个按钮")
    code = w.dice.text("response_code", 64)
    w.store.run("insert into card (code, msg_id, issued_at) values (?,?,?)", code, msg_id, w.clock.second())
    fields: Row = {
        "Event": "template_card_event",
        "EventKey": key,
        "TaskId": card.get("task_id", ""),
        "CardType": card["card_type"],
        "ResponseCode": code,
    }
    if selected:
        items = [{"QuestionKey": q, "OptionIds": {"OptionId": list(ids)}} for q, ids in selected.items()]
        fields["SelectedItems"] = {"SelectedItem": items}
    return deeds.push_wecom(w, person, "event", **fields)


@routes.post("/cgi-bin/message/update_template_card")
@api
def update(w: World) -> Row:
    """The card shows that it was answered; a response_code serves once, within 72 hours."""
    account = of_app(w)
    data = body()
    agent(account, data.get("agentid"))
    row = w.store.one("select * from card where code = ?", str(data.get("response_code", "")))
    if row is None or row["used_at"] is not None or w.clock.second() - row["issued_at"] > LIFE_S:
        raise Refusal(60140, "invalid response_code")
    button, card = data.get("button"), data.get("template_card")
    if isinstance(card, dict):
        check_card(w, card, update=True)
    elif not (isinstance(button, dict) and button.get("replace_name")):
        raise Refusal(40035, "button.replace_name or template_card needed")
    w.store.run("update card set used_at = ? where code = ?", w.clock.second(), row["code"])
    had = [x["recipient"] for x in w.store.all("select recipient from sent where msg_id = ?", row["msg_id"])]
    wanted = [str(u) for u in data.get("userids") or []]
    lower = {u.lower() for u in had}
    chosen = had if data.get("atall") else [u for u in had if u.lower() in {x.lower() for x in wanted}]
    for userid in chosen:
        person = w.person_by("wecom_userid", userid)
        if person and not person["crowd"]:
            change = {"card": card} if card else {"replace_name": button["replace_name"]}
            w.show(person["key"], "wecom", "card_changed", {"msg_id": row["msg_id"], **change}, direction="state")
    return {**OK, "invaliduser": [u for u in wanted if u.lower() not in lower]}
