"""The official account (服务号): templates, menu, door codes, web sign-in, JS-SDK. Source: PROTOCOLS 1."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from core import clock, config, crypto
from core.errors import Refused, Unknown
from core.redis import Cache
from platforms.answers import Table
from platforms.tokens import Tokens
from platforms.wechat_client import TIMEOUT_S, Caller, Client, stable_token, token_http, token_in
from platforms.wechat_crypto import Envelope

CODES = Table(  # PROTOCOLS 1.15, and the codes that 1.6, 1.10, 1.12 name beside it
    token=frozenset({40001, 40014, 41001, 42001}),
    refused=frozenset(
        {
            40003,  # bad openid
            43004, 50005,  # not a follower, left
            43101,  # refused, or no subscription left
            47001, 47003, 44002, 44003, 44004, 40008, 40035, 45002, 40129,  # malformed, or a field does not fit
            45015, 45047,  # customer-service window closed, count used up
            45168,  # sensitive words
            40029, 40030, 40163, 41008, 42002, 42003,  # web sign-in code: begin again
            46003,  # no menu
            40016, 40017, 40018, 40019, 40020, *range(40023, 40029), 40054, 40055, 65301,  # menu
            40039, 40053, 43002,
            *range(61450, 61460), *range(65400, 65420),  # customer service parameters
        }
    ),
    busy_s={-1: 5, 45011: 60, 43108: 5, 40097: 5},
    until_tomorrow=frozenset({45009}),
    alert=frozenset(
        {
            40125, 40013, 40243, 40002, 41002, 41004,  # credentials
            40164, 50004, 50007, 89503, 89506, 89507,  # IP list, account limits, administrator must confirm
            40037, 41030, 45103,  # template, page
            43107, 48001, 48002, 48004, 50002,  # capability banned, API not authorised, account limited
            45009,
        }
    ),
)  # fmt: skip

PRODUCTION = "https://api.weixin.qq.com"
PAGES_HOST = "https://mp.weixin.qq.com"


class Qr(NamedTuple):
    """A parameter QR: the ticket that fetches its picture, and the address inside it."""

    ticket: str
    url: str


class Follower(NamedTuple):
    """What the platform still tells about a person (PROTOCOLS 1.14)."""

    openid: str
    follows: bool
    unionid: str | None


class OauthIdentity(NamedTuple):
    """Who signed in on the web. A snapshot-page visitor must never be bound (P11)."""

    openid: str
    unionid: str | None
    is_snapshot: bool


class Template(NamedTuple):
    """A template of the account and its field keys, in order."""

    id: str
    title: str
    fields: tuple[str, ...]


_FIELD = re.compile(r"\{\{\s*(\w+)\.DATA\s*\}\}")


def template_of(template_id: str, title: str, content: str) -> Template:
    """The template that this content (`{{thing1.DATA}}…`) describes."""
    return Template(template_id, title, tuple(_FIELD.findall(content)))


def template_data(data: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """The fields as the platform wants them."""
    return {key: {"value": value} for key, value in data.items()}


def template_body(
    openid: str,
    template_id: str,
    data: Mapping[str, str],
    *,
    url: str | None = None,
    mini: tuple[str, str] | None = None,
    client_msg_id: str | None = None,
) -> dict[str, Any]:
    """The body of message/template/send. PROTOCOLS 1.11."""
    body: dict[str, Any] = {"touser": openid, "template_id": template_id, "data": template_data(data)}
    if url:
        body["url"] = url
    if mini:
        body["miniprogram"] = {"appid": mini[0], "pagepath": mini[1]}
    if client_msg_id:
        body["client_msg_id"] = client_msg_id
    return body


TEMPLATE_SEND = "/cgi-bin/message/template/send"


class OfficialAccount:
    """One official account."""

    def __init__(self, section: config.OfficialAccount, cache: Cache, *, timeout_s: float = TIMEOUT_S) -> None:
        self.app_id = section.app_id
        self.envelope = Envelope.of(section, section.app_id)
        self._secret = section.app_secret.get_secret_value()
        self._oauth_base = section.oauth_base.rstrip("/")
        self._api_base = section.api_base.rstrip("/")
        fetch = stable_token(token_http("official", self._api_base, timeout_s), self.app_id, self._secret, CODES)
        tokens = Tokens(cache, f"official:{self.app_id}", fetch, can_force=True)
        self.caller = Caller("official", self._api_base, CODES, tokens, timeout_s=timeout_s)
        self.client = Client(self.caller, self.app_id)
        self._tickets = Tokens(cache, f"official-jsapi:{self.app_id}", self._fetch_ticket)

    def send_template(
        self,
        openid: str,
        template_id: str,
        data: Mapping[str, str],
        *,
        url: str | None = None,
        mini: tuple[str, str] | None = None,
        client_msg_id: str | None = None,
    ) -> str:
        """The template message is accepted; its msgid. `mini` is (appid, page path) and wins over `url`.

        The same client_msg_id for the same openid within 10 min is sent once. PROTOCOLS 1.11.
        """
        body = template_body(openid, template_id, data, url=url, mini=mini, client_msg_id=client_msg_id)
        return str(self.caller.call("POST", TEMPLATE_SEND, body=body).get("msgid", ""))

    def send_text(self, openid: str, text: str) -> None:
        """The person reads the text in the chat; only within the customer-service window. PROTOCOLS 1.13."""
        self.client.message.send_text(openid, text)

    def publish_menu(self, menu: Mapping[str, Any] | Sequence[Any]) -> None:
        """The account shows this menu ({"button": […]}, or just the buttons). PROTOCOLS 1.6."""
        self.client.menu.create(dict(menu) if isinstance(menu, Mapping) else {"button": list(menu)})

    def get_menu(self) -> dict[str, Any] | None:
        """The menu the account shows, as it was published; None when there is none (46003)."""
        try:
            reply: dict[str, Any] = self.client.menu.get()
        except Refused as why:
            if why.code == "46003":
                return None
            raise
        menu: dict[str, Any] = reply.get("menu", reply)
        return menu

    def make_door_qr(self, scene: str) -> Qr:
        """A permanent parameter QR for the scene (1..64 characters). At most 100,000 exist per account. PROTOCOLS 1.7."""
        body = {"action_name": "QR_LIMIT_STR_SCENE", "action_info": {"scene": {"scene_str": scene}}}
        reply = self.client.qrcode.create(body)
        try:
            return Qr(reply["ticket"], reply["url"])
        except KeyError:
            raise Unknown("no_ticket", "the answer holds no ticket") from None

    def door_qr_image_url(self, ticket: str) -> str:
        """Where the picture of a parameter QR is; nobody needs a token for it. PROTOCOLS 1.7."""
        host = PAGES_HOST if self._api_base == PRODUCTION else self._api_base
        return f"{host}/cgi-bin/showqrcode?ticket={quote(ticket, safe='')}"

    def follower(self, openid: str) -> Follower:
        """Whether the person follows, and the unionid if the platform tells one. PROTOCOLS 1.14."""
        reply = self.client.user.get(openid)
        return Follower(openid, reply.get("subscribe") == 1, reply.get("unionid") or None)

    def oauth_url(self, redirect: str, state: str, scope: str = "snsapi_base") -> str:
        """Where a browser inside WeChat goes to say who it is. The order of the parameters is matched strictly (1.8)."""
        query = urlencode(
            [
                ("appid", self.app_id),
                ("redirect_uri", redirect),
                ("response_type", "code"),
                ("scope", scope),
                ("state", state),
            ]
        )
        return f"{self._oauth_base}/connect/oauth2/authorize?{query}#wechat_redirect"

    def oauth_identity(self, code: str) -> OauthIdentity:
        """Who came back with the code; it is good once, for five minutes. Raises Refused when it is not. PROTOCOLS 1.8."""
        reply = self.caller.call(
            "GET",
            "/sns/oauth2/access_token",
            with_token=False,
            appid=self.app_id,
            secret=self._secret,
            code=code,
            grant_type="authorization_code",
        )
        if not isinstance(reply.get("openid"), str):
            raise Unknown("no_openid", "the answer holds no openid")
        return OauthIdentity(reply["openid"], reply.get("unionid") or None, reply.get("is_snapshotuser") == 1)

    def js_ticket(self) -> str:
        """The shared jsapi_ticket. PROTOCOLS 1.9."""
        return self._tickets.current()

    def js_config(self, url: str) -> dict[str, Any]:
        """What `wx.config` needs on the page with this full URL (without its #fragment). PROTOCOLS 1.9."""
        nonce, timestamp = crypto.token(12), int(clock.now().timestamp())
        signature = self.client.jsapi.get_jsapi_signature(nonce, self.js_ticket(), timestamp, url.split("#", 1)[0])
        return {"appId": self.app_id, "timestamp": timestamp, "nonceStr": nonce, "signature": signature}

    def templates(self) -> list[Template]:
        """The account's templates with their field keys. PROTOCOLS 1.11."""
        listed = self.client.template.get_all_private_template().get("template_list", [])
        return [template_of(one["template_id"], one.get("title", ""), one.get("content", "")) for one in listed]

    def callback_ips(self) -> list[str]:
        """From where the platform calls us. PROTOCOLS 1.10."""
        return list(self.client.misc.get_wechat_ips())

    def _fetch_ticket(self, _force: bool) -> tuple[str, float]:
        return token_in(self.client.jsapi.get_ticket(), "ticket", CODES)
