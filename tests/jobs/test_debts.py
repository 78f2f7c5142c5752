"""How a debt is paid: a rule in one transaction, a platform asked before it is asked again, and nothing dropped."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from core import clock
from core.db import reading, run
from core.errors import Busy, Conflict, Refused, Unknown
from jobs.debts import TRIES, Ask, Rule, pay_ask, pay_rule
from models import outbox
from models.cases import Case
from models.outbox import Debt, DebtState
from models.people import Department
from tests.kit import NOON

LEASE = timedelta(seconds=60)


@pytest.fixture(autouse=True)
def _noon(monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: NOON)


@pytest.fixture
def debt(db):
    run(lambda s: outbox.owe(s, "meter.credit", key="meter.credit:DF1", due_at=NOON, no="DF1"))
    return claim()


def claim(now=NOON):
    (leased,) = run(lambda s: outbox.claim(s, now=now, limit=1, lease_for=LEASE))
    return leased


def standing():
    with reading() as s:
        row = s.scalars(sa.select(Debt)).one()
        return row.state, row.in_doubt, row.answer


def departments():
    with reading() as s:
        return s.scalars(sa.select(Department.code)).all()


def credit(s, *, no, now):
    s.add(Department(code=no, name="credited"))


class Meter:
    """A vendor that answers by script: a value, or an exception to raise; it counts what it credited."""

    def __init__(self, *script, known=()):
        self.script, self.credited, self.known = list(script), 0, set(known)

    def recharge(self, no):
        answer = self.script.pop(0)
        if answer == "silence after crediting":
            self.credited += 1
            self.known.add(no)
            raise Unknown("timeout")
        if isinstance(answer, Exception):
            raise answer
        self.credited += 1
        return answer

    def has_recharge(self, no):
        return "credited before" if no in self.known else None


def asking(**changes):
    effect = {
        "begin": lambda s, *, no, now: no,
        "call": lambda p, no: p.recharge(no),
        "ask": lambda p, no: p.has_recharge(no),
        "record": lambda s, no, answer, *, now: s.add(Department(code=no, name=str(answer))),
    }
    return Ask(**(effect | changes))


def test_a_rule_and_its_debt_are_done_together(debt):
    pay_rule(Rule(credit), debt)
    assert standing()[0] is DebtState.SETTLED
    assert departments() == ["DF1"]


def test_a_rule_that_fails_leaves_nothing_and_is_due_again(debt):
    def fails(s, *, no, now):
        credit(s, no=no, now=now)
        s.flush()
        raise RuntimeError("bug")

    pay_rule(Rule(fails), debt)
    assert standing() == (DebtState.OWED, True, "bug RuntimeError")
    assert departments() == []


def test_a_rule_that_says_no_becomes_a_case(debt):
    def refuses(s, *, no, now):
        raise Conflict()

    pay_rule(Rule(refuses), debt)
    assert standing()[0] is DebtState.CASE
    with reading() as s:
        assert s.scalars(sa.select(Case.about)).all() == ["meter.credit:DF1"]


def test_who_lost_the_lease_writes_nothing(debt):
    claim(NOON + LEASE)
    pay_rule(Rule(credit), debt)
    assert departments() == []
    meter = Meter("ok")
    pay_ask(asking(), debt, meter)
    assert meter.credited == 0


def test_a_platform_that_says_yes_is_asked_once(debt):
    meter = Meter("ok")
    pay_ask(asking(), debt, meter)
    assert (meter.credited, standing()[0], departments()) == (1, DebtState.SETTLED, ["DF1"])


def test_silence_after_the_deed_is_asked_before_it_is_repeated(debt):
    meter = Meter("silence after crediting", "must not be called")
    pay_ask(asking(), debt, meter)
    assert standing() == (DebtState.OWED, True, "unknown timeout")
    pay_ask(asking(), claim(NOON + LEASE), meter)
    assert (meter.credited, standing()[0]) == (1, DebtState.SETTLED)


def test_silence_before_the_deed_is_repeated_after_asking(debt):
    meter = Meter(Unknown("timeout"), "ok")
    pay_ask(asking(), debt, meter)
    pay_ask(asking(), claim(NOON + LEASE), meter)
    assert (meter.credited, standing()[0]) == (1, DebtState.SETTLED)


def test_without_asking_the_platform_would_credit_twice(debt):
    meter = Meter("silence after crediting", "ok")
    pay_ask(asking(ask=None), debt, meter)
    pay_ask(asking(ask=None), claim(NOON + LEASE), meter)
    assert meter.credited == 2


def test_busy_means_nothing_happened_and_is_due_when_the_platform_says(debt):
    pay_ask(asking(), debt, Meter(Busy("9001", retry_after_s=90)))
    assert standing() == (DebtState.OWED, False, "busy 9001")
    with pytest.raises(ValueError, match="not enough values"):
        claim(NOON + timedelta(seconds=89))
    assert claim(NOON + timedelta(seconds=90)).was_in_doubt is False


def test_a_refusal_is_recorded_by_the_rule(debt):
    seen = []
    pay_ask(asking(record=lambda s, no, answer, *, now: seen.append(answer.code)), debt, Meter(Refused("2001")))
    assert (seen, standing()[0]) == (["2001"], DebtState.SETTLED)


def test_nothing_left_to_do_settles_without_a_call(debt):
    pay_ask(asking(begin=lambda s, *, no, now: None), debt, Meter())
    assert standing() == (DebtState.SETTLED, False, "nothing to do")


def test_what_fails_for_ever_becomes_a_case_and_stops(debt):
    meter = Meter(*[Unknown("timeout")] * 50)
    leased, moment = debt, NOON
    for _ in range(TRIES):
        pay_ask(asking(), leased, meter)
        moment += timedelta(hours=1)
        leased = claim(moment)
    pay_ask(asking(), leased, meter)
    assert standing()[0] is DebtState.CASE
    assert len(meter.script) == 50 - TRIES
