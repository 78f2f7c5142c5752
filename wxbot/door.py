"""The callback paths as a thin WSGI door in front of the Flask app. PROTOCOLS 1.1–1.3, 2.9, 3.2; DESIGN §4.

It reads at most 64 KB, lets the envelope say whether the request is the platform's, finds the deed in the table of
`wxbot.deeds`, and answers inside four seconds: a reply or `success` only after the row is committed, 503 when it could
not be, so that the platform asks again. Thin because routing, request and response objects of a framework cost more
than all of that together (PERFORMANCE A.1). Decisions: docs/decisions/0002-callbacks.md.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from sqlalchemy.orm import Session

from core import clock, ids, log, metrics, serving
from core.config import Config
from core.db import Database
from core.errors import CampusError, NotNow
from platforms.wechat_crypto import SUCCESS, Answer, BadSignature, Envelope, Letter, Stale
from platforms.wechat_message import MAX_BODY, CallbackError, reply_json, reply_text
from wxbot import deeds, replies
from wxbot.inbox import Inbox, Kept, callback_database

_log = log.get(__name__)

Headers = list[tuple[str, str]]
StartResponse = Callable[[str, Headers], Any]
Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]

RETRY_AFTER_S = "2"
MAX_QUERY = 4096
MAX_FIELDS = 20


class TooLarge(CallbackError):
    """The body is larger than any the platforms send."""


class _Account:
    """One callback path: whose envelope, and under which name its arrivals are kept."""

    def __init__(self, name: str, envelope: Envelope) -> None:
        self.name = name
        self.envelope = envelope
        # A label lookup costs as much as the whole decryption; the outcomes are few and fixed.
        self.counted = {outcome: metrics.CALLBACKS.labels(name, outcome) for outcome in OUTCOMES}


OUTCOMES = ("echoed", "done", "repeated", "nothing", "said_no", "later", "bug", "forged", "stale", "too_large", "malformed", "method")  # fmt: skip

REFUSALS: tuple[tuple[type[CallbackError], str, str], ...] = (
    (BadSignature, "403 Forbidden", "forged"),
    (Stale, "403 Forbidden", "stale"),
    (TooLarge, "413 Content Too Large", "too_large"),
    (CallbackError, "400 Bad Request", "malformed"),
)


class CallbackDoor:
    """WSGI middleware: `/wx/…` is answered here, everything else by the app behind it."""

    def __init__(
        self,
        app: Wsgi,
        *,
        config: Config,
        database: Database | None = None,
        table: deeds.Table = deeds.TABLE,
    ) -> None:
        """Without `database` the door opens its own, which is what production does; a test hands one in."""
        self._app = app
        self._pages = replies.Pages(config)
        self._table = table
        self.inbox = Inbox(database or callback_database(config.database.url.get_secret_value()))
        self._accounts = _accounts(config)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        account = self._accounts.get(environ.get("PATH_INFO", ""))
        if account is None:
            return self._app(environ, start_response)
        headers: Headers = []
        try:
            status, answer, outcome = self._answer(account, environ)
        except CallbackError as why:
            status, outcome = next((status, outcome) for kind, status, outcome in REFUSALS if isinstance(why, kind))
            answer = _plain(outcome)
            _log.warning("callback refused", door=account.name, outcome=outcome, why=str(why))
        except NotNow as why:
            status, answer, outcome = "503 Service Unavailable", _plain("later"), "later"
            headers.append(("Retry-After", RETRY_AFTER_S))
            _log.warning("callback put off", door=account.name, why=why.facts.get("why", ""))
        except Exception as why:  # a reply is never a traceback, and never a `success` that was not stored
            status, answer, outcome = "503 Service Unavailable", _plain("later"), "bug"
            headers.append(("Retry-After", RETRY_AFTER_S))
            _log.error("bug", door=account.name, exc_info=why)
        account.counted[outcome].inc()
        if outcome == "method":
            headers.append(("Allow", "GET, POST"))
        headers.append(("Content-Type", answer.content_type))
        headers.append(("Content-Length", str(len(answer.body))))
        start_response(status, headers)
        return [answer.body]

    def _answer(self, account: _Account, environ: dict[str, Any]) -> tuple[str, Answer, str]:
        """Status, answer and outcome of one request. Raises CallbackError or NotNow."""
        method = environ["REQUEST_METHOD"]
        if method == "POST":
            letter = account.envelope.open(_query(environ), _body(environ), clock.now())
            return "200 OK", *self._reply(account, letter)
        if method == "GET":
            echo = account.envelope.echo(_query(environ), clock.now())
            return "200 OK", _plain(echo), "echoed"
        return "405 Method Not Allowed", _plain("method"), "method"

    def _reply(self, account: _Account, letter: Letter) -> tuple[Answer, str]:
        message, now = letter.message, clock.now()
        deed, saying = self._table.deed(account.name, message)
        if deed is None:
            return SUCCESS, "nothing"  # nothing is stored: the same message would get the same answer again
        mini = account.name != "wecom"
        key = message.dedupe_key()
        outcome = "done"
        self.inbox.begin(serving.waited_s())
        if isinstance(deed, replies.Say):
            kept = self.inbox.keep(account.name, key, self._pages.fixed(deed, mini=mini), now)
        else:
            came = deeds.Came(account.name, message, saying, now, f"RQ{ids.letters(14)}")
            log.remember(request_id=came.request_id)
            try:
                kept, outcome = self._do(account, key, deed, came, mini=mini)
            finally:
                log.forget()
        return _sealed(letter, kept), outcome if kept.first else "repeated"

    def _do(self, account: _Account, key: str, deed: deeds.Deed, came: deeds.Came, *, mini: bool) -> tuple[Kept, str]:
        """The deed is done, or its refusal is kept, or it is a bug. Raises NotNow."""
        facts = {"door": account.name, "kind": came.message.kind, "name": came.message.event}
        try:
            kept = self.inbox.do(
                account.name, key, lambda s: self._pages.text(_done(deed, s, came), mini=mini), came.now
            )
            outcome = "done"
        except NotNow:
            raise
        except CampusError as why:
            text = self._pages.text(replies.refusal(why), mini=mini)
            kept, outcome = self.inbox.keep(account.name, key, text, came.now), "said_no"
        except Exception as why:
            _log.error("bug", **facts, exc_info=why)
            kept, outcome = self._after_a_bug(account, key, came.now), "bug"
        if outcome != "done":  # what was done is in the rule's own line, under the same request id
            _log.info("callback", **facts, outcome=outcome, first=kept.first)
        return kept, outcome

    def _after_a_bug(self, account: _Account, key: str, now: datetime) -> Kept:
        """Twice the platform is asked to come again; the third time the person is told that it is us."""
        for attempt in ("1", "2"):
            if self.inbox.keep(account.name, f"bug{attempt}:{key}", "", now).first:
                raise NotNow(why="bug")
        return self.inbox.keep(account.name, key, replies.TROUBLE, now)


def _done(deed: deeds.Deed, s: Session, came: deeds.Came) -> replies.Reply | None:
    """What the deed says. A refusal that counts (a wrong code) stands with what it wrote, so it is a reply like any other."""
    try:
        return deed(s, came)
    except CampusError as why:
        if not why.counted:
            raise
        return replies.refusal(why)


def _sealed(letter: Letter, kept: Kept) -> Answer:
    """The kept reply, encrypted afresh. Its CreateTime is that of the first arrival: a repeated answer is the same."""
    if not kept.reply:
        return SUCCESS
    written = (reply_json if letter.is_json else reply_text)(letter.message, kept.reply, kept.at)
    return letter.seal(written, clock.now())


def _accounts(config: Config) -> dict[str, _Account]:
    """The paths of the platforms that are configured; the others are left to the app, which knows no such path."""
    doors: dict[str, _Account] = {}
    if config.official_account:
        doors["/wx/official"] = _Account(
            "official", Envelope.of(config.official_account, config.official_account.app_id)
        )
    if config.mini_program:
        doors["/wx/mini"] = _Account("mini", Envelope.of(config.mini_program, config.mini_program.app_id))
    if config.wecom:
        corp_id = config.wecom.corp_id
        doors["/wx/wecom"] = _Account("wecom", Envelope.of(config.wecom, corp_id, always_encrypted=True))
        if config.wecom_contacts:
            contacts = Envelope.of(config.wecom_contacts, corp_id, always_encrypted=True)
            doors["/wx/wecom/contacts"] = _Account("contacts", contacts)
    return doors


def _query(environ: dict[str, Any]) -> dict[str, str]:
    text = environ.get("QUERY_STRING", "")
    if len(text) > MAX_QUERY:
        raise TooLarge("the query is larger than 4 KB")
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError:
        raise CallbackError("the query has too many fields") from None


def _body(environ: dict[str, Any]) -> bytes:
    """The whole body, 64 KB at most, whether its length was announced or it came in chunks."""
    announced = environ.get("CONTENT_LENGTH") or ""
    if announced:
        if not (announced.isascii() and announced.isdigit()):
            raise CallbackError("Content-Length is not a number")
        if len(announced) > 9 or int(announced) > MAX_BODY:
            raise TooLarge("larger than 64 KB")
        want = int(announced)
    elif environ.get("wsgi.input_terminated"):
        want = MAX_BODY + 1
    else:
        return b""
    try:
        body: bytes = environ["wsgi.input"].read(want)
    except Exception as why:  # whatever the server calls it: the sender did not send what it announced
        raise CallbackError(f"the body broke off: {type(why).__name__}") from None
    if len(body) > MAX_BODY:
        raise TooLarge("larger than 64 KB")
    return body


def _plain(text: str) -> Answer:
    return Answer(text.encode("utf-8", "replace"), "text/plain; charset=utf-8")
