"""The H5 build in a phone-sized Chromium against a scripted service: the first deed, the worker's, and the bad days."""

import io
import json
import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from PIL import Image
from playwright.sync_api import Frame, FrameLocator, Locator, Page, expect

from tests.client.conftest import CLIENT, npm
from tests.client.scripted_api import DOOR, Script, served, stamp

pytestmark = pytest.mark.browser

Screen = Page | Frame | FrameLocator


@pytest.fixture
def simulator(script: Script) -> Iterator[str]:
    """The phone simulator's origin: another port, so another origin than the client's."""
    with served(script) as url:
        yield url


def in_the_phone(page: Page, service: str, simulator: str, at: str = "/") -> Frame:
    """The client in the simulator's frame, as its mini-program."""
    client = quote(f"{service}/m/?bridge={simulator}#{at}", safe="")
    page.goto(f"{simulator}/phone?client={client}")
    page.wait_for_function("frames.length === 1 && window.asked.length > 0")
    frame = page.frames[1]
    frame.wait_for_load_state()
    return frame


def signed_in(page: Page, service: str, at: str = "/pages/home/home") -> Page:
    """The client in a browser of its own, by a session kept from before."""
    kept = {"token": "token-lin", "expires_at": stamp(60 * 24), "bound": True, "base": ""}
    page.add_init_script(
        "if (!localStorage['houqin.session']) localStorage['houqin.session'] ="
        f" JSON.stringify({{type: 'object', data: {kept!r}}})".replace("True", "true")
    )
    page.goto(f"{service}/m/#{at}")
    return page


def shown(screen: Screen, text: str | re.Pattern[str], *, exact: bool = False) -> Locator:
    """The text where it can be seen: pages further down the stack stay in the document, hidden."""
    return screen.get_by_text(text, exact=exact).locator("visible=true").first


def button(screen: Screen, name: str) -> Locator:
    return screen.get_by_role("button", name=name, exact=True).locator("visible=true").first


def field(screen: Screen, name: str) -> Locator:
    return screen.get_by_label(name, exact=True).locator("visible=true").locator("input, textarea").first


@pytest.fixture
def photo(tmp_path) -> str:
    path = tmp_path / "tap.jpg"
    Image.effect_noise((2400, 1800), 60).convert("RGB").save(path)
    return str(path)


def test_a_repair_is_filed_in_three_taps_through_the_bridge(page, script, service, simulator, photo):
    frame = in_the_phone(page, service, simulator)
    expect(shown(frame, "林小雨，您好")).to_be_visible()

    button(frame, "扫门码报修").tap()  # 1
    expect(shown(frame, "东校区 12 号楼 402")).to_be_visible()
    with page.expect_file_chooser() as chooser:
        button(frame, "拍照 / 相册").tap()  # 2
    chooser.value.set_files(photo)
    button(frame, "提交报修").tap()  # 3

    expect(shown(frame, "报修已提交")).to_be_visible()
    [filed] = script.deeds("/repairs")
    assert (filed["door"], filed["place"]) == (DOOR, "D12-402")
    assert filed["fault"] == "other", "nobody said what is broken: the desk will"
    [no] = script.photos
    assert filed["photos"] == [no]
    with Image.open(io.BytesIO(script.photos[no])) as sent:
        assert max(sent.size) == 1600, "made small before it was sent"
    assert script.deeds("/subscriptions") == [{"answers": {"tmpl-progress": "accept"}}], "asked in the same tap"
    expect(shown(frame, next(iter(script.tickets)))).to_be_visible()
    assert {"login", "scanCode", "requestSubscribeMessage", "setNavigationBarTitle"} <= set(page.evaluate("asked"))


def test_a_ticket_is_followed_accepted_and_rated(page, script, service):
    no = script.file({"fault": "ac", "text": "不制冷"}, state="working")["no"]
    signed_in(page, service, f"/pages/repair/detail?no={no}")
    expect(shown(page, "师傅正在处理")).to_be_visible()
    expect(page.get_by_text("为什么派给我")).to_have_count(0)

    script.move(no, "finish", "done", "完工", "王建国", "加了氟")  # seen by polling: Retry-After is 2 s
    expect(shown(page, "加了氟")).to_be_visible(timeout=8000)
    button(page, "修好了，验收").tap()
    shown(page, "确定", exact=True).tap()
    button(page, "评价这次维修").tap()
    expect(shown(page, "您的评价会影响师傅的考核")).to_be_visible()
    button(page, "提交评价").tap()
    expect(shown(page, "请给每一项打星")).to_be_visible()
    for name, stars in (("维修质量", 5), ("服务态度", 5), ("响应速度", 4), ("总体结果", 5)):
        page.get_by_role("radio", name=f"{name} {stars} 星").locator("visible=true").tap()
    field(page, "想说的话").fill("修得很快")
    button(page, "提交评价").tap()

    expect(shown(page, "我的评价")).to_be_visible()
    assert script.deeds(f"/repairs/{no}/rate") == [
        {"quality": 5, "attitude": 5, "speed": 4, "result": 5, "text": "修得很快", "photos": []}
    ]


