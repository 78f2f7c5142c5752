"""Photos of a ticket: only their owner may refer to them, and from then on they are kept. FEATURES R2, P8, P11."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campus.repairs import content
from core.errors import Invalid
from models.access import Actor
from models.files import StoredFile
from models.repairs import Ticket, TicketPhoto

PHOTOS_AT_MOST = 9


class NotYourPhoto(Invalid):
    """A photo that is not there, is gone, or belongs to somebody else."""

    code, text = "photo_unknown", "照片不存在或已过期,请重新上传"


def wanted(photos: Sequence[str]) -> list[str]:
    """The numbers without doubles. Raises Invalid when there are more than nine."""
    numbers = list(dict.fromkeys(photos))
    if len(numbers) > PHOTOS_AT_MOST:
        raise Invalid(fields={"photos": f"最多 {PHOTOS_AT_MOST} 张照片"})
    return numbers


def claim(s: Session, numbers: Sequence[str], *, by: Actor, now: datetime) -> list[int]:
    """These files are referred to from now on, so the sweep leaves them; their ids in that order. Raises NotYourPhoto."""
    if not numbers:
        return []
    mine = (StoredFile.no.in_(numbers), StoredFile.owner_id == by.person_id, StoredFile.removed_at.is_(None))
    kept = s.connection().execute(sa.update(StoredFile).where(*mine).values(referred_at=now))
    if kept.rowcount != len(numbers):
        raise NotYourPhoto(photos=list(numbers))
    ids: dict[str, int] = dict(
        s.execute(sa.select(StoredFile.no, StoredFile.id).where(StoredFile.no.in_(numbers))).all()
    )
    return [ids[no] for no in numbers]


def attach(
    s: Session, ticket: Ticket, numbers: Sequence[str], file_ids: Sequence[int], kind: str, *, now: datetime
) -> None:
    """The claimed photos belong to the ticket and are owed a content check. A photo already there stays as it is."""
    known = set(
        s.scalars(
            sa.select(TicketPhoto.file_id).where(TicketPhoto.ticket_id == ticket.id, TicketPhoto.file_id.in_(file_ids))
        )
    ) if file_ids else set()  # fmt: skip
    for no, file_id in zip(numbers, file_ids, strict=True):
        if file_id not in known:
            s.add(TicketPhoto(ticket_id=ticket.id, file_id=file_id, kind=kind))
            content.owe_photo(s, ticket, no, now=now)
