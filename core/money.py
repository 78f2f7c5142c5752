"""Money is int fen from the first line to the last; yuan text exists only at a platform's edge. STYLE "Money"."""

import re
from decimal import Decimal

_YUAN = re.compile(r"^(-?)(\d{1,13})(?:\.(\d{1,2}))?$")


def yuan(text: str) -> int:
    """Fen from yuan text: `yuan("12.34") == 1234`. Raises ValueError on anything that is not exact to the fen."""
    if not (match := _YUAN.match(text.strip())):
        raise ValueError(f"not an amount in yuan: {text!r}")
    sign, whole, rest = match.groups()
    fen = int(whole) * 100 + int((rest or "").ljust(2, "0"))
    return -fen if sign else fen


def yuan_text(fen: int) -> str:
    """Yuan text with two decimals: `yuan_text(1234) == "12.34"`."""
    return str(Decimal(fen).scaleb(-2).quantize(Decimal("0.01")))
