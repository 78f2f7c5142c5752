"""What every list of tickets has in common: its columns, its states, and where the person may look. FEATURES P6."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Session

from campus.repairs import words
from campus.repairs.states import OURS
from campus.repairs.views import TicketLine
from core.errors import Invalid
from models.access import Actor, grants
from models.people import Person
from models.places import Place
from models.repairs import ContentState, FaultType, RepairState, Ticket


def lines() -> Any:
    """The columns of a TicketLine."""
    worker, requester = orm.aliased(Person), orm.aliased(Person)
    return (
        sa.select(
            Ticket.id, Ticket.no, Ticket.state, Ticket.text, Ticket.content, Ticket.urgent, Ticket.filed_at,
            Ticket.finish_by, Ticket.way, Ticket.requester_id,
            Place.code.label("place_code"), Place.label.label("place_label"),
            FaultType.code.label("fault_code"), FaultType.name.label("fault_name"),
            worker.name.label("worker_name"), requester.name.label("requester_name"), Ticket.contact_name,
        )
        .join(Place, Place.id == Ticket.place_id)
        .join(FaultType, FaultType.id == Ticket.fault_type_id)
        .outerjoin(worker, worker.id == Ticket.worker_id)
        .outerjoin(requester, requester.id == Ticket.requester_id)
    )  # fmt: skip


def line_of(row: sa.Row[Any], by: Actor, now: datetime) -> TicketLine:
    hidden = row.content is ContentState.HELD and row.requester_id != by.person_id
    return TicketLine(
        no=row.no, state=row.state.value, state_title=words.STATES[row.state],
        place_code=row.place_code, place_label=row.place_label, fault_code=row.fault_code, fault_name=row.fault_name,
        urgent=row.urgent, filed_at=row.filed_at, finish_by=row.finish_by, overdue=is_overdue(row.state, row.finish_by, now),
        worker_name=row.worker_name, requester_name=row.requester_name or row.contact_name,
        way=row.way, way_title=words.WAYS.get(row.way, row.way),
        text=words.HELD_TEXT if hidden else row.text,
    )  # fmt: skip


def in_state(state: str | None, open_: frozenset[RepairState]) -> list[sa.ColumnElement[bool]]:
    """The condition for one state, for `open` or for `ended`. Raises Invalid for a word that is none of them."""
    if not state:
        return []
    if state in ("open", "ended"):
        return [Ticket.state.in_(open_) if state == "open" else Ticket.state.not_in(open_)]
    try:
        return [Ticket.state == RepairState(state)]
    except ValueError:
        raise Invalid(fields={"state": "没有这个状态"}) from None


def reaching(s: Session, by: Actor, deed: str) -> list[sa.ColumnElement[bool]] | None:
    """The condition on Place for where the person may do that; None when nowhere."""
    if by.person_id is None:
        return None
    having = [grant for grant in grants(s, by.person_id) if grant.allows(deed)]
    if any(grant.place_path is None and grant.department_path is None for grant in having):
        return []
    paths = [grant.place_path for grant in having if grant.place_path is not None]
    return [sa.or_(*(Place.path.startswith(path, autoescape=True) for path in paths))] if paths else None


def is_overdue(state: RepairState, finish_by: datetime | None, now: datetime) -> bool:
    return state in OURS and finish_by is not None and finish_by < now
