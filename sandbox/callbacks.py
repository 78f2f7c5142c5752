"""Pushes to the service, delivered as WeChat and WeCom deliver them (PROTOCOLS 1.2, 1.3, 3.2).

Five seconds to answer, three attempts in all: the content with its MsgId and CreateTime stays, time
stamp, nonce and signature are new. An attempt that was given up may still be running on the other
side when the next one arrives. A reply is decrypted and its signature verified before it is shown.
"""

import heapq
import itertools
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import requests

from sandbox import codec, wire_text
from sandbox.settings import Account

if TYPE_CHECKING:
    from sandbox.world import World

LARGEST_REPLY = 1 << 20
LISTED = 2000


class BadReply(ValueError):
    """The service answered something WeChat would not show."""


@dataclass
class Push:
    """One message or event on its way."""

    account: Account
    openid: str  # or the WeCom userid
    fields: wire_text.Fields
    replies: bool = True  # an error shows the "cannot serve" bubble


@dataclass
class Outcome:
    """What became of a push."""

    reply: wire_text.Fields | None = None
    failed: str = ""
    attempts: list[dict[str, Any]] = field(default_factory=list)

    def shown(self) -> dict[str, Any]:
        """As JSON."""
        return {"ok": not self.failed, "failed": self.failed, "reply": self.reply, "attempts": self.attempts}


