"""Places: campus → area → building → floor → room, each with a short code and a door code. FEATURES P5."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core import ids
from core.db import found, hold, insert_once
from core.errors import Conflict, Invalid, NotFound
from models.access import Actor, require
from models.audit import audit
from models.places import DoorCode, Place, PlaceKind, Resident

DOOR_SHAPE = re.compile(r"^D[0-9A-Z]{10}$")


class NoSuchPlace(NotFound):
    code, text = "no_such_place", "没有这个地点"


class NoSuchDoor(NotFound):
    code, text = "no_such_door", "这个门牌码已失效，请联系后勤服务台"


def plain_code(code: str) -> str:
    """A place code as it is stored: half-width capitals without spaces."""
    return "".join(unicodedata.normalize("NFKC", code).split()).upper()[:64]


def natural(text: str) -> list[tuple[int, int, str]]:
    """A sort key under which D2 comes before D12 and 99 before 101."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", text) if part]


def place_by_code(s: Session, code: str) -> Place:
    """The place with that code, not retired. Raises NoSuchPlace."""
    wanted = plain_code(code)
    place = s.scalars(sa.select(Place).where(Place.code == wanted, Place.retired_at.is_(None))).one_or_none()
    if place is None:
        raise NoSuchPlace(place=wanted)
    return place


def children(s: Session, code: str | None) -> list[Place]:
    """The places directly below (the campuses when no code is given), in the order people count."""
    parent = place_by_code(s, code).id if code else None
    below = Place.parent_id.is_(None) if parent is None else Place.parent_id == parent
    rows = s.scalars(sa.select(Place).where(below, Place.retired_at.is_(None))).all()
    return sorted(rows, key=lambda place: natural(place.code))


class Listed(NamedTuple):
    """A place as a list shows it."""

    place: Place
    parent: str | None
    has_children: bool


def listed(s: Session, rows: Sequence[Place]) -> list[Listed]:
    """The places with the code of what they are in, and whether there is anything in them."""
    parents = {row.parent_id for row in rows if row.parent_id is not None}
    codes = {row.id: row.code for row in s.execute(sa.select(Place.id, Place.code).where(Place.id.in_(parents)))}
    ids_ = [row.id for row in rows]
    full = set(s.scalars(sa.select(Place.parent_id).where(Place.parent_id.in_(ids_), Place.retired_at.is_(None))))
    return [Listed(row, codes.get(row.parent_id or 0), row.id in full) for row in rows]


def chain(s: Session, place: Place) -> list[Place]:
    """The place with everything above it, the campus first."""
    up = [int(part) for part in place.path.strip("/").split("/") if part]
    rows = {row.id: row for row in s.scalars(sa.select(Place).where(Place.id.in_(up)))}
    return [rows[number] for number in up if number in rows]


def search(s: Session, q: str, limit: int = 20) -> Sequence[Place]:
    """Places whose code begins with the words, or whose label holds every one of them; nearest matches first."""
    words = unicodedata.normalize("NFKC", q).split()[:6]
    if not words:
        return []
    code = plain_code(q)
    holds = sa.and_(*(Place.label.contains(word, autoescape=True) for word in words))
    run_together = sa.func.replace(Place.label, " ", "").contains("".join(words), autoescape=True)  # 12号楼402
    begins = Place.code.startswith(code, autoescape=True)
    query = (
        sa.select(Place)
        .where(Place.retired_at.is_(None), sa.or_(holds, begins, run_together))
        .order_by(sa.case((Place.code == code, 0), (begins, 1), else_=2), sa.func.length(Place.path), Place.code)
        .limit(max(1, min(limit, 100)))
    )
    return s.scalars(query).all()


def place_of_door(s: Session, door_code: str) -> Place:
    """The place whose door carries the code. Raises NoSuchDoor, also when the place is retired."""
    code = door_code.strip().upper()
    query = sa.select(Place).join(DoorCode, DoorCode.place_id == Place.id)
    place = s.scalars(query.where(DoorCode.code == code, Place.retired_at.is_(None))).one_or_none()
    if place is None:
        raise NoSuchDoor(door=code[:16])
    return place


def door_of_qr(s: Session, url: str) -> str | None:
    """The code of the door whose official-account QR holds this address (PROTOCOLS 1.7), None for anybody else's."""
    return s.scalar(sa.select(DoorCode.code).where(DoorCode.qr_url == url))


