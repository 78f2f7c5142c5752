"""The console's list of tickets: filters, and what is overdue stands first. FEATURES R8, R18."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campus.repairs.lines import in_state, line_of, lines, reaching
from campus.repairs.pages import Page, seek, token
from campus.repairs.states import OPEN, OURS
from campus.repairs.views import TicketLine
from core import clock, ids
from core.errors import BindingNeeded, Forbidden, Invalid
from models.access import Actor
from models.places import Place
from models.repairs import FaultType, Ticket


@dataclass(frozen=True, slots=True)
class Filters:
    """What is looked for; what is None does not matter. `since` and `until` are campus days, both included."""

    state: str | None = None  # one state, `open`, `ended`, or `overdue`
    building: str | None = None  # code of any place: everything below it
    fault: str | None = None
    worker: int | None = None
    way: str | None = None
    since: date | None = None
    until: date | None = None
    content: str | None = None  # `held`, `unchecked`: for the operator's eye (P11)
    text: str | None = None  # a number, or words of the text, the place or the contact's name


def search_tickets(
    s: Session, *, by: Actor, filters: Filters, cursor: str | None = None, limit: int = 50, now: datetime
) -> Page[TicketLine]:
    """Tickets at the places whose repairs the person may see: overdue ones first, then the newest. P6."""
    if by.person_id is None:
        raise BindingNeeded(permission="repair.see")
    if (reach := reaching(s, by, "repair.see")) is None:
        raise Forbidden(permission="repair.see")
    # What was overdue when the first page was shown stays first on the others, so no ticket falls between pages.
    place = seek(cursor, 3)
    as_of = now if place is None else _moment(place[0])
    late = sa.case((sa.and_(Ticket.state.in_(OURS), Ticket.finish_by < as_of), 0), else_=1)
    query = lines().add_columns(late.label("rank")).where(*reach, *_wanted(s, filters, as_of))
    if place is not None:
        query = query.where(sa.or_(late > place[1], sa.and_(late == place[1], Ticket.id < place[2])))
    rows = s.execute(query.order_by(late, Ticket.id.desc()).limit(limit + 1)).all()
    last = rows[limit - 1] if len(rows) > limit else None
    return Page(
        [line_of(row, by, now) for row in rows[:limit]],
        token(as_of.timestamp(), last.rank, last.id) if last is not None else None,
    )


def _moment(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        raise Invalid(fields={"cursor": "翻页标记无效"}) from None


def _wanted(s: Session, filters: Filters, now: datetime) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if filters.state == "overdue":
        conditions += [Ticket.state.in_(OURS), Ticket.finish_by < now]
    else:
        conditions += in_state(filters.state, OPEN)
    if filters.building:
        path = s.scalar(sa.select(Place.path).where(Place.code == filters.building))
        conditions.append(Place.path.startswith(path, autoescape=True) if path else sa.false())
    if filters.fault:
        conditions.append(FaultType.code == filters.fault)
    if filters.worker is not None:
        conditions.append(Ticket.worker_id == filters.worker)
    if filters.way:
        conditions.append(Ticket.way == filters.way)
    if filters.content:
        conditions.append(Ticket.content == filters.content)
    if filters.since:
        conditions.append(Ticket.filed_at >= clock.at(filters.since, "00:00"))
    if filters.until:
        conditions.append(Ticket.filed_at < clock.at(filters.until + timedelta(days=1), "00:00"))
    if text := (filters.text or "").strip()[:100]:
        if ids.SHAPE.match(text.upper()):
            conditions.append(Ticket.no == text.upper())
        else:
            columns = (Ticket.text, Place.label, Place.code, Ticket.contact_name, FaultType.name)
            conditions.append(sa.or_(*(column.contains(text, autoescape=True) for column in columns)))
    return conditions
