"""Every object × every role (DRILLS K18, ASVS 8): who may not know of a thing must not learn of it, nor move it.

The matrix walks the app's own routes, so an endpoint that somebody adds is asked too. Each object carries words that
stand nowhere else; a refused role must never be answered with them, and nothing may have changed behind its back.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from flask import Flask
from PIL import Image

from core import clock, ids
from core.db import reading, run
from models.access import LoginSession
from models.files import StoredFile
from models.notices import Notice
from models.people import Identity, Person
from models.repairs import Ticket, TicketPhoto, TicketStep
from tests.miniprogram_api.world import PHONE, World

ROLES = ("requester", "other", "assignee", "worker", "dispatcher", "unbound", "nobody")
NOTICE_WORDS = "canary-notice-words"
TICKET_WORDS = "canary-ticket-words"
LOOSE_PHOTO_TEAL = (1, 128, 129)


@dataclass(frozen=True)
class Finding:
    """Somebody was told, or did, what was not theirs."""

    role: str
    method: str
    path: str
    why: str


@dataclass(frozen=True)
class Objects:
    """What there is to look at, and the words that give each away."""

    ticket: str
    photo: str
    loose_photo: str
    notice: int
    seen_by: dict[str, set[str]]  # words → roles that may read them
    owners: dict[str, dict[str, set[str]]]  # object → deed → roles that may


def lay_out(world: World, app: Flask) -> Objects:
    """Lin's repair with a photo, a photo she has not used yet, and a notice to her."""
    now = clock.now()
    house = app.extensions["houqin"]
    nos = []
    for colour in ((128, 1, 129), LOOSE_PHOTO_TEAL):
        row = run(lambda s: _stored(s, world.requester, now))
        house.files.put(row.no, _jpeg(colour))
        nos.append(row.no)
    run(lambda s: s.execute(sa.update(Ticket).where(Ticket.no == world.ticket).values(text=TICKET_WORDS)))
    run(lambda s: _attach(s, world.ticket, nos[0]))
    notice = run(lambda s: _told(s, world.requester, now))
    readers = {"requester", "assignee", "dispatcher"}
    return Objects(
        ticket=world.ticket,
        photo=nos[0],
        loose_photo=nos[1],
        notice=notice,
        seen_by={
            TICKET_WORDS: readers,
            PHONE: {"assignee", "dispatcher", "requester"},
            NOTICE_WORDS: {"requester"},
            world.requester.campus_no: {"requester"},
        },
        owners={
            "ticket": {
                "look": readers,
                "requester": {"requester"},
                "worker": {"assignee"},
                "cancel": {"requester", "dispatcher"},
            },
            "photo": {"look": readers},
            "loose_photo": {"look": {"requester"}},
            "notice": {"read": {"requester"}},
        },
    )


def _stored(s: Any, owner: Person, now: Any) -> StoredFile:
    row = StoredFile(
        no=ids.new("FL", now),
        mime="image/jpeg",
        sha256=ids.letters(32),
        size=9,
        width=8,
        height=8,
        owner_id=owner.id,
        stored_at=now,
    )
    s.add(row)
    s.flush()
    return row


def _attach(s: Any, ticket_no: str, file_no: str) -> None:
    ticket = s.scalars(sa.select(Ticket).filter_by(no=ticket_no)).one()
    file = s.scalars(sa.select(StoredFile).filter_by(no=file_no)).one()
    file.referred_at = clock.now()
    s.add(TicketPhoto(ticket_id=ticket.id, file_id=file.id, kind="filed"))


def _told(s: Any, person: Person, now: Any) -> int:
    notice = Notice(
        person_id=person.id, kind="matrix", about="matrix", title="消息", text=NOTICE_WORDS, facts={}, made_at=now
    )
    s.add(notice)
    s.flush()
    return notice.id


def _jpeg(colour: tuple[int, int, int]) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(out, "JPEG")
    return out.getvalue()


BODIES: dict[str, Any] = {
    "cancel": {"reason": "不用了"},
    "refuse": {"reason": "没修好"},
    "rate": {"quality": 1, "attitude": 1, "speed": 1, "result": 1},
    "finish": {"result": "fixed", "note": "好了"},
    "cannot": {"note": "坏了", "proposal": "换新"},
    "consents": {"kind": "privacy", "version": "2026-09"},
    "phone": {"phone": "13911112222"},
    "bindings": {"way": "sso", "ticket": "not-a-ticket"},
    "subscriptions": {"answers": {}},
    "repairs": {"place": "D12", "fault": "gas", "text": "matrix", "confirmed_emergency": False},
    "code": {"campus_no": "nobody", "name": "nobody", "code": "AAAA"},
    "sso": {"ticket": "not-a-ticket"},
    "mini": {"code": "not-a-code"},
    "official": {"code": "not-a-code", "state": "A"},
    "wecom": {"code": "not-a-code", "state": "A"},
}
REQUESTER_DEEDS = {"accept", "refuse", "rate"}
WORKER_DEEDS = {"take", "arrive", "finish", "cannot"}
OWN = {"logout", "read-all", "bindings"}  # touch only the asker's own things


