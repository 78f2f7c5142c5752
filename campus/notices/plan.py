"""Which channel carries a notice now, to which address, with which words. FEATURES N1–N5.

`plan` works on a whole batch with a handful of statements: 40,000 people are told in one go (N6), and a query per
person would cost more than the sending. What was begun and not answered is repeated under the same key where the
platform has one (official-account client_msg_id, WeCom duplicate check, the SMS gateway's own id); where it has
none, it is repeated once and the record says "perhaps twice" (N5).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campus.notices.fields import fit, plain
from campus.notices.kinds import KINDS, Kind, page_of, wording
from core import clock, crypto, log
from core.db import insert_new
from models.notices import Channel, Notice, NoticeTry, SubscriptionQuota, TemplateMap, TryState
from models.outbox import Leased
from models.people import Follower, Identity, IdentityKind, Person, PersonStatus
from models.settings import Setting, setting

_log = log.get(__name__)

TOPIC = "notice"
QUIET_FROM = Setting("notices.quiet_from", "23:00", source="N1", title="免打扰开始")
QUIET_UNTIL = Setting("notices.quiet_until", "07:00", source="N1", title="免打扰结束")

# How long the platform itself drops a repeat under the same key. PROTOCOLS 1.11, 3.4, and the SMS gateway for a day.
KEYED: dict[Channel, timedelta] = {
    Channel.OFFICIAL: timedelta(minutes=10),
    Channel.WECOM: timedelta(hours=4),
    Channel.SMS: timedelta(hours=24),
}
SENDS_AT_MOST = 2
PATIENCE = timedelta(minutes=3)  # with one channel, when it is urgent


class Outcome(StrEnum):
    SEND = "send"
    DONE = "done"
    WAIT = "wait"
    LET_GO = "let_go"


@dataclass(frozen=True, slots=True)
class Planned:
    """What the worker does with one debt. For `send`: one message to one address, with a key that stays the same."""

    debt: Leased
    outcome: Outcome
    person_id: int = 0
    channel: Channel | None = None
    try_id: int = 0
    key: str = ""
    address: str = ""
    template_id: str = ""
    data: dict[str, str] = field(default_factory=dict)
    title: str = ""
    text: str = ""
    page: str | None = None
    until: datetime | None = None
    answer: str = ""


@dataclass(slots=True)
class _Known:
    """What the batch needs to know, read once."""

    notices: dict[tuple[int, str, str], tuple[int, str]]
    tries: dict[int, list[Any]]
    identities: dict[tuple[int, str], str]
    follows: set[str]
    phones: dict[int, str]
    quotas: dict[tuple[int, str], int]
    templates: dict[tuple[str, str], TemplateMap]


def plan(s: Session, debts: Sequence[Leased], *, on: frozenset[Channel], now: datetime) -> list[Planned]:
    """One answer per debt. `on` are the channels whose platform is configured. The inbox has every notice afterwards."""
    known_kinds = [debt for debt in debts if debt.payload["kind"] in KINDS]
    planned = [
        Planned(debt, Outcome.LET_GO, answer=f"unknown kind {debt.payload['kind']}"[:190])
        for debt in debts
        if debt.payload["kind"] not in KINDS
    ]
    if not known_kinds:
        return planned
    quiet_until = _quiet_until(s, now)
    known = _look(s, known_kinds, on, now)
    sends: list[tuple[Leased, Channel, int, Any]] = []
    for debt in known_kinds:
        kind, person_id = KINDS[debt.payload["kind"]], debt.payload["person"]
        if debt.useful_until and now > debt.useful_until:
            _log.info("notice too late, let go", kind=kind.name, about=debt.payload["about"])
            planned.append(Planned(debt, Outcome.LET_GO, answer="too late"))
            continue
        if quiet_until and not kind.urgent:
            planned.append(Planned(debt, Outcome.WAIT, until=quiet_until, answer="quiet hours"))
            continue
        notice_id, _ = known.notices[(person_id, kind.name, debt.payload["about"])]
        if (chosen := _choose(kind, person_id, notice_id, known, on, now, debt.owed_at)) is None:
            planned.append(Planned(debt, Outcome.DONE, person_id=person_id, answer="inbox"))
        else:
            sends.append((debt, chosen[0], notice_id, chosen[1]))
    return planned + _begin(s, sends, known, now)


def _choose(
    kind: Kind,
    person_id: int,
    notice_id: int,
    known: _Known,
    on: frozenset[Channel],
    now: datetime,
    owed_at: datetime,
) -> tuple[Channel, Any] | None:
    """The next channel that can reach the person, and the earlier try there when it is a repeat. None: only the inbox.

    What is urgent does not wait long for a platform that stays away: another channel is taken while there is one.
    """
    tried = {row.channel: row for row in known.tries.get(notice_id, ())}
    waited_for = None
    for channel in kind.order:
        earlier = tried.get(channel)
        if earlier is not None:
            if earlier.state in (TryState.ACCEPTED, TryState.DELIVERED):
                return None  # told; the crash came between the platform's yes and our writing it down
            if earlier.state in (TryState.REFUSED, TryState.FAILED):
                continue
            if earlier.state is not TryState.LATER and not _may_repeat(channel, earlier, now):
                continue
        if channel in on and _address(channel, person_id, known) and _can_carry(channel, kind, person_id, known):
            if earlier is None or not kind.urgent or now - owed_at <= PATIENCE:
                return channel, earlier
            waited_for = waited_for or (channel, earlier)
    return waited_for


def _may_repeat(channel: Channel, earlier: Any, now: datetime) -> bool:
    if channel in KEYED and now - earlier.tried_at < KEYED[channel]:
        return True
    return bool(earlier.sends < SENDS_AT_MOST)


def _address(channel: Channel, person_id: int, known: _Known) -> str:
    if channel is Channel.SMS:
        return known.phones.get(person_id, "")
    subject = known.identities.get((person_id, channel.value), "")
    if channel is Channel.OFFICIAL and subject not in known.follows:
        return ""
    return subject


def _can_carry(channel: Channel, kind: Kind, person_id: int, known: _Known) -> bool:
    if channel in (Channel.WECOM, Channel.SMS):
        return True
    template = known.templates.get((channel.value, kind.name))
    if template is None:
        return False
    return channel is Channel.OFFICIAL or known.quotas.get((person_id, template.template_id), 0) > 0


def _begin(s: Session, sends: list[tuple[Leased, Channel, int, Any]], known: _Known, now: datetime) -> list[Planned]:
    """The tries stand in the delivery record before anything is sent, so that a crash leaves a trace."""
    if not sends:
        return []
    fresh = [send for send in sends if send[3] is None]
    if fresh:
        insert_new(
            s,
            NoticeTry,
            [
                {
                    "notice_id": notice_id,
                    "channel": channel,
                    "state": TryState.SENDING,
                    "template_id": _template_id(channel, debt, known),
                    "sends": 1,
                    "perhaps_twice": False,
                    "tried_at": now,
                }
                for debt, channel, notice_id, _ in fresh
            ],
        )
    for _, channel, _, earlier in sends:
        if earlier is not None:
            again = earlier.state is not TryState.LATER
            keyed = channel in KEYED and now - earlier.tried_at < KEYED[channel]
            s.connection().execute(
                sa.update(NoticeTry)
                .where(NoticeTry.id == earlier.id)
                .values(
                    state=TryState.SENDING,
                    sends=NoticeTry.sends + (1 if again else 0),
                    perhaps_twice=earlier.perhaps_twice or (again and not keyed),
                    # The key is only good for so long after the first send, so that moment is kept for a keyed repeat.
                    tried_at=earlier.tried_at if again and keyed else now,
                )
            )
    ids = {
        (row.notice_id, row.channel): row.id
        for row in s.execute(
            sa.select(NoticeTry.id, NoticeTry.notice_id, NoticeTry.channel).where(
                NoticeTry.notice_id.in_([notice_id for _, _, notice_id, _ in sends])
            )
        )
    }
    return [
        _planned(debt, channel, notice_id, ids[(notice_id, channel)], known) for debt, channel, notice_id, _ in sends
    ]


def _planned(debt: Leased, channel: Channel, notice_id: int, try_id: int, known: _Known) -> Planned:
    kind, person_id = KINDS[debt.payload["kind"]], debt.payload["person"]
    facts, template = debt.payload["facts"], known.templates.get((channel.value, kind.name))
    return Planned(
        debt,
        Outcome.SEND,
        person_id=person_id,
        channel=channel,
        try_id=try_id,
        key=f"N{notice_id}",
        address=_address(channel, person_id, known),
        template_id=template.template_id if template else "",
        data={name: fit(name, fact, facts.get(fact)) for name, fact in template.fields.items()} if template else {},
        title=kind.title,
        text=known.notices[(person_id, kind.name, debt.payload["about"])][1],
        page=page_of(kind, debt.payload["about"]),
    )


def _template_id(channel: Channel, debt: Leased, known: _Known) -> str | None:
    template = known.templates.get((channel.value, debt.payload["kind"]))
    return template.template_id if template else None


def _look(s: Session, debts: Sequence[Leased], on: frozenset[Channel], now: datetime) -> _Known:
    people_ids = sorted({debt.payload["person"] for debt in debts})
    people = {
        row.id: row
        for row in s.execute(sa.select(Person.id, Person.status, Person.phone_sealed).where(Person.id.in_(people_ids)))
    }
    notices = _inbox_rows(s, debts, people, now)
    repeats = [notices[_triple(debt)][0] for debt in debts if debt.attempts > 1 or debt.was_in_doubt]
    tries: dict[int, list[Any]] = {}
    if repeats:
        for row in s.execute(
            sa.select(
                NoticeTry.id, NoticeTry.notice_id, NoticeTry.channel, NoticeTry.state, NoticeTry.sends,
                NoticeTry.perhaps_twice, NoticeTry.tried_at,
            ).where(NoticeTry.notice_id.in_(repeats))
        ):  # fmt: skip
            tries.setdefault(row.notice_id, []).append(row)
    active = [person_id for person_id, row in people.items() if row.status is PersonStatus.ACTIVE]
    identities: dict[tuple[int, str], str] = {
        (row.person_id, row.kind.value): row.subject
        for row in s.execute(
            sa.select(Identity.person_id, Identity.kind, Identity.subject).where(
                Identity.person_id.in_(active),
                Identity.live.is_(True),
                Identity.kind.in_([IdentityKind.MINI, IdentityKind.OFFICIAL, IdentityKind.WECOM]),
            )
        )
    }
    openids = [subject for (_, kind), subject in identities.items() if kind == Channel.OFFICIAL.value]
    follows = (
        set(s.scalars(sa.select(Follower.openid).where(Follower.openid.in_(openids), Follower.follows.is_(True))))
        if openids
        else set()
    )
    quotas: dict[tuple[int, str], int] = {}
    if Channel.MINI in on:
        quotas = {
            (row.person_id, row.template_id): row.remaining
            for row in s.execute(
                sa.select(
                    SubscriptionQuota.person_id, SubscriptionQuota.template_id, SubscriptionQuota.remaining
                ).where(SubscriptionQuota.person_id.in_(active), SubscriptionQuota.remaining > 0)
            )
        }
    templates = {(row.channel.value, row.kind): row for row in s.scalars(sa.select(TemplateMap))}
    phones = (
        {
            row.id: crypto.unseal(row.phone_sealed)
            for row in people.values()
            if row.phone_sealed and row.id in set(active)
        }
        if Channel.SMS in on
        else {}
    )
    return _Known(notices, tries, identities, follows, phones, quotas, templates)


def _inbox_rows(
    s: Session, debts: Sequence[Leased], people: dict[int, Any], now: datetime
) -> dict[tuple[int, str, str], tuple[int, str]]:
    """Every notice has its inbox row; (person, kind, about) → its id and words."""
    rows = []
    for debt in debts:
        person_id, name, about = _triple(debt)
        kind, facts = KINDS[name], debt.payload["facts"]
        rows.append(
            {
                "person_id": person_id, "kind": name, "about": about, "title": kind.title, "text": plain(wording(kind, facts)),
                "page": page_of(kind, about), "facts": facts, "made_at": now,
            }
        )  # fmt: skip
    insert_new(s, Notice, rows)
    found = s.connection().execute(
        sa.select(Notice.id, Notice.person_id, Notice.kind, Notice.about, Notice.text).where(
            Notice.person_id.in_(list(people)),
            Notice.kind.in_(sorted({row["kind"] for row in rows})),
            Notice.about.in_(sorted({row["about"] for row in rows})),
        )
    )
    return {(row.person_id, row.kind, row.about): (row.id, row.text) for row in found}


def _triple(debt: Leased) -> tuple[int, str, str]:
    return debt.payload["person"], debt.payload["kind"], debt.payload["about"]


def _quiet_until(s: Session, now: datetime) -> datetime | None:
    """When the quiet hours that run now end; None outside them. They may cross midnight; from and until alike: none."""
    day, begins, ends = clock.campus_day(now), setting(s, QUIET_FROM), setting(s, QUIET_UNTIL)
    if begins == ends:
        return None
    for start_day in (day - timedelta(days=1), day):
        start = clock.at(start_day, begins)
        end = clock.at(start_day + timedelta(days=1) if ends <= begins else start_day, ends)
        if start <= now < end:
            return end
    return None
