"""The callback envelope, against wechatpy as the independent other side. PROTOCOLS 1.1–1.5, 2.9, 3.2; DRILLS K7, K15."""

import base64
import json
import os
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from wechatpy.crypto import WeChatCrypto
from wechatpy.enterprise.crypto import WeChatCrypto as WeComCrypto
from wechatpy.utils import check_signature

from platforms.wechat_crypto import BadEnvelope, BadSignature, CallbackError, Envelope, Stale, _sign
from platforms.wechat_message import parse, reply_button_done, reply_json, reply_news, reply_text

NOON = datetime(2025, 9, 1, 4, 0, tzinfo=UTC)
STAMP = str(int(NOON.timestamp()))
APP_ID, TOKEN = "wx0000000000000001", "tokenfortests"
KEY, OLD_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG", "GFEDCBA9876543210zyxwvutsrqponmlkjihgfedcbA"
TEXT = (
    "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[oA]]></FromUserName><CreateTime>1756699200"
    "</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[报修 D12-402]]></Content><MsgId>77</MsgId></xml>"
)


def envelope(**over: Any) -> Envelope:
    return Envelope(**({"receive_id": APP_ID, "token": TOKEN, "aes_key": KEY} | over))


def sealed(inner: str, *, key: str = KEY, app_id: str = APP_ID, token: str = TOKEN, nonce: str = "42") -> Any:
    """A secure-mode request as wechatpy encrypts it."""
    text = WeChatCrypto(token, key, app_id).encrypt_message(inner, nonce, STAMP)
    encrypt = text.split("<Encrypt><![CDATA[")[1].split("]]>")[0]
    return signed(encrypt, token=token, nonce=nonce)


def signed(encrypt: str, *, token: str = TOKEN, nonce: str = "42") -> tuple[dict[str, str], bytes]:
    signature = _sign(token, STAMP, nonce, encrypt)
    query = {"msg_signature": signature, "timestamp": STAMP, "nonce": nonce, "encrypt_type": "aes", "signature": "x"}
    body = f"<xml><ToUserName><![CDATA[gh_1]]></ToUserName><Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>"
    return query, body.encode()


def raw_encrypt(plain: bytes, key: str = KEY) -> str:
    aes = base64.b64decode(key + "=")
    return base64.b64encode(Cipher(AES(aes), CBC(aes[:16])).encryptor().update(plain)).decode()


def padded(inner: bytes, receive_id: bytes = APP_ID.encode(), length: int | None = None) -> bytes:
    data = os.urandom(16) + (len(inner) if length is None else length).to_bytes(4, "big") + inner + receive_id
    pad = 32 - len(data) % 32
    return data + bytes([pad]) * pad


def test_what_wechatpy_encrypts_is_opened_and_it_opens_our_answer():
    letter = envelope().open(*sealed(TEXT), NOON)
    message = letter.message
    assert (message.to, message.sender, message.kind, message.content) == ("gh_1", "oA", "text", "报修 D12-402")
    assert (message.msg_id, message.event, message.extra) == ("77", "", {})
    assert message.created_at == datetime.fromtimestamp(1756699200, UTC)

    body, kind = letter.seal(reply_text(message, "已受理", NOON), NOON)
    assert kind.startswith("text/xml")
    signature = body.decode().split("<MsgSignature><![CDATA[")[1].split("]]>")[0]
    opened = WeChatCrypto(TOKEN, KEY, APP_ID).decrypt_message(body, signature, STAMP, "42")
    back = parse(opened.encode())
    assert (back.to, back.sender, back.content) == ("oA", "gh_1", "已受理")


@pytest.mark.parametrize("size", range(0, 70))
def test_every_length_survives_the_padding_both_ways(size):
    text = TEXT.replace("报修 D12-402", "x" * size)
    letter = envelope().open(*sealed(text), NOON)
    assert letter.message.content == "x" * size
    body, _ = letter.seal(text, NOON)
    signature = body.decode().split("<MsgSignature><![CDATA[")[1].split("]]>")[0]
    assert WeChatCrypto(TOKEN, KEY, APP_ID).decrypt_message(body, signature, STAMP, "42") == text


def test_the_url_check_is_echoed_as_it_is():
    signature = _sign(TOKEN, STAMP, "42")
    check_signature(TOKEN, signature, STAMP, "42")
    query = {"signature": signature, "timestamp": STAMP, "nonce": "42", "echostr": "5537488"}
    assert envelope().echo(query, NOON) == "5537488"
    with pytest.raises(BadSignature):
        envelope(token="another").echo(query, NOON)


