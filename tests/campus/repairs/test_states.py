"""Only the table moves a ticket: every action, from every state, by everybody. FEATURES R11."""

from itertools import product

import pytest
import sqlalchemy as sa

from campus import repairs
from campus.repairs.states import MOVES, Who
from core.db import run
from core.errors import BindingNeeded, Forbidden
from models.access import SYSTEM, Actor
from models.outbox import Debt
from models.repairs import RepairState, Ticket, TicketStep
from tests.campus.repairs.kit import Office, audited, everything, fresh, put, steps
from tests.kit import NOON, actor, make_person, make_place

# What the office signed off, written a second time by hand: action → states it begins in, state it ends in, who.
SIGNED = {
    "assign": ({"filed"}, "assigned", {"dispatcher", "system"}),
    "reassign": ({"assigned", "working", "unfixable"}, "assigned", {"dispatcher"}),
    "take": ({"assigned"}, "working", {"assignee"}),
    "arrive": ({"working"}, "working", {"assignee"}),
    "finish": ({"working"}, "done", {"assignee"}),
    "cannot": ({"working"}, "unfixable", {"assignee"}),
    "cancel": ({"filed", "assigned"}, "cancelled", {"requester", "dispatcher"}),
    "accept": ({"done"}, "closed", {"requester"}),
    "refuse": ({"done"}, "assigned", {"requester"}),
    "rate": ({"done", "closed"}, None, {"requester"}),
    "reject": ({"filed", "assigned"}, "rejected", {"dispatcher"}),
    "close": ({"done", "unfixable"}, "closed", {"dispatcher"}),
}
PEOPLE = ("requester", "assignee", "dispatcher", "system", "another student", "another worker", "nobody known")


def person(office: Office, name: str) -> Actor:
    return {
        "requester": actor(office.student),
        "assignee": actor(office.worker),
        "dispatcher": actor(office.desk, "console"),
        "system": SYSTEM,
        "another student": actor(office.other_student),
        "another worker": actor(office.other_worker),
        "nobody known": Actor(None, "official"),
    }[name]


def test_the_table_has_the_moves_the_office_signed_off():
    assert set(MOVES) == set(SIGNED)


@pytest.mark.parametrize("action", SIGNED)
def test_only_the_table_moves_a_ticket(either_office, action):
    """840 cells: 12 actions × 10 states × 7 people."""
    office, (from_, to, who) = either_office, SIGNED[action]
    ticket = office.dispatched()
    run(lambda s: undo(s, ticket.id, office.worker.id))
    for state, name in product(RepairState, PEOPLE):
        put(ticket, state)
        by, before = person(office, name), everything()
        may_happen = state in from_ and name in who

        def move(by=by):
            return run(lambda s: repairs.move(s, ticket.no, action, by=by, now=NOON, note="因为"))

        if may_happen:
            assert move().first, (action, state, name)
            assert fresh(ticket).state == (to or state), (action, state, name)
            assert steps(ticket)[-1] == action
            run(lambda s: undo(s, ticket.id, office.worker.id))
        else:
            wanted = BindingNeeded if name == "nobody known" else Forbidden if name not in who else repairs.WrongState
            with pytest.raises(wanted):
                move()
            assert everything() == before, (action, state, name)


def undo(s, ticket_id, worker_id):
    """The ticket is as before the cell, so that the next one is not a second tap."""
    s.execute(sa.delete(TicketStep).where(TicketStep.ticket_id == ticket_id, TicketStep.action != "file"))
    s.execute(sa.delete(Debt))
    s.execute(sa.update(Ticket).where(Ticket.id == ticket_id).values(worker_id=worker_id, arrived_at=None))


@pytest.mark.parametrize("action", SIGNED)
def test_what_is_allowed_is_what_the_table_says(office, action):
    from_, _, who = SIGNED[action]
    ticket = office.dispatched()
    for state, name in product(RepairState, PEOPLE):
        put(ticket, state)
        said = run(lambda s: repairs.allowed(s, fresh(ticket), office.room, person(office, name)))  # noqa: B023  called at once
        assert (action in said) == (state in from_ and name in who), (state, name)


def test_every_move_leaves_a_step_and_an_audit_line(office):
    ticket = office.taken()
    assert steps(ticket) == ["file", "assign", "take"]
    assert (audited("repair.file"), audited("repair.assign"), audited("repair.take")) == (1, 1, 1)


def test_a_second_tap_finds_the_deed_done_and_changes_nothing(office):
    ticket = office.taken()
    before = everything()
    run(lambda s: repairs.take(s, no=ticket.no, by=actor(office.worker), now=NOON))
    assert everything() == before


def test_a_refusal_names_the_permission_that_is_missing(office):
    ticket = office.file()
    with pytest.raises(Forbidden) as refused:
        run(lambda s: repairs.reject(s, no=ticket.no, reason="不归我们管", by=actor(office.worker), now=NOON))
    assert refused.value.facts == {"permission": "repair.reject"}


def test_a_dispatcher_of_another_building_moves_nothing(office):
    elsewhere = make_place("N1", kind="building")
    stranger = make_person("外楼值班", kind="staff", roles=("dispatcher",), at=elsewhere)
    ticket = office.file()
    before = everything()
    with pytest.raises(Forbidden):
        run(lambda s: repairs.reject(s, no=ticket.no, reason="不修", by=actor(stranger), now=NOON))
    assert everything() == before


def test_a_suspended_worker_moves_nothing(office):
    ticket = office.dispatched()
    run(lambda s: setattr(s.get(type(office.worker), office.worker.id), "status", "suspended"))
    with pytest.raises(Forbidden):
        run(lambda s: repairs.take(s, no=ticket.no, by=actor(office.worker), now=NOON))
    assert fresh(ticket).state is RepairState.ASSIGNED


def test_who_names_are_the_hats_of_the_table():
    assert {hat for row in MOVES.values() for hat in row.who} == set(Who)
