"""Verify, decrypt, parse, reply, encrypt, without HTTP, beside the floor of PERFORMANCE A.1 and beside wechatpy.

The floor is `cryptography` with a reused cipher and expat driven by hand, without the checks. Goal: ours ≤ 1.5 × the
floor in one run. `python -m benchmarks.envelope [--json FILE]`.
"""

import argparse
import base64
import hashlib
import json
import os
import statistics
import struct
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from xml.parsers.expat import ParserCreate

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from wechatpy import create_reply, parse_message
from wechatpy.crypto import WeChatCrypto

from platforms.wechat_crypto import Envelope
from platforms.wechat_message import reply_text

APP_ID, TOKEN, AES_KEY = "wx0123456789abcdef", "benchmarktoken", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
GOAL = 1.5


def request(stamp: int) -> tuple[dict[str, str], bytes]:
    """One encrypted text message as the platform sends it."""
    inner = (
        "<xml><ToUserName><![CDATA[gh_0123456789ab]]></ToUserName>\n<FromUserName><![CDATA[oABCD0123456789abcdefghijkl]]>"
        f"</FromUserName>\n<CreateTime>{stamp}</CreateTime>\n<MsgType><![CDATA[text]]></MsgType>\n"
        "<Content><![CDATA[报修 D12-402 空调不制冷]]></Content>\n<MsgId>23456789012345678</MsgId></xml>"
    )
    sealed = WeChatCrypto(TOKEN, AES_KEY, APP_ID).encrypt_message(inner, "1320562132", str(stamp))
    encrypt = sealed.split("<Encrypt><![CDATA[")[1].split("]]>")[0]
    signature = sealed.split("<MsgSignature><![CDATA[")[1].split("]]>")[0]
    query = {"msg_signature": signature, "timestamp": str(stamp), "nonce": "1320562132", "encrypt_type": "aes"}
    body = (
        "<xml>\n    <ToUserName><![CDATA[gh_0123456789ab]]></ToUserName>\n    "
        f"<Encrypt><![CDATA[{encrypt}]]></Encrypt>\n</xml>"
    )
    return query, body.encode()


def ours(query: dict[str, str], body: bytes, now: datetime) -> Callable[[], Any]:
    """The product's way."""
    envelope = Envelope(receive_id=APP_ID, token=TOKEN, aes_key=AES_KEY)

    def one() -> Any:
        letter = envelope.open(query, body, now)
        return letter.seal(reply_text(letter.message, "已收到", now), now)

    return one


def floor(query: dict[str, str], body: bytes, now: datetime) -> Callable[[], Any]:
    """The least that does the work: no limits, no padding, length or freshness checks."""
    key = base64.b64decode(AES_KEY + "=")
    cipher = Cipher(AES(key), CBC(key[:16]))
    app_id = APP_ID.encode()

    def parsed(text: bytes) -> dict[str, str]:
        fields: dict[str, str] = {}
        parts: list[str] = []

        def end(name: str) -> None:
            fields[name] = "".join(parts)
            parts.clear()

        def start(_name: str, _attributes: Any) -> None:
            parts.clear()

        parser = ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler = start, end
        parser.CharacterDataHandler = parts.append
        parser.Parse(text, True)
        return fields

    def sign(*parts: str) -> str:
        return hashlib.sha1("".join(sorted(parts)).encode()).hexdigest()

    def one() -> Any:
        sealed = parsed(body)["Encrypt"]
        if sign(TOKEN, query["timestamp"], query["nonce"], sealed) != query["msg_signature"]:
            raise ValueError
        plain = cipher.decryptor().update(base64.b64decode(sealed))
        message = parsed(plain[20 : 20 + struct.unpack(">I", plain[16:20])[0]])
        stamp = int(now.timestamp())
        reply = (
            f"<xml><ToUserName><![CDATA[{message['FromUserName']}]]></ToUserName><FromUserName><![CDATA["
            f"{message['ToUserName']}]]></FromUserName><CreateTime>{stamp}</CreateTime><MsgType><![CDATA[text]]>"
            "</MsgType><Content><![CDATA[已收到]]></Content></xml>"
        ).encode()
        data = os.urandom(16) + struct.pack(">I", len(reply)) + reply + app_id
        pad = 32 - len(data) % 32
        answer = base64.b64encode(cipher.encryptor().update(data + bytes([pad]) * pad)).decode()
        signature = sign(TOKEN, str(stamp), query["nonce"], answer)
        return (
            f"<xml><Encrypt><![CDATA[{answer}]]></Encrypt><MsgSignature><![CDATA[{signature}]]></MsgSignature>"
            f"<TimeStamp>{stamp}</TimeStamp><Nonce><![CDATA[{query['nonce']}]]></Nonce></xml>"
        ).encode()

    return one


def wechatpy(query: dict[str, str], body: bytes, now: datetime) -> Callable[[], Any]:
    """wechatpy as its documentation shows."""
    crypto = WeChatCrypto(TOKEN, AES_KEY, APP_ID)

    def one() -> Any:
        text = crypto.decrypt_message(body, query["msg_signature"], query["timestamp"], query["nonce"])
        reply = create_reply("已收到", parse_message(text))
        return crypto.encrypt_message(reply.render(), query["nonce"], str(int(now.timestamp())))

    return one


def measure(ways: dict[str, Callable[[], Any]], *, rounds: int = 15, each: int = 1000) -> dict[str, float]:
    """Microseconds per message of each way: the median over rounds in which the ways take turns."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            began = time.process_time()
            for _ in range(each):
                way()
            times[name].append((time.process_time() - began) / each * 1e6)
    return {name: statistics.median(values) for name, values in times.items()}


def rows() -> list[dict[str, Any]]:
    """The comparison as rows of the benchmarks' common form."""
    now = datetime.now(UTC)
    query, body = request(int(now.timestamp()))
    ways = {"floor": floor(query, body, now), "ours": ours(query, body, now), "wechatpy": wechatpy(query, body, now)}
    took = measure(ways)
    return [
        {
            "name": "envelope",
            "ours": round(took["ours"], 1),
            "against": round(took[other], 1),
            "ratio": round(took["ours"] / took[other], 2),
            "goal": goal,
            "met": took["ours"] <= goal * took[other],
            "peer": other,
        }
        for other, goal in (("floor", GOAL), ("wechatpy", 1.0))
    ]


def main() -> None:
    """Prints the table; with --json FILE writes the rows too."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--json")
    chosen = options.parse_args()
    found = rows()
    print(f"{'peer':<10}{'ours µs':>9}{'peer µs':>9}{'ratio':>7}{'goal':>6}  met")
    for row in found:
        print(f"{row['peer']:<10}{row['ours']:>9}{row['against']:>9}{row['ratio']:>7}{row['goal']:>6}  {row['met']}")
    if chosen.json:
        with open(chosen.json, "w", encoding="utf-8") as file:
            json.dump(found, file)


if __name__ == "__main__":
    main()
