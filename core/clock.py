"""What time it is: aware UTC inside, Asia/Shanghai for showing, for "today" and for timetables.

`HOUQIN_CLOCK_FILE` names a file with an offset in seconds which the sandbox writes, so that a drill or a
demonstration can move time for both sides at once (DESIGN §5). Intervals never read the wall clock.
"""

import os
import threading
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

CAMPUS = ZoneInfo("Asia/Shanghai")
CLOCK_FILE = "HOUQIN_CLOCK_FILE"

_LOOK_AGAIN_S = 0.2
_offset = timedelta(0)
_looked_at = float("-inf")


def now() -> datetime:
    """This moment, aware, in UTC."""
    moment = datetime.now(UTC)
    return moment + _moved() if os.environ.get(CLOCK_FILE) else moment


def _moved() -> timedelta:
    global _offset, _looked_at
    if time.monotonic() - _looked_at >= _LOOK_AGAIN_S:
        _looked_at = time.monotonic()
        try:
            _offset = timedelta(seconds=float(Path(os.environ[CLOCK_FILE]).read_text() or 0))
        except (FileNotFoundError, ValueError):
            _offset = timedelta(0)
    return _offset


def monotonic() -> float:
    """Seconds that only go forward, for measuring how long something took."""
    return time.monotonic()


def pause(seconds: float, until: threading.Event) -> bool:
    """Waits, or returns True at once when `until` is set. The only wait there is: libfaketime breaks time.sleep."""
    return until.wait(max(0.0, seconds))


def to_campus(moment: datetime) -> datetime:
    """The same moment on the campus clock."""
    return moment.astimezone(CAMPUS)


def campus_day(moment: datetime) -> date:
    """Which campus calendar day it is."""
    return to_campus(moment).date()


def at(day: date, hhmm: str) -> datetime:
    """That time of that campus day, in UTC. `at(day, "24:00")` is the midnight that ends it."""
    hours, minutes = (int(part) for part in hhmm.split(":"))
    midnight = datetime(day.year, day.month, day.day, tzinfo=CAMPUS)
    return (midnight + timedelta(hours=hours, minutes=minutes)).astimezone(UTC)
