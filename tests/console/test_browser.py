"""The console in a real Chromium: by keyboard, with a dry run, and without one violation of its CSP. ECOSYSTEM 5.4."""

import io
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pyotp
import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import make_server

from campus import operators, repairs, sheets
from core import clock
from core.db import reading, run
from models.access import SYSTEM
from models.people import Person
from models.repairs import Shift, Ticket, WorkerTrade
from tests.console.conftest import make_app, sign_in
from tests.kit import actor, make_fault, make_person, make_place

pytestmark = pytest.mark.browser

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
PASSWORD = "梅园的夜晚很安静 2026"
NASTY = "\"><script>document.title='x'</script><img src=x onerror=\"document.title='x'\">{{7*7}}"


@pytest.fixture
def office(db: Any, tmp_path: Any) -> Iterator[str]:
    """The address of a console on a small campus."""
    app = make_app(tmp_path)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/console"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def page(office: str, chromium: Browser) -> Iterator[Page]:
    """A browser tab in which every complaint of Chromium is kept; there may be none."""
    context = chromium.new_context(
        locale="zh-CN", timezone_id="Asia/Shanghai", viewport={"width": 1280, "height": 860}, base_url=office
    )
    context.set_default_timeout(15_000)
    tab = context.new_page()
    wrong: list[str] = []
    tab.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    tab.on("pageerror", lambda why: wrong.append(str(why)))
    tab.complaints = wrong  # type: ignore[attr-defined]  # read by quiet()
    yield tab
    context.close()


def quiet(page: Page, *, but: str = "") -> None:
    """Chromium had nothing to complain about, but for refusals that the page showed (`but`)."""
    assert [said for said in page.complaints if not but or but not in said] == []  # type: ignore[attr-defined]


@pytest.fixture
def zhao(db: Any) -> Person:
    person = make_person("赵敏", roles=("dispatcher", "admin"), kind="staff", campus_no="T1001", phone="13800000001")
    run(
        lambda s: operators.make_operator(
            s, person_id=person.id, password=PASSWORD, totp_secret=SECRET, by=SYSTEM, now=clock.now()
        )
    )
    return person


@pytest.fixture
def campus(db: Any) -> dict[str, Any]:
    north = make_place("N", kind="campus", name="梅园校区", label="梅园校区")
    building = make_place("D12", under=north, kind="building", name="桃园12号楼", label="梅园校区 桃园12号楼")
    room = make_place("D12-402", under=building, name="402", label="梅园校区 桃园12号楼 402")
    fault = make_fault("aircon", "空调不制冷", hint="先看看遥控器的电池")
    lin = make_person("林小雨", campus_no="2023010101", phone="13800001234")
    now = clock.now()
    workers = [make_person(name, roles=("worker",), kind="worker") for name in ("王建国", "李秀兰")]
    for worker in workers:
        run(lambda s, worker=worker: s.add(WorkerTrade(person_id=worker.id, trade="electric")))
        run(
            lambda s, worker=worker: s.add(
                Shift(person_id=worker.id, starts_at=now - timedelta(hours=1), ends_at=now + timedelta(hours=8))
            )
        )
    return {"room": room, "building": building, "fault": fault, "lin": lin, "workers": workers}


def file(campus: dict[str, Any], text: str = "滴水") -> str:
    ticket = run(
        lambda s: repairs.file_repair(
            s, place_code="D12-402", fault_code="aircon", text=text, by=actor(campus["lin"]), now=clock.now()
        )
    )
    return str(ticket.no)


def enter(page: Page, office: str, person: Person) -> None:
    """The person is at the console, without the sign-in page."""

    class Jar:
        def set_cookie(self, name: str, value: str) -> None:
            page.context.add_cookies([{"name": name, "value": value, "url": office}])

    sign_in(Jar(), person)  # type: ignore[arg-type]  # it takes what keeps cookies


