"""Template, customer-service and subscribe messages: PROTOCOLS 1.11, 1.12, 1.13, 2.6."""

from pytest_httpserver import HTTPServer

from tests.sandbox.conftest import Box

CUSTOM = "/wechat/cgi-bin/message/custom/send"
SUBSCRIBE = "/wechat/cgi-bin/message/subscribe/send"
BIZSEND = "/wechat/cgi-bin/message/subscribe/bizsend"


def custom(box: Box, who: str = "lin") -> int:
    openid = box.world.person(who)["official_openid"]
    return box.call(CUSTOM, {"touser": openid, "msgtype": "text", "text": {"content": "已登记"}})["errcode"]


def test_an_accepted_template_message_is_counted_and_on_the_phone(quiet: Box) -> None:
    answer = quiet.send(client_msg_id="k1")
    assert (answer["errcode"], answer["errmsg"]) == (0, "ok")
    (sent,) = quiet.ask("sent")["sent"]
    assert (sent["kind"], sent["client_key"], sent["msg_id"]) == ("template", "k1", str(answer["msgid"]))
    assert [p["kind"] for p in quiet.ask("pushes", person="lin")["pushes"]] == ["template"]


def test_who_does_not_follow_gets_nothing(quiet: Box) -> None:
    assert quiet.send(who="chen")["errcode"] == 43004
    assert quiet.ask("sent")["sent"] == []


def test_strange_openids_templates_and_programs_are_refused(quiet: Box) -> None:
    assert quiet.send(touser="o" + "x" * 27)["errcode"] == 40003
    assert quiet.send(template_id=quiet.template(name="mini"))["errcode"] == 40037
    assert quiet.send(miniprogram={"appid": "wx0", "pagepath": "a"})["errcode"] == 40013
    mine = {"appid": quiet.account("mini").app_id, "pagepath": "pages/repair/show"}
    assert quiet.send(miniprogram=mine)["errcode"] == 0


def test_the_same_client_msg_id_within_ten_minutes_is_sent_once(quiet: Box) -> None:
    first = quiet.send(client_msg_id="once")
    quiet.advance(590)
    assert quiet.send(client_msg_id="once")["msgid"] == first["msgid"]
    assert len(quiet.ask("sent")["sent"]) == 1
    quiet.advance(20)
    assert quiet.send(client_msg_id="once")["msgid"] != first["msgid"]
    assert quiet.send(who="wang", client_msg_id="once")["msgid"] != first["msgid"]
    assert len(quiet.ask("sent")["sent"]) == 3


def test_the_daily_cap_is_45009_until_midnight(quiet: Box) -> None:
    quiet.control("limits", template_daily=2)
    assert [quiet.send()["errcode"] for _ in range(3)] == [0, 0, 45009]
    quiet.advance(86400)
    assert quiet.send()["errcode"] == 0


def test_a_body_that_is_no_json_is_47001(quiet: Box) -> None:
    url = "/wechat/cgi-bin/message/template/send?access_token=" + quiet.token("official")
    assert quiet.web.post(url, data="{").json["errcode"] == 47001
    assert quiet.web.post(url, data="[]").json["errcode"] == 47001
    assert quiet.web.post(url).json["errcode"] == 44002


def test_customer_service_needs_an_open_window(box: Box, service: HTTPServer) -> None:
    service.expect_request("/wx/official").respond_with_data("success")
    assert custom(box) == 45015
    box.do("lin", "text", text="报修")
    assert [custom(box) for _ in range(6)] == [0, 0, 0, 0, 0, 45047]
    box.do("lin", "text", text="还有")
    box.advance(48 * 3600 - 5)
    assert custom(box) == 0
    box.advance(10)
    assert custom(box) == 45015


def test_a_follow_opens_a_window_of_one_minute_and_three_messages(box: Box, service: HTTPServer) -> None:
    service.expect_request("/wx/official").respond_with_data("success")
    box.do("chen", "follow")
    assert [custom(box, "chen") for _ in range(4)] == [0, 0, 0, 45047]
    box.advance(61)
    assert custom(box, "chen") == 45015


def test_each_permission_is_one_subscribe_message(box: Box, service: HTTPServer) -> None:
    service.expect_request("/wx/mini").respond_with_data("success")
    message = box.message(name="mini")
    assert box.call(SUBSCRIBE, message, name="mini")["errcode"] == 43101
    template = box.template(name="mini")
    for _ in range(2):
        assert box.do("lin", "subscribe", answers={template: "accept"})[template] == "accept"
    box.do("lin", "subscribe", answers={template: "reject"})
    box.do("lin", "subscribe", answers={box.template("repair_progress", "mini"): "accept"})
    assert [box.call(SUBSCRIBE, message, name="mini")["errcode"] for _ in range(3)] == [0, 0, 43101]
    assert len(box.ask("sent", kind="subscribe")["sent"]) == 2


def test_a_refused_field_uses_up_no_permission(box: Box, service: HTTPServer) -> None:
    service.expect_request("/wx/mini").respond_with_data("success")
    box.do("lin", "subscribe", answers={box.template(name="mini"): "accept"})
    wrong = box.message(name="mini", data={})
    assert box.call(SUBSCRIBE, wrong, name="mini")["errcode"] == 47003
    assert box.call(SUBSCRIBE, box.message(name="mini"), name="mini")["errcode"] == 0


def test_the_accounts_own_subscribe_notice_does_not_need_a_follower(box: Box, service: HTTPServer) -> None:
    service.expect_request("/wx/official").respond_with_data("success")
    message = box.message(who="chen")
    assert box.call(BIZSEND, message)["errcode"] == 43101
    box.do("chen", "subscribe", answers={box.template(): "accept"}, account="official")
    assert box.call(BIZSEND, message)["errcode"] == 0
    assert box.call(BIZSEND, message)["errcode"] == 43101


def test_a_sheet_for_an_unknown_template_fails_as_in_wechat(quiet: Box) -> None:
    answer = quiet.web.post("/control/people/lin/subscribe", json={"answers": {"x": "accept"}})
    assert answer.status_code == 409
    assert "No template data return" in answer.json["error"]


def test_templates_are_listed_with_their_fields(quiet: Box) -> None:
    listed = quiet.call("/wechat/cgi-bin/template/get_all_private_template")["template_list"]
    assert "{{phrase4.DATA}}" in next(t["content"] for t in listed if t["title"] == "报修进度通知")
    mine = quiet.call("/wechat/wxaapi/newtmpl/gettemplate", name="mini")["data"]
    assert {t["priTmplId"] for t in mine} == {t.id for t in quiet.account("mini").templates}


def test_a_crowd_can_be_written_to_without_phones(quiet: Box) -> None:
    crowd = quiet.control("crowd", count=3)["people"]
    for one in crowd:
        assert quiet.send(touser=one["official_openid"])["errcode"] == 0
        assert quiet.call(SUBSCRIBE, quiet.message(name="mini", touser=one["mini_openid"]), name="mini")["errcode"] == 0
    assert quiet.ask("sent", count=1)["counts"] == [
        {"kind": "subscribe", "n": 3, "recipients": 3},
        {"kind": "template", "n": 3, "recipients": 3},
    ]
