"""What is shown of tickets: frozen pictures, so that no door reads a row. FEATURES R2, R20."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class StepView:
    at: datetime
    action: str
    title: str
    from_state: str | None
    to_state: str
    who: str
    note: str | None


@dataclass(frozen=True, slots=True)
class PhotoView:
    """A photo by its public number; one that is held is named and not shown."""

    no: str
    kind: str
    held: bool


@dataclass(frozen=True, slots=True)
class RatingView:
    quality: int
    attitude: int
    speed: int
    result: int
    text: str | None
    rated_at: datetime


@dataclass(frozen=True, slots=True)
class TicketView:
    """Everything that this person may see of a ticket now. `allowed` are the moves open to him, in the table's order."""

    no: str
    state: str
    state_title: str
    place_code: str
    place_label: str
    fault_code: str
    fault_name: str
    text: str
    content: str
    held: bool
    quantity: int
    severity: str
    severity_title: str
    urgent: bool
    way: str
    way_title: str
    requester_name: str | None
    contact_name: str | None
    contact_phone: str | None
    window_from: datetime | None
    window_until: datetime | None
    nobody_home_ok: bool
    escort: bool
    entry_note: str | None
    received_at: datetime
    filed_at: datetime
    assigned_at: datetime | None
    taken_at: datetime | None
    arrived_at: datetime | None
    done_at: datetime | None
    closed_at: datetime | None
    respond_by: datetime | None
    finish_by: datetime | None
    overdue: bool
    operator_name: str | None
    worker_id: int | None
    worker_name: str | None
    dispatch_way: str | None
    why: str | None
    result: str | None
    result_title: str | None
    result_note: str | None
    proposal: str | None
    steps: list[StepView]
    photos: list[PhotoView]
    rating: RatingView | None
    allowed: list[str]
    mine: bool
    assigned_to_me: bool


@dataclass(frozen=True, slots=True)
class TicketLine:
    """One ticket in a list. A text that is held reads so; the ticket itself shows it to those who may (P11)."""

    no: str
    state: str
    state_title: str
    place_code: str
    place_label: str
    fault_code: str
    fault_name: str
    urgent: bool
    filed_at: datetime
    finish_by: datetime | None
    overdue: bool
    worker_name: str | None
    requester_name: str | None
    way: str
    way_title: str
    text: str


@dataclass(frozen=True, slots=True)
class Counts:
    """What waits for this person: as requester, as worker, and (None without the permission) at the desk."""

    open: int
    to_accept: int
    to_take: int
    working: int
    unassigned: int | None
    overdue: int | None


@dataclass(frozen=True, slots=True)
class OpenLine:
    """An open ticket as everybody at the place may know of it: nothing personal."""

    no: str
    fault_name: str
    state: str
    state_title: str
    filed_at: datetime
    fault_code: str = ""
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What the client shows before sending: a hint, the stopper, and whether the same is being repaired already."""

    hint: str | None
    emergency_phone: str | None
    emergency_text: str | None
    is_emergency: bool
    same_open: OpenLine | None


@dataclass(frozen=True, slots=True)
class PublicLine:
    building: str
    fault_name: str
    state: str
    state_title: str
    filed_at: datetime


@dataclass(frozen=True, slots=True)
class PublicStatus:
    """What anybody may know: how many are open in each state, and the latest, by building. R20."""

    by_state: dict[str, int]
    latest: list[PublicLine]
