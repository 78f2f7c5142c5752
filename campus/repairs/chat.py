"""Reporting a repair in a chat: scan a door, answer a number, or type one line. FEATURES R1.

Pure rules over the session: who is chatting comes in, words and pages go out; the door makes links of the pages. What
somebody is about to report is a row (`Draft`), one per chatter, good for 15 minutes, so that any process can go on with
it and somebody who has to be bound first still files with the number.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Session

from campus.repairs import faults, matching, words
from campus.repairs.faults import Fault
from campus.repairs.filing import Emergency, emergency, file_at, page_danger
from campus.repairs.reading import open_at
from campus.repairs.scene import FAULT_COLUMNS, PLACE_COLUMNS, Site
from campus.repairs.states import OPEN
from campus.sessions import Known
from core.db import insert_if_new
from models.access import Actor, read_active, require
from models.people import Identity, Person, PersonStatus
from models.places import DoorCode, Place
from models.repairs import Draft, FaultType, RepairState, Ticket
from models.settings import Setting, setting

GOOD_FOR = Setting("repairs.chat_minutes", timedelta(minutes=15), source="R1", title="聊天报修有效时间")
OTHER = "other"  # the fault type for what a chatter describes in words of their own, when the office has one
SHOWN = 6

_AFTER = re.compile(r"^[\s::,,、。]+")

Link = tuple[str, str]
BIND: Link = ("绑定校园身份", "/pages/binding/binding")
FORM: Link = ("填写报修单", "/pages/repair/file")
MINE: Link = ("我的报修", "/pages/repairs/repairs")


@dataclass(frozen=True, slots=True)
class ChatReply:
    """What is answered, and the client pages offered with it: (label, page)."""

    text: str
    links: tuple[Link, ...] = ()


HELP = ChatReply(
    "报修很简单：\n1. 扫门口的二维码，回复数字即可；\n2. 或发送：报修 地点 问题，例如“报修 D12-402 空调不制冷”；\n"
    "3. 发送“进度”查看我的报修。",
    (FORM, MINE),
)
NOT_KNOWN = "您还没有绑定校园身份。"


# ---- a scan ---------------------------------------------------------------------------------------------------------


def on_scan(s: Session, *, identity: Known, door_code: str, now: datetime) -> ChatReply:
    """The place, what is being repaired there, and the six commonest faults to choose from; the draft stands. R1."""
    row = s.execute(_DOOR, {"door": door_code.strip().upper(), **_me(identity)}).one_or_none()
    if row is None:
        return ChatReply("没有认出这个门牌码，可能已经更换。请直接填写报修单：", (FORM,))
    place, person_id = row
    choices = faults.common_at(s, place, SHOWN, now=now)
    _keep(s, identity, place.id, [fault.code for fault in choices], now)
    lines = [place.label]
    if being_done := open_at(s, place.id, 3):
        lines += ["正在处理：", *(f"· {one.fault_name}（{one.state_title}）" for one in being_done)]
    lines += ["哪里坏了？回复数字即可报修：", *(f"{at} {fault.name}" for at, fault in enumerate(choices, 1))]
    lines.append("都不是？发送“报修 问题描述”，或填写报修单（可拍照）。")
    links: tuple[Link, ...] = ((FORM[0], f"{FORM[1]}?door={door_code.strip().upper()}"),)
    if person_id is None:
        lines.append(NOT_KNOWN + "请先绑定，再回来回复数字：")
        links = (BIND, *links)
    return ChatReply("\n".join(lines), links)


def _keep(s: Session, identity: Known, place_id: int, choices: list[str], now: datetime) -> None:
    """The chatter's one draft is this one from now on."""
    values = {
        "place_id": place_id, "choices": choices, "started_at": now, "expires_at": now + setting(s, GOOD_FOR),
    }  # fmt: skip
    if s.connection().execute(_RENEWED, values | _me(identity)).rowcount:
        return
    first = {"identity_kind": identity.kind.value, "subject": identity.subject} | values
    if insert_if_new(s, Draft, first) is None:  # her other scan was first
        s.connection().execute(_RENEWED, values | _me(identity))


