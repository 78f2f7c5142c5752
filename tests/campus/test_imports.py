"""Tables in and out (P4; DRILLS K15, K17)."""

import io
import zipfile
from datetime import datetime
from time import monotonic

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from campus import imports, people, places, sheets
from campus.imports import Bad, BadRows
from core.db import reading, run
from core.errors import Forbidden
from models.access import SYSTEM
from models.audit import AuditLine
from models.people import Department, Person
from models.places import DoorCode, Place, Resident
from tests.kit import NOON, actor, bind, make_person

PEOPLE = ["学工号", "姓名", "类型", "部门编号", "手机号", "状态"]
PLACES = ["编号", "名称", "类型", "上级编号", "纬度", "经度", "供水立管", "供电立管"]
HOUSE = [
    PLACES,
    ["D12-402", "402", "房间", "D12-F4", "", "", "D12-W1", ""],  # a child before its parents
    ["E", "东校区", "校区", "", "31.3", "121.5", "", ""],
    ["D12", "12号楼", "楼栋", "E", "", "", "", ""],
    ["D12-F4", "4层", "楼层", "D12", "", "", "", ""],
]


def check(what, rows, by=SYSTEM):
    with reading() as s:
        return imports.check(s, what, rows, by=by)


def store(what, rows, keep_good=False, by=SYSTEM):
    return run(lambda s: imports.store(s, what, rows, keep_good=keep_good, by=by, now=NOON))


def export(what):
    with reading() as s:
        return [[str(cell) for cell in row] for row in imports.export(s, what, by=SYSTEM)]


def count(model):
    with reading() as s:
        return s.scalar(sa.select(sa.func.count()).select_from(model))


def person(campus_no):
    with reading() as s:
        return s.scalars(sa.select(Person).where(Person.campus_no == campus_no)).one()


def test_a_dry_run_says_everything_and_changes_nothing(either_db):
    make_person("老王", campus_no="G1", kind="worker")
    report = check(
        "people",
        [
            PEOPLE,
            ["S1", "林小雨", "学生", "", "13800010101", ""],
            ["S2", "", "学生", "", "", ""],
            ["S3", "陈思远", "外星人", "X99", "123", "在校"],
            ["", "", "", "", "", ""],
            ["S1", "重复", "学生", "", "", ""],
            ["G1", "王建国", "维修工", "", "", ""],
        ],
    )
    assert (report.total, report.new, report.changed, report.bad_rows) == (5, 1, 1, [3, 4, 6])
    assert [bad for bad in report.bad if bad.row_no != 4] == [
        Bad(3, "姓名", "必填，不能为空"),
        Bad(6, "学工号", "与第 2 行重复"),
    ]
    assert {bad.column for bad in report.bad if bad.row_no == 4} == {"类型", "部门编号", "手机号"}
    assert count(Person) == 1


def test_with_a_bad_row_nothing_is_stored_unless_the_operator_keeps_the_good_ones(either_db):
    rows = [PEOPLE, ["S1", "林小雨", "学生", "", "13800010101", ""], ["S2", "陈思远", "狗", "", "", ""]]
    with pytest.raises(BadRows):
        store("people", rows)
    assert (count(Person), count(AuditLine)) == (0, 0)
    report = store("people", rows, keep_good=True)
    assert (report.new, report.bad_rows, count(Person)) == (1, [3], 1)
    lin = person("S1")
    assert (lin.phone_masked, lin.kind, lin.status) == ("138****0101", "student", "active")
    with reading() as s:
        line = s.scalars(sa.select(AuditLine)).one()
        assert (line.deed, line.after["left_out"]) == ("import.people", 1)


def test_bad_rows_come_back_in_their_columns_with_the_reason_behind(db):
    rows = [PEOPLE, ["S1", "林小雨", "学生"], ["S2", "陈思远", "狗"]]
    back = imports.bad_rows(check("people", rows), rows)
    assert back[0] == [*PEOPLE, "错误原因"]
    assert back[1][:3] == ["S2", "陈思远", "狗"]
    assert back[1][-1].startswith("类型：不认识“狗”")
    assert len(back) == 2


