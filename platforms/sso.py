"""Campus single sign-on: CAS 3 on python-cas, OIDC on Authlib. FEATURES P3, P7.

Both work the same way for a door: `begin` gives the page to send the browser to and what to keep in the visitor's
signed cookie meanwhile; `identity` takes the query that came back and what was kept, and says who it is. The state
ties the two together, so nobody can be signed in with somebody else's answer. OIDC adds PKCE (S256) and a nonce.
"""

import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlencode, urljoin, urlsplit
from xml.etree.ElementTree import ParseError

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from cas import CASClientV3
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from core import clock, config, crypto
from core.errors import Busy, Refused, Unknown
from core.http import Http

LEEWAY_S = 120
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384"]  # never "none", never a shared secret


class Login(NamedTuple):
    """Where the browser goes, and what the door keeps (signed) until it comes back."""

    url: str
    stored: dict[str, str]


class SsoIdentity(NamedTuple):
    """Who the campus says it is."""

    campus_no: str
    name: str


class Sso(Protocol):
    """Either way of signing in."""

    kind: str

    def login_url(self, return_to: str, state: str) -> Login:
        """Where the browser goes to sign in and come back to `return_to`."""

    def identity(self, args: Mapping[str, str], stored: Mapping[str, str]) -> SsoIdentity:
        """Who came back. Raises Refused when nobody or somebody else did, Busy or Unknown when SSO is away."""


class Cas:
    """CAS protocol 3: a ticket in the query, validated at p3/serviceValidate for exactly the same service URL."""

    kind = "cas"

    def __init__(self, section: config.Sso) -> None:
        self._base = section.base_url.rstrip("/") + "/"
        self._number, self._name = section.number_claim, section.name_claim
        self._http = Http("sso", self._base, timeout_s=5.0)

    def login_url(self, return_to: str, state: str) -> Login:
        service = _with(return_to, state=state)
        return Login(self._client(service).get_login_url(), {"state": state, "return_to": return_to})

    def identity(self, args: Mapping[str, str], stored: Mapping[str, str]) -> SsoIdentity:
        _same_state(args, stored)
        ticket = args.get("ticket", "")
        if not ticket or len(ticket) > 512:
            raise Refused("no_ticket", "CAS sent no ticket")
        client = self._client(_with(stored["return_to"], state=stored["state"]))
        query = {"ticket": ticket, "service": client.service_url}
        content = self._http.request("GET", urljoin(self._base, client.url_suffix), params=query).content
        if b"<!DOCTYPE" in content:
            raise Unknown("not_cas", "the answer has a document type")
        try:
            user, attributes, _ = client.verify_response(content)
        except (ParseError, IndexError, AttributeError, ValueError):
            raise Unknown("not_cas", "the answer is not what CAS says") from None
        if not user:
            raise Refused("ticket", "CAS does not know this ticket")
        attributes = attributes or {}
        return SsoIdentity(_one(attributes.get(self._number)) or user.strip(), _one(attributes.get(self._name)))

    def _client(self, service: str) -> Any:
        return CASClientV3(service_url=service, server_url=self._base)


