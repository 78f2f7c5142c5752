"""Who is sent, and why him. FEATURES R8."""

import sys
from datetime import timedelta
from threading import Barrier

import pytest
import sqlalchemy as sa

from campus import repairs
from campus.repairs.desk import AlreadyAssigned, NotAWorker
from campus.repairs.scene import scene_named
from core.db import found, reading, run
from core.errors import Forbidden, Invalid
from models.outbox import Debt
from models.repairs import DispatchWay, RepairState, Ticket
from tests.campus.repairs.kit import (
    audited,
    can,
    everything,
    facts_told,
    fresh,
    off_shift,
    on_shift,
    owed,
    owns,
    steps,
    told,
)
from tests.kit import NOON, actor, make_fault, make_person, make_place


def dispatch(ticket, now=NOON):
    run(lambda s: repairs.dispatch(s, ticket.id, now=now))
    return fresh(ticket)


def test_the_owner_of_the_building_is_sent_and_the_ticket_says_why(either_office):
    office = either_office
    ticket = dispatch(office.file())
    assert (ticket.state, ticket.worker_id, ticket.dispatch_way) == (
        RepairState.ASSIGNED, office.worker.id, DispatchWay.BY_AREA,
    )  # fmt: skip
    assert ticket.why == "区域包干：D12 水工 王建国"
    assert told("repair_dispatched") == [office.worker.id]
    assert facts_told("repair_dispatched") | {"at": None} == {
        "no": ticket.no, "place": "东区12号楼402", "fault": "水龙头漏水", "status": "已派工", "at": None, "person": "林小雨",
    }  # fmt: skip


def test_the_nearest_owner_upwards_is_sent(office):
    floor_owner = make_person("楼层师傅", kind="worker", roles=("worker",))
    on_shift(floor_owner)
    owns(floor_owner, office.room, "water")
    assert dispatch(office.file()).worker_id == floor_owner.id


@pytest.mark.parametrize("why_not", ["off shift", "left", "no longer a worker", "other trade"])
def test_an_owner_who_cannot_come_is_passed_over_for_the_least_loaded_on_shift(office, why_not):
    if why_not == "off shift":
        off_shift(office.worker)
    elif why_not == "left":
        run(lambda s: setattr(s.get(type(office.worker), office.worker.id), "status", "left"))
    elif why_not == "no longer a worker":
        run(lambda s: s.execute(sa.text("DELETE FROM role_grant WHERE person_id = :id"), {"id": office.worker.id}))
    else:
        make_fault("lamp", "灯不亮", trade="electric")
        can(office.other_worker, "electric")
    ticket = dispatch(office.file(fault_code="lamp" if why_not == "other trade" else "tap"))
    assert (ticket.worker_id, ticket.dispatch_way) == (office.other_worker.id, DispatchWay.LEAST_LOAD)
    assert "李秀兰（在手 0 单）" in ticket.why


def test_a_shift_counts_from_its_first_moment_to_before_its_last(office):
    off_shift(office.worker)
    off_shift(office.other_worker)
    on_shift(office.worker, start=NOON, hours=1)
    assert dispatch(office.file(), now=NOON).state is RepairState.ASSIGNED
    assert dispatch(office.file(), now=NOON + timedelta(hours=1)).state is RepairState.FILED


def least_loaded(office):
    run(lambda s: setattr(s.get(type(office.fault), office.fault.id), "dispatch_way", DispatchWay.LEAST_LOAD))
    return dispatch(office.file(), now=NOON)


def test_least_load_sends_the_one_with_fewest_open_tickets_then_the_longest_idle(office):
    first = least_loaded(office)
    second = least_loaded(office)
    assert {first.worker_id, second.worker_id} == {office.worker.id, office.other_worker.id}
    # One of them finishes: he has fewer open tickets now.
    run(lambda s: repairs.take(s, no=second.no, by=actor(s.get(type(office.worker), second.worker_id)), now=NOON))
    run(lambda s: repairs.finish(s, no=second.no, by=actor(s.get(type(office.worker), second.worker_id)), now=NOON))
    assert least_loaded(office).worker_id == second.worker_id


def test_of_two_equally_loaded_the_one_idle_longer_is_sent(office):
    ticket = office.dispatched()
    run(lambda s: repairs.cancel(s, no=ticket.no, by=actor(office.student), now=NOON))
    assert least_loaded(office).worker_id == office.other_worker.id


def test_a_worker_limited_to_another_building_is_not_sent(office):
    off_shift(office.worker)
    off_shift(office.other_worker)
    elsewhere = make_place("N1", kind="building")
    limited = make_person("北区师傅", kind="worker", roles=("worker",), at=elsewhere)
    can(limited, "water")
    on_shift(limited)
    assert dispatch(office.file()).state is RepairState.FILED


