"""What stands in the way, in the rule's own words, and the three answers a platform can give.

Rules raise a kind of CampusError and know no HTTP; doors turn it into their own answer in one place each
(`core.web` into problem+json, `wxbot` into a passive reply). Source: DESIGN §2, STYLE "Errors".
"""

from typing import Any, ClassVar


class CampusError(Exception):
    """A deed was refused. `code` is for programs and never changes, `text` is for people, `facts` are for the log."""

    code: ClassVar[str] = "refused"
    text: ClassVar[str] = "办不了，请稍后再试"
    counted: ClassVar[bool] = False  # True: what the rule wrote before it refused stands (`core.db.Database.run`)

    def __init__(self, detail: str | None = None, **facts: Any) -> None:
        self.detail = detail or self.text.format_map(_Gaps(facts))
        self.facts = facts
        super().__init__(self.code, self.detail)


class _Gaps(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return ""


class NotFound(CampusError):
    """The thing asked for is not there, or not for this person to know of."""

    code, text = "not_found", "没有找到"


class Forbidden(CampusError):
    """The person may not do this. `permission` names the deed that is missing (P6)."""

    code, text = "forbidden", "没有权限：{permission}"


class SignInNeeded(CampusError):
    """Nobody is signed in, or the session has ended."""

    code, text = "sign_in_needed", "请先登录"


class BindingNeeded(SignInNeeded):
    """The visitor is signed in to WeChat, but not yet known as a person of the campus."""

    code, text = "binding_needed", "请先绑定校园身份"


class Conflict(CampusError):
    """The thing is not in a state in which this can happen."""

    code, text = "conflict", "状态已变化，请刷新"


class Invalid(CampusError):
    """The request is not well formed. `fields` maps a field to what is wrong with it."""

    code, text = "invalid", "填写有误"


class TooMany(CampusError):
    """Asked too often. `retry_after_s` says when to come again."""

    code, text = "too_many", "操作太频繁，请稍后再试"


class NotNow(CampusError):
    """Something the house needs is away for a moment; nothing was done."""

    code, text = "not_now", "系统繁忙，请稍后再试"


class PlatformError(Exception):
    """A platform did not do what was asked. Which of the three it is decides what the worker does next."""

    def __init__(self, code: object, message: str = "", *, retry_after_s: float | None = None) -> None:
        self.code = str(code)
        self.message = message
        self.retry_after_s = retry_after_s
        super().__init__(self.code, message)


class Refused(PlatformError):
    """It said no and will say no again."""


class Busy(PlatformError):
    """It said later; nothing happened."""


class Unknown(PlatformError):
    """No answer that may be trusted; maybe it happened."""
