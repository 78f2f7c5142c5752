"""A believable school that does not exist: three campuses, forty buildings, 12,000 people, six weeks of repairs.

The same seed on the same day gives the same rows and codes (sealed phone numbers and password hashes apart, which
carry fresh salt). Everything is made in one transaction of an empty database: all of it, or nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

import pyotp
import sqlalchemy as sa
from sqlalchemy.orm import Session

from campus import calendar, operators
from campus.access import seed_roles
from campus.demo import crowd, faults, grounds, past, wires
from campus.demo.rows import Rows
from core import clock
from core.errors import Conflict
from models.access import SYSTEM, RoleGrant
from models.calendar import TermKind
from models.notices import TemplateMap
from models.people import Consent, Department, Follower, Group, GroupMember, Identity, Person
from models.places import DoorCode, Place, Resident
from models.repairs import AreaDuty, FaultType, Rating, Shift, Ticket, TicketStep, WorkerTrade

STUDENTS = 11_000
TICKETS = 3_000
OPERATORS = ("zhao", "zhou")
ORDER = (
    Department, Person, Place, DoorCode, FaultType, Resident, RoleGrant, WorkerTrade, AreaDuty, Shift, Group, GroupMember,
    Identity, Follower, Consent, TemplateMap, Ticket, TicketStep, Rating,
)  # fmt: skip


class NotEmpty(Conflict):
    code, text = "not_empty", "数据库里已经有人员或地点，演示数据只能装入空库"


@dataclass(frozen=True)
class SignIn:
    """Who may sign in to the console, with what; shown once."""

    campus_no: str
    name: str
    password: str
    totp_secret: str


@dataclass(frozen=True)
class Made:
    """What stands in the database now."""

    counts: dict[str, int]
    sign_ins: list[SignIn]
    not_announced: list[int]


def is_empty(s: Session) -> bool:
    """Whether nothing stands in the way of a demo campus."""
    return not any(s.scalar(sa.select(model.id).limit(1)) for model in (Person, Place, Department, FaultType, Ticket))


def build(
    s: Session,
    *,
    now: datetime,
    students: int = STUDENTS,
    tickets: int = TICKETS,
    seed: int = 1,
    password: str,
    totp_secrets: Mapping[str, str] | None = None,
    sandbox: Mapping[str, Any] | None = None,
) -> Made:
    """The demo campus stands. `sandbox` is the content of its settings file. Raises NotEmpty."""
    if not is_empty(s):
        raise NotEmpty
    rows, leads = Rows(), wires.leads_of(sandbox or {})
    seed_roles(s)
    # One generator per part: more students do not change which fault came when.
    land = grounds.lay_out(rows, Random(f"{seed}.grounds"), students=students, now=now)  # noqa: S311  not for secrets
    people = crowd.gather(rows, Random(f"{seed}.crowd"), land, students=students, leads=leads, now=now)  # noqa: S311
    types = faults.plant(rows)
    past.tickets(rows, Random(f"{seed}.past"), land, people, types, count=tickets, now=now)  # noqa: S311
    if sandbox:
        wires.connect(rows, people, sandbox, now=now)
    counts = {model.__tablename__: len(rows.waiting[model]) for model in ORDER}
    rows.send(s, *ORDER)
    for department, leader in people.leaders.items():
        s.execute(sa.update(Department).where(Department.id == department).values(leader_id=leader))
    not_announced = _calendar(s, now)
    return Made(counts, _operators(s, people, password, totp_secrets or {}, now), not_announced)


def _calendar(s: Session, now: datetime) -> list[int]:
    """Hours, holidays and this school year's terms."""
    calendar.seed_hours(s)
    today = clock.campus_day(now)
    seeded = calendar.seed_holidays(s, range(today.year - 1, today.year + 2))
    first = today.year if today.month >= 8 else today.year - 1
    autumn = _monday(date(first, 9, 1))
    winter, spring = autumn + timedelta(weeks=20), autumn + timedelta(weeks=26)
    summer, next_autumn = spring + timedelta(weeks=18), _monday(date(first + 1, 9, 1))
    for name, kind, starts, ends in (
        (f"{first}-{first + 1} 秋季学期", TermKind.TERM, autumn, winter),
        (f"{first + 1} 寒假", TermKind.VACATION, winter, spring),
        (f"{first}-{first + 1} 春季学期", TermKind.TERM, spring, summer),
        (f"{first + 1} 暑假", TermKind.VACATION, summer, next_autumn),
    ):
        calendar.set_term(
            s, name=name, kind=kind, starts_on=starts, ends_on=ends - timedelta(days=1), by=SYSTEM, now=now
        )
    return seeded.not_announced


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _operators(
    s: Session, people: crowd.Crowd, password: str, secrets: Mapping[str, str], now: datetime
) -> list[SignIn]:
    made = []
    for key in OPERATORS:
        person = s.get_one(Person, people.leads[key])
        secret = secrets.get(person.campus_no) or pyotp.random_base32()
        operators.make_operator(s, person_id=person.id, password=password, by=SYSTEM, now=now, totp_secret=secret)
        made.append(SignIn(person.campus_no, person.name, password, secret))
    return made
