"""What the office looks at: how much waits, whether the outside answers, the audit, the settings. FEATURES P7, R8, N5.

Health is read from what every process writes down anyway (debts with their last answer, timed jobs, delivery tries),
so the console of one process shows what the worker of another met.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campus import sessions
from campus.access import require_for
from campus.places import natural
from campus.repairs.lines import reaching
from campus.repairs.states import OPEN, OURS
from core import clock
from core.db import found
from core.errors import Invalid, NotFound
from models.access import Actor, Role, RoleGrant, missing, require
from models.audit import AuditLine, audit
from models.cases import Case
from models.job_runs import JobRun
from models.notices import NoticeTry, SubscriptionQuota
from models.outbox import Debt, DebtState
from models.people import Person, PersonStatus
from models.places import Place, PlaceKind, Resident
from models.repairs import RepairState, Ticket, WorkerTrade
from models.settings import REGISTRY, Setting, SettingRow, change, setting

LATELY = timedelta(minutes=15)
SLOW_AFTER_S = 60
_HHMM = re.compile(r"^([01]\d|2[0-3]):[0-5]\d$")
WORKER_SILENT_AFTER = timedelta(minutes=5)

# ---- how much waits -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DeskCounts:
    """Open tickets by state, and what needs somebody now."""

    by_state: dict[RepairState, int]
    overdue: int
    unassigned: int
    filed_today: int
    done_today: int

    @property
    def open(self) -> int:
        return sum(count for state, count in self.by_state.items() if state in OPEN)


def desk_counts(s: Session, *, by: Actor, now: datetime) -> DeskCounts:
    """The numbers of the desk, where the person may see repairs. Raises Forbidden."""
    reach = _reach(s, by)
    today = clock.at(clock.campus_day(now), "00:00")

    def counted(*where: sa.ColumnElement[bool]) -> int:
        query = sa.select(sa.func.count()).select_from(Ticket).join(Place, Place.id == Ticket.place_id)
        return s.scalar(query.where(*reach, *where)) or 0

    states = s.execute(
        sa.select(Ticket.state, sa.func.count())
        .join(Place, Place.id == Ticket.place_id)
        .where(*reach, Ticket.state.in_(OPEN))
        .group_by(Ticket.state)
    ).all()
    by_state = {row[0]: row[1] for row in states}
    return DeskCounts(
        by_state=by_state,
        overdue=counted(Ticket.state.in_(OURS), Ticket.finish_by < now),
        unassigned=by_state.get(RepairState.FILED, 0),
        filed_today=counted(Ticket.filed_at >= today),
        done_today=counted(Ticket.done_at >= today),
    )


def by_hour(s: Session, *, by: Actor, day: date) -> dict[str, list[int]]:
    """How many tickets were filed and how many finished in each hour of that campus day. Raises Forbidden."""
    reach = _reach(s, by)
    begins, ends = clock.at(day, "00:00"), clock.at(day, "24:00")

    def hours(moment: Any) -> list[int]:
        counts = [0] * 24
        query = sa.select(moment).join(Place, Place.id == Ticket.place_id)
        for (at,) in s.execute(query.where(*reach, moment >= begins, moment < ends)):
            counts[clock.to_campus(at).hour] += 1
        return counts

    return {"filed": hours(Ticket.filed_at), "done": hours(Ticket.done_at)}


def _reach(s: Session, by: Actor) -> list[sa.ColumnElement[bool]]:
    reach = reaching(s, by, "repair.see")
    if reach is None:
        raise missing("repair.see")
    return reach


def buildings(s: Session) -> list[tuple[str, str]]:
    """Code and label of every building in use, as people count them."""
    rows = s.execute(
        sa.select(Place.code, Place.label).where(Place.kind == PlaceKind.BUILDING, Place.retired_at.is_(None))
    ).all()
    return sorted(((code, label) for code, label in rows), key=lambda one: natural(one[0]))


def workers(s: Session) -> list[tuple[int, str]]:
    """Id and name of everybody who may do repairs somewhere, by name."""
    able = (
        sa.select(RoleGrant.person_id).join(Role, Role.name == RoleGrant.role).where(RoleGrant.taken_back_at.is_(None))
    )
    roles = [name for name, deeds in s.execute(sa.select(Role.name, Role.deeds)) if "repair.work" in deeds]
    rows = s.execute(
        sa.select(Person.id, Person.name)
        .where(Person.id.in_(able.where(RoleGrant.role.in_(roles))), Person.status == PersonStatus.ACTIVE)
        .order_by(Person.name)
    ).all()
    return [(number, name) for number, name in rows]


def trades(s: Session, people: Sequence[int]) -> dict[int, list[str]]:
    """The trades of each of these workers."""
    known: dict[int, list[str]] = {}
    query = sa.select(WorkerTrade.person_id, WorkerTrade.trade).where(WorkerTrade.person_id.in_(people))
    for person_id, trade in s.execute(query):
        known.setdefault(person_id, []).append(trade)
    return known


def homes(s: Session, people: Sequence[int]) -> dict[int, Place]:
    """The room each of these people lives in."""
    rows = s.execute(
        sa.select(Resident.person_id, Place)
        .join(Place, Place.id == Resident.place_id)
        .where(Resident.person_id.in_(people), Resident.live.is_(True))
    ).all()
    return {row[0]: row[1] for row in rows}


def rooms_below(s: Session, parents: Sequence[int]) -> dict[int, int]:
    """How many places stand directly below each of these."""
    query = sa.select(Place.parent_id, sa.func.count()).where(Place.parent_id.in_(parents), Place.retired_at.is_(None))
    return {row[0]: row[1] for row in s.execute(query.group_by(Place.parent_id)) if row[0] is not None}


def open_below(s: Session, tops: Sequence[Place]) -> dict[int, int]:
    """How many open tickets there are at each of these places or below."""
    if not tops:
        return {}
    query = (
        sa.select(Place.path, sa.func.count()).join(Ticket, Ticket.place_id == Place.id).where(Ticket.state.in_(OPEN))
    )
    counts: dict[int, int] = {}
    for path, count in s.execute(query.group_by(Place.path)):
        for top in tops:
            if path.startswith(top.path):
                counts[top.id] = counts.get(top.id, 0) + count
    return counts


# ---- whether the outside answers ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the health list: `state` is up, slow or down."""

    what: str
    state: str
    said: str
    since: datetime | None = None


