"""The working calendar: hours of the week, public holidays and make-up workdays (调休), terms. FEATURES P9.

Days come from the `holidays` package (国务院办公厅's yearly notice) and may be edited; an edited day survives seeding
again. A year whose notice is not out yet knows only its statutory days, and `seed_holidays` says so. Every deadline
of the house walks this calendar.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core import clock
from core.db import found
from core.errors import Invalid
from models.access import Actor, require
from models.audit import audit
from models.calendar import CalendarDay, DayKind, Term, TermKind, WorkHours

USUAL_HOURS = (("08:00", "12:00"), ("14:00", "17:30"))
USUAL_WEEK = range(5)  # Monday to Friday
FARTHEST = timedelta(days=1100)
MAKE_UP = "调休上班"


@dataclass(frozen=True)
class Seeded:
    """What seeding did: days new, changed or gone, and the years whose notice is not out yet."""

    days: int
    not_announced: list[int]


@dataclass(frozen=True)
class _Calendar:
    days: dict[date, DayKind]
    hours: dict[int, list[tuple[str, str]]]
    make_up: list[tuple[str, str]]

    def is_workday(self, day: date) -> bool:
        kind = self.days.get(day)
        return kind is DayKind.WORKDAY if kind else bool(self.hours.get(day.weekday()))

    def stretches(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        """The stretches of working time of that day, in order."""
        if self.is_workday(day):
            # A Saturday that is worked has no hours of its own: it takes those of the usual week.
            for opens, closes in self.hours.get(day.weekday()) or self.make_up:
                yield clock.at(day, opens), clock.at(day, closes)


def _calendar(s: Session) -> _Calendar:
    known: _Calendar | None = s.info.get("calendar")
    if known is None:
        hours: dict[int, list[tuple[str, str]]] = {}
        for row in s.scalars(sa.select(WorkHours).order_by(WorkHours.weekday, WorkHours.opens)):
            hours.setdefault(row.weekday, []).append((row.opens, row.closes))
        days = {row.day: row.kind for row in s.scalars(sa.select(CalendarDay))}
        if not hours:  # a school that has set nothing yet works the usual week
            hours = {weekday: list(USUAL_HOURS) for weekday in USUAL_WEEK}
        known = s.info["calendar"] = _Calendar(days, hours, hours[min(hours)])
    return known


def is_workday(s: Session, day: date) -> bool:
    """Whether that campus day is worked: its own entry counts, else its weekday."""
    return _calendar(s).is_workday(day)


def in_working_time(s: Session, moment: datetime) -> bool:
    """Whether the office is open at that moment."""
    return any(opens <= moment < closes for opens, closes in _calendar(s).stretches(clock.campus_day(moment)))


def working_minutes_after(s: Session, start: datetime, minutes: int) -> datetime:
    """The moment at which so many minutes of working time have passed since `start`. None to pass: `start` itself."""
    if minutes <= 0:
        return start
    left = timedelta(minutes=minutes)
    for opens, closes in _from(s, start, start + FARTHEST):
        if closes - opens >= left:
            return opens + left
        left -= closes - opens
    raise Invalid("工作日历在三年内没有足够的工作时间，请检查设置")


def working_minutes_between(s: Session, start: datetime, end: datetime) -> int:
    """How many whole minutes of working time lie between the two moments; none when `end` is not later."""
    passed = sum(((min(closes, end) - opens) for opens, closes in _from(s, start, end) if opens < end), timedelta(0))
    return int(passed.total_seconds() // 60)


def _from(s: Session, start: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    calendar, day = _calendar(s), clock.campus_day(start)
    while day <= clock.campus_day(until):
        for opens, closes in calendar.stretches(day):
            if closes > start:
                yield max(opens, start), closes
        day += timedelta(days=1)


# ---- days ----------------------------------------------------------------------------------------------------------


def seed_holidays(s: Session, years: Iterable[int]) -> Seeded:
    """The public holidays and make-up workdays of these years stand in the calendar; edited days stay as they are."""
    import holidays  # 0.3 s to import, and needed once a year

    wanted = sorted(set(years))
    public = holidays.country_holidays("CN", years=wanted, language="zh_CN")
    worked = {day for day in public.weekend_workdays if day.year in wanted}
    new = {day: (DayKind.HOLIDAY, name) for day, name in public.items() if day.year in wanted}
    new |= dict.fromkeys(worked, (DayKind.WORKDAY, MAKE_UP))
    old = {
        row.day: row
        for row in s.scalars(
            sa.select(CalendarDay).where(CalendarDay.day.between(date(wanted[0], 1, 1), date(wanted[-1], 12, 31)))
        )
        if row.day.year in wanted
    }
    changes = 0
    for day, row in old.items():
        if not row.edited and day not in new:
            s.delete(row)
            changes += 1
    for day, (kind, name) in new.items():
        stands = old.get(day)
        if stands is None:
            s.add(CalendarDay(day=day, kind=kind, name=name[:64], edited=False))
        elif not stands.edited and (stands.kind, stands.name) != (kind, name[:64]):
            stands.kind, stands.name = kind, name[:64]
        else:
            continue
        changes += 1
    s.flush()
    s.info.pop("calendar", None)
    # The notice is what names make-up workdays: a year without any has not been announced.
    return Seeded(changes, [year for year in wanted if not any(day.year == year for day in worked)])


def seed_hours(s: Session) -> None:
    """The usual week stands in the calendar unless the office has set its hours."""
    if s.scalar(sa.select(WorkHours.id).limit(1)) is None:
        for weekday in USUAL_WEEK:
            s.add_all(WorkHours(weekday=weekday, opens=opens, closes=closes) for opens, closes in USUAL_HOURS)
        s.flush()
        s.info.pop("calendar", None)


def days(s: Session, year: int) -> Sequence[CalendarDay]:
    """The days of that year that do not follow their weekday, in order."""
    inside = CalendarDay.day.between(date(year, 1, 1), date(year, 12, 31))
    return s.scalars(sa.select(CalendarDay).where(inside).order_by(CalendarDay.day)).all()


def set_day(s: Session, *, day: date, kind: DayKind | str, name: str, by: Actor, now: datetime) -> CalendarDay:
    """That day is worked, or is not, whatever its weekday; seeding again leaves it alone."""
    require(s, by, "calendar.edit")
    if kind not in set(DayKind) or not name.strip():
        raise Invalid(fields={"kind": "请选择上班或放假，并写明名称"})
    row = s.get(CalendarDay, day)
    before = {"kind": row.kind, "name": row.name} if row else None
    if row is None:
        row = CalendarDay(day=day, kind=DayKind(kind), name=name.strip()[:64], edited=True)
        s.add(row)
    row.kind, row.name, row.edited = DayKind(kind), name.strip()[:64], True
    s.flush()
    s.info.pop("calendar", None)
    audit(s, by, "calendar.edit", f"day:{day}", now=now, before=before, after={"kind": row.kind, "name": row.name})
    return row


def unset_day(s: Session, *, day: date, by: Actor, now: datetime) -> None:
    """That day follows its weekday again; the next seeding may set it."""
    require(s, by, "calendar.edit")
    row = found(s, CalendarDay, day=day)
    s.delete(row)
    s.flush()
    s.info.pop("calendar", None)
    audit(s, by, "calendar.edit", f"day:{day}", now=now, before={"kind": row.kind, "name": row.name})


def hours(s: Session) -> Sequence[WorkHours]:
    """The stretches of working time of the week."""
    return s.scalars(sa.select(WorkHours).order_by(WorkHours.weekday, WorkHours.opens)).all()


def set_hours(s: Session, *, weekday: int, stretches: Sequence[tuple[str, str]], by: Actor, now: datetime) -> None:
    """That weekday has exactly these stretches of working time (HH:MM); none: it is not worked."""
    require(s, by, "calendar.edit")
    ordered = sorted(stretches)
    edges = [edge for stretch in ordered for edge in stretch]
    if weekday not in range(7) or not all(map(_is_time, edges)) or any(a >= b for a, b in pairwise(edges)):
        raise Invalid(fields={"hours": "时间要写成 08:00，每段先开始后结束，不能重叠"})
    rows = s.scalars(sa.select(WorkHours).where(WorkHours.weekday == weekday).order_by(WorkHours.opens)).all()
    before = [f"{row.opens}-{row.closes}" for row in rows]
    for row in rows:
        s.delete(row)
    s.add_all(WorkHours(weekday=weekday, opens=opens, closes=closes) for opens, closes in ordered)
    s.flush()
    s.info.pop("calendar", None)
    after = [f"{opens}-{closes}" for opens, closes in ordered]
    audit(s, by, "calendar.edit", f"weekday:{weekday}", now=now, before={"hours": before}, after={"hours": after})


def _is_time(text: str) -> bool:
    hour, _, minute = text.partition(":")
    digits = len(text) == 5 and hour.isdecimal() and minute.isdecimal() and text.isascii()
    return digits and (int(hour), int(minute)) <= (24, 0) and int(minute) < 60


# ---- terms ---------------------------------------------------------------------------------------------------------


def terms(s: Session) -> Sequence[Term]:
    """Terms and vacations, in order."""
    return s.scalars(sa.select(Term).order_by(Term.starts_on)).all()


def term_of(s: Session, day: date) -> Term | None:
    """The term or vacation that day falls into."""
    inside = sa.select(Term).where(Term.starts_on <= day, Term.ends_on >= day).order_by(Term.starts_on.desc())
    return s.scalars(inside).first()


def set_term(
    s: Session, *, name: str, kind: TermKind | str, starts_on: date, ends_on: date, by: Actor, now: datetime
) -> Term:
    """The term or vacation of that name lasts from that day to that day. Raises Invalid when it overlaps another."""
    require(s, by, "calendar.edit")
    called = name.strip()[:64]
    if not called or kind not in set(TermKind) or ends_on < starts_on:
        raise Invalid(fields={"name": "请填写名称，结束日期不能早于开始日期"})
    clash = s.scalars(
        sa.select(Term).where(Term.name != called, Term.starts_on <= ends_on, Term.ends_on >= starts_on)
    ).first()
    if clash is not None:
        raise Invalid(fields={"starts_on": f"与“{clash.name}”重叠"})
    row = s.scalars(sa.select(Term).where(Term.name == called)).one_or_none()
    before = {"starts_on": str(row.starts_on), "ends_on": str(row.ends_on)} if row else None
    if row is None:
        row = Term(name=called, kind=TermKind(kind), starts_on=starts_on, ends_on=ends_on)
        s.add(row)
    row.kind, row.starts_on, row.ends_on = TermKind(kind), starts_on, ends_on
    s.flush()
    after = {"starts_on": str(starts_on), "ends_on": str(ends_on)}
    audit(s, by, "calendar.edit", f"term:{called}", now=now, before=before, after=after)
    return row
