"""Fitting facts into the fields of a platform's template. FEATURES N2; limits: PROTOCOLS 2.6, 1.11.

A field's type is its name without the digits (`thing2` is a `thing`). Overlong values are cut by us: the platform
answers 47003 instead of cutting. Control characters and emoji go first; what is empty becomes a dash.
"""

import re
import unicodedata
from datetime import datetime
from typing import Any

from campus.notices.kinds import FACTS, Fact, Kind
from core.clock import to_campus
from core.errors import Invalid

_TYPE = re.compile(r"^([a-z_]+?)(\d*)$")
_NOT_PLAIN = re.compile(r"[^\x21-\x7e]")
_NOT_PHRASE = re.compile(r"[^\u4e00-\u9fff]")

# field type → longest value in characters; None where another rule decides
LIMITS: dict[str, int] = {
    "thing": 20,
    "short_thing": 5,
    "character_string": 32,
    "phrase": 5,
    "name": 10,
    "time": 32,
    "date": 32,
    "amount": 13,
    "number": 32,
    "letter": 32,
    "symbol": 5,
    "phone_number": 17,
    "car_number": 8,
}
CARRIES: dict[Fact, frozenset[str]] = {
    Fact.CODE: frozenset({"character_string", "thing"}),
    Fact.TEXT: frozenset({"thing", "short_thing"}),
    Fact.PHRASE: frozenset({"phrase", "thing", "short_thing"}),
    Fact.MOMENT: frozenset({"time", "date", "thing", "character_string"}),
    Fact.NAME: frozenset({"name", "thing"}),
    Fact.AMOUNT: frozenset({"amount", "thing"}),
}


class CannotFit(Invalid):
    """The mapping can never be sent: a field type does not carry such a fact, or the kind has no such fact."""

    code, text = "cannot_fit", "模板字段无法对应"


def field_type(field: str) -> str:
    """`character_string1` is a `character_string`."""
    match = _TYPE.match(field)
    return match.group(1) if match else ""


def check_mapping(kind: Kind, fields: dict[str, str]) -> None:
    """Nothing happens when every field can carry its fact. Raises CannotFit with a reason per field."""
    wrong: dict[str, str] = {}
    if not fields:
        raise CannotFit(fields={"fields": "至少需要一个字段"})
    for field, fact in fields.items():
        if (kind_of_field := field_type(field)) not in LIMITS:
            wrong[field] = "不认识的字段类型"
        elif fact not in kind.facts:
            wrong[field] = f"此类通知没有“{fact}”"
        elif kind_of_field not in CARRIES[FACTS[fact]]:
            wrong[field] = f"{kind_of_field} 不能放“{fact}”"
    if wrong:
        raise CannotFit(fields=wrong)


def fit(field: str, fact: str, value: Any) -> str:
    """The value as that field takes it: never longer than the platform allows, never empty."""
    kind = field_type(field)
    if FACTS.get(fact) is Fact.MOMENT and isinstance(value, str) and value:
        return _moment(kind, datetime.fromisoformat(value))
    text = plain(value)
    match kind:
        case "character_string":
            text = _NOT_PLAIN.sub("", text)[:32] or "-"
        case "phrase":
            text = _NOT_PHRASE.sub("", text)[:5] or "通知"
        case "name":
            text = _cut(text, 20 if text.isascii() else 10)
        case "amount":
            text = text[:13]
        case _:
            text = _cut(text, LIMITS.get(kind, 20))
    return text or "-"


def _moment(kind: str, moment: datetime) -> str:
    local = to_campus(moment)
    if kind == "character_string":
        return f"{local:%Y-%m-%d_%H:%M}"
    if kind in ("time", "date"):
        return f"{local:%Y年%m月%d日 %H:%M}"
    return f"{local:%m月%d日 %H:%M}"


def plain(value: Any) -> str:
    """The value on one line, without control characters and emoji (the platform strips or refuses them)."""
    text = "" if value is None else str(value)
    kept = (character if unicodedata.category(character) not in _UNWANTED else " " for character in text)
    return " ".join("".join(kept).split())


_UNWANTED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "So", "Zl", "Zp"})


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
