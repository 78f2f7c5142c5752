"""Reporting in a chat: scan, number, one typed line. FEATURES R1."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from campus import repairs
from campus.repairs import chat
from campus.repairs.matching import place_named
from campus.sessions import Known
from core.db import database, reading, run
from models.places import DoorCode
from models.repairs import Draft, Ticket
from tests.campus.repairs.kit import everything, owed, told
from tests.kit import NOON, actor, bind, make_fault, make_person, make_place

LIN = Known("official", "o-lin")
STRANGER = Known("official", "o-stranger")
MINUTE = timedelta(minutes=1)


@pytest.fixture
def chatting(either_office):
    """The office; 林小雨 is bound to her openid; the faults have the office's order."""
    return ready(either_office)


@pytest.fixture
def quick(office):
    """The same on SQLite only."""
    return ready(office)


def ready(office):
    bind(office.student, "official", LIN.subject)
    for rank, (code, name) in enumerate((("aircon", "空调不制冷"), ("lamp", "灯不亮"), ("other", "其他问题")), 1):
        make_fault(code, name, rank=rank)
    return office


def door(place):
    with reading() as s:
        return s.scalars(sa.select(DoorCode.code).where(DoorCode.place_id == place.id)).one()


def scan(place, who=LIN, now=NOON):
    return run(lambda s: chat.on_scan(s, identity=who, door_code=door(place), now=now))


def say(text, who=LIN, now=NOON):
    return run(lambda s: chat.on_text(s, identity=who, text=text, now=now))


def filed():
    with reading() as s:
        return s.scalars(sa.select(Ticket).order_by(Ticket.id)).all()


def ask(row):
    return lambda s: row


# ---- scan and number ---------------------------------------------------------------------------------------------------


def test_a_scan_answers_with_the_place_what_is_open_and_the_commonest_faults(chatting):
    chatting.file(by=actor(chatting.other_student))
    reply = scan(chatting.room)
    assert reply.text == (
        "东区12号楼402\n正在处理：\n· 水龙头漏水（待受理）\n哪里坏了？回复数字即可报修：\n1 水龙头漏水\n2 空调不制冷\n3 灯不亮\n"
        "4 其他问题\n都不是？发送“报修 问题描述”，或填写报修单（可拍照）。"
    )
    assert reply.links == (("填写报修单", f"/pages/repair/file?door={door(chatting.room)}"),)


def test_the_number_files_and_answers_with_the_tickets_number(chatting):
    scan(chatting.room)
    reply = say("1")
    (ticket,) = filed()
    assert (ticket.way, ticket.requester_id, ticket.text) == ("scan", chatting.student.id, "")
    assert reply.text == f"已报修：东区12号楼402 空调不制冷\n工单号 {ticket.no}\n师傅接单后会通知您。"
    assert reply.links == (("查看进度", f"/pages/repair/detail?no={ticket.no}"),)
    assert owed() == ["repair.dispatch", "notice:repair_filed"]  # two debts: the office's own words need no check


@pytest.mark.parametrize("typed", ["2", " 2 ", "２", "报修 2", "报修2", "报修：2"])
def test_a_number_is_a_number_however_it_is_typed(quick, typed):
    scan(quick.room)
    assert "灯不亮" in say(typed).text


def test_the_same_number_again_answers_with_the_same_ticket(chatting):
    scan(chatting.room)
    first = say("1")
    before = everything()
    again = say("1", now=NOON + MINUTE)
    assert again.text.startswith("您已经报过：东区12号楼402 空调不制冷，待受理")
    assert again.links == first.links
    assert everything() == before


def test_another_number_after_the_same_scan_is_another_ticket(quick):
    scan(quick.room)
    say("1")
    say("2")
    assert len(filed()) == 2


def test_a_new_scan_of_the_same_door_can_report_the_same_again(quick):
    scan(quick.room)
    say("1")
    scan(quick.room, now=NOON + MINUTE)
    say("1", now=NOON + MINUTE)
    assert len(filed()) == 2


