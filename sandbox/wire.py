"""The wire in front of the platforms: faults strike here and every call is recorded here.

It stands below Flask because a dropped connection, a silence after the deed or half an answer are not
things a web framework offers.
"""

import contextlib
import io
import json
import select
import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from sandbox.faults import Fault
from sandbox.tokens import kill
from sandbox.world import World

PLATFORMS = ("wechat", "wecom", "sms", "sso")
LARGEST = 12 << 20
SECRET = {
    *("access_token", "secret", "corpsecret", "appsecret", "client_secret", "session_key", "refresh_token", "ticket"),
    *("code", "js_code", "user_ticket", "password", "id_token", "code_verifier", "signature", "code_challenge"),
    *("url_link", "phoneNumber", "purePhoneNumber", "phone"),
}
BEFORE = ("delay", "drop", "hang", "busy", "answer", "http", "token_invalidated", "daily_limit", "minute_limit")
AFTER = ("timeout_after", "drop_after", "busy_after", "garbage", "truncate")
TEXT = {
    -1: "system error",
    45009: "reach max api daily quota limit",
    45011: "api minute-quota reach limit, must slower, retry next minute",
    43101: "user refuse to accept the msg",
    40164: "invalid ip {ip} ipv6 ::ffff:{ip}, not in whitelist",
    60020: "not allow to access from your ip",
}
Start = Callable[..., Any]


