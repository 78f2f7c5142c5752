"""Repairs: filed, followed, worked on, accepted, rated. FEATURES R1, R2, R5, R9–R11. Each endpoint is one rule."""

from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from campus import places
from campus.repairs import filing, requester, work
from campus.repairs import reading as tickets
from core import clock
from core.db import reading, run
from miniprogram_api.frame import api, current_actor, cursor_for, polled, read_cursor, refuses, signed_in
from miniprogram_api.limits import limited
from miniprogram_api.repair_shapes import (
    ArriveIn,
    CannotIn,
    EntryIn,
    FinishIn,
    IdemKey,
    NothingIn,
    RatingIn,
    ReasonIn,
    RepairIn,
    RepairsQuery,
    SuggestQuery,
    TicketLinesOut,
    TicketOut,
    line_of,
    open_line_of,
    ticket_of,
)

STATES = {"open": "open", "done": "ended", "all": None}
WAYS = {"sso": "h5", "code": "h5"}  # how somebody signed in is not how the repair came in (R1)
SAME = {"no": "$response.body#/no"}
AFTERWARDS = {
    "ticket": {"operationId": "get_repair", "parameters": SAME},
    "cancel": {"operationId": "post_cancel", "parameters": SAME, "requestBody": {"reason": "已经好了"}},
    "take": {"operationId": "post_take", "parameters": SAME, "requestBody": {}},
}
OF_A_LINE = {"ticket": {"operationId": "get_repair", "parameters": {"no": "$response.body#/items/0/no"}}}


@api.post("/repairs")
@signed_in
@limited("filing")
@api.input(IdemKey, location="headers")
@api.input(
    RepairIn, example={"place": "D12-402", "fault": "aircon", "text": "空调不制冷", "photos": [], "severity": "normal"}
)
@api.output(TicketOut, status_code=201, links=AFTERWARDS)
def post_repair(headers_data: IdemKey, json_data: RepairIn) -> tuple[TicketOut, int, dict[str, str]]:
    """The repair is filed and has its number. The same Idempotency-Key again gives the same ticket."""
    by, now, entry, window = current_actor(), clock.now(), json_data.entry or EntryIn(), json_data.window

    def file(s: Session) -> TicketOut:
        ticket = filing.file_repair(
            s,
            place_code=json_data.place,
            fault_code=json_data.fault,
            text=json_data.text,
            by=by,
            now=now,
            way="scan" if json_data.door else WAYS.get(by.way),
            photos=json_data.photos,
            quantity=json_data.quantity or 1,
            severity=json_data.severity or "normal",
            contact_name=json_data.contact_name,
            contact_phone=json_data.contact_phone,
            window=(window.from_, window.until) if window else None,
            nobody_home_ok=entry.nobody_home_ok,
            escort=entry.escort,
            entry=entry.note,
            idem_key=headers_data.idempotency_key,
            confirm_duplicate=json_data.confirm_duplicate,
            confirmed_emergency=json_data.confirmed_emergency,
        )
        return ticket_of(tickets.ticket_view(s, no=ticket.no, by=by, now=now))

    filed = run(file)
    return filed, 201, {"Location": f"/api/v1/repairs/{filed.no}"}


@api.get("/repairs")
@signed_in
@polled(15)
@api.input(RepairsQuery, location="query")
@api.output(TicketLinesOut, links=OF_A_LINE)
def get_repairs(query_data: RepairsQuery) -> TicketLinesOut:
    """The repairs the person filed, or those given to them; newest first."""
    name = f"repairs:{query_data.mine}:{query_data.state}"
    with reading() as s:
        page = tickets.list_mine(
            s,
            by=current_actor(),
            as_="worker" if query_data.mine == "assigned" else "requester",
            state=STATES[query_data.state],
            cursor=read_cursor(name, query_data.cursor),
            limit=query_data.limit,
            now=clock.now(),
        )
    return TicketLinesOut(items=[line_of(line) for line in page.items], next=cursor_for(name, page.next))