def door_code_for(s: Session, place: Place, *, now: datetime | None = None) -> DoorCode:
    """The code on that door, made when there is none yet (`now` given)."""
    row = s.scalars(sa.select(DoorCode).where(DoorCode.place_id == place.id)).one_or_none()
    if row is not None:
        return row
    if now is None:
        raise NoSuchDoor(place=place.code)
    row = DoorCode(code=new_door_code(), place_id=place.id, made_at=now)
    return row if insert_once(s, row) else found(s, DoorCode, place_id=place.id)


def new_door_code() -> str:
    """`D` and ten letters or digits: fits a scene of the official account and of the mini-program (PROTOCOLS 1.7, 2.7)."""
    return f"D{ids.letters(10)}"


# ---- doors of a building -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Door:
    """A door as its printed label shows it."""

    place: Place
    door_code: str
    qr_url: str | None


def door_codes_of_building(s: Session, code: str) -> list[Door]:
    """Every door of the place and below it, in the order one walks past them; those without a code are left out."""
    top = place_by_code(s, code)
    rows = s.execute(
        sa.select(Place, DoorCode)
        .join(DoorCode, DoorCode.place_id == Place.id)
        .where(Place.path.startswith(top.path, autoescape=True), Place.retired_at.is_(None))
    ).all()
    doors = [Door(place, door.code, door.qr_url) for place, door in rows]
    return sorted(doors, key=lambda door: natural(door.place.code))


def make_door_codes(s: Session, *, code: str, by: Actor, now: datetime) -> int:
    """Every door of the place and below it has a code; how many are new."""
    require(s, by, "door.print", at=place_by_code(s, code))
    top = place_by_code(s, code)
    without = s.scalars(
        sa.select(Place.id)
        .outerjoin(DoorCode, DoorCode.place_id == Place.id)
        .where(Place.path.startswith(top.path, autoescape=True), Place.retired_at.is_(None), DoorCode.id.is_(None))
    ).all()
    made = sum(insert_once(s, DoorCode(code=new_door_code(), place_id=place_id, made_at=now)) for place_id in without)
    if made:
        audit(s, by, "door.make", f"place:{top.code}", now=now, after={"made": made})
    return made


# ---- editing -------------------------------------------------------------------------------------------------------

ABOVE: dict[PlaceKind, tuple[PlaceKind | None, ...]] = {
    PlaceKind.CAMPUS: (None,),
    PlaceKind.AREA: (PlaceKind.CAMPUS,),
    PlaceKind.BUILDING: (PlaceKind.CAMPUS, PlaceKind.AREA),
    PlaceKind.FLOOR: (PlaceKind.BUILDING,),
    PlaceKind.ROOM: (PlaceKind.FLOOR, PlaceKind.BUILDING, PlaceKind.AREA, PlaceKind.ROOM),
}
CODE_SHAPE = re.compile(r"^[0-9A-Z][0-9A-Z\-_.]{0,31}$")


def add_place(
    s: Session,
    *,
    code: str,
    name: str,
    kind: PlaceKind | str,
    parent_code: str | None,
    by: Actor,
    now: datetime,
    lat: float | None = None,
    lon: float | None = None,
    water_riser: str | None = None,
    power_riser: str | None = None,
) -> Place:
    """The place exists below its parent and its door has a code. Raises Invalid, Conflict when the code is taken."""
    parent = place_by_code(s, parent_code) if parent_code else None
    require(s, by, "place.edit", at=parent)
    plain, called = plain_code(code), name.strip()
    wrong = {}
    if not CODE_SHAPE.match(plain):
        wrong["code"] = "编号用字母、数字和短横线，例如 D12-402"
    if not called or len(called) > 64:
        wrong["name"] = "请填写名称"
    if kind not in set(PlaceKind):
        wrong["kind"] = "没有这种地点类型"
    elif (parent.kind if parent else None) not in ABOVE[PlaceKind(kind)]:
        wrong["parent"] = "上级地点的类型不对"
    if not on_earth(lat, lon):
        wrong["lat"] = "经纬度不对"
    if wrong:
        raise Invalid(fields=wrong)
    place = Place(
        code=plain, name=called, label=label_below(parent, called), kind=PlaceKind(kind), path="/", lat=lat, lon=lon,
        parent_id=parent.id if parent else None, water_riser=_riser(water_riser), power_riser=_riser(power_riser),
    )  # fmt: skip
    if not insert_once(s, place):
        raise Conflict("地点编号已存在", place=plain)
    place.path = f"{parent.path if parent else '/'}{place.id}/"
    s.flush()
    door_code_for(s, place, now=now)
    audit(s, by, "place.add", f"place:{plain}", now=now, after=_facts(place))
    return place


