"""Every message counts once: its row, its deed and its reply are committed together, or it was never here.

The row is the first statement of the deed's transaction, so a second arrival waits at the UNIQUE until the first is
committed, at most three seconds, and is given the same reply. What has no deed is one INSERT and no more. The whole
stay in the database is bounded, because the platform hangs up after five seconds. Sources: PROTOCOLS 1.3, 3.2; issue
"Doors"; docs/decisions/0002-callbacks.md.
"""

import hashlib
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.orm import Session

from core import clock
from core.db import Database, errno, insert_if_new, is_away
from core.errors import NotNow
from models.arrivals import Arrival
from wxbot.together import Together

QUEUE_S = 1.0  # who has waited longer than this for a thread is asked to come again
STAY_S = 3.5  # all statements of one callback together; the answer has to leave before the fourth second
LOCK_WAIT_S = 3  # how long a second arrival waits for the first
CONNECT_WAIT_S = 1  # and for each answer of its handshake: a frozen server accepts and then says nothing
POOL = 16  # more threads than this take turns
POOL_WAIT_S = 0.5
LAST_TRY_S = 1.0  # what must be left for another try to make sense
LOCK_TIMED_OUT = 1205
DEADLOCK = 1213
LONGEST_KEY = 150


_INSERT = "INSERT IGNORE INTO arrival (door, `key`, reply, arrived_at) VALUES "
_SELECT = "SELECT door, `key`, reply, arrived_at FROM arrival WHERE (door, `key`) IN"


class _Row(NamedTuple):
    door: str
    key: str
    reply: str
    now: datetime


class Kept(NamedTuple):
    """The reply that stands for a message, when the message first came, and whether this was that time."""

    reply: str
    at: datetime
    first: bool


class _CameBefore(Exception):
    """Leaves a transaction that has nothing to do."""


def callback_database(url: str, *, pool: int = POOL) -> Database:
    """A database for callbacks alone: it gives up in time, and no page of the console can use up its connections."""
    # SQLite waits inside BEGIN IMMEDIATE and `run` tries three times: three seconds again.
    lock_wait_s = 1 if sa.make_url(url).get_backend_name() == "sqlite" else LOCK_WAIT_S
    return Database(
        url,
        pool=pool,
        pool_wait_s=POOL_WAIT_S,
        lock_wait_s=lock_wait_s,
        connect_wait_s=CONNECT_WAIT_S,
        answer_wait_s=CONNECT_WAIT_S,
        lean=True,
    )


