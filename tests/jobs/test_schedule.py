"""Each timed job once per slot, however many workers look, also after a crash. DRILLS K11 in small."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from core import clock
from core.db import reading, run
from jobs.schedule import Fence, Overtaken, Schedule, Timed
from models.job_runs import JobRun
from models.people import Department
from tests.kit import NOON

MINUTE = timedelta(minutes=1)


@pytest.fixture
def at(monkeypatch):
    moment = [NOON]
    monkeypatch.setattr(clock, "now", lambda: moment[0])
    return lambda when: moment.__setitem__(0, when)


def job(work=lambda fence, house: None, **when):
    return Timed("sweep", work, **(when or {"every": MINUTE}))


def worker(*jobs):
    return Schedule(None, jobs)


@pytest.mark.parametrize(
    ("when", "now", "slot"),
    [
        ({"every": MINUTE}, NOON + timedelta(seconds=59), NOON),
        ({"every": timedelta(hours=1)}, NOON + timedelta(minutes=61), NOON + timedelta(hours=1)),
        ({"daily": "03:20"}, datetime(2026, 8, 31, 19, 20, tzinfo=UTC), datetime(2026, 8, 31, 19, 20, tzinfo=UTC)),
        ({"daily": "03:20"}, datetime(2026, 8, 31, 19, 19, tzinfo=UTC), datetime(2026, 8, 30, 19, 20, tzinfo=UTC)),
    ],
)
def test_a_job_is_due_at_the_last_moment_of_its_rhythm(when, now, slot):
    assert job(**when).slot(now) == slot


def test_a_slot_runs_once_and_the_next_one_again(db, at):
    ran = []
    sweep = job(lambda fence, house: ran.append(clock.now()))
    first, second = worker(sweep), worker(sweep)
    assert (first.tick(sweep), second.tick(sweep), first.tick(sweep)) == (True, False, False)
    at(NOON + MINUTE)
    assert (second.tick(sweep), first.tick(sweep)) == (True, False)
    assert ran == [NOON, NOON + MINUTE]


def test_a_night_without_a_worker_is_caught_up_once(db, at):
    ran = []
    daily = job(lambda fence, house: ran.append(1), daily="03:20")
    at(NOON + timedelta(days=3))
    assert (worker(daily).tick(daily), worker(daily).tick(daily)) == (True, False)
    assert ran == [1]


def test_a_job_that_fails_is_written_down_and_runs_in_its_next_slot(db, at):
    def fails(fence, house):
        raise ValueError("no")

    sweep = job(fails)
    assert worker(sweep).tick(sweep) is True
    with reading() as s:
        assert s.scalars(sa.select(JobRun.outcome)).all() == ["failed ValueError"]
    at(NOON + MINUTE)
    assert worker(sweep).tick(sweep) is True


def test_a_worker_that_died_is_taken_over_and_what_it_still_writes_is_refused(db, at):
    sweep = job(daily="03:20")
    asleep = run(lambda s: worker(sweep).take(s, sweep, NOON))
    later = NOON + timedelta(minutes=5, seconds=1)
    awake = run(lambda s: worker(sweep).take(s, sweep, later))
    assert (asleep.turn, awake.turn) == (1, 2)
    with pytest.raises(Overtaken):
        asleep.run(lambda s: s.add(Department(code="asleep", name="x")))
    awake.run(lambda s: s.add(Department(code="awake", name="x")))
    with reading() as s:
        assert s.scalars(sa.select(Department.code)).all() == ["awake"]


def test_without_the_fence_the_resumed_one_would_write_too(db, at, monkeypatch):
    monkeypatch.setattr(Fence, "run", lambda self, rule: run(rule))
    sweep = job(daily="03:20")
    asleep = run(lambda s: worker(sweep).take(s, sweep, NOON))
    run(lambda s: worker(sweep).take(s, sweep, NOON + timedelta(minutes=6)))
    asleep.run(lambda s: s.add(Department(code="asleep", name="x")))
    with reading() as s:
        assert s.scalars(sa.select(Department.code)).all() == ["asleep"]


@pytest.mark.race
def test_of_many_workers_one_runs_the_slot(mariadb, at, rush):
    ran = []
    sweep = job(lambda fence, house: ran.append(1))
    workers = [worker(sweep) for _ in range(16)]
    answers = rush(lambda one: one.tick(sweep), workers, threads=16)
    assert sorted(map(str, answers)) == ["False"] * 15 + ["True"]
    assert ran == [1]
