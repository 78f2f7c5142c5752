"""The clock both sides share: real time plus the offset in the clock file.

The service reads the same file (HOUQIN_CLOCK_FILE); whoever writes it moves time for both.
"""

import os
import tempfile
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

CAMPUS = timezone(timedelta(hours=8))  # the platforms count their days in Beijing time


class Clock:
    """Seconds since the epoch, movable."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int, int] | None = None
        self._offset = 0.0

    def offset(self) -> float:
        """What the file says now; an absent or unreadable file says zero."""
        try:
            stat = self.path.stat()
        except OSError:
            self._seen, self._offset = None, 0.0
            return 0.0
        seen = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        if seen != self._seen:
            try:
                self._offset = float(self.path.read_text().strip() or 0)
            except (OSError, ValueError):
                self._offset = 0.0
            self._seen = seen
        return self._offset

    def move(self, offset_s: float) -> None:
        """The file holds the offset; a reader sees the old or the new one, never half of it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=self.path.parent, prefix=".clock-")
        with os.fdopen(handle, "w") as file:
            file.write(repr(float(offset_s)))
        os.chmod(temporary, 0o644)
        os.replace(temporary, self.path)

    def now(self) -> float:
        """The sandbox's time, in seconds."""
        return time.time() + self.offset()

    def second(self) -> int:
        """The sandbox's time as the platforms write it."""
        return int(self.now())

    def day(self) -> str:
        """The calendar day by which daily caps are counted."""
        return datetime.fromtimestamp(self.now(), CAMPUS).strftime("%Y%m%d")

    def minute(self) -> str:
        """The minute by which frequency is counted."""
        return datetime.fromtimestamp(self.now(), UTC).strftime("%Y%m%d%H%M")
