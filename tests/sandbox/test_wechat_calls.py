"""Menu, QR codes, log-in, content checks: the other calls of the official account and the mini-program."""

import io
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from PIL import Image
from pytest_httpserver import HTTPServer
from werkzeug import Response

from tests.sandbox.conftest import Box

MENU = "/wechat/cgi-bin/menu/create"
QR = "/wechat/cgi-bin/qrcode/create"


def click(name: str = "报修", **more: Any) -> dict[str, Any]:
    return {"type": "click", "name": name, "key": "k", **more}


@pytest.mark.parametrize(
    ("menu", "code"),
    [
        ([click()] * 4, 40016),
        ([], 40016),
        ([{"name": "多", "sub_button": [click()] * 6}], 40023),
        ([click("报" * 6)], 40018),
        ([{"name": "上", "sub_button": [click("报" * 21)]}], 40025),
        ([click(key="k" * 129)], 40019),
        ([{"name": "上", "sub_button": [click(key="")]}], 40026),
        ([{"type": "view", "name": "网页", "url": "http://a/" + "x" * 1024}], 40020),
        ([{"type": "view", "name": "网页", "url": "a.example"}], 40055),
        ([{"type": "nothing", "name": "无"}], 40017),
        ([{"type": "miniprogram", "name": "小", "url": "http://a", "appid": "wx0", "pagepath": "p"}], 40013),
        ([click("五个汉字啦"), {"name": "上", "sub_button": [click("报" * 20, key="k" * 128)] * 5}], 0),
    ],
)
def test_a_menu_keeps_within_its_limits(quiet: Box, menu: list[Any], code: int) -> None:
    assert quiet.call(MENU, {"button": menu})["errcode"] == code
    stands = quiet.call("/wechat/cgi-bin/menu/get")
    assert stands.get("errcode") == (46003 if code else None)


def test_a_deleted_menu_is_gone(quiet: Box) -> None:
    quiet.call(MENU, {"button": [click()]})
    assert quiet.call("/wechat/cgi-bin/menu/get")["menu"]["button"][0]["key"] == "k"
    assert quiet.call("/wechat/cgi-bin/menu/delete")["errcode"] == 0
    assert quiet.call("/wechat/cgi-bin/menu/get")["errcode"] == 46003
    assert quiet.call("/wechat/cgi-bin/get_current_selfmenu_info") == {"is_menu_open": 0}


def test_a_permanent_code_is_the_same_again_and_has_a_picture(quiet: Box) -> None:
    body = {"action_name": "QR_LIMIT_STR_SCENE", "action_info": {"scene": {"scene_str": "D12ABCDEFGH"}}}
    first, second = quiet.call(QR, body), quiet.call(QR, body)
    assert first == second
    assert "expire_seconds" not in first
    picture = quiet.web.get("/wechat/cgi-bin/showqrcode", query_string={"ticket": first["ticket"]})
    assert Image.open(io.BytesIO(picture.data)).size[0] > 200
    assert quiet.web.get("/wechat/cgi-bin/showqrcode?ticket=x").status_code == 404


def test_a_temporary_code_ends(quiet: Box) -> None:
    body = {"action_name": "QR_SCENE", "expire_seconds": 60, "action_info": {"scene": {"scene_id": 7}}}
    made = quiet.call(QR, body)
    quiet.advance(61)
    assert quiet.web.get("/wechat/cgi-bin/showqrcode", query_string={"ticket": made["ticket"]}).status_code == 404
    assert quiet.web.post("/control/people/lin/scan", json={"ticket": made["ticket"]}).status_code == 409


@pytest.mark.parametrize("scene", [{"scene_str": ""}, {"scene_str": "x" * 65}, {"scene_id": 5}, {}])
def test_a_scene_must_fit(quiet: Box, scene: dict[str, Any]) -> None:
    body = {"action_name": "QR_LIMIT_STR_SCENE", "action_info": {"scene": scene}}
    assert quiet.call(QR, body)["errcode"] == 40053


