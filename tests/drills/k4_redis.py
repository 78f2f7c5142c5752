"""K4: `kill -9` of Redis, which comes back empty, again and again. It is only ever a cache: nothing is lost or doubled.

People chat and file over the API; what they sent is often sent once more, as the platform does. Meanwhile Redis is
killed at random moments and started empty. Then: every callback was answered within five seconds, every repeated one
as the first time, everything acknowledged is there once, and every push went out, under a handful of access tokens.
Control: an inbox that remembers in Redis alone what came before must do something twice.

The booking rush of this drill comes with the shuttle.

    python -m tests.drills.k4_redis [--short] [--seed N] [--kills N]
"""

import signal
import sys
from collections import Counter

import click

from tests.drills.load import Campus, Crowd, line
from tests.drills.rig import NEVER, Rig, dice

TOKENS = 12  # one per process and app, and one more each for the moments in which nobody could share


def drill(rig: Rig, campus: Campus, *, seed: int, kills: int) -> tuple[Counter[str], bool]:
    """The counts, and whether every one is right."""
    chance = dice(seed)
    with Crowd(campus, seed=seed, repeats=True) as crowd:
        for _ in range(kills):
            NEVER.wait(chance.uniform(0.8, 2.0))
            rig.redis.kill(sig=signal.SIGKILL)
            NEVER.wait(chance.uniform(0.2, 1.5))
            rig.redis.start()
        NEVER.wait(1)
    counts = crowd.counted()
    crowd.told()
    nothing = ("lost", "unnamed", "doubled", "without_step", "answered_otherwise", "unanswered", "faults", "gave_up")
    return counts, counts["repeated"] > 0 and not any(map(counts.get, nothing))


def pushes(rig: Rig) -> dict[str, int]:
    """What the worker got out meanwhile: nothing is owed any more, and few access tokens were fetched for it."""
    owed = rig.settle(seconds=180)
    logs = "".join(path.read_text(errors="replace") for path in rig.folder.glob("*.log"))
    return {"owed": owed, "pushed": len(rig.sent()), "tokens": logs.count("access token renewed")}


@click.command()
@click.option("--seed", default=4, show_default=True)
@click.option("--short", is_flag=True, help="the version of `make test`")
@click.option("--kills", default=None, type=int)
def main(seed: int, short: bool, kills: int | None) -> None:
    """Prints a line for the control and one for the drill; exits 0 when every count is right and the control was caught."""
    kills = kills or (3 if short else 20)
    with Rig(seed=seed, workers=1) as rig:
        campus = Campus(rig, chatters=4 if short else 8, filers=2 if short else 4, rooms=600 if short else 3000)
        counts, passed = drill(rig, campus, seed=seed, kills=kills)
        counts.update(pushes(rig))
        rig.swap_web("dedupe_in_redis")
        control, fooled = drill(rig, campus, seed=seed + 1, kills=2 if short else 3)
    caught = not fooled and control["doubled"] + control["answered_otherwise"] > 0
    ok = passed and caught and not counts["owed"] and counts["pushed"] > 0 and counts["tokens"] <= TOKENS
    print(f"control dedupe_in_redis: {'caught' if caught else 'NOT CAUGHT'}: {line(control)}")
    print(f"K4 redis seed={seed} kills={kills} {line(counts)} {'PASS' if ok else 'FAIL'}", flush=True)
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
