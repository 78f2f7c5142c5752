"""The bulk sender against a scripted server: same answers as the adapters, one token, one app's trouble its own. N4."""

import asyncio
import json
import re
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from core import clock
from core.errors import Busy, PlatformError, Refused, Unknown
from core.redis import Cache
from platforms.mini import MiniProgram
from platforms.official import OfficialAccount
from platforms.push import (
    MEMBER_PER_MINUTE,
    Push,
    Sender,
    Sent,
    SmsPush,
    SubscribePush,
    TemplatePush,
    WeComCard,
    WeComText,
)
from platforms.sms import Sms
from platforms.wecom import WeCom
from tests.platforms.conftest import NOON, mini_section, official_section, sms_section, wecom_section

TEMPLATE = TemplatePush("o", "t", {"thing1": "灯"}, client_msg_id="k")
SUBSCRIBE = SubscribePush("o", "t", {"thing1": "灯"})
TEXT = WeComText(("G1",), "派工")


class Vendor:
    """All platforms on one server. `say[path]` is a list of answers given in turn, the last one for ever."""

    def __init__(self, server: HTTPServer) -> None:
        self.server = server
        self.calls: list[tuple[str, str, Any]] = []
        self.say: dict[str, list[Any]] = {}
        self.given = 0
        self.inside = self.most_inside = 0
        self.lock = threading.Lock()
        server.expect_request(re.compile(".*")).respond_with_handler(self.answer)

    @property
    def base(self) -> str:
        return self.server.url_for("").rstrip("/")

    def answer(self, request: Request) -> Response:
        with self.lock:
            self.inside += 1
            self.most_inside = max(self.most_inside, self.inside)
            body = json.loads(request.get_data() or b"null")
            self.calls.append((request.path, request.args.get("access_token", ""), body))
            turns = self.say.get(request.path, [{"errcode": 0, "errmsg": "ok", "msgid": 7}])
            turn = turns.pop(0) if len(turns) > 1 else turns[0]
            if request.path in ("/cgi-bin/stable_token", "/cgi-bin/gettoken"):
                self.given += 1
                turn = {"access_token": f"T{self.given}", "expires_in": 7200}
        try:
            return turn(request) if callable(turn) else Response(json.dumps(turn), content_type="text/plain")
        finally:
            with self.lock:
                self.inside -= 1

    def count(self, path: str) -> int:
        return sum(1 for seen, _, _ in self.calls if seen == path)


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with HTTPServer(threaded=True) as server:
        yield Vendor(server)


@pytest.fixture
def make(vendor: Vendor, no_redis: Cache) -> Callable[..., Sender]:
    def make(**options: Any) -> Sender:
        return Sender(
            official=OfficialAccount(official_section(vendor.base), no_redis),
            mini=MiniProgram(mini_section(vendor.base), no_redis),
            wecom=WeCom(wecom_section(vendor.base), no_redis),
            sms=Sms(sms_section(f"{vendor.base}/sms")),
            **options,
        )

    return make


def send(sender: Sender, *pushes: Push) -> list[Sent | PlatformError]:
    async def all_of_them() -> list[Any]:
        async with sender:
            return await asyncio.gather(*(sender.send(push) for push in pushes), return_exceptions=True)

    return asyncio.run(all_of_them())


TEMPLATE_PATH, SUBSCRIBE_PATH = "/cgi-bin/message/template/send", "/cgi-bin/message/subscribe/send"
WECOM_PATH = "/cgi-bin/message/send"


def test_it_sends_what_the_adapters_send(vendor, make, no_redis):
    vendor.say[WECOM_PATH] = [{"errcode": 0, "invaliduser": "g1", "msgid": "m"}]
    vendor.say["/sms/send"] = [{"code": "OK", "message_id": "s1"}]
    card = WeComCard(("G1",), "派工", "灯不亮", "https://x/m/")
    answers = send(make(), TEMPLATE, SUBSCRIBE, TEXT, card, SmsPush("n1", "13800000000", "灯修好了"))
    assert answers == [Sent("7"), Sent("7"), Sent("m", ("G1",)), Sent("m", ("G1",)), Sent("s1")]
    pushed = {(path, json.dumps(body, sort_keys=True)) for path, _, body in vendor.calls if "send" in path}

    vendor.calls.clear()
    OfficialAccount(official_section(vendor.base), no_redis).send_template(
        "o", "t", {"thing1": "灯"}, client_msg_id="k"
    )
    MiniProgram(mini_section(vendor.base), no_redis).send_subscribe("o", "t", {"thing1": "灯"})
    wecom = WeCom(wecom_section(vendor.base), no_redis)
    wecom.send_text(["G1"], "派工")
    wecom.send_textcard(["G1"], "派工", "灯不亮", "https://x/m/")
    Sms(sms_section(f"{vendor.base}/sms")).send("n1", "13800000000", "灯修好了")
    assert {(path, json.dumps(body, sort_keys=True)) for path, _, body in vendor.calls if "send" in path} == pushed


@pytest.mark.parametrize(
    ("code", "kind"),
    [(43004, Refused), (43101, Refused), (-1, Busy), (45011, Busy), (99999, Unknown), (47003, Refused)],
)
def test_the_same_tables_decide(vendor, make, code, kind):
    vendor.say[TEMPLATE_PATH] = [{"errcode": code, "errmsg": "ok"}]
    (answer,) = send(make(), TEMPLATE)
    assert (type(answer), answer.code) == (kind, str(code))


