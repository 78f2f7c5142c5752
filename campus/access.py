"""Roles and grants: who got which deeds, where, and from whom. FEATURES P6.

A role is a set of deeds that the office edits; a grant gives it to a person, limited to a place or a department
where that makes sense. Nobody hands out more than she has herself, and the last administrator cannot be removed.
"""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.db import found, hold
from core.errors import BindingNeeded, Conflict, Forbidden, Invalid
from models.access import REQUESTER, Actor, Role, RoleGrant, deeds_of, grants, may, missing, require, role_rows
from models.audit import audit
from models.deeds import TITLES, title_of
from models.people import Department, Person, PersonStatus
from models.places import Place, Resident

ALL = "*"

__all__ = [
    "TITLES",
    "LastAdmin",
    "MoreThanOwn",
    "add_role",
    "grant_role",
    "grants_of",
    "keep_an_admin",
    "may_for",
    "may_see_people",
    "require_for",
    "roles",
    "seed_roles",
    "set_role_deeds",
    "take_back_role",
    "title_of",
]  # fmt: skip


class MoreThanOwn(Forbidden):
    code, text = "more_than_own", "不能授予自己没有的权限：{titles}"


class LastAdmin(Conflict):
    code, text = "last_admin", "至少要保留一名管理员"


def seed_roles(s: Session) -> None:
    """The roles a school starts with exist; those the office has edited stay as they are."""
    known = set(s.scalars(sa.select(Role.name)))
    s.add_all(Role(**row) for row in role_rows() if row["name"] not in known)
    s.flush()


def roles(s: Session) -> Sequence[Role]:
    """Every role with its title and deeds."""
    return s.scalars(sa.select(Role).order_by(Role.name)).all()


def add_role(s: Session, *, name: str, title: str, deeds: Sequence[str], by: Actor, now: datetime) -> Role:
    """A new role exists. Raises MoreThanOwn, Conflict when the name is taken."""
    require(s, by, "role.edit")
    if not name.isidentifier() or not name.islower() or len(name) > 64:
        raise Invalid(fields={"name": "用小写字母、数字和下划线"})
    if s.get(Role, name) is not None:
        raise Conflict("已有同名角色", role=name)
    _known_and_own(s, by, set(deeds))
    role = Role(name=name, title=title.strip()[:64], deeds=sorted(set(deeds)))
    s.add(role)
    audit(s, by, "role.edit", f"role:{name}", now=now, after={"title": role.title, "deeds": role.deeds})
    s.flush()
    return role


def set_role_deeds(
    s: Session, *, role: str, deeds: Sequence[str], by: Actor, now: datetime, title: str | None = None
) -> Role:
    """The role holds exactly these deeds from now on. Raises MoreThanOwn, LastAdmin, Invalid for an unknown deed."""
    require(s, by, "role.edit")
    row = hold(s, Role, name=role)
    wanted, had = set(deeds), set(row.deeds)
    _known_and_own(s, by, wanted ^ had)
    before = {"title": row.title, "deeds": row.deeds}
    row.deeds = sorted(wanted)
    row.title = (title or row.title).strip()[:64]
    s.flush()
    if ALL in had - wanted:
        keep_an_admin(s)
    s.info.pop("grants", None)
    audit(s, by, "role.edit", f"role:{role}", now=now, before=before, after={"title": row.title, "deeds": row.deeds})
    return row


def _known_and_own(s: Session, by: Actor, deeds: set[str]) -> None:
    if unknown := sorted(deeds - set(TITLES)):
        raise Invalid(fields={"deeds": f"没有这样的权限：{', '.join(unknown)}"})
    own = deeds_of(s, by)
    if by.way != "system" and ALL not in own and (more := sorted(deeds - own - REQUESTER)):
        raise MoreThanOwn(titles="、".join(title_of(deed) for deed in more), deeds=more)


def grant_role(
    s: Session,
    *,
    person_id: int,
    role: str,
    by: Actor,
    now: datetime,
    place_id: int | None = None,
    department_id: int | None = None,
) -> RoleGrant:
    """The person has the role there, or everywhere. Granting again returns the grant that stands. Raises MoreThanOwn."""
    if place_id is not None and department_id is not None:
        raise Invalid(fields={"place": "只能限定地点或部门之一"})
    place = found(s, Place, id=place_id) if place_id is not None else None
    department = found(s, Department, id=department_id) if department_id is not None else None
    require(s, by, "role.grant", at=place or department)
    person = hold(s, Person, id=person_id)
    row = found(s, Role, name=role)
    _known_and_own(s, by, set(row.deeds))
    stands = s.scalars(
        sa.select(RoleGrant).where(
            RoleGrant.person_id == person.id,
            RoleGrant.role == role,
            RoleGrant.place_id.is_(None) if place_id is None else RoleGrant.place_id == place_id,
            RoleGrant.department_id.is_(None) if department_id is None else RoleGrant.department_id == department_id,
            RoleGrant.taken_back_at.is_(None),
        )
    ).first()
    if stands is not None:
        return stands
    grant = RoleGrant(
        person_id=person.id, role=role, place_id=place_id, department_id=department_id, granted_by=by.person_id,
        granted_at=now,
    )  # fmt: skip
    s.add(grant)
    limit = {"place": place.code if place else None, "department": department.code if department else None}
    audit(s, by, "role.grant", f"person:{person.campus_no}", now=now, after={"role": role, **limit})
    s.flush()
    s.info.pop("grants", None)
    return grant


