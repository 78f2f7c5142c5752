"""The platform's side of a callback, written from PROTOCOLS 1.2, 2.9 and 3.2 alone: seals pushes and opens replies."""

import base64
import hashlib
import json
import os
import secrets
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from core.config import Config

KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
OLD_KEY = "GFEDCBA9876543210zyxwvutsrqponmlkjihgfedcba"
OPENID = "oLin00000000000000000000001"


@dataclass(frozen=True)
class Sender:
    """A platform that pushes to one of our paths."""

    path: str
    receive_id: str
    token: str = "currenttoken"
    aes_key: str = KEY
    mode: str = "secure"  # plain, compat, secure
    form: str = "xml"
    wecom: bool = False

    def but(self, **changes: Any) -> "Sender":
        return replace(self, **changes)

    def request(self, fields: dict[str, Any], now: datetime, **changes: Any) -> tuple[str, bytes]:
        """Query and body of one delivery. `changes` replaces parameters of the query; None leaves one out."""
        plain = written(fields, self.form)
        timestamp, nonce = str(int(now.timestamp())), secrets.token_hex(5)
        timestamp = changes.pop("timestamp", timestamp)
        query: dict[str, Any] = {"timestamp": timestamp, "nonce": nonce}
        if not self.wecom:
            query |= {"signature": sign(self.token, timestamp, nonce), "openid": fields.get("FromUserName", "")}
        body = plain
        if self.mode != "plain":
            sealed = self.seal(plain)
            query["msg_signature"] = sign(self.token, timestamp, nonce, sealed)
            if not self.wecom:
                query["encrypt_type"] = "aes"
            outer = {"ToUserName": fields.get("ToUserName", "gh_x"), "Encrypt": sealed}
            body = written({**fields, **outer} if self.mode == "compat" else outer, self.form)
        query |= changes
        return urlencode({name: value for name, value in query.items() if value is not None}), body

    def seal(self, plain: bytes, *, pad: bytes | None = None, receive_id: str | None = None) -> str:
        raw = os.urandom(16) + len(plain).to_bytes(4, "big") + plain + (receive_id or self.receive_id).encode()
        count = 32 - len(raw) % 32
        raw += pad if pad is not None else bytes([count]) * count
        encryptor = self._cipher().encryptor()
        return base64.b64encode(encryptor.update(raw) + encryptor.finalize()).decode()

    def open(self, body: bytes) -> dict[str, Any]:
        """The reply in an answer, its signature checked. {} for `success`."""
        if body in (b"", b"success"):
            return {}
        reply = read(body)
        if self.mode == "plain":
            return reply
        sealed = reply["Encrypt"]
        wanted = sign(self.token, str(reply["TimeStamp"]), str(reply["Nonce"]), sealed)
        assert reply["MsgSignature"] == wanted
        decryptor = self._cipher().decryptor()
        raw = decryptor.update(base64.b64decode(sealed)) + decryptor.finalize()
        assert len(raw) % 32 == 0
        raw = raw[: -raw[-1]]
        end = 20 + int.from_bytes(raw[16:20], "big")
        assert raw[end:].decode() == self.receive_id
        return read(raw[20:end])

    def verification(self, now: datetime, echo: str = "5123456789", **changes: Any) -> str:
        """The query of the GET with which the platform checks the address."""
        timestamp, nonce = str(int(now.timestamp())), secrets.token_hex(5)
        timestamp = changes.pop("timestamp", timestamp)
        query = {"timestamp": timestamp, "nonce": nonce, "echostr": echo}
        if self.wecom:
            query["echostr"] = self.seal(echo.encode())
            query["msg_signature"] = sign(self.token, timestamp, nonce, query["echostr"])
        else:
            query["signature"] = sign(self.token, timestamp, nonce)
        return urlencode(query | changes)

    def _cipher(self) -> Cipher[CBC]:
        key = base64.b64decode(self.aes_key + "=")
        return Cipher(AES(key), CBC(key[:16]))


OFFICIAL = Sender("/wx/official", "wx00000000000000aa")
MINI = Sender("/wx/mini", "wx00000000000000bb", form="json")
WECOM = Sender("/wx/wecom", "ww00000000000000cc", wecom=True)
CONTACTS = Sender("/wx/wecom/contacts", "ww00000000000000cc", token="contactstoken", wecom=True)


def sign(*parts: str) -> str:
    return hashlib.sha1("".join(sorted(parts)).encode()).hexdigest()


def written(fields: dict[str, Any], form: str) -> bytes:
    if form == "json":
        return json.dumps(fields, ensure_ascii=False).encode()
    return f"<xml>{_elements(fields)}</xml>".encode()


def _elements(fields: dict[str, Any]) -> str:
    out = []
    for name, value in fields.items():
        for one in value if isinstance(value, list) else [value]:
            inner = _elements(one) if isinstance(one, dict) else one if isinstance(one, int) else f"<![CDATA[{one}]]>"
            out.append(f"<{name}>{inner}</{name}>")
    return "".join(out)


def read(body: bytes) -> dict[str, Any]:
    if body[:1] == b"{":
        answer: dict[str, Any] = json.loads(body)
        return answer
    return {element.tag: element.text or "" for element in ET.fromstring(body)}


def text(content: str, msg_id: int, now: datetime, *, sender: str = OPENID, to: str = "gh_school") -> dict[str, Any]:
    """A typed message."""
    return {
        "ToUserName": to,
        "FromUserName": sender,
        "CreateTime": int(now.timestamp()),
        "MsgType": "text",
        "Content": content,
        "MsgId": msg_id,
    }


def event(name: str, now: datetime, *, sender: str = OPENID, to: str = "gh_school", **more: Any) -> dict[str, Any]:
    """An event."""
    return {
        "ToUserName": to,
        "FromUserName": sender,
        "CreateTime": int(now.timestamp()),
        "MsgType": "event",
        "Event": name,
        **more,
    }


def config(database_url: str = "sqlite:///unused.db") -> Config:
    """A school with every callback on."""
    keys = {"token": "currenttoken", "aes_key": KEY, "previous_token": "oldtoken", "previous_aes_key": OLD_KEY}
    return Config.model_validate(
        {
            "server": {"base_url": "https://hq.example.edu", "secret_key": "k" * 32, "data_keys": ["canary-data-key"]},
            "database": {"url": database_url},
            "official_account": {"app_id": OFFICIAL.receive_id, "app_secret": "s", **keys},
            "mini_program": {"app_id": MINI.receive_id, "app_secret": "s", **keys},
            "wecom": {"corp_id": WECOM.receive_id, "agent_id": 1000002, "secret": "s", **keys},
            "wecom_contacts": {"secret": "s", "token": CONTACTS.token, "aes_key": KEY},
        }
    )
