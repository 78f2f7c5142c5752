"""Signing in to the client: WeChat, official account, WeCom, campus sign-in, one-time code. FEATURES P2, P3, P11.

The platform is asked first, then one transaction: no row is held while a stranger thinks.
"""

from urllib.parse import urlencode

from flask import Response, make_response, redirect, request
from pydantic import Field

from campus import people, sessions
from campus.sessions import Known
from core import clock, log, web
from core.db import reading, run
from core.errors import CampusError, PlatformError
from core.house import house
from miniprogram_api import oauth
from miniprogram_api.frame import api, current_session, gives, refuses, signed_in
from miniprogram_api.kinds import In, Moment, Out, Query, line, secret, word
from miniprogram_api.limits import limited
from miniprogram_api.people import MeOut, me_of
from models.access import Actor
from models.people import IdentityKind

_log = log.get(__name__)

SIGN_IN_PAGE = "/m/#/pages/sign-in/sign-in"


class CodeIn(In):
    code: secret(256)


class OauthIn(In):
    code: secret(512)
    state: secret(128)


class TicketIn(In):
    ticket: secret(128)


class OneTimeCodeIn(In):
    campus_no: word(64)
    name: line(64)
    code: secret(32)


class ToQuery(Query):
    to: str | None = Field(None, max_length=500, description="Where to go afterwards: an address under /m/")


class SessionOut(Out):
    token: str
    expires_at: Moment
    bound: bool
    me: MeOut | None
    to: str | None = Field(None, description="Where the person wanted to be, for sign-ins that went away and came back")


class UrlOut(Out):
    url: str


LINKS = {"me": {"operationId": "get_me", "description": "The token signs the next request"}}


@api.post("/login/mini")
@limited("login")
@refuses(403, 404, 502)
@api.input(CodeIn, example={"code": "0a1b2c3d"})
@api.output(SessionOut, links=LINKS)
def post_login_mini(json_data: CodeIn) -> SessionOut:
    """The holder of a `wx.login` code is signed in."""
    mini = oauth.switched_on(house().platforms.mini)

    def ask() -> Known:
        said = mini.code_session(json_data.code)
        return Known(IdentityKind.MINI, said.openid, said.unionid)

    return _open("mini", oauth.once("mini", json_data.code, ask))


@api.get("/login/official/url")
@limited("login")
@refuses(403, 404, 502)
@api.input(ToQuery, location="query")
@api.output(UrlOut)
def get_login_official_url(query_data: ToQuery) -> Response:
    """Where a browser inside WeChat says who it is; it comes back to /m/ with code and state."""
    official = oauth.switched_on(house().platforms.official)
    state = oauth.new_state()
    answer = make_response(UrlOut(url=official.oauth_url(_client_address(), state)).model_dump())
    return oauth.set_out(answer, "official", state, to=query_data.to)


@api.post("/login/official")
@limited("login")
@refuses(403, 404, 502)
@api.input(OauthIn, example={"code": "061x", "state": "K7Q2M9X4CD"})
@api.output(SessionOut, links=LINKS)
def post_login_official(json_data: OauthIn) -> SessionOut:
    """Who came back from the official account's sign-in is signed in. A snapshot-page visitor is not (P11)."""
    official = oauth.switched_on(house().platforms.official)
    journey = oauth.came_back("official", json_data.state)

    def ask() -> Known:
        said = official.oauth_identity(json_data.code)
        return Known(IdentityKind.OFFICIAL, said.openid, said.unionid, snapshot=said.is_snapshot)

    return _open("official", oauth.once("official", json_data.code, ask), to=journey.to)


@api.get("/login/wecom/url")
@limited("login")
@refuses(403, 404, 502)
@api.input(ToQuery, location="query")
@api.output(UrlOut)
def get_login_wecom_url(query_data: ToQuery) -> Response:
    """Where a browser inside WeCom says who it is; it comes back to /m/ with code and state."""
    wecom = oauth.switched_on(house().platforms.wecom)
    state = oauth.new_state()
    answer = make_response(UrlOut(url=wecom.oauth_url(_client_address(), state)).model_dump())
    return oauth.set_out(answer, "wecom", state, to=query_data.to)


@api.post("/login/wecom")
@limited("login")
@refuses(403, 404, 502)
@api.input(OauthIn, example={"code": "061x", "state": "K7Q2M9X4CD"})
@api.output(SessionOut, links=LINKS)
def post_login_wecom(json_data: OauthIn) -> SessionOut:
    """The WeCom member who came back is signed in."""
    wecom = oauth.switched_on(house().platforms.wecom)
    journey = oauth.came_back("wecom", json_data.state)

    def ask() -> Known:
        return Known(IdentityKind.WECOM, wecom.oauth_userid(json_data.code))

    return _open("wecom", oauth.once("wecom", json_data.code, ask), to=journey.to)


