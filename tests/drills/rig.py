"""What a drill hurts: the real processes on a real MariaDB and Redis, with the sandbox as every platform. DRILLS.

Everything is started from here and stopped from here; ports are below the ephemeral range, traffic stays on loopback.
A broken variant of a process (`broken=`) is started through `tests.drills.broken`: that is a drill's control.
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import requests
import sqlalchemy as sa

from campus import notices, repairs  # noqa: F401  the repair notices register themselves
from commands import demo_config
from core import clock, config, crypto, db
from models import migrations
from models.notices import Channel, TemplateMap
from models.people import Follower
from models.places import Place, PlaceKind
from models.repairs import Shift, WorkerTrade
from tests import kit, servers
from tests.wxbot import wire

NEVER = threading.Event()
WORKERS = 60


@dataclass
class Process:
    """One of our processes, in a group of its own, so that killing it kills its children too."""

    words: tuple[str, ...]
    environ: dict[str, str]
    log: Path
    running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as out:
            self.running = subprocess.Popen(
                [sys.executable, "-m", *self.words], env=self.environ, stdout=out, stderr=out, start_new_session=True
            )

    def children(self) -> list[int]:
        """The pids of its children that live now."""
        if self.running is None:
            return []
        listed = Path(f"/proc/{self.running.pid}/task/{self.running.pid}/children")
        return [int(pid) for pid in listed.read_text().split()] if listed.exists() else []

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        if self.running is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.running.pid, how)
            self.running.wait(30)
            self.running = None


@dataclass
class Rig:
    """A campus in real processes. Use as a context manager."""

    seed: int = 1
    web_workers: int = 2
    workers: int = 1
    broken: dict[str, str] = field(default_factory=dict)
    sandbox_latency_ms: float = 5
    sandbox_counts_only: bool = True

    def __enter__(self) -> "Rig":
        self.stack = contextlib.ExitStack()
        self.folder = Path(
            self.stack.enter_context(tempfile.TemporaryDirectory(prefix="houqin-drill-", ignore_cleanup_errors=True))
        )
        try:
            self._set_up()
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def _set_up(self) -> None:
        self.mariadb = servers.mariadb(self.folder / "mariadb", "--innodb-flush-log-at-trx-commit=1")
        self.redis = servers.redis(self.folder / "redis")
        for server in (self.mariadb, self.redis):
            server.start()
            self.stack.callback(server.kill, sig=signal.SIGKILL)
        self.port, self.sandbox_port = servers.free_port(), servers.free_port()
        self.url, self.sandbox_url = f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{self.sandbox_port}"
        box = self.folder / "sandbox"
        subprocess.run(
            [
                sys.executable, "-m", "sandbox", "init", "--dir", str(box), "--service", self.url,
                "--url", self.sandbox_url, "--seed", str(self.seed),
            ],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        self.platform = tomllib.loads((box / "sandbox.toml").read_text("utf-8"))
        self.database_url = servers.new_database(self.mariadb.port)
        self.toml = self.folder / "drill.toml"
        demo_config.write(
            box / "sandbox.toml", self.toml, database=self.database_url,
            redis_url=f"redis://127.0.0.1:{self.redis.port}/0", files=f"file:{self.folder / 'files'}",
        )  # fmt: skip
        self.config = config.load(self.toml, {})
        migrations.upgrade(self.database_url)
        crypto.use(crypto.Vault(tuple(key.get_secret_value() for key in self.config.server.data_keys)))
        self.database = db.connect(self.database_url, pool=8, pool_wait_s=30)
        self.stack.callback(self.database.dispose)
        environ = os.environ | {"HOUQIN_CONFIG": str(self.toml), "PYTHONPATH": str(Path(__file__).parents[2])}
        self.sandbox = self._process(
            "sandbox",
            ("sandbox", "serve", "--dir", str(box), "--latency-ms", str(self.sandbox_latency_ms))
            + (("--fast",) if self.sandbox_counts_only else ()),
            environ,
        )
        self.web = self._process(
            "web",
            ("commands", "serve", "--bind", f"127.0.0.1:{self.port}", "--workers", str(self.web_workers)),
            environ,
        )
        self.worker_processes = [
            self._process(f"worker{n}", ("commands", "worker"), environ) for n in range(self.workers)
        ]
        for process in (self.sandbox, self.web, *self.worker_processes):
            process.start()
        self.wait_until_up()

    def _process(self, name: str, words: tuple[str, ...], environ: dict[str, str]) -> Process:
        kind = name.rstrip("0123456789")
        process = Process(_broken(words, self.broken.get(kind)), environ, self.folder / f"{name}.log")
        self.stack.callback(process.kill)
        return process

    def wait_until_up(self, seconds: float = 60) -> None:
        for address in (f"{self.sandbox_url}/control/sent", f"{self.url}/healthz"):
            until = time.monotonic() + seconds
            while not _answers(address):
                if time.monotonic() > until:
                    raise TimeoutError(f"{address} does not answer; logs in {self.logs()}")
                NEVER.wait(0.1)

    def swap_web(self, variant: str | None = None) -> None:
        """The web processes are other ones: with that variant's change from here on, or as they should be."""
        self.web.kill()
        words = self.web.words
        if words[0] == "tests.drills.broken":
            words = ("commands", *words[2:])
        self.web.words = _broken(words, variant)
        self.web.start()
        self.wait_until_up()

    def logs(self) -> str:
        return "\n".join(
            f"== {path.name}\n{path.read_text(errors='replace')[-3000:]}" for path in sorted(self.folder.glob("*.log"))
        )

    # ---- the campus -----------------------------------------------------------------------------------------------

    def people(self, count: int, rooms: list[str] | None = None) -> list[str]:
        """So many students who follow the official account; their openids. Sixty workers are on shift."""
        building = kit.make_place("D12", kind="building", name="12号楼", label="12号楼")
        kit.make_place("D12-402", under=building, label="12号楼402")
        db.run(lambda s: _rooms(s, building, rooms or []))
        kit.make_fault("aircon", "空调不制冷", trade="electric")
        # Many of them: the sender tells one WeCom member only so much a minute, because WeCom drops what is more.
        workers = [kit.make_person("王建国", kind="worker", roles=("worker",)) for _ in range(WORKERS)]
        for person in workers:
            kit.bind(person, "wecom", person.campus_no)
        crowd = {"people": [{"wecom_userid": person.campus_no} for person in workers]}
        requests.post(f"{self.sandbox_url}/control/crowd", json=crowd, timeout=30).raise_for_status()

        def duty(s: Any) -> None:
            now = clock.now()
            for person in workers:
                s.add(WorkerTrade(person_id=person.id, trade="electric"))
                s.add(Shift(person_id=person.id, starts_at=now - timedelta(days=1), ends_at=now + timedelta(days=30)))
            s.execute(
                sa.text(
                    "insert into setting (`key`, value, changed_at) values ('notices.quiet_from', '\"00:00\"', now()), ('notices.quiet_until', '\"00:00\"', now())"
                )
            )

        db.run(duty)
        openids = []
        for number in range(count):
            openid = f"oDRILL{self.seed:04d}{number:018d}"
            kit.bind(kit.make_person("林小雨"), "official", openid)
            db.run(lambda s, openid=openid: s.add(Follower(openid=openid, follows=True, changed_at=clock.now())))
            openids.append(openid)
        self._templates()
        return openids

    def _templates(self) -> None:
        template = {row["key"]: row["id"] for row in self.platform["official_account"]["template"]}

        def rows(s: Any) -> None:
            for kind in notices.KINDS.values():
                wanted = {
                    "character_string1": "no",
                    "thing2": "place",
                    "thing3": "fault",
                    "phrase4": "status",
                    "time5": "at",
                }
                if set(wanted.values()) <= set(kind.facts):
                    s.add(
                        TemplateMap(
                            channel=Channel.OFFICIAL,
                            kind=kind.name,
                            template_id=template["repair_progress"],
                            fields=wanted,
                            changed_at=clock.now(),
                        )
                    )

        db.run(rows)

    # ---- the platform pushes --------------------------------------------------------------------------------------

    @property
    def official(self) -> wire.Sender:
        account = self.platform["official_account"]
        return wire.Sender("/wx/official", account["app_id"], token=account["token"], aes_key=account["aes_key"])

    def text(self, openid: str, content: str, msg_id: int, created: int | None = None) -> dict[str, Any]:
        """The fields of a typed message."""
        created = created or int(clock.now().timestamp())
        return {
            "ToUserName": self.platform["official_account"]["origin_id"], "FromUserName": openid, "CreateTime": created,
            "MsgType": "text", "Content": content, "MsgId": msg_id,
        }  # fmt: skip

    def push(self, session: requests.Session, fields: dict[str, Any], *, timeout_s: float = 5.0) -> requests.Response:
        """One delivery, freshly signed. Raises when nobody answers in time."""
        query, body = self.official.request(fields, clock.now())
        return session.post(
            f"{self.url}/wx/official?{query}", data=body, headers={"Content-Type": "text/xml"}, timeout=timeout_s
        )

    def push_until_acknowledged(
        self, session: requests.Session, fields: dict[str, Any], *, seconds: float = 60
    ) -> dict[str, Any]:
        """The reply that was at last given with status 200, decrypted; asked again after every failure."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with contextlib.suppress(requests.RequestException):
                answer = self.push(session, fields)
                if answer.status_code == 200:
                    return self.official.open(answer.content)
            NEVER.wait(0.05)
        raise TimeoutError("never acknowledged")

    # ---- counting -------------------------------------------------------------------------------------------------

    def rows(self, query: str) -> list[Any]:
        with self.database.engine.connect() as connection:
            return list(connection.execute(sa.text(query)))

    def count(self, query: str) -> int:
        return int(self.rows(query)[0][0])

    def sent(self) -> list[dict[str, Any]]:
        """Every message that the platforms accepted, in order."""
        reply: list[dict[str, Any]] = requests.get(f"{self.sandbox_url}/control/sent?limit=1000000", timeout=60).json()[
            "sent"
        ]
        return reply

    def settle(self, seconds: float = 90) -> int:
        """Waits until nothing is owed; how many debts still are."""
        until = time.monotonic() + seconds
        left = -1
        while time.monotonic() < until:
            with contextlib.suppress(sa.exc.DBAPIError):
                # What is due far in the future is a timer, not a debt that somebody waits for.
                left = self.count(
                    "select count(*) from debt where state='owed' and due_at < utc_timestamp() + interval 3 minute"
                )
                if left == 0:
                    return 0
            NEVER.wait(0.3)
        return left


def _rooms(s: Any, building: Place, codes: list[str]) -> None:
    """So many rooms of the building, without door codes."""
    if codes:
        values = {"kind": PlaceKind.ROOM, "parent_id": building.id, "path": "/"}
        s.execute(sa.insert(Place), [{"code": code, "name": code, "label": code, **values} for code in codes])
        s.execute(
            sa.text(f"update place set path = concat('{building.path}', id, '/') where parent_id = {building.id}")
        )


def _broken(words: tuple[str, ...], variant: str | None) -> tuple[str, ...]:
    return ("tests.drills.broken", variant, *words[1:]) if variant else words


def _answers(address: str) -> bool:
    try:
        return requests.get(address, timeout=2).status_code == 200
    except requests.RequestException:
        return False


def session() -> requests.Session:
    """A client of its own for one thread."""
    made = requests.Session()
    made.trust_env = False
    return made


def dice(seed: int) -> random.Random:
    """Repeatable chance: the same seed, the same drill."""
    return random.Random(seed)
