"""Places: campus → area → building → floor → room, each with a short code and a door code. FEATURES P5."""

import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core import ids
from core.db import found, insert_once
from core.errors import NotFound
from models.places import DoorCode, Place

DOOR_SHAPE = re.compile(r"^D[0-9A-Z]{10}$")


class NoSuchPlace(NotFound):
    code, text = "no_such_place", "没有这个地点"


class NoSuchDoor(NotFound):
    code, text = "no_such_door", "这个门牌码已失效,请联系后勤服务台"


def plain_code(code: str) -> str:
    """A place code as it is stored: half-width capitals without spaces."""
    return "".join(unicodedata.normalize("NFKC", code).split()).upper()[:64]


def natural(text: str) -> list[tuple[int, int, str]]:
    """A sort key under which D2 comes before D12 and 99 before 101."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", text) if part]


def place_by_code(s: Session, code: str) -> Place:
    """The place with that code, not retired. Raises NoSuchPlace."""
    wanted = plain_code(code)
    place = s.scalars(sa.select(Place).where(Place.code == wanted, Place.retired_at.is_(None))).one_or_none()
    if place is None:
        raise NoSuchPlace(place=wanted)
    return place


def children(s: Session, code: str | None) -> list[Place]:
    """The places directly below (the campuses when no code is given), in the order people count."""
    parent = place_by_code(s, code).id if code else None
    below = Place.parent_id.is_(None) if parent is None else Place.parent_id == parent
    rows = s.scalars(sa.select(Place).where(below, Place.retired_at.is_(None))).all()
    return sorted(rows, key=lambda place: natural(place.code))


class Listed(NamedTuple):
    """A place as a list shows it."""

    place: Place
    parent: str | None
    has_children: bool


def listed(s: Session, rows: Sequence[Place]) -> list[Listed]:
    """The places with the code of what they are in, and whether there is anything in them."""
    parents = {row.parent_id for row in rows if row.parent_id is not None}
    codes = dict(s.execute(sa.select(Place.id, Place.code).where(Place.id.in_(parents))).tuples().all())
    ids_ = [row.id for row in rows]
    full = set(s.scalars(sa.select(Place.parent_id).where(Place.parent_id.in_(ids_), Place.retired_at.is_(None))))
    return [Listed(row, codes.get(row.parent_id or 0), row.id in full) for row in rows]


def chain(s: Session, place: Place) -> list[Place]:
    """The place with everything above it, the campus first."""
    up = [int(part) for part in place.path.strip("/").split("/") if part]
    rows = {row.id: row for row in s.scalars(sa.select(Place).where(Place.id.in_(up)))}
    return [rows[number] for number in up if number in rows]


def label(s: Session, place: Place) -> str:
    """The place as people say it, from the campus down."""
    return " ".join(one.name for one in chain(s, place)) or place.name


def search(s: Session, q: str, limit: int = 20) -> Sequence[Place]:
    """Places whose code begins with the words, or whose label holds every one of them; nearest matches first."""
    words = unicodedata.normalize("NFKC", q).split()[:6]
    if not words:
        return []
    code = plain_code(q)
    holds = sa.and_(*(Place.label.contains(word, autoescape=True) for word in words))
    begins = Place.code.startswith(code, autoescape=True)
    query = (
        sa.select(Place)
        .where(Place.retired_at.is_(None), sa.or_(holds, begins))
        .order_by(sa.case((Place.code == code, 0), (begins, 1), else_=2), sa.func.length(Place.path), Place.code)
        .limit(max(1, min(limit, 100)))
    )
    return s.scalars(query).all()


def place_of_door(s: Session, door_code: str) -> Place:
    """The place whose door carries the code. Raises NoSuchDoor, also when the place is retired."""
    code = door_code.strip().upper()
    query = sa.select(Place).join(DoorCode, DoorCode.place_id == Place.id)
    place = s.scalars(query.where(DoorCode.code == code, Place.retired_at.is_(None))).one_or_none()
    if place is None:
        raise NoSuchDoor(door=code[:16])
    return place


def door_code_for(s: Session, place: Place, *, now: datetime | None = None) -> DoorCode:
    """The code on that door, made when there is none yet (`now` given)."""
    row = s.scalars(sa.select(DoorCode).where(DoorCode.place_id == place.id)).one_or_none()
    if row is not None:
        return row
    if now is None:
        raise NoSuchDoor(place=place.code)
    row = DoorCode(code=new_door_code(), place_id=place.id, made_at=now)
    return row if insert_once(s, row) else found(s, DoorCode, place_id=place.id)


def new_door_code() -> str:
    """`D` and ten letters or digits: fits a scene of the official account and of the mini-program (PROTOCOLS 1.7, 2.7)."""
    return f"D{ids.letters(10)}"
