"""Repair tickets, fault types, who works where, and every step a ticket took. FEATURES R1, R2, R4, R8–R11."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, line, long_text, number, one_of, pk, word


class DispatchWay(StrEnum):
    BY_AREA = "by_area"
    LEAST_LOAD = "least_load"
    BY_HAND = "by_hand"


class FaultType(Base):
    """One node of the fault tree; leaves can be reported. Edited at any time, retired but never deleted (R4)."""

    __tablename__ = "fault_type"
    id: Mapped[pk]
    code: Mapped[word] = mapped_column(unique=True)
    name: Mapped[word]
    parent_id: Mapped[int | None] = mapped_column(sa.ForeignKey("fault_type.id"))
    trade: Mapped[word | None]
    priority: Mapped[word] = mapped_column(default="normal")  # emergency, normal
    standard_minutes: Mapped[int] = mapped_column(default=60)
    dispatch_way: Mapped[DispatchWay] = mapped_column(one_of(DispatchWay), default=DispatchWay.BY_AREA)
    respond_minutes: Mapped[int] = mapped_column(default=120)
    finish_minutes: Mapped[int] = mapped_column(default=1440)
    hint: Mapped[long_text | None]
    emergency_phone: Mapped[word | None]
    emergency_text: Mapped[long_text | None]
    rank: Mapped[int] = mapped_column(default=100)
    retired_at: Mapped[datetime | None]


class WorkerTrade(Base):
    """A worker can do a trade."""

    __tablename__ = "worker_trade"
    __table_args__ = (sa.UniqueConstraint("person_id", "trade"),)
    id: Mapped[pk]
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("person.id"))
    trade: Mapped[word] = mapped_column(index=True)


class AreaDuty(Base):
    """The worker who owns a place for a trade (区域包干). The nearest place upwards counts."""

    __tablename__ = "area_duty"
    __table_args__ = (sa.UniqueConstraint("place_id", "trade"),)
    id: Mapped[pk]
    place_id: Mapped[int] = mapped_column(sa.ForeignKey("place.id"))
    trade: Mapped[word]
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("person.id"), index=True)


class Shift(Base):
    """A worker is on duty from then until then."""

    __tablename__ = "shift"
    __table_args__ = (sa.Index(None, "starts_at", "ends_at"), sa.CheckConstraint("starts_at < ends_at", name="order"))
    id: Mapped[pk]
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("person.id"), index=True)
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]


class RepairState(StrEnum):
    AWAITING_APPROVAL = "awaiting_approval"
    FILED = "filed"
    ASSIGNED = "assigned"
    WORKING = "working"
    ON_HOLD = "on_hold"
    DONE = "done"
    CLOSED = "closed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    UNFIXABLE = "unfixable"


class ContentState(StrEnum):
    UNCHECKED = "unchecked"
    PASSED = "passed"
    HELD = "held"


class Ticket(Base):
    """One repair (报修单). It moves only by `campus.repairs.states.move`."""

    __tablename__ = "ticket"
    __table_args__ = (
        sa.UniqueConstraint("requester_id", "idem_key"),
        sa.UniqueConstraint("desk_operator_id", "idem_key"),  # a caller at the desk may be nobody we know
        sa.Index(None, "place_id", "state"),
        sa.Index(None, "worker_id", "state"),
        sa.Index(None, "requester_id", "id"),
        sa.Index(None, "state", "filed_at"),
        sa.Index(None, "state", "finish_by"),
        sa.CheckConstraint("quantity >= 1 AND quantity <= 999", name="quantity"),
    )
    id: Mapped[pk]
    no: Mapped[number] = mapped_column(unique=True)
    place_id: Mapped[int] = mapped_column(sa.ForeignKey("place.id"))
    fault_type_id: Mapped[int] = mapped_column(sa.ForeignKey("fault_type.id"), index=True)
    text: Mapped[long_text]
    quantity: Mapped[int] = mapped_column(default=1)
    severity: Mapped[word] = mapped_column(default="normal")
    urgent: Mapped[bool] = mapped_column(default=False)
    state: Mapped[RepairState] = mapped_column(one_of(RepairState))
    way: Mapped[word]
    requester_id: Mapped[int | None] = mapped_column(sa.ForeignKey("person.id"))
    contact_name: Mapped[word | None]
    contact_phone_sealed: Mapped[long_text | None]
    contact_phone_masked: Mapped[number | None]
    window_from: Mapped[datetime | None]
    window_until: Mapped[datetime | None]
    nobody_home_ok: Mapped[bool] = mapped_column(default=False)
    escort: Mapped[bool] = mapped_column(default=False)
    entry_note: Mapped[line | None]
    received_at: Mapped[datetime]  # 接报时间: when the desk heard of it; filed_at for every other way in
    desk_operator_id: Mapped[int | None] = mapped_column(sa.ForeignKey("person.id"))
    worker_id: Mapped[int | None] = mapped_column(sa.ForeignKey("person.id"))
    dispatch_way: Mapped[DispatchWay | None] = mapped_column(one_of(DispatchWay))
    why: Mapped[line | None]
    content: Mapped[ContentState] = mapped_column(one_of(ContentState), default=ContentState.UNCHECKED)
    respond_by: Mapped[datetime | None]
    finish_by: Mapped[datetime | None]
    filed_at: Mapped[datetime]
    assigned_at: Mapped[datetime | None]
    taken_at: Mapped[datetime | None]
    arrived_at: Mapped[datetime | None]
    done_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    result: Mapped[word | None]
    result_note: Mapped[long_text | None]
    proposal: Mapped[long_text | None]
    idem_key: Mapped[word | None]


class TicketStep(Base):
    """One line of a ticket's timeline: every move, with who, how and the note given."""

    __tablename__ = "ticket_step"
    id: Mapped[pk]
    ticket_id: Mapped[int] = mapped_column(sa.ForeignKey("ticket.id"), index=True)
    at: Mapped[datetime]
    action: Mapped[word]
    from_state: Mapped[word | None]
    to_state: Mapped[word]
    person_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    way: Mapped[word]
    note: Mapped[long_text | None]
    facts: Mapped[dict[str, Any] | None]
    content: Mapped[ContentState] = mapped_column(one_of(ContentState), default=ContentState.PASSED)