def test_signing_in_with_password_and_code_and_out_again(page, office, zhao):
    page.goto(f"{office}/people")
    expect(page).to_have_url(f"{office}/sign-in?next=/console/people")
    page.get_by_label("工号").fill("T1001")
    page.get_by_label("密码").fill("wrong password")
    page.get_by_label("动态码").fill("000000")
    page.keyboard.press("Enter")
    expect(page.get_by_text("工号、密码或动态码不正确")).to_be_visible()
    assert page.get_by_label("工号").input_value() == "T1001"

    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_label("动态码").fill(pyotp.TOTP(SECRET).at(int(clock.now().timestamp())))
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("人员")
    page.get_by_label("我的账号").click()
    page.get_by_role("button", name="退出登录").click()
    expect(page.get_by_role("button", name="登录")).to_be_visible()
    quiet(page, but="401")


def test_a_ticket_is_found_and_sent_out_by_keyboard_alone(page, office, zhao, campus):
    no = file(campus)
    enter(page, office, zhao)
    page.goto(f"{office}/")
    page.keyboard.press("g")
    page.keyboard.press("t")
    expect(page.locator("h1")).to_contain_text("工单")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text(no)
    page.keyboard.press("a")
    expect(page.get_by_text("在手 0 单").first).to_be_visible()
    page.locator("dialog[open] input[type=radio]").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#notes")).to_contain_text(f"{no} 已派工")
    expect(page.locator("h1")).to_contain_text("已派工")
    with reading() as s:
        ticket = s.scalars(sa.select(Ticket)).one()
        assert ticket.worker_id == campus["workers"][1].id
    quiet(page)


def test_several_tickets_are_sent_out_at_once(page, office, zhao, campus):
    numbers = {file(campus, text) for text in ("滴水", "不冷", "有怪声")}
    enter(page, office, zhao)
    page.goto(f"{office}/tickets")
    for _ in range(3):
        page.keyboard.press("j")
        page.keyboard.press("x")
    expect(page.locator("[data-chosen]")).to_have_text("3")
    page.get_by_label("派给").select_option(label="王建国")
    page.get_by_role("button", name="批量派工").click()
    expect(page.get_by_text("3 单已派工")).to_be_visible()
    with reading() as s:
        assert {t.no for t in s.scalars(sa.select(Ticket)) if t.worker_id == campus["workers"][0].id} == numbers
    quiet(page)


def test_a_caller_is_filed_by_keyboard_with_a_few_letters(page, office, zhao, campus):
    enter(page, office, zhao)
    page.goto(f"{office}/")
    page.keyboard.press("n")
    expect(page.get_by_label("报修人")).to_be_focused()
    page.keyboard.type("林小")
    expect(page.get_by_role("option", name="林小雨")).to_be_visible()
    page.keyboard.press("Enter")
    page.keyboard.type("ty12 402")
    expect(page.get_by_role("option", name="D12-402")).to_be_visible()
    page.keyboard.press("Enter")
    page.keyboard.type("kt")
    expect(page.get_by_role("option", name="空调不制冷")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_text("先看看遥控器的电池")).to_be_visible()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("请告知报修人")).to_be_visible()
    with reading() as s:
        ticket = s.scalars(sa.select(Ticket)).one()
    assert (ticket.way, ticket.requester_id, ticket.desk_operator_id) == ("desk", campus["lin"].id, zhao.id)
    quiet(page)


