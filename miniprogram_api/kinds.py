"""What may stand in a field of /api/v1: every kind has its limit, and the limit stands in /openapi.json. ECOSYSTEM 5.1.

JSON numbers are numbers (`1.0` is an integer, `"1"` is not), texts hold no control characters, no NUL and no half
surrogates, everything has a greatest length. What is wrong with a field is said in Chinese beside its name.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from core.clock import to_campus
from core.ids import LETTERS

_CONTROLS = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
_BREAKS = r"\t\n\r\u2028\u2029"
_FIRST, _LAST = 2000, 2100


class In(BaseModel):
    """What a client sends. An unknown field is refused: it is a spelling mistake, or an attempt."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Query(BaseModel):
    """What stands behind the question mark. Unknown names are ignored: other people's links carry them."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Out(BaseModel):
    """What a client is told."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


def prose(most: int, least: int = 0) -> Any:
    """A text of several lines."""
    return Annotated[str, Field(min_length=least, max_length=most, pattern=rf"^[^{_CONTROLS}]*$")]


def line(most: int, least: int = 1) -> Any:
    """A text of one line."""
    return Annotated[str, Field(min_length=least, max_length=most, pattern=rf"^[^{_CONTROLS}{_BREAKS}]*$")]


def word(most: int = 64) -> Any:
    """A code: no spaces, nothing that means something in an address."""
    return Annotated[str, Field(pattern=rf"^[^\x00-\x20\x7f-\xa0/\\?#%&]{{1,{most}}}$")]


def secret(most: int = 512) -> Any:
    """A code or ticket that a platform or this service gave out: printable ASCII."""
    return Annotated[str, Field(min_length=1, max_length=most, pattern=r"^[!-~]+$")]


def number_of(prefix: str) -> str:
    """The pattern of a public number."""
    return rf"^{prefix}[0-9]{{6}}[{LETTERS}]{{10}}$"


def _json_number(value: Any) -> Any:
    if isinstance(value, str | bool):
        raise ValueError("must be a number, not text")
    return value


def _json_text(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("must be a text in ISO 8601")
    return value


def _in_our_time(value: datetime) -> datetime:
    if not _FIRST < value.year < _LAST:  # a day's offset beyond year 1 or 9999 cannot be converted
        raise ValueError("not in our time")
    return value


def whole(least: int, most: int) -> Any:
    """A whole number as JSON understands it. `Field` stands first, or the limits leave the schema."""
    return Annotated[int, Field(ge=least, le=most), BeforeValidator(_json_number)]


YesNo = Annotated[bool, Field(strict=True)]
Mark = whole(1, 5)
PhotoNo = Annotated[str, Field(pattern=number_of("[A-Z]{2}"))]
Phone = Annotated[str, Field(pattern=r"^1[3-9][0-9]{9}$", examples=["13800138000"])]
MomentIn = Annotated[AwareDatetime, BeforeValidator(_json_text), AfterValidator(_in_our_time)]
Moment = Annotated[
    datetime, PlainSerializer(lambda moment: to_campus(moment).isoformat(timespec="seconds"), when_used="json")
]


class PageQuery(Query):
    """Where a list goes on."""

    cursor: Annotated[str | None, Field(max_length=300, pattern=r"^[A-Za-z0-9_.\-]+$")] = None
    limit: Annotated[int, Field(ge=1, le=100)] = 20


_SAID = {
    "missing": "必填",
    "extra_forbidden": "不认识的字段",
    "string_too_short": "至少 {min_length} 个字",
    "string_too_long": "最多 {max_length} 个字",
    "string_type": "应为文字",
    "string_unicode": "含有无法保存的字符",
    "string_pattern_mismatch": "格式不正确，或含有不允许的字符",
    "less_than_equal": "不能大于 {le}",
    "greater_than_equal": "不能小于 {ge}",
    "literal_error": "应为 {expected}",
    "too_long": "最多 {max_length} 项",
    "too_short": "至少 {min_length} 项",
    "bool_type": "应为是或否",
    "list_type": "应为列表",
    "dict_type": "应为对象",
    "model_type": "应为对象",
    "model_attributes_type": "应为对象",
    "timezone_aware": "时间要带时区",
}


def what_is_wrong(errors: Iterable[Any]) -> dict[str, str]:
    """Field → what is wrong with it, in Chinese. A field that is wrong twice is told once."""
    told: dict[str, str] = {}
    for error in errors:
        name = ".".join(str(part)[:64] for part in error["loc"])[:200] or "body"
        facts = {key: str(value)[:120] for key, value in (error.get("ctx") or {}).items()}
        told.setdefault(name, _SAID.get(error["type"], "格式不正确").format_map({**facts}))
    return told
