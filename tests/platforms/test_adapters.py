"""What the adapters say to the platforms and what they make of the answers. PROTOCOLS 1–3."""

import hashlib
import json
import threading
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import responses
from pytest_httpserver import HTTPServer
from wechatpy.oauth import WeChatOAuth
from werkzeug import Response

from core.errors import Busy, Refused, Unknown
from core.redis import Cache
from platforms.mini import MiniProgram
from platforms.official import OfficialAccount
from platforms.wecom import WeCom
from tests.platforms.conftest import API, mini_section, official_section, wecom_section


def answer(wire: responses.RequestsMock, method: str, path: str, reply: Any, **more: Any) -> None:
    body = reply if isinstance(reply, bytes) else json.dumps(reply)
    wire.add(method, API + path, body=body, content_type="text/plain", **more)


def sent(wire: responses.RequestsMock) -> Any:
    """The last call's body as JSON, and its query."""
    request = wire.calls[-1].request
    query = {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}
    return json.loads(request.body) if request.body else None, query


OK = {"errcode": 0, "errmsg": "ok"}


# -- official account


def test_a_template_message_carries_its_key_and_its_mini_program(official, tokens):
    answer(tokens, "POST", "/cgi-bin/message/template/send", OK | {"msgid": 200228332})
    mini = ("wx2", "pages/x?no=1")
    assert (
        official.send_template("o", "t1", {"thing1": "灯"}, url="http://a", mini=mini, client_msg_id="k") == "200228332"
    )
    body, query = sent(tokens)
    assert body == {
        "touser": "o",
        "template_id": "t1",
        "data": {"thing1": {"value": "灯"}},
        "url": "http://a",
        "miniprogram": {"appid": "wx2", "pagepath": "pages/x?no=1"},
        "client_msg_id": "k",
    }
    assert query == {"access_token": "T1"}


def test_chinese_goes_out_as_chinese(official, tokens):
    answer(tokens, "POST", "/cgi-bin/menu/create", OK)
    official.publish_menu({"button": [{"type": "click", "name": "报修", "key": "repair"}]})
    assert "报修".encode() in tokens.calls[-1].request.body
    official.publish_menu([{"type": "click", "name": "报修", "key": "repair"}])
    assert sent(tokens)[0] == {"button": [{"type": "click", "name": "报修", "key": "repair"}]}


def test_a_menu_that_is_not_there_is_none(official, tokens):
    answer(tokens, "GET", "/cgi-bin/menu/get", {"errcode": 46003, "errmsg": "menu no exist"})
    assert official.get_menu() is None


def test_the_menu_comes_back_as_published(official, tokens):
    answer(tokens, "GET", "/cgi-bin/menu/get", {"menu": {"button": []}})
    assert official.get_menu() == {"button": []}


def test_a_door_code_is_permanent_and_its_picture_needs_no_token(official, tokens, no_redis):
    answer(tokens, "POST", "/cgi-bin/qrcode/create", {"ticket": "gQ/+=", "url": "http://weixin.qq.com/q/x"})
    assert official.make_door_qr("DABCDEFGHJK") == ("gQ/+=", "http://weixin.qq.com/q/x")
    assert sent(tokens)[0] == {
        "action_name": "QR_LIMIT_STR_SCENE",
        "action_info": {"scene": {"scene_str": "DABCDEFGHJK"}},
    }
    assert official.door_qr_image_url("gQ/+=") == f"{API}/cgi-bin/showqrcode?ticket=gQ%2F%2B%3D"
    real = OfficialAccount(official_section("https://api.weixin.qq.com"), no_redis)
    assert real.door_qr_image_url("x") == "https://mp.weixin.qq.com/cgi-bin/showqrcode?ticket=x"


