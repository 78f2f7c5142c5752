"""Reading a place and a fault out of one typed line, exactly or not at all. FEATURES R1.

"报修 D12-402 空调不制冷", "报修 １２号楼４０２室空调不制冷", "报修 东校区12栋402 水龙头漏水 一直滴": full and half
width, letter case, blanks and the ways to write a building are the same; a word more or less is not.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from models.places import Place, PlaceKind

_STOPS = re.compile(r"[\s,。、;:!·]+")  # NFKC has made the full-width ones half-width
_DASHES = re.compile(r"[-‐‑‒–—―−_]+")
_ROOM = r"(?P<room>[A-Z]?\d{1,4}[A-Z]?)(?:室|房间|房|号)?$"
_BUILDING = re.compile(r"^(?P<building>.*?(?:号楼|号院|楼|栋|幢|座|馆|#))-?" + _ROOM)
_CODE = re.compile(r"^(?P<building>[A-Z]+\d+)(?:号楼|楼|栋|幢|座|#)-?" + _ROOM)
_RUN_TOGETHER = re.compile(r"^(?P<letters>[A-Z]+)(?P<digits>\d{3,8})(?:室|房间|房|号)?$")
_NAMES_A_PLACE = re.compile(r"(?P<building>[A-Z]+\d*)-\d{2,5}|\d{1,3}(?:号楼|号院|栋|幢|座)-?\d{2,4}")
_FORMS = ("号楼", "栋", "幢", "座", "楼", "#")


def plain(text: str) -> str:
    """The text as it is compared: NFKC, upper case, one kind of dash, no blanks and stops."""
    return _STOPS.sub("", _DASHES.sub("-", unicodedata.normalize("NFKC", text))).upper()


def splits(text: str, names: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Every way to read the line as (place, one of these names, what follows): the longest name first.

    The name stands at the end of the line (with or without a blank before it), or is a word of its own.
    """
    words = unicodedata.normalize("NFKC", text).split()
    known = {plain(name): name for name in names}
    whole = " ".join(words)
    for wanted in sorted(known, key=len, reverse=True):
        if wanted and plain(whole).endswith(wanted):
            begin = next(at for at in range(len(whole), -1, -1) if plain(whole[at:]) == wanted)
            yield whole[:begin].strip(), known[wanted], ""
    for at, word in enumerate(words[:-1]):
        if plain(word) in known:
            yield " ".join(words[:at]), known[plain(word)], " ".join(words[at + 1 :])


def elsewhere(s: Session, text: str, *, code: str, label: str) -> str:
    """The room that the line names when it is another one than this, known or not; else nothing. R1.

    A lamp is a "T8-36" and no place: the part before the dash has to be a building.
    """
    for named in _NAMES_A_PLACE.finditer(plain(text)):
        if named[0] == plain(code) or named[0] in plain(label):
            continue
        building = named["building"]
        if building is None or s.scalar(sa.select(Place.id).where(Place.code == building)) is not None:
            return named[0]
    return ""


def place_named(s: Session, text: str) -> Place | None:
    """The one place with this code or name, however it is typed; None when there is none or more than one. P5."""
    wanted = plain(text)
    if not wanted or len(wanted) > 60:
        return None
    hits = s.scalars(
        sa.select(Place)
        .where(
            sa.or_(
                Place.code.in_(_codes(wanted)), Place.label == " ".join(unicodedata.normalize("NFKC", text).split())
            ),
            Place.retired_at.is_(None),
        )
        .limit(2)
    ).all()
    if not hits:
        hits = _by_building(s, wanted)
    return hits[0] if len(hits) == 1 else None


def _codes(wanted: str) -> set[str]:
    """The codes that the words may stand for: D12号楼402 is D12-402; so is D12402, unless D1-2402 is a room too."""
    codes = {wanted}
    if parts := _CODE.match(wanted):
        codes.add(f"{parts['building']}-{parts['room']}")
    if parts := _RUN_TOGETHER.match(wanted):
        letters, digits = parts["letters"], parts["digits"]
        codes |= {f"{letters}{digits[:at]}-{digits[at:]}" for at in range(1, len(digits) - 1)}
    return codes


def _by_building(s: Session, wanted: str) -> Sequence[Place]:
    """A building by its name in every way to write it, or the room of that number in it; at most two."""
    parts = _BUILDING.match(wanted)
    typed = _ways_to_write(parts["building"] if parts else wanted)
    buildings = s.scalars(sa.select(Place).where(Place.kind == PlaceKind.BUILDING, Place.retired_at.is_(None)))
    meant = [building for building in buildings if typed & _names(building)]
    if parts is None or not meant:
        return meant[:2]
    room = parts["room"]
    below = sa.or_(*(Place.path.startswith(building.path, autoescape=True) for building in meant))
    named = sa.or_(
        Place.name.in_((room, f"{room}室", f"{room}房", f"{room}号")),
        Place.code.in_([f"{building.code}-{room}" for building in meant]),
    )
    rooms = sa.select(Place).where(below, named, Place.kind == PlaceKind.ROOM, Place.retired_at.is_(None))
    return s.scalars(rooms.limit(2)).all()


def _ways_to_write(building: str) -> set[str]:
    stem = next((building.removesuffix(form) for form in _FORMS if building.endswith(form)), building)
    return {building, *(stem + form for form in _FORMS)}


def _names(building: Place) -> set[str]:
    """What a building is called: its code, its name, and its name after any part of its label (东校区12号楼)."""
    parts = building.label.split() or [building.name]
    return {plain(building.code), plain(building.name), plain(building.label)} | {
        plain(part + parts[-1]) for part in parts[:-1]
    }