@pytest.mark.parametrize(("minutes", "files"), [(15, True), (16, False)])
def test_the_number_counts_for_fifteen_minutes(quick, minutes, files):
    scan(quick.room)
    before = everything()
    reply = say("1", now=NOON + minutes * MINUTE)
    assert (len(filed()) == 1) is files
    if not files:
        assert "请先扫门口的二维码" in reply.text
        assert everything() == before


@pytest.mark.parametrize("typed", ["0", "5", "99"])
def test_a_number_that_was_not_offered_is_asked_again(quick, typed):
    scan(quick.room)
    before = everything()
    assert say(typed).text.startswith("请回复 1 到 4 的数字")
    assert everything() == before


def test_the_last_scan_counts(quick):
    other = make_place("D12-403", under=quick.building, label="东区12号楼403")
    scan(quick.room)
    scan(other)
    say("1")
    assert [ticket.place_id for ticket in filed()] == [other.id]
    with reading() as s:
        assert s.scalar(sa.select(sa.func.count()).select_from(Draft)) == 1


def test_a_code_nobody_knows_is_answered_with_the_form(quick):
    reply = run(lambda s: chat.on_scan(s, identity=LIN, door_code="DNOSUCHDOOR", now=NOON))
    assert reply.links == (chat.FORM,)
    with reading() as s:
        assert s.scalar(sa.select(sa.func.count()).select_from(Draft)) == 0


def test_a_scan_takes_five_statements_a_number_six_and_a_typed_line_five(quick):
    scan(quick.room)
    code = door(quick.room)
    said: list[str] = []
    sa.event.listen(database().engine, "before_cursor_execute", lambda *args: said.append(args[2].split()[0]))
    run(lambda s: chat.on_scan(s, identity=LIN, door_code=code, now=NOON))
    assert said == ["BEGIN", *["SELECT"] * 3, "UPDATE", "SELECT"]
    said.clear()
    say("1")
    assert said == ["BEGIN", *["SELECT"] * 2, *["INSERT"] * 4]
    said.clear()
    say("报修 D12-402 灯不亮")
    assert said == ["BEGIN", "SELECT", *["INSERT"] * 4]


@pytest.mark.race
def test_what_a_hundred_others_reported_is_not_walked_through(race_office):
    """MariaDB would follow the index of the fault from the newest ticket down, which takes longer every day."""
    office = ready(race_office)
    others = [make_place(f"D12-{n}", under=office.building, label=f"东区12号楼{n}") for n in range(500, 600)]
    for place in others:
        office.file(place_code=place.code, fault_code="lamp", by=actor(office.other_student))

    def rows_read(s):
        return sum(int(n) for _, n in s.execute(sa.text("SHOW SESSION STATUS LIKE 'Handler_read%'")))

    def type_it(s):
        before = rows_read(s)
        reply = chat.on_text(s, identity=LIN, text="报修 D12-402 灯不亮", now=NOON)
        return reply.text.split("：")[0], rows_read(s) - before

    said, read = run(type_it)
    assert said == "已报修"
    assert read < 80


@pytest.mark.race
def test_sixteen_scans_of_one_chatter_at_once_leave_one_draft(race_office, rush):
    ready(race_office)
    code = door(race_office.room)
    answers = rush(lambda _: run(lambda s: chat.on_scan(s, identity=LIN, door_code=code, now=NOON)).text, range(16))
    assert len(set(answers)) == 1
    with reading() as s:
        assert s.scalar(sa.select(sa.func.count()).select_from(Draft)) == 1


# ---- somebody nobody knows yet ------------------------------------------------------------------------------------------


def test_an_unbound_person_is_told_how_to_bind_and_afterwards_the_number_still_files(chatting):
    reply = scan(chatting.room, who=STRANGER)
    assert "您还没有绑定校园身份" in reply.text
    assert reply.links[0] == chat.BIND
    before = everything()
    assert say("2", who=STRANGER).links == (chat.BIND,)
    assert everything() == before
    bind(chatting.other_student, "official", STRANGER.subject)
    assert "已报修：东区12号楼402 灯不亮" in say("2", who=STRANGER, now=NOON + 10 * MINUTE).text


