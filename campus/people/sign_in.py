"""Signing in and proving who one is: platform identity, one-time code, campus SSO. FEATURES P3, P7.

A code is single use, expires, and is stored as a keyed hash. A wrong name and a wrong code get the same answer, also
when there is no such number; five wrong tries in 15 minutes lock the number (`campus.attempts`).
"""

import unicodedata
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campus import attempts, sessions
from campus.access import require_for
from campus.attempts import WrongProof
from campus.people.binding import bind_session, link_by_itself
from campus.sessions import API, Known
from core import crypto, ids
from core.db import found, hold
from core.errors import Forbidden, NotFound
from models.access import Actor, LoginSession
from models.audit import audit
from models.people import BindCode, Person, PersonStatus, SsoTicket
from models.settings import Setting, setting

CODE_LIVES = Setting("bind_code.lives", timedelta(hours=24), source="P3", title="绑定码有效期")
CODE_LETTERS = 8
TICKET_LIVES = timedelta(minutes=5)


class TicketUsed(Forbidden):
    code, text = "sso_ticket_used", "统一身份认证已过期，请重新登录"


class NotOnCampus(NotFound):
    code, text = "not_on_campus", "学校名册里还没有你的学工号，请联系后勤服务台"


def sign_in(s: Session, *, identity: Known, way: str, now: datetime, ip: str, agent: str) -> tuple[str, Person | None]:
    """A session of the client is open; whose it is, None while the identity is nobody's yet.

    Raises SnapshotVisitor, AccountOff.
    """
    by = Actor(None, way, ip=ip)
    person = link_by_itself(s, identity, by=by, now=now)
    token = sessions.open_session(
        s, door=API, way=way, identity=identity, person_id=person.id if person else None, now=now, ip=ip, agent=agent
    )
    return token, person


def sign_in_with_code(
    s: Session, *, campus_no: str, name: str, code: str, way: str, now: datetime, ip: str, agent: str
) -> tuple[str, Person]:
    """The person has proved who she is and is signed in; the code is used up. Raises WrongProof, NumberLocked."""
    person = prove_with_code(s, campus_no=campus_no, name=name, code=code, now=now)
    token = sessions.open_session(s, door=API, way=way, identity=None, person_id=person.id, now=now, ip=ip, agent=agent)
    return token, person


def sign_in_with_sso_ticket(
    s: Session, *, ticket: str, way: str, now: datetime, ip: str, agent: str, door: str = API
) -> tuple[str, Person]:
    """The campus sign-in vouched for the person, who is signed in; the ticket is used up.

    Raises TicketUsed, NotOnCampus, AccountOff, and Forbidden when the door is the console and she may not use it.
    """
    person = prove_with_sso(s, ticket=ticket, now=now)
    token = sessions.open_session(
        s, door=door, way=way, identity=None, person_id=person.id, now=now, ip=ip, agent=agent
    )
    return token, person


def bind_with_code(
    s: Session, *, session: LoginSession, campus_no: str, name: str, code: str, by: Actor, now: datetime
) -> Person:
    """The session's platform identity belongs to the person of the code. Raises WrongProof, NumberLocked, IdentityTaken."""
    person = prove_with_code(s, campus_no=campus_no, name=name, code=code, now=now)
    return bind_session(s, session_id=session.id, person=person, bound_by="code", by=by, now=now)


def bind_with_sso(s: Session, *, session: LoginSession, ticket: str, by: Actor, now: datetime) -> Person:
    """The session's platform identity belongs to the person the campus sign-in vouched for. Raises TicketUsed, IdentityTaken."""
    person = prove_with_sso(s, ticket=ticket, now=now)
    return bind_session(s, session_id=session.id, person=person, bound_by="sso", by=by, now=now)


def prove_with_code(s: Session, *, campus_no: str, name: str, code: str, now: datetime) -> Person:
    """The person with that number, name and code; the code is used up. Raises WrongProof (counted), NumberLocked. P3."""
    number = campus_no.strip()[:64]
    # Held, so that a hundred tries at once are looked at one after the other.
    person = s.scalars(sa.select(Person).where(Person.campus_no == number).with_for_update()).one_or_none()
    attempts.refuse_if_locked(s, number, now=now)
    digest = _digest(person.id if person else 0, code)
    right_name = crypto.same(_plain(person.name if person else ""), _plain(name))
    right_code = None
    for row in s.scalars(
        sa.select(BindCode)
        .where(BindCode.person_id == (person.id if person else 0), BindCode.used_at.is_(None))
        .where(BindCode.expires_at > now)
    ).all():
        right_code = row if crypto.same(row.code_hash, digest) else right_code
    if person is None or not right_name or right_code is None or person.status is not PersonStatus.ACTIVE:
        attempts.count(s, number, now=now)
        raise WrongProof(number=number)
    right_code.used_at = now
    attempts.forget(s, number)
    s.flush()
    return person


def _plain(name: str) -> str:
    return "".join(unicodedata.normalize("NFKC", name).split()).casefold()


def _digest(person_id: int, code: str) -> str:
    # Keyed: forty bits could be tried out against a plain hash in a stolen backup.
    letters = "".join(letter for letter in unicodedata.normalize("NFKC", code).upper() if letter.isalnum())
    return crypto.blind(f"bind code:{person_id}:{letters}")


def issue_code(s: Session, *, person_id: int, by: Actor, now: datetime) -> str:
    """A one-time code for the person, shown once, good for a day; codes issued before are void. P3."""
    person = hold(s, Person, id=person_id)
    require_for(s, by, "person.issue_code", person)
    code = ids.letters(CODE_LETTERS)
    expires_at = now + setting(s, CODE_LIVES)
    s.execute(
        sa.update(BindCode)
        .where(BindCode.person_id == person.id, BindCode.used_at.is_(None), BindCode.expires_at > now)
        .values(expires_at=now)
    )
    s.add(
        BindCode(
            person_id=person.id, code_hash=_digest(person.id, code), issued_by=by.person_id, issued_at=now,
            expires_at=expires_at,
        )
    )  # fmt: skip
    audit(
        s, by, "person.issue_code", f"person:{person.campus_no}", now=now, after={"expires_at": expires_at.isoformat()}
    )
    s.flush()
    return f"{code[:4]}-{code[4:]}"


def keep_sso_ticket(s: Session, *, campus_no: str, name: str, now: datetime) -> str:
    """What the campus sign-in said is kept for five minutes under a ticket that works once. P3."""
    ticket = crypto.token()
    s.add(
        SsoTicket(
            ticket_hash=crypto.hash_token(ticket), campus_no=campus_no.strip()[:64], name=name.strip()[:64],
            expires_at=now + TICKET_LIVES,
        )
    )  # fmt: skip
    s.flush()
    return ticket


def prove_with_sso(s: Session, *, ticket: str, now: datetime) -> Person:
    """The person the ticket speaks of; the ticket is used up. Raises TicketUsed, NotOnCampus."""
    try:
        kept = hold(s, SsoTicket, ticket_hash=crypto.hash_token(ticket))
    except NotFound:
        raise TicketUsed from None
    if kept.used_at is not None or now >= kept.expires_at:
        raise TicketUsed
    try:
        person = found(s, Person, campus_no=kept.campus_no)
    except NotFound:
        raise NotOnCampus from None
    if person.status is not PersonStatus.ACTIVE:
        raise sessions.AccountOff(person_id=person.id)
    kept.used_at = now
    s.flush()
    return person
