"""WeCom: PROTOCOLS 3.3 to 3.8."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pytest_httpserver import HTTPServer

from tests.sandbox.conftest import Box

SEND = "/wecom/cgi-bin/message/send"
CARD = {
    "card_type": "button_interaction",
    "task_id": "WX261120K7Q2M9X4CD",
    "main_title": {"title": "新的报修单"},
    "button_list": [{"text": "接单", "key": "accept"}, {"text": "转派", "key": "pass"}],
}


def text(**more: Any) -> dict[str, Any]:
    return {"touser": "G2001", "msgtype": "text", "agentid": 1000002, "text": {"content": "派工"}, **more}


def card(**more: Any) -> dict[str, Any]:
    inner = {**CARD, **more}
    return {"touser": "G2001|G2002", "msgtype": "template_card", "agentid": 1000002, "template_card": inner}


def test_wrong_members_are_named_and_the_others_get_it(quiet: Box) -> None:
    answer = quiet.call(SEND, text(touser="g2001|Nobody|G2002"))
    assert (answer["errcode"], answer["invaliduser"]) == (0, "nobody")
    assert {s["recipient"] for s in quiet.ask("sent")["sent"]} == {"G2001", "G2002"}


def test_no_right_member_at_all_is_81013(quiet: Box) -> None:
    answer = quiet.call(SEND, text(touser="nobody"))
    assert answer["errcode"] == 81013
    assert "hint: [" in answer["errmsg"]
    assert "from ip: 127.0.0.1, more info at" in answer["errmsg"]
    assert quiet.ask("sent")["sent"] == []


def test_the_same_message_within_the_interval_is_delivered_once(quiet: Box) -> None:
    once = text(enable_duplicate_check=1, duplicate_check_interval=600)
    first = quiet.call(SEND, once)
    assert quiet.call(SEND, once)["msgid"] == first["msgid"]
    assert len(quiet.ask("sent")["sent"]) == 1
    quiet.advance(601)
    assert quiet.call(SEND, once)["msgid"] != first["msgid"]
    quiet.call(SEND, text())
    quiet.call(SEND, text())
    assert len(quiet.ask("sent")["sent"]) == 4


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (text(agentid=1), 40056),
        (text(msgtype="poem"), 40008),
        (text(text={"content": ""}), 44004),
        (text(touser=""), 40035),
        (text(msgtype="textcard", textcard={"title": "题" * 129, "description": "d", "url": "http://a"}), 45002),
        (text(msgtype="textcard", textcard={"title": "题", "description": "d" * 513, "url": "http://a"}), 45002),
        (text(msgtype="textcard", textcard={"title": "题", "description": "d", "url": "a"}), 40058),
        (text(msgtype="textcard", textcard={"title": "题", "description": "d", "url": "http://a"}), 0),
        (text(msgtype="image", image={"media_id": "x"}), 40007),
        (card(task_id=""), 42014),
        (card(task_id="报修"), 42014),
        (card(button_list=[{"text": "a", "key": "k"}] * 2), 42039),
        (card(button_list=[{"text": "a", "key": str(n)} for n in range(7)]), 42038),
        (card(horizontal_content_list=[{"keyname": "k"}] * 7), 42030),
        (card(card_type="text_notice", task_id=""), 42045),
    ],
)
def test_each_kind_keeps_its_limits(quiet: Box, body: dict[str, Any], code: int) -> None:
    assert quiet.call(SEND, body)["errcode"] == code


def test_a_text_beyond_2048_bytes_is_cut_not_refused(quiet: Box) -> None:
    assert quiet.call(SEND, text(text={"content": "报" * 1000}))["errcode"] == 0
    assert len(quiet.ask("sent")["sent"][0]["body"]["content"]) == 682


def test_more_than_thirty_a_minute_are_dropped_without_a_word(quiet: Box) -> None:
    assert {quiet.call(SEND, text())["errcode"] for _ in range(32)} == {0}
    assert len(quiet.ask("pushes", person="wang")["pushes"]) == 30


def test_a_card_is_answered_once_with_its_response_code(box: Box, service: HTTPServer) -> None:
    service.expect_request("/wx/wecom").respond_with_data("")
    sent = box.call(SEND, card())
    assert box.call(SEND, card())["errcode"] == 42014  # task_id used before
    update = {"userids": ["G2001", "ghost"], "agentid": 1000002, "button": {"replace_name": "已接单"}}
    path = "/wecom/cgi-bin/message/update_template_card"
    tapped = box.do("wang", "wecom_card", msg_id=sent["msgid"], key="accept")
    assert tapped["ok"]
    event = box.ask("callbacks", account="wecom")["callbacks"][-1]["push"]
    assert (event["Event"], event["EventKey"], event["TaskId"]) == ("template_card_event", "accept", CARD["task_id"])
    for code in (sent["response_code"], event["ResponseCode"]):
        assert box.call(path, {**update, "response_code": code}) == {
            "errcode": 0,
            "errmsg": "ok",
            "invaliduser": ["ghost"],
        }
        assert box.call(path, {**update, "response_code": code})["errcode"] == 60140
    again = box.do("wang", "wecom_card", msg_id=sent["msgid"], key="accept")
    assert again["ok"]
    late = box.ask("callbacks", account="wecom")["callbacks"][-1]["push"]["ResponseCode"]
    box.advance(72 * 3600 + 1)
    assert box.call(path, {**update, "response_code": late})["errcode"] == 60140


def test_a_message_can_be_recalled_for_a_day(quiet: Box) -> None:
    msg = quiet.call(SEND, text())["msgid"]
    assert quiet.call("/wecom/cgi-bin/message/recall", {"msgid": msg})["errcode"] == 0
    assert quiet.ask("pushes", person="wang")["pushes"] == []
    old = quiet.call(SEND, text())["msgid"]
    quiet.advance(86401)
    assert quiet.call("/wecom/cgi-bin/message/recall", {"msgid": old})["errcode"] == 42052


def authorized(box: Box, who: str, scope: str = "snsapi_base", agent: str = "") -> str:
    back = "redirect_uri=" + box.world.settings.service_url.replace(":", "%3A").replace("/", "%2F")
    query = f"appid={box.account('wecom').app_id}&{back}&response_type=code&scope={scope}&state=s{agent}"
    return box.do(who, "oauth", url=f"http://x/wecom/connect/oauth2/authorize?{query}")["redirect"]


def test_a_member_signs_in_once_per_code(quiet: Box) -> None:
    code = parse_qs(urlsplit(authorized(quiet, "zhao")).query)["code"][0]
    path = "/wecom/cgi-bin/auth/getuserinfo"
    assert quiet.call(path, code=code)["userid"] == "T1001"
    assert quiet.call(path, code=code)["errcode"] == 42022
    assert quiet.call(path, code="x")["errcode"] == 40029
    late = parse_qs(urlsplit(authorized(quiet, "zhao")).query)["code"][0]
    quiet.advance(301)
    assert quiet.call(path, code=late)["errcode"] == 42003


def test_private_info_needs_the_agent_and_gives_a_ticket(quiet: Box) -> None:
    to = authorized(quiet, "zhao", "snsapi_privateinfo", "&agentid=1000002")
    info = quiet.call("/wecom/cgi-bin/auth/getuserinfo", code=parse_qs(urlsplit(to).query)["code"][0])
    detail = quiet.call("/wecom/cgi-bin/auth/getuserdetail", {"user_ticket": info["user_ticket"]})
    assert detail["mobile"] == "13800030001"


def test_an_outsider_has_no_userid(quiet: Box) -> None:
    code = parse_qs(urlsplit(authorized(quiet, "lin")).query)["code"][0]
    assert "userid" not in quiet.call("/wecom/cgi-bin/auth/getuserinfo", code=code)


def test_contacts_are_the_persons_with_a_userid(quiet: Box) -> None:
    assert [d["id"] for d in quiet.call("/wecom/cgi-bin/department/list")["department"]] == [1, 2, 3]
    members = quiet.call("/wecom/cgi-bin/user/simplelist", department_id=3)["userlist"]
    assert {m["userid"] for m in members} == {"G2001", "G2002"}
    assert "mobile" not in quiet.call("/wecom/cgi-bin/user/get", userid="g2001")
    assert quiet.call("/wecom/cgi-bin/user/get", userid="x")["errcode"] == 60111
    assert quiet.call("/wecom/cgi-bin/user/list_id", {}, name="wecom_contacts")["dept_user"][0]["userid"] == "G2001"