@api.get("/login/sso/url")
@limited("login")
@refuses(403, 404, 502)
@api.input(ToQuery, location="query")
@api.output(UrlOut)
def get_login_sso_url(query_data: ToQuery) -> Response:
    """Where a browser signs in at the campus; it comes back to the client with a ticket."""
    sso = oauth.switched_on(house().platforms.sso)
    state = oauth.new_state()
    login = sso.login_url(f"{house().config.server.base_url}/api/v1/login/sso/return", state)
    return oauth.set_out(
        make_response(UrlOut(url=login.url).model_dump()), "sso", state, to=query_data.to, kept=login.stored
    )


@api.get("/login/sso/return")
@limited("login")
@refuses(403, 404, 502)
@gives("*/*")
@api.output(
    {},
    status_code=302,
    content_type="text/html",
    description="On to the client's sign-in page, with a ticket or an error",
)
def get_login_sso_return() -> Response:
    """The browser comes back from the campus sign-in and goes on to the client, with a ticket or with what went wrong."""
    try:
        sso = oauth.switched_on(house().platforms.sso)
        journey = oauth.came_back("sso", request.args.get("state", ""))
        who = sso.identity(request.args, journey.kept)
    except (CampusError, PlatformError) as why:  # this is a page in a browser: the client shows what went wrong
        _log.info("campus sign-in came back without an identity", answer=type(why).__name__)
        return _sign_in_page(error=why.code if isinstance(why, CampusError) else "sso_refused")
    ticket = run(lambda s: people.keep_sso_ticket(s, campus_no=who.campus_no, name=who.name, now=clock.now()))
    return _sign_in_page(ticket=ticket, to=journey.to)


@api.post("/login/sso")
@limited("login")
@refuses(403, 404, 502)
@api.input(TicketIn, example={"ticket": "k3J…"})
@api.output(SessionOut, links=LINKS)
def post_login_sso(json_data: TicketIn) -> SessionOut:
    """Whom the campus sign-in knows is signed in; the ticket is good once, within five minutes."""
    now, agent = clock.now(), request.user_agent.string
    token, _ = run(
        lambda s: people.sign_in_with_sso_ticket(
            s, ticket=json_data.ticket, way="sso", now=now, ip=web.client_ip(), agent=agent
        )
    )
    return _session(token)


@api.post("/login/code")
@limited("code")
@refuses(403)
@api.input(OneTimeCodeIn, example={"campus_no": "G2001", "name": "王建国", "code": "7K2M9X"})
@api.output(SessionOut, links=LINKS)
def post_login_code(json_data: OneTimeCodeIn) -> SessionOut:
    """The person to whom an operator gave this one-time code is signed in (P3)."""
    now, agent = clock.now(), request.user_agent.string
    token, _ = run(
        lambda s: people.sign_in_with_code(
            s,
            campus_no=json_data.campus_no,
            name=json_data.name,
            code=json_data.code,
            way="code",
            now=now,
            ip=web.client_ip(),
            agent=agent,
        )
    )
    return _session(token)


@api.post("/logout")
@signed_in
@limited("moves")
@api.output({}, status_code=204)
def post_logout() -> str:
    """The session is over; its token opens nothing any more."""
    run(lambda s: sessions.end_session(s, current_session().id, now=clock.now()))
    return ""


def _open(way: str, known: Known, *, to: str | None = None) -> SessionOut:
    now, agent = clock.now(), request.user_agent.string
    token, _ = run(lambda s: people.sign_in(s, identity=known, way=way, now=now, ip=web.client_ip(), agent=agent))
    return _session(token, to=to)


def _session(token: str, *, to: str | None = None) -> SessionOut:
    with reading() as s:
        found = sessions.session_of(s, token, door=sessions.API, now=clock.now())
        assert found is not None, "a session that was just opened is open"
        by: Actor = sessions.actor(found, web.request_id(), web.client_ip())
        me = me_of(s, by) if by.person_id is not None else None
    return SessionOut(token=token, expires_at=found.expires_at, bound=me is not None, me=me, to=to)


def _client_address() -> str:
    return f"{house().config.server.base_url}{oauth.HOME}"


def _sign_in_page(**facts: str) -> Response:
    """The browser goes on to the client's sign-in page with these facts behind it."""
    return redirect(f"{SIGN_IN_PAGE}?{urlencode(facts)}", 302)
