"""40,000 notices from the outbox to a platform that answers in 50 ms: how close to the limit, in what memory, at what CPU.

Beside it in the same run: the limit n × latency / connections, a bare SKIP LOCKED loop on the same MariaDB, and a bare
aiohttp loop against the same stub. `python -m benchmarks.notices [--people 40000] [--json FILE]`. PERFORMANCE A.3.
"""

import asyncio
import multiprocessing as mp
import os
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread

import aiohttp
import click
import sqlalchemy as sa
from aiohttp import web

import models  # noqa: F401
from benchmarks.table import Row, show
from campus import notices
from core import clock, config, crypto, db, log
from models import outbox
from models.base import Base
from models.notices import Channel, TemplateMap
from models.outbox import Debt, DebtState, Priority
from models.people import Follower, Identity, Person
from tests import servers

LATENCY_S = 0.05
CONNECTIONS = 64
URGENT = 40
KIND = notices.Kind(
    "bench", "会议通知", "{title}", facts=("title", "text", "at"), order=(Channel.OFFICIAL,), page="/pages/inbox/inbox"
)
URGENT_KIND = notices.Kind(
    "bench_urgent", "紧急通知", "{title}", facts=("title",), order=(Channel.OFFICIAL,), urgent=True
)
AWAKE = "notices.quiet_from"


# ---- the platform: answers in 50 ms, counts every message by its key ------------------------------------------------


def stub(port: int, latency_s: float, ready: "mp.synchronize.Event", report: "mp.SimpleQueue[object]") -> None:
    seen: Counter[str] = Counter()
    at: dict[str, float] = {}

    async def token(_: web.Request) -> web.Response:
        return web.json_response({"access_token": "T" * 40, "expires_in": 7200})

    async def send(request: web.Request) -> web.Response:
        body = await request.json()
        key = body["client_msg_id"]
        seen[key] += 1
        at.setdefault(key + ":" + body["data"]["thing1"]["value"], time.time())
        await asyncio.sleep(latency_s)
        return web.json_response({"errcode": 0, "errmsg": "ok", "msgid": len(seen)})

    async def counts(_: web.Request) -> web.Response:
        return web.json_response(
            {
                "distinct": len(seen),
                "total": sum(seen.values()),
                "first": min(at.values(), default=0),
                "last": max(at.values(), default=0),
            }
        )

    async def arrivals(_: web.Request) -> web.Response:
        return web.json_response({key.split(":", 1)[1]: moment for key, moment in at.items() if "紧急" in key})

    async def forget(_: web.Request) -> web.Response:
        seen.clear(), at.clear()
        return web.Response()

    app = web.Application()
    app.router.add_post("/cgi-bin/stable_token", token)
    app.router.add_post("/cgi-bin/message/template/send", send)
    app.router.add_get("/counts", counts)
    app.router.add_get("/urgent", arrivals)
    app.router.add_post("/forget", forget)

    async def main() -> None:
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, backlog=512).start()
        ready.set()
        await asyncio.Event().wait()

    with suppress(KeyboardInterrupt):
        asyncio.run(main())


# ---- our worker, in a process of its own ----------------------------------------------------------------------------


def settings(url: str, port: int) -> config.Config:
    key = config.SecretStr("a" * 43)
    return config.Config(
        server=config.Server(
            base_url="http://127.0.0.1:8000",
            secret_key=config.SecretStr("bench"),
            data_keys=(config.SecretStr("bench"),),
        ),
        database=config.DatabaseSection(url=config.SecretStr(url)),
        official_account=config.OfficialAccount(
            app_id="wxbench",
            app_secret=config.SecretStr("s"),
            token=config.SecretStr("t"),
            aes_key=key,
            api_base=f"http://127.0.0.1:{port}",
        ),
    )


