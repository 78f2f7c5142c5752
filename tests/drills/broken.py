"""The controls: our own processes with one promise broken, for showing that a drill would notice.

`python -m tests.drills.broken VARIANT WORDS…` runs `houqin WORDS…` with that variant's change. `houqin serve` becomes
gunicorn, which loads `tests.drills.broken:create_app()` in place of `app:create_app()`.
"""

import base64
import json
import os
import queue
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any
from xml.etree import ElementTree

from flask import request
from sqlalchemy.orm import Session

from core import log
from models import outbox

VARIANT = "HOUQIN_DRILL_VARIANT"


def mark_before_send() -> None:
    """A debt is settled when it is claimed: a worker that dies before sending has lost it."""
    claim = outbox.claim

    def claim_and_settle(s: Session, **how: Any) -> Any:
        debts = claim(s, **how)
        if debts:
            outbox.settle(s, debts, now=how["now"])
        return debts

    outbox.claim = claim_and_settle


def answer_before_commit() -> None:
    """A callback is answered when its deed is done, and committed a moment later. K3."""
    from wxbot.inbox import Inbox, Kept

    do, late = Inbox.do, threading.Event()

    def answer_first(self: Inbox, door: str, key: str, deed: Callable[[Session], str], now: datetime) -> Kept:
        said: queue.SimpleQueue[Any] = queue.SimpleQueue()

        def and_tell(s: Session) -> str:
            reply = deed(s)
            s.flush()
            said.put(Kept(reply, now, first=True))
            late.wait(0.3)
            return reply

        def work() -> None:
            try:
                self.begin(0)
                said.put(do(self, door, key, and_tell, now))
            except Exception as why:
                said.put(why)

        threading.Thread(target=work, daemon=True).start()
        answer = said.get()
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]  # a queue knows no types

    Inbox.do = answer_first  # type: ignore[method-assign]  # that is the variant


def dedupe_in_redis() -> None:
    """Which message came before is known to Redis alone. K4."""
    from core import config, redis
    from wxbot.inbox import Inbox, Kept

    cache = redis.connect(config.load(os.environ["HOUQIN_CONFIG"]).redis.url.get_secret_value())

    def do(self: Inbox, door: str, key: str, deed: Callable[[Session], str], now: datetime) -> Kept:
        if (before := cache.get(f"came:{door}:{key}")) is not None:
            return Kept(before, now, first=False)
        reply = self._database.run(deed)
        cache.put(f"came:{door}:{key}", reply, ttl_s=3600)
        return Kept(reply, now, first=True)

    Inbox.do = do  # type: ignore[method-assign]  # that is the variant


def act_before_verifying() -> None:
    """The body is parsed and its deed done, and only then is it asked who signed it. K7."""
    from platforms.wechat_crypto import Envelope
    from wxbot.door import CallbackDoor

    verify, answer, mine = Envelope._verify, CallbackDoor._answer, threading.local()

    def put_off(self: Envelope, query: Any, name: str, now: datetime, sealed: str | None = None) -> str:
        mine.verify = lambda: verify(self, query, name, now, sealed)
        return self._tokens[0]

    def answer_and_verify(self: CallbackDoor, account: Any, environ: dict[str, Any]) -> Any:
        mine.verify = lambda: None
        said = answer(self, account, environ)
        mine.verify()
        return said

    Envelope._verify = put_off  # type: ignore[method-assign]  # that is the variant
    CallbackDoor._answer = answer_and_verify  # type: ignore[method-assign]  # that is the variant


def any_receive_id() -> None:
    """Whom a message was encrypted for is not compared. K7."""
    from platforms.wechat_crypto import Envelope

    def decrypt(self: Envelope, sealed: str) -> tuple[bytes, Any]:
        cipher = self._ciphers[0]
        plain = cipher.decryptor().update(base64.b64decode(sealed))
        return plain[20 : 20 + int.from_bytes(plain[16:20], "big")], cipher

    Envelope._decrypt = decrypt  # type: ignore[method-assign]  # that is the variant


def any_timestamp() -> None:
    """A message may be as old as it likes. K7."""
    from platforms import wechat_crypto

    wechat_crypto.WINDOW_S = 10**9


def default_parser() -> None:
    """Callback bodies are read as the standard library reads them. K15."""
    from platforms import wechat_crypto, wechat_message

    def read(element: ElementTree.Element) -> Any:
        return {inner.tag: read(inner) for inner in element} if len(element) else element.text or ""

    def fields_of(body: bytes) -> dict[str, Any]:
        try:
            found = json.loads(body) if body.lstrip()[:1] == b"{" else read(ElementTree.fromstring(body))
        except (ValueError, ElementTree.ParseError):
            raise wechat_message.BadEnvelope("cannot be read") from None
        return found if isinstance(found, dict) else {}

    wechat_message.fields_of = wechat_crypto.fields_of = fields_of


def failing_route() -> None:
    """`/drill/bug` fails, saying what it was asked to say. For K25: no control yet."""
    import app

    create = app.create_flask

    def create_flask(house: Any) -> Any:
        made = create(house)

        @made.get("/drill/bug")
        def bug() -> str:
            raise RuntimeError(request.args["saying"])

        return made

    app.create_flask = create_flask


def without_redaction() -> None:
    """The same, and log lines go out as they come in. K25."""
    failing_route()
    log.redaction = False


VARIANTS: dict[str, Callable[[], None]] = {
    one.__name__: one
    for one in (
        mark_before_send,
        answer_before_commit,
        dedupe_in_redis,
        act_before_verifying,
        any_receive_id,
        any_timestamp,
        default_parser,
        failing_route,
        without_redaction,
    )
}


def create_app() -> Any:
    """What gunicorn loads for a variant of the web process."""
    import app

    VARIANTS[os.environ[VARIANT]]()
    return app.create_app()


def _serve_the_variant() -> None:
    execv = os.execv

    def with_our_app(path: str, words: list[str]) -> None:
        execv(path, ["tests.drills.broken:create_app()" if word == "app:create_app()" else word for word in words])

    os.execv = with_our_app  # type: ignore[assignment]  # it never returns, and nobody asks


def main() -> None:
    from commands import main as houqin

    _, variant, *words = sys.argv
    if "serve" in words:
        os.environ[VARIANT] = variant
        _serve_the_variant()
    else:
        VARIANTS[variant]()
    sys.argv = ["houqin", *words]
    houqin()


if __name__ == "__main__":
    main()