def test_storing_again_changes_nothing_and_a_blank_cell_leaves_what_is_there(either_db):
    rows = [PEOPLE, ["S1", "林小雨", "学生", "", "13800010101", ""]]
    store("people", rows)
    again = store("people", rows)
    assert (again.new, again.changed, again.same) == (0, 0, 1)
    changed = store("people", [PEOPLE, ["S1", "林晓雨", "学生", "", "", ""]])
    assert (changed.changed, person("S1").phone_masked, person("S1").name) == (1, "138****0101", "林晓雨")


def test_what_goes_out_comes_back_in_and_the_phone_number_stays_masked(either_db):
    store(
        "people", [PEOPLE, ["S1", "林小雨", "学生", "", "13800010101", ""], ["G1", "王建国", "维修工", "", "", "离校"]]
    )
    out = export("people")
    assert out == [
        PEOPLE,
        ["G1", "王建国", "维修工", "", "", "离校"],
        ["S1", "林小雨", "学生", "", "138****0101", "在校"],
    ]
    for write in (sheets.write_xlsx, sheets.write_csv):
        back = sheets.read(write(out[0], out[1:]))
        report = check("people", back)
        assert (report.bad, report.new, report.changed) == ([], 0, 0)


def test_somebody_elses_masked_number_is_no_number(db):
    store("people", [PEOPLE, ["S1", "林小雨", "学生", "", "13800010101", ""]])
    report = check("people", [PEOPLE, ["S1", "林小雨", "学生", "", "139****0101", ""]])
    assert [bad.column for bad in report.bad] == ["手机号"]


def test_who_leaves_by_import_is_signed_out(either_db):
    lin = make_person("林小雨", campus_no="S1")
    bind(lin, "mini", "omini-lin")
    from campus import sessions

    where = {"ip": "127.0.0.1", "agent": "test"}
    token, _ = run(
        lambda s: people.sign_in(s, identity=people.Known("mini", "omini-lin"), way="mini", now=NOON, **where)
    )
    store("people", [PEOPLE, ["S1", "林小雨", "学生", "", "", "离校"]])
    with reading() as s:
        assert sessions.session_of(s, token, door="api", now=NOON) is None


def test_the_last_administrator_does_not_leave_by_import(db):
    make_person("周卫东", campus_no="T1002", kind="staff", roles=("admin",))
    from campus.access import LastAdmin

    with pytest.raises(LastAdmin):
        store("people", [PEOPLE, ["T1002", "周卫东", "教职工", "", "", "离校"]])
    assert person("T1002").status == "active"


def test_departments_come_in_any_order_with_their_leader(either_db):
    zhou = make_person("周卫东", campus_no="T1002", kind="staff")
    head = ["部门编号", "部门名称", "上级编号", "负责人工号"]
    store("departments", [head, ["HQ-WX", "维修中心", "HQ", ""], ["HQ", "后勤处", "", "T1002"]])
    with reading() as s:
        rows = {row.code: row for row in s.scalars(sa.select(Department))}
        assert rows["HQ"].leader_id == zhou.id
        assert rows["HQ-WX"].path == f"/{rows['HQ'].id}/{rows['HQ-WX'].id}/"
    assert export("departments") == [head, ["HQ", "后勤处", "", "T1002"], ["HQ-WX", "维修中心", "HQ", ""]]
    wrong = check(
        "departments",
        [
            head,
            ["A", "甲", "B", ""],
            ["B", "乙", "A", ""],
            ["C", "丙", "NO", ""],
            ["D", "丁", "C", ""],
            ["HQ-WX", "维修中心", "A", ""],
        ],
    )
    assert wrong.bad_rows == [2, 3, 4, 5, 6]
    assert not wrong.good


