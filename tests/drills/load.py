"""What goes on while a drill hurts the processes: people who chat and file, each deed repeated until it is acknowledged.

Everything that was acknowledged is kept here with its answer; `counted` compares that with what the database says.
"""

import re
import threading
from collections import Counter
from itertools import count
from typing import Any

import requests

from campus import sessions
from core import clock
from core.errors import NotNow
from tests import kit
from tests.drills.rig import NEVER, Rig, dice, session

NUMBER = re.compile(r"WX\d{6}[A-Z2-9]{10}")
PATIENCE_S = 5.0  # the platform hangs up (PROTOCOLS 1.3)
ANSWERS = ("200", "201", "429", "503")  # everything else is a fault


class Campus:
    """Who chats and files in one rig, over all crowds of a drill. Every deed has a room of its own: no two are the same."""

    def __init__(self, rig: Rig, *, chatters: int, filers: int, rooms: int) -> None:
        self.rig = rig
        self.numbers = [count() for _ in range(chatters + filers)]
        codes = [f"D12-S{who}R{number}" for who in range(chatters + filers) for number in range(rooms)]
        self.openids = rig.people(chatters, rooms=codes)
        self.filers = [kit.make_person("陈思远") for _ in range(filers)]
        self.msg_ids = count(20_000_000_000)

    def token(self, filer: int) -> str:
        """A fresh session of that person."""
        person_id = self.filers[filer].id
        while True:
            try:
                return self.rig.database.run(
                    lambda s: sessions.open_session(
                        s, door=sessions.API, way="wecom", identity=None, person_id=person_id, now=clock.now(),
                        ip="127.0.0.1", agent="drill",
                    )
                )  # fmt: skip
            except NotNow:
                NEVER.wait(0.1)


