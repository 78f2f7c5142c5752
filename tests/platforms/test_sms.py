"""The SMS gateway: signed, three answers, asked by our id."""

import hashlib
import hmac
import json

import pytest

from core.errors import Busy, Refused, Unknown
from tests.platforms.conftest import API, NOON


def test_a_message_is_signed_over_what_goes_over_the_wire(sms, wire, moving):
    wire.add("POST", f"{API}/sms/send", json={"code": "OK", "message_id": "m1"})
    assert sms.send("WX1:sms", "13800000000", "您的报修已派工") == "m1"
    request = wire.calls[0].request
    assert json.loads(request.body) == {"id": "WX1:sms", "phone": "13800000000", "text": "您的报修已派工"}
    headers = request.headers
    assert (headers["X-Key"], headers["X-Timestamp"]) == ("k", str(int(NOON.timestamp())))
    digest = hashlib.sha256(request.body).hexdigest()
    text = f"POST\n/sms/send\n{headers['X-Timestamp']}\n{headers['X-Nonce']}\n{digest}"
    assert headers["X-Signature"] == hmac.new(b"s4", text.encode(), hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("reply", "kind"),
    [({"code": "REFUSED"}, Refused), ({"code": "BUSY"}, Busy), ({"code": "WHAT"}, Unknown), ({}, Unknown)],
)
def test_the_three_answers(sms, wire, reply, kind):
    wire.add("POST", f"{API}/sms/send", json=reply)
    with pytest.raises(kind):
        sms.send("n", "138", "x")


def test_a_repeated_id_is_as_good_as_sent(sms, wire):
    wire.add("POST", f"{API}/sms/send", json={"code": "OK", "repeated": True})
    assert sms.send("n", "138", "x") == ""


@pytest.mark.parametrize("found", [True, False])
def test_it_can_be_asked_whether_it_has_one(sms, wire, found):
    wire.add("GET", f"{API}/sms/sent/WX1%2Fa", json={"found": found})
    assert sms.has_sent("WX1/a") is found
    signed = wire.calls[0].request.headers
    empty = hashlib.sha256(b"").hexdigest()
    text = f"GET\n/sms/sent/WX1%2Fa\n{signed['X-Timestamp']}\n{signed['X-Nonce']}\n{empty}"
    assert signed["X-Signature"] == hmac.new(b"s4", text.encode(), hashlib.sha256).hexdigest()


def test_no_clear_answer_is_unknown(sms, wire):
    wire.add("GET", f"{API}/sms/sent/n", json={"found": "maybe"})
    with pytest.raises(Unknown):
        sms.has_sent("n")