class Inbox:
    """The arrivals, by door and key."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._dbapi = database.engine.dialect.loaded_dbapi
        self._mine = threading.local()
        self._together = Together(self._keep)
        self._raw: Any = None  # the connection of whoever writes for all
        if not database.is_sqlite:
            event.listen(database.engine, "before_cursor_execute", self._hurry)
            event.listen(database.engine, "commit", self._hurry)
            event.listen(database.engine, "rollback", _undo_quickly)

    # -- a message without a deed

    def keep(self, door: str, key: str, reply: str, now: datetime) -> Kept:
        """The message is stored with this reply, or was before with the reply that is given back. NotNow when it cannot be.

        One statement and its commit, shared with whatever else comes at the same moment.
        """
        key = _fitting(key)
        if self._database.is_sqlite:
            return self.do(door, key, lambda _: reply, now)
        return self._together.put(_Row(door, key, reply, now), self._left())

    def _keep(self, rows: Sequence[_Row]) -> list[Kept]:
        """A connection that died while it lay idle is replaced once: the UNIQUE makes that safe."""
        for again in (True, False):
            fresh = self._connect()
            try:
                return self._insert(rows)
            except self._dbapi.Error as why:
                code = why.args[0] if why.args else None
                if code != DEADLOCK:
                    self._drop()  # whatever it was, what the connection says next might belong to it
                if isinstance(why, self._dbapi.ProgrammingError | self._dbapi.DataError):
                    raise
                if code == LOCK_TIMED_OUT:
                    raise NotNow(why="the first arrival is still being answered") from why
                if not again or (fresh and code != DEADLOCK) or self._left() < LAST_TRY_S:
                    raise NotNow(why=str(code or "database")) from why
        raise AssertionError("unreachable")

    def _insert(self, rows: Sequence[_Row]) -> list[Kept]:
        values = [value for row in rows for value in (row.door, row.key, row.reply, _naive(row.now))]
        with self._raw.cursor() as cursor:
            new = cursor.execute(_INSERT + ",".join(["(%s,%s,%s,%s)"] * len(rows)), values)
            if new == len(rows):
                return [Kept(row.reply, row.now, first=True) for row in rows]
            self._raw._read_timeout = self._left()
            names = [value for row in rows for value in (row.door, row.key)]
            cursor.execute(f"{_SELECT} ({','.join(['(%s,%s)'] * len(rows))})", names)
            stored = {(door, key): (reply, at.replace(tzinfo=UTC)) for door, key, reply, at in cursor.fetchall()}
        kept = []
        for row in rows:
            if (found := stored.get((row.door, row.key))) is None:
                raise NotNow(why="the first arrival was undone")
            kept.append(Kept(*found, first=new > 0 and found == (row.reply, row.now)))
        return kept

    def _connect(self) -> bool:
        """Whoever writes has the one connection for that, which commits each statement by itself. True when it is new."""
        fresh = self._raw is None
        while self._raw is None:
            try:
                pooled = self._database.engine.raw_connection()
            except exc.TimeoutError as why:
                raise NotNow(why="pool") from why
            except exc.DBAPIError as why:
                raise NotNow(why=str(errno(why) or "database")) from why
            raw: Any = pooled.driver_connection
            try:
                raw.autocommit(True)
            except self._dbapi.Error as why:  # it had lain idle in the pool and died there
                pooled.invalidate()
                if self._left() < LAST_TRY_S:
                    raise NotNow(why="database") from why
            else:
                pooled.detach()  # ours from now on: no checkout, no ping, no ROLLBACK on the way back
                self._raw = raw
        self._raw._read_timeout = self._left()  # PyMySQL has no other way to bound one statement from this side
        return fresh

    def _drop(self) -> None:
        raw, self._raw = self._raw, None
        with suppress(self._dbapi.Error):  # the other side may have closed it already
            raw.close()

    # -- a message with a deed

    def do(self, door: str, key: str, deed: Callable[[Session], str], now: datetime) -> Kept:
        """The deed is done and its reply stored with the message, in one transaction; or both were before.

        A CampusError is the deed's own and has undone everything, the row too. NotNow when nothing could be stored in
        time.
        """
        key = _fitting(key)

        def rule(s: Session) -> Kept:
            number = _arrive(s, door, key, now)
            reply = deed(s)
            if reply:
                s.flush()
                s.connection().execute(_ANSWER, {"number": number, "said": reply})
            return Kept(reply, now, first=True)

        try:
            return self._run(rule)
        except _CameBefore:
            with self._database.reading() as s:
                row = s.execute(
                    sa.select(Arrival.reply, Arrival.arrived_at).where(Arrival.door == door, Arrival.key == key)
                ).one_or_none()
        if row is None:
            raise NotNow(why="the first arrival was undone")
        return Kept(row.reply, row.arrived_at, first=False)

    def _run(self, rule: Callable[[Session], Kept]) -> Kept:
        """A lost connection is met with one more try: the row shows whether a COMMIT without an answer was one."""
        try:
            return self._database.run(rule)
        except NotNow as why:
            lost = isinstance(why.__cause__, exc.DBAPIError) and is_away(why.__cause__)
            if not lost or self._left() < LAST_TRY_S:
                raise
        return self._database.run(rule)

    # -- how long it may take

    def begin(self, waited_s: float) -> None:
        """A callback is here that has waited so long; whatever it asks of the database from now on ends in time.

        Raises NotNow when it is too late to begin: a queue that is served in its order would serve nobody in time.
        """
        if waited_s > QUEUE_S:
            raise NotNow(why="crowded")
        self._mine.until = clock.monotonic() + STAY_S - waited_s

    def _left(self) -> float:
        """Seconds until the answer must leave. Raises NotNow when there are none."""
        left: float = self._mine.until - clock.monotonic()
        if left < 0.05:
            raise NotNow(why="too slow")
        return left

    def _hurry(self, connection: sa.Connection, *_: Any) -> None:
        """No statement waits longer than what is left for all of them."""
        raw: Any = connection.connection.driver_connection
        raw._read_timeout = self._left()

    def dispose(self) -> None:
        """The connections are closed."""
        if self._raw is not None:
            self._drop()
        self._database.dispose()


def _undo_quickly(connection: sa.Connection) -> None:
    """A ROLLBACK nobody answers is left to the server, which undoes what a lost connection had begun."""
    raw: Any = connection.connection.driver_connection
    raw._read_timeout = 0.3


def _arrive(s: Session, door: str, key: str, now: datetime) -> int:
    """The row's id. Leaves the transaction when the message came before."""
    try:
        number = insert_if_new(s, Arrival, {"door": door, "key": key, "reply": "", "arrived_at": now})
    except exc.OperationalError as why:
        if errno(why) == LOCK_TIMED_OUT:
            raise NotNow(why="the first arrival is still being answered") from why
        raise
    if number is None:
        raise _CameBefore
    return number


_ANSWER = sa.update(Arrival).where(Arrival.id == sa.bindparam("number")).values(reply=sa.bindparam("said"))


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def _fitting(key: str) -> str:
    """The key of a message id as it is; of anything else a digest.

    INSERT IGNORE would cut what is too long without a word, and the key of an event names its sender, whose openid must
    not be found here after an unsubscribe (P11).
    """
    if key.startswith("m:") and len(key) <= LONGEST_KEY:
        return key
    return f"h:{hashlib.sha256(key.encode('utf-8', 'replace')).hexdigest()}"
