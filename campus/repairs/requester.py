"""What the requester does with a ticket: cancel, accept, refuse, rate. FEATURES R10."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campus.repairs import content, words
from campus.repairs import photos as pictures
from campus.repairs.states import move
from core.db import hold
from core.errors import Conflict, Invalid
from models.access import Actor
from models.repairs import ContentState, Rating, Ticket


class AlreadyRated(Conflict):
    """A ticket is rated once."""

    code, text = "already_rated", "您已评价过这张工单"


def cancel(s: Session, *, no: str, reason: str | None = None, by: Actor, now: datetime) -> Ticket:
    """撤销: nobody comes any more; only before work has started. The worker it was given to is told. R10."""
    return move(s, no, "cancel", by=by, now=now, note=words.said(reason, "reason")).ticket


def accept(s: Session, *, no: str, by: Actor, now: datetime) -> Ticket:
    """验收通过: the ticket is closed. R10."""
    return move(s, no, "accept", by=by, now=now).ticket


def refuse(s: Session, *, no: str, reason: str, by: Actor, now: datetime) -> Ticket:
    """验收不通过: the same worker has it again, with the reason. R10."""
    said = words.said(reason, "reason", needed="请说明哪里没有修好")
    return move(s, no, "refuse", by=by, now=now, note=said).ticket


def rate(
    s: Session,
    *,
    no: str,
    quality: int,
    attitude: int,
    speed: int,
    result: int,
    text: str | None = None,
    photos: Sequence[str] = (),
    by: Actor,
    now: datetime,
) -> Rating:
    """Four marks of 1 to 5 and words, once per ticket; the same marks again return the rating. Raises AlreadyRated. R10."""
    marks: dict[str, Any] = {"quality": quality, "attitude": attitude, "speed": speed, "result": result}
    if wrong := {name: "应为 1 到 5 分" for name, mark in marks.items() if not 1 <= mark <= 5}:
        raise Invalid(fields=wrong)
    words_said = words.said(text, "text")
    numbers = pictures.wanted(photos)
    ticket = hold(s, Ticket, no=no)
    given = s.scalars(sa.select(Rating).where(Rating.ticket_id == ticket.id)).one_or_none()
    if given is not None and ticket.requester_id == by.person_id:
        if {name: getattr(given, name) for name in marks} == marks and (given.text or "") == words_said:
            return given
        raise AlreadyRated(no=no)
    move(s, ticket, "rate", by=by, now=now, **marks)
    rating = Rating(
        ticket_id=ticket.id, **marks, text=words_said or None, rated_at=now,
        content=ContentState.UNCHECKED if words_said else ContentState.PASSED,
    )  # fmt: skip
    s.add(rating)
    pictures.attach(s, ticket, numbers, "rated", by=by, now=now)
    if words_said:
        content.owe_text(s, no, "rating", now=now)
    return rating
