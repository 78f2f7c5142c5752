"""The in-app inbox, and the one-time subscriptions that a tap grants. FEATURES N1, N3, N7."""

from typing import Annotated, Literal

from pydantic import Field

from campus import notices
from core import clock
from core.db import reading, run
from miniprogram_api.frame import api, current_actor, cursor_for, polled, read_cursor, signed_in
from miniprogram_api.kinds import In, Moment, Out, PageQuery, Query, word
from miniprogram_api.limits import limited

LARGEST_ID = 2**63 - 1


class MessageOut(Out):
    id: int
    kind: str
    title: str
    text: str
    at: Moment
    read: bool
    page: str | None


class MessagesOut(Out):
    items: list[MessageOut]
    next: str | None


class UnreadOut(Out):
    unread: int


class ForQuery(Query):
    for_: word(32) = Field(
        alias="for", description="What the person is about to do: repair_file, repair_rate, repair_work"
    )


class AskOut(Out):
    ask: Annotated[list[str], Field(max_length=3)]


class AnswersIn(In):
    answers: Annotated[
        dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")], Literal["accept", "reject", "ban"]],
        Field(max_length=5),
    ]


class QuotaOut(Out):
    quota: dict[str, int]


@api.get("/inbox")
@signed_in
@polled(30)
@api.input(PageQuery, location="query")
@api.output(
    MessagesOut, links={"read": {"operationId": "post_read", "parameters": {"notice_id": "$response.body#/items/0/id"}}}
)
def get_inbox(query_data: PageQuery) -> MessagesOut:
    """What the person was told, newest first."""
    with reading() as s:
        rows = notices.inbox(
            s, by=current_actor(), before_id=read_cursor("inbox", query_data.cursor), limit=query_data.limit
        )
    more = rows[-1].id if len(rows) == query_data.limit else None
    return MessagesOut(
        items=[
            MessageOut(
                id=row.id,
                kind=row.kind,
                title=row.title,
                text=row.text,
                at=row.made_at,
                read=row.read_at is not None,
                page=row.page,
            )
            for row in rows
        ],
        next=cursor_for("inbox", more),
    )


@api.get("/inbox/unread")
@signed_in
@polled(15)
@api.output(UnreadOut)
def get_unread() -> UnreadOut:
    """How many notices the person has not opened."""
    with reading() as s:
        return UnreadOut(unread=notices.unread(s, by=current_actor()))


@api.post(f"/inbox/<int(max={LARGEST_ID}):notice_id>/read")
@signed_in
@limited("moves")
@api.output({}, status_code=204)
def post_read(notice_id: int) -> str:
    """That notice is read. Reading it again changes nothing; somebody else's is not found."""
    run(lambda s: notices.mark_read(s, notice_id=notice_id, by=current_actor(), now=clock.now()))
    return ""


@api.post("/inbox/read-all")
@signed_in
@limited("moves")
@api.output({}, status_code=204)
def post_read_all() -> str:
    """Every notice of the person is read."""
    run(lambda s: notices.mark_read(s, notice_id=None, by=current_actor(), now=clock.now()))
    return ""


@api.get("/subscriptions")
@signed_in
@api.input(ForQuery, location="query")
@api.output(AskOut)
def get_subscriptions(query_data: ForQuery) -> AskOut:
    """Which templates to ask for in the tap that comes now: those of which nothing is left, at most three."""
    with reading() as s:
        return AskOut(ask=notices.what_to_ask(s, for_=query_data.for_.replace("_", "."), by=current_actor()))


@api.post("/subscriptions")
@signed_in
@limited("moves")
@api.input(AnswersIn, example={"answers": {"tmpl-1": "accept"}})
@api.output(QuotaOut)
def post_subscriptions(json_data: AnswersIn) -> QuotaOut:
    """What the person answered is in the ledger; how many sends each template has left."""
    by, now = current_actor(), clock.now()
    return QuotaOut(quota=run(lambda s: notices.note_answers(s, answers=dict(json_data.answers), by=by, now=now)))
