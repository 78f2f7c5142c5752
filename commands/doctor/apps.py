"""What `houqin doctor` looks at in every platform: tokens, clock, templates, and our own callback as it sees it."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from commands.doctor.asking import (
    MINI_PAGE,
    OFFICIAL_PAGE,
    WECHAT_HINTS,
    WECOM_HINTS,
    WECOM_PAGE,
    Finding,
    Hint,
    asked,
    bad,
    good,
    hints_for,
    off,
    token_of,
)
from commands.doctor.house import own_http
from core import clock, metrics
from core.config import Config
from core.errors import PlatformError, Unknown
from core.http import Http
from models.notices import Channel, TemplateMap
from platforms import Platforms
from platforms.official import Template
from platforms.sso import Oidc
from platforms.wechat_crypto import Envelope

SKEW_S = 60
DOORS = {
    "official": ("公众号", "official_account"),
    "mini": ("小程序", "mini_program"),
    "wecom": ("企业微信", "wecom"),
    "contacts": ("通讯录同步", "wecom_contacts"),
}
_COUNTER = re.compile(r'^houqin_callbacks_total\{door="(\w+)",outcome="(\w+)"\} (\S+)$', re.M)


def official(config: Config, built: Platforms, mappings: Sequence[TemplateMap] | None) -> Iterator[Finding]:
    """The official account."""
    if built.official is None:
        yield off("公众号", "official_account")
        return
    account, hints = built.official, hints_for(WECHAT_HINTS, OFFICIAL_PAGE, "official_account")
    yield from _clock("公众号", account.caller.http)
    token = token_of("公众号", account.caller.tokens.probe, hints)
    yield token
    if token.ok:
        yield from _templates("公众号", Channel.OFFICIAL, account.templates, mappings, hints)
    yield from _callback(config, "公众号", "/wx/official", account.envelope, "official_account")


def mini(config: Config, built: Platforms, mappings: Sequence[TemplateMap] | None) -> Iterator[Finding]:
    """The mini-program."""
    if built.mini is None:
        yield off("小程序", "mini_program")
        return
    program, hints = built.mini, hints_for(WECHAT_HINTS, MINI_PAGE, "mini_program")
    yield from _clock("小程序", program.caller.http)
    token = token_of("小程序", program.caller.tokens.probe, hints)
    yield token
    if token.ok:
        yield from _templates("小程序", Channel.MINI, program.templates, mappings, hints)
    yield from _callback(config, "小程序", "/wx/mini", program.envelope, "mini_program")


def wecom(config: Config, built: Platforms) -> Iterator[Finding]:
    """The WeCom app, and the contacts callback when there is one."""
    if built.wecom is None:
        yield off("企业微信", "wecom")
        return
    hints = hints_for(WECOM_HINTS, WECOM_PAGE, "wecom")
    yield from _clock("企业微信", built.wecom.caller.http)
    token = token_of("企业微信", built.wecom.caller.tokens.probe, hints)
    yield token
    if token.ok:
        yield asked("企业微信接口", built.wecom.callback_ips, hints)  # the IP list is asked here, not at gettoken
    yield from _callback(config, "企业微信", "/wx/wecom", built.wecom.envelope, "wecom")
    if built.contacts is not None:
        hints = hints_for(WECOM_HINTS, "企业微信管理后台 → 管理工具 → 通讯录同步", "wecom_contacts")
        yield token_of("通讯录同步", built.contacts.caller.tokens.probe, hints)
        yield from _callback(config, "通讯录同步", "/wx/wecom/contacts", built.contacts.envelope, "wecom_contacts")


def sms(built: Platforms) -> Iterator[Finding]:
    """The SMS gateway: asked for a message that was never sent."""
    if built.sms is None:
        yield off("短信", "sms")
        return
    gateway = built.sms
    yield asked("短信", lambda: gateway.has_sent("houqin-doctor"), lambda _: ("", "核对 [sms] base_url、key、secret"))


def sso(config: Config, built: Platforms) -> Iterator[Finding]:
    """Single sign-on: whether its sign-in page (CAS) or its discovery document (OIDC) is there."""
    if built.sso is None or config.sso is None:
        yield off("统一身份认证", "sso")
        return
    back, provider = f"{config.server.base_url}/", built.sso
    todo = ("", "核对 [sso] base_url，从本机能否打开它")
    if isinstance(provider, Oidc):
        yield asked("统一身份认证", lambda: provider.login_url(back, "doctor"), lambda _: todo)
        return
    there = Http("sso", config.sso.base_url)
    yield asked(
        "统一身份认证", lambda: _found(there.request("GET", "/login", params={"service": back})), lambda _: todo
    )


# -- one check each


def _clock(name: str, http: Http) -> Iterator[Finding]:
    """How far our clock is from the platform's. The machine's own clock counts, not the one a drill moves."""
    try:
        stamp = http.request("GET", "/").headers.get("Date", "")
        theirs = parsedate_to_datetime(stamp)
    except (PlatformError, ValueError):
        return  # that it cannot be reached is said by the next check
    skew_s = abs((datetime.now(UTC) - theirs).total_seconds())
    if skew_s > SKEW_S:
        yield bad(
            f"{name}时钟",
            f"本机与平台相差 {skew_s:.0f} 秒，超过 5 分钟的回调会被拒绝",
            "启用 NTP(timedatectl set-ntp true)",
        )
    else:
        yield good(f"{name}时钟", f"与平台相差 {skew_s:.0f} 秒")


def _templates(
    name: str, channel: Channel, ask: Callable[[], list[Template]], rows: Sequence[TemplateMap] | None, hint: Hint
) -> Iterator[Finding]:
    """Whether every configured template exists there and has exactly the fields that are mapped. N2; 47003."""
    name = f"{name}模板"
    if rows is None:
        return
    mine = [row for row in rows if row.channel == channel]
    if not mine:
        yield bad(name, "还没有配置任何模板", "在控制台 → 通知模板 里为各类通知选模板")
        return
    there: dict[str, Template] = {}
    heard = asked(name, lambda: there.update((one.id, one) for one in ask()), hint)
    if not heard.ok:
        yield heard
        return
    for row in mine:
        yield _template(f"{name} {row.kind}", row, there.get(row.template_id))


def _template(name: str, row: TemplateMap, template: Template | None) -> Finding:
    if template is None:
        return bad(name, f"账号里没有模板 {row.template_id}", "在平台后台核对模板 ID，再到控制台 → 通知模板 改")
    unknown = [field for field in row.fields if field not in template.fields]
    missing = [field for field in template.fields if field not in row.fields]
    if unknown or missing:
        told = "；".join(
            f"{word} {'、'.join(fields)}" for word, fields in (("模板里没有", unknown), ("没有对应", missing)) if fields
        )
        return bad(name, f"字段对不上：{told}", "在控制台 → 通知模板 重新对应字段")
    return good(name, f"{template.title}，字段对得上")


def _callback(config: Config, name: str, path: str, envelope: Envelope, section: str) -> Iterator[Finding]:
    """Our own callback under base_url, asked as the platform asks: the URL check, then an encrypted event."""
    name, url, http = f"{name}回调", config.server.base_url + path, own_http(config)
    now, echo = clock.now(), "houqin-doctor-echo"
    try:
        answer = http.request("GET", path, params=envelope.probe_echo(echo, now))
        if answer.status_code != 200 or answer.text != echo:
            yield bad(name, *_why(answer.status_code, url, section))
            return
        inner = (
            f"<xml><ToUserName>doctor</ToUserName><FromUserName>doctor</FromUserName><CreateTime>{int(now.timestamp())}"
            "</CreateTime><MsgType>event</MsgType><Event>houqin_doctor</Event></xml>"
        )
        query, body = envelope.probe(inner, now)
        answer = http.request("POST", path, params=query, data=body, headers={"Content-Type": "text/xml"})
        if answer.status_code != 200 or answer.content != b"success":
            yield bad(name, *_why(answer.status_code, url, section))
            return
    except PlatformError as why:
        yield bad(name, f"连不上 {url}（{why.code}）", "启动服务(houqin serve)，核对域名解析、反向代理与证书")
        return
    yield good(name, f"{url} 验签、解密、回答都对；平台后台填同一地址、Token 与 EncodingAESKey")


def refused_callbacks(config: Config, service: str) -> Iterator[Finding]:
    """What the running service counted since it started: callbacks that came and were refused, and none that was not.

    The platforms never tell which Token and EncodingAESKey were typed into them; only what they send shows it. The
    proxy in front does not pass /metrics on, so the web process of this host is asked at `service` first.
    """
    if (text := _counted(config, service)) is None:
        where = f"{service}/metrics 与 {config.server.base_url}/metrics 都读不到"
        yield bad("来信统计", where, "在运行 houqin serve 的机器上执行，或用 --service 指明它的地址")
        return
    counts: dict[str, dict[str, float]] = {}
    for door, outcome, count in _COUNTER.findall(text):
        counts.setdefault(door, {})[outcome] = float(count)
    for door, by in counts.items():
        if door not in DOORS or any(by.get(outcome) for outcome in ("done", "repeated", "said_no")):
            continue
        name, section = DOORS[door]
        if by.get("stale"):
            yield bad(f"{name}来信", "平台的回调因时间相差太大被拒绝", "启用 NTP(timedatectl set-ntp true)")
        elif by.get("forged"):
            yield bad(f"{name}来信", "收到的回调签名都不对", f"平台后台的 Token 与 [{section}] token 须相同")
        elif by.get("malformed"):
            yield bad(f"{name}来信", "收到的回调都解不开", f"平台后台的 EncodingAESKey 与 [{section}] aes_key 须相同")


def _counted(config: Config, service: str) -> str | None:
    """The counters of the running service, None when nobody gives them."""
    token = metrics.reading_token(config.server.secret_key.get_secret_value())
    for http in (Http("self", service, timeout_s=5.0), own_http(config)):
        with suppress(PlatformError):
            answer = http.request("GET", "/metrics", headers={"Authorization": f"Bearer {token}"})
            if answer.status_code == 200:
                return answer.text
    return None


def _why(status: int, url: str, section: str) -> tuple[str, str]:
    match status:
        case 403:
            return "服务不认这份配置的签名", f"运行中的服务读的不是这份配置，或 [{section}] token 改后没有重启"
        case 400:
            return "服务解不开这份配置加密的消息", f"[{section}] aes_key 与运行中的服务不同：重启服务"
        case 404:
            return f"{url} 没有人应答(404)", f"反向代理须把 /wx/ 转给服务；[{section}] 须在服务读的配置里"
        case 200 | 301 | 302 | 307 | 308:
            return "回答的不是服务（可能是网页、跳转或缓存）", "反向代理对 /wx/ 不跳转、不缓存、不改写"
        case 503:
            return "服务暂时存不了消息(503)", "看上面的数据库一项"
    return f"回答 {status}", "看服务的日志"


def _found(answer: Any) -> None:
    if answer.status_code >= 400:
        raise Unknown(answer.status_code)