@pytest.mark.parametrize(
    ("reply", "follows", "unionid"), [({"subscribe": 1, "unionid": "u"}, True, "u"), ({"subscribe": 0}, False, None)]
)
def test_a_follower(official, tokens, reply, follows, unionid):
    answer(tokens, "GET", "/cgi-bin/user/info", {"openid": "o"} | reply)
    assert official.follower("o") == ("o", follows, unionid)


def test_the_sign_in_page_has_the_parameters_in_wechats_order(official):
    theirs = WeChatOAuth("wx1", "s1", "https://x.edu/m/?a=1", "snsapi_base", "s1t2")
    ours = official.oauth_url("https://x.edu/m/?a=1", "s1t2")
    assert ours == theirs.authorize_url.replace("https://open.weixin.qq.com", API)


def test_a_snapshot_visitor_is_told_apart(official, wire):
    answer(wire, "GET", "/sns/oauth2/access_token", {"access_token": "w", "openid": "o", "is_snapshotuser": 1})
    assert official.oauth_identity("c") == ("o", None, True)
    assert sent(wire)[1] == {"appid": "wx1", "secret": "s1", "code": "c", "grant_type": "authorization_code"}


def test_a_used_sign_in_code_is_refused_and_a_wrong_secret_renews_no_token(official, wire):
    answer(wire, "GET", "/sns/oauth2/access_token", {"errcode": 40163, "errmsg": "code been used"})
    answer(wire, "GET", "/sns/oauth2/access_token", {"errcode": 40001, "errmsg": "invalid credential"})
    for code in ("40163", "40001"):
        with pytest.raises(Refused, match=code):
            official.oauth_identity("c")


def test_the_js_settings_are_signed_over_the_page_without_its_fragment(official, tokens):
    answer(tokens, "GET", "/cgi-bin/ticket/getticket", OK | {"ticket": "TICKET", "expires_in": 7200})
    for _ in range(3):
        found = official.js_config("https://x.edu/m/?a=1&b=2#/pages/home")
    text = (
        f"jsapi_ticket=TICKET&noncestr={found['nonceStr']}&timestamp={found['timestamp']}&url=https://x.edu/m/?a=1&b=2"
    )
    assert found["signature"] == hashlib.sha1(text.encode()).hexdigest()
    assert len([call for call in tokens.calls if "getticket" in call.request.url]) == 1


def test_templates_tell_their_fields(official, mini, tokens):
    content = "单号：{{character_string1.DATA}}\n位置：{{thing2.DATA}}\n"
    listed = {"template_list": [{"template_id": "t1", "title": "报修进度通知", "content": content}]}
    answer(tokens, "GET", "/cgi-bin/template/get_all_private_template", listed)
    answer(
        tokens,
        "GET",
        "/wxaapi/newtmpl/gettemplate",
        OK | {"data": [{"priTmplId": "t2", "title": "x", "content": content}]},
    )
    assert official.templates() == [("t1", "报修进度通知", ("character_string1", "thing2"))]
    assert mini.templates() == [("t2", "x", ("character_string1", "thing2"))]


def test_a_customer_service_text_and_the_callback_addresses(official, tokens):
    answer(tokens, "POST", "/cgi-bin/message/custom/send", OK)
    answer(tokens, "GET", "/cgi-bin/getcallbackip", {"ip_list": ["1.2.3.4"]})
    official.send_text("o", "您好")
    assert sent(tokens)[0] == {"touser": "o", "msgtype": "text", "text": {"content": "您好"}}
    assert official.callback_ips() == ["1.2.3.4"]


# -- mini-program


@pytest.mark.parametrize("more", [{}, {"errcode": 0}, {"unionid": "u"}])
def test_a_login_code_gives_the_openid(mini, wire, more):
    answer(wire, "GET", "/sns/jscode2session", {"openid": "o", "session_key": "k=="} | more)
    assert mini.code_session("c") == ("o", more.get("unionid"), "k==")


