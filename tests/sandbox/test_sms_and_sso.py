"""The SMS gateway's signed calls, CAS tickets and OpenID Connect."""

import hashlib
import hmac
import json
import xml.etree.ElementTree as ET
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.sandbox.conftest import Box


def sms(
    box: Box, method: str, path: str, body: bytes = b"", *, nonce: str = "n1", late_s: float = 0, **more: str
) -> Any:
    keys = box.world.settings.sms
    timestamp = str(int(box.world.clock.now() - late_s))
    text = f"{method}\n{path}\n{timestamp}\n{nonce}\n{hashlib.sha256(body).hexdigest()}"
    signature = hmac.new(keys["secret"].encode(), text.encode(), hashlib.sha256).hexdigest()
    head = {"X-Key": keys["key"], "X-Timestamp": timestamp, "X-Nonce": nonce, "X-Signature": signature, **more}
    return box.web.open(path, method=method, data=body, headers=head)


def message(key: str = "SMS1", phone: str = "13800010101") -> bytes:
    return json.dumps({"id": key, "phone": phone, "text": "【后勤通】已派工"}, ensure_ascii=False).encode()


def test_an_sms_is_sent_once_per_id_and_can_be_asked_about(quiet: Box) -> None:
    first = sms(quiet, "POST", "/sms/send", message()).json
    assert first["code"] == "OK"
    again = sms(quiet, "POST", "/sms/send", message(), nonce="n2").json
    assert again == {"code": "OK", "message_id": first["message_id"], "repeated": True}
    assert sms(quiet, "GET", "/sms/sent/SMS1", nonce="n3").json["found"] is True
    assert sms(quiet, "GET", "/sms/sent/SMS2", nonce="n4").json == {"found": False}
    assert len(quiet.ask("sent", kind="sms")["sent"]) == 1
    assert quiet.ask("pushes", person="lin")["pushes"][0]["app"] == "sms"


@pytest.mark.parametrize(
    "change",
    [{"X-Signature": "0" * 64}, {"X-Key": "other"}, {"late_s": 301}, {"X-Nonce": "other"}],
)
def test_an_sms_call_that_is_not_signed_right_sends_nothing(quiet: Box, change: dict[str, Any]) -> None:
    answer = sms(quiet, "POST", "/sms/send", message(), **change)
    assert (answer.status_code, answer.json["code"]) == (401, "REFUSED")
    assert quiet.ask("sent")["sent"] == []


def test_a_nonce_serves_once(quiet: Box) -> None:
    sms(quiet, "POST", "/sms/send", message())
    assert sms(quiet, "POST", "/sms/send", message("SMS2")).status_code == 401


def test_a_number_that_is_none_is_refused(quiet: Box) -> None:
    assert sms(quiet, "POST", "/sms/send", message(phone="12345")).json["code"] == "REFUSED"


def signed_in(box: Box, service: str, who: str = "zhao") -> str:
    url = "http://x/sso/cas/login?" + urlencode({"service": service})
    return box.do(who, "oauth", url=url)["redirect"]


def validated(box: Box, ticket: str, service: str, path: str = "p3/serviceValidate") -> ET.Element:
    answer = box.web.get(f"/sso/cas/{path}", query_string={"ticket": ticket, "service": service})
    return ET.fromstring(answer.text)[0]


def test_a_cas_ticket_is_good_once_for_its_own_service(quiet: Box) -> None:
    service = f"{quiet.world.settings.service_url}/console/sso?next=/console/"
    to = signed_in(quiet, service)
    assert to.startswith(service + "&ticket=ST-")
    ticket = parse_qs(urlsplit(to).query)["ticket"][0]
    good = validated(quiet, ticket, service)
    assert good.tag.endswith("authenticationSuccess")
    assert good[0].text == "T1001"
    assert validated(quiet, ticket, service).attrib["code"] == "INVALID_TICKET"
    other = parse_qs(urlsplit(signed_in(quiet, service)).query)["ticket"][0]
    assert validated(quiet, other, service + "x").attrib["code"] == "INVALID_SERVICE"
    assert validated(quiet, "", service).attrib["code"] == "INVALID_REQUEST"


def test_cas_sends_nobody_to_a_strange_service(quiet: Box) -> None:
    assert "INVALID_SERVICE" in quiet.web.get("/sso/cas/login?service=https://evil.example/").text


def test_the_log_in_page_takes_a_number_and_keeps_the_session(quiet: Box) -> None:
    web, service = quiet.web, quiet.world.settings.service_url
    page = f"/sso/cas/login?service={service}/"
    assert "有误" in web.post(page, data={"username": "T1001", "password": "x"}).text
    assert web.post(page, data={"username": "T1001", "password": "T1001"}).status_code == 302
    assert "ticket=ST-" in web.get(page).headers["Location"]
    assert web.get(page + "&renew=true").status_code == 200
    web.get("/sso/cas/logout")
    assert web.get(page + "&gateway=true").headers["Location"] == f"{service}/"


def test_openid_connect_with_pkce_and_nonce(quiet: Box) -> None:
    about = quiet.web.get("/sso/oidc/.well-known/openid-configuration").json
    sso, back = quiet.world.settings.sso, f"{quiet.world.settings.service_url}/sso/back"
    query = {
        **{"client_id": sso["client_id"], "redirect_uri": back, "response_type": "code", "scope": "openid profile"},
        **{"state": "s", "nonce": "n", "code_challenge_method": "S256"},
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",  # RFC 7636, appendix B
    }
    to = quiet.do("zhao", "oauth", url=f"{about['authorization_endpoint']}?{urlencode(query)}")["redirect"]
    code = parse_qs(urlsplit(to).query)["code"][0]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back}
    form["code_verifier"] = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    auth = (sso["client_id"], sso["client_secret"])
    assert quiet.web.post("/sso/oidc/token", data=form, auth=(auth[0], "x")).status_code == 401
    tokens = quiet.web.post("/sso/oidc/token", data=form, auth=auth).json
    claims = jwt.decode(tokens["id_token"], KeySet.import_key_set(quiet.web.get("/sso/oidc/jwks").json)).claims
    assert (claims["sub"], claims["name"], claims["nonce"]) == ("T1001", "赵敏", "n")
    assert (claims["iss"], claims["aud"]) == (about["issuer"], sso["client_id"])
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert quiet.web.get("/sso/oidc/userinfo", headers=bearer).json["sub"] == "T1001"
    assert quiet.web.post("/sso/oidc/token", data=form, auth=auth).json["error"] == "invalid_grant"


def test_a_wrong_verifier_gets_no_token(quiet: Box) -> None:
    sso, back = quiet.world.settings.sso, f"{quiet.world.settings.service_url}/sso/back"
    query = {"client_id": sso["client_id"], "redirect_uri": back, "response_type": "code", "scope": "openid"}
    query |= {"code_challenge": "x" * 43, "code_challenge_method": "S256"}
    to = quiet.do("zhao", "oauth", url=f"http://x/sso/oidc/authorize?{urlencode(query)}")["redirect"]
    form = {"grant_type": "authorization_code", "code": parse_qs(urlsplit(to).query)["code"][0], "redirect_uri": back}
    answer = quiet.web.post("/sso/oidc/token", data=form, auth=(sso["client_id"], sso["client_secret"]))
    assert answer.json["error"] == "invalid_grant"