def masked(value: Any, name: str = "") -> Any:
    """A value as it may be shown: secrets keep their last four characters."""
    if isinstance(value, dict):
        return {k: masked(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [masked(v, name) for v in value]
    if isinstance(value, str) and name in SECRET:
        return "…" + value[-4:] if len(value) > 8 else "…"
    return value


class Gone(Exception):
    """The connection ends here without (the rest of) an answer."""


class Wire:
    """WSGI: absolute-form targets, latency, faults, the record."""

    def __init__(self, app: Callable[[dict[str, Any], Start], Iterable[bytes]], world: World) -> None:
        self._app, self._world = app, world

    def __call__(self, environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path.startswith(("http://", "https://")):  # an absolute-form request target
            path = environ["PATH_INFO"] = urlsplit(path).path or "/"
        platform = path.split("/", 2)[1] if path.startswith("/") else ""
        if platform not in PLATFORMS:
            return self._app(environ, start_response)
        started = time.monotonic()
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(min(length, LARGEST)) if length else b""
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        if latency_ms := self._world.behaviour["latency_ms"]:
            threading.Event().wait(float(latency_ms) / 1000)
        target = f"{environ['REQUEST_METHOD']} {path}"
        struck = self._world.faults.strike(target, *BEFORE, *AFTER)
        outage = self._world.faults.strike(target, "outage")
        blocked = self._from_foreign_ip(platform, path, target)
        status, headers, answer = "000", [], b""
        try:
            if outage:
                raise Gone
            made = blocked or self._before(platform, struck, environ)
            status, headers, answer = made or self._do(environ)
            status, headers, answer = self._after(platform, struck, environ, (status, headers, answer))
        except Gone:
            status = "000"
        self._record(environ, platform, path, body, status, headers, answer, [*struck, *outage], started)
        if status == "000":
            return cut(environ, start_response)
        headers = [(k, v) for k, v in headers if k.lower() != "content-length"]
        start_response(status, [*headers, ("Content-Length", str(len(answer)))])
        return [answer]

    def _do(self, environ: dict[str, Any]) -> tuple[str, list[tuple[str, str]], bytes]:
        got: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            got[:] = [status, headers]

        parts = self._app(environ, start)
        try:
            answer = b"".join(parts)
        finally:
            if close := getattr(parts, "close", None):
                close()
        return got[0], got[1], answer

    def _from_foreign_ip(self, platform: str, path: str, target: str) -> Any:
        """40164 belongs to the token calls, 60020 to all others of WeCom (PROTOCOLS 1.10, 3.2)."""
        token_call = path.endswith(("/cgi-bin/token", "/cgi-bin/stable_token"))
        concerned = token_call if platform == "wechat" else platform == "wecom" and not path.endswith("/gettoken")
        if concerned and self._world.faults.strike(target, "ip_whitelist"):
            return said(platform, 40164 if platform == "wechat" else 60020)
        return None

    def _before(self, platform: str, struck: list[Fault], environ: dict[str, Any]) -> Any:
        for fault in struck:
            match fault.kind:
                case "delay":
                    threading.Event().wait(float(fault.args["delay_s"]))
                case "drop":
                    raise Gone
                case "hang":
                    self._hang(environ)
                case "token_invalidated":
                    query = dict(parse_qsl(environ.get("QUERY_STRING", "")))
                    kill(self._world, query.get("access_token", ""))
                case "busy" | "answer" | "daily_limit" | "minute_limit":
                    return said(platform, int(fault.args["errcode"]), fault.args.get("errmsg", ""))
                case "http":
                    status = int(fault.args["status"])
                    page = f"<html><head><title>{status}</title></head><body>nginx</body></html>"
                    return f"{status} Error", [("Content-Type", "text/html")], page.encode()
        return None

    def _after(self, platform: str, struck: list[Fault], environ: dict[str, Any], made: Any) -> Any:
        status, headers, answer = made
        for fault in struck:
            match fault.kind:
                case "timeout_after":
                    self._hang(environ)
                case "drop_after":
                    raise Gone
                case "busy_after":
                    return said(platform, int(fault.args["errcode"]))
                case "garbage":
                    answer = b"<html><body>Service Temporarily Unavailable</body></html>"
                case "truncate":
                    answer = answer[: len(answer) // 2]
        return status, headers, answer

    def _hang(self, environ: dict[str, Any]) -> None:
        """Silence until the caller gives up or `hang_s` has passed; then the connection is gone."""
        until = time.monotonic() + float(self._world.behaviour["hang_s"])
        sock = socket_of(environ)
        while (left := until - time.monotonic()) > 0:
            if sock is None:
                threading.Event().wait(left)
                break
            readable, _, _ = select.select([sock], [], [], min(left, 1.0))
            try:
                if readable and not sock.recv(1, socket.MSG_PEEK):
                    break
            except OSError:
                break
            if readable:
                threading.Event().wait(0.05)
        raise Gone

    def _record(
        self,
        environ: dict[str, Any],
        platform: str,
        path: str,
        body: bytes,
        status: str,
        headers: list[tuple[str, str]],
        answer: bytes,
        struck: list[Fault],
        started: float,
    ) -> None:
        if path.startswith("/wechat/pic/"):
            return  # a phone looks at its own picture
        code = int(status.split(" ", 1)[0])
        self._world.bump(f"{platform}_answers_{code}")
        if self._world.fast:
            self._world.record(direction="in")
            return
        said_back: Any = read(answer, dict(headers).get("Content-Type", ""))
        errcode = said_back.get("errcode") if isinstance(said_back, dict) else None
        if errcode:
            self._world.bump(f"{platform}_errcode_{errcode}")
        query = urlencode(masked(dict(parse_qsl(environ.get("QUERY_STRING", "")))), safe="…")
        self._world.record(
            direction="in",
            platform=platform,
            method=environ["REQUEST_METHOD"],
            path=path,
            query=query,
            request=masked(read(body, environ.get("CONTENT_TYPE", ""))),
            status=code,
            errcode=errcode,
            response=masked(said_back),
            ms=round((time.monotonic() - started) * 1000),
            faults=[f.kind for f in struck],
        )


def read(data: bytes, kind: str) -> Any:
    """A body for the list of calls: JSON as such, a form as such, other text cut, bytes by their number."""
    if not data:
        return ""
    if data[:1] in b"{[":
        try:
            return json.loads(data)
        except ValueError:
            return data[:2000].decode("utf-8", "replace")
    if "form-urlencoded" in kind:
        return dict(parse_qsl(data[:20000].decode("utf-8", "replace")))
    if "text" in kind or "xml" in kind:
        return data[:2000].decode("utf-8", "replace")
    return f"{len(data)} bytes"


def said(platform: str, errcode: int, errmsg: str = "") -> tuple[str, list[tuple[str, str]], bytes]:
    """An answer the platform gives without having looked at the call."""
    if platform in ("wechat", "wecom"):
        text = (errmsg or TEXT.get(errcode, "error")).format(ip="127.0.0.1")
        text += " rid: 5f0e5f0e-00000000-00000000" if platform == "wechat" else ", hint: [0_0_0], from ip: 127.0.0.1"
        out: dict[str, Any] = {"errcode": errcode, "errmsg": text}
        status = "200 OK"
    else:
        out, status = {"code": "BUSY", "message": errmsg or "busy"}, "200 OK" if platform == "sms" else "503 Busy"
    return status, [("Content-Type", "application/json")], json.dumps(out).encode()


def socket_of(environ: dict[str, Any]) -> socket.socket | None:
    """The connection itself, where the server gives it away."""
    return environ.get("gunicorn.socket") or environ.get("werkzeug.socket")


def cut(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
    """The caller sees the connection end without an answer."""
    sock = socket_of(environ)
    if sock is None:
        raise ConnectionResetError("the sandbox dropped this call")
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    start_response("500 Gone", [("Connection", "close"), ("Content-Length", "0")])
    return [b""]
