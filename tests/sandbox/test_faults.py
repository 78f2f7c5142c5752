"""Bad days on demand: each fault does what its line on the panel says, as often as told."""

import threading
from typing import Any

import pytest
import requests
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.sandbox.conftest import Box

PATH = "/wechat/cgi-bin/message/template/send"


@pytest.mark.parametrize(
    ("kind", "code"),
    [("busy", -1), ("daily_limit", 45009), ("minute_limit", 45011), ("answer", 50002)],
)
def test_an_answer_without_the_deed(quiet: Box, kind: str, code: int) -> None:
    quiet.control("faults", kind=kind, route="/wechat/cgi-bin/message/*", count=2)
    assert [quiet.send()["errcode"] for _ in range(3)] == [code, code, 0]
    assert len(quiet.ask("sent")["sent"]) == 1
    assert quiet.ask("faults")["faults"] == []


def test_43101_from_one_moment_to_the_next(quiet: Box) -> None:
    quiet.control("faults", kind="quota_used")
    body = quiet.message(name="mini", touser=quiet.control("crowd", count=1)["people"][0]["mini_openid"])
    path = "/wechat/cgi-bin/message/subscribe/send"
    quiet.control("faults", kind="answer", errcode=43101, route=path)
    assert quiet.call(path, body, name="mini")["errcode"] == 43101


def test_somebody_else_took_the_token(quiet: Box) -> None:
    token = quiet.token("official")
    quiet.control("faults", kind="token_invalidated", route=PATH)
    assert quiet.call(PATH, quiet.message(), token=token)["errcode"] == 40001
    assert quiet.call(PATH, quiet.message(), token=token)["errcode"] == 40001
    fresh = quiet.token("official")
    assert fresh != token
    assert quiet.call(PATH, quiet.message(), token=fresh)["errcode"] == 0


def test_the_ip_whitelist_stands_before_the_right_calls(quiet: Box) -> None:
    token, corp = quiet.token("official"), quiet.token("wecom")
    quiet.control("faults", kind="ip_whitelist")
    answer = quiet.stable()
    assert answer["errcode"] == 40164
    assert "127.0.0.1" in answer["errmsg"]
    assert quiet.call(PATH, quiet.message(), token=token)["errcode"] == 0
    assert quiet.corp()["errcode"] == 0
    assert quiet.call("/wecom/cgi-bin/user/get", token=corp, userid="G2001")["errcode"] == 60020


def asked(live: str, box: Box, **more: Any) -> requests.Response:
    token = box.token("official")
    return requests.post(f"{live}{PATH}", params={"access_token": token}, json=box.message(**more), timeout=2)


@pytest.mark.parametrize(
    ("kind", "done"), [("drop", 0), ("hang", 0), ("outage", 0), ("timeout_after", 1), ("drop_after", 1)]
)
def test_a_connection_ends_without_an_answer(box: Box, service: HTTPServer, live: str, kind: str, done: int) -> None:
    service.expect_request("/wx/official").respond_with_data("success")
    token = box.token("official")
    box.control("faults", kind=kind, route="/wechat/*", count=1)
    with pytest.raises(requests.ConnectionError):
        requests.post(f"{live}{PATH}", params={"access_token": token}, json=box.message(), timeout=5)
    assert len(box.ask("sent")["sent"]) == done
    assert asked(live, box).json()["errcode"] == 0


def test_a_caller_who_gives_up_frees_the_hanging_call(box: Box, live: str) -> None:
    box.world.behaviour["hang_s"] = 60
    box.control("faults", kind="hang", route="/sms/*")
    before = threading.active_count()
    with pytest.raises(requests.ReadTimeout):
        requests.get(f"{live}/sms/sent/x", timeout=0.3)
    pause = threading.Event()
    for _ in range(100):
        if threading.active_count() <= before:
            break
        pause.wait(0.05)
    assert threading.active_count() <= before


