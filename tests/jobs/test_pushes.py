"""The bulk sender's promises: everybody once, urgent first, one after the other per person, one bad notice alone."""

import asyncio
import threading
from collections import Counter
from datetime import timedelta

import pytest
import sqlalchemy as sa

from campus import notices
from campus.notices import Accepted, Kind
from core import clock
from core.db import reading, run
from jobs.pushes import Pushes
from models import outbox
from models.notices import Channel
from models.outbox import Debt, DebtState, Priority
from models.people import Identity, Person

ON = frozenset({Channel.WECOM})
NEVER = threading.Event()


@pytest.fixture(autouse=True)
def _kinds():
    for name, urgent in (("meeting", False), ("alarm", True)):
        notices.register(Kind(name, "会议通知", "{title}", facts=("title",), order=(Channel.WECOM,), urgent=urgent))
    run_settings = "insert into setting (`key`, value, changed_at) values ('notices.quiet_from', '\"00:00\"', '2026-01-01'), ('notices.quiet_until', '\"00:00\"', '2026-01-01')"
    yield run_settings
    del notices.KINDS["meeting"], notices.KINDS["alarm"]


@pytest.fixture
def people(either_db, _kinds):
    run(lambda s: s.execute(sa.text(_kinds)))

    def make(count):
        def rows(s):
            now = clock.now()
            values = {"name": "林", "kind": "staff", "status": "active", "created_at": now, "updated_at": now}
            s.execute(sa.insert(Person), [{"campus_no": f"B{n}", **values} for n in range(count)])
            ids = s.scalars(sa.select(Person.id)).all()
            s.execute(
                sa.insert(Identity),
                [
                    {
                        "person_id": n,
                        "kind": "wecom",
                        "subject": f"W{n}",
                        "bound_at": now,
                        "bound_by": "t",
                        "live": True,
                    }
                    for n in ids
                ],
            )
            return list(ids)

        return run(rows)

    return make


class Platform:
    """Counts what it is sent; lets nothing through until `gate` opens."""

    def __init__(self, *, open_=True, fail=()):
        self.seen, self.order, self.under_way = Counter(), [], Counter()
        self.overlapped = False
        self.fail = fail
        self.gate = asyncio.Event()
        self.open_ = open_

    async def send(self, planned):
        if not self.open_ and planned.debt.priority != Priority.URGENT:
            await self.gate.wait()
        self.overlapped |= self.under_way[planned.address] > 0
        self.under_way[planned.address] += 1
        await asyncio.sleep(0)
        self.under_way[planned.address] -= 1
        self.seen[planned.key] += 1
        self.order.append((planned.debt.priority, planned.address))
        if planned.address in self.fail:
            raise RuntimeError("bug in the sender")
        return Accepted(planned.key)


def send_all(platform, *, connections=4, before_stop=lambda pushes: None):
    pushes = Pushes(platform.send, on=ON, connections=connections)
    pushes.start()
    while debts := run(lambda s: outbox.claim(s, now=clock.now(), limit=50, lease_for=timedelta(seconds=60))):
        pushes.hand_over(debts)
    before_stop(pushes)
    pushes.stop()
    return pushes


def states():
    with reading() as s:
        return Counter(s.scalars(sa.select(Debt.state)))


def owe(people, kind="meeting", about="HY1", **values):
    run(lambda s: notices.owe(s, kind, to=people, about=about, now=clock.now(), title="三点开会", **values))


def test_everybody_is_told_once_and_every_debt_is_settled(people):
    owe(people(300))
    platform = Platform()
    assert send_all(platform).in_hand == 0
    assert (len(platform.seen), set(platform.seen.values())) == (300, {1})
    assert states() == {DebtState.SETTLED: 300}


def test_the_same_person_is_told_one_thing_after_the_other(people):
    everybody = people(3)
    for number in range(20):
        owe(everybody, about=f"HY{number}")
    platform = Platform()
    send_all(platform, connections=16)
    assert len(platform.seen) == 60
    assert platform.overlapped is False


def test_an_urgent_notice_passes_those_that_wait(people):
    everybody = people(40)
    owe(everybody, priority=Priority.BULK)
    platform = Platform(open_=False)
    pushes = Pushes(platform.send, on=ON, connections=5)
    pushes.start()
    pushes.hand_over(run(lambda s: outbox.claim(s, now=clock.now(), limit=4, lease_for=timedelta(seconds=60))))
    owe(everybody[-1:], kind="alarm", about="A1")
    pushes.hand_over(run(lambda s: outbox.claim(s, now=clock.now(), limit=1, lease_for=timedelta(seconds=60))))
    while not platform.order:
        NEVER.wait(0.005)
    assert platform.order == [(Priority.URGENT, f"W{everybody[-1]}")]
    pushes._loop.call_soon_threadsafe(platform.gate.set)
    pushes.stop()
    assert len(platform.seen) == 5


def test_one_that_fails_is_in_doubt_and_the_others_are_told(people):
    everybody = people(20)
    owe(everybody)
    platform = Platform(fail={f"W{everybody[0]}"})
    send_all(platform)
    assert states() == {DebtState.SETTLED: 19, DebtState.OWED: 1}


def test_one_notice_that_cannot_be_planned_does_not_hold_up_the_batch(people):
    everybody = people(20)
    owe(everybody)
    run(
        lambda s: outbox.owe(
            s, "notice", key="bad", due_at=clock.now(), kind="meeting", person=everybody[0], about="HY2", facts=None
        )
    )
    platform = Platform()
    send_all(platform, before_stop=lambda pushes: NEVER.wait(0.5))
    assert len(platform.seen) == 20
    assert states() == {DebtState.SETTLED: 20, DebtState.OWED: 1}
