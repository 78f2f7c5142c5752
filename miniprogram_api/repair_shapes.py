"""What a repair looks like on the wire: what is sent to file and move one, what is told about one. FEATURES R2, R9–R11."""

import hashlib
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from campus.privacy import mask
from campus.repairs.views import OpenLine, TicketLine, TicketView
from miniprogram_api.kinds import (
    In,
    Mark,
    Moment,
    MomentIn,
    Out,
    PageQuery,
    PhotoNo,
    Query,
    YesNo,
    line,
    prose,
    whole,
    word,
)
from miniprogram_api.people import PlaceRef
from models.places import Place
from models.repairs import RepairState

Photos = Annotated[list[PhotoNo], Field(default_factory=list, max_length=9)]
Deed = Literal["cancel", "accept", "refuse", "rate", "take", "arrive", "finish", "cannot"]
CONTACT_PHONE = r"^(?:1[3-9][0-9]{9}|0[0-9]{2,3}-?[0-9]{7,8}|[2-9][0-9]{2,7})$"


class WindowIn(In):
    """When somebody may come."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)
    from_: MomentIn = Field(alias="from")
    until: MomentIn


class EntryIn(In):
    """How the room may be entered."""

    nobody_home_ok: YesNo = False
    escort: YesNo = False
    note: line(190, least=0) | None = None


class RepairIn(In):
    place: word(64)
    fault: word(64)
    text: prose(2000)
    photos: Photos
    quantity: whole(1, 999) | None = None
    severity: Literal["minor", "normal", "serious"] | None = None
    contact_name: line(32, least=0) | None = None
    contact_phone: Annotated[str, Field(pattern=CONTACT_PHONE)] | None = None
    window: WindowIn | None = None
    entry: EntryIn | None = None
    door: word(64) | None = None
    confirm_duplicate: YesNo = Field(
        True, description="false: refused with 409 already_reported when the same is open here"
    )
    confirmed_emergency: YesNo = Field(
        False, description="true once its number has been shown; else an emergency is refused with 409 emergency (R4)"
    )


class IdemKey(Query):
    """One key per deed that a person means once; the same key again gives the same ticket."""

    idempotency_key: str = Field(
        pattern=r"^[A-Za-z0-9_-]{8,64}$", description="Fresh for each report, the same when it is repeated"
    )


class NothingIn(In):
    """An empty object."""


class ReasonIn(In):
    reason: prose(1000)


class RatingIn(In):
    quality: Mark
    attitude: Mark
    speed: Mark
    result: Mark
    text: prose(1000) | None = None
    photos: Photos


class ArriveIn(In):
    door: word(64) | None = None


class FinishIn(In):
    result: Literal["fixed", "temporary"]
    note: prose(1000) | None = None
    photos: Photos


class CannotIn(In):
    note: prose(1000)
    proposal: prose(1000)
    photos: Photos


class RepairsQuery(PageQuery):
    mine: Literal["filed", "assigned"] = "filed"
    state: Literal["open", "done", "all"] = "all"


class SuggestQuery(Query):
    place: word(64)
    fault: word(64)


class FaultRef(Out):
    code: str
    name: str


class TicketLineOut(Out):
    no: str
    state: RepairState
    state_text: str
    place: PlaceRef
    fault: FaultRef
    text: str
    filed_at: Moment
    due_at: Moment | None
    worker_name: str | None
    urgent: bool


class TicketLinesOut(Out):
    items: list[TicketLineOut]
    next: str | None


class TicketPhotoOut(Out):
    no: str
    url: str
    kind: Literal["filed", "finished", "rated"]


class ContactOut(Out):
    name: str | None
    phone_masked: str | None
    phone: str | None = Field(
        description="Only for those who may: the requester, and the worker while the ticket is open"
    )


class WindowOut(Out):
    model_config = ConfigDict(from_attributes=True, frozen=True, populate_by_name=True)
    from_: Moment = Field(alias="from")
    until: Moment


class EntryOut(Out):
    nobody_home_ok: bool
    escort: bool
    note: str | None


class StepOut(Out):
    at: Moment
    action: str
    action_text: str
    by: str | None
    note: str | None


class RatingOut(Out):
    quality: int
    attitude: int
    speed: int
    result: int
    text: str | None


class TicketOut(TicketLineOut):
    way: str
    photos: list[TicketPhotoOut]
    quantity: int
    severity: str
    contact: ContactOut | None
    window: WindowOut | None
    entry: EntryOut
    steps: list[StepOut]
    why_me: str | None
    rating: RatingOut | None
    actions: list[Deed] = Field(description="What this person may do to it now")
    etag: str


DEEDS = ("cancel", "accept", "refuse", "rate", "take", "arrive", "finish", "cannot")


def line_of(line: TicketLine) -> TicketLineOut:
    """A repair in a list."""
    return TicketLineOut(
        no=line.no,
        state=RepairState(line.state),
        state_text=line.state_title,
        place=PlaceRef(code=line.place_code, label=line.place_label),
        fault=FaultRef(code=line.fault_code, name=line.fault_name),
        text=line.text,
        filed_at=line.filed_at,
        due_at=line.finish_by,
        worker_name=line.worker_name,
        urgent=line.urgent,
    )


def open_line_of(line: OpenLine, place: Place) -> TicketLineOut:
    """A repair as everybody at the place may know of it: nobody's words, nobody's name."""
    return TicketLineOut(
        no=line.no,
        state=RepairState(line.state),
        state_text=line.state_title,
        place=PlaceRef(code=place.code, label=place.label),
        fault=FaultRef(code=line.fault_code, name=line.fault_name),
        text="",
        filed_at=line.filed_at,
        due_at=None,
        worker_name=None,
        urgent=line.urgent,
    )


def ticket_of(view: TicketView) -> TicketOut:
    """A repair with everything this person may see of it."""
    said = TicketOut(
        no=view.no,
        state=RepairState(view.state),
        state_text=view.state_title,
        place=PlaceRef(code=view.place_code, label=view.place_label),
        fault=FaultRef(code=view.fault_code, name=view.fault_name),
        text=view.text,
        filed_at=view.filed_at,
        due_at=view.finish_by,
        worker_name=view.worker_name,
        urgent=view.urgent,
        way=view.way,
        photos=[
            TicketPhotoOut(no=one.no, url=f"/api/v1/photos/{one.no}", kind=one.kind)
            for one in view.photos
            if not one.held or view.mine
        ],
        quantity=view.quantity,
        severity=view.severity,
        contact=contact_of(view),
        window=WindowOut(from_=view.window_from, until=view.window_until)
        if view.window_from and view.window_until
        else None,
        entry=EntryOut(nobody_home_ok=view.nobody_home_ok, escort=view.escort, note=view.entry_note),
        steps=[
            StepOut(at=one.at, action=one.action, action_text=one.title, by=one.who or None, note=one.note)
            for one in view.steps
        ],
        why_me=view.why if view.assigned_to_me else None,
        rating=RatingOut.model_validate(view.rating) if view.rating else None,
        actions=[deed for deed in DEEDS if deed in view.allowed],
        etag="",
    )
    digest = hashlib.sha256(said.model_dump_json().encode()).hexdigest()[:16]
    return said.model_copy(update={"etag": digest})


def contact_of(view: TicketView) -> ContactOut | None:
    """Whom to call, as far as this person may know (P8): the whole number, a masked one, or nothing."""
    if view.contact_name is None and view.contact_phone is None:
        return None
    phone = view.contact_phone
    whole_number = phone if phone and "*" not in phone else None
    return ContactOut(name=view.contact_name, phone_masked=mask(phone) if whole_number else phone, phone=whole_number)
