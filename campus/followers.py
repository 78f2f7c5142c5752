"""Who a new follower is: the platform is asked for the unionid, which no event carries. P2; PROTOCOLS 1.4, 1.14.

A subscribe event names an openid only. When the same person is known by the mini-program under the same unionid, the
two belong together without anybody binding anything, so the worker asks once per follower.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campus import chat_answers, people
from campus.sessions import Known
from core.errors import Refused
from models.outbox import owe
from models.people import Follower, IdentityKind

TOPIC = "follower.look"


@dataclass(frozen=True, slots=True)
class Looked:
    openid: str


def owe_look(s: Session, *, openid: str, now: datetime) -> None:
    """The platform will be asked about the follower, unless it has said already. The debt holds no openid (P11)."""
    row = s.execute(sa.select(Follower.id, Follower.unionid).where(Follower.openid == openid)).one_or_none()
    if row is not None and row.unionid is None:
        owe(s, TOPIC, key=f"{TOPIC}:{row.id}", due_at=now, follower_id=row.id)


def begin(s: Session, *, follower_id: int, now: datetime, **_: Any) -> Looked | None:
    """Whom to ask about. None when they have left meanwhile."""
    follower = s.get(Follower, follower_id)
    return Looked(follower.openid) if follower is not None and follower.follows else None


def record(s: Session, looked: Looked, answer: Any, *, now: datetime) -> None:
    """The unionid is known, and with it perhaps the person, who is then greeted by name in the chat (N8).

    An account without a unionid, or a refusal, changes nothing.
    """
    if isinstance(answer, Refused) or not answer.follows or not answer.unionid:
        return
    follower = s.scalars(sa.select(Follower).where(Follower.openid == looked.openid)).one_or_none()
    if follower is None:
        return
    openid = Known(IdentityKind.OFFICIAL, looked.openid)
    knew, followed_at = people.person_known_as(s, openid), follower.changed_at
    person = people.on_follow(s, openid=looked.openid, unionid=answer.unionid, now=now)
    if knew is None and person is not None:
        text = f"{person.name}，您好！已认出您的校园身份，不用再绑定：扫门上的二维码就能报修。"
        about = f"follow:{follower.id}"
        chat_answers.owe_answer(s, to=openid, text=text, about=about, after="follow", asked_at=followed_at, now=now)