def test_by_hand_stays_filed_and_the_desk_is_told_at_once(office):
    run(lambda s: setattr(s.get(type(office.fault), office.fault.id), "dispatch_way", DispatchWay.BY_HAND))
    ticket = dispatch(office.file())
    assert ticket.state is RepairState.FILED
    assert told("repair_unassigned") == [office.desk.id]


def test_the_desk_on_shift_is_told_before_the_one_at_home(office):
    at_home = make_person("夜班值班", kind="staff", roles=("dispatcher",))
    run(lambda s: setattr(s.get(type(office.fault), office.fault.id), "dispatch_way", DispatchWay.BY_HAND))
    on_shift(office.desk)
    dispatch(office.file())
    assert told("repair_unassigned") == [office.desk.id]
    assert at_home.id not in told("repair_unassigned")


def nobody(office):
    off_shift(office.worker)
    off_shift(office.other_worker)


def test_with_nobody_on_shift_the_desk_gets_it_after_five_minutes(office):
    nobody(office)
    ticket = dispatch(office.file())
    assert told("repair_unassigned") == []
    with reading() as s:
        debt = s.scalars(sa.select(Debt).where(Debt.topic == "repair.unassigned")).one()
    assert debt.due_at == NOON + timedelta(minutes=5)
    run(lambda s: repairs.unassigned(s, now=debt.due_at, **debt.payload))
    assert told("repair_unassigned") == [office.desk.id]
    assert facts_told("repair_unassigned")["text"] == "已等待 5 分钟，请人工派工"
    assert fresh(ticket).state is RepairState.FILED


def test_who_comes_on_shift_within_the_five_minutes_is_sent_instead(office):
    nobody(office)
    ticket = dispatch(office.file())
    on_shift(office.worker)
    run(lambda s: repairs.unassigned(s, ticket.id, now=NOON + timedelta(minutes=5)))
    assert fresh(ticket).worker_id == office.worker.id
    assert told("repair_unassigned") == []


def test_a_ticket_assigned_meanwhile_is_not_brought_to_the_desk(office):
    nobody(office)
    ticket = dispatch(office.file())
    run(lambda s: repairs.assign(s, no=ticket.no, worker_id=office.worker.id, by=actor(office.desk), now=NOON))
    before = everything()
    run(lambda s: repairs.unassigned(s, ticket.id, now=NOON + timedelta(minutes=5)))
    assert everything() == before


def test_a_second_dispatch_changes_nothing(office):
    ticket = office.dispatched()
    before = everything()
    dispatch(ticket)
    assert everything() == before


def test_the_same_picture_gives_the_same_choice(office):
    nobody(office)
    office.file()
    on_shift(office.worker)
    on_shift(office.other_worker)
    choices = {run(lambda s: repairs.choose(s, scene_named(s, "D12-402", "tap"), now=NOON)) for _ in range(5)}
    assert len(choices) == 1


# ---- by hand -----------------------------------------------------------------------------------------------------------


def assign(office, ticket, worker, reason=None, by=None):
    by = by or actor(office.desk, "console")
    return run(lambda s: repairs.assign(s, no=ticket.no, worker_id=worker.id, reason=reason, by=by, now=NOON))


def test_the_desk_sends_somebody_by_hand(office):
    ticket = assign(office, office.file(), office.other_worker)
    assert (ticket.worker_id, ticket.dispatch_way, ticket.why) == (
        office.other_worker.id, DispatchWay.BY_HAND, "人工派工：赵敏",
    )  # fmt: skip
    assert told("repair_dispatched") == [office.other_worker.id]


def test_sending_another_takes_a_reason_and_tells_both(office):
    ticket = office.taken()
    before = everything()
    with pytest.raises(AlreadyAssigned) as refused:
        assign(office, ticket, office.other_worker)
    assert refused.value.detail == "已派给王建国，改派请写明原因"
    assert everything() == before
    moved = assign(office, ticket, office.other_worker, "王师傅请假")
    assert (moved.state, moved.worker_id, moved.taken_at) == (RepairState.ASSIGNED, office.other_worker.id, None)
    assert told("repair_cancelled") == [office.worker.id]
    assert told("repair_dispatched") == [office.worker.id, office.other_worker.id]
    assert moved.why == "人工派工：赵敏（王师傅请假）"


def test_given_back_to_the_first_worker_he_is_told_again(office):
    ticket = office.dispatched()
    assign(office, ticket, office.other_worker, "请假")
    assign(office, ticket, office.worker, "回来了")
    assert told("repair_dispatched") == [office.worker.id, office.other_worker.id, office.worker.id]


