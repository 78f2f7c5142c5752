"""Whatever arrives, signed or not: an answer, never a traceback, and nothing stored of what was refused."""

from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from core.db import Database, run
from models.arrivals import Arrival
from tests.kit import NOON
from tests.wxbot import wire
from tests.wxbot.conftest import Platform, app_behind, arrivals
from wxbot.door import CallbackDoor
from wxbot.inbox import callback_database

STAMP = str(int(NOON.timestamp()))
ALLOWED = {200, 400, 403, 413}

tags = st.sampled_from(
    [
        "ToUserName",
        "FromUserName",
        "CreateTime",
        "MsgType",
        "Event",
        "EventKey",
        "Content",
        "MsgId",
        "Encrypt",
        "ScanCodeInfo",
        "ScanResult",
        "List",
        "Ticket",
        "Status",
        "x",
    ]
)
words = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        ["text", "event", "subscribe", "SCAN", "CLICK", "scancode_waitmsg", "报修 D12-402 空调不制冷", "1"]
    ),
    st.sampled_from(["0", "9999999999", "-1", "1e9", "]]>", "<a>", "\x00", "qrscene_D0000000001", "repair.mine"]),
    st.integers(-(2**70), 2**70).map(str),
)
fields = st.dictionaries(tags, st.one_of(words, st.dictionaries(tags, words, max_size=3)), max_size=9)
whole = st.builds(
    lambda extra: {"ToUserName": "gh", "FromUserName": "o", "CreateTime": "1788235200", "MsgType": "text"} | extra,
    fields,
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(tags, inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture
def fuzzed(db: Database, noon: None) -> Platform:
    return Platform(CallbackDoor(app_behind, config=wire.config(), database=callback_database(db.url)))


def settle(platform: Platform, sender: wire.Sender, query: str, body: bytes) -> Any:
    run(lambda s: s.query(Arrival).delete())
    answer = platform.post(sender.path, query, body)
    assert answer.status_code in ALLOWED
    assert b"Traceback" not in answer.data
    if answer.status_code != 200:
        assert arrivals() == []
    return answer


often = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
senders = st.sampled_from([wire.OFFICIAL, wire.MINI, wire.MINI.but(form="xml"), wire.WECOM, wire.CONTACTS])


@often
@given(sender=senders, body=st.binary(max_size=300), query=st.text(max_size=80))
def test_noise_is_refused(fuzzed: Platform, sender: wire.Sender, body: bytes, query: str):
    assert settle(fuzzed, sender, query, body).status_code != 200


@often
@given(body=st.one_of(st.binary(max_size=300), whole.map(lambda f: wire.written(f, "xml"))))
@example(body=b"<xml>" + b"<x/>" * 2001 + b"</xml>")
def test_signed_noise_in_plain_mode_is_answered(fuzzed: Platform, body: bytes):
    query = f"signature={wire.sign('currenttoken', STAMP, 'n')}&timestamp={STAMP}&nonce=n"
    settle(fuzzed, wire.OFFICIAL, query, body)


@often
@given(sender=senders, fields=whole)
def test_any_fields_inside_the_envelope_are_answered(fuzzed: Platform, sender: wire.Sender, fields: dict[str, Any]):
    settle(fuzzed, sender, *sender.but(form="xml").request(fields, NOON))


@often
@given(sender=senders, value=st.dictionaries(tags, json_values, max_size=9))
def test_any_json_inside_the_envelope_is_answered(fuzzed: Platform, sender: wire.Sender, value: dict[str, Any]):
    base = {"ToUserName": "gh", "FromUserName": "o", "CreateTime": 1788235200, "MsgType": "text"}
    for fields in (value, base | value):
        settle(fuzzed, sender, *sender.but(form="json").request(fields, NOON))


@often
@given(sender=senders, sealed=st.binary(min_size=0, max_size=200))
def test_signed_noise_in_the_envelope_is_refused(fuzzed: Platform, sender: wire.Sender, sealed: bytes):
    import base64

    cipher = base64.b64encode(sealed).decode()
    query = f"timestamp={STAMP}&nonce=n&encrypt_type=aes&msg_signature={wire.sign(sender.token, STAMP, 'n', cipher)}"
    body = wire.written({"ToUserName": "gh", "Encrypt": cipher}, "xml")
    assert settle(fuzzed, sender, query, body).status_code == 400
