"""The web server's worker, which knows how long a request has waited for a thread. DRILLS K24.

Under more load than it can carry, a server does its work for callers who have long hung up, unless it knows how old a
request is. gunicorn's own worker does not say; this one notes when a connection became readable.
"""

import gc
import threading
from typing import Any

from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]  # gunicorn ships no types

from core import clock

GARBAGE = (10_000, 20, 20)  # Python's own (700, 10, 10) looks after every second statement

_mine = threading.local()


def waited_s() -> float:
    """How long the request of this thread has waited for it. 0 under any other server."""
    waited: float = getattr(_mine, "waited_s", 0.0)
    return waited


class Worker(ThreadWorker):  # type: ignore[misc]  # for the same reason
    """gunicorn's threaded worker (`--worker-class core.serving.Worker`)."""

    def load_wsgi(self) -> None:
        """The app is loaded, and what it is made of is never looked through for garbage again.

        A full collection walks a few hundred thousand objects that live as long as the process: 0.1 to 0.3 s in which
        every request of the process waits. Measured as the p99 of benchmarks.callbacks.
        """
        super().load_wsgi()
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GARBAGE)

    def enqueue_req(self, conn: Any) -> None:
        """The connection waits for a thread from now on."""
        conn.readable_at = clock.monotonic()
        super().enqueue_req(conn)

    def handle(self, conn: Any) -> Any:
        """A thread has the connection."""
        _mine.waited_s = clock.monotonic() - conn.readable_at
        return super().handle(conn)
