"""How often somebody may ask. Counted in Redis over all processes, per process while Redis is away. ASVS 2.4, P3.

A campus sits behind few addresses: what is counted by address is generous, what is counted by session is tight. The
lock of a campus number after five wrong tries is a rule (`campus.attempts`), not one of these.
"""

import time
from collections.abc import Callable
from math import ceil
from typing import Any, NamedTuple, TypeVar

from flask import Flask, Response, request
from flask_limiter import Limiter, RateLimitExceeded

from core import crypto, web
from core.errors import TooMany
from core.redis import Cache

View = TypeVar("View", bound=Callable[..., Any])


def by_address() -> str:
    """Counted by where it came from."""
    return f"ip:{web.client_ip()}"


def by_session() -> str:
    """Counted by session token, by address when there is none."""
    token = request.headers.get("Authorization", "")
    return f"s:{crypto.hash_token(token)[:24]}" if token else by_address()


class Limit(NamedTuple):
    """So often, counted by that."""

    often: str
    by: Callable[[], str]


LIMITS = {
    "login": Limit("240/minute", by_address),
    "code": Limit("60/minute", by_address),
    "binding": Limit("10/minute;60/hour", by_session),
    "photos": Limit("40/minute;300/hour", by_session),
    "filing": Limit("10/minute;60/hour", by_session),
    "moves": Limit("60/minute", by_session),
    "export": Limit("6/minute", by_session),
    "public": Limit("120/minute", by_address),
    "reading": Limit("600/minute", by_session),
}


def limited(name: str) -> Callable[[View], View]:
    """The endpoint is counted under that name; endpoints of one name are counted together."""

    def mark(view: View) -> View:
        view.limited = name  # type: ignore[attr-defined]  # read by `set_up`
        return view

    return mark


def set_up(app: Flask, cache: Cache, endpoints: list[str]) -> None:
    """Each of these endpoints is counted under the name it is marked with, else as reading."""
    limiter = Limiter(
        by_session,
        app=app,
        strategy="sliding-window-counter",
        storage_uri=storage_uri(cache.url),
        storage_options={"socket_timeout": 0.5, "socket_connect_timeout": 0.5}
        if "redis" in storage_uri(cache.url)
        else {},
        in_memory_fallback_enabled=True,
        # Of several requests that meet a dead Redis at once, the library falls back for the first and raises for the rest.
        swallow_errors=True,
        key_prefix="houqin-api",
        default_limits=[],
    )
    shared = {name: limiter.shared_limit(limit.often, scope=name, key_func=limit.by) for name, limit in LIMITS.items()}
    for endpoint in endpoints:
        view = app.view_functions[endpoint]
        app.view_functions[endpoint] = shared[getattr(view, "limited", "reading")](view)

    @app.errorhandler(RateLimitExceeded)
    def _too_many(_why: RateLimitExceeded) -> Response:
        current = limiter.current_limit
        # `limits` counts on the machine's own clock, which the sandbox does not move.
        wait_s = ceil(current.reset_at - time.time()) if current else 60
        return web.refused(TooMany(retry_after_s=max(1, wait_s)))


def storage_uri(url: str) -> str:
    """The cache's address as the limits library writes it."""
    return f"redis+{url}" if url.startswith("unix://") else url
