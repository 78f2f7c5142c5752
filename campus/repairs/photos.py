"""Photos of a ticket: only their owner may refer to them, and from then on they are kept. FEATURES R2, P8, P11."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from sqlalchemy.orm import Session

from campus import files
from campus.repairs import content
from core.errors import Invalid
from models.access import Actor
from models.repairs import TicketPhoto

PHOTOS_AT_MOST = 9


def wanted(photos: Sequence[str]) -> list[str]:
    """The numbers without doubles. Raises Invalid when there are more than nine."""
    numbers = list(dict.fromkeys(photos))
    if len(numbers) > PHOTOS_AT_MOST:
        raise Invalid(fields={"photos": f"最多 {PHOTOS_AT_MOST} 张照片"})
    return numbers


class Numbered(Protocol):
    """A ticket, or what filing knows of one."""

    @property
    def id(self) -> int: ...
    @property
    def no(self) -> str: ...


def attach(s: Session, ticket: Numbered, numbers: Sequence[str], kind: str, *, by: Actor, now: datetime) -> None:
    """The person's photos belong to the ticket, are kept, and are owed a content check. Raises NotFound, PhotoUsed."""
    if not numbers:
        return
    for file in files.refer(s, numbers, by=by, now=now):
        s.add(TicketPhoto(ticket_id=ticket.id, file_id=file.id, kind=kind))
        content.owe_photo(s, ticket.no, file.no, now=now)
