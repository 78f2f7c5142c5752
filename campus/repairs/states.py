"""How a ticket moves: one table, one function, no other way. FEATURES R8–R11, STYLE "States".

`move` holds the row, asks the table and the permission, writes the step and the audit line, and fires what hangs on
the move having happened (`telling`). A second tap of the same hand on the same button finds the deed done and
changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campus.repairs import content, telling, words
from campus.repairs.scene import scene_of
from core import log
from core.db import hold
from core.errors import BindingNeeded, Conflict, Forbidden
from models.access import SYSTEM, Actor, grants, may
from models.audit import audit
from models.places import Place
from models.repairs import ContentState, RepairState, Ticket, TicketStep

_log = log.get(__name__)

FILED, ASSIGNED, WORKING = RepairState.FILED, RepairState.ASSIGNED, RepairState.WORKING
DONE, CLOSED, UNFIXABLE = RepairState.DONE, RepairState.CLOSED, RepairState.UNFIXABLE
CANCELLED, REJECTED = RepairState.CANCELLED, RepairState.REJECTED

# A ticket somebody still has to do something about, and the part of it that waits for the house.
OPEN = frozenset({RepairState.AWAITING_APPROVAL, FILED, ASSIGNED, WORKING, RepairState.ON_HOLD, DONE})
OURS = OPEN - {DONE}
IN_HAND = frozenset({ASSIGNED, WORKING, RepairState.ON_HOLD})


class Who(StrEnum):
    """As what somebody moves a ticket."""

    REQUESTER = "requester"
    ASSIGNEE = "assignee"
    DISPATCHER = "dispatcher"
    SYSTEM = "system"


REQUESTER, ASSIGNEE, DISPATCHER, BY_ITSELF = Who.REQUESTER, Who.ASSIGNEE, Who.DISPATCHER, Who.SYSTEM


@dataclass(frozen=True, slots=True)
class Move:
    """One line of the table. `to` None: the ticket stays where it is. `who` maps to the permission it takes."""

    from_: frozenset[RepairState]
    to: RepairState | None
    who: Mapping[Who, str]
    stamp: str | None = None


def _line(from_: set[RepairState], to: RepairState | None, who: dict[Who, str], stamp: str | None = None) -> Move:
    return Move(frozenset(from_), to, who, stamp)


MOVES: dict[str, Move] = {  # action: from, to, who may (with which permission), the moment it leaves on the ticket
    "assign": _line({FILED}, ASSIGNED, {DISPATCHER: "repair.assign", BY_ITSELF: ""}, "assigned_at"),
    "reassign": _line({ASSIGNED, WORKING, UNFIXABLE}, ASSIGNED, {DISPATCHER: "repair.assign"}, "assigned_at"),
    "take": _line({ASSIGNED}, WORKING, {ASSIGNEE: "repair.work"}, "taken_at"),
    "arrive": _line({WORKING}, None, {ASSIGNEE: "repair.work"}, "arrived_at"),
    "finish": _line({WORKING}, DONE, {ASSIGNEE: "repair.work"}, "done_at"),
    "cannot": _line({WORKING}, UNFIXABLE, {ASSIGNEE: "repair.work"}, "closed_at"),
    "cancel": _line({FILED, ASSIGNED}, CANCELLED, {REQUESTER: "repair.cancel", DISPATCHER: "repair.cancel_any"}, "closed_at"),
    "accept": _line({DONE}, CLOSED, {REQUESTER: "repair.accept"}, "closed_at"),
    "refuse": _line({DONE}, ASSIGNED, {REQUESTER: "repair.refuse"}),
    "rate": _line({DONE, CLOSED}, None, {REQUESTER: "repair.rate"}),
    "reject": _line({FILED, ASSIGNED}, REJECTED, {DISPATCHER: "repair.reject"}, "closed_at"),
    "close": _line({DONE, UNFIXABLE}, CLOSED, {DISPATCHER: "repair.assign"}, "closed_at"),
}  # fmt: skip

# What a new round of work begins without: the steps keep what it was.
FRESH: dict[str, Any] = dict.fromkeys(
    ("taken_at", "arrived_at", "done_at", "closed_at", "result", "result_note", "proposal")
)


class WrongState(Conflict):
    """The ticket is not where this deed begins. `state` says where it is."""

    code, text = "wrong_state", "工单{is_now}，不能{deed}"


class Moved(NamedTuple):
    """`first` is False when the same hand had done the same deed before: nothing was changed."""

    ticket: Ticket
    first: bool


def move(
    s: Session,
    ticket: Ticket | str,
    action: str,
    *,
    by: Actor,
    now: datetime,
    note: str | None = None,
    values: Mapping[str, Any] | None = None,
    **facts: Any,
) -> Moved:
    """The ticket (or the one of that number) made the move, with its step, its audit line and all that hangs on it.

    `values` are columns that change with it; `facts` stay with the step. Raises Forbidden, WrongState. R11.
    """
    row = MOVES[action]
    held = hold(s, Ticket, no=ticket) if isinstance(ticket, str) else hold(s, Ticket, id=ticket.id)
    scene = scene_of(s, held)
    hat = check(s, held, scene.place, action, by)
    if _stamped(held, row):
        return Moved(held, False)
    if held.state not in row.from_:
        if _done_before(s, held, action, by):
            return Moved(held, False)
        raise WrongState(
            no=held.no, state=held.state.value, is_now=words.STATES[held.state], deed=words.ACTIONS[action]
        )

    before, worker_before = held.state, held.worker_id
    held.state = row.to or held.state
    for column, value in ((FRESH if held.state is ASSIGNED else {}) | dict(values or {})).items():
        setattr(held, column, value)
    if row.stamp:
        setattr(held, row.stamp, now)
    checked = ContentState.UNCHECKED if note and hat is REQUESTER else ContentState.PASSED
    step = TicketStep(
        ticket_id=held.id, at=now, action=action, from_state=before, to_state=held.state, person_id=by.person_id,
        way=by.way, note=note or None, facts=facts or None, content=checked,
    )  # fmt: skip
    s.add(step)
    after = {"state": held.state.value, **({"worker": held.worker_id} if held.worker_id != worker_before else {})}
    audit(s, by, f"repair.{action}", held.no, now=now, before={"state": before.value}, after=after)
    s.flush()
    if checked is ContentState.UNCHECKED:
        content.owe_text(s, held.no, f"step:{step.id}", now=now)
    telling.tell(s, telling.Happened(action, held, step, scene, by, now, note=note or "", worker_before=worker_before))
    _log.info("ticket moved", no=held.no, action=action, state=held.state.value, way=by.way)
    return Moved(held, True)


def check(s: Session, ticket: Ticket, place: Place, action: str, by: Actor) -> Who:
    """As what this person may do that to this ticket. Raises Forbidden naming the permission. P6."""
    who = MOVES[action].who
    for hat, deed in who.items():
        if _wears(s, hat, deed, ticket, place, by):
            return hat
    missing = next(deed for deed in who.values() if deed)
    if by.person_id is None and by.way != SYSTEM.way:
        raise BindingNeeded(permission=missing)
    raise Forbidden(permission=missing)


def allowed(s: Session, ticket: Ticket, place: Place, by: Actor) -> list[str]:
    """What this person may do to this ticket now, in the order of the table."""
    return [
        action
        for action, row in MOVES.items()
        if ticket.state in row.from_
        and not _stamped(ticket, row)
        and any(_wears(s, hat, deed, ticket, place, by) for hat, deed in row.who.items())
    ]


def _wears(s: Session, hat: Who, deed: str, ticket: Ticket, place: Place, by: Actor) -> bool:
    if by.way == SYSTEM.way or hat is BY_ITSELF:
        return by.way == SYSTEM.way and hat is BY_ITSELF
    if by.person_id is None:
        return False
    if hat is REQUESTER:
        return ticket.requester_id == by.person_id and may(s, by, deed)
    if hat is ASSIGNEE:  # being given the ticket is the limit; the area of his role may be another
        return ticket.worker_id == by.person_id and any(grant.allows(deed) for grant in grants(s, by.person_id))
    return may(s, by, deed, at=place)


def _stamped(ticket: Ticket, row: Move) -> bool:
    """Whether a deed that leaves the ticket where it is, and happens once in a round of work, has happened."""
    return row.to is None and row.stamp is not None and getattr(ticket, row.stamp) is not None


def _done_before(s: Session, ticket: Ticket, action: str, by: Actor) -> bool:
    """Whether the last thing that happened to the ticket was this deed by this person: a second tap."""
    last = s.execute(
        sa.select(TicketStep.action, TicketStep.person_id, TicketStep.to_state)
        .where(TicketStep.ticket_id == ticket.id)
        .order_by(TicketStep.id.desc())
        .limit(1)
    ).one_or_none()
    return last is not None and tuple(last) == (action, by.person_id, ticket.state)
