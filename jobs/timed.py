"""The timed jobs, one line each."""

from datetime import timedelta

import sqlalchemy as sa

from campus import calendar, files
from core import clock
from core.house import House
from jobs.schedule import Fence, Timed
from models import audit
from models.access import LoginSession
from models.arrivals import Arrival
from models.job_runs import JobRun
from models.outbox import Debt, DebtState
from models.people import BindAttempt, SsoTicket

KEEP_ARRIVALS = timedelta(days=7)  # a platform repeats a message for seconds; a week is for whoever asks what came in
KEEP_DEBTS = timedelta(days=90)
AT_ONCE = 2000


def seal_audit(fence: Fence, house: House) -> None:
    """Every audit line written so far has its place in the chain (P7)."""
    while fence.run(lambda s: audit.seal(s, limit=AT_ONCE)) == AT_ONCE:
        pass


def sweep_files(fence: Fence, house: House) -> None:
    """Photos that nothing refers to after 24 h are gone."""
    while numbers := fence.run(lambda s: files.sweep(s, now=clock.now())):
        for number in numbers:
            house.files.delete(number)
        fence.run(lambda s, numbers=numbers: files.swept(s, numbers))


def forget_old(fence: Fence, house: House) -> None:
    """What is only kept for a while is gone: arrivals, settled debts, ended sessions, used tickets, wrong tries, old runs."""
    now = clock.now()
    for table, stale in (
        (Arrival, Arrival.arrived_at < now - KEEP_ARRIVALS),
        (Debt, sa.and_(Debt.settled_at < now - KEEP_DEBTS, Debt.state != DebtState.OWED)),
        (LoginSession, LoginSession.expires_at < now - KEEP_ARRIVALS),
        (SsoTicket, SsoTicket.expires_at < now - KEEP_ARRIVALS),
        (BindAttempt, BindAttempt.tried_at < now - KEEP_ARRIVALS),
        (JobRun, sa.and_(JobRun.finished_at < now - KEEP_ARRIVALS)),
    ):
        while fence.run(lambda s, table=table, stale=stale: _delete_some(s, table, stale)) == AT_ONCE:
            pass


def _delete_some(s, table, stale) -> int:
    # In the order of ids the oldest come first, so no index is needed that every new row would have to pay for.
    numbers = s.scalars(sa.select(table.id).where(stale).order_by(table.id).limit(AT_ONCE)).all()
    if numbers:
        s.execute(sa.delete(table).where(table.id.in_(numbers)))
    return len(numbers)


def seed_holidays(fence: Fence, house: House) -> None:
    """The calendar knows this year's and next year's public holidays as far as they are announced (P9)."""
    year = clock.campus_day(clock.now()).year
    fence.run(lambda s: calendar.seed_holidays(s, [year, year + 1]))


TIMED = (
    Timed("audit.seal", seal_audit, every=timedelta(minutes=1)),
    Timed("files.sweep", sweep_files, every=timedelta(hours=1)),
    Timed("old.forget", forget_old, daily="03:20"),
    Timed("calendar.seed", seed_holidays, daily="04:10"),
)
