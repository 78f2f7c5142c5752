"""The control API under /control: what tests, drills and the two pages steer the sandbox with.

It answers only callers on this machine, and no page of another site.
"""

from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, jsonify, request

from sandbox.control import matters, people
from sandbox.deeds import CannotDo
from sandbox.faults import UnknownFault
from sandbox.world import world


class NotHere(Exception):
    """The caller may not steer."""


def guard() -> None:
    """Only this machine, and only pages of this sandbox."""
    if not ip_address(request.remote_addr or "0.0.0.0").is_loopback:  # noqa: S104  an address to refuse, not to bind
        raise NotHere("the control API answers this machine only")
    origin = request.headers.get("Origin")
    if origin and urlsplit(origin).netloc != request.host:
        raise NotHere("the control API answers no other site")


def _said(status: int, text: str) -> Response:
    answer = jsonify(error=text)
    answer.status_code = status
    return answer


def register(app: Flask) -> None:
    """The control API answers under /control, errors as {"error": …}."""
    routes = Blueprint("control", __name__, url_prefix="/control")
    routes.before_request(guard)
    for part in (matters, people):
        part.add(routes)
    routes.register_error_handler(NotHere, lambda e: _said(403, str(e)))
    routes.register_error_handler(CannotDo, lambda e: _said(409, str(e)))
    routes.register_error_handler(UnknownFault, lambda e: _said(400, str(e)))
    routes.register_error_handler(KeyError, lambda e: _said(404, f"missing or unknown: {e.args[0] if e.args else ''}"))
    routes.register_error_handler(ValueError, lambda e: _said(400, str(e)))
    app.register_blueprint(routes)

    @app.get("/metrics")
    def metrics() -> Response:
        """The counters as Prometheus reads them."""
        with world().store.lock:
            lines = [f"sandbox_{name} {n}" for name, n in sorted(world().counters.items())]
        return Response("\n".join(lines) + "\n", content_type="text/plain; version=0.0.4")
