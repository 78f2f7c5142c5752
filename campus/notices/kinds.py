"""What people can be told: every kind of notice with its words, its channels and its last useful moment. FEATURES N1.

An area registers its kinds beside its rules; this module knows none of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy.orm import Session

from core.clock import to_campus
from models.notices import Channel
from models.outbox import Priority, new_debt, owe_many

USUAL = (Channel.MINI, Channel.OFFICIAL, Channel.WECOM, Channel.SMS)
AT_WORK = (Channel.WECOM, Channel.OFFICIAL, Channel.MINI, Channel.SMS)
USEFUL_FOR = timedelta(days=3)


class Fact(StrEnum):
    """What kind of value a fact is; decides which template fields may carry it (N2)."""

    CODE = "code"  # a public number
    TEXT = "text"
    PHRASE = "phrase"  # at most five 汉字: a state
    MOMENT = "moment"
    NAME = "name"
    AMOUNT = "amount"


# The same word means the same thing in every kind.
FACTS: dict[str, Fact] = {
    "no": Fact.CODE,
    "title": Fact.TEXT,
    "place": Fact.TEXT,
    "fault": Fact.TEXT,
    "text": Fact.TEXT,
    "status": Fact.PHRASE,
    "at": Fact.MOMENT,
    "worker": Fact.NAME,
    "person": Fact.NAME,
    "amount": Fact.AMOUNT,
}


@dataclass(frozen=True)
class Kind:
    """One kind of notice. `text` is a format string over the facts; `page` may name {about}.

    `asked_with` names the moments at which the client asks for a one-time subscription for it (N3).
    """

    name: str
    title: str
    text: str
    facts: tuple[str, ...] = ()
    order: tuple[Channel, ...] = USUAL
    urgent: bool = False
    useful_for: timedelta | None = None
    page: str | None = None
    asked_with: tuple[str, ...] = field(default=())


KINDS: dict[str, Kind] = {}


def register(kind: Kind) -> Kind:
    """The kind exists from now on. Every fact it names has a meaning in FACTS."""
    if unknown := set(kind.facts) - set(FACTS):
        raise ValueError(f"{kind.name}: facts without a meaning: {sorted(unknown)}")
    KINDS[kind.name] = kind
    return kind


def owe(
    s: Session,
    kind: str,
    *,
    to: int | Iterable[int],
    about: str,
    now: datetime,
    priority: Priority | None = None,
    **facts: Any,
) -> int:
    """Each of these people is owed the notice once per thing it is about; how many are newly owed. N1.

    What may be said again about the same thing names the round: `WX…/2` opens the page of `WX…`.
    """
    return owe_many(s, debts(kind, to=to, about=about, now=now, priority=priority, **facts))


def debts(
    kind: str,
    *,
    to: int | Iterable[int],
    about: str,
    now: datetime,
    priority: Priority | None = None,
    **facts: Any,
) -> list[dict[str, Any]]:
    """The rows that `owe` writes, for a rule that owes other things in the same statement."""
    what = KINDS[kind]
    people = [to] if isinstance(to, int) else sorted(set(to))
    said = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in facts.items()}
    return [
        new_debt(
            "notice",
            key=f"notice:{kind}:{about}:{person}",
            due_at=now,
            priority=priority or (Priority.URGENT if what.urgent else Priority.NORMAL),
            lane=f"person:{person}",
            useful_until=now + (what.useful_for or USEFUL_FOR),
            kind=kind,
            person=person,
            about=about,
            facts=said,
        )
        for person in people
    ]


def page_of(kind: Kind, about: str) -> str | None:
    """The page the notice opens (N7); a round after the number is not part of it."""
    return kind.page.format(about=about.partition("/")[0]) if kind.page else None


def wording(kind: Kind, facts: dict[str, Any]) -> str:
    """What the person reads; a fact that was not given leaves a gap, never an error at night."""
    return kind.text.format_map(_Blank(shown(facts)))


def shown(facts: dict[str, Any]) -> dict[str, str]:
    """Facts as people read them: moments on the campus clock."""
    return {
        name: f"{to_campus(datetime.fromisoformat(value)):%m月%d日 %H:%M}"
        if FACTS.get(name) is Fact.MOMENT and isinstance(value, str)
        else str(value)
        for name, value in facts.items()
        if value is not None
    }


class _Blank(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return ""
