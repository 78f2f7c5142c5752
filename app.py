"""The web process: wires everything, decides nothing. `houqin serve`, or `gunicorn 'app:create_app()'`."""

import os
from collections.abc import Callable
from typing import Any

from apiflask import APIFlask

import console
import miniprogram_api
from campus import repairs  # noqa: F401  its notice kinds register themselves
from core import config as configs
from core import crypto, db, files, log, redis, web
from core.config import Config
from core.house import KEY, House
from platforms import build
from wxbot.door import CallbackDoor

CSP = "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; form-action 'self'"
_log = log.get(__name__)


def build_house(config: Config, *, platforms: Any = None, lean: bool = False) -> House:
    """The database, keys, cache, file store and platforms of this process. `lean` as in `core.db.Database`."""
    crypto.use(crypto.Vault(tuple(key.get_secret_value() for key in config.server.data_keys)))
    db.connect(config.database.url.get_secret_value(), pool=config.database.pool, lean=lean)
    cache = redis.connect(config.redis.url.get_secret_value())
    for section in config.platforms_off:
        _log.info("platform is off", section=section)
    return House(config, platforms or build(config, cache), cache, files.FileStore.open(config.files))


def create_wsgi(house: House) -> Callable[..., Any]:
    """The whole web process: the thin callback door in front, Flask behind it."""
    return CallbackDoor(create_flask(house), config=house.config)


def create_flask(house: House) -> APIFlask:
    """API, console, client files and the machine room on one Flask app."""
    app = APIFlask("houqin", title="后勤通 API", version="1", docs_path=None, spec_path=None, static_folder=None)
    app.secret_key = house.config.server.secret_key.get_secret_value()
    app.extensions[KEY] = house
    web.furnish(app, house.config.server, door="web", csp=CSP)
    miniprogram_api.register(app)
    console.register(app)
    return app


def create_app(path: str | None = None) -> Callable[..., Any]:
    """What a WSGI server loads: everything from HOUQIN_CONFIG."""
    log.set_up()
    config = configs.load(path or os.environ.get("HOUQIN_CONFIG", "houqin.toml"))
    configs.refuse_example_secrets(config)
    refuse_moved_clock(config)
    return create_wsgi(build_house(config))


def refuse_moved_clock(config: Config) -> None:
    """Raises ConfigError when the clock file of a drill is set on a service that is not on loopback (DESIGN §5)."""
    if os.environ.get("HOUQIN_CLOCK_FILE") and not config.server.is_loopback:
        raise configs.ConfigError("HOUQIN_CLOCK_FILE is set, but base_url is not loopback: this is for drills only")