def test_places_come_in_any_order_with_label_path_and_door_code(either_db):
    report = store("places", HOUSE)
    assert (report.new, count(Place), count(DoorCode)) == (4, 4, 4)
    with reading() as s:
        room = places.place_by_code(s, "D12-402")
        assert (room.label, room.water_riser) == ("东校区 12号楼 402", "D12-W1")
        assert [one.code for one in places.chain(s, room)] == ["E", "D12", "D12-F4", "D12-402"]
    assert store("places", HOUSE).same == 4
    assert check("places", export("places")).bad == []
    store("places", [PLACES, ["D12", "知行楼", "楼栋", "E", "", "", "", ""]])
    with reading() as s:
        assert places.place_by_code(s, "D12-402").label == "东校区 知行楼 402"


@pytest.mark.parametrize(
    ("row", "column"),
    [
        (["X 1!", "1", "房间", "D12", "", "", "", ""], "编号"),
        (["X1", "1", "房间", "E", "", "", "", ""], "上级编号"),
        (["X1", "1", "房间", "NO", "", "", "", ""], "上级编号"),
        (["X1", "1", "房间", "D12", "nan", "1", "", ""], "纬度"),
        (["X1", "1", "房间", "D12", "31", "", "", ""], "纬度"),
        (["X1", "1", "房间", "D12", "abc", "121", "", ""], "纬度"),
        (["D12", "12号楼", "房间", "E", "", "", "", ""], "类型"),
        (["D12", "12号楼", "楼栋", "D12", "", "", "", ""], "上级编号"),
    ],
)
def test_a_place_that_makes_no_sense_is_a_bad_row(db, row, column):
    store("places", HOUSE)
    report = check("places", [PLACES, row])
    assert column in {bad.column for bad in report.bad}
    assert not report.good


def test_residents_move_in_over_and_out_and_history_stays(either_db):
    store("places", [*HOUSE, ["D12-403", "403", "房间", "D12-F4", "", "", "", ""]])
    for number in ("S1", "S2"):
        make_person(number, campus_no=number)
    head = ["学工号", "房间编号", "床位"]
    assert store("residents", [head, ["S1", "d12-402", "1号床"], ["S2", "D12-402", "2号床"]]).new == 2
    assert store("residents", [head, ["S1", "D12-402", ""]]).same == 1
    swapped = store("residents", [head, ["S1", "D12-402", "2号床"], ["S2", "D12-402", "1号床"]])
    assert swapped.changed == 2
    assert export("residents") == [head, ["S2", "D12-402", "1号床"], ["S1", "D12-402", "2号床"]]
    store("residents", [head, ["S1", "退宿", ""]])
    assert export("residents") == [head, ["S2", "D12-402", "1号床"]]
    assert count(Resident) == 4
    wrong = check("residents", [head, ["S9", "D12-402", ""], ["S1", "D12", ""], ["S1", "D12-402", "1号床"]])
    assert wrong.bad_rows == [2, 3, 4]
    taken = check("residents", [head, ["S1", "D12-402", "1号床"]])
    assert taken.bad == [Bad(2, "床位", "床位已有人住")]


def test_who_may_not_neither_checks_stores_nor_exports(db):
    lin = actor(make_person("林小雨"), "console")
    rows = [PEOPLE, ["S1", "陈思远", "学生", "", "", ""]]
    for deed in (lambda: check("people", rows, lin), lambda: store("people", rows, by=lin)):
        with pytest.raises(Forbidden) as why:
            deed()
        assert "导入导出人员" in why.value.detail
    with pytest.raises(Forbidden), reading() as s:
        imports.export(s, "people", by=lin)
    assert count(Person) == 1


def test_a_missing_column_is_named(db):
    with pytest.raises(imports.WrongColumns) as why:
        check("people", [["学工号", "名字"], ["S1", "林小雨"]])
    assert "姓名、类型" in why.value.detail


