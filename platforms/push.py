"""The bulk sender: every push of the worker, over one pool of kept-alive connections. PERFORMANCE A.3, FEATURES N4.

It sends what the adapters would send (the same bodies), under the same tokens, judged by the same tables; only the
transport is asynchronous. An app that says "too often" (45009, 45011, 45033) is left alone until its time has come:
its pushes are answered Busy at once, the other apps go on. At most `connections` pushes are on the wire; whoever
hands in more waits at a semaphore, holding nothing but the message.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aiohttp
from yarl import URL

from core import clock, log, metrics
from core.errors import Busy, PlatformError, Refused, Unknown
from core.http import json_object
from platforms import mini, official, sms, wecom
from platforms.answers import TokenGone
from platforms.wechat_client import Caller, body_of

_log = log.get(__name__)

CONNECTIONS = 64
CONNECT_S, TOTAL_S = 3.0, 10.0
IDLE_S = 12.0  # shorter than any server's keep-alive, so that a push seldom meets a connection that is being closed
MAX_ANSWER = 64 * 1024
TOO_OFTEN = frozenset({"45009", "45011", "45033"})
# WeCom drops what an app sends one member beyond 30 a minute, without a word (PROTOCOLS 3.4). Two workers share them.
MEMBER_PER_MINUTE = 15


@dataclass(frozen=True, slots=True)
class TemplatePush:
    """An official-account template message. The same client_msg_id within 10 min is sent once (PROTOCOLS 1.11)."""

    openid: str
    template_id: str
    data: Mapping[str, str]
    url: str | None = None
    mini: tuple[str, str] | None = None
    client_msg_id: str | None = None


@dataclass(frozen=True, slots=True)
class SubscribePush:
    """A mini-program subscribe message. It has no key: a repeated one is seen twice (PROTOCOLS 2.6)."""

    openid: str
    template_id: str
    data: Mapping[str, str]
    page: str | None = None


@dataclass(frozen=True, slots=True)
class WeComText:
    """A WeCom app text. The same text to the same people within half an hour is delivered once (PROTOCOLS 3.4)."""

    userids: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class WeComCard:
    """A WeCom textcard. The same card to the same people within half an hour is delivered once (PROTOCOLS 3.4)."""

    userids: tuple[str, ...]
    title: str
    text: str
    url: str
    button: str = "详情"


@dataclass(frozen=True, slots=True)
class SmsPush:
    """An SMS under our id `no`."""

    no: str
    phone: str
    text: str


Push = TemplatePush | SubscribePush | WeComText | WeComCard | SmsPush


@dataclass(frozen=True, slots=True)
class Sent:
    """The platform accepted it. `invalid` are WeCom userids it could not be delivered to."""

    platform_id: str = ""
    invalid: tuple[str, ...] = ()


class _App:
    """What the sender keeps of one app: its gate after "too often", and one token change at a time."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self._closed_until = float("-inf")  # monotonic
        self._opens_at = clock.now()
        self.why = Busy("closed")
        self.too_often = 0
        self.base = caller.http.base_url
        self.heard = metrics.PLATFORM_CALLS.labels(caller.name, "heard")
        self.changing = asyncio.Lock()
        self._urls: dict[str, tuple[str, URL]] = {}

    def enter(self) -> None:
        """Raises Busy while the app is to be left alone."""
        left_s = self.left_s()
        if left_s > 0:
            raise Busy(self.why.code, self.why.message, retry_after_s=left_s)

    def left_s(self) -> float:
        """Seconds until the app may be asked again. A daily quota ends with the calendar day, so the wall clock may
        open earlier; that it jumps back cannot keep the app closed."""
        by_clock_s = (self._opens_at - clock.now()).total_seconds()
        return min(self._closed_until - clock.monotonic(), by_clock_s)

    def close(self, why: Busy) -> Busy:
        """The app is left alone for as long as the answer says; a second time without success, an hour at least."""
        pause_s = why.retry_after_s or 60.0
        if self.left_s() <= 0:  # pushes that were on the wire together count once
            self.too_often += 1
            if why.code == "45009" and self.too_often > 1:
                pause_s = max(pause_s, 3600.0)  # PROTOCOLS 3.11: minute, then hour
            self._closed_until = clock.monotonic() + pause_s
            self._opens_at = clock.now() + timedelta(seconds=pause_s)
            self.why = why
            _log.warning("platform slows us down", app=self.caller.name, errcode=why.code, pause_s=round(pause_s))
        return Busy(why.code, why.message, retry_after_s=max(pause_s, self.left_s()))

    async def token(self) -> str:
        tokens = self.caller.tokens
        if token := tokens.peek():
            return token
        async with self.changing:
            return await asyncio.to_thread(tokens.current)

    async def another(self, failed: str) -> str:
        tokens = self.caller.tokens
        async with self.changing:
            token = tokens.peek()
            return token if token and token != failed else await asyncio.to_thread(tokens.replace, failed)

    def url(self, path: str, token: str) -> URL:
        """The address with the token, made once per token."""
        known = self._urls.get(path)
        if known is None or known[0] != token:
            known = self._urls[path] = (token, URL(self.base + path).with_query(access_token=token))
        return known[1]


class _Members:
    """How often each WeCom member was written to in the last minute."""

    def __init__(self) -> None:
        self._written: dict[str, deque[float]] = {}

    def enter(self, userids: tuple[str, ...]) -> None:
        """They are written to once more now. Raises Busy when the platform would drop it for one of them."""
        now = clock.monotonic()
        if len(self._written) > 10_000:
            self._written = {userid: times for userid, times in self._written.items() if times and times[-1] > now - 60}
        known = [self._written.setdefault(userid.lower(), deque(maxlen=MEMBER_PER_MINUTE)) for userid in userids]
        for times in known:
            if len(times) == MEMBER_PER_MINUTE and times[0] > now - 60:
                raise Busy("member_pace", "WeCom would drop it", retry_after_s=times[0] + 60 - now)
        for times in known:
            times.append(now)