# ---- typed text ------------------------------------------------------------------------------------------------------


class _Caller(NamedTuple):
    """The person behind an identity, as columns."""

    id: int
    name: str
    phone_sealed: str | None
    phone_masked: str | None


class _Drafted(NamedTuple):
    """What a chatter is about to report, and where, as columns."""

    id: int
    choices: list[str]
    started_at: datetime
    place_id: int
    place_code: str
    place_label: str

    @property
    def where(self) -> tuple[int, str, str]:
        return self.place_id, self.place_code, self.place_label

    @property
    def form(self) -> Link:
        return FORM[0], f"{FORM[1]}?place={self.place_code}"


@dataclass(frozen=True, slots=True)
class _Chatter:
    """Who is chatting, and what they are about to report."""

    identity: Known
    person: _Caller | None
    draft: _Drafted | None
    now: datetime
    request_id: str

    @property
    def by(self) -> Actor:
        return Actor(self.person.id if self.person else None, self.identity.kind.value, self.request_id)


def on_text(s: Session, *, identity: Known, text: str, now: datetime, request_id: str = "") -> ChatReply:
    """A number or "报修 …" files a repair and answers its number; "进度" and "帮助" answer; all else is helped. R1."""
    said = " ".join(unicodedata.normalize("NFKC", text).split())
    if said.isdecimal() and len(said) <= 2:
        return _number(s, _chatter(s, identity, now, request_id), int(said))
    if said.startswith("报修"):
        rest = _AFTER.sub("", said.removeprefix("报修"))
        if (usual := _usual(s, identity, now, request_id, rest)) is not None:
            return usual
        return _report(s, _chatter(s, identity, now, request_id), rest)
    if said in ("进度", "我的报修", "查询", "查进度", "报修进度"):
        return on_progress(s, identity=identity, now=now)
    return HELP


def on_menu(s: Session, *, identity: Known, key: str, now: datetime) -> ChatReply:
    """A click in the account's menu: `repair` tells how to file, `progress` shows my open tickets, all else helps. R1."""
    if key.lower() in ("progress", "repair_progress", "repair_mine", "my_repairs"):
        return on_progress(s, identity=identity, now=now)
    if key.lower() in ("repair", "repair_file"):
        return ChatReply("扫门口的二维码最快；也可以发送“报修 地点 问题”，或填写报修单（可拍照）：", (FORM, MINE))
    return HELP


def on_progress(s: Session, *, identity: Known, now: datetime) -> ChatReply:
    """My open tickets, newest first, at most five."""
    person_id = s.scalar(_PERSON_ID, _me(identity))
    if person_id is None:
        return ChatReply(NOT_KNOWN + "绑定后可查看报修进度：", (BIND,))
    rows = s.execute(
        sa.select(Ticket.no, Ticket.state, Place.label, FaultType.name)
        .join(Place, Place.id == Ticket.place_id)
        .join(FaultType, FaultType.id == Ticket.fault_type_id)
        .where(Ticket.requester_id == person_id, Ticket.state.in_(OPEN))
        .order_by(Ticket.id.desc())
        .limit(5)
    ).all()
    if not rows:
        return ChatReply("您没有进行中的报修。", (FORM, MINE))
    lines = [f"{label} {name}：{words.STATES[state]}\n{no}" for no, state, label, name in rows]
    return ChatReply("\n".join(["进行中的报修：", *lines]), ((f"查看 {rows[0].no}", _detail(rows[0].no)), MINE))


