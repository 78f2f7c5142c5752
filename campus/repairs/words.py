"""The words of the repair office, and what may be written into a ticket. FEATURES R1, R2, R10, R11."""

import re
import unicodedata

from core.errors import Invalid
from models.repairs import RepairState

STATES: dict[RepairState, str] = {
    RepairState.AWAITING_APPROVAL: "待审批",
    RepairState.FILED: "待受理",
    RepairState.ASSIGNED: "已派工",
    RepairState.WORKING: "维修中",
    RepairState.ON_HOLD: "挂起",
    RepairState.DONE: "待验收",
    RepairState.CLOSED: "已关闭",
    RepairState.REJECTED: "已驳回",
    RepairState.CANCELLED: "已撤销",
    RepairState.UNFIXABLE: "无法修复",
}
ACTIONS: dict[str, str] = {
    "file": "报修",
    "assign": "派工",
    "reassign": "改派",
    "take": "接单",
    "arrive": "到场",
    "finish": "完工",
    "cannot": "无法修复",
    "cancel": "撤销",
    "accept": "验收通过",
    "refuse": "验收不通过",
    "rate": "评价",
    "reject": "驳回",
    "close": "关闭",
}
WAYS: dict[str, str] = {
    "scan": "扫码",
    "menu": "公众号菜单",
    "text": "公众号文字",
    "official": "公众号",
    "mini": "小程序",
    "h5": "网页",
    "wecom": "企业微信",
    "alipay": "支付宝",
    "desk": "值班台",
    "console": "值班台",
    "public": "公开页面",
    "system": "系统",
}
SEVERITIES: dict[str, str] = {"minor": "轻微", "normal": "一般", "serious": "严重"}
RESULTS: dict[str, str] = {"fixed": "已修好", "temporary": "临时修复"}
TRADES: dict[str, str] = {
    "water": "水工",
    "plumber": "水工",
    "plumbing": "水工",
    "electric": "电工",
    "electrician": "电工",
    "carpenter": "木工",
    "carpentry": "木工",
    "wood": "木工",
    "mason": "泥瓦工",
    "masonry": "泥瓦工",
    "aircon": "空调工",
    "network": "弱电工",
    "lock": "锁匠",
    "lift": "电梯工",
    "fire": "消防",
    "gas": "燃气工",
    "emergency": "应急抢修",
    "general": "综合维修",
}

HELD_TEXT = "（内容审核中）"
LONGEST_TEXT = 2000
LONGEST_NOTE = 1000
LONGEST_LINE = 60


def trade_title(trade: str | None) -> str:
    """The trade as people say it; one that the office named itself stands as it is."""
    return TRADES.get(trade or "", trade or "综合维修")


def said(text: str | None, field: str, *, most: int = LONGEST_NOTE, needed: str | None = None) -> str:
    """The text without blank ends. Raises Invalid when it is too long, cannot be stored, or is needed and missing."""
    kept = "".join(character for character in (text or "") if _may_stand(character)).strip()
    if needed and not kept:
        raise Invalid(fields={field: needed})
    if len(kept) > most:
        raise Invalid(fields={field: f"最多 {most} 个字"})
    return kept


def _may_stand(character: str) -> bool:
    """Everything but NUL and its kin, and halves of characters (a lone surrogate cannot be stored as UTF-8)."""
    return character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cs")


_PHONE = re.compile(r"^\+?[0-9][0-9-]{3,17}[0-9]$")


def phone(number: str | None, field: str) -> str | None:
    """The phone number without blanks, None when none was given. Raises Invalid when it cannot be one."""
    kept = unicodedata.normalize("NFKC", number or "").replace(" ", "")
    if not kept:
        return None
    if not _PHONE.match(kept):
        raise Invalid(fields={field: "电话号码有误"})
    return kept


def masked(number: str) -> str:
    """As much of a phone number as may be shown: 138****5678."""
    return f"{number[:3]}****{number[-4:]}" if len(number) > 7 else f"{number[:1]}****"
