"""Platforms scripted at their HTTP edge: `responses` for requests, pytest-httpserver for aiohttp. Nothing goes out."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import responses

from core import clock, config
from core.redis import Cache
from platforms.mini import MiniProgram
from platforms.official import OfficialAccount
from platforms.sms import Sms
from platforms.wecom import WeCom

KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
API = "http://platform.test"
NOON = datetime(2026, 9, 1, 4, 0, tzinfo=UTC)


class MovableClock:
    """Time that a test moves by hand."""

    def __init__(self) -> None:
        self.passed = 0.0

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        return 1000.0 + self.passed

    def move(self, seconds: float) -> None:
        self.passed += seconds


@pytest.fixture
def moving(monkeypatch: pytest.MonkeyPatch) -> MovableClock:
    """The house's clock stands at NOON and moves when told."""
    movable = MovableClock()
    monkeypatch.setattr(clock, "now", movable.now)
    monkeypatch.setattr(clock, "monotonic", movable.monotonic)
    return movable


@pytest.fixture
def no_redis() -> Cache:
    """A Redis that is away."""
    return Cache("unix:///nonexistent/redis.sock", timeout_s=0.1)


@pytest.fixture
def wire() -> Iterator[responses.RequestsMock]:
    """The scripted other side; a call that was not scripted is a refused connection."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as scripted:
        yield scripted


def official_section(base: str = API, **over: Any) -> config.OfficialAccount:
    values = {"app_id": "wx1", "app_secret": "s1", "token": "t", "aes_key": KEY, "api_base": base, "oauth_base": base}
    return config.OfficialAccount(**(values | over))


def mini_section(base: str = API) -> config.MiniProgram:
    return config.MiniProgram(app_id="wx2", app_secret="s2", token="t", aes_key=KEY, api_base=base)


def wecom_section(base: str = API) -> config.WeCom:
    return config.WeCom(
        corp_id="ww1", agent_id=1000002, secret="s3", token="t", aes_key=KEY, api_base=base, oauth_base=base
    )


def sms_section(base: str = f"{API}/sms") -> config.Sms:
    return config.Sms(adapter="http", base_url=base, key="k", secret="s4")


@pytest.fixture
def official(no_redis: Cache) -> OfficialAccount:
    return OfficialAccount(official_section(), no_redis)


@pytest.fixture
def mini(no_redis: Cache) -> MiniProgram:
    return MiniProgram(mini_section(), no_redis)


@pytest.fixture
def wecom(no_redis: Cache) -> WeCom:
    return WeCom(wecom_section(), no_redis)


@pytest.fixture
def sms() -> Sms:
    return Sms(sms_section())


@pytest.fixture
def tokens(wire: responses.RequestsMock) -> responses.RequestsMock:
    """The wire with token endpoints that always give tokens T1, T2, T3, …"""
    given = iter(range(1, 1000))

    def give(_request: Any) -> tuple[int, dict[str, str], str]:
        return 200, {}, f'{{"errcode":0,"access_token":"T{next(given)}","expires_in":7200}}'

    wire.add_callback("POST", f"{API}/cgi-bin/stable_token", give)
    wire.add_callback("GET", f"{API}/cgi-bin/gettoken", give)
    return wire