def walk(app: Flask, world: World, objects: Objects) -> tuple[int, list[Finding]]:
    """How many questions were asked, and what should not have been answered. Refused roles ask before permitted ones."""
    client, asked, findings = app.test_client(), 0, []
    before = fingerprint(world, objects)
    for method, path, wanted in sorted(questions(app, objects), key=lambda one: one[:2]):
        last = path.split("?")[0].rstrip("/").rsplit("/", 1)[-1]
        for role in ROLES:
            if wanted is not None and role in wanted and method != "GET":
                continue  # its own deeds are the business of the other tests
            if (
                wanted is None
                and method != "GET"
                and (role not in ("nobody",) and last in OWN | {"phone", "consents", "repairs", "photos"})
            ):
                continue
            token = world.tokens.get(role)
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            if method != "GET":
                headers["Idempotency-Key"] = f"matrix-{role}-{asked}"
            options = {"json": BODIES.get(last, {})} if method in ("POST", "PUT") else {}
            answer = client.open(path, method=method, headers=headers, **options)
            asked += 1
            findings += judge(role, method, path, wanted, answer, objects)
            if method != "GET" and (after := fingerprint(world, objects)) != before:
                findings.append(
                    Finding(role, method, path, f"changed {sorted(k for k in after if after[k] != before[k])}")
                )
                before = after
    return asked, findings


def questions(app: Flask, objects: Objects) -> Iterator[tuple[str, str, set[str] | None]]:
    """Every route of /api/v1 with every object that fits into it, and the roles it is for (None: everybody's own)."""
    fills = {
        "door_code": [("door_code", None)],
        "code": [("code", None)],
        "kind": [("mini", None), ("wecom", None)],
        "notice_id": [(str(objects.notice), "notice")],
    }
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/api/v1/"):
            continue
        values: list[tuple[str, str | None]] = [("", None)]
        name = next(iter(rule.arguments), None)
        if name == "no":
            photo = "photos/" in rule.rule
            values = (
                [(objects.photo, "photo"), (objects.loose_photo, "loose_photo")]
                if photo
                else [(objects.ticket, "ticket")]
            )
        elif name is not None:
            values = fills.get(name, [(objects.ticket, "ticket")])
        for value, kind in values:
            with app.test_request_context():
                path = rule.build({name: value} if name else {})
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                address, wanted = (path or ("", rule.rule))[1], wanted_for(method, rule.rule, kind, objects)
                if "/public/photos/" in rule.rule:  # for whoever holds a key; nobody here does
                    address, wanted = f"{address}?until=9999999999&key={'0' * 32}", set()
                yield method, address, wanted


def wanted_for(method: str, rule: str, kind: str | None, objects: Objects) -> set[str] | None:
    """The roles that may do that with that object."""
    if kind is None:
        return None
    owners, last = objects.owners[kind], rule.rsplit("/", 1)[-1]
    if kind == "ticket" and method != "GET":
        deed = "cancel" if last == "cancel" else "requester" if last in REQUESTER_DEEDS else "worker"
        return owners[deed]
    return next(iter(owners.values())) if kind != "ticket" else owners["look"]


def judge(role: str, method: str, path: str, wanted: set[str] | None, answer: Any, objects: Objects) -> list[Finding]:
    """What is wrong with that answer to that role."""
    found = []
    if answer.status_code >= 500 and answer.status_code not in (502, 503):
        found.append(Finding(role, method, path, f"{answer.status_code}"))
    if wanted is not None and role not in wanted and answer.status_code not in (401, 403, 404):
        found.append(Finding(role, method, path, f"{answer.status_code} to somebody who may not"))
    if wanted is not None and role in wanted and answer.status_code in (401, 403, 404):
        found.append(Finding(role, method, path, f"{answer.status_code} to somebody who may"))
    said = answer.get_data()
    for words, readers in objects.seen_by.items():
        if role not in readers and words.encode() in said:
            found.append(Finding(role, method, path, f"tells {words}"))
    return found


def fingerprint(world: World, objects: Objects) -> dict[str, Any]:
    """Everything of the requester that nobody else may change."""
    with reading() as s:
        ticket = s.scalars(sa.select(Ticket).filter_by(no=objects.ticket)).one()
        me = world.requester.id
        count = lambda column, *where: s.scalar(sa.select(sa.func.count(column)).where(*where))  # noqa: E731
        return {
            "ticket": (ticket.state, ticket.worker_id, ticket.text),
            "steps": count(TicketStep.id, TicketStep.ticket_id == ticket.id),
            "unread": count(Notice.id, Notice.person_id == me, Notice.read_at.is_(None)),
            "sessions": count(LoginSession.id, LoginSession.person_id == me, LoginSession.ended_at.is_(None)),
            "identities": count(Identity.id, Identity.person_id == me, Identity.live.is_(True)),
            "photos": count(StoredFile.id, StoredFile.owner_id == me, StoredFile.removed_at.is_(None)),
            "phone": s.scalar(sa.select(Person.phone_masked).where(Person.id == me)),
        }
