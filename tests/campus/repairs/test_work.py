"""Taking, arriving, finishing, accepting, refusing, rating. FEATURES R9, R10."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from campus import repairs
from core.db import reading, run
from core.errors import Forbidden, Invalid
from models.outbox import Debt
from models.places import DoorCode
from models.repairs import ContentState, Rating, RepairState, TicketPhoto, TicketStep
from tests.campus.repairs.kit import everything, facts_told, fresh, make_photo, owed, steps, told
from tests.kit import NOON, actor, make_place


def door_of(place):
    with reading() as s:
        return s.scalars(sa.select(DoorCode.code).where(DoorCode.place_id == place.id)).one()


def arrive(office, ticket, door=None):
    return run(lambda s: repairs.arrive(s, no=ticket.no, door=door, by=actor(office.worker), now=NOON))


def finish(office, ticket, **values):
    return run(lambda s: repairs.finish(s, no=ticket.no, by=actor(office.worker), now=NOON, **values))


def test_taking_tells_the_requester_who_comes(either_office):
    ticket = either_office.taken()
    assert (ticket.state, ticket.taken_at) == (RepairState.WORKING, NOON)
    assert told("repair_taken") == [either_office.student.id]
    assert facts_told("repair_taken")["worker"] == "王建国"


def test_he_arrives_at_the_rooms_door_or_at_the_buildings(office):
    for door in (door_of(office.room), door_of(office.building)):
        ticket = office.taken()
        assert arrive(office, ticket, door).arrived_at == NOON
        with reading() as s:
            step = s.scalars(sa.select(TicketStep).filter_by(ticket_id=ticket.id, action="arrive")).one()
        assert step.facts == {"door": True}


def test_without_a_door_code_he_arrives_and_the_step_says_so(office):
    ticket = office.taken()
    arrive(office, ticket)
    with reading() as s:
        assert s.scalars(sa.select(TicketStep).filter_by(ticket_id=ticket.id, action="arrive")).one().facts == {
            "door": False
        }


def test_another_places_door_is_refused_kindly(office):
    other = make_place("D12-403", under=office.building, label="东区12号楼403")
    ticket, before = office.taken(), None
    before = everything()
    for door, here in ((door_of(other), "东区12号楼403"), ("DNOSUCHDOOR", "无法识别的门牌")):
        with pytest.raises(repairs.OtherDoor) as refused:
            arrive(office, ticket, door)
        assert refused.value.detail == f"这里是{here}，工单在东区12号楼402，请到门口再扫"
    assert everything() == before


def test_arriving_twice_is_arriving_once(office):
    ticket = office.taken()
    arrive(office, ticket)
    before = everything()
    arrive(office, ticket)
    assert everything() == before


def test_finishing_asks_the_requester_to_accept_and_shows_the_photos(office):
    ticket = office.taken()
    make_photo(office.worker, "FL260901AAAAAAAAAA")
    done = finish(office, ticket, note="换了阀芯", photos=["FL260901AAAAAAAAAA"])
    assert (done.state, done.done_at, done.result, done.result_note) == (RepairState.DONE, NOON, "fixed", "换了阀芯")
    assert told("repair_done") == [office.student.id]
    with reading() as s:
        assert s.scalars(sa.select(TicketPhoto.kind)).all() == ["finished"]
    assert owed("content.photo") == ["content.photo"]


def test_a_temporary_fix_takes_an_explanation(office):
    ticket = office.taken()
    before = everything()
    for values in ({"result": "temporary"}, {"result": "perhaps"}):
        with pytest.raises(Invalid):
            finish(office, ticket, **values)
    assert everything() == before
    finish(office, ticket, result="temporary", note="先堵上")
    assert facts_told("repair_done")["text"] == "临时修复"


@pytest.mark.parametrize("missing", ["note", "proposal"])
def test_cannot_takes_an_explanation_and_a_proposal(office, missing):
    ticket = office.taken()
    before = everything()
    said = {"note": "管道锈穿", "proposal": "整段更换"} | {missing: "  "}
    with pytest.raises(Invalid) as refused:
        run(lambda s: repairs.cannot(s, no=ticket.no, by=actor(office.worker), now=NOON, **said))
    assert missing in refused.value.facts["fields"]
    assert everything() == before


def test_what_cannot_be_fixed_is_told_to_the_requester_and_to_the_desk(office):
    ticket = office.taken()
    run(
        lambda s: repairs.cannot(
            s, no=ticket.no, note="管道锈穿", proposal="整段更换", by=actor(office.worker), now=NOON
        )
    )
    assert (fresh(ticket).state, fresh(ticket).proposal) == (RepairState.UNFIXABLE, "整段更换")
    assert told("repair_unfixable") == [office.student.id]
    assert told("repair_cannot") == [office.desk.id]


def test_cancelling_tells_the_worker_who_had_it(office):
    ticket = office.dispatched()
    run(lambda s: repairs.cancel(s, no=ticket.no, reason="自己修好了", by=actor(office.student), now=NOON))
    assert (fresh(ticket).state, fresh(ticket).closed_at) == (RepairState.CANCELLED, NOON)
    assert told("repair_cancelled") == [office.worker.id]
    assert told("repair_closed") == []


def test_the_desk_cancels_for_a_caller_and_the_requester_is_told(office):
    ticket = office.file()
    run(lambda s: repairs.cancel_any(s, no=ticket.no, reason="来电取消", by=actor(office.desk), now=NOON))
    assert told("repair_closed") == [office.student.id]


def test_once_work_has_started_it_cannot_be_cancelled(office):
    ticket = office.taken()
    before = everything()
    with pytest.raises(repairs.WrongState) as refused:
        run(lambda s: repairs.cancel(s, no=ticket.no, by=actor(office.student), now=NOON))
    assert refused.value.detail == "工单维修中，不能撤销"
    assert everything() == before


def test_accepting_closes_the_ticket(office):
    ticket = office.done()
    closed = run(lambda s: repairs.accept(s, no=ticket.no, by=actor(office.student), now=NOON))
    assert (closed.state, closed.closed_at) == (RepairState.CLOSED, NOON)


def refuse(office, ticket, reason="还在漏"):
    return run(lambda s: repairs.refuse(s, no=ticket.no, reason=reason, by=actor(office.student), now=NOON))


def test_refused_work_goes_back_to_the_same_worker_with_the_reason(office):
    ticket = office.done()
    back = refuse(office, ticket)
    assert (back.state, back.worker_id, back.taken_at, back.result) == (
        RepairState.ASSIGNED,
        office.worker.id,
        None,
        None,
    )
    assert told("repair_refused") == [office.worker.id]
    assert owed("content") == ["content.text"]


def test_refusing_takes_a_reason(office):
    ticket = office.done()
    before = everything()
    with pytest.raises(Invalid):
        refuse(office, ticket, "  ")
    assert everything() == before


def test_finished_a_second_time_the_requester_is_told_a_second_time_about_the_same_page(office):
    from campus.notices.kinds import KINDS, page_of

    ticket = office.done()
    refuse(office, ticket)
    run(lambda s: repairs.take(s, no=ticket.no, by=actor(office.worker), now=NOON))
    finish(office, ticket)
    assert told("repair_done") == [office.student.id] * 2
    with reading() as s:
        abouts = [
            payload["about"] for payload in s.scalars(sa.select(Debt.payload)) if payload.get("kind") == "repair_done"
        ]
    assert abouts == [ticket.no, f"{ticket.no}/2"]
    assert {page_of(KINDS["repair_done"], about) for about in abouts} == {f"/pages/repair/detail?no={ticket.no}"}


def rate(office, ticket, **values):
    marks = {"quality": 5, "attitude": 5, "speed": 4, "result": 5} | values
    return run(lambda s: repairs.rate(s, no=ticket.no, by=actor(office.student), now=NOON, **marks))


def test_a_ticket_is_rated_once(either_office):
    office = either_office
    ticket = office.done()
    run(lambda s: repairs.accept(s, no=ticket.no, by=actor(office.student), now=NOON))
    rating = rate(office, ticket, text="很快")
    assert (rating.speed, rating.content) == (4, ContentState.UNCHECKED)
    before = everything()
    assert rate(office, ticket, text="很快").id == rating.id  # her second tap
    with pytest.raises(repairs.AlreadyRated):
        rate(office, ticket, quality=1)
    assert everything() == before
    with reading() as s:
        assert s.scalar(sa.select(sa.func.count()).select_from(Rating)) == 1


@pytest.mark.parametrize("mark", [0, 6])
def test_marks_are_one_to_five(office, mark):
    ticket = office.done()
    before = everything()
    with pytest.raises(Invalid) as refused:
        rate(office, ticket, attitude=mark)
    assert set(refused.value.facts["fields"]) == {"attitude"}
    assert everything() == before


def test_nobody_rates_somebody_elses_ticket_also_not_when_it_was_rated(office):
    ticket = office.done()
    for _ in range(2):
        with pytest.raises(Forbidden):
            run(
                lambda s: repairs.rate(
                    s, no=ticket.no, quality=1, attitude=1, speed=1, result=1, by=actor(office.other_student), now=NOON
                )
            )
        rate(office, ticket)


@pytest.mark.race
def test_eight_ratings_at_once_are_one(race_office, rush):
    ticket = race_office.done()
    rush(lambda _: rate(race_office, ticket), range(8))
    assert steps(ticket).count("rate") == 1
    with reading() as s:
        assert s.scalar(sa.select(sa.func.count()).select_from(Rating)) == 1


def test_the_desk_closes_what_nobody_will_accept(office):
    ticket = office.done()
    run(
        lambda s: repairs.close(
            s, no=ticket.no, reason="电话回访已修好", by=actor(office.desk), now=NOON + timedelta(days=1)
        )
    )
    assert fresh(ticket).state is RepairState.CLOSED
    assert told("repair_closed") == [office.student.id]