class NoCache:
    """Redis is away: every process keeps its own token."""

    def get(self, key: str) -> None: ...
    def put(self, key: str, value: str, *, ttl_s: float) -> bool:
        return False

    def drop(self, key: str, *, if_value: str | None = None) -> None: ...
    def lock(self, name: str, *, hold_s: float, wait_s: float):
        from contextlib import nullcontext

        return nullcontext(False)


def work(url: str, port: int, connections: int, report: "mp.SimpleQueue[object]") -> None:
    from core.house import House
    from jobs.worker import Worker
    from platforms import build

    log.set_up(level="ERROR")
    conf = settings(url, port)
    crypto.use(crypto.Vault(("bench",)))
    db.connect(url, lean=True)
    notices.register(KIND)
    notices.register(URGENT_KIND)
    cache = NoCache()
    stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    house = House(conf, build(conf, cache), cache, None)
    worker = Worker(house, connections=connections, with_schedule=False)
    before = cpu_s()  # importing the house is paid once, not per push
    worker.run(stop)
    report.put((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, cpu_s() - before))


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def bare_aiohttp(port: int, count: int, connections: int, report: "mp.SimpleQueue[object]") -> None:
    """The floor: the same messages by a loop that does nothing else."""

    async def main() -> None:
        numbers = iter(range(count))
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections)) as session:

            async def one() -> None:
                for number in numbers:
                    body = {
                        "touser": f"o{number}",
                        "template_id": "T",
                        "client_msg_id": f"B{number}",
                        "data": {"thing1": {"value": "会议通知"}, "time3": {"value": "2026年09月01日 12:00"}},
                    }
                    async with session.post(
                        f"http://127.0.0.1:{port}/cgi-bin/message/template/send?access_token=T", json=body
                    ) as answer:
                        await answer.json(content_type=None)

            await asyncio.gather(*[one() for _ in range(connections)])

    before = resource.getrusage(resource.RUSAGE_SELF)
    asyncio.run(main())
    used = resource.getrusage(resource.RUSAGE_SELF)
    report.put(used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime)


# ---- measuring ------------------------------------------------------------------------------------------------------


def ask(port: int, path: str) -> dict:
    import requests

    return requests.get(f"http://127.0.0.1:{port}{path}", timeout=10).json()


def fill(people: int) -> list[int]:
    """So many followers of the official account with a template for the kind; their ids."""
    now = clock.now()

    def rows(s):
        for start in range(0, people, 5000):
            part = range(start, min(start + 5000, people))
            s.execute(
                sa.insert(Person),
                [
                    {
                        "campus_no": f"B{n}",
                        "name": "林小雨",
                        "kind": "student",
                        "status": "active",
                        "created_at": now,
                        "updated_at": now,
                    }
                    for n in part
                ],
            )
        ids = s.scalars(sa.select(Person.id).order_by(Person.id)).all()
        for start in range(0, people, 5000):
            part = ids[start : start + 5000]
            s.execute(
                sa.insert(Identity),
                [
                    {
                        "person_id": n,
                        "kind": "official",
                        "subject": f"oBENCH{n:022d}",
                        "bound_at": now,
                        "bound_by": "bench",
                        "live": True,
                    }
                    for n in part
                ],
            )
            s.execute(
                sa.insert(Follower), [{"openid": f"oBENCH{n:022d}", "follows": True, "changed_at": now} for n in part]
            )
        for kind, fields in (
            (KIND.name, {"thing1": "title", "thing2": "text", "time3": "at"}),
            (URGENT_KIND.name, {"thing1": "title"}),
        ):
            s.add(TemplateMap(channel=Channel.OFFICIAL, kind=kind, template_id="TPL", fields=fields, changed_at=now))
        s.execute(
            sa.text(
                "insert into setting (`key`, value, changed_at) values ('notices.quiet_from', '\"00:00\"', now()), ('notices.quiet_until', '\"00:00\"', now())"
            )
        )
        return list(ids)

    return db.run(rows)


