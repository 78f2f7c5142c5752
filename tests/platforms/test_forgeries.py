"""Whatever comes to a callback, it is the platform's message or one of three refusals: no other error, ever. K7, K15."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from platforms.wechat_crypto import CallbackError, Envelope
from platforms.wechat_message import BadEnvelope, Message, parse, reply_text

NOON = datetime(2025, 9, 1, 4, 0, tzinfo=UTC)
BOX = Envelope(receive_id="wx1", token="token", aes_key="abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG")
INNER = (
    "<xml><ToUserName><![CDATA[gh]]></ToUserName><FromUserName><![CDATA[o]]></FromUserName><CreateTime>1756699200"
    "</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[报修]]></Content><MsgId>7</MsgId></xml>"
)
QUERY, BODY = BOX.probe(INNER, NOON)
PLAIN = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)


def flipped(data: bytes, at: int, bit: int) -> bytes:
    at %= len(data)
    return data[:at] + bytes([data[at] ^ (1 << bit)]) + data[at + 1 :]


def test_the_unchanged_request_is_opened():
    assert BOX.open(QUERY, BODY, NOON).message.content == "报修"


@PLAIN
@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_flipped_bit_in_the_body_is_refused_or_stands_outside_what_counts(at, bit):
    try:
        letter = BOX.open(QUERY, flipped(BODY, at, bit), NOON)
    except CallbackError:
        return
    assert letter.message.content == "报修"  # the flip was in the name of the root element


@PLAIN
@given(name=st.sampled_from(["timestamp", "nonce", "msg_signature"]), at=st.integers(0, 100), bit=st.integers(0, 7))
def test_a_flipped_bit_in_the_query_is_refused(name, at, bit):
    value = flipped(QUERY[name].encode(), at, bit).decode("utf-8", "surrogateescape")
    with pytest.raises(CallbackError):
        BOX.open(QUERY | {name: value}, BODY, NOON)


@PLAIN
@given(st.dictionaries(st.sampled_from([*QUERY, "echostr", "signature"]), st.text()), st.binary(max_size=200))
def test_a_made_up_request_is_refused(query, body):
    for ask in (lambda: BOX.open(query, body, NOON), lambda: BOX.echo(query, NOON)):
        with pytest.raises(CallbackError):
            ask()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["ToUserName", "FromUserName", "CreateTime", "MsgType", "Event", "EventKey", "Content", "MsgId", "List"]
)


@PLAIN
@given(st.dictionaries(NAMES, VALUES))
@example({"ToUserName": "a", "FromUserName": "b", "CreateTime": 1, "MsgType": "text", "Content": "\ud800"})
def test_any_json_is_a_message_or_refused(fields: dict[str, Any]):
    usable({"ToUserName": "a", "FromUserName": "b", "CreateTime": 1, "MsgType": "text"} | fields, json.dumps)


@PLAIN
@given(st.binary(max_size=300))
def test_any_bytes_are_a_message_or_refused(body):
    for data in (body, b"{" + body, b"<xml>" + body + b"</xml>"):
        usable(data, lambda same: same)


@PLAIN
@given(
    at=st.integers(0, 10_000),
    piece=st.sampled_from(["<", ">", "&", "]]>", "<!--", "<![CDATA[", "</xml>", "<?x?>", "&#0;", "&#xD800;", "\x00"]),
)
def test_a_torn_message_is_a_message_or_refused(at, piece):
    at %= len(INNER)
    usable(INNER[:at] + piece + INNER[at:], str.encode)


def usable(fields: Any, write: Any) -> None:
    """It is refused, or a message that can be kept under a key and answered."""
    body = write(fields)
    try:
        message = parse(body if isinstance(body, bytes) else body.encode())
    except BadEnvelope:
        return
    assert isinstance(message, Message)
    assert 0 < len(message.dedupe_key()) <= 100
    message.content.encode()
    parse(reply_text(message, message.content, NOON).encode())