def test_an_unbound_persons_typed_line_is_kept_under_a_number(quick):
    reply = say("报修 D12-402 空调不制冷", who=STRANGER)
    assert "绑定后回到这里回复 1" in reply.text
    assert filed() == []
    bind(quick.other_student, "official", STRANGER.subject)
    assert "已报修：东区12号楼402 空调不制冷" in say("1", who=STRANGER).text


def test_a_suspended_person_is_nobody_known(quick):
    run(lambda s: setattr(s.get(type(quick.student), quick.student.id), "status", "suspended"))
    scan(quick.room)
    assert say("1").links == (chat.BIND,)
    assert filed() == []


# ---- one typed line -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "typed",
    [
        "报修 D12-402 空调不制冷",
        "报修D12-402空调不制冷",
        "报修 d12-402 空调不制冷。",
        "报修 Ｄ１２－４０２ 空调不制冷",
        "报修：D12—402，空调不制冷",
        "报修 D12 402 空调不制冷",
        "报修 D12402 aircon",
        "报修 D12号楼402 空调不制冷",
        "报修 12号楼402 空调不制冷",
        "报修 12号楼402室空调不制冷",
        "报修 12栋402 空调 不制冷",
        "报修 东区12号楼402 空调不制冷",
    ],
)
def test_a_line_that_names_place_and_fault_exactly_files(quick, typed):
    reply = say(typed)
    (ticket,) = filed()
    assert (ticket.place_id, ticket.way, ticket.text) == (quick.room.id, "text", ""), reply.text
    assert ticket.no in reply.text


def test_what_follows_the_fault_is_kept_as_its_text_and_owed_a_check(chatting):
    say("报修 D12-402 空调不制冷 已经三天了")
    (ticket,) = filed()
    assert ticket.text == "已经三天了"
    assert owed("content") == ["content.text"]


@pytest.mark.parametrize(
    "typed",
    [
        "报修 D12-402 空调",
        "报修 D12-999 空调不制冷",
        "报修 空调不制冷",
        "报修 402 空调不制冷",
        "报修 坏了",
        "报修 " + "很" * 300,
    ],
)
def test_anything_less_is_answered_with_the_link(quick, typed):
    before = everything()
    assert say(typed).links == (chat.FORM,)
    assert everything() == before


def test_a_building_of_the_same_name_on_two_campuses_is_not_exact(quick):
    west = make_place("W12", kind="building", name="12号楼", label="西区12号楼")
    make_place("W12-402", under=west, name="402")
    assert say("报修 12号楼402 空调不制冷").links == (chat.FORM,)
    assert say("报修 W12-402 空调不制冷").text.startswith("已报修")


def test_the_same_line_typed_twice_is_one_report(chatting):
    say("报修 D12-402 空调不制冷")
    before = everything()
    assert say("报修 D12-402 空调不制冷", now=NOON + MINUTE).text.startswith("您已经报过")
    assert everything() == before


def test_after_a_scan_free_words_file_at_that_place(chatting):
    scan(chatting.room)
    say("报修 水龙头漏水")
    say("报修 昨天开始灯不亮，很暗")
    say("报修 门把手掉了")
    with reading() as s:
        codes = [s.get(type(chatting.fault), ticket.fault_type_id).code for ticket in filed()]
    assert codes == ["tap", "lamp", "other"]
    assert [ticket.text for ticket in filed()] == ["", "昨天开始灯不亮,很暗", "门把手掉了"]


@pytest.mark.parametrize(
    "typed", ["报修 D12-999 空调不制冷", "报修 d12—999空调不制冷", "报修 12号楼999 空调不制冷", "报修 D12-403 屋里很吵"]
)
def test_a_line_that_names_another_place_and_is_not_understood_is_not_filed_at_the_scanned_door(quick, typed):
    make_place("D12-403", under=quick.building, name="403", label="东区12号楼403")
    scan(quick.room)
    reply = say(typed)
    assert filed() == []
    assert reply.links == (("填写报修单", "/pages/repair/file"),)


@pytest.mark.parametrize("typed", ["报修 T8-36 的灯管坏了，灯不亮", "报修 D12-402 屋里很吵", "报修 12号楼402 屋里很吵"])
def test_what_names_no_other_place_is_filed_at_the_scanned_door(quick, typed):
    scan(quick.room)
    say(typed)
    assert [ticket.place_id for ticket in filed()] == [quick.room.id]


