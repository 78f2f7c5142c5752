"""People, departments, places and residents from and to tables: dry run, every bad row with its reasons. FEATURES P4.

`check` says what would happen. `store` does it in one transaction, after checking again: the whole file, or, when the
operator says so, its good rows. What `export` gives can be changed and stored again in the same columns.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from campus.imports import people, places
from campus.imports.table import Bad, Column, Reading, Report, WrongColumns, lines_of
from core.errors import Conflict, Invalid, NotFound
from models.access import Actor, require
from models.audit import audit

__all__ = [
    "WHAT",
    "Bad",
    "BadRows",
    "Column",
    "Report",
    "WrongColumns",
    "bad_rows",
    "check",
    "export",
    "store",
    "template",
]

Rows = Sequence[Sequence[str]]


class BadRows(Conflict):
    code, text = "bad_rows", "有 {bad} 行有错误，没有导入任何内容"


@dataclass(frozen=True)
class Kind:
    """One kind of table: its columns, the permission, and how its rows are read, written and given out."""

    title: str
    deed: str
    columns: tuple[Column, ...]
    read: Callable[[Session, list[tuple[int, dict[str, str]]], Reading], None]
    write: Callable[..., None]
    dump: Callable[[Session], Iterable[list[Any]]]


WHAT: dict[str, Kind] = {
    "people": Kind(
        "人员", "person.import", people.PEOPLE, people.read_people, people.write_people, people.dump_people
    ),
    "departments": Kind(
        "部门", "person.import", people.DEPARTMENTS, people.read_departments, people.write_departments,
        people.dump_departments,
    ),
    "places": Kind("地点", "place.import", places.PLACES, places.read_places, places.write_places, places.dump_places),
    "residents": Kind(
        "住宿", "person.import", places.RESIDENTS, places.read_residents, places.write_residents, places.dump_residents
    ),
}  # fmt: skip


def _kind(what: str) -> Kind:
    if what not in WHAT:
        raise NotFound("没有这种导入", what=what)
    return WHAT[what]


def template(what: str) -> list[str]:
    """The titles of the columns, in order."""
    return [column.title for column in _kind(what).columns]


def check(s: Session, what: str, rows: Rows, *, by: Actor) -> Report:
    """What storing these rows (the first holds the titles) would do. Nothing changes. Raises WrongColumns, Forbidden."""
    kind = _kind(what)
    require(s, by, kind.deed)
    lines = lines_of(kind.columns, rows)
    if not lines:
        raise Invalid("表格里没有数据")
    report = Report(what, kind.columns, total=len(lines))
    kind.read(s, lines, Reading(report))
    report.bad.sort()
    return report


def store(s: Session, what: str, rows: Rows, *, keep_good: bool, by: Actor, now: datetime) -> Report:
    """The rows are stored: all, or with `keep_good` the good ones. Storing again changes nothing. Raises BadRows."""
    report = check(s, what, rows, by=by)
    if report.bad and not keep_good:
        raise BadRows(bad=len(report.bad_rows), report=report)
    WHAT[what].write(s, report.good, now=now)
    s.flush()
    report.stored = True
    after = {"new": report.new, "changed": report.changed, "same": report.same, "left_out": len(report.bad_rows)}
    audit(s, by, f"import.{what}", f"rows:{report.total}", now=now, after=after)
    return report


def export(s: Session, what: str, *, by: Actor) -> list[list[Any]]:
    """Everything of that kind as rows, the titles first, in the columns of the import. Phone numbers are masked (P8)."""
    kind = _kind(what)
    require(s, by, kind.deed)
    return [template(what), *kind.dump(s)]


def bad_rows(report: Report, rows: Rows) -> list[list[str]]:
    """The rows that could not be taken, in the columns they came in, with all their reasons behind: to mend and store again."""
    reasons: dict[int, list[str]] = {}
    for bad in report.bad:
        reasons.setdefault(bad.row_no, []).append(f"{bad.column}：{bad.reason}")
    width = max((len(row) for row in rows), default=0)
    head = [*rows[0], *[""] * (width - len(rows[0])), "错误原因"]
    return [
        head,
        *([*rows[no - 1], *[""] * (width - len(rows[no - 1])), ";".join(why)] for no, why in sorted(reasons.items())),
    ]
