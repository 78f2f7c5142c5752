"""The tree of fault types, which the office edits at any time, and which of them a place reports most. FEATURES R4.

A type is retired, never deleted: old tickets keep it. Edits are audited.
"""

import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Session

from campus.repairs import words
from campus.repairs.matching import plain
from core.db import found, insert_once
from core.errors import Conflict, Invalid
from models.access import Actor, require
from models.audit import audit
from models.places import Place, PlaceKind
from models.repairs import DispatchWay, FaultType, Ticket

COMMON_OVER = timedelta(days=90)
LOOK_AGAIN = timedelta(minutes=5)
PRIORITIES = ("normal", "emergency")


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault type as everybody may see it."""

    id: int
    code: str
    name: str
    priority: str
    hint: str | None
    emergency_phone: str | None
    emergency_text: str | None

    @property
    def is_emergency(self) -> bool:
        return self.priority == "emergency"


@dataclass(frozen=True, slots=True)
class FaultNode:
    """One node of the tree with what is below it; a node without children can be reported."""

    fault: FaultType
    children: list["FaultNode"]


_COLUMNS = (
    FaultType.id, FaultType.code, FaultType.name, FaultType.priority, FaultType.hint, FaultType.emergency_phone,
    FaultType.emergency_text,
)  # fmt: skip


def tree(s: Session, *, with_retired: bool = False) -> list[FaultNode]:
    """The roots of the tree, every level in the office's order."""
    query = sa.select(FaultType).order_by(FaultType.rank, FaultType.id)
    rows = s.scalars(query if with_retired else query.where(FaultType.retired_at.is_(None))).all()
    nodes = {row.id: FaultNode(row, []) for row in rows}
    roots = []
    for row in rows:
        above = nodes.get(row.parent_id) if row.parent_id is not None else None
        if above is not None:
            above.children.append(nodes[row.id])
        elif row.parent_id is None:
            roots.append(nodes[row.id])
    return roots


def leaves(s: Session) -> list[Fault]:
    """Everything that can be reported, in the office's order."""
    return [
        Fault(*row) for row in s.execute(sa.select(*_COLUMNS).where(*is_leaf()).order_by(FaultType.rank, FaultType.id))
    ]


def fault_named(s: Session, code: str) -> Fault | None:
    """The reportable fault type of that code."""
    row = s.execute(sa.select(*_COLUMNS).where(FaultType.code == code, *is_leaf())).one_or_none()
    return Fault(*row) if row is not None else None


def is_leaf() -> tuple[sa.ColumnElement[bool], ...]:
    """The conditions on FaultType for what can be reported: in use, with nothing in use below it."""
    child = orm.aliased(FaultType)
    return (
        FaultType.retired_at.is_(None),
        ~sa.exists().where(child.parent_id == FaultType.id, child.retired_at.is_(None)),
    )


# ---- the commonest, for the scan ------------------------------------------------------------------------------------

# The order is counted again after five minutes per kind of place and process; names and retirements are always fresh.
_orders: "weakref.WeakKeyDictionary[Any, dict[PlaceKind, tuple[datetime, list[int]]]]" = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def common_at(s: Session, place: Place, n: int = 6, *, now: datetime) -> list[Fault]:
    """The faults reported most at places of that kind in the last 90 days, filled up in the office's order.

    One statement by primary key, but for the first call in five minutes. R1 (a scan answers at once).
    """
    for fresh in (False, True):
        wanted = _order(s, place.kind, now, fresh=fresh)[:n]
        rows = {
            row.id: Fault(*row) for row in s.execute(sa.select(*_COLUMNS).where(FaultType.id.in_(wanted), *is_leaf()))
        }
        if len(rows) == len(wanted):
            break
    return [rows[id_] for id_ in wanted if id_ in rows]


def _order(s: Session, kind: PlaceKind, now: datetime, *, fresh: bool) -> list[int]:
    with _lock:
        known = _orders.setdefault(s.get_bind().engine, {})
    if not fresh and kind in known and timedelta(0) <= now - known[kind][0] < LOOK_AGAIN and known[kind][1]:
        return known[kind][1]
    reported = (
        sa.select(Ticket.fault_type_id, sa.func.count().label("times"))
        .join(Place, Place.id == Ticket.place_id)
        .where(Place.kind == kind, Ticket.filed_at > now - COMMON_OVER)
        .group_by(Ticket.fault_type_id)
        .subquery()
    )
    order = list(
        s.scalars(
            sa.select(FaultType.id)
            .outerjoin(reported, reported.c.fault_type_id == FaultType.id)
            .where(*is_leaf())
            .order_by(
                sa.func.coalesce(reported.c.times, 0).desc(),
                FaultType.priority == "emergency",  # no newcomer is offered a fire first
                FaultType.rank,
                FaultType.id,
            )
            .limit(30)
        )
    )
    known[kind] = (now, order)
    return order


# ---- what the office edits -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FaultForm:
    """What the office fills in for a fault type."""

    name: str
    parent: str | None = None
    trade: str | None = None
    priority: str = "normal"
    standard_minutes: int = 60
    dispatch_way: str = DispatchWay.BY_AREA
    respond_minutes: int = 120
    finish_minutes: int = 1440
    hint: str | None = None
    emergency_phone: str | None = None
    emergency_text: str | None = None
    rank: int = 100


