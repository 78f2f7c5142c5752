"""A repair is filed once, under its number, whatever the way in. FEATURES R1, R2, R4, R5, P8."""

from datetime import timedelta
from threading import Barrier

import pytest
import sqlalchemy as sa

from campus import repairs
from campus.files import PhotoUsed
from campus.repairs.scene import FaultGone, PlaceGone
from core import crypto
from core.db import database, reading, run
from core.errors import BindingNeeded, Forbidden, Invalid, NotFound
from models.access import Actor
from models.files import StoredFile
from models.outbox import Debt
from models.repairs import ContentState, RepairState, Ticket, TicketPhoto
from tests.campus.repairs.kit import audited, everything, facts_told, fresh, make_photo, owed, steps, told
from tests.kit import NOON, actor, make_fault, make_person, make_place


def test_a_filed_repair_has_a_number_a_step_an_audit_line_and_is_owed_a_dispatch(either_office):
    ticket = either_office.file(text="一直滴水")
    assert ticket.no.startswith("WX260901")
    assert (ticket.state, ticket.way, ticket.filed_at, ticket.received_at) == (RepairState.FILED, "mini", NOON, NOON)
    assert steps(ticket) == ["file"]
    assert audited("repair.file") == 1
    assert owed() == ["repair.dispatch", "notice:repair_filed", "content.text"]
    assert told("repair_filed") == [either_office.student.id]
    assert facts_told("repair_filed")["no"] == ticket.no


def test_the_dispatch_is_owed_urgently_under_the_tickets_number(office):
    ticket = office.file()
    with reading() as s:
        debt = s.scalars(sa.select(Debt).where(Debt.topic == "repair.dispatch")).one()
    assert (debt.key, debt.priority, debt.payload) == (f"repair.dispatch:{ticket.no}", 0, {"ticket_id": ticket.id})


def test_what_the_session_holds_is_what_the_table_holds(either_office):
    def file(s):
        ticket = repairs.file_repair(
            s, place_code="D12-402", fault_code="tap", text="滴水", by=actor(either_office.student), now=NOON
        )
        held = {column.key: getattr(ticket, column.key) for column in Ticket.__mapper__.column_attrs}
        s.expire(ticket)
        return held, {name: getattr(ticket, name) for name in held}

    held, stored = run(file)
    assert held == stored


def test_filing_without_words_takes_seven_statements(office):
    """Two reads (person, place with fault) and one INSERT each for ticket, step, audit line and debts, and BEGIN."""
    said: list[str] = []
    engine = database().engine
    sa.event.listen(engine, "before_cursor_execute", lambda *args: said.append(args[2].split()[0]))
    office.file()
    assert said == ["BEGIN", "SELECT", "SELECT", "INSERT", "INSERT", "INSERT", "INSERT"]


@pytest.mark.parametrize("key", ["tap-1", "钥匙-一"])
def test_the_same_key_again_returns_the_ticket_filed_before(either_office, key):
    first = either_office.file(idem_key=key, text="滴水")
    before = everything()
    assert either_office.file(idem_key=key, text="滴水").no == first.no
    assert everything() == before


def test_the_same_key_of_somebody_else_is_another_ticket(office):
    assert office.file(idem_key="k").no != office.file(idem_key="k", by=actor(office.other_student)).no


def test_without_a_key_two_honest_reports_are_two_tickets(office):
    assert office.file().no != office.file().no


@pytest.mark.race
def test_sixteen_taps_at_the_same_instant_file_one_ticket(race_office, rush):
    answers = rush(lambda _: race_office.file(idem_key="tap").no, range(16))
    assert len(set(answers)) == 1
    with reading() as s:
        assert s.scalar(sa.select(sa.func.count()).select_from(Ticket)) == 1
    assert owed("repair.dispatch") == ["repair.dispatch"]


