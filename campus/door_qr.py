"""The official account's own QR for every door: permanent, asked for once, kept. FEATURES P5, PROTOCOLS 1.7.

An account has 100,000 permanent parameter QRs in its life, so one belongs to a door for good: the worker asks for those
that are missing, and a door that has one is never asked for again.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campus.places import make_door_codes, place_by_code
from core import log
from core.errors import Refused
from models.access import Actor
from models.outbox import Priority, new_debt, owe_many
from models.places import DoorCode, Place

_log = log.get(__name__)

TOPIC = "door.qr"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The door whose QR is asked for; its code is the QR's scene."""

    door_code: str


def owe_qrs(s: Session, *, code: str, by: Actor, now: datetime) -> int:
    """Every door of the place and below it has a code and will have the account's QR; how many are newly asked for."""
    make_door_codes(s, code=code, by=by, now=now)
    top = place_by_code(s, code)
    without = s.scalars(
        sa.select(DoorCode.code)
        .join(Place, Place.id == DoorCode.place_id)
        .where(Place.path.startswith(top.path, autoescape=True), Place.retired_at.is_(None), DoorCode.qr_url.is_(None))
    ).all()
    debts = [
        new_debt(TOPIC, key=f"{TOPIC}:{door}", due_at=now, priority=Priority.BULK, door_code=door) for door in without
    ]
    return owe_many(s, debts)


def begin(s: Session, *, door_code: str, now: datetime) -> Wanted | None:
    """Which QR to ask for; None when the door has one, or is gone."""
    door = s.scalars(sa.select(DoorCode).where(DoorCode.code == door_code)).one_or_none()
    return Wanted(door_code) if door is not None and door.qr_url is None else None


def record(s: Session, wanted: Wanted, answer: Any, *, now: datetime) -> None:
    """The door has its QR. When the account may make none (or is off), the sheets go on carrying the plain link."""
    if isinstance(answer, Refused):
        _log.warning("door has no QR of the account", door=wanted.door_code, why=answer.code)
        return
    ticket, url = answer
    s.execute(sa.update(DoorCode).where(DoorCode.code == wanted.door_code).values(qr_ticket=ticket, qr_url=url))


def made(s: Session, *, code: str) -> tuple[int, int]:
    """How many doors of the place and below it have the account's QR, of how many with a code."""
    top = place_by_code(s, code)
    count, of = s.execute(
        sa.select(sa.func.count(DoorCode.qr_url), sa.func.count())
        .select_from(DoorCode)
        .join(Place, Place.id == DoorCode.place_id)
        .where(Place.path.startswith(top.path, autoescape=True), Place.retired_at.is_(None))
    ).one()
    return count, of
