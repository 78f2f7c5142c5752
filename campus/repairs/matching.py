"""Reading a place and a fault out of one typed line, exactly or not at all. FEATURES R1.

"报修 D12-402 空调不制冷", "报修 １２号楼402室空调不制冷": full and half width, letter case, blanks and the ways to
write a building are the same; a word more or less is not.
"""

import re
import unicodedata
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Session

from models.places import Place, PlaceKind

_BLANKS = re.compile(r"[\s,,。、;;::!!·]+")
_DASHES = re.compile(r"[-‐‑‒–—―−_﹣]+")
_BUILDING = re.compile(
    r"^(?P<building>.+?(?:号楼|号院|楼|栋|幢|座|馆|#))-?(?P<room>[A-Z]?\d{1,4}[A-Z]?)(?:室|房|房间|号|号房)?$"
)
_CODE = re.compile(r"^(?P<building>[A-Z]+\d+)(?:号楼|楼|栋|幢|座|#)?-?(?P<room>[A-Z]?\d{2,4}[A-Z]?)(?:室|房|房间|号)?$")
_FORMS = ("号楼", "栋", "幢", "座", "楼", "#")


def plain(text: str) -> str:
    """The text as it is compared: NFKC, upper case, one kind of dash, no blanks and stops."""
    return _BLANKS.sub("", _DASHES.sub("-", unicodedata.normalize("NFKC", text))).upper()


def place_named(s: Session, text: str) -> Place | None:
    """The one place with this code or label, however it is typed; None when there is none or more than one. P5."""
    wanted = plain(text)
    if not wanted or len(wanted) > 60:
        return None
    codes, labels = {wanted}, {wanted, text.strip()[:190]}
    if as_code := _CODE.match(wanted):
        codes.add(f"{as_code['building']}-{as_code['room']}")
    in_use = Place.retired_at.is_(None)
    hits = s.scalars(
        sa.select(Place).where(sa.or_(Place.code.in_(codes), Place.label.in_(labels)), in_use).limit(3)
    ).all()
    if not hits and (parts := _BUILDING.match(wanted)):
        hits = _room_of(s, parts["building"], parts["room"])
    return hits[0] if len(hits) == 1 else None


def _room_of(s: Session, building: str, room: str) -> Sequence[Place]:
    """Rooms of that number in buildings of that name, in every way to write it; at most three."""
    stem = next((building.removesuffix(form) for form in _FORMS if building.endswith(form)), building)
    names = {building, stem, *(stem + form for form in _FORMS)}
    house = orm.aliased(Place)
    return s.scalars(
        sa.select(Place)
        .join(house, Place.path.startswith(house.path))
        .where(
            house.kind == PlaceKind.BUILDING,
            sa.or_(house.name.in_(names), house.label.in_(names), house.code.in_(names)),
            Place.kind == PlaceKind.ROOM,
            sa.or_(Place.name.in_((room, f"{room}室", f"{room}房")), Place.code == house.code + "-" + room),
            Place.retired_at.is_(None),
        )
        .limit(3)
    ).all()