class TicketPhoto(Base):
    """A photo of a ticket: `filed` by the requester, `finished` by the worker, `rated` with the rating."""

    __tablename__ = "ticket_photo"
    __table_args__ = (sa.UniqueConstraint("ticket_id", "file_id"),)
    id: Mapped[pk]
    ticket_id: Mapped[int] = mapped_column(sa.ForeignKey("ticket.id"))
    file_id: Mapped[int] = mapped_column(sa.ForeignKey("stored_file.id"), index=True)
    kind: Mapped[word]
    content: Mapped[ContentState] = mapped_column(one_of(ContentState), default=ContentState.UNCHECKED)
    trace_id: Mapped[word | None] = mapped_column(index=True)


class Rating(Base):
    """What the requester thought of it: four marks of 1 to 5, words, once per ticket (R10)."""

    __tablename__ = "rating"
    __table_args__ = (
        sa.CheckConstraint(
            "quality >= 1 AND quality <= 5 AND attitude >= 1 AND attitude <= 5"
            " AND speed >= 1 AND speed <= 5 AND result >= 1 AND result <= 5",
            name="marks",
        ),
    )
    id: Mapped[pk]
    ticket_id: Mapped[int] = mapped_column(sa.ForeignKey("ticket.id"), unique=True)
    quality: Mapped[int]
    attitude: Mapped[int]
    speed: Mapped[int]
    result: Mapped[int]
    text: Mapped[long_text | None]
    content: Mapped[ContentState] = mapped_column(one_of(ContentState), default=ContentState.PASSED)
    rated_at: Mapped[datetime]


class Draft(Base):
    """What somebody is about to report in a chat: one row per chatter, replaced by the next scan (R1)."""

    __tablename__ = "repair_draft"
    __table_args__ = (sa.UniqueConstraint("identity_kind", "subject"),)
    id: Mapped[pk]
    identity_kind: Mapped[word]
    subject: Mapped[line]
    place_id: Mapped[int] = mapped_column(sa.ForeignKey("place.id"))
    choices: Mapped[list[str]]  # codes of the faults offered, in the order of their numbers
    started_at: Mapped[datetime]
    expires_at: Mapped[datetime]
