"""What the sandbox remembers: one SQLite file, one connection, one lock.

WAL with synchronous=OFF: a write is with the operating system when the call returns, so it survives
`kill -9` of the sandbox (not of the machine) and costs some ten microseconds. A counting run (`grouped`) commits
what came within 20 ms together, and a `kill -9` may cost it those.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

GROUP_S = 0.02
SCHEMA = """
create table if not exists value (key text primary key, json text not null);
create table if not exists counter (purpose text primary key, next integer not null);
create table if not exists person (
  key text primary key, name text not null, campus_no text, kind text, phone text,
  official_openid text unique, mini_openid text unique, unionid text, wecom_userid text unique,
  follows integer not null default 0, blocked integer not null default 0, followed_at integer,
  qr_scene text not null default '', mini_seen_at integer not null default 0, crowd integer not null default 0);
create table if not exists token (
  token text primary key, account text not null, slot text not null, issued_at integer not null,
  expires_at integer not null, dead_at integer);
create index if not exists token_slot on token (account, slot, issued_at);
create table if not exists code (
  code text primary key, kind text not null, person text not null, issued_at integer not null,
  used_at integer, extra text not null default '{}');
create table if not exists qr (
  ticket text primary key, kind text not null, scene text not null, page text not null default '',
  action text not null default '', url text not null, minted_at integer not null, expires_at integer);
create index if not exists qr_scene on qr (kind, scene);
create table if not exists door (code text primary key, label text not null);
create table if not exists quota (
  account text not null, openid text not null, template_id text not null, n integer not null,
  primary key (account, openid, template_id));
create table if not exists sent (
  id integer primary key, at real not null, kind text not null, recipient text not null, client_key text not null,
  msg_id text not null, body text not null, state text not null default 'accepted');
create index if not exists sent_key on sent (kind, recipient, client_key);
create index if not exists sent_client on sent (client_key);
create index if not exists sent_msg on sent (msg_id);
create table if not exists feed (
  id integer primary key, at real not null, person text not null, app text not null, direction text not null,
  kind text not null, body text not null);
create index if not exists feed_person on feed (person, id);
create table if not exists tally (
  name text not null, span text not null, n integer not null, primary key (name, span));
create table if not exists reply_window (
  openid text not null, cause text not null, until real not null, remaining integer not null,
  primary key (openid, cause));
create table if not exists media (
  id text primary key, account text not null, kind text not null, name text not null, mime text not null,
  at integer not null, data blob not null);
create table if not exists card (
  code text primary key, msg_id text not null, issued_at integer not null, used_at integer);
create table if not exists fault (
  id integer primary key autoincrement, kind text not null, route text not null, remaining integer, probability real not null,
  args text not null, hits integer not null default 0);
"""
TABLES = (
    "value counter person token code qr door quota sent feed tally reply_window media card fault".split()  # noqa: SIM905
)


class Store:
    """SQLite behind a lock that a thread may take again."""

    def __init__(self, path: Path, *, grouped: bool = False) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.lock = threading.RLock()
        self._depth = 0
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, cached_statements=256)
        self._db.row_factory = sqlite3.Row
        self._db.execute("pragma journal_mode=wal")
        self._db.execute("pragma synchronous=off")
        self._db.executescript(SCHEMA)
        self._stop = threading.Event()
        self._committer: threading.Thread | None = None
        if grouped:
            self._committer = threading.Thread(target=self._commit_now_and_then, name="sandbox-commit", daemon=True)
            self._committer.start()

    def close(self) -> None:
        """Everything is written and the file is closed."""
        self._stop.set()
        if self._committer:
            self._committer.join()
        with self.lock:
            self._db.close()

    def _commit_now_and_then(self) -> None:
        while not self._stop.wait(GROUP_S):
            self._commit()
        self._commit()

    def _commit(self) -> None:
        with self.lock:
            if self._db.in_transaction and not self._depth:
                self._db.execute("commit")

    @contextmanager
    def deed(self) -> Iterator[None]:
        """Everything inside happens together, alone, or (when it raises) not at all."""
        with self.lock:
            if self._depth:
                self._depth += 1
                try:
                    yield
                finally:
                    self._depth -= 1
                return
            if not self._db.in_transaction:
                self._db.execute("begin immediate")
            if self._committer:
                self._db.execute("savepoint deed")
            self._depth = 1
            try:
                yield
            except BaseException:
                if self._committer:
                    self._db.execute("rollback to deed")
                    self._db.execute("release deed")
                else:
                    self._db.execute("rollback")
                raise
            else:
                self._db.execute("release deed" if self._committer else "commit")
            finally:
                self._depth = 0

    def one(self, sql: str, *values: Any) -> dict[str, Any] | None:
        """The first row, or None."""
        with self.lock:
            row = self._db.execute(sql, values).fetchone()
        return dict(row) if row else None

    def all(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Every row."""
        with self.lock:
            return [dict(row) for row in self._db.execute(sql, values).fetchall()]

    def run(self, sql: str, *values: Any) -> int:
        """The number of rows changed."""
        with self.lock:
            return self._db.execute(sql, values).rowcount

    def insert(self, sql: str, *values: Any) -> int:
        """The id of the row inserted."""
        with self.lock:
            return int(self._db.execute(sql, values).lastrowid or 0)

    def many(self, sql: str, rows: list[tuple[Any, ...]]) -> None:
        """Every row is written."""
        with self.lock:
            self._db.executemany(sql, rows)

    def value(self, key: str, default: Any = None) -> Any:
        """What was remembered under the key."""
        row = self.one("select json from value where key = ?", key)
        return json.loads(row["json"]) if row else default

    def keep(self, key: str, value: Any) -> None:
        """The value stands under the key."""
        self.run("insert or replace into value (key, json) values (?, ?)", key, json.dumps(value, ensure_ascii=False))

    def reserve(self, purpose: str, size: int) -> int:
        """A block of running numbers nobody else gets; its first number is returned."""
        with self.deed():
            self.run("insert or ignore into counter (purpose, next) values (?, 1)", purpose)
            row = self.one("select next from counter where purpose = ?", purpose)
            self.run("update counter set next = next + ? where purpose = ?", size, purpose)
        return int(row["next"]) if row else 1

    def count(self, name: str, span: str) -> int:
        """One more under this name in this span of time; how many there are now."""
        row = self.one(
            "insert into tally (name, span, n) values (?, ?, 1) "
            "on conflict (name, span) do update set n = n + 1 returning n",
            name,
            span,
        )
        return int(row["n"]) if row else 0

    def clear(self) -> None:
        """Nothing is remembered any more."""
        with self.deed():
            for table in TABLES:
                self.run(f"delete from {table}")  # noqa: S608  the names stand above
            self.run("delete from sqlite_sequence")