def test_a_line_that_names_another_place_wins_over_the_scan(quick):
    other = make_place("D12-403", under=quick.building, name="403")
    scan(quick.room)
    say("报修 D12-403 空调不制冷")
    assert [ticket.place_id for ticket in filed()] == [other.id]


@pytest.mark.parametrize(
    ("typed", "code"),
    [("D12", "D12"), ("12号楼", "D12"), ("东区12号楼", "D12"), ("12号楼402", "D12-402"), ("D12-4", None), ("", None)],
)
def test_places_are_found_exactly_or_not_at_all(quick, typed, code):
    with reading() as s:
        place = place_named(s, typed)
    assert (place.code if place else None) == code


def test_a_place_is_found_by_part_of_its_chain(quick):
    campus = make_place("E", kind="campus", name="东校区", label="东校区")
    area = make_place("E-1", kind="area", under=campus, name="生活区", label="东校区 生活区")
    house = make_place("E3", kind="building", under=area, name="3号楼", label="东校区 生活区 3号楼")
    make_place("E3-201", under=house, name="201", label="东校区 生活区 3号楼 201")
    with reading() as s:
        for typed in ("3号楼201", "东校区3号楼201", "东校区 生活区 3号楼 201", "E3-201"):
            assert place_named(s, typed).code == "E3-201", typed


# ---- emergencies, progress, help ----------------------------------------------------------------------------------------


def gas():
    make_fault(
        "gas", "燃气泄漏", rank=0, priority="emergency", emergency_phone="119", emergency_text="请立即开窗离开。"
    )


@pytest.mark.parametrize("how", ["number", "line", "stranger"])
def test_an_emergency_is_answered_with_the_stopper_and_pages_the_desk_once(quick, how):
    gas()
    who = STRANGER if how == "stranger" else LIN
    for _ in range(2):
        if how == "number":
            scan(quick.room)
        reply = say("5" if how == "number" else "报修 D12-402 燃气泄漏", who=who)
        assert "请立即开窗离开。 请立即拨打 119" in reply.text
        assert reply.links == (("补填报修单", "/pages/repair/file?place=D12-402&fault=gas"),)
    assert filed() == []
    assert told("repair_danger") == [quick.desk.id]


def test_progress_names_my_open_tickets_only(chatting):
    assert say("进度").text == "您没有进行中的报修。"
    ticket = chatting.dispatched()
    chatting.file(by=actor(chatting.other_student))
    for reply in (say("我的报修"), run(lambda s: chat.on_menu(s, identity=LIN, key="PROGRESS", now=NOON))):
        assert reply.text == f"进行中的报修：\n东区12号楼402 水龙头漏水：已派工\n{ticket.no}"
    assert say("进度", who=STRANGER).links == (chat.BIND,)


@pytest.mark.parametrize("typed", ["帮助", "你好", "", "😀", "\u202e", "\x00", "报修", "１２３"])
def test_everything_else_is_helped(quick, typed):
    before = everything()
    assert say(typed) == chat.HELP
    assert everything() == before


def test_the_menu_helps_to_file(quick):
    assert run(lambda s: chat.on_menu(s, identity=LIN, key="repair", now=NOON)).links[0] == chat.FORM
    assert run(lambda s: chat.on_menu(s, identity=LIN, key="no such key", now=NOON)) == chat.HELP


def test_every_answer_fits_a_passive_reply(quick):
    """WeChat takes 2,048 bytes of text."""
    for n in range(10):
        make_fault(f"f{n}", "很长的故障名称" * 4)
        quick.file(by=actor(quick.other_student), fault_code=f"f{n}")
        quick.file(fault_code=f"f{n}")
    for reply in (scan(quick.room), say("进度"), say("报修 x"), chat.HELP):
        assert len(reply.text.encode()) <= 2048


def test_a_wecom_chatter_files_too(quick):
    teacher = make_person("张老师", kind="staff")
    bind(teacher, "wecom", "T9")
    assert say("报修 D12-402 空调不制冷", who=Known("wecom", "T9")).text.startswith("已报修")
    assert repairs.WrongState.code == "wrong_state"
