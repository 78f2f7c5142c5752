"""Who is at the console: the session, the second look at every changing request, and the headers. FEATURES P7.

The cookie holds a token whose hash is the session row (`campus.sessions`, door `console`). A changing request needs
the CSRF token of the signed cookie (OWASP ASVS 3.5) and must not come from another site by what the browser says
(Sec-Fetch-Site): two lines, either of which would do.
"""

from dataclasses import replace
from datetime import datetime
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, flash, g, redirect, request, url_for
from flask_wtf.csrf import CSRFProtect, generate_csrf
from werkzeug.wrappers import Response as AnyResponse

from campus import sessions
from core import clock
from core.db import reading, run
from core.errors import Forbidden, SignInNeeded
from core.house import house
from core.web import client_ip, request_id
from models.access import Actor, LoginSession, deeds_of, missing
from models.people import Person

bp = Blueprint(
    "console", __name__, url_prefix="/console", template_folder="templates", static_folder="static", static_url_path="/static"
)  # fmt: skip
csrf = CSRFProtect()

DOOR = "console"
OPEN = {"console.static", "console.get_vendor"}  # pages without a session; sign_in adds its own
UPLOADS: set[str] = set()  # these may be as big as a workbook
MAX_UPLOAD = 20 * 1024 * 1024
CSP = (
    "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors {ancestors}"
)


class CrossSite(Forbidden):
    code, text = "cross_site", "这个请求来自别的网站，已拦下"


def furnish(app: Flask) -> None:
    """The app keeps a signed cookie for CSRF and checks it for the console only."""
    server = app.extensions["houqin"].config.server
    https = server.base_url.startswith("https://")
    app.secret_key = app.secret_key or server.secret_key.get_secret_value()
    app.config["SESSION_COOKIE_NAME"] = "__Host-houqin_form" if https else "houqin_form"
    app.config["SESSION_COOKIE_SECURE"] = https
    app.config["SESSION_COOKIE_HTTPONLY"] = True
    app.config["SESSION_COOKIE_SAMESITE"] = "Lax"
    app.config["WTF_CSRF_CHECK_DEFAULT"] = False  # every other door has its own proof of who is speaking
    app.config["WTF_CSRF_TIME_LIMIT"] = None
    csrf.init_app(app)
    app.jinja_env.globals["csrf_token"] = generate_csrf


def cookie_name() -> str:
    """The session cookie's name; `__Host-` binds it to this host where there is https."""
    return "__Host-houqin_console" if _https() else "houqin_console"


def _https() -> bool:
    return house().config.server.base_url.startswith("https://")


def keep_session(answer: AnyResponse, token: str) -> AnyResponse:
    """The browser keeps the token until it closes; the row's own expiry is what counts."""
    answer.set_cookie(cookie_name(), token, secure=_https(), httponly=True, samesite="Lax", path="/")
    return answer


def forget_session(answer: AnyResponse) -> AnyResponse:
    answer.delete_cookie(cookie_name(), secure=_https(), httponly=True, samesite="Lax", path="/")
    return answer


@bp.before_request
def _size() -> None:
    if request.endpoint in UPLOADS:
        request.max_content_length = MAX_UPLOAD
        # werkzeug holds one chunk of 64 KiB and what is left of the one before against this limit, files included.
        request.max_form_memory_size = 4 * 64 * 1024


@bp.before_request
def _who() -> None:
    """`g.by` is who is asking. Raises SignInNeeded, or Forbidden when the person may no longer use the console."""
    g.by, g.deeds, g.me, g.session = None, frozenset(), None, None
    if request.endpoint in OPEN and request.endpoint != "console.get_sign_in":
        return
    now = clock.now()
    token = request.cookies.get(cookie_name())
    session = _session(token, now)
    if session is None or session.person_id is None:
        if request.endpoint in OPEN:
            return
        raise SignInNeeded
    by = replace(sessions.actor(session, request_id(), client_ip()), way=DOOR)
    with reading() as s:
        deeds = deeds_of(s, by)
        g.me = s.get(Person, by.person_id)
    if not (deeds & {"console.sign_in", "*"}):
        raise missing("console.sign_in")
    g.by, g.deeds, g.session = by, deeds, session


def _session(token: str | None, now: datetime) -> LoginSession | None:
    """The session of that token: found by looking, kept alive by writing at most once a minute.

    A page that asks again by itself (X-Poll) keeps nothing alive: a desk that was left is left.
    """
    if not token:
        return None
    with reading() as s:
        session = sessions.session_of(s, token, door=DOOR, now=now)
    polls = request.headers.get("X-Poll") == "1"
    if session is not None and not polls and now >= session.seen_at + sessions.SEEN_EVERY:
        session = run(lambda s: sessions.session_of(s, token, door=DOOR, now=now))
    return session


@bp.before_request
def _from_our_own_page() -> None:
    """A changing request comes from a page of ours. Raises CrossSite or CSRFError."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    ours = {request.host, urlsplit(house().config.server.base_url).netloc}
    if site not in (None, "same-origin", "none") or (origin and urlsplit(origin).netloc not in ours):
        raise CrossSite(site=site or "", origin=origin or "")
    csrf.protect()


@bp.after_request
def _headers(answer: Response) -> Response:
    ancestors = " ".join(("'self'", *house().config.server.frame_ancestors))
    answer.headers["Content-Security-Policy"] = CSP.format(ancestors=ancestors)
    if request.endpoint in ("console.static", "console.get_vendor"):
        from console.assets import keep_for_long

        return keep_for_long(answer)
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Vary"] = "Cookie, HX-Request"
    return answer


def me() -> Actor:
    """Who is asking, on a page that needs a session."""
    found: Actor = g.by
    return found


def may(*deeds: str) -> bool:
    """Whether one of these deeds is in the person's hands somewhere: for showing, the rule decides."""
    return "*" in g.get("deeds", ()) or any(deed in g.get("deeds", ()) for deed in deeds)


def by_htmx() -> bool:
    return request.headers.get("HX-Request") == "true"


def go(endpoint: str, said: str = "", *, kind: str = "ok", undo: str = "", **values: object) -> AnyResponse:
    """The deed is done: say so on the next page. `undo` is the address that takes it back."""
    if said:
        flash((said, undo), kind)  # type: ignore[arg-type]  # the session is JSON; the template knows the pair
    where = endpoint if endpoint.startswith("/") else url_for(f"console.{endpoint}", **values)  # type: ignore[arg-type]
    if by_htmx():
        return Response(status=204, headers={"HX-Redirect": where})
    return redirect(where, 303)
