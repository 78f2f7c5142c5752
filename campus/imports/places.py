"""Places and residents in and out of tables. FEATURES P4, P5."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campus.imports.people import Lines, below, parents_first
from campus.imports.table import Column, Reading
from campus.places import ABOVE, CODE_SHAPE, label_below, natural, new_door_code, on_earth, plain_code, relabel
from models.people import Person, PersonStatus
from models.places import DoorCode, Place, PlaceKind, Resident

KINDS = {"校区": PlaceKind.CAMPUS, "区域": PlaceKind.AREA, "楼栋": PlaceKind.BUILDING, "楼层": PlaceKind.FLOOR, "房间": PlaceKind.ROOM}  # fmt: skip
KIND_TITLES = {kind: title for title, kind in KINDS.items()}
KIND_WORDS = {**KINDS, **{kind.value: kind for kind in PlaceKind}}
MOVED_OUT = "退宿"

PLACES = (
    Column("编号", "code", required=True),
    Column("名称", "name", required=True),
    Column("类型", "kind", required=True, hint="、".join(KINDS)),
    Column("上级编号", "parent"),
    Column("纬度", "lat"),
    Column("经度", "lon"),
    Column("供水立管", "water_riser"),
    Column("供电立管", "power_riser"),
)
RESIDENTS = (
    Column("学工号", "campus_no", required=True),
    Column("房间编号", "room", required=True, hint=f"填“{MOVED_OUT}”表示搬出"),
    Column("床位", "bed"),
)


def read_places(s: Session, lines: Lines, reading: Reading) -> None:
    """Every row is good, or bad with its reasons. A parent may stand in the same file, before or after."""
    report = reading.report
    there = {row.code: row for row in s.scalars(sa.select(Place))}
    codes = {row.id: code for code, row in there.items()}
    for _, line in lines:
        line["code"], line["parent"] = plain_code(line["code"]), plain_code(line["parent"])
    reading.once(lines, "code")
    kinds: dict[str, PlaceKind | None] = {code: row.kind for code, row in there.items()}
    read: dict[int, dict[str, Any]] = {}
    for number, line in lines:
        if not reading.needed(number, line):
            continue
        reading.length(number, line, 64, "name", "water_riser", "power_riser")
        if not CODE_SHAPE.match(line["code"]):
            reading.refuse(number, "code", "只能用字母、数字和短横线，例如 D12-402")
        row = there.get(line["code"])
        kind = reading.choice(number, line, "kind", KIND_WORDS)
        if row is not None and row.retired_at is not None:
            reading.refuse(number, "code", "这个地点已停用")
        if row is not None and kind is not None and row.kind is not kind:
            reading.refuse(number, "kind", f"不能更改类型（现为“{KIND_TITLES[row.kind]}”）")
        if row is not None and line["parent"] and codes.get(row.parent_id or 0) != line["parent"]:
            reading.refuse(number, "parent", f"不能更改上级（现为“{codes.get(row.parent_id or 0, '无')}”）")
        lat, lon = _degrees(reading, number, line, "lat"), _degrees(reading, number, line, "lon")
        if not on_earth(lat, lon):
            reading.refuse(number, "lat", "经纬度要同时填写，并且在有效范围内")
        kinds.setdefault(line["code"], kind)
        read[number] = {
            "name": line["name"], "lat": lat, "lon": lon, "water_riser": line["water_riser"] or None,
            "power_riser": line["power_riser"] or None,
        }  # fmt: skip
    for number, line in lines:
        kind = kinds.get(line["code"])
        if number in reading.wrong or line["code"] in there or kind is None:
            continue
        above = kinds.get(line["parent"]) if line["parent"] else None
        if (line["parent"] in kinds or not line["parent"]) and above not in ABOVE[kind]:
            allowed = "、".join(KIND_TITLES[one] if one else "（空）" for one in ABOVE[kind])
            reading.refuse(number, "parent", f"{KIND_TITLES[kind]}的上级应为：{allowed}")
    below(lines, reading, known=set(there))
    for number, line in lines:
        if number in reading.wrong:
            continue
        row = there.get(line["code"])
        changes = {
            key: value
            for key, value in read[number].items()
            if row is None or (value is not None and getattr(row, key) != value)
        }
        report.new += row is None
        report.changed += row is not None and bool(changes)
        report.good.append(
            {
                "code": line["code"], "parent": line["parent"], "kind": kinds[line["code"]],
                "id": row.id if row else None, "changes": changes,
            }
        )  # fmt: skip


def _degrees(reading: Reading, number: int, line: dict[str, str], key: str) -> float | None:
    if not line[key]:
        return None
    try:
        return float(line[key])
    except ValueError:
        reading.refuse(number, key, "不是数字")
        return None


def write_places(s: Session, good: Sequence[dict[str, Any]], *, now: datetime) -> None:
    """New places are there with path, label and door code; a new name stands in every label below."""
    for level in parents_first(good):
        above = {row.code: row for row in s.execute(sa.select(Place.code, Place.id, Place.path, Place.label, Place.name, Place.kind))}  # fmt: skip
        rows = []
        for row in level:
            parent = above.get(row["parent"])
            label = label_below(parent, row["changes"]["name"])
            rows.append(
                {
                    "code": row["code"], "kind": row["kind"], "parent_id": parent.id if parent else None,
                    "label": label, "path": parent.path if parent else "/", **row["changes"],
                }
            )  # fmt: skip
        s.connection().execute(sa.insert(Place), rows)
        codes = [row["code"] for row in rows]
        made = [
            (one.id, one.path)
            for start in range(0, len(codes), 500)
            for one in s.execute(sa.select(Place.id, Place.path).where(Place.code.in_(codes[start : start + 500])))
        ]
        # The id is known only now; its path ends with it.
        s.execute(sa.update(Place), [{"id": number, "path": f"{path}{number}/"} for number, path in made])
        s.connection().execute(
            sa.insert(DoorCode), [{"code": new_door_code(), "place_id": number, "made_at": now} for number, _ in made]
        )
    changed = [{"id": row["id"], **row["changes"]} for row in good if row["id"] is not None and row["changes"]]
    if changed:
        s.execute(sa.update(Place), changed)
        s.flush()
        s.expire_all()
        for row in changed:
            if "name" in row:
                relabel(s, s.get_one(Place, row["id"]))


def dump_places(s: Session) -> Iterator[list[Any]]:
    """Every place in use, parents first, in the columns of the import."""
    rows = s.scalars(sa.select(Place).where(Place.retired_at.is_(None))).all()
    codes = {row.id: row.code for row in rows}
    for row in sorted(rows, key=lambda one: (one.path.count("/"), natural(one.code))):
        yield [
            row.code, row.name, KIND_TITLES[row.kind], codes.get(row.parent_id or 0, ""),
            "" if row.lat is None else row.lat, "" if row.lon is None else row.lon, row.water_riser or "",
            row.power_riser or "",
        ]  # fmt: skip


# ---- residents -----------------------------------------------------------------------------------------------------


def read_residents(s: Session, lines: Lines, reading: Reading) -> None:
    """Every row is good, or bad with its reasons: no such person, no such room, a bed given twice."""
    report = reading.report
    people = {row.campus_no: row for row in s.execute(sa.select(Person.campus_no, Person.id, Person.status))}
    rooms = {
        row.code: row
        for row in s.execute(sa.select(Place.code, Place.id, Place.kind).where(Place.retired_at.is_(None)))
    }
    living = {
        row.person_id: row
        for row in s.execute(
            sa.select(Resident.id, Resident.person_id, Resident.place_id, Resident.bed).where(Resident.live.is_(True))
        )
    }
    beds = {(row.place_id, row.bed): person_id for person_id, row in living.items() if row.bed}
    for _, line in lines:
        if line["room"] != MOVED_OUT:
            line["room"] = plain_code(line["room"])
    reading.once(lines, "campus_no")
    moving = {people[line["campus_no"]].id for _, line in lines if line["campus_no"] in people}
    given: dict[tuple[int, str], int] = {}
    for number, line in lines:
        if not reading.needed(number, line):
            continue
        reading.length(number, line, 64, "bed")
        person, room = people.get(line["campus_no"]), rooms.get(line["room"])
        if person is None:
            reading.refuse(number, "campus_no", f"没有学工号为“{line['campus_no'][:20]}”的人")
        elif person.status is not PersonStatus.ACTIVE and line["room"] != MOVED_OUT:
            reading.refuse(number, "campus_no", "此人已停用或离校")
        if line["room"] != MOVED_OUT and (room is None or room.kind is not PlaceKind.ROOM):
            reading.refuse(number, "room", f"没有编号为“{line['room'][:20]}”的房间")
        if number not in reading.wrong and room is not None and line["bed"]:
            key = (room.id, line["bed"])
            holder = beds.get(key)
            if (first := given.setdefault(key, number)) != number:
                reading.refuse(number, "bed", f"床位与第 {first} 行重复")
            elif holder is not None and person is not None and holder != person.id and holder not in moving:
                reading.refuse(number, "bed", "床位已有人住")
        if number in reading.wrong or person is None:
            continue
        was = living.get(person.id)
        wanted = (room.id, line["bed"] or None) if room is not None and line["room"] != MOVED_OUT else None
        same = (was.place_id, was.bed if line["bed"] else None) == wanted if was else wanted is None
        report.new += was is None and wanted is not None
        report.changed += was is not None and not same
        report.good.append(
            {"person_id": person.id, "was": was.id if was and not same else None, "to": None if same else wanted}
        )


def write_residents(s: Session, good: Sequence[dict[str, Any]], *, now: datetime) -> None:
    """Everybody lives where the rows say; where they lived before is history."""
    left = [row["was"] for row in good if row["was"] is not None]
    if left:
        s.execute(sa.update(Resident), [{"id": number, "live": None, "until": now} for number in left])
    came = [row for row in good if row["to"] is not None]
    if came:
        s.connection().execute(
            sa.insert(Resident),
            [
                {
                    "person_id": row["person_id"],
                    "place_id": row["to"][0],
                    "bed": row["to"][1],
                    "since": now,
                    "live": True,
                }
                for row in came
            ],
        )


def dump_residents(s: Session) -> Iterator[list[str]]:
    """Who lives where now, room by room, in the columns of the import."""
    rows = s.execute(
        sa.select(Person.campus_no, Place.code, Resident.bed)
        .join(Person, Person.id == Resident.person_id)
        .join(Place, Place.id == Resident.place_id)
        .where(Resident.live.is_(True))
    ).all()
    for row in sorted(rows, key=lambda one: (natural(one.code), one.bed or "")):
        yield [row.campus_no, row.code, row.bed or ""]
