"""What /openapi.json says beyond the endpoints themselves, and /docs to read it in. OpenAPI 3.1, RFC 9457, ECOSYSTEM 5.1.

Every refusal is described where it can happen, as application/problem+json. /docs is Swagger UI from the npm package
`swagger-ui-dist` beside the console's files: nothing comes from another host.
"""

import hashlib
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from apiflask import APIFlask
from flask import Blueprint, Response, abort, request, send_from_directory

from core import web
from core.ids import LETTERS
from miniprogram_api.frame import api

docs = Blueprint("docs", __name__)

HERE = Path(__file__).resolve().parent
SWAGGER = HERE.parent / "console" / "node_modules" / "swagger-ui-dist"
FILES = {
    "swagger-ui.css": SWAGGER,
    "swagger-ui-bundle.js": SWAGGER,
    "docs.js": HERE / "static",
    "docs.css": HERE / "static",
}
PAGE = """<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>后勤通 API</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css"><link rel="stylesheet" href="/docs/docs.css">
<div id="docs"></div><script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/docs.js"></script></html>
"""
NOT_FETCHED = """<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>后勤通 API</title>
<h1>文档页面还没有准备好</h1><p>运行 <code>make console-assets</code> 后刷新。接口描述:<a href="/openapi.json">/openapi.json</a></p></html>
"""
DOCS_CSP = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'self'"

TAGS = {
    "sessions": "登录 Signing in and out",
    "people": "我的 The person, bindings, consent, phone",
    "places": "地点 Places and door codes",
    "files": "照片 Photos",
    "repairs": "报修 Repairs",
    "notices": "消息 Inbox and subscriptions",
    "wechat": "微信 JS-SDK",
    "public": "公开 Without signing in",
}
TITLE, VERSION = "后勤通 API", "1"
DESCRIPTION = """后勤通 for its clients. `Authorization: Bearer TOKEN`; times are ISO 8601 with offset; lists are cursor-paged;
what is polled carries `ETag` and `Retry-After`; errors are `application/problem+json` (RFC 9457) with a stable `code`."""
PROBLEM = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457, with a stable code for programs and a Chinese detail for people.",
    "required": ["type", "title", "status", "code", "detail", "request_id"],
    "properties": {
        "type": {"type": "string", "examples": ["urn:houqin:problem:invalid"]},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "code": {"type": "string", "pattern": "^[a-z][a-z0-9_]*$"},
        "detail": {"type": "string"},
        "request_id": {"type": "string"},
        "fields": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "Field → what is wrong with it",
        },
    },
}
FILE_NO = rf"^FL[0-9]{{6}}[{LETTERS}]{{10}}$"
PATHS = {  # what stands in an address
    "no": {"/repairs": rf"^WX[0-9]{{6}}[{LETTERS}]{{10}}$", "/photos": FILE_NO, "/public/photos": FILE_NO},
    "code": {"/places": r"^[A-Za-z0-9][A-Za-z0-9-]{0,31}$"},
    "door_code": {"/doors": r"^D[0-9A-Z]{10}$"},
}
WAITS = {"429", "503"}


def finish(app: APIFlask) -> list[str]:
    """Every endpoint of /api/v1 has its name, tag and security in the description; their endpoint names."""
    endpoints = sorted(name for name in app.view_functions if name.startswith(f"{api.name}."))
    for endpoint in endpoints:
        view = app.view_functions[endpoint]
        tag = str(view.__module__).rsplit(".", 1)[-1]
        facts = {name: getattr(view, name) for name in ("polled", "takes", "refuses") if hasattr(view, name)}
        described = api.doc(
            operation_id=view.__name__,
            tags=[tag],
            security="bearer" if hasattr(view, "signed_in") else None,
            extensions={"x-facts": facts},
        )
        app.view_functions[endpoint] = described(view)
    return endpoints


def set_up(app: APIFlask) -> None:
    """The app shows the description at /openapi.json and /docs."""
    app.register_blueprint(docs)