def test_a_subscribe_message(mini, tokens):
    answer(tokens, "POST", "/cgi-bin/message/subscribe/send", OK)
    assert mini.send_subscribe("o", "t", {"phrase3": "已派工"}, "pages/repair/one?no=1") == ""
    assert sent(tokens)[0] == {
        "touser": "o",
        "template_id": "t",
        "page": "pages/repair/one?no=1",
        "miniprogram_state": "formal",
        "lang": "zh_CN",
        "data": {"phrase3": {"value": "已派工"}},
    }


def test_a_code_is_a_picture_or_a_refusal_never_a_broken_picture(mini, tokens):
    answer(tokens, "POST", "/wxa/getwxacodeunlimit", b"\xff\xd8\xff\xe0 a picture")
    assert mini.door_code("DABC", "/pages/repair/file").startswith(b"\xff\xd8")
    assert sent(tokens)[0]["page"] == "pages/repair/file"
    for body, kind in ((b'{"errcode":40169,"errmsg":"x"}', Refused), (b"<html>", Unknown), (b"{}", Unknown)):
        tokens.replace("POST", f"{API}/wxa/getwxacodeunlimit", body=body)
        with pytest.raises(kind):
            mini.door_code("DABC", "pages/repair/file")


def test_a_phone_number(mini, tokens):
    answer(tokens, "POST", "/wxa/business/getuserphonenumber", OK | {"phone_info": {"purePhoneNumber": "13580006666"}})
    assert mini.phone_number("c") == "13580006666"


def test_the_worst_piece_of_a_long_text_counts(mini, tokens):
    for verdict in ("pass", "risky", "review"):
        answer(tokens, "POST", "/wxa/msg_sec_check", OK | {"result": {"suggest": verdict, "label": 100}})
    assert mini.check_text("o", "字" * 6000) == "risky"
    assert mini.check_text("o", "") == "pass"
    assert [len(json.loads(c.request.body)["content"]) for c in tokens.calls if "sec_check" in c.request.url] == [
        2500,
        2500,
        1000,
    ]


def test_a_verdict_that_is_none_is_no_pass(mini, tokens):
    answer(tokens, "POST", "/wxa/msg_sec_check", OK)
    with pytest.raises(Unknown):
        mini.check_text("o", "x")


def test_a_photo_is_checked_later(mini, tokens):
    answer(tokens, "POST", "/wxa/media_check_async", OK | {"trace_id": "tr1"})
    answer(tokens, "POST", "/wxa/generate_urllink", OK | {"url_link": "https://wxaurl.cn/x"})
    assert mini.check_photo_async("o", "https://x/p.jpg") == "tr1"
    assert mini.url_link("/pages/x", "a=1") == "https://wxaurl.cn/x"


# -- WeCom


def test_who_could_not_be_reached_in_wecom(wecom, tokens):
    reply = OK | {"invaliduser": "g2001|g2002", "unlicenseduser": "t1", "msgid": "m"}
    answer(tokens, "POST", "/cgi-bin/message/send", reply)
    assert wecom.send_text(["G2001", "G2002", "T1", "T2"], "x") == ("G2001", "G2002", "T1")
    body, _ = sent(tokens)
    assert (body["touser"], body["agentid"], body["enable_duplicate_check"]) == ("G2001|G2002|T1|T2", 1000002, 1)
    tokens.replace("POST", f"{API}/cgi-bin/message/send", json=OK)
    assert wecom.send_textcard(["G1"], "派工", "灯不亮", "https://x/m/") == ()
    assert sent(tokens)[0]["textcard"] == {
        "title": "派工",
        "description": "灯不亮",
        "url": "https://x/m/",
        "btntxt": "详情",
    }


def test_signing_in_through_wecom(wecom, tokens):
    answer(tokens, "GET", "/cgi-bin/auth/getuserinfo", OK | {"userid": "T1001"})
    assert wecom.oauth_userid("c") == "T1001"
    assert sent(tokens)[1] == {"access_token": "T1", "code": "c"}
    tokens.replace("GET", f"{API}/cgi-bin/auth/getuserinfo", json=OK | {"openid": "o"})
    with pytest.raises(Refused):
        wecom.oauth_userid("c")
    assert "appid=ww1&redirect_uri=https%3A%2F%2Fx&response_type=code" in wecom.oauth_url("https://x", "s")


