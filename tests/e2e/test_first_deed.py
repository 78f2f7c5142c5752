"""The whole first deed on phone and console against what `make run` starts. DESIGN §2, §5; FEATURES R1, R4, R8–R10, N1."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Complaints
from tests.e2e.house import House
from tests.e2e.pages import Desk, Phone

pytestmark = pytest.mark.browser

ROOM = "12号楼 402"
NUMBER = re.compile(r"WX\d{6}[A-Z0-9]+")
Keep = Callable[[Page, str], None]


def test_from_the_scan_to_the_stars(
    house: House, phone: Phone, desk: Desk, complaints: Complaints, picture: Keep
) -> None:
    # A student on the stair scans the door, and answers the encrypted reply with a number.
    phone.of("lin")
    phone.scan(house.door(ROOM))
    expect(phone.last).to_contain_text(ROOM)
    expect(phone.last).to_contain_text("正在处理")
    faults = re.findall(r"^(\d) (\S+)$", phone.last.inner_text(), re.MULTILINE)
    assert [n for n, _ in faults] == list("123456")
    number = next(n for n, name in faults if name == "水龙头漏水")
    picture(phone.page, "scan")
    phone.say(number)
    expect(phone.last).to_contain_text("已报修")
    expect(phone.last).to_contain_text(f"{ROOM} 水龙头漏水")
    no = NUMBER.findall(phone.last.inner_text())[0]
    replies = [push for push in house.ask("callbacks", account="official")["callbacks"] if push.get("reply")]
    print(replies[-1])

    # The worker's phone gets the dispatch; the card opens the client, signed in, at the ticket.
    card = house.until(lambda: [m for m in house.sent(kind="wecom") if no in str(m["body"])])[0]
    worker = next(p for p in house.ask("state")["people"] if p["wecom_userid"] == card["recipient"])
    phone.of(worker["key"])
    phone.app("企业微信").get_by_role("button", name=f"{ROOM} 水龙头漏水").click()
    web = phone.web
    expect(web.get_by_text(f"单号 {no}")).to_be_visible()
    expect(web.get_by_text("为什么派给我")).to_be_visible()
    picture(phone.page, "worker")
    web.get_by_role("button", name="接单").click()
    expect(web.get_by_text("维修中").first).to_be_visible()
    web.get_by_role("button", name="扫门码，我到了").click()
    web.get_by_role("textbox").fill(house.door(ROOM))
    web.get_by_role("button", name="下一步").click()
    expect(web.get_by_text("到场").first).to_be_visible()
    web.get_by_role("button", name="完工").click()
    web.get_by_role("textbox").fill("阀芯老化，已更换")
    web.get_by_role("button", name="提交完工").click()
    expect(web.get_by_text("待验收").first).to_be_visible()

    # She is told, opens the ticket from the notice, accepts and rates.
    phone.of("lin")
    for m in house.sent():
        print(m)
    picture(phone.page, "told")
