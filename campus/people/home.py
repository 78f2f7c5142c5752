"""Where somebody lives. FEATURES P1, R1: a scan of one's own door opens the form with the room filled in."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from models.access import Actor
from models.people import Person
from models.places import Place, Resident


def is_home(s: Session, place: Place, *, by: Actor) -> bool:
    """Whether the person lives there, or chose it as her place."""
    if by.person_id is None:
        return False
    lives = sa.select(Resident.id).where(
        Resident.person_id == by.person_id, Resident.place_id == place.id, Resident.live.is_(True)
    )
    chose = sa.select(Person.id).where(Person.id == by.person_id, Person.home_place_id == place.id)
    return bool(s.scalar(sa.select(sa.or_(lives.exists(), chose.exists()))))
