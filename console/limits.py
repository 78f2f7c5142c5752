"""How often one address may ask. Counted in Redis, per process while Redis is away. ECOSYSTEM §1 row 3.

Guessing a password is slowed here by address and in `campus.operators` by operator.
"""

from typing import Any

from flask import Flask, request
from flask_limiter import Limiter
from flask_limiter.errors import RateLimitExceeded

from console.frame import bp
from core.errors import TooMany
from core.web import client_ip

PAGES = "600 per minute"
SIGN_IN = "10 per minute; 60 per hour"
REVEAL = "30 per minute"

limiter = Limiter(
    key_func=client_ip,
    strategy="moving-window",
    key_prefix="houqin-console",
    in_memory_fallback_enabled=True,
    headers_enabled=False,
    swallow_errors=True,
)


def _a_file() -> bool:
    return request.endpoint in ("console.static", "console.get_vendor")


limiter.limit(PAGES, exempt_when=_a_file)(bp)


def furnish(app: Flask) -> None:
    """The app counts requests to the console."""
    house: Any = app.extensions["houqin"]
    url = house.cache.url
    app.config["RATELIMIT_STORAGE_URI"] = f"redis+{url}" if url.startswith("unix:") else url
    app.config["RATELIMIT_STORAGE_OPTIONS"] = {"socket_timeout": 0.5, "socket_connect_timeout": 0.5}
    limiter.init_app(app)


def too_many(why: RateLimitExceeded) -> TooMany:
    """The limiter's refusal in our own words."""
    return TooMany(limit=str(why.description), retry_after_s=60)
