"""Pushes as WeChat delivers them: PROTOCOLS 1.2 to 1.5, counted on a real listener and read with wechatpy."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
import xmltodict
from pytest_httpserver import HTTPServer
from wechatpy import create_reply, parse_message
from wechatpy.crypto import WeChatCrypto
from wechatpy.enterprise.crypto import WeChatCrypto as WeComCrypto
from wechatpy.utils import check_signature
from werkzeug import Request, Response

from tests.sandbox.conftest import Box


class Heard(list[Request]):
    """The requests the service got; `answers` in turn, the last one for ever."""

    def __init__(self, *answers: Callable[[Request], Response] | str) -> None:
        super().__init__()
        self.answers = list(answers)
        self.bodies: list[bytes] = []
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Response:
        with self._lock:
            self.bodies.append(request.get_data())
            self.append(request)
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return Response(answer) if isinstance(answer, str) else answer(request)


def official(box: Box) -> WeChatCrypto:
    a = box.account("official")
    return WeChatCrypto(a.token, a.aes_key, a.app_id)


def inside(box: Box, heard: Heard, n: int = 0) -> str:
    q = heard[n].args
    return official(box).decrypt_message(heard.bodies[n], q["msg_signature"], q["timestamp"], q["nonce"])


def opened(box: Box, heard: Heard, n: int = 0) -> Any:
    return parse_message(inside(box, heard, n))


def raw(box: Box, heard: Heard, n: int = 0) -> dict[str, Any]:
    return xmltodict.parse(inside(box, heard, n))["xml"]


def replying(box: Box, text: str) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        q, crypto = request.args, official(box)
        message = parse_message(
            crypto.decrypt_message(request.get_data(), q["msg_signature"], q["timestamp"], q["nonce"])
        )
        return Response(crypto.encrypt_message(create_reply(text, message).render(), q["nonce"], q["timestamp"]))

    return answer


def error(_: Request) -> Response:
    return Response("later", 503)


def test_a_text_arrives_encrypted_and_signed_as_wechatpy_expects(box: Box, service: HTTPServer) -> None:
    heard = Heard("success")
    service.expect_request("/wx/official", method="POST").respond_with_handler(heard)
    assert box.do("lin", "text", text="报修 ]]> 灯")["ok"]
    a, q = box.account("official"), heard[0].args
    check_signature(a.token, q["signature"], q["timestamp"], q["nonce"])
    assert q["openid"] == box.world.person("lin")["official_openid"]
    assert b"\xe6\x8a\xa5" not in heard.bodies[0]
    message = opened(box, heard)
    assert (message.type, message.content, message.target) == ("text", "报修 ]]> 灯", a.origin_id)
    assert message.id > 2**52


def test_the_reply_is_decrypted_and_shown(box: Box, service: HTTPServer) -> None:
    service.expect_request("/wx/official").respond_with_handler(replying(box, "已登记 WX1"))
    assert box.do("lin", "text", text="3")["reply"]["Content"] == "已登记 WX1"
    shown = box.ask("pushes", person="lin")["pushes"][-1]
    assert (shown["kind"], shown["body"]["Content"]) == ("reply", "已登记 WX1")


def test_three_attempts_carry_the_same_message_under_new_signatures(box: Box, service: HTTPServer) -> None:
    heard = Heard(error)
    service.expect_request("/wx/official").respond_with_handler(heard)
    outcome = box.do("lin", "text", text="在吗")
    assert (outcome["ok"], len(heard)) == (False, 3)
    assert len({opened(box, heard, n).id for n in range(3)}) == 1
    assert len({opened(box, heard, n).create_time for n in range(3)}) == 1
    assert len({r.args["nonce"] for r in heard}) == 3
    assert len({r.args["msg_signature"] for r in heard}) == 3
    last = box.ask("pushes", person="lin")["pushes"][-1]
    assert last["body"]["text"] == "该公众号暂时无法提供服务，请稍后再试"


def test_the_second_attempt_counts_when_the_first_failed(box: Box, service: HTTPServer) -> None:
    heard = Heard(error, replying(box, "好了"))
    service.expect_request("/wx/official").respond_with_handler(heard)
    assert box.do("lin", "text", text="在吗")["reply"]["Content"] == "好了"
    assert len(heard) == 2


def test_the_retry_comes_while_the_first_is_still_being_worked_on(box: Box, service: HTTPServer) -> None:
    release, at_work, most = threading.Event(), [], []

    def slow(request: Request) -> Response:
        at_work.append(request)
        most.append(len(at_work))
        release.wait(5)
        at_work.remove(request)
        return Response("success")

    heard = Heard(slow)
    service.expect_request("/wx/official").respond_with_handler(heard)
    outcome = box.do("lin", "text", text="慢")
    release.set()
    assert outcome["failed"] == "timeout"
    assert [a["failed"] for a in outcome["attempts"]] == ["timeout"] * 3
    assert max(most) == 3


@pytest.mark.parametrize("answer", ["ok", "SUCCESS", "<html></html>", '"success"', "<xml><a></xml>"])
def test_any_other_answer_is_the_bubble_and_is_not_repeated(box: Box, service: HTTPServer, answer: str) -> None:
    heard = Heard(answer)
    service.expect_request("/wx/official").respond_with_handler(heard)
    assert not box.do("lin", "text", text="x")["ok"]
    assert len(heard) == 1
    assert box.ask("pushes", person="lin")["pushes"][-1]["kind"] == "unavailable"


def test_an_empty_answer_and_success_show_nothing(box: Box, service: HTTPServer) -> None:
    service.expect_request("/wx/official").respond_with_handler(Heard("", "success"))
    assert box.do("lin", "text", text="1")["ok"]
    assert box.do("lin", "text", text="2")["ok"]
    assert box.ask("pushes", person="lin")["pushes"] == []


def test_a_reply_signed_with_another_token_is_the_bubble(box: Box, service: HTTPServer) -> None:
    a = box.account("official")

    def forged(request: Request) -> Response:
        crypto = WeChatCrypto("another", a.aes_key, a.app_id)
        xml = "<xml><MsgType>text</MsgType><Content>x</Content></xml>"
        return Response(crypto.encrypt_message(xml, "n", "1"))

    service.expect_request("/wx/official").respond_with_handler(Heard(forged))
    assert "MsgSignature" in box.do("lin", "text", text="x")["failed"]


def test_a_reply_to_somebody_else_is_the_bubble(box: Box, service: HTTPServer) -> None:
    def to_another(request: Request) -> Response:
        a = box.account("official")
        xml = (
            f"<xml><ToUserName>someone</ToUserName><FromUserName>{a.origin_id}</FromUserName>"
            "<MsgType>text</MsgType><Content>x</Content></xml>"
        )
        return Response(official(box).encrypt_message(xml, "n", "1"))

    service.expect_request("/wx/official").respond_with_handler(Heard(to_another))
    assert "ToUserName" in box.do("lin", "text", text="x")["failed"]


def test_plain_mode_sends_readable_xml_with_cdata(box: Box, service: HTTPServer) -> None:
    heard = Heard("success")
    service.expect_request("/wx/official").respond_with_handler(heard)
    box.control("mode", account="official", mode="plain")
    box.do("lin", "text", text="你好")
    assert "encrypt_type" not in heard[0].args
    body = heard.bodies[0].decode()
    assert "<Content><![CDATA[你好]]></Content>" in body
    assert "<CreateTime>1" in body
    assert parse_message(body).content == "你好"


def test_compat_mode_sends_both(box: Box, service: HTTPServer) -> None:
    heard = Heard("success")
    service.expect_request("/wx/official").respond_with_handler(heard)
    box.control("mode", account="official", mode="compat")
    box.do("lin", "text", text="你好")
    assert parse_message(heard.bodies[0]).content == opened(box, heard).content == "你好"


def test_the_mini_program_pushes_json_whose_single_list_is_an_object(
    box: Box, service: HTTPServer, until: Callable[..., Any]
) -> None:
    heard = Heard("success")
    service.expect_request("/wx/mini").respond_with_handler(heard)
    one, two = box.template("notice", "mini"), box.template("repair_progress", "mini")
    box.do("lin", "subscribe", answers={one: "accept"})
    until(lambda: len(heard) == 1)
    box.do("lin", "subscribe", answers={one: "accept", two: "reject"})
    until(lambda: len(heard) == 2)
    a = box.account("mini")
    crypto, found = WeChatCrypto(a.token, a.aes_key, a.app_id), []
    for body, request in zip(heard.bodies, heard, strict=True):
        outer, q = json.loads(body), request.args
        xml = f"<xml><Encrypt>{outer['Encrypt']}</Encrypt></xml>"
        found.append(json.loads(crypto.decrypt_message(xml, q["msg_signature"], q["timestamp"], q["nonce"])))
    assert found[0]["Event"] == "subscribe_msg_popup_event"
    assert found[0]["SubscribeMsgPopupEvent"]["List"]["SubscribeStatusString"] == "accept"
    assert [x["SubscribeStatusString"] for x in found[1]["SubscribeMsgPopupEvent"]["List"]] == ["accept", "reject"]


def test_the_end_of_a_template_job_is_told(box: Box, service: HTTPServer, until: Callable[..., Any]) -> None:
    heard = Heard("success")
    service.expect_request("/wx/official").respond_with_handler(heard)
    msg_id = box.send()["msgid"]
    until(lambda: len(heard) == 1)
    event = opened(box, heard)
    assert (event.event, event.id, event.status) == ("templatesendjobfinish", msg_id, "success")
    box.do("lin", "block")
    box.send()
    until(lambda: len(heard) == 2)
    assert opened(box, heard, 1).status == "failed:user block"
    assert [s["state"] for s in box.ask("sent")["sent"]] == ["success", "failed:user block"]


def test_following_scanning_and_clicking_are_the_events_wechat_sends(box: Box, service: HTTPServer) -> None:
    heard = Heard("success")
    service.expect_request("/wx/official").respond_with_handler(heard)
    menu = {"button": [{"type": "click", "name": "报修", "key": "REPAIR"}]}
    box.call("/wechat/cgi-bin/menu/create", menu)
    made = box.call(
        "/wechat/cgi-bin/qrcode/create",
        {"action_name": "QR_LIMIT_STR_SCENE", "action_info": {"scene": {"scene_str": "D12ABCDEFGH"}}},
    )
    box.do("chen", "scan", ticket=made["ticket"])
    box.do("chen", "scan", code="D12ABCDEFGH")
    box.do("chen", "click", key="REPAIR")
    box.do("chen", "unfollow")
    fields = [raw(box, heard, n) for n in range(4)]
    assert [(f["Event"], f["EventKey"] or "") for f in fields] == [
        ("subscribe", "qrscene_D12ABCDEFGH"),
        ("SCAN", "D12ABCDEFGH"),
        ("CLICK", "REPAIR"),
        ("unsubscribe", ""),
    ]
    assert fields[0]["Ticket"] == fields[1]["Ticket"] == made["ticket"]
    assert box.send(who="chen")["errcode"] == 43004


def test_wecom_pushes_are_opened_by_wechatpys_wecom_crypto(box: Box, service: HTTPServer) -> None:
    heard = Heard("")
    service.expect_request("/wx/wecom").respond_with_handler(heard)
    assert box.do("wang", "wecom_text", text="到了")["ok"]
    a, q = box.account("wecom"), heard[0].args
    xml = WeComCrypto(a.token, a.aes_key, a.app_id).decrypt_message(
        heard.bodies[0], q["msg_signature"], q["timestamp"], q["nonce"]
    )
    assert "<FromUserName><![CDATA[G2001]]></FromUserName>" in xml
    assert "<AgentID>1000002</AgentID>" in xml
    assert "signature" not in q


@pytest.mark.parametrize("name", ["official", "mini", "wecom"])
def test_a_url_is_verified_as_its_console_would(box: Box, service: HTTPServer, name: str) -> None:
    a = box.account(name)

    def echo(request: Request) -> Response:
        q = request.args
        if not a.wecom:
            check_signature(a.token, q["signature"], q["timestamp"], q["nonce"])
            return Response(q["echostr"])
        crypto = WeComCrypto(a.token, a.aes_key, a.app_id)
        return Response(crypto.check_signature(q["msg_signature"], q["timestamp"], q["nonce"], q["echostr"]))

    service.expect_request(a.callback, method="GET").respond_with_handler(echo)
    assert box.control("verify", account=name)["ok"]
    service.clear()
    service.expect_request(a.callback, method="GET").respond_with_handler(lambda r: Response(r.args["echostr"] + "\n"))
    assert not box.control("verify", account=name)["ok"]


def test_rotated_keys_sign_the_next_push_and_a_reply_under_the_old_ones_still_counts(
    box: Box, service: HTTPServer
) -> None:
    old = box.account("official")
    rotated = box.control("rotate", account="official")
    assert rotated["old"] == {"token": old.token, "aes_key": old.aes_key}

    def under_the_old(request: Request) -> Response:
        person = box.world.person("lin")["official_openid"]
        xml = (
            f"<xml><ToUserName>{person}</ToUserName><FromUserName>{old.origin_id}</FromUserName>"
            "<MsgType>text</MsgType><Content>x</Content></xml>"
        )
        return Response(WeChatCrypto(old.token, old.aes_key, old.app_id).encrypt_message(xml, "n", "1"))

    heard = Heard(under_the_old)
    service.expect_request("/wx/official").respond_with_handler(heard)
    assert box.do("lin", "text", text="x")["reply"]["Content"] == "x"
    assert box.account("official").token == rotated["new"]["token"] != old.token
    assert opened(box, heard).content == "x"
