from datetime import timedelta

import pytest
import sqlalchemy as sa

from core.db import reading, run
from models import outbox
from models.outbox import Debt, DebtState, Priority
from tests.kit import NOON

LEASE = timedelta(seconds=60)


def owe(key="meter.credit:DF1", **values):
    return run(
        lambda s: outbox.owe(
            s, values.pop("topic", "meter.credit"), key=key, due_at=values.pop("due_at", NOON), **values
        )
    )


def claim(now=NOON, limit=10, **values):
    return run(lambda s: outbox.claim(s, now=now, limit=limit, lease_for=LEASE, **values))


def states():
    with reading() as s:
        return {debt.key: debt.state for debt in s.scalars(sa.select(Debt))}


def test_owing_again_changes_nothing(either_db):
    assert owe(amount_fen=5000) is True
    assert owe(amount_fen=9900) is False
    assert [debt.payload for debt in claim()] == [{"amount_fen": 5000}]


def test_a_debt_owed_in_a_refused_deed_was_never_heard_of(either_db):
    def deed(s):
        outbox.owe(s, "meter.credit", key="k", due_at=NOON)
        raise ValueError

    with pytest.raises(ValueError):
        run(deed)
    assert states() == {}


def test_a_leased_debt_is_nobody_elses_until_the_lease_ends_and_then_it_is_in_doubt(either_db):
    owe()
    (first,) = claim()
    assert first.was_in_doubt is False
    assert claim(NOON + timedelta(seconds=59)) == []
    (second,) = claim(NOON + timedelta(seconds=60))
    assert second.was_in_doubt is True
    assert second.attempts == 2


def test_who_slept_past_the_lease_settles_nothing(either_db):
    owe()
    (slept,) = claim()
    (awake,) = claim(NOON + LEASE)
    assert run(lambda s: outbox.settle(s, [slept], now=NOON)) == 0
    assert states() == {"meter.credit:DF1": DebtState.OWED}
    assert run(lambda s: outbox.settle(s, [awake], now=NOON)) == 1
    assert states() == {"meter.credit:DF1": DebtState.SETTLED}


def test_busy_is_due_later_and_not_in_doubt(either_db):
    owe()
    (debt,) = claim()
    run(lambda s: outbox.later(s, [debt], due_at=NOON + timedelta(minutes=5), in_doubt=False, answer="busy"))
    assert claim(NOON + timedelta(minutes=4)) == []
    assert [again.was_in_doubt for again in claim(NOON + timedelta(minutes=5))] == [False]


def test_urgent_debts_are_claimed_first_whatever_waits(either_db):
    for number in range(5):
        owe(f"bulk:{number}", priority=Priority.BULK)
    owe("urgent:1", priority=Priority.URGENT, due_at=NOON + timedelta(seconds=1))
    assert [debt.key for debt in claim(NOON + timedelta(seconds=2), limit=2)] == ["urgent:1", "bulk:0"]


def test_only_a_settled_debt_can_be_reopened_and_then_it_is_in_doubt(either_db):
    owe()
    with pytest.raises(Exception, match="状态已变化"):
        run(lambda s: outbox.reopen(s, "meter.credit:DF1", now=NOON))
    (debt,) = claim()
    run(lambda s: outbox.settle(s, [debt], now=NOON))
    run(lambda s: outbox.reopen(s, "meter.credit:DF1", now=NOON))
    assert [again.was_in_doubt for again in claim()] == [True]


@pytest.mark.race
def test_of_many_workers_each_debt_has_one(mariadb, rush):
    run(lambda s: outbox.owe_many(s, [outbox.new_debt("t", key=f"k{n}", due_at=NOON) for n in range(600)]))
    claimed = rush(lambda _: [debt.key for debt in claim(limit=50)], range(24), threads=12)
    keys = [key for batch in claimed for key in batch]
    assert len(keys) == len(set(keys)) == 600


@pytest.mark.race
def test_the_count_would_show_a_claim_without_a_lock(mariadb, rush, monkeypatch):
    unlocked = outbox._DUE._generate()
    unlocked._for_update_arg = None
    monkeypatch.setattr(outbox, "_DUE", unlocked)
    run(lambda s: outbox.owe_many(s, [outbox.new_debt("t", key=f"k{n}", due_at=NOON) for n in range(600)]))
    claimed = rush(lambda _: [debt.key for debt in claim(limit=50)], range(24), threads=12)
    keys = [key for batch in claimed for key in batch]
    assert len(keys) > len(set(keys))
