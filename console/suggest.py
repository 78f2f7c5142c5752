"""What the pickers offer for a few typed letters: places by code, words or pinyin initials; faults by name or pinyin.

Six thousand rooms are found through their buildings: `ty3 402` is 桃园3号楼, then the room. FEATURES R1 (the desk
files in under ten seconds), P5.
"""

import re
import threading
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from flask import request
from sqlalchemy.orm import Session

from campus import places
from campus.places import natural, plain_code
from campus.repairs import faults
from console.forms import strip
from console.frame import bp, may, me
from core import clock
from core.db import database, reading
from models.access import missing
from models.places import Place, PlaceKind

AT_MOST = 9
LOOK_AGAIN = timedelta(minutes=5)
_LETTERS = re.compile(r"[a-z]+\d*")
_known: dict[str, tuple[datetime, list[tuple[Place, str]]]] = {}
_lock = threading.Lock()


@bp.get("/places/suggest")
def get_suggest_places() -> Any:
    """Places for what was typed."""
    if not may("place.see", "repair.file_for", "role.grant", "repair.see"):
        raise missing("place.see")
    with reading() as s:
        rows = find_places(s, strip(request.args.get("q")), now=clock.now())
        return [{"value": row.code, "label": row.label, "hint": row.code} for row in rows]


@bp.get("/faults/suggest")
def get_suggest_faults() -> Any:
    """Faults that can be reported, for what was typed; the commonest for that place when nothing was."""
    q = strip(request.args.get("q")).lower()
    with reading() as s:
        me()
        place = s.scalars(sa.select(Place).where(Place.code == request.args.get("place", ""))).one_or_none()
        known = faults.leaves(s)
        if not q and place is not None:
            known = faults.common_at(s, place, n=AT_MOST, now=clock.now())
    hits = [
        fault
        for fault in known
        if not q or q in fault.name.lower() or q in fault.code.lower() or q in initials(fault.name)
    ]
    return [
        {"value": fault.code, "label": fault.name, "hint": "紧急" if fault.is_emergency else fault.code}
        for fault in hits[:AT_MOST]
    ]


def find_places(s: Session, q: str, *, now: datetime) -> list[Place]:
    """Places by code and words, then by the pinyin initials of their building and the number of the room."""
    found = list(places.search(s, q, limit=AT_MOST))
    last = plain_code(q.split()[-1]) if q else ""
    found.sort(key=lambda place: (place.code != plain_code(q), place.name.upper() != last))  # 402 before 1402
    if len(found) < AT_MOST and _LETTERS.match(q.lower()):
        found += [place for place in _by_initials(s, q.lower(), now) if place not in found]
    return found[:AT_MOST]


def _by_initials(s: Session, q: str, now: datetime) -> list[Place]:
    head, _, rest = q.partition(" ")
    if not rest and "-" in head:
        head, _, rest = head.partition("-")
    buildings = [place for place, letters in _buildings(s, now) if letters.startswith(head) or head in letters]
    if not rest.strip():
        return sorted(buildings, key=lambda place: (len(place.path), natural(place.code)))[:AT_MOST]
    if not buildings:
        return []
    number = plain_code(rest)
    below = sa.or_(*(Place.path.startswith(place.path, autoescape=True) for place in buildings[:20]))
    rooms = s.scalars(
        sa.select(Place)
        .where(
            Place.retired_at.is_(None),
            Place.kind == PlaceKind.ROOM,
            below,
            Place.code.contains(number, autoescape=True),
        )
        .order_by(Place.code)
        .limit(AT_MOST * 4)
    ).all()
    return sorted(rooms, key=lambda room: (not room.code.endswith(number), natural(room.code)))[:AT_MOST]


def _buildings(s: Session, now: datetime) -> list[tuple[Place, str]]:
    """Campuses, areas and buildings with the initials of their names; read again after five minutes."""
    key = str(database().engine.url)
    with _lock:
        at, rows = _known.get(key, (None, []))
    if at is None or now - at > LOOK_AGAIN or now < at:
        kinds = (PlaceKind.CAMPUS, PlaceKind.AREA, PlaceKind.BUILDING)
        found = s.scalars(sa.select(Place).where(Place.kind.in_(kinds), Place.retired_at.is_(None))).all()
        rows = [(place, initials(place.name)) for place in found]
        with _lock:
            _known.clear()
            _known[key] = (now, rows)
    return rows


@lru_cache(maxsize=4096)
def initials(name: str) -> str:
    """The first letters of the name's pinyin, digits and Latin letters as they stand: 桃园3号楼 is ty3hl."""
    from pypinyin import Style, lazy_pinyin  # 41 MB: only where somebody types

    return "".join(lazy_pinyin(name, style=Style.FIRST_LETTER)).lower().replace(" ", "")