class Later:
    """Things that happen a while later in real time."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Callable[[], Any]]] = []
        self._order = itertools.count()
        self._news = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def __call__(self, delay_s: float, deed: Callable[[], Any]) -> None:
        """The deed is done in `delay_s` seconds."""
        with self._news:
            heapq.heappush(self._due, (time.monotonic() + delay_s, next(self._order), deed))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="sandbox-later", daemon=True)
                self._thread.start()
            self._news.notify()

    def clear(self) -> None:
        """Nothing is left to do."""
        with self._news:
            self._due.clear()

    def close(self) -> None:
        """The thread ends."""
        with self._news:
            self._closed = True
            self._news.notify()
        if self._thread:
            self._thread.join(timeout=5)

    def _run(self) -> None:
        while True:
            with self._news:
                while not self._closed and (not self._due or self._due[0][0] > time.monotonic()):
                    self._news.wait(self._due[0][0] - time.monotonic() if self._due else None)
                if self._closed:
                    return
                _, _, deed = heapq.heappop(self._due)
            deed()


class Callbacks:
    """The platform's postman."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._pool = ThreadPoolExecutor(max_workers=64, thread_name_prefix="sandbox-push")
        self._local = threading.local()
        self._run = 0  # which run this is: `forget` begins another
        self._stop = threading.Event()
        self._held: list[threading.Event] = []
        self.later = Later()
        self.listed: list[dict[str, Any]] = []

    def close(self) -> None:
        """Nothing is sent any more; what is on its way is given up."""
        self._stop.set()
        self.later.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def forget(self) -> None:
        """What was still to come does not come, and what is under way leaves no trace in the run that begins now."""
        self._run += 1
        self.later.clear()
        self.listed.clear()

    def send(self, push: Push, then: Callable[[Outcome], Any] | None = None) -> Future[Outcome]:
        """The push is on its way; `then` gets its outcome."""
        return self._pool.submit(self._send, push, then)

    def _send(self, push: Push, then: Callable[[Outcome], Any] | None) -> Outcome:
        run = self._local.run = self._run
        faults = {
            f.kind: f
            for f in self._world.faults.strike(
                *(push.account.name, "callback_lose", "callback_delay", "callback_reorder"),
                *("callback_duplicate", "callback_forge"),
            )
        }
        platform = "wecom" if push.account.wecom else "wechat"
        if "callback_lose" in faults or self._world.faults.has("outage", f"POST /{platform}/callback"):
            outcome = Outcome(failed="lost on the way")
        else:
            if "callback_delay" in faults:
                self._stop.wait(float(faults["callback_delay"].args["delay_s"]))
            if "callback_reorder" in faults:
                self._let_pass(float(faults["callback_reorder"].args["wait_s"]))
            forged = "callback_forge" in faults
            copies = int(faults["callback_duplicate"].args["copies"]) if "callback_duplicate" in faults else 1
            others = [
                threading.Thread(target=self._attempt, args=(push, Outcome(), 1, forged), daemon=True)
                for _ in range(copies - 1)
            ]
            for other in others:
                other.start()
            outcome = self._deliver(push, forged)
            for other in others:
                other.join()
        self._overtaken()
        if run != self._run:
            return outcome
        self._world.bump("callbacks_failed" if outcome.failed else "callbacks_answered")
        with self._world.store.lock:
            self.listed.append(
                {"account": push.account.name, "to": push.openid, "push": push.fields, **outcome.shown()}
            )
            del self.listed[:-LISTED]
        if then:
            then(outcome)
        return outcome

    def _let_pass(self, wait_s: float) -> None:
        passed = threading.Event()
        self._held.append(passed)
        passed.wait(wait_s)

    def _overtaken(self) -> None:
        while self._held:
            self._held.pop().set()

    def _deliver(self, push: Push, forged: bool) -> Outcome:
        behaviour = self._world.behaviour
        outcome = Outcome()
        for number in range(1, int(behaviour["callback_attempts"]) + 1):
            if number > 1 and outcome.failed != "timeout":
                self._stop.wait(float(behaviour["callback_gap_s"]))  # what failed at once is not repeated at once
            if self._stop.is_set():
                outcome.failed = "the sandbox stopped"
                return outcome
            if self._attempt(push, outcome, number, forged):
                return outcome
        outcome.failed = outcome.failed or "no answer"
        return outcome

    def _attempt(self, push: Push, outcome: Outcome, number: int, forged: bool) -> bool:
        """One POST. True when WeChat would not ask again: a 200, whatever it says."""
        account = self._world.account(push.account.name) or push.account  # keys may have been rotated meanwhile
        url, body, kind = self._packed(account, push, forged)
        started = time.monotonic()
        line: dict[str, Any] = {"attempt": number, "url": url.partition("?")[0]}
        settled = False
        try:
            status, answer = self._post(url, body, kind)
            line |= {"status": status, "answer": answer[:500].decode("utf-8", "replace")}
            if status == 200:
                settled = True
                outcome.failed = ""
                outcome.reply = self._read(account, push, answer)
            else:
                outcome.failed = f"HTTP {status}"
        except BadReply as error:
            outcome.failed = f"bad reply: {error}"
        except requests.RequestException as error:
            slow = time.monotonic() - started >= float(self._world.behaviour["callback_timeout_s"]) * 0.95
            outcome.failed = "timeout" if slow else f"not reached: {type(error).__name__}"
        line |= {"ms": round((time.monotonic() - started) * 1000), "failed": outcome.failed}
        outcome.attempts.append(line)
        if getattr(self._local, "run", self._run) != self._run:
            return settled
        plain = {k: v for k, v in push.fields.items() if k not in ("ToUserName",)}
        self._world.record(
            **{"direction": "out", "platform": account.name, "method": "POST", "path": line["url"]},
            **{"status": line.get("status", 0), "ms": line["ms"], "request": plain, "attempt": number},
            **{"response": outcome.failed or outcome.reply or line.get("answer", ""), "errcode": None, "faults": []},
        )
        return settled

    def _post(self, url: str, body: bytes, kind: str) -> tuple[int, bytes]:
        """The answer, if all of it came within five seconds."""
        limit_s = float(self._world.behaviour["callback_timeout_s"])
        until = time.monotonic() + limit_s
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
            self._local.session.trust_env = False
        headers = {"Content-Type": kind, "User-Agent": "Mozilla/4.0", "Accept": "*/*", "Connection": "close"}
        with self._local.session.post(
            url, data=body, headers=headers, timeout=limit_s, stream=True, allow_redirects=False
        ) as r:
            answer = b""
            for chunk in r.iter_content(16384):
                answer += chunk
                if time.monotonic() > until:
                    raise requests.ReadTimeout("five seconds are over")
                if len(answer) > LARGEST_REPLY:
                    raise BadReply("too long")
            return r.status_code, answer

    def _packed(self, account: Account, push: Push, forged: bool) -> tuple[str, bytes, str]:
        """URL, body and content type of one attempt, signed anew."""
        dice, clock = self._world.dice, self._world.clock
        timestamp, nonce = str(clock.second()), dice.text("nonce", 10, "123456789")
        as_json = account.format == "json" and not account.wecom
        plain = wire_text.push_json(push.fields) if as_json else wire_text.xml(push.fields)
        token = "forged" if forged else account.token
        query: dict[str, str] = {}
        if not account.wecom:
            query["signature"] = codec.sha1_sorted(token, timestamp, nonce)
        query |= {"timestamp": timestamp, "nonce": nonce}
        if not account.wecom:
            query["openid"] = push.openid
        body = plain
        if account.wecom or account.mode in ("compat", "secure"):
            sealed = codec.encrypt(account.aes_key, plain, account.app_id, dice.bytes("aes", 8).hex().encode())
            signed = codec.sha1_sorted(token, timestamp, nonce, sealed)
            if account.wecom:
                query = {"msg_signature": signed, **query}
                outer = {
                    "ToUserName": account.app_id,
                    "Encrypt": sealed,
                    "AgentID": str(push.fields.get("AgentID", "")),
                }
                body = "<xml>" + "".join(wire_text.element(k, v) for k, v in outer.items()) + "</xml>"
            else:
                query |= {"encrypt_type": "aes", "msg_signature": signed}
                whole = push.fields if account.mode == "compat" else {"ToUserName": push.fields["ToUserName"]}
                outer = {**whole, "Encrypt": sealed}
                body = json.dumps(outer, ensure_ascii=False) if as_json else wire_text.xml(outer)
        url = f"{self._world.settings.service_url}{account.callback}?{urlencode(query)}"
        return url, body.encode(), "application/json" if as_json else "text/xml"

    def _read(self, account: Account, push: Push, answer: bytes) -> wire_text.Fields | None:
        """The passive reply, or None for `success` and nothing. Raises BadReply for everything else."""
        if answer in (b"", b"success"):
            return None
        try:
            text = answer.decode()
            fields = wire_text.read_xml(text) if text.lstrip().startswith("<") else json.loads(text)
        except (UnicodeDecodeError, wire_text.Malformed, ValueError) as error:
            raise BadReply(f"neither XML nor success: {error}") from error
        if not isinstance(fields, dict):
            raise BadReply("not an object")
        if "Encrypt" in fields:
            fields = self._open(account, fields)
        elif account.wecom or account.mode == "secure":
            raise BadReply("a plain reply in secure mode")
        if not fields.get("MsgType"):
            return fields if account.format == "json" else self._no("MsgType is missing")
        if not account.wecom and fields.get("ToUserName") != push.openid:
            self._no("ToUserName is not who wrote")
        if not account.wecom and fields.get("FromUserName") != account.origin_id:
            self._no("FromUserName is not this account")
        if fields["MsgType"] == "text" and len(str(fields.get("Content", "")).encode()) > 2048:
            self._no("Content is longer than 2048 bytes")
        if fields["MsgType"] == "news" and not account.wecom and str(fields.get("ArticleCount")) != "1":
            self._no("only one article is allowed")
        return fields

    def _no(self, why: str) -> None:
        raise BadReply(why)

    def _open(self, account: Account, outer: wire_text.Fields) -> wire_text.Fields:
        """The inside of an encrypted reply whose signature is right under the present or the previous key."""
        before = self._world.store.value(f"keys_before:{account.name}")
        pairs = [(account.token, account.aes_key)] + ([(before["token"], before["aes_key"])] if before else [])
        sealed, signature = str(outer["Encrypt"]), str(outer.get("MsgSignature", ""))
        for token, aes_key in pairs:
            wanted = codec.sha1_sorted(token, str(outer.get("TimeStamp", "")), str(outer.get("Nonce", "")), sealed)
            if not codec.same(wanted, signature):
                continue
            try:
                inner = codec.decrypt(aes_key, sealed, account.app_id)
                found = wire_text.read_xml(inner) if inner.lstrip().startswith("<") else json.loads(inner)
            except (codec.Undecipherable, wire_text.Malformed, ValueError) as error:
                raise BadReply(f"the encrypted reply: {error}") from error
            return found if isinstance(found, dict) else {}
        raise BadReply("MsgSignature does not fit")

    def verify(self, account: Account) -> dict[str, Any]:
        """The GET by which a console checks a URL; what came back and whether it would be accepted."""
        dice = self._world.dice
        timestamp, nonce = str(self._world.clock.second()), dice.text("nonce", 10, "123456789")
        wanted = dice.text("echostr", 19, "123456789")
        if account.wecom:
            echostr = codec.encrypt(account.aes_key, wanted, account.app_id, dice.bytes("aes", 8).hex().encode())
            query = {"msg_signature": codec.sha1_sorted(account.token, timestamp, nonce, echostr)}
        else:
            echostr = wanted
            query = {"signature": codec.sha1_sorted(account.token, timestamp, nonce)}
        query |= {"timestamp": timestamp, "nonce": nonce, "echostr": echostr}
        url = f"{self._world.settings.service_url}{account.callback}"
        try:
            answer = requests.get(url, params=query, timeout=1 if account.wecom else 5, allow_redirects=False)
        except requests.RequestException as error:
            return {"ok": False, "why": f"not reached: {type(error).__name__}"}
        ok = answer.status_code == 200 and answer.content == wanted.encode()
        why = "" if ok else f"HTTP {answer.status_code}, {answer.text[:100]!r} in place of the echostr"
        return {"ok": ok, "why": why}
