"""Three campuses with their buildings, floors, rooms and door codes. FEATURES P5.

Forty buildings and about 6,000 rooms for 12,000 people; dormitories grow with the number of students. D12 is always
there, with rooms D12-101 upwards and the room D12-402 that the stories are about.
"""

from dataclasses import dataclass, field
from datetime import datetime
from math import ceil
from random import Random

from campus.demo.rows import Rows
from core import ids
from models.places import DoorCode, Place, PlaceKind

BEDS = 4
DORM_FLOORS = 6
MOST_ON_A_FLOOR = 32
DORMS = 24

CAMPUSES = (("E", "东校区", 31.2990, 121.5010), ("W", "西校区", 31.2860, 121.4620), ("S", "南校区", 31.0260, 121.4330))
AREAS = (("L", "宿舍区"), ("J", "教学区"), ("H", "生活服务区"))
# code, name, area, campus, floors, rooms on a floor: everything that is no dormitory
OTHERS = (
    *((f"T{n}", f"教学{n}号楼", "J", (n - 1) % 3, 5, 24) for n in range(1, 9)),
    *((f"A{n}", f"行政{n}号楼", "J", n - 1, 4, 20) for n in range(1, 4)),
    ("L1", "图书馆", "J", 0, 5, 16),
    *((f"C{n}", f"第{n}食堂", "H", n - 1, 2, 8) for n in range(1, 4)),
    ("G1", "体育馆", "H", 0, 2, 10),
)


@dataclass
class Building:
    """A building with the ids and codes of its rooms, in the order of their numbers."""

    code: str
    id: int
    dorm: bool
    campus: int
    rooms: list[tuple[int, str]] = field(default_factory=list)


@dataclass
class Grounds:
    buildings: list[Building] = field(default_factory=list)
    codes: dict[str, int] = field(default_factory=dict)
    labels: dict[int, str] = field(default_factory=dict)

    @property
    def dorms(self) -> list[Building]:
        return [building for building in self.buildings if building.dorm]


def lay_out(rows: Rows, dice: Random, *, students: int, now: datetime) -> Grounds:
    """Every place is waiting in `rows`, with a door code."""
    grounds = Grounds()
    paths: dict[int, str] = {}

    def place(code: str, name: str, label: str, kind: PlaceKind, parent: int | None, **values: object) -> int:
        number = rows.last[Place] + 1
        path = f"{paths[parent] if parent else '/'}{number}/"
        row = {"lat": None, "lon": None, "water_riser": None, "power_riser": None, **values}
        rows.add(
            Place, code=code, name=name, label=label, kind=kind, parent_id=parent, path=path, retired_at=None, **row
        )
        rows.add(
            DoorCode,
            code="D" + "".join(dice.choices(ids.LETTERS, k=10)),
            place_id=number,
            qr_ticket=None,
            qr_url=None,
            made_at=now,
        )
        paths[number], grounds.codes[code], grounds.labels[number] = path, number, label
        return number

    areas: dict[tuple[int, str], int] = {}
    for index, (code, name, lat, lon) in enumerate(CAMPUSES):
        campus = place(code, name, name, PlaceKind.CAMPUS, None, lat=lat, lon=lon)
        for area, called in AREAS:
            areas[index, area] = place(f"{code}-{area}", called, f"{name} {called}", PlaceKind.AREA, campus)

    def build(code: str, name: str, area: str, campus: int, floors: int, on_floor: int, dorm: bool) -> None:
        label = f"{CAMPUSES[campus][1]} {name}"
        lat = CAMPUSES[campus][2] + dice.uniform(-0.004, 0.004)
        lon = CAMPUSES[campus][3] + dice.uniform(-0.004, 0.004)
        top = place(code, name, label, PlaceKind.BUILDING, areas[campus, area], lat=round(lat, 6), lon=round(lon, 6))
        building = Building(code, top, dorm, campus)
        for floor in range(1, floors + 1):
            level = place(f"{code}-F{floor}", f"{floor}层", f"{label} {floor}层", PlaceKind.FLOOR, top)
            for door in range(1, on_floor + 1):
                number = f"{floor}{door:02d}"
                room = place(
                    f"{code}-{number}", number, f"{label} {number}", PlaceKind.ROOM, level,
                    # Two neighbours share a water riser through all floors; a floor's half shares a power riser.
                    water_riser=f"{code}-W{(door + 1) // 2}", power_riser=f"{code}-P{1 if door <= on_floor // 2 else 2}",
                )  # fmt: skip
                building.rooms.append((room, f"{code}-{number}"))
        grounds.buildings.append(building)

    dorms = max(DORMS, ceil(students * 1.05 / (DORM_FLOORS * MOST_ON_A_FLOOR * BEDS)))
    on_floor = min(MOST_ON_A_FLOOR, max(4, ceil(students * 1.6 / (dorms * DORM_FLOORS * BEDS))))
    for number in range(1, dorms + 1):
        # 1–12 stand in the east, the rest in turn in the west and the south.
        campus = 0 if number <= DORMS // 2 else 1 + number % 2
        build(f"D{number}", f"{number}号楼", "L", campus, DORM_FLOORS, on_floor, True)
    for code, name, area, campus, floors, rooms in OTHERS:
        build(code, name, area, campus, floors, rooms if students >= 1000 else min(rooms, 4), False)
    return grounds
