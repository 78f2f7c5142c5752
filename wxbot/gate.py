"""How many callbacks may be in the database at once; the others are told to come again, at once. PERFORMANCE A.2, K24.

A callback that waits in a queue for longer than the platform waits for it is work for nobody. So there is room for
fewer callbacks than the server has threads, and a thread without room waits a moment only: whatever the database does,
some threads are free to say "later", and the queue in front of them keeps moving.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from core.errors import NotNow

ROOM = 12
PATIENCE_S = 0.02


class Gate:
    """Room for so many at once."""

    def __init__(self, room: int = ROOM, patience_s: float = PATIENCE_S) -> None:
        self.room = room
        self._patience_s = patience_s
        self._slots = threading.BoundedSemaphore(room)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """The caller has a place. Raises NotNow when there was none for a moment."""
        if not self._slots.acquire(timeout=self._patience_s):
            raise NotNow(why="crowded")
        try:
            yield
        finally:
            self._slots.release()
