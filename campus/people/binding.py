"""How platforms know a person: openids, unionid, WeCom userid. FEATURES P2, P3, P11.

One identity belongs to one person at a time, and a person has one live identity of a kind; what ended stays as
history. unionid links the two WeChat identities by itself; a WeCom userid equal to a staff number binds by itself.
When a follower unsubscribes, the openid is unbound and what the platform gave is deleted: PROTOCOLS 1.2 (unsubscribe).
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campus import sessions
from campus.sessions import Known
from core import crypto
from core.db import hold, insert_once
from core.errors import Conflict, Forbidden, Invalid, NotFound
from models.access import SYSTEM, Actor, LoginSession
from models.audit import audit
from models.people import Follower, Identity, IdentityKind, Person, PersonKind, PersonStatus
from models.repairs import Draft

WECHAT = (IdentityKind.OFFICIAL, IdentityKind.MINI)
STAFF = (PersonKind.STAFF, PersonKind.WORKER, PersonKind.DRIVER)


class IdentityTaken(Conflict):
    code, text = "identity_taken", "这个微信已绑定其他人，请先在原账号解绑"


class AlreadyBound(Conflict):
    code, text = "already_bound", "已绑定校园身份，如需更换请先解绑"


class SnapshotVisitor(Forbidden):
    code, text = "snapshot_visitor", "当前是快照页，请点击页面上的“使用完整服务”后再操作"


def person_known_as(s: Session, identity: Known) -> Person | None:
    """The active person this identity belongs to now, None when it is nobody's."""
    person = owner(s, identity)
    return person if person and person.status is PersonStatus.ACTIVE else None


def owner(s: Session, identity: Known) -> Person | None:
    """The person this identity belongs to now, active or not."""
    if identity.snapshot:
        return None
    live = _live(s, identity.kind, identity.subject)
    return s.get(Person, live.person_id) if live else None


def _live(s: Session, kind: IdentityKind, subject: str) -> Identity | None:
    query = sa.select(Identity).where(Identity.kind == kind, Identity.subject == subject, Identity.live.is_(True))
    return s.scalars(query).one_or_none()


def link_by_itself(s: Session, identity: Known, *, by: Actor, now: datetime) -> Person | None:
    """The person this identity belongs to, bound just now when unionid or a staff number says whose it is. P2, P3."""
    if identity.snapshot:
        raise SnapshotVisitor
    if (person := owner(s, identity)) is not None:
        _learn_unionid(s, person, identity, by=by, now=now)
        return person
    if identity.kind in WECHAT and identity.unionid:
        whose = s.scalar(
            sa.select(Identity.person_id)
            .where(Identity.unionid == identity.unionid, Identity.kind.in_(WECHAT), Identity.live.is_(True))
            .limit(1)
        )
        if whose is not None and _attach(s, whose, identity, bound_by="unionid", replace=False, by=by, now=now):
            return s.get(Person, whose)
    elif identity.kind is IdentityKind.WECOM:
        # MariaDB may be set to a collation that ignores case: what it found is compared again.
        staff = s.scalars(
            sa.select(Person).where(
                Person.campus_no == identity.subject, Person.kind.in_(STAFF), Person.status == PersonStatus.ACTIVE
            )
        ).one_or_none()
        same = staff is not None and staff.campus_no == identity.subject
        if staff and same and _attach(s, staff.id, identity, bound_by="wecom", replace=False, by=by, now=now):
            return staff
    return None


def _learn_unionid(s: Session, person: Person, identity: Known, *, by: Actor, now: datetime) -> None:
    live = _live(s, identity.kind, identity.subject)
    if live is not None and identity.unionid and live.unionid != identity.unionid:
        live.unionid = identity.unionid
        _link_follower(s, person.id, identity.unionid, by=by, now=now)


def bind(s: Session, person: Person, identity: Known, *, bound_by: str, by: Actor, now: datetime) -> None:
    """The identity belongs to the person, who has just proved who she is; her earlier one of the kind is history.

    Binding again what is bound changes nothing. Raises IdentityTaken, SnapshotVisitor.
    """
    if identity.snapshot:
        raise SnapshotVisitor
    if not _attach(s, person.id, identity, bound_by=bound_by, replace=True, by=by, now=now):
        raise IdentityTaken(kind=identity.kind)


def _attach(
    s: Session, person_id: int, identity: Known, *, bound_by: str, replace: bool, by: Actor, now: datetime
) -> bool:
    """True when the identity is the person's from now on; False when it is another's, or she has another one to keep."""
    person = hold(s, Person, id=person_id)
    unionid = identity.unionid or _unionid_of_follower(s, identity)
    live = _live(s, identity.kind, identity.subject)
    if live is not None:
        live.unionid = unionid or live.unionid
        return live.person_id == person_id
    before = s.scalars(
        sa.select(Identity).where(
            Identity.person_id == person_id, Identity.kind == identity.kind, Identity.live.is_(True)
        )
    ).one_or_none()
    if before is not None:
        if not replace:
            return False
        _end(s, before, now=now)
    row = Identity(
        person_id=person_id, kind=identity.kind, subject=identity.subject, unionid=unionid, bound_at=now,
        bound_by=bound_by, live=True,
    )  # fmt: skip
    if not insert_once(s, row):  # another request bound it in this moment
        return False
    audit(
        s, Actor(person_id, by.way, by.request_id, by.ip), "identity.bind", f"person:{person.campus_no}", now=now,
        before={"kind": identity.kind} if before else None, after={"kind": identity.kind, "bound_by": bound_by},
    )  # fmt: skip
    s.execute(
        sa.update(LoginSession)
        .where(
            LoginSession.identity_kind == identity.kind,
            LoginSession.subject == identity.subject,
            LoginSession.person_id.is_(None),
            LoginSession.ended_at.is_(None),
        )
        .values(person_id=person_id)
    )
    if unionid and identity.kind in WECHAT:
        _link_follower(s, person_id, unionid, by=by, now=now)
    return True


