"""Real processes and a real MariaDB that is slow, frozen, gone, or killed: one deed, the same reply, in time. K3, K24."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import requests
import sqlalchemy as sa
from pydantic import SecretStr

from core import clock
from core.db import Database
from models.arrivals import Arrival
from models.audit import AuditLine
from models.base import Base
from tests import servers
from tests.wxbot import serve, wire
from tests.wxbot.conftest import Platform, app_behind
from wxbot.door import CallbackDoor
from wxbot.inbox import callback_database

pytestmark = pytest.mark.race


def now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def gunicorn(url: str, *, workers: int, threads: int = 4) -> Iterator[tuple[int, int]]:
    """The port of a door in so many processes, and the pid of gunicorn's master."""
    port = servers.free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", str(workers), "--threads", str(threads),
         "--worker-class", "core.serving.Worker", "--log-level", "error", "tests.wxbot.serve:app()"],
        env={**os.environ, serve.DATABASE: url},
    )  # fmt: skip
    try:
        until(lambda: is_up(port))
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(20)


def is_up(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/", timeout=1).status_code == 418
    except requests.RequestException:
        return False


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    ends = clock.monotonic() + seconds
    while not true():
        assert clock.monotonic() < ends, "it did not come about"
        clock.pause(0.03, Event())


def push(port: int, fields: dict[str, Any]) -> tuple[int, str]:
    """Status, and the Content of the reply."""
    query, body = wire.OFFICIAL.request(fields, now())
    answer = requests.post(f"http://127.0.0.1:{port}/wx/official?{query}", data=body, timeout=6)
    return answer.status_code, wire.OFFICIAL.open(answer.content).get("Content", "") if answer.ok else ""


def count(database: Database, table: Any) -> int:
    with database.engine.connect() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def test_the_same_message_three_times_at_once_on_two_processes_is_one_deed_and_one_reply(mariadb: Database):
    with gunicorn(mariadb.url, workers=2) as (port, _), ThreadPoolExecutor(12) as threads:
        for round_no in range(4):
            message = wire.text("慢慢来", 100 + round_no, now())
            answers = list(threads.map(lambda _, m=message: push(port, m), range(3)))
            assert {status for status, _ in answers} == {200}
            assert len({said for _, said in answers}) == 1
            assert answers[0][1].startswith("办好了 RQ")
    assert (count(mariadb, AuditLine), count(mariadb, Arrival)) == (4, 4)


def test_fixed_words_three_times_at_once_are_one_row(mariadb: Database):
    with gunicorn(mariadb.url, workers=2) as (port, _), ThreadPoolExecutor(12) as threads:
        for round_no in range(20):
            message = wire.text("你好", 100 + round_no, now())
            answers = list(threads.map(lambda _, m=message: push(port, m), range(4)))
            assert len(set(answers)) == 1
    assert count(mariadb, Arrival) == 20


def test_killed_in_the_middle_of_the_deed_nothing_is_half_done_and_the_retry_does_it_once(mariadb: Database):
    with gunicorn(mariadb.url, workers=1) as (port, master), ThreadPoolExecutor(1) as threads:
        message = wire.text("慢慢来", 7, now())
        first = threads.submit(push, port, message)
        until(lambda: in_the_deed(mariadb))
        for worker in children(master):
            os.kill(worker, signal.SIGKILL)
        with pytest.raises(requests.ConnectionError):
            first.result()
        until(lambda: is_up(port))
        status, said = push(port, message)
        assert (status, count(mariadb, AuditLine), count(mariadb, Arrival)) == (200, 1, 1)
        assert push(port, message) == (status, said)
    assert count(mariadb, AuditLine) == 1


def in_the_deed(database: Database) -> bool:
    with database.engine.connect() as connection:
        return bool(connection.execute(sa.text("SELECT 1 FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%'")).all())  # fmt: skip


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


# -- in this process: what the database may do to a door


@pytest.fixture
def own(tmp_path: Path) -> Iterator[tuple[Any, str]]:
    """A MariaDB that a test may hurt, and the URL of a database with tables on it."""
    with servers.mariadb(tmp_path / "own") as server:
        url = servers.new_database(server.port)
        engine = sa.create_engine(url)
        Base.metadata.create_all(engine)
        engine.dispose()
        yield server, url


def door_on(url: str) -> Platform:
    return Platform(CallbackDoor(app_behind, config=wire.config(), database=callback_database(url), table=serve.TABLE))


def timed(platform: Platform, fields: dict[str, Any]) -> tuple[int, float]:
    """Status, and after how many seconds it came."""
    began = clock.monotonic()
    answer = platform.push(wire.OFFICIAL, fields, now())
    return answer.status_code, clock.monotonic() - began


@pytest.mark.parametrize("words", ["你好", "慢慢来"])
def test_a_second_arrival_waits_three_seconds_for_the_first_and_no_longer(mariadb: Database, words: str):
    platform = door_on(mariadb.url)
    message = wire.text(words, 7, now())
    with mariadb.engine.connect() as first:
        first.execute(sa.insert(Arrival).values(door="official", key="m:7", reply="第一个的回答", arrived_at=now()))
        status, seconds = timed(platform, message)
        assert status == 503
        assert 2.5 < seconds < 4
        first.commit()
    assert platform.ask(wire.OFFICIAL, message, now())["Content"] == "第一个的回答"
    platform.door.inbox.dispose()


@pytest.mark.parametrize("words", ["你好", "慢慢来"])
def test_when_the_first_is_undone_the_second_does_it(mariadb: Database, words: str):
    platform = door_on(mariadb.url)
    message = wire.text(words, 7, now())
    with mariadb.engine.connect() as first, ThreadPoolExecutor(1) as threads:
        first.execute(sa.insert(Arrival).values(door="official", key="m:7", reply="", arrived_at=now()))
        second = threads.submit(timed, platform, message)
        until(lambda: waits_for_a_lock(mariadb))
        first.rollback()
        assert second.result()[0] == 200
    assert count(mariadb, Arrival) == 1
    platform.door.inbox.dispose()


def waits_for_a_lock(database: Database) -> bool:
    with database.engine.connect() as connection:
        return bool(connection.execute(sa.text("SELECT 1 FROM information_schema.processlist WHERE info LIKE 'INSERT IGNORE%'")).all())  # fmt: skip


def test_while_the_database_is_away_503_in_time_and_afterwards_as_if_nothing_had_been(own: tuple[Any, str]):
    server, url = own
    platform = door_on(url)
    fixed, deed = wire.text("你好", 1, now()), wire.text("慢慢来", 2, now())
    assert timed(platform, wire.text("你好", 3, now()))[0] == timed(platform, wire.text("慢慢来", 4, now()))[0] == 200
    server.stop()
    for message in (fixed, deed):
        status, seconds = timed(platform, message)
        assert (status, seconds < 4) == (503, True)
    assert timed(platform, wire.event("VIEW", now(), EventKey="x"))[0] == 200  # what needs no row needs no database
    server.start()
    for message in (fixed, deed):
        assert timed(platform, message)[0] == 200
    platform.door.inbox.dispose()


def test_after_a_restart_the_idle_connections_cost_nobody_an_answer(own: tuple[Any, str]):
    server, url = own
    platform = door_on(url)
    for turn in range(2):
        assert timed(platform, wire.text("你好", 10 + turn, now()))[0] == 200
        assert timed(platform, wire.text("慢慢来", 20 + turn, now()))[0] == 200
        if not turn:
            server.stop()
            server.start()
    platform.door.inbox.dispose()


@pytest.mark.parametrize("used_before", [True, False])
def test_a_frozen_database_is_given_up_in_time_and_heals(own: tuple[Any, str], used_before: bool):
    server, url = own
    platform = door_on(url)
    if used_before:
        timed(platform, wire.text("你好", 1, now()))
        timed(platform, wire.text("慢慢来", 2, now()))
    pid = int((Path(str(server.command).split("--pid-file=")[1].split("'")[0].split(" ")[0])).read_text())
    os.kill(pid, signal.SIGSTOP)
    try:
        for number, words in enumerate(("你好", "慢慢来"), 3):
            status, seconds = timed(platform, wire.text(words, number, now()))
            assert (status, seconds < 4.2) == (503, True), seconds
    finally:
        os.kill(pid, signal.SIGCONT)
    for number, words in enumerate(("你好", "慢慢来"), 3):
        assert timed(platform, wire.text(words, number, now()))[0] == 200
    platform.door.inbox.dispose()


def test_who_has_waited_too_long_is_sent_away_at_once(mariadb: Database):
    """One thread, half a second of work each: whoever would be answered too late hears 503 while there is time."""
    with gunicorn(mariadb.url, workers=1, threads=1) as (port, _), ThreadPoolExecutor(12) as threads:
        began = clock.monotonic()
        answers = list(threads.map(lambda n: push(port, wire.text("慢慢来", n, now()))[0], range(12)))
        assert clock.monotonic() - began < 5
    done = answers.count(200)
    assert 1 <= done <= 6
    assert set(answers) == {200, 503}
    assert count(mariadb, AuditLine) == count(mariadb, Arrival) == done


def test_a_crowd_shares_statements_and_every_message_is_stored_once(mariadb: Database):
    platform = door_on(mariadb.url)
    with ThreadPoolExecutor(16) as threads:
        numbers = [n // 2 for n in range(400)]  # everything twice
        answers = list(threads.map(lambda n: timed(platform, wire.text("你好", n, now()))[0], numbers))
    assert set(answers) == {200}
    assert count(mariadb, Arrival) == 200
    platform.door.inbox.dispose()


def test_verification_of_wecom_takes_less_than_a_second_while_the_database_is_away():
    platform = door_on("mysql+pymysql://app:app@127.0.0.1:1/app_x")
    began = time.monotonic()
    assert platform.client.get("/wx/wecom", query_string=wire.WECOM.verification(now(), "echo")).data == b"echo"
    assert time.monotonic() - began < 1


def test_with_redis_away_the_whole_web_process_answers_as_ever(mariadb: Database, tmp_path: Path):
    """Only what may be lost is in Redis, and nothing a callback needs. K4."""
    import app

    config = wire.config(mariadb.url)
    config = config.model_copy(
        update={
            "redis": config.redis.model_copy(update={"url": SecretStr("redis://127.0.0.1:1/0")}),
            "files": config.files.model_copy(update={"url": f"file:{tmp_path}"}),
        }
    )
    platform = Platform(app.create_wsgi(app.build_house(config)))
    for number, words in enumerate(("你好", "报修 D12-402 空调不制冷")):
        status, seconds = timed(platform, wire.text(words, number, now()))
        assert (status, seconds < 2) == (200, True)
    assert count(mariadb, Arrival) == 2
    platform.door.inbox.dispose()
