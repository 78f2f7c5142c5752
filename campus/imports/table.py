"""What every import is made of: columns, a report with each bad row, and cells read with a reason why not. FEATURES P4."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from core.errors import Invalid

MOST_MISSING = 10


@dataclass(frozen=True, slots=True)
class Column:
    """One column: what it is called in the file and in the rules."""

    title: str
    key: str
    required: bool = False
    hint: str = ""


class Bad(NamedTuple):
    """Why a row cannot be taken: its number in the file (the first row is 1), the column, the reason."""

    row_no: int
    column: str
    reason: str


@dataclass
class Report:
    """What an import would do, or did: good rows (as values by key), bad rows with every reason, and counts."""

    what: str
    columns: tuple[Column, ...]
    good: list[dict[str, Any]] = field(default_factory=list)
    bad: list[Bad] = field(default_factory=list)
    total: int = 0
    new: int = 0
    changed: int = 0
    stored: bool = False

    @property
    def same(self) -> int:
        """Rows that say what is there already."""
        return len(self.good) - self.new - self.changed

    @property
    def bad_rows(self) -> list[int]:
        """The numbers of the rows that cannot be taken."""
        return sorted({bad.row_no for bad in self.bad})


class WrongColumns(Invalid):
    code, text = "wrong_columns", "表头不对，缺少：{missing}"


class Refused(Exception):
    """A cell says nothing that can be taken; the text says why."""


def lines_of(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[tuple[int, dict[str, str]]]:
    """Every row that says something, with its number in the file, as text by key. Raises WrongColumns."""
    head = [title.strip().rstrip("*").strip() for title in rows[0]] if rows else []
    missing = [column.title for column in columns if column.required and column.title not in head]
    if missing:
        raise WrongColumns(missing="、".join(missing[:MOST_MISSING]))
    where = {column.key: head.index(column.title) for column in columns if column.title in head}
    lines = []
    for number, row in enumerate(rows[1:], start=2):
        if any(cell.strip() for cell in row):
            said = {key: row[index].strip() if index < len(row) else "" for key, index in where.items()}
            lines.append((number, {column.key: said.get(column.key, "") for column in columns}))
    return lines


class Reading:
    """Collects what is wrong with the rows while they are read."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.titles = {column.key: column.title for column in report.columns}
        self.wrong: set[int] = set()

    def refuse(self, number: int, key: str, reason: str) -> None:
        """The row cannot be taken because of that column."""
        self.wrong.add(number)
        self.report.bad.append(Bad(number, self.titles[key], reason))

    def needed(self, number: int, line: Mapping[str, str]) -> bool:
        """Whether all required columns are filled."""
        empty = [column.key for column in self.report.columns if column.required and not line[column.key]]
        for key in empty:
            self.refuse(number, key, "必填，不能为空")
        return not empty

    def once(self, lines: Iterable[tuple[int, dict[str, str]]], key: str) -> None:
        """Every row after the first that says the same there cannot be taken."""
        seen: dict[str, int] = {}
        for number, line in lines:
            if (value := line[key]) and (first := seen.setdefault(value, number)) != number:
                self.refuse(number, key, f"与第 {first} 行重复")

    def length(self, number: int, line: Mapping[str, str], most: int, *keys: str) -> None:
        """Every one of these columns fits."""
        for key in keys:
            if len(line[key]) > most:
                self.refuse(number, key, f"最多 {most} 个字")

    def choice(self, number: int, line: Mapping[str, str], key: str, choices: Mapping[str, Any]) -> Any:
        """What the word means; None and a bad row when it means nothing."""
        if line[key] in choices:
            return choices[line[key]]
        known = "、".join(title for title in choices if not title.isascii())
        self.refuse(number, key, f"不认识“{line[key][:20]}”，应为：{known}")
        return None