def test_an_import_is_looked_at_first_and_keeps_the_good_rows(page, office, zhao, campus):
    enter(page, office, zhao)
    page.goto(f"{office}/imports/people")
    rows = [
        ["2026010101", "新同学", "学生", "", "13900000000", "在校"],
        ["2026010102", "", "学生", "", "", ""],
        ["2026010103", "坏电话", "学生", "", "12", ""],
    ]
    book = sheets.write_xlsx(["学工号", "姓名", "类型", "部门编号", "手机号", "状态"], rows)
    page.locator("input[type=file]").set_input_files(
        {"name": "新生.xlsx", "mimeType": "application/octet-stream", "buffer": book}
    )
    page.get_by_role("button", name="检查").click()
    expect(page.locator("#bad tbody tr")).to_have_count(2)
    expect(page.locator("#bad tbody")).to_contain_text("3")
    with reading() as s:
        assert s.scalar(sa.select(Person.id).where(Person.campus_no == "2026010101")) is None

    with page.expect_download() as waiting:
        page.get_by_role("button", name="下载有错的行").click()
    mended = sheets.read(io.BytesIO(waiting.value.path().read_bytes()).read())
    assert [row[0] for row in mended[1:]] == ["2026010102", "2026010103"]

    page.get_by_role("button", name="只导入好的 1 行").click()
    page.get_by_role("button", name="确定").click()
    expect(page.get_by_text("新增 1")).to_be_visible()
    with reading() as s:
        numbers = set(s.scalars(sa.select(Person.campus_no)))
    assert "2026010101" in numbers
    assert not numbers & {"2026010102", "2026010103"}
    quiet(page)


def test_a_dangerous_deed_asks_for_the_code_and_then_works(page, office, zhao, campus):
    enter(page, office, zhao)
    run(
        lambda s: s.execute(
            sa.text("UPDATE login_session SET opened_at = :at"),
            {"at": clock.now().replace(tzinfo=None) - timedelta(hours=1)},
        )
    )
    page.goto(f"{office}/settings/roles")
    page.get_by_role("row", name="楼管").get_by_role("button", name="编辑").click()
    page.locator("dialog[open]").get_by_text("派工", exact=False).first.click()
    page.locator("dialog[open]").get_by_role("button", name="保存").click()
    expect(page.get_by_text("请再次证明是你本人")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_label("动态码").fill(pyotp.TOTP(SECRET).at(int(clock.now().timestamp())))
    page.get_by_role("button", name="验证").click()
    expect(page.get_by_text("已验证")).to_be_visible()
    quiet(page, but="403")


PAGES = (
    "/", "/tickets", "/tickets/new", "/tickets/{no}", "/tickets/{no}/print", "/people", "/people/2023010101", "/people/new",
    "/departments", "/places", "/places?at=D12", "/places?at=D12-402", "/imports/people", "/faults", "/faults/aircon",
    "/faults/new", "/notices", "/notices/templates", "/notices/templates/mini/repair_filed", "/cases", "/audit",
    "/settings", "/settings/roles", "/settings/calendar", "/settings/operators", "/account", "/find?q=林", "/nothing/here",
)  # fmt: skip


@pytest.mark.parametrize("width", [1440, 390])
def test_no_page_breaks_the_csp_or_runs_what_people_typed(page, office, zhao, campus, width):
    page.set_viewport_size({"width": width, "height": 860})
    no = file(campus, NASTY)
    run(
        lambda s: s.execute(
            sa.text("UPDATE place SET name = :nasty, label = :nasty WHERE code = 'D12-402'"), {"nasty": NASTY[:60]}
        )
    )
    run(
        lambda s: s.execute(
            sa.text("UPDATE person SET name = :nasty WHERE campus_no = '2023010101'"), {"nasty": NASTY[:60]}
        )
    )
    run(lambda s: s.execute(sa.text("UPDATE fault_type SET name = :nasty, hint = :nasty"), {"nasty": NASTY[:60]}))
    enter(page, office, zhao)
    for path in PAGES:
        page.goto(office + path.format(no=no))
        page.wait_for_load_state("networkidle")
        assert page.title() != "x", path
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1"), path
    page.goto(f"{office}/tickets/new?place=D12-402")
    page.get_by_label("故障").fill("script")
    expect(page.locator(".found li")).to_have_count(1)
    page.keyboard.press("Enter")
    page.wait_for_load_state("networkidle")
    assert page.title() != "x"
    quiet(page, but="404")
