"""The frame of /api/v1: what may be sent, who is asking, how it is answered. DESIGN §4, ECOSYSTEM 5.1, DRILLS K15.

Doors identify, rules check: a bearer token is a session, a session is an Actor, and an endpoint calls one rule.
"""

import hashlib
import json
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from apiflask import APIBlueprint
from apiflask.exceptions import HTTPError
from flask import Flask, Response, current_app, g, request
from flask.json.provider import DefaultJSONProvider
from itsdangerous import BadData, URLSafeSerializer
from pydantic import ValidationError
from werkzeug.exceptions import NotAcceptable, UnsupportedMediaType

from campus import sessions
from core import clock, web
from core.db import reading, run
from core.errors import Invalid, SignInNeeded
from core.house import house
from miniprogram_api.kinds import what_is_wrong
from models.access import Actor, LoginSession

View = TypeVar("View", bound=Callable[..., Any])

api = APIBlueprint("api", __name__, url_prefix="/api/v1")

JSON_ONLY = ("application/json",)
NO_BODY_ENCODINGS = ("", "identity")


# ---- JSON ----------------------------------------------------------------------------------------------------------


class StrictJson(DefaultJSONProvider):
    """JSON that means one thing: no duplicate names, no NaN, no infinity, no depth that breaks the reader (K15)."""

    ensure_ascii = False
    sort_keys = False

    def loads(self, s: str | bytes, **_: Any) -> Any:
        try:
            return json.loads(s, object_pairs_hook=_once, parse_constant=_no, parse_float=_finite)
        except RecursionError:
            raise ValueError("nested too deeply") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _no(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise ValueError("a number is too large")
    return value


@api.before_request
def _well_sent() -> None:
    """What cannot be read is refused before anybody looks at it: 415, 406."""
    view = current_app.view_functions.get(request.endpoint or "")
    if request.method in ("POST", "PUT", "PATCH"):
        takes = getattr(view, "takes", JSON_ONLY)
        encoding = request.headers.get("Content-Encoding", "").lower()
        nothing = not request.mimetype and not request.content_length and not request.headers.get("Transfer-Encoding")
        if (request.mimetype not in takes and not nothing) or encoding not in NO_BODY_ENCODINGS:
            raise UnsupportedMediaType()
    gives = getattr(view, "gives", ("application/json", "application/problem+json"))
    if request.accept_mimetypes and not any(one in request.accept_mimetypes for one in gives):
        raise NotAcceptable()


def takes(*types: str) -> Callable[[View], View]:
    """The endpoint's body is of one of these types instead of JSON."""

    def mark(view: View) -> View:
        view.takes = types  # type: ignore[attr-defined]  # read by _well_sent
        return view

    return mark


def gives(*types: str) -> Callable[[View], View]:
    """The endpoint answers with one of these types instead of JSON."""

    def mark(view: View) -> View:
        view.gives = types  # type: ignore[attr-defined]  # read by _well_sent
        return view

    return mark


def refuses(*statuses: int) -> Callable[[View], View]:
    """The endpoint can also answer with these, beyond what its shape says (`miniprogram_api.openapi`)."""

    def mark(view: View) -> View:
        view.refuses = statuses  # type: ignore[attr-defined]  # read by miniprogram_api.openapi
        return view

    return mark


# ---- refusals ------------------------------------------------------------------------------------------------------


def refused_input(why: HTTPError) -> Response:
    """A body or query that does not fit its description, field by field."""
    cause = why.__cause__
    fields = (
        what_is_wrong(cause.errors(include_url=False, include_input=False))
        if isinstance(cause, ValidationError)
        else None
    )
    code, detail = web.HTTP_CODES.get(why.status_code, ("bad_request", "请求有误"))
    return web.problem(why.status_code, code, detail, fields=fields)


def set_up(app: Flask) -> None:
    """The app reads strict JSON and answers a refused input as problem+json."""
    app.json = StrictJson(app)
    app.register_error_handler(HTTPError, refused_input)


# ---- who is asking -------------------------------------------------------------------------------------------------


def signed_in(view: View) -> View:
    """The endpoint is for somebody with a session. Raises SignInNeeded; whether they may is the rule's business."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        g.session = session_of_request()
        return view(*args, **kwargs)

    guarded.signed_in = True  # type: ignore[attr-defined]  # read by miniprogram_api.openapi
    return guarded  # type: ignore[return-value]  # the view, wrapped


def session_of_request() -> LoginSession:
    """The session whose token came with the request. Raises SignInNeeded."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not 16 <= len(token) <= 128 or not token.isascii():
        raise SignInNeeded()
    now = clock.now()
    with reading() as s:
        found = sessions.session_of(s, token, door=sessions.API, now=now)
    if found is not None and now >= found.seen_at + sessions.SEEN_EVERY:  # looking costs no write, keeping alive does
        found = run(lambda s: sessions.session_of(s, token, door=sessions.API, now=now))
    if found is None:
        raise SignInNeeded()
    return found


def current_session() -> LoginSession:
    """The session of an endpoint that is `signed_in`."""
    return g.session  # type: ignore[no-any-return]  # g knows no types


def current_actor() -> Actor:
    """Who is asking, for the rules."""
    return sessions.actor(current_session(), web.request_id(), web.client_ip())


# ---- answers -------------------------------------------------------------------------------------------------------


def polled(retry_after_s: int) -> Callable[[View], View]:
    """The endpoint is asked again and again: an unchanged answer is a 304, and the client is told when to ask next."""

    def wrap(view: View) -> View:
        @wraps(view)
        def answer_once(*args: Any, **kwargs: Any) -> Response:
            answer = current_app.make_response(view(*args, **kwargs))
            if answer.status_code == 200:
                answer.set_etag(hashlib.sha256(answer.get_data()).hexdigest()[:32])
                answer.headers["Cache-Control"] = "private, no-cache"
                answer.headers["Retry-After"] = str(retry_after_s)
                answer.make_conditional(request)
            return answer

        answer_once.polled = retry_after_s  # type: ignore[attr-defined]  # read by miniprogram_api.openapi
        return answer_once  # type: ignore[return-value]  # the view, wrapped

    return wrap


def cursor_for(name: str, value: Any) -> str | None:
    """Where a list goes on, opaque and signed: nobody can ask for a place of their own making."""
    return None if value is None else str(_cursors(name).dumps(value))


def read_cursor(name: str, cursor: str | None) -> Any:
    """What `cursor_for` gave out for this list, None for its beginning. Raises Invalid."""
    if cursor is None:
        return None
    try:
        return _cursors(name).loads(cursor)
    except BadData:
        raise Invalid(fields={"cursor": "已失效，请从头加载"}) from None


def _cursors(name: str) -> URLSafeSerializer:
    return URLSafeSerializer(house().config.server.secret_key.get_secret_value(), salt=f"cursor:{name}")