def test_wecom_wants_its_echo_decrypted():
    encrypt = raw_encrypt(padded(b"20191209", b"ww1"))
    query, _ = signed(encrypt)
    assert WeComCrypto(TOKEN, KEY, "ww1").check_signature(query["msg_signature"], STAMP, "42", encrypt) == "20191209"
    assert envelope(receive_id="ww1", always_encrypted=True).echo(query | {"echostr": encrypt}, NOON) == "20191209"


def test_wecom_never_takes_a_plain_body():
    query = {"signature": _sign(TOKEN, STAMP, "1"), "timestamp": STAMP, "nonce": "1"}
    with pytest.raises(BadEnvelope):
        envelope(always_encrypted=True).open(query, TEXT.encode(), NOON)


def test_an_account_in_secure_mode_can_refuse_plain_bodies_signed_by_nobody():
    query = {"signature": _sign(TOKEN, STAMP, "1"), "timestamp": STAMP, "nonce": "1"}
    strict = envelope(accept_plain=False)
    with pytest.raises(BadSignature, match="plain"):
        strict.open(query, TEXT.encode(), NOON)
    assert strict.echo(query | {"echostr": "hi"}, NOON) == "hi"
    assert strict.open(*sealed(TEXT), NOON).message.content == "报修 D12-402"


def test_plain_mode_is_answered_in_plain():
    query = {"signature": _sign(TOKEN, STAMP, "1"), "timestamp": STAMP, "nonce": "1"}
    letter = envelope().open(query, TEXT.encode(), NOON)
    assert not letter.encrypted
    assert letter.seal("<xml/>", NOON).body == b"<xml/>"


def test_compat_mode_counts_the_encrypted_part():
    query, body = sealed(TEXT)
    both = body.replace(b"<Encrypt>", b"<MsgType>text</MsgType><Content>forged</Content><Encrypt>")
    assert envelope().open(query, both, NOON).message.content == "报修 D12-402"


@pytest.mark.parametrize("change", ["msg_signature", "timestamp", "nonce", "none"])
def test_a_forged_signature_is_refused(change):
    query, body = sealed(TEXT)
    forged = {name: value for name, value in query.items() if name != "msg_signature"}
    if change != "none":
        forged = query | {change: str(int(NOON.timestamp()) + 1) if change == "timestamp" else "ÿ中\udcff"}
    with pytest.raises(BadSignature):
        envelope().open(forged, body, NOON)


@pytest.mark.parametrize(("seconds", "fresh"), [(-300, True), (300, True), (-301, False), (301, False)])
def test_a_timestamp_five_minutes_away_is_stale(seconds, fresh):
    query, body = sealed(TEXT)
    if fresh:
        envelope().open(query, body, NOON + timedelta(seconds=seconds))
    else:
        with pytest.raises(Stale):
            envelope().open(query, body, NOON + timedelta(seconds=seconds))


@pytest.mark.parametrize("stamp", ["", "1e9", "٣", "-1", "9" * 400])
def test_a_timestamp_that_is_no_number_is_stale(stamp):
    query = {"signature": _sign(TOKEN, stamp, "1"), "timestamp": stamp, "nonce": "1"}
    with pytest.raises(Stale):
        envelope().echo(query, NOON)


def test_the_previous_token_and_key_still_open_and_answer():
    both = envelope(token="newtoken", aes_key=OLD_KEY, previous_token=TOKEN, previous_aes_key=KEY)
    letter = both.open(*sealed(TEXT), NOON)
    body, _ = letter.seal(reply_text(letter.message, "好", NOON), NOON)
    signature = body.decode().split("<MsgSignature><![CDATA[")[1].split("]]>")[0]
    assert "好" in WeChatCrypto(TOKEN, KEY, APP_ID).decrypt_message(body, signature, STAMP, "42")
    with pytest.raises(BadSignature):
        envelope(token="newtoken", aes_key=OLD_KEY).open(*sealed(TEXT), NOON)


@pytest.mark.parametrize(
    "encrypt",
    [
        pytest.param(raw_encrypt(padded(TEXT.encode(), b"wx0000000000000002")), id="another app"),
        pytest.param(raw_encrypt(padded(TEXT.encode(), b"")), id="no app"),
        pytest.param(raw_encrypt(padded(TEXT.encode()), OLD_KEY), id="another key"),
        pytest.param(raw_encrypt(padded(TEXT.encode())[:-1] + b"\x00"), id="padding 0"),
        pytest.param(raw_encrypt(padded(TEXT.encode())[:-1] + b"\x21"), id="padding 33"),
        pytest.param(raw_encrypt(padded(b"x" * 30)[:-2] + b"\x07\x02"), id="padding not consistent"),
        pytest.param(raw_encrypt(padded(TEXT.encode(), length=2**32 - 1)), id="length beyond the buffer"),
        pytest.param(raw_encrypt(padded(TEXT.encode(), length=3)), id="length too short"),
        pytest.param(raw_encrypt(b"\x10" * 16), id="one block"),
        pytest.param("", id="empty"),
        pytest.param("AAAA", id="not whole blocks"),
        pytest.param("!" * 64, id="not base64"),
        pytest.param("中文", id="not ASCII"),
    ],
)
def test_what_does_not_decrypt_for_us_is_refused(encrypt):
    with pytest.raises(BadEnvelope):
        envelope().open(*signed(encrypt), NOON)


