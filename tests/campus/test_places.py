"""Places and their doors (P5)."""

import pytest
import sqlalchemy as sa

from campus import door_sheets, places
from core.db import reading, run
from core.errors import Conflict, Forbidden, Invalid
from models.access import SYSTEM
from models.places import DoorCode, Place, Resident
from tests.kit import NOON, actor, make_person


def add(code, name, kind, parent=None, **more):
    return run(
        lambda s: places.add_place(s, code=code, name=name, kind=kind, parent_code=parent, by=SYSTEM, now=NOON, **more)
    )


@pytest.fixture
def d12(either_db):
    add("E", "东校区", "campus")
    add("E-L", "宿舍区", "area", "E")
    building = add("D12", "12号楼", "building", "E-L")
    add("D12-F4", "4层", "floor", "D12")
    for door in (401, 402, 411):
        add(f"D12-{door}", str(door), "room", "D12-F4", water_riser="D12-W1")
    return building


def look(ask):
    with reading() as s:
        return ask(s)


def test_a_room_is_called_by_campus_building_and_number(d12):
    room = look(lambda s: places.place_by_code(s, " d12-402 "))
    assert room.label == "东校区 12号楼 402"
    assert [one.code for one in look(lambda s: places.chain(s, room))] == ["E", "E-L", "D12", "D12-F4", "D12-402"]


def test_children_come_in_the_order_people_count(d12):
    add("D2", "2号楼", "building", "E-L")
    assert [one.code for one in look(lambda s: places.children(s, None))] == ["E"]
    assert [one.code for one in look(lambda s: places.children(s, "E-L"))] == ["D2", "D12"]


@pytest.mark.parametrize(
    ("q", "first"),
    [
        ("D12-40", "D12-401"),
        ("12号楼 402", "D12-402"),
        ("12号楼402", "D12-402"),
        ("d12-402", "D12-402"),
        ("D12-402", "D12-402"),
    ],
)
def test_searching_finds_by_code_and_by_words(d12, q, first):
    assert look(lambda s: places.search(s, q))[0].code == first


@pytest.mark.parametrize("q", ["", "   ", "%", "_", "食堂"])
def test_searching_for_nothing_finds_nothing(d12, q):
    assert list(look(lambda s: places.search(s, q))) == []


def test_every_new_place_has_a_door_code_that_leads_back(d12):
    def back(s):
        room = places.place_by_code(s, "D12-402")
        door = places.door_code_for(s, room)
        assert places.DOOR_SHAPE.match(door.code)
        return places.place_of_door(s, f" {door.code.lower()} ").code

    assert look(back) == "D12-402"
    with pytest.raises(places.NoSuchDoor):
        look(lambda s: places.place_of_door(s, "D0000000000"))
    assert look(lambda s: s.scalar(sa.select(sa.func.count()).select_from(DoorCode))) == 7


def test_a_code_once_taken_is_refused(d12):
    with pytest.raises(Conflict):
        add("d12", "另一栋", "building", "E")
    assert look(lambda s: places.place_by_code(s, "D12")).name == "12号楼"


