"""Words and photos pass the platform's check; what fails is held for an operator, never lost. FEATURES P11."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa

from campus import cases, repairs
from campus.repairs import content
from core.db import reading, run
from core.errors import NotFound, Refused
from models.cases import Case
from models.outbox import Debt
from models.repairs import ContentState, Rating, Ticket, TicketPhoto, TicketStep
from tests.campus.repairs.kit import audited, fresh, make_photo
from tests.kit import NOON, actor, bind

FILE = "FL260901AAAAAAAAAA"


@pytest.fixture
def bound(either_office):
    """The office; the student has used the mini-program."""
    bind(either_office.student, "mini", "m-lin")
    return either_office


def debt(topic):
    with reading() as s:
        return s.scalars(sa.select(Debt.payload).where(Debt.topic == topic).order_by(Debt.id.desc()).limit(1)).one()


def check_text(verdict):
    payload = debt("content.text")
    asked = run(lambda s: repairs.begin_text_check(s, now=NOON, **payload))
    run(lambda s: repairs.record_text_check(s, asked, verdict, now=NOON))
    return asked


def open_cases():
    with reading() as s:
        return s.scalars(sa.select(Case).where(Case.live.is_(True))).all()


def state_of(table, **by):
    with reading() as s:
        return s.scalars(sa.select(table.content).filter_by(**by)).one()


def test_words_that_pass_are_passed_and_no_case_is_opened(bound):
    ticket = bound.file(text="空调漏水", entry="敲门请轻一点")
    asked = check_text("pass")
    assert (asked.openid, asked.text) == ("m-lin", "空调漏水\n敲门请轻一点")
    assert fresh(ticket).content is ContentState.PASSED
    assert open_cases() == []


@pytest.mark.parametrize("verdict", ["risky", "review"])
def test_words_that_do_not_pass_are_held_with_a_case_and_the_ticket_goes_on(bound, verdict):
    ticket = bound.dispatched(text="不好的话")
    check_text(verdict)
    assert (fresh(ticket).content, fresh(ticket).state) == (ContentState.HELD, "assigned")
    assert fresh(ticket).text == "不好的话"
    (case,) = open_cases()
    assert (case.kind, case.facts) == ("content_held", {"no": ticket.no, "what": "ticket", "verdict": verdict})


def settle(office, action):
    (case,) = open_cases()
    run(
        lambda s: cases.settle_case(
            s, no=case.no, action=action, reason="看过了", by=actor(office.desk, "console"), now=NOON
        )
    )


def test_an_operator_lets_it_pass(bound):
    ticket = bound.file(text="误判的话")
    check_text("review")
    settle(bound, "pass")
    assert fresh(ticket).content is ContentState.PASSED
    assert (open_cases(), audited("content.pass")) == ([], 1)


def test_an_operator_keeps_it_back_and_it_is_not_lost(bound):
    ticket = bound.file(text="真不好的话")
    check_text("risky")
    settle(bound, "reject")
    assert (fresh(ticket).content, fresh(ticket).text) == (ContentState.HELD, "真不好的话")
    assert (open_cases(), audited("content.keep_back")) == ([], 1)


def test_what_was_judged_is_not_asked_again(bound):
    bound.file(text="空调漏水")
    check_text("pass")
    assert run(lambda s: repairs.begin_text_check(s, now=NOON, **debt("content.text"))) is None


def test_a_late_second_answer_changes_nothing(bound):
    ticket = bound.file(text="空调漏水")
    asked = check_text("pass")
    run(lambda s: repairs.record_text_check(s, asked, "risky", now=NOON))
    assert fresh(ticket).content is ContentState.PASSED
    assert open_cases() == []


def test_a_writer_without_the_mini_program_stays_unchecked_for_the_operators_eye(office):
    ticket = office.file(text="空调漏水")
    assert run(lambda s: repairs.begin_text_check(s, now=NOON, **debt("content.text"))) is None
    assert fresh(ticket).content is ContentState.UNCHECKED
    assert open_cases() == []


@pytest.mark.parametrize("code", ["61010", "40003", "43104"])
def test_a_refusal_of_the_platform_leaves_it_unchecked(bound, code):
    ticket = bound.file(text="空调漏水")
    check_text(Refused(code))
    assert fresh(ticket).content is ContentState.UNCHECKED


def test_a_reason_and_a_rating_are_checked_in_their_own_place(bound):
    ticket = bound.done()
    run(lambda s: repairs.refuse(s, no=ticket.no, reason="骂人", by=actor(bound.student), now=NOON))
    assert check_text("risky").text == "骂人"
    assert state_of(TicketStep, ticket_id=ticket.id, action="refuse") is ContentState.HELD
    with reading() as s:
        steps = repairs.ticket_view(s, no=ticket.no, by=actor(bound.worker), now=NOON).steps
    assert steps[-1].note == "（内容审核中）"
    settle(bound, "pass")
    run(lambda s: repairs.take(s, no=ticket.no, by=actor(bound.worker), now=NOON))
    run(lambda s: repairs.finish(s, no=ticket.no, by=actor(bound.worker), now=NOON))
    run(
        lambda s: repairs.rate(
            s, no=ticket.no, quality=1, attitude=1, speed=1, result=1, text="更骂人", by=actor(bound.student), now=NOON
        )
    )
    assert check_text("risky").text == "更骂人"
    assert state_of(Rating, ticket_id=ticket.id) is ContentState.HELD
    assert fresh(ticket).content is ContentState.PASSED


# ---- photos -------------------------------------------------------------------------------------------------------------


def photo_asked(office):
    make_photo(office.student, FILE)
    ticket = office.file(photos=[FILE])
    asked = run(lambda s: repairs.begin_photo_check(s, now=NOON, **debt("content.photo")))
    run(lambda s: repairs.record_photo_check(s, asked, "trace-1", now=NOON))
    return ticket, asked


def verdict(trace="trace-1", suggest="pass", errcode=0):
    return run(lambda s: repairs.on_media_checked(s, trace_id=trace, suggest=suggest, errcode=errcode, now=NOON))


def test_a_photo_is_asked_about_once_and_its_verdict_comes_by_the_trace(bound):
    ticket, asked = photo_asked(bound)
    assert (asked.openid, asked.file) == ("m-lin", FILE)
    assert run(lambda s: repairs.begin_photo_check(s, now=NOON, **debt("content.photo"))) is None
    assert verdict()
    assert state_of(TicketPhoto, ticket_id=ticket.id) is ContentState.PASSED


def test_a_photo_that_does_not_pass_is_held_with_a_case_which_an_operator_settles(bound):
    ticket, _ = photo_asked(bound)
    assert verdict(suggest="risky")
    assert verdict(suggest="pass")  # a repeat, or a forgery of one, changes nothing
    assert state_of(TicketPhoto, ticket_id=ticket.id) is ContentState.HELD
    settle(bound, "pass")
    assert state_of(TicketPhoto, ticket_id=ticket.id) is ContentState.PASSED


def test_a_verdict_that_comes_before_its_trace_is_stored_is_not_taken(bound):
    assert not verdict("trace-unknown")


def test_a_photo_the_platform_could_not_fetch_stays_unchecked(bound):
    ticket, _ = photo_asked(bound)
    assert verdict(errcode=-1008, suggest="")
    assert state_of(TicketPhoto, ticket_id=ticket.id) is ContentState.UNCHECKED


def test_the_platform_may_fetch_that_photo_for_two_hours_and_no_other(bound):
    _, asked = photo_asked(bound)
    path = urlsplit(asked.path)
    query = {name: values[0] for name, values in parse_qs(path.query).items()}
    until, key = int(query["until"]), query["key"]
    assert path.path.endswith(FILE)

    def fetch(file_no=FILE, until=until, key=key, now=NOON):
        with reading() as s:
            return content.photo_by_key(s, file_no=file_no, until=until, key=key, now=now)

    make_photo(bound.student, "FL260901BBBBBBBBBB")
    assert fetch(now=NOON + timedelta(hours=2)).no == FILE
    for wrong in (
        {"now": NOON + timedelta(hours=2, seconds=1)},
        {"until": until + 1},
        {"file_no": "FL260901BBBBBBBBBB"},
        {"key": "0" * 32},
    ):
        with pytest.raises(NotFound):
            fetch(**wrong)


def test_a_check_about_nothing_is_not_found(bound):
    bound.file()
    for payload in ({"no": "WX000000AAAAAAAAAA", "what": "ticket"},):
        with pytest.raises(NotFound):
            run(lambda s, payload=payload: repairs.begin_text_check(s, now=NOON, **payload))
    with reading() as s:
        assert s.scalar(sa.select(sa.func.count()).select_from(Ticket)) == 1