@pytest.mark.race
def test_the_rush_of_taps_would_notice_a_look_before_the_insert(race_office, rush, monkeypatch):
    """The control: a key that is looked up first and not kept in the row lets several through."""
    from campus.repairs import filing

    insert, both_looked = filing._insert_ignoring_twin, Barrier(2, timeout=10)

    def without_the_wall(s, values):
        if s.scalar(sa.select(Ticket.id).where(Ticket.text == values["idem_key"])):
            return None
        both_looked.wait()
        values |= {"text": values["idem_key"], "idem_key": None}
        return insert(s, values)

    monkeypatch.setattr(filing, "_insert_ignoring_twin", without_the_wall)
    rush(lambda _: race_office.file(idem_key="tap"), range(2))
    with reading() as s:
        assert s.scalar(sa.select(sa.func.count()).select_from(Ticket)) == 2


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"quantity": 0}, "quantity"),
        ({"quantity": 1000}, "quantity"),
        ({"severity": "terrible"}, "severity"),
        ({"text": "长" * 2001}, "text"),
        ({"entry": "长" * 181}, "entry"),
        ({"contact_phone": "not a number"}, "contact_phone"),
        ({"contact_name": "长" * 61}, "contact_name"),
        ({"idem_key": ""}, "idem_key"),
        ({"idem_key": "k" * 65}, "idem_key"),
        ({"received_at": NOON + timedelta(seconds=1)}, "received_at"),
        ({"window": (NOON + timedelta(hours=2), NOON + timedelta(hours=1))}, "window"),
        ({"window": (None, NOON - timedelta(hours=1))}, "window"),
        ({"photos": [f"PH{n}" for n in range(10)]}, "photos"),
    ],
)
def test_what_cannot_be_is_refused_by_its_field_and_nothing_happens(office, values, field):
    before = everything()
    with pytest.raises(Invalid) as refused:
        office.file(**values)
    assert field in refused.value.facts["fields"]
    assert everything() == before


def test_words_are_kept_as_they_were_written_but_for_what_cannot_be_stored(either_office):
    said = "<script>alert(1)</script> 😀 \u202e'; DROP TABLE ticket;--"
    assert fresh(either_office.file(text=f"\x00{said}\ud800")).text == said


def test_an_unknown_place_and_an_unknown_fault_are_told_apart(office):
    before = everything()
    with pytest.raises(PlaceGone):
        office.file(place_code="D99-999")
    with pytest.raises(FaultGone):
        office.file(fault_code="no such fault")
    assert everything() == before


def test_a_retired_place_a_retired_fault_and_a_branch_of_the_tree_cannot_be_reported(office):
    make_place("OLD", retired_at=NOON)
    make_fault("old", "旧类型", retired_at=NOON)
    branch = make_fault("water", "水")
    make_fault("drain", "下水道堵", parent_id=branch.id)
    for values, wanted in (
        ({"place_code": "OLD"}, PlaceGone),
        ({"fault_code": "old"}, FaultGone),
        ({"fault_code": "water"}, FaultGone),
    ):
        with pytest.raises(wanted):
            office.file(**values)
    assert office.file(fault_code="drain").no


def test_nobody_unknown_and_nobody_suspended_files(office):
    suspended = make_person("停用", status="suspended")
    before = everything()
    with pytest.raises(BindingNeeded):
        office.file(by=Actor(None, "official"))
    with pytest.raises(Forbidden):
        office.file(by=actor(suspended))
    assert everything() == before


def test_filing_in_the_name_of_somebody_else_takes_the_desks_permission(office):
    before = everything()
    with pytest.raises(Forbidden) as refused:
        office.file(requester_id=office.other_student.id)
    assert refused.value.facts["permission"] == "repair.file_for"
    assert everything() == before


# ---- emergencies, duplicates ------------------------------------------------------------------------------------------


def gas(**values):
    return make_fault(
        "gas", "燃气泄漏", trade="gas", priority="emergency", emergency_phone="119", emergency_text="请立即开窗离开。",
        respond_minutes=30, finish_minutes=240, **values,
    )  # fmt: skip


def test_an_emergency_is_stopped_with_the_number_to_call_and_nothing_is_filed(office):
    gas()
    before = everything()
    with pytest.raises(repairs.Emergency) as stopped:
        office.file(fault_code="gas")
    assert stopped.value.detail == "请立即开窗离开。 请立即拨打 119"
    assert stopped.value.facts["phone"] == "119"
    assert everything() == before


def test_a_confirmed_emergency_is_filed_urgently_and_pages_the_desk(office):
    gas()
    ticket = office.file(fault_code="gas", confirmed_emergency=True)
    assert ticket.urgent
    assert (ticket.respond_by, ticket.finish_by) == (NOON + timedelta(minutes=30), NOON + timedelta(hours=4))
    assert told("repair_emergency") == [office.desk.id]


def test_an_emergency_filed_under_its_key_is_returned_and_not_stopped_again(office):
    gas()
    first = office.file(fault_code="gas", confirmed_emergency=True, idem_key="k")
    assert office.file(fault_code="gas", idem_key="k").no == first.no


def test_deadlines_come_from_the_fault_type_and_stay_with_the_ticket(office):
    ticket = office.file()
    run(lambda s: s.execute(sa.update(type(office.fault)).values(finish_minutes=1)))
    assert (ticket.respond_by, ticket.finish_by) == (NOON + timedelta(hours=2), NOON + timedelta(hours=24))
    assert fresh(ticket).finish_by == ticket.finish_by


