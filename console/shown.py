"""How things look on the operators' pages: campus time, how long ago, Chinese words for states. STYLE "Time"."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from flask import Flask, current_app, g, get_flashed_messages, request

from campus.repairs import words
from console.frame import bp, may
from core import clock
from core.house import house
from models.calendar import DayKind, TermKind
from models.notices import Channel, TryState
from models.people import IdentityKind, PersonKind, PersonStatus
from models.places import PlaceKind
from models.repairs import ContentState, DispatchWay, RepairState

COLOURS: Mapping[Any, str] = {
    RepairState.AWAITING_APPROVAL: "purple",
    RepairState.FILED: "orange",
    RepairState.ASSIGNED: "blue",
    RepairState.WORKING: "cyan",
    RepairState.ON_HOLD: "yellow",
    RepairState.DONE: "teal",
    RepairState.CLOSED: "secondary",
    RepairState.REJECTED: "secondary",
    RepairState.CANCELLED: "secondary",
    RepairState.UNFIXABLE: "red",
    TryState.SENDING: "blue",
    TryState.ACCEPTED: "cyan",
    TryState.DELIVERED: "green",
    TryState.REFUSED: "orange",
    TryState.FAILED: "red",
    TryState.UNKNOWN: "yellow",
    TryState.LATER: "secondary",
    PersonStatus.ACTIVE: "green",
    PersonStatus.SUSPENDED: "orange",
    PersonStatus.LEFT: "secondary",
}
# StrEnum members of different kinds can be equal as text, so every kind has its own table below the ticket's.
KINDS: Mapping[type, Mapping[str, str]] = {
    PersonKind: {"student": "学生", "staff": "教职工", "worker": "维修工", "driver": "司机", "visitor": "访客"},
    PersonStatus: {"active": "在校", "suspended": "停用", "left": "离校"},
    PlaceKind: {"campus": "校区", "area": "片区", "building": "楼栋", "floor": "楼层", "room": "房间"},
    IdentityKind: {
        "official": "公众号",
        "mini": "小程序",
        "wecom": "企业微信",
        "alipay": "支付宝",
        "sso": "统一身份认证",
    },
    DispatchWay: {"by_area": "按片区", "least_load": "按工种少单优先", "by_hand": "人工派工"},
    Channel: {"mini": "小程序订阅消息", "official": "公众号模板消息", "wecom": "企业微信", "sms": "短信"},
    TryState: {
        "sending": "发送中",
        "accepted": "平台已收",
        "delivered": "已送达",
        "refused": "被拒收",
        "failed": "未送达",
        "unknown": "结果未知",
        "later": "稍后再发",
    },
    ContentState: {"unchecked": "未检查", "passed": "已通过", "held": "暂扣待审"},
    DayKind: {"workday": "上班", "holiday": "休息"},
    TermKind: {"term": "学期", "vacation": "假期"},
}
WAYS = {**words.WAYS, "password": "密码", "sso": "统一身份认证"}


def furnish(app: Flask) -> None:
    """Templates know these filters."""
    app.jinja_env.filters.update(
        moment=moment, clock_time=clock_time, ago=ago, day=day, word=word, colour=colour, way=way, lasted=lasted, local=local
    )  # fmt: skip
    app.jinja_env.add_extension("jinja2.ext.do")


@bp.context_processor
def _about_the_page() -> dict[str, Any]:
    from console.menu import shown_menu

    return {
        "may": may,
        "me": g.get("me"),
        "school": house().config.server.school,
        "now": clock.now(),
        "menu": shown_menu() if g.get("me") else [],
        "notes": get_flashed_messages,
        "here": request.endpoint,
        "with_query": with_query,
        "has": lambda name: f"console.{name}" in current_app.view_functions,
        "WORDS_OF": lambda name: next(titles.items() for kind, titles in KINDS.items() if kind.__name__ == name),
        "TICKET_STATES": list(words.STATES.items()),
        "WAYS": WAYS,
    }


def with_query(**values: Any) -> str:
    """This address with some of its query changed; None takes a key out."""
    from urllib.parse import urlencode

    pairs = [(key, value) for key, value in request.args.items(multi=True) if key not in values]
    pairs += [(key, str(value)) for key, value in values.items() if value not in (None, "")]
    return f"{request.path}?{urlencode(pairs)}" if pairs else request.path


def moment(value: datetime | None) -> str:
    """The campus date and time, to the minute."""
    return f"{clock.to_campus(value):%Y-%m-%d %H:%M}" if value else "—"


def local(value: datetime | None) -> str:
    """As an `<input type=datetime-local>` wants it, on the campus clock."""
    return f"{clock.to_campus(value):%Y-%m-%dT%H:%M}" if value else ""


def clock_time(value: datetime | None) -> str:
    """Only the time for today, with the date otherwise."""
    if value is None:
        return "—"
    here, today = clock.to_campus(value), clock.campus_day(clock.now())
    if here.date() == today:
        return f"{here:%H:%M}"
    return f"{here:%m-%d %H:%M}" if here.year == today.year else f"{here:%Y-%m-%d %H:%M}"


def day(value: date | datetime | None) -> str:
    """The campus day."""
    if value is None:
        return "—"
    return f"{clock.to_campus(value):%Y-%m-%d}" if isinstance(value, datetime) else f"{value:%Y-%m-%d}"


def ago(value: datetime | None) -> str:
    """How long ago, in the words people use."""
    if value is None:
        return "—"
    passed = clock.now() - value
    return (
        f"{lasted(-passed)}后"
        if passed < timedelta(0)
        else "刚刚"
        if passed.total_seconds() < 60
        else f"{lasted(passed)}前"
    )


def lasted(value: timedelta | float | None) -> str:
    """A stretch of time in its largest unit."""
    if value is None:
        return "—"
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    for size, unit in ((86400, "天"), (3600, "小时"), (60, "分钟")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} 秒"


def word(value: Any, kind: str | None = None) -> str:
    """The Chinese word for a state, a kind or a channel."""
    if value is None:
        return "—"
    if isinstance(value, RepairState):
        return words.STATES[value]
    for known, titles in KINDS.items():
        if isinstance(value, known) or kind == known.__name__:
            return titles.get(str(value), str(value))
    if kind == "RepairState" and value in set(RepairState):
        return words.STATES[RepairState(value)]
    return str(value)


def colour(value: Any) -> str:
    """The colour that says how a state stands."""
    return COLOURS.get(value, "secondary")


def way(value: str | None) -> str:
    """Through which door something came."""
    return WAYS.get(value or "", value or "—")
