"""Encrypted official-account callbacks on the production server, beside its hello page and beside wechatpy's example.

The whole web process as `houqin serve` starts it (two gunicorn processes), 32 kept-alive connections, a MariaDB of our
own, load generator and database on the same cores. (a) is the page of that server that says only that it is there,
/healthz; a bare Flask hello without the log line, headers and counters of our pages is printed beside it. (b) is a
minimal Flask app as wechatpy's documentation shows, which neither dedupes nor stores. Every message is new. The ways take turns
within a round, so a slow moment of the machine meets all of them; ratios hold, single figures do not.
`python -m benchmarks.callbacks [--seconds 1] [--rounds 7] [--json FILE]`.
"""

import argparse
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

import models  # noqa: F401  makes every table known
from benchmarks import envelope, load
from benchmarks.callback_apps import DATABASE, FILES
from benchmarks.table import Row, show
from commands.serve import PROCESSES, THREADS, arguments
from core import crypto, db
from models.access import Role, role_rows
from models.arrivals import Arrival
from models.base import Base
from models.people import Identity, Person
from models.places import DoorCode, Place, PlaceKind
from models.repairs import FaultType, Ticket
from tests import servers
from tests.wxbot import wire

CONNECTIONS = 32
PEOPLE = 400
SENDER = wire.OFFICIAL


# -- the servers


@contextmanager
def serving(factory: str, base: Path) -> Iterator[int]:
    """The port on which gunicorn serves that app as `houqin serve` would."""
    port = servers.free_port()
    counters = base / f"metrics-{factory}"
    counters.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", *arguments(f"127.0.0.1:{port}", PROCESSES, THREADS), f"benchmarks.callback_apps:{factory}()"],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(counters), FILES: str(base / "files")},
        stderr=(base / f"{factory}.log").open("wb"),
    )  # fmt: skip
    try:
        _until_it_answers(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(20)


def _until_it_answers(port: int, process: subprocess.Popen[bytes]) -> None:
    began = time.monotonic()
    while time.monotonic() - began < 30 and process.poll() is None:
        try:
            load.run(port, [load.get(port, "/hello")] * 8, connections=4, seconds=1)
            return
        except OSError:
            process.poll()
    raise RuntimeError("gunicorn does not answer")


# -- the campus and what its people send


def campus(url: str) -> None:
    """People who are bound, rooms with door codes, one fault."""
    now = datetime.now(UTC)
    database = db.connect(url)
    Base.metadata.create_all(database.engine)
    crypto.use(crypto.Vault(("benchmark",)))

    def make(s: Any) -> None:
        s.add_all([Role(**row) for row in role_rows()])
        s.add(FaultType(code="aircon", name="空调不制冷", trade="electric"))
        for n in range(PEOPLE):
            person = Person(campus_no=f"{n:08d}", name="林小雨", kind="student", created_at=now, updated_at=now)
            place = Place(code=f"D12-{n:04d}", name=f"{n:04d}", label=f"12号楼{n:04d}", kind=PlaceKind.ROOM, path="/")
            s.add_all([person, place])
            s.flush()
            place.path = f"/{place.id}/"
            s.add(DoorCode(code=f"D{n:010d}", place_id=place.id, made_at=now))
            s.add(
                Identity(person_id=person.id, kind="official", subject=openid(n), bound_at=now, bound_by="x", live=True)
            )

    db.run(make)
    database.dispose()


def openid(n: int) -> str:
    return f"oBench{n:022d}"


_numbers = itertools.count(10_000_000_000)


def messages(port: int, count: int, say: Callable[[int], dict[str, Any]]) -> list[bytes]:
    """So many encrypted, signed requests, each a new message."""
    now = datetime.now(UTC)
    return [load.post(port, SENDER.path, *SENDER.request(say(next(_numbers)), now)) for _ in range(count)]


def chat(n: int) -> dict[str, Any]:
    """Words that are no deed: one durable row and a reply."""
    return wire.text("请问今天几点下班", n, datetime.now(UTC), sender=openid(n % PEOPLE))


def view(n: int) -> dict[str, Any]:
    """An event that is no deed."""
    return wire.event("VIEW", datetime.now(UTC), sender=openid(n % PEOPLE), EventKey="https://hq.example.edu/m/")


def repair(n: int) -> dict[str, Any]:
    """A repair, typed whole. A line typed twice by one person is one report, so everybody reports room after room."""
    return wire.text(
        f"报修 D12-{(n + n // PEOPLE) % PEOPLE:04d} 空调不制冷", n, datetime.now(UTC), sender=openid(n % PEOPLE)
    )


# -- measuring


@dataclass
class Measured:
    """Answers a second of one way, round by round, and what one answer costs the servers and the database."""

    per_second: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)

    @property
    def middle(self) -> float:
        return statistics.median(self.per_second)


