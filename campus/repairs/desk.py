"""What the duty desk does: send somebody by hand, reject, close, file for a caller. FEATURES R1, R8."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campus.repairs import words
from campus.repairs.filing import file_at, ticket_of
from campus.repairs.scene import scene_named, scene_of
from campus.repairs.states import check, move
from core.db import hold
from core.errors import Conflict, Invalid, NotFound
from models.access import Actor, grants, require
from models.people import Person, PersonStatus
from models.repairs import DispatchWay, RepairState, Ticket


class NotAWorker(Invalid):
    """Only somebody who may do repairs can be sent."""

    code, text = "not_a_worker", "该人员不是维修工"


class AlreadyAssigned(Conflict):
    """Somebody was sent already: to send another, say why."""

    code, text = "already_assigned", "已派给{worker}，改派请写明原因"


class NobodySuch(NotFound):
    code, text = "person_not_found", "没有找到这个学号/工号"


def assign(s: Session, *, no: str, worker_id: int, reason: str | None = None, by: Actor, now: datetime) -> Ticket:
    """派工 or 改派 by hand: that worker has the ticket. Taking it from another takes a reason. R8.

    Raises NotAWorker, AlreadyAssigned, WrongState, Forbidden.
    """
    why = words.said(reason, "reason", most=100)
    ticket = hold(s, Ticket, no=no)
    action = "assign" if ticket.state is RepairState.FILED else "reassign"
    check(s, ticket, scene_of(s, ticket).place, action, by)
    if ticket.state in (RepairState.ASSIGNED, RepairState.WORKING) and ticket.worker_id == worker_id:
        return ticket
    worker = s.get(Person, worker_id)
    if worker is None or worker.status is not PersonStatus.ACTIVE or not _is_worker(s, worker_id):
        raise NotAWorker(worker=worker_id)
    if ticket.state in (RepairState.ASSIGNED, RepairState.WORKING) and not why:
        earlier = s.get(Person, ticket.worker_id)
        raise AlreadyAssigned(no=no, worker=earlier.name if earlier else "")
    operator = s.get(Person, by.person_id)
    shown = f"人工派工：{operator.name if operator else '值班员'}" + (f"（{why}）" if why else "")
    values = {"worker_id": worker_id, "dispatch_way": DispatchWay.BY_HAND, "why": shown[:190]}
    return move(s, ticket, action, by=by, now=now, note=why or shown, values=values, worker=worker_id).ticket


def reject(s: Session, *, no: str, reason: str, by: Actor, now: datetime) -> Ticket:
    """驳回: not for the repair office; the requester is told why. R11."""
    return move(s, no, "reject", by=by, now=now, note=words.said(reason, "reason", needed="请写明驳回原因")).ticket


def close(s: Session, *, no: str, reason: str, by: Actor, now: datetime) -> Ticket:
    """关闭: the desk ends what nobody will accept (no requester known, or cannot be fixed), and says why. R11."""
    return move(s, no, "close", by=by, now=now, note=words.said(reason, "reason", needed="请写明关闭原因")).ticket


def cancel_any(s: Session, *, no: str, reason: str, by: Actor, now: datetime) -> Ticket:
    """撤销 by the desk, for a caller who called again. R10."""
    return move(s, no, "cancel", by=by, now=now, note=words.said(reason, "reason", needed="请写明撤销原因")).ticket


def file_for(
    s: Session,
    *,
    place_code: str,
    fault_code: str,
    text: str | None = None,
    by: Actor,
    now: datetime,
    campus_no: str | None = None,
    contact_name: str | None = None,
    contact_phone: str | None = None,
    received_at: datetime | None = None,
    photos: Sequence[str] = (),
    quantity: int = 1,
    severity: str = "normal",
    window: tuple[datetime | None, datetime | None] | None = None,
    nobody_home_ok: bool = False,
    escort: bool = False,
    entry: str | None = None,
    idem_key: str | None = None,
    confirm_duplicate: bool = True,
) -> Ticket:
    """A caller's repair is filed with 接报时间 and 值班员. The caller is a person of the campus, or a name and a number. R1.

    The desk is the one to be paged about an emergency: it is filed without the stopper, and the page goes out.
    """
    scene = scene_named(s, place_code, fault_code)
    require(s, by, "repair.file_for", at=scene.place)
    requester: Person | None = None
    if campus_no:
        requester = s.scalars(sa.select(Person).where(Person.campus_no == campus_no.strip())).one_or_none()
        if requester is None:
            raise NobodySuch(campus_no=campus_no)
    elif not (words.said(contact_name, "contact_name") and words.phone(contact_phone, "contact_phone")):
        raise Invalid(fields={"contact_phone": "请填写学号/工号，或联系人和电话"})
    filed = file_at(
        s, scene.site, text=text, by=by, now=now, way="desk", requester=requester, contact_name=contact_name,
        contact_phone=contact_phone, received_at=received_at, photo_nos=photos, quantity=quantity, severity=severity,
        window=window, nobody_home_ok=nobody_home_ok, escort=escort, entry=entry, idem_key=idem_key,
        confirm_duplicate=confirm_duplicate, confirmed_emergency=True, for_somebody=True,
    )  # fmt: skip
    return ticket_of(s, filed)


def _is_worker(s: Session, person_id: int) -> bool:
    return any(grant.allows("repair.work") for grant in grants(s, person_id))
