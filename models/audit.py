"""Who did what, before and after, from where; hash-chained, so that a changed or missing line shows. FEATURES P7.

A line is written in the deed's own transaction. The chain is closed a moment later by the worker (`seal`), in the
order of sealing: chaining while writing would make the last line the one hot row of the whole house.
`prove` walks the chain.
"""

import hashlib
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import writing
from models.base import Base, line, pk, word

if TYPE_CHECKING:
    from models.access import Actor

GENESIS = "0" * 64


class AuditLine(Base):
    __tablename__ = "audit_line"
    id: Mapped[pk]
    at: Mapped[datetime]
    person_id: Mapped[int | None] = mapped_column(sa.BigInteger, index=True)
    way: Mapped[word]
    ip: Mapped[word]
    request_id: Mapped[word]
    deed: Mapped[word] = mapped_column(index=True)
    about: Mapped[line] = mapped_column(index=True)
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]
    seq: Mapped[int | None] = mapped_column(sa.BigInteger, unique=True)
    hash: Mapped[word | None]


def audit(
    s: Session,
    by: "Actor",
    deed: str,
    about: str,
    *,
    now: datetime,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """The deed is written down in the same transaction. `before` and `after` hold no secrets and no phone numbers."""
    writing(s).execute(
        _LINE,
        {
            "at": now,
            "person_id": by.person_id,
            "way": by.way,
            "ip": by.ip[:64],
            "request_id": by.request_id[:64],
            "deed": deed,
            "about": about[:190],
            "before": before,
            "after": after,
        },
    )


# Not through the session: nobody asks for the line again, and a crowd writes one with every repair.
_LINE = sa.insert(AuditLine)


def seal(s: Session, *, limit: int = 1000) -> int:
    """So many unsealed lines joined the chain, oldest first. Only one process seals at a time (a timed job)."""
    last = s.execute(
        sa.select(AuditLine.seq, AuditLine.hash)
        .where(AuditLine.seq.is_not(None))
        .order_by(AuditLine.seq.desc())
        .limit(1)
    ).one_or_none()
    seq, previous = (last.seq, last.hash) if last else (0, GENESIS)
    unsealed = s.scalars(
        sa.select(AuditLine).where(AuditLine.seq.is_(None)).order_by(AuditLine.id).limit(limit).with_for_update()
    ).all()
    for row in unsealed:
        seq += 1
        row.seq, row.hash = seq, _hash(previous or GENESIS, seq, row)
        previous = row.hash
    s.flush()
    return len(unsealed)


def prove(s: Session) -> tuple[int, str | None]:
    """How many sealed lines hold, and what is wrong with the first that does not (None when all hold)."""
    expected, previous = 0, GENESIS
    rows = s.scalars(
        sa.select(AuditLine).where(AuditLine.seq.is_not(None)).order_by(AuditLine.seq).execution_options(yield_per=500)
    )
    for row in rows:
        expected += 1
        if row.seq != expected:
            return expected - 1, f"line {expected} is missing (found {row.seq})"
        if row.hash != (previous := _hash(previous, expected, row)):
            return expected - 1, f"line {expected} was changed (audit_line.id {row.id})"
    return expected, None


def _hash(previous: str, seq: int, row: AuditLine) -> str:
    said = [
        previous,
        seq,
        row.at.isoformat(),
        row.person_id,
        row.way,
        row.ip,
        row.request_id,
        row.deed,
        row.about,
        row.before,
        row.after,
    ]
    return hashlib.sha256(
        json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    ).hexdigest()
