"""The control API: who may use it, what it records, what it hides."""

import json

import pytest
from pytest_httpserver import HTTPServer

from tests.sandbox.conftest import Box


@pytest.mark.parametrize("address", ["192.168.1.5", "10.0.0.2", "2001:db8::1"])
def test_only_this_machine_steers(quiet: Box, address: str) -> None:
    asked = {"REMOTE_ADDR": address}
    assert quiet.web.post("/control/reset", environ_base=asked).status_code == 403
    assert quiet.web.get("/control/state", environ_base=asked).status_code == 403
    assert quiet.web.get("/", environ_base=asked).status_code == 200


def test_no_other_sites_page_steers(quiet: Box) -> None:
    assert quiet.web.post("/control/reset", headers={"Origin": "http://evil.example"}).status_code == 403
    assert quiet.web.post("/control/reset", headers={"Origin": "http://localhost"}).status_code == 200


def test_calls_are_listed_with_their_secrets_hidden(box: Box, service: HTTPServer) -> None:
    service.expect_request("/wx/official").respond_with_data("success")
    token, secret = box.token("official"), box.account("official").secret
    box.send()
    box.do("lin", "text", text="你好")
    listed = box.ask("calls")["calls"]
    text = json.dumps(listed, ensure_ascii=False)
    assert token not in text
    assert secret not in text
    assert {c["direction"] for c in listed} == {"in", "out"}
    out = box.ask("calls", direction="out")["calls"]
    assert "你好" in [c["request"].get("Content") for c in out]
    assert [c["path"] for c in box.ask("calls", path="template/send")["calls"]] == [
        "/wechat/cgi-bin/message/template/send"
    ]
    last = box.ask("calls")["last"]
    assert box.ask("calls", since=last)["calls"] == []


def test_metrics_count_answers_and_refusals(quiet: Box) -> None:
    quiet.send()
    quiet.send(who="chen")
    text = quiet.web.get("/metrics").text
    assert "sandbox_template_accepted 1" in text
    assert "sandbox_wechat_errcode_43004 1" in text


def test_unknown_persons_deeds_and_buttons_are_named(quiet: Box) -> None:
    assert quiet.web.post("/control/people/nobody/follow").status_code == 404
    assert quiet.web.post("/control/people/lin/dance").status_code == 404
    assert quiet.web.post("/control/people/lin/click", json={"key": "x"}).status_code == 409
    assert quiet.web.post("/control/people/chen/text", json={"text": "x"}).status_code == 409
    assert quiet.web.post("/control/people/lin/text", json={}).status_code == 404


def test_curl_needs_no_content_type(box: Box, service: HTTPServer) -> None:
    service.expect_request("/wx/official").respond_with_data("success")
    form = "application/x-www-form-urlencoded"
    said = box.web.post("/control/people/lin/text", data='{"text": "x"}', content_type=form)
    assert said.json["ok"]


def test_doors_have_labels_and_the_codes_minted_for_them(quiet: Box) -> None:
    quiet.control("doors", doors=[{"code": "D12ABCDEFGH", "label": "12 栋 402"}, {"code": "D7", "label": "7 栋 101"}])
    body = {"action_name": "QR_LIMIT_STR_SCENE", "action_info": {"scene": {"scene_str": "D12ABCDEFGH"}}}
    ticket = quiet.call("/wechat/cgi-bin/qrcode/create", body)["ticket"]
    listed = quiet.ask("doors", q="402")["doors"]
    assert listed == [{"code": "D12ABCDEFGH", "label": "12 栋 402", "tickets": {"official": ticket}}]
    assert quiet.ask("doors")["total"] == 2


def test_doors_written_beside_the_settings_are_known_after_a_start(quiet: Box) -> None:
    doors = [{"code": "D2", "label": "2 栋 201"}, {"code": "D1", "label": "1 栋 101"}]
    (quiet.directory / "doors.json").write_text(json.dumps(doors), encoding="utf-8")
    quiet.restart()
    assert [d["label"] for d in quiet.ask("doors")["doors"]] == ["2 栋 201", "1 栋 101"]


def test_the_pages_load_nothing_from_elsewhere(quiet: Box) -> None:
    for path in ("/", "/panel", "/beside", "/sso/cas/login"):
        answer = quiet.web.get(path)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert "<script>" not in answer.text
        assert "style=" not in answer.text


def test_the_second_page_cannot_be_anything_but_an_address(quiet: Box) -> None:
    page = quiet.web.get("/beside", query_string={"right": '"><script>alert(1)</script>', "left": "http://evil"})
    assert "<script>alert" not in page.text
    assert 'src="/"' in page.text
    assert "javascript:" not in quiet.web.get("/beside?right=javascript:alert(1)").text
