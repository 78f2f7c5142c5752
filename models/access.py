"""Who may: roles, grants, sessions, and the one question every rule asks first. FEATURES P6, P7.

A permission is a named deed (`repair.assign`); a role is a set of them; a grant gives a role to a person, limited to
a place or a department where that makes sense. Everybody active is a requester without a grant.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.errors import BindingNeeded, Forbidden
from models.base import Base, line, long_text, pk, word
from models.deeds import title_of
from models.people import Department, Person, PersonStatus
from models.places import Place

REQUESTER = frozenset(
    {"repair.file", "repair.see_own", "repair.cancel", "repair.accept", "repair.refuse", "repair.rate", "me.see"}
)

# The office edits these in the console (table `role`); this is what a school starts with. Titles as on campus (P6).
ROLES: dict[str, tuple[str, frozenset[str]]] = {
    "worker": ("维修工", frozenset({"repair.work", "repair.see_assigned"})),
    "foreman": ("班长", frozenset({"repair.work", "repair.see", "repair.assign", "person.see"})),
    "dispatcher": (
        "值班员",
        frozenset(
            {
                "console.sign_in",
                "repair.see",
                "repair.assign",
                "repair.file_for",
                "repair.reject",
                "repair.cancel_any",
                "place.see",
                "person.see",
                "person.reveal",
                "person.issue_code",
                "case.see",
                "case.settle",
                "notice.see",
                "fault.see",
                "door.print",
            }
        ),
    ),
    "building_manager": ("楼管", frozenset({"repair.see", "place.see", "person.see"})),
    "logistics_director": (
        "后勤处处长",
        frozenset(
            {
                "console.sign_in",
                "repair.see",
                "repair.assign",
                "place.see",
                "person.see",
                "case.see",
                "notice.see",
                "audit.see",
                "fault.see",
            }
        ),
    ),
    "vice_president": ("副校长", frozenset({"console.sign_in", "repair.see"})),
    "president": ("校长", frozenset({"console.sign_in", "repair.see"})),
    "driver": ("司机", frozenset()),
    "fleet_office": ("车队", frozenset({"console.sign_in"})),
    "finance": ("财务", frozenset({"console.sign_in"})),
    "counsellor": ("辅导员", frozenset({"person.see"})),
    "admin": ("管理员", frozenset({"*"})),
}


class Role(Base):
    """A role as the office has it now: its title and its deeds."""

    __tablename__ = "role"
    name: Mapped[word] = mapped_column(primary_key=True)
    title: Mapped[word]
    deeds: Mapped[list[str]]


class RoleGrant(Base):
    """A person has a role, everywhere or below one place or department, until it is taken back."""

    __tablename__ = "role_grant"
    id: Mapped[pk]
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("person.id"), index=True)
    role: Mapped[word]
    place_id: Mapped[int | None] = mapped_column(sa.ForeignKey("place.id"))
    department_id: Mapped[int | None] = mapped_column(sa.ForeignKey("department.id"))
    granted_by: Mapped[int | None] = mapped_column(sa.ForeignKey("person.id"))
    granted_at: Mapped[datetime]
    taken_back_at: Mapped[datetime | None]


class Operator(Base):
    """Somebody who signs in to the console with a password (argon2id) and a time-based code (P7)."""

    __tablename__ = "operator"
    id: Mapped[pk]
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("person.id"), unique=True)
    password_hash: Mapped[long_text | None]
    totp_sealed: Mapped[long_text | None]
    totp_last_step: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    failures: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]


class LoginSession(Base):
    """Somebody is signed in; the token is stored hashed. `person_id` is empty while a platform identity is not bound."""

    __tablename__ = "login_session"
    id: Mapped[pk]
    token_hash: Mapped[word] = mapped_column(unique=True)
    door: Mapped[word]  # api, console
    way: Mapped[word]
    identity_kind: Mapped[word | None]
    subject: Mapped[line | None] = mapped_column(index=True)
    unionid: Mapped[word | None]
    person_id: Mapped[int | None] = mapped_column(sa.ForeignKey("person.id"), index=True)
    opened_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ip: Mapped[word]
    agent: Mapped[line]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who is asking: the person (None while unknown), the way in, and what the log needs to find the request."""

    person_id: int | None
    way: str
    request_id: str = ""
    ip: str = ""
    session_id: int | None = None


SYSTEM = Actor(person_id=None, way="system")