def test_garbage_and_half_an_answer_come_after_the_deed(box: Box, service: HTTPServer, live: str) -> None:
    service.expect_request("/wx/official").respond_with_data("success")
    box.control("faults", kind="garbage", route=PATH)
    assert "html" in asked(live, box).text
    box.control("faults", kind="truncate", route=PATH)
    with pytest.raises(requests.JSONDecodeError):
        asked(live, box).json()
    box.control("faults", kind="busy_after", route=PATH)
    assert asked(live, box).json()["errcode"] == -1
    assert len(box.ask("sent")["sent"]) == 3


def test_an_absolute_form_target_is_understood(box: Box, live: str) -> None:
    import http.client
    from urllib.parse import urlsplit

    at = urlsplit(live)
    link = http.client.HTTPConnection(at.hostname or "", at.port or 0, timeout=5)
    link.putrequest("GET", f"{live}/sms/sent/x", skip_host=True)
    link.putheader("Host", at.netloc)
    link.endheaders()
    assert link.getresponse().status == 401
    link.close()


def counted(service: HTTPServer, path: str = "/wx/official") -> list[Request]:
    heard: list[Request] = []

    def answer(request: Request) -> Response:
        heard.append(request)
        return Response("success")

    service.expect_request(path).respond_with_handler(answer)
    return heard


def test_a_push_may_come_twice_at_once(box: Box, service: HTTPServer) -> None:
    heard = counted(service)
    box.control("faults", kind="callback_duplicate", route="official", copies=3)
    box.do("lin", "text", text="一")
    assert len(heard) == 3
    box.do("lin", "text", text="二")
    assert len(heard) == 4


def test_a_push_may_be_lost(box: Box, service: HTTPServer) -> None:
    heard = counted(service)
    box.control("faults", kind="callback_lose", route="official")
    assert box.do("lin", "text", text="一")["failed"] == "lost on the way"
    assert box.do("lin", "text", text="二")["ok"]
    assert len(heard) == 1


def test_a_push_may_be_overtaken(box: Box, service: HTTPServer) -> None:
    order: list[str] = []
    box.control("mode", account="official", mode="plain")

    def answer(request: Request) -> Response:
        order.append(request.get_data().decode().split("<Content><![CDATA[")[1][0])
        return Response("success")

    service.expect_request("/wx/official").respond_with_handler(answer)
    box.control("faults", kind="callback_reorder", route="official", wait_s=5)
    first = threading.Thread(target=lambda: box.do("lin", "text", text="一"))
    first.start()
    pause = threading.Event()
    while not box.world.callbacks._held:
        pause.wait(0.01)
    box.do("lin", "text", text="二")
    first.join(5)
    assert order == ["二", "一"]


def test_a_forged_push_has_a_signature_that_does_not_fit(box: Box, service: HTTPServer) -> None:
    heard = counted(service)
    box.control("faults", kind="callback_forge", route="official")
    box.do("lin", "text", text="x")
    from sandbox import codec

    q, token = heard[0].args, box.account("official").token
    assert q["signature"] != codec.sha1_sorted(token, q["timestamp"], q["nonce"])


def test_an_outage_stops_pushes_too_and_ends_when_removed(box: Box, service: HTTPServer) -> None:
    heard = counted(service)
    made = box.control("faults", kind="outage")
    assert made["remaining"] is None
    assert not box.do("lin", "text", text="x")["ok"]
    assert box.web.delete(f"/control/faults?id={made['id']}").json == {"removed": 1}
    assert box.do("lin", "text", text="x")["ok"]
    assert len(heard) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "sabotage"},
        {"kind": "delay", "count": 0},
        {"kind": "delay", "probability": 2},
        {"kind": "drop", "x": 1},
        {},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(quiet: Box, wrong: dict[str, Any]) -> None:
    assert quiet.web.post("/control/faults", json=wrong).status_code == 400
    assert quiet.ask("faults")["faults"] == []


def test_a_probability_strikes_about_that_often(quiet: Box) -> None:
    quiet.control("faults", kind="busy", route=PATH, probability=0.2)
    token, body = quiet.token("official"), quiet.message()
    struck = sum(quiet.call(PATH, body, token=token)["errcode"] == -1 for _ in range(300))
    assert 35 <= struck <= 85
