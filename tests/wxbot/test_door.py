"""The door over HTTP: who is let in, in which forms, what is refused, and that nothing is stored of what was refused."""

import io
import json
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from structlog.testing import capture_logs
from werkzeug.test import EnvironBuilder

from core import log
from tests.kit import NOON
from tests.wxbot import wire
from tests.wxbot.conftest import Platform, arrivals

PATHS = [wire.OFFICIAL, wire.MINI, wire.WECOM, wire.CONTACTS]
CHATS = [
    sender.but(mode=mode, form=form)
    for sender, mode, form in product((wire.OFFICIAL, wire.MINI), ("plain", "compat", "secure"), ("xml", "json"))
] + [wire.WECOM]


def named(sender: wire.Sender) -> str:
    return f"{sender.path[4:]}-{sender.mode}-{sender.form}"


# -- let in


@pytest.mark.parametrize("sender", PATHS, ids=named)
def test_the_address_is_verified_and_the_echo_comes_back_as_it_is(platform: Platform, sender: wire.Sender):
    answer = platform.client.get(sender.path, query_string=sender.verification(NOON, "echo<>&'5"))
    assert (answer.status_code, answer.data) == (200, b"echo<>&'5")
    assert answer.content_type == "text/plain; charset=utf-8"


@pytest.mark.parametrize("sender", CHATS, ids=named)
def test_every_mode_and_form_is_answered_in_kind(platform: Platform, sender: wire.Sender):
    answer = platform.push(sender, wire.text("你好", 7, NOON))
    assert answer.status_code == 200
    assert answer.content_type.startswith("application/json" if sender.form == "json" else "text/xml")
    reply = sender.open(answer.data)
    assert (reply["ToUserName"], reply["FromUserName"], reply["MsgType"]) == (wire.OPENID, "gh_school", "text")
    assert "报修 D12-402 空调不制冷" in reply["Content"]
    assert [row[:2] for row in arrivals()] == [(sender.path.split("/")[2], "m:7")]


@pytest.mark.parametrize("sender", [wire.OFFICIAL, wire.MINI, wire.WECOM], ids=named)
@pytest.mark.parametrize(("token", "key"), [("oldtoken", wire.OLD_KEY), ("currenttoken", wire.OLD_KEY), ("oldtoken", wire.KEY)])  # fmt: skip
def test_the_key_before_is_still_good_and_the_reply_comes_under_it(
    platform: Platform, sender: wire.Sender, token: str, key: str
):
    reply = platform.ask(sender.but(token=token, aes_key=key), wire.text("你好", 7, NOON))
    assert reply["ToUserName"] == wire.OPENID


def test_links_open_the_mini_program_in_wechat_and_the_web_page_in_wecom(platform: Platform):
    official = platform.ask(wire.OFFICIAL, wire.text("你好", 1, NOON))["Content"]
    wecom = platform.ask(wire.WECOM, wire.text("你好", 1, NOON))["Content"]
    assert (
        '<a data-miniprogram-appid="wx00000000000000bb" data-miniprogram-path="pages/repair/file" '
        'href="https://hq.example.edu/m/#/pages/repair/file">填写报修单</a>'
    ) in official
    assert '<a href="https://hq.example.edu/m/#/pages/repair/file">填写报修单</a>' in wecom


def test_a_contact_change_is_kept_once_and_answered_success(platform: Platform):
    change = wire.event("change_contact", NOON, sender="sys", ChangeType="update_user", UserID="G2001", Department="2")
    for _ in range(2):
        answer = platform.push(wire.CONTACTS, change)
        assert (answer.status_code, answer.data) == (200, b"success")
    assert platform.push(wire.CONTACTS, change | {"UserID": "G2002"}).data == b"success"
    assert [door for door, _, _ in arrivals()] == ["contacts", "contacts"]


@pytest.mark.parametrize("name", ["VIEW", "LOCATION", "view_miniprogram", "MASSSENDJOBFINISH", "never_heard_of", "enter_agent"])  # fmt: skip
@pytest.mark.parametrize("sender", [wire.OFFICIAL, wire.MINI, wire.WECOM], ids=named)
def test_an_event_that_is_no_deed_is_answered_success_and_not_stored(
    platform: Platform, sender: wire.Sender, name: str
):
    answer = platform.push(sender, wire.event(name, NOON, EventKey="x"))
    assert (answer.status_code, answer.data) == (200, b"success")
    assert arrivals() == []


def test_other_paths_go_to_the_app_behind_the_door(platform: Platform):
    for path in ("/", "/wx/officials", "/wx/official/", "/api/v1/me"):
        assert platform.client.get(path).status_code == 418


def test_a_platform_that_is_off_has_no_path(db: Any, noon: None):
    from werkzeug.test import Client

    from tests.wxbot.conftest import app_behind
    from wxbot.door import CallbackDoor
    from wxbot.inbox import callback_database

    config = wire.config().model_copy(update={"wecom": None, "mini_program": None})
    door = Client(CallbackDoor(app_behind, config=config, database=callback_database(db.url)))
    assert [door.get(sender.path).status_code for sender in PATHS] == [403, 418, 418, 418]


