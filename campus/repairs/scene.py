"""Where a ticket is and what is broken: the two rows every deed looks at, read in one statement."""

from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Session

from core.errors import NotFound
from models.places import Place
from models.repairs import FaultType, Ticket


class Site(NamedTuple):
    """What filing has to know of a place and a fault, as columns: reading rows as objects costs a crowd's time."""

    place_id: int
    place_code: str
    place_label: str
    fault_id: int
    fault_code: str
    fault_name: str
    priority: str
    respond_minutes: int
    finish_minutes: int
    emergency_phone: str | None
    emergency_text: str | None

    @property
    def is_emergency(self) -> bool:
        return self.priority == "emergency"

    def place(self, s: Session) -> Place:
        """The place itself, for the rules that ask who may do something there."""
        return s.get_one(Place, self.place_id)


PLACE_COLUMNS = (Place.id.label("place_id"), Place.code.label("place_code"), Place.label.label("place_label"))
FAULT_COLUMNS = (
    FaultType.id.label("fault_id"), FaultType.code.label("fault_code"), FaultType.name.label("fault_name"),
    FaultType.priority, FaultType.respond_minutes, FaultType.finish_minutes, FaultType.emergency_phone,
    FaultType.emergency_text,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scene:
    place: Place
    fault: FaultType

    @property
    def site(self) -> Site:
        place, fault = self.place, self.fault
        return Site(
            place.id, place.code, place.label, fault.id, fault.code, fault.name, fault.priority, fault.respond_minutes,
            fault.finish_minutes, fault.emergency_phone, fault.emergency_text,
        )  # fmt: skip


class PlaceGone(NotFound):
    code, text = "place_not_found", "没有找到这个地点"


class FaultGone(NotFound):
    code, text = "fault_not_found", "没有找到这个故障类型"


def _has_children() -> sa.ColumnElement[bool]:
    """Whether the fault type is a branch of the tree: only leaves can be reported (R4)."""
    child = orm.aliased(FaultType)
    return sa.exists().where(child.parent_id == FaultType.id, child.retired_at.is_(None))


# Built once: putting a statement together costs more than sending it.
_OF_TICKET = (
    sa.select(Place, FaultType)
    .join(FaultType, FaultType.id == sa.bindparam("fault_id"))
    .where(Place.id == sa.bindparam("place_id"))
)
_NAMED = (
    sa.select(Place, FaultType, _has_children())
    .join(FaultType, FaultType.code == sa.bindparam("fault_code"))
    .where(Place.code == sa.bindparam("place_code"))
)


def scene_of(s: Session, ticket: Ticket) -> Scene:
    """The place and the fault type of the ticket."""
    place, fault = s.execute(_OF_TICKET, {"fault_id": ticket.fault_type_id, "place_id": ticket.place_id}).one()
    return Scene(place, fault)


def scene_named(s: Session, place_code: str, fault_code: str) -> Scene:
    """The place and the fault type of these codes, both in use. Raises PlaceGone, FaultGone."""
    row = s.execute(_NAMED, {"fault_code": fault_code, "place_code": place_code}).one_or_none()
    if row is None:
        place_known = s.scalar(sa.select(Place.id).where(Place.code == place_code))
        raise FaultGone(fault=fault_code) if place_known else PlaceGone(place=place_code)
    place, fault, is_branch = row
    if place.retired_at is not None:
        raise PlaceGone(place=place_code)
    if fault.retired_at is not None or is_branch:
        raise FaultGone(fault=fault_code)
    return Scene(place, fault)
