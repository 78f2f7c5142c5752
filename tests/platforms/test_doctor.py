"""`houqin doctor` against scripted platforms: each thing that can be wrong is one line that says what to do."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import responses
import sqlalchemy as sa
from click.testing import CliRunner, Result
from sqlalchemy.orm import Session

from commands import main
from core import clock, log
from core import config as configs
from core.metrics import reading_token
from models import migrations
from models.notices import Channel, TemplateMap
from platforms.wechat_crypto import CallbackError, Envelope
from tests.platforms.conftest import KEY

SERVICE, SECRET = "http://127.0.0.1:8000", "s"

HOME, API = "https://h.edu", "http://platform.test"
TOML = f"""
[server]
base_url = "{HOME}"
secret_key = "s"
data_keys = ["k"]
verify_files = "DIR/verify"
[database]
url = "sqlite:///DIR/houqin.db"
[redis]
url = "REDIS"
[official_account]
app_id = "wx1"
app_secret = "s1"
token = "t1"
aes_key = "{KEY}"
api_base = "{API}/wechat"
oauth_base = "{API}/wechat"
[mini_program]
app_id = "wx2"
app_secret = "s2"
token = "t2"
aes_key = "{KEY}"
api_base = "{API}/wechat"
[wecom]
corp_id = "ww1"
agent_id = 1000002
secret = "s3"
token = "t3"
aes_key = "{KEY}"
api_base = "{API}/wecom"
oauth_base = "{API}/wecom"
[wecom_contacts]
secret = "s4"
token = "t4"
aes_key = "{KEY}"
[sms]
adapter = "http"
base_url = "{API}/sms"
key = "k"
secret = "s5"
[sso]
kind = "cas"
base_url = "{API}/cas"
"""
FIELDS = "{{character_string1.DATA}}{{thing2.DATA}}"


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("doctor") / "houqin.db"
    migrations.upgrade(f"sqlite:///{path}")
    return path


class Installation:
    """A healthy installation: config, database, verification files, all platforms, and our own service."""

    def __init__(self, wire: responses.RequestsMock, home: Path, database: Path, redis_url: str) -> None:
        self.wire, self.home = wire, home
        (home / "houqin.db").write_bytes(database.read_bytes())
        (home / "verify").mkdir()
        for name in ("MP_verify_a.txt", "WW_verify_b.txt"):
            (home / "verify" / name).write_text(name[10:11])
            wire.add("GET", f"{HOME}/{name}", body=name[10:11])
        self.toml = home / "houqin.toml"
        self.toml.write_text(TOML.replace("DIR", str(home)).replace("REDIS", redis_url))
        config = configs.load(self.toml)
        self.envelopes = {
            "/wx/official": Envelope.of(config.official_account, "wx1"),
            "/wx/mini": Envelope.of(config.mini_program, "wx2"),
            "/wx/wecom": Envelope.of(config.wecom, "ww1", always_encrypted=True),
            "/wx/wecom/contacts": Envelope.of(config.wecom_contacts, "ww1", always_encrypted=True),
        }
        self.said = {
            "POST /wechat/cgi-bin/stable_token": {"access_token": "T", "expires_in": 7200},
            "GET /wecom/cgi-bin/gettoken": {"errcode": 0, "access_token": "T", "expires_in": 7200},
            "GET /wecom/cgi-bin/getcallbackip": {"ip_list": ["1.1.1.1"]},
            "GET /wechat/cgi-bin/template/get_all_private_template": {
                "template_list": [{"template_id": "T1", "title": "报修进度通知", "content": FIELDS}]
            },
            "GET /wechat/wxaapi/newtmpl/gettemplate": {
                "data": [{"priTmplId": "T2", "title": "进度", "content": FIELDS}]
            },
        }
        self.skew = timedelta(0)
        self.metrics = ""
        for call in self.said:
            method, path = call.split()
            wire.add_callback(method, API + path, self.platform)
        for app in ("wechat", "wecom"):
            wire.add_callback("GET", f"{API}/{app}/", self.date)
        wire.add("GET", f"{API}/sms/sent/houqin-doctor", json={"found": False})
        wire.add("GET", f"{API}/cas/login", body="<html>")
        self.metrics_at = {SERVICE: 200, HOME: 404}  # the proxy in front does not pass /metrics on
        for place in (SERVICE, HOME):
            wire.add_callback("GET", f"{place}/metrics", self.count)
        for path in self.envelopes:
            for method in ("GET", "POST"):
                wire.add_callback(method, HOME + path, self.door)
        self.map_templates({"character_string1": "no", "thing2": "place"})

    def count(self, asked: Any) -> tuple[int, dict[str, str], str]:
        place = asked.url.removesuffix("/metrics")
        known = asked.headers.get("Authorization") == f"Bearer {reading_token(SECRET)}"
        return (self.metrics_at[place] if known else 403), {}, self.metrics

    def map_templates(self, fields: dict[str, str], template: str = "T1") -> None:
        engine = sa.create_engine(f"sqlite:///{self.home / 'houqin.db'}")
        with Session(engine) as s:
            s.execute(sa.delete(TemplateMap))
            for channel, template_id in ((Channel.OFFICIAL, template), (Channel.MINI, "T2")):
                row = {"channel": channel, "kind": "repair_progress", "template_id": template_id, "fields": fields}
                s.add(TemplateMap(**row, changed_at=clock.now()))
            s.commit()
        engine.dispose()

    def platform(self, request: Any) -> tuple[int, dict[str, str], str]:
        return 200, {}, json.dumps(self.said[f"{request.method} {urlsplit(request.url).path}"])

    def date(self, _request: Any) -> tuple[int, dict[str, str], str]:
        return 404, {"Date": format_datetime(datetime.now(UTC) + self.skew, usegmt=True)}, ""

    def door(self, request: Any) -> tuple[int, dict[str, str], bytes | str]:
        url = urlsplit(request.url)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        try:
            if request.method == "GET":
                return 200, {}, self.envelopes[url.path].echo(query, clock.now())
            self.envelopes[url.path].open(query, request.body, clock.now())
        except CallbackError as why:
            return (400 if "BadEnvelope" in type(why).__name__ else 403), {}, ""
        return 200, {}, b"success"

    def doctor(self) -> Result:
        return CliRunner().invoke(main, ["--config", str(self.toml), "doctor"], catch_exceptions=False)

    def wrong(self) -> list[str]:
        """The lines that say what is wrong; the exit code fits them."""
        result = self.doctor()
        lines = [line for line in result.output.splitlines() if line.startswith("✗")]
        assert result.exit_code == (1 if lines else 0), result.output
        return lines


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    yield
    log.set_up(level="INFO")


@pytest.fixture
def ours(wire: responses.RequestsMock, tmp_path: Path, migrated: Path, redis_url: str) -> Installation:
    return Installation(wire, tmp_path, migrated, redis_url)


pytestmark = pytest.mark.race  # a real Redis


def test_a_healthy_installation_has_nothing_to_mend(ours):
    result = ours.doctor()
    assert (result.exit_code, ours.wrong()) == (0, []), result.output
    for part in (
        "数据库",
        "Redis",
        "公众号令牌",
        "小程序模板",
        "企业微信回调",
        "通讯录同步回调",
        "短信",
        "统一身份认证",
        "MP_verify",
    ):
        assert part in result.output
    assert "s1" not in result.output.replace("https", "")


def refuse(code: int, message: str = "") -> dict[str, Any]:
    return {"errcode": code, "errmsg": message}


TOKEN, GETTOKEN, WECOM_IP = (
    "POST /wechat/cgi-bin/stable_token",
    "GET /wecom/cgi-bin/gettoken",
    "GET /wecom/cgi-bin/getcallbackip",
)
BROKEN: dict[str, tuple[Callable[[Installation], Any], list[str]]] = {
    "the secret": (
        lambda i: i.said.update({TOKEN: refuse(40125)}),
        ["公众号令牌：AppSecret 不对(40125)", "小程序令牌：AppSecret"],
    ),
    "the IP list": (
        lambda i: i.said.update(
            {TOKEN: refuse(40164, "invalid ip 9.8.7.6 ipv6 ::ffff:9.8.7.6, not in whitelist rid: 1")}
        ),
        ["公众号令牌：本机出口 IP 9.8.7.6 不在白名单(40164) → 在 公众平台", "小程序令牌"],
    ),
    "the WeCom secret": (
        lambda i: i.said.update({GETTOKEN: refuse(40001)}),
        ["企业微信令牌：Secret 不对", "通讯录同步令牌"],
    ),
    "the WeCom IP list": (
        lambda i: i.said.update({WECOM_IP: refuse(60020, "not allow to access from your ip, from ip: 9.8.7.6, more")}),
        ["企业微信接口：本机出口 IP 9.8.7.6 不在可信 IP 里(60020)"],
    ),
    "the clock": (
        lambda i: setattr(i, "skew", timedelta(minutes=9)),
        ["公众号时钟：本机与平台相差", "小程序时钟", "企业微信时钟"],
    ),
    "a template field": (
        lambda i: i.map_templates({"character_string1": "no", "thing9": "place"}),
        ["公众号模板 repair_progress：字段对不上：模板里没有 thing9；没有对应 thing2", "小程序模板"],
    ),
    "a template id": (
        lambda i: i.map_templates({"character_string1": "no", "thing2": "place"}, "TX"),
        ["公众号模板 repair_progress：账号里没有模板 TX"],
    ),
    "the service's token": (
        lambda i: i.envelopes.update({"/wx/official": Envelope(receive_id="wx1", token="old", aes_key=KEY)}),
        ["公众号回调：服务不认这份配置的签名"],
    ),
    "the service's key": (
        lambda i: i.envelopes.update({"/wx/mini": Envelope(receive_id="wx2", token="t2", aes_key=KEY[::-1])}),
        ["小程序回调：服务解不开这份配置加密的消息"],
    ),
    "the WeCom key": (
        lambda i: i.envelopes.update(
            {"/wx/wecom": Envelope(receive_id="ww1", token="t3", aes_key=KEY[::-1], always_encrypted=True)}
        ),
        ["企业微信回调：服务解不开"],
    ),
    "a proxy that answers itself": (
        lambda i: i.wire.replace("GET", f"{HOME}/wx/official", body="<html>"),
        ["公众号回调：回答的不是服务"],
    ),
    "a proxy without the path": (
        lambda i: i.wire.replace("GET", f"{HOME}/wx/official", status=404),
        ["公众号回调：https://h.edu/wx/official 没有人应答(404)"],
    ),
    "nobody there": (lambda i: i.wire.remove("GET", f"{HOME}/wx/official"), ["公众号回调：连不上"]),
    "the token typed into the platform": (
        lambda i: setattr(i, "metrics", 'houqin_callbacks_total{door="official",outcome="forged"} 3.0\n'),
        ["公众号来信：收到的回调签名都不对 → 平台后台的 Token"],
    ),
    "the key typed into the platform": (
        lambda i: setattr(i, "metrics", 'houqin_callbacks_total{door="mini",outcome="malformed"} 3.0\n'),
        ["小程序来信：收到的回调都解不开"],
    ),
    "counters nobody gives": (
        lambda i: i.metrics_at.update({SERVICE: 404}),
        ["来信统计：http://127.0.0.1:8000/metrics 与 https://h.edu/metrics 都读不到"],
    ),
    "a verification file": (lambda i: (i.home / "verify" / "WW_verify_b.txt").unlink(), ["域名校验："]),
    "a verification file nobody serves": (
        lambda i: i.wire.replace("GET", f"{HOME}/MP_verify_a.txt", status=404),
        ["域名校验：/MP_verify_a.txt 答的不是文件内容（404）"],
    ),
    "http": (
        lambda i: i.toml.write_text(i.toml.read_text().replace(HOME, "http://h.edu")),
        ["网址：http://h.edu 不是 https"],
    ),
    "the tables": (lambda i: (i.home / "houqin.db").unlink(), ["数据库：没有"]),
    "Redis": (
        lambda i: i.toml.write_text(re.sub('"redis://.*"', '"unix:///nonexistent/s.sock"', i.toml.read_text())),
        ["Redis：连不上"],
    ),
    "a Redis address": (
        lambda i: i.toml.write_text(i.toml.read_text().replace("redis://127.0.0.1:", "redis://127.0.0.1:9")),
        ["Redis：连不上"],
    ),
    "SMS": (lambda i: i.wire.replace("GET", f"{API}/sms/sent/houqin-doctor", json={"code": "REFUSED"}), ["短信："]),
    "SSO": (lambda i: i.wire.replace("GET", f"{API}/cas/login", status=404), ["统一身份认证："]),
}


@pytest.mark.parametrize("name", BROKEN)
def test_each_thing_that_can_be_wrong_is_told_with_what_to_do(ours, name):
    break_it, told = BROKEN[name]
    break_it(ours)
    lines = ours.wrong()
    for part in told:
        found = [line for line in lines if line.startswith(f"✗ {part}")]
        assert found, lines
        assert all(" → " in line for line in found)
    if name not in ("http", "nobody there"):
        assert len(lines) == len(told), lines


def test_a_config_that_cannot_be_read_names_the_key(ours):
    ours.toml.write_text(ours.toml.read_text().replace('app_secret = "s1"\n', ""))
    (line,) = ours.wrong()
    assert "app_secret" in line


def test_what_is_not_configured_is_not_wrong(ours):
    text = ours.toml.read_text()
    ours.toml.write_text(text[: text.index("[mini_program]")])
    result = ours.doctor()
    assert result.exit_code == 0, result.output
    assert result.output.count("–") >= 4
