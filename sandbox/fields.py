"""What a template field may hold: the table of PROTOCOLS 2.6, by the type that begins the field's name.

`short_thing` and `const` are not documented: five characters, and anything up to twenty.
"""

import re
import unicodedata
from collections.abc import Callable
from typing import Any

HAN = r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"
CLOCK = r"([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d)?"
DAY = r"\d{4}(年\d{1,2}月\d{1,2}日|[-/.]\d{1,2}[-/.]\d{1,2})"
MOMENT = rf"({DAY}( ?{CLOCK})?|{CLOCK})"
EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\ufe0f\u200d\U000e0020-\U000e007f]")


def _is(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda value: bool(compiled.fullmatch(value))


def _symbol(char: str) -> bool:
    return unicodedata.category(char)[0] in "PS"


def _name(value: str) -> bool:
    if re.search(HAN, value):
        return len(value) <= 10
    return len(value) <= 20 and all(c.isalpha() or _symbol(c) or c == " " for c in value)


def _character_string(value: str) -> bool:
    return len(value) <= 32 and all(c.isascii() and c.isprintable() for c in value)


def _phone(value: str) -> bool:
    return len(value) <= 17 and all(c.isascii() and (c.isdigit() or _symbol(c) or c == " ") for c in value)


def _amount(value: str) -> bool:
    return bool(re.fullmatch(r"[¥￥$€£]?-?\d{1,10}(\.\d+)?元?", value))


def _range(one: str) -> Callable[[str], bool]:
    return _is(rf"{one}( ?~ ?{one})?")


RULES: dict[str, Callable[[str], bool]] = {
    "thing": lambda v: len(v) <= 20,
    "short_thing": lambda v: len(v) <= 5,
    "const": lambda v: len(v) <= 20,
    "number": _is(r"-?\d{1,32}(\.\d{1,31})?"),
    "letter": _is(r"[A-Za-z]{1,32}"),
    "symbol": lambda v: len(v) <= 5 and all(map(_symbol, v)),
    "character_string": _character_string,
    "time": _range(MOMENT),
    "date": _range(rf"{DAY}( ?{CLOCK})?"),
    "amount": _amount,
    "phone_number": _phone,
    "car_number": lambda v: len(v) <= 8 and all(c.isascii() and c.isalnum() for c in v[1:-1]),
    "name": _name,
    "phrase": _is(rf"{HAN}{{1,5}}"),
    "enum": lambda v: len(v) <= 20,
}


def kind_of(name: str) -> str:
    """`thing2` is a `thing`."""
    return name.rstrip("0123456789")


def fits(name: str, value: str) -> bool:
    """Whether a field takes the value."""
    if any(unicodedata.category(c) == "Cc" for c in value):
        return False
    rule = RULES.get(kind_of(name))
    return rule(value) if rule else len(value) <= 20


def fault_in(names: tuple[str, ...], data: Any) -> str:
    """The errmsg of 47003 for the first field that is missing, empty or does not fit; "" when all do."""
    if not isinstance(data, dict):
        return "argument invalid! data invalid"
    for name in names:
        item = data.get(name)
        value = item.get("value") if isinstance(item, dict) else None
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        if value is None or value == "":
            return f"argument invalid! data.{name}.value is empty"
        if not isinstance(value, str) or not fits(name, value):
            return f"argument invalid! data.{name}.value invalid"
    return ""


def shown(names: tuple[str, ...], data: dict[str, Any]) -> dict[str, str]:
    """The fields as the phone shows them: emoji are taken out."""
    return {name: EMOJI.sub("", str(data[name]["value"])) for name in names}
