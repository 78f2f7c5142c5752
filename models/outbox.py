"""The outbox: what the outside world still has to be told or asked. DESIGN §2, PERFORMANCE A.3.

`owe` writes a debt in the same transaction as the change: committed together, or never heard of. A worker leases a
debt by moving its `due_at` to the end of the lease, in one commit, and calls the platform with no transaction open.
From then on it is in doubt until it is answered; a debt whose lease runs out is due again, still in doubt, so whoever
takes it next asks before repeating. Settling is fenced by the lease: a worker that slept too long settles nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import ids
from core.db import insert_new
from core.errors import Conflict, NotFound
from models.base import Base, line, one_of, pk, word


class DebtState(StrEnum):
    OWED = "owed"
    SETTLED = "settled"
    CASE = "case"
    LET_GO = "let_go"


class Priority(IntEnum):
    """Urgent debts are claimed first and never wait behind bulk (N6)."""

    URGENT = 0
    NORMAL = 1
    BULK = 2


class Debt(Base):
    """One thing owed. `lane` keeps order: debts of one lane are paid one after the other (N4, a person's pushes)."""

    __tablename__ = "debt"
    __table_args__ = (
        sa.Index("ix_debt_claim", "state", "priority", "due_at", "id"),
        sa.CheckConstraint("attempts >= 0", name="attempts"),
    )
    id: Mapped[pk]
    topic: Mapped[word]
    key: Mapped[line] = mapped_column(unique=True)
    payload: Mapped[dict[str, Any]]
    lane: Mapped[word | None]
    priority: Mapped[int] = mapped_column(sa.SmallInteger, default=Priority.NORMAL)
    state: Mapped[DebtState] = mapped_column(one_of(DebtState), default=DebtState.OWED)
    due_at: Mapped[datetime]
    useful_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    in_doubt: Mapped[bool] = mapped_column(default=False)
    lease: Mapped[str | None] = mapped_column(sa.String(24))
    answer: Mapped[line | None]
    owed_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]


@dataclass(frozen=True, slots=True)
class Leased:
    """A debt in a worker's hands. `was_in_doubt`: somebody before may have called already, so ask first."""

    id: int
    topic: str
    key: str
    payload: dict[str, Any]
    lane: str | None
    priority: int
    useful_until: datetime | None
    attempts: int
    was_in_doubt: bool
    lease: str
    owed_at: datetime


def owe(
    s: Session,
    topic: str,
    *,
    key: str,
    due_at: datetime,
    priority: Priority = Priority.NORMAL,
    lane: str | None = None,
    useful_until: datetime | None = None,
    owed_at: datetime | None = None,
    **payload: Any,
) -> bool:
    """The debt stands under its key once this transaction commits. Owing again changes nothing; False then."""
    return owe_many(
        s,
        [
            new_debt(
                topic, key=key, due_at=due_at, priority=priority, lane=lane, useful_until=useful_until, owed_at=owed_at, **payload
            )
        ],
    ) == 1  # fmt: skip


def new_debt(
    topic: str,
    *,
    key: str,
    due_at: datetime,
    priority: Priority = Priority.NORMAL,
    lane: str | None = None,
    useful_until: datetime | None = None,
    owed_at: datetime | None = None,
    **payload: Any,
) -> dict[str, Any]:
    """A row for `owe_many`."""
    if len(key) > 190:
        raise ValueError(f"debt key too long: {key[:60]}…")
    return {
        "topic": topic,
        "key": key,
        "payload": payload,
        "lane": lane,
        "priority": int(priority),
        "state": DebtState.OWED,
        "due_at": due_at,
        "useful_until": useful_until,
        "attempts": 0,
        "in_doubt": False,
        "owed_at": owed_at or due_at,
    }


def owe_many(s: Session, debts: Sequence[dict[str, Any]]) -> int:
    """All of them stand under their keys; those that stood before are unchanged. How many are new."""
    # One round trip; a savepoint round a plain INSERT is three, in every deed of the house.
    return insert_new(s, Debt, list(debts))


def claim(
    s: Session,
    *,
    now: datetime,
    limit: int,
    lease_for: timedelta,
    priorities: Iterable[Priority] = tuple(Priority),
) -> list[Leased]:
    """So many due debts are leased to the caller, urgent ones first, oldest first; nobody else gets them meanwhile."""
    rows: list[Any] = []
    connection = s.connection()
    for priority in sorted(priorities):
        if len(rows) < limit:
            wanted = {"priority": int(priority), "now": now, "room": limit - len(rows)}
            rows += connection.execute(_DUE, wanted).all()
    if not rows:
        return []
    lease = ids.letters(20)
    connection.execute(_TAKE, {"numbers": [row.id for row in rows], "until": now + lease_for, "taken": lease})
    return [
        Leased(
            id=row.id, topic=row.topic, key=row.key, payload=row.payload, lane=row.lane, priority=row.priority,
            useful_until=row.useful_until, attempts=row.attempts + 1, was_in_doubt=row.in_doubt, lease=lease, owed_at=row.owed_at,
        )
        for row in rows
    ]  # fmt: skip


