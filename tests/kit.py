"""A small campus for tests: people, places, faults, made where a test says what matters and nothing else."""

from datetime import UTC, datetime
from itertools import count
from typing import Any

from core import crypto
from core.db import run
from models.access import Actor, Role, RoleGrant, role_rows
from models.people import Identity, Person
from models.places import DoorCode, Place, PlaceKind
from models.repairs import FaultType

NOON = datetime(2026, 9, 1, 4, 0, tzinfo=UTC)  # twelve o'clock on the campus, a Tuesday in term

_numbers = count(1)


def make_person(name: str = "林小雨", *, roles: tuple[str, ...] = (), at: Place | None = None, **values: Any) -> Person:
    """A person of the campus with these roles (limited to a place when given)."""
    number = values.pop("campus_no", f"P{next(_numbers):06d}")
    phone = values.pop("phone", None)
    values = {"kind": "student", "created_at": NOON, "updated_at": NOON, **values}
    if phone:
        values |= {
            "phone_sealed": crypto.seal(phone),
            "phone_blind": crypto.blind(phone),
            "phone_masked": f"{phone[:3]}****{phone[-4:]}",
        }

    def make(s: Any) -> Person:
        person = Person(campus_no=number, name=name, **values)
        s.add(person)
        s.flush()
        for role in roles:
            make_roles(s)
            s.add(RoleGrant(person_id=person.id, role=role, place_id=at.id if at else None, granted_at=NOON))
        return person

    return run(make)


def make_roles(s: Any) -> None:
    """The roles a school starts with."""
    for row in role_rows():
        if s.get(Role, row["name"]) is None:
            s.add(Role(**row))
    s.flush()


def bind(person: Person, kind: str, subject: str, *, unionid: str | None = None) -> None:
    run(
        lambda s: s.add(
            Identity(
                person_id=person.id,
                kind=kind,
                subject=subject,
                unionid=unionid,
                bound_at=NOON,
                bound_by="test",
                live=True,
            )
        )
    )


def make_place(code: str = "D12-402", *, under: Place | None = None, kind: str = "room", **values: Any) -> Place:
    """A place with a door code. `D12-402` without a parent stands alone."""

    def make(s: Any) -> Place:
        place = Place(
            code=code,
            name=values.pop("name", code),
            label=values.pop("label", code),
            kind=PlaceKind(kind),
            parent_id=under.id if under else None,
            path="/",
            **values,
        )
        s.add(place)
        s.flush()
        place.path = f"{under.path if under else '/'}{place.id}/"
        s.add(DoorCode(code=f"D{next(_numbers):010d}", place_id=place.id, made_at=NOON))
        return place

    return run(make)


def make_fault(code: str = "aircon", name: str = "空调不制冷", *, trade: str = "electric", **values: Any) -> FaultType:
    return run(lambda s: _added(s, FaultType(code=code, name=name, trade=trade, **values)))


def _added(s: Any, row: Any) -> Any:
    s.add(row)
    s.flush()
    return row


def actor(person: Person | None, way: str = "mini") -> Actor:
    """The person asking, through that way in."""
    return Actor(person_id=person.id if person else None, way=way, request_id="RQTEST", ip="127.0.0.1")
