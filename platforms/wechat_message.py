"""What a WeChat or WeCom push says, from XML or JSON, and the passive replies to it.

One expat parser driven by hand: no DTD and so no entities, a limit on depth, and an element that comes twice is
malformed unless the platform documents it as repeated. Sources: PROTOCOLS 1.4, 1.5, 2.9, 3.3,
3.9; PERFORMANCE A.1 (what it may cost); DRILLS K15 (bombs).
"""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, NoReturn
from xml.parsers.expat import ExpatError, ParserCreate

MAX_BODY = 64 * 1024
MAX_DEPTH = 16
MAX_REPEATS = 200
MAX_TEXT_BYTES = 2048  # PROTOCOLS 1.5: the Content of a text reply

# Elements that the platforms document as repeated; each is always a list, also when there is one (PROTOCOLS 1.4, 3.3).
# `Item` is the ExtAttr of a WeCom contact event, `detail` the verdicts of a wxa_media_check.
REPEATED = frozenset({"List", "item", "Item", "SelectedItem", "OptionId", "detail"})


class CallbackError(Exception):
    """A callback that is not answered. The door refuses it and stores nothing."""


class BadEnvelope(CallbackError):
    """It is not what the platform sends: malformed, oversized, a bomb, or addressed to somebody else."""


class Message(NamedTuple):
    """One push, in our words. `event` is lower-case on every platform; `key` is the scene without `qrscene_`."""

    to: str
    sender: str
    created_at: datetime
    kind: str  # MsgType: text, image, event, …
    event: str  # subscribe, unsubscribe, scan, click, view, scancode_waitmsg, templatesendjobfinish, …
    key: str  # EventKey: the menu key, the scene of a door code
    content: str  # what was typed
    msg_id: str
    extra: dict[str, Any]  # every other element under its own name

    def dedupe_key(self) -> str:
        """The same for every delivery of the same message: PROTOCOLS 1.3, 3.2. At most 100 characters.

        Messages are known by MsgId. Events have none: sender and second, and a digest of everything else, because two
        different events of one sender in one second do occur (and WeCom sends every contact change as `sys`).
        """
        if self.msg_id:
            return f"m:{self.msg_id}"
        rest = json.dumps([self.kind, self.event, self.key, self.content, self.extra], sort_keys=True)
        digest = hashlib.sha256(rest.encode()).hexdigest()[:20]
        return f"e:{self.sender}:{int(self.created_at.timestamp())}:{digest}"


def parse(body: bytes) -> Message:
    """The message in a plain or decrypted body. XML or JSON is told by its first character. Raises BadEnvelope.

    The content type is not asked: platforms send text/plain now and then (PROTOCOLS 1).
    """
    return message_of(fields_of(body))


def fields_of(body: bytes) -> dict[str, Any]:
    """The elements of a body as strings, numbers (JSON), dicts and, for the repeated ones, lists. Raises BadEnvelope."""
    if len(body) > MAX_BODY:
        raise BadEnvelope("larger than 64 KB")
    return _from_json(body) if body.lstrip()[:1] == b"{" else _from_xml(body)


def message_of(fields: dict[str, Any]) -> Message:
    """The message that these elements make. Raises BadEnvelope when one of the common four is missing or strange."""
    values = [fields.pop(name, "") for name in _OURS]
    if set(map(type, values)) != _ONLY_TEXT:
        values = [_text(name, value) for name, value in zip(_OURS, values, strict=True)]
    to, sender, kind, created, msg_id, event, key, content = values
    if not (to and sender and kind) or len(to) > 64 or len(sender) > 64 or len(kind) > 64:
        raise BadEnvelope("ToUserName, FromUserName or MsgType is missing or too long")
    if not created.isdecimal() or len(created) > 10:
        raise BadEnvelope("CreateTime is not a number of seconds")
    if len(msg_id) > 64:
        raise BadEnvelope("MsgId is not a number")
    if event:
        event = event.lower()
        if event == "subscribe":
            key = key.removeprefix("qrscene_")  # PROTOCOLS 1.4: only the first scan carries the prefix
    return Message(to, sender, datetime.fromtimestamp(int(created), UTC), kind, event, key, content, msg_id, fields)


_OURS = ("ToUserName", "FromUserName", "MsgType", "CreateTime", "MsgId", "Event", "EventKey", "Content")
_ONLY_TEXT = {str}


def _text(name: str, value: Any) -> str:
    if type(value) is str:
        return value
    if type(value) is int:  # JSON pushes carry CreateTime and MsgId as numbers
        return str(value)
    if value is None:
        return ""
    raise BadEnvelope(f"{name} is not a text")


# -- XML


def _refuse_doctype(*_: Any) -> NoReturn:
    raise BadEnvelope("a document type is not allowed")


