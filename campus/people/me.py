"""What the person behind a session is shown about herself. FEATURES P2, P8; the door adds nothing to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.errors import BindingNeeded
from models.access import Actor, deeds_of, roles_of
from models.people import Consent, Department, Identity, Person
from models.places import Place, Resident


@dataclass(frozen=True, slots=True)
class Me:
    """The person with what the client shows beside her row."""

    person: Person
    department: str | None
    home: Place | None
    identities: Sequence[Identity]
    roles: list[str]
    permissions: list[str]
    consents: Mapping[str, str]


def me(s: Session, *, by: Actor) -> Me:
    """Who is asking, as the campus knows her. Raises BindingNeeded while the session is nobody's. P2, P8."""
    person = s.get(Person, by.person_id) if by.person_id is not None else None
    if person is None:
        raise BindingNeeded
    identities = s.scalars(
        sa.select(Identity).where(Identity.person_id == person.id, Identity.live.is_(True)).order_by(Identity.id)
    ).all()
    consents = s.execute(
        sa.select(Consent.kind, Consent.version).where(Consent.person_id == person.id).order_by(Consent.id)
    ).tuples()
    return Me(
        person=person,
        department=s.scalar(sa.select(Department.name).where(Department.id == person.department_id)),
        home=home_of(s, person),
        identities=identities,
        roles=roles_of(s, person.id),
        permissions=sorted(deeds_of(s, by)),
        consents=dict(consents.all()),
    )


def home_of(s: Session, person: Person) -> Place | None:
    """The room she lives in, else the place she chose."""
    room = s.scalars(
        sa.select(Place)
        .join(Resident, Resident.place_id == Place.id)
        .where(Resident.person_id == person.id, Resident.live.is_(True))
    ).one_or_none()
    return room or (s.get(Place, person.home_place_id) if person.home_place_id else None)


def is_home(s: Session, place: Place, *, by: Actor) -> bool:
    """Whether that is where the person lives."""
    person = s.get(Person, by.person_id) if by.person_id is not None else None
    home = home_of(s, person) if person is not None else None
    return home is not None and home.id == place.id
