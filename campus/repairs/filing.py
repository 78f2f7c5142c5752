"""A repair is filed, whatever the way in. FEATURES R1, R2, R4, R5, P8.

One INSERT each for ticket, step, audit line and debts, and one read for place and fault: a crowd files through the
chat callback, which has four seconds. The ticket's INSERT ignores its twin under (requester, idem_key), so the same
tap twice is one ticket without a savepoint.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Session

from campus import notices
from campus.repairs import content, photos, telling, words
from campus.repairs.scene import Scene, scene_named
from campus.repairs.states import OPEN
from core import crypto, ids, log
from core.db import insert_if_new
from core.errors import Conflict, Invalid
from models.access import Actor, require
from models.audit import audit
from models.outbox import Priority, new_debt, owe_many
from models.people import Person
from models.repairs import ContentState, RepairState, Ticket, TicketStep
from models.settings import Setting, setting

_log = log.get(__name__)

DISPATCH = "repair.dispatch"
SAME_WITHIN = Setting("repairs.same_within", timedelta(hours=24), source="R5", title="同一地点同类报修视为重复的时间")


_FIRST_STEP = sa.insert(TicketStep).values(
    ticket_id=sa.bindparam("ticket_id"), at=sa.bindparam("at"), action="file", from_state=None,
    to_state=RepairState.FILED, person_id=sa.bindparam("person_id"), way=sa.bindparam("way"), note=None, facts=None,
    content=ContentState.PASSED,
)  # fmt: skip


class Emergency(Conflict):
    """Danger is not a ticket first: the number to call is shown. With `confirmed_emergency` it is filed too. R4."""

    code, text = "emergency", "{say} 请立即拨打 {phone}"


class AlreadyReported(Conflict):
    """The same fault at the same place is open: `no` is its ticket. Filed all the same with `confirm_duplicate`. R5."""

    code, text = "already_reported", "这里的同类问题已有人报修,正在处理"


def file_repair(
    s: Session,
    *,
    place_code: str,
    fault_code: str,
    text: str | None = None,
    by: Actor,
    now: datetime,
    way: str | None = None,
    photos: Sequence[str] = (),
    quantity: int = 1,
    severity: str = "normal",
    contact_name: str | None = None,
    contact_phone: str | None = None,
    window: tuple[datetime | None, datetime | None] | None = None,
    nobody_home_ok: bool = False,
    escort: bool = False,
    entry: str | None = None,
    idem_key: str | None = None,
    requester_id: int | None = None,
    received_at: datetime | None = None,
    confirm_duplicate: bool = True,
    confirmed_emergency: bool = False,
) -> Ticket:
    """The repair is filed under its number, owed a dispatch, and the requester has it in the inbox.

    The same `idem_key` of the same person returns the ticket filed before. `window` is the wanted time, `entry` a note
    for whoever comes in. Raises PlaceGone, FaultGone, Emergency, AlreadyReported, PhotoUsed, NotFound, Invalid. R1, R2.
    """
    filer = s.get(Person, by.person_id) if by.person_id is not None else None
    require(s, by, "repair.file")
    return file_at(
        s, scene_named(s, place_code, fault_code), text=text, by=by, now=now, way=way, photo_nos=photos, quantity=quantity,
        severity=severity, contact_name=contact_name, contact_phone=contact_phone, window=window,
        nobody_home_ok=nobody_home_ok, escort=escort, entry=entry, idem_key=idem_key,
        requester_id=(filer.id if filer else None) if requester_id is None else requester_id, received_at=received_at,
        confirm_duplicate=confirm_duplicate, confirmed_emergency=confirmed_emergency,
    )  # fmt: skip


def file_at(
    s: Session,
    scene: Scene,
    *,
    text: str | None,
    by: Actor,
    now: datetime,
    requester_id: int | None,
    way: str | None = None,
    photo_nos: Sequence[str] = (),
    quantity: int = 1,
    severity: str = "normal",
    contact_name: str | None = None,
    contact_phone: str | None = None,
    window: tuple[datetime | None, datetime | None] | None = None,
    nobody_home_ok: bool = False,
    escort: bool = False,
    entry: str | None = None,
    idem_key: str | None = None,
    received_at: datetime | None = None,
    confirm_duplicate: bool = True,
    confirmed_emergency: bool = False,
    for_somebody: bool = False,
) -> Ticket:
    """`file_repair` for a place and a fault already read. `for_somebody`: the desk files, `by` is 值班员. R1."""
    if requester_id != by.person_id and not for_somebody:
        require(s, by, "repair.file_for", at=scene.place)
        for_somebody = True
    operator_id = by.person_id if for_somebody else None
    values = _checked(
        text=text, quantity=quantity, severity=severity, window=window, entry=entry, idem_key=idem_key, received_at=received_at,
        now=now,
    )  # fmt: skip
    requester = s.get(Person, requester_id) if requester_id is not None else None
    values |= _contact(requester, contact_name, contact_phone)
    numbers = photos.wanted(photo_nos)
    fault, place = scene.fault, scene.place
    if fault.priority == "emergency" and not confirmed_emergency:
        if (stands := _filed_before(s, requester_id, operator_id, idem_key)) is not None:
            return stands
        raise emergency(scene)
    if not confirm_duplicate and (twin := open_twin(s, scene, now=now)) is not None:
        if (stands := _filed_before(s, requester_id, operator_id, idem_key)) is not None:
            return stands
        raise AlreadyReported(no=twin.no)

    needs_check = bool(values["text"] or values["entry_note"]) and not for_somebody
    ticket = Ticket(
        **values, no=ids.new("WX", now), place_id=place.id, fault_type_id=fault.id, state=RepairState.FILED,
        urgent=fault.priority == "emergency" or severity == "serious", way=way or by.way, requester_id=requester_id,
        nobody_home_ok=nobody_home_ok, escort=escort, desk_operator_id=operator_id,
        content=ContentState.UNCHECKED if needs_check else ContentState.PASSED,
        respond_by=now + timedelta(minutes=fault.respond_minutes),
        finish_by=now + timedelta(minutes=fault.finish_minutes), filed_at=now,
    )  # fmt: skip
    if not _insert_ignoring_twin(s, ticket):
        stands = _filed_before(s, requester_id, operator_id, idem_key)
        if stands is None:
            raise RuntimeError("the ticket was neither stored nor stood there before")
        return stands
    photos.attach(s, ticket, numbers, "filed", by=by, now=now)
    s.connection().execute(
        _FIRST_STEP,
        {"ticket_id": ticket.id, "at": now, "person_id": by.person_id, "way": ticket.way},
    )
    after = {"place": place.code, "fault": fault.code, "way": ticket.way, "urgent": ticket.urgent}
    audit(s, by, "repair.file", ticket.no, now=now, after=after)
    s.flush()
    owe_many(s, _debts(s, ticket, scene, now, needs_check=needs_check, for_somebody=for_somebody))
    _log.info("repair filed", no=ticket.no, way=ticket.way, place=place.code, fault=fault.code)
    return ticket


def emergency(scene: Scene) -> Emergency:
    """The stopper of an emergency fault: what to do and whom to call. R4."""
    return Emergency(
        say=scene.fault.emergency_text or "情况危急时请先撤离到安全处。",
        phone=scene.fault.emergency_phone or "119",
        fault=scene.fault.code,
        place=scene.place.code,
    )


def open_twin(s: Session, scene: Scene, *, now: datetime) -> Ticket | None:
    """The newest open ticket for that fault at that place, when it is young enough to be the same report. R5."""
    return s.scalars(
        sa.select(Ticket)
        .where(
            Ticket.place_id == scene.place.id,
            Ticket.state.in_(OPEN),
            Ticket.fault_type_id == scene.fault.id,
            Ticket.filed_at > now - setting(s, SAME_WITHIN),
        )
        .order_by(Ticket.id.desc())
        .limit(1)
    ).one_or_none()


def page_danger(s: Session, scene: Scene, *, person: str, now: datetime) -> None:
    """The duty desk is paged about an emergency that is no ticket yet, once an hour per place and fault. R4."""
    about = f"{scene.place.id}-{scene.fault.id}-{now:%y%m%d%H}"
    to = telling.desk(s, scene.place, now)
    notices.owe(s, "repair_danger", to=to, about=about, now=now, **_where(scene), at=now, person=person)


def _debts(
    s: Session, ticket: Ticket, scene: Scene, now: datetime, *, needs_check: bool, for_somebody: bool
) -> list[dict[str, Any]]:
    debts = [
        new_debt(
            DISPATCH, key=f"{DISPATCH}:{ticket.no}", due_at=now, priority=Priority.URGENT, ticket_id=ticket.id
        )
    ]  # fmt: skip
    facts: dict[str, Any] = {"no": ticket.no, **_where(scene), "status": words.STATES[ticket.state], "at": now}
    if ticket.requester_id is not None:
        kind = "repair_filed_for_you" if for_somebody else "repair_filed"
        debts += notices.debts(kind, to=ticket.requester_id, about=ticket.no, now=now, **facts)
    if needs_check:
        debts.append(content.text_debt(ticket.no, "ticket", now=now))
    if scene.fault.priority == "emergency":
        to = telling.desk(s, scene.place, now)
        debts += notices.debts("repair_emergency", to=to, about=ticket.no, now=now, **facts, text=f"工单 {ticket.no}")
    return debts


def _where(scene: Scene) -> dict[str, Any]:
    return {"place": scene.place.label, "fault": scene.fault.name}


def _checked(
    *,
    text: str | None,
    quantity: int,
    severity: str,
    window: tuple[datetime | None, datetime | None] | None,
    entry: str | None,
    idem_key: str | None,
    received_at: datetime | None,
    now: datetime,
) -> dict[str, Any]:
    """What was typed in, as it is stored. Raises Invalid naming every field that is wrong."""
    wrong: dict[str, str] = {}
    if not 1 <= quantity <= 999:
        wrong["quantity"] = "数量应为 1 到 999"
    if severity not in words.SEVERITIES:
        wrong["severity"] = f"应为 {'、'.join(words.SEVERITIES)}"
    begins, ends = window or (None, None)
    if begins and ends and begins >= ends:
        wrong["window"] = "结束时间应晚于开始时间"
    if ends and ends <= now:
        wrong["window"] = "希望上门的时间已过"
    if idem_key is not None and not 1 <= len(idem_key) <= 64:
        wrong["idem_key"] = "应为 1 到 64 个字符"
    if received_at and received_at > now:
        wrong["received_at"] = "接报时间不能晚于现在"
    if wrong:
        raise Invalid(fields=wrong)
    return {
        "text": words.said(text, "text", most=words.LONGEST_TEXT),
        "entry_note": words.said(entry, "entry", most=180) or None,
        "quantity": quantity,
        "severity": severity,
        "window_from": begins,
        "window_until": ends,
        "idem_key": idem_key,
        "received_at": received_at or now,
    }


def _contact(person: Person | None, name: str | None, phone: str | None) -> dict[str, str | None]:
    """Who is to be called: what was given, else what is known of the requester. Sealed at rest, masked for showing (P8)."""
    contact = {
        "contact_name": words.said(name, "contact_name", most=words.LONGEST_LINE) or (person.name if person else None)
    }
    number = words.phone(phone, "contact_phone")
    if number is None:
        return contact | {
            "contact_phone_sealed": person.phone_sealed if person else None,
            "contact_phone_masked": person.phone_masked if person else None,
        }
    return contact | {"contact_phone_sealed": crypto.seal(number), "contact_phone_masked": words.masked(number)}


def _insert_ignoring_twin(s: Session, ticket: Ticket) -> bool:
    """Whether the ticket is in. False when its twin under the same key was in before; nothing else is undone.

    INSERT IGNORE is one round trip where a savepoint is three. What it would swallow besides (over-long text, an
    unknown place) has been checked before.
    """
    number = insert_if_new(s, Ticket, {name: getattr(ticket, name) for name in _COLUMNS})
    if number is None:
        return False
    ticket.id = number
    orm.make_transient_to_detached(ticket)  # the row is in: from here on the session keeps it like any other
    s.add(ticket)
    return True


_COLUMNS = [name for name in sa.inspect(Ticket).column_attrs.keys() if name != "id"]  # noqa: SIM118  no mapping


def _filed_before(s: Session, requester_id: int | None, operator_id: int | None, idem_key: str | None) -> Ticket | None:
    if idem_key is None:
        return None
    whose = Ticket.requester_id == requester_id if requester_id is not None else Ticket.desk_operator_id == operator_id
    return s.scalars(sa.select(Ticket).where(whose, Ticket.idem_key == idem_key)).one_or_none()
