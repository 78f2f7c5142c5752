"""K3: `kill -9` of MariaDB under load, again and again. No acknowledged write is lost, and the app comes back by itself.

People chat and file over the API, each deed repeated until it is acknowledged, while the database server is killed at
random moments and started again. Then: every acknowledged message has its row and every number that was named its
ticket; from the moment the port is open the app answers within five seconds; no web process was started anew.
Control: an inbox that answers before it commits must lose a write.

    python -m tests.drills.k3_database [--short] [--seed N] [--kills N]
"""

import signal
import sys
from collections import Counter

import click
import requests

from core import clock
from tests.drills.load import Campus, Crowd, line
from tests.drills.rig import NEVER, Rig, dice, session

BACK_S = 5.0


def drill(rig: Rig, campus: Campus, *, seed: int, kills: int) -> tuple[Counter[str], float, bool]:
    """The counts, the longest wait for an answer once the port was open, and whether everything is right."""
    chance, slowest, processes = dice(seed), 0.0, _processes(rig)
    token = campus.token(0)
    with Crowd(campus, seed=seed) as crowd:
        for _ in range(kills):
            NEVER.wait(chance.uniform(1.0, 2.5))
            rig.mariadb.kill(sig=signal.SIGKILL)
            NEVER.wait(chance.uniform(0, 1.0))
            rig.mariadb.start()  # returns when the port is open
            slowest = max(slowest, _seconds_until_answered(rig, campus, token))
        NEVER.wait(1)
    counts = crowd.counted()
    counts["started_anew"] = len(_processes(rig) - processes)
    crowd.told()
    nothing = ("lost", "unnamed", "doubled", "without_step", "answered_otherwise", "faults", "gave_up", "started_anew")
    return counts, slowest, counts["acknowledged"] > kills and slowest <= BACK_S and not any(map(counts.get, nothing))


def _processes(rig: Rig) -> set[int]:
    return {rig.web.running.pid, *rig.web.children()} if rig.web.running else set()


def _seconds_until_answered(rig: Rig, campus: Campus, token: str) -> float:
    """Until a callback that is stored and an API call that reads were both answered well."""
    http, began = session(), clock.monotonic()
    fields = rig.text(campus.openids[0], "你好", next(campus.msg_ids))
    while clock.monotonic() - began < 60:
        try:
            if (
                rig.push(http, fields).status_code == 200
                and http.get(f"{rig.url}/api/v1/me", headers={"Authorization": f"Bearer {token}"}, timeout=5).ok
            ):
                break
        except requests.RequestException:
            pass
        NEVER.wait(0.05)
    return clock.monotonic() - began


@click.command()
@click.option("--seed", default=3, show_default=True)
@click.option("--short", is_flag=True, help="the version of `make test`")
@click.option("--kills", default=None, type=int)
def main(seed: int, short: bool, kills: int | None) -> None:
    """Prints a line for the control and one for the drill; exits 0 when every count is right and the control was caught."""
    kills = kills or (3 if short else 20)
    with Rig(seed=seed, workers=0) as rig:
        campus = Campus(rig, chatters=4 if short else 8, filers=2 if short else 4, rooms=600 if short else 3000)
        counts, slowest, passed = drill(rig, campus, seed=seed, kills=kills)
        rig.swap_web("answer_before_commit")
        control, _, fooled = drill(rig, campus, seed=seed + 1, kills=2 if short else 3)
    caught = not fooled and control["lost"] > 0
    ok = passed and caught
    print(f"control answer_before_commit: {'caught' if caught else 'NOT CAUGHT'}: {line(control)}")
    print(
        f"K3 database seed={seed} kills={kills} {line(counts)} back_s={slowest:.2f} {'PASS' if ok else 'FAIL'}",
        flush=True,
    )
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
