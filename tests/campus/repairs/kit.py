"""A repair office for tests: a building with a room, a fault, a plumber on shift, a student, a desk."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from campus import repairs
from core.db import reading, run
from models.access import Actor
from models.audit import AuditLine
from models.files import StoredFile
from models.outbox import Debt
from models.people import Person
from models.places import Place
from models.repairs import AreaDuty, FaultType, RepairState, Shift, Ticket, TicketStep, WorkerTrade
from tests.kit import NOON, actor, make_fault, make_person, make_place

LATER = NOON + timedelta(minutes=10)


@dataclass
class Office:
    """Everybody who has a part in a repair."""

    building: Place
    room: Place
    fault: FaultType
    student: Person
    other_student: Person
    worker: Person
    other_worker: Person
    desk: Person
    director: Person

    def file(self, **values: Any) -> Ticket:
        asked: dict[str, Any] = {"place_code": "D12-402", "fault_code": "tap", "by": actor(self.student), "now": NOON}
        asked |= values
        return run(lambda s: repairs.file_repair(s, **asked))

    def dispatched(self, **values: Any) -> Ticket:
        ticket = self.file(**values)
        run(lambda s: repairs.dispatch(s, ticket.id, now=NOON))
        return fresh(ticket)

    def taken(self, **values: Any) -> Ticket:
        ticket = self.dispatched(**values)
        run(lambda s: repairs.take(s, no=ticket.no, by=actor(self.worker), now=NOON))
        return fresh(ticket)

    def done(self, **values: Any) -> Ticket:
        ticket = self.taken(**values)
        run(lambda s: repairs.finish(s, no=ticket.no, by=actor(self.worker), now=NOON))
        return fresh(ticket)


def open_office() -> Office:
    building = make_place("D12", kind="building", name="12号楼", label="东区12号楼")
    room = make_place("D12-402", under=building, name="402", label="东区12号楼402")
    fault = make_fault("tap", "水龙头漏水", trade="water")
    office = Office(
        building=building,
        room=room,
        fault=fault,
        student=make_person("林小雨", phone="13800001234"),
        other_student=make_person("陈思远"),
        worker=make_person("王建国", kind="worker", roles=("worker",)),
        other_worker=make_person("李秀兰", kind="worker", roles=("worker",)),
        desk=make_person("赵敏", kind="staff", roles=("dispatcher",)),
        director=make_person("周卫东", kind="staff", roles=("logistics_director",)),
    )
    for worker in (office.worker, office.other_worker):
        can(worker, "water")
        on_shift(worker)
    owns(office.worker, building, "water")
    return office


def can(worker: Person, trade: str) -> None:
    run(lambda s: s.add(WorkerTrade(person_id=worker.id, trade=trade)))


def owns(worker: Person, place: Place, trade: str) -> None:
    run(lambda s: s.add(AreaDuty(person_id=worker.id, place_id=place.id, trade=trade)))


def on_shift(worker: Person, *, start: datetime = NOON - timedelta(hours=4), hours: int = 8) -> None:
    run(lambda s: s.add(Shift(person_id=worker.id, starts_at=start, ends_at=start + timedelta(hours=hours))))


def off_shift(worker: Person) -> None:
    run(lambda s: s.execute(sa.delete(Shift).where(Shift.person_id == worker.id)))


def make_photo(owner: Person | None, no: str = "PH260901AAAAAAAAAA", **values: Any) -> StoredFile:
    def make(s: Any) -> StoredFile:
        file = StoredFile(
            no=no, mime="image/jpeg", sha256="0" * 64, size=10, width=1, height=1,
            owner_id=owner.id if owner else None, stored_at=NOON, **values,
        )  # fmt: skip
        s.add(file)
        s.flush()
        return file

    return run(make)


def fresh(ticket: Ticket) -> Ticket:
    with reading() as s:
        return s.scalars(sa.select(Ticket).where(Ticket.id == ticket.id)).one()


def steps(ticket: Ticket) -> list[str]:
    with reading() as s:
        return list(s.scalars(sa.select(TicketStep.action).filter_by(ticket_id=ticket.id).order_by(TicketStep.id)))


def owed(topic: str = "") -> list[str]:
    """The keys of everything owed, without people and numbers: `notice:repair_taken`, `repair.dispatch`."""
    with reading() as s:
        rows = s.execute(sa.select(Debt.topic, Debt.payload).order_by(Debt.id)).all()
    names = [f"notice:{payload['kind']}" if kind == "notice" else kind for kind, payload in rows]
    return [name for name in names if name.startswith(topic)]


def told(kind: str) -> list[int]:
    """Who is owed that kind of notice."""
    with reading() as s:
        rows = s.scalars(sa.select(Debt.payload).where(Debt.topic == "notice").order_by(Debt.id)).all()
    return [payload["person"] for payload in rows if payload["kind"] == kind]


def facts_told(kind: str) -> dict[str, Any]:
    with reading() as s:
        rows = s.scalars(sa.select(Debt.payload).where(Debt.topic == "notice").order_by(Debt.id)).all()
    return next(payload["facts"] for payload in rows if payload["kind"] == kind)


def audited(deed: str) -> int:
    with reading() as s:
        return s.scalar(sa.select(sa.func.count()).select_from(AuditLine).where(AuditLine.deed == deed)) or 0


def everything() -> tuple[Any, ...]:
    """A picture of all that a deed could have changed: a refused deed leaves it the same."""
    with reading() as s:
        tickets = s.execute(sa.select(Ticket.id, Ticket.state, Ticket.worker_id, Ticket.taken_at, Ticket.result)).all()
        counts = [s.scalar(sa.select(sa.func.count()).select_from(table)) for table in (TicketStep, Debt, AuditLine)]
    return tuple(map(tuple, tickets)), *counts


def put(ticket: Ticket, state: RepairState) -> None:
    """The ticket stands in that state, as if by magic: only tests may."""
    run(lambda s: s.execute(sa.update(Ticket).where(Ticket.id == ticket.id).values(state=state)))


def system() -> Actor:
    from models.access import SYSTEM

    return SYSTEM