def test_a_mini_program_code_is_a_picture_and_an_error_is_json(quiet: Box) -> None:
    url = "/wechat/wxa/getwxacodeunlimit?access_token=" + quiet.token("mini")
    good = quiet.web.post(url, json={"scene": "D12ABCDEFGH", "page": "pages/repair/file"})
    assert good.mimetype == "image/png"
    assert good.data.startswith(b"\x89PNG")
    for wrong, code in (({"scene": "x" * 33}, 40129), ({"scene": "a%b"}, 40129), ({"scene": "a", "page": "/p"}, 41030)):
        assert quiet.web.post(url, json=wrong).json["errcode"] == code


def authorize(box: Box, query: str, who: str = "lin") -> Any:
    headers = {"X-Sandbox-Person": who} if who else {}
    return box.web.get(f"/wechat/connect/oauth2/authorize?{query}", headers=headers)


def asked(box: Box, scope: str = "snsapi_base") -> str:
    back = quote(f"{box.world.settings.service_url}/wx/back", safe="")
    return f"appid={box.account('official').app_id}&redirect_uri={back}&response_type=code&scope={scope}&state=s1"


def test_the_web_log_in_gives_the_openid_once(quiet: Box) -> None:
    to = parse_qs(urlsplit(authorize(quiet, asked(quiet)).headers["Location"]).query)
    assert to["state"] == ["s1"]
    a = quiet.account("official")
    query = {"appid": a.app_id, "secret": a.secret, "code": to["code"][0], "grant_type": "authorization_code"}
    first = quiet.web.get("/wechat/sns/oauth2/access_token", query_string=query)
    assert first.mimetype == "text/plain"
    said = first.get_json(force=True)
    assert said["openid"] == quiet.world.person("lin")["official_openid"]
    assert "is_snapshotuser" not in said
    assert quiet.web.get("/wechat/sns/oauth2/access_token", query_string=query).get_json(force=True)["errcode"] == 40163
    query["code"] = "made-up"
    assert quiet.web.get("/wechat/sns/oauth2/access_token", query_string=query).get_json(force=True)["errcode"] == 40029


def test_the_order_of_the_parameters_is_strict_and_the_domain_known(quiet: Box) -> None:
    parts = asked(quiet).split("&")
    assert "无法打开" in authorize(quiet, "&".join([parts[1], parts[0], *parts[2:]])).text
    assert "10003" in authorize(quiet, asked(quiet).replace("127.0.0.1", "evil.example")).text
    assert "你是谁" in authorize(quiet, asked(quiet), who="").text


def test_a_snapshot_visitor_is_marked_and_somebody_else(quiet: Box) -> None:
    quiet.control("faults", kind="snapshot_user")
    code = parse_qs(urlsplit(authorize(quiet, asked(quiet)).headers["Location"]).query)["code"][0]
    a = quiet.account("official")
    query = {"appid": a.app_id, "secret": a.secret, "code": code, "grant_type": "authorization_code"}
    said = quiet.web.get("/wechat/sns/oauth2/access_token", query_string=query).get_json(force=True)
    assert said["is_snapshotuser"] == 1
    assert said["openid"] != quiet.world.person("lin")["official_openid"]


def session(box: Box, code: str) -> Any:
    a = box.account("mini")
    query = {"appid": a.app_id, "secret": a.secret, "js_code": code, "grant_type": "authorization_code"}
    return box.web.get("/wechat/sns/jscode2session", query_string=query).get_json(force=True)


def test_a_login_code_is_good_once_and_for_five_minutes(quiet: Box) -> None:
    code = quiet.do("lin", "login_code")["code"]
    assert session(quiet, code)["openid"] == quiet.world.person("lin")["mini_openid"]
    assert session(quiet, code)["errcode"] == 40163
    late = quiet.do("lin", "login_code")["code"]
    quiet.advance(301)
    assert session(quiet, late)["errcode"] == 40029


def test_the_phone_code_is_not_the_login_code(quiet: Box) -> None:
    path = "/wechat/wxa/business/getuserphonenumber"
    assert quiet.call(path, {"code": quiet.do("lin", "login_code")["code"]}, name="mini")["errcode"] == 40029
    code = quiet.do("lin", "phone_code")["code"]
    assert quiet.call(path, {"code": code}, name="mini")["phone_info"]["purePhoneNumber"] == "13800010101"
    assert quiet.call(path, {"code": code}, name="mini")["errcode"] == 40029


