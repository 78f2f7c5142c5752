"""The database: two ways in, and no other. STYLE "Transactions", ECOSYSTEM §3.

`run` changes: it commits, or rolls back, and runs the whole rule again on a lock time-out, deadlock or snapshot
error, at most three times. `reading` looks; a write in it raises. SQLite begins a changing transaction IMMEDIATE
and a reading one plainly; MariaDB runs at READ COMMITTED: under REPEATABLE READ a read before `hold` would freeze
an old picture. The same rules run on both.
"""

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.orm import Session, sessionmaker

from core.errors import CampusError, NotFound, NotNow

T = TypeVar("T")
M = TypeVar("M")

AGAIN = frozenset({1205, 1213, 1020})
GONE = frozenset({2002, 2003, 2006, 2013, 2055, 1053, 1077, 1927, 4031})
TRIES = 3
POOL = 16
POOL_WAIT_S = 2.0


class Database:
    """One engine with its two kinds of session. `url` as in `[database] url`.

    `lean` spares the ping before and the ROLLBACK after each transaction: for whoever repeats what a lost connection
    broke off, as the callbacks do.
    """

    def __init__(
        self,
        url: str,
        *,
        pool: int = POOL,
        pool_wait_s: float = POOL_WAIT_S,
        lock_wait_s: int = 5,
        connect_wait_s: int = 2,
        answer_wait_s: int = 30,
        lean: bool = False,
    ) -> None:
        self.url = url
        waits = {"connect_timeout": connect_wait_s, "read_timeout": answer_wait_s, "write_timeout": answer_wait_s}
        self.engine = _engine(url, pool=pool, pool_wait_s=pool_wait_s, lock_wait_s=lock_wait_s, waits=waits, lean=lean)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self._write = sessionmaker(self.engine, expire_on_commit=False)
        self._read = sessionmaker(self.engine.execution_options(readonly=True), expire_on_commit=False, autoflush=False)

    def run(self, rule: Callable[[Session], T]) -> T:
        """What the rule answers, committed. A rule that raises has changed nothing.

        The one exception: a refusal that is `counted` (a wrong password, a wrong code) is raised after the commit, so
        that the try it wrote down stands. P3: five wrong tries lock, which a rollback would never notice.
        """
        for left in reversed(range(TRIES)):
            try:
                with self._write.begin() as s:
                    try:
                        return rule(s)
                    except CampusError as why:
                        if not why.counted:
                            raise
                        refusal = why
                raise refusal
            except exc.DBAPIError as why:
                # 1205 undoes one statement only: leaving the block has rolled the whole transaction back (PERFORMANCE D.10).
                if left and _worth_another_try(why):
                    continue
                raise _for_people(why) from why
            except exc.TimeoutError as why:
                raise NotNow(why="pool") from why
        raise AssertionError("unreachable")

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that only looks."""
        try:
            with self._read() as s:
                event.listen(s, "before_flush", _refuse_to_write)
                yield s
        except exc.DBAPIError as why:
            raise _for_people(why) from why
        except exc.TimeoutError as why:
            raise NotNow(why="pool") from why

    def dispose(self) -> None:
        """Every pooled connection is closed; a forked child must not use its parent's."""
        self.engine.dispose()


def _refuse_to_write(session: Session, *_: Any) -> None:
    if session.new or session.dirty or session.deleted:
        raise RuntimeError("reading() was asked to write; use run()")


