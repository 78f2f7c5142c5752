"""Where a ticket is and what is broken: the two rows every deed looks at, read in one statement."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Session

from core.errors import NotFound
from models.places import Place
from models.repairs import FaultType, Ticket


@dataclass(frozen=True, slots=True)
class Scene:
    place: Place
    fault: FaultType


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
