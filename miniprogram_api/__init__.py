"""/api/v1 for the client, its description, its H5 build at /m/, and the machine room. DESIGN §4.

`register` hangs all of it on an APIFlask app that carries a `core.house.House`.
"""

from apiflask import APIFlask

from core.house import KEY, House
from miniprogram_api import client, frame, limits, machine, openapi

# Each of these hangs its endpoints on `api` while it is imported.
from miniprogram_api import files, notices, people, places, public, repairs, sessions, wechat  # noqa: F401  # isort: skip

__all__ = ["register"]


def register(app: APIFlask) -> None:
    """The app answers /api/v1, /openapi.json, /docs, /m/, /healthz, /readyz, /metrics and the verification files."""
    house: House = app.extensions[KEY]
    frame.set_up(app)
    app.register_blueprint(frame.api)
    endpoints = openapi.finish(app)
    limits.set_up(app, house.cache, endpoints)
    openapi.set_up(app)
    client.set_up(app)
    machine.set_up(app)
