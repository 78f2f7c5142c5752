"""What a platform's error code means to us: one table per platform, three answers. STYLE "Translate a platform once".

Only the code decides, never the text: its tail changes (PROTOCOLS 1). A code that is in no row is not a no: Unknown.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from core import clock
from core.errors import Busy, PlatformError, Refused, Unknown


class TokenGone(Exception):
    """The platform did not accept the access token. The caller gets another one and asks once more."""

    def __init__(self, code: str, message: str) -> None:
        self.code, self.message = code, message
        super().__init__(code, message)


@dataclass(frozen=True)
class Table:
    """One platform's codes. `alert` are those that only an operator can mend: they are logged as errors."""

    token: frozenset[int]
    refused: frozenset[int]
    busy_s: Mapping[int, float]
    until_tomorrow: frozenset[int] = frozenset()
    alert: frozenset[int] = frozenset()
    fine: frozenset[int] = field(default=frozenset({0}))

    def check(self, reply: Mapping[str, Any], *, with_token: bool = True) -> None:
        """Nothing, when the reply is a success. Raises Refused, Busy, Unknown or TokenGone.

        Getters answer without any errcode when they succeed (PROTOCOLS 1), so a missing one is a success.
        """
        code = reply.get("errcode", 0)
        if code == 0 and type(code) is int:
            return
        raise self.error(code, str(reply.get("errmsg", ""))[:200], with_token=with_token)

    def error(self, code: Any, message: str = "", *, with_token: bool = True) -> PlatformError | TokenGone:
        """What the code means. A token code where no token was sent speaks of the app's secret: Refused."""
        try:
            number = int(code)
        except (TypeError, ValueError):
            return Unknown("errcode", f"not a number: {str(code)[:40]}")
        if number in self.token:
            return TokenGone(str(number), message) if with_token else Refused(number, message)
        if number in self.until_tomorrow:
            return Busy(number, message, retry_after_s=until_tomorrow_s())
        if number in self.busy_s:
            return Busy(number, message, retry_after_s=self.busy_s[number])
        if number in self.refused or number in self.alert:
            return Refused(number, message)
        return Unknown(number, message)


def until_tomorrow_s() -> float:
    """Seconds until the next campus day begins: daily quotas are counted by calendar day."""
    now = clock.now()
    return (clock.at(clock.campus_day(now) + timedelta(days=1), "00:00") - now).total_seconds()
