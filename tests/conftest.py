"""What every test stands on: an empty campus on SQLite (`db`) or on a real MariaDB (`mariadb`), keys, and NOON."""

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, sync_playwright

import models  # noqa: F401  makes every table known
from core import crypto, log
from core import db as core_db
from models.base import Base
from tests import servers

os.environ.setdefault("TZ", "UTC")


@pytest.fixture(scope="session", autouse=True)
def _keys_and_logs() -> None:
    crypto.use(crypto.Vault(("canary-data-key",)))
    log.set_up(level="INFO")


@pytest.fixture(scope="session")
def _empty_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "empty.db"
    engine = sa.create_engine(f"sqlite:///{path}")
    Base.metadata.create_all(engine)
    engine.dispose()
    return path


@pytest.fixture
def db(_empty_sqlite: Path, tmp_path: Path) -> Iterator[core_db.Database]:
    """An empty campus on SQLite; `core.db.run` and `reading` use it."""
    path = tmp_path / "houqin.db"
    shutil.copy(_empty_sqlite, path)
    database = core_db.connect(f"sqlite:///{path}")
    yield database
    database.dispose()


@pytest.fixture(scope="session")
def mariadb_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with servers.mariadb(tmp_path_factory.mktemp("mariadb")) as server:
        yield server


@pytest.fixture
def mariadb_url(mariadb_server: Any) -> Iterator[str]:
    """The URL of a fresh database without tables."""
    url = servers.new_database(mariadb_server.port)
    yield url
    servers.drop_database(url)


@pytest.fixture(scope="session")
def _mariadb_kept(mariadb_server: Any) -> Iterator[servers.Kept]:
    with servers.Kept(mariadb_server.port, Base.metadata) as kept:
        yield kept


@pytest.fixture
def mariadb(_mariadb_kept: servers.Kept) -> Iterator[core_db.Database]:
    """An empty campus on a real MariaDB; `core.db.run` and `reading` use it. Mark such tests `race`."""
    database = core_db.connect(_mariadb_kept.url(), pool=32, pool_wait_s=20)
    yield database
    database.dispose()
    _mariadb_kept.empty()


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.race)])
def either_db(request: pytest.FixtureRequest) -> core_db.Database:
    """The same test on SQLite and on MariaDB."""
    return request.getfixturevalue("db" if request.param == "sqlite" else "mariadb")


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with servers.redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis_url(redis_server: Any) -> str:
    """The URL of an empty Redis."""
    import redis

    url = f"redis://127.0.0.1:{redis_server.port}/0"
    with redis.Redis.from_url(url) as client:
        client.flushall()
    return url


@pytest.fixture
def rush() -> Callable[..., list[Any]]:
    """Calls `deed(item)` for every item at the same instant, each in a thread; answers or refusals, in order."""

    def at_once(deed: Callable[[Any], Any], items: Any, *, threads: int = 64) -> list[Any]:
        items = list(items)
        threads = min(threads, len(items))
        start = Barrier(threads)

        def call(index: int) -> list[tuple[int, Any]]:
            start.wait()
            answers: list[tuple[int, Any]] = []
            for position in range(index, len(items), threads):
                try:
                    answers.append((position, deed(items[position])))
                except Exception as why:
                    answers.append((position, why))
            return answers

        with ThreadPoolExecutor(threads) as pool:
            parts = list(pool.map(call, range(threads)))
        return [answer for _, answer in sorted((pair for part in parts for pair in part), key=lambda pair: pair[0])]

    return at_once


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The distribution's Chromium; one for the run, because a process can hold only one of Playwright's loops."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()
