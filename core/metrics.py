"""What the machine room counts. Labels are few and fixed: never a number, a name or an openid."""

import hashlib
import hmac
import os

from prometheus_client import REGISTRY as _OWN
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
    start_http_server,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST

REQUESTS = Counter("houqin_requests", "Requests answered", ["door", "status"])
REQUEST_SECONDS = Histogram(
    "houqin_request_seconds", "How long an answer took", ["door"], buckets=(0.005, 0.02, 0.1, 0.5, 1, 2, 4, 5, 10)
)
CALLBACKS = Counter("houqin_callbacks", "Platform callbacks by outcome", ["door", "outcome"])
PLATFORM_CALLS = Counter("houqin_platform_calls", "Calls to platforms by answer", ["platform", "answer"])
PLATFORM_UP = Gauge("houqin_platform_up", "1 while the platform answers", ["platform"], multiprocess_mode="mostrecent")
DEBTS_SETTLED = Counter("houqin_debts", "Debts worked on by outcome", ["topic", "outcome"])
DEBTS_DUE = Gauge("houqin_debts_due", "Debts that are due and not settled", multiprocess_mode="mostrecent")
OLDEST_DEBT_SECONDS = Gauge("houqin_oldest_debt_seconds", "Age of the oldest due debt", multiprocess_mode="mostrecent")
REDIS_UP = Gauge("houqin_redis_up", "1 while Redis answers", multiprocess_mode="mostrecent")


def reading_token(secret_key: str) -> str:
    """What /metrics asks for from afar as a bearer token: derived from `[server] secret_key`, so it is configured nowhere."""
    return hmac.new(secret_key.encode(), b"houqin metrics", hashlib.sha256).hexdigest()


def exposition() -> tuple[bytes, str]:
    """All processes' counters as the text Prometheus reads, with its content type."""
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return generate_latest(_OWN), CONTENT_TYPE_LATEST
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library has no types here
    return generate_latest(registry), CONTENT_TYPE_LATEST


def serve(port: int) -> None:
    """This process's own counters are read at http://127.0.0.1:{port}/metrics from now on: the worker has no web server."""
    start_http_server(port, addr="127.0.0.1")
