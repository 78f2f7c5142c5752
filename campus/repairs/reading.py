"""What may be seen of a ticket, and by whom. FEATURES R2, R8, R11, P6, P8, P11, R20.

A ticket is shown to who filed it, who works on it, and who may see repairs at that place; nobody else learns anything
from its number. The contact's phone number is shown in full to the worker and the desk while the ticket is open,
masked afterwards, and not at all 30 days after it was closed. What the content check held back is shown to who
wrote it and to the operators who settle cases.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campus.repairs import words
from campus.repairs.filing import open_twin
from campus.repairs.lines import in_state, is_overdue, line_of, lines, reaching
from campus.repairs.pages import Page, seek, token
from campus.repairs.scene import scene_named, scene_of
from campus.repairs.search import Filters as Filters
from campus.repairs.search import search_tickets as search_tickets
from campus.repairs.states import IN_HAND, OPEN, OURS, allowed
from campus.repairs.views import (
    Counts,
    OpenLine,
    PhotoView,
    PublicLine,
    PublicStatus,
    RatingView,
    StepView,
    Suggestion,
    TicketLine,
    TicketView,
)
from core import clock, crypto
from core.db import found
from core.errors import BindingNeeded, Invalid, NotFound
from models.access import Actor, grants, may, require
from models.files import StoredFile
from models.people import Person
from models.places import Place, PlaceKind
from models.repairs import ContentState, FaultType, Rating, RepairState, Ticket, TicketPhoto, TicketStep
from models.settings import Setting, setting

CONTACT_HIDDEN_AFTER = Setting(
    "repairs.contact_hidden_after", timedelta(days=30), source="P8", title="结单后隐藏联系方式"
)


def ticket_view(s: Session, *, no: str, by: Actor, now: datetime) -> TicketView:
    """The ticket as this person may see it. Raises NotFound, Forbidden. P6, P8."""
    ticket = found(s, Ticket, no=no)
    scene = scene_of(s, ticket)
    _look(s, ticket, scene.place, by)
    mine = by.person_id is not None and ticket.requester_id == by.person_id
    assigned = by.person_id is not None and ticket.worker_id == by.person_id
    shows_held = mine or may(s, by, "case.settle", at=scene.place)
    held = ticket.content is ContentState.HELD
    steps = _steps(s, ticket, shows_held)
    people = _names(s, [ticket.requester_id, ticket.worker_id, ticket.desk_operator_id])
    name, phone = _contact(s, ticket, full=assigned or may(s, by, "repair.assign", at=scene.place), now=now)
    return TicketView(
        no=ticket.no, state=ticket.state.value, state_title=words.STATES[ticket.state],
        place_code=scene.place.code, place_label=scene.place.label,
        fault_code=scene.fault.code, fault_name=scene.fault.name,
        text=ticket.text if shows_held or not held else words.HELD_TEXT, content=ticket.content.value, held=held,
        quantity=ticket.quantity, severity=ticket.severity,
        severity_title=words.SEVERITIES.get(ticket.severity, ticket.severity), urgent=ticket.urgent,
        way=ticket.way, way_title=words.WAYS.get(ticket.way, ticket.way),
        requester_name=people.get(ticket.requester_id), contact_name=name, contact_phone=phone,
        window_from=ticket.window_from, window_until=ticket.window_until, nobody_home_ok=ticket.nobody_home_ok,
        escort=ticket.escort, entry_note=ticket.entry_note if shows_held or not held else words.HELD_TEXT, received_at=ticket.received_at, filed_at=ticket.filed_at,
        assigned_at=ticket.assigned_at, taken_at=ticket.taken_at, arrived_at=ticket.arrived_at, done_at=ticket.done_at,
        closed_at=ticket.closed_at, respond_by=ticket.respond_by, finish_by=ticket.finish_by,
        overdue=is_overdue(ticket.state, ticket.finish_by, now), operator_name=people.get(ticket.desk_operator_id),
        worker_id=ticket.worker_id, worker_name=people.get(ticket.worker_id),
        dispatch_way=ticket.dispatch_way.value if ticket.dispatch_way else None, why=ticket.why,
        result=ticket.result, result_title=words.RESULTS.get(ticket.result or "") or None,
        result_note=ticket.result_note, proposal=ticket.proposal,
        steps=steps, photos=_photos(s, ticket), rating=_rating(s, ticket, shows_held),
        allowed=[action for action in allowed(s, ticket, scene.place, by) if action != "rate" or not _is_rated(s, ticket)],
        mine=mine, assigned_to_me=assigned,
    )  # fmt: skip


def photo(s: Session, *, file_no: str, by: Actor) -> StoredFile:
    """The photo, for whoever uploaded it or may see a ticket that refers to it; a held one not for workers. Raises NotFound."""
    file = s.scalars(sa.select(StoredFile).filter_by(no=file_no, removed_at=None)).one_or_none()
    if file is None or by.person_id is None:
        raise NotFound(photo=file_no)
    if file.owner_id == by.person_id:
        return file
    rows = s.execute(
        sa.select(TicketPhoto.content, Ticket, Place)
        .join(Ticket, Ticket.id == TicketPhoto.ticket_id)
        .join(Place, Place.id == Ticket.place_id)
        .where(TicketPhoto.file_id == file.id)
    )
    for state, ticket, place in rows:
        if state is ContentState.HELD:
            seen = may(s, by, "case.settle", at=place)
        else:
            seen = by.person_id in (ticket.requester_id, ticket.worker_id) or may(s, by, "repair.see", at=place)
        if seen:
            return file
    raise NotFound(photo=file_no)


def list_mine(
    s: Session,
    *,
    by: Actor,
    as_: str = "requester",
    state: str | None = None,
    cursor: str | None = None,
    limit: int = 20,
    now: datetime,
) -> Page[TicketLine]:
    """My tickets, newest first: those I filed (`requester`) or was given (`worker`). `state`: one, or `open`, or `ended`."""
    if by.person_id is None:
        raise BindingNeeded(permission="repair.see_own")
    if as_ not in ("requester", "worker"):
        raise Invalid(fields={"as": "应为 requester 或 worker"})
    whose = Ticket.requester_id == by.person_id if as_ == "requester" else Ticket.worker_id == by.person_id
    query = lines().where(whose, *in_state(state, OPEN if as_ == "requester" else IN_HAND))
    if place := seek(cursor, 1):
        query = query.where(Ticket.id < place[0])
    rows = s.execute(query.order_by(Ticket.id.desc()).limit(limit + 1)).all()
    return Page(
        [line_of(row, by, now) for row in rows[:limit]], token(rows[limit - 1].id) if len(rows) > limit else None
    )


def counts(s: Session, *, by: Actor, now: datetime) -> Counts:
    """The numbers on the badges."""
    if by.person_id is None:
        raise BindingNeeded(permission="repair.see_own")

    def grouped(whose: sa.ColumnElement[bool]) -> dict[RepairState, int]:
        query = sa.select(Ticket.state, sa.func.count()).where(whose, Ticket.state.in_(OPEN)).group_by(Ticket.state)
        return dict(s.execute(query).all())

    asked, given = grouped(Ticket.requester_id == by.person_id), grouped(Ticket.worker_id == by.person_id)
    unassigned: int | None = None
    overdue: int | None = None
    if (reach := reaching(s, by, "repair.see")) is not None:
        at_desk = sa.select(sa.func.count()).select_from(Ticket).join(Place, Place.id == Ticket.place_id).where(*reach)
        unassigned = s.scalar(at_desk.where(Ticket.state == RepairState.FILED)) or 0
        overdue = s.scalar(at_desk.where(Ticket.state.in_(OURS), Ticket.finish_by < now)) or 0
    return Counts(
        open=sum(asked.values()),
        to_accept=asked.get(RepairState.DONE, 0),
        to_take=given.get(RepairState.ASSIGNED, 0),
        working=given.get(RepairState.WORKING, 0) + given.get(RepairState.ON_HOLD, 0),
        unassigned=unassigned,
        overdue=overdue,
    )


def open_at(s: Session, place_id: int, limit: int = 3) -> list[OpenLine]:
    """The newest open tickets of a place."""
    rows = s.execute(
        sa.select(Ticket.no, FaultType.name, Ticket.state, Ticket.filed_at, FaultType.code, Ticket.urgent)
        .join(FaultType, FaultType.id == Ticket.fault_type_id)
        .where(Ticket.place_id == place_id, Ticket.state.in_(OPEN))
        .order_by(Ticket.id.desc())
        .limit(limit)
    ).all()
    return [
        OpenLine(no, name, state.value, words.STATES[state], filed_at, code, urgent)
        for no, name, state, filed_at, code, urgent in rows
    ]


def suggest(s: Session, place_code: str, fault_code: str, *, now: datetime) -> Suggestion:
    """For that fault at that place: self-help, the emergency stopper, the open ticket of the same kind. R4, R5."""
    scene = scene_named(s, place_code, fault_code)
    twin, fault = open_twin(s, scene.site, now=now), scene.fault
    same = None
    if twin is not None:
        title = words.STATES[twin.state]
        same = OpenLine(twin.no, fault.name, twin.state.value, title, twin.filed_at, fault.code, twin.urgent)
    return Suggestion(fault.hint, fault.emergency_phone, fault.emergency_text, fault.priority == "emergency", same)


def public_status(s: Session, *, limit: int = 20) -> PublicStatus:
    """Numbers and the latest tickets without personal data: the building, never the room. R20."""
    states = s.execute(sa.select(Ticket.state, sa.func.count()).where(Ticket.state.in_(OPEN)).group_by(Ticket.state))
    rows = s.execute(
        sa.select(Place.path, FaultType.name, Ticket.state, Ticket.filed_at)
        .join(Place, Place.id == Ticket.place_id)
        .join(FaultType, FaultType.id == Ticket.fault_type_id)
        .order_by(Ticket.id.desc())
        .limit(limit)
    ).all()
    above = {int(part) for row in rows for part in row.path.split("/") if part}
    named = sa.select(Place.id, Place.label).where(
        Place.id.in_(above), Place.kind.not_in((PlaceKind.ROOM, PlaceKind.FLOOR))
    )
    buildings = dict(s.execute(named).all())

    def building(path: str) -> str:
        return next(
            (buildings[int(part)] for part in reversed(path.split("/")) if part and int(part) in buildings), "校内"
        )

    latest = [
        PublicLine(building(path), name, state.value, words.STATES[state], filed_at)
        for path, name, state, filed_at in rows
    ]
    return PublicStatus({state.value: count for state, count in states}, latest)


def closed_today(s: Session, *, now: datetime) -> int:
    """How many tickets were closed or mended since the campus day began. R20."""
    began = clock.at(clock.campus_day(now), "00:00")
    query = sa.select(sa.func.count()).where(Ticket.closed_at >= began, Ticket.state == RepairState.CLOSED)
    return s.scalar(query.select_from(Ticket)) or 0


def _look(s: Session, ticket: Ticket, place: Place, by: Actor) -> None:
    """Nothing happens for the requester, the worker, and who may see repairs there. Raises Forbidden. P6."""
    if by.person_id is None:
        raise BindingNeeded(permission="repair.see_own")
    if ticket.requester_id == by.person_id and may(s, by, "repair.see_own"):
        return
    if ticket.worker_id == by.person_id and any(grant.allows("repair.work") for grant in grants(s, by.person_id)):
        return
    require(s, by, "repair.see", at=place)


def _contact(s: Session, ticket: Ticket, *, full: bool, now: datetime) -> tuple[str | None, str | None]:
    if ticket.closed_at is not None and now - ticket.closed_at > setting(s, CONTACT_HIDDEN_AFTER):
        return None, None
    if full and ticket.closed_at is None and ticket.contact_phone_sealed:
        return ticket.contact_name, crypto.unseal(ticket.contact_phone_sealed)
    return ticket.contact_name, ticket.contact_phone_masked


def _names(s: Session, people: Sequence[int | None]) -> dict[int | None, str]:
    wanted = {person for person in people if person is not None}
    return dict(s.execute(sa.select(Person.id, Person.name).where(Person.id.in_(wanted))).all()) if wanted else {}


def _steps(s: Session, ticket: Ticket, shows_held: bool) -> list[StepView]:
    rows = s.execute(
        sa.select(TicketStep, Person.name)
        .outerjoin(Person, Person.id == TicketStep.person_id)
        .where(TicketStep.ticket_id == ticket.id)
        .order_by(TicketStep.id)
    )
    return [
        StepView(
            at=step.at,
            action=step.action,
            title=words.ACTIONS.get(step.action, step.action),
            from_state=step.from_state,
            to_state=step.to_state,
            who=name or ("系统" if step.person_id is None else ""),
            note=step.note if shows_held or step.content is not ContentState.HELD else words.HELD_TEXT,
        )
        for step, name in rows
    ]


def _photos(s: Session, ticket: Ticket) -> list[PhotoView]:
    rows = s.execute(
        sa.select(StoredFile.no, TicketPhoto.kind, TicketPhoto.content)
        .join(StoredFile, StoredFile.id == TicketPhoto.file_id)
        .where(TicketPhoto.ticket_id == ticket.id, StoredFile.removed_at.is_(None))
        .order_by(TicketPhoto.id)
    )
    return [PhotoView(no, kind, state is ContentState.HELD) for no, kind, state in rows]


def _rating(s: Session, ticket: Ticket, shows_held: bool) -> RatingView | None:
    rating = s.scalars(sa.select(Rating).where(Rating.ticket_id == ticket.id)).one_or_none()
    if rating is None:
        return None
    text = rating.text if shows_held or rating.content is not ContentState.HELD else words.HELD_TEXT
    return RatingView(rating.quality, rating.attitude, rating.speed, rating.result, text, rating.rated_at)


def _is_rated(s: Session, ticket: Ticket) -> bool:
    return s.scalar(sa.select(Rating.id).where(Rating.ticket_id == ticket.id)) is not None
