"""The people of the campus as the office sees and edits them; the department tree. FEATURES P1, P6, P8."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campus import sessions
from campus.access import grants_of, keep_an_admin, may_for, may_see_people, require_for
from campus.privacy import checked_phone, sealed_phone
from core import crypto
from core.db import found, hold, insert_once
from core.errors import Conflict, Invalid
from models.access import Actor, Operator, Role, RoleGrant, require
from models.audit import audit
from models.people import Department, Identity, Person, PersonKind, PersonStatus
from models.places import Place, Resident


@dataclass(frozen=True)
class Card:
    """A person with what the office needs beside her row. Nothing here is sealed; the phone is masked."""

    person: Person
    department: Department | None
    home: Place | None
    bed: str | None
    identities: Sequence[Identity]
    grants: Sequence[sa.Row[RoleGrant, Role, Place, Department]]
    operator: Operator | None
    may_reveal: bool
    may_edit: bool
    may_issue_code: bool


def find_people(
    s: Session,
    *,
    by: Actor,
    q: str = "",
    kind: PersonKind | str | None = None,
    department: str | None = None,
    status: PersonStatus | str | None = None,
    role: str | None = None,
    cursor: int | None = None,
    limit: int = 50,
) -> Sequence[Person]:
    """People the actor's grants reach, by id, those after `cursor`. `q`: number, part of a name, or a whole phone number."""
    query = sa.select(Person).where(may_see_people(s, by)).order_by(Person.id).limit(max(1, min(limit, 200)))
    if words := q.strip():
        alike = [Person.campus_no.startswith(words, autoescape=True), Person.name.contains(words, autoescape=True)]
        if words.isdigit() and len(words) == 11:
            alike.append(Person.phone_blind == crypto.blind(words))
        query = query.where(sa.or_(*alike))
    if kind:
        query = query.where(Person.kind == PersonKind(kind))
    if status:
        query = query.where(Person.status == PersonStatus(status))
    if department:
        top = found(s, Department, code=department)
        below = sa.select(Department.id).where(Department.path.startswith(top.path, autoescape=True))
        query = query.where(Person.department_id.in_(below))
    if role:
        holders = sa.select(RoleGrant.person_id).where(RoleGrant.role == role, RoleGrant.taken_back_at.is_(None))
        query = query.where(Person.id.in_(holders))
    return s.scalars(query.where(Person.id > cursor) if cursor else query).all()


def person_card(s: Session, *, person_id: int, by: Actor) -> Card:
    """One person with department, home, identities and grants. Raises Forbidden unless the grant reaches her."""
    person = found(s, Person, id=person_id)
    require_for(s, by, "person.see", person)
    living = s.execute(
        sa.select(Resident, Place)
        .join(Place, Place.id == Resident.place_id)
        .where(Resident.person_id == person.id, Resident.live.is_(True))
    ).one_or_none()
    identities = s.scalars(
        sa.select(Identity).where(Identity.person_id == person.id, Identity.live.is_(True)).order_by(Identity.id)
    ).all()
    return Card(
        person=person,
        department=s.get(Department, person.department_id) if person.department_id else None,
        home=living[1] if living else None,
        bed=living[0].bed if living else None,
        identities=identities,
        grants=grants_of(s, person.id),
        operator=s.scalars(sa.select(Operator).where(Operator.person_id == person.id)).one_or_none(),
        may_reveal=may_for(s, by, "person.reveal", person),
        may_edit=may_for(s, by, "person.edit", person),
        may_issue_code=may_for(s, by, "person.issue_code", person),
    )


def add_person(
    s: Session,
    *,
    campus_no: str,
    name: str,
    kind: PersonKind | str,
    by: Actor,
    now: datetime,
    department: str | None = None,
    phone: str | None = None,
) -> Person:
    """The person is of the campus from now on. Raises Conflict when the number is taken, Invalid."""
    at = found(s, Department, code=department) if department else None
    require(s, by, "person.edit", at=at)
    number, called = campus_no.strip(), name.strip()
    wrong = {}
    if not number or len(number) > 64:
        wrong["campus_no"] = "请填写学工号"
    if not called or len(called) > 64:
        wrong["name"] = "请填写姓名"
    if kind not in set(PersonKind):
        wrong["kind"] = "没有这种人员类型"
    if wrong:
        raise Invalid(fields=wrong)
    person = Person(
        campus_no=number, name=called, kind=PersonKind(kind), status=PersonStatus.ACTIVE,
        department_id=at.id if at else None, created_at=now, updated_at=now,
        **(sealed_phone(checked_phone(phone)) if phone else {}),
    )  # fmt: skip
    if not insert_once(s, person):
        raise Conflict("学工号已存在", campus_no=number)
    audit(
        s, by, "person.add", f"person:{number}", now=now,
        after={"name": called, "kind": person.kind, "department": department, "phone": person.phone_masked},
    )  # fmt: skip
    return person


