"""The callback envelope that official account, mini-program and WeCom share: who signed it, when, and for whom.

Verify (SHA-1 over the sorted parts, compared in constant time), look at the clock, decrypt (AES-256-CBC, PKCS#7 to
32, random ‖ length ‖ message ‖ receive id), parse; and the same back for the reply. The previous token and key are
tried after the current ones, so a key change loses no message. Sources: PROTOCOLS 1.1, 1.2, 2.9, 3.2; PERFORMANCE
A.1 for the order of the work: the cipher object is made once per key, and nothing is decrypted before the signature
holds, so there is no padding oracle.
"""

import base64
import binascii
import json
import os
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha1
from hmac import compare_digest
from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from core.config import Callback
from platforms.wechat_message import BadEnvelope, CallbackError, Message, cdata, fields_of, parse

__all__ = ["SUCCESS", "Answer", "BadEnvelope", "BadSignature", "CallbackError", "Envelope", "Letter", "Stale"]

WINDOW_S = 300
_PADS = [bytes([n]) * n for n in range(33)]


class BadSignature(CallbackError):
    """It was not signed with our token."""


class Stale(CallbackError):
    """Its timestamp is more than five minutes away from our clock."""


class Answer(NamedTuple):
    """What goes back over the wire."""

    body: bytes
    content_type: str


class Envelope:
    """Opens the callbacks of one app and seals the answers."""

    def __init__(
        self,
        *,
        receive_id: str,
        token: str,
        aes_key: str,
        previous_token: str = "",
        previous_aes_key: str = "",
        always_encrypted: bool = False,
        accept_plain: bool = True,
    ) -> None:
        self._receive_id = receive_id.encode()
        self._tokens = [one for one in (token, previous_token) if one]
        self._ciphers = [_cipher(one) for one in (aes_key, previous_aes_key) if one]
        self._always_encrypted = always_encrypted
        self._accept_plain = accept_plain

    @classmethod
    def of(cls, section: Callback, receive_id: str, *, always_encrypted: bool = False) -> "Envelope":
        """The envelope of a `[official_account]`, `[mini_program]`, `[wecom]` or `[wecom_contacts]` section."""
        return cls(
            receive_id=receive_id,
            token=section.token.get_secret_value(),
            aes_key=section.aes_key.get_secret_value(),
            previous_token=section.previous_token.get_secret_value(),
            previous_aes_key=section.previous_aes_key.get_secret_value(),
            always_encrypted=always_encrypted,
            accept_plain=getattr(section, "accept_plain", False),
        )

    def echo(self, query: Mapping[str, str], now: datetime) -> str:
        """What the URL verification must be answered with: echostr as it is, for WeCom decrypted. PROTOCOLS 1.1, 3.2."""
        echostr = query.get("echostr", "")
        if not self._always_encrypted:
            self._verify(query, "signature", now)
            return echostr
        self._verify(query, "msg_signature", now, echostr)
        return self._decrypt(echostr)[0].decode("utf-8", "replace")

    def open(self, query: Mapping[str, str], body: bytes, now: datetime) -> "Letter":
        """The message in the request. Raises BadSignature, Stale or BadEnvelope.

        Plain, compat and secure mode are told apart by `encrypt_type`, as the platform does; WeCom has only the last.
        In compat mode the encrypted part is what counts, the plain fields beside it are not looked at.
        """
        is_json = body.lstrip()[:1] == b"{"
        if not (self._always_encrypted or query.get("encrypt_type", "raw") == "aes"):
            if not self._accept_plain:
                raise BadSignature("plain mode is switched off")
            token = self._verify(query, "signature", now)
            return Letter(self, parse(body), token, None, query.get("nonce", ""), is_json)
        sealed = fields_of(body).get("Encrypt")
        if type(sealed) is not str:
            raise BadEnvelope("there is no Encrypt")
        token = self._verify(query, "msg_signature", now, sealed)
        plain, cipher = self._decrypt(sealed)
        return Letter(self, parse(plain), token, cipher, query.get("nonce", ""), is_json)

    def probe_echo(self, echo: str, now: datetime) -> dict[str, str]:
        """The query of a URL verification as the platform would send it, for looking at our own door from outside."""
        if not self._always_encrypted:
            return self._probe("signature", now) | {"echostr": echo}
        sealed = self._encrypt(echo, self._ciphers[0])
        return self._probe("msg_signature", now, sealed) | {"echostr": sealed}

    def probe(self, inner: str, now: datetime) -> tuple[dict[str, str], bytes]:
        """Query and body of an encrypted message as the platform would send it, for looking at our own door."""
        sealed = self._encrypt(inner, self._ciphers[0])
        query = self._probe("msg_signature", now, sealed) | {"encrypt_type": "aes"}
        return query, f"<xml><Encrypt><![CDATA[{sealed}]]></Encrypt></xml>".encode()

    def _probe(self, name: str, now: datetime, sealed: str | None = None) -> dict[str, str]:
        query = {"timestamp": str(int(now.timestamp())), "nonce": os.urandom(6).hex()}
        parts = [value for value in (*query.values(), sealed) if value is not None]
        return query | {name: _sign(self._tokens[0], *parts)}

    def _verify(self, query: Mapping[str, str], name: str, now: datetime, sealed: str | None = None) -> str:
        """The token it was signed with. Raises BadSignature or Stale."""
        given, timestamp, nonce = query.get(name, ""), query.get("timestamp", ""), query.get("nonce", "")
        parts = (timestamp, nonce) if sealed is None else (timestamp, nonce, sealed)
        if given.isascii():  # compare_digest takes no other text
            for token in self._tokens:
                if compare_digest(_sign(token, *parts), given):
                    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):
                        raise Stale("timestamp is not a number")
                    if abs(now.timestamp() - int(timestamp)) > WINDOW_S:
                        raise Stale("timestamp is more than five minutes away")
                    return token
        raise BadSignature(f"{name} does not fit")

    def _decrypt(self, sealed: str) -> tuple[bytes, Cipher[CBC]]:
        """The message and the key that opened it. Every way to be wrong is the same BadEnvelope."""
        try:
            data = binascii.a2b_base64(sealed, strict_mode=True)
        except ValueError:
            raise BadEnvelope("Encrypt is not base64") from None
        if len(data) < 32 or len(data) % 16:
            raise BadEnvelope("Encrypt is not whole blocks")
        for cipher in self._ciphers:
            plain = cipher.decryptor().update(data)  # no finalize: it only says again that the blocks are whole
            pad = plain[-1]
            if not (1 <= pad <= 32 and plain.endswith(_PADS[pad])):
                continue
            end = 20 + int.from_bytes(plain[16:20], "big")
            if end <= len(plain) - pad and plain[end : len(plain) - pad] == self._receive_id:
                return plain[20:end], cipher
        raise BadEnvelope("no key of ours opens it for us")

    def _encrypt(self, text: str, cipher: Cipher[CBC]) -> str:
        raw = text.encode("utf-8", "replace")
        plain = b"".join((os.urandom(16), len(raw).to_bytes(4, "big"), raw, self._receive_id))
        plain += _PADS[32 - len(plain) % 32]
        return binascii.b2a_base64(cipher.encryptor().update(plain), newline=False).decode("ascii")


