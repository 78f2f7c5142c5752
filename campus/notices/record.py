"""What the platform answered, written down; what follows from it. FEATURES N4, N5; codes: PROTOCOLS 1.15, 2.6, 3.11."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campus.notices import quota
from campus.notices.plan import PATIENCE, Outcome, Planned
from core import log
from models import outbox
from models.notices import Channel, Notice, NoticeTry, TryState
from models.outbox import DebtState, Leased, Priority
from models.people import Follower

_log = log.get(__name__)

FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(minutes=10)
NO_QUOTA = "43101"
NOT_A_FOLLOWER = frozenset({"43004", "50005"})


@dataclass(frozen=True, slots=True)
class Accepted:
    """The platform took it, under this number of its own."""

    platform_id: str = ""


@dataclass(frozen=True, slots=True)
class Declined:
    """The platform said no and will say no again: the next channel."""

    code: str


@dataclass(frozen=True, slots=True)
class NotNow:
    """The platform said later; nothing happened."""

    code: str
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Unheard:
    """No answer that may be trusted."""

    code: str


Answer = Accepted | Declined | NotNow | Unheard


def record(s: Session, answers: Sequence[tuple[Planned, Answer | None]], *, now: datetime) -> None:
    """Every debt of these is settled, waits, or is due again for its next channel; the delivery records say why.

    A plan without sending comes with None. A lease that was lost changes nothing: somebody else has the debt.
    """
    _put_off(
        s,
        [
            (planned.debt, planned.until or now, planned.answer)
            for planned, _ in answers
            if planned.outcome is Outcome.WAIT
        ],
    )
    for state, outcome in ((DebtState.SETTLED, Outcome.DONE), (DebtState.LET_GO, Outcome.LET_GO)):
        for why in {planned.answer for planned, _ in answers if planned.outcome is outcome}:
            debts = [planned.debt for planned, _ in answers if planned.outcome is outcome and planned.answer == why]
            outbox.settle(s, debts, now=now, answer=why, state=state)
    sent = [(planned, answer) for planned, answer in answers if planned.outcome is Outcome.SEND and answer is not None]
    _accepted(s, [(planned, answer) for planned, answer in sent if isinstance(answer, Accepted)], now)
    for planned, answer in sent:
        match answer:
            case Declined(code):
                _tried(s, planned, TryState.REFUSED, code, now)
                _learn(s, planned, code, now)
                outbox.later(s, [planned.debt], due_at=now, in_doubt=False, answer=f"{planned.channel} {code}")
            case NotNow(code, retry_after_s):
                _tried(s, planned, TryState.LATER, code, now)
                wait = timedelta(seconds=retry_after_s) if retry_after_s else backoff(planned.debt)
                if planned.debt.priority == Priority.URGENT:
                    wait = min(wait, PATIENCE)  # by then another channel is looked for
                outbox.later(s, [planned.debt], due_at=now + wait, in_doubt=False, answer=f"{planned.channel} {code}")
            case Unheard(code):
                _tried(s, planned, TryState.UNKNOWN, code, now)
                outbox.later(
                    s,
                    [planned.debt],
                    due_at=now + backoff(planned.debt),
                    in_doubt=True,
                    answer=f"{planned.channel} {code}",
                )


def backoff(debt: Leased) -> timedelta:
    """5 s, 10 s, 20 s … at most 10 minutes."""
    return min(LONGEST_WAIT, FIRST_WAIT * int(2 ** min(debt.attempts - 1, 10)))


def _accepted(s: Session, told: list[tuple[Planned, Accepted]], now: datetime) -> None:
    """The usual case, for the whole batch in a few statements."""
    if not told:
        return
    platform_ids = {planned.try_id: answer.platform_id[:64] for planned, answer in told if answer.platform_id}
    values: dict[str, object] = {"state": TryState.ACCEPTED, "answer": "ok", "answered_at": now}
    if platform_ids:
        values["platform_id"] = sa.case(platform_ids, value=NoticeTry.id, else_=None)
    s.connection().execute(
        sa.update(NoticeTry).where(NoticeTry.id.in_([planned.try_id for planned, _ in told])).values(**values)
    )
    quota.spend(
        s, [(planned.person_id, planned.template_id) for planned, _ in told if planned.channel is Channel.MINI], now=now
    )
    for channel in {planned.channel for planned, _ in told}:
        outbox.settle(
            s, [planned.debt for planned, _ in told if planned.channel is channel], now=now, answer=str(channel)
        )


def _put_off(s: Session, debts: list[tuple[Leased, datetime, str]]) -> None:
    for until, answer in {(until, answer) for _, until, answer in debts}:
        outbox.later(s, [debt for debt, when, _ in debts if when == until], due_at=until, in_doubt=False, answer=answer)


def _tried(s: Session, planned: Planned, state: TryState, code: str, now: datetime) -> None:
    s.connection().execute(
        sa.update(NoticeTry)
        .where(NoticeTry.id == planned.try_id)
        .values(state=state, answer=code[:190], answered_at=now)
    )


def _learn(s: Session, planned: Planned, code: str, now: datetime) -> None:
    """A refusal that says something about the person, not only about this message."""
    if planned.channel is Channel.MINI and code == NO_QUOTA:
        quota.empty(s, planned.person_id, planned.template_id, now=now, reason=NO_QUOTA)
    elif planned.channel is Channel.OFFICIAL and code in NOT_A_FOLLOWER:
        s.execute(sa.update(Follower).where(Follower.openid == planned.address).values(follows=False, changed_at=now))


def on_job_finished(s: Session, *, channel: Channel, platform_id: str, status: str, now: datetime) -> None:
    """TEMPLATESENDJOBFINISH: the delivery record says whether the message arrived; one that did not takes the next channel.

    `failed:user block` and `failed: system failed` both count as failed (PROTOCOLS 1.4).
    """
    row = s.scalars(
        sa.select(NoticeTry).where(NoticeTry.channel == channel, NoticeTry.platform_id == platform_id).with_for_update()
    ).one_or_none()
    if row is None or row.state not in (TryState.ACCEPTED, TryState.SENDING, TryState.UNKNOWN):
        return
    row.state = TryState.DELIVERED if status == "success" else TryState.FAILED
    row.answer, row.answered_at = status[:190], now
    if row.state is TryState.FAILED:
        _next_channel(s, row, now)


def _next_channel(s: Session, row: NoticeTry, now: datetime) -> None:
    """The notice is owed again: a message that was taken and not delivered has not told anybody."""
    notice = s.get_one(Notice, row.notice_id)
    s.execute(
        sa.update(outbox.Debt)
        .where(
            outbox.Debt.key == f"notice:{notice.kind}:{notice.about}:{notice.person_id}",
            outbox.Debt.state == DebtState.SETTLED,
        )
        .values(state=DebtState.OWED, due_at=now, settled_at=None, in_doubt=False)
    )
