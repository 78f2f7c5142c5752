"""A repair is filed, whatever the way in. FEATURES R1, R2, R4, R5, P8.

One INSERT each for ticket, step, audit line and debts, and one read for place and fault: a crowd files through the
chat callback, which has four seconds. For the same reason `file_at` takes and gives plain values; `ticket_of` makes
the session's object of them. The ticket's INSERT ignores its twin under (requester, idem_key), so the same tap twice
is one ticket without a savepoint.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Session

from campus import notices
from campus.repairs import content, photos, telling, words
from campus.repairs.scene import Site, scene_named
from campus.repairs.states import OPEN
from core import crypto, ids, log
from core.db import insert_if_new, writing
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

    code, text = "already_reported", "这里的同类问题已有人报修，正在处理"


class Requester(Protocol):
    """Who reports, and how they are called back: a Person, or these columns of one."""

    @property
    def id(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def phone_sealed(self) -> str | None: ...
    @property
    def phone_masked(self) -> str | None: ...


class Filed(NamedTuple):
    """The ticket that stands: new with the values it was stored with, or the one filed before under the same key."""

    id: int
    no: str
    state: RepairState
    filed_at: datetime
    stored: dict[str, Any] | None = None


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
    requester = filer if requester_id is None else s.get_one(Person, requester_id)
    filed = file_at(
        s, scene_named(s, place_code, fault_code).site, text=text, by=by, now=now, way=way, photo_nos=photos, quantity=quantity,
        severity=severity, contact_name=contact_name, contact_phone=contact_phone, window=window,
        nobody_home_ok=nobody_home_ok, escort=escort, entry=entry, idem_key=idem_key, requester=requester,
        received_at=received_at, confirm_duplicate=confirm_duplicate, confirmed_emergency=confirmed_emergency,
    )  # fmt: skip
    return ticket_of(s, filed)


def file_at(
    s: Session,
    site: Site,
    *,
    text: str | None,
    by: Actor,
    now: datetime,
    requester: Requester | None,
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
) -> Filed:
    """`file_repair` for a place and a fault already read. `for_somebody`: the desk files, `by` is 值班员. R1."""
    requester_id = requester.id if requester else None
    if requester_id != by.person_id and not for_somebody:
        require(s, by, "repair.file_for", at=site.place(s))
        for_somebody = True
    operator_id = by.person_id if for_somebody else None
    values = _checked(
        text=text, quantity=quantity, severity=severity, window=window, entry=entry, idem_key=idem_key, received_at=received_at,
        now=now,
    )  # fmt: skip
    values |= _contact(requester, contact_name, contact_phone)
    numbers = photos.wanted(photo_nos)
    if site.is_emergency and not confirmed_emergency:
        if (stands := _filed_before(s, requester_id, operator_id, idem_key)) is not None:
            return stands
        raise emergency(site)
    if not confirm_duplicate and (twin := open_twin(s, site, now=now)) is not None:
        if (stands := _filed_before(s, requester_id, operator_id, idem_key)) is not None:
            return stands
        raise AlreadyReported(no=twin.no)

    needs_check = bool(values["text"] or values["entry_note"]) and not for_somebody
    way = way or by.way
    values |= {
        "no": ids.new("WX", now), "place_id": site.place_id, "fault_type_id": site.fault_id, "state": RepairState.FILED,
        "urgent": site.is_emergency or severity == "serious", "way": way, "requester_id": requester_id,
        "nobody_home_ok": nobody_home_ok, "escort": escort, "desk_operator_id": operator_id,
        "content": ContentState.UNCHECKED if needs_check else ContentState.PASSED,
        "respond_by": now + timedelta(minutes=site.respond_minutes),
        "finish_by": now + timedelta(minutes=site.finish_minutes), "filed_at": now,
    }  # fmt: skip
    ticket_id = _insert_ignoring_twin(s, values)
    if ticket_id is None:
        stands = _filed_before(s, requester_id, operator_id, idem_key)
        if stands is None:
            raise RuntimeError("the ticket was neither stored nor stood there before")
        return stands
    filed = Filed(ticket_id, values["no"], RepairState.FILED, now, values)
    photos.attach(s, filed, numbers, "filed", by=by, now=now)
    writing(s).execute(_FIRST_STEP, {"ticket_id": filed.id, "at": now, "person_id": by.person_id, "way": way})
    after = {"place": site.place_code, "fault": site.fault_code, "way": way, "urgent": values["urgent"]}
    audit(s, by, "repair.file", filed.no, now=now, after=after)
    owe_many(s, _debts(s, filed, requester, site, now, needs_check=needs_check, for_somebody=for_somebody))
    _log.info("repair filed", no=filed.no, way=way, place=site.place_code, fault=site.fault_code)
    return filed


def ticket_of(s: Session, filed: Filed) -> Ticket:
    """The ticket as the session keeps any other; it is not read again."""
    if filed.stored is None:
        return s.get_one(Ticket, filed.id)
    ticket = Ticket(id=filed.id, **filed.stored)
    orm.make_transient_to_detached(ticket)  # the row is in
    s.add(ticket)
    return ticket


def emergency(site: Site) -> Emergency:
    """The stopper of an emergency fault: what to do and whom to call. R4."""
    return Emergency(
        say=site.emergency_text or "情况危急时请先撤离到安全处。",
        phone=site.emergency_phone or "119",
        fault=site.fault_code,
        place=site.place_code,
    )


def open_twin(s: Session, site: Site, *, now: datetime) -> Ticket | None:
    """The newest open ticket for that fault at that place, when it is young enough to be the same report. R5."""
    return s.scalars(
        sa.select(Ticket)
        .where(
            Ticket.place_id == site.place_id,
            Ticket.state.in_(OPEN),
            Ticket.fault_type_id == site.fault_id,
            Ticket.filed_at > now - setting(s, SAME_WITHIN),
        )
        .order_by(Ticket.id.desc())
        .limit(1)
        # Told which index, or MariaDB may walk every ticket of that fault from the newest down.
        .with_hint(Ticket, "FORCE INDEX (ix_ticket_place_id_state)", "mysql")
        .with_hint(Ticket, "FORCE INDEX (ix_ticket_place_id_state)", "mariadb")
    ).one_or_none()


def page_danger(s: Session, site: Site, *, person: str, now: datetime) -> None:
    """The duty desk is paged about an emergency that is no ticket yet, once an hour per place and fault. R4."""
    about = f"{site.place_id}-{site.fault_id}-{now:%y%m%d%H}"
    to = telling.desk(s, site.place(s), now)
    notices.owe(s, "repair_danger", to=to, about=about, now=now, **_where(site), at=now, person=person)


def _debts(
    s: Session,
    filed: Filed,
    requester: Requester | None,
    site: Site,
    now: datetime,
    *,
    needs_check: bool,
    for_somebody: bool,
) -> list[dict[str, Any]]:
    debts = [new_debt(DISPATCH, key=f"{DISPATCH}:{filed.no}", due_at=now, priority=Priority.URGENT, ticket_id=filed.id)]
    facts: dict[str, Any] = {"no": filed.no, **_where(site), "status": words.STATES[filed.state], "at": now}
    if requester is not None:
        kind = "repair_filed_for_you" if for_somebody else "repair_filed"
        debts += notices.debts(kind, to=requester.id, about=filed.no, now=now, **facts)
    if needs_check:
        debts.append(content.text_debt(filed.no, "ticket", now=now))
    if site.is_emergency:
        to = telling.desk(s, site.place(s), now)
        debts += notices.debts("repair_emergency", to=to, about=filed.no, now=now, **facts, text=f"工单 {filed.no}")
    return debts


def _where(site: Site) -> dict[str, Any]:
    return {"place": site.place_label, "fault": site.fault_name}


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


def _contact(person: Requester | None, name: str | None, phone: str | None) -> dict[str, str | None]:
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


def _insert_ignoring_twin(s: Session, values: dict[str, Any]) -> int | None:
    """The ticket's id. None when its twin under the same key was in before; nothing else is undone.

    INSERT IGNORE is one round trip where a savepoint is three. What it would swallow besides (over-long text, an
    unknown place) has been checked before.
    """
    return insert_if_new(s, Ticket, values)


def _filed_before(s: Session, requester_id: int | None, operator_id: int | None, idem_key: str | None) -> Filed | None:
    if idem_key is None:
        return None
    whose = Ticket.requester_id == requester_id if requester_id is not None else Ticket.desk_operator_id == operator_id
    row = s.execute(
        sa.select(Ticket.id, Ticket.no, Ticket.state, Ticket.filed_at).where(whose, Ticket.idem_key == idem_key)
    ).one_or_none()
    return Filed(*row) if row is not None else None
