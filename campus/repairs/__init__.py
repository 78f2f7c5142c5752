"""Repairs 报修: from what is broken to who has mended it and how that was liked. FEATURES R.

`states.MOVES` is the one table of moves; every other file is a deed or a way of looking.
"""

from campus.repairs.content import (
    begin_photo_check,
    begin_text_check,
    on_media_checked,
    record_photo_check,
    record_text_check,
)
from campus.repairs.desk import assign, cancel_any, close, file_for, reject
from campus.repairs.dispatch import choose, dispatch, unassigned, workers_for
from campus.repairs.filing import AlreadyReported, Emergency, file_repair
from campus.repairs.pages import Page
from campus.repairs.reading import counts, list_mine, open_at, photo, public_status, suggest, ticket_view
from campus.repairs.requester import AlreadyRated, accept, cancel, rate, refuse
from campus.repairs.search import Filters, search_tickets
from campus.repairs.states import MOVES, Who, WrongState, allowed, move
from campus.repairs.views import Counts, OpenLine, PublicStatus, Suggestion, TicketLine, TicketView
from campus.repairs.work import OtherDoor, arrive, cannot, finish, take

__all__ = [
    "MOVES",
    "AlreadyRated",
    "AlreadyReported",
    "Counts",
    "Emergency",
    "Filters",
    "OpenLine",
    "OtherDoor",
    "Page",
    "PublicStatus",
    "Suggestion",
    "TicketLine",
    "TicketView",
    "Who",
    "WrongState",
    "accept",
    "allowed",
    "arrive",
    "assign",
    "begin_photo_check",
    "begin_text_check",
    "cancel",
    "cancel_any",
    "cannot",
    "choose",
    "close",
    "counts",
    "dispatch",
    "file_for",
    "file_repair",
    "finish",
    "list_mine",
    "move",
    "on_media_checked",
    "open_at",
    "photo",
    "public_status",
    "rate",
    "record_photo_check",
    "record_text_check",
    "refuse",
    "reject",
    "search_tickets",
    "suggest",
    "take",
    "ticket_view",
    "unassigned",
    "workers_for",
]
