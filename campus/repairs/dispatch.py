"""Who is sent: by area, by least load on shift, or by hand. FEATURES R8.

The worker calls `dispatch` when a ticket has been filed. The reason is stored with the ticket and shown ("为什么是我").
A ticket nobody can be sent to stays filed and becomes the duty desk's: at once when its type is sent out by hand or it
is urgent, else when five minutes have passed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campus import notices
from campus.repairs import telling, words
from campus.repairs.scene import Scene, scene_of
from campus.repairs.states import IN_HAND, move
from core import log
from core.db import hold
from models.access import SYSTEM, people_who_may
from models.outbox import Priority, owe
from models.people import Person, PersonStatus
from models.places import Place
from models.repairs import AreaDuty, DispatchWay, RepairState, Shift, Ticket, WorkerTrade
from models.settings import Setting, setting

_log = log.get(__name__)

UNASSIGNED = "repair.unassigned"
UNASSIGNED_AFTER = Setting("repairs.unassigned_after", timedelta(minutes=5), source="R8", title="未派工转值班员")


@dataclass(frozen=True, slots=True)
class Choice:
    """Who is sent, in which way, and why him."""

    worker_id: int
    way: DispatchWay
    why: str


@dataclass(frozen=True, slots=True)
class Load:
    """What a worker has in hand: open tickets, and when he was last given one."""

    person_id: int
    campus_no: str
    name: str
    open: int
    last_at: datetime | None


def dispatch(s: Session, ticket_id: int, *, now: datetime) -> Ticket:
    """The filed ticket is given to somebody, or is the desk's to give. A ticket that has moved on stays as it is. R8."""
    ticket = hold(s, Ticket, id=ticket_id)
    if ticket.state is not RepairState.FILED:
        return ticket
    scene = scene_of(s, ticket)
    if (choice := choose(s, scene, now=now)) is not None:
        values = {"worker_id": choice.worker_id, "dispatch_way": choice.way, "why": choice.why[:190]}
        return move(
            s, ticket, "assign", by=SYSTEM, now=now, note=choice.why, values=values, dispatch=choice.way.value
        ).ticket
    if scene.fault.dispatch_way is DispatchWay.BY_HAND or ticket.urgent:
        _tell_desk(
            s, ticket, scene, "请人工派工" if scene.fault.dispatch_way is DispatchWay.BY_HAND else "无人在岗", now
        )
    else:
        due_at = max(now, ticket.filed_at + setting(s, UNASSIGNED_AFTER))
        owe(s, UNASSIGNED, key=f"{UNASSIGNED}:{ticket.no}", due_at=due_at, owed_at=now, priority=Priority.URGENT,
            ticket_id=ticket.id)  # fmt: skip
    _log.info("nobody to send", no=ticket.no, fault=scene.fault.code)
    return ticket