def owe(ids: list[int]) -> None:
    for start in range(0, len(ids), 1000):
        db.run(
            lambda s, start=start: notices.owe(
                s,
                KIND.name,
                to=ids[start : start + 1000],
                about="HY1",
                now=clock.now(),
                title="全校会议通知",
                text="下午三点在大礼堂开会",
                at=clock.now(),
            )
        )


def owe_urgent(ids: list[int], every_s: float, sent: dict[str, float]) -> None:
    for number in range(URGENT):
        time.sleep(every_s)
        title = f"紧急{number}"
        db.run(
            lambda s, number=number, title=title: notices.owe(
                s, URGENT_KIND.name, to=ids[number], about=f"U{number}", now=clock.now(), title=title
            )
        )
        sent[title] = time.time()


def claim_rates(rows: int, finished: int) -> tuple[float, float]:
    """Debts claimed and settled per second by us, and by a bare SKIP LOCKED loop on a bare table, batch 100 each."""
    engine = db.database().engine
    with engine.begin() as c:
        c.execute(sa.text("drop table if exists bare"))
        c.execute(
            sa.text(
                "create table bare (id bigint primary key auto_increment, status tinyint not null, due datetime(6) not null, payload json, key k (status, due, id))"
            )
        )
        c.execute(sa.text("delete from debt"))
    now = clock.now()
    make_rows(rows, finished, now)
    bare = timed(rows, lambda: bare_batch(engine, now))
    ours = timed(rows, lambda: our_batch(now))
    return ours, bare


def make_rows(rows: int, finished: int, now) -> None:
    with db.database().engine.begin() as c:
        for state, count in ((DebtState.SETTLED, finished), (DebtState.OWED, rows)):
            for start in range(0, count, 5000):
                batch = min(5000, count - start)
                c.execute(
                    sa.text(
                        "insert into debt (topic, `key`, payload, priority, state, due_at, attempts, in_doubt, owed_at, settled_at) "
                        f"select 'x', concat('{state}:', seq), '{{\"no\": 1}}', 1, '{state}', '{now:%Y-%m-%d %H:%M:%S}', 0, 0, '{now:%Y-%m-%d %H:%M:%S}', {'now()' if count == finished and state == DebtState.SETTLED else 'null'} "
                        f"from seq_{start + 1}_to_{start + batch}"
                    )
                )
                c.execute(
                    sa.text(
                        f"insert into bare (status, due, payload) select {0 if state == DebtState.OWED else 2}, '{now:%Y-%m-%d %H:%M:%S}', '{{\"no\": 1}}' from seq_{start + 1}_to_{start + batch}"
                    )
                )
        c.execute(sa.text("analyze table debt, bare"))


def timed(rows: int, batch) -> float:
    done, began = 0, time.perf_counter()
    while done < rows:
        got = batch()
        if not got:
            break
        done += got
    return done / (time.perf_counter() - began)


def our_batch(now) -> int:
    debts = db.run(
        lambda s: outbox.claim(
            s, now=now + timedelta(seconds=1), limit=100, lease_for=timedelta(hours=1), priorities=(Priority.NORMAL,)
        )
    )
    if debts:
        db.run(lambda s: outbox.settle(s, debts, now=now))
    return len(debts)


def bare_batch(engine: sa.Engine, now) -> int:
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        cursor.execute(
            "select id, payload from bare where status=0 and due<=%s order by due, id limit 100 for update skip locked",
            (now.replace(tzinfo=None) + timedelta(seconds=1),),
        )
        ids = [row[0] for row in cursor.fetchall()]
        if ids:
            marks = ",".join(map(str, ids))
            cursor.execute(f"update bare set status=1 where id in ({marks})")
            raw.commit()
            cursor.execute(f"update bare set status=2 where id in ({marks})")
        raw.commit()
        return len(ids)
    finally:
        raw.close()


