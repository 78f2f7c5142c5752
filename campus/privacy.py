"""Personal data: what is sealed, shown masked, revealed with a reason, agreed to, and handed out to its owner.

Sources: FEATURES P8, P11; 个人信息保护法 articles 6 (no more than needed), 45 (see and copy what is stored).
"""

import re
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campus.access import require_for
from core import crypto
from core.db import found, hold, insert_once
from core.errors import BindingNeeded, Forbidden, Invalid, NotFound
from models.access import Actor
from models.audit import audit
from models.people import Consent, Person

PHONE = re.compile(r"^1[3-9]\d{9}$")
MIN_REASON = 4


class Policy(NamedTuple):
    version: str
    title: str
    text: str


PRIVACY = Policy(
    "2026-09",
    "后勤通隐私保护指引",
    """我们只为办理校园后勤事务处理你的个人信息:
1. 学工号、姓名、部门、宿舍:由学校名册提供,用于确认身份和上门服务的地点。
2. 手机号:用于维修人员与你联系。加密保存,界面上只显示前三位和后四位;工单关闭 30 天后不再向维修人员显示。
3. 照片和文字描述:用于说明故障情况,提交前会经过微信内容安全检查,照片中的位置等拍摄信息会被去除。
4. 微信(企业微信)账号标识:用于登录和发送进度通知。取消关注公众号后,公众号标识会被删除。
5. 位置:只在你扫码或主动选择地点时使用,不做持续定位。
你可以随时在“我的”中查看和导出我们保存的全部信息、解绑微信账号,或联系后勤服务台更正、删除。""",
)
PRIVACY_KIND = "privacy"


class ConsentNeeded(Forbidden):
    code, text = "consent_needed", "请先阅读并同意《后勤通隐私保护指引》"


def mask(phone: str) -> str:
    """The number as everybody sees it: 138****0101."""
    return f"{phone[:3]}****{phone[-4:]}"


def checked_phone(phone: str) -> str:
    """The number without spaces and country code. Raises Invalid when it is no mobile number of the mainland."""
    plain = re.sub(r"[\s\-]", "", phone).removeprefix("+86")
    if not PHONE.match(plain):
        raise Invalid(fields={"phone": "请填写 11 位手机号"})
    return plain


def sealed_phone(phone: str) -> dict[str, str]:
    """The three columns of `person` that hold a number: sealed, findable, and as everybody sees it. P8."""
    return {"phone_sealed": crypto.seal(phone), "phone_blind": crypto.blind(phone), "phone_masked": mask(phone)}


def set_phone(s: Session, *, phone: str, by: Actor, now: datetime, person_id: int | None = None) -> Person:
    """The person's number is this one, sealed. Her own, or with `person.edit` somebody's. Raises ConsentNeeded. P8, P11."""
    whose = person_id if person_id is not None else by.person_id
    if whose is None:
        raise BindingNeeded
    person = hold(s, Person, id=whose)
    if whose != by.person_id:
        require_for(s, by, "person.edit", person)
    require_consent(s, by)
    before = person.phone_masked
    for column, value in sealed_phone(checked_phone(phone)).items():
        setattr(person, column, value)
    person.updated_at = now
    audit(
        s, by, "person.set_phone", f"person:{person.campus_no}", now=now,
        before={"phone": before}, after={"phone": person.phone_masked},
    )  # fmt: skip
    s.flush()
    return person


def reveal_phone(s: Session, *, person_id: int, reason: str, by: Actor, now: datetime) -> str:
    """The whole number, once, for a reason that stays in the audit. Raises Forbidden, Invalid, NotFound. P8."""
    person = found(s, Person, id=person_id)
    require_for(s, by, "person.reveal", person)
    if len(reason.strip()) < MIN_REASON:
        raise Invalid(fields={"reason": "请写明查看原因（至少 4 个字）"})
    if person.phone_sealed is None:
        raise NotFound("没有登记手机号", person=person.campus_no)
    audit(s, by, "person.reveal", f"person:{person.campus_no}", now=now, after={"reason": reason.strip()[:500]})
    return crypto.unseal(person.phone_sealed)


def give_consent(s: Session, *, kind: str, version: str, by: Actor, now: datetime) -> None:
    """The person agreed to that version of the text. Agreeing again changes nothing. P11."""
    if by.person_id is None:
        raise BindingNeeded
    if kind != PRIVACY_KIND or version != PRIVACY.version:
        raise Invalid(fields={"version": "隐私保护指引已更新，请重新阅读"})
    insert_once(s, Consent(person_id=by.person_id, kind=kind, version=version, given_at=now))


def has_consented(s: Session, person_id: int | None, kind: str = PRIVACY_KIND) -> bool:
    """Whether the person agreed to the text in force."""
    query = sa.select(Consent.id).where(
        Consent.person_id == person_id, Consent.kind == kind, Consent.version == PRIVACY.version
    )
    return person_id is not None and s.scalar(query) is not None


def require_consent(s: Session, by: Actor) -> None:
    """Nothing happens unless a mini-program visitor has not agreed yet. Raises ConsentNeeded. P11."""
    if by.way == "mini" and not has_consented(s, by.person_id):
        raise ConsentNeeded(version=PRIVACY.version)
