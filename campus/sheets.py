"""Tables as the office has them: xlsx and CSV, read and written. FEATURES P4, DRILLS K15 and K17, ECOSYSTEM 1 (row 10).

Reading: a workbook whose parts add up to more than 20 MB unpacked is refused before anything is unpacked; CSV is read
as UTF-8 (with or without mark) or GBK. Every cell becomes text as a person would read it (Excel stores 402 as 402.0).
Writing: nothing that a person typed in ever becomes a formula; in CSV, which has no types, such a cell is written
with a leading apostrophe, which reading takes off again.
"""

import csv
import io
import zipfile
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from core.errors import Invalid

MAX_FILE = 20 * 1024 * 1024
MAX_UNPACKED = 20 * 1024 * 1024
MAX_ROWS = 100_000
MAX_COLUMNS = 60
MAX_CELL = 2000
FORMULA = ("=", "+", "-", "@", "\t", "\r")


class BadSheet(Invalid):
    code, text = "bad_sheet", "这个文件打不开，请另存为 xlsx 或 CSV 后再试"


def read(data: bytes) -> list[list[str]]:
    """The rows of the first sheet as text, without empty rows at the end. Raises BadSheet."""
    if len(data) > MAX_FILE:
        raise BadSheet("文件太大，请拆分后再导入（最多 20 MB）")
    rows = _workbook(data) if data[:4] == b"PK\x03\x04" else _csv(data)
    while rows and not any(rows[-1]):
        rows.pop()
    if len(rows) > MAX_ROWS:
        raise BadSheet(f"行数太多，最多 {MAX_ROWS} 行")
    return rows


def _workbook(data: bytes) -> list[list[str]]:
    import python_calamine

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            # The sizes of the directory; calamine would unpack first and be 284 MB later (ECOSYSTEM, bomb).
            if sum(part.file_size for part in packed.infolist()) > MAX_UNPACKED:
                raise BadSheet("文件解压后太大，请删除多余的工作表和图片后再试")
        with python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data)) as book:
            sheet = book.get_sheet_by_index(0)
            if sheet.total_width > MAX_COLUMNS * 10 or sheet.total_height > MAX_ROWS:
                raise BadSheet(f"表格太大，最多 {MAX_ROWS} 行")
            rows = sheet.to_python(skip_empty_area=False)
    except BadSheet:
        raise
    # calamine raises its own errors, and plain ones for parts that lie about themselves.
    except (python_calamine.CalamineError, zipfile.BadZipFile, OSError, ValueError, IndexError, RuntimeError, KeyError):
        raise BadSheet from None
    return [[_text(cell) for cell in row[:MAX_COLUMNS]] for row in rows]


def _csv(data: bytes) -> list[list[str]]:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = data.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise BadSheet("CSV 的编码无法识别，请另存为 UTF-8")
    if "\0" in text:
        raise BadSheet
    first = text.split("\n", 1)[0]
    separator = max(",\t;", key=first.count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error:
        raise BadSheet from None
    return [[_unguarded(cell.strip())[:MAX_CELL] for cell in row[:MAX_COLUMNS]] for row in rows]


def _unguarded(cell: str) -> str:
    return cell[1:] if cell[:1] == "'" and cell[1:].startswith(FORMULA) else cell


def _text(cell: Any) -> str:
    """The cell as a person reads it."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "是" if cell else "否"
    if isinstance(cell, float):
        # Excel has no whole numbers; a campus number typed as a number must not become 2023010101.0.
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, datetime):
        return cell.strftime("%Y-%m-%d" if (cell.hour, cell.minute, cell.second) == (0, 0, 0) else "%Y-%m-%d %H:%M")
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return str(cell)
    return str(cell).strip()[:MAX_CELL]


def write_xlsx(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str = "数据") -> bytes:
    """A workbook with a bold first row; every cell is text or a number, never a formula or a link."""
    import xlsxwriter

    out = io.BytesIO()
    options = {
        "constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False,
        "in_memory": True,
    }  # fmt: skip
    with xlsxwriter.Workbook(out, options) as book:
        sheet = book.add_worksheet(title[:31])
        bold = book.add_format({"bold": True})
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, max(0, len(columns) - 1), 18)
        for column, name in enumerate(columns):
            sheet.write_string(0, column, name, bold)
        for number, row in enumerate(rows, start=1):
            for column, cell in enumerate(row):
                if isinstance(cell, int | float) and not isinstance(cell, bool):
                    sheet.write_number(number, column, cell)
                elif cell not in (None, ""):
                    sheet.write_string(number, column, str(cell)[:32767])
    return out.getvalue()


def write_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """A CSV that Excel opens as UTF-8 and in which nothing becomes a formula."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows([_guarded(cell) for cell in row] for row in rows)
    return b"\xef\xbb\xbf" + out.getvalue().encode("utf-8")


def _guarded(cell: Any) -> str:
    text = "" if cell is None else str(cell)
    return f"'{text}" if not isinstance(cell, int | float) and text.startswith(FORMULA) else text