class CodeTaken(Conflict):
    code, text = "code_taken", "编码已被使用"


def add_fault(s: Session, *, code: str, form: FaultForm, by: Actor, now: datetime) -> FaultType:
    """The fault type can be reported from now on. Raises Invalid, CodeTaken. R4."""
    require(s, by, "fault.edit")
    code = words.said(code, "code", most=64, needed="请填写编码")
    row = FaultType(code=code, **_values(s, form, None))
    if not insert_once(s, row):
        raise CodeTaken(fault=code)
    audit(s, by, "fault.add", code, now=now, after=_shown(row))
    return row


def edit_fault(s: Session, *, code: str, form: FaultForm, by: Actor, now: datetime) -> FaultType:
    """The fault type is as filled in; tickets filed before keep their deadlines. R4."""
    require(s, by, "fault.edit")
    row = found(s, FaultType, code=code)
    before = _shown(row)
    for name, value in _values(s, form, row).items():
        setattr(row, name, value)
    audit(s, by, "fault.edit", code, now=now, before=before, after=_shown(row))
    return row


def retire_fault(s: Session, *, code: str, by: Actor, now: datetime) -> FaultType:
    """Nobody can report it from now on, nor anything below it; tickets keep it. Again changes nothing. R4."""
    require(s, by, "fault.edit")
    row = found(s, FaultType, code=code)
    if row.retired_at is None:
        row.retired_at = now
        for below in s.scalars(sa.select(FaultType).where(FaultType.parent_id == row.id)):
            if below.retired_at is None:
                retire_fault(s, code=below.code, by=by, now=now)
        audit(s, by, "fault.retire", code, now=now, before={"retired": False}, after={"retired": True})
    return row


def restore_fault(s: Session, *, code: str, by: Actor, now: datetime) -> FaultType:
    """It can be reported again. R4."""
    require(s, by, "fault.edit")
    row = found(s, FaultType, code=code)
    if row.retired_at is not None:
        row.retired_at = None
        audit(s, by, "fault.restore", code, now=now, before={"retired": True}, after={"retired": False})
    return row


def _values(s: Session, form: FaultForm, row: FaultType | None) -> dict[str, Any]:
    wrong: dict[str, str] = {}
    parent = s.scalars(sa.select(FaultType).where(FaultType.code == form.parent)).one_or_none() if form.parent else None
    if form.parent and parent is None:
        wrong["parent"] = "没有这个上级类型"
    if parent is not None and row is not None and row.id in _chain(s, parent):
        wrong["parent"] = "上级不能是自己或自己的下级"
    if form.priority not in PRIORITIES:
        wrong["priority"] = f"应为 {'、'.join(PRIORITIES)}"
    if form.dispatch_way not in list(DispatchWay):
        wrong["dispatch_way"] = f"应为 {'、'.join(DispatchWay)}"
    for name in ("standard_minutes", "respond_minutes", "finish_minutes"):
        if not 1 <= getattr(form, name) <= 60 * 24 * 365:
            wrong[name] = "应为 1 分钟到 1 年"
    if not 0 <= form.rank <= 1_000_000:
        wrong["rank"] = "应为 0 到 1000000"
    if form.priority == "emergency" and not (form.emergency_phone or "").strip():
        wrong["emergency_phone"] = "紧急类型要填写求助电话"
    if wrong:
        raise Invalid(fields=wrong)
    return {
        "name": words.said(form.name, "name", most=words.LONGEST_LINE, needed="请填写名称"),
        "parent_id": parent.id if parent else None,
        "trade": words.said(form.trade, "trade", most=words.LONGEST_LINE) or None,
        "priority": form.priority,
        "standard_minutes": form.standard_minutes,
        "dispatch_way": DispatchWay(form.dispatch_way),
        "respond_minutes": form.respond_minutes,
        "finish_minutes": form.finish_minutes,
        "hint": words.said(form.hint, "hint") or None,
        "emergency_phone": words.phone(form.emergency_phone, "emergency_phone"),
        "emergency_text": words.said(form.emergency_text, "emergency_text") or None,
        "rank": form.rank,
    }


def _chain(s: Session, row: FaultType) -> list[int]:
    """The ids from this node up to its root."""
    ids, above = [row.id], row.parent_id
    while above is not None and above not in ids:
        ids.append(above)
        above = s.scalar(sa.select(FaultType.parent_id).where(FaultType.id == above))
    return ids


def _shown(row: FaultType) -> dict[str, Any]:
    shown = {field.name: getattr(row, field.name) for field in fields(FaultForm) if field.name != "parent"}
    return shown | {"parent_id": row.parent_id, "dispatch_way": str(shown["dispatch_way"])}


# ---- exact words of a chat ------------------------------------------------------------------------------------------


def match(s: Session, text: str) -> Fault | None:
    """The fault type whose name or code this text is, full and half width alike; None for anything less. R1."""
    return match_among(leaves(s), text)


def match_among(known: Sequence[Fault], text: str) -> Fault | None:
    wanted = plain(text)
    hits = [fault for fault in known if wanted in (plain(fault.name), plain(fault.code))]
    return hits[0] if len(hits) == 1 else None
