"""What a check of `houqin doctor` says, and what a platform's refusal means in words. PROTOCOLS 1.10, 1.15, 3.1, 3.11."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core.errors import Busy, PlatformError, Refused, Unknown

_IP = re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b")

OFFICIAL_PAGE = "公众平台(mp.weixin.qq.com)→ 设置与开发 → 基本配置"
MINI_PAGE = "小程序后台(mp.weixin.qq.com)→ 开发管理 → 开发设置"
WECOM_PAGE = "企业微信管理后台(work.weixin.qq.com)→ 应用管理 → 该应用"

# code → what it means, and what to write or press; {page} is the platform's own page, {section} ours, {ip} the caller's
WECHAT_HINTS = {
    "40001": ("AppSecret 不对", "在 {page} 重置 AppSecret，写入 [{section}] app_secret"),
    "40125": ("AppSecret 不对", "在 {page} 重置 AppSecret，写入 [{section}] app_secret"),
    "41004": ("AppSecret 是空的", "写入 [{section}] app_secret"),
    "40013": ("AppID 不对", "核对 [{section}] app_id 与 {page} 上的 AppID"),
    "40164": ("本机出口 IP {ip} 不在白名单", "在 {page} 的 IP 白名单里加入 {ip}"),
    "40243": ("AppSecret 已被冻结", "在 {page} 解冻 AppSecret"),
    "45009": ("今天的调用次数已用完", "等到明天，或在 {page} 清零调用次数"),
    "48001": ("账号没有这个接口的权限", "在 {page} 的接口权限里核对，服务号须已认证"),
    "50002": ("账号被限制", "在平台后台查看站内信并申诉"),
    "89503": ("这个 IP 的调用须管理员确认", "请管理员在微信里确认"),
}
WECOM_HINTS = {
    "40001": ("Secret 不对", "在 {page} 查看 Secret，写入 [{section}] secret"),
    "40013": ("CorpID 不对", "核对 [wecom] corp_id 与“我的企业”页面底部的企业 ID"),
    "40056": ("AgentID 不对", "核对 [wecom] agent_id 与 {page} 上的 AgentId"),
    "60020": ("本机出口 IP {ip} 不在可信 IP 里", "在 {page} → 企业可信 IP 里加入 {ip}"),
    "48009": ("通讯录同步助手不能从这里读取", "企业微信自 2022-08-15 起如此；只用回调即可"),
    "50003": ("应用已停用", "在 {page} 启用应用"),
}


@dataclass(frozen=True)
class Finding:
    """One line of the report. `ok` is None for what is switched off."""

    name: str
    ok: bool | None
    told: str
    todo: str = ""

    def __str__(self) -> str:
        mark = {True: "✓", False: "✗", None: "–"}[self.ok]
        return f"{mark} {self.name}：{self.told}" + (f" → {self.todo}" if self.todo else "")


def good(name: str, told: str) -> Finding:
    """A check that found nothing wrong."""
    return Finding(name, True, told)


def bad(name: str, told: str, todo: str) -> Finding:
    """What is wrong, and what to do about it."""
    return Finding(name, False, told, todo)


Hint = Callable[[PlatformError], tuple[str, str]]


def off(name: str, section: str) -> Finding:
    """A platform without a section."""
    return Finding(name, None, f"没有配置 [{section}]，不启用")


def hints_for(known: dict[str, tuple[str, str]], page: str, section: str) -> Hint:
    """What the answer means and what to do, in words for this platform."""

    def hint(why: PlatformError) -> tuple[str, str]:
        told, todo = known.get(why.code, ("", "在平台的错误码页面查这个码"))
        ip = found.group() if (found := _IP.search(why.message)) else "（见平台的回答）"
        return told.format(ip=ip), todo.format(page=page, section=section, ip=ip)

    return hint


def asked(name: str, ask: Callable[[], Any], hint: Hint) -> Finding:
    """One call to a platform, and what its answer says."""
    try:
        ask()
    except Refused as why:
        told, todo = hint(why)
        return bad(name, f"{told or '被拒绝'}({why.code})", todo)
    except Busy as why:
        if why.code.lstrip("-").isdigit():
            told, todo = hint(why)
            return bad(name, f"{told or '平台忙'}({why.code})", todo)
        return bad(name, f"连不上（{why.code}）", "核对 api_base / base_url、DNS、出口防火墙")
    except Unknown as why:
        told, todo = hint(why)
        return bad(
            name, f"{told or '没有听到可用的回答'}({why.code})", todo if told else "核对 api_base / base_url、代理"
        )
    return good(name, "接口可用")


def token_of(name: str, probe: Callable[[], None], hint: Hint) -> Finding:
    """Whether the platform gives a token: that tells of the secret and, on the official account, of the IP list."""
    found = asked(f"{name}令牌", probe, hint)
    return good(found.name, "取得到 access_token，密钥与 IP 白名单都对") if found.ok else found
