"""Calling WeChat and WeCom: wechatpy's client classes on our own transport.

wechatpy offers the calls; what it lacks is put under it here (PROTOCOLS 6.1, 6.5): every URL it knows, hard-coded
ones included, goes to this instance's base URL, every call has a timeout, the token is the shared one, a token that
fails is replaced once and the call repeated once, and the answer is a value, Refused, Busy or Unknown.
"""

import json
from collections.abc import Mapping
from typing import Any

from wechatpy.client import WeChatClient
from wechatpy.enterprise import WeChatClient as WeChatEnterpriseClient

from core import clock, log
from core.errors import Busy, PlatformError
from core.http import Http, json_object
from platforms.answers import Table, TokenGone
from platforms.tokens import Fetch, Tokens

_log = log.get(__name__)

TIMEOUT_S, TOKEN_TIMEOUT_S = 8.0, 5.0  # to hear the end; connecting has three seconds of its own
ALERT_EVERY_S = 600.0
_PICTURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8")


def body_of(content: Mapping[str, Any]) -> bytes:
    """The JSON body with real Chinese characters: menus show \\u escapes literally (PROTOCOLS 1.6, 2.10)."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


class Caller:
    """One app's calls. `name` is what logs and metrics say: official, mini, wecom, contacts."""

    def __init__(self, name: str, base_url: str, table: Table, tokens: Tokens, *, timeout_s: float = TIMEOUT_S) -> None:
        self.name = name
        self.table = table
        self.tokens = tokens
        self.http = Http(name, base_url, timeout_s=timeout_s)
        self._alerted: dict[str, float] = {}

    def call(
        self, method: str, path: str, *, body: Any = None, with_token: bool = True, **params: Any
    ) -> dict[str, Any]:
        """The platform's reply. Raises Refused, Busy or Unknown; a failed token is replaced and tried once more."""
        answer = self.ask(method, path, body=body, with_token=with_token, params=params)
        if isinstance(answer, dict):
            return answer
        return json_object(answer)

    def ask(
        self, method: str, path: str, *, body: Any = None, with_token: bool = True, params: Mapping[str, Any]
    ) -> dict[str, Any] | bytes:
        """The reply, or its bytes where the platform answers with a picture."""
        if not with_token:
            return self._once(method, path, body, params, None)
        token = self.tokens.current()
        try:
            return self._once(method, path, body, params, token)
        except TokenGone:
            token = self.tokens.replace(token)
        try:
            return self._once(method, path, body, params, token)
        except TokenGone as why:
            _log.error("access token refused twice", app=self.name, errcode=why.code)
            raise Busy(why.code, why.message, retry_after_s=60) from None

    def _once(
        self, method: str, path: str, body: Any, params: Mapping[str, Any], token: str | None
    ) -> dict[str, Any] | bytes:
        query = {name: value for name, value in params.items() if value is not None}
        if token is not None:
            query["access_token"] = token
        options: dict[str, Any] = {"params": query}
        if body is not None:
            options["data"] = body if isinstance(body, bytes) else body_of(body)
            options["headers"] = {"Content-Type": "application/json; charset=utf-8"}
        content = self.http.request(method, path, **options).content
        if content.startswith(_PICTURES):  # told by its bytes, not by its content type: PROTOCOLS 2.7
            return content
        reply = json_object(content)
        self.check(reply, with_token=token is not None)
        return reply

    def check(self, reply: Mapping[str, Any], *, with_token: bool = True) -> None:
        """Raises what the reply means; what only an operator can mend is said in the log, once in ten minutes."""
        try:
            self.table.check(reply, with_token=with_token)
        except PlatformError as why:
            self.say(why)
            raise

    def say(self, why: PlatformError) -> None:
        """Tells the log about an answer that only an operator can mend."""
        if not (why.code.lstrip("-").isdigit() and int(why.code) in self.table.alert):
            return
        now = clock.monotonic()
        if now - self._alerted.get(why.code, float("-inf")) >= ALERT_EVERY_S:
            self._alerted[why.code] = now
            _log.error("platform needs an operator", app=self.name, errcode=why.code, answer=why.message)


class _OnCaller:
    """The part of a wechatpy client that talks: everything goes through a Caller."""

    HOST: str
    caller: Caller

    def __new__(cls, *_: Any, **__: Any) -> Any:
        return super().__new__(cls)  # wechatpy's __new__ takes anything and binds the API groups

    def _request(self, method: str, url_or_endpoint: str, **options: Any) -> Any:
        base = options.pop("api_base_url", None) or f"{self.HOST}/cgi-bin/"
        url = url_or_endpoint if "://" in url_or_endpoint else base + url_or_endpoint
        params = dict(options.get("params") or {})
        with_token = "access_token" not in params
        reply = self.caller.ask(
            method.upper(),
            url.removeprefix(self.HOST),
            body=options.get("data"),
            with_token=with_token,
            params=params,
        )
        process = options.get("result_processor")
        return process(reply) if process else reply

    @property
    def access_token(self) -> str:
        return self.caller.tokens.current()

    def fetch_access_token(self) -> Any:
        raise NotImplementedError("tokens come from platforms.tokens")


class Client(_OnCaller, WeChatClient):  # type: ignore[misc]  # wechatpy has no types
    """wechatpy's client of official accounts and mini-programs, on our transport."""

    HOST = "https://api.weixin.qq.com"

    def __init__(self, caller: Caller, app_id: str) -> None:
        self.caller = caller
        super().__init__(app_id, "", timeout=caller.http.timeout, auto_retry=False)


class EnterpriseClient(_OnCaller, WeChatEnterpriseClient):  # type: ignore[misc]  # wechatpy has no types
    """wechatpy's client of WeCom, on our transport."""

    HOST = "https://qyapi.weixin.qq.com"

    def __init__(self, caller: Caller, corp_id: str) -> None:
        self.caller = caller
        super().__init__(corp_id, "", timeout=caller.http.timeout, auto_retry=False)


def token_http(name: str, base_url: str, timeout_s: float) -> Http:
    """The connection on which tokens are fetched: an answer later than five seconds is no answer."""
    return Http(f"{name}_token", base_url, timeout_s=min(timeout_s, TOKEN_TIMEOUT_S))


def stable_token(http: Http, app_id: str, secret: str, table: Table) -> Fetch:
    """A `fetch` for Tokens: POST /cgi-bin/stable_token, which cannot kill another worker's token. PROTOCOLS 1.10."""

    def fetch(force: bool) -> tuple[str, float]:
        body = {"grant_type": "client_credential", "appid": app_id, "secret": secret, "force_refresh": force}
        return token_in(http.json("POST", "/cgi-bin/stable_token", data=body_of(body)), "access_token", table)

    return fetch


def token_in(reply: Mapping[str, Any], name: str, table: Table) -> tuple[str, float]:
    """The token (or ticket) in a reply and the seconds it lives. Raises what the reply means instead."""
    table.check(reply, with_token=False)
    token, lives_s = reply.get(name), reply.get("expires_in", 7200)
    if not isinstance(token, str) or not token or not isinstance(lives_s, int) or lives_s <= 0:
        raise Busy("token", "the answer holds no usable token")
    return token, float(lives_s)
