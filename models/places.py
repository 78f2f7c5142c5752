"""Places of the campus and the codes on their doors. FEATURES P5."""

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, line, one_of, pk, word


class PlaceKind(StrEnum):
    CAMPUS = "campus"
    AREA = "area"
    BUILDING = "building"
    FLOOR = "floor"
    ROOM = "room"


class Place(Base):
    """One node of campus → area → building → floor → room. `path` is `/1/5/18/`: itself last, a subtree is a prefix."""

    __tablename__ = "place"
    id: Mapped[pk]
    code: Mapped[word] = mapped_column(unique=True)
    name: Mapped[word]
    label: Mapped[line] = mapped_column(index=True)
    kind: Mapped[PlaceKind] = mapped_column(one_of(PlaceKind))
    parent_id: Mapped[int | None] = mapped_column(sa.ForeignKey("place.id"), index=True)
    path: Mapped[line] = mapped_column(index=True)
    lat: Mapped[float | None]
    lon: Mapped[float | None]
    water_riser: Mapped[word | None]
    power_riser: Mapped[word | None]
    retired_at: Mapped[datetime | None]


class DoorCode(Base):
    """The code on a door: scene of the official-account QR, scene of the mini-program code, and part of a plain link."""

    __tablename__ = "door_code"
    id: Mapped[pk]
    code: Mapped[word] = mapped_column(unique=True)
    place_id: Mapped[int] = mapped_column(sa.ForeignKey("place.id"), unique=True)
    qr_ticket: Mapped[line | None]
    qr_url: Mapped[line | None]
    made_at: Mapped[datetime]


class Resident(Base):
    """Who lives in a room, from when to when."""

    __tablename__ = "resident"
    __table_args__ = (sa.UniqueConstraint("person_id", "live"),)
    id: Mapped[pk]
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("person.id"))
    place_id: Mapped[int] = mapped_column(sa.ForeignKey("place.id"), index=True)
    bed: Mapped[word | None]
    since: Mapped[datetime]
    until: Mapped[datetime | None]
    live: Mapped[bool | None] = mapped_column(default=True)
