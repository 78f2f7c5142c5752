"""What a person sees about herself: her card, and everything that is stored about her, to keep. FEATURES P8.

`TABLES` names every table that holds something about a person and how her rows are found; a test compares it with the
tables there are, so that a new one cannot be forgotten. What is sealed is opened (it is hers); secrets that only
prove who she is (password, authenticator, tokens, codes) are left out: they would serve a thief and nobody else.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core import crypto
from core.errors import BindingNeeded
from models.access import Actor, LoginSession, Operator, RoleGrant, deeds_of, roles_of
from models.audit import AuditLine
from models.base import Base
from models.calendar import CalendarDay
from models.cases import Case
from models.files import StoredFile
from models.notices import Notice, NoticeTry, QuotaMove, SubscriptionQuota
from models.people import (
    BindAttempt,
    BindCode,
    Consent,
    Department,
    Follower,
    Group,
    GroupMember,
    Identity,
    IdentityKind,
    Person,
    SsoTicket,
)
from models.places import Place, Resident
from models.repairs import AreaDuty, Draft, Rating, Shift, Ticket, TicketPhoto, TicketStep, WorkerTrade

Where = Callable[[Person], sa.ColumnElement[bool]]

MOST = 5000  # rows of one table; nobody but a machine has more

SECRET = frozenset(
    {"token_hash", "code_hash", "ticket_hash", "password_hash", "totp_sealed", "totp_last_step", "phone_blind", "hash"}
)
CONTACT = frozenset({"contact_name", "contact_phone_sealed", "contact_phone_masked"})
SEALED = {"phone_sealed": "phone", "id_tail_sealed": "id_tail", "contact_phone_sealed": "contact_phone"}


def _mine(column: Any) -> Where:
    return lambda person: column == person.id


def _subjects(person: Person, *kinds: IdentityKind) -> sa.Select[str]:
    query = sa.select(Identity.subject).where(Identity.person_id == person.id)
    return query.where(Identity.kind.in_(kinds)) if kinds else query


TICKETS: Where = lambda person: sa.or_(Ticket.requester_id == person.id, Ticket.worker_id == person.id)  # noqa: E731  a rule of the table below


def _of_my_tickets(column: Any) -> Where:
    return lambda person: column.in_(sa.select(Ticket.id).where(Ticket.requester_id == person.id))


TABLES: Mapping[type[Base], Where] = {
    Person: lambda person: Person.id == person.id,
    Identity: _mine(Identity.person_id),
    Follower: lambda person: Follower.openid.in_(_subjects(person, IdentityKind.OFFICIAL)),
    Consent: _mine(Consent.person_id),
    GroupMember: _mine(GroupMember.person_id),
    BindCode: _mine(BindCode.person_id),
    BindAttempt: lambda person: BindAttempt.campus_no.in_([person.campus_no, f"console:{person.campus_no}"]),
    SsoTicket: lambda person: SsoTicket.campus_no == person.campus_no,
    Department: _mine(Department.leader_id),
    Resident: _mine(Resident.person_id),
    RoleGrant: _mine(RoleGrant.person_id),
    Operator: _mine(Operator.person_id),
    LoginSession: _mine(LoginSession.person_id),
    AuditLine: lambda person: sa.or_(AuditLine.person_id == person.id, AuditLine.about == f"person:{person.campus_no}"),
    Ticket: TICKETS,
    TicketStep: lambda person: sa.or_(TicketStep.person_id == person.id, _of_my_tickets(TicketStep.ticket_id)(person)),
    TicketPhoto: _of_my_tickets(TicketPhoto.ticket_id),
    Rating: _of_my_tickets(Rating.ticket_id),
    Draft: lambda person: Draft.subject.in_(_subjects(person)),
    WorkerTrade: _mine(WorkerTrade.person_id),
    AreaDuty: _mine(AreaDuty.person_id),
    Shift: _mine(Shift.person_id),
    StoredFile: _mine(StoredFile.owner_id),
    Notice: _mine(Notice.person_id),
    NoticeTry: lambda person: NoticeTry.notice_id.in_(sa.select(Notice.id).where(Notice.person_id == person.id)),
    SubscriptionQuota: _mine(SubscriptionQuota.person_id),
    QuotaMove: _mine(QuotaMove.person_id),
    Case: _mine(Case.settled_by),
}
# Tables that name a person by nothing, or only for a moment on the way somewhere.
NOTHING_PERSONAL: Mapping[str, str] = {
    "place": "rooms, not people",
    "door_code": "doors, not people",
    "role": "what a role may do",
    "person_group": Group.__doc__ or "",
    "setting": "the office's values; who changed one stands in the audit lines",
    "calendar_day": CalendarDay.__doc__ or "",
    "work_hours": "opening hours",
    "term": "terms and vacations",
    "fault_type": "what can break",
    "template_map": "templates of the platforms",
    "job_run": "timed jobs",
    "arrival": "kept a few days so that a message counts once; the text itself is in the ticket",
    "debt": "on its way to becoming a notice; the notice is handed out",
}


@dataclass(frozen=True)
class Me:
    """The person as the client shows her to herself."""

    person: Person
    department: str | None
    home: Place | None
    identities: Sequence[Identity]
    roles: list[str]
    permissions: list[str]
    consents: dict[str, str]


def me(s: Session, *, by: Actor) -> Me:
    """Who is asking. Raises BindingNeeded while the session is nobody's."""
    person = _asking(s, by)
    home = s.scalars(
        sa.select(Place)
        .join(Resident, Resident.place_id == Place.id)
        .where(Resident.person_id == person.id, Resident.live.is_(True))
    ).one_or_none()
    if home is None and person.home_place_id is not None:
        home = s.get(Place, person.home_place_id)
    agreed = s.scalars(sa.select(Consent).where(Consent.person_id == person.id).order_by(Consent.given_at)).all()
    department = s.get(Department, person.department_id) if person.department_id else None
    return Me(
        person=person,
        department=department.name if department else None,
        home=home,
        identities=s.scalars(
            sa.select(Identity).where(Identity.person_id == person.id, Identity.live.is_(True)).order_by(Identity.id)
        ).all(),
        roles=roles_of(s, person.id),
        permissions=sorted(deeds_of(s, by)),
        consents={row.kind: row.version for row in agreed},
    )


def own_data(s: Session, *, by: Actor) -> dict[str, Any]:
    """Everything that is stored about the person who asks, table by table, ready for JSON. P8."""
    person = _asking(s, by)
    return {
        model.__tablename__: [
            _row(row, person) for row in s.scalars(sa.select(model).where(where(person)).limit(MOST)).all()
        ]
        for model, where in TABLES.items()
    }


def _asking(s: Session, by: Actor) -> Person:
    person = s.get(Person, by.person_id) if by.person_id is not None else None
    if person is None:
        raise BindingNeeded
    return person


def _row(row: Base, person: Person) -> dict[str, Any]:
    # A worker's tickets are about him; whom to call about them is the requester's, and is shown by the ticket alone (P8).
    left_out = SECRET | CONTACT if isinstance(row, Ticket) and row.requester_id != person.id else SECRET
    said = {}
    for column in row.__table__.columns.keys():  # noqa: SIM118  a column collection, not a dict
        value = getattr(row, column)
        if column in left_out:
            continue
        if column in SEALED:
            said[SEALED[column]] = crypto.unseal(value) if value else None
        else:
            said[column] = _plain(value)
    return said


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value.value if isinstance(value, Enum) else value