def _from_xml(body: bytes) -> dict[str, Any]:
    stack: list[dict[str, Any]] = []
    texts: list[str] = []
    root: Any = None
    push, pop, forget = stack.append, stack.pop, texts.clear  # looked up once: these run for every element

    def start(_name: str, _attributes: Any) -> None:
        if len(stack) >= MAX_DEPTH:
            raise BadEnvelope("too deep")
        push({})
        forget()

    def end(name: str) -> None:
        nonlocal root
        value: Any = pop() or "".join(texts)
        forget()
        if not stack:
            root = value
            return
        parent = stack[-1]
        if name in REPEATED:
            several = parent.setdefault(name, [])
            several.append(value)
            if len(several) > MAX_REPEATS:
                raise BadEnvelope("an element comes too often")
        elif name in parent:
            raise BadEnvelope("an element comes twice")
        else:
            parent[name] = value

    parser = ParserCreate("utf-8")  # named here, so the body cannot choose another encoding
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = texts.append
    try:
        parser.Parse(body, True)
    except ExpatError as why:
        raise BadEnvelope(f"not well-formed XML: error {why.code}") from None
    if type(root) is not dict:
        raise BadEnvelope("the XML has no elements")
    return root


# -- JSON


def _from_json(body: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(body.decode(), object_pairs_hook=_once, parse_constant=_refuse_constant)
        if b"\\u" in body:  # an escaped half of a surrogate pair could be neither stored nor answered
            json.dumps(fields, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise BadEnvelope("not well-formed JSON") from None
    if type(fields) is not dict:
        raise BadEnvelope("not a JSON object")
    for name, value in fields.items():
        fields[name] = _listed(name, value, 1)
    return fields


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise BadEnvelope("a JSON key comes twice")
    return fields


def _refuse_constant(_name: str) -> NoReturn:
    raise BadEnvelope("NaN and infinities are not allowed")


def _listed(name: str, value: Any, depth: int) -> Any:
    """The value with every repeated element as a list: in JSON `List` is an object when it is one (PROTOCOLS 2.6)."""
    if depth >= MAX_DEPTH:
        raise BadEnvelope("too deep")
    if type(value) is dict:
        for inner, item in value.items():
            value[inner] = _listed(inner, item, depth + 1)
        return [value] if name in REPEATED else value
    if type(value) is list:
        return [_listed("", item, depth + 1) for item in value]
    return value


# -- replies

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def cdata(text: str) -> str:
    """The text as CDATA: `]]>` is split so that it cannot end the section, and what XML cannot carry is left out."""
    if not text.isprintable():
        text = _NOT_XML.sub("", text)
    if "]]>" in text:
        text = text.replace("]]>", "]]]]><![CDATA[>")
    return f"<![CDATA[{text}]]>"


def fit_text(text: str, limit: int = MAX_TEXT_BYTES) -> str:
    """The text, cut to so many bytes of UTF-8 with an ellipsis when it is longer."""
    raw = text.encode("utf-8", "replace")
    return text if len(raw) <= limit else raw[: limit - 3].decode("utf-8", "ignore") + "…"


def reply_text(message: Message, text: str, now: datetime) -> str:
    """The passive reply that says `text` to whoever sent the message. PROTOCOLS 1.5. XML, not encrypted yet."""
    return _reply(message, "text", f"<Content>{cdata(fit_text(text))}</Content>", now)


def reply_news(message: Message, *, title: str, text: str, url: str, picture_url: str = "", now: datetime) -> str:
    """A passive reply with one article (one is all that is allowed, PROTOCOLS 1.5)."""
    parts = {"Title": title, "Description": text, "PicUrl": picture_url, "Url": url}
    item = "".join(f"<{name}>{cdata(value)}</{name}>" for name, value in parts.items())
    return _reply(message, "news", f"<ArticleCount>1</ArticleCount><Articles><item>{item}</item></Articles>", now)


def reply_button_done(message: Message, text: str, now: datetime) -> str:
    """The clicked WeCom card shows `text` in place of its buttons, for the clicker. PROTOCOLS 3.3."""
    return _reply(message, "update_button", f"<Button><ReplaceName>{cdata(text)}</ReplaceName></Button>", now)


def _reply(message: Message, kind: str, inner: str, now: datetime) -> str:
    return (
        f"<xml><ToUserName>{cdata(message.sender)}</ToUserName><FromUserName>{cdata(message.to)}</FromUserName>"
        f"<CreateTime>{int(now.timestamp())}</CreateTime><MsgType><![CDATA[{kind}]]></MsgType>{inner}</xml>"
    )


def reply_json(message: Message, text: str, now: datetime) -> str:
    """The passive text reply for a mini-program that chose JSON pushes. PROTOCOLS 2.9."""
    reply: Mapping[str, Any] = {
        "ToUserName": message.sender,
        "FromUserName": message.to,
        "CreateTime": int(now.timestamp()),
        "MsgType": "text",
        "Content": fit_text(text),
    }
    return json.dumps(reply, ensure_ascii=False)
