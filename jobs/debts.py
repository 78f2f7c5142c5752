"""The three kinds of debt, and how each is paid. DESIGN §2.

Rule: one transaction, one campus rule, and the debt is settled in that same transaction.
Ask: a begin rule, a platform call, a record rule; in doubt, the platform is asked first whether it already happened.
Notice: planned, sent and recorded in batches by `jobs.pushes`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from campus import cases
from core import clock, log, metrics
from core.db import run
from core.errors import Busy, CampusError, NotNow, Refused, Unknown
from models import outbox
from models.outbox import DebtState, Leased

_log = log.get(__name__)

TRIES = 12
FIRST_WAIT = timedelta(seconds=2)
LONGEST_WAIT = timedelta(minutes=10)


@dataclass(frozen=True)
class Rule:
    """Paid by one rule: `rule(s, now=…, **payload)`."""

    rule: Callable[..., Any]


@dataclass(frozen=True)
class Ask:
    """Paid by asking a platform.

    `begin(s, now=…, **payload)` answers what to ask for, or None when there is nothing left to do. `call(p, d)` is the
    platform call. `ask(p, d)` says whether it already happened (a value, or None for no); without it a repeat must be
    harmless. `record(s, d, answer, now=…)` writes the value or the Refused down.
    """

    begin: Callable[..., Any]
    call: Callable[[Any, Any], Any]
    record: Callable[..., Any]
    ask: Callable[[Any, Any], Any] | None = None


class LeaseLost(Exception):
    """Somebody else has the debt now; nothing of this attempt may be written."""


def pay_rule(effect: Rule, debt: Leased) -> None:
    """The rule has run and the debt is settled, both or neither; or it is due again, or it is a case."""

    def pay(s: Session) -> None:
        if not outbox.mine(s, debt):
            raise LeaseLost
        now = clock.now()
        effect.rule(s, now=now, **debt.payload)
        outbox.settle(s, [debt], now=now)

    _attempt(debt, lambda: run(pay))


def pay_ask(effect: Ask, debt: Leased, platforms: Any) -> None:
    """The platform was asked and its answer is recorded; or it is due again, in doubt where it must be."""

    def pay() -> None:
        data = run(lambda s: _mine(s, debt) and effect.begin(s, now=clock.now(), **debt.payload))
        if data is None:
            run(lambda s: outbox.settle(s, [debt], now=clock.now(), answer="nothing to do"))
            return
        answer = effect.ask(platforms, data) if debt.was_in_doubt and effect.ask else None
        if answer is None:
            try:
                answer = effect.call(platforms, data)
            except Refused as no:
                answer = no
        run(
            lambda s: (
                _mine(s, debt),
                effect.record(s, data, answer, now=clock.now()),
                outbox.settle(s, [debt], now=clock.now()),
            )
        )

    _attempt(debt, pay)


def _mine(s: Session, debt: Leased) -> bool:
    if not outbox.mine(s, debt):
        raise LeaseLost
    return True


def _attempt(debt: Leased, pay: Callable[[], Any]) -> None:
    """Pays, or writes down what stood in the way. Nothing is dropped, nothing spins for ever."""
    log.forget()
    log.remember(debt=debt.key)
    try:
        if debt.attempts > TRIES:
            give_up(debt, "too many tries")
            return
        pay()
        metrics.DEBTS_SETTLED.labels(debt.topic, "settled").inc()
    except LeaseLost:
        _log.warning("lease lost", attempt=debt.attempts)
    except NotNow as why:
        put_off(debt, why.code, in_doubt=debt.was_in_doubt, wait=None)
    except Busy as why:
        put_off(debt, f"busy {why.code}", in_doubt=False, wait=why.retry_after_s)
    except Unknown as why:
        put_off(debt, f"unknown {why.code}", in_doubt=True, wait=None)
    except (CampusError, Refused) as why:
        _log.warning("debt refused", why=str(why.code))
        give_up(debt, str(why.code))
    except Exception as why:
        _log.error("debt failed", exc_info=why, attempt=debt.attempts)
        put_off(debt, f"bug {type(why).__name__}", in_doubt=True, wait=None)


def put_off(debt: Leased, why: str, *, in_doubt: bool, wait: float | None) -> None:
    """The debt is due again after `wait` seconds, or after a pause that doubles with every try."""
    delay = timedelta(seconds=wait) if wait else backoff(debt.attempts)
    metrics.DEBTS_SETTLED.labels(debt.topic, "later").inc()
    try:
        run(lambda s: outbox.later(s, [debt], due_at=clock.now() + delay, in_doubt=in_doubt, answer=why))
    except NotNow:
        _log.warning("debt keeps its lease, the database is away")


def give_up(debt: Leased, why: str) -> None:
    """The debt is a case on the operators' list, once."""
    metrics.DEBTS_SETTLED.labels(debt.topic, "case").inc()

    def stuck(s: Session) -> None:
        if outbox.settle(s, [debt], now=clock.now(), answer=why, state=DebtState.CASE):
            cases.open_case(
                s,
                "debt_stuck",
                about=debt.key[:190],
                now=clock.now(),
                topic=debt.topic,
                why=why,
                attempts=debt.attempts,
            )

    run(stuck)


def backoff(attempts: int) -> timedelta:
    """2 s, 4 s, 8 s … at most 10 minutes."""
    return min(LONGEST_WAIT, FIRST_WAIT * int(2 ** min(attempts - 1, 12)))