@pytest.mark.parametrize(
    ("code", "kind", "parent", "field"),
    [
        ("X 1!", "room", "D12-F4", "code"),
        ("X1", "room", "E", "parent"),
        ("X1", "campus", "E", "parent"),
        ("X1", "hut", None, "kind"),
        ("X1", "building", None, "parent"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_added(d12, code, kind, parent, field):
    with pytest.raises(Invalid) as why:
        add(code, "名称", kind, parent)
    assert field in why.value.facts["fields"]
    assert look(lambda s: s.scalar(sa.select(sa.func.count()).select_from(Place))) == 7


def test_a_new_name_stands_in_every_label_below(d12):
    run(lambda s: places.edit_place(s, code="D12", name="知行楼", by=SYSTEM, now=NOON))
    assert look(lambda s: places.place_by_code(s, "D12-402")).label == "东校区 知行楼 402"
    run(lambda s: places.edit_place(s, code="E-L", name="学生公寓", by=SYSTEM, now=NOON))
    assert look(lambda s: places.place_by_code(s, "D12-402")).label == "东校区 知行楼 402"
    assert look(lambda s: places.place_by_code(s, "D12-F4")).label == "东校区 知行楼 4层"


def test_a_retired_building_can_no_longer_be_named_and_its_doors_lead_nowhere(d12):
    door = look(lambda s: places.door_code_for(s, places.place_by_code(s, "D12-402"))).code
    lin = make_person("林小雨")
    live = run(lambda s: _live(s, lin))
    with pytest.raises(Conflict):
        run(lambda s: places.retire_place(s, code="D12", by=SYSTEM, now=NOON))
    run(lambda s: setattr(s.get(Resident, live), "live", None))
    assert run(lambda s: places.retire_place(s, code="D12", by=SYSTEM, now=NOON)) == 5
    with pytest.raises(places.NoSuchPlace):
        look(lambda s: places.place_by_code(s, "D12-402"))
    with pytest.raises(places.NoSuchDoor):
        look(lambda s: places.place_of_door(s, door))
    assert list(look(lambda s: places.search(s, "402"))) == []


def _live(s, person):
    row = Resident(person_id=person.id, place_id=places.place_by_code(s, "D12-402").id, since=NOON)
    s.add(row)
    s.flush()
    return row.id


def test_places_are_edited_by_those_whose_grant_reaches_them(d12):
    guard = make_person("楼管", kind="staff", roles=("building_manager",), at=d12)
    with pytest.raises(Forbidden) as why:
        run(lambda s: places.edit_place(s, code="D12", name="我的楼", by=actor(guard, "console"), now=NOON))
    assert "编辑地点" in why.value.detail
    assert look(lambda s: places.place_by_code(s, "D12")).name == "12号楼"


def test_the_sheet_of_a_building_has_every_door_in_walking_order(d12):
    doors = look(lambda s: places.door_codes_of_building(s, "D12"))
    assert [door.place.code for door in doors] == ["D12", "D12-401", "D12-402", "D12-411", "D12-F4"]
    page = door_sheets.page_html(doors, title="12号楼", base_url="https://hq.example", school="<b>明德</b>")
    assert page.count("<img") == 5
    assert "东校区 12号楼 402" in page
    assert "&lt;b&gt;明德" in page
    assert "<b>明德" not in page
    assert door_sheets.link(doors[0], "https://hq.example/") == (
        f"https://hq.example/m/#/pages/repair/file?door={doors[0].door_code}"
    )


def test_the_sheet_is_a_pdf_that_fetches_nothing(d12):
    doors = look(lambda s: places.door_codes_of_building(s, "D12-F4"))
    assert door_sheets.pdf(doors, title="4层", base_url="https://hq.example").startswith(b"%PDF-")


@pytest.mark.parametrize(("labels", "pages"), [(0, 1), (12, 1), (13, 2), (31, 3)])
def test_twelve_labels_fit_on_a_page(labels, pages):
    from weasyprint import HTML

    place = Place(code="D12-402", label="东校区 研究生公寓12号楼（留学生楼）东单元 402 室 " * 2)
    page = door_sheets.page_html(
        [places.Door(place, "D23456789AB", None)] * labels,
        title="12号楼",
        base_url="https://hq.example",
        school="明德大学后勤",
    )
    assert len(HTML(string=page).render().pages) == pages


def test_missing_door_codes_are_made_once(d12):
    run(lambda s: s.execute(sa.delete(DoorCode)))
    assert run(lambda s: places.make_door_codes(s, code="D12", by=SYSTEM, now=NOON)) == 5
    assert run(lambda s: places.make_door_codes(s, code="D12", by=SYSTEM, now=NOON)) == 0
