"""Everybody: departments with leaders, staff, workers with trades and shifts, drivers, students in their rooms.

Numbers: students `2023010101` (year, college, class, place in the class), workers `G2001`, drivers `J3001`, staff
`T1001`. The six people of the sandbox are always there under their own names, numbers and phones.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from campus.demo import names
from campus.demo.grounds import BEDS, Building, Grounds
from campus.demo.rows import Rows
from campus.privacy import sealed_phone
from core import clock
from models.access import RoleGrant
from models.people import Department, Group, GroupMember, Person, PersonKind, PersonStatus
from models.places import Resident
from models.repairs import AreaDuty, Shift, WorkerTrade

COLLEGES = (
    "计算机学院", "电子信息学院", "机械工程学院", "土木工程学院", "材料学院", "经济管理学院", "外国语学院", "人文学院", "理学院",
    "医学院", "艺术学院", "法学院",
)  # fmt: skip
OFFICES = (
    ("HQ", "后勤处", (("HQ-WX", "维修中心"), ("HQ-NY", "能源中心"), ("HQ-GY", "公寓中心"), ("HQ-WY", "物业中心"), ("HQ-CD", "车队"), ("HQ-SP", "商贸饮食中心"))),
    ("XB", "学校办公室", ()), ("JW", "教务处", ()), ("XG", "学生工作处", ()), ("BW", "保卫处", ()), ("CW", "财务处", ()), ("XX", "信息中心", ()),
)  # fmt: skip
TRADES = (
    ("plumbing", 14),
    ("electric", 16),
    ("carpentry", 10),
    ("network", 6),
    ("masonry", 5),
    ("lift", 4),
    ("emergency", 5),
)
SHIFTS = (("08:00", "16:00"), ("16:00", "24:00"), ("00:00", "08:00"))
SHIFT_DAYS = range(-14, 91)


@dataclass(frozen=True)
class Lead:
    """One of the people the stories are about."""

    key: str
    name: str
    campus_no: str
    kind: PersonKind
    phone: str


LEADS = (
    Lead("lin", "林小雨", "2023010101", PersonKind.STUDENT, "13800010101"),
    Lead("chen", "陈思远", "2023010102", PersonKind.STUDENT, "13800010102"),
    Lead("wang", "王建国", "G2001", PersonKind.WORKER, "13800020001"),
    Lead("li", "李秀兰", "G2002", PersonKind.WORKER, "13800020002"),
    Lead("zhao", "赵敏", "T1001", PersonKind.STAFF, "13800030001"),
    Lead("zhou", "周卫东", "T1002", PersonKind.STAFF, "13800030002"),
)
HOME, DUTY = "D12", {"plumbing": "wang", "electric": "li"}


@dataclass
class Crowd:
    """Who was made: what the past tickets need to know of them."""

    leads: dict[str, int] = field(default_factory=dict)
    departments: dict[str, int] = field(default_factory=dict)
    students: list[int] = field(default_factory=list)
    homes: dict[int, tuple[int, Building]] = field(default_factory=dict)
    cards: dict[int, dict[str, Any]] = field(default_factory=dict)
    by_trade: dict[str, list[int]] = field(default_factory=dict)
    duty: dict[tuple[int, str], int] = field(default_factory=dict)
    leaders: dict[int, int] = field(default_factory=dict)  # department → person, set once both exist


def gather(rows: Rows, dice: Random, grounds: Grounds, *, students: int, leads: Sequence[Lead], now: datetime) -> Crowd:
    """Everybody is waiting in `rows`."""
    crowd = Crowd()
    numbers = names.phones(dice)
    began = now - timedelta(days=75)
    known = {lead.campus_no: lead for lead in leads}

    def person(campus_no: str, kind: PersonKind, department: str, phone: bool = True) -> int:
        lead = known.get(campus_no)
        called = lead.name if lead else names.name(dice)
        number = next(numbers)
        card = sealed_phone(lead.phone if lead else number) if phone or lead else dict.fromkeys(NO_PHONE)
        made = rows.add(
            Person, campus_no=campus_no, name=called, kind=lead.kind if lead else kind, status=PersonStatus.ACTIVE,
            department_id=crowd.departments[department], id_tail_sealed=None, home_place_id=None, created_at=began,
            updated_at=began, **card,
        )  # fmt: skip
        crowd.cards[made] = {"name": called, **card}
        if lead:
            crowd.leads[lead.key] = made
        return made

    _departments(rows, crowd)
    _staff(rows, dice, grounds, crowd, person, staff=max(60, students // 12), now=began)
    _workers(rows, dice, grounds, crowd, person, now=now)
    _students(rows, dice, grounds, crowd, person, students=students, now=began)
    for code, called in (("freshmen", "2026级新生"), ("dorm_heads", "寝室长"), ("graduating", "应届毕业生")):
        group = rows.add(Group, code=code, name=called)
        for member in dice.sample(crowd.students, min(len(crowd.students), 60)):
            rows.add(GroupMember, group_id=group, person_id=member)
    return crowd


NO_PHONE = ("phone_sealed", "phone_blind", "phone_masked")


def _departments(rows: Rows, crowd: Crowd) -> None:
    paths: dict[str, str] = {}

    def department(code: str, called: str, parent: str | None) -> None:
        number = rows.last[Department] + 1
        paths[code] = f"{paths[parent] if parent else '/'}{number}/"
        above = crowd.departments[parent] if parent else None
        crowd.departments[code] = rows.add(
            Department, code=code, name=called, parent_id=above, leader_id=None, path=paths[code]
        )

    department("MD", "明德大学", None)
    for code, called, below in OFFICES:
        department(code, called, "MD")
        for inner, inner_called in below:
            department(inner, inner_called, code)
    for index, called in enumerate(COLLEGES, start=1):
        department(f"X{index:02d}", called, "MD")


def _staff(rows: Rows, dice: Random, grounds: Grounds, crowd: Crowd, person: Any, *, staff: int, now: datetime) -> None:
    def grant(who: int, role: str, *, place: int | None = None, department: int | None = None) -> None:
        rows.add(
            RoleGrant, person_id=who, role=role, place_id=place, department_id=department, granted_by=None,
            granted_at=now, taken_back_at=None,
        )  # fmt: skip

    number = iter(range(1001, 1001 + staff + 200))

    def one(department: str) -> int:
        return int(person(f"T{next(number)}", PersonKind.STAFF, department))

    zhao, zhou = one("HQ"), one("HQ")
    grant(zhao, "dispatcher")
    grant(zhou, "logistics_director")
    grant(zhou, "admin")
    crowd.leaders[crowd.departments["HQ"]] = zhou
    president, vice = one("XB"), one("XB")
    grant(president, "president")
    grant(vice, "vice_president")
    crowd.leaders[crowd.departments["MD"]] = president
    for code, department in crowd.departments.items():
        if department not in crowd.leaders:
            crowd.leaders[department] = one(code)
    grant(crowd.leaders[crowd.departments["CW"]], "finance")
    grant(crowd.leaders[crowd.departments["HQ-CD"]], "fleet_office")
    for dorm in grounds.dorms:
        grant(one("HQ-GY"), "building_manager", place=dorm.id)
    for index in range(1, len(COLLEGES) + 1):
        for _ in range(2):
            grant(one(f"X{index:02d}"), "counsellor", department=crowd.departments[f"X{index:02d}"])
    codes = [code for code in crowd.departments if code != "MD"]
    while rows.last[Person] < staff:
        one(dice.choices(codes, [6 if code.startswith("X") else 1 for code in codes])[0])


def _workers(rows: Rows, dice: Random, grounds: Grounds, crowd: Crowd, person: Any, *, now: datetime) -> None:
    today = clock.campus_day(now)
    trades = ["plumbing", "electric"]  # G2001 and G2002
    trades += [trade for trade, count in TRADES for _ in range(count - (trade in DUTY))]
    for index, trade in enumerate(trades):
        worker = person(f"G{2001 + index}", PersonKind.WORKER, "HQ-WX")
        foreman = trade not in crowd.by_trade and index >= 2
        crowd.by_trade.setdefault(trade, []).append(worker)
        for one in (trade, "general") if dice.random() < 0.2 else (trade,):
            rows.add(WorkerTrade, person_id=worker, trade=one)
        if trade == "lift":
            rows.add(WorkerTrade, person_id=worker, trade="emergency")
        for role in ("worker", "foreman") if foreman or index in (15, 30) else ("worker",):
            rows.add(
                RoleGrant, person_id=worker, role=role, place_id=None, department_id=None, granted_by=None,
                granted_at=now - timedelta(days=75), taken_back_at=None,
            )  # fmt: skip
        # Round the clock: a third of every trade is on at any hour, and the turn moves on each day. The two whom the
        # stories are about are always on, or a first look at night would find them asleep.
        always = worker in (crowd.leads.get("wang"), crowd.leads.get("li"))
        for day in SHIFT_DAYS:
            date = today + timedelta(days=day)
            for starts, ends in [("00:00", "24:00")] if always else [SHIFTS[(index + date.toordinal()) % 3]]:
                rows.add(Shift, person_id=worker, starts_at=clock.at(date, starts), ends_at=clock.at(date, ends))
    for index, building in enumerate(grounds.buildings):
        for trade in ("plumbing", "electric", "carpentry", "network"):
            at_hand = crowd.by_trade[trade]
            owner = at_hand[index % len(at_hand)]
            if building.code == HOME and (lead := DUTY.get(trade)) in crowd.leads:
                owner = crowd.leads[lead or ""]
            rows.add(AreaDuty, place_id=building.id, trade=trade, person_id=owner)
            crowd.duty[building.id, trade] = owner
    for index in range(12):
        driver = person(f"J{3001 + index}", PersonKind.DRIVER, "HQ-CD")
        rows.add(
            RoleGrant, person_id=driver, role="driver", place_id=None, department_id=None, granted_by=None,
            granted_at=now - timedelta(days=75), taken_back_at=None,
        )  # fmt: skip


def _students(
    rows: Rows, dice: Random, grounds: Grounds, crowd: Crowd, person: Any, *, students: int, now: datetime
) -> None:
    free = [(room, code, building) for building in grounds.dorms for room, code in building.rooms]
    hers = next(entry for entry in free if entry[1] == "D12-402")
    free.remove(hers)
    dice.shuffle(free)
    beds = [(room, building, bed) for room, _, building in (hers, *free) for bed in range(1, BEDS + 1)]
    # 2023 and the first college come first, so that the first two are 2023010101 and 2023010102.
    cohorts = [(year, college) for year in (2023, 2024, 2025, 2026) for college in range(1, len(COLLEGES) + 1)]
    size, rest = divmod(students, len(cohorts))
    seat = iter(beds)
    for index, (year, college) in enumerate(cohorts):
        for place in range(size + (index < rest)):
            number = f"{year}{college:02d}{place // 30 + 1:02d}{place % 30 + 1:02d}"
            student = person(number, PersonKind.STUDENT, f"X{college:02d}", dice.random() < 0.92)
            crowd.students.append(student)
            if (bed := next(seat, None)) is not None:
                room, building, where = bed
                rows.add(
                    Resident, person_id=student, place_id=room, bed=f"{where}号床", since=now, until=None, live=True
                )
                crowd.homes[student] = (room, building)
