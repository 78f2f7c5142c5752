"""What people do in the chat, through the door and the real table: scan, type, click, follow, leave. R1, P2, P11."""

from typing import Any

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from core.db import found, reading, run
from models.notices import Channel, Notice, NoticeTry, TryState
from models.outbox import Debt
from models.people import Follower, Identity
from models.places import DoorCode
from models.repairs import Draft, Ticket
from platforms.wechat_message import message_of
from tests.kit import NOON, bind, make_fault, make_person, make_place
from tests.wxbot import wire
from tests.wxbot.conftest import Platform
from wxbot.deeds import TABLE, TABLE_LINES, door_in, saying_of


class Campus:
    """A room with a door code, two faults, and a student who is bound at both chats."""

    def __init__(self) -> None:
        self.place = make_place("D12-402", label="12号楼402")
        self.aircon, self.tap = make_fault(), make_fault("tap", "水龙头漏水", trade="plumbing")
        self.person = make_person()
        bind(self.person, "official", wire.OPENID)
        bind(self.person, "wecom", "T1001")
        with reading() as s:
            self.door: str = found(s, DoorCode, place_id=self.place.id).code


@pytest.fixture
def campus(platform: Platform) -> Campus:
    return Campus()


def rows(model: Any) -> list[Any]:
    with reading() as s:
        return list(s.scalars(sa.select(model)))


def said(platform: Platform, fields: dict[str, Any], sender: wire.Sender = wire.OFFICIAL) -> str:
    return str(platform.ask(sender, fields).get("Content", ""))


def scans(campus: Campus) -> dict[str, dict[str, Any]]:
    def read(how: str, result: str) -> dict[str, Any]:
        return wire.event(how, NOON, EventKey="repair_scan", ScanCodeInfo={"ScanType": "qrcode", "ScanResult": result})

    link = f"https://hq.example.edu/m/#/pages/repair/file?door={campus.door}"
    return {
        "a follower scans the door": wire.event("SCAN", NOON, EventKey=campus.door, Ticket="t"),
        "a newcomer scans the door": wire.event("subscribe", NOON, EventKey=f"qrscene_{campus.door}", Ticket="t"),
        "the menu's scanner reads the code": read("scancode_waitmsg", campus.door),
        "the menu's scanner reads the plain link": read("scancode_waitmsg", link),
        "the menu's scanner reads the account's own QR": read("scancode_waitmsg", "http://weixin.qq.com/q/02abc"),
        "the scanner without waiting": read("scancode_push", link),
    }


WAYS = ["a follower scans the door", "a newcomer scans the door", "the menu's scanner reads the code",
        "the menu's scanner reads the plain link", "the menu's scanner reads the account's own QR",
        "the scanner without waiting"]  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_scan_a_door_offers_its_faults_and_a_number_files(platform: Platform, campus: Campus, way: str):
    def print_qr(s: Any) -> None:
        found(s, DoorCode, place_id=campus.place.id).qr_url = "http://weixin.qq.com/q/02abc"

    run(print_qr)
    offer = said(platform, scans(campus)[way])
    assert "12号楼402" in offer
    assert "空调不制冷" in offer
    number = next(line[0] for line in offer.splitlines() if line.endswith("空调不制冷"))
    answer = said(platform, wire.text(number, 9, NOON))
    [ticket] = rows(Ticket)
    assert ticket.no in answer
    assert (ticket.place_id, ticket.requester_id) == (campus.place.id, campus.person.id)


def test_the_number_arriving_three_times_files_once(platform: Platform, campus: Campus):
    said(platform, wire.event("SCAN", NOON, EventKey=campus.door, Ticket="t"))
    answers = {said(platform, wire.text("１", 9, NOON)) for _ in range(3)}  # full width, as phones type it
    assert len(answers) == len(rows(Ticket)) == 1


@pytest.mark.parametrize(("sender", "who"), [(wire.OFFICIAL, wire.OPENID), (wire.WECOM, "T1001")])
def test_a_whole_line_files_and_is_owed_to_the_world(platform: Platform, campus: Campus, sender: wire.Sender, who: str):
    answer = said(platform, wire.text("报修 D12-402 空调不制冷", 9, NOON, sender=who), sender)
    [ticket] = rows(Ticket)
    assert ticket.no in answer
    assert f"repair.dispatch:{ticket.no}" in {debt.key for debt in rows(Debt)}