def test_a_token_that_fails_under_all_pushes_is_replaced_once(vendor, make):
    def by_token(request: Request) -> Response:
        stale = request.args["access_token"] == "T1"
        return Response(json.dumps({"errcode": 40001 if stale else 0, "errmsg": "x", "msgid": 1}))

    vendor.say[TEMPLATE_PATH] = [by_token]
    answers = send(make(connections=32), *[TEMPLATE] * 200)
    assert answers == [Sent("1")] * 200
    assert vendor.count("/cgi-bin/stable_token") == 2


def test_endless_40001_is_bounded(vendor, make):
    vendor.say[TEMPLATE_PATH] = [{"errcode": 40001, "errmsg": "x"}]
    answers = send(make(connections=8), *[TEMPLATE] * 100)
    assert {type(answer) for answer in answers} == {Busy}
    assert vendor.count("/cgi-bin/stable_token") <= 6
    assert vendor.count(TEMPLATE_PATH) <= 200


@pytest.mark.parametrize(("code", "pause_s"), [(45011, 60), (45009, 12 * 3600)])
def test_too_often_stops_that_app_and_no_other(vendor, make, moving, code, pause_s):
    vendor.say[TEMPLATE_PATH] = [{"errcode": code, "errmsg": "x"}, {"errcode": 0, "msgid": 1}]
    sender = make()
    assert [type(one) for one in send(sender, TEMPLATE)] == [Busy]
    seen = vendor.count(TEMPLATE_PATH)
    moving.move(pause_s - 10)
    held, other, third = send(sender, TEMPLATE, SUBSCRIBE, TEXT)
    assert (type(held), held.code, held.retry_after_s) == (Busy, str(code), pytest.approx(10))
    assert (type(other), type(third)) == (Sent, Sent)
    assert vendor.count(TEMPLATE_PATH) == seen
    moving.move(11)
    assert send(sender, TEMPLATE) == [Sent("1")]


def test_wecom_is_left_alone_a_minute_then_an_hour(vendor, make, moving):
    vendor.say[WECOM_PATH] = [{"errcode": 45009}, {"errcode": 45009}, {"errcode": 0}]
    sender = make()
    assert send(sender, TEXT)[0].retry_after_s == 60
    moving.move(61)
    assert send(sender, TEXT)[0].retry_after_s == 3600
    moving.move(3601)
    assert send(sender, TEXT) == [Sent()]


def test_a_clock_that_is_set_back_does_not_keep_an_app_closed(vendor, make, moving, monkeypatch):
    vendor.say[TEMPLATE_PATH] = [{"errcode": 45011}, {"errcode": 0}]
    sender = make()
    send(sender, TEMPLATE)
    moving.move(61)
    monkeypatch.setattr(clock, "now", lambda: NOON - timedelta(hours=1))
    assert send(sender, TEMPLATE) == [Sent()]


def test_a_member_is_not_written_to_more_often_than_wecom_delivers(vendor, make, moving):
    sender = make()
    answers = send(sender, *[TEXT] * MEMBER_PER_MINUTE, TEXT, WeComText(("g1", "G2"), "x"), WeComText(("G2",), "x"))
    assert [type(one) for one in answers] == [*[Sent] * MEMBER_PER_MINUTE, Busy, Busy, Sent]
    assert answers[MEMBER_PER_MINUTE].retry_after_s == 60
    moving.move(61)
    assert send(sender, TEXT) == [Sent("7")]


def test_at_most_so_many_are_on_the_wire(vendor, make):
    release = threading.Event()
    vendor.say[SUBSCRIBE_PATH] = [lambda _: (release.wait(0.05), Response('{"errcode":0}'))[1]]
    assert len(send(make(connections=4), *[SUBSCRIBE] * 40)) == 40
    assert vendor.most_inside == 4


def test_a_server_that_hangs_is_unknown(vendor, make):
    release = threading.Event()
    vendor.say[TEMPLATE_PATH] = [lambda _: (release.wait(5), Response("{}"))[1]]
    try:
        (answer,) = send(make(total_s=0.3), TEMPLATE)
        assert type(answer) is Unknown
    finally:
        release.set()


@pytest.mark.parametrize(
    "turn", [lambda _: Response("<html>", 502), lambda _: Response("<html>"), lambda _: Response("x" * 70000)]
)
def test_an_answer_that_cannot_be_trusted_is_unknown(vendor, make, turn):
    vendor.say[TEMPLATE_PATH] = [turn]
    assert [type(one) for one in send(make(), TEMPLATE)] == [Unknown]


def test_nobody_there_is_busy(no_redis):
    sms = Sms(sms_section("http://127.0.0.1:9"))
    official = OfficialAccount(official_section("http://127.0.0.1:9"), no_redis)
    answers = send(Sender(official=official, sms=sms), TEMPLATE, SmsPush("n", "138", "x"))
    assert [type(one) for one in answers] == [Busy, Busy]


def test_a_platform_that_is_off_refuses():
    answers = send(Sender(), TEMPLATE, SUBSCRIBE, TEXT, SmsPush("n", "138", "x"))
    assert {(type(one), one.code) for one in answers} == {(Refused, "off")}


def test_one_sender_serves_one_loop_after_another(vendor, make):
    sender = make(connections=2)
    for _ in range(3):
        assert send(sender, *[TEMPLATE] * 10) == [Sent("7")] * 10
