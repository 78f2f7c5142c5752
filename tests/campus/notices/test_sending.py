"""Which channel carries a notice, what each answer leads to, and what a crash leaves behind. N1–N5."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from campus import notices
from core.db import reading, run
from models.notices import Channel, Notice, NoticeTry, QuotaMove, SubscriptionQuota, TryState
from models.outbox import Debt, DebtState
from models.people import Follower
from tests.campus.notices.conftest import OPENID
from tests.kit import NOON, actor, bind, make_person

FACTS = {"no": "WX2609017QK2M9X4CD", "place": "D12-402", "fault": "灯不亮", "status": "已完成", "at": NOON}
SECOND = timedelta(seconds=1)


def owe(person, kind="lamp_fixed", about="WX1", now=NOON, **facts):
    return run(lambda s: notices.owe(s, kind, to=person.id, about=about, now=now, **(facts or FACTS)))


def one(column):
    with reading() as s:
        return s.scalars(sa.select(column)).one()


def tries():
    with reading() as s:
        return [
            (row.channel, row.state, row.perhaps_twice)
            for row in s.scalars(sa.select(NoticeTry).order_by(NoticeTry.id))
        ]


def test_a_notice_takes_the_first_channel_that_reaches_the_person_and_fits_its_fields(anna, post):
    owe(anna)
    assert post() == [
        ("mini", OPENID, {"character_string1": "WX2609017QK2M9X4CD", "thing2": "D12-402", "thing3": "灯不亮", "phrase4": "已完成", "time5": "2026年09月01日 12:00"})
    ]  # fmt: skip
    assert one(Debt.state) is DebtState.SETTLED
    assert one(SubscriptionQuota.remaining) == 0
    assert one(QuotaMove.reason) == "spent"


def test_owing_twice_tells_once(anna, post):
    assert (owe(anna), owe(anna)) == (1, 0)
    assert len(post()) == 1
    assert post() == []


def test_the_inbox_has_it_even_when_no_channel_reaches_the_person(db, post):
    nobody = make_person("陈思远")
    owe(nobody)
    assert post() == []
    assert one(Notice.text) == "D12-402 的 灯不亮 已修好"
    assert (one(Debt.state), one(Debt.answer)) == (DebtState.SETTLED, "inbox")


def test_without_quota_the_next_channel_is_the_official_account(anna, post):
    run(lambda s: s.execute(sa.update(SubscriptionQuota).values(remaining=0)))
    owe(anna)
    assert [channel for channel, _, _ in post()] == ["official"]


def test_43101_empties_the_quota_and_turns_to_the_next_channel(anna, post):
    owe(anna)
    assert [channel for channel, _, _ in post(mini=notices.Declined("43101"))] == ["mini"]
    assert one(SubscriptionQuota.remaining) == 0
    assert [channel for channel, _, _ in post()] == ["official"]
    assert [state for _, state, _ in tries()] == [TryState.REFUSED, TryState.ACCEPTED]


def test_43004_remembers_that_the_person_does_not_follow(anna, post):
    run(lambda s: s.execute(sa.update(SubscriptionQuota).values(remaining=0)))
    owe(anna)
    post(official=notices.Declined("43004"))
    assert one(Follower.follows) is False
    assert [(channel, address) for channel, address, _ in post()] == [("sms", "13800001234")]


def test_when_every_channel_refuses_the_inbox_remains_and_nothing_spins(anna, post):
    owe(anna)
    no = notices.Declined("40003")
    for _ in range(3):
        post(mini=no, official=no, sms=no)
    assert post() == []
    assert (one(Debt.state), one(Debt.answer)) == (DebtState.SETTLED, "inbox")


def test_busy_waits_as_long_as_the_platform_says_and_does_not_count_as_a_send(anna, post):
    owe(anna)
    post(mini=notices.NotNow("45009", retry_after_s=300))
    assert post(NOON + 299 * SECOND) == []
    assert [channel for channel, _, _ in post(NOON + 300 * SECOND)] == ["mini"]
    assert tries() == [(Channel.MINI, TryState.ACCEPTED, False)]


def test_a_subscribe_message_without_an_answer_is_repeated_once_and_the_record_says_perhaps_twice(anna, post):
    owe(anna)
    post(mini=notices.Unheard("no_answer"))
    assert [channel for channel, _, _ in post(NOON + 60 * SECOND, mini=notices.Unheard("no_answer"))] == ["mini"]
    assert tries() == [(Channel.MINI, TryState.UNKNOWN, True)]
    assert [channel for channel, _, _ in post(NOON + 300 * SECOND)] == ["official"]


def test_a_template_message_is_repeated_under_its_key_and_nobody_sees_it_twice(anna, post):
    run(lambda s: s.execute(sa.update(SubscriptionQuota).values(remaining=0)))
    owe(anna)
    for seconds in (0, 60, 120, 240):
        assert [channel for channel, _, _ in post(NOON + seconds * SECOND, official=notices.Unheard("x"))] == [
            "official"
        ]
    assert tries() == [(Channel.OFFICIAL, TryState.UNKNOWN, False)]


@pytest.mark.parametrize(("quota", "channel", "twice"), [(1, "mini", True), (0, "official", False)])
def test_a_crash_between_sending_and_recording_is_in_doubt_and_sent_again(anna, post, quota, channel, twice):
    run(lambda s: s.execute(sa.update(SubscriptionQuota).values(remaining=quota)))
    owe(anna)
    post(crash=True)
    assert post(NOON + 59 * SECOND) == []
    assert [sent[0] for sent in post(NOON + 60 * SECOND)] == [channel]
    assert tries() == [(Channel(channel), TryState.ACCEPTED, twice)]


def test_quiet_hours_hold_a_push_until_seven_and_the_inbox_has_it_at_once(anna, post):
    night = NOON + timedelta(hours=11, minutes=30)  # 23:30
    owe(anna, now=night)
    assert post(night) == []
    assert one(Notice.title) == "灯修好了"
    assert post(night + timedelta(hours=7, minutes=29)) == []
    assert len(post(night + timedelta(hours=7, minutes=30))) == 1


def test_an_urgent_notice_does_not_wait_for_the_morning(anna, post):
    night = NOON + timedelta(hours=11, minutes=30)
    owe(anna, kind="lamp_urgent", now=night, place="D12-402", fault="漏水")
    assert [channel for channel, _, _ in post(night)] == ["sms"]


@pytest.mark.parametrize("answer", [notices.Unheard("no_answer"), notices.NotNow("45009", retry_after_s=30_000)])
def test_an_urgent_notice_does_not_wait_for_a_platform_that_stays_away(anna, post, answer):
    bind(anna, "wecom", "G2001")
    owe(anna, kind="lamp_urgent", place="D12-402", fault="漏水")
    assert [channel for channel, _, _ in post(wecom=answer)] == ["wecom"]
    channels = [sent[0] for seconds in range(10, 420, 10) for sent in post(NOON + seconds * SECOND, wecom=answer)]
    assert channels[-1] == "sms"
    assert set(channels[:-1]) <= {"wecom"}
    assert one(Debt.state) is DebtState.SETTLED


def test_without_another_channel_the_one_that_stays_away_is_tried_on(anna, post):
    bind(anna, "wecom", "G2001")
    owe(anna, kind="lamp_urgent", place="D12-402", fault="漏水")
    only = frozenset({Channel.WECOM})
    post(on=only, wecom=notices.Unheard("no_answer"))
    assert [channel for channel, _, _ in post(NOON + timedelta(minutes=5), on=only)] == ["wecom"]


def test_a_notice_too_late_to_be_useful_is_let_go(anna, post):
    owe(anna, kind="lamp_urgent", place="D12-402", fault="漏水")
    assert post(NOON + timedelta(hours=2, seconds=1)) == []
    assert one(Debt.state) is DebtState.LET_GO


def test_who_left_the_campus_is_not_pushed(anna, post):
    run(lambda s: s.execute(sa.text("update person set status='left'")))
    owe(anna)
    assert post() == []


def test_a_message_that_was_taken_but_not_delivered_takes_the_next_channel(anna, post):
    run(lambda s: s.execute(sa.update(SubscriptionQuota).values(remaining=0)))
    owe(anna)
    post(official=notices.Accepted("200228332"))
    finished = {"channel": Channel.OFFICIAL, "platform_id": "200228332", "now": NOON}
    run(lambda s: notices.on_job_finished(s, status="failed:user block", **finished))
    assert [channel for channel, _, _ in post(NOON + SECOND)] == ["sms"]


def test_a_delivered_message_says_so_in_the_record(anna, post):
    run(lambda s: s.execute(sa.update(SubscriptionQuota).values(remaining=0)))
    owe(anna)
    post(official=notices.Accepted("200228332"))
    run(
        lambda s: notices.on_job_finished(
            s, channel=Channel.OFFICIAL, platform_id="200228332", status="success", now=NOON
        )
    )
    assert tries() == [(Channel.OFFICIAL, TryState.DELIVERED, False)]
    assert post(NOON + SECOND) == []


def test_the_client_asks_only_for_what_is_used_up_and_an_accept_grants_one_send(anna):
    me = actor(anna)
    with reading() as s:
        assert notices.what_to_ask(s, for_="lamp", by=me) == []
    run(lambda s: s.execute(sa.update(SubscriptionQuota).values(remaining=0)))
    with reading() as s:
        assert notices.what_to_ask(s, for_="lamp", by=me) == ["T-MINI"]
    assert run(lambda s: notices.note_answers(s, answers={"T-MINI": "accept"}, by=me, now=NOON)) == {"T-MINI": 1}
    with pytest.raises(Exception, match="填写有误"):
        run(lambda s: notices.note_answers(s, answers={"FOREIGN": "accept"}, by=me, now=NOON))


def test_somebody_elses_notice_cannot_be_marked_read(anna, post):
    owe(anna)
    post()
    number = one(Notice.id)
    stranger = make_person("陈思远")
    with pytest.raises(Exception, match="没有找到"):
        run(lambda s: notices.mark_read(s, by=actor(stranger), now=NOON, notice_id=number))
    assert one(Notice.read_at) is None
    run(lambda s: notices.mark_read(s, by=actor(anna), now=NOON, notice_id=number))
    with reading() as s:
        assert notices.unread(s, by=actor(anna)) == 0