def _chatter(s: Session, identity: Known, now: datetime, request_id: str) -> _Chatter:
    """The person and the live draft behind an identity, for somebody bound in one statement: this is the hot path."""
    ask, me = s.connection().execute, _me(identity)
    row = ask(_PERSON_AND_DRAFT, me).one_or_none() or ask(_DRAFT, me).one_or_none()
    if row is None:
        return _Chatter(identity, None, None, now, request_id)
    person = _Caller(*row[:4]) if row[0] is not None else None
    expires_at, retired_at, *drafted = row[4:]
    is_live = expires_at is not None and expires_at >= now and retired_at is None
    if person is not None:
        read_active(s, person.id)
    return _Chatter(identity, person, _Drafted(*drafted) if is_live else None, now, request_id)


def _number(s: Session, who: _Chatter, number: int) -> ChatReply:
    if who.draft is None:
        return ChatReply("请先扫门口的二维码，再回复数字（15 分钟内有效）；也可以直接填写报修单：", (FORM,))
    if not 1 <= number <= len(who.draft.choices):
        return ChatReply(f"请回复 1 到 {len(who.draft.choices)} 的数字，或发送“报修 问题描述”。", (who.draft.form,))
    fault = s.connection().execute(_CHOSEN, {"code": who.draft.choices[number - 1]}).one_or_none()
    if fault is None:
        return ChatReply("这个故障类型刚刚停用了，请填写报修单：", (who.draft.form,))
    site = Site._make((*who.draft.where, *fault))
    # The same number after the same scan is the same report; another number is another one.
    key = f"scan:{who.draft.id}:{who.draft.started_at:%y%m%d%H%M%S%f}:{site.fault_id}"
    return _file(s, who, site, "", way="scan", key=key)


def _report(s: Session, who: _Chatter, said: str) -> ChatReply:
    if not said:
        return HELP if who.draft is None else ChatReply("请回复上面的数字，或发送“报修 问题描述”。", (who.draft.form,))
    if said.isdecimal() and len(said) <= 2 and who.draft is not None:
        return _number(s, who, int(said))
    known = faults.leaves(s)
    if (line := _understood(s, said, known)) is not None:
        place, fault, more = line
        site = _site(s, (place.id, place.code, place.label), fault)
        return _file(s, who, site, more, way="text", twin=_mine(s, who, site))
    if who.draft is None:
        return ChatReply(
            "没有完全看懂地点和问题。请写成“报修 地点 问题”，例如“报修 D12-402 空调不制冷”，或填写报修单：", (FORM,)
        )
    other = matching.elsewhere(s, said, code=who.draft.place_code, label=who.draft.place_label)
    if other:  # never to the door that happened to be scanned before
        return ChatReply(f"没有认出“{other}”和它的问题。请写成“报修 地点 问题”，或填写报修单：", (FORM,))
    described = _described(said, known, who.draft.choices)
    if described is None:
        return ChatReply("没有看懂是什么问题，请回复数字，或填写报修单：", (who.draft.form,))
    fault, more = described
    site = _site(s, who.draft.where, fault)
    return _file(s, who, site, more, way="scan", twin=_mine(s, who, site))


def _usual(s: Session, identity: Known, now: datetime, request_id: str, said: str) -> ChatReply | None:
    """The usual line, a place code and a fault's name as two words, and who says it, read in one statement.

    None when it is another line.
    """
    code, _, rest = said.partition(" ")
    name, _, more = rest.partition(" ")
    if not name:
        return None
    asked = {"code": matching.plain(code), "name": name, **_me(identity)}
    rows = s.connection().execute(_USUAL, asked).all()
    if len(rows) != 1:
        return None
    person_id, person_name, phone_sealed, phone_masked, has_twin, *columns = rows[0]
    if person_id is None:
        who = _chatter(s, identity, now, request_id)
    else:
        read_active(s, person_id)
        who = _Chatter(identity, _Caller(person_id, person_name, phone_sealed, phone_masked), None, now, request_id)
    site = Site(*columns)
    return _file(s, who, site, more, way="text", twin=_mine(s, who, site) if has_twin else None)


Twin = tuple[str, RepairState]  # the number and the state of the ticket that says the same


