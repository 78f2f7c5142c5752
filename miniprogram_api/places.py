"""Places and the codes on their doors. FEATURES P5, R1, R4."""

from pydantic import Field

from campus import places
from campus.people.home import is_home
from campus.repairs import faults
from campus.repairs import reading as tickets
from core import clock
from core.db import reading
from miniprogram_api.frame import api, current_actor, cursor_for, polled, read_cursor, refuses, signed_in
from miniprogram_api.kinds import Out, PageQuery, line, word
from miniprogram_api.people import PlaceRef
from miniprogram_api.repair_shapes import TicketLineOut, open_line_of
from models.places import PlaceKind
from models.repairs import FaultType

COMMON = 6


class PlacesQuery(PageQuery):
    parent: word(64) | None = Field(None, description="The places directly below this one; nothing: the campuses")
    q: line(60) | None = Field(None, description="Words of a code or a name, instead of a parent")


class PlaceOut(Out):
    code: str
    name: str
    label: str
    kind: PlaceKind
    parent: str | None
    has_children: bool


class PlacesOut(Out):
    items: list[PlaceOut]
    next: str | None


class EmergencyOut(Out):
    phone: str
    text: str


class CommonFaultOut(Out):
    code: str
    name: str
    hint: str | None
    emergency: EmergencyOut | None


class FaultOut(CommonFaultOut):
    children: list["FaultOut"]


class DoorOut(Out):
    place: PlaceRef
    equipment: PlaceRef | None
    open_tickets: list[TicketLineOut]
    common_faults: list[CommonFaultOut]
    home: bool


@api.get("/places")
@signed_in
@polled(3600)
@refuses(404)
@api.input(PlacesQuery, location="query")
@api.output(
    PlacesOut, links={"place": {"operationId": "get_place", "parameters": {"code": "$response.body#/items/0/code"}}}
)
def get_places(query_data: PlacesQuery) -> PlacesOut:
    """The places below one, in the order people count; or those that match the words, nearest first."""
    start = read_cursor("places", query_data.cursor) or 0
    end = start + query_data.limit
    with reading() as s:
        rows = places.search(s, query_data.q, limit=100) if query_data.q else places.children(s, query_data.parent)
        page = places.listed(s, rows[start:end])
    return PlacesOut(items=[place_of(one) for one in page], next=cursor_for("places", end if end < len(rows) else None))


@api.get("/places/<code>")
@signed_in
@polled(3600)
@api.output(PlaceOut, links={"below": {"operationId": "get_places", "parameters": {"parent": "$response.body#/code"}}})
def get_place(code: str) -> PlaceOut:
    """One place."""
    with reading() as s:
        return place_of(places.listed(s, [places.place_by_code(s, code)])[0])


def place_of(one: places.Listed) -> PlaceOut:
    """A place as a list shows it."""
    return PlaceOut(
        code=one.place.code,
        name=one.place.name,
        label=one.place.label,
        kind=one.place.kind,
        parent=one.parent,
        has_children=one.has_children,
    )


@api.get("/doors/<door_code>")
@signed_in
@polled(30)
@api.output(DoorOut)
def get_door(door_code: str) -> DoorOut:
    """What somebody who scans this door is shown: the place, what is open there, what is commonly broken (R1)."""
    by, now = current_actor(), clock.now()
    with reading() as s:
        place = places.place_of_door(s, door_code)
        return DoorOut(
            place=PlaceRef(code=place.code, label=place.label),
            equipment=None,
            open_tickets=[open_line_of(one, place) for one in tickets.open_at(s, place.id)],
            common_faults=[common_fault_of(one) for one in faults.common_at(s, place, n=COMMON, now=now)],
            home=is_home(s, place, by=by),
        )


@api.get("/fault-types")
@signed_in
@polled(3600)
@api.output(list[FaultOut])
def get_fault_types() -> list[FaultOut]:
    """What can be reported, as a tree; only what has no children can be chosen (R4)."""
    with reading() as s:
        return [fault_of(one) for one in faults.tree(s)]


def fault_of(one: faults.FaultNode) -> FaultOut:
    """A fault type with what is below it."""
    return FaultOut(
        code=one.fault.code,
        name=one.fault.name,
        hint=one.fault.hint,
        emergency=emergency_of(one.fault),
        children=[fault_of(child) for child in one.children],
    )


def common_fault_of(one: faults.Fault) -> CommonFaultOut:
    """A fault type in a short list."""
    return CommonFaultOut(code=one.code, name=one.name, hint=one.hint, emergency=emergency_of(one))


def emergency_of(fault: FaultType | faults.Fault) -> EmergencyOut | None:
    """Whom to call first, when it is an emergency (R4)."""
    if fault.priority != "emergency":
        return None
    return EmergencyOut(phone=fault.emergency_phone or "", text=fault.emergency_text or "")
