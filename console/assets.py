"""What a browser loads: our own few files, and dist files of npm packages, never copied in. ECOSYSTEM §1 row 9.

`console/package-lock.json` pins them; `npm ci --ignore-scripts` in `console/` fetches them. Only the files named
here are served. Addresses carry the version (or a hash of our own file), so a browser may keep them for a year.
"""

import hashlib
import json
import re
from functools import cache
from pathlib import Path

from flask import Flask, Response, abort, request, send_file, url_for
from markupsafe import Markup

from console.frame import bp

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"
VENDOR = {
    "htmx.js": ("htmx.org", "dist/htmx.min.js"),
    "alpine.js": ("@alpinejs/csp", "dist/cdn.min.js"),
    "tabler.css": ("@tabler/core", "dist/css/tabler.min.css"),
    "echarts.js": ("echarts", "dist/echarts.common.min.js"),
    "swagger-ui.css": ("swagger-ui-dist", "swagger-ui.css"),
    "swagger-ui-bundle.js": ("swagger-ui-dist", "swagger-ui-bundle.js"),
}
A_YEAR = "public, max-age=31536000, immutable"
_ICON = re.compile(r"^[a-z0-9-]+$")


def furnish(app: Flask) -> None:
    """Templates can say `asset('console.js')`, `vendor('htmx.js')` and `icon('tool')`."""
    app.jinja_env.globals.update(asset=asset, vendor=vendor, icon=icon)


def missing() -> list[str]:
    """The vendor files that `npm ci` has not fetched yet, for the start and for tests."""
    return [name for name, (package, path) in VENDOR.items() if not (MODULES / package / path).is_file()]


@bp.get("/static/vendor/<name>")
def get_vendor(name: str) -> Response:
    package, path = VENDOR.get(name) or abort(404)
    file = MODULES / package / path
    if not file.is_file():
        abort(404)
    return send_file(file, conditional=True, etag=True)


def keep_for_long(answer: Response) -> Response:
    """An address with a version may be kept for a year; one without is asked about each time."""
    if answer.status_code in (200, 206, 304):
        answer.headers["Cache-Control"] = A_YEAR if "v" in request.args else "no-cache"
    return answer


def asset(name: str) -> str:
    """The address of one of our own files, new whenever the file is."""
    file = HERE / "static" / name
    return url_for("console.static", filename=name, v=_hash(file, file.stat().st_mtime_ns))


@cache
def _hash(file: Path, _changed: int) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12]


def vendor(name: str) -> str:
    """The address of a vendor file, with its version."""
    return url_for("console.get_vendor", name=name, v=_version(VENDOR[name][0]))


@cache
def _version(package: str) -> str:
    lock = json.loads((HERE / "package-lock.json").read_text("utf-8"))
    return str(lock["packages"][f"node_modules/{package}"]["version"])


@cache
def icon(name: str, words: str = "") -> Markup:
    """A Tabler icon, drawn into the page. Decoration unless it has words of its own."""
    if not _ICON.match(name):
        raise ValueError(name)
    file = MODULES / "@tabler/icons/icons/outline" / f"{name}.svg"
    drawn = re.sub(r"\s+", " ", file.read_text("utf-8")) if file.is_file() else "<svg >"
    said = Markup(' role="img" aria-label="{}"').format(words) if words else ' aria-hidden="true"'
    return Markup(drawn.replace("<svg ", f"<svg{said} ", 1))  # noqa: S704  # the packages' own drawing, no user's text
