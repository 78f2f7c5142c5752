"""What the office reads: counts, health, audit, settings; and the number of a contact, for a reason. P7, P8, R8."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from campus import office, repairs
from campus.repairs import contact
from core.db import reading, run
from core.errors import Forbidden, Invalid, NotFound
from models import outbox
from models.audit import AuditLine
from models.job_runs import JobRun
from models.notices import Channel, Notice, NoticeTry, TryState
from models.repairs import RepairState, Ticket
from models.settings import REGISTRY
from tests.kit import NOON, actor, make_fault, make_person, make_place


@pytest.fixture
def desk(db):
    return actor(make_person("赵敏", roles=("dispatcher",), kind="staff"), "console")


def file(place="D12-402", *, ago=timedelta(0), phone="13800001234"):
    by = actor(make_person(phone=phone))
    return run(
        lambda s: repairs.file_repair(s, place_code=place, fault_code="aircon", text="滴水", by=by, now=NOON - ago)
    )


def health() -> dict[str, office.Line]:
    with reading() as s:
        return {line.what: line for line in office.health(s, now=NOON)}


def test_the_desk_counts_what_waits_and_what_is_late(desk):
    make_place("D12-402")
    make_fault(finish_minutes=60)
    file()
    file(ago=timedelta(hours=2))
    file(ago=timedelta(days=1))
    with reading() as s:
        counts = office.desk_counts(s, by=desk, now=NOON)
        hours = office.by_hour(s, by=desk, day=NOON.date())
    assert (counts.open, counts.unassigned, counts.overdue, counts.filed_today) == (3, 3, 2, 2)
    assert hours["filed"][12] == 1
    assert hours["filed"][10] == 1
    assert sum(hours["done"]) == 0


def test_a_desk_for_one_building_counts_that_building(db):
    building = make_place("D12", kind="building")
    make_place("D12-402", under=building)
    make_place("E1-101")
    make_fault()
    file()
    file("E1-101")
    by = actor(make_person(roles=("dispatcher",), at=building, kind="staff"), "console")
    with reading() as s:
        assert office.desk_counts(s, by=by, now=NOON).open == 1


def test_who_may_not_see_repairs_gets_no_numbers(db):
    by = actor(make_person(roles=("finance",), kind="staff"), "console")
    with reading() as s, pytest.raises(Forbidden, match=r"repair\.see"):
        office.desk_counts(s, by=by, now=NOON)


def test_nothing_owed_and_a_worker_at_work_is_healthy(db):
    run(
        lambda s: s.add(
            JobRun(
                job="audit.seal", slot=NOON, taken_by="w", lease_until=NOON, finished_at=NOON - timedelta(seconds=40)
            )
        )
    )
    assert [(line.what, line.state) for line in health().values()] == [("后台任务", "up"), ("待发送", "up")]


def test_a_silent_worker_shows(db):
    run(
        lambda s: s.add(
            JobRun(job="audit.seal", slot=NOON, taken_by="w", lease_until=NOON, finished_at=NOON - timedelta(minutes=6))
        )
    )
    assert health()["后台任务"].state == "down"


def test_a_debt_that_waits_shows_what_it_heard(db):
    run(lambda s: outbox.owe(s, "content.text", key="content.text:WX1", due_at=NOON - timedelta(minutes=3)))
    run(lambda s: s.execute(sa.update(outbox.Debt).values(answer="busy 45009", attempts=3)))
    line = health()["待发送"]
    assert line.state == "slow"
    assert "45009" in line.said


@pytest.mark.parametrize(
    ("states", "shown"),
    [
        (("accepted", "accepted"), "up"),
        (("accepted", "later"), "down"),
        (("later", "accepted"), "slow"),
        (("refused",), "up"),  # a person without quota is no outage
    ],
)
def test_a_channel_is_as_it_answered_lately(db, states, shown):
    lin = make_person()

    def send(s):
        for number, state in enumerate(states):
            notice = Notice(person_id=lin.id, kind="k", about=str(number), title="t", text="t", facts={}, made_at=NOON)
            s.add(notice)
            s.flush()
            at = NOON - timedelta(minutes=10 - number)
            s.add(
                NoticeTry(
                    notice_id=notice.id, channel=Channel.OFFICIAL, state=TryState(state), answer="45009", tried_at=at
                )
            )

    run(send)
    assert health()["official"].state == shown


def test_the_audit_is_searched_by_deed_person_thing_and_day(desk):
    run(lambda s: office.change_setting(s, key="notices.quiet_from", value="22:00", by=admin(), now=NOON))
    by = admin()
    with reading() as s:
        for found in (
            {"deed": "setting"},
            {"about": "notices.quiet_from"},
            {"since": NOON.date(), "until": NOON.date()},
        ):
            rows = office.audit_lines(s, by=by, **found)
            assert [line.deed for line, _ in rows] == ["setting.edit"], found
        assert office.audit_lines(s, by=by, deed="repair") == []
        assert office.chain(s, by=by).unsealed == 1


def admin():
    return actor(make_person(roles=("admin",), kind="staff"), "console")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("notices.quiet_from", "25:00"),
        ("notices.quiet_from", "later"),
        ("repairs.unassigned_after", -1),
        ("repairs.unassigned_after", "soon"),
        ("sign_in.tries", "many"),
        ("sign_in.tries", -1),
    ],
)
def test_a_value_that_cannot_be_is_refused_and_nothing_is_written(db, key, value):
    by = admin()
    with pytest.raises(Invalid):
        run(lambda s: office.change_setting(s, key=key, value=value, by=by, now=NOON))
    with reading() as s:
        assert s.scalar(sa.select(AuditLine.id).where(AuditLine.deed == "setting.edit")) is None


def test_an_unknown_setting_is_not_found(db):
    by = admin()
    with pytest.raises(NotFound):
        run(lambda s: office.change_setting(s, key="no.such", value=1, by=by, now=NOON))


def test_every_setting_has_a_title_and_a_source(db):
    assert [key for key, one in REGISTRY.items() if not one.title or not one.source] == []


def test_a_contacts_number_is_given_for_a_reason_and_not_for_ever(desk):
    make_place("D12-402")
    make_fault()
    ticket = file()

    def tell(now=NOON, reason="电话确认时间"):
        return run(lambda s: contact.reveal_contact(s, no=ticket.no, reason=reason, by=desk, now=now))

    with pytest.raises(Invalid):
        tell(reason=" x ")
    assert tell() == "13800001234"
    run(lambda s: s.execute(sa.update(Ticket).values(state=RepairState.CLOSED, closed_at=NOON)))
    with pytest.raises(contact.ContactHidden):
        tell(NOON + timedelta(days=31))
    with reading() as s:
        assert list(s.scalars(sa.select(AuditLine.deed).where(AuditLine.deed == "repair.reveal"))) == ["repair.reveal"]


def test_a_worker_is_not_the_desk(db):
    make_place("D12-402")
    make_fault()
    ticket = file()
    by = actor(make_person(roles=("worker",), kind="worker"))
    with pytest.raises(Forbidden):
        run(lambda s: contact.reveal_contact(s, no=ticket.no, reason="电话确认时间", by=by, now=NOON))
