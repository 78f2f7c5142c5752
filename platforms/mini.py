"""The mini-program: sign-in, subscribe messages, codes, phone numbers, content checks. Source: PROTOCOLS 2."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, NamedTuple

from core import config
from core.errors import Refused, Unknown
from core.redis import Cache
from platforms import official
from platforms.official import Template, template_data, template_of
from platforms.tokens import Tokens
from platforms.wechat_client import TIMEOUT_S, Caller, Client, stable_token, token_http
from platforms.wechat_crypto import Envelope

CODES = replace(  # the official account's table (PROTOCOLS 1.15) and what PROTOCOLS 2 adds
    official.CODES,
    refused=official.CODES.refused
    | {
        40226,  # the platform blocked this visitor
        40169, 85096, 40165, 40212, 85079, 85401, 85402, 85407, 85408,  # codes and links
        61010, 43104, 87020, 87014,  # content check: not seen for two hours, other app, repeated
        87007, 87008, 87009,  # session key
        *range(10060001, 10060033),
    },
    busy_s={**official.CODES.busy_s, 44990: 5, 44991: 60},
    until_tomorrow=official.CODES.until_tomorrow | {44993},
    alert=official.CODES.alert | {1400001, 44993},
)  # fmt: skip

SUBSCRIBE_SEND = "/cgi-bin/message/subscribe/send"
Verdict = Literal["pass", "review", "risky"]


class Session(NamedTuple):
    """Who holds the phone. The session key never leaves the server (PROTOCOLS 2.1)."""

    openid: str
    unionid: str | None
    session_key: str


def subscribe_body(
    openid: str, template_id: str, data: Mapping[str, str], page: str | None, state: str = "formal"
) -> dict[str, Any]:
    """The body of message/subscribe/send. PROTOCOLS 2.6."""
    body: dict[str, Any] = {"touser": openid, "template_id": template_id, "data": template_data(data)}
    if page:
        body["page"] = page
    return body | {"miniprogram_state": state, "lang": "zh_CN"}


class MiniProgram:
    """One mini-program."""

    def __init__(self, section: config.MiniProgram, cache: Cache, *, timeout_s: float = TIMEOUT_S) -> None:
        self.app_id = section.app_id
        self.envelope = Envelope.of(section, section.app_id)
        self._secret = section.app_secret.get_secret_value()
        fetch = stable_token(token_http("mini", section.api_base, timeout_s), self.app_id, self._secret, CODES)
        tokens = Tokens(cache, f"mini:{self.app_id}", fetch, can_force=True)
        self.caller = Caller("mini", section.api_base, CODES, tokens, timeout_s=timeout_s)
        self.client = Client(self.caller, self.app_id)

    def code_session(self, code: str) -> Session:
        """Who `wx.login` gave this code to; good once. Raises Refused when it is not, or the visitor is blocked. 2.1."""
        reply = self.caller.call(
            "GET",
            "/sns/jscode2session",
            with_token=False,
            appid=self.app_id,
            secret=self._secret,
            js_code=code,
            grant_type="authorization_code",
        )
        if not isinstance(reply.get("openid"), str):
            raise Unknown("no_openid", "the answer holds no openid")
        return Session(reply["openid"], reply.get("unionid") or None, reply.get("session_key", ""))

    def send_subscribe(self, openid: str, template_id: str, data: Mapping[str, str], page: str | None = None) -> str:
        """The subscribe message is accepted; its msgid if the platform tells one. Spends one permission. PROTOCOLS 2.6."""
        reply = self.caller.call("POST", SUBSCRIBE_SEND, body=subscribe_body(openid, template_id, data, page))
        return str(reply.get("msgid", ""))

    def door_code(self, scene: str, page: str, *, width: int = 430, release: str = "release") -> bytes:
        """The picture (JPEG or PNG) of a mini-program code that opens `page` with the scene (≤ 32 characters). 2.7."""
        body = {"scene": scene, "page": page.lstrip("/"), "check_path": False, "env_version": release, "width": width}
        answer = self.caller.ask("POST", "/wxa/getwxacodeunlimit", body=body, params={})
        if isinstance(answer, bytes):
            return answer
        raise Unknown("no_picture", "the answer is not a picture")

    def phone_number(self, code: str) -> str:
        """The phone number that the person gave with the `getPhoneNumber` button; the code is good once. 2.3."""
        info = self.caller.call("POST", "/wxa/business/getuserphonenumber", body={"code": code}).get("phone_info")
        phone = info.get("purePhoneNumber") if isinstance(info, dict) else None
        if not isinstance(phone, str):
            raise Unknown("no_phone", "the answer holds no phone number")
        return phone

    def check_text(self, openid: str, text: str, scene: int = 2) -> Verdict:
        """What the platform thinks of a text others will see (scene 1 profile, 2 comment, 3 forum, 4 log). P11, 2.10.

        Longer texts are checked in pieces of 2,500 characters; the worst verdict counts.
        """
        verdicts = [self._check_piece(openid, text[at : at + 2500], scene) for at in range(0, len(text), 2500)]
        return max(verdicts, key=("pass", "review", "risky").index, default="pass")

    def _check_piece(self, openid: str, text: str, scene: int) -> Verdict:
        body = {"openid": openid, "scene": scene, "version": 2, "content": text}
        try:
            result = self.caller.call("POST", "/wxa/msg_sec_check", body=body).get("result")
        except Refused as why:
            if why.code == "87014":  # how version 1 said it
                return "risky"
            raise
        match result.get("suggest") if isinstance(result, dict) else None:
            case "pass":
                return "pass"
            case "review":
                return "review"
            case "risky":
                return "risky"
        raise Unknown("no_verdict", "the answer holds no verdict")

    def check_photo_async(self, openid: str, url: str, scene: int = 2) -> str:
        """The platform fetches the photo and tells its verdict later as wxa_media_check; the trace_id to know it by. 2.10."""
        body = {"openid": openid, "scene": scene, "version": 2, "media_url": url, "media_type": 2}
        trace_id = self.caller.call("POST", "/wxa/media_check_async", body=body).get("trace_id")
        if not isinstance(trace_id, str):
            raise Unknown("no_trace", "the answer holds no trace_id")
        return trace_id

    def url_link(self, path: str, query: str = "", *, days: int = 30) -> str:
        """An https link that opens the page in the mini-program, good for so many days (≤ 30). PROTOCOLS 2.8."""
        body = {"path": path, "query": query, "expire_type": 1, "expire_interval": days, "env_version": "release"}
        link = self.caller.call("POST", "/wxa/generate_urllink", body=body).get("url_link")
        if not isinstance(link, str):
            raise Unknown("no_link", "the answer holds no link")
        return link

    def templates(self) -> list[Template]:
        """The subscribe templates of this mini-program with their field keys. PROTOCOLS 2.6."""
        listed = self.caller.call("GET", "/wxaapi/newtmpl/gettemplate").get("data", [])
        return [template_of(one["priTmplId"], one.get("title", ""), one.get("content", "")) for one in listed]
