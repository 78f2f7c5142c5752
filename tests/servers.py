"""Own MariaDB and Redis for a test run, a drill or a benchmark: started, hurt and stopped from here. ECOSYSTEM §4."""

import getpass
import os
import shutil
import socket
import subprocess
import uuid
from pathlib import Path

import sqlalchemy as sa
from mirakuru import TCPExecutor


def free_port() -> int:
    """A port below the ephemeral range that nobody listens on (PERFORMANCE D.4)."""
    for _ in range(500):
        port = 20000 + int.from_bytes(os.urandom(2), "big") % 12000
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise OSError("no free port")


def executable(*names: str) -> str:
    for name in names:
        if path := shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"):
            return path
    raise FileNotFoundError(f"none of {names}; run `make setup-test` (apt-get install mariadb-server redis-server)")


def mariadb(base: Path, *options: str, port: int | None = None) -> TCPExecutor:
    """A MariaDB server of our own under `base`, made when there is none yet. Start it with `.start()`."""
    base.mkdir(parents=True, exist_ok=True)
    data, port, me = base / "data", port or free_port(), getpass.getuser()
    init = base / "init.sql"
    init.write_text(
        "CREATE USER IF NOT EXISTS app@'127.0.0.1' IDENTIFIED BY 'app';\nGRANT ALL ON `app\\_%`.* TO app@'127.0.0.1';\n"
    )
    if not data.exists():
        subprocess.run(
            [
                executable("mariadb-install-db", "mysql_install_db"), "--no-defaults", f"--user={me}", f"--datadir={data}",
                "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve",
            ],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    return TCPExecutor(
        [
            executable("mariadbd", "mysqld"), "--no-defaults", f"--user={me}", f"--datadir={data}",
            f"--socket={base / 's.sock'}", f"--pid-file={base / 'pid'}", f"--port={port}", "--bind-address=127.0.0.1",
            "--skip-name-resolve", "--character-set-server=utf8mb4", "--collation-server=utf8mb4_bin",
            "--default-time-zone=+00:00", "--skip-log-bin", "--performance-schema=OFF", "--max-connections=600",
            "--innodb-buffer-pool-size=128M", "--innodb-log-file-size=32M", f"--init-file={init}",
            f"--log-error={base / 'err.log'}", *options,
        ],
        host="127.0.0.1", port=port, timeout=30,
    )  # fmt: skip


def redis(base: Path, *options: str, port: int | None = None) -> TCPExecutor:
    """A Redis server of our own that keeps nothing on disk."""
    base.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    return TCPExecutor(
        [
            executable("redis-server", "valkey-server"), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(base),
            "--save", "", "--appendonly", "no", "--daemonize", "no", "--logfile", str(base / "redis.log"), *options,
        ],
        host="127.0.0.1", port=port, timeout=10,
    )  # fmt: skip


def new_database(port: int) -> str:
    """The URL of a fresh, empty database on that server."""
    name = f"app_{uuid.uuid4().hex[:10]}"
    base = f"mysql+pymysql://app:app@127.0.0.1:{port}/"
    engine = sa.create_engine(base, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(f"create database {name} character set utf8mb4 collate utf8mb4_bin")
    return f"{base}{name}?charset=utf8mb4"


def drop_database(url: str) -> None:
    parsed = sa.make_url(url)
    engine = sa.create_engine(parsed.set(database=None), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(f"drop database if exists {parsed.database}")


class Kept:
    """One database with its tables for many tests: emptied after each, because making 50 tables takes seconds.

    When it cannot be emptied, or holds tables that are not ours, it is dropped and the next test gets a new one.
    """

    def __init__(self, port: int, metadata: sa.MetaData) -> None:
        self.port, self.metadata = port, metadata
        self._url: str | None = None

    def __enter__(self) -> "Kept":
        return self

    def __exit__(self, *_: object) -> None:
        self._drop()

    def url(self) -> str:
        """Where it is; its tables are there and empty."""
        if self._url is None:
            self._url = new_database(self.port)
            engine = sa.create_engine(self._url)
            self.metadata.create_all(engine)
            engine.dispose()
        return self._url

    def empty(self) -> None:
        """No row is left."""
        engine = sa.create_engine(self.url())
        try:
            with engine.begin() as connection:
                there = set(sa.inspect(connection).get_table_names())
                connection.exec_driver_sql("SET foreign_key_checks = 0, innodb_lock_wait_timeout = 2")
                for table in there & set(self.metadata.tables):
                    connection.exec_driver_sql(f"DELETE FROM `{table}`")
            is_ours = there == set(self.metadata.tables)
        except sa.exc.DBAPIError:
            is_ours = False
        finally:
            engine.dispose()
        if not is_ours:
            self._drop()

    def _drop(self) -> None:
        if self._url is not None:
            drop_database(self._url)
            self._url = None
