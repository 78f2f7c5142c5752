"""Answers that come later: in the chat while the window is open, else in the inbox; and who a new follower is. N8, P2."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from campus import chat_answers, followers, people
from campus.sessions import Known
from core.db import Database, reading, run
from core.errors import Refused
from models.outbox import Debt
from models.people import Follower, Identity, IdentityKind
from tests.kit import NOON, bind, make_person

OPENID = "oLin00000000000000000000001"


def debts(topic: str) -> list[Debt]:
    with reading() as s:
        return list(s.scalars(sa.select(Debt).where(Debt.topic == topic)))


def owed(kind: str = "official", after: str = "message", subject: str = OPENID) -> Debt:
    def owe(s: Any) -> None:
        chat_answers.owe_answer(
            s,
            to=Known(IdentityKind(kind), subject),
            text="空调今天下午修好",
            about="Q1",
            after=after,
            asked_at=NOON,
            now=NOON,
        )

    run(owe)
    run(owe)  # asking again owes nothing more
    [debt] = debts("chat.answer")
    return debt


def begin(debt: Debt, seconds: float) -> Any:
    return run(lambda s: chat_answers.begin(s, now=NOON + timedelta(seconds=seconds), **debt.payload))


@pytest.mark.parametrize(
    ("after", "seconds", "open"),
    [("message", 10, True), ("message", 47 * 3600, True), ("message", 48 * 3600, False), ("menu", 10, True),
     ("menu", 54, True), ("menu", 56, False), ("scan", 61, False), ("follow", 61, False)],
)  # fmt: skip
def test_it_is_said_in_the_chat_while_the_window_is_open_else_in_the_inbox(
    db: Database, after: str, seconds: float, open: bool
):
    bind(make_person(), "official", OPENID)
    debt = owed(after=after)
    assert OPENID not in str(debt.payload)
    answer = begin(debt, seconds)
    assert (answer is not None) == open
    assert len(debts("notice")) == (not open)
    if open:
        assert (answer.subject, answer.text) == (OPENID, "空调今天下午修好")


def test_in_wecom_there_is_no_window(db: Database):
    assert begin(owed("wecom", "menu", "T1001"), 3600).subject == "T1001"


@pytest.mark.parametrize("answer", [Refused(45015), Refused(45047), Refused(48001)])
def test_a_refused_answer_goes_to_the_inbox(db: Database, answer: Refused):
    bind(make_person(), "official", OPENID)
    said = begin(owed(), 5)
    run(lambda s: chat_answers.record(s, said, answer, now=NOON))
    [notice] = debts("notice")
    assert notice.payload["facts"] == {"text": "空调今天下午修好"}


def test_a_member_wecom_could_not_reach_has_it_in_the_inbox(db: Database):
    bind(make_person(), "wecom", "T1001")
    said = begin(owed("wecom", "message", "T1001"), 5)
    run(lambda s: chat_answers.record(s, said, ("T1001",), now=NOON))
    assert len(debts("notice")) == 1


def test_an_answer_that_was_said_owes_nothing_more(db: Database):
    bind(make_person(), "official", OPENID)
    said = begin(owed(), 5)
    run(lambda s: chat_answers.record(s, said, None, now=NOON))
    assert debts("notice") == []


def test_who_has_left_is_not_written_to(db: Database):
    bind(make_person(), "official", OPENID)
    debt = owed()
    run(lambda s: people.on_unfollow(s, openid=OPENID, now=NOON))
    assert begin(debt, 5) is None
    assert debts("notice") == []


# -- who a new follower is


@dataclass(frozen=True)
class Said:
    """What the platform says about a follower."""

    follows: bool = True
    unionid: str | None = "union-lin"


def look(answer: Any) -> None:
    run(lambda s: people.on_follow(s, openid=OPENID, unionid=None, now=NOON))
    run(lambda s: followers.owe_look(s, openid=OPENID, now=NOON))
    [debt] = debts("follower.look")
    looked = run(lambda s: followers.begin(s, now=NOON, **debt.payload))
    run(lambda s: followers.record(s, looked, answer, now=NOON))


def official_of(person: Any) -> list[str]:
    with reading() as s:
        query = sa.select(Identity.subject).where(Identity.person_id == person.id, Identity.kind == "official")
        return list(s.scalars(query))


def test_a_follower_the_mini_program_knows_is_bound_by_the_unionid(db: Database):
    person = make_person()
    bind(person, "mini", "oMini", unionid="union-lin")
    look(Said())
    assert official_of(person) == [OPENID]
    [greeting] = debts("chat.answer")
    assert greeting.payload["text"].startswith("林小雨，您好！")


def test_who_was_bound_before_is_not_greeted_again(db: Database):
    person = make_person()
    bind(person, "official", OPENID, unionid="union-lin")
    look(Said())
    assert debts("chat.answer") == []


@pytest.mark.parametrize("answer", [Said(unionid=None), Said(follows=False), Refused(40003)])
def test_without_a_unionid_nothing_is_bound(db: Database, answer: Any):
    person = make_person()
    bind(person, "mini", "oMini", unionid="union-lin")
    look(answer)
    assert official_of(person) == []
    assert debts("chat.answer") == []


def test_who_left_before_the_look_is_not_asked_about_and_does_not_come_back(db: Database):
    run(lambda s: people.on_follow(s, openid=OPENID, unionid=None, now=NOON))
    run(lambda s: followers.owe_look(s, openid=OPENID, now=NOON))
    [debt] = debts("follower.look")
    looked = run(lambda s: followers.begin(s, now=NOON, **debt.payload))
    run(lambda s: people.on_unfollow(s, openid=OPENID, now=NOON))
    assert run(lambda s: followers.begin(s, now=NOON, **debt.payload)) is None
    run(lambda s: followers.record(s, looked, Said(), now=NOON))
    with reading() as s:
        assert s.scalar(sa.select(sa.func.count()).select_from(Follower)) == 0
