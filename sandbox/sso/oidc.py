"""OpenID Connect, authorization code flow: discovery, PKCE, nonce, RS256 id_token, userinfo.

The signing key is made once per sandbox and kept in its store; it is the one thing the seed does not give.
"""

import base64
import hashlib
import hmac
import json
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from sandbox.answers import Refusal
from sandbox.sso.cas import campus, chosen
from sandbox.wechat.mini import issue, redeem
from sandbox.wechat.oauth import error_page, trusted, with_query
from sandbox.world import Row, World, world

routes = Blueprint("oidc", __name__)
LIFE_S = 3600


def b64(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def key_of(w: World) -> rsa.RSAPrivateKey:
    """The signing key."""
    pem = w.store.value("oidc_key")
    if pem is None:
        made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = made.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        w.store.keep("oidc_key", pem)
    found = serialization.load_pem_private_key(pem.encode(), None)
    if not isinstance(found, rsa.RSAPrivateKey):
        raise TypeError("the stored key is not RSA")
    return found


def number(value: int) -> str:
    """An integer as JWK writes it."""
    return b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def kid(key: rsa.RSAPrivateKey) -> str:
    """The key's thumbprint (RFC 7638)."""
    public = key.public_key().public_numbers()
    text = f'{{"e":"{number(public.e)}","kty":"RSA","n":"{number(public.n)}"}}'
    return b64(hashlib.sha256(text.encode()).digest())


def issuer(w: World) -> str:
    """Who signs."""
    return f"{w.settings.url}/sso/oidc"


def out(body: Row, status: int = 200) -> Response:
    """JSON that nobody keeps."""
    answer = Response(json.dumps(body, ensure_ascii=False), status, content_type="application/json")
    answer.headers["Cache-Control"] = "no-store"
    return answer


@routes.get("/.well-known/openid-configuration")
def configuration() -> Response:
    """Where everything is."""
    at = issuer(world())
    return out(
        {
            "issuer": at,
            "authorization_endpoint": f"{at}/authorize",
            "token_endpoint": f"{at}/token",
            "userinfo_endpoint": f"{at}/userinfo",
            "jwks_uri": f"{at}/jwks",
            "end_session_endpoint": f"{at}/logout",
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "profile", "phone"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
            "claims_supported": ["sub", "name", "preferred_username", "phone_number"],
        }
    )


@routes.get("/jwks")
def jwks() -> Response:
    """The public key."""
    key = key_of(world())
    public = key.public_key().public_numbers()
    one = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid(key), "n": number(public.n), "e": number(public.e)}
    return out({"keys": [one]})


@routes.route("/authorize", methods=["GET", "POST"])
def authorize() -> AnyResponse:
    """Back to the client with a code, once somebody has been chosen."""
    w, asked = world(), request.args
    back = asked.get("redirect_uri", "")
    if asked.get("client_id") != w.settings.sso.get("client_id"):
        return error_page("invalid_client", "client_id 未登记")
    if not trusted(w, back):
        return error_page("invalid_request", "redirect_uri 未登记")
    state = {"state": asked["state"]} if "state" in asked else {}
    if asked.get("response_type") != "code":
        return redirect(with_query(back, error="unsupported_response_type", **state))
    if "openid" not in asked.get("scope", "").split():
        return redirect(with_query(back, error="invalid_scope", **state))
    if asked.get("code_challenge") and asked.get("code_challenge_method") != "S256":
        return redirect(with_query(back, error="invalid_request", **state))
    person, note = None, ""
    if request.method == "POST":
        if "cancel" in request.form:
            return redirect(with_query(back, error="access_denied", **state))
        person = chosen(w)
        note = "" if person else "用户名或密码有误"
    elif request.headers.get("X-Sandbox-Person"):
        person = w.person(request.headers["X-Sandbox-Person"])
    if person is None:
        if asked.get("prompt") == "none":
            return redirect(with_query(back, error="login_required", **state))
        return Response(render_template("sso.html", people=campus(w), note=note, title="统一身份认证"))
    with w.store.deed():
        code = issue(
            *(w, "oidc", person["key"], 43),
            **{k: asked.get(k, "") for k in ("redirect_uri", "nonce", "code_challenge", "scope")},
        )
    return redirect(with_query(back, code=code, **state))


def client(w: World) -> bool:
    """Whether the caller is the registered client."""
    given = request.authorization
    if given is not None and given.type == "basic":
        name, secret = given.username or "", given.password or ""
    else:
        name, secret = request.form.get("client_id", ""), request.form.get("client_secret", "")
    return name == w.settings.sso.get("client_id") and hmac.compare_digest(
        secret.encode(), w.settings.sso.get("client_secret", "").encode()
    )


def signed(w: World, claims: Row) -> str:
    """A JWT."""
    key = key_of(w)
    head = {"alg": "RS256", "typ": "JWT", "kid": kid(key)}
    text = ".".join(b64(json.dumps(part, ensure_ascii=False).encode()) for part in (head, claims))
    return f"{text}.{b64(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def facts(person: Row, scope: str) -> Row:
    """The claims a scope gives."""
    found: dict[str, Any] = {"sub": person["campus_no"]}
    if "profile" in scope.split():
        found |= {"name": person["name"], "preferred_username": person["campus_no"]}
    if "phone" in scope.split():
        found["phone_number"] = person["phone"]
    return found


@routes.post("/token")
def token() -> Response:
    """Tokens for a code, once."""
    w, form = world(), request.form
    if not client(w):
        answer = out({"error": "invalid_client"}, 401)
        answer.headers["WWW-Authenticate"] = "Basic"
        return answer
    if form.get("grant_type") != "authorization_code":
        return out({"error": "unsupported_grant_type"}, 400)
    with w.store.deed():
        try:
            row = redeem(w, "oidc", form.get("code", ""))
        except Refusal:
            return out({"error": "invalid_grant"}, 400)
    extra = row["extra"]
    verifier = b64(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
    if extra["redirect_uri"] != form.get("redirect_uri") or (
        extra["code_challenge"] and extra["code_challenge"] != verifier
    ):
        return out({"error": "invalid_grant"}, 400)
    person, now = w.person(row["person"]) or {}, w.clock.second()
    claims = {"iss": issuer(w), "aud": w.settings.sso["client_id"], "iat": now, "exp": now + LIFE_S, "auth_time": now}
    claims |= facts(person, extra["scope"]) | ({"nonce": extra["nonce"]} if extra["nonce"] else {})
    with w.store.deed():
        access = issue(w, "oidc_access", person["key"], 64, scope=extra["scope"])
    return out(
        {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": LIFE_S,
            "scope": extra["scope"],
            "id_token": signed(w, claims),
        }
    )


@routes.route("/userinfo", methods=["GET", "POST"])
def userinfo() -> Response:
    """The claims of the bearer's person."""
    w = world()
    bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
    row = w.store.one("select * from code where code = ? and kind = 'oidc_access'", bearer)
    if row is None or w.clock.second() - row["issued_at"] > LIFE_S:
        answer = out({"error": "invalid_token"}, 401)
        answer.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
        return answer
    return out(facts(w.person(row["person"]) or {}, json.loads(row["extra"])["scope"]))


@routes.get("/logout")
def logout() -> AnyResponse:
    """Signed out; this server keeps no session."""
    back = request.args.get("post_logout_redirect_uri", "")
    if back and trusted(world(), back):
        return redirect(back)
    return Response(render_template("error.html", code="", words="您已退出统一身份认证"))
