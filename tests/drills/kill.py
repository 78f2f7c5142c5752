"""K21, with the web processes killed too: `kill -9` of worker and web at random under load; nothing lost, doubled or half done.

Students report faults in the chat; the platform repeats every message until it is acknowledged. Meanwhile one of the
processes is killed at a random moment and started again, so many times. Then it is counted: one ticket per message,
the acknowledged reply names it, every ticket has its step, its audit line and its dispatch, every notice was seen by
the platform, and what the platform can tell apart it saw once. Control: a worker that marks before it sends.
"""

import os
import random
import re
import signal
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import click

from tests.drills.rig import NEVER, Rig, dice, session

ROOMS = 400
NUMBER = re.compile(r"WX\d{6}[A-Z2-9]{10}")


def room(student: int, number: int) -> str:
    return f"D12-S{student}R{number}"


class Load:
    """Students who report as long as the drill goes on, each message until it is acknowledged."""

    def __init__(self, rig: Rig, openids: list[str], pause_s: float) -> None:
        self.rig, self.openids, self.pause_s = rig, openids, pause_s
        self.stop = threading.Event()
        self.acknowledged: dict[int, str] = {}
        self.failures: list[str] = []

    def student(self, index: int) -> None:
        http = session()
        for number in range(
            ROOMS
        ):  # a room each: the same person reporting the same twice would be told of the first (R5)
            if self.stop.is_set():
                return
            msg_id = 10_000_000_000 + index * 1_000_000 + number
            said = f"报修 {room(index, number)} 空调不制冷"
            try:
                reply = self.rig.push_until_acknowledged(
                    http, self.rig.text(self.openids[index], said, msg_id), seconds=120
                )
            except (TimeoutError, ValueError, KeyError) as why:
                self.failures.append(f"{type(why).__name__}: {why}")
                continue
            self.acknowledged[msg_id] = reply.get("Content", "")
            NEVER.wait(self.pause_s)


def drill(
    *, seed: int, kills: int, students: int, broken: dict[str, str] | None = None, only: str = ""
) -> tuple[Counter[str], bool]:
    """The counts, and whether every one is right."""
    chance = dice(seed)
    with Rig(seed=seed, workers=2, broken=broken or {}, sandbox_latency_ms=30) as rig:
        load = Load(
            rig,
            rig.people(students, rooms=[room(index, number) for index in range(students) for number in range(ROOMS)]),
            pause_s=0.05,
        )
        with ThreadPoolExecutor(students) as pool:
            for index in range(students):
                pool.submit(load.student, index)
            for _ in range(kills):
                hurt(rig, chance, only)
            load.stop.set()
        rig.wait_until_up()
        left = rig.settle(seconds=180)
        counts = count(rig, load, left)
        if load.failures:
            print(*load.failures[:5], sep="\n")
    return counts, right(counts)


def hurt(rig: Rig, chance: random.Random, only: str) -> None:
    """After a random moment one of the processes is dead: a worker, one web process, or the web server with all of them."""
    NEVER.wait(chance.uniform(0.2, 1.2))
    match "worker" if only == "worker" else chance.choice(("worker", "worker", "child", "child", "web")):
        case "child" if children := rig.web.children():
            os.kill(chance.choice(children), signal.SIGKILL)
        case "web":
            rig.web.kill()
            rig.web.start()
            NEVER.wait(2)  # it takes so long to be up again; killed all the time it would never answer
        case _:
            victim = chance.choice(rig.worker_processes)
            victim.kill()
            victim.start()
            NEVER.wait(chance.uniform(0.5, 2))


def count(rig: Rig, load: Load, left: int) -> Counter[str]:
    replies = [NUMBER.search(text) for text in load.acknowledged.values()]
    named = [match.group() for match in replies if match]
    tickets = {row[0] for row in rig.rows("select no from ticket")}
    sent = rig.sent()
    keys = Counter((row["kind"], row["recipient"], row["client_key"]) for row in sent if row["client_key"])
    told = rig.count("select count(*) from notice_try where state in ('accepted','delivered')")
    return Counter(
        messages=len(load.acknowledged),
        unacknowledged=len(load.failures),
        tickets=len(tickets),
        named=len(set(named) & tickets),
        doubled=len(named) - len(set(named)),
        without_step=rig.count(
            "select count(*) from ticket t where not exists (select 1 from ticket_step s where s.ticket_id=t.id)"
        ),
        without_audit=rig.count(
            "select count(*) from ticket t where not exists (select 1 from audit_line a where a.about=t.no)"
        ),
        without_dispatch=rig.count(
            "select count(*) from ticket t where not exists (select 1 from debt d where d.`key`=concat('repair.dispatch:', t.no))"
        ),
        unassigned=rig.count("select count(*) from ticket where worker_id is null"),
        notices=rig.count("select count(*) from debt where topic='notice'"),
        notices_without_row=rig.count(
            "select count(*) from debt d where topic='notice' and state='settled' and not exists (select 1 from notice n where d.`key`=concat('notice:', n.kind, ':', n.about, ':', n.person_id))"
        ),
        told=told,
        platform_saw=len(sent),
        lost=told - len({row["client_key"] or row["id"] for row in sent}) if told > len(sent) else 0,
        seen_twice=sum(number - 1 for number in keys.values()),
        owed=left,
        cases=rig.count("select count(*) from office_case where live"),
    )


def right(counts: Counter[str]) -> bool:
    nothing = (
        "unacknowledged",
        "doubled",
        "without_step",
        "without_audit",
        "without_dispatch",
        "unassigned",
        "notices_without_row",
        "lost",
        "seen_twice",
        "owed",
        "cases",
    )
    return (
        counts["messages"] > 0
        and counts["messages"] == counts["tickets"] == counts["named"]
        and not any(counts[name] for name in nothing)
    )


def line(counts: Any) -> str:
    return " ".join(f"{name}={number}" for name, number in counts.items())


@click.command()
@click.option("--seed", default=21, show_default=True)
@click.option("--short", is_flag=True, help="the version of `make test`")
@click.option("--kills", default=None, type=int)
def main(seed: int, short: bool, kills: int | None) -> None:
    """Prints one line and exits 0 when every count is right and the control was caught."""
    kills = kills or (20 if short else 200)
    students = 6 if short else 16
    counts, passed = drill(seed=seed, kills=kills, students=students)
    control, fooled = drill(
        seed=seed, kills=6 if short else 20, students=4, broken={"worker": "mark_before_send"}, only="worker"
    )
    ok = passed and not fooled
    print(f"control mark_before_send: {'NOT CAUGHT' if fooled else 'caught'}: {line(control)}")
    print(f"K21 kill seed={seed} kills={kills} {line(counts)} {'PASS' if ok else 'FAIL'}")
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