def _engine(
    url: str, *, pool: int, pool_wait_s: float, lock_wait_s: int, waits: dict[str, int], lean: bool
) -> sa.Engine:
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite":
        if parsed.database and parsed.database != ":memory:":
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        return _sqlite(parsed, lock_wait_s)
    if "charset" not in parsed.query:
        parsed = parsed.update_query_dict({"charset": "utf8mb4"})
    engine = sa.create_engine(
        parsed,
        isolation_level="READ COMMITTED",
        pool_pre_ping=not lean,
        pool_reset_on_return=None if lean else "rollback",
        pool_recycle=1800,
        pool_size=pool,
        max_overflow=0,
        pool_timeout=pool_wait_s,
        connect_args=waits,
    )

    @event.listens_for(engine, "connect")
    def _set_up(connection: Any, _record: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET time_zone='+00:00', innodb_lock_wait_timeout={int(lock_wait_s)}")

    return engine


def _sqlite(url: sa.URL, lock_wait_s: int) -> sa.Engine:
    engine = sa.create_engine(url, connect_args={"timeout": lock_wait_s, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _set_up(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver must not send BEGIN itself
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={lock_wait_s * 1000}"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        # A plain BEGIN that reads and then writes fails at once with "database is locked"; IMMEDIATE queues.
        readonly = connection.get_execution_options().get("readonly")
        connection.exec_driver_sql("BEGIN" if readonly else "BEGIN IMMEDIATE")

    return engine


def errno(why: exc.DBAPIError) -> int | None:
    """MariaDB's number of the error, None on SQLite."""
    args = getattr(why.orig, "args", ())
    return args[0] if args and isinstance(args[0], int) else None


def _worth_another_try(why: exc.DBAPIError) -> bool:
    return errno(why) in AGAIN or "database is locked" in str(why.orig)


def is_away(why: exc.DBAPIError) -> bool:
    """Whether the database could not be reached or went away: a later try may find it back."""
    return why.connection_invalidated or errno(why) in GONE or "Packet sequence" in str(why.orig)


def _for_people(why: exc.DBAPIError) -> Exception:
    if is_away(why) or _worth_another_try(why):
        return NotNow(why=str(errno(why) or "database"))
    return why


# ---- the database of this process ----------------------------------------------------------------------------------

_database: Database | None = None
_lock = threading.Lock()


def connect(url: str, **options: Any) -> Database:
    """From now on `run` and `reading` of this process use that database."""
    return use(Database(url, **options))


def use(database: Database) -> Database:
    """From now on `run` and `reading` of this process use that database; the one before is closed."""
    global _database
    with _lock:
        if _database is not None and _database is not database:
            _database.dispose()
        _database = database
    return database


def database() -> Database:
    """The database of this process."""
    if _database is None:
        raise RuntimeError("core.db.connect() has not been called")
    return _database


def run(rule: Callable[[Session], T]) -> T:
    """`Database.run` on the database of this process."""
    return database().run(rule)


def reading() -> Any:
    """`Database.reading` on the database of this process."""
    return database().reading()


# ---- what a rule does with its session -----------------------------------------------------------------------------


def found(s: Session, model: type[M], **by: Any) -> M:
    """The row with these values, read without a lock. Raises NotFound."""
    if (row := s.scalars(sa.select(model).filter_by(**by)).one_or_none()) is None:
        raise NotFound(what=model.__name__, **{key: str(value) for key, value in by.items()})
    return row


def hold(s: Session, model: type[M], **by: Any) -> M:
    """The row with these values, locked until the transaction ends and read afresh. Raises NotFound."""
    query = sa.select(model).filter_by(**by).with_for_update().execution_options(populate_existing=True)
    if (row := s.scalars(query).one_or_none()) is None:
        raise NotFound(what=model.__name__, **{key: str(value) for key, value in by.items()})
    return row


def insert_once(s: Session, row: Any) -> bool:
    """True when the row is in; False when a UNIQUE says that it, or its twin, was in before. Nothing else is undone."""
    try:
        with s.begin_nested():
            s.add(row)
            s.flush()
    except exc.IntegrityError as why:
        if not is_duplicate(why):
            raise
        return False
    return True


def writing(s: Session) -> sa.Connection:
    """The connection, for a statement that passes the session by. Raises RuntimeError in `reading`."""
    connection = s.connection()
    if connection.get_execution_options().get("readonly"):
        raise RuntimeError("reading() was asked to write; use run()")
    return connection


def insert_new(s: Session, model: type[Any], rows: list[dict[str, Any]]) -> int:
    """The rows that no UNIQUE refuses are in, all of them in one round trip; how many that were.

    Every row names the same columns. INSERT IGNORE also turns a value that does not fit into a warning, so callers
    hand in values they have checked.
    """
    return writing(s).execute(_insert_ignore(cast(Any, model)), rows).rowcount if rows else 0


def insert_if_new(s: Session, model: type[Any], row: dict[str, Any]) -> int | None:
    """The id of the row, None when a UNIQUE says that it, or its twin, was in before. One round trip, as `insert_new`."""
    done = writing(s).execute(_insert_ignore(cast(Any, model)), row)
    return done.lastrowid if done.rowcount else None


@functools.cache
def _insert_ignore(model: Any) -> sa.Insert:
    # The rows go in as parameters of one statement: compiling a VALUES list of 200 rows costs more than sending it.
    insert = sa.insert(sa.inspect(model).local_table)
    for dialect, word in (("sqlite", "OR IGNORE"), ("mysql", "IGNORE"), ("mariadb", "IGNORE")):
        insert = insert.prefix_with(word, dialect=dialect)
    return insert


def is_duplicate(why: exc.DBAPIError) -> bool:
    """Whether a UNIQUE or a primary key said no (and not a CHECK or a foreign key)."""
    return errno(why) == 1062 or "UNIQUE constraint failed" in str(why.orig)