# -- refused


def flipped(body: bytes, at: int) -> bytes:
    return body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]


def refused(platform: Platform, answer: Any, status: int) -> None:
    assert answer.status_code == status, answer.data
    assert b"Traceback" not in answer.data
    assert len(answer.data) < 100
    assert arrivals() == []


@pytest.mark.parametrize("sender", CHATS, ids=named)
@pytest.mark.parametrize("change", [{"signature": "0" * 40, "msg_signature": "0" * 40}, {"nonce": "other"}, {"timestamp": str(int(NOON.timestamp()) + 1)}, {"signature": None, "msg_signature": None}, {"signature": "签" * 40, "msg_signature": "签"}])  # fmt: skip
def test_a_forged_signature_is_forbidden(platform: Platform, sender: wire.Sender, change: dict[str, Any]):
    query, body = sender.request(wire.text("你好", 7, NOON), NOON)
    from urllib.parse import parse_qsl, urlencode

    forged = {name: value for name, value in (dict(parse_qsl(query)) | change).items() if value is not None}
    refused(platform, platform.post(sender.path, urlencode(forged), body), 403)


@pytest.mark.parametrize("sender", PATHS, ids=named)
def test_a_changed_body_is_forbidden(platform: Platform, sender: wire.Sender):
    query, body = sender.request(wire.text("你好", 7, NOON), NOON)
    at = body.index(b"Encrypt") + 60
    refused(platform, platform.post(sender.path, query, flipped(body, at)), 403)


@pytest.mark.parametrize("sender", PATHS, ids=named)
def test_a_forged_address_verification_is_forbidden(platform: Platform, sender: wire.Sender):
    query = sender.but(token="guessed").verification(NOON)
    refused(platform, platform.client.get(sender.path, query_string=query), 403)
    refused(platform, platform.client.get(sender.path), 403)


@pytest.mark.parametrize("sender", CHATS, ids=named)
@pytest.mark.parametrize(("seconds", "status"), [(-301, 403), (-299, 200), (0, 200), (299, 200), (301, 403)])
def test_a_timestamp_is_good_for_five_minutes_either_way(
    platform: Platform, sender: wire.Sender, seconds: int, status: int
):
    then = NOON + timedelta(seconds=seconds)
    answer = platform.push(sender, wire.text("你好", 7, NOON), then)
    assert answer.status_code == status
    assert len(arrivals()) == (status == 200)


@pytest.mark.parametrize("stamp", ["", "-1", "abc", "1" * 40, "１７８８２３５２００", "1e9", "NaN"])
def test_a_timestamp_that_is_no_number_is_forbidden(platform: Platform, stamp: str):
    for sender in (wire.OFFICIAL.but(mode="plain"), wire.OFFICIAL, wire.WECOM):
        refused(platform, platform.push(sender, wire.text("你好", 7, NOON), timestamp=stamp), 403)


@pytest.mark.parametrize("sender", PATHS, ids=named)
def test_a_body_over_64_kb_is_too_large(platform: Platform, sender: wire.Sender):
    query, body = sender.request(wire.text("长" * 30_000, 7, NOON), NOON)
    assert len(body) > 64 * 1024
    refused(platform, platform.post(sender.path, query, body), 413)


def test_an_endless_chunked_body_is_too_large_and_read_no_further(platform: Platform):
    class Endless(io.RawIOBase):
        given = 0

        def read(self, size: int = -1) -> bytes:
            assert size > 0
            self.given += size
            return b"a" * size

    endless = Endless()
    builder = EnvironBuilder("/wx/official", query_string="", method="POST")
    environ = builder.get_environ() | {"wsgi.input": endless, "wsgi.input_terminated": True}
    environ.pop("CONTENT_LENGTH", None)
    refused(platform, platform.call(environ), 413)
    assert endless.given <= 64 * 1024 + 1


def test_a_chunked_body_is_read_to_its_end(platform: Platform):
    query, body = wire.OFFICIAL.request(wire.text("你好", 7, NOON), NOON)
    builder = EnvironBuilder("/wx/official", query_string=query, method="POST")
    environ = builder.get_environ() | {"wsgi.input": io.BytesIO(body), "wsgi.input_terminated": True}
    environ.pop("CONTENT_LENGTH", None)
    assert platform.call(environ).status_code == 200
    assert len(arrivals()) == 1