def test_contacts(wecom, tokens):
    answer(
        tokens, "GET", "/cgi-bin/user/get", OK | {"userid": "G1", "name": "王建国", "department": [1, 2], "status": 5}
    )
    answer(tokens, "GET", "/cgi-bin/department/list", OK | {"department": [{"id": 1, "name": "后勤处", "parentid": 0}]})
    answer(tokens, "GET", "/cgi-bin/user/list", OK | {"userlist": [{"userid": "G1", "name": "王", "status": 1}]})
    answer(tokens, "GET", "/cgi-bin/get_jsapi_ticket", OK | {"ticket": "T", "expires_in": 7200})
    assert wecom.user("G1") == ("G1", "王建国", (1, 2), False)
    assert wecom.departments() == [(1, "后勤处", 0)]
    assert wecom.users_of(1) == [("G1", "王", (), True)]
    assert wecom.js_config("https://x/")["appId"] == "ww1"


# -- the wire


def test_nobody_there_is_busy_and_a_server_error_is_unknown(official, tokens):
    tokens.add("POST", f"{API}/cgi-bin/message/template/send", status=502, body="<html>")
    with pytest.raises(Unknown):
        official.send_template("o", "t", {})


def test_a_closed_port_is_busy(no_redis):
    account = OfficialAccount(official_section("http://127.0.0.1:9"), no_redis)
    with pytest.raises(Busy):
        account.send_template("o", "t", {})


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b"\xff\xfe", b'{"errcode":'])
def test_an_answer_that_cannot_be_read_is_unknown(official, tokens, body):
    answer(tokens, "POST", "/cgi-bin/message/template/send", body)
    with pytest.raises(Unknown):
        official.send_template("o", "t", {})


def test_a_server_that_hangs_is_unknown_and_a_token_that_hangs_is_busy(no_redis: Cache, httpserver: HTTPServer):
    release = threading.Event()

    def hang(_request: Any) -> Response:
        release.wait(5)
        return Response()

    httpserver.expect_request("/cgi-bin/stable_token").respond_with_json({"access_token": "T", "expires_in": 7200})
    httpserver.expect_request("/cgi-bin/message/template/send").respond_with_handler(hang)
    httpserver.expect_request("/cgi-bin/gettoken").respond_with_handler(hang)
    base = httpserver.url_for("").rstrip("/")
    try:
        with pytest.raises(Unknown):
            OfficialAccount(official_section(base), no_redis, timeout_s=0.3).send_template("o", "t", {})
        with pytest.raises(Busy):  # without a token nothing was sent, so nothing is in doubt
            WeCom(wecom_section(base), no_redis, timeout_s=0.3).send_text(["u"], "x")
    finally:
        release.set()


@pytest.mark.parametrize(
    "build",
    [
        lambda c: OfficialAccount(official_section(), c),
        lambda c: MiniProgram(mini_section(), c),
        lambda c: WeCom(wecom_section(), c),
    ],
)
def test_every_call_of_wechatpy_has_a_timeout_and_stays_on_our_base(build, no_redis, tokens):
    adapter = build(no_redis)
    assert adapter.client.auto_retry is False
    tokens.add("GET", f"{API}/cgi-bin/getcallbackip", json={"ip_list": []})
    adapter.client.misc.get_wechat_ips()
    if not isinstance(adapter, WeCom):
        tokens.add("GET", f"{API}/sns/jscode2session", json={"openid": "o"})
        adapter.client.wxa.code_to_session("c")  # its base URL is a class attribute of wechatpy
    for call in tokens.calls:
        assert call.request.url.startswith(API)
        assert call.request.req_kwargs["timeout"][0] is not None
