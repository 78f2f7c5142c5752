"""Scripted platforms and a cache in memory, handed in through the House: nothing here opens a connection."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from apiflask import APIFlask

import miniprogram_api
from core import web
from core.config import Config
from core.errors import Refused, Unknown
from core.files import Directory
from core.house import KEY, House

BASE = "http://127.0.0.1:8000"
CSP = "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; form-action 'self'"
AES = "canary0aes0key0canary0aes0key0canary0aes0ke"


class Shelf:
    """A cache that is always there and forgets when the test ends."""

    url = "memory://"

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def get(self, key: str) -> str | None:
        return self.kept.get(key)

    def put(self, key: str, value: str, *, ttl_s: float) -> bool:
        self.kept[key] = value
        return True

    def drop(self, key: str, *, if_value: str | None = None) -> None:
        self.kept.pop(key, None)

    @contextmanager
    def lock(self, name: str, *, hold_s: float, wait_s: float) -> Iterator[bool]:
        yield True

    def up(self) -> bool:
        return True


class Spent:
    """Codes that are good once; `silence` answers nothing that may be trusted."""

    def __init__(self, codes: Mapping[str, Any]) -> None:
        self.codes = dict(codes)
        self.asked: list[str] = []

    def take(self, code: str) -> Any:
        self.asked.append(code)
        if code == "silence":
            raise Unknown("timeout", "no answer")
        if code not in self.codes:
            raise Refused("40029", "invalid code")
        return self.codes.pop(code)


class Mini(Spent):
    app_id = "wxmini"

    def code_session(self, code: str) -> Any:
        openid, unionid = self.take(code)
        return SimpleNamespace(openid=openid, unionid=unionid, session_key="canary-session-key")

    def phone_number(self, code: str) -> str:
        return str(self.take(code))


class Official(Spent):
    app_id = "wxofficial"

    def oauth_url(self, redirect: str, state: str, scope: str = "snsapi_base") -> str:
        return f"https://open.weixin.qq.com/connect/oauth2/authorize?redirect_uri={redirect}&state={state}"

    def oauth_identity(self, code: str) -> Any:
        openid, unionid, snapshot = self.take(code)
        return SimpleNamespace(openid=openid, unionid=unionid, is_snapshot=snapshot)

    def js_config(self, url: str) -> dict[str, Any]:
        return {"appId": self.app_id, "timestamp": 1788235200, "nonceStr": "n0nce", "signature": "a" * 40}


class WeCom(Spent):
    corp_id = "ww1"

    def oauth_url(self, redirect: str, state: str) -> str:
        return f"https://open.weixin.qq.com/connect/oauth2/authorize?agentid=1&redirect_uri={redirect}&state={state}"

    def oauth_userid(self, code: str) -> str:
        return str(self.take(code))

    def js_config(self, url: str) -> dict[str, Any]:
        return {"appId": self.corp_id, "timestamp": 1788235200, "nonceStr": "n0nce", "signature": "b" * 40}


class Sso(Spent):
    kind = "cas"

    def login_url(self, return_to: str, state: str) -> Any:
        return SimpleNamespace(
            url=f"https://sso.example/login?service={return_to}&state={state}",
            stored={"state": state, "return_to": return_to},
        )

    def identity(self, args: Mapping[str, str], stored: Mapping[str, str]) -> Any:
        if args.get("state") != stored.get("state"):
            raise Refused("state", "another sign-in")
        campus_no, name = self.take(args.get("ticket", ""))
        return SimpleNamespace(campus_no=campus_no, name=name)


def settings(**server: Any) -> Config:
    """A config with every platform on, with canaries where secrets stand."""
    callback = {"token": "canarytoken", "aes_key": AES}
    return Config.model_validate(
        {
            "server": {"base_url": BASE, "secret_key": "canary-secret-key", "data_keys": ["canary-data-key"], **server},
            "official_account": {"app_id": "wxofficial", "app_secret": "canary-official", **callback},
            "mini_program": {"app_id": "wxmini", "app_secret": "canary-mini", **callback},
            "wecom": {"corp_id": "ww1", "agent_id": 1, "secret": "canary-wecom", **callback},
        }
    )


def make_house(tmp_path: Any, *, platforms: Any = None, cache: Any = None, **server: Any) -> House:
    """A house with scripted platforms and its files under the test's own directory."""
    fakes = platforms or SimpleNamespace(mini=Mini({}), official=Official({}), wecom=WeCom({}), sso=Sso({}))
    return House(
        settings(verify_files=str(tmp_path / "verify"), **server),
        fakes,
        cache or Shelf(),
        Directory(tmp_path / "files"),
    )


def make_app(house: House, **options: Any) -> APIFlask:
    """The app as `app.py` makes it, with this door alone; `options` go into its config."""
    app = APIFlask("houqin", title="后勤通 API", version="1", docs_path=None, spec_path=None, static_folder=None)
    app.secret_key = house.config.server.secret_key.get_secret_value()
    app.extensions[KEY] = house
    app.config.update(options)
    web.furnish(app, house.config.server, door="web", csp=CSP)
    miniprogram_api.register(app)
    return app
