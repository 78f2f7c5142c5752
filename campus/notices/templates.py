"""Which template carries which kind on which channel, set by the office; and the delivery records it reads. N2, N5."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campus.notices.fields import check_mapping
from campus.notices.kinds import KINDS
from core.errors import Invalid, NotFound
from models.access import Actor, require
from models.audit import audit
from models.notices import Channel, Notice, NoticeTry, TemplateMap, TryState
from models.people import Person

TEMPLATED = (Channel.MINI, Channel.OFFICIAL)


def mappings(s: Session) -> Sequence[TemplateMap]:
    """Every mapping, by channel and kind."""
    return s.scalars(sa.select(TemplateMap).order_by(TemplateMap.kind, TemplateMap.channel)).all()


def set_template(
    s: Session, *, channel: Channel, kind: str, template_id: str, fields: dict[str, str], by: Actor, now: datetime
) -> TemplateMap:
    """From now on that template carries the kind there. Raises CannotFit when a field can never take its fact. N2."""
    require(s, by, "notice.configure")
    if kind not in KINDS:
        raise NotFound(what="notice kind", kind=kind)
    if channel not in TEMPLATED:
        raise Invalid(fields={"channel": "该渠道不用模板"})
    if not template_id or len(template_id) > 64:
        raise Invalid(fields={"template_id": "模板编号有误"})
    check_mapping(KINDS[kind], fields)
    row = s.scalars(
        sa.select(TemplateMap).where(TemplateMap.channel == channel, TemplateMap.kind == kind)
    ).one_or_none()
    before = None if row is None else {"template_id": row.template_id, "fields": row.fields}
    if row is None:
        row = TemplateMap(channel=channel, kind=kind, template_id=template_id, fields=dict(fields), changed_at=now)
        s.add(row)
    row.template_id, row.fields, row.changed_at = template_id, dict(fields), now
    s.flush()
    audit(
        s,
        by,
        "notice.configure",
        f"{channel}:{kind}",
        now=now,
        before=before,
        after={"template_id": template_id, "fields": fields},
    )
    return row


def remove_template(s: Session, *, channel: Channel, kind: str, by: Actor, now: datetime) -> None:
    """The kind is no longer sent there."""
    require(s, by, "notice.configure")
    row = s.scalars(
        sa.select(TemplateMap).where(TemplateMap.channel == channel, TemplateMap.kind == kind)
    ).one_or_none()
    if row is None:
        raise NotFound(what="template mapping")
    s.delete(row)
    audit(
        s,
        by,
        "notice.configure",
        f"{channel}:{kind}",
        now=now,
        before={"template_id": row.template_id, "fields": row.fields},
    )


def deliveries(
    s: Session,
    *,
    by: Actor,
    about: str | None = None,
    campus_no: str | None = None,
    channel: Channel | None = None,
    state: TryState | None = None,
    before_id: int | None = None,
    limit: int = 50,
) -> Sequence[sa.Row[NoticeTry, Notice, Person]]:
    """Delivery records with their notice and person, newest first: (NoticeTry, Notice, Person)."""
    require(s, by, "notice.see")
    query = (
        sa.select(NoticeTry, Notice, Person)
        .join(Notice, Notice.id == NoticeTry.notice_id)
        .join(Person, Person.id == Notice.person_id)
        .order_by(NoticeTry.id.desc())
        .limit(limit)
    )
    if about:
        query = query.where(sa.or_(Notice.about == about, Notice.about.startswith(f"{about}/", autoescape=True)))
    if campus_no:
        query = query.where(Person.campus_no == campus_no)
    if channel:
        query = query.where(NoticeTry.channel == channel)
    if state:
        query = query.where(NoticeTry.state == state)
    if before_id:
        query = query.where(NoticeTry.id < before_id)
    return s.execute(query).all()
