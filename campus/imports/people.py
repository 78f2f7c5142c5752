"""People and departments in and out of tables. FEATURES P1, P4, P8.

A phone number goes out masked, as it is shown everywhere; a masked number that comes back unchanged changes nothing.
Blank cells change nothing in a person who is there already.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campus import sessions
from campus.access import ALL, grants_of, keep_an_admin
from campus.imports.table import Column, Reading
from campus.privacy import checked_phone, sealed_phone
from core.errors import Invalid
from models.people import Department, Person, PersonKind, PersonStatus

KINDS = {"学生": PersonKind.STUDENT, "教职工": PersonKind.STAFF, "维修工": PersonKind.WORKER, "司机": PersonKind.DRIVER, "访客": PersonKind.VISITOR}  # fmt: skip
STATUSES = {"在校": PersonStatus.ACTIVE, "停用": PersonStatus.SUSPENDED, "离校": PersonStatus.LEFT}
KIND_TITLES = {kind: title for title, kind in KINDS.items()}
STATUS_TITLES = {status: title for title, status in STATUSES.items()}
KIND_WORDS = {**KINDS, **{kind.value: kind for kind in PersonKind}}
STATUS_WORDS = {**STATUSES, **{status.value: status for status in PersonStatus}}

PEOPLE = (
    Column("学工号", "campus_no", required=True),
    Column("姓名", "name", required=True),
    Column("类型", "kind", required=True, hint="、".join(KINDS)),
    Column("部门编号", "department"),
    Column("手机号", "phone"),
    Column("状态", "status", hint="、".join(STATUSES)),
)
DEPARTMENTS = (
    Column("部门编号", "code", required=True),
    Column("部门名称", "name", required=True),
    Column("上级编号", "parent"),
    Column("负责人工号", "leader"),
)
DEEPEST = 20
Lines = list[tuple[int, dict[str, str]]]


def read_people(s: Session, lines: Lines, reading: Reading) -> None:
    """Every row is good, or bad with its reasons; good rows hold what would change."""
    report = reading.report
    departments = {row.code: row.id for row in s.execute(sa.select(Department.code, Department.id))}
    there = {person.campus_no: person for person in _people(s)}
    reading.once(lines, "campus_no")
    for number, line in lines:
        if not reading.needed(number, line):
            continue
        reading.length(number, line, 64, "campus_no", "name")
        person = there.get(line["campus_no"])
        values: dict[str, Any] = {"name": line["name"], "kind": reading.choice(number, line, "kind", KIND_WORDS)}
        if line["status"]:
            values["status"] = reading.choice(number, line, "status", STATUS_WORDS)
        if line["department"]:
            if line["department"] not in departments:
                reading.refuse(number, "department", f"没有编号为“{line['department'][:20]}”的部门")
            values["department_id"] = departments.get(line["department"])
        if line["phone"] and not (person and line["phone"] == person.phone_masked):
            try:
                values["phone"] = checked_phone(line["phone"])
            except Invalid:
                reading.refuse(number, "phone", "不是 11 位手机号")
        if number in reading.wrong:
            continue
        changes = {
            key: value
            for key, value in values.items()
            if person is None or key == "phone" or getattr(person, key) != value
        }
        if person is not None and "phone" in changes and _same_phone(person, changes["phone"]):
            del changes["phone"]
        report.new += person is None
        report.changed += person is not None and bool(changes)
        report.good.append({"campus_no": line["campus_no"], "id": person.id if person else None, "changes": changes})


def _people(s: Session) -> Iterator[Any]:
    columns = (
        Person.id, Person.campus_no, Person.name, Person.kind, Person.status, Person.department_id, Person.phone_masked,
        Person.phone_blind,
    )  # fmt: skip
    yield from s.execute(sa.select(*columns))


def _same_phone(person: Any, phone: str) -> bool:
    from core.crypto import blind

    return bool(person.phone_blind == blind(phone))


def write_people(s: Session, good: Sequence[dict[str, Any]], *, now: datetime) -> None:
    """New people are there, changed ones are as the rows say; who no longer belongs is signed out."""
    new, changed, gone = [], [], []
    for row in good:
        changes = dict(row["changes"])
        if (phone := changes.pop("phone", None)) is not None:
            changes |= sealed_phone(phone)
        if row["id"] is None:
            new.append(
                {
                    "campus_no": row["campus_no"], "status": PersonStatus.ACTIVE, "department_id": None,
                    "phone_sealed": None, "phone_blind": None, "phone_masked": None, "created_at": now,
                    "updated_at": now, **changes,
                }
            )  # fmt: skip
        elif changes:
            changed.append({"id": row["id"], "updated_at": now, **changes})
            if changes.get("status", PersonStatus.ACTIVE) is not PersonStatus.ACTIVE:
                gone.append(row["id"])
    if new:
        s.connection().execute(sa.insert(Person), new)
    if changed:
        s.execute(sa.update(Person), changed)
    for person_id in gone:
        sessions.end_all(s, person_id, now=now)
    if any(ALL in role.deeds for person_id in gone for _, role, _, _ in grants_of(s, person_id)):
        keep_an_admin(s)


def dump_people(s: Session) -> Iterator[list[str]]:
    """Everybody, in the columns of the import."""
    departments = {row.id: row.code for row in s.execute(sa.select(Department.code, Department.id))}
    for person in sorted(_people(s), key=lambda one: str(one.campus_no)):
        yield [
            person.campus_no,
            person.name,
            KIND_TITLES[person.kind],
            departments.get(person.department_id, ""),
            person.phone_masked or "",
            STATUS_TITLES[person.status],
        ]


# ---- departments ---------------------------------------------------------------------------------------------------


def read_departments(s: Session, lines: Lines, reading: Reading) -> None:
    """Every row is good, or bad with its reasons. A parent may stand in the same file, before or after."""
    report = reading.report
    there = {row.code: row for row in s.scalars(sa.select(Department))}
    codes = {row.id: code for code, row in there.items()}
    people = {line["leader"] for _, line in lines if line["leader"]}
    leaders: dict[str, int] = {}
    for start in range(0, len(people), 500):
        some = sorted(people)[start : start + 500]
        found = s.execute(sa.select(Person.campus_no, Person.id).where(Person.campus_no.in_(some)))
        leaders |= {row.campus_no: row.id for row in found}
    reading.once(lines, "code")
    for number, line in lines:
        if not reading.needed(number, line):
            continue
        reading.length(number, line, 64, "code", "name")
        if line["leader"] and line["leader"] not in leaders:
            reading.refuse(number, "leader", f"没有学工号为“{line['leader'][:20]}”的人")
        row = there.get(line["code"])
        if row is not None and line["parent"] and codes.get(row.parent_id or 0) != line["parent"]:
            reading.refuse(number, "parent", f"不能更改上级（现为“{codes.get(row.parent_id or 0, '无')}”）")
    below(lines, reading, known=set(there))
    for number, line in lines:
        if number in reading.wrong:
            continue
        row = there.get(line["code"])
        values = {"name": line["name"], "leader_id": leaders.get(line["leader"])}
        changes = {
            key: value
            for key, value in values.items()
            if row is None or (value is not None and getattr(row, key) != value)
        }
        report.new += row is None
        report.changed += row is not None and bool(changes)
        report.good.append(
            {"code": line["code"], "parent": line["parent"], "id": row.id if row else None, "changes": changes}
        )


def below(lines: Lines, reading: Reading, *, known: set[str]) -> None:
    """A row whose parent is nowhere, is bad itself, or leads back to the row cannot be taken."""
    in_file = {line["code"]: (number, line["parent"]) for number, line in reversed(lines)}
    fine: dict[str, str | None] = {}

    def why_not(code: str, seen: tuple[str, ...]) -> str | None:
        if code in seen:
            return "上级关系成了一个圈"
        if len(seen) > DEEPEST:
            return f"层级太深，最多 {DEEPEST} 级"
        if code in fine:
            return fine[code]
        if code not in in_file:
            return None if code in known else f"没有编号为“{code[:20]}”的上级"
        number, parent = in_file[code]
        if number in reading.wrong:
            return f"上级“{code[:20]}”（第 {number} 行）有错误"
        return why_not(parent, (*seen, code)) if parent and code not in known else None

    for number, line in lines:
        if line["code"] in known or not line["parent"] or number in reading.wrong:
            continue
        reason = why_not(line["parent"], (line["code"],))
        fine[line["code"]] = f"上级“{line['code'][:20]}”有错误" if reason else None
        if reason:
            reading.refuse(number, "parent", reason)


def parents_first(good: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """The new rows level by level, so that every parent is there before its children."""
    waiting = {row["code"]: row for row in good if row["id"] is None}
    while waiting:
        level = [row for row in waiting.values() if row["parent"] not in waiting]
        if not level:
            raise ValueError("a circle of parents passed the check")
        yield level
        for row in level:
            del waiting[row["code"]]


def write_departments(s: Session, good: Sequence[dict[str, Any]], *, now: datetime) -> None:
    """New departments are there below their parents, changed ones are as the rows say."""
    for level in parents_first(good):
        above = {row.code: (row.id, row.path) for row in s.execute(sa.select(Department.code, Department.id, Department.path))}  # fmt: skip
        for row in level:
            parent_id, path = above.get(row["parent"], (None, "/"))
            made = Department(code=row["code"], parent_id=parent_id, path="/", **row["changes"])
            s.add(made)
            s.flush()
            made.path = f"{path}{made.id}/"
        s.flush()
    changed = [{"id": row["id"], **row["changes"]} for row in good if row["id"] is not None and row["changes"]]
    if changed:
        s.execute(sa.update(Department), changed)


def dump_departments(s: Session) -> Iterator[list[str]]:
    """Every department, parents first, in the columns of the import."""
    rows = s.execute(
        sa.select(Department, Person.campus_no).outerjoin(Person, Person.id == Department.leader_id).order_by(Department.path)
    ).all()  # fmt: skip
    codes = {row.id: row.code for row, _ in rows}
    for row, leader in sorted(rows, key=lambda pair: (pair[0].path.count("/"), pair[0].code)):
        yield [row.code, row.name, codes.get(row.parent_id or 0, ""), leader or ""]
