"""The whole phone number of a ticket's contact, for a reason that stays in the audit. FEATURES P8."""

from datetime import datetime

from sqlalchemy.orm import Session

from campus.repairs.reading import CONTACT_HIDDEN_AFTER
from campus.repairs.scene import scene_of
from core import crypto
from core.db import found
from core.errors import Invalid, NotFound
from models.access import Actor, require
from models.audit import audit
from models.repairs import Ticket
from models.settings import setting

MIN_REASON = 4


class ContactHidden(NotFound):
    code, text = "contact_hidden", "工单已关闭较久，联系方式不再显示"


def reveal_contact(s: Session, *, no: str, reason: str, by: Actor, now: datetime) -> str:
    """The number, once. Raises Forbidden, Invalid without a reason, ContactHidden, NotFound when none was given. P8."""
    ticket = found(s, Ticket, no=no)
    place = scene_of(s, ticket).place
    require(s, by, "repair.see", at=place)
    require(s, by, "person.reveal", at=place)
    if len(reason.strip()) < MIN_REASON:
        raise Invalid(fields={"reason": "请写明查看原因（至少 4 个字）"})
    if ticket.closed_at is not None and now - ticket.closed_at > setting(s, CONTACT_HIDDEN_AFTER):
        raise ContactHidden(no=no)
    if ticket.contact_phone_sealed is None:
        raise NotFound("没有登记联系电话", no=no)
    audit(s, by, "repair.reveal", ticket.no, now=now, after={"reason": reason.strip()[:500]})
    return crypto.unseal(ticket.contact_phone_sealed)
