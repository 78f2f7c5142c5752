"""A page of a list and the cursor to the next one: opaque to the client, checked when it comes back. DESIGN §4."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from core.errors import Invalid

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """`next` is None on the last page."""

    items: Sequence[T]
    next: str | None


def token(*place: int | float) -> str:
    """Where the next page begins."""
    return base64.urlsafe_b64encode(json.dumps(place, separators=(",", ":")).encode()).decode().rstrip("=")


def seek(cursor: str | None, size: int) -> tuple[Any, ...] | None:
    """The place a cursor stands for, None without one. Raises Invalid for anything we have not made."""
    if not cursor:
        return None
    try:
        place = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        place = None
    good = isinstance(place, list) and len(place) == size and all(_number(part) for part in place)
    if not good:
        raise Invalid(fields={"cursor": "翻页标记无效"})
    return tuple(place)


def _number(part: object) -> bool:
    return isinstance(part, int | float) and not isinstance(part, bool) and abs(part) < 2**53
