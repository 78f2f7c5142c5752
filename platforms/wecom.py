"""WeCom (企业微信): messages to staff, sign-in, contacts. Source: PROTOCOLS 3."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import urlencode

from core import clock, config, crypto
from core.errors import Refused, Unknown
from core.http import Http
from core.redis import Cache
from platforms.answers import Table
from platforms.tokens import Fetch, Tokens
from platforms.wechat_client import TIMEOUT_S, Caller, EnterpriseClient, token_http, token_in
from platforms.wechat_crypto import Envelope

CODES = Table(  # PROTOCOLS 3.11
    # 40001 speaks of the secret here, and is in `alert`.
    token=frozenset({40014, 41001, 42001}),
    refused=frozenset(
        {
            40003, 60111, 46004,  # unknown userid
            40029, 42003, 42022,  # sign-in code: begin again
            40008, 40035, 40058, 40063, 44004, 45002,  # malformed, empty, too long
            *range(42014, 42053),  # card fields; 42052: too late to recall
            60123, 60003,  # unknown department
            60140,  # response_code used or too old
            81013,  # nobody of those addressed can receive it
            86003, 86004,
        }
    ),
    busy_s={-1: 5, 6000: 2, 45009: 60, 45033: 5},
    alert=frozenset(
        {40001, 40013, 40056, 41002, 41004, 48002, 48009, 50001, 50003, 60011, 60020, 60021, 45009}
    ),
)  # fmt: skip

MESSAGE_SEND = "/cgi-bin/message/send"
# The same JSON is delivered once within so long (PROTOCOLS 3.4): longer than a repeat after Unknown takes, shorter than
# the time after which the same words are a new reminder.
DUPLICATE_CHECK_S = 1800


class User(NamedTuple):
    """A member as far as an app may see one since 2022 (PROTOCOLS 3.8). `active` is false for disabled and departed."""

    userid: str
    name: str
    departments: tuple[int, ...]
    active: bool


class Department(NamedTuple):
    """A node of the contacts tree; the root is 1 and has parent 0."""

    id: int
    name: str
    parent_id: int


class WeComIdentity(NamedTuple):
    """Who signed in: a member has a userid, somebody from outside only an openid."""

    userid: str | None
    openid: str | None


def text_body(agent_id: int, userids: Sequence[str], text: str) -> dict[str, Any]:
    """The body of message/send for a text (cut by the platform beyond 2,048 bytes). PROTOCOLS 3.4."""
    return _body(agent_id, userids, "text", {"content": text})


def card_body(
    agent_id: int, userids: Sequence[str], title: str, text: str, url: str, button: str = "详情"
) -> dict[str, Any]:
    """The body of message/send for a textcard: title ≤ 128, text ≤ 512, button ≤ 4 characters. PROTOCOLS 3.4."""
    return _body(agent_id, userids, "textcard", {"title": title, "description": text, "url": url, "btntxt": button})


def _body(agent_id: int, userids: Sequence[str], kind: str, content: dict[str, Any]) -> dict[str, Any]:
    return {
        "touser": "|".join(userids),
        "msgtype": kind,
        "agentid": agent_id,
        kind: content,
        "enable_duplicate_check": 1,
        "duplicate_check_interval": DUPLICATE_CHECK_S,
    }


def invalid_userids(reply: dict[str, Any], userids: Sequence[str]) -> tuple[str, ...]:
    """Which of those addressed did not get it although the answer is a success, as we wrote them. PROTOCOLS 3.4.

    The platform answers in lower case, and its userids know no case.
    """
    lists = (reply.get("invaliduser") or "", reply.get("unlicenseduser") or "")
    missed = {userid.lower() for text in lists for userid in str(text).split("|")}
    return tuple(userid for userid in userids if userid.lower() in missed)


def _gettoken(http: Http, corp_id: str, secret: str) -> Fetch:
    """A `fetch` for Tokens: one token per corporation and secret. PROTOCOLS 3.1."""

    def fetch(_force: bool) -> tuple[str, float]:
        reply = http.json("GET", "/cgi-bin/gettoken", params={"corpid": corp_id, "corpsecret": secret})
        return token_in(reply, "access_token", CODES)

    return fetch


class WeCom:
    """One self-built app of one corporation."""

    def __init__(self, section: config.WeCom, cache: Cache, *, timeout_s: float = TIMEOUT_S) -> None:
        self.corp_id = section.corp_id
        self.agent_id = section.agent_id
        self.envelope = Envelope.of(section, section.corp_id, always_encrypted=True)
        self._oauth_base = section.oauth_base.rstrip("/")
        name = f"{self.corp_id}:{self.agent_id}"
        fetch = _gettoken(
            token_http("wecom", section.api_base, timeout_s), self.corp_id, section.secret.get_secret_value()
        )
        self.caller = Caller(
            "wecom", section.api_base, CODES, Tokens(cache, f"wecom:{name}", fetch), timeout_s=timeout_s
        )
        self.client = EnterpriseClient(self.caller, self.corp_id)
        self._tickets = Tokens(cache, f"wecom-jsapi:{name}", self._fetch_ticket)

    def send_text(self, userids: Sequence[str], text: str) -> tuple[str, ...]:
        """The members are sent the text, once within half an hour; who could not be reached. PROTOCOLS 3.4."""
        return self._send(userids, text_body(self.agent_id, userids, text))

    def send_textcard(
        self, userids: Sequence[str], title: str, text: str, url: str, button: str = "详情"
    ) -> tuple[str, ...]:
        """The members are sent the card, once within half an hour; who could not be reached. PROTOCOLS 3.4."""
        return self._send(userids, card_body(self.agent_id, userids, title, text, url, button))

    def _send(self, userids: Sequence[str], body: dict[str, Any]) -> tuple[str, ...]:
        return invalid_userids(self.caller.call("POST", MESSAGE_SEND, body=body), userids)

    def oauth_url(self, redirect: str, state: str) -> str:
        """Where a browser inside WeCom goes to say who it is. PROTOCOLS 3.7."""
        query = urlencode(
            [
                ("appid", self.corp_id),
                ("redirect_uri", redirect),
                ("response_type", "code"),
                ("scope", "snsapi_base"),
                ("state", state),
                ("agentid", str(self.agent_id)),
            ]
        )
        return f"{self._oauth_base}/connect/oauth2/authorize?{query}#wechat_redirect"

    def oauth_identity(self, code: str) -> WeComIdentity:
        """Who came back with the code; it is good once, for five minutes. Raises Refused when it is not. PROTOCOLS 3.7."""
        reply = self.caller.call("GET", "/cgi-bin/auth/getuserinfo", code=code)
        return WeComIdentity(reply.get("userid") or None, reply.get("openid") or None)

    def oauth_userid(self, code: str) -> str:
        """The member who came back with the code. Raises Refused also for somebody who is no member."""
        identity = self.oauth_identity(code)
        if identity.userid is None:
            raise Refused("not_a_member", "不是本企业成员")
        return identity.userid

    def user(self, userid: str) -> User:
        """The member. Raises Refused when there is none (60111). PROTOCOLS 3.8."""
        return _user(self.client.user.get(userid))

    def departments(self) -> list[Department]:
        """The departments this app may see. PROTOCOLS 3.8."""
        return [
            Department(int(one["id"]), one.get("name", ""), int(one.get("parentid", 0)))
            for one in self.client.department.get()
        ]

    def users_of(self, department: int) -> list[User]:
        """The members directly in the department. PROTOCOLS 3.8."""
        return [_user(one) for one in self.client.department.get_users(department, simple=False)]

    def js_config(self, url: str) -> dict[str, Any]:
        """What `wx.config` needs on the page with this full URL (without its #fragment), in WeCom. PROTOCOLS 1.9."""
        nonce, timestamp = crypto.token(12), int(clock.now().timestamp())
        ticket = self._tickets.current()
        signature = self.client.jsapi.get_jsapi_signature(nonce, ticket, timestamp, url.split("#", 1)[0])
        return {
            "beta": True,  # WeCom's wx.config wants it for its own calls
            "appId": self.corp_id,
            "timestamp": timestamp,
            "nonceStr": nonce,
            "signature": signature,
        }

    def callback_ips(self) -> list[str]:
        """From where the platform calls us. PROTOCOLS 3.2."""
        return list(self.client.misc.get_wechat_ips())

    def _fetch_ticket(self, _force: bool) -> tuple[str, float]:
        return token_in(self.client.jsapi.get_ticket(), "ticket", CODES)


class WeComContacts:
    """The contacts callback (通讯录同步): its own token, key and secret, the same corporation. PROTOCOLS 3.9."""

    def __init__(self, section: config.WeComContacts, wecom: config.WeCom, cache: Cache) -> None:
        self.corp_id = wecom.corp_id
        self.envelope = Envelope.of(section, wecom.corp_id, always_encrypted=True)
        fetch = _gettoken(
            token_http("contacts", wecom.api_base, TIMEOUT_S), self.corp_id, section.secret.get_secret_value()
        )
        self.caller = Caller("contacts", wecom.api_base, CODES, Tokens(cache, f"contacts:{self.corp_id}", fetch))


def _user(reply: dict[str, Any]) -> User:
    if not isinstance(reply.get("userid"), str):
        raise Unknown("no_userid", "the answer holds no userid")
    departments = tuple(int(one) for one in reply.get("department") or ())
    return User(reply["userid"], reply.get("name", ""), departments, reply.get("status", 1) not in (2, 5))