def measure(port: int, peer: int, bare: int, seconds: float, rounds: int) -> dict[str, Measured]:
    """Every way in every round, one after the other."""
    ways: dict[str, tuple[int, Callable[[int], list[bytes]]]] = {
        "healthz": (port, lambda n: [load.get(port, "/healthz")] * n),
        "bare hello": (bare, lambda n: [load.get(bare, "/hello")] * n),
        "docs": (peer, lambda n: messages(peer, n, chat)),
        "event": (port, lambda n: messages(port, n, view)),
        "message": (port, lambda n: messages(port, n, chat)),
        "repair": (port, lambda n: messages(port, n, repair)),
    }
    found = {name: Measured() for name in ways}
    for turn in range(rounds + 1):
        for name, (where, make) in ways.items():
            requests, before = make(int(9000 * seconds)), _cpu_s()
            heard = load.run(where, requests, connections=CONNECTIONS, seconds=seconds if turn else 0.5)
            if set(heard.statuses) - {200, 503} or heard.unanswered:
                raise RuntimeError(f"{name}: {dict(heard.statuses)}, unanswered {heard.unanswered}")
            if turn:  # the first round warms up
                found[name].per_second.append(heard.statuses[200] / heard.seconds)  # a 503 is an answer, not the work
                found[name].cpu_us.append((_cpu_s() - before) / len(heard.latencies_s) * 1e6)
    return found


def beside(found: dict[str, Measured], ours: str, peer: str) -> tuple[float, float]:
    """Both rates, with the ratio that is the median of the rounds' ratios: a slow moment meets both sides of a round."""
    ratios = [mine / its for mine, its in zip(found[ours].per_second, found[peer].per_second, strict=True)]
    return statistics.median(ratios) * found[peer].middle, found[peer].middle


def _cpu_s() -> float:
    """Processor seconds that the servers and the database have used so far: every process below this one."""
    ticks, below = 0, {os.getpid()}
    stats = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            number, rest = path.parent.name, path.read_text().rpartition(")")[2].split()
            stats.append((int(number), int(rest[1]), int(rest[11]) + int(rest[12])))
    for number, parent, used in sorted(stats):  # a parent has the smaller number, save after a wrap-around
        if parent in below:
            below.add(number)
            ticks += used
    return ticks / os.sysconf("SC_CLK_TCK")


def stored(url: str) -> tuple[int, int]:
    """How many arrivals and tickets there are."""
    engine = sa.create_engine(url)
    with engine.connect() as c:
        counts = tuple(c.scalar(sa.select(sa.func.count()).select_from(t)) or 0 for t in (Arrival, Ticket))
    engine.dispose()
    return counts  # type: ignore[return-value]  # two tables, two counts


def main() -> None:
    """Prints the table; with --json FILE writes the rows too."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=1.0, help="of each way in each round")
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--json")
    chosen = options.parse_args()
    pipeline = next(row for row in envelope.rows() if row["peer"] == "floor")
    with tempfile.TemporaryDirectory(prefix="houqin-bench-") as made, servers.mariadb(Path(made) / "db") as mariadb:
        url = servers.new_database(mariadb.port)
        os.environ[DATABASE] = url
        campus(url)
        base = Path(made)
        with serving("ours", base) as port, serving("docs", base) as peer, serving("hello", base) as bare:
            found = measure(port, peer, bare, chosen.seconds, chosen.rounds)
            print(f"stored: {stored(url)} arrivals and tickets")
            usual = found["message"].middle
            calm = load.run(
                port, messages(port, int(usual * 2.8), chat), connections=CONNECTIONS, seconds=4, rate=usual * 0.7
            )
            crowd = load.run(
                port, messages(port, 40_000, repair), connections=10 * CONNECTIONS, seconds=5 * chosen.seconds
            )
    for name, one in found.items():
        rates = " ".join(f"{rate:,.0f}" for rate in one.per_second)
        print(f"{name:<11} {one.middle:>8,.0f}/s {statistics.median(one.cpu_us):>7,.0f} µs of CPU each   {rates}")
    print(
        f"70 %: {len(calm.latencies_s)} answered, {dict(calm.statuses)}, p50 {calm.quantile_ms(0.5):.1f} ms, p99 {calm.quantile_ms(0.99):.1f} ms"
    )
    print(
        f"10 ×: {dict(crowd.statuses)}, unanswered {crowd.unanswered}, p50 {crowd.quantile_ms(0.5):.0f} ms, longest {crowd.quantile_ms(1):.0f} ms"
    )
    show(
        [
            Row("pipeline without HTTP, beside the floor", pipeline["ours"], pipeline["against"], 1.5, True, "µs"),
            Row("event without a deed, beside (b)", *beside(found, "event", "docs"), 1.25, False, "/s"),
            Row("message with durable dedupe, beside (b)", *beside(found, "message", "docs"), 0.8, False, "/s"),
            Row("message that files a repair, beside (a)", *beside(found, "repair", "healthz"), 0.2, False, "/s"),
            Row(
                "p99 at 70 % of saturation, beside the median",
                calm.quantile_ms(0.99),
                calm.quantile_ms(0.5),
                4,
                True,
                "ms",
            ),
            Row("longest answer at 10 × saturation, beside 5 s", crowd.quantile_ms(1), 5000, 1, True, "ms"),
        ],
        chosen.json,
    )


if __name__ == "__main__":
    main()
