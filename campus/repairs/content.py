"""What people write and photograph passes the platform's content check before it may stay. FEATURES P11, PROTOCOLS 2.10."""

from datetime import datetime

from sqlalchemy.orm import Session

from models.outbox import new_debt, owe_many
from models.repairs import Ticket

TEXT, PHOTO = "content.text", "content.photo"


def owe_photo(s: Session, ticket: Ticket, file_no: str, *, now: datetime) -> None:
    """The photo is owed a check, once."""
    owe_many(s, [new_debt(PHOTO, key=f"{PHOTO}:{ticket.no}:{file_no}", due_at=now, no=ticket.no, file=file_no)])


def text_debt(ticket_no: str, what: str, *, now: datetime) -> dict[str, object]:
    """A row for `owe_many`: these words of the ticket (`ticket`, `step:ID`, `rating`) are owed a check, once."""
    return new_debt(TEXT, key=f"{TEXT}:{ticket_no}:{what}", due_at=now, no=ticket_no, what=what)


def owe_text(s: Session, ticket_no: str, what: str, *, now: datetime) -> None:
    """These words of the ticket are owed a check, once."""
    owe_many(s, [text_debt(ticket_no, what, now=now)])