def test_a_body_that_breaks_off_is_malformed(platform: Platform):
    class Broken(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise ConnectionResetError("gone")

    environ = EnvironBuilder("/wx/official", method="POST").get_environ()
    refused(platform, platform.call(environ | {"wsgi.input": Broken(), "CONTENT_LENGTH": "100"}), 400)


BILLION = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;">]><xml><Content>&c;</Content></xml>'
XXE = b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><xml><Content>&f;</Content></xml>'
BAD_XML = {
    "billion laughs": BILLION,
    "entity from a file": XXE,
    "external doctype": b'<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd"><xml/>',
    "deep": b"<a>" * 5000 + b"</a>" * 5000,
    "wide": b"<xml>" + b"<a/>" * 9000 + b"</xml>",
    "not closed": b"<xml><ToUserName>",
    "twice": b"<xml><ToUserName>a</ToUserName><FromUserName>b</FromUserName><CreateTime>1</CreateTime>"
    b"<MsgType>text</MsgType><MsgType>event</MsgType><MsgId>1</MsgId></xml>",
    "no type": b"<xml><ToUserName>a</ToUserName><FromUserName>b</FromUserName><CreateTime>1</CreateTime></xml>",
    "not a time": b"<xml><ToUserName>a</ToUserName><FromUserName>b</FromUserName><CreateTime>x</CreateTime>"
    b"<MsgType>text</MsgType></xml>",
    "utf-16": '<?xml version="1.0" encoding="utf-16"?><xml/>'.encode("utf-16"),
    "bytes": bytes(range(256)),
    "empty": b"",
    "text": b"hello",
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xb3\xa9\xc8\xcd\xb1\xd3\x07\x00",
    "json list": b"[1,2]",
    "json deep": b'{"a":' * 5000 + b"1" + b"}" * 5000,
    "json nan": b'{"ToUserName":"a","FromUserName":"b","MsgType":"text","CreateTime":NaN}',
    "json infinity": b'{"ToUserName":"a","FromUserName":"b","MsgType":"text","CreateTime":1e999}',
    "json twice": b'{"ToUserName":"a","FromUserName":"b","MsgType":"text","MsgType":"event","CreateTime":1}',
    "json null": b'{"ToUserName":null}',
}


@pytest.mark.parametrize("body", BAD_XML.values(), ids=BAD_XML.keys())
@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "inside the envelope"])
def test_bombs_and_malformed_bodies_are_refused(platform: Platform, body: bytes, sealed: bool):
    sender = wire.OFFICIAL if sealed else wire.OFFICIAL.but(mode="plain")
    query, whole = sender.request({}, NOON)
    if sealed:
        cipher = sender.seal(body)
        timestamp = str(int(NOON.timestamp()))
        signed = wire.sign(sender.token, timestamp, "n", cipher)
        query = f"timestamp={timestamp}&nonce=n&encrypt_type=aes&msg_signature={signed}"
        whole = wire.written({"ToUserName": "gh", "Encrypt": cipher}, "xml")
    else:
        whole = body
    refused(platform, platform.post(sender.path, query, whole), 400)


def test_wrong_padding_wrong_length_and_wrong_appid_are_refused_alike(platform: Platform):
    inner = wire.written(wire.text("你好", 7, NOON), "xml")
    sender = wire.OFFICIAL
    count = 32 - (20 + len(inner) + len(sender.receive_id)) % 32
    bad = {
        "appid": sender.seal(inner, receive_id="wx00000000000000zz"),
        "zero padding": sender.seal(inner, pad=bytes(count)),
        "uneven padding": sender.seal(inner, pad=bytes([*[1] * (count - 1), count]) if count > 1 else bytes([9]) * 33),
        "not base64": "***",
        "not whole blocks": "AAAA",
        "other key": sender.but(aes_key="z" * 43).seal(inner),
    }
    answers = set()
    for cipher in bad.values():
        timestamp = str(int(NOON.timestamp()))
        signed = wire.sign(sender.token, timestamp, "n", cipher)
        query = f"timestamp={timestamp}&nonce=n&encrypt_type=aes&msg_signature={signed}"
        body = wire.written({"ToUserName": "gh", "Encrypt": cipher}, "xml")
        answer = platform.post(sender.path, query, body)
        refused(platform, answer, 400)
        answers.add(answer.data)
    assert len(answers) == 1  # nobody learns which of them it was


def test_other_methods_are_not_allowed(platform: Platform):
    for method in ("put", "delete", "patch", "options", "head"):
        answer = getattr(platform.client, method)("/wx/official")
        assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST")


def test_a_refusal_is_logged_once_and_without_secrets(platform: Platform):
    query, body = wire.OFFICIAL.but(token="guessed").request(wire.text("我的手机 13800138000", 7, NOON), NOON)
    with capture_logs() as lines:
        platform.post("/wx/official", query, body)
    assert len(lines) == 1
    said = log.scrub(json.dumps(lines, ensure_ascii=False))
    assert lines[0]["outcome"] == "forged"
    for secret in ("guessed", "currenttoken", wire.KEY, "13800138000", wire.OPENID, "signature=", "nonce"):
        assert secret not in said


def test_what_happened_is_counted(platform: Platform):
    from prometheus_client import REGISTRY

    def count(outcome: str) -> float:
        return REGISTRY.get_sample_value("houqin_callbacks_total", {"door": "official", "outcome": outcome}) or 0.0

    before = {name: count(name) for name in ("done", "repeated", "forged", "nothing")}
    for _ in range(2):
        platform.push(wire.OFFICIAL, wire.text("你好", 7, NOON))
    platform.push(wire.OFFICIAL.but(token="guessed"), wire.text("你好", 8, NOON))
    platform.push(wire.OFFICIAL, wire.event("VIEW", NOON, EventKey="https://a"))
    assert {name: count(name) - before[name] for name in before} == {"done": 1, "repeated": 1, "forged": 1, "nothing": 1}  # fmt: skip
