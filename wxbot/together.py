"""What waits while a statement is under way is written by the next one, all of it together.

A COMMIT costs the database the same for one row as for eight, so under load the callbacks of a process share it; one
that comes alone waits for nobody. There is no thread of its own: the first who comes writes, and whoever has waited
longest writes next, for all that came meanwhile. Measured: docs/decisions/0002-callbacks.md.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from core.errors import NotNow

Row = TypeVar("Row")
Result = TypeVar("Result")
MOST = 64


class _Waiting(Generic[Row, Result]):
    __slots__ = ("error", "leads", "result", "row", "told")

    def __init__(self, row: Row) -> None:
        self.row = row
        self.result: Result | None = None
        self.error: BaseException | None = None
        self.leads = False
        self.told = threading.Lock()  # released when there is a result, an error, or the turn to write
        self.told.acquire()


class Together(Generic[Row, Result]):
    """`put` returns when the row is written. `write` gets the rows and answers one result for each, in order."""

    def __init__(self, write: Callable[[Sequence[Row]], Sequence[Result]]) -> None:
        self._write = write
        self._lock = threading.Lock()
        self._waiting: list[_Waiting[Row, Result]] = []
        self._somebody_writes = False

    def put(self, row: Row, timeout_s: float) -> Result:
        """The result of this row. Raises what `write` raised for its rows, or NotNow when the turn never came."""
        mine: _Waiting[Row, Result] = _Waiting(row)
        with self._lock:
            self._waiting.append(mine)
            leads, self._somebody_writes = not self._somebody_writes, True
        if not leads:
            if not mine.told.acquire(timeout=timeout_s) and self._given_up(mine):
                raise NotNow(why="crowded")
            leads = mine.leads
        if leads:
            self._lead()
        if mine.error is not None:
            raise mine.error
        return mine.result  # type: ignore[return-value]  # whoever wrote the row has put it there

    def _lead(self) -> None:
        """Everything that waits is written, the writer's own row first, and somebody else leads if more came."""
        with self._lock:
            batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        try:
            for one, result in zip(batch, self._write([one.row for one in batch]), strict=True):
                one.result = result
        except BaseException as why:  # whoever waits must hear of it, also of a thread that is made to end
            for one in batch:
                one.error = why
        with self._lock:
            successor = self._waiting[0] if self._waiting else None
            if successor is not None:
                successor.leads = True
            else:
                self._somebody_writes = False
        if successor is not None:
            successor.told.release()
        for one in batch[1:]:
            one.told.release()

    def _given_up(self, mine: _Waiting[Row, Result]) -> bool:
        """Nobody will write this row any more; False when it was written, or its turn came, at the last moment."""
        with self._lock:
            if mine in self._waiting and not mine.leads:
                self._waiting.remove(mine)
                return True
        return False
