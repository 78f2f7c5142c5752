"""导入导出: a table is looked at first, every bad row is named, and only then is anything stored. FEATURES P4.

The file stays in the browser between looking and storing: it is sent again, so that nothing personal lies about here.
"""

from typing import Any

from flask import Response, render_template, request

from campus import imports, sheets
from console.frame import UPLOADS, bp, go, me
from console.limits import limiter
from core import clock
from core.db import reading, run
from core.errors import Invalid, NotFound
from models.access import require

UPLOADS |= {"console.post_import_check", "console.post_import", "console.post_import_bad"}
SHOWN = 200
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
BACK = {"people": "get_people", "departments": "get_departments", "places": "get_places", "residents": "get_places"}


@bp.get("/imports/<what>")
def get_import(what: str) -> Any:
    """What the table holds, an empty one to fill in, everything as it is now."""
    kind = _kind(what)
    with reading() as s:
        require(s, me(), kind.deed)
    return render_template("console/imports/import.html", what=what, kind=kind, kinds=imports.WHAT, back=BACK[what])


@bp.get("/imports/<what>/template.xlsx")
def get_import_template(what: str) -> Any:
    kind = _kind(what)
    with reading() as s:
        require(s, me(), kind.deed)
    return _xlsx([imports.template(what)], f"{what}-template", kind.title)


@bp.get("/imports/<what>/export.<any(xlsx, csv):form>")
@limiter.limit("12 per minute")
def get_export(what: str, form: str) -> Any:
    """Everything of that kind in the columns of the import."""
    with reading() as s:
        rows = imports.export(s, what, by=me())
    name = f"{what}-{clock.campus_day(clock.now()):%Y%m%d}"
    if form == "csv":
        return _file(sheets.write_csv(rows[0], rows[1:]), "text/csv; charset=utf-8", f"{name}.csv")
    return _xlsx(rows, name, imports.WHAT[what].title)


@bp.post("/imports/<what>/check")
def post_import_check(what: str) -> Any:
    """What storing the file would do. Nothing changes."""
    rows = _rows()
    with reading() as s:
        report = imports.check(s, what, rows, by=me())
    return render_template("console/imports/report.html", what=what, report=report, shown=SHOWN)


@bp.post("/imports/<what>")
def post_import(what: str) -> Any:
    """The file is stored: all of it, or its good rows when the operator said so."""
    by, now, rows = me(), clock.now(), _rows()
    keep_good = request.form.get("keep_good") == "1"
    report = run(lambda s: imports.store(s, what, rows, keep_good=keep_good, by=by, now=now))
    said = f"{imports.WHAT[what].title}：新增 {report.new}，修改 {report.changed}，不变 {report.same}"
    return go(BACK[what], said + (f"，略过有错的 {len(report.bad_rows)} 行" if report.bad else ""))


@bp.post("/imports/<what>/bad.xlsx")
def post_import_bad(what: str) -> Any:
    """The rows that could not be taken, with the reasons behind them, to mend and send again."""
    rows = _rows()
    with reading() as s:
        report = imports.check(s, what, rows, by=me())
    return _xlsx(imports.bad_rows(report, rows), f"{what}-errors", "有错的行")


def _kind(what: str) -> Any:
    if what not in imports.WHAT:
        raise NotFound("没有这种导入", what=what[:40])
    return imports.WHAT[what]


def _rows() -> list[list[str]]:
    upload = request.files.get("file")
    if upload is None or not upload.filename:
        raise Invalid("请选择 xlsx 或 CSV 文件", fields={"file": "请选择文件"})
    with upload.stream as stream:
        return sheets.read(stream.read())


def _xlsx(rows: Any, name: str, title: str) -> Response:
    return _file(sheets.write_xlsx(rows[0], rows[1:], title=title), XLSX, f"{name}.xlsx")


def _file(data: bytes, mime: str, name: str) -> Response:
    return Response(data, mimetype=mime, headers={"Content-Disposition": f'attachment; filename="{name}"'})
