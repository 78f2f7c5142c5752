from collections.abc import Iterator
from datetime import timedelta

import pytest

from campus import notices
from campus.notices import Kind
from core.db import run
from models import outbox
from models.notices import Channel, SubscriptionQuota, TemplateMap
from models.people import Follower
from tests.kit import NOON, bind, make_person

OPENID = "oMINI" + "x" * 23
FOLLOWER = "oFOLL" + "x" * 23


@pytest.fixture(autouse=True)
def _kinds() -> Iterator[None]:
    kinds = [
        Kind("lamp_fixed", "灯修好了", "{place} 的 {fault} 已修好", facts=("no", "place", "fault", "status", "at"), page="/pages/repair/detail?no={about}", asked_with=("lamp",)),
        Kind("lamp_urgent", "紧急派工", "{place} {fault}", facts=("place", "fault"), order=notices.AT_WORK, urgent=True, useful_for=timedelta(hours=2)),
    ]  # fmt: skip
    for kind in kinds:
        notices.register(kind)
    yield
    for kind in kinds:
        del notices.KINDS[kind.name]


@pytest.fixture
def anna(db):
    """A student in the mini-program with one send left, who follows the account and has a phone."""
    person = make_person("林小雨", phone="13800001234")
    bind(person, "mini", OPENID)
    bind(person, "official", FOLLOWER)

    def rows(s):
        s.add(Follower(openid=FOLLOWER, follows=True, changed_at=NOON))
        s.add(SubscriptionQuota(person_id=person.id, template_id="T-MINI", remaining=1, changed_at=NOON))
        fields = {"character_string1": "no", "thing2": "place", "thing3": "fault", "phrase4": "status", "time5": "at"}
        for channel, template in ((Channel.MINI, "T-MINI"), (Channel.OFFICIAL, "T-OA")):
            s.add(TemplateMap(channel=channel, kind="lamp_fixed", template_id=template, fields=fields, changed_at=NOON))

    run(rows)
    return person


ALL = frozenset(Channel)


@pytest.fixture
def post():
    """One round of the worker: claim, plan, answer every send by the script (channel → answer), record. What was sent."""

    def one_round(now=NOON, on=ALL, crash=False, **script):
        debts = run(lambda s: outbox.claim(s, now=now, limit=50, lease_for=timedelta(seconds=60)))
        planned = run(lambda s: notices.plan(s, debts, on=on, now=now))
        answers = [
            (one, script.get(one.channel.value, notices.Accepted("M1")) if one.channel else None) for one in planned
        ]
        if not crash:
            run(lambda s: notices.record(s, answers, now=now))
        return [(one.channel.value, one.address, one.data or one.text) for one in planned if one.outcome == "send"]

    return one_round