class Sender:
    """Sends pushes from one event loop. Raises per push: Refused, Busy, Unknown. Close it when the loop ends."""

    def __init__(
        self,
        *,
        official: official.OfficialAccount | None = None,
        mini: mini.MiniProgram | None = None,
        wecom: wecom.WeCom | None = None,
        sms: sms.Sms | None = None,
        connections: int = CONNECTIONS,
        total_s: float = TOTAL_S,
    ) -> None:
        self.connections = connections
        self._official = _App(official.caller) if official else None
        self._mini = _App(mini.caller) if mini else None
        self._wecom = _App(wecom.caller) if wecom else None
        self._agent_id = wecom.agent_id if wecom else 0
        self._members = _Members()
        self._sms = sms
        self._timeout = aiohttp.ClientTimeout(total=total_s, sock_connect=CONNECT_S, connect=CONNECT_S)
        self._session: aiohttp.ClientSession | None = None
        self._gate = asyncio.Semaphore(connections)

    async def __aenter__(self) -> "Sender":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """The connections are closed."""
        if self._session is not None:
            await self._session.close()
            self._session = None
        # Locks belong to the loop in which somebody waited for them; the next loop gets its own.
        self._gate = asyncio.Semaphore(self.connections)
        for app in (self._official, self._mini, self._wecom):
            if app is not None:
                app.changing = asyncio.Lock()

    async def send(self, push: Push) -> Sent:
        """The platform has accepted the push. Raises Refused, Busy or Unknown, as the adapters do."""
        match push:
            case TemplatePush():
                body = official.template_body(
                    push.openid, push.template_id, push.data,
                    url=push.url, mini=push.mini, client_msg_id=push.client_msg_id,
                )  # fmt: skip
                reply = await self._call(self._official, "official", official.TEMPLATE_SEND, body)
                return Sent(str(reply.get("msgid", "")))
            case SubscribePush():
                body = mini.subscribe_body(push.openid, push.template_id, push.data, push.page)
                reply = await self._call(self._mini, "mini", mini.SUBSCRIBE_SEND, body)
                return Sent(str(reply.get("msgid", "")))
            case WeComText():
                body = wecom.text_body(self._agent_id, push.userids, push.text)
            case WeComCard():
                body = wecom.card_body(self._agent_id, push.userids, push.title, push.text, push.url, push.button)
            case SmsPush():
                return Sent(await self._send_sms(push))
        self._members.enter(push.userids)
        reply = await self._call(self._wecom, "wecom", wecom.MESSAGE_SEND, body)
        return Sent(str(reply.get("msgid", "")), wecom.invalid_userids(reply, push.userids))

    async def _call(self, app: _App | None, name: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if app is None:
            raise Refused("off", f"{name} is not configured")
        data = body_of(body)
        token = await app.token()
        try:
            return await self._once(app, path, token, data)
        except TokenGone:
            token = await app.another(token)
        try:
            return await self._once(app, path, token, data)
        except TokenGone as why:
            raise Busy(why.code, why.message, retry_after_s=60) from None

    async def _once(self, app: _App, path: str, token: str, data: bytes) -> dict[str, Any]:
        async with self._gate:
            app.enter()  # looked at when it is this push's turn: the app may have closed while it waited
            reply = await self._post(app.caller.name, app.url(path, token), data, _JSON)
        app.heard.inc()
        try:
            app.caller.check(reply)
        except Busy as why:
            raise (app.close(why) if why.code in TOO_OFTEN else why) from None
        app.too_often = 0
        return reply

    async def _send_sms(self, push: SmsPush) -> str:
        if self._sms is None:
            raise Refused("off", "sms is not configured")
        body = sms.send_body(push.no, push.phone, push.text)
        async with self._gate:
            headers = self._sms.headers("POST", "/send", body)
            return sms.judge(await self._post("sms", URL(self._sms.base_url + "/send"), body, headers))

    async def _post(self, name: str, url: URL, data: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
        with _ThreeAnswers(name):
            async with self._http().post(url, data=data, headers=headers, allow_redirects=False) as answer:
                if answer.status >= 500:
                    raise Unknown(answer.status, "server error")
                content = b""
                async for chunk in answer.content.iter_any():
                    content += chunk
                    if len(content) > MAX_ANSWER:
                        raise Unknown("too_large", "the answer does not end")
        return json_object(content)

    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=self.connections, keepalive_timeout=IDLE_S)
            self._session = aiohttp.ClientSession(
                connector=connector, timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._session


_JSON = {"Content-Type": "application/json; charset=utf-8"}


class _ThreeAnswers:
    """What goes wrong on the wire, as Busy (never sent) or Unknown (sent, the end not heard). As in core.http."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, why: BaseException | None, _trace: object) -> None:
        found: PlatformError
        match why:
            case None | asyncio.CancelledError():
                return
            case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError():
                found = Busy("connection", type(why).__name__)
            case aiohttp.ClientError() | TimeoutError():
                found = Unknown("no_answer", type(why).__name__)
            case Unknown():
                found = why
            case _:
                return
        metrics.PLATFORM_CALLS.labels(self.name, type(found).__name__.lower()).inc()
        if found is not why:
            raise found from None
