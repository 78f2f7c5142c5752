"""SMS through one generic gateway: JSON over HTTP, signed with HMAC-SHA-256. FEATURES N1, N5.

The signed text is method, path, timestamp, nonce and the digest of the body, one per line. The gateway knows every
message by our id: the same id within a day is answered as sent before, and it can be asked whether it has one.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from core import clock, config, crypto
from core.errors import Busy, Refused, Unknown
from core.http import Http, json_object


def send_body(no: str, phone: str, text: str) -> bytes:
    """The body of a send."""
    return json.dumps({"id": no, "phone": phone, "text": text}, ensure_ascii=False).encode("utf-8", "replace")


def judge(reply: Mapping[str, Any]) -> str:
    """The gateway's message id. Raises Refused, Busy or Unknown."""
    code, message = str(reply.get("code", ""))[:40], str(reply.get("message", ""))[:200]
    match code:
        case "OK":
            return str(reply.get("message_id", ""))
        case "REFUSED":
            raise Refused(code, message)
        case "BUSY":
            raise Busy(code, message, retry_after_s=30)
    raise Unknown(code, message)


class Sms:
    """The gateway of `[sms]`."""

    def __init__(self, section: config.Sms) -> None:
        self._key = section.key
        self._secret = section.secret.get_secret_value().encode()
        self.base_url = section.base_url.rstrip("/")
        self._prefix = urlsplit(self.base_url).path
        self.http = Http("sms", self.base_url, timeout_s=8.0)

    def send(self, no: str, phone: str, text: str) -> str:
        """The text is on its way to the phone under our id `no`; asking again with it sends nothing new."""
        body = send_body(no, phone, text)
        answer = self.http.request("POST", "/send", data=body, headers=self.headers("POST", "/send", body))
        return judge(json_object(answer.content))

    def has_sent(self, no: str) -> bool:
        """Whether the gateway has a message under our id."""
        path = f"/sent/{quote(no, safe='')}"
        answer = self.http.request("GET", path, headers=self.headers("GET", path, b""))
        found = json_object(answer.content).get("found")
        if not isinstance(found, bool):
            raise Unknown("no_answer", "the gateway did not say whether it has it")
        return found

    def headers(self, method: str, path: str, body: bytes) -> dict[str, str]:
        """The headers that sign this request; `path` is below base_url, the signature covers it as on the wire."""
        timestamp, nonce = str(int(clock.now().timestamp())), crypto.token(12)
        digest = hashlib.sha256(body).hexdigest()
        text = "\n".join((method, self._prefix + path, timestamp, nonce, digest))
        return {
            "Content-Type": "application/json; charset=utf-8",
            "X-Key": self._key,
            "X-Timestamp": timestamp,
            "X-Nonce": nonce,
            "X-Signature": hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest(),
        }
