"""Signing in at the campus: CAS 3 and OIDC, against a scripted other side. FEATURES P3, P7."""

import base64
import hashlib
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import responses
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from core.config import Sso as Section
from core.errors import Busy, Refused, Unknown
from platforms import sso
from tests.platforms.conftest import API, NOON

BACK = "https://h.edu/api/v1/sso/back"
CAS = f"{API}/sso/cas"
OIDC = f"{API}/sso/oidc"


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


@pytest.fixture
def cas() -> Any:
    return sso.build(Section(kind="cas", base_url=CAS))


def cas_says(wire: responses.RequestsMock, inner: str) -> None:
    wire.add(
        "GET",
        f"{CAS}/p3/serviceValidate",
        body=f"<cas:serviceResponse xmlns:cas='http://www.yale.edu/tp/cas'>{inner}</cas:serviceResponse>",
    )


def test_cas_knows_who_came_back(cas, wire):
    cas_says(
        wire,
        "<cas:authenticationSuccess><cas:user>2023010101</cas:user><cas:attributes><cas:name>林小雨</cas:name>"
        "<cas:mail>a</cas:mail><cas:mail>b</cas:mail></cas:attributes></cas:authenticationSuccess>",
    )
    login = cas.login_url(BACK, "state1")
    service = query_of(login.url)["service"]
    assert login.url.startswith(f"{CAS}/login?service=")
    assert service == f"{BACK}?state=state1"
    assert cas.identity({"ticket": "ST-1", "state": "state1"}, login.stored) == ("2023010101", "林小雨")
    assert query_of(wire.calls[0].request.url) == {"ticket": "ST-1", "service": service}
    assert wire.calls[0].request.req_kwargs["timeout"] is not None


def test_cas_does_not_know_the_ticket(cas, wire):
    cas_says(wire, "<cas:authenticationFailure code='INVALID_TICKET'>no</cas:authenticationFailure>")
    with pytest.raises(Refused):
        cas.identity({"ticket": "ST-1", "state": "s"}, cas.login_url(BACK, "s").stored)


@pytest.mark.parametrize("args", [{}, {"ticket": "ST-1"}, {"ticket": "ST-1", "state": "other"}, {"state": "s"}])
def test_cas_answers_of_another_sign_in_are_refused_without_asking(cas, wire, args):
    with pytest.raises(Refused):
        cas.identity(args, cas.login_url(BACK, "s").stored)
    assert len(wire.calls) == 0


@pytest.mark.parametrize("body", ["", "<html>", "hello", "<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>", "<x/>"])
def test_what_is_not_cas_is_unknown(cas, wire, body):
    wire.add("GET", f"{CAS}/p3/serviceValidate", body=body)
    with pytest.raises(Unknown):
        cas.identity({"ticket": "ST-1", "state": "s"}, cas.login_url(BACK, "s").stored)


def test_cas_away_is_busy(cas, wire):
    with pytest.raises((Busy, Unknown)):
        cas.identity({"ticket": "ST-1", "state": "s"}, cas.login_url(BACK, "s").stored)


class Provider:
    """An OIDC provider at the wire: discovery, keys, token endpoint. `over` changes the claims it signs."""

    def __init__(self, wire: responses.RequestsMock) -> None:
        self.wire = wire
        self.key = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"})
        self.published = self.key
        self.over: dict[str, Any] = {}
        self.signs_with: Any = None
        self.header = {"alg": "RS256", "kid": "k1"}
        self.nonce = self.challenge = ""
        self.form: dict[str, str] = {}
        endpoints = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "jwks"}
        found = {"issuer": OIDC} | {name: f"{OIDC}/{path}" for name, path in endpoints.items()}
        wire.add("GET", f"{OIDC}/.well-known/openid-configuration", json=found)
        wire.add_callback("GET", f"{OIDC}/jwks", lambda _: (200, {}, json.dumps(self.keys())))
        wire.add_callback("POST", f"{OIDC}/token", self.token)

    def keys(self) -> Any:
        return KeySet([self.published]).as_dict(private=False)

    def visit(self, url: str) -> dict[str, str]:
        query = query_of(url)
        self.nonce, self.challenge = query["nonce"], query["code_challenge"]
        assert query["code_challenge_method"] == "S256"
        return {"code": "c1", "state": query["state"]}

    def token(self, request: Any) -> tuple[int, dict[str, str], str]:
        form = {name: values[0] for name, values in parse_qs(request.body).items()}
        verified = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=")
        if verified.decode() != self.challenge or form["code"] != "c1":
            return 400, {"Content-Type": "application/json"}, '{"error":"invalid_grant"}'
        now = int(NOON.timestamp())
        claims = {"iss": OIDC, "aud": "houqin", "sub": "2023010101", "name": "林小雨", "nonce": self.nonce}
        claims |= {"iat": now, "exp": now + 300} | self.over
        claims = {name: value for name, value in claims.items() if value is not None}
        if self.header["alg"] == "none":
            parts = (json.dumps(part).encode() for part in (self.header, claims))
            signed = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."
        else:
            signed = jwt.encode(self.header, claims, self.signs_with or self.key, algorithms=["RS256"])
        body = {"access_token": "a", "token_type": "Bearer", "expires_in": 300, "id_token": signed}
        return 200, {"Content-Type": "application/json"}, json.dumps(body)