def edit_person(
    s: Session,
    *,
    person_id: int,
    by: Actor,
    now: datetime,
    name: str | None = None,
    kind: PersonKind | str | None = None,
    status: PersonStatus | str | None = None,
    department: str | None = None,
    phone: str | None = None,
) -> Person:
    """What is given is changed; an empty `department` or `phone` removes it.

    Whoever is suspended or has left is signed out everywhere at once. Raises LastAdmin, Invalid.
    """
    person = hold(s, Person, id=person_id)
    require_for(s, by, "person.edit", person)
    before = _facts(s, person)
    if name is not None:
        if not name.strip() or len(name.strip()) > 64:
            raise Invalid(fields={"name": "请填写姓名"})
        person.name = name.strip()
    if kind is not None:
        if kind not in set(PersonKind):
            raise Invalid(fields={"kind": "没有这种人员类型"})
        person.kind = PersonKind(kind)
    if department is not None:
        target = found(s, Department, code=department) if department else None
        require(s, by, "person.edit", at=target)  # nobody moves a person to where her grant does not reach
        person.department_id = target.id if target else None
    if phone is not None:
        new = (
            sealed_phone(checked_phone(phone))
            if phone.strip()
            else dict.fromkeys(("phone_sealed", "phone_blind", "phone_masked"))
        )
        for column, value in new.items():
            setattr(person, column, value)
    if status is not None:
        if status not in set(PersonStatus):
            raise Invalid(fields={"status": "没有这种状态"})
        was, person.status = person.status, PersonStatus(status)
        if was is PersonStatus.ACTIVE and person.status is not PersonStatus.ACTIVE:
            s.flush()
            sessions.end_all(s, person.id, now=now)
            if any("*" in role.deeds for _, role, _, _ in grants_of(s, person.id)):
                keep_an_admin(s)
    person.updated_at = now
    s.flush()
    after = _facts(s, person)
    changed = [key for key in after if after[key] != before[key]]
    audit(
        s, by, "person.edit", f"person:{person.campus_no}", now=now,
        before={key: before[key] for key in changed}, after={key: after[key] for key in changed},
    )  # fmt: skip
    return person


def _facts(s: Session, person: Person) -> dict[str, str | None]:
    department = s.get(Department, person.department_id) if person.department_id else None
    return {
        "name": person.name,
        "kind": person.kind,
        "status": person.status,
        "department": department.code if department else None,
        "phone": person.phone_masked,
    }


# ---- departments ---------------------------------------------------------------------------------------------------


def departments(s: Session) -> Sequence[Department]:
    """The department tree, every parent before its children."""
    return s.scalars(sa.select(Department).order_by(Department.path)).all()


def add_department(
    s: Session, *, code: str, name: str, by: Actor, now: datetime, parent: str | None = None
) -> Department:
    """The department exists below its parent. Raises Conflict when the code is taken."""
    above = found(s, Department, code=parent) if parent else None
    require(s, by, "department.edit", at=above)
    if not code.strip() or not name.strip() or len(code.strip()) > 64 or len(name.strip()) > 64:
        raise Invalid(fields={"code": "请填写部门编号和名称"})
    row = Department(code=code.strip(), name=name.strip(), parent_id=above.id if above else None, path="/")
    if not insert_once(s, row):
        raise Conflict("部门编号已存在", department=code)
    row.path = f"{above.path if above else '/'}{row.id}/"
    audit(s, by, "department.edit", f"department:{row.code}", now=now, after={"name": row.name, "parent": parent})
    s.flush()
    return row


def edit_department(
    s: Session, *, code: str, by: Actor, now: datetime, name: str | None = None, leader_no: str | None = None
) -> Department:
    """The department has that name and leader; an empty `leader_no` leaves it without one."""
    row = hold(s, Department, code=code)
    require(s, by, "department.edit", at=row)
    before = {"name": row.name, "leader": _number(s, row.leader_id)}
    if name is not None:
        if not name.strip() or len(name.strip()) > 64:
            raise Invalid(fields={"name": "请填写部门名称"})
        row.name = name.strip()
    if leader_no is not None:
        row.leader_id = found(s, Person, campus_no=leader_no.strip()).id if leader_no.strip() else None
    s.flush()
    audit(
        s, by, "department.edit", f"department:{row.code}", now=now,
        before=before, after={"name": row.name, "leader": _number(s, row.leader_id)},
    )  # fmt: skip
    return row


def _number(s: Session, person_id: int | None) -> str | None:
    return s.scalar(sa.select(Person.campus_no).where(Person.id == person_id)) if person_id else None
