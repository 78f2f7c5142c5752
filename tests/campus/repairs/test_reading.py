"""What may be seen of a ticket, and by whom. FEATURES P6, P8, R18, R20."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from campus import repairs
from campus.repairs import reading as rules
from core.db import reading, run
from core.errors import BindingNeeded, Forbidden, Invalid, NotFound
from models.access import Actor
from models.repairs import ContentState, RepairState, Ticket, TicketPhoto
from tests.campus.repairs.kit import make_photo, put
from tests.kit import NOON, actor, make_fault, make_person, make_place


def view(ticket, person, now=NOON, way="mini"):
    with reading() as s:
        return rules.ticket_view(s, no=ticket.no, by=actor(person, way), now=now)


def test_the_requester_sees_her_ticket_with_its_steps_and_what_she_may_do(either_office):
    office = either_office
    ticket = office.taken(text="一直滴")
    seen = view(ticket, office.student)
    assert (seen.no, seen.state_title, seen.place_label, seen.fault_name, seen.text) == (
        ticket.no, "维修中", "东区12号楼402", "水龙头漏水", "一直滴",
    )  # fmt: skip
    assert [(step.title, step.who) for step in seen.steps] == [("报修", "林小雨"), ("派工", "系统"), ("接单", "王建国")]
    assert (seen.worker_name, seen.why, seen.allowed, seen.mine) == ("王建国", "区域包干：D12 水工 王建国", [], True)


@pytest.mark.parametrize(
    ("state", "who", "allowed"),
    [
        ("assigned", "worker", ["take"]),
        ("working", "worker", ["arrive", "finish", "cannot"]),
        ("filed", "student", ["cancel"]),
        ("done", "student", ["accept", "refuse", "rate"]),
        ("closed", "student", ["rate"]),
        ("filed", "desk", ["assign", "cancel", "reject"]),
        ("working", "desk", ["reassign"]),
        ("done", "desk", ["close"]),
        ("cancelled", "student", []),
    ],
)
def test_what_may_be_done_comes_from_the_table(office, state, who, allowed):
    ticket = office.dispatched()
    put(ticket, RepairState(state))
    assert view(ticket, getattr(office, who)).allowed == allowed


def test_after_rating_the_button_is_gone(office):
    ticket = office.done()
    run(
        lambda s: repairs.rate(
            s, no=ticket.no, quality=5, attitude=5, speed=5, result=5, by=actor(office.student), now=NOON
        )
    )
    seen = view(ticket, office.student)
    assert seen.allowed == ["accept", "refuse"]
    assert seen.rating.quality == 5


# ---- every object, every role (BOLA) -----------------------------------------------------------------------------------


def everybody(office):
    building_keeper = make_person("楼管", kind="staff", roles=("building_manager",), at=office.building)
    elsewhere = make_place("N1", kind="building")
    return {
        "requester": office.student,
        "worker": office.worker,
        "desk": office.desk,
        "director": office.director,
        "keeper": building_keeper,
        "other student": office.other_student,
        "other worker": office.other_worker,
        "keeper elsewhere": make_person("外楼", kind="staff", roles=("building_manager",), at=elsewhere),
        "counsellor": make_person("辅导员", kind="staff", roles=("counsellor",)),
    }


def test_only_who_has_to_do_with_a_ticket_sees_it_and_its_photos(office):
    make_photo(office.student, "FL260901AAAAAAAAAA")
    ticket = office.dispatched(photos=["FL260901AAAAAAAAAA"])
    people = everybody(office)
    may_see = {"requester", "worker", "desk", "director", "keeper"}
    for name, person in people.items():
        if name in may_see:
            assert view(ticket, person).photos[0].no == "FL260901AAAAAAAAAA"
            assert photo(person).no == "FL260901AAAAAAAAAA"
        else:
            with pytest.raises(Forbidden):
                view(ticket, person)
            with pytest.raises(NotFound):
                photo(person)
    with reading() as s, pytest.raises(BindingNeeded):
        rules.ticket_view(s, no=ticket.no, by=Actor(None, "official"), now=NOON)
    with reading() as s, pytest.raises(NotFound):
        rules.photo(s, file_no="FL260901AAAAAAAAAA", by=Actor(None, "official"))


def photo(person, no="FL260901AAAAAAAAAA"):
    with reading() as s:
        return rules.photo(s, file_no=no, by=actor(person))


def test_the_worker_it_was_taken_from_sees_it_no_more(office):
    ticket = office.dispatched()
    run(
        lambda s: repairs.assign(
            s, no=ticket.no, worker_id=office.other_worker.id, reason="换人", by=actor(office.desk), now=NOON
        )
    )
    with pytest.raises(Forbidden):
        view(ticket, office.worker)


@pytest.mark.parametrize(
    ("who", "open_phone"),
    [("student", "138****1234"), ("worker", "13800001234"), ("desk", "13800001234"), ("keeper", "138****1234")],
)
def test_the_phone_is_whole_only_for_worker_and_desk_and_hidden_in_the_end(office, who, open_phone):
    ticket = office.taken()
    person = everybody(office)["keeper"] if who == "keeper" else getattr(office, who)
    assert view(ticket, person).contact_phone == open_phone
    closed_at = NOON + timedelta(days=1)
    run(lambda s: repairs.cannot(s, no=ticket.no, note="坏", proposal="换", by=actor(office.worker), now=closed_at))
    day30 = view(ticket, person, now=closed_at + timedelta(days=30))
    assert (day30.contact_name, day30.contact_phone) == ("林小雨", "138****1234")
    day31 = view(ticket, person, now=closed_at + timedelta(days=30, seconds=1))
    assert (day31.contact_name, day31.contact_phone) == (None, None)


def test_what_the_check_holds_back_is_hidden_from_the_worker_and_shown_to_writer_and_desk(office):
    make_photo(office.student, "FL260901AAAAAAAAAA")
    ticket = office.dispatched(text="骂人的话", entry="也是", photos=["FL260901AAAAAAAAAA"])
    run(lambda s: s.execute(sa.update(Ticket).values(content=ContentState.HELD)))
    run(lambda s: s.execute(sa.update(TicketPhoto).values(content=ContentState.HELD)))
    assert (view(ticket, office.worker).text, view(ticket, office.worker).entry_note) == (
        "（内容审核中）",
        "（内容审核中）",
    )
    assert view(ticket, office.worker).photos[0].held
    with pytest.raises(NotFound):
        photo(office.worker)
    for person in (office.student, office.desk):
        assert view(ticket, person).text == "骂人的话"
        assert photo(person).no == "FL260901AAAAAAAAAA"
    with reading() as s:
        line = rules.list_mine(s, by=actor(office.worker), as_="worker", now=NOON).items[0]
    assert line.text == "（内容审核中）"


# ---- lists -------------------------------------------------------------------------------------------------------------


def mine(person, **values):
    with reading() as s:
        return rules.list_mine(s, by=actor(person), now=NOON, **values)


def test_my_list_pages_through_every_ticket_once(office):
    filed = [office.file().no for _ in range(5)]
    office.file(by=actor(office.other_student))
    seen, cursor = [], None
    while True:
        page = mine(office.student, cursor=cursor, limit=2)
        seen += [line.no for line in page.items]
        if (cursor := page.next) is None:
            break
    assert seen == filed[::-1]


@pytest.mark.parametrize(
    "cursor", ["x", "W10", "WyJhIl0", "bnVsbA", "WzFlOTk5XQ", "Wzk5OTk5OTk5OTk5OTk5OTk5OTk5XQ", "é"]
)
def test_a_cursor_we_have_not_made_is_refused(office, cursor):
    with pytest.raises(Invalid):
        mine(office.student, cursor=cursor)


def test_a_worker_lists_what_he_was_given(office):
    ticket = office.taken()
    office.file()
    assert [line.no for line in mine(office.worker, as_="worker").items] == [ticket.no]
    assert [line.no for line in mine(office.worker, as_="worker", state="open").items] == [ticket.no]
    assert mine(office.worker, as_="worker", state="ended").items == []
    assert mine(office.worker).items == []


def test_states_can_be_asked_for_one_by_one_or_as_open_and_ended(office):
    ticket = office.file()
    assert [line.no for line in mine(office.student, state="filed").items] == [ticket.no]
    assert [line.no for line in mine(office.student, state="open").items] == [ticket.no]
    assert mine(office.student, state="ended").items == []
    with pytest.raises(Invalid):
        mine(office.student, state="nonsense")


def search(person, now=NOON, cursor=None, limit=50, **filters):
    with reading() as s:
        return rules.search_tickets(
            s, by=actor(person, "console"), filters=rules.Filters(**filters), cursor=cursor, limit=limit, now=now
        )


def found(person, **filters):
    return [line.no for line in search(person, **filters).items]


def test_overdue_tickets_stand_first_and_no_page_loses_one(either_office):
    office = either_office
    early = [office.file(now=NOON - timedelta(days=2)).no for _ in range(3)]
    late = [office.file().no for _ in range(3)]
    seen, cursor = [], None
    for page_no in range(9):
        # Time passes between pages: what becomes overdue meanwhile keeps its place.
        page = search(office.desk, now=NOON + timedelta(hours=30 * page_no), cursor=cursor, limit=2)
        seen += [line.no for line in page.items]
        if (cursor := page.next) is None:
            break
    assert seen == early[::-1] + late[::-1]


def test_the_console_filters(office):
    make_fault("lamp", "灯不亮", trade="electric")
    other_room = make_place("N1-101", kind="room", label="北区1号楼101")
    tap = office.dispatched(text="卫生间 100% 漏水")
    lamp = office.file(fault_code="lamp", place_code=other_room.code, way="text", now=NOON + timedelta(days=1))
    desk = office.desk
    assert found(desk) == [lamp.no, tap.no]
    assert found(desk, state="assigned") == [tap.no]
    assert found(desk, state="overdue") == []
    assert found(desk, building="D12") == [tap.no]
    assert found(desk, building="no such place") == []
    assert found(desk, fault="lamp") == [lamp.no]
    assert found(desk, worker=office.worker.id) == [tap.no]
    assert found(desk, way="text") == [lamp.no]
    assert found(desk, since=NOON.date()) == [lamp.no, tap.no]
    assert found(desk, since=NOON.date() + timedelta(days=1)) == [lamp.no]
    assert found(desk, until=NOON.date()) == [tap.no]
    assert found(desk, text=tap.no.lower()) == [tap.no]
    assert found(desk, text="100%") == [tap.no]
    assert found(desk, text="100_") == []
    assert found(desk, text="北区1号楼") == [lamp.no]
    assert found(desk, content="unchecked") == [tap.no]


def test_a_keeper_of_one_building_finds_only_its_tickets(office):
    other_room = make_place("N1-101")
    office.file(place_code=other_room.code)
    here = office.file()
    people = everybody(office)
    assert found(people["keeper"]) == [here.no]
    assert found(office.director) != [here.no]
    for nobody in (office.student, office.worker, people["counsellor"]):
        with pytest.raises(Forbidden):
            search(nobody)


def test_the_badges_count_what_waits(office):
    office.file()
    office.taken()
    office.done()
    with reading() as s:
        student = rules.counts(s, by=actor(office.student), now=NOON)
        worker = rules.counts(s, by=actor(office.worker), now=NOON)
        desk = rules.counts(s, by=actor(office.desk), now=NOON + timedelta(days=2))
    assert (student.open, student.to_accept, student.unassigned) == (3, 1, None)
    assert (worker.to_take, worker.working) == (0, 1)
    assert (desk.unassigned, desk.overdue) == (1, 2)


def test_before_sending_the_client_is_told_what_is_open_already(office):
    with reading() as s:
        assert rules.suggest(s, "D12-402", "tap", now=NOON).same_open is None
    ticket = office.file()
    with reading() as s:
        assert rules.suggest(s, "D12-402", "tap", now=NOON).same_open.no == ticket.no


def test_the_public_page_names_the_building_and_nobody(office):
    office.file(text="我是林小雨", contact_phone="13911112222")
    with reading() as s:
        said = rules.public_status(s)
    assert said.by_state == {"filed": 1}
    assert (said.latest[0].building, said.latest[0].fault_name) == ("东区12号楼", "水龙头漏水")
    for secret in ("林小雨", "402", "1391"):
        assert secret not in repr(said)
