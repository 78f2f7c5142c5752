"""What the worker does with a ticket: take, arrive, finish, or say that it cannot be fixed. FEATURES R9."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campus.repairs import photos as pictures
from campus.repairs import words
from campus.repairs.states import move
from core.db import found
from core.errors import Conflict, Invalid
from models.access import Actor
from models.places import DoorCode, Place
from models.repairs import Ticket


class OtherDoor(Conflict):
    """The code scanned hangs on another door than the ticket's."""

    code, text = "other_door", "这里是{here}，工单在{there}，请到门口再扫"


def take(s: Session, *, no: str, by: Actor, now: datetime) -> Ticket:
    """接单: the worker it was given to works on it; from here on it cannot be cancelled. R9."""
    return move(s, no, "take", by=by, now=now).ticket


def arrive(s: Session, *, no: str, door: str | None = None, by: Actor, now: datetime) -> Ticket:
    """到场: he stands at the door, proved by its code when it was scanned. Raises OtherDoor. R9."""
    if door:
        _right_door(s, found(s, Ticket, no=no), door)
    return move(s, no, "arrive", by=by, now=now, door=bool(door)).ticket


def finish(
    s: Session, *, no: str, result: str = "fixed", note: str | None = None, photos: Sequence[str] = (), by: Actor, now: datetime
) -> Ticket:  # fmt: skip
    """完工: fixed, or fixed for the time being; the requester is asked to accept and rate. R9."""
    if result not in words.RESULTS:
        raise Invalid(fields={"result": f"应为 {'、'.join(words.RESULTS)}"})
    said = words.said(note, "note", needed="临时修复请说明情况" if result == "temporary" else None)
    return _with_photos(
        s, no, "finish", said, photos, by=by, now=now, values={"result": result, "result_note": said or None}
    )


def cannot(
    s: Session, *, no: str, note: str, proposal: str, photos: Sequence[str] = (), by: Actor, now: datetime
) -> Ticket:
    """无法修复: with the explanation and what should be done instead; the requester and the desk are told. R9."""
    why = words.said(note, "note", needed="请说明无法修复的原因")
    instead = words.said(proposal, "proposal", needed="请提出处理建议")
    values = {"result": "unfixable", "result_note": why, "proposal": instead}
    return _with_photos(s, no, "cannot", why, photos, by=by, now=now, values=values)


def _with_photos(
    s: Session,
    no: str,
    action: str,
    note: str,
    photos: Sequence[str],
    *,
    by: Actor,
    now: datetime,
    values: Mapping[str, str | None],
) -> Ticket:
    numbers = pictures.wanted(photos)
    moved = move(
        s, no, action, by=by, now=now, note=note, values=values, result=values["result"],
        **({"proposal": values["proposal"]} if "proposal" in values else {}),
    )  # fmt: skip
    if moved.first:
        pictures.attach(s, moved.ticket, numbers, "finished", by=by, now=now)
    return moved.ticket


def _right_door(s: Session, ticket: Ticket, door: str) -> None:
    """The door is the ticket's own, or of a place that holds it (the building's code for a room without one)."""
    here = s.execute(
        sa.select(Place.path, Place.label).join(DoorCode, DoorCode.place_id == Place.id).where(DoorCode.code == door)
    ).one_or_none()
    there = found(s, Place, id=ticket.place_id)
    if here is None or not there.path.startswith(here.path):
        raise OtherDoor(here=here.label if here else "无法识别的门牌", there=there.label)
