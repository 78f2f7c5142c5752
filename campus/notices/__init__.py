"""Notices: a rule owes a person a kind of notice; which channel carries it is decided when it is sent. FEATURES N1–N5.

`owe` writes debts. The worker calls `plan` (which channel, which address, fitted fields), sends with no transaction
open, and calls `record`, which settles, waits, or turns to the next channel. The in-app inbox always has it.
"""

from campus.notices.fields import CannotFit, check_mapping, fit
from campus.notices.inbox import inbox, mark_read, unread
from campus.notices.kinds import AT_WORK, KINDS, USUAL, Fact, Kind, debts, owe, register
from campus.notices.plan import TOPIC, Outcome, Planned, plan
from campus.notices.quota import note_answers, on_subscribe_event, what_to_ask
from campus.notices.record import Accepted, Answer, Declined, NotNow, Unheard, on_job_finished, record
from campus.notices.templates import deliveries, mappings, remove_template, set_template

__all__ = [
    "AT_WORK",
    "KINDS",
    "TOPIC",
    "USUAL",
    "Accepted",
    "Answer",
    "CannotFit",
    "Declined",
    "Fact",
    "Kind",
    "NotNow",
    "Outcome",
    "Planned",
    "Unheard",
    "check_mapping",
    "debts",
    "deliveries",
    "fit",
    "inbox",
    "mappings",
    "mark_read",
    "note_answers",
    "on_job_finished",
    "on_subscribe_event",
    "owe",
    "plan",
    "record",
    "register",
    "remove_template",
    "set_template",
    "unread",
    "what_to_ask",
]