def _understood(s: Session, said: str, known: list[Fault]) -> tuple[Place, Fault, str] | None:
    """Place and fault, both named exactly, and what else was said."""
    by_name = {name: fault for fault in known for name in (fault.name, fault.code)}
    for place_words, name, more in matching.splits(said, list(by_name)):
        if place_words and (place := matching.place_named(s, place_words)) is not None:
            return place, by_name[name], more
    return None


def _described(said: str, known: list[Fault], choices: list[str]) -> tuple[Fault, str] | None:
    """The fault meant at a place that is known, and the words that go with it: named exactly, named inside, or other."""
    if (exact := faults.match_among(known, said)) is not None:
        return exact, ""
    inside = [fault for fault in known if matching.plain(fault.name) in matching.plain(said)]
    longest = max(inside, key=lambda fault: len(fault.name), default=None)
    if longest is None:
        longest = next((fault for fault in known if fault.code == OTHER), None)
    return (longest, said) if longest is not None else None


def _site(s: Session, where: tuple[int, str, str], fault: Fault) -> Site:
    return Site._make((*where, *s.connection().execute(_MEANT, {"fault": fault.id}).one()))


def _file(
    s: Session, who: _Chatter, site: Site, text: str, *, way: str, key: str | None = None, twin: Twin | None = None
) -> ChatReply:
    """The repair is filed and its number answered; or the stopper is; or how to bind first, with the draft kept."""
    if site.is_emergency:
        return _stop(s, who, site)
    if who.person is None:
        choices = _choices(who, site)
        _keep(s, who.identity, site.place_id, choices, who.now)
        number = choices.index(site.fault_code) + 1
        return ChatReply(
            f"{NOT_KNOWN}绑定后回到这里回复 {number}，就会报修：{site.place_label} {site.fault_name}", (BIND,)
        )
    require(s, who.by, "repair.file")
    if twin is not None:
        return _again(*twin, site)
    filed = file_at(s, site, text=text, by=who.by, now=who.now, requester=who.person, way=way, idem_key=key)
    if filed.filed_at != who.now:
        return _again(filed.no, filed.state, site)
    return ChatReply(
        f"已报修：{site.place_label} {site.fault_name}\n工单号 {filed.no}\n师傅接单后会通知您。",
        (("查看进度", _detail(filed.no)),),
    )


def _stop(s: Session, who: _Chatter, site: Site) -> ChatReply:
    """The emergency stopper: whom to call, and the desk is paged; the ticket is for afterwards. R4."""
    danger: Emergency = emergency(site)
    page_danger(s, site, person=who.person.name if who.person else "未绑定的用户", now=who.now)
    page = f"{FORM[1]}?place={site.place_code}&fault={site.fault_code}"
    return ChatReply(f"{danger.detail}\n值班室已收到提醒。人安全后请补填报修单：", (("补填报修单", page),))


def _choices(who: _Chatter, site: Site) -> list[str]:
    """The draft's choices when the fault is one of them at this place, else the fault alone."""
    if who.draft and who.draft.place_id == site.place_id and site.fault_code in who.draft.choices:
        return who.draft.choices
    return [site.fault_code]


def _mine(s: Session, who: _Chatter, site: Site) -> Twin | None:
    """What the chatter reported there and is still open: a line typed twice is one report."""
    asked = {"mine": who.person.id if who.person else 0, "place": site.place_id, "fault": site.fault_id}
    row = s.connection().execute(_MINE, asked).one_or_none()
    return (row.no, row.state) if row is not None else None


def _again(no: str, state: RepairState, site: Site) -> ChatReply:
    return ChatReply(
        f"您已经报过：{site.place_label} {site.fault_name}，{words.STATES[state]}\n工单号 {no}",
        (("查看进度", _detail(no)),),
    )


def _detail(no: str) -> str:
    return f"/pages/repair/detail?no={no}"


# ---- the statements of the hot path, built once: putting one together costs more than sending it --------------------------