def test_a_worker_takes_arrives_and_finishes_with_a_photo(page, script, service, simulator, photo):
    script.who = "wang"
    no = script.file({"fault": "water.leak", "text": "洗手池下面滴水"}, state="assigned")["no"]
    frame = in_the_phone(page, service, simulator)
    shown(frame, "1 单待处理").tap()
    shown(frame, "洗手池下面滴水").tap()
    expect(shown(frame, "您负责东校区 12 号楼的水工")).to_be_visible()
    expect(frame.get_by_label("打电话给 林小雨").locator("visible=true")).to_be_visible()

    button(frame, "接单").tap()
    button(frame, "扫门码，我到了").tap()
    button(frame, "完工").tap()
    with page.expect_file_chooser() as chooser:
        button(frame, "拍照 / 相册").tap()
    chooser.value.set_files(photo)
    field(frame, "怎么修的").fill("换了角阀")
    button(frame, "提交完工").tap()

    expect(shown(frame, "待验收", exact=True)).to_be_visible()
    assert script.deeds(f"/repairs/{no}/arrive") == [{"door": DOOR}]
    assert script.deeds(f"/repairs/{no}/finish") == [
        {"result": "fixed", "note": "换了角阀", "photos": list(script.photos)}
    ]


def test_what_cannot_be_fixed_needs_a_reason_and_a_proposal(page, script, service):
    script.who = "wang"
    no = script.file({"fault": "water.leak"}, state="working")["no"]
    signed_in(page, service, f"/pages/repair/detail?no={no}")
    button(page, "修不了").tap()
    field(page, "为什么修不了").fill("主管道开裂")
    button(page, "提交").tap()
    expect(shown(page, "“为什么”和“建议”都要写")).to_be_visible()
    assert script.deeds(f"/repairs/{no}/cannot") == []

    field(page, "建议怎么办").fill("请外单位更换")
    button(page, "提交").tap()
    expect(shown(page, "无法修复")).to_be_visible()
    assert script.deeds(f"/repairs/{no}/cannot") == [{"note": "主管道开裂", "proposal": "请外单位更换", "photos": []}]


def test_an_emergency_shows_the_number_to_call_before_the_form(page, script, service):
    signed_in(page, service, f"/pages/repair/file?door={DOOR}")
    page.get_by_role("radio", name="燃气味").tap()
    expect(shown(page, "拨打 83590110")).to_be_visible()
    expect(shown(page, "到楼外打电话")).to_be_visible()


def test_a_silence_after_the_deed_files_the_report_once(page, script, service):
    script.silent_once.add("/repairs")
    signed_in(page, service, f"/pages/repair/file?door={DOOR}")
    page.get_by_role("radio", name="灯不亮").tap()
    button(page, "提交报修").tap()
    expect(shown(page, "报修已提交")).to_be_visible()
    assert len(script.deeds("/repairs")) == 2
    assert len(script.tickets) == 1


def test_a_report_half_written_is_found_again(page, script, service):
    signed_in(page, service, f"/pages/repair/file?door={DOOR}")
    page.get_by_role("radio", name="下水堵塞").tap()
    field(page, "说明").fill("地漏往外冒水")
    page.evaluate(
        """() => new Promise((done) => {
            const look = () => (localStorage['houqin.draft'] || '').includes('地漏') ? done() : setTimeout(look, 50)
            look()
        })"""
    )
    page.goto(f"{service}/m/#/pages/home/home")
    page.reload()
    button(page, "继续填写").tap()
    expect(shown(page, "已恢复上次没发出的内容")).to_be_visible()
    expect(field(page, "说明")).to_have_value("地漏往外冒水")


def test_open_tickets_at_the_door_are_offered_instead(page, script, service):
    no = script.file({"fault": "ac", "text": "不制冷"})["no"]
    signed_in(page, service, f"/pages/repair/file?door={DOOR}")
    expect(shown(page, "这里已有 1 单在处理")).to_be_visible()
    page.get_by_role("radio", name="空调不制冷").tap()
    expect(shown(page, "同一地点、同一问题已有人报修")).to_be_visible()
    shown(page, "不制冷").tap()
    expect(page).to_have_url(re.compile(no))