def take_back_role(s: Session, *, grant_id: int, by: Actor, now: datetime) -> None:
    """The grant no longer counts; it stays as history. Taking it back again changes nothing. Raises LastAdmin."""
    grant = hold(s, RoleGrant, id=grant_id)
    place = s.get(Place, grant.place_id) if grant.place_id else None
    department = s.get(Department, grant.department_id) if grant.department_id else None
    require(s, by, "role.grant", at=place or department)
    if grant.taken_back_at is not None:
        return
    row = found(s, Role, name=grant.role)
    _known_and_own(s, by, set(row.deeds))
    grant.taken_back_at = now
    s.flush()
    if ALL in row.deeds:
        keep_an_admin(s)
    person = s.get_one(Person, grant.person_id)
    audit(s, by, "role.take_back", f"person:{person.campus_no}", now=now, before={"role": grant.role})
    s.info.pop("grants", None)


def keep_an_admin(s: Session) -> None:
    """Raises LastAdmin when the change just made leaves nobody active who may do everything."""
    s.flush()
    mighty = [role.name for role in roles(s) if ALL in role.deeds]
    left = s.scalar(
        sa.select(sa.func.count(RoleGrant.id))
        .join(Person, Person.id == RoleGrant.person_id)
        .where(
            RoleGrant.role.in_(mighty),
            RoleGrant.taken_back_at.is_(None),
            RoleGrant.place_id.is_(None),
            RoleGrant.department_id.is_(None),
            Person.status == PersonStatus.ACTIVE,
        )
    )
    if not left:
        raise LastAdmin


def grants_of(s: Session, person_id: int) -> Sequence[sa.Row[RoleGrant, Role, Place, Department]]:
    """The grants the person has now, with role, place and department: (RoleGrant, Role, Place|None, Department|None)."""
    return s.execute(
        sa.select(RoleGrant, Role, Place, Department)
        .join(Role, Role.name == RoleGrant.role)
        .outerjoin(Place, Place.id == RoleGrant.place_id)
        .outerjoin(Department, Department.id == RoleGrant.department_id)
        .where(RoleGrant.person_id == person_id, RoleGrant.taken_back_at.is_(None))
        .order_by(RoleGrant.id)
    ).all()


def may_for(s: Session, by: Actor, deed: str, person: Person) -> bool:
    """Whether the deed is permitted for that person: everywhere, in her department, or where she lives. P6."""
    if may(s, by, deed):
        return True
    department = s.get(Department, person.department_id) if person.department_id else None
    if department is not None and may(s, by, deed, at=department):
        return True
    homes = sa.select(Place).join(Resident, Resident.place_id == Place.id)
    lives = s.scalars(homes.where(Resident.person_id == person.id, Resident.live.is_(True))).first()
    return lives is not None and may(s, by, deed, at=lives)


def require_for(s: Session, by: Actor, deed: str, person: Person) -> None:
    """Nothing happens when the deed is permitted for that person. Raises Forbidden naming the permission. P6."""
    if not may_for(s, by, deed, person):
        if by.person_id is None:
            raise BindingNeeded(permission=deed)
        raise missing(deed)


def may_see_people(s: Session, by: Actor, deed: str = "person.see") -> sa.ColumnElement[bool]:
    """The condition on `person` that keeps exactly those the actor's grants reach. Raises Forbidden when there are none."""
    if by.way == "system":
        return sa.true()
    mine = [grant for grant in grants(s, by.person_id) if grant.allows(deed)] if by.person_id is not None else []
    if not mine:
        require(s, by, deed)
    if any(grant.place_path is None and grant.department_path is None for grant in mine):
        return sa.true()
    reached: list[sa.ColumnElement[bool]] = []
    for grant in mine:
        if grant.department_path is not None:
            below = sa.select(Department.id).where(Department.path.startswith(grant.department_path, autoescape=True))
            reached.append(Person.department_id.in_(below))
        if grant.place_path is not None:
            living = (
                sa.select(Resident.person_id)
                .join(Place, Place.id == Resident.place_id)
                .where(Resident.live.is_(True), Place.path.startswith(grant.place_path, autoescape=True))
            )
            reached.append(Person.id.in_(living))
    return sa.or_(*reached)
