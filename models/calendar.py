"""The working calendar: hours of the week, days that are different, terms and vacations. FEATURES P9."""

from datetime import date
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, one_of, pk, word


class DayKind(StrEnum):
    WORKDAY = "workday"
    HOLIDAY = "holiday"


class CalendarDay(Base):
    """A day that does not follow its weekday: a public holiday, or a make-up workday (调休)."""

    __tablename__ = "calendar_day"
    day: Mapped[date] = mapped_column(sa.Date, primary_key=True)
    kind: Mapped[DayKind] = mapped_column(one_of(DayKind))
    name: Mapped[word]
    edited: Mapped[bool] = mapped_column(default=False)


class WorkHours(Base):
    """One stretch of working time on a weekday (0 Monday … 6 Sunday), campus clock, `opens` < `closes`, HH:MM."""

    __tablename__ = "work_hours"
    __table_args__ = (sa.CheckConstraint("weekday >= 0 AND weekday <= 6", name="weekday"),)
    id: Mapped[pk]
    weekday: Mapped[int]
    opens: Mapped[str] = mapped_column(sa.String(5))
    closes: Mapped[str] = mapped_column(sa.String(5))


class TermKind(StrEnum):
    TERM = "term"
    VACATION = "vacation"


class Term(Base):
    """A term or vacation, both days included."""

    __tablename__ = "term"
    id: Mapped[pk]
    name: Mapped[word] = mapped_column(unique=True)
    kind: Mapped[TermKind] = mapped_column(one_of(TermKind))
    starts_on: Mapped[date] = mapped_column(sa.Date)
    ends_on: Mapped[date] = mapped_column(sa.Date)