def require(s: Session, by: Actor, deed: str, *, at: Place | Department | None = None) -> None:
    """Nothing happens when the person may do this there. Raises Forbidden naming the missing permission. P6."""
    if not may(s, by, deed, at=at):
        if by.person_id is None:
            raise BindingNeeded(permission=deed)
        raise missing(deed)


def missing(deed: str) -> Forbidden:
    """The refusal that names the missing permission in the words of the campus. P6."""
    return Forbidden(f"没有权限：{title_of(deed)}（{deed}）", permission=deed)


def may(s: Session, by: Actor, deed: str, *, at: Place | Department | None = None) -> bool:
    """Whether the person may do this there. An unlimited grant counts everywhere."""
    if by.way == SYSTEM.way:
        return True
    if by.person_id is None:
        return False
    if deed in REQUESTER:
        return _is_active(s, by.person_id)
    return any(grant.reaches(at) for grant in grants(s, by.person_id) if grant.allows(deed))


def _is_active(s: Session, person_id: int) -> bool:
    if person_id in s.info.get("active", ()):
        return True
    person = s.get(Person, person_id)  # no statement when the rule has looked the person up already
    return person is not None and person.status is PersonStatus.ACTIVE


def read_active(s: Session, person_id: int) -> None:
    """This transaction has read, without the whole row, that the person is active: `may` need not read it again."""
    s.info.setdefault("active", set()).add(person_id)


@dataclass(frozen=True, slots=True)
class Granted:
    """One grant with the deeds of its role and the paths it is limited to."""

    role: str
    deeds: frozenset[str]
    place_path: str | None
    department_path: str | None

    def allows(self, deed: str) -> bool:
        return deed in self.deeds or "*" in self.deeds

    def reaches(self, at: Place | Department | None) -> bool:
        """Unlimited: everywhere. Limited: only below its own place or department; nowhere when none is named."""
        if self.place_path is None and self.department_path is None:
            return True
        limit = (
            self.place_path if isinstance(at, Place) else self.department_path if isinstance(at, Department) else None
        )
        return at is not None and limit is not None and at.path.startswith(limit)


def grants(s: Session, person_id: int) -> list[Granted]:
    """What the person was granted and still has, while active."""
    known: dict[int, list[Granted]] = s.info.setdefault("grants", {})
    if person_id not in known:
        rows = s.execute(
            sa.select(RoleGrant.role, Role.deeds, Place.path, Department.path)
            .join(Person, Person.id == RoleGrant.person_id)
            .join(Role, Role.name == RoleGrant.role)
            .outerjoin(Place, Place.id == RoleGrant.place_id)
            .outerjoin(Department, Department.id == RoleGrant.department_id)
            .where(
                RoleGrant.person_id == person_id,
                RoleGrant.taken_back_at.is_(None),
                Person.status == PersonStatus.ACTIVE,
            )
        ).all()
        known[person_id] = [
            Granted(role, frozenset(deeds), place, department) for role, deeds, place, department in rows
        ]
    return known[person_id]


def deeds_of(s: Session, by: Actor) -> frozenset[str]:
    """Every deed the person may do somewhere, for showing only what works."""
    if by.person_id is None:
        return frozenset()
    return REQUESTER.union(*(grant.deeds for grant in grants(s, by.person_id)))


def roles_of(s: Session, person_id: int) -> list[str]:
    """The names of the roles the person has, without doubles."""
    return sorted({grant.role for grant in grants(s, person_id)})


def people_who_may(s: Session, deed: str, *, at: Place | None = None) -> list[int]:
    """The ids of active people with a grant for the deed there. Requesters by nature are not listed."""
    rows = s.execute(
        sa.select(RoleGrant.person_id, Role.deeds, Place.path)
        .join(Role, Role.name == RoleGrant.role)
        .join(Person, Person.id == RoleGrant.person_id)
        .outerjoin(Place, Place.id == RoleGrant.place_id)
        .where(
            RoleGrant.taken_back_at.is_(None), RoleGrant.department_id.is_(None), Person.status == PersonStatus.ACTIVE
        )
    ).all()
    return sorted(
        {
            person_id
            for person_id, deeds, path in rows
            if (deed in deeds) and (path is None or (at is not None and at.path.startswith(path)))
        }
    )


def role_rows() -> list[dict[str, Any]]:
    """The roles a school starts with, as rows of `role`."""
    return [{"name": name, "title": title, "deeds": sorted(deeds)} for name, (title, deeds) in ROLES.items()]