@cache
def description() -> dict[str, Any]:
    """The description of /api/v1. It is made on an app of its own, since it is the same for every school.

    (APIFlask 3.1 cannot describe an app that also carries plain Flask blueprints with a before_request.)
    """
    app = APIFlask("houqin", title=TITLE, version=VERSION, docs_path=None, spec_path=None, static_folder=None)
    app.config.update(
        OPENAPI_VERSION="3.1.0",
        AUTO_404_RESPONSE=False,
        AUTO_VALIDATION_ERROR_RESPONSE=False,
        AUTO_AUTH_ERROR_RESPONSE=False,
        AUTO_SERVERS=False,
        DESCRIPTION=DESCRIPTION,
        TAGS=[{"name": name, "description": words} for name, words in TAGS.items()],
        SECURITY_SCHEMES={"bearer": {"type": "http", "scheme": "bearer", "description": "The token of a Session"}},
    )
    app.register_blueprint(api)
    finish(app)
    app.spec_processor(complete)
    spec = app.spec
    assert isinstance(spec, dict), "SPEC_FORMAT is json"
    return spec


def complete(spec: dict[str, Any]) -> dict[str, Any]:
    """The description with everything that all endpoints share."""
    spec = _plain_names(spec)
    spec["servers"] = [{"url": "/"}]
    spec["paths"] = {path: item for path, item in spec["paths"].items() if path.startswith("/api/v1/")}
    components = spec.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = PROBLEM
    for name, schema in components["schemas"].items():
        _finish_schema(name, schema)
    components["responses"] = {f"Problem{status}": _problem(status) for status in _STATUSES}
    for path, operations in spec["paths"].items():
        for method, operation in operations.items():
            _finish_operation(path, method, operation)
    return spec


_STATUSES = ("400", "401", "403", "404", "406", "409", "413", "415", "422", "429", "500", "502", "503")


def _problem(status: str) -> dict[str, Any]:
    code, detail = web.HTTP_CODES[int(status)]
    example = {
        "type": f"urn:houqin:problem:{code}",
        "title": detail,
        "status": int(status),
        "code": code,
        "detail": detail,
        "request_id": "RQ7K2M9X4CDQWERT",
    }
    if status == "422":
        example["fields"] = {"text": "必填"}
    said: dict[str, Any] = {
        "description": detail,
        "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}
        },
    }
    headers = {}
    if status in WAITS:
        headers["Retry-After"] = {"description": "Seconds to wait", "schema": {"type": "integer", "minimum": 1}}
    if status == "401":
        headers["WWW-Authenticate"] = {"schema": {"type": "string"}}
    return said | ({"headers": headers} if headers else {})


def _finish_schema(name: str, schema: dict[str, Any]) -> None:
    """No titles made from names; and what may be left out of a body has no default that a generator would ask for."""
    for field in schema.get("properties", {}).values():
        field.pop("title", None)
        if name.endswith("In"):
            field.pop("default", None)


def _finish_operation(path: str, method: str, operation: dict[str, Any]) -> None:
    facts = operation.pop("x-facts", {})
    responses = operation["responses"]
    for parameter in operation.get("parameters", []):
        _finish_parameter(path, parameter)
    if takes := facts.get("takes"):
        photo = {"schema": {"type": "string", "format": "binary"}}
        operation["requestBody"] = {"content": dict.fromkeys(takes, photo)}
    for status in _refusals(path, method, operation, facts):
        responses.setdefault(status, {"$ref": f"#/components/responses/Problem{status}"})
    if "requestBody" in operation:
        operation["requestBody"]["required"] = True
    if "polled" in facts:
        responses["200"]["headers"] = {
            "ETag": {"schema": {"type": "string"}},
            "Retry-After": {"description": "Seconds until asking again is worth it", "schema": {"type": "integer"}},
        }
        responses["304"] = {"description": "Unchanged since the ETag in If-None-Match"}
    if "201" in responses:
        responses["201"]["headers"] = {"Location": {"schema": {"type": "string"}}}
    operation["responses"] = dict(sorted(responses.items()))