@api.get("/repairs/suggest")
@signed_in
@refuses(404)
@api.input(SuggestQuery, location="query")
@api.output(TicketLinesOut, links=OF_A_LINE)
def get_suggest(query_data: SuggestQuery) -> TicketLinesOut:
    """What is already open at this place of this type, so that it need not be filed twice (R5)."""
    with reading() as s:
        place = places.place_by_code(s, query_data.place)
        said = tickets.suggest(s, place.code, query_data.fault, now=clock.now())
    return TicketLinesOut(items=[open_line_of(said.same_open, place)] if said.same_open else [], next=None)


@api.get("/repairs/<no>")
@signed_in
@polled(10)
@api.output(TicketOut)
def get_repair(no: str) -> TicketOut:
    """One repair with its steps, for those who may see it; what the person may do now stands in `actions`."""
    with reading() as s:
        return ticket_of(tickets.ticket_view(s, no=no, by=current_actor(), now=clock.now()))


def _moved(no: str, deed: Callable[..., Any], **facts: Any) -> TicketOut:
    """The ticket after the deed."""
    by, now = current_actor(), clock.now()

    def move(s: Session) -> TicketOut:
        deed(s, no=no, by=by, now=now, **facts)
        return ticket_of(tickets.ticket_view(s, no=no, by=by, now=now))

    return run(move)


@api.post("/repairs/<no>/cancel")
@signed_in
@limited("moves")
@api.input(ReasonIn, example={"reason": "已经好了"})
@api.output(TicketOut)
def post_cancel(no: str, json_data: ReasonIn) -> TicketOut:
    """The repair is cancelled, before work has begun (R10)."""
    return _moved(no, requester.cancel, reason=json_data.reason)


@api.post("/repairs/<no>/accept")
@signed_in
@limited("moves")
@api.input(NothingIn, examples={"nothing": {"value": {}}})
@api.output(TicketOut)
def post_accept(no: str, json_data: NothingIn) -> TicketOut:
    """The requester accepts the work; the repair is closed (R10)."""
    return _moved(no, requester.accept)


@api.post("/repairs/<no>/refuse")
@signed_in
@limited("moves")
@api.input(ReasonIn, example={"reason": "还是不制冷"})
@api.output(TicketOut)
def post_refuse(no: str, json_data: ReasonIn) -> TicketOut:
    """The requester does not accept the work; the worker is told and goes on (R10)."""
    return _moved(no, requester.refuse, reason=json_data.reason)


@api.post("/repairs/<no>/rate")
@signed_in
@limited("moves")
@api.input(RatingIn, example={"quality": 5, "attitude": 5, "speed": 4, "result": 5, "text": "很快"})
@api.output(TicketOut)
def post_rate(no: str, json_data: RatingIn) -> TicketOut:
    """The requester's marks stand, once per repair (R10)."""
    return _moved(no, requester.rate, **json_data.model_dump())


@api.post("/repairs/<no>/take")
@signed_in
@limited("moves")
@api.input(NothingIn, examples={"nothing": {"value": {}}})
@api.output(TicketOut)
def post_take(no: str, json_data: NothingIn) -> TicketOut:
    """The worker takes the repair (接单); the requester is told (R9)."""
    return _moved(no, work.take)


@api.post("/repairs/<no>/arrive")
@signed_in
@limited("moves")
@api.input(ArriveIn, example={"door": "D7K2M9X4CDQ"})
@api.output(TicketOut)
def post_arrive(no: str, json_data: ArriveIn) -> TicketOut:
    """The worker is there, shown by the door code when it was scanned (R9)."""
    return _moved(no, work.arrive, door=json_data.door)


@api.post("/repairs/<no>/finish")
@signed_in
@limited("moves")
@api.input(FinishIn, example={"result": "fixed", "note": "换了电容", "photos": []})
@api.output(TicketOut)
def post_finish(no: str, json_data: FinishIn) -> TicketOut:
    """The work is done, for good or for the time being; the requester is asked to accept it (R9)."""
    return _moved(no, work.finish, **json_data.model_dump())


@api.post("/repairs/<no>/cannot")
@signed_in
@limited("moves")
@api.input(CannotIn, example={"note": "压缩机坏了", "proposal": "换整机", "photos": []})
@api.output(TicketOut)
def post_cannot(no: str, json_data: CannotIn) -> TicketOut:
    """It cannot be repaired: why, and what should be done, are required (R9)."""
    return _moved(no, work.cannot, **json_data.model_dump())
