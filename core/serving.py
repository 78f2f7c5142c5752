"""The web server's worker, which knows how long a request has waited for a thread. DRILLS K24.

Under more load than it can carry, a server does its work for callers who have long hung up, unless it knows how old a
request is. gunicorn's own worker does not say; this one notes when a connection became readable.
"""

import threading
from typing import Any

from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]  # gunicorn ships no types

from core import clock

_mine = threading.local()


def waited_s() -> float:
    """How long the request of this thread has waited for it. 0 under any other server."""
    waited: float = getattr(_mine, "waited_s", 0.0)
    return waited


class Worker(ThreadWorker):  # type: ignore[misc]  # for the same reason
    """gunicorn's threaded worker (`--worker-class core.serving.Worker`)."""

    def enqueue_req(self, conn: Any) -> None:
        """The connection waits for a thread from now on."""
        conn.readable_at = clock.monotonic()
        super().enqueue_req(conn)

    def handle(self, conn: Any) -> Any:
        """A thread has the connection."""
        _mine.waited_s = clock.monotonic() - conn.readable_at
        return super().handle(conn)