def unassigned(s: Session, ticket_id: int, *, now: datetime) -> Ticket:
    """A ticket still filed after its five minutes is given to whoever has come on shift, else to the duty desk. R8."""
    ticket = hold(s, Ticket, id=ticket_id)
    if ticket.state is not RepairState.FILED:
        return ticket
    scene = scene_of(s, ticket)
    if choose(s, scene, now=now) is not None:
        return dispatch(s, ticket_id, now=now)
    minutes = int((now - ticket.filed_at).total_seconds() // 60)
    _tell_desk(s, ticket, scene, f"已等待 {minutes} 分钟，请人工派工", now)
    return ticket


def choose(s: Session, scene: Scene, *, now: datetime) -> Choice | None:
    """Who would be sent now; None when it is to be decided by hand or nobody is there. The same picture, the same choice."""
    way = scene.fault.dispatch_way
    if way is DispatchWay.BY_HAND:
        return None
    on_shift = _on_shift(s, scene.place, now)
    if way is DispatchWay.BY_AREA and (choice := _by_area(s, scene, on_shift)) is not None:
        return choice
    return _least_load(s, scene.fault.trade, on_shift)


def loads(s: Session, people: Sequence[int]) -> list[Load]:
    """What each of these workers has in hand, the one to be sent next first: fewest open, then longest idle."""
    rows = s.execute(
        sa.select(
            Person.id,
            Person.campus_no,
            Person.name,
            sa.func.count(sa.case((Ticket.state.in_(IN_HAND), Ticket.id))),
            sa.func.max(Ticket.assigned_at),
        )
        .outerjoin(Ticket, Ticket.worker_id == Person.id)
        .where(Person.id.in_(people))
        .group_by(Person.id, Person.campus_no, Person.name)
    ).all()
    found = [Load(*row) for row in rows]
    return sorted(found, key=lambda load: (load.open, load.last_at is not None, load.last_at, load.campus_no))


def workers_for(s: Session, *, ticket: Ticket, now: datetime) -> list[tuple[Load, bool]]:
    """Everybody who could be sent by hand, with whether he is on shift: those of the trade and on shift first."""
    scene = scene_of(s, ticket)
    able = people_who_may(s, "repair.work", at=scene.place)
    here = set(_on_shift(s, scene.place, now))
    of_trade = set(s.scalars(sa.select(WorkerTrade.person_id).where(WorkerTrade.trade == scene.fault.trade)))
    ordered = sorted(loads(s, able), key=lambda load: (load.person_id not in here, load.person_id not in of_trade))
    return [(load, load.person_id in here) for load in ordered]


def _by_area(s: Session, scene: Scene, on_shift: Sequence[int]) -> Choice | None:
    """区域包干: the nearest place upwards whose owner for this trade is on shift."""
    row = s.execute(
        sa.select(Person.id, Person.name, Place.code)
        .select_from(AreaDuty)
        .join(Place, Place.id == AreaDuty.place_id)
        .join(Person, Person.id == AreaDuty.person_id)
        .where(
            AreaDuty.place_id.in_(_upwards(scene.place)),
            AreaDuty.trade == scene.fault.trade,
            AreaDuty.person_id.in_(on_shift),
        )
        .order_by(sa.func.length(Place.path).desc(), Place.id.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    why = f"区域包干：{row.code} {words.trade_title(scene.fault.trade)} {row.name}"
    return Choice(row.id, DispatchWay.BY_AREA, why)


def _least_load(s: Session, trade: str | None, on_shift: Sequence[int]) -> Choice | None:
    able = s.scalars(
        sa.select(WorkerTrade.person_id).where(WorkerTrade.person_id.in_(on_shift), WorkerTrade.trade == trade)
    ).all()
    if not able:
        return None
    first = loads(s, able)[0]
    why = f"在岗负荷最少：{words.trade_title(trade)} {first.name}（在手 {first.open} 单）"
    return Choice(first.person_id, DispatchWay.LEAST_LOAD, why)


def _on_shift(s: Session, place: Place, now: datetime) -> list[int]:
    """Active people who may work there and are on duty now."""
    able = people_who_may(s, "repair.work", at=place)
    return list(
        s.scalars(
            sa.select(Shift.person_id)
            .join(Person, Person.id == Shift.person_id)
            .where(
                Shift.person_id.in_(able),
                Shift.starts_at <= now,
                Shift.ends_at > now,
                Person.status == PersonStatus.ACTIVE,
            )
            .distinct()
        )
    )


def _upwards(place: Place) -> list[int]:
    """The place and everything that holds it."""
    return [int(part) for part in place.path.split("/") if part]


def _tell_desk(s: Session, ticket: Ticket, scene: Scene, text: str, now: datetime) -> None:
    notices.owe(
        s, "repair_unassigned", to=telling.desk(s, scene.place, now), about=ticket.no, now=now, no=ticket.no,
        place=scene.place.label, fault=scene.fault.name, status=words.STATES[ticket.state], at=ticket.filed_at, text=text,
    )  # fmt: skip
