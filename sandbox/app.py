"""The Flask app: platforms behind the wire, the phone, the panel, the control API."""

from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from sandbox import control, pages, sms, sso, wechat, wecom
from sandbox.answers import Refusal, refused
from sandbox.settings import both_names
from sandbox.wire import Wire
from sandbox.world import World


def create_app(directory: str | Path, *, fast: bool = False) -> Flask:
    """The sandbox of the directory, ready to serve. `fast`: only count, remember no calls."""
    app = Flask(__name__, static_folder="web/static", template_folder="web/templates")
    w = World(Path(directory), fast=fast)
    app.extensions["sandbox"] = w
    app.config["MAX_CONTENT_LENGTH"] = 12 << 20
    app.json.ensure_ascii = app.json.sort_keys = False  # type: ignore[attr-defined]  # the default provider has both
    for part in (wechat, wecom, sms, sso, control, pages):
        part.register(app)

    @app.errorhandler(404)
    @app.errorhandler(405)
    def no_such_call(error: HTTPException) -> Response | HTTPException:
        """The platforms answer a wrong path or method in JSON too."""
        if request.path.startswith(("/wechat/", "/wecom/")):
            return refused(Refusal(40066 if error.code == 404 else 43002 if request.method == "GET" else 43001))
        return error

    @app.after_request
    def headers(response: Response) -> Response:
        """Pages load nothing from elsewhere; only the service may stand in a frame of theirs."""
        scheme = urlsplit(w.settings.service_url).scheme
        allowed = " ".join(f"{scheme}://{name}" for name in both_names(w.settings.service_url))
        response.headers.setdefault(
            "Content-Security-Policy",
            f"default-src 'self'; img-src 'self' data: {allowed}; frame-src 'self' {allowed}; object-src 'none';"
            f" base-uri 'none'; form-action 'self' {allowed}; frame-ancestors 'self' {allowed}",
        )
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "same-origin")
        if response.mimetype != "text/css":
            response.headers.setdefault("Cache-Control", "no-store")
        return response

    app.wsgi_app = Wire(app.wsgi_app, w)  # type: ignore[method-assign]  # Flask's own way to add a layer
    return app
