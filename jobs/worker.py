"""The worker: claims debts, pays them, keeps the schedule. Run two for safety; they share the work. DESIGN §3."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta

from campus.notices import TOPIC
from core import clock, log, metrics
from core.db import reading, run
from core.errors import NotNow
from core.house import House
from jobs.debts import Ask, Rule, pay_ask, pay_rule
from jobs.effects import EFFECTS, channels_on, sender
from jobs.pushes import Pushes
from jobs.schedule import Schedule
from models import outbox
from models.outbox import DebtState, Leased, Priority

_log = log.get(__name__)

LEASE = timedelta(seconds=60)
IDLE_S = 0.15
BUSY_S = 0.05
AWAY_S = 1.0
CONNECTIONS = 64
IN_HAND = 768  # notices leased and not recorded: what the connections send while the next batch is planned
BATCH = 256
THREADS = 8
GAUGES_EVERY_S = 5.0


class Worker:
    """Pays debts until `stop` is set. What is in hand then is finished, or keeps its lease."""

    def __init__(self, house: House, *, connections: int = CONNECTIONS, with_schedule: bool = True) -> None:
        self.house = house
        self.pushes = Pushes(
            sender(house), on=channels_on(house), connections=connections, close=house.platforms.push.close
        )
        self.pool = ThreadPoolExecutor(THREADS, thread_name_prefix="debts")
        self.schedule = Schedule(house) if with_schedule else None
        self._busy = 0
        self._lock = threading.Lock()
        self._looked_at = float("-inf")

    def run(self, stop: threading.Event) -> None:
        """Returns after `stop` is set and what was in hand is done."""
        self.pushes.start()
        if self.schedule:
            self.schedule.start()
        _log.info("worker started", channels=sorted(channels_on(self.house)))
        away = False
        try:
            while not stop.is_set():
                try:
                    claimed = self._claim()
                    self._measure()
                    away = False
                except NotNow:
                    if not away:
                        away = True
                        _log.warning("database went away")
                    clock.pause(AWAY_S, stop)
                    continue
                self._pay(claimed)
                if len(claimed) < BATCH:
                    clock.pause(IDLE_S if not claimed else BUSY_S, stop)
        finally:
            if self.schedule:
                self.schedule.stop()
            self.pool.shutdown(wait=True)
            self.pushes.stop()
            _log.info("worker stopped")

    def _claim(self) -> list[Leased]:
        """A whole batch while there is room for one: small batches cost a statement each. Urgent debts are claimed always."""
        full = self.pushes.in_hand > IN_HAND - BATCH or self._busy > THREADS * 8
        priorities = (Priority.URGENT,) if full else tuple(Priority)
        now = clock.now()
        return run(lambda s: outbox.claim(s, now=now, limit=BATCH, lease_for=LEASE, priorities=priorities))

    def _pay(self, debts: list[Leased]) -> None:
        if notices := [debt for debt in debts if debt.topic == TOPIC]:
            self.pushes.hand_over(notices)
        for debt in debts:
            if debt.topic != TOPIC:
                with self._lock:
                    self._busy += 1
                self.pool.submit(self._pay_one, debt).add_done_callback(self._one_less)

    def _one_less(self, _: Future[None]) -> None:
        with self._lock:
            self._busy -= 1

    def _pay_one(self, debt: Leased) -> None:
        match EFFECTS.get(debt.topic):
            case Rule() as effect:
                pay_rule(effect, debt)
            case Ask() as effect:
                pay_ask(effect, debt, self.house.platforms)
            case _:
                _log.error("nobody pays such debts", topic=debt.topic, debt=debt.key)
                run(lambda s: outbox.settle(s, [debt], now=clock.now(), answer="unknown topic", state=DebtState.CASE))

    def _measure(self) -> None:
        if clock.monotonic() - self._looked_at < GAUGES_EVERY_S:
            return
        self._looked_at = clock.monotonic()
        with reading() as s:
            count, oldest_s = outbox.due_counts(s, now=clock.now())
        metrics.DEBTS_DUE.set(count)
        metrics.OLDEST_DEBT_SECONDS.set(oldest_s)