# Core statements, built once: the ORM's way costs as much again, two hundred times a second.
_TABLE: Any = Debt.__table__
_COLUMNS = _TABLE.c
_LEASED = (
    _COLUMNS.id, _COLUMNS.topic, _COLUMNS.key, _COLUMNS.payload, _COLUMNS.lane, _COLUMNS.priority, _COLUMNS.useful_until,
    _COLUMNS.attempts, _COLUMNS.in_doubt, _COLUMNS.owed_at,
)  # fmt: skip
_DUE = (
    sa.select(*_LEASED)
    .where(
        _COLUMNS.state == DebtState.OWED,
        _COLUMNS.priority == sa.bindparam("priority"),
        _COLUMNS.due_at <= sa.bindparam("now"),
    )
    .order_by(_COLUMNS.due_at, _COLUMNS.id)
    .limit(sa.bindparam("room"))
    .with_for_update(skip_locked=True)
)
# The numbers stand in the statement as they are: two hundred parameters cost more than the rest of it.
_THESE = _COLUMNS.id.in_(sa.bindparam("numbers", expanding=True, literal_execute=True))
_TAKE = (
    sa.update(_TABLE)
    .where(_THESE)
    .values(due_at=sa.bindparam("until"), lease=sa.bindparam("taken"), in_doubt=True, attempts=_COLUMNS.attempts + 1)
)


def settle(
    s: Session, debts: Sequence[Leased], *, now: datetime, answer: str = "done", state: DebtState = DebtState.SETTLED
) -> int:
    """These debts are paid (or became a case, or were let go). How many were still ours: a lease that was lost settles nothing."""
    return _close(
        s, debts, {"state": state, "settled_at": now, "answer": answer[:190], "in_doubt": False, "lease": None}
    )


def later(s: Session, debts: Sequence[Leased], *, due_at: datetime, in_doubt: bool, answer: str) -> int:
    """These debts are due again then. `in_doubt` False only when nothing can have happened (Busy)."""
    return _close(s, debts, {"due_at": due_at, "in_doubt": in_doubt, "lease": None, "answer": answer[:190]})


def _close(s: Session, debts: Sequence[Leased], values: dict[str, Any]) -> int:
    done = 0
    for lease in {debt.lease for debt in debts}:
        close = sa.update(_TABLE).where(_THESE, _COLUMNS.lease == sa.bindparam("held")).values(**values)
        numbers = [debt.id for debt in debts if debt.lease == lease]
        done += s.connection().execute(close, {"numbers": numbers, "held": lease}).rowcount
    return done


def mine(s: Session, debt: Leased) -> bool:
    """Whether the lease still stands, held until the transaction ends: a rule that pays a debt asks this first."""
    return (
        s.scalar(sa.select(Debt.id).where(Debt.id == debt.id, Debt.lease == debt.lease).with_for_update()) is not None
    )


def reopen(s: Session, key: str, *, now: datetime) -> None:
    """A settled debt is owed again under the same key and in doubt, so that the platform is asked before it is repeated.

    Only a case's action does this; that rule writes the audit line. Raises Conflict when it is still owed.
    """
    debt = s.scalars(sa.select(Debt).where(Debt.key == key).with_for_update()).one_or_none()
    if debt is None:
        raise NotFound(what="Debt", key=key)
    if debt.state is DebtState.OWED:
        raise Conflict(key=key)
    debt.state, debt.due_at, debt.in_doubt, debt.settled_at, debt.attempts = DebtState.OWED, now, True, None, 0


def due_counts(s: Session, *, now: datetime) -> tuple[int, float]:
    """How many debts are due and unleased or overdue, and the age of the oldest in seconds, for the machine room."""
    count, oldest = s.execute(
        sa.select(sa.func.count(), sa.func.min(Debt.due_at)).where(Debt.state == DebtState.OWED, Debt.due_at <= now)
    ).one()
    if isinstance(oldest, datetime):
        return count, max(0.0, (now - (oldest if oldest.tzinfo else oldest.replace(tzinfo=now.tzinfo))).total_seconds())
    return count, 0.0