class Letter:
    """An opened callback: the message, and the way to answer it under the token and key it came with."""

    __slots__ = ("_cipher", "_envelope", "_nonce", "_token", "is_json", "message")

    def __init__(
        self, envelope: Envelope, message: Message, token: str, cipher: Cipher[CBC] | None, nonce: str, is_json: bool
    ) -> None:
        self.message = message
        self.is_json = is_json
        self._envelope = envelope
        self._token = token
        self._cipher = cipher
        self._nonce = nonce

    @property
    def encrypted(self) -> bool:
        """Whether it came encrypted, so that the reply goes out encrypted too."""
        return self._cipher is not None

    def seal(self, reply: str, now: datetime) -> Answer:
        """The reply (from `wechat_message.reply_…`) in the form the platform wants it back. PROTOCOLS 1.2, 2.9, 3.2."""
        kind = "application/json" if self.is_json else "text/xml; charset=utf-8"
        if self._cipher is None:
            return Answer(reply.encode("utf-8", "replace"), kind)
        sealed = self._envelope._encrypt(reply, self._cipher)
        timestamp = int(now.timestamp())
        signature = _sign(self._token, str(timestamp), self._nonce, sealed)
        if self.is_json:
            answer = {"Encrypt": sealed, "MsgSignature": signature, "TimeStamp": timestamp, "Nonce": self._nonce}
            return Answer(json.dumps(answer).encode(), kind)
        text = (
            f"<xml><Encrypt><![CDATA[{sealed}]]></Encrypt><MsgSignature><![CDATA[{signature}]]></MsgSignature>"
            f"<TimeStamp>{timestamp}</TimeStamp><Nonce>{cdata(self._nonce)}</Nonce></xml>"
        )
        return Answer(text.encode("utf-8", "replace"), kind)


SUCCESS = Answer(b"success", "text/plain; charset=utf-8")
"""The answer that says "received, nothing to reply"; never encrypted (PROTOCOLS 1.2)."""


def _cipher(aes_key: str) -> Cipher[CBC]:
    key = base64.b64decode(aes_key + "=")
    return Cipher(AES(key), CBC(key[:16]))


def _sign(*parts: str) -> str:
    """SHA-1 over the sorted parts. Half a surrogate pair, which only a forged query can hold, becomes a `?`."""
    text = "".join(sorted(parts))  # text sorts by code point, which is how its UTF-8 sorts
    return sha1(text.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()
