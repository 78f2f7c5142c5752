"""Notices, where they were tried, what each template can carry, and who may still be sent how many. FEATURES N1–N5."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, line, long_text, one_of, pk, word


class Channel(StrEnum):
    MINI = "mini"
    OFFICIAL = "official"
    WECOM = "wecom"
    SMS = "sms"


class Notice(Base):
    """One thing a person is told. The row is the in-app inbox; pushes are tries (N1)."""

    __tablename__ = "notice"
    __table_args__ = (sa.UniqueConstraint("person_id", "kind", "about"), sa.Index(None, "person_id", "read_at"))
    id: Mapped[pk]
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("person.id"))
    kind: Mapped[word]
    about: Mapped[word] = mapped_column(index=True)
    title: Mapped[word]
    text: Mapped[long_text]
    page: Mapped[line | None]
    facts: Mapped[dict[str, Any]]
    made_at: Mapped[datetime]
    read_at: Mapped[datetime | None]


class TryState(StrEnum):
    SENDING = "sending"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    REFUSED = "refused"
    FAILED = "failed"
    UNKNOWN = "unknown"
    LATER = "later"


class NoticeTry(Base):
    """The delivery record: tried where, what it answered, when (N5). `perhaps_twice`: repeated without being able to ask."""

    __tablename__ = "notice_try"
    __table_args__ = (sa.UniqueConstraint("notice_id", "channel"), sa.Index(None, "channel", "platform_id"))
    id: Mapped[pk]
    notice_id: Mapped[int] = mapped_column(sa.ForeignKey("notice.id"))
    channel: Mapped[Channel] = mapped_column(one_of(Channel))
    state: Mapped[TryState] = mapped_column(one_of(TryState))
    template_id: Mapped[word | None]
    answer: Mapped[line | None]
    platform_id: Mapped[word | None]
    sends: Mapped[int] = mapped_column(default=1)
    perhaps_twice: Mapped[bool] = mapped_column(default=False)
    tried_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]


class SubscriptionQuota(Base):
    """How many one-time subscribe messages of a template the person may still be sent (N3). Never below zero."""

    __tablename__ = "subscription_quota"
    __table_args__ = (
        sa.UniqueConstraint("person_id", "template_id"),
        sa.CheckConstraint("remaining >= 0", name="remaining"),
    )
    id: Mapped[pk]
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("person.id"))
    template_id: Mapped[word]
    remaining: Mapped[int]
    refused_at: Mapped[datetime | None]
    changed_at: Mapped[datetime]


class QuotaMove(Base):
    """Why a quota changed: granted by the client, spent by a send, corrected by 43101 (N3)."""

    __tablename__ = "quota_move"
    __table_args__ = (sa.Index(None, "person_id", "template_id", "at"),)
    id: Mapped[pk]
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("person.id"))
    template_id: Mapped[word]
    delta: Mapped[int]
    reason: Mapped[word]
    at: Mapped[datetime]


class TemplateMap(Base):
    """Which template of a platform carries a kind of notice, and which fact stands in which field (N2).

    `fields` is {"thing2": "place", …}: template field → fact of the notice kind. Refused at configuration when it cannot fit.
    """

    __tablename__ = "template_map"
    __table_args__ = (sa.UniqueConstraint("channel", "kind"),)
    id: Mapped[pk]
    channel: Mapped[Channel] = mapped_column(one_of(Channel))
    kind: Mapped[word]
    template_id: Mapped[word]
    fields: Mapped[dict[str, Any]]
    changed_at: Mapped[datetime]