@pytest.mark.parametrize(("hours", "refused"), [(23, True), (25, False)])
def test_the_same_open_fault_is_pointed_out_when_asked_to(office, hours, refused):
    first = office.file(by=actor(office.other_student))
    later = NOON + timedelta(hours=hours)
    if not refused:
        assert office.file(confirm_duplicate=False, now=later).no != first.no
        return
    before = everything()
    with pytest.raises(repairs.AlreadyReported) as twin:
        office.file(confirm_duplicate=False, now=later)
    assert twin.value.facts["no"] == first.no
    assert everything() == before
    assert office.file(confirm_duplicate=True, now=later).no != first.no


# ---- contact, photos, desk --------------------------------------------------------------------------------------------


def test_the_contact_is_the_requester_unless_another_is_given(office):
    assert office.file().contact_phone_masked == "138****1234"
    ticket = fresh(office.file(contact_name="室友", contact_phone="139 1111 2222"))
    assert (ticket.contact_name, ticket.contact_phone_masked) == ("室友", "139****2222")
    assert "13911112222" not in str(ticket.contact_phone_sealed)
    assert crypto.unseal(ticket.contact_phone_sealed) == "13911112222"


def test_photos_are_referred_to_and_owed_a_check(office):
    make_photo(office.student, "FL260901AAAAAAAAAA")
    make_photo(office.student, "FL260901BBBBBBBBBB")
    ticket = office.file(photos=["FL260901BBBBBBBBBB", "FL260901AAAAAAAAAA", "FL260901AAAAAAAAAA"])
    with reading() as s:
        rows = s.execute(
            sa.select(StoredFile.no, StoredFile.referred_at, TicketPhoto.kind, TicketPhoto.content)
            .join(TicketPhoto, TicketPhoto.file_id == StoredFile.id)
            .where(TicketPhoto.ticket_id == ticket.id)
            .order_by(TicketPhoto.id)
        ).all()
    assert [tuple(row) for row in rows] == [
        ("FL260901BBBBBBBBBB", NOON, "filed", ContentState.UNCHECKED),
        ("FL260901AAAAAAAAAA", NOON, "filed", ContentState.UNCHECKED),
    ]
    assert owed("content.photo") == ["content.photo"] * 2


def test_somebody_elses_photo_a_used_one_and_none_are_refused_and_nothing_is_filed(office):
    make_photo(office.other_student, "FL260901AAAAAAAAAA")
    make_photo(office.student, "FL260901BBBBBBBBBB", referred_at=NOON)
    before = everything()
    for no, wanted in (
        ("FL260901AAAAAAAAAA", NotFound),
        ("FL260901BBBBBBBBBB", PhotoUsed),
        ("FL260901CCCCCCCCCC", NotFound),
    ):
        with pytest.raises(wanted):
            office.file(photos=[no])
    assert everything() == before


def test_the_same_key_with_the_same_photo_again_is_not_a_used_photo(office):
    make_photo(office.student, "FL260901AAAAAAAAAA")
    first = office.file(photos=["FL260901AAAAAAAAAA"], idem_key="k")
    assert office.file(photos=["FL260901AAAAAAAAAA"], idem_key="k").no == first.no


def file_for(office, **values):
    asked = {"place_code": "D12-402", "fault_code": "tap", "by": actor(office.desk, "console"), "now": NOON} | values
    return run(lambda s: repairs.file_for(s, **asked))


def test_the_desk_files_for_a_person_with_the_time_of_the_call_and_its_own_name(office):
    called_at = NOON - timedelta(minutes=20)
    ticket = file_for(office, campus_no=office.student.campus_no, received_at=called_at, text="电话报修")
    assert (ticket.way, ticket.requester_id, ticket.desk_operator_id, ticket.received_at) == (
        "desk", office.student.id, office.desk.id, called_at,
    )  # fmt: skip
    assert told("repair_filed_for_you") == [office.student.id]
    assert owed("content") == []


def test_the_desk_files_for_a_caller_nobody_knows_once_per_key(either_office):
    first = file_for(either_office, contact_name="张阿姨", contact_phone="010-66668888", idem_key="call-7")
    assert (first.requester_id, first.contact_name, first.contact_phone_masked) == (None, "张阿姨", "010****8888")
    assert (
        file_for(either_office, contact_name="张阿姨", contact_phone="010-66668888", idem_key="call-7").no == first.no
    )


def test_the_desk_needs_a_known_number_or_a_name_with_a_phone(office):
    before = everything()
    with pytest.raises(NotFound):
        file_for(office, campus_no="no such number")
    with pytest.raises(Invalid):
        file_for(office, contact_name="张阿姨")
    with pytest.raises(Forbidden):
        file_for(office, campus_no=office.student.campus_no, by=actor(office.student))
    assert everything() == before
