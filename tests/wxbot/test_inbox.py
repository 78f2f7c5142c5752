"""Once, together, or not at all: the row, the deed and the reply; and an answer in time whatever the database does."""

from datetime import timedelta
from typing import Any, ClassVar

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from core.db import reading
from core.errors import BindingNeeded, Conflict, NotNow
from models.access import Actor
from models.audit import AuditLine, audit
from tests.kit import NOON
from tests.wxbot import wire
from tests.wxbot.conftest import Doors, Platform, arrivals
from wxbot.deeds import Came, Line, Table
from wxbot.replies import TROUBLE, Reply, Say


class Full(Conflict):
    code, text = "full", "已经满了"


class WrongCode(Conflict):
    code, text, counted = "wrong_code", "验证码不对", True


class Deed:
    """Leaves a line, then does as scripted: a text to answer, None, or an error to raise; the last one again and again."""

    def __init__(self, *script: Any) -> None:
        self._script = list(script)

    def __call__(self, s: Session, came: Came) -> Reply | None:
        audit(s, Actor(None, came.door, came.request_id), "test.deed", came.message.msg_id, now=came.now)
        now = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        if isinstance(now, Exception):
            s.flush()
            raise now
        return Say(now) if now is not None else None

    everywhere: ClassVar[str] = "official mini wecom"

    @property
    def table(self) -> Table:
        return Table((Line(self.everywhere, "text", ".*", self),))


def lines() -> int:
    with reading() as s:
        return s.scalar(sa.select(sa.func.count()).select_from(AuditLine)) or 0


MESSAGE = wire.text("报修", 7, NOON)


def texts(platform: Platform, count: int, later: timedelta = timedelta(seconds=5)) -> list[str]:
    """The Content of each answer to the same message, delivered so often; `-` for success, the status for a refusal."""
    said = []
    for attempt in range(count):
        answer = platform.push(wire.OFFICIAL, MESSAGE, NOON + attempt * later)
        reply = wire.OFFICIAL.open(answer.data) if answer.status_code == 200 else {}
        said.append(reply.get("Content", "-") if answer.status_code == 200 else str(answer.status_code))
    return said


def test_a_message_delivered_again_gives_the_stored_reply_and_no_second_deed(make_platform: Doors):
    platform = make_platform(Deed("第一次", "第二次").table)
    first = wire.OFFICIAL.open(platform.push(wire.OFFICIAL, MESSAGE).data)
    again = wire.OFFICIAL.open(platform.push(wire.OFFICIAL, MESSAGE, NOON + timedelta(seconds=5)).data)
    assert first == again
    assert (first["Content"], lines(), len(arrivals())) == ("第一次", 1, 1)


def test_the_very_same_request_replayed_gives_the_stored_reply(make_platform: Doors):
    platform = make_platform(Deed("第一次", "第二次").table)
    query, body = wire.OFFICIAL.request(MESSAGE, NOON)
    answers = [platform.post(wire.OFFICIAL.path, query, body) for _ in range(3)]
    assert {wire.OFFICIAL.open(answer.data)["Content"] for answer in answers} == {"第一次"}
    assert len({answer.data for answer in answers}) == 3  # encrypted afresh each time
    assert lines() == 1


def test_a_restart_forgets_nothing(make_platform: Doors):
    assert texts(make_platform(Deed("之前").table), 1) == ["之前"]
    assert texts(make_platform(Deed("之后").table), 1) == ["之前"]


def test_fixed_words_are_stored_once_too(make_platform: Doors):
    before = make_platform(Table((Line("official", "text", ".*", Say("以前的话")),)))
    after = make_platform(Table((Line("official", "text", ".*", Say("现在的话")),)))
    assert texts(before, 2) + texts(after, 1) == ["以前的话"] * 3
    assert len(arrivals()) == 1


def test_the_same_number_at_two_doors_is_two_messages(make_platform: Doors):
    platform = make_platform(Deed("好").table)
    for sender in (wire.OFFICIAL, wire.MINI, wire.WECOM):
        platform.ask(sender, MESSAGE)
    assert lines() == 3


def test_two_different_events_in_one_second_are_both_done(make_platform: Doors):
    deed = Deed("好")
    platform = make_platform(Table((Line("official", "event.click", ".*", deed),)))
    for key in ("a", "b", "a"):
        platform.ask(wire.OFFICIAL, wire.event("CLICK", NOON, EventKey=key))
    platform.ask(wire.OFFICIAL, wire.event("CLICK", NOON + timedelta(seconds=1), EventKey="a"))
    assert lines() == 3


