"""The in-app inbox: everything a person was told, whether a push reached them or not. FEATURES N1."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.errors import BindingNeeded, NotFound
from models.access import Actor
from models.notices import Notice


def inbox(s: Session, *, by: Actor, before_id: int | None = None, limit: int = 20) -> Sequence[Notice]:
    """The person's notices, newest first, those with a smaller id than `before_id`."""
    query = sa.select(Notice).where(Notice.person_id == _me(by)).order_by(Notice.id.desc()).limit(limit)
    return s.scalars(query.where(Notice.id < before_id) if before_id else query).all()


def unread(s: Session, *, by: Actor) -> int:
    """How many notices the person has not opened."""
    if by.person_id is None:
        return 0
    return (
        s.scalar(
            sa.select(sa.func.count())
            .select_from(Notice)
            .where(Notice.person_id == by.person_id, Notice.read_at.is_(None))
        )
        or 0
    )


def mark_read(s: Session, *, by: Actor, now: datetime, notice_id: int | None = None) -> None:
    """One notice, or all of them, are read. Somebody else's notice is not found."""
    mine = sa.update(Notice).where(Notice.person_id == _me(by))
    if notice_id is None:
        s.execute(mine.where(Notice.read_at.is_(None)).values(read_at=now))
        return
    if s.scalar(sa.select(Notice.id).where(Notice.id == notice_id, Notice.person_id == by.person_id)) is None:
        raise NotFound(what="Notice")
    s.execute(mine.where(Notice.id == notice_id, Notice.read_at.is_(None)).values(read_at=now))


def _me(by: Actor) -> int:
    if by.person_id is None:
        raise BindingNeeded()
    return by.person_id
