"""Who is told what when a ticket has moved. FEATURES R8–R10, N1; the words stand here, the channel is decided later.

A ticket may be finished, refused and finished again: the second time the notice is about `WX…/2`, so that it is said
again and still once.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campus import notices
from campus.notices import AT_WORK, USUAL, Kind
from campus.repairs import words
from campus.repairs.scene import Scene
from models.access import Actor, people_who_may
from models.people import Person
from models.places import Place
from models.repairs import Shift, Ticket, TicketStep

DETAIL = "/pages/repair/detail?no={about}"
COMMON = ("no", "place", "fault", "status", "at", "worker", "person", "text")


def _requester(name: str, title: str, text: str) -> Kind:
    return notices.register(
        Kind(name, title, text, COMMON, USUAL, page=DETAIL, asked_with=("repair.file", "repair.rate"))
    )


def _at_work(name: str, title: str, text: str, *, useful_for: timedelta | None = None) -> Kind:
    return notices.register(
        Kind(
            name, title, text, COMMON, AT_WORK, urgent=True, useful_for=useful_for, page=DETAIL,
            asked_with=("repair.work",),
        )
    )  # fmt: skip


notices.register(
    # Whoever files sees the number at once; a push would only spend a one-time subscription (N3).
    Kind("repair_filed", "报修已登记", "{place} {fault} 已登记，工单号 {no}，正在安排师傅。", COMMON, (), page=DETAIL)
)
_requester("repair_filed_for_you", "报修已登记", "值班台已为您登记：{place} {fault}，工单号 {no}。")
_requester("repair_taken", "师傅已接单", "{worker} 师傅已接单：{place} {fault}。")
_requester("repair_done", "维修完成，请验收", "{place} {fault}：{text}，请验收并评价。")
_requester("repair_unfixable", "暂时无法修复", "{place} {fault} 暂时无法修复：{text}")
_requester("repair_closed", "报修已结束", "{place} {fault} {status}。{text}")
_at_work("repair_dispatched", "新的维修任务", "{place} {fault}，报修人 {person}，请尽快接单。")
_at_work("repair_cancelled", "任务已取消", "{place} {fault} {status}，不必前往。{text}")
_at_work("repair_refused", "验收未通过", "{place} {fault} 验收未通过：{text}")
_at_work("repair_unassigned", "待派工提醒", "{place} {fault} 尚未派工：{text}")
_at_work("repair_cannot", "无法修复待处理", "{place} {fault} 无法修复：{text}")
notices.register(
    Kind(
        "repair_danger", "危险警报", "紧急！{place} {fault}，{person} 报告，已提示拨打求助电话。", COMMON, AT_WORK,
        urgent=True, useful_for=timedelta(hours=12),
    )
)  # fmt: skip
_at_work("repair_emergency", "紧急报修", "紧急！{place} {fault}，{text}", useful_for=timedelta(hours=12))


@dataclass(frozen=True, slots=True)
class Happened:
    """One move that has happened."""

    action: str
    ticket: Ticket
    step: TicketStep
    scene: Scene
    by: Actor
    now: datetime
    note: str
    worker_before: int | None


def tell(s: Session, what: Happened) -> None:
    """Everybody whom this move concerns is owed a notice, in the same transaction."""
    if (told := TOLD.get(what.action)) is not None:
        told(s, what)


def _assigned(s: Session, what: Happened) -> None:
    ticket = what.ticket
    if what.worker_before not in (None, ticket.worker_id):
        _say(s, what, "repair_cancelled", [what.worker_before], status="已改派")
    _say(s, what, "repair_dispatched", [ticket.worker_id], person=ticket.contact_name)


def _taken(s: Session, what: Happened) -> None:
    _say(s, what, "repair_taken", [what.ticket.requester_id], worker=_name(s, what.ticket.worker_id))


def _finished(s: Session, what: Happened) -> None:
    text = words.RESULTS.get(str((what.step.facts or {}).get("result")), "已修好")
    _say(s, what, "repair_done", [what.ticket.requester_id], text=text, worker=_name(s, what.ticket.worker_id))


def _cannot(s: Session, what: Happened) -> None:
    _say(s, what, "repair_unfixable", [what.ticket.requester_id], text=what.note)
    _say(s, what, "repair_cannot", desk(s, what.scene.place, what.now), text=what.note)


def _cancelled(s: Session, what: Happened) -> None:
    if what.by.person_id != what.ticket.requester_id:
        _say(s, what, "repair_closed", [what.ticket.requester_id], text=what.note)
    _say(s, what, "repair_cancelled", [what.ticket.worker_id], text="")


def _rejected(s: Session, what: Happened) -> None:
    _say(s, what, "repair_closed", [what.ticket.requester_id], text=what.note)
    _say(s, what, "repair_cancelled", [what.ticket.worker_id], text=what.note)


def _closed(s: Session, what: Happened) -> None:
    _say(s, what, "repair_closed", [what.ticket.requester_id], text=what.note)


def _refused(s: Session, what: Happened) -> None:
    # The requester's own words are not pushed: they have not passed the content check yet (P11).
    _say(
        s,
        what,
        "repair_refused",
        [what.ticket.worker_id],
        text="原因见工单，请重新处理。",
        person=what.ticket.contact_name,
    )


TOLD: dict[str, Callable[[Session, Happened], None]] = {
    "assign": _assigned,
    "reassign": _assigned,
    "take": _taken,
    "finish": _finished,
    "cannot": _cannot,
    "cancel": _cancelled,
    "reject": _rejected,
    "close": _closed,
    "refuse": _refused,
}


def _say(s: Session, what: Happened, kind: str, to: Iterable[int | None], **facts: str | None) -> None:
    people = [person for person in to if person is not None]
    if not people:
        return
    notices.owe(s, kind, to=people, about=_round(s, what), now=what.now, **(facts_of(what) | facts))


def facts_of(what: Happened) -> dict[str, Any]:
    """What every notice about a ticket can say."""
    return {
        "no": what.ticket.no,
        "place": what.scene.place.label,
        "fault": what.scene.fault.name,
        "status": words.STATES[what.ticket.state],
        "at": what.now,
    }


def _round(s: Session, what: Happened) -> str:
    """The number, and from the second time that the ticket went this way on, which time it is."""
    times = s.scalar(
        sa.select(sa.func.count())
        .select_from(TicketStep)
        .where(
            TicketStep.ticket_id == what.ticket.id,
            TicketStep.action.in_(("assign", "reassign") if what.action == "reassign" else (what.action,)),
        )
    )
    return what.ticket.no if (times or 1) <= 1 else f"{what.ticket.no}/{times}"


def _name(s: Session, person_id: int | None) -> str:
    person = s.get(Person, person_id) if person_id is not None else None
    return person.name if person is not None else ""


def desk(s: Session, place: Place, now: datetime) -> list[int]:
    """The duty desk for that place: those of it who are on shift, else all of it, else everybody who may assign. R8."""
    people = people_who_may(s, "repair.file_for", at=place) or people_who_may(s, "repair.assign", at=place)
    here = s.scalars(
        sa.select(Shift.person_id).where(Shift.person_id.in_(people), Shift.starts_at <= now, Shift.ends_at > now)
    ).all()
    return sorted(set(here)) or people