@pytest.mark.race
def test_twelve_thousand_rows_are_in_within_seconds(mariadb):
    rows = [PEOPLE, *([f"S{n:06d}", f"学生{n}", "学生", "", f"139{n:08d}", ""] for n in range(12_000))]
    began = monotonic()
    assert store("people", sheets.read(sheets.write_xlsx(rows[0], rows[1:]))).new == 12_000
    assert monotonic() - began < 60
    assert count(Person) == 12_000


# ---- sheets --------------------------------------------------------------------------------------------------------


def test_numbers_of_excel_are_read_as_people_read_them():
    import xlsxwriter

    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, [2023010101, 31.25, True, "  文字 "])
        sheet.write_formula(1, 0, "=1+1", value=2)
        sheet.write_datetime(1, 1, datetime(2026, 9, 1), book.add_format({"num_format": "yyyy-mm-dd"}))
    assert sheets.read(out.getvalue()) == [["2023010101", "31.25", "是", "文字"], ["2", "2026-09-01", "", ""]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030"])
@pytest.mark.parametrize("separator", [",", "\t", ";"])
def test_csv_is_read_in_the_encodings_of_the_office(encoding, separator):
    text = separator.join(["学工号", "姓名"]) + "\r\n" + separator.join(["S1", '"林""小"雨"']) + "\r\n\r\n"
    assert sheets.read(text.replace('"林""小"雨"', '"林""小雨"').encode(encoding)) == [
        ["学工号", "姓名"],
        ["S1", '林"小雨'],
    ]


def test_a_bomb_is_refused_before_it_is_unpacked():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/worksheets/sheet1.xml", b"0" * (sheets.MAX_UNPACKED + 1))
    assert len(out.getvalue()) < 100_000
    began = monotonic()
    with pytest.raises(sheets.BadSheet) as why:
        sheets.read(out.getvalue())
    assert "解压后太大" in why.value.detail
    assert monotonic() - began < 1


def lying_bomb():
    """A zip whose directory says that the part is small."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/worksheets/sheet1.xml", b"0" * (sheets.MAX_UNPACKED + 1))
    size = (sheets.MAX_UNPACKED + 1).to_bytes(4, "little")
    return out.getvalue().replace(size, (1000).to_bytes(4, "little"))


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04" + b"\0" * 100,
        sheets.write_xlsx(["a"], [["b"]])[:300],
        lying_bomb(),
        b"\xff\xfe\x00\x01\x81",
        b"a,b\0c",
        b'a,"b\n',
        b"\xd0\xcf\x11\xe0" + b"\0" * 600,
    ],
)
def test_what_cannot_be_read_is_said_kindly(data):
    with pytest.raises(sheets.BadSheet):
        sheets.read(data)


EVIL = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", '=HYPERLINK("http://x")', "'=1", "https://example.org"]


def test_nothing_typed_in_becomes_a_formula():
    rows = [[text] for text in EVIL]
    book = sheets.write_xlsx(["列"], rows)
    with zipfile.ZipFile(io.BytesIO(book)) as packed:
        sheet = packed.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert "hyperlink" not in sheet
    lines = sheets.write_csv(["列"], rows).decode("utf-8-sig").splitlines()[1:]
    assert all(line.strip('"')[0] not in "=+-@\t" for line in lines)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20), min_size=2, max_size=2),
        max_size=8,
    )
)
def test_what_is_written_is_read_again(rows):
    rows = [["甲", "乙"], *[[cell.strip() for cell in row] for row in rows]]
    while rows and not any(rows[-1]):
        rows.pop()
    wanted = [list(row) for row in rows]
    if any(cell.startswith("'") for row in rows for cell in row):
        return  # a leading apostrophe before a formula sign is the guard itself
    assert sheets.read(sheets.write_csv(rows[0], rows[1:])) == wanted
    assert sheets.read(sheets.write_xlsx(rows[0], rows[1:])) == wanted
