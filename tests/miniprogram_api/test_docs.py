"""/openapi.json, /docs and /m/ as a browser meets them. DESIGN §4."""

import threading
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server

from miniprogram_api.openapi import SWAGGER, description


def operations():
    return {
        (path, method): operation for path, item in description()["paths"].items() for method, operation in item.items()
    }


def test_every_route_is_described_and_nothing_else(app):
    routes = {rule.rule.split("<")[0] for rule in app.url_map.iter_rules() if rule.rule.startswith("/api/v1/")}
    assert {path.split("{")[0] for path in description()["paths"]} == routes


def test_every_refusal_is_problem_json():
    for (path, method), operation in operations().items():
        told = {status for status in operation["responses"] if status >= "400"}
        assert {"406", "429", "500", "503"} <= told, (path, method)
        assert all(operation["responses"][status]["$ref"].endswith(f"Problem{status}") for status in told), (
            path,
            method,
        )
    for answer in description()["components"]["responses"].values():
        assert list(answer["content"]) == ["application/problem+json"]


def test_what_needs_a_session_says_so():
    open_to_all = {path for (path, _), operation in operations().items() if "security" not in operation}
    assert {path.removeprefix("/api/v1") for path in open_to_all} == {
        "/login/mini", "/login/official", "/login/official/url", "/login/wecom", "/login/wecom/url", "/login/sso",
        "/login/sso/url", "/login/sso/return", "/login/code", "/privacy", "/public/status", "/public/photos/{no}", "/wechat/js-config",
    }  # fmt: skip


def test_every_body_has_an_example_and_every_text_a_limit():
    for (path, _), operation in operations().items():
        for kind, content in operation.get("requestBody", {}).get("content", {}).items():
            assert kind.startswith("image/") or {"example", "examples"} & set(content), path

    def texts(node: Any, where: str) -> Any:
        if isinstance(node, dict):
            if node.get("type") == "string" and not {"enum", "const", "format", "maxLength", "pattern"} & set(node):
                yield where
            for name, inner in node.items():
                yield from texts(inner, f"{where}.{name}")
        elif isinstance(node, list):
            for inner in node:
                yield from texts(inner, where)

    schemas = {name: one for name, one in description()["components"]["schemas"].items() if name.endswith("In")}
    assert list(texts(schemas, "")) == []


def test_the_description_is_asked_about_by_its_etag(client):
    first = client.get("/openapi.json")
    assert first.json["openapi"] == "3.1.0"
    assert client.get("/openapi.json", headers={"If-None-Match": first.headers["ETag"]}).status_code == 304


def test_only_the_files_of_the_docs_page_are_served(client):
    assert client.get("/docs/docs.js", buffered=True).status_code == 200
    for name in ("package.json", "..%2fpackage.json", "index.html", "swagger-initializer.js", "docs.py"):
        assert client.get(f"/docs/{name}").status_code == 404


@pytest.fixture
def h5(app, tmp_path):
    """A build of the client, small enough to read."""
    (tmp_path / "h5" / "assets").mkdir(parents=True)
    (tmp_path / "h5" / "index.html").write_text("<!doctype html><title>后勤通</title>")
    (tmp_path / "h5" / "assets" / "index-1a2b3c.js").write_text("1")
    (tmp_path / "secret.txt").write_text("canary")
    app.config["CLIENT_DIST"] = str(tmp_path / "h5")
    return app.test_client()


def test_the_client_is_served_and_a_new_build_is_seen_at_once(h5):
    page, asset = h5.get("/m/", buffered=True), h5.get("/m/assets/index-1a2b3c.js", buffered=True)
    assert (page.status_code, page.headers["Cache-Control"]) == (200, "no-cache")
    assert (asset.status_code, asset.headers["Cache-Control"]) == (200, "public, max-age=31536000, immutable")
    assert h5.get("/m").headers["Location"] == "/m/"
    assert "unsafe-inline" not in page.headers["Content-Security-Policy"].split("style-src")[0]


@pytest.mark.parametrize(
    "name", ["../secret.txt", "..%2fsecret.txt", "assets/../../secret.txt", ".env", "assets/", "nothing.js"]
)
def test_nothing_beside_the_build_is_served(h5, name):
    answer = h5.get(f"/m/{name}")
    assert answer.status_code in (404, 308)
    assert b"canary" not in answer.data


def test_a_client_that_was_not_built_says_so_kindly(app, tmp_path):
    app.config["CLIENT_DIST"] = str(tmp_path / "nothing")
    answer = app.test_client().get("/m/")
    assert answer.status_code == 503
    assert "make client" in answer.text


def test_the_client_is_told_who_may_frame_it(db, tmp_path):
    from tests.miniprogram_api import fakes

    house = fakes.make_house(tmp_path, frame_ancestors=["http://127.0.0.1:8001"])
    answer = fakes.make_app(house).test_client().get("/m/config.js")
    assert answer.mimetype == "text/javascript"
    assert '"bridges": ["http://127.0.0.1:8001"]' in answer.text
    assert "frame-ancestors 'self' http://127.0.0.1:8001" in answer.headers["Content-Security-Policy"]
    assert "X-Frame-Options" not in answer.headers


@pytest.mark.browser
def test_the_docs_page_reads_well_and_asks_no_other_host(app, chromium):
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        page = chromium.new_page()
        asked, said = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda line: said.append(line.text))
        page.goto(f"http://127.0.0.1:{server.server_port}/docs")
        page.get_by_text("/api/v1/repairs/{no}/take").first.wait_for()
        page.locator(".opblock-summary-path", has_text="/repairs").last.click()
        page.locator(".responses-inner").first.wait_for()
        assert page.get_by_text("报修 Repairs").count()
        assert [line for line in said if "Content Security Policy" in line] == []
        assert {url.split("/")[2] for url in asked if url.startswith("http")} == {f"127.0.0.1:{server.server_port}"}
        page.close()
    finally:
        server.shutdown()
        server.server_close()


def test_swagger_ui_stands_where_the_consoles_packages_stand():
    assert Path("console/node_modules/swagger-ui-dist").as_posix() in SWAGGER.as_posix()
