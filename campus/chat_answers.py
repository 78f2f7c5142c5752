"""An answer that cannot be given inside the callback: said in the chat while its window is open, else in the inbox. N8.

A passive reply has to leave within four seconds. What takes longer, or needs a platform first, is owed here by the
rule that was asked; the worker says it as a customer-service message. Windows: PROTOCOLS 1.13; WeCom has none.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campus import notices
from campus.sessions import Known
from core import log
from core.db import insert_once
from core.errors import Refused
from models.outbox import Priority, owe
from models.people import Follower, Identity, IdentityKind

_log = log.get(__name__)

TOPIC = "chat.answer"
# How long the account may answer after what the person did. Typed words open 48 hours, everything else one minute.
WINDOWS = {
    "message": timedelta(hours=48),
    "menu": timedelta(minutes=1),
    "scan": timedelta(minutes=1),
    "follow": timedelta(minutes=1),
}
IN_WECOM = timedelta(days=3)
LATE = timedelta(seconds=5)  # a window that closes while the message is on its way is closed

KIND = notices.register(notices.Kind("chat_answer", "您的提问有了答复", "{text}", ("text",), ()))


@dataclass(frozen=True, slots=True)
class Answer:
    """What is to be said, and to whom: an openid of the official account, or a WeCom userid."""

    kind: IdentityKind
    subject: str
    text: str
    about: str


def owe_answer(s: Session, *, to: Known, text: str, about: str, after: str, asked_at: datetime, now: datetime) -> None:
    """The answer is owed once per thing it is about. `after` is what opened the window: message, menu, scan or follow."""
    window = IN_WECOM if to.kind is IdentityKind.WECOM else WINDOWS[after]
    # An openid must not outlive its unsubscribe in a debt (P11), so the debt names the follower's row.
    whom = {"userid": to.subject} if to.kind is IdentityKind.WECOM else {"follower_id": _follower(s, to.subject, now)}
    owe(
        s,
        TOPIC,
        key=f"{TOPIC}:{about}",
        due_at=now,
        priority=Priority.URGENT,
        text=text,
        about=about,
        until=(asked_at + window).isoformat(),
        **whom,
    )


def begin(
    s: Session,
    *,
    text: str,
    about: str,
    until: str,
    now: datetime,
    follower_id: int | None = None,
    userid: str | None = None,
    **_: Any,
) -> Answer | None:
    """What is to be said now. None when the person has left, or when the window is closed and the inbox has it."""
    if userid is not None:
        answer = Answer(IdentityKind.WECOM, userid, text, about)
    else:
        follower = s.get(Follower, follower_id) if follower_id is not None else None
        if follower is None or not follower.follows:
            return None
        answer = Answer(IdentityKind.OFFICIAL, follower.openid, text, about)
    if now + LATE > datetime.fromisoformat(until):
        _into_the_inbox(s, answer, now)
        return None
    return answer


def record(s: Session, answer: Answer, came: Any, *, now: datetime) -> None:
    """Said; or refused (45015 outside the window, 45047 too many, 48001 not allowed), and then the inbox has it."""
    refused = isinstance(came, Refused) or (isinstance(came, tuple) and answer.subject in came)
    if refused:
        _log.info("chat answer goes to the inbox", about=answer.about, why=getattr(came, "code", "unreachable"))
        _into_the_inbox(s, answer, now)


def _into_the_inbox(s: Session, answer: Answer, now: datetime) -> None:
    person_id = s.scalar(
        sa.select(Identity.person_id).where(
            Identity.kind == answer.kind, Identity.subject == answer.subject, Identity.live.is_(True)
        )
    )
    if person_id is not None:  # who is not bound has no inbox, and the chat is closed: nobody can be told
        notices.owe(s, KIND.name, to=person_id, about=answer.about, now=now, text=answer.text)


def _follower(s: Session, openid: str, now: datetime) -> int:
    query = sa.select(Follower.id).where(Follower.openid == openid)
    if (number := s.scalar(query)) is not None:
        return number
    row = Follower(openid=openid, follows=True, changed_at=now)  # followed before this service was there
    return row.id if insert_once(s, row) else s.scalars(query).one()