def health(s: Session, *, now: datetime) -> list[Line]:
    """The worker, what is owed and late, and each channel by what it answered lately."""
    return [_worker(s, now), _debts(s, now), *_channels(s, now)]


def _worker(s: Session, now: datetime) -> Line:
    last = s.scalar(sa.select(sa.func.max(JobRun.finished_at)))
    if last is None:
        return Line("后台任务", "slow", "还没有运行过")
    if now - last > WORKER_SILENT_AFTER:
        return Line("后台任务", "down", "没有在运行", last)
    return Line("后台任务", "up", "正常", last)


def _debts(s: Session, now: datetime) -> Line:
    waiting = (Debt.state == DebtState.OWED, sa.or_(Debt.due_at <= now, Debt.attempts > 1), Debt.owed_at <= now)
    count, oldest = s.execute(sa.select(sa.func.count(), sa.func.min(Debt.owed_at)).where(*waiting)).one()
    if not count:
        return Line("待发送", "up", "没有积压")
    answers = s.scalars(
        sa.select(Debt.answer)
        .where(*waiting, Debt.answer.is_not(None))
        .group_by(Debt.answer)
        .order_by(sa.func.count().desc())
        .limit(3)
    ).all()
    heard = f"({'、'.join(_in_words(str(answer)) for answer in answers)})"[:80] if answers else ""
    waits = (now - oldest).total_seconds()
    return Line("待发送", "slow" if waits > SLOW_AFTER_S else "up", f"{count} 件{heard}", oldest)


_WORDS = {
    "mini": "小程序", "official": "公众号", "wecom": "企业微信", "sms": "短信",
    "no_answer": "没有回答", "connect_timeout": "连不上", "connection": "连不上", "not_json": "回答看不懂",
    "not_object": "回答看不懂", "token": "没有拿到凭证",
}  # fmt: skip


def _in_words(answer: str) -> str:
    """What a channel answered, as an operator reads it; a platform's own code stays as it is."""
    return " ".join(_WORDS.get(word, word) for word in answer.split())


def _channels(s: Session, now: datetime) -> list[Line]:
    """What each channel answered in the last quarter of an hour, and since when it has only failed."""
    rows = s.execute(
        sa.select(NoticeTry.channel, NoticeTry.state, NoticeTry.answer, NoticeTry.tried_at)
        .where(NoticeTry.tried_at > now - LATELY)
        .order_by(NoticeTry.id.desc())
        .limit(2000)
    ).all()
    lines = []
    for channel in dict.fromkeys(row.channel for row in rows):
        mine = [row for row in rows if row.channel == channel]
        away = [row for row in mine if row.state in ("later", "unknown")]
        told = [row for row in mine if row.state in ("accepted", "delivered")]
        if not away:
            lines.append(Line(str(channel), "up", f"近 15 分钟 {len(told)} 条送出"))
        else:
            codes = "、".join(dict.fromkeys(_in_words(str(row.answer)) for row in away if row.answer))[:60]
            kind = "slow" if told and told[0].tried_at >= away[0].tried_at else "down"
            lines.append(Line(str(channel), kind, f"{len(away)} 条在等（{codes}）", away[-1].tried_at))
    return lines


def open_cases(s: Session, *, by: Actor) -> int:
    """How many things wait for an operator. Raises Forbidden."""
    require(s, by, "case.see")
    return s.scalar(sa.select(sa.func.count()).select_from(Case).where(Case.live.is_(True))) or 0


@dataclass(frozen=True, slots=True)
class Quota:
    """What is left of a one-time template: sends in all, people who can be sent one, people who refused (N3)."""

    sends: int
    people: int
    refused: int