def test_who_is_not_bound_is_shown_the_h5_page_that_binds_this_openid(platform: Platform, campus: Campus):
    answer = said(platform, wire.text("报修 D12-402 空调不制冷", 9, NOON, sender="oSomebodyElse0000000000001"))
    assert '<a href="https://hq.example.edu/m/#/pages/binding/binding">绑定校园身份</a>' in answer
    assert rows(Ticket) == []


def test_a_menu_click_shows_my_tickets(platform: Platform, campus: Campus):
    said(platform, wire.text("报修 D12-402 空调不制冷", 9, NOON))
    assert rows(Ticket)[0].no in said(platform, wire.event("CLICK", NOON, EventKey="repair_mine"))
    assert "报修" in said(platform, wire.event("CLICK", NOON, EventKey="a_button_of_last_year"))


def test_a_code_that_is_no_door_is_said_to_be_none(platform: Platform, campus: Campus):
    info = {"ScanType": "barcode", "ScanResult": "CODE_128,6901234567892"}
    for fields in (
        wire.event("scancode_waitmsg", NOON, EventKey="repair_scan", ScanCodeInfo=info),
        wire.event("SCAN", NOON, EventKey="poster-7"),
    ):
        assert "没有认出这个码" in said(platform, fields)
    assert rows(Draft) == []


def test_following_and_leaving(platform: Platform, campus: Campus):
    newcomer = "oNewcomer000000000000000001"
    welcome = said(platform, wire.event("subscribe", NOON, sender=newcomer, EventKey=""))
    assert "欢迎关注" in welcome
    assert "pages/binding/binding" in welcome
    assert [row.openid for row in rows(Follower)] == [newcomer]
    assert [debt.topic for debt in rows(Debt)] == ["follower.look"]
    assert newcomer not in str([debt.payload for debt in rows(Debt)])
    known = said(platform, wire.event("subscribe", NOON, EventKey=""))
    assert known.startswith("林小雨，您好！")

    for openid in (newcomer, wire.OPENID):
        assert (
            platform.push(wire.OFFICIAL, wire.event("unsubscribe", NOON, sender=openid, EventKey="")).data == b"success"
        )
    assert rows(Follower) == []
    assert {row.subject for row in rows(Identity) if row.live} == {"T1001"}


def sent(channel: Channel, platform_id: str) -> None:
    def make(s: Any) -> None:
        notice = Notice(
            person_id=make_id(s), kind="repair_done", about="WX1", title="x", text="x", facts={}, made_at=NOON
        )
        s.add(notice)
        s.flush()
        s.add(NoticeTry(notice_id=notice.id, channel=channel, state=TryState.ACCEPTED, platform_id=platform_id, tried_at=NOON))  # fmt: skip

    run(make)


def make_id(s: Any) -> int:
    return int(s.scalar(sa.select(Identity.person_id).limit(1)))


@pytest.mark.parametrize(("status", "state"), [("success", TryState.DELIVERED), ("failed:user block", TryState.FAILED)])
def test_templatesendjobfinish_reaches_the_delivery_record(
    platform: Platform, campus: Campus, status: str, state: TryState
):
    sent(Channel.OFFICIAL, "300000")
    platform.ask(wire.OFFICIAL, wire.event("TEMPLATESENDJOBFINISH", NOON, MsgID="300000", Status=status))
    assert rows(NoticeTry)[0].state is state


@pytest.mark.parametrize("form", ["xml", "json"])
def test_a_one_time_message_that_arrived_reaches_the_delivery_record(platform: Platform, campus: Campus, form: str):
    sent(Channel.MINI, "77")
    item = {"TemplateId": "T", "MsgID": "77", "ErrorCode": 0, "ErrorStatus": "success"}
    fields = wire.event("subscribe_msg_sent_event", NOON, SubscribeMsgSentEvent={"List": item})
    platform.ask(wire.MINI.but(form=form), fields)
    assert rows(NoticeTry)[0].state is TryState.DELIVERED


