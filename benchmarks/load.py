"""Sends HTTP requests over many kept-alive connections and measures: raw sockets and epoll, about 15 µs a request.

Closed loop: each connection sends its next request when the last is answered. Open loop (`rate`): requests fall due at
fixed moments whether or not anybody is ready, and a latency counts from the moment the request fell due, so a server
that stalls cannot hide it.
"""

import select
import socket
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

ANSWER_WITHIN_S = 30


@dataclass
class Heard:
    """What came back."""

    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    latencies_s: list[float] = field(default_factory=list)
    unanswered: int = 0

    @property
    def per_second(self) -> float:
        return len(self.latencies_s) / self.seconds if self.seconds else 0.0

    def quantile_ms(self, share: float) -> float:
        ordered = sorted(self.latencies_s)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 if ordered else float("inf")


class _Connection:
    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.due = 0.0
        self.got = b""


def get(port: int, path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()


def post(port: int, path: str, query: str, body: bytes) -> bytes:
    head = f"POST {path}?{query} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def run(
    port: int,
    requests: Iterator[bytes] | Sequence[bytes],
    *,
    connections: int,
    seconds: float,
    rate: float | None = None,
) -> Heard:
    """What the server on this port answers for so long. Requests that were never answered are counted."""
    supply, heard = iter(requests), Heard()
    poll = select.epoll()
    open_connections = [_Connection(port) for _ in range(connections)]
    by_number = {one.socket.fileno(): one for one in open_connections}
    for number in by_number:
        poll.register(number, select.EPOLLIN)
    idle = deque(open_connections)
    busy = 0
    began = time.perf_counter()
    ends, gives_up = began + seconds, began + seconds + ANSWER_WITHIN_S
    next_due, gap, last = began, 1 / rate if rate else 0.0, began
    while True:
        now = time.perf_counter()
        if now >= gives_up or (now >= ends and not busy):
            break
        while idle and (next_due < ends if rate else now < ends):
            if rate:
                if next_due > now:
                    break
                due, next_due = next_due, next_due + gap
            else:
                due = now
            if (request := next(supply, None)) is None:
                ends = min(ends, now)
                break
            connection = idle.popleft()
            connection.due = due
            connection.socket.sendall(request)
            busy += 1
        wait = 0.2 if not rate or now >= ends or not idle else max(0.0, min(0.2, next_due - now))
        for number, _ in poll.poll(wait):
            connection = by_number[number]
            connection.got += connection.socket.recv(65536)
            status = _whole(connection.got)
            if status is None:
                continue
            last = time.perf_counter()
            heard.statuses[status] += 1
            heard.latencies_s.append(last - connection.due)
            connection.got = b""
            busy -= 1
            idle.append(connection)
    heard.seconds = max(last - began, 1e-9)
    heard.unanswered = busy
    for one in open_connections:
        one.socket.close()
    poll.close()
    return heard


def _whole(got: bytes) -> int | None:
    """The status once the whole answer is here."""
    if not got:
        raise ConnectionError("the server hung up")
    if (end := got.find(b"\r\n\r\n")) < 0:
        return None
    head = got[:end].lower()
    if (at := head.find(b"content-length:")) < 0:
        raise ValueError(f"an answer without a length: {head[:80]!r}")
    length = int(head[at + 15 : (head.find(b"\r\n", at) + 1 or len(head) + 1) - 1])
    return int(got[9:12]) if len(got) >= end + 4 + length else None
