"""Login sessions: who is signed in at which door. FEATURES P7, DRILLS "sessions 7".

The token is shown once and stored hashed. A session of the client lives 30 days; one of the console lives 8 hours and
ends after 30 idle minutes. It ends at once when its person is suspended or leaves. `seen_at` slides at most once a
minute, and only in a session that may write: `reading()` finds the session, `run()` also keeps it alive.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core import crypto
from core.errors import Forbidden
from models.access import Actor, LoginSession, may, missing
from models.audit import audit
from models.people import IdentityKind, Person, PersonStatus
from models.settings import Setting, setting

API, CONSOLE = "api", "console"
API_LIVES = Setting("session.api_lives", timedelta(days=30), source="P7", title="手机端登录有效期")
CONSOLE_LIVES = Setting("session.console_lives", timedelta(hours=8), source="P7", title="控制台登录有效期")
CONSOLE_IDLE = Setting("session.console_idle", timedelta(minutes=30), source="P7", title="控制台闲置退出")
SEEN_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Known:
    """What a platform said about the visitor. `snapshot`: the virtual account of a snapshot page (P11), never bound."""

    kind: IdentityKind
    subject: str
    unionid: str | None = None
    snapshot: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", IdentityKind(self.kind))  # a door may say "mini"


class AccountOff(Forbidden):
    code, text = "account_off", "账号已停用，请联系后勤服务台"


def open_session(
    s: Session,
    *,
    door: str,
    way: str,
    identity: Known | None,
    person_id: int | None,
    now: datetime,
    ip: str,
    agent: str,
) -> str:
    """Somebody is signed in from now on. The token, shown once.

    Raises AccountOff, and Forbidden when the door is the console and the person may not use it.
    """
    if person_id is not None and s.scalar(sa.select(Person.status).where(Person.id == person_id)) != "active":
        raise AccountOff(person_id=person_id)
    if door == CONSOLE:
        by = Actor(person_id=person_id, way=CONSOLE, ip=ip)
        if person_id is None or not may(s, by, "console.sign_in"):
            raise missing("console.sign_in")
        audit(s, by, "console.sign_in", f"person:{person_id}", now=now, after={"way": way})
    token = crypto.token()
    s.add(
        LoginSession(
            token_hash=crypto.hash_token(token),
            door=door,
            way=way,
            identity_kind=identity.kind if identity else None,
            subject=identity.subject if identity else None,
            unionid=identity.unionid if identity else None,
            person_id=person_id,
            opened_at=now,
            seen_at=now,
            expires_at=now + setting(s, CONSOLE_LIVES if door == CONSOLE else API_LIVES),
            ip=ip[:64],
            agent=agent[:190],
        )
    )
    s.flush()
    return token


def session_of(s: Session, token: str | None, *, door: str, now: datetime) -> LoginSession | None:
    """The session the token opens at that door, None when it never did or no longer does."""
    if not token or len(token) > 128:
        return None
    row = s.execute(
        sa.select(LoginSession, Person.status)
        .outerjoin(Person, Person.id == LoginSession.person_id)
        .where(LoginSession.token_hash == crypto.hash_token(token))
    ).one_or_none()
    if row is None:
        return None
    session, status = row
    if session.door != door or session.ended_at is not None or now >= session.expires_at:
        return None
    if session.person_id is not None and status is not PersonStatus.ACTIVE:
        return None
    if door == CONSOLE and now >= session.seen_at + setting(s, CONSOLE_IDLE):
        return None
    if now >= session.seen_at + SEEN_EVERY and not _only_looks(s):
        session.seen_at = now
    return session


def _only_looks(s: Session) -> bool:
    return bool(s.connection().get_execution_options().get("readonly"))


def actor(session: LoginSession, request_id: str, ip: str) -> Actor:
    """The one asking, for the rules."""
    return Actor(person_id=session.person_id, way=session.way, request_id=request_id, ip=ip, session_id=session.id)


def end_session(s: Session, session_id: int, *, now: datetime) -> None:
    """The session is over. Ending it again changes nothing."""
    _end(s, LoginSession.id == session_id, now)


def end_all(s: Session, person_id: int, *, now: datetime, door: str | None = None, but: int | None = None) -> int:
    """Every session of the person (at that door, but the one of id `but`) is over; how many were open."""
    where = LoginSession.person_id == person_id
    if door is not None:
        where = sa.and_(where, LoginSession.door == door)
    if but is not None:
        where = sa.and_(where, LoginSession.id != but)
    return _end(s, where, now)


def end_identity(s: Session, kind: str, subject: str, *, now: datetime) -> int:
    """Every session opened with that platform identity is over; how many were open."""
    return _end(s, sa.and_(LoginSession.identity_kind == kind, LoginSession.subject == subject), now)


def _end(s: Session, which: sa.ColumnElement[bool], now: datetime) -> int:
    s.flush()
    ended = sa.update(LoginSession).where(which, LoginSession.ended_at.is_(None)).values(ended_at=now)
    return s.connection().execute(ended).rowcount