@pytest.fixture
def provider(wire, moving) -> Provider:
    return Provider(wire)


@pytest.fixture
def oidc() -> Any:
    return sso.build(Section(kind="oidc", base_url=OIDC, client_id="houqin", client_secret="s"))


def test_oidc_knows_who_came_back(oidc, provider):
    login = oidc.login_url(BACK, "state1")
    assert oidc.identity(provider.visit(login.url), login.stored) == ("2023010101", "林小雨")
    query = query_of(login.url)
    assert (query["redirect_uri"], query["response_type"], query["client_id"]) == (BACK, "code", "houqin")
    assert "openid" in query["scope"]
    assert login.stored["verifier"] not in login.url


def test_a_number_may_stand_in_another_claim(provider):
    section = Section(kind="oidc", base_url=OIDC, client_id="houqin", number_claim="student_no", name_claim="cn")
    provider.over = {"student_no": 2023010199, "cn": "陈思远"}
    oidc = sso.build(section)
    login = oidc.login_url(BACK, "s")
    assert oidc.identity(provider.visit(login.url), login.stored) == ("2023010199", "陈思远")


WRONG = {
    "another audience": {"aud": "other"},
    "another issuer": {"iss": "https://evil"},
    "another nonce": {"nonce": "n"},
    "no nonce": {"nonce": None},
    "expired": {"exp": int(NOON.timestamp()) - 300},
    "no expiry": {"exp": None},
    "from tomorrow": {"iat": int(NOON.timestamp()) + 86400},
    "no number": {"sub": None},
    "a number that is none": {"sub": True},
}


@pytest.mark.parametrize("name", WRONG)
def test_a_token_that_is_not_for_us_now_is_refused(oidc, provider, name):
    provider.over = WRONG[name]
    login = oidc.login_url(BACK, "s")
    with pytest.raises(Refused):
        oidc.identity(provider.visit(login.url), login.stored)


def test_a_token_signed_with_another_key_or_with_none_is_refused(oidc, provider):
    login = oidc.login_url(BACK, "s")
    provider.signs_with = RSAKey.generate_key(2048, {"kid": "k1"})
    with pytest.raises(Refused):
        oidc.identity(provider.visit(login.url), login.stored)
    provider.signs_with, provider.header = None, {"alg": "none"}
    with pytest.raises(Refused):
        oidc.identity(provider.visit(login.url), login.stored)


def test_a_provider_that_changed_its_key_is_asked_again(oidc, provider):
    login = oidc.login_url(BACK, "s")
    oidc.identity(provider.visit(login.url), login.stored)
    provider.key = provider.published = RSAKey.generate_key(2048, {"kid": "k2", "use": "sig"})
    provider.header = {"alg": "RS256", "kid": "k2"}
    login = oidc.login_url(BACK, "s")
    assert oidc.identity(provider.visit(login.url), login.stored).campus_no == "2023010101"


def test_a_code_without_its_verifier_or_of_another_sign_in_is_refused(oidc, provider):
    login = oidc.login_url(BACK, "s")
    back = provider.visit(login.url)
    with pytest.raises(Refused):
        oidc.identity(back, login.stored | {"verifier": "x" * 64})
    with pytest.raises(Refused):
        oidc.identity(back | {"state": "t"}, login.stored)
    with pytest.raises(Refused):
        oidc.identity({"error": "access_denied", "state": "s"}, login.stored)


@pytest.mark.parametrize("body", ["", "<html>", "{}"])
def test_what_is_not_oidc_is_unknown(oidc, wire, body):
    wire.add("GET", f"{OIDC}/.well-known/openid-configuration", body=body)
    with pytest.raises(Unknown):
        oidc.login_url(BACK, "s")


def test_off_is_none():
    assert sso.build(None) is None
    assert sso.build(Section(kind="off")) is None
