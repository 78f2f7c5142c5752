"""Timed jobs: each runs once per slot however many workers run, also after a crash or a night without a worker.

The row `job_run(job, slot)` is the right to run. A worker that dies keeps its row until the lease ends; then the next
tick of anybody takes the slot over with the next `turn`, and whatever the first still writes is refused by the fence.
APScheduler only wakes us: its own job store ran every tick twice with two processes (ECOSYSTEM §1 row 4).
"""

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy.orm import Session

from core import clock, log
from core.db import insert_once, run
from core.errors import NotNow
from core.house import House
from models.job_runs import JobRun

_log = log.get(__name__)

LEASE = timedelta(minutes=5)
TICK_S = 5


@dataclass(frozen=True)
class Timed:
    """A job and when it is due: `every` so long, or `daily` at a campus time. `work(fence, house)` does it."""

    name: str
    work: "Callable[[Fence, House], Any]"
    every: timedelta | None = None
    daily: str | None = None

    def slot(self, now: datetime) -> datetime:
        """The last moment at which the job was due."""
        if self.daily:
            today = clock.at(clock.campus_day(now), self.daily)
            return today if today <= now else clock.at(clock.campus_day(now) - timedelta(days=1), self.daily)
        assert self.every is not None
        seconds = int(self.every.total_seconds())
        return datetime.fromtimestamp(int(now.timestamp()) // seconds * seconds, UTC)


@dataclass(frozen=True)
class Fence:
    """The right to one slot. Every transaction of the job goes through `run`, which checks that it still stands."""

    job_run_id: int
    turn: int

    def run(self, rule: Callable[[Session], Any]) -> Any:
        """The rule's answer, committed, only while nobody has taken the slot over. Raises Overtaken."""

        def fenced(s: Session) -> Any:
            turn = s.scalar(sa.select(JobRun.turn).where(JobRun.id == self.job_run_id).with_for_update())
            if turn != self.turn:
                raise Overtaken
            return rule(s)

        return run(fenced)


class Overtaken(Exception):
    """The lease ran out and another worker has the slot."""


class Schedule:
    """Looks every few seconds which jobs are due and runs those it gets the right to."""

    def __init__(self, house: House, jobs: tuple[Timed, ...] | None = None, *, lease: timedelta = LEASE) -> None:
        if jobs is None:
            from jobs.timed import TIMED  # the list imports campus rules; a test hands in its own

            jobs = TIMED
        self.house, self.jobs, self.lease = house, jobs, lease
        self.me = f"{socket.gethostname()[:40]}:{os.getpid()}"
        self._scheduler = BackgroundScheduler(
            timezone=clock.CAMPUS,
            executors={"default": ThreadPoolExecutor(4)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": 3600},
        )
        for job in jobs:
            self._scheduler.add_job(
                self.tick, "interval", seconds=TICK_S, args=[job], id=job.name, next_run_time=datetime.now(UTC)
            )

    def start(self) -> None:
        self._scheduler.start()

    def stop(self) -> None:
        self._scheduler.shutdown(wait=True)

    def tick(self, job: Timed) -> bool:
        """The job has run for the slot that is due, unless somebody else did or does; whether it was us."""
        try:
            if (fence := run(lambda s: self.take(s, job, clock.now()))) is None:
                return False
            log.forget()
            log.remember(job=job.name)
            outcome = "done"
            try:
                job.work(fence, self.house)
            except Overtaken:
                _log.warning("job was overtaken")
                return False
            except NotNow:
                raise
            except Exception as why:
                _log.error("job failed", exc_info=why)
                outcome = f"failed {type(why).__name__}"[:64]
            fence.run(
                lambda s: s.execute(
                    sa.update(JobRun)
                    .where(JobRun.id == fence.job_run_id)
                    .values(finished_at=clock.now(), outcome=outcome)
                )
            )
        except (NotNow, Overtaken):
            return False
        return True

    def take(self, s: Session, job: Timed, now: datetime) -> Fence | None:
        """The right to the slot that is due, or None when it is done or in other hands."""
        slot = job.slot(now)
        row = s.scalars(sa.select(JobRun).where(JobRun.job == job.name, JobRun.slot == slot)).one_or_none()
        if row is None:
            row = JobRun(job=job.name, slot=slot, turn=1, taken_by=self.me[:64], lease_until=now + self.lease)
            return Fence(row.id, 1) if insert_once(s, row) else None
        if row.finished_at is not None or row.lease_until > now:
            return None
        taken = s.connection().execute(
            sa.update(JobRun)
            .where(JobRun.id == row.id, JobRun.turn == row.turn, JobRun.finished_at.is_(None))
            .values(turn=row.turn + 1, taken_by=self.me[:64], lease_until=now + self.lease)
        )
        return Fence(row.id, row.turn + 1) if taken.rowcount else None