def _unionid_of_follower(s: Session, identity: Known) -> str | None:
    if identity.kind is not IdentityKind.OFFICIAL:
        return None
    return s.scalar(sa.select(Follower.unionid).where(Follower.openid == identity.subject))


def _link_follower(s: Session, person_id: int, unionid: str, *, by: Actor, now: datetime) -> None:
    """The official-account openid that follows under the same unionid is the person's too, if she has none."""
    openid = s.scalar(sa.select(Follower.openid).where(Follower.unionid == unionid, Follower.follows).limit(1))
    if openid is not None and _live(s, IdentityKind.OFFICIAL, openid) is None:
        known = Known(IdentityKind.OFFICIAL, openid, unionid)
        _attach(s, person_id, known, bound_by="unionid", replace=False, by=by, now=now)


def bind_session(s: Session, *, session_id: int, person: Person, bound_by: str, by: Actor, now: datetime) -> Person:
    """The platform identity that opened the session belongs to the person, and so does the session."""
    session = hold(s, LoginSession, id=session_id)
    if session.identity_kind is None or session.subject is None:
        raise Invalid("当前登录方式不需要绑定")
    if session.person_id is not None and session.person_id != person.id:
        raise AlreadyBound
    identity = Known(IdentityKind(session.identity_kind), session.subject, session.unionid)
    bind(s, person, identity, bound_by=bound_by, by=by, now=now)
    session.person_id = person.id
    s.flush()
    return person


def unbind(s: Session, *, kind: IdentityKind, by: Actor, now: datetime, person_id: int | None = None) -> None:
    """The person's identity of that kind is hers no longer, and its sessions are over. P2.

    A WeChat identity takes its twin of the same unionid along, or the next sign-in would bind it again by itself.
    """
    whose = person_id if person_id is not None else by.person_id
    rows = s.scalars(sa.select(Identity).where(Identity.person_id == whose, Identity.live.is_(True))).all()
    chosen = next((row for row in rows if row.kind == kind), None)
    if chosen is None:
        raise NotFound("没有绑定这种身份", kind=kind)
    twins = [row for row in rows if kind in WECHAT and row.kind in WECHAT and row.unionid == chosen.unionid is not None]
    for row in {chosen, *twins}:
        _end(s, row, now=now)
    person = s.get_one(Person, chosen.person_id)
    audit(s, by, "identity.unbind", f"person:{person.campus_no}", now=now, before={"kind": kind})


def _end(s: Session, row: Identity, *, now: datetime) -> None:
    sessions.end_identity(s, row.kind, row.subject, now=now)
    row.live, row.unbound_at = None, now
    s.flush()


def on_follow(s: Session, *, openid: str, unionid: str | None, now: datetime) -> Person | None:
    """The openid follows the account; the person it belongs to, bound just now when unionid says so."""
    follower = s.scalars(sa.select(Follower).where(Follower.openid == openid).with_for_update()).one_or_none()
    if follower is None:
        follower = Follower(openid=openid, unionid=unionid, follows=True, changed_at=now)
        if not insert_once(s, follower):
            follower = hold(s, Follower, openid=openid)
    follower.follows, follower.changed_at, follower.unionid = True, now, unionid or follower.unionid
    s.flush()
    by = Actor(None, "official")
    return link_by_itself(s, Known(IdentityKind.OFFICIAL, openid, follower.unionid), by=by, now=now)


def on_unfollow(s: Session, *, openid: str, now: datetime) -> None:
    """The openid is unbound and what the platform gave is deleted: only a keyed hash stays in the history. P11."""
    s.execute(sa.delete(Follower).where(Follower.openid == openid))
    s.execute(sa.delete(Draft).where(Draft.identity_kind == IdentityKind.OFFICIAL, Draft.subject == openid))
    gone = f"gone:{crypto.blind('openid:' + openid)}"
    # Rows that ended earlier still hold the openid: they are struck out with it.
    for row in s.scalars(
        sa.select(Identity).where(Identity.kind == IdentityKind.OFFICIAL, Identity.subject == openid)
    ).all():
        if row.live:
            _end(s, row, now=now)
            person = s.get_one(Person, row.person_id)
            audit(
                s, SYSTEM, "identity.unbind", f"person:{person.campus_no}", now=now,
                before={"kind": IdentityKind.OFFICIAL}, after={"why": "unsubscribe"},
            )  # fmt: skip
        row.subject, row.unionid = gone, None
    s.flush()
    s.execute(
        sa.update(LoginSession)
        .where(LoginSession.identity_kind == IdentityKind.OFFICIAL, LoginSession.subject == openid)
        .values(subject=gone, unionid=None, ended_at=sa.func.coalesce(LoginSession.ended_at, now))
    )
