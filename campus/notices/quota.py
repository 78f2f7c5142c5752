"""One-time subscriptions: granted by a tap, spent by a send, corrected by 43101. FEATURES N3, PROTOCOLS 2.6."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campus.notices.kinds import KINDS
from core.db import insert_once
from core.errors import BindingNeeded, Invalid
from models.access import Actor
from models.notices import Channel, QuotaMove, SubscriptionQuota, TemplateMap
from models.people import Identity, IdentityKind

ASK_AT_MOST = 3  # wx.requestSubscribeMessage takes three templates of one kind at a time
KEEP_AT_MOST = 20


def what_to_ask(s: Session, *, for_: str, by: Actor) -> list[str]:
    """The mini-program templates to ask the person for at this moment: those whose quota is used up. At most three."""
    kinds = [kind.name for kind in KINDS.values() if for_ in kind.asked_with]
    if by.person_id is None or not kinds:
        return []
    templates = s.scalars(
        sa.select(TemplateMap.template_id).where(TemplateMap.channel == Channel.MINI, TemplateMap.kind.in_(kinds))
    ).all()
    rows = s.execute(
        sa.select(SubscriptionQuota.template_id, SubscriptionQuota.remaining).where(
            SubscriptionQuota.person_id == by.person_id, SubscriptionQuota.template_id.in_(templates)
        )
    )
    left = {row.template_id: row.remaining for row in rows}
    return [template for template in dict.fromkeys(templates) if left.get(template, 0) < 1][:ASK_AT_MOST]


def note_answers(s: Session, *, answers: dict[str, str], by: Actor, now: datetime) -> dict[str, int]:
    """What the person answered to the client's question is in the ledger; the quotas after it. `accept` grants one send."""
    if by.person_id is None:
        raise BindingNeeded()
    known = set(s.scalars(sa.select(TemplateMap.template_id).where(TemplateMap.channel == Channel.MINI)))
    if unknown := set(answers) - known:
        raise Invalid(fields=dict.fromkeys(unknown, "没有这个模板"))
    return {template: _answered(s, by.person_id, template, answer, now) for template, answer in answers.items()}


def on_subscribe_event(s: Session, *, openid: str, items: list[dict[str, Any]], now: datetime) -> None:
    """The platform says somebody refuses a template from now on: nothing remains of the quota.

    Grants come from the client, which hears the same tap; counting the event too would count it twice.
    """
    person_id = s.scalar(
        sa.select(Identity.person_id).where(
            Identity.kind == IdentityKind.MINI, Identity.subject == openid, Identity.live.is_(True)
        )
    )
    for item in items:
        if person_id is not None and item.get("SubscribeStatusString") == "reject":
            empty(s, person_id, str(item.get("TemplateId", ""))[:64], now=now, reason="rejected")


def _answered(s: Session, person_id: int, template_id: str, answer: str, now: datetime) -> int:
    row = _row(s, person_id, template_id, now)
    if answer == "accept" and row.remaining < KEEP_AT_MOST:
        row.remaining += 1
        row.refused_at = None
        _moved(s, person_id, template_id, +1, "granted", now)
    elif answer in ("reject", "ban"):
        row.refused_at = now
    row.changed_at = now
    return row.remaining


def empty(s: Session, person_id: int, template_id: str, *, now: datetime, reason: str) -> None:
    """Nothing remains: the platform said 43101, or the person refused."""
    row = _row(s, person_id, template_id, now)
    if row.remaining:
        _moved(s, person_id, template_id, -row.remaining, reason, now)
    row.remaining, row.refused_at, row.changed_at = 0, now, now


def spend(s: Session, rows: list[tuple[int, str]], *, now: datetime) -> None:
    """One send fewer for each of these (person, template)."""
    for person_id, template_id in rows:
        taken = s.connection().execute(
            sa.update(SubscriptionQuota)
            .where(
                SubscriptionQuota.person_id == person_id,
                SubscriptionQuota.template_id == template_id,
                SubscriptionQuota.remaining > 0,
            )
            .values(remaining=SubscriptionQuota.remaining - 1, changed_at=now)
        )
        if taken.rowcount:
            _moved(s, person_id, template_id, -1, "spent", now)


def _row(s: Session, person_id: int, template_id: str, now: datetime) -> SubscriptionQuota:
    query = (
        sa.select(SubscriptionQuota)
        .where(SubscriptionQuota.person_id == person_id, SubscriptionQuota.template_id == template_id)
        .with_for_update()
    )
    if (row := s.scalars(query).one_or_none()) is not None:
        return row
    row = SubscriptionQuota(person_id=person_id, template_id=template_id, remaining=0, changed_at=now)
    return row if insert_once(s, row) else s.scalars(query).one()


def _moved(s: Session, person_id: int, template_id: str, delta: int, reason: str, now: datetime) -> None:
    s.add(QuotaMove(person_id=person_id, template_id=template_id, delta=delta, reason=reason, at=now))
