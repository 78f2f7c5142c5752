"""地点: campus → area → building → floor → room, edited in place; door codes on A4 sheets. FEATURES P5."""

from typing import Any

import sqlalchemy as sa
from flask import Response, render_template, request, url_for
from wtforms import StringField
from wtforms.validators import DataRequired, Length

from campus import door_qr, door_sheets, office, places
from campus.places import ABOVE
from console.forms import Choice, Form, strip
from console.frame import bp, go, may, me
from console.limits import limiter
from console.shown import KINDS
from core import clock
from core.db import reading, run
from core.errors import Invalid, NotFound
from core.house import house
from models.access import require
from models.people import Person
from models.places import Place, PlaceKind, Resident


class PlaceForm(Form):
    code = StringField("编号", [DataRequired("请填写编号"), Length(max=32)], description="例如 D12-402，不能再改")
    name = StringField("名称", [DataRequired("请填写名称"), Length(max=64)])
    kind = Choice("类型", KINDS[PlaceKind], validate_choice=False)
    water_riser = StringField("水立管", [Length(max=64)])
    power_riser = StringField("电立管", [Length(max=64)])
    lat = StringField("纬度", [Length(max=20)])
    lon = StringField("经度", [Length(max=20)])


class PlaceEditForm(PlaceForm):
    code = None
    kind = None


@bp.get("/places")
def get_places() -> Any:
    """One place with what is directly below it; the campuses at the top."""
    code = request.args.get("at") or None
    with reading() as s:
        here = places.place_by_code(s, code) if code else None
        require(s, me(), "place.see", at=here)
        below = places.children(s, code)
        return render_template(
            "console/places/place.html",
            place=here,
            chain=places.chain(s, here) if here else [],
            below=below,
            inside=office.rooms_below(s, [row.id for row in below]),
            open_tickets=office.open_below(s, below),
            door=_door(s, here),
            qrs=door_qr.made(s, code=code) if code and may("door.print") else None,
            mini_on=house().platforms.mini is not None,
            residents=_residents(s, here) if here and may("person.see") else [],
            kinds=_kinds_below(here),
            edit=_edit_form(here) if here else None,
            add=PlaceForm(),
            most=door_sheets.MOST,
        )


@bp.post("/places")
def post_place() -> Any:
    """The place exists and its door has a code."""
    form = PlaceForm().filled()
    by, now, above = me(), clock.now(), request.form.get("parent") or None
    place = run(
        lambda s: places.add_place(
            s, code=form.code.data, kind=form.kind.data, parent_code=above, by=by, now=now, **_values(form)
        )
    )
    return go("get_places", f"已添加 {place.label}", at=above or place.code)


@bp.post("/places/<code>")
def post_place_edit(code: str) -> Any:
    form = PlaceEditForm().filled()
    by, now = me(), clock.now()
    place = run(lambda s: places.edit_place(s, code=code, by=by, now=now, **_values(form)))
    return go("get_places", f"{place.label} 已保存", at=place.code)


@bp.post("/places/<code>/retire")
def post_place_retire(code: str) -> Any:
    """Nothing new can be reported there or below."""
    by, now = me(), clock.now()

    def retire(s: Any) -> tuple[int, str | None]:
        count = places.retire_place(s, code=code, by=by, now=now)
        parent = s.scalar(sa.select(Place.code).where(Place.id == sa.select(Place.parent_id).where(Place.code == code).scalar_subquery()))  # fmt: skip
        return count, parent

    count, parent = run(retire)
    return go("get_places", f"{count} 处地点已停用", undo=url_for("console.post_place_restore", code=code), at=parent)


@bp.post("/places/<code>/restore")
def post_place_restore(code: str) -> Any:
    by, now = me(), clock.now()
    count = run(lambda s: places.restore_place(s, code=code, by=by, now=now))
    return go("get_places", f"{count} 处地点已恢复", at=code)


@bp.post("/places/<code>/doors")
@limiter.limit("12 per minute")
def post_doors(code: str) -> Any:
    """A PDF with a label for every door below; doors without a code get one first."""
    by, now, server = me(), clock.now(), house().config.server
    run(lambda s: places.make_door_codes(s, code=code, by=by, now=now))
    with reading() as s:
        top, doors = places.place_by_code(s, code), places.door_codes_of_building(s, code)
    if len(doors) > door_sheets.MOST:
        raise Invalid(f"{len(doors)} 个门牌太多，一次最多 {door_sheets.MOST} 个，请选一栋楼或一层")
    made = door_sheets.pdf(doors, title=top.label, base_url=server.base_url, school=server.school)
    headers = {"Content-Disposition": f'attachment; filename="doors-{top.code}.pdf"'}
    return Response(made, mimetype="application/pdf", headers=headers)


@bp.post("/places/<code>/door-qrs")
@limiter.limit("12 per minute")
def post_door_qrs(code: str) -> Any:
    """The official account is asked for its own QR of every door below that has none."""
    by, now = me(), clock.now()
    asked = run(lambda s: door_qr.owe_qrs(s, code=code, by=by, now=now))
    return go("get_places", f"正在申请 {asked} 个公众号门牌码" if asked else "这里的门牌都有公众号码了", at=code)


@bp.get("/places/<code>/mini-code.png")
@limiter.limit("60 per minute")
def get_mini_code(code: str) -> Any:
    """The mini-program's code of the door, as a picture."""
    by = me()
    with reading() as s:
        place = places.place_by_code(s, code)
        require(s, by, "door.print", at=place)
        door = places.door_code_for(s, place)
    if (mini := house().platforms.mini) is None:
        raise NotFound("没有配置小程序")
    return Response(mini.door_code(door.code, "pages/repair/file"), mimetype="image/png")


def _values(form: Any) -> dict[str, Any]:
    return {
        "name": strip(form.name.data),
        "water_riser": strip(form.water_riser.data),
        "power_riser": strip(form.power_riser.data),
        "lat": _degrees(form.lat.data, "lat"),
        "lon": _degrees(form.lon.data, "lon"),
    }


def _degrees(text: str | None, field: str) -> float | None:
    if not strip(text):
        return None
    try:
        return float(str(text))
    except ValueError:
        raise Invalid(fields={field: "请填写数字，例如 31.4912"}) from None


def _edit_form(place: Place) -> PlaceEditForm:
    return PlaceEditForm(
        name=place.name,
        water_riser=place.water_riser or "",
        power_riser=place.power_riser or "",
        lat="" if place.lat is None else f"{place.lat:g}",
        lon="" if place.lon is None else f"{place.lon:g}",
    )


def _kinds_below(place: Place | None) -> list[tuple[str, str]]:
    kind = place.kind if place else None
    return [(str(below), KINDS[PlaceKind][below]) for below, above in ABOVE.items() if kind in above]


def _door(s: Any, place: Place | None) -> str | None:
    if place is None:
        return None
    try:
        return str(places.door_code_for(s, place).code)
    except places.NoSuchDoor:
        return None


def _residents(s: Any, place: Place) -> Any:
    query = sa.select(Resident, Person).join(Person, Person.id == Resident.person_id)
    return s.execute(query.where(Resident.place_id == place.id, Resident.live.is_(True)).order_by(Resident.bed)).all()