def test_words_are_judged_for_somebody_who_was_there_within_two_hours(quiet: Box) -> None:
    body = {"openid": quiet.world.person("lin")["mini_openid"], "scene": 2, "version": 2, "content": "灯不亮"}
    check = "/wechat/wxa/msg_sec_check"
    assert quiet.call(check, body, name="mini")["errcode"] == 61010
    quiet.do("lin", "login_code")
    found = [
        quiet.call(check, {**body, "content": words}, name="mini")["result"]["suggest"]
        for words in ("灯不亮", "卖违禁品", "疑似广告")
    ]
    assert found == ["pass", "risky", "review"]
    quiet.advance(7300)
    assert quiet.call(check, body, name="mini")["errcode"] == 61010


def test_a_pictures_judgement_comes_as_an_event(box: Box, service: HTTPServer, until: Callable[..., Any]) -> None:
    service.expect_request("/wx/mini").respond_with_data("success")
    box.do("lin", "login_code")
    openid = box.world.person("lin")["mini_openid"]
    body = {"openid": openid, "scene": 1, "version": 2, "media_type": 2, "media_url": "http://a/risky.jpg"}
    trace = box.call("/wechat/wxa/media_check_async", body, name="mini")["trace_id"]
    (event,) = until(lambda: box.ask("callbacks", account="mini")["callbacks"])
    assert event["push"]["Event"] == "wxa_media_check"
    assert (event["push"]["trace_id"], event["push"]["result"]["suggest"]) == (trace, "risky")


def test_a_photo_can_be_fetched_by_its_media_id(box: Box, service: HTTPServer) -> None:
    service.expect_request("/wx/official").respond_with_handler(lambda r: Response("success"))
    assert box.do("lin", "photo", sample="leak")["ok"]
    push = box.ask("callbacks")["callbacks"][-1]["push"]
    path = "/wechat/cgi-bin/media/get"
    query = {"access_token": box.token("official"), "media_id": push["MediaId"]}
    got = box.web.get(path, query_string=query)
    assert got.data[:2] == b"\xff\xd8"
    assert box.web.get(urlsplit(push["PicUrl"]).path).data == got.data
    box.advance(3 * 86400 + 5)
    assert box.call(path, media_id=push["MediaId"])["errcode"] == 40007


def test_an_upload_comes_back(quiet: Box) -> None:
    url = "/wechat/cgi-bin/media/upload?type=image&access_token=" + quiet.token("official")
    made = quiet.web.post(url, data={"media": (io.BytesIO(b"\xff\xd8picture"), "a.jpg")}).json
    query = {"access_token": quiet.token("official"), "media_id": made["media_id"]}
    assert quiet.web.get("/wechat/cgi-bin/media/get", query_string=query).data == b"\xff\xd8picture"


def test_followers_and_the_ticket_for_pages(quiet: Box) -> None:
    lin, chen = (quiet.world.person(k)["official_openid"] for k in ("lin", "chen"))
    assert quiet.call("/wechat/cgi-bin/user/info", openid=lin)["subscribe"] == 1
    assert set(quiet.call("/wechat/cgi-bin/user/info", openid=chen)) == {"subscribe", "openid", "tagid_list"}
    assert quiet.call("/wechat/cgi-bin/user/get")["count"] == 2
    ticket = quiet.call("/wechat/cgi-bin/ticket/getticket", type="jsapi")
    assert (ticket["errcode"], ticket["expires_in"]) == (0, 7200)
    assert quiet.call("/wechat/cgi-bin/ticket/getticket", type="jsapi")["ticket"] == ticket["ticket"]


def test_a_url_link_lasts_thirty_days_at_most(quiet: Box) -> None:
    path = "/wechat/wxa/generate_urllink"
    good = {"path": "/pages/repair/show", "query": "no=1", "expire_type": 1, "expire_interval": 30}
    assert quiet.call(path, good, name="mini")["url_link"].startswith("https://wxaurl.cn/")
    assert quiet.call(path, {**good, "expire_interval": 31}, name="mini")["errcode"] == 85401
