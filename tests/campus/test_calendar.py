"""The working calendar (P9). The make-up days are those of 国办发明电 for 2025 and 2026."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from campus import calendar
from core.db import reading, run
from core.errors import Forbidden, Invalid
from models.access import SYSTEM
from models.calendar import CalendarDay
from tests.kit import NOON, actor, make_person

SHANGHAI = ZoneInfo("Asia/Shanghai")


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).astimezone(UTC)


@pytest.fixture
def year(either_db):
    def seed(s):
        calendar.seed_hours(s)
        return calendar.seed_holidays(s, [2026])

    return run(seed)


def works(day):
    with reading() as s:
        return calendar.is_workday(s, date.fromisoformat(day))


@pytest.mark.parametrize(
    ("day", "worked"),
    [
        ("2026-09-01", True),  # a Tuesday
        ("2026-09-05", False),  # a Saturday
        ("2026-10-01", False),  # National Day
        ("2026-10-07", False),  # a Wednesday off, paid for by
        ("2026-10-10", True),  # this Saturday
        ("2026-09-20", True),  # and this Sunday
        ("2026-02-17", False),
        ("2026-02-28", True),
    ],
)
def test_holidays_and_make_up_workdays(year, day, worked):
    assert works(day) is worked


def test_a_year_not_announced_yet_is_named(year):
    assert year.not_announced == []
    assert run(lambda s: calendar.seed_holidays(s, [2026, 2099])).not_announced == [2099]


def test_an_edited_day_survives_seeding_again(year):
    run(lambda s: calendar.set_day(s, day=date(2026, 10, 1), kind="workday", name="运动会", by=SYSTEM, now=NOON))
    run(lambda s: calendar.set_day(s, day=date(2026, 9, 1), kind="holiday", name="校庆", by=SYSTEM, now=NOON))
    run(lambda s: calendar.seed_holidays(s, [2026]))
    assert works("2026-10-01")
    assert not works("2026-09-01")
    run(lambda s: calendar.unset_day(s, day=date(2026, 10, 1), by=SYSTEM, now=NOON))
    run(lambda s: calendar.seed_holidays(s, [2026]))
    assert not works("2026-10-01")


def test_seeding_twice_changes_nothing(year):
    assert run(lambda s: calendar.seed_holidays(s, [2026])).days == 0


@pytest.mark.parametrize(
    ("start", "minutes", "end"),
    [
        ("2026-09-01 09:00", 60, "2026-09-01 10:00"),
        ("2026-09-01 09:00", 180, "2026-09-01 12:00"),  # the last minute of the morning is still today
        ("2026-09-01 11:30", 60, "2026-09-01 14:30"),  # over noon
        ("2026-09-01 17:00", 60, "2026-09-02 08:30"),  # over night
        ("2026-09-04 17:00", 60, "2026-09-07 08:30"),  # over the weekend
        ("2026-09-30 17:00", 60, "2026-10-08 08:30"),  # over National Day
        ("2026-10-09 17:00", 60, "2026-10-10 08:30"),  # to a Saturday that is worked
        ("2026-09-05 13:00", 1, "2026-09-07 08:01"),  # reported on a Saturday
        ("2026-09-01 09:00", 0, "2026-09-01 09:00"),
    ],
)
def test_a_deadline_walks_the_calendar(year, start, minutes, end):
    with reading() as s:
        assert calendar.working_minutes_after(s, at(start), minutes) == at(end)


@given(
    start=st.datetimes(datetime(2026, 1, 1), datetime(2026, 11, 1), timezones=st.just(UTC)),
    minutes=st.integers(1, 6000),
)
def test_between_start_and_deadline_lie_exactly_the_minutes(start, minutes):
    # Without a database: the usual week.
    days = {date(2026, 10, 1): calendar.DayKind.HOLIDAY, date(2026, 10, 10): calendar.DayKind.WORKDAY}
    hours = {weekday: list(calendar.USUAL_HOURS) for weekday in calendar.USUAL_WEEK}
    session = type("Known", (), {"info": {"calendar": calendar._Calendar(days, hours, hours[0])}})()
    end = calendar.working_minutes_after(session, start, minutes)
    assert calendar.working_minutes_between(session, start, end) == minutes
    assert calendar.working_minutes_between(session, start, end - timedelta(seconds=1)) == minutes - 1


def test_hours_are_edited_and_an_overlap_is_refused(year):
    def set_hours(*stretches):
        run(lambda s: calendar.set_hours(s, weekday=1, stretches=stretches, by=SYSTEM, now=NOON))

    set_hours(("20:00", "24:00"), ("09:00", "10:00"))
    with reading() as s:
        assert calendar.working_minutes_after(s, at("2026-09-01 09:30"), 60) == at("2026-09-01 20:30")
    for wrong in [
        (("09:00", "08:00"),),
        (("08:00", "12:00"), ("11:00", "13:00")),
        (("8:00", "12:00"),),
        (("25:00", "26:00"),),
    ]:
        with pytest.raises(Invalid):
            set_hours(*wrong)
    with reading() as s:
        assert calendar.in_working_time(s, at("2026-09-01 09:30"))
    set_hours()
    assert not works("2026-09-01")


def test_a_calendar_without_working_time_is_said_and_not_walked_for_ever(year):
    for weekday in range(7):
        run(
            lambda s, weekday=weekday: calendar.set_hours(
                s, weekday=weekday, stretches=(("08:00", "08:01"),), by=SYSTEM, now=NOON
            )
        )
    with pytest.raises(Invalid), reading() as s:
        calendar.working_minutes_after(s, NOON, 100_000)


def test_terms_do_not_overlap(year):
    def term(name, starts, ends, kind="term"):
        return run(
            lambda s: calendar.set_term(
                s, name=name, kind=kind, starts_on=date.fromisoformat(starts), ends_on=date.fromisoformat(ends),
                by=SYSTEM, now=NOON,
            )
        )  # fmt: skip

    term("秋季学期", "2026-08-31", "2027-01-17")
    with pytest.raises(Invalid):
        term("寒假", "2027-01-17", "2027-02-28", "vacation")
    term("寒假", "2027-01-18", "2027-02-28", "vacation")
    term("秋季学期", "2026-08-31", "2027-01-16")
    with reading() as s:
        assert [one.name for one in calendar.terms(s)] == ["秋季学期", "寒假"]
        assert calendar.term_of(s, date(2027, 2, 1)).kind == "vacation"
        assert calendar.term_of(s, date(2027, 1, 17)) is None


def test_the_calendar_is_edited_by_those_who_may(year):
    zhao = make_person("赵敏", kind="staff", roles=("dispatcher",))
    with pytest.raises(Forbidden) as why:
        run(
            lambda s: calendar.set_day(
                s, day=date(2026, 9, 2), kind="holiday", name="休息", by=actor(zhao, "console"), now=NOON
            )
        )
    assert "编辑工作日历" in why.value.detail
    with reading() as s:
        assert s.scalar(sa.select(sa.func.count()).select_from(CalendarDay).where(CalendarDay.edited)) == 0
