"""What people write and photograph passes the platform's content check. FEATURES P11, PROTOCOLS 2.10.

A ticket goes on whatever the check says. What the platform calls risky, or wants reviewed, is held: the worker does
not see it until an operator has let it pass, and nothing is lost. The platform checks only for somebody who used the
mini-program in the last two hours (61010); without such a writer the words stay `unchecked`, which the console can
list for the operator's eye.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campus import cases
from core import crypto, log
from core.errors import NotFound, Refused
from models.access import Actor
from models.audit import audit
from models.cases import Case
from models.files import StoredFile
from models.outbox import new_debt, owe_many
from models.people import Identity, IdentityKind
from models.repairs import ContentState, Rating, Ticket, TicketPhoto, TicketStep

_log = log.get(__name__)

TEXT, PHOTO = "content.text", "content.photo"
HELD_CASE = "content_held"
LINK_GOOD_FOR = timedelta(hours=2)  # the platform fetches the photo within half an hour


@dataclass(frozen=True, slots=True)
class TextCheck:
    """These words of a ticket, written by the holder of this mini-program openid."""

    no: str
    what: str
    openid: str
    text: str


@dataclass(frozen=True, slots=True)
class PhotoCheck:
    """This photo of a ticket. `path` is where the platform may fetch it without signing in, for two hours."""

    no: str
    file: str
    openid: str
    path: str


# ---- owed ------------------------------------------------------------------------------------------------------------


def text_debt(ticket_no: str, what: str, *, now: datetime) -> dict[str, Any]:
    """A row for `owe_many`: these words of the ticket (`ticket`, `step:ID`, `rating`) are owed a check, once."""
    return new_debt(TEXT, key=f"{TEXT}:{ticket_no}:{what}", due_at=now, no=ticket_no, what=what)


def owe_text(s: Session, ticket_no: str, what: str, *, now: datetime) -> None:
    """These words of the ticket are owed a check, once."""
    owe_many(s, [text_debt(ticket_no, what, now=now)])


def owe_photo(s: Session, ticket_no: str, file_no: str, *, now: datetime) -> None:
    """The photo is owed a check, once."""
    owe_many(s, [new_debt(PHOTO, key=f"{PHOTO}:{ticket_no}:{file_no}", due_at=now, no=ticket_no, file=file_no)])


# ---- asked -----------------------------------------------------------------------------------------------------------


def begin_text_check(s: Session, *, no: str, what: str, now: datetime) -> TextCheck | None:
    """What to ask the platform about; None when it was judged already, or nobody can be named as its writer."""
    ticket, row = _words(s, no, what)
    if row.content is not ContentState.UNCHECKED:
        return None
    writer = row.person_id if isinstance(row, TicketStep) else ticket.requester_id
    openid = _openid(s, writer)
    text = _text_of(row)
    if openid is None or not text:
        _log.info("content stays unchecked", no=no, what=what, why="no mini-program identity")
        return None
    return TextCheck(no, what, openid, text)


def record_text_check(s: Session, check: TextCheck, answer: str | Refused, *, now: datetime) -> None:
    """The words have passed, or are held with a case; a refusal of the platform leaves them unchecked."""
    if isinstance(answer, Refused):
        _log.warning("content stays unchecked", no=check.no, what=check.what, why=answer.code)
        return
    _, row = _words(s, check.no, check.what)
    if row.content is ContentState.UNCHECKED:
        _judge(s, row, check.no, check.what, answer, now)


def begin_photo_check(s: Session, *, no: str, file: str, now: datetime) -> PhotoCheck | None:
    """What to ask the platform about; None when it was asked or judged already, or the owner has no openid."""
    photo, stored = _photo(s, no, file)
    if photo.content is not ContentState.UNCHECKED or photo.trace_id is not None:
        return None
    openid = _openid(s, stored.owner_id)
    if openid is None:
        _log.info("content stays unchecked", no=no, what=file, why="no mini-program identity")
        return None
    return PhotoCheck(no, file, openid, signed_path(file, until=now + LINK_GOOD_FOR))


def record_photo_check(s: Session, check: PhotoCheck, answer: str | Refused, *, now: datetime) -> None:
    """The platform is looking at the photo; its verdict comes by the trace. A refusal leaves it unchecked."""
    if isinstance(answer, Refused):
        _log.warning("content stays unchecked", no=check.no, what=check.file, why=answer.code)
        return
    photo, _ = _photo(s, check.no, check.file)
    photo.trace_id = answer


def on_media_checked(s: Session, *, trace_id: str, suggest: str, errcode: int = 0, now: datetime) -> bool:
    """wxa_media_check: the photo of that trace has passed, or is held. False when the trace is not known (yet).

    With an `errcode` (-1008: the platform could not fetch it) there is no verdict and it stays unchecked.
    """
    row = s.execute(
        sa.select(TicketPhoto, Ticket.no, StoredFile.no)
        .join(Ticket, Ticket.id == TicketPhoto.ticket_id)
        .join(StoredFile, StoredFile.id == TicketPhoto.file_id)
        .where(TicketPhoto.trace_id == trace_id)
        .with_for_update()
    ).one_or_none()
    if row is None:
        return False
    photo, ticket_no, file_no = row
    if errcode:
        _log.warning("content stays unchecked", no=ticket_no, what=file_no, why=str(errcode))
    elif photo.content is ContentState.UNCHECKED:
        _judge(s, photo, ticket_no, file_no, suggest, now)
    return True


# ---- the photo, for the platform's eyes ------------------------------------------------------------------------------


def signed_path(file_no: str, *, until: datetime) -> str:
    """Where that photo can be fetched without signing in until then, and nothing else."""
    moment = int(until.timestamp())
    return f"/api/v1/public/photos/{file_no}?until={moment}&key={_key(file_no, moment)}"


def photo_by_key(s: Session, *, file_no: str, until: int, key: str, now: datetime) -> StoredFile:
    """The photo of a signed path. Raises NotFound when the time is over or the key is not ours."""
    file = s.scalars(
        sa.select(StoredFile).where(StoredFile.no == file_no, StoredFile.removed_at.is_(None))
    ).one_or_none()
    if not crypto.same(key, _key(file_no, until)) or now.timestamp() > until or file is None:
        raise NotFound(photo=file_no)
    return file


def _key(file_no: str, until: int) -> str:
    return crypto.blind(f"photo check\0{file_no}\0{until}")


# ---- the operator's word ---------------------------------------------------------------------------------------------


def _let_pass(s: Session, case: Case, by: Actor, now: datetime) -> None:
    """What was held may be seen."""
    row = _held(s, case)
    row.content = ContentState.PASSED
    audit(s, by, "content.pass", case.facts["no"], now=now, after={"what": case.facts["what"]})


def _keep_back(s: Session, case: Case, by: Actor, now: datetime) -> None:
    """What was held stays held; it is kept, and shown to its writer and to operators only."""
    _held(s, case)
    audit(s, by, "content.keep_back", case.facts["no"], now=now, after={"what": case.facts["what"]})


cases.register(
    cases.CaseKind(
        HELD_CASE,
        "内容待人工审核",
        {"pass": cases.Action("放行", _let_pass), "reject": cases.Action("不予展示", _keep_back)},
    )
)


def _held(s: Session, case: Case) -> "Ticket | TicketStep | Rating | TicketPhoto":
    no, what = case.facts["no"], case.facts["what"]
    return (
        _words(s, no, what)[1]
        if what == "ticket" or what == "rating" or what.startswith("step:")
        else _photo(s, no, what)[0]
    )


def _judge(
    s: Session, row: "Ticket | TicketStep | Rating | TicketPhoto", no: str, what: str, verdict: str, now: datetime
) -> None:
    row.content = ContentState.PASSED if verdict == "pass" else ContentState.HELD
    if row.content is ContentState.HELD:
        cases.open_case(s, HELD_CASE, about=f"{no}:{what}", now=now, no=no, what=what, verdict=verdict)


def _words(s: Session, no: str, what: str) -> "tuple[Ticket, Ticket | TicketStep | Rating]":
    """The ticket and the row whose words are meant, both held."""
    ticket = s.scalars(sa.select(Ticket).where(Ticket.no == no).with_for_update()).one_or_none()
    if ticket is None:
        raise NotFound(no=no)
    row: Ticket | TicketStep | Rating | None = ticket
    if what == "rating":
        row = s.scalars(sa.select(Rating).where(Rating.ticket_id == ticket.id)).one_or_none()
    elif what.startswith("step:"):
        row = s.scalars(
            sa.select(TicketStep).where(
                TicketStep.ticket_id == ticket.id, TicketStep.id == int(what.removeprefix("step:"))
            )
        ).one_or_none()
    if row is None:
        raise NotFound(no=no, what=what)
    return ticket, row


def _text_of(row: "Ticket | TicketStep | Rating") -> str:
    match row:
        case Ticket():
            return "\n".join(part for part in (row.text, row.entry_note) if part)
        case TicketStep():
            return row.note or ""
        case Rating():
            return row.text or ""


def _photo(s: Session, no: str, file_no: str) -> tuple[TicketPhoto, StoredFile]:
    row = s.execute(
        sa.select(TicketPhoto, StoredFile)
        .join(Ticket, Ticket.id == TicketPhoto.ticket_id)
        .join(StoredFile, StoredFile.id == TicketPhoto.file_id)
        .where(Ticket.no == no, StoredFile.no == file_no)
    ).one_or_none()
    if row is None:
        raise NotFound(no=no, photo=file_no)
    photo, stored = row
    return photo, stored


def _openid(s: Session, person_id: int | None) -> str | None:
    """The writer's live mini-program openid."""
    if person_id is None:
        return None
    return s.scalar(
        sa.select(Identity.subject).where(
            Identity.person_id == person_id, Identity.kind == IdentityKind.MINI, Identity.live.is_(True)
        )
    )
