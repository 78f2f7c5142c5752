"""Wrong tries to prove to be somebody: five in 15 minutes lock that number for 15 minutes. FEATURES P3.

A wrong try is a row in the database, so it is counted by all processes together. The refusals raised here are
`counted`: `core.db.run` commits before it raises them, else the rollback would take the try along.
Tries while locked are not counted, or a lock could be kept up for ever from outside. Callers hold the row of the
person (or operator) first, so that a hundred tries at the same instant are looked at one after the other.
"""

from datetime import datetime, timedelta
from math import ceil

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.errors import Invalid, TooMany
from models.people import BindAttempt
from models.settings import Setting, setting

TRIES = Setting("sign_in.tries", 5, source="P3", title="连续输错几次后锁定")
WITHIN = Setting("sign_in.tries_within", timedelta(minutes=15), source="P3", title="输错次数的统计时长")
LOCK_FOR = Setting("sign_in.lock_for", timedelta(minutes=15), source="P3", title="输错后锁定时长")


class NumberLocked(TooMany):
    code, text = "number_locked", "输错次数过多，请 {minutes} 分钟后再试"


class WrongProof(Invalid):
    """Something of what was typed in is wrong; which one is not said."""

    code, text = "wrong_proof", "学工号、姓名或绑定码不正确"
    counted = True


def refuse_if_locked(s: Session, number: str, *, now: datetime) -> None:
    """Nothing happens unless the number is locked. Raises NumberLocked with the seconds left."""
    if (until := locked_until(s, number, now=now)) is not None:
        left_s = max(1, ceil((until - now).total_seconds()))
        raise NumberLocked(minutes=ceil(left_s / 60), retry_after_s=left_s)


def locked_until(s: Session, number: str, *, now: datetime) -> datetime | None:
    """Until when nobody may try that number, None when it is not locked."""
    tries, within, lock_for = setting(s, TRIES), setting(s, WITHIN), setting(s, LOCK_FOR)
    # A lock that still stands began at most `lock_for` ago, with tries of at most `within` before.
    at = s.scalars(
        sa.select(BindAttempt.tried_at)
        .where(BindAttempt.campus_no == number[:64], BindAttempt.tried_at > now - within - lock_for)
        .order_by(BindAttempt.tried_at)
    ).all()
    locked = [last + lock_for for first, last in zip(at, at[tries - 1 :], strict=False) if last - first <= within]
    return locked[-1] if locked and locked[-1] > now else None


def count(s: Session, number: str, *, now: datetime) -> None:
    """One more wrong try stands for the number. Raise a `counted` refusal next."""
    s.add(BindAttempt(campus_no=number[:64], tried_at=now))
    s.flush()


def forget(s: Session, number: str) -> None:
    """The person has proved who she is: earlier wrong tries no longer count."""
    s.execute(sa.delete(BindAttempt).where(BindAttempt.campus_no == number[:64]))
