"""Public numbers: the one name of a thing on the screen, in the log and at the platform. DESIGN §4.

Prefix, campus date, ten letters without 0/O/1/I: `WX250901K7Q2M9X4CD`, 18 characters, fits the order numbers
of WeChat Pay and Alipay. 32**10 values a day and prefix; a UNIQUE column is the wall.
"""

import re
import secrets
from datetime import datetime

from core.clock import to_campus

LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
SHAPE = re.compile(rf"^[A-Z]{{2}}\d{{6}}[{LETTERS}]{{10}}$")


def new(prefix: str, now: datetime) -> str:
    """A number nobody has had, with the campus day in it."""
    return f"{prefix}{to_campus(now):%y%m%d}{letters(10)}"


def letters(count: int) -> str:
    """So many letters and digits that cannot be mistaken for each other, unguessable."""
    return "".join(LETTERS[byte & 31] for byte in secrets.token_bytes(count))