LAUGHS = (
    '<!DOCTYPE x [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    + "]><xml><MsgType>&a9;</MsgType></xml>"
)
BAD_BODIES = {
    "billion laughs": LAUGHS,
    "external entity": '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><xml><MsgType>&a;</MsgType></xml>',
    "empty doctype": "<!DOCTYPE xml><xml></xml>" + TEXT,
    "undefined entity": TEXT.replace("oA", "&oops;").replace("<![CDATA[&oops;]]>", "&oops;"),
    "deep": "<a>" * 9000 + "</a>" * 9000,
    "wide": "<xml>" + "<a/>" * 15000 + "</xml>",
    "wide list": "<xml>" + "<List/>" * 9000 + "</xml>",
    "twice the kind": TEXT.replace("<MsgId>", "<MsgType>text</MsgType><MsgId>"),
    "twice an element inside": TEXT.replace("<MsgId>", "<A><B>1</B><B>2</B></A><MsgId>"),
    "kind with children": TEXT.replace("<![CDATA[text]]>", "<a>1</a>"),
    "no kind": TEXT.replace("MsgType", "Other"),
    "no sender": TEXT.replace("<![CDATA[oA]]>", ""),
    "sender as long as a novel": TEXT.replace("oA", "o" * 500),
    "time in words": TEXT.replace("1756699200", "noon"),
    "time beyond the years": TEXT.replace("1756699200", "99999999999999"),
    "not closed": TEXT[:-6],
    "two roots": TEXT + TEXT,
    "text only": "hello",
    "nothing": "",
    "root without elements": "<xml>hi</xml>",
    "NUL": TEXT.replace("报修", "\x00"),
    "too large": TEXT.replace("报修", "报" * 22000),
    "JSON deep": '{"a":' * 5000 + "1" + "}" * 5000,
    "JSON deep array": '{"a":' + "[" * 30000 + "]" * 30000 + "}",
    "JSON somewhat deep": '{"a":' * 30 + "1" + "}" * 30,
    "JSON twice": '{"MsgType":"text","MsgType":"event"}',
    "JSON NaN": '{"ToUserName":"a","FromUserName":"b","MsgType":"text","CreateTime":NaN}',
    "JSON float": '{"ToUserName":"a","FromUserName":"b","MsgType":"text","CreateTime":1e999}',
    "JSON digits": '{"ToUserName":"a","FromUserName":"b","MsgType":"text","CreateTime":' + "9" * 5000 + "}",
    "JSON half a pair": '{"ToUserName":"a","FromUserName":"b","MsgType":"text","CreateTime":1,"Content":"\\ud800"}',
    "JSON cut": '{"ToUserName":"a"',
    "JSON bool": '{"ToUserName":true,"FromUserName":"b","MsgType":"text","CreateTime":1}',
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_bombs_and_nonsense_are_refused_cheaply(name):
    body = BAD_BODIES[name].encode()
    began = time.process_time()
    with pytest.raises(BadEnvelope):
        parse(body)
    assert time.process_time() - began < 0.05


@pytest.mark.parametrize(
    "body", [b"\xff\xfe<\x00x\x00", b'<?xml version="1.0" encoding="gbk"?><xml>\xb1\xa8</xml>', b"{\xff"]
)
def test_other_encodings_are_refused(body):
    with pytest.raises(BadEnvelope):
        parse(body)


@pytest.mark.parametrize("name", ["billion laughs", "twice the kind", "not closed", "deep"])
def test_a_bad_body_inside_a_good_envelope_is_refused(name):
    with pytest.raises(CallbackError):
        envelope().open(*sealed(BAD_BODIES[name]), NOON)


def event(inner: str, sender: str = "oA") -> bytes:
    return (
        f"<xml><ToUserName>gh_1</ToUserName><FromUserName>{sender}</FromUserName><CreateTime>1756699200</CreateTime>"
        f"<MsgType>event</MsgType>{inner}</xml>"
    ).encode()


def test_a_scan_has_the_same_key_before_and_after_following():
    first = parse(event("<Event>subscribe</Event><EventKey>qrscene_DABC</EventKey><Ticket>T</Ticket>"))
    later = parse(event("<Event>SCAN</Event><EventKey>DABC</EventKey><Ticket>T</Ticket>"))
    assert (first.event, first.key) == ("subscribe", "DABC")
    assert (later.event, later.key) == ("scan", "DABC")


def test_repeated_elements_are_lists_also_when_there_is_one():
    one = "<List><TemplateId>t1</TemplateId></List>"
    two = one + "<List><TemplateId>t2</TemplateId></List>"
    for inner, ids in ((one, ["t1"]), (two, ["t1", "t2"])):
        popup = parse(
            event(f"<Event>subscribe_msg_popup_event</Event><SubscribeMsgPopupEvent>{inner}</SubscribeMsgPopupEvent>")
        )
        assert [row["TemplateId"] for row in popup.extra["SubscribeMsgPopupEvent"]["List"]] == ids
    for value in ({"TemplateId": "t1"}, [{"TemplateId": "t1"}]):
        fields = {"ToUserName": "gh", "FromUserName": "o", "CreateTime": 1756699200, "MsgType": "event"}
        fields |= {"Event": "subscribe_msg_popup_event", "List": value}
        assert parse(json.dumps(fields).encode()).extra["List"] == [{"TemplateId": "t1"}]


def test_the_same_delivery_has_the_same_key_and_two_events_of_one_second_do_not():
    job = "<Event>TEMPLATESENDJOBFINISH</Event><MsgID>{}</MsgID><Status>success</Status>"
    assert parse(event(job.format(1))).dedupe_key() == parse(event(job.format(1))).dedupe_key()
    assert parse(event(job.format(1))).dedupe_key() != parse(event(job.format(2))).dedupe_key()
    change = "<Event>change_contact</Event><ChangeType>create_user</ChangeType><UserID>{}</UserID>"
    assert parse(event(change.format("a"), "sys")).dedupe_key() != parse(event(change.format("b"), "sys")).dedupe_key()
    assert parse(TEXT.encode()).dedupe_key() == "m:77"
    long = parse(event(f"<Event>VIEW</Event><EventKey>https://{'x' * 1000}</EventKey>", "o" * 64))
    assert len(long.dedupe_key()) <= 100


def test_a_json_push_is_answered_in_json():
    inner = {"ToUserName": "gh_1", "FromUserName": "oA", "CreateTime": 1756699200, "MsgType": "text"}
    inner |= {"Content": "你好😀", "MsgId": 23456789012345678}
    query, xml = sealed(json.dumps(inner, ensure_ascii=False))
    encrypt = xml.decode().split("<Encrypt><![CDATA[")[1].split("]]>")[0]
    letter = envelope().open(query, json.dumps({"ToUserName": "gh_1", "Encrypt": encrypt}).encode(), NOON)
    assert (letter.message.content, letter.message.msg_id) == ("你好😀", "23456789012345678")
    body, kind = letter.seal(reply_json(letter.message, "好", NOON), NOON)
    answer = json.loads(body)
    assert kind == "application/json"
    assert (answer["TimeStamp"], answer["Nonce"]) == (int(STAMP), "42")
    wrapped = f"<xml><Encrypt>{answer['Encrypt']}</Encrypt></xml>"
    opened = WeChatCrypto(TOKEN, KEY, APP_ID).decrypt_message(wrapped, answer["MsgSignature"], STAMP, "42")
    assert json.loads(opened)["Content"] == "好"


@pytest.mark.parametrize(
    "text", ["a]]>b", "]]>]]>", "]]]]>>", "</Content><Content>x", "&lt;<b>", "x\x00\x0b\ufffey", "\ud800"]
)
def test_nothing_a_person_types_breaks_out_of_the_reply(text):
    message = parse(TEXT.encode())
    expected = text.replace("\x00", "").replace("\x0b", "").replace("\ufffe", "").replace("\ud800", "")
    assert parse(reply_text(message, text, NOON).encode()).content == expected
    news = parse(reply_news(message, title=text, text=text, url="https://a/?b=1&c=2", now=NOON).encode())
    assert news.extra["Articles"]["item"] == [
        {"Title": expected, "Description": expected, "PicUrl": "", "Url": "https://a/?b=1&c=2"}
    ]
    assert parse(reply_button_done(message, text, NOON).encode()).extra["Button"] == {"ReplaceName": expected}


def test_a_long_reply_is_cut_between_characters():
    content = parse(reply_text(parse(TEXT.encode()), "修" * 900, NOON).encode()).content
    assert len(content.encode()) <= 2048
    assert content.endswith("修…")


def test_a_nonce_cannot_break_out_of_the_answer():
    letter = envelope().open(*sealed(TEXT, nonce="]]><x>"), NOON)
    body, _ = letter.seal("<xml/>", NOON)
    assert body.count(b"<Nonce>") == 1
    assert b"<Nonce><![CDATA[]]]]><![CDATA[><x>]]></Nonce>" in body