@pytest.mark.parametrize("form", ["xml", "json"])
@pytest.mark.parametrize("wrapped", ["SubscribeMsgPopupEvent", "SubscribeMsgChangeEvent"])
@pytest.mark.parametrize("count", [1, 2])
def test_a_refused_subscription_empties_the_quota(
    platform: Platform, campus: Campus, form: str, wrapped: str, count: int
):
    from campus import notices
    from models.notices import SubscriptionQuota, TemplateMap
    from tests.kit import actor

    bind(campus.person, "mini", "oMini")

    def grant(s: Any) -> None:
        for name in ("T0", "T1"):
            s.add(TemplateMap(channel=Channel.MINI, kind=name, template_id=name, fields={}, changed_at=NOON))
        s.flush()
        notices.note_answers(s, answers={"T0": "accept", "T1": "accept"}, by=actor(campus.person), now=NOON)

    run(grant)
    items = [{"TemplateId": f"T{n}", "SubscribeStatusString": "reject"} for n in range(count)]
    name = "subscribe_msg_popup_event" if "Popup" in wrapped else "subscribe_msg_change_event"
    fields = wire.event(name, NOON, sender="oMini", **{wrapped: {"List": items if count > 1 else items[0]}})
    platform.ask(wire.MINI.but(form=form), fields)
    assert sorted((row.template_id, row.remaining) for row in rows(SubscriptionQuota)) == [
        ("T0", 0),
        ("T1", 1 if count == 1 else 0),
    ]


def test_a_verdict_that_comes_before_its_question_is_asked_for_again(platform: Platform, campus: Campus):
    fields = wire.event("wxa_media_check", NOON, trace_id="T", result={"suggest": "pass", "label": 100}, errcode=0)
    assert platform.push(wire.MINI, fields).status_code == 503


def test_a_withdrawn_authorization_is_noted(platform: Platform, campus: Campus):
    with capture_logs() as lines:
        assert platform.push(wire.MINI, wire.event("user_authorization_revoke", NOON)).data == b"success"
    assert "platform event" in {line["event"] for line in lines}


@pytest.mark.parametrize("line", TABLE_LINES, ids=lambda line: f"{line.doors}-{line.what}-{line.saying[:12]}")
def test_every_line_of_the_table_can_be_reached(line: Any):
    """Some text of each line leads to that line's deed: no line stands in the shadow of one above it."""
    examples = [
        "报修",
        "1",
        "D2345ABCDE7",
        "https://hq/m/#/p?door=D2345ABCDE7",
        "https://elsewhere/",
        "CODE_128,1",
        "x",
        "",
    ]
    for door in line.doors.split():
        for what in line.what.split():
            kind, _, event = what.partition(".")
            base = {"ToUserName": "t", "FromUserName": "f", "CreateTime": "1", "MsgType": kind}
            reached = set()
            for example in examples:
                fields: dict[str, Any] = {**base, "Event": event, "EventKey": example, "Content": example}
                if event.startswith("scancode"):
                    fields["ScanCodeInfo"] = {"ScanResult": example}
                reached.add(TABLE.deed(door, message_of(fields))[0])
            assert line.deed in reached


@pytest.mark.parametrize(
    ("saying", "door"),
    [
        ("D0000000001", "D0000000001"),
        (" d000000000a ", "D000000000A"),
        ("https://a/m/#/pages/repair/file?door=D0000000001", "D0000000001"),
        ("https://a/m/#/pages/repair/file?x=1&door=D0000000001&y=2", "D0000000001"),
        ("https://a/m/#/pages/repair/file?floor=D0000000001", ""),
        ("D00000000012", ""),
        ("", ""),
    ],
)
def test_a_door_code_is_found_in_a_scene_or_a_link(saying: str, door: str):
    assert door_in(saying) == door


def test_half_a_surrogate_pair_is_no_trouble():
    fields = {"ToUserName": "t", "FromUserName": "f", "CreateTime": 1, "MsgType": "text", "Content": "报修 \ud83d"}
    assert saying_of(message_of(fields)) == "报修 ?"
