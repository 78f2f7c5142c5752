"""XML and JSON as the platforms write and read them.

Fields are an ordered dict. Numbers stand bare, text stands in CDATA; a list becomes repeated
elements. JSON pushes carry a one-element `List` as an object (PROTOCOLS 1.4).
"""

import json
import xml.etree.ElementTree as ET
from typing import Any

Fields = dict[str, Any]


class Malformed(ValueError):
    """The other side's body is not the XML or JSON it should be."""


def cdata(text: str) -> str:
    """Text in CDATA; an end mark inside is split."""
    return "<![CDATA[" + text.replace("]]>", "]]]]><![CDATA[>") + "]]>"


def element(name: str, value: Any) -> str:
    """One element, or one per item of a list."""
    if isinstance(value, list):
        return "".join(element(name, item) for item in value)
    if isinstance(value, dict):
        inner = "".join(element(key, item) for key, item in value.items())
    elif isinstance(value, bool | int | float):
        inner = str(value)
    else:
        inner = cdata(str(value))
    return f"<{name}>{inner}</{name}>"


def xml(fields: Fields) -> str:
    """A push as XML, one field to a line as the platform sends it."""
    return "<xml>" + "\n".join(element(key, value) for key, value in fields.items()) + "\n</xml>"


def push_json(fields: Fields) -> str:
    """A push as JSON, indented as the platform sends it."""

    def thin(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: thin(item) for key, item in value.items()}
        if isinstance(value, list):
            return thin(value[0]) if len(value) == 1 else [thin(item) for item in value]
        return value

    return json.dumps({key: thin(value) for key, value in fields.items()}, ensure_ascii=False, indent=4)


def read_xml(text: str) -> Fields:
    """An <xml> document as a dict; repeated children become lists. Documents with a DTD are refused."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise Malformed("a DTD is not accepted")
    try:
        root = ET.fromstring(text)  # noqa: S314  entities cannot be declared without the DTD refused above
    except ET.ParseError as error:
        raise Malformed(f"not XML: {error}") from error
    if root.tag != "xml":
        raise Malformed(f"root is <{root.tag}>, not <xml>")
    inner = tree(root)
    return inner if isinstance(inner, dict) else {}


def tree(node: ET.Element) -> Any:
    """A node's text, or its children by name."""
    if not len(node):
        return node.text or ""
    found: Fields = {}
    for child in node:
        value = tree(child)
        if child.tag in found:
            before = found[child.tag]
            found[child.tag] = [*before, value] if isinstance(before, list) else [before, value]
        else:
            found[child.tag] = value
    return found