class Crowd:
    """Use as a context manager: inside, they chat and file; on the way out each finishes the deed in hand."""

    def __init__(self, campus: Campus, *, seed: int, pause_s: float = 0.05, repeats: bool = False) -> None:
        self.campus, self.rig, self.seed, self.pause_s, self.repeats = campus, campus.rig, seed, pause_s, repeats
        self.stop = threading.Event()
        self.chat: dict[int, str] = {}
        self.words: dict[int, str] = {}
        self.filed: dict[str, str] = {}
        self.seen: Counter[str] = Counter()
        self.failures: list[str] = []
        self.strange: list[str] = []
        self.before = self.rig.count("select coalesce(max(id), 0) from ticket")

    def __enter__(self) -> "Crowd":
        chatters = len(self.campus.openids)
        self.threads = [threading.Thread(target=self._live, args=(self._chat, who)) for who in range(chatters)]
        self.threads += [
            threading.Thread(target=self._live, args=(self._file, who)) for who in range(len(self.campus.filers))
        ]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join(120)

    def _live(self, deed: Any, who: int) -> None:
        try:
            deed(who)
        except Exception as why:  # a client that dies must not look like one that was content
            self.failures.append(f"{deed.__name__}: {type(why).__name__}: {why}")

    # -- the chat

    def _chat(self, who: int) -> None:
        http, chance = session(), dice(self.seed * 1000 + who)
        while not self.stop.is_set():
            number, msg_id = next(self.campus.numbers[who]), next(self.campus.msg_ids)
            is_report = number % 3 != 2
            said = f"报修 D12-S{who}R{number} 空调不制冷" if is_report else "你好"
            fields = self.rig.text(self.campus.openids[who], said, msg_id)
            reply = self._until_acknowledged(lambda fields=fields: self._push(http, fields))
            (self.chat if is_report else self.words)[msg_id] = reply
            if self.repeats and chance.random() < 0.7:
                self.stop.wait(chance.uniform(0, 0.8))
                again = self._until_acknowledged(lambda fields=fields: self._push(http, fields))
                self.seen["repeated"] += 1
                self.seen["answered_otherwise"] += again != reply
            NEVER.wait(self.pause_s)

    def _push(self, http: requests.Session, fields: dict[str, Any]) -> str | None:
        answer = self.rig.push(http, fields, timeout_s=PATIENCE_S)
        self._saw("callback", answer)
        if answer.status_code != 200:
            return None
        return str(self.rig.official.open(answer.content).get("Content", ""))

    # -- the API

    def _file(self, who: int) -> None:
        http, number_of = session(), len(self.campus.openids) + who
        http.headers["Authorization"] = f"Bearer {self.campus.token(who)}"
        while not self.stop.is_set():
            number = next(self.campus.numbers[number_of])
            key = f"drill-{self.seed}-{who}-{number}"
            body = {"place": f"D12-S{number_of}R{number}", "fault": "aircon", "text": "空调不制冷", "photos": []}
            self.filed[key] = self._until_acknowledged(lambda body=body, key=key: self._post(http, who, body, key))
            if self.repeats:
                again = self._until_acknowledged(lambda body=body, key=key: self._post(http, who, body, key))
                self.seen["answered_otherwise"] += again != self.filed[key]
            NEVER.wait(self.pause_s * 4)

    def _post(self, http: requests.Session, who: int, body: dict[str, Any], key: str) -> str | None:
        answer = http.post(f"{self.rig.url}/api/v1/repairs", json=body, headers={"Idempotency-Key": key}, timeout=30)
        self._saw("api", answer)
        if answer.status_code == 429:  # a session may file ten times a minute; this load is many people's
            http.headers["Authorization"] = f"Bearer {self.campus.token(who)}"
        return str(answer.json()["no"]) if answer.status_code == 201 else None

    def _saw(self, door: str, answer: requests.Response) -> None:
        self.seen[f"{door}_{answer.status_code}"] += 1
        if str(answer.status_code) not in ANSWERS:
            self.strange.append(f"{door} answered {answer.status_code}: {answer.text[:300]}")

    def told(self) -> None:
        """Says what was strange, and what the web processes thought of it."""
        for what in [*self.failures[:5], *self.strange[:5]]:
            print(f"  {what}")
        if self.strange:
            text = self.rig.web.log.read_text(errors="replace")
            print(*[f"  {one[:3000]}" for one in text.splitlines() if '"bug"' in one][-2:], sep="\n")

    def _until_acknowledged(self, ask: Any, seconds: float = 90) -> str:
        until = clock.monotonic() + seconds
        while clock.monotonic() < until:
            try:
                if (reply := ask()) is not None:
                    return str(reply)
            except requests.RequestException:
                self.seen["unanswered"] += 1
            NEVER.wait(0.1)
        raise TimeoutError("never acknowledged")

    # -- counting

    def counted(self) -> Counter[str]:
        """What was acknowledged, what of it is not there, and what is there more than once or without having been asked for."""
        rig, seen = self.rig, self.seen
        arrived = {row[0] for row in rig.rows("select `key` from arrival where door = 'official'")}
        tickets = {row[0] for row in rig.rows(f"select no from ticket where id > {self.before}")}
        named = [match.group() for text in self.chat.values() if (match := NUMBER.search(text))]
        promised = [*named, *self.filed.values()]
        told = self.chat.keys() | self.words.keys()
        return Counter(
            acknowledged=len(told) + len(self.filed),
            lost=sum(f"m:{msg_id}" not in arrived for msg_id in told) + len(set(promised) - tickets),
            unnamed=len(self.chat) - len(named),
            doubled=len(promised) - len(set(promised)) + len(tickets - set(promised)),
            without_step=rig.count(
                "select count(*) from ticket t where not exists (select 1 from ticket_step x where x.ticket_id = t.id)"
            ),
            answered_otherwise=seen["answered_otherwise"],
            repeated=seen["repeated"],
            unanswered=seen["unanswered"],
            put_off=seen["callback_503"] + seen["api_503"],
            faults=len(self.strange),
            gave_up=len(self.failures),
        )


def line(counts: Any) -> str:
    return " ".join(f"{name}={number}" for name, number in counts.items())