def test_the_key_of_an_event_does_not_hold_the_openid(make_platform: Doors):
    platform = make_platform(Table((Line("official", "event.click", ".*", Say("好")),)))
    platform.ask(wire.OFFICIAL, wire.event("CLICK", NOON, EventKey="a"))
    assert wire.OPENID not in str(arrivals())


def test_a_very_long_message_id_is_not_cut(make_platform: Doors):
    platform = make_platform(Deed("好").table)
    for end in "ab":
        platform.ask(wire.OFFICIAL, MESSAGE | {"MsgId": "9" * 62 + end})
    assert lines() == 2


def test_no_reply_is_success(make_platform: Doors):
    platform = make_platform(Deed(None).table)
    assert texts(platform, 2) == ["-", "-"]
    assert (lines(), [row[2] for row in arrivals()]) == (1, [""])


def test_a_refusal_is_told_in_the_rules_words_and_undoes_the_deed(make_platform: Doors):
    platform = make_platform(Deed(Full(), "有位子了").table)
    assert texts(platform, 2) == ["已经满了", "已经满了"]
    assert (lines(), len(arrivals())) == (0, 1)


def test_who_is_not_bound_is_shown_how(make_platform: Doors):
    platform = make_platform(Deed(BindingNeeded()).table)
    [said] = texts(platform, 1)
    assert said.startswith("请先绑定校园身份\n<a ")
    assert "pages/binding/binding" in said


def test_a_refusal_that_counts_stands_with_what_it_wrote(make_platform: Doors):
    platform = make_platform(Deed(WrongCode(), "对了").table)
    assert texts(platform, 2) == ["验证码不对", "验证码不对"]
    assert (lines(), len(arrivals())) == (1, 1)


def test_not_now_is_503_and_the_retry_is_answered_as_the_first_would_have_been(make_platform: Doors):
    platform = make_platform(Deed(NotNow(), "办好了").table)
    answer = platform.push(wire.OFFICIAL, MESSAGE)
    assert (answer.status_code, answer.headers["Retry-After"], arrivals(), lines()) == (503, "2", [], 0)
    assert texts(platform, 2) == ["办好了", "办好了"]
    assert lines() == 1


def test_a_bug_is_503_twice_and_then_words(make_platform: Doors):
    platform = make_platform(Deed(ZeroDivisionError("secret words")).table)
    with capture_logs() as logged:
        assert texts(platform, 5) == ["503", "503", TROUBLE, TROUBLE, TROUBLE]
    bugs = [line for line in logged if line["event"] == "bug"]
    assert len(bugs) == 3
    assert lines() == 0


def test_a_bug_that_passes_is_healed_by_the_retry(make_platform: Doors):
    platform = make_platform(Deed(ZeroDivisionError(), "办好了").table)
    assert texts(platform, 3) == ["503", "办好了", "办好了"]
    assert lines() == 1


def test_a_crash_in_the_deed_leaves_nothing(make_platform: Doors):
    platform = make_platform(Deed(ZeroDivisionError()).table)
    texts(platform, 1)
    assert [key for _, key, _ in arrivals() if key.startswith("m:")] == []
    assert lines() == 0


@pytest.mark.parametrize("ends", ["]]>", "<x>", "&amp;", "\x08", "\ud83d", "😀"])
def test_any_text_survives_the_reply(make_platform: Doors, ends: str):
    platform = make_platform(Deed(f"收到{ends}好").table)
    [said] = texts(platform, 1)
    assert said.startswith("收到")
    assert said.endswith("好")
    if ends in ("]]>", "<x>", "&amp;", "😀"):
        assert said == f"收到{ends}好"


def test_a_long_reply_is_cut_at_a_character_and_its_links_stay_whole(make_platform: Doors):
    def long(_s: Session, _came: Came) -> Reply:
        return Say("很长" * 800, (("填写报修单", "/pages/repair/file?door=D0000000001"),))

    platform = make_platform(Table((Line("official", "text", ".*", long),)))
    [said] = texts(platform, 1)
    assert len(said.encode()) <= 2048
    words, link = said.split("\n")
    assert words.endswith("长…") or words.endswith("很…")
    assert link.endswith('#/pages/repair/file?door=D0000000001">填写报修单</a>')