def test_a_place_is_found_by_search_and_by_tree(page, script, service):
    signed_in(page, service, "/pages/repair/file")
    button(page, "搜索或选择").tap()
    shown(page, "东校区", exact=True).tap()
    shown(page, "12 号楼", exact=True).tap()
    shown(page, "403", exact=True).tap()
    expect(shown(page, "东校区 12 号楼 403")).to_be_visible()
    shown(page, "更换").tap()
    button(page, "搜索或选择").tap()
    field(page, "搜索地点").fill("402")
    shown(page, "东校区 12 号楼 402").tap()
    expect(shown(page, "东校区 12 号楼 402")).to_be_visible()


def test_an_unbound_visitor_binds_by_code_and_agrees_to_the_privacy_text(page, script, service, simulator):
    script.bound, script.consent = False, None
    frame = in_the_phone(page, service, simulator, "/pages/inbox/inbox")
    shown(frame, "用一次性码绑定").tap()
    for name, text in (("学号 / 工号", "2023010101"), ("姓名", "林小雨"), ("一次性码", "WRONG")):
        field(frame, name).fill(text)
    button(frame, "绑定").tap()
    expect(shown(frame, "请先阅读并同意隐私说明")).to_be_visible()
    assert script.deeds("/bindings") == []

    frame.get_by_role("checkbox").locator("visible=true").tap()
    button(frame, "绑定").tap()
    expect(shown(frame, "请 15 分钟后再试")).to_be_visible()
    field(frame, "一次性码").fill("7K2M9X4C")
    button(frame, "绑定").tap()
    expect(shown(frame, "还没有消息")).to_be_visible()
    assert script.consent == "2026-09"


def test_consent_is_asked_before_the_first_photo(page, script, service, photo):
    script.consent = None
    signed_in(page, service, f"/pages/repair/file?door={DOOR}")
    button(page, "拍照 / 相册").tap()
    with page.expect_file_chooser() as chooser:
        button(page, "同意").tap()
    chooser.value.set_files(photo)
    expect(page.get_by_label("删除这张照片")).to_be_visible()
    assert script.consent == "2026-09"


def test_single_sign_on_returns_to_the_page_that_was_wanted(page, script, service):
    page.goto(f"{service}/m/#/pages/me/me")
    button(page, "统一身份认证登录").tap()
    expect(shown(page, "2023010101")).to_be_visible()
    assert script.deeds("/login/sso") == [{"ticket": "T1"}]


def test_a_refused_token_is_renewed_without_a_word(page, script, service, simulator):
    frame = in_the_phone(page, service, simulator)
    expect(shown(frame, "林小雨，您好")).to_be_visible()
    script.expired = True
    shown(frame, "消息", exact=True).tap()
    expect(shown(frame, "还没有消息")).to_be_visible()
    assert len(script.deeds("/login/mini")) == 2


def test_an_error_can_be_retried_and_an_empty_list_says_so(page, script, service):
    script.down.add("/repairs")
    signed_in(page, service, "/pages/repairs/repairs")
    expect(shown(page, "服务正在维护，请稍后再试")).to_be_visible()
    expect(shown(page, "编号 req-7")).to_be_visible()
    script.down.clear()
    button(page, "重试").tap()
    expect(shown(page, "没有处理中的报修")).to_be_visible()


def test_a_list_goes_on_where_it_stopped(page, script, service):
    for n in range(7):
        script.file({"fault": "ac", "text": f"第 {n} 单"}, minutes_ago=n)
    for n in range(22):
        script.file({"fault": "ac", "text": f"旧单 {n}"}, minutes_ago=100 + n)
    signed_in(page, service, "/pages/repairs/repairs")
    expect(page.get_by_text("空调不制冷", exact=True)).to_have_count(20)
    page.mouse.wheel(0, 20000)
    expect(page.get_by_text("旧单 21")).to_be_attached()


def test_a_message_opens_its_page_and_is_read(page, script, service):
    no = script.file({"fault": "ac", "text": "不制冷"}, state="working")["no"]
    script.inbox = [
        {"id": 7, "kind": "repair_progress", "title": "师傅已到场", "text": "空调", "at": stamp(-5), "read": False,
         "page": f"/pages/repair/detail?no={no}"}
    ]  # fmt: skip
    signed_in(page, service, "/pages/inbox/inbox")
    shown(page, "师傅已到场").tap()
    expect(shown(page, "师傅正在处理")).to_be_visible()
    assert script.inbox[0]["read"]


