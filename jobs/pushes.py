"""Sending notices: many at once, urgent ones first, one after the other for the same person. FEATURES N4, N6.

One asyncio loop in a thread of its own owns the connections; planning and recording happen in batches in their own
threads with no transaction open while a message is under way. An urgent notice passes every waiting one, so it
waits for one connection to come free, not for the queue.
"""

import asyncio
import itertools
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from queue import SimpleQueue

from campus.notices import Answer, Outcome, Planned, Unheard, plan, record
from core import clock, log
from core.db import run
from core.errors import NotNow
from jobs.debts import TRIES, give_up, put_off
from models.notices import Channel
from models.outbox import Leased

_log = log.get(__name__)

Send = Callable[[Planned], Awaitable[Answer]]
RECORD_AT_MOST = 256
GATHER_S = 0.04
_NEVER = threading.Event()


class Pushes:
    """`hand_over` debts; they are planned, sent and recorded. `in_hand` counts those not recorded yet."""

    def __init__(
        self,
        send: Send,
        *,
        on: frozenset[Channel],
        connections: int,
        close: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._send, self._on, self._connections, self._close = send, on, connections, close
        self._to_plan: SimpleQueue[list[Leased] | None] = SimpleQueue()
        self._to_record: SimpleQueue[tuple[Planned, Answer | None] | None] = SimpleQueue()
        self._in_hand = 0
        self._ending = False
        self._count = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._threads = [
            threading.Thread(target=work, name=f"pushes-{name}", daemon=True)
            for name, work in (("send", self._sending), ("plan", self._planning), ("record", self._recording))
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()
        self._ready.wait()

    def stop(self) -> None:
        """What is in hand is finished or keeps its lease; then the threads end."""
        self._to_plan.put(None)
        self._threads[1].join(10)
        asyncio.run_coroutine_threadsafe(self._finish(), self._loop).result(20)
        self._to_record.put(None)
        self._threads[2].join(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._threads[0].join(5)

    @property
    def in_hand(self) -> int:
        return self._in_hand

    def hand_over(self, debts: list[Leased]) -> None:
        with self._count:
            self._in_hand += len(debts)
        self._to_plan.put(debts)

    # ---- planning ----

    def _planning(self) -> None:
        while (debts := self._to_plan.get()) is not None:
            self._plan(debts)

    def _plan(self, debts: list[Leased]) -> None:
        try:
            planned = run(lambda s: plan(s, debts, on=self._on, now=clock.now()))
        except NotNow:
            self._drop(debts)  # the database is away: their leases run out and they are claimed again
            return
        except Exception as why:
            _log.error("planning failed", exc_info=why, debts=len(debts))
            if len(debts) > 1:
                for debt in debts:  # one bad notice must not hold up the others
                    self._plan([debt])
            else:
                self._poison(debts[0], f"bug {type(why).__name__}")
            return
        if sends := [one for one in planned if one.outcome is Outcome.SEND]:
            self._loop.call_soon_threadsafe(self._enqueue, sends)
        for one in planned:
            if one.outcome is not Outcome.SEND:
                self._to_record.put((one, None))

    def _poison(self, debt: Leased, why: str) -> None:
        try:
            if debt.attempts >= TRIES:
                give_up(debt, why)
            else:
                put_off(debt, why, in_doubt=debt.was_in_doubt, wait=None)
        except NotNow:
            _log.warning("debt keeps its lease, the database is away", debt=debt.key)
        self._drop([debt])

    def _drop(self, debts: list[Leased]) -> None:
        with self._count:
            self._in_hand -= len(debts)

    # ---- sending, on the loop's thread only ----

    def _sending(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._queue: asyncio.PriorityQueue[tuple[int, int, Planned]] = asyncio.PriorityQueue()
        self._turn = itertools.count()
        self._lanes: dict[str, deque[Planned]] = {}
        self._senders = [self._loop.create_task(self._sender()) for _ in range(self._connections)]
        self._loop.call_soon(self._ready.set)
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    def _enqueue(self, planned: list[Planned]) -> None:
        for one in planned:
            lane = one.debt.lane
            if lane is None:
                self._offer(one)
            elif lane in self._lanes:
                self._lanes[lane].append(one)  # its person is being told something else: afterwards
            else:
                self._lanes[lane] = deque()
                self._offer(one)

    def _offer(self, one: Planned) -> None:
        self._queue.put_nowait((one.debt.priority, next(self._turn), one))

    async def _sender(self) -> None:
        while True:
            _, _, one = await self._queue.get()
            try:
                answer = await self._send(one)
            except asyncio.CancelledError:
                raise
            except Exception as why:
                _log.error("push failed", exc_info=why, channel=str(one.channel))
                answer = Unheard(type(why).__name__)
            self._to_record.put((one, answer))
            self._release(one)
            self._queue.task_done()

    def _release(self, one: Planned) -> None:
        if (lane := one.debt.lane) is None:
            return
        if waiting := self._lanes[lane]:
            self._offer(waiting.popleft())
        else:
            del self._lanes[lane]

    async def _finish(self) -> None:
        await self._queue.join()
        for task in self._senders:
            task.cancel()
        await asyncio.gather(*self._senders, return_exceptions=True)
        if self._close:
            await self._close()

    # ---- recording ----

    def _recording(self) -> None:
        going = True
        while going:
            first = self._to_record.get()
            # Answers are gathered asleep: waking for each one would take the interpreter from the sending thread each time.
            clock.pause(GATHER_S if first is not None else 0, _NEVER)
            batch = [item for item in (first, *self._answers()) if item is not None]
            going = first is not None and not self._ending
            while batch:
                self._write_down(batch[:RECORD_AT_MOST])
                batch = batch[RECORD_AT_MOST:]

    def _answers(self) -> list[tuple[Planned, Answer | None]]:
        """Everything that has been answered meanwhile."""
        answers: list[tuple[Planned, Answer | None]] = []
        while not self._to_record.empty():
            item = self._to_record.get()
            if item is None:
                self._ending = True
            else:
                answers.append(item)
        return answers

    def _write_down(self, batch: list[tuple[Planned, Answer | None]]) -> None:
        try:
            run(lambda s: record(s, batch, now=clock.now()))
        except Exception as why:
            # The platform has answered and we could not write it: the leases run out and the tries are asked or repeated as in doubt.
            _log.error("answers not recorded", exc_info=why, debts=len(batch))
        finally:
            with self._count:
                self._in_hand -= len(batch)