class Oidc:
    """OpenID Connect: authorization code with PKCE, the id_token checked for signature, issuer, audience, nonce, time."""

    kind = "oidc"

    def __init__(self, section: config.Sso) -> None:
        self._base = section.base_url.rstrip("/")
        self._id, self._secret = section.client_id, section.client_secret.get_secret_value()
        self._number, self._name = section.number_claim, section.name_claim
        self._http = Http("sso", self._base, timeout_s=5.0)
        self._known: dict[str, Any] | None = None
        self._keys: KeySet | None = None

    def login_url(self, return_to: str, state: str) -> Login:
        verifier, nonce = secrets.token_urlsafe(48), crypto.token(16)
        with self._session(return_to) as session:
            url, _ = session.create_authorization_url(
                self._metadata()["authorization_endpoint"], state=state, code_verifier=verifier, nonce=nonce
            )
        return Login(url, {"state": state, "return_to": return_to, "verifier": verifier, "nonce": nonce})

    def identity(self, args: Mapping[str, str], stored: Mapping[str, str]) -> SsoIdentity:
        _same_state(args, stored)
        if args.get("error") or not args.get("code"):
            raise Refused("denied", str(args.get("error", "no code"))[:100])
        token = self._token(args["code"], stored)
        claims = self._claims(token.get("id_token"), stored["nonce"])
        number = claims.get(self._number)
        if not isinstance(number, str | int) or isinstance(number, bool) or not str(number).strip():
            raise Refused("no_number", f"the id_token holds no {self._number}")
        return SsoIdentity(str(number).strip(), _one(claims.get(self._name)))

    def _token(self, code: str, stored: Mapping[str, str]) -> dict[str, Any]:
        with self._session(stored["return_to"]) as session:
            try:
                token: dict[str, Any] = session.fetch_token(
                    self._metadata()["token_endpoint"],
                    code=code,
                    grant_type="authorization_code",
                    code_verifier=stored["verifier"],
                    timeout=self._http.timeout,
                )
            except AuthlibBaseError as why:
                raise Refused("code", str(why.error)[:100]) from None
            except requests.exceptions.ConnectionError:
                raise Busy("connection", "the token endpoint cannot be reached") from None
            except (requests.RequestException, ValueError):
                raise Unknown("no_token", "the token endpoint gave no answer") from None
        return token

    def _claims(self, id_token: Any, nonce: str) -> dict[str, Any]:
        if not isinstance(id_token, str):
            raise Refused("no_id_token", "there is no id_token")
        metadata = self._metadata()
        try:
            token = self._decoded(id_token)
            options = {
                "iss": {"essential": True, "value": metadata["issuer"]},
                "aud": {"essential": True, "value": self._id},
                "nonce": {"essential": True, "value": nonce},
                "exp": {"essential": True},
            }
            claims = CodeIDToken(token.claims, token.header, options, {"nonce": nonce, "client_id": self._id})
            claims.validate(now=int(clock.now().timestamp()), leeway=LEEWAY_S)
        except (JoseError, AuthlibBaseError, ValueError) as why:
            raise Refused("id_token", type(why).__name__) from None
        return dict(claims)

    def _decoded(self, id_token: str) -> Any:
        try:
            return jwt.decode(id_token, self._key_set(), algorithms=ALGORITHMS)
        except (JoseError, ValueError):
            self._keys = None  # the provider may have changed its keys: looked up once more
            return jwt.decode(id_token, self._key_set(), algorithms=ALGORITHMS)

    def _key_set(self) -> KeySet:
        if self._keys is None:
            found: Any = self._http.json("GET", self._metadata()["jwks_uri"])
            self._keys = KeySet.import_key_set(found)
        return self._keys

    def _metadata(self) -> dict[str, Any]:
        if self._known is None:
            found = self._http.json("GET", "/.well-known/openid-configuration")
            needed = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")
            if not all(isinstance(found.get(name), str) for name in needed):
                raise Unknown("not_oidc", "the discovery document is not complete")
            self._known = found
        return self._known

    def _session(self, return_to: str) -> OAuth2Session:
        session = OAuth2Session(
            self._id,
            self._secret or None,
            scope="openid profile",
            redirect_uri=return_to,
            code_challenge_method="S256",
            token_endpoint_auth_method="client_secret_basic" if self._secret else "none",
        )
        session.trust_env = False
        return session


def build(section: config.Sso | None) -> Sso | None:
    """The configured way of signing in, None when there is none."""
    if section is None or section.kind == "off":
        return None
    return Cas(section) if section.kind == "cas" else Oidc(section)


def _same_state(args: Mapping[str, str], stored: Mapping[str, str]) -> None:
    state = stored.get("state", "")
    if not state or not crypto.same(args.get("state", ""), state):
        raise Refused("state", "this answer belongs to another sign-in")


def _with(url: str, **params: str) -> str:
    return url + ("&" if urlsplit(url).query else "?") + urlencode(params)


def _one(value: Any) -> str:
    """The first of what may be one text or several."""
    if isinstance(value, list):
        value = value[0] if value else ""
    return str(value).strip() if value is not None else ""
