"""Logs: an event and its facts, as JSON lines, without secrets. STYLE "Logging", DRILLS K25.

The words of an event are fixed, the facts vary. Tokens, keys, signatures, bodies, phone numbers and whole
openids never reach a line: facts with such names are struck out, and values that look like one are masked.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_SECRET_NAMES = re.compile(
    r"(token|secret|passw|signature|^sign$|aes_key|api_v3_key|private|authorization|cookie|ticket|session_key"
    r"|data_keys|totp|^code$|js_code|body|id_tail|id_number)",
    re.I,
)
_PHONE = re.compile(r"(?<!\d)(1[3-9]\d)\d{4}(\d{4})(?!\d)")
_OPENID = re.compile(r"\b(o[A-Za-z0-9_-]{5})[A-Za-z0-9_-]{22}\b")
_QUERY_SECRET = re.compile(
    r"((?:access_token|secret|corpsecret|appsecret|js_code|code|ticket|signature|msg_signature|token|password|totp)=)[^&\s\"']+",
    re.I,
)
_BEARER = re.compile(r"(Bearer\s+)[A-Za-z0-9._~+/=-]+", re.I)
_STRUCK = "***"

redaction = True  # switched off only by the control of drill K25


def scrub(text: str) -> str:
    """The text without phone numbers, whole openids and secrets in URLs."""
    text = _PHONE.sub(r"\1****\2", text)
    text = _OPENID.sub(r"\1***", text)
    text = _QUERY_SECRET.sub(rf"\1{_STRUCK}", text)
    return _BEARER.sub(rf"\1{_STRUCK}", text)


def _redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: _clean(key, value) for key, value in event.items()} if redaction else event


def _clean(key: str, value: Any) -> Any:
    if key not in ("event", "exception") and _SECRET_NAMES.search(key):
        return _STRUCK
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, dict):
        return {str(inner): _clean(str(inner), item) for inner, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(key, item) for item in value]
    if isinstance(value, int | float | bool) or value is None:
        return value
    return scrub(str(value))


def set_up(*, level: str = "INFO", stream: Any = None) -> None:
    """Every logger of the process, ours and foreign, writes redacted JSON lines to the stream (stderr)."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    render: list[Any] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        _redact,
        structlog.processors.JSONRenderer(ensure_ascii=False),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=render))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("alipay", "urllib3", "apscheduler", "alembic", "PIL", "fontTools", "weasyprint"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def get(name: str) -> Any:
    """A logger: `log.info("seat booked", trip=7, booking="BC25…")`."""
    return structlog.get_logger(name)


def remember(**facts: Any) -> None:
    """These facts stand on every line of this request or job from now on."""
    structlog.contextvars.bind_contextvars(**facts)


def forget() -> None:
    """A new request or job begins: nothing of the one before is remembered."""
    structlog.contextvars.clear_contextvars()
