"""Access tokens and tickets that all processes share: fetched by one, used by all, renewed once when one fails.

The token stands in Redis. Who needs one looks at its own copy, then at Redis, then fetches under a lock that holds
across threads and processes. A failed token is given up by compare and swap: if somebody else has already put
another one there, that one is used and nothing is fetched. With Redis away every process keeps its own; `stable_token`
makes that harmless (DESIGN §3). Sources: PROTOCOLS 1.10, 3.1, 6.1; FEATURES N4.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from core import clock, log
from core.errors import Busy, PlatformError, Refused, Unknown
from core.redis import Cache

_log = log.get(__name__)

LOOK_AGAIN_S = 60.0  # how long an own copy is used before Redis is looked at again
EARLY_S = 300.0  # the platform renews about five minutes early and the old one lives on for five
HOLD_S, WAIT_S = 12.0, 9.0  # longer than a fetch may take (3 s to connect, 5 s to answer)
REFUSAL_S = 30.0  # a refused secret is not tried again for so long
FETCHES_PER_MINUTE = 6
FORCE_EVERY_S = 4500.0  # force_refresh is allowed 20 times a day (PROTOCOLS 1.10)

Fetch = Callable[[bool], tuple[str, float]]
"""Asks the platform: `fetch(force)` gives the token and the seconds it lives."""


@dataclass(frozen=True)
class _Copy:
    token: str
    good_until: float  # monotonic
    look_again: float


class Tokens:
    """The current token of one app. Its methods may be called from any thread; they block while one of them fetches."""

    def __init__(self, cache: Cache, name: str, fetch: Fetch, *, can_force: bool = False) -> None:
        self.name = name
        self._cache = cache
        self._fetch = fetch
        self._can_force = can_force
        self._copy: _Copy | None = None
        self._mutex = threading.Lock()
        self._failures = 0
        self._failed: PlatformError | None = None
        self._refused_until = float("-inf")
        self._forced_at = float("-inf")
        self._fetched_at: deque[float] = deque(maxlen=FETCHES_PER_MINUTE)

    def peek(self) -> str | None:
        """The own copy when it may still be used without looking anywhere; never blocks."""
        copy = self._copy
        return copy.token if copy is not None and clock.monotonic() < copy.look_again else None

    def current(self) -> str:
        """A token that should work. Raises Refused (secret, IP list) or Busy (the platform gave none)."""
        return self.peek() or self._settle(None)

    def replace(self, failed: str) -> str:
        """A token other than the failed one, fetched only if nobody has done so yet. Raises Refused or Busy."""
        token = self.peek()
        return token if token is not None and token != failed else self._settle(failed)

    def probe(self) -> None:
        """Nothing, when the platform gives this app a token now. Raises Refused, Busy or Unknown as it said it."""
        self._fetch(False)

    def _settle(self, failed: str | None) -> str:
        failures = self._failures
        with self._mutex:
            if self._failures != failures:  # it failed while we waited: the same answer for everybody who waited
                raise self._again()
            token = self.peek()
            if token is not None and token != failed:
                return token
            return self._shared(failed) or self._fetched(failed)

    def _shared(self, failed: str | None) -> str | None:
        """The token in Redis, or the own copy while it is good; not the failed one."""
        now = clock.monotonic()
        token = self._cache.get(self._key)
        if token and token != failed:
            known = self._copy if self._copy is not None and self._copy.token == token else None
            self._copy = _Copy(token, known.good_until if known else now + LOOK_AGAIN_S, now + LOOK_AGAIN_S)
            return token
        copy = self._copy
        if token or copy is None or copy.token == failed or copy.good_until <= now:
            return None
        # Redis is away or has lost everything: the own copy goes on, and back to the others.
        self._copy = _Copy(copy.token, copy.good_until, min(copy.good_until, now + LOOK_AGAIN_S))
        self._cache.put(self._key, copy.token, ttl_s=copy.good_until - now)
        return copy.token

    def _fetched(self, failed: str | None) -> str:
        now = clock.monotonic()
        if now < self._refused_until:
            raise self._again()
        with self._cache.lock(f"token:{self.name}", hold_s=HOLD_S, wait_s=WAIT_S):
            # Without the lock (Redis away, or its holder is slow) everyone asks for itself: the answer is the same token.
            token = self._cache.get(self._key)
            if token and token != failed:
                self._copy = _Copy(token, now + LOOK_AGAIN_S, now + LOOK_AGAIN_S)
                return token
            try:
                return self._ask(failed)
            except PlatformError as why:
                self._failures += 1
                # Silence while fetching a token is no silence about the message: nothing was sent.
                self._failed = Busy(why.code, why.message) if isinstance(why, Unknown) else why
                if isinstance(why, Refused):
                    self._refused_until = clock.monotonic() + REFUSAL_S
                    _log.error("access token refused", app=self.name, errcode=why.code, answer=why.message)
                raise self._again() from None

    def _ask(self, failed: str | None) -> str:
        now = clock.monotonic()
        if len(self._fetched_at) == FETCHES_PER_MINUTE and now - self._fetched_at[0] < 60:
            raise Busy("token_storm", "tokens fail as fast as they are fetched", retry_after_s=60)
        self._fetched_at.append(now)
        token, lives_s = self._fetch(False)
        if token == failed and self._may_force(now):
            _log.warning("access token forced", app=self.name)
            token, lives_s = self._fetch(True)
        good_s = max(lives_s - EARLY_S, lives_s / 2)
        now = clock.monotonic()
        self._copy = _Copy(token, now + good_s, now + min(good_s, LOOK_AGAIN_S))
        self._cache.put(self._key, token, ttl_s=good_s)
        _log.info("access token renewed", app=self.name)
        return token

    def _may_force(self, now: float) -> bool:
        if not self._can_force or now - self._forced_at < FORCE_EVERY_S or self._cache.get(self._key + ":forced"):
            return False
        self._forced_at = now
        self._cache.put(self._key + ":forced", "1", ttl_s=FORCE_EVERY_S)
        return True

    def _again(self) -> PlatformError:
        why = self._failed or Busy("token")
        return type(why)(why.code, why.message, retry_after_s=why.retry_after_s)

    @property
    def _key(self) -> str:
        return f"token:{self.name}"
