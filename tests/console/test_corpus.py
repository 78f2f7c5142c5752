"""What hostile hands type into every field and address of the console: no 5xx, nothing runs, nothing else changes. K17."""

import re

import pytest
import sqlalchemy as sa

from campus import repairs
from core import clock
from core.db import reading, run
from models.people import Person
from models.places import Place
from tests.kit import actor, make_fault, make_person, make_place

CORPUS = [
    "' OR '1'='1' --",
    "1; DROP TABLE ticket",
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "{{7*7}}${7*7}<%= 7*7 %>",
    "=HYPERLINK(\"http://evil\",\"x\")",
    "a\r\nSet-Cookie: x=1",
    "../../etc/passwd",
    "%00\x00nul",
    "😀\u202etxt.exe",
    "\ud800",
    "9" * 400,
    "-1",
    "1e999",
    "NaN",
    "长" * 3000,
    "",
]  # fmt: skip
LOOKED_AT = {  # page: its query fields
    "/find": ["q"],
    "/tickets": ["q", "state", "place", "fault", "worker", "way", "since", "until", "cursor"],
    "/tickets/new": ["place"],
    "/tickets/hint": ["place", "fault"],
    "/tickets/callers": ["q"],
    "/people": ["q", "kind", "department", "role", "status", "cursor"],
    "/people/suggest": ["q"],
    "/places": ["at"],
    "/places/suggest": ["q"],
    "/faults": ["retired"],
    "/faults/new": ["parent"],
    "/faults/suggest": ["q", "place"],
    "/notices": ["about", "campus_no", "channel", "state", "cursor"],
    "/cases": ["kind", "all", "cursor"],
    "/audit": ["about", "campus_no", "deed", "since", "until", "cursor"],
    "/settings/calendar": ["year"],
    "/sign-in/sso/return": ["state", "ticket", "code"],
}
PATHS = [
    "/tickets/{}",
    "/people/{}",
    "/faults/{}",
    "/cases/{}",
    "/imports/{}",
    "/files/{}",
    "/notices/templates/mini/{}",
    "/{}",
]
SENT = {  # deed: its fields, and what the others hold
    "/tickets": {"place": "D12-402", "fault": "aircon", "text": "x", "campus_no": "2023010101", "contact_name": "x", "contact_phone": "13800001234", "received_at": "2026-09-01T10:00", "quantity": "1", "severity": "normal", "window_from": "", "window_until": "", "entry": "x", "idem_key": "k", "again": "y"},
    "/tickets/{no}/reject": {"reason": "x"},
    "/tickets/{no}/assign": {"worker": "1", "reason": "x"},
    "/tickets/{no}/contact": {"reason": "x"},
    "/tickets/assign": {"no": "x", "worker": "1", "reason": "x", "state": "open"},
    "/people": {"campus_no": "X1", "name": "某人", "kind": "staff", "department": "", "phone": ""},
    "/people/2023010101": {"name": "某人", "kind": "staff", "status": "active", "department": ""},
    "/people/2023010101/set-phone": {"phone": "x"},
    "/people/2023010101/phone": {"reason": "x"},
    "/people/2023010101/grants": {"role": "worker", "place": "", "department": ""},
    "/departments": {"code": "X", "name": "x", "parent": ""},
    "/places": {"code": "X1", "name": "x", "kind": "campus", "parent": "", "lat": "", "lon": "", "water_riser": "", "power_riser": ""},
    "/places/D12-402": {"name": "402", "lat": "1", "lon": "1", "water_riser": "x", "power_riser": "x"},
    "/faults": {"code": "x1", "name": "x", "parent": "", "trade": "x", "priority": "normal", "dispatch_way": "by_area", "standard_minutes": "1", "respond_minutes": "1", "finish_minutes": "1", "rank": "1", "hint": "x", "emergency_phone": "", "emergency_text": "x"},
    "/notices/templates/mini/repair_filed": {"template_id": "T", "field": "thing1", "fact": "place"},
    "/settings/notices.quiet_from": {"value": "22:00"},
    "/settings/repairs.unassigned_after": {"value": "1", "unit": "60"},
    "/settings/roles": {"name": "night", "title": "x", "deed": "repair.see"},
    "/settings/calendar/day": {"day": "2026-10-01", "kind": "holiday", "name": "x"},
    "/settings/calendar/hours": {"weekday": "0", "hours": "08:00-12:00"},
    "/settings/calendar/terms": {"name": "x", "kind": "term", "starts_on": "2026-09-01", "ends_on": "2027-01-10"},
    "/settings/operators": {"campus_no": "x", "password": "x"},
    "/account/password": {"old": "x", "password": "y", "again": "y"},
    "/prove": {"code": "1"},
}  # fmt: skip
RUNS = re.compile(r"<script>alert|<img src=x|\bonerror=alert\(1\)>[^&]*$|>49<", re.M)


@pytest.fixture
def no(db):
    make_place("D12-402", label="桃园12号楼 402")
    make_fault()
    lin = make_person("林小雨", campus_no="2023010101", phone="13800001234")
    ticket = run(
        lambda s: repairs.file_repair(
            s, place_code="D12-402", fault_code="aircon", text="x", by=actor(lin), now=clock.now()
        )
    )
    return ticket.no


def inert(answer, where) -> None:
    assert answer.status_code < 500, where
    assert "x=1" not in answer.headers.get("Set-Cookie", ""), where
    assert not RUNS.search(answer.get_data().decode(errors="replace")), where


def test_addresses(desk, no):
    admin = desk("admin")
    for nasty in CORPUS:
        typed = nasty.encode("utf-8", "surrogatepass").decode("latin-1") if "\ud800" in nasty else nasty
        for page, fields in LOOKED_AT.items():
            for field in fields:
                inert(admin.get(page, query_string={field: typed}), (page, field, nasty[:20]))
    for nasty in CORPUS:
        if "\ud800" not in nasty and "\x00" not in nasty and "\r" not in nasty:
            for page in PATHS:
                inert(admin.get(page.format(nasty)), (page, nasty[:20]))


@pytest.mark.parametrize("path", sorted(SENT))
def test_forms(desk, no, path):
    admin = desk("admin")
    with reading() as s:
        before = [s.scalar(sa.select(sa.func.count()).select_from(table)) for table in (Person, Place)]
    for field in SENT[path]:
        for nasty in CORPUS:
            if "\ud800" in nasty:
                continue  # a form cannot carry half a character
            answer = admin.post(path.format(no=no), **{**SENT[path], field: nasty})
            inert(answer, (path, field, nasty[:20]))
    for page in (
        "/tickets?state=all",
        "/people",
        "/departments",
        "/places",
        "/faults",
        "/settings",
        "/settings/roles",
        "/audit",
    ):
        inert(admin.get(page), page)
    with reading() as s:
        after = [s.scalar(sa.select(sa.func.count()).select_from(table)) for table in (Person, Place)]
    if path not in ("/people", "/places"):
        assert after == before