@click.command()
@click.option("--people", default=40_000, show_default=True)
@click.option(
    "--finished", default=1_000_000, show_default=True, help="finished rows that lie in the table for the last figure"
)
@click.option("--json", "json_file", default=None)
def main(people: int, finished: int, json_file: str | None) -> None:
    """Prints the table. Bounded: about three minutes."""
    context = mp.get_context("spawn")
    rows: list[Row] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        servers.mariadb(Path(folder) / "m", "--innodb-buffer-pool-size=1G", "--innodb-log-file-size=256M") as server,
    ):
        url = servers.new_database(server.port)
        crypto.use(crypto.Vault(("bench",)))
        log.set_up(level="ERROR")
        db.connect(url, lean=True)  # as the worker does
        Base.metadata.create_all(db.database().engine)
        notices.register(KIND)
        notices.register(URGENT_KIND)
        ids = fill(people)
        port, ready, report = servers.free_port(), context.Event(), context.SimpleQueue()
        platform = context.Process(target=stub, args=(port, LATENCY_S, ready, report), daemon=True)
        platform.start()
        ready.wait(20)
        try:
            limit_s = people * LATENCY_S / CONNECTIONS
            owe(ids)
            worker = context.Process(target=work, args=(url, port, CONNECTIONS, report), daemon=True)
            worker.start()
            sent: dict[str, float] = {}
            wait_for(port, 200, 30)
            urgent = Thread(target=owe_urgent, args=(ids, limit_s * 0.8 / URGENT, sent))
            urgent.start()
            wait_for(port, people, limit_s * 4 + 30)
            urgent.join()
            wait_for(port, people + URGENT, 20)
            counts, arrived = ask(port, "/counts"), ask(port, "/urgent")
            settled(people + URGENT)
            os.kill(worker.pid, signal.SIGTERM)
            memory_mb, cpu_s = report.get()
            worker.join(20)
            waits = sorted(arrived[title] - moment for title, moment in sent.items())
            rows.append(
                Row(
                    "seconds for all, beside n × latency / connections",
                    counts["last"] - counts["first"],
                    limit_s,
                    1.15,
                    True,
                    "s",
                )
            )
            rows.append(
                Row("messages the platform saw, beside notices owed", counts["total"], people + URGENT, 1.0, True)
            )
            rows.append(
                Row("distinct messages seen, beside notices owed", counts["distinct"], people + URGENT, 1.0, False)
            )
            rows.append(Row("worker memory, beside 200 MB", memory_mb, 200, 1.0, True, "MB"))
            rows.append(
                Row(
                    "an urgent notice's way to the platform, p99, beside 1 s",
                    waits[int(len(waits) * 0.99) - 1],
                    1.0,
                    1.0,
                    True,
                    "s",
                )
            )
            floor = context.Process(target=bare_aiohttp, args=(port, min(people, 10_000), CONNECTIONS, report))
            floor.start()
            bare_us = report.get() / min(people, 10_000) * 1e6
            floor.join()
            rows.append(
                Row("CPU per push, whole worker, beside bare aiohttp", cpu_s / people * 1e6, bare_us, 3.0, True, "µs")
            )
        finally:
            platform.terminate()
        ours, bare = claim_rates(20_000, 0)
        rows.append(Row("debts claimed and settled per second, beside bare SKIP LOCKED", ours, bare, 0.7, False, "/s"))
        ours, bare = claim_rates(20_000, finished)
        rows.append(Row(f"… with {finished:,} finished rows in both tables", ours, bare, 0.7, False, "/s"))
    show(rows, json_file)
    sys.exit(0)


def wait_for(port: int, count: int, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and ask(port, "/counts")["distinct"] < count:
        time.sleep(0.2)


def settled(count: int) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with db.reading() as s:
            if s.scalar(sa.select(sa.func.count()).select_from(Debt).where(Debt.state == DebtState.SETTLED)) >= count:
                return
        time.sleep(0.2)


if __name__ == "__main__":
    main()