def test_sending_the_same_worker_again_changes_nothing(office):
    ticket = office.dispatched()
    before = everything()
    assign(office, ticket, office.worker)
    assert everything() == before


def test_what_could_not_be_fixed_can_be_given_to_another(office):
    ticket = office.taken()
    run(lambda s: repairs.cannot(s, no=ticket.no, note="没有配件", proposal="换新", by=actor(office.worker), now=NOON))
    moved = assign(office, ticket, office.other_worker, "他有配件")
    assert (moved.state, moved.closed_at, moved.result) == (RepairState.ASSIGNED, None, None)


def test_only_a_worker_can_be_sent_and_only_the_desk_sends(office):
    ticket = office.file()
    before = everything()
    with pytest.raises(NotAWorker):
        assign(office, ticket, office.student)
    with pytest.raises(Forbidden):
        assign(office, ticket, office.worker, by=actor(office.worker))
    assert everything() == before


def test_rejecting_takes_a_reason_and_tells_the_requester(office):
    ticket = office.file()
    with pytest.raises(Invalid):
        run(lambda s: repairs.reject(s, no=ticket.no, reason=" ", by=actor(office.desk), now=NOON))
    run(lambda s: repairs.reject(s, no=ticket.no, reason="请联系物业", by=actor(office.desk), now=NOON))
    assert told("repair_closed") == [office.student.id]
    assert facts_told("repair_closed")["text"] == "请联系物业"
    assert fresh(ticket).closed_at == NOON


def test_the_list_of_workers_names_those_on_shift_and_of_the_trade_first(office):
    off = make_person("休息中", kind="worker", roles=("worker",))
    can(off, "water")
    ticket = office.file()
    rows = run(lambda s: repairs.workers_for(s, ticket=fresh(ticket), now=NOON))
    assert [(load.name, here) for load, here in rows][-1] == ("休息中", False)
    assert {load.name for load, here in rows if here} == {"王建国", "李秀兰"}


# ---- races -------------------------------------------------------------------------------------------------------------


@pytest.mark.race
def test_eight_dispatches_at_once_send_one_worker_once(race_office, rush):
    ticket = race_office.file()
    rush(lambda _: run(lambda s: repairs.dispatch(s, ticket.id, now=NOON)), range(8))
    assert steps(ticket) == ["file", "assign"]
    assert audited("repair.assign") == 1
    assert owed("notice:repair_dispatched") == ["notice:repair_dispatched"]


@pytest.mark.race
def test_the_race_of_dispatches_would_notice_a_missing_hold(race_office, rush, monkeypatch):
    look_without_holding(monkeypatch)
    monkeypatch.setattr(sys.modules["campus.repairs.dispatch"], "hold", found)  # the package's name is the rule
    ticket = race_office.file()
    rush(lambda _: run(lambda s: repairs.dispatch(s, ticket.id, now=NOON)), range(2))
    assert steps(ticket) == ["file", "assign", "assign"]


@pytest.mark.race
def test_cancel_and_take_at_the_same_instant_exactly_one_wins(race_office, rush):
    office = race_office
    for _ in range(5):
        ticket = office.dispatched()
        answers = rush(lambda deed, ticket=ticket: deed(ticket), [cancel_of(office), take_of(office)])
        won = [answer for answer in answers if isinstance(answer, Ticket)]
        lost = [answer for answer in answers if isinstance(answer, repairs.WrongState)]
        assert (len(won), len(lost)) == (1, 1)
        assert steps(ticket)[2:] == [{"cancelled": "cancel", "working": "take"}[fresh(ticket).state]]


@pytest.mark.race
def test_the_race_of_cancel_and_take_would_notice_a_missing_hold(race_office, rush, monkeypatch):
    ticket = race_office.dispatched()
    look_without_holding(monkeypatch)
    answers = rush(lambda deed: deed(ticket), [cancel_of(race_office), take_of(race_office)])
    assert all(isinstance(answer, Ticket) for answer in answers)
    assert sorted(steps(ticket)[2:]) == ["cancel", "take"]


def look_without_holding(monkeypatch):
    """`move` reads the ticket without a lock, and the two movers meet between looking and writing."""
    both_looked = Barrier(2, timeout=10)

    def look(s, model, **by):
        row = found(s, model, **by)
        both_looked.wait()
        return row

    monkeypatch.setattr("campus.repairs.states.hold", look)


def cancel_of(office):
    return lambda ticket: run(lambda s: repairs.cancel(s, no=ticket.no, by=actor(office.student), now=NOON))


def take_of(office):
    return lambda ticket: run(lambda s: repairs.take(s, no=ticket.no, by=actor(office.worker), now=NOON))