def quotas(s: Session, *, by: Actor) -> dict[str, Quota]:
    """The quota of every one-time template that anybody was asked for, by template id. Raises Forbidden. N3."""
    require(s, by, "notice.see")
    one = SubscriptionQuota
    rows = s.execute(
        sa.select(
            one.template_id,
            sa.func.sum(one.remaining),
            sa.func.count(sa.case((one.remaining > 0, one.id))),
            sa.func.count(one.refused_at),
        ).group_by(one.template_id)
    )
    return {template: Quota(int(sends), people, refused) for template, sends, people, refused in rows}


def sign_out_everywhere(s: Session, *, person_id: int, by: Actor, now: datetime) -> int:
    """Every session of the person is over, at every door; how many were open. Raises Forbidden, NotFound. P7."""
    person = found(s, Person, id=person_id)
    require_for(s, by, "person.edit", person)
    ended = sessions.end_all(s, person.id, now=now)
    audit(s, by, "person.sign_out", f"person:{person.campus_no}", now=now, after={"sessions": ended})
    return ended


# ---- the audit --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Chain:
    """How far the audit is sealed."""

    sealed: int
    unsealed: int
    last_at: datetime | None


def audit_lines(
    s: Session,
    *,
    by: Actor,
    about: str | None = None,
    campus_no: str | None = None,
    deed: str | None = None,
    since: date | None = None,
    until: date | None = None,
    cursor: int | None = None,
    limit: int = 50,
) -> Sequence[sa.Row[AuditLine, Person]]:
    """Audit lines with who did it, newest first, those with a smaller id than `cursor`: (AuditLine, Person|None). P7."""
    require(s, by, "audit.see")
    query = (
        sa.select(AuditLine, Person)
        .outerjoin(Person, Person.id == AuditLine.person_id)
        .order_by(AuditLine.id.desc())
        .limit(max(1, min(limit, 200)))
    )
    if about:
        query = query.where(AuditLine.about.in_([about, f"person:{about}", f"place:{about}"]))
    if campus_no:
        query = query.where(Person.campus_no == campus_no)
    if deed:
        query = query.where(AuditLine.deed.startswith(deed, autoescape=True))
    if since:
        query = query.where(AuditLine.at >= clock.at(since, "00:00"))
    if until:
        query = query.where(AuditLine.at < clock.at(until, "24:00"))
    if cursor:
        query = query.where(AuditLine.id < cursor)
    return s.execute(query).all()


def chain(s: Session, *, by: Actor) -> Chain:
    """How many lines the chain holds and how many wait for their place in it. Raises Forbidden."""
    require(s, by, "audit.see")
    sealed, last_at = s.execute(
        sa.select(sa.func.count(AuditLine.seq), sa.func.max(AuditLine.at)).where(AuditLine.seq.is_not(None))
    ).one()
    unsealed = s.scalar(sa.select(sa.func.count()).select_from(AuditLine).where(AuditLine.seq.is_(None))) or 0
    return Chain(sealed, unsealed, last_at)


# ---- the settings -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SettingLine:
    """A setting with the value in force and, when the office changed it, by whom and when."""

    which: Setting[Any]
    value: Any
    changed_at: datetime | None
    changed_by: str | None


def settings(s: Session, *, by: Actor) -> list[SettingLine]:
    """Every value the office may change, by key. Raises Forbidden."""
    require(s, by, "setting.see")
    rows = s.execute(sa.select(SettingRow, Person.name).outerjoin(Person, Person.id == SettingRow.changed_by)).all()
    changed = {row.key: (row, name) for row, name in rows}
    lines = []
    for key in sorted(REGISTRY):
        row, name = changed.get(key, (None, None))
        lines.append(SettingLine(REGISTRY[key], setting(s, REGISTRY[key]), row.changed_at if row else None, name))
    return lines


def change_setting(s: Session, *, key: str, value: Any, by: Actor, now: datetime) -> None:
    """From now on that value is in force; None brings the default back. Raises NotFound, Invalid, Forbidden."""
    require(s, by, "setting.edit")
    which = REGISTRY.get(key)
    if which is None:
        raise NotFound("没有这个参数", key=key[:64])
    wanted = which.default if value is None else which.read(value)
    if isinstance(wanted, timedelta) and wanted < timedelta(0):
        raise Invalid(fields={key: "不能是负数"})
    if isinstance(wanted, int) and not isinstance(wanted, bool) and not 0 <= wanted <= 1_000_000_000:
        raise Invalid(fields={key: "应在 0 到 1000000000 之间"})
    if isinstance(wanted, str) and _HHMM.match(which.default) and not _HHMM.match(wanted):
        raise Invalid(fields={key: "请写成 时：分，例如 07:00"})
    if isinstance(wanted, str) and len(wanted) > 500:
        raise Invalid(fields={key: "最多 500 个字"})
    before = which.show(setting(s, which))
    if before == which.show(wanted):
        return
    change(s, which, wanted, by_id=by.person_id, now=now)
    audit(s, by, "setting.edit", key, now=now, before={"value": before}, after={"value": which.show(wanted)})