def test_a_foreign_code_is_explained(page, script, service, simulator):
    frame = in_the_phone(page, service, simulator)
    page.evaluate("window.nextScan = 'http://weixin.qq.com/q/02abc'")
    button(frame, "扫门码报修").tap()
    expect(shown(frame, "这是公众号二维码")).to_be_visible()


def test_a_bridge_that_is_not_listed_is_not_spoken_to(page, script, service):
    """The page says it is framed by somebody; only loopback may, and only in a frame."""
    page.goto(f"{service}/m/?bridge=https://evil.example#/")
    expect(shown(page, "统一身份认证登录")).to_be_visible()
    assert script.deeds("/login/mini") == []


def test_a_desk_sees_one_calm_column(page, script, service):
    page.set_viewport_size({"width": 1440, "height": 900})
    signed_in(page, service, f"/pages/repair/file?door={DOOR}")
    box = button(page, "提交报修").bounding_box()
    assert box is not None
    assert box["width"] <= 520
    assert abs(box["x"] + box["width"] / 2 - 720) < 2


def test_what_can_be_tapped_is_at_least_44_pixels(page, script, service):
    script.file({"fault": "ac", "text": "不制冷"}, state="done")
    small = """() => [...document.querySelectorAll('[role=button],[role=link],[role=radio],[role=checkbox],[role=tab]')]
        .map((e) => [e.getBoundingClientRect(), e.getAttribute('aria-label') || e.textContent])
        .filter(([r]) => r.width && (r.height < 44 || r.width < 44) && getComputedStyle(document.body).display !== 'none')
        .map(([r, t]) => `${t}: ${r.width}x${r.height}`)"""
    signed_in(page, service)
    for at in (
        "home/home",
        "repairs/repairs",
        f"repair/file?door={DOOR}",
        "place/choose",
        "fault/choose",
        "me/me",
        "repair/rate?no=X",
    ):
        page.goto(f"{service}/m/#/pages/{at}")
        page.wait_for_load_state("networkidle")
        assert page.evaluate(small) == [], at


@pytest.mark.parametrize("target", ["mp-weixin", "mp-alipay"])
def test_the_mini_programs_build_and_ask_no_foreign_host(node_modules, target):
    npm("run", f"build:{target}")
    built = CLIENT / "dist" / "build" / target
    pages = json.loads((built / "app.json").read_text())["pages"]
    assert "pages/repair/file" in pages
    hosts = {
        host
        for file in built.rglob("*")
        if file.suffix in {".js", ".json", ".wxml", ".axml", ".wxss", ".acss"}
        for host in re.findall(r"https?://([a-z0-9.-]+\.[a-z]{2,})", file.read_text())
    }
    assert hosts <= {
        "www.w3.org",
        "vuejs.org",
        "uniapp.dcloud.net.cn",
        "weixin.qq.com",
        "mp.weixin.qq.com",
        "w.url.cn",
    }, hosts


def test_the_pure_parts_keep_their_promises(node_modules):
    npm("test")


def test_the_types_hold(node_modules):
    npm("run", "check")


def test_each_person_of_the_simulator_has_a_phone_of_their_own(page, script, service, simulator):
    """The simulator plays several phones in one browser: one's sign-in is not the other's."""

    def phone_of(person: str) -> Frame:
        client = quote(f"{service}/m/?bridge={simulator}&as={person}#/", safe="")
        page.goto(f"{simulator}/phone?client={client}")
        page.wait_for_function("frames.length === 1")
        return page.frames[1]

    expect(shown(phone_of("lin"), "林小雨，您好")).to_be_visible()
    script.who = "wang"
    expect(shown(phone_of("wang"), "王建国，您好")).to_be_visible()
    script.who = "lin"
    expect(shown(phone_of("lin"), "林小雨，您好")).to_be_visible()
    assert len(script.deeds("/login/mini")) == 2, "the first phone is still signed in"


def test_a_code_that_came_back_with_the_address_signs_in_once(page, script, service):
    page.goto(f"{service}/m/?code=C1&state=S1#/pages/me/me")
    expect(shown(page, "2023010101")).to_be_visible()
    assert script.deeds("/login/official") == [{"code": "C1", "state": "S1"}]
    assert "code=" not in page.url
    page.reload()
    expect(shown(page, "2023010101")).to_be_visible()
    assert len(script.deeds("/login/official")) == 1