_IS_ME = sa.and_(
    Identity.kind == sa.bindparam("me_kind", type_=Identity.kind.type),
    Identity.subject == sa.bindparam("me"),
    Identity.live.is_(True),
)
_IS_MINE = (
    Draft.identity_kind == sa.bindparam("me_kind", type_=Draft.identity_kind.type),
    Draft.subject == sa.bindparam("me"),
)
_ACTIVE = sa.and_(Person.id == Identity.person_id, Person.status == PersonStatus.ACTIVE)
_PERSON_ID = sa.select(Person.id).join(Identity, _ACTIVE).where(_IS_ME)
_A_PLACE = orm.load_only(Place.code, Place.label, Place.kind, Place.path, Place.retired_at)
_DOOR = (
    sa.select(Place, _PERSON_ID.scalar_subquery())
    .join(DoorCode, DoorCode.place_id == Place.id)
    .where(DoorCode.code == sa.bindparam("door"), Place.retired_at.is_(None))
    .options(_A_PLACE)
)
_RENEWED = (
    sa.update(Draft)
    .where(*_IS_MINE)
    .values({name: sa.bindparam(name) for name in ("place_id", "choices", "started_at", "expires_at")})
)
_A_CALLER = (Person.id, Person.name, Person.phone_sealed, Person.phone_masked)
_A_DRAFT = (Draft.expires_at, Place.retired_at, Draft.id, Draft.choices, Draft.started_at, *PLACE_COLUMNS)
_PERSON_AND_DRAFT = (
    sa.select(*_A_CALLER, *_A_DRAFT)
    .select_from(Identity)
    .join(Person, _ACTIVE)
    .outerjoin(Draft, sa.and_(Draft.identity_kind == Identity.kind, Draft.subject == Identity.subject))
    .outerjoin(Place, Place.id == Draft.place_id)
    .where(_IS_ME)
)
_NOBODY = [sa.null().label(column.key) for column in _A_CALLER]
_DRAFT = sa.select(*_NOBODY, *_A_DRAFT).select_from(Draft).join(Place, Place.id == Draft.place_id).where(*_IS_MINE)
_CHOSEN = sa.select(*FAULT_COLUMNS).where(FaultType.code == sa.bindparam("code"), FaultType.retired_at.is_(None))
_MEANT = sa.select(*FAULT_COLUMNS).where(FaultType.id == sa.bindparam("fault"))
# Told which index, or MariaDB walks every ticket of that fault from the newest down: 3 ms at 5,000 of them.
_MY_OPEN = (
    sa.select(Ticket.no, Ticket.state)
    .where(Ticket.state.in_(OPEN))
    .order_by(Ticket.id.desc())
    .limit(1)
    .with_hint(Ticket, "FORCE INDEX (ix_ticket_requester_id_id)", "mysql")
    .with_hint(Ticket, "FORCE INDEX (ix_ticket_requester_id_id)", "mariadb")
)
_MINE = _MY_OPEN.where(
    Ticket.requester_id == sa.bindparam("mine"),
    Ticket.place_id == sa.bindparam("place"),
    Ticket.fault_type_id == sa.bindparam("fault"),
)
_NAMED = (
    sa.select(*PLACE_COLUMNS, *FAULT_COLUMNS)
    .join(FaultType, FaultType.name == sa.bindparam("name"))
    .where(Place.code == sa.bindparam("code"), Place.retired_at.is_(None), *faults.is_leaf())
    .subquery("named")
)
_USUAL = (
    sa.select(
        *_A_CALLER,
        _MY_OPEN.with_only_columns(Ticket.no)
        .where(
            Ticket.requester_id == Person.id,
            Ticket.place_id == _NAMED.c.place_id,
            Ticket.fault_type_id == _NAMED.c.fault_id,
        )
        .correlate(Person, _NAMED)
        .scalar_subquery(),
        *_NAMED.c,
    )
    .select_from(_NAMED)
    .outerjoin(Identity, _IS_ME)
    .outerjoin(Person, _ACTIVE)
    .limit(2)
)


def _me(identity: Known) -> dict[str, str]:
    return {"me_kind": identity.kind.value, "me": identity.subject}
