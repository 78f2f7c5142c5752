"""A sandbox of its own for each test, and a service that answers its callbacks."""

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page
from pytest_httpserver import HTTPServer
from werkzeug.serving import WSGIRequestHandler, make_server

import sandbox
from sandbox import settings
from sandbox.settings import Account

FIT = {
    "repair_progress": {
        "character_string1": {"value": "WX261120K7Q2M9X4CD"},
        "thing2": {"value": "东校区 12 栋 402"},
        "thing3": {"value": "水龙头漏水"},
        "phrase4": {"value": "已派工"},
        "time5": {"value": "2026年11月20日 17:05"},
    },
    "notice": {"thing1": {"value": "停水通知"}, "thing2": {"value": "今晚检修"}, "time3": {"value": "17:30"}},
}


class Box(SimpleNamespace):
    """A sandbox with short words for what tests do with it."""

    app: Flask
    directory: Path

    @property
    def world(self) -> Any:
        return self.app.extensions["sandbox"]

    @property
    def web(self) -> Any:
        return self.app.test_client()

    def account(self, name: str) -> Account:
        return self.world.account(name)

    def stable(self, name: str = "official", **more: Any) -> dict[str, Any]:
        a = self.account(name)
        body = {"grant_type": "client_credential", "appid": a.app_id, "secret": a.secret, **more}
        return self.web.post("/wechat/cgi-bin/stable_token", json=body).json

    def plain(self, name: str = "official") -> dict[str, Any]:
        a = self.account(name)
        query = {"grant_type": "client_credential", "appid": a.app_id, "secret": a.secret}
        return self.web.get("/wechat/cgi-bin/token", query_string=query).json

    def corp(self, name: str = "wecom") -> dict[str, Any]:
        a = self.account(name)
        return self.web.get("/wecom/cgi-bin/gettoken", query_string={"corpid": a.app_id, "corpsecret": a.secret}).json

    def token(self, name: str) -> str:
        return (self.corp(name) if name.startswith("wecom") else self.stable(name))["access_token"]

    def call(self, path: str, body: Any = None, *, name: str = "", token: str = "", **query: Any) -> Any:
        """A platform call with a token of the account (guessed from the prefix)."""
        name = name or ("wecom" if path.startswith("/wecom") else "official")
        query = {"access_token": token or self.token(name), **query}
        if body is None:
            return self.web.get(path, query_string=query).json
        return self.web.post(path, query_string=query, json=body).json

    def template(self, key: str = "notice", name: str = "official") -> str:
        return next(t.id for t in self.account(name).templates if t.key == key)

    def message(self, who: str = "lin", key: str = "notice", name: str = "official", **more: Any) -> dict[str, Any]:
        column = "mini_openid" if name == "mini" else "official_openid"
        openid = self.world.person(who)[column]
        return {"touser": openid, "template_id": self.template(key, name), "data": FIT[key], **more}

    def send(self, **more: Any) -> dict[str, Any]:
        return self.call("/wechat/cgi-bin/message/template/send", self.message(**more))

    def do(self, who: str, deed: str, /, **body: Any) -> Any:
        return self.web.post(f"/control/people/{who}/{deed}", json=body).json

    def control(self, path: str, /, **body: Any) -> Any:
        return self.web.post(f"/control/{path}", json=body).json

    def ask(self, path: str, /, **query: Any) -> Any:
        return self.web.get(f"/control/{path}", query_string=query).json

    def advance(self, seconds: float) -> None:
        self.control("clock", advance_s=seconds)

    def restart(self) -> None:
        self.world.close()
        self.app = sandbox.create_app(self.directory)


@pytest.fixture(scope="session")
def _service() -> Iterator[HTTPServer]:
    with HTTPServer(threaded=True) as server:
        yield server


@pytest.fixture
def service(_service: HTTPServer) -> Iterator[HTTPServer]:
    """Where callbacks go; it answers several at once."""
    yield _service
    _service.clear()


def new_box(directory: Path, service_url: str = "http://127.0.0.1:9", seed: int = 1) -> Box:
    settings.write(directory, service=service_url, url="http://127.0.0.1:8001", seed=seed)
    box = Box(app=sandbox.create_app(directory), directory=directory)
    box.world.behaviour |= {"callback_gap_s": 0.02, "callback_timeout_s": 0.4, "finish_after_s": 0.0, "hang_s": 0.2}
    box.world.behaviour["media_check_after_s"] = 0.0
    return box


@pytest.fixture
def box(tmp_path: Path, service: HTTPServer) -> Iterator[Box]:
    """A sandbox whose service is `service`."""
    made = new_box(tmp_path, service.url_for("").rstrip("/"))
    yield made
    made.world.close()


@pytest.fixture
def quiet(tmp_path: Path) -> Iterator[Box]:
    """A sandbox whose service is never reached: for calls that push nothing."""
    made = new_box(tmp_path)
    made.world.behaviour["callback_attempts"] = 1
    yield made
    made.world.close()


@pytest.fixture
def until() -> Any:
    """Waits until something is so, and says what it was."""

    def wait(condition: Any, *, within_s: float = 5.0) -> Any:
        pause = threading.Event()
        for _ in range(int(within_s / 0.02)):
            if found := condition():
                return found
            pause.wait(0.02)
        raise AssertionError("it did not happen in time")

    return wait


@pytest.fixture
def live(box: Box) -> Iterator[str]:
    """The sandbox on a real port, for what a test client cannot see: connections that end."""
    server = make_server("127.0.0.1", 0, box.app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


class Quiet(WSGIRequestHandler):
    """No line per request."""

    def log(self, *_: Any) -> None:
        """Said nowhere."""


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A screen as large as a phone's, in Shanghai."""
    context = chromium.new_context(viewport={"width": 390, "height": 844}, locale="zh-CN", timezone_id="Asia/Shanghai")
    context.set_default_timeout(10_000)
    yield context.new_page()
    context.close()