def edit_place(
    s: Session,
    *,
    code: str,
    by: Actor,
    now: datetime,
    name: str | None = None,
    lat: float | None = None,
    lon: float | None = None,
    water_riser: str | None = None,
    power_riser: str | None = None,
) -> Place:
    """What is given is changed; an empty riser removes it. A new name stands in the label of everything below."""
    place = hold(s, Place, code=plain_code(code))
    require(s, by, "place.edit", at=place)
    before = _facts(place)
    if lat is not None or lon is not None:
        if not on_earth(lat, lon):
            raise Invalid(fields={"lat": "经纬度不对"})
        place.lat, place.lon = lat, lon
    if water_riser is not None:
        place.water_riser = _riser(water_riser)
    if power_riser is not None:
        place.power_riser = _riser(power_riser)
    if name is not None and name.strip() != place.name:
        if not name.strip() or len(name.strip()) > 64:
            raise Invalid(fields={"name": "请填写名称"})
        place.name = name.strip()
        s.flush()
        relabel(s, place)
    s.flush()
    audit(s, by, "place.edit", f"place:{place.code}", now=now, before=before, after=_facts(place))
    return place


def relabel(s: Session, top: Place) -> None:
    """The labels of the place and of everything below it say the names as they are now."""
    below = s.scalars(sa.select(Place).where(Place.path.startswith(top.path, autoescape=True))).all()
    known = {place.id: place for place in below}
    for place in sorted(below, key=lambda one: one.path.count("/")):
        above = known.get(place.parent_id or 0) or (s.get(Place, place.parent_id) if place.parent_id else None)
        place.label = label_below(above, place.name)
    s.flush()


def retire_place(s: Session, *, code: str, by: Actor, now: datetime) -> int:
    """The place and everything below it are out of use: nothing new can be reported there. How many.

    Raises Conflict while somebody lives there.
    """
    place = hold(s, Place, code=plain_code(code))
    require(s, by, "place.edit", at=place)
    below = Place.path.startswith(place.path, autoescape=True)
    living = sa.select(sa.func.count(Resident.id)).join(Place, Place.id == Resident.place_id)
    if (people := s.scalar(living.where(below, Resident.live.is_(True))) or 0) > 0:
        raise Conflict(f"还有 {people} 人住在这里，请先办理退宿", place=place.code)
    rows = s.scalars(sa.select(Place).where(below, Place.retired_at.is_(None))).all()
    for row in rows:
        row.retired_at = now
    s.flush()
    if rows:
        audit(s, by, "place.retire", f"place:{place.code}", now=now, after={"places": len(rows)})
    return len(rows)


def restore_place(s: Session, *, code: str, by: Actor, now: datetime) -> int:
    """The place, and what went out of use together with it, is in use again. How many. Raises Conflict below a retired one."""
    place = hold(s, Place, code=plain_code(code))
    require(s, by, "place.edit", at=place)
    if place.retired_at is None:
        return 0
    above = s.get(Place, place.parent_id) if place.parent_id else None
    if above is not None and above.retired_at is not None:
        raise Conflict(f"请先恢复上级地点 {above.name}", place=place.code)
    below = Place.path.startswith(place.path, autoescape=True)
    rows = s.scalars(sa.select(Place).where(below, Place.retired_at == place.retired_at)).all()
    for row in rows:
        row.retired_at = None
    s.flush()
    audit(s, by, "place.restore", f"place:{place.code}", now=now, after={"places": len(rows)})
    return len(rows)


def label_below(parent: Any | None, name: str) -> str:
    """How people say a place: campus, building, room. Areas and floors are left out above what is in them."""
    if parent is None:
        return name[:190]
    above = parent.label
    if parent.kind in (PlaceKind.AREA, PlaceKind.FLOOR):
        above = above.removesuffix(parent.name).rstrip()
    return f"{above} {name}".strip()[:190]


def _riser(text: str | None) -> str | None:
    return (text or "").strip()[:64] or None


def on_earth(lat: float | None, lon: float | None) -> bool:
    if lat is None or lon is None:
        return lat is None and lon is None
    return -90 <= lat <= 90 and -180 <= lon <= 180  # NaN compares false


def _facts(place: Place) -> dict[str, str | float | None]:
    return {
        "name": place.name,
        "kind": place.kind,
        "lat": place.lat,
        "lon": place.lon,
        "water_riser": place.water_riser,
        "power_riser": place.power_riser,
    }
