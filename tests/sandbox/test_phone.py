"""The phone and the panel in a real Chromium: scan, chat, the mini-program's bridge, a fault."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from pytest_httpserver import HTTPServer
from werkzeug import Response
from werkzeug.serving import make_server

from tests.sandbox.conftest import Box, Quiet, new_box

pytestmark = pytest.mark.browser

CLIENT = """<!doctype html><meta charset=utf-8><title>client</title><pre id=heard></pre><script>
const bridge = new URLSearchParams(location.search).get('bridge'); let id = 0
addEventListener('message', (e) => { if (e.origin === bridge) heard.textContent += JSON.stringify(e.data) + '\\n' })
window.ask = (api, args) => parent.postMessage({ source: 'houqin-client', id: ++id, api, args }, bridge)
</script>"""


@pytest.fixture
def phone(tmp_path: Any, service: HTTPServer, page: Page) -> Iterator[tuple[Box, str, Page]]:
    """A phone page whose browser said nothing wrong in the end."""
    service.expect_request("/m/").respond_with_data(CLIENT, content_type="text/html")
    service.expect_request("/wx/mini").respond_with_data("success")
    box = new_box(tmp_path, service.url_for("").rstrip("/").replace("localhost", "127.0.0.1"))
    server = make_server("127.0.0.1", 0, box.app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    complaints: list[str] = []
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" and "favicon" not in m.text else None)
    page.on("pageerror", lambda e: complaints.append(str(e)))
    yield box, f"http://127.0.0.1:{server.server_port}", page
    page.close()
    server.shutdown()
    server.server_close()
    box.world.close()
    assert complaints == []


def test_a_newcomer_scans_a_door_and_chats(phone: tuple[Box, str, Page], service: HTTPServer) -> None:
    box, url, page = phone
    box.control("mode", account="official", mode="plain")

    def answer(request: Any) -> Response:
        from wechatpy import create_reply, parse_message

        message = parse_message(request.get_data())
        words = (
            message.content if message.type == "text" else '门牌 D12-402\n<a href="http://evil/" onclick="x">链接</a>'
        )
        return Response(create_reply(words, message).render())

    service.expect_request("/wx/official").respond_with_handler(answer)
    box.control("doors", doors=[{"code": "D12ABCDEFGH", "label": "12 栋 402"}])
    page.goto(url)
    page.locator("#whose").select_option("chen")
    expect(page.get_by_role("button", name="关注公众号")).to_be_visible()
    page.get_by_role("button", name="扫一扫").click()
    page.get_by_role("button", name="12 栋 402").click()
    expect(page.get_by_text("门牌 D12-402")).to_be_visible()
    assert box.world.person("chen")["qr_scene"] == "D12ABCDEFGH"
    page.get_by_label("输入消息").fill("<b>空调不制冷</b>")
    page.get_by_role("button", name="发送").click()
    expect(page.locator(".them .bubble").last).to_have_text("空调不制冷")
    box.call("/wechat/cgi-bin/message/template/send", box.message(who="chen", key="repair_progress"))
    expect(page.get_by_text("报修进度通知")).to_be_visible()


def test_the_bridge_does_what_wechat_does(phone: tuple[Box, str, Page]) -> None:
    box, url, page = phone
    template = box.template("repair_progress", "mini")
    page.goto(url)
    page.get_by_role("button", name="小程序", exact=True).click()
    frame = page.frame_locator("#mini-frame iframe")
    heard = frame.locator("#heard")
    expect(heard).to_be_attached()
    inside = next(f for f in page.frames if "/m/" in f.url)
    assert "as=lin" in inside.url
    inside.evaluate("ask('login')")
    expect(heard).to_contain_text("login:ok")
    inside.evaluate(f"ask('requestSubscribeMessage', {{ tmplIds: ['{template}'] }})")
    page.get_by_role("button", name="允许").click()
    expect(heard).to_contain_text('"accept"')
    assert box.ask("people/lin/quota")["quota"] == [{"account": "mini", "template_id": template, "n": 1}]
    inside.evaluate("ask('scanCode')")
    page.get_by_label("门牌码").fill("D12ABCDEFGH")
    page.get_by_role("button", name="扫这个").click()
    expect(heard).to_contain_text("/m/#/pages/repair/file?door=D12ABCDEFGH")
    inside.evaluate("ask('scanCode')")
    page.get_by_role("button", name="关闭", exact=True).click()
    expect(heard).to_contain_text("scanCode:fail cancel")
    inside.evaluate("ask('constructor')")
    expect(heard).to_contain_text("constructor:fail not supported")
    inside.evaluate("ask('getPhoneNumber')")
    page.get_by_role("button", name="拒绝").click()
    expect(heard).to_contain_text("getPhoneNumber:fail user deny")


def test_the_worker_gets_the_card_and_the_text_message(phone: tuple[Box, str, Page]) -> None:
    box, url, page = phone
    page.goto(url)
    page.locator("#whose").select_option("wang")
    card = {"title": "维修派工", "description": "12 栋 402 水龙头漏水", "url": f"{box.world.settings.service_url}/m/"}
    send = {"touser": "G2001", "msgtype": "textcard", "agentid": 1000002, "textcard": card}
    box.call("/wecom/cgi-bin/message/send", send)
    expect(page.locator(".dock .badge")).to_have_text("1")
    page.get_by_role("button", name="企业微信").click()
    page.get_by_role("button", name="维修派工").click()
    expect(page.locator("#web-frame iframe")).to_be_visible()


def test_a_fault_is_switched_on_and_off_on_the_panel(phone: tuple[Box, str, Page]) -> None:
    box, url, page = phone
    page.goto(f"{url}/panel")
    page.get_by_label("什么").select_option("busy")
    page.get_by_role("spinbutton", name="次数").fill("2")
    page.get_by_role("button", name="开启").click()
    expect(page.locator("#faults tbody tr")).to_contain_text("busy")
    assert box.stable()["errcode"] == -1
    page.get_by_role("button", name="全部关闭").click()
    expect(page.locator("#faults tbody")).to_contain_text("没有故障")
    assert box.ask("faults")["faults"] == []
    page.get_by_role("button", name="+1 天").click()
    expect(page.locator("#offset")).to_contain_text("86400")
    assert box.ask("clock")["offset_s"] == 86400