def _refusals(path: str, method: str, operation: dict[str, Any], facts: dict[str, Any]) -> set[str]:
    """The statuses that can be answered there."""
    told = {"406", "429", "500", "503"} | {str(status) for status in facts.get("refuses", ())}
    told |= {"401", "403"} if operation.get("security") else set()
    told |= {"404"} if "{" in path else set()
    told |= {"409"} if method in ("post", "put", "delete") and operation.get("security") else set()
    told |= {"400", "404", "413", "415", "422"} if "requestBody" in operation else set()
    told |= {"415"} if method in ("post", "put") else set()
    told |= {"422"} if any(one["in"] in ("query", "header") for one in operation.get("parameters", [])) else set()
    return told


def _finish_parameter(path: str, parameter: dict[str, Any]) -> None:
    if parameter["in"] == "header":
        parameter["name"] = "-".join(part.capitalize() for part in parameter["name"].split("-"))
    if parameter["in"] == "path":
        parameter["required"] = True
        for prefix, pattern in PATHS.get(parameter["name"], {}).items():
            if path.startswith(f"/api/v1{prefix}"):
                parameter["schema"] = {"type": "string", "pattern": pattern}
        if parameter["name"] == "notice_id":
            parameter["schema"] = {"type": "integer", "minimum": 0, "maximum": 2**63 - 1}
        if parameter["name"] == "kind":
            parameter["schema"] = {"type": "string", "enum": ["official", "mini", "wecom", "alipay", "sso"]}
    if words := parameter.get("schema", {}).pop("description", None):
        parameter["description"] = words


_COMPOSED = re.compile(r"^[A-Za-z]+\.([A-Za-z]+)$")
_COMPOSED_REF = re.compile(r"^#/components/schemas/[A-Za-z]+\.([A-Za-z]+)$")


def _plain_names(spec: dict[str, Any]) -> dict[str, Any]:
    """`TicketOut.PlaceRef` and `MeOut.PlaceRef` are the same PlaceRef: one name per thing."""

    def plain(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: plain(value) for key, value in node.items()}
        if isinstance(node, str) and (match := _COMPOSED_REF.match(node)):
            return f"#/components/schemas/{match[1]}"
        return [plain(one) for one in node] if isinstance(node, list) else node

    spec = plain(spec)
    schemas = spec.get("components", {}).get("schemas", {})
    for name in [name for name in schemas if _COMPOSED.match(name)]:
        kept, short = schemas.pop(name), name.split(".", 1)[1]
        if "$ref" in schemas.get(short, {"$ref": ""}):  # a tree's own name only points at its composed one
            schemas[short] = kept
    return spec


# ---- reading it ----------------------------------------------------------------------------------------------------


@docs.get("/openapi.json")
def get_openapi() -> Response:
    """The description of /api/v1."""
    answer = Response(_text(), mimetype="application/json")
    answer.set_etag(hashlib.sha256(_text()).hexdigest()[:32])
    answer.headers["Cache-Control"] = "no-cache"
    return answer.make_conditional(request)


@cache
def _text() -> bytes:
    return json.dumps(description(), ensure_ascii=False, separators=(",", ":")).encode()


@docs.get("/docs")
def get_docs() -> Response:
    """The description, readable in a browser."""
    there = (SWAGGER / "swagger-ui-bundle.js").is_file()
    answer = Response(PAGE if there else NOT_FETCHED, mimetype="text/html")
    answer.headers["Content-Security-Policy"] = DOCS_CSP
    return answer


@docs.get("/docs/<name>")
def get_docs_file(name: str) -> Response:
    """One of the files that /docs loads; no others."""
    if name not in FILES:
        abort(404)
    answer = send_from_directory(FILES[name], name, max_age=3600)
    answer.headers["Cache-Control"] = "public, max-age=3600"
    return answer
